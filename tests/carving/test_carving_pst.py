"""Outlook's stores: a length that the header states, pages at fixed places, blocks with checksums."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, asked, holds, mutants, samples, walk

from triage.carving.forms import Structure, Walked

if TYPE_CHECKING:
    from pathlib import Path

WIDE, NARROW = True, False


def checksum(data: bytes) -> int:
    return zlib.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF


def page(data: bytes, kind: int, wide: bool) -> bytes:
    data = data.ljust(496 if wide else 500, b"\0")
    if wide:
        return data + struct.pack("<BBHIQ", kind, kind, 0, checksum(data), 7)
    return data + struct.pack("<BBHII", kind, kind, 0, 7, checksum(data))


def block(data: bytes, number: int, wide: bool) -> bytes:
    trailer = 16 if wide else 12
    padded = data.ljust(-(-(len(data) + trailer) // 64) * 64 - trailer, b"\0")
    if wide:
        return padded + struct.pack("<HHIQ", len(data), 0, checksum(data), number)
    return padded + struct.pack("<HHII", len(data), 0, number, checksum(data))


def tree(entries: list[bytes], level: int, wide: bool) -> bytes:
    size = 24 if wide else 12
    data = b"".join(entry.ljust(size, b"\0") for entry in entries).ljust(488 if wide else 496, b"\0")
    return page(data + bytes((len(entries), 20, size, level)), 0x80, wide)


def store(*, wide: bool = True, blocks: int = 9, version: int = 0, client: bytes = b"SM") -> bytes:
    """A store with two pages of the map, a tree of two levels and some blocks."""
    number = "<Q" if wide else "<I"
    out = bytearray(0x4400) + page(b"\xff", 0x84, wide) + bytes(1024)
    root = 0x4600
    leaf = root + 512
    places = []
    for n in range(blocks):
        places.append(struct.pack(number, 4 * n + 4) + struct.pack(number, len(out)) + struct.pack("<H", 300 + n))
        out += block(NOISE[n * 400 : n * 400 + 300 + n], 4 * n + 4, wide)
    out[leaf : leaf + 512] = tree(places, 0, wide)
    out[root : root + 512] = tree([struct.pack(number, 4) + struct.pack(number, 0) + struct.pack(number, leaf)], 1, wide)
    out += bytes(0x4400 + 253952 - len(out)) + page(b"\xff", 0x84, wide) + bytes(512)
    head = bytearray(564)
    head[:12] = b"!BDN" + bytes(4) + client + struct.pack("<H", version or (23 if wide else 14))
    if wide:
        struct.pack_into("<Q", head, 0xB8, len(out))
        struct.pack_into("<Q", head, 0xF0, root)
    else:
        struct.pack_into("<I", head, 0xA8, len(out))
        struct.pack_into("<I", head, 0xC4, root)
    struct.pack_into("<I", head, 4, checksum(bytes(head[8:479])))
    out[:564] = head
    return bytes(out)


def sound(data: bytes) -> Walked:
    walked = walk("pst", data)
    assert walked is not None
    return walked


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_a_real_one_is_as_long_as_it_says(behind: bytes, evidence_root: Path) -> None:
    ((_, data),) = samples(evidence_root, "artifacts/iped/*.pst")
    walked = sound(data + behind)
    assert (walked.structure, walked.length, walked.checked) == (Structure.COMPLETE, len(data), True)
    assert walked.facts == {"version": 23, "blocks": 200}
    for at in range(0x4400, 0x80400, 32768 - 512):
        broken = walk("pst", data[:at] + NOISE[:4096] + data[at:] + bytes(4096))
        assert broken is None or broken.structure is not Structure.COMPLETE


@pytest.mark.parametrize("wide", [WIDE, NARROW])
@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_both_layouts_are_read(behind: bytes, wide: bool) -> None:
    data = store(wide=wide)
    walked = sound(data + behind)
    assert (walked.structure, walked.length, walked.checked, walked.extension) == (Structure.COMPLETE, len(data), True, "pst")
    assert walked.facts["blocks"] == 9
    assert sound(store(wide=wide, client=b"SO")).extension == "ost"


@pytest.mark.parametrize("wide", [WIDE, NARROW])
@pytest.mark.parametrize("at", [0x4700, 0x4880, 0x4A80, 0x4F00, 0x4400 + 253952 + 16])
def test_an_overwritten_page_or_block_is_noticed(at: int, wide: bool) -> None:
    data = store(wide=wide)
    walked = sound(data[:at] + NOISE[:64] + data[at + 64 :])
    assert (walked.structure, walked.length) == (Structure.DAMAGED, len(data))


@pytest.mark.parametrize("wide", [WIDE, NARROW])
def test_one_that_the_space_cuts_says_how_long_it_was(wide: bool) -> None:
    data = store(wide=wide)
    walked = sound(data[:100_000])
    assert (walked.structure, walked.length) == (Structure.TRUNCATED, 100_000)
    assert str(len(data)) in walked.why
    assert walk("pst", data[:0x4500]) is None


def test_stores_with_large_pages_are_known_by_their_header() -> None:
    data = bytearray(store(version=36))
    data[0x4600 + 4072 : 0x4600 + 4074] = b"\x80\x80"
    walked = sound(bytes(data) + NOISE)
    assert (walked.structure, walked.length, walked.checked) == (Structure.COMPLETE, len(data), False)
    assert sound(store(version=36)).structure is Structure.DAMAGED
    assert sound(bytes(data[:100_000])).structure is Structure.TRUNCATED


@pytest.mark.parametrize(
    "data",
    [
        b"!BDN" + NOISE[:9000],
        b"!BDN" + bytes(9000),
        store()[:564] + NOISE,
        store()[:563],
        store()[:200] + b"x" + store()[201:],
        store(version=99)[:600],
    ],
)
def test_what_only_looks_like_one_is_none(data: bytes) -> None:
    assert walk("pst", data) is None


def test_trees_that_lead_to_themselves_end() -> None:
    data = bytearray(store())
    data[0x4600:0x4800] = tree([struct.pack("<QQQ", 4, 0, 0x4600)] * 20, 1, WIDE)
    window, walked = asked("pst", bytes(data))
    assert walked is not None
    assert window.spent < 100_000


@given(st.binary(max_size=600), st.integers(0, 30_000))
def test_any_bytes_keep_within_bounds(behind: bytes, cut: int) -> None:
    data = store()
    holds("pst", data[:600] + behind, allowance=8 << 20)
    holds("pst", data[:cut] + behind + data[cut:], allowance=8 << 20)


@pytest.mark.parametrize("wide", [WIDE, NARROW])
def test_damaged_copies_keep_within_bounds(wide: bool) -> None:
    for changed in mutants(store(wide=wide), 150):
        holds("pst", changed, allowance=8 << 20)
