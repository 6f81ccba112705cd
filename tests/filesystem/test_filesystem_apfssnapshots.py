"""Snapshots of APFS: a real container with one put in, what of it is listed and read; large maps; damage."""

from __future__ import annotations

import contextlib
import random
import struct
from typing import TYPE_CHECKING

import pytest
from apfs_maker import BLOCK, MADE, NAME, Container, with_snapshot

from triage.case.store import Case
from triage.cli import run as triage
from triage.filesystem.trees.apfssnapshots import Overlaid, SnapshotError, SnapshotReader, _latest_rows

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def container(evidence_root: Path) -> bytes:
    return with_snapshot((evidence_root / "images/dfvfs/apfs.raw").read_bytes(), b"passwords.txt\0", b"passworks.txt\0")


def test_a_container_without_snapshots_has_none(evidence_root: Path) -> None:
    reader = SnapshotReader(Container((evidence_root / "images/dfvfs/apfs.raw").read_bytes()))  # type: ignore[arg-type]
    assert reader.of(0) == reader.of(1) == []


def test_what_differs_in_a_snapshot_is_listed_and_read(container: bytes, tmp_path: Path) -> None:
    (tmp_path / "disk.raw").write_bytes(container)
    assert triage(["run", str(tmp_path / "disk.raw"), "--case", str(tmp_path / "case"), "-q"]) == 0
    with Case.open(tmp_path / "case") as case:
        volumes = [(v["name"], v["label"], v["state"]) for v in case.volumes() if v["number"] is not None]
        rows = {row["path"]: row for row in case.files()}
        said = [(p["severity"], p["message"]) for p in case.problems()]
    assert volumes == [
        ("vol1", "", "opened"),
        ("vol1.1", "apfs_test", "listed"),
        ("vol1.2", f"snapshot {NAME.decode()} of apfs_test of 2024-05-06T07:08:10Z", "listed"),
    ]
    assert "vol1.1/passworks.txt" in rows
    assert [path for path in rows if path.startswith("vol1.2")] == ["vol1.2/passwords.txt"]
    assert rows["vol1.2/passwords.txt"]["md5"] == rows["vol1.1/passworks.txt"]["md5"] is not None
    assert said == [("info", "11 names are as in the state after it: they were not listed again")]


def test_a_snapshot_has_its_name_and_time(container: bytes) -> None:
    (one,) = SnapshotReader(Container(container)).of(0)  # type: ignore[arg-type]
    assert (one.name, one.made) == (NAME.decode(), MADE)


def test_the_newest_mapping_that_is_no_newer_counts() -> None:
    rows = [(1, 5, 0, 4096, 50), (1, 7, 0, 4096, 70), (1, 9, 0, 4096, 90), (2, 8, 0, 4096, 80), (3, 4, 0, 4096, 40), (3, 6, 1, 4096, 60)]
    assert _latest_rows(rows, 7) == {1: (7, 0, 4096, 70)}
    assert _latest_rows(rows, 5) == {1: (5, 0, 4096, 50), 3: (4, 0, 4096, 40)}


@pytest.mark.parametrize("many", [1, 110, 111, 5000, 20_000])
def test_a_map_of_any_size_is_read_back(many: int, container: bytes) -> None:
    reader = SnapshotReader(Container(container + bytes(BLOCK * 400)))  # type: ignore[arg-type]
    first = len(container) // BLOCK
    root = reader._tree_of(int.from_bytes(reader._read(reader._volumes[0])[0x80:0x88], "little"))
    nodes = [(root, reader._node(root)), *((first + n, reader._node(root)) for n in range(300))]
    rows = [(oid, 3, 0, BLOCK, 2 * oid) for oid in range(1, many + 1)]
    blocks = reader._rebuilt(root, nodes, rows)
    made = SnapshotReader(Container(container + bytes(BLOCK * 400)))  # type: ignore[arg-type]
    made._container = Overlaid(made._container, BLOCK, blocks)
    assert sorted(made._mappings(root)[0]) == rows
    with pytest.raises(SnapshotError, match="no room"):
        reader._rebuilt(root, nodes[:1], [(oid, 3, 0, BLOCK, 1) for oid in range(500)])


def test_replaced_blocks_are_seen_in_whatever_pieces() -> None:
    rng = random.Random(1)
    below = rng.randbytes(20 * BLOCK)
    blocks = {n: rng.randbytes(BLOCK) for n in (0, 3, 4, 19)}
    whole = b"".join(blocks.get(n, below[n * BLOCK : (n + 1) * BLOCK]) for n in range(20))
    seen = Overlaid(Container(below), BLOCK, blocks)  # type: ignore[arg-type]
    for _ in range(300):
        offset, length = rng.randrange(22 * BLOCK), rng.choice((0, 1, 100, BLOCK, 5 * BLOCK, 30 * BLOCK))
        assert seen.read_at(offset, length) == whole[offset : offset + length]


def test_damage_never_breaks_it(container: bytes) -> None:
    reader = SnapshotReader(Container(container))  # type: ignore[arg-type]
    tree = int.from_bytes(reader._read(reader._volumes[0])[0x98:0xA0], "little")
    rng = random.Random(4)
    for _ in range(60):
        broken = bytearray(container)
        for _ in range(rng.choice((1, 5, 50))):
            at = rng.choice((0, tree * BLOCK, reader._volumes[0] * BLOCK)) + rng.randrange(400)
            broken[at] = rng.randrange(256)
        with contextlib.suppress(SnapshotError, OSError, struct.error):
            one = SnapshotReader(Container(bytes(broken)))  # type: ignore[arg-type]
            for snapshot in one.of(0):
                one.at(0, snapshot)
