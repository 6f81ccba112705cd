"""A directory that TSK's listing hung on is read by our own parser; what its bound cuts off is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.evidence.opening import open_evidence
from triage.filesystem.image import tsk_image
from triage.filesystem.tsk import Avoid, Walker
from triage.filesystem.volumes import list_volumes
from triage.model import Entry, Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

ROOT = 2  # the root directory's inode in every ext file system


def _walk(path: Path, avoid: Avoid) -> tuple[set[str], list[Problem]]:
    evidence, medium, _ = open_evidence(path)
    tsk = tsk_image(medium, evidence.paths)
    volumes, _ = list_volumes(tsk, medium, evidence.id)
    walker = Walker(tsk, volumes[0], lambda *_: None, avoid=avoid, max_entries=10_000, max_orphans=100, medium=medium)
    rows = list(walker.walk())
    medium.close()
    names = {r.path for r in rows if isinstance(r, Entry) and r.state.value == "allocated" and not r.path.startswith("vol1/$")}
    return names, [r for r in rows if isinstance(r, Problem)]


def test_our_own_listing_finds_the_same_names(image: Callable[[str], Path]) -> None:
    usual, _ = _walk(image("ext4.raw"), Avoid())
    own, problems = _walk(image("ext4.raw"), Avoid(directories=frozenset({ROOT})))
    assert own == usual
    assert not problems


def test_one_hang_is_enough_to_open_every_entry_by_itself(image: Callable[[str], Path]) -> None:
    usual, _ = _walk(image("ext4.raw"), Avoid())
    touched: list[tuple[int, int, int]] = []
    evidence, medium, _ = open_evidence(image("ext4.raw"))
    tsk = tsk_image(medium, evidence.paths)
    (volume,) = list_volumes(tsk, medium, evidence.id)[0]
    avoid = Avoid(metadata=frozenset({ROOT}), directories=frozenset({ROOT}))
    walker = Walker(tsk, volume, lambda *what: touched.append(what), avoid=avoid, max_entries=10_000, max_orphans=100, medium=medium)
    names = {r.path for r in walker.walk() if isinstance(r, Entry)}
    medium.close()
    assert usual <= names | {"vol1/home/sam/notes.txt"}
    assert not [what for what in touched if what[0] == Walker.NAMES]  # a listing by TSK would open the root for every ".."


def test_a_directory_past_the_bound_is_said_to_be_cut(image: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.filesystem.tsk.MAX_DIRECTORY", 24)  # "." and ".." alone
    own, problems = _walk(image("ext4.raw"), Avoid(directories=frozenset({ROOT}), checks=True))
    assert not own
    assert [p.severity for p in problems if "names in the rest are missing" in p.message] == [Severity.ERROR]


def test_the_self_check_brings_back_what_the_bound_cut_off(image: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    usual, _ = _walk(image("ext4.raw"), Avoid())
    monkeypatch.setattr("triage.filesystem.tsk.MAX_DIRECTORY", 24)
    own, problems = _walk(image("ext4.raw"), Avoid(directories=frozenset({ROOT})))
    assert usual - own == {"vol1/home/sam/notes.txt"}  # the second name of one file: an inode is brought back by one
    assert any("reached by no name" in p.message for p in problems)
