"""Patterns of the operator over hostile text take time that grows with the text, not with its cunning."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.artifacts import patterns
from triage.artifacts.patterns import Hit, PatternError, Patterns
from triage.artifacts.structure import Notes

# What makes Python's re take years: pattern, text that it almost matches.
CATASTROPHES = [
    (r"(a+)+$", b"a" * 50_000 + b"!"),
    (r"(a|aa)+$", b"a" * 50_000 + b"!"),
    (r"(.*a){25}", b"a" * 24 + b"b" * 50_000),
    (r"^(([a-z])+.)+[A-Z]([a-z])+$", b"a" * 50_000),
    (r"(x+x+)+y", b"x" * 50_000),
    (r"(\w+\s?)*:", b"word " * 10_000),
    (r"<(.+)*>", b"<" * 50_000),
    (r".*[^A-Z]|[A-Z]", b"A" * 50_000),
    (r"(?:a?){30}a{30}", b"a" * 29),
]


def found(words: list[str], data: bytes, **options: bool) -> list[tuple[int, int, int]]:
    return [tuple(hit) for hit in Patterns(words, **options).search(data)]


@pytest.mark.parametrize(("pattern", "text"), CATASTROPHES, ids=[p for p, _ in CATASTROPHES])
def test_catastrophic_patterns_are_harmless(pattern: str, text: bytes) -> None:
    started = time.process_time()
    list(Patterns([pattern], regular=True).search(text))
    assert time.process_time() - started < 5


def test_words_are_words_whatever_signs_they_hold() -> None:
    assert found(["(a+)+$", "a.c"], b"x (a+)+$ abc a.c") == [(0, 2, 8), (1, 13, 16)]
    assert found(["Invoice"], b"INVOICE invoice", ignore_case=True) == [(0, 0, 7), (0, 8, 15)]
    assert found(["caf\u00e9"], "un caf\u00e9".encode()) == [(0, 3, 8)]


def test_regular_expressions_match_bytes() -> None:
    assert found([r"[a-z]+@[a-z]+\.org", r"\xff\x00"], b"\xff\0 me@example.org", regular=True) == [(0, 3, 17), (1, 0, 2)]
    assert found([r"abc"], b"ABC", regular=True, ignore_case=True) == [(0, 0, 3)]
    assert found([r"\bx*"], b"axxb xx", regular=True) == [(0, 5, 7)]


def test_hits_across_stretches_are_found_once() -> None:
    for start in (65_530, 65_536 - 3, 65_536, 131_070):
        data = bytes(start) + b"needle" + bytes(1000)
        assert found(["needle"], data) == found(["ne+dle"], data, regular=True) == [(0, start, start + 6)]
    assert found(["a+"], b"a" * 10_000, regular=True) == [(0, 0, 4096), (0, 4096, 8192), (0, 8192, 10_000)]


def test_hits_without_end_are_cut_and_said() -> None:
    notes = Notes()
    assert sum(1 for _ in Patterns(["a"]).search(b"a" * 30_000, notes)) == patterns.MAX_HITS
    assert notes.lines() == ("a pattern has more than 10,000 hits: the rest was left out",)
    notes = Notes()
    assert list(Patterns([r"\b"], regular=True).search(b"a " * 500_000, notes)) == []
    assert notes.lines() == ("a pattern has more than 10,000 hits: the rest was left out",)


@pytest.mark.parametrize(
    "pattern", [r"(", r"x*", r"(?:a|)", r"(?=a)", r"(a)\1", r"a{5000}", r"((a{100}){100}){100}", "", "x" * 1001, "\ud800"]
)
def test_what_cannot_be_used_is_refused_with_a_reason(pattern: str) -> None:
    with pytest.raises(PatternError):
        Patterns([pattern], regular=True)


def test_without_the_package_words_work_and_expressions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "_re2", None)
    assert not patterns.available()
    assert found(["a"], b"bab") == [(0, 1, 2)]
    with pytest.raises(PatternError, match="google-re2"):
        Patterns(["a+"], regular=True)


def test_too_many_patterns_are_refused() -> None:
    with pytest.raises(PatternError, match="too many"):
        Patterns(["a"] * 10_001)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3), st.binary(max_size=60).map(lambda b: b.translate(b"ab" * 128))
)
def test_words_are_found_where_the_standard_library_finds_them(words: list[str], data: bytes) -> None:
    expected = [Hit(n, m.start(), m.end()) for n, word in enumerate(words) for m in re.finditer(re.escape(word.encode()), data)]
    assert list(Patterns(words).search(data)) == expected
    assert list(Patterns(words, regular=True).search(data)) == expected
