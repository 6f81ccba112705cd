"""What is read beside other listings: HFS+'s records of files that TSK gives up on, YAFFS2's marked names, APFS's snapshots."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

from targets import Target

from triage.filesystem.checks.hfsformat import ATTRIBUTES, CATALOG
from triage.filesystem.hfsforks import HfsForks
from triage.filesystem.trees.apfssnapshots import SnapshotError, SnapshotReader
from triage.filesystem.yaffsname import YaffsNames

sys.path.append(str(Path(__file__).resolve().parents[1] / "filesystem"))
from apfs_maker import Container, smallest
from test_filesystem_hfsforks import IMAGE, File

_NODES = 6
"""Nodes of each tree that a seed has: its header, and those that the image uses."""


class _Trees:
    """A volume of which there are two trees only, one behind the other."""

    def __init__(self, data: bytes) -> None:
        half = len(data) // 2
        self._halves = {CATALOG: data[:half], ATTRIBUTES: data[half:]}

    def open_meta(self, number: int) -> Any:
        data = self._halves[number]
        return File(data, 10, -(-len(data) // 4096))


def _seed() -> bytes:
    trees = []
    for at in (272, 352):
        block, many = struct.unpack_from(">II", IMAGE, 1024 + at + 16)
        trees.append(IMAGE[block * 4096 : (block + many) * 4096][: _NODES * 8192].ljust(_NODES * 8192, b"\0"))
    return b"".join(trees)


def _forks(data: bytes) -> None:
    forks = HfsForks(_Trees(data), 4096)
    for address in range(16, 40):
        for one in found.places if (found := forks.of(address)) is not None else ():
            assert sum(length for _, length in one.runs) == one.size


def _names(data: bytes) -> None:
    name, keep = YaffsNames().exact(int.from_bytes(data[:4], "little"), data[4:])
    assert keep == (name == data[4:])


def _snapshots(data: bytes) -> None:
    reader = SnapshotReader(Container(data))
    for snapshot in reader.of(0):
        assert len(reader.at(0, snapshot).read_at(0, len(data))) == len(data)


TARGETS = [
    Target("apfs-snapshots", _snapshots, lambda: [smallest()], ("triage.filesystem.trees.apfssnapshots",),
           (SnapshotError, OSError, struct.error)),
    Target("hfs-forks", _forks, lambda: [_seed()], ("triage.filesystem.hfsforks", "triage.filesystem.hfsrecords")),
    Target("yaffs-names", _names, lambda: [struct.pack("<I", 1 << 18 | 261) + b"gone.jpg#261,1.jpg"], ("triage.filesystem.yaffsname",)),
]  # fmt: skip
