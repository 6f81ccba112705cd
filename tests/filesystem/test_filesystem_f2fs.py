"""F2FS volumes made by the format's own tools (bench/f2fs.sh): every file, deleted ones with their paths, and damage."""

from __future__ import annotations

import contextlib
import lzma
import random
import struct
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from triage.filesystem.image import MediumImage
from triage.filesystem.trees.f2fs import BLOCK, F2fs, F2fsError
from triage.filesystem.trees.f2fstree import F2fsTree
from triage.filesystem.trees.tree import Fault, Named, TreeWalker
from triage.filesystem.volumes import list_volumes
from triage.model import Entry, Kind, Recoverability, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator

BIG = b"".join(b"%08d" % n for n in range((4800 << 10) // 8))


class Bytes:
    """A medium in memory."""

    def __init__(self, data: bytes | bytearray) -> None:
        self.data, self.size, self.sector_size = data, len(data), 512
        self.damaged: dict[int, tuple[int, str]] = {}

    def read_at(self, offset: int, length: int) -> bytes:
        return bytes(self.data[offset : offset + max(0, length)])

    def close(self) -> None:
        pass


@cache
def image() -> bytes:
    return lzma.decompress(Path(__file__).with_name("f2fs.img.xz").read_bytes())


def tree_of(data: bytes | bytearray) -> F2fsTree:
    return F2fsTree(Bytes(data), 0, len(data))


def listed(tree: F2fsTree) -> tuple[dict[str, Named], list[str]]:
    said = list(tree.names())
    names = {b"/".join(one.path).decode("utf-8", "replace"): one for one in said if isinstance(one, Named)}
    return names, [one.message for one in said if isinstance(one, Fault)]


def expected(path: str, data: bytes) -> bool:
    """Whether a file is what bench/f2fs.sh wrote."""
    name = path.rpartition("/")[2]
    if name.startswith("file"):
        unit = b"x%d" % int(name[4:9])
        return data == unit * (len(data) // len(unit))
    if name.startswith("IMG_"):
        return data[:4] == b"\xff\xd8\xff\xe0" and len(data) > 10 and data[4:] == bytes([int(name[4:8])]) * (len(data) - 4)
    return data == {"a.txt": b"hello f2fs\n", "big.bin": BIG, "ünïcode name.txt": b"x" * 5000}[name]


def delete(data: bytearray, path: str) -> bytes:
    """Delete a file as F2FS does: its name's bit and its nodes' entries in the address table go; return what it held."""
    tree = tree_of(bytes(data))
    names, _ = listed(tree)
    one, fs = names[path], tree.fs
    held = tree.open(one.address)(0, one.size)
    inode = fs.inode(one.address)
    assert inode is not None
    for node in [one.address, *(n for n in struct.unpack_from("<5I", inode.block, 4052) if n)]:
        assert node not in fs._journal
        number, entry = divmod(node, 455)
        segment, inside = divmod(number, fs.segment)
        at = fs._nat + 2 * segment * fs.segment + inside
        at += fs.segment if fs._bitmap[number >> 3] & (0x80 >> (number & 7)) else 0
        data[at * BLOCK + entry * 9 + 5 : at * BLOCK + entry * 9 + 9] = bytes(4)
    folder = fs.inode({v: k for k, v in tree._folders.items()}[one.path[:-1]])
    assert folder is not None
    name = one.path[-1]
    for address in fs.addresses(folder, fs.node):
        at = data.find(name, address * BLOCK + 30 + 11 * 214, address * BLOCK + BLOCK) if address else -1
        if at >= 0:
            slot = (at - address * BLOCK - 30 - 11 * 214) // 8
            for n in range(slot, slot - (-len(name) // 8)):
                data[address * BLOCK + (n >> 3)] &= ~(1 << (n & 7))
            return held
    raise AssertionError("its name was not found")


def test_every_file_comes_out_as_it_went_in() -> None:
    tree = tree_of(image())
    names, faults = listed(tree)
    files = {path: one for path, one in names.items() if one.kind is Kind.FILE}
    assert len(files) == 4 + 230 + 3
    assert faults == []
    assert tree.checked
    assert [path for path, one in files.items() if not expected(path, tree.open(one.address)(0, one.size))] == []
    assert (names["data/link"].kind, names["data/link"].link_target) == (Kind.LINK, b"../a.txt")
    assert tree.label == "FIXTURE"


def test_runs_are_where_the_bytes_lie_on_the_medium() -> None:
    data = image()
    one = listed(tree_of(data))[0]["data/app/big.bin"]
    assert b"".join(data[at : at + length] for at, length in one.runs if at is not None) == BIG
    small = listed(tree_of(data))[0]["a.txt"]
    assert b"".join(data[at : at + length] for at, length in small.runs if at is not None) == b"hello f2fs\n"


def test_any_stretch_of_a_file_can_be_read() -> None:
    tree = tree_of(image())
    read_at = tree.open(listed(tree)[0]["data/app/big.bin"].address)
    for offset, length in ((0, 1), (4095, 2), (4_000_001, 100_000), (len(BIG) - 3, 10)):
        assert read_at(offset, length) == BIG[offset : offset + length]


def test_deleted_files_come_back_with_path_and_bytes() -> None:
    data = bytearray(image())
    held = {path: delete(data, path) for path in ("data/app/big.bin", "data/app/file00007.x", "media/DCIM/IMG_0002.JPG")}
    volume = Volume(evidence="e", number=1, offset=0, size=len(data), scheme="none", block_size=BLOCK)
    walker = TreeWalker(tree_of(data), volume, lambda *_: None, max_entries=10_000, max_orphans=1000)
    gone = {one.path.partition("/")[2]: one for one in walker.walk() if isinstance(one, Entry) and one.state.value == "deleted"}
    assert set(gone) == set(held)
    for path, one in gone.items():
        assert one.recoverability is Recoverability.INTACT
        assert one.locator is not None
        assert one.locator.meta_addr is None
        assert b"".join(bytes(data[r.image_offset or 0 : (r.image_offset or 0) + r.length]) for r in one.locator.runs) == held[path]


def test_what_the_count_of_inodes_says_more_is_told() -> None:
    data = bytearray(image())
    delete(data, "data/app/file00007.x")
    assert "1 inodes in use were reached by no name" in listed(tree_of(data))[1][0]


def test_a_volume_that_was_not_unmounted_is_said() -> None:
    data = bytearray(image())
    fs = tree_of(data).fs
    assert fs.unmounted
    data[fs._at * 4096 + 132] &= 0xFE  # the flags of its newest checkpoint
    tree = tree_of(data)
    _, said = listed(tree)
    assert not tree.checked
    assert any("the volume was not unmounted: what was written since its last checkpoint" in one for one in said)


def test_a_volume_is_found_and_opened_by_its_mark() -> None:
    medium = Bytes(image())
    volumes, problems = list_volumes(MediumImage(medium), medium, "e")
    assert [(v.name, v.file_system, v.label, v.block_size) for v in volumes] == [("vol1", "F2FS", "FIXTURE", BLOCK)]
    assert problems == []


def test_the_second_superblock_and_checkpoint_will_do() -> None:
    data = bytearray(image())
    data[1024:4096] = bytes(3072)
    assert tree_of(data).label == "FIXTURE"
    fs = F2fs(Bytes(data).read_at)
    data[fs._at * BLOCK : fs._at * BLOCK + BLOCK] = bytes(BLOCK)
    assert listed(tree_of(data))[0]


def test_what_is_none_is_refused() -> None:
    with pytest.raises(F2fsError):
        tree_of(bytes(1 << 20))


def test_encrypted_files_are_listed_counted_and_not_read() -> None:
    data = bytearray(image())
    tree = tree_of(image())
    one = listed(tree)[0]["media/DCIM/IMG_0002.JPG"]
    data[tree.fs.address_of(one.address) * BLOCK + 2] |= 4
    names, faults = listed(tree_of(data))
    assert not names["media/DCIM/IMG_0002.JPG"].readable
    assert faults == ["1 files are encrypted by the system (file-based encryption): nothing in them was examined"]


def _places(data: bytes) -> Iterator[tuple[int, int]]:
    fs = F2fs(Bytes(data).read_at)
    yield 1024, 3072
    yield fs._at * BLOCK, BLOCK
    yield fs._nat * BLOCK, BLOCK * 4
    for number in range(3, 40):
        yield fs.address_of(number) * BLOCK, BLOCK


def test_damage_never_breaks_it() -> None:
    rng = random.Random(9)
    good = image()
    places = list(_places(good))
    for _ in range(8):
        data = bytearray(good)
        for _ in range(rng.choice((1, 3, 20))):
            at, length = rng.choice(places)
            place = at + rng.randrange(length)
            data[place : place + 4] = rng.choice((rng.randbytes(4), b"\xff" * 4, bytes(4)))
        try:
            tree = tree_of(data)
        except F2fsError:
            continue
        for number, one in enumerate(tree.names()):
            if number > 1000:
                break
            if isinstance(one, Named) and one.readable and not one.by_runs:
                with contextlib.suppress(OSError):
                    tree.open(one.address)(0, min(one.size, 1 << 20))
