"""Metadata on which TSK hangs inside C, and orphans without end: they cost themselves and no other entry."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from triage.engine.listing import list_entries
from triage.engine.session import Session
from triage.priority.profile import Limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from triage.model import Entry, Problem

pytestmark = pytest.mark.slow


def listed(path: Path, limits: Limits) -> tuple[list[Entry], list[Problem]]:
    """List an image in worker processes, as ``triage ls`` does."""
    entries: dict[str, Entry] = {}
    problems: dict[tuple[str, str], Problem] = {}

    def take(_: Any, rows: Any, bad: Any) -> None:
        entries.update((e.id, e) for e in rows)
        problems.update(((p.message, p.path), p) for p in bad)

    with Session(limits) as session:
        evidence, volumes, _ = session.open(path)
    list_entries(evidence, volumes, limits, take)
    return list(entries.values()), list(problems.values())


@pytest.mark.parametrize("name", ["minhang_ext2.raw", "minhang_ext2_4k.raw"])
def test_a_poisoned_inode_costs_its_entry_and_no_other(
    name: str, image: Callable[[str], Path], answer_key: Callable[[str], dict[str, Any]]
) -> None:
    began = time.monotonic()
    entries, problems = listed(image(name), Limits(stall_seconds=2))
    assert time.monotonic() - began < 60
    found = {(e.path, e.kind.value, e.state.value): e for e in entries}
    for key in answer_key(name)["entries"]:
        entry = found[key["path"], key["kind"], key["state"]]
        if not key["path"].endswith("poison.bin") and "size" in key:
            assert entry.size == key["size"]
            assert entry.locator is not None
    about = [p for p in problems if p.path.endswith("/poison.bin")]
    assert len(about) == 1
    assert "only its name is known" in about[0].message


def test_phantom_orphans_are_bounded_and_counted(image: Callable[[str], Path], answer_key: Callable[[str], dict[str, Any]]) -> None:
    began = time.monotonic()
    limits = Limits(stall_seconds=10, orphan_seconds=10, orphans_per_volume=500)
    entries, problems = listed(image("fat-orphans.raw"), limits)
    assert time.monotonic() - began < 100
    for key in answer_key("fat-orphans.raw")["entries"]:
        assert [e for e in entries if (e.path, e.kind.value, e.state.value) == (key["path"], key["kind"], key["state"])], key["path"]
    assert sum(e.orphan for e in entries) <= limits.orphans_per_volume
    said = [p.message for p in problems if "orphan" in p.message]
    assert any(("dropped as phantoms" in m and "the bound of 500 was reached" in m) or "given up" in m for m in said), said
