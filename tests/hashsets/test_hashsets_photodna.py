"""PhotoDNA: a lab's own comparison is asked, and without one nothing is made up. The comparison here is a stand-in of this test."""

from __future__ import annotations

import hashlib
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np
import pytest

from triage.content.comparable import Comparable
from triage.errors import PluginError
from triage.hashsets.facts import SetFacts
from triage.hashsets.intake import compile_events
from triage.hashsets.matching import Matcher
from triage.hashsets.photodna import GROUP, LENGTH, load_comparer
from triage.hashsets.records import HashRecord
from triage.hashsets.store import Hashset
from triage.model import Content, Meaning

if TYPE_CHECKING:
    from pathlib import Path


class Comparison:
    """Sum of differences: only for this test, and no PhotoDNA."""

    name, version, threshold = "stand-in", "1", 100

    def vector(self, data: bytes) -> bytes | None:
        return hashlib.shake_128(data).digest(LENGTH)

    def distances(self, vector: bytes, known: np.ndarray) -> np.ndarray:
        return np.abs(known.astype(int) - np.frombuffer(vector, np.uint8)).sum(axis=1)


class Unfit:
    name = "unfit"


def known(path: Path, vectors: list[bytes]) -> Hashset:
    facts = SetFacts(name="list", meaning=Meaning.NOTABLE, category="", source="", source_sha256="", format="files")
    compile_events([HashRecord(category=str(n), more=(("photodna", v),)) for n, v in enumerate(vectors)], path, facts)
    return Hashset(path)


def installed(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    found = [metadata.EntryPoint(name, f"{__name__}:{name}", GROUP) for name in names]
    monkeypatch.setattr(metadata, "entry_points", lambda group: found if group == GROUP else [])


def vectors() -> list[bytes]:
    return [hashlib.shake_128(bytes([n])).digest(LENGTH) for n in range(5)]


def test_the_nearest_vector_within_the_threshold_is_a_match(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "Comparison")
    matcher = Matcher([known(tmp_path / "set", vectors())], comparer=load_comparer())
    near = bytearray(vectors()[3])
    near[7] = near[7] - 9 if near[7] > 9 else near[7] + 9
    asked = [Comparable(photodna=bytes(near)), Comparable(photodna=hashlib.shake_128(b"else").digest(LENGTH)), Comparable()]
    first, second, third = matcher.match([Content(key="x", size=1, sha256="0" * 64)] * 3, asked)
    assert [(m.how, m.category, m.distance, m.tier) for m in first] == [("photodna", "3", 9, "match")]
    assert second == third == ()


def test_without_a_comparison_nothing_matches(tmp_path: Path) -> None:
    assert load_comparer() is None
    matcher = Matcher([known(tmp_path / "set", vectors())])
    assert matcher.match([Content(key="x", size=1, sha256="0" * 64)], [Comparable(photodna=vectors()[0])]) == [()]
    assert matcher.facts[0].uncompared == {"photodna": 5}


@pytest.mark.parametrize("names", [("Unfit",), ("Comparison", "Comparison"), ("NotThere",)])
def test_a_comparison_that_does_not_fit_is_refused(names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, *names)
    with pytest.raises(PluginError):
        load_comparer()
