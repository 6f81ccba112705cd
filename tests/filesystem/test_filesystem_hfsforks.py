"""A real HFS+ volume of macOS with a large extended attribute: TSK opens nothing of that file, our own reading does.

``hfs_attributes.img.xz`` is the partition of ``testdata/cli/hfs-basic.dmg`` of go-apfs-v2 (MIT, Copyright (c) 2024 Deployment Theory), one
file of noise in it replaced by zeros; the digests are those of its ``hfs-manifest.json``.
"""

from __future__ import annotations

import lzma
import random
import struct
from pathlib import Path
from typing import Any

import pytest

from triage.case.store import Case
from triage.commands.progress import Silent
from triage.engine.run import RunOptions, run
from triage.filesystem.hfsforks import HfsForks, Place
from triage.priority.profile import load_profile

IMAGE = lzma.decompress((Path(__file__).parent / "hfs_attributes.img.xz").read_bytes())
FILES = {
    "vol1/bigattr.txt": (28, "04aebeb2dd97388480684f50c389dff001fed5927891d7a0e17122249c7f3558"),
    "vol1/bigattr.txt:com.apple.provenance": (11, "42792b5d3fdc4c191e7444e3299b830a018cee5daa9628f1b0b95dd51828d44b"),
    "vol1/bigattr.txt:com.example.big": (6000, "f5ddb39412a9924f220f6c16749f0ca53083cf2aa56c4e4ca3d8994141bee964"),
}


class Run:
    """One run of blocks, as TSK has it."""

    def __init__(self, addr: int, length: int) -> None:
        self.addr, self.len = addr, length


class File:
    """A special file that lies in one piece."""

    def __init__(self, data: bytes, block: int, many: int) -> None:
        self._data, self._run = data, Run(block, many)

    def read_random(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]

    def __iter__(self) -> Any:
        return iter([[self._run]])


class Volume:
    """The image as TSK would open it, special files by the volume header: any of its bytes may be damaged."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def open_meta(self, number: int) -> File:
        at = 1024 + {4: 272, 8: 352}[number]
        block, many = struct.unpack_from(">II", self._data, at + 16)
        return File(self._data[block * 4096 : (block + many) * 4096], block, many)


def test_a_file_with_a_large_attribute_is_read_with_all_its_attributes(tmp_path: Path) -> None:
    image = tmp_path / "hfs.img"
    image.write_bytes(IMAGE)
    run(RunOptions(evidence=(image,), case=tmp_path / "case", profile=load_profile("full")), Silent())
    with Case.open(tmp_path / "case") as case:
        rows = [row for row in case.files() if row["path"].startswith("vol1/bigattr.txt")]
        assert list(case.problems()) == []
    assert {row["path"]: (row["size"], row["sha256"]) for row in rows} == FILES
    assert [row["kind"] for row in rows] == ["file", "stream", "stream"]
    assert {row["parent"] for row in rows if row["kind"] == "stream"} == {rows[0]["id"]}


def test_places_are_those_of_every_fork() -> None:
    forks = HfsForks(Volume(IMAGE), 4096)
    found = forks.of(30)
    assert found is not None
    assert found.lost == 0
    assert [(one.name, one.size, sum(length for _, length in one.runs)) for one in found.places] == [
        (b"", 28, 28), (b"com.apple.provenance", 11, 11), (b"com.example.big", 6000, 6000),
    ]  # fmt: skip
    for one in found.places:
        assert b"".join(IMAGE[start : start + length] for start, length in one.runs)
    assert forks.of(999) is None
    assert forks.of(2) is None


def test_attributes_that_cannot_be_placed_are_counted_and_said(tmp_path: Path) -> None:
    data = bytearray(IMAGE)
    name = "com.example.big".encode("utf-16-be")
    block, many = struct.unpack_from(">II", data, 1024 + 352 + 16)
    at = data.index(name, block * 4096, (block + many) * 4096) + len(name)
    assert struct.unpack_from(">I", data, at)[0] == 0x20
    struct.pack_into(">Q", data, at + 8, 1 << 30)  # more bytes than its extents have
    found = HfsForks(Volume(bytes(data)), 4096).of(30)
    assert found is not None
    assert ([one.name for one in found.places], found.lost) == ([b"", b"com.apple.provenance"], 1)
    (tmp_path / "hfs.img").write_bytes(data)
    run(RunOptions(evidence=(tmp_path / "hfs.img",), case=tmp_path / "case", profile=load_profile("full")), Silent())
    with Case.open(tmp_path / "case") as case:
        said = [(p["path"], p["message"]) for p in case.problems()]
    assert ("vol1/bigattr.txt", "1 forks or extended attributes of this file cannot be placed: they are not listed") in said


@pytest.mark.parametrize("seed", range(40))
def test_damage_never_breaks_it(seed: int) -> None:
    rng = random.Random(seed)
    data = bytearray(IMAGE)
    header = 1024
    for number in (272, 352):
        block, many = struct.unpack_from(">II", data, header + number + 16)
        for _ in range(rng.choice((1, 5, 30))):
            at = block * 4096 + rng.randrange(min(many * 4096, 4 * 8192))
            data[at : at + 4] = rng.choice((rng.randbytes(4), b"\0" * 4, b"\xff" * 4))
    forks = HfsForks(Volume(bytes(data)), 4096)
    for address in range(16, 40):
        for one in found.places if (found := forks.of(address)) is not None else ():
            assert isinstance(one, Place)
            assert sum(length for _, length in one.runs) == one.size
