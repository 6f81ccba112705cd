from __future__ import annotations

import random
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.carving.formats.rar import FORMATS
from triage.carving.forms import Structure, Walked
from triage.carving.window import WindowSpentError, window_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WORDS = " ".join(f"word{n % 977} of sentence {n // 7}" for n in range(9_000)).encode()
NOISE = random.Random(2).randbytes(60_000)
MEMBERS = {"one.txt": WORDS[:9000], "two.jpg": NOISE[:30_000], "three.txt": b"short"}


def number(value: int) -> bytes:
    found = b""
    while value >= 0x80:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


def new_block(kind: int, fields: bytes, data: bytes | None = None, *, flags: int = 0, extra: bytes = b"") -> bytes:
    flags |= (1 if extra else 0) | (2 if data is not None else 0)
    body = number(kind) + number(flags) + (number(len(extra)) if extra else b"") + (number(len(data)) if data is not None else b"")
    sized = number(len(body + fields + extra)) + body + fields + extra
    return struct.pack("<I", zlib.crc32(sized)) + sized + (data or b"")


def new_file(name: str, data: bytes, *, method: int = 0, extra: bytes = b"", packed: bytes | None = None) -> bytes:
    fields = number(4) + number(len(data)) + number(0x20) + struct.pack("<I", zlib.crc32(data)) + number(method << 7) + number(1)
    return new_block(2, fields + number(len(name)) + name.encode(), data if packed is None else packed, extra=extra)


def build_new(members: dict[str, bytes] = MEMBERS, *, volume: int = 0, end: bool = True, method: int = 0) -> bytes:
    files = b"".join(new_file(name, data, method=method) for name, data in members.items())
    return b"Rar!\x1a\7\1\0" + new_block(1, number(volume)) + files + (new_block(5, number(volume)) if end else b"")


def old_block(kind: int, flags: int, fields: bytes, data: bytes = b"") -> bytes:
    body = bytes([kind]) + struct.pack("<HH", flags, 7 + len(fields)) + fields
    return struct.pack("<H", zlib.crc32(body) & 0xFFFF) + body + data


def old_file(name: str, data: bytes, *, version: int = 29, method: int = 0x30, flags: int = 0) -> bytes:
    fields = struct.pack("<IIBIIBBHI", len(data), len(data), 2, zlib.crc32(data), 0, version, method, len(name), 32) + name.encode()
    return old_block(0x74, 0x8000 | flags, fields, data)


def build_old(members: dict[str, bytes] = MEMBERS, *, main: int = 0, end: bool = True, **options: int) -> bytes:
    files = b"".join(old_file(name, data, **options) for name, data in members.items())
    return b"Rar!\x1a\7\0" + old_block(0x73, main, bytes(6)) + files + (old_block(0x7B, 0x4000, b"") if end else b"")


BUILDERS = [build_old, build_new]
TAILS = [b"", bytes(5000), NOISE[:5000], build_old()[:3000], build_new()[:3000]]


def test_real_files_end_where_they_end_whatever_follows(evidence_root: Path, walk: Callable[..., Walked | None]) -> None:
    paths = [
        p
        for p in sorted(evidence_root.rglob("types/**/*.rar")) + sorted(evidence_root.rglob("artifacts/**/*.rar"))
        if "rar14" not in p.name
    ]
    assert len(paths) >= 4
    for path in paths:
        for tail in TAILS:
            found = walk("rar", path.read_bytes() + tail)
            assert found is not None
            assert (found.structure, found.length) == (Structure.COMPLETE, path.stat().st_size), path
            assert int(found.facts["members"]) >= 1


@pytest.mark.parametrize("build", BUILDERS)
def test_stored_members_are_checked(build: Callable[..., bytes], walk: Callable[..., Walked | None]) -> None:
    data = build()
    for tail in TAILS:
        found = walk("rar", data + tail)
        assert found is not None
        assert (found.structure, found.checked, found.length) == (Structure.COMPLETE, True, len(data))
        assert (found.facts["members"], found.facts["members_whole"], found.facts["first_member"]) == (3, 3, "one.txt")
    found = walk("rar", data[:20_480] + bytes(512) + data[20_992:] + bytes(100))
    assert found is not None
    assert (found.structure, found.length, found.facts["members_whole"]) == (Structure.DAMAGED, len(data), 2)


@pytest.mark.parametrize("data", [build_old(method=0x33), build_new(method=3)])
def test_compressed_members_are_followed_but_not_called_checked(data: bytes, walk: Callable[..., Walked | None]) -> None:
    found = walk("rar", data + NOISE)
    assert found is not None
    assert (found.structure, found.checked, found.length) == (Structure.COMPLETE, False, len(data))


@pytest.mark.parametrize("data", [build_old(main=1), build_new(volume=1)])
def test_a_volume_is_said_to_be_one_of_several(data: bytes, walk: Callable[..., Walked | None]) -> None:
    found = walk("rar", data + bytes(900))
    assert found is not None
    assert (found.length, found.facts["volume"]) == (len(data), "one of several")


def test_encrypted_members_are_counted(walk: Callable[..., Walked | None]) -> None:
    record = number(1) + bytes(40)
    locked = new_file("secret", NOISE[:900], extra=number(len(record)) + record)
    new = b"Rar!\x1a\7\1\0" + new_block(1, number(0)) + locked + new_block(5, number(0))
    for data in (build_old({"secret": NOISE[:900]}, flags=4), new):
        found = walk("rar", data + bytes(900))
        assert found is not None
        assert (found.structure, found.checked, found.facts["members_encrypted"]) == (Structure.COMPLETE, False, 1)


def test_encrypted_headers_are_said_and_taken_up_to_zeros(walk: Callable[..., Walked | None]) -> None:
    old = b"Rar!\x1a\7\0" + old_block(0x73, 0x80, bytes(6))
    new = b"Rar!\x1a\7\1\0" + new_block(4, number(0) + number(0) + b"\x0f" + bytes(16))
    for head in (old, new):
        found = walk("rar", head + NOISE + bytes(4000) + NOISE)
        assert found is not None
        assert (found.structure, found.facts["encrypted"]) == (Structure.TRUNCATED, "names too")
        assert abs(found.length - len(head + NOISE)) < 3
        assert walk("rar", head + WORDS) is None


def test_archives_from_before_version_3_have_no_end_block(walk: Callable[..., Walked | None]) -> None:
    data = build_old(version=20, end=False)
    for tail in TAILS:
        found = walk("rar", data + tail)
        assert found is not None
        assert (found.structure, found.length, found.checked) == (Structure.COMPLETE, len(data), True)
    found = walk("rar", build_old(version=29, end=False) + bytes(900))
    assert found is not None
    assert found.structure is Structure.TRUNCATED


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("tail", [b"", bytes(90_000), NOISE, WORDS])
def test_one_that_is_cut_says_which_members_are_there(build: Callable[..., bytes], tail: bytes, walk: Callable[..., Walked | None]) -> None:
    data = build()
    found = walk("rar", data[:20_480] + tail)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert int(found.facts["members_whole"]) == 1
    assert found.valid is not None
    assert found.valid <= 20_480


@pytest.mark.parametrize("build", BUILDERS)
def test_what_only_looks_like_one_is_none(build: Callable[..., bytes], walk: Callable[..., Walked | None]) -> None:
    data = build({"a": NOISE})
    broken = bytearray(data)
    broken[9] ^= 0xFF
    for one in (bytes(broken), data[:8] + NOISE, data[:8] + bytes(900), data[:21] + bytes(9000), data[:60] + WORDS, data[:7]):
        assert walk("rar", one) is None


def test_an_endless_chain_of_blocks_ends_at_the_allowance() -> None:
    for data in (
        b"Rar!\x1a\7\0" + old_block(0x73, 0, bytes(6)) + old_block(0x75, 0, b"") * 90_000,
        b"Rar!\x1a\7\1\0" + new_block(1, b"\0") * 90_000,
    ):
        with pytest.raises(WindowSpentError):
            FORMATS[0].walk(window_of(data, allowance=1 << 20))


def test_lying_sizes_cost_nothing(walk: Callable[..., Walked | None]) -> None:
    huge = new_block(2, number(4) + number(1 << 62) + number(0) + bytes(4) + number(0) + number(1) + number(1) + b"x", b"")
    fields = struct.pack("<IIBIIBBHI", 0xFFFFFFFF, 0xFFFFFFFF, 2, 0, 0, 29, 0x30, 1, 32) + struct.pack("<II", 0xFFFFFFFF, 0xFFFFFFFF) + b"x"
    for head in (
        b"Rar!\x1a\7\1\0" + new_block(1, b"\0") + huge,
        b"Rar!\x1a\7\0" + old_block(0x73, 0, bytes(6)) + old_block(0x74, 0x8100, fields),
    ):
        assert walk("rar", head + bytes(9000), allowance=200_000) is None
        found = walk("rar", head + NOISE, allowance=200_000)
        assert found is None or (found.structure is Structure.TRUNCATED and found.length <= len(head + NOISE))


def holds(data: bytes) -> None:
    try:
        found = FORMATS[0].walk(window_of(data, allowance=1 << 20))
    except (ValueError, LookupError, ArithmeticError, struct.error, WindowSpentError):
        return
    assert found is None or (0 < found.length <= len(data) and (found.valid is None or 0 < found.valid <= found.length))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([0x73, 0x74, 0x7A, 0x7B]), st.integers(0, 0xFFFF), st.integers(0, 5))
def test_any_fields_in_a_block_end_in_a_result(fields: bytes, old: int, flags: int, new: int) -> None:
    holds(b"Rar!\x1a\7\0" + old_block(0x73, 0, bytes(6)) + old_block(old, flags, fields, NOISE[:99]))
    holds(b"Rar!\x1a\7\1\0" + new_block(1, b"\0") + new_block(new, fields, NOISE[:99], flags=flags & 0xFC))
    holds(b"Rar!\x1a\7\0" + fields)
    holds(b"Rar!\x1a\7\1\0" + fields)


def test_mutants_end_in_a_result() -> None:
    chance = random.Random(14)
    for _ in range(500):
        data = bytearray(chance.choice(BUILDERS)({"a": WORDS[:300], "b": NOISE[:300]}))
        at = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.randrange(1, 200)]
            case _:
                data[at:at] = chance.randbytes(chance.choice((1, 64)))
        holds(bytes(data))
