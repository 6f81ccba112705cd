"""An item is read once, and what could not be read is said and never papered over."""

from __future__ import annotations

import hashlib
import os
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.content import stream
from triage.content.catalog import TYPES, FileType
from triage.content.digests import Digests, digests_of
from triage.content.entropy import SAMPLE, Sample, entropy, sample_of, windows
from triage.content.stream import CHUNK, MAX_PROBLEMS, PIECE, WHOLE, analyze_content
from triage.model import Outcome


class Medium:
    """Bytes with bad places, that remembers what was asked of it."""

    def __init__(self, data: bytes, bad: tuple[tuple[int, int], ...] = (), *, short: bool = False) -> None:
        self.data, self.bad, self.short = data, bad, short
        self.asked: list[tuple[int, int]] = []

    def read_at(self, offset: int, length: int) -> bytes:
        self.asked.append((offset, length))
        for start, stop in self.bad:
            if start < offset + length and stop > offset:
                if self.short:
                    return self.data[offset : max(start, offset)]
                raise OSError(5, "Input/output error")
        return self.data[offset : offset + length]


def expected(data: bytes) -> tuple[str, str, str]:
    return hashlib.md5(data).hexdigest(), hashlib.sha1(data).hexdigest(), hashlib.sha256(data).hexdigest()


def test_a_small_item_is_read_with_one_call_and_kept() -> None:
    medium = Medium(b"hello world\n")
    ticks: list[int] = []
    result = analyze_content("k", medium.read_at, 12, progress=lambda: ticks.append(1))
    content = result.content
    assert medium.asked == [(0, 12)]
    assert ticks == [1]
    assert result.data == b"hello world\n" == result.head
    assert (content.md5, content.sha1, content.sha256) == expected(b"hello world\n")
    assert (content.key, content.size, content.type, content.mime) == ("k", 12, "text", "text/plain")
    assert content.outcome is Outcome.DONE
    assert content.reason == ""
    assert content.entropy is not None
    assert 2 < content.entropy < 4


def test_nothing_has_the_digests_of_nothing() -> None:
    result = analyze_content("k", Medium(b"").read_at, 0)
    assert (result.content.md5, result.content.sha1, result.content.sha256) == expected(b"")
    assert (result.content.type, result.content.entropy, result.content.outcome) == (
        "empty",
        None,
        Outcome.DONE,
    )


def test_a_larger_item_is_read_in_order_once_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "WHOLE", 2 * CHUNK)
    data = b"\x01\x02\x03\xff" * (3 * CHUNK // 4) + b"koly" + bytes(508)
    medium = Medium(data)
    ticks: list[int] = []
    result = analyze_content("k", medium.read_at, len(data), progress=lambda: ticks.append(1))
    assert medium.asked == [(0, CHUNK), (CHUNK, CHUNK), (2 * CHUNK, CHUNK), (3 * CHUNK, 512)]
    assert len(ticks) == 4
    assert result.data is None
    assert result.content.md5 == expected(data)[0]
    assert result.content.sha256 == expected(data)[2]
    assert result.content.type == "dmg"


def test_a_large_item_gets_a_thread_a_digest_and_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LARGE", WHOLE)
    data = os.urandom(WHOLE + 12345)
    before = threading.active_count()
    result = analyze_content("k", Medium(data).read_at, len(data))
    assert (result.content.md5, result.content.sha1, result.content.sha256) == expected(data)
    assert threading.active_count() == before


@pytest.mark.parametrize("short", [False, True])
def test_a_bad_spot_costs_its_piece_and_the_digests(short: bool) -> None:
    data = os.urandom(10 * PIECE)
    bad = 4 * PIECE + 100
    result = analyze_content("k", Medium(data, ((bad, bad + 1),), short=short).read_at, len(data))
    content = result.content
    assert content.outcome is Outcome.PARTIAL
    assert content.md5 is content.sha1 is content.sha256 is None
    assert result.data is None
    (problem,) = result.problems
    assert problem.offset == (bad if short else 4 * PIECE)
    assert problem.offset + problem.length == 5 * PIECE
    assert content.size == len(data) - problem.length
    assert str(problem.length) in content.reason


def test_neighbouring_bad_pieces_are_one_problem_and_their_number_is_capped() -> None:
    size = 4 * MAX_PROBLEMS * PIECE
    every_other = tuple((i * 2 * CHUNK, i * 2 * CHUNK + 1) for i in range(MAX_PROBLEMS + 20))

    def read_at(offset: int, length: int) -> bytes:
        if any(a < offset + length and b > offset for a, b in every_other):
            raise OSError("bad")
        return bytes(length)

    result = analyze_content("k", read_at, 2 * CHUNK * (MAX_PROBLEMS + 20))
    assert len(result.problems) == MAX_PROBLEMS
    assert result.content.size == CHUNK * (MAX_PROBLEMS + 20)
    whole = analyze_content("k", Medium(b"", ((0, size),)).read_at, size)
    assert [(p.offset, p.length) for p in whole.problems] == [(0, size)]


def test_an_item_of_which_nothing_can_be_read_has_failed() -> None:
    result = analyze_content("k", Medium(b"", ((0, 1 << 30),)).read_at, 500)
    assert result.content.outcome is Outcome.FAILED
    assert result.content.size == 0
    assert result.content.type == ""
    assert "Input/output error" in result.content.reason


def test_a_size_that_lies_is_a_partial_item() -> None:
    result = analyze_content("k", Medium(b"%PDF-1.4 short").read_at, 1000)
    assert result.content.outcome is Outcome.PARTIAL
    assert result.content.type == "pdf"
    assert result.content.md5 is None
    assert result.problems[0][:2] == (14, 986)


def test_more_bytes_than_asked_for_are_cut() -> None:
    result = analyze_content("k", lambda _o, n: bytes(n + 10), 100)
    assert (result.content.size, result.content.md5) == (100, expected(bytes(100))[0])


def test_an_item_over_the_limit_is_skipped_with_its_type() -> None:
    medium = Medium(b"%PDF-1.7\n" + bytes(1 << 20))
    result = analyze_content("k", medium.read_at, len(medium.data), limit_bytes=1 << 20)
    assert result.content.outcome is Outcome.SKIPPED
    assert str(1 << 20) in result.content.reason
    assert result.content.md5 is None
    assert result.content.type == "pdf"
    assert sum(n for _, n in medium.asked) <= 65536
    unreadable = analyze_content("k", Medium(b"", ((0, 9),)).read_at, 10, limit_bytes=5)
    assert unreadable.content.outcome is Outcome.SKIPPED
    assert "cannot be read" in unreadable.content.reason


def test_entropy_is_measured_only_where_it_says_something() -> None:
    noise = os.urandom(20000)
    assert analyze_content("k", Medium(b"\xff\xd8\xff\xe0" + noise).read_at, 20004).content.entropy is None
    unknown = analyze_content("k", Medium(b"\x01\x02\x03\x04" + noise).read_at, 20004).content.entropy
    assert unknown is not None
    assert unknown > 7.95


def test_libmagic_is_asked_only_for_what_the_table_does_not_know() -> None:
    class Fake:
        def __init__(self) -> None:
            self.asked: list[bytes] = []

        def identify(self, head: bytes) -> FileType | None:
            self.asked.append(head)
            return TYPES["midi"]

    fake = Fake()
    assert analyze_content("k", Medium(b"%PDF-1.4").read_at, 8, libmagic=fake).content.type == "pdf"  # type: ignore[arg-type]
    assert fake.asked == []
    odd = b"\x01\x02\x03\x04\x00"
    assert analyze_content("k", Medium(odd).read_at, 5, libmagic=fake).content.type == "midi"  # type: ignore[arg-type]
    assert fake.asked == [odd]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=3000), max_size=6), st.booleans())
def test_digests_do_not_depend_on_how_the_bytes_are_cut(chunks: list[bytes], large: bool) -> None:
    with Digests(large=large) as digests:
        for chunk in chunks:
            digests.update(chunk)
        assert digests.hexdigests() == expected(b"".join(chunks)) == digests_of(b"".join(chunks))


def test_entropy_of_what_is_known() -> None:
    assert entropy(b"") == 0.0
    assert entropy(b"aaaa") == 0.0
    assert entropy(b"ab" * 50) == 1.0
    assert entropy(bytes(range(256))) == 8.0
    assert entropy(bytes(range(256)) * 100) == 8.0  # longer than a sample
    assert entropy(os.urandom(SAMPLE)) > 7.95


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 200_000), st.integers(1, 70_000))
def test_a_streamed_sample_is_the_sample_of_the_whole(size: int, step: int) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    sample = Sample(size)
    for offset in range(0, size, step):
        sample.add(offset, data[offset : offset + step])
    whole = sample_of(data)
    assert sorted(sample.bytes()) == sorted(whole)
    assert len(whole) == min(size, SAMPLE)
    assert all(offset >= 0 and offset + length <= size for offset, length in windows(size))
