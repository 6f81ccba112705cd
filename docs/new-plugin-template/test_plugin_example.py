"""The tests of the template: a finding, a quiet file, an option, and damaged bytes."""
# ruff: noqa: D103, S101, S311

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from triage.model import Finding, Problem
from triage.plugin import run_plugin, sample_item
from triage.registry import find_plugins

INFO = find_plugins([Path(__file__).with_name("example.py")]).get("example")


def run(data: bytes, **options: Any) -> list[Finding | Problem]:
    item = sample_item(data, "vol1/docs/letter.txt")
    if not INFO.accepts.matches(item.entry, item.type):
        return []
    return run_plugin(INFO.load(options), INFO.key(options), item)


def test_the_word_is_found_where_it_stands() -> None:
    (finding,) = run(b"please pay the Invoice\n")
    assert isinstance(finding, Finding)
    assert finding.kind == "word"
    assert finding.ranges == ((15, 7),)


def test_other_text_is_quiet() -> None:
    assert run(b"nothing of interest\n") == []


def test_a_profile_may_name_other_words() -> None:
    results = run(b"alpha beta\n", words=["beta", "gamma"])
    assert [r.data["word"] for r in results if isinstance(r, Finding)] == ["beta"]


def test_a_long_text_is_cut_and_that_is_said() -> None:
    (problem,) = run(b"nothing of interest\n" * 60_000)
    assert isinstance(problem, Problem)


def test_damaged_bytes_give_findings_or_nothing() -> None:
    chance = random.Random(7)
    for _ in range(200):
        data = bytearray(b"please pay the Invoice\n")
        data[chance.randrange(len(data))] = chance.randrange(256)
        assert all(isinstance(result, Finding) for result in run(bytes(data)))
