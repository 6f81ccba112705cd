"""Which orphans of FAT are believed: each reason for doubt, the counts, the bound and the sentence about them."""

from __future__ import annotations

from typing import Any

import pytest

from triage.filesystem.orphans import OrphanGuard
from triage.model import Entry, Kind, Run, Volume

VOLUME = Volume(evidence="e", number=1, offset=0, size=1 << 20, scheme="none", file_system="FAT16")
YEAR_2010 = 1_262_304_000 * 1_000_000_000


def orphan(**changes: Any) -> Entry:
    values: dict[str, Any] = {
        "id": "i", "evidence": "e", "volume": 1, "path": "vol1/$OrphanFiles/_A.JPG", "name": "_A.JPG", "kind": Kind.FILE, "orphan": True,
        "size": 1000, "mtime": YEAR_2010, "runs": (Run(image_offset=4096, length=1024),),
    }
    return Entry(**{**values, **changes})


def guard(**changes: Any) -> OrphanGuard:
    return OrphanGuard(**{"fat": True, "volume": VOLUME, "limit": 100, **changes})


def test_a_likely_orphan_is_admitted_in_silence() -> None:
    one = guard()
    assert one.admit(orphan())
    assert (one.seen, one.admitted, one.dropped, one.statement()) == (1, 1, 0, "")


@pytest.mark.parametrize(("changes", "reason"), [
    ({"size": VOLUME.size + 1}, "larger than the volume"),
    ({"name_raw": b"A\x01B"}, "control characters in the name"),
    ({"runs": ()}, "a size but no block that could be its first"),
    ({"mtime": None}, "no valid date"),
    ({"mtime": 0}, "dates outside 1980 to 2040"),
    ({"crtime": 4_000_000_000 * 1_000_000_000}, "dates outside 1980 to 2040"),
])
def test_what_cannot_be_true_is_dropped_with_its_reason(changes: dict[str, Any], reason: str) -> None:
    one = guard()
    assert not one.admit(orphan(**changes))
    assert one.reasons == {reason: 1}
    assert reason in one.statement()
    assert guard(fat=False).admit(orphan(**changes)), "elsewhere orphans are inodes or records, not chance bytes"


@pytest.mark.parametrize("changes", [{"size": VOLUME.size}, {"name_raw": b"\xff\xfe"}, {"runs": (), "size": 0},
                                     {"runs": (), "resident": True}, {"mtime": None, "crtime": YEAR_2010},
                                     {"kind": Kind.DIRECTORY, "size": 512}])
def test_what_can_be_true_is_admitted(changes: dict[str, Any]) -> None:
    assert guard().admit(orphan(**changes))


def test_orphans_may_claim_the_volume_four_times_at_most() -> None:
    one = guard()
    admitted = sum(one.admit(orphan(size=VOLUME.size // 2)) for _ in range(20))
    assert admitted == 8
    assert one.reasons == {"orphans already claim four times the volume": 12}
    assert one.admit(orphan(size=0, runs=())), "empty ones still fit"


def test_the_bound_ends_the_search_and_is_said() -> None:
    one = guard(limit=3)
    for _ in range(3):
        assert not one.full
        assert one.admit(orphan(size=1))
    assert one.full
    assert "the bound of 3 was reached" in one.statement()


def test_millions_of_phantoms_end_the_search_too() -> None:
    one = guard(limit=10)
    dropped = 0
    while not one.full:
        assert not one.admit(orphan(size=1 << 40))
        dropped += 1
        assert dropped <= 500
    assert one.dropped == 500
    assert "0 were listed and 500 dropped as phantoms" in one.statement()
