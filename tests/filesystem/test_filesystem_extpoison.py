"""Inodes of ext that TSK must not open, told beforehand: their own names are all that is lost, and no watchdog has to bite."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_support import Walked, reader_of

from triage.filesystem.extlayout import inode_at, read_descriptors, read_layout
from triage.filesystem.extpoison import poisoned_inodes

if TYPE_CHECKING:
    from collections.abc import Callable

VAST = 0x1_0000_0000
SMALL = (Path(__file__).resolve().parents[1] / "images" / "ext2.raw").read_bytes()


def inode_place(data: bytes, address: int) -> int:
    reader = reader_of(data)
    layout = read_layout(reader.read)
    assert layout is not None
    place = inode_at(layout, read_descriptors(reader.read, layout), address)
    assert place is not None
    return place


def with_size(data: bytes, address: int, size: int, blocks: int = 0, flags: int = 0) -> bytes:
    raw = bytearray(data)
    at = inode_place(data, address)
    struct.pack_into("<I", raw, at + 4, size & 0xFFFFFFFF)
    struct.pack_into("<I", raw, at + 108, size >> 32)
    struct.pack_into("<I", raw, at + 28, blocks)
    struct.pack_into("<I", raw, at + 32, flags)
    return bytes(raw)


@pytest.mark.parametrize("name", ["ext2.raw", "ext4.raw"])
def test_a_sound_volume_has_none(name: str, image: Callable[[str], Path]) -> None:
    assert poisoned_inodes(reader_of(image(name).read_bytes())) == frozenset()


def test_no_ext_volume_of_the_shared_evidence_has_one(evidence_root: Path) -> None:
    looked = 0
    for path in sorted((evidence_root / "images").rglob("*.ext4")):
        data = path.read_bytes()
        assert poisoned_inodes(reader_of(data)) == frozenset(), path.name
        looked += 1
    assert looked >= 2


@pytest.mark.parametrize(("size", "blocks", "flags", "poisoned"), [
    (VAST, 0, 0, True),
    (VAST, VAST // 512, 0, True),  # more blocks than the volume has are not believed
    ((12 + 256 + 256**2 + 1) * 1024, 0, 0, True),
    ((12 + 256 + 256**2) * 1024, 0, 0, False),  # two levels suffice
    (VAST, 0, 0x80000, False),  # extents have no such list
])
def test_what_needs_a_third_level_and_has_no_blocks_is_poison(
    size: int, blocks: int, flags: int, poisoned: bool, image: Callable[[str], Path]
) -> None:
    data = with_size(image("ext2.raw").read_bytes(), 14, size, blocks, flags)
    assert poisoned_inodes(reader_of(data)) == (frozenset({14}) if poisoned else frozenset())


@pytest.mark.parametrize("name", ["minhang_ext2.raw", "minhang_ext2_4k.raw"])
def test_the_media_that_hang_sleuth_kit_are_listed_at_once(name: str, image: Callable[[str], Path]) -> None:
    walked = Walked(image(name))  # in this process: a hang would be this test's
    assert any(e.path == "vol1/poison.bin" for e in walked.entries)
    assert any("only its name is known" in p.message for p in walked.problems)


@settings(deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=64))
def test_no_superblock_or_table_makes_the_search_fail(at: int, change: bytes) -> None:
    data = bytearray(SMALL)
    data[1024 + at : 1024 + at + len(change)] = change
    assert isinstance(poisoned_inodes(reader_of(bytes(data[: len(SMALL)]))), frozenset)
