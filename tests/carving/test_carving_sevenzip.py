from __future__ import annotations

import bz2
import lzma
import random
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.carving.formats.sevenzip import FORMATS
from triage.carving.forms import Structure, Walked
from triage.carving.window import WindowSpentError, window_of

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLES = Path(__file__).parent / "samples"
WORDS = " ".join(f"word{n % 977} of sentence {n // 7}" for n in range(9_000)).encode()
NOISE = random.Random(2).randbytes(60_000)
TAILS = [b"", bytes(5000), NOISE[:5000], b"7z\xbc\xaf\x27\x1c" + NOISE[:3000]]
LZMA2 = {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}
LZMA1 = {"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 3, "lp": 0, "pb": 2}


def number(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else b"\xff" + struct.pack("<Q", value)


def pack(method: str, data: bytes) -> tuple[bytes, bytes]:
    """Return a coder as it stands in a header, and the packed bytes."""
    if method == "lzma2":
        return b"\x21\x21\1\x08", lzma.compress(data, lzma.FORMAT_RAW, filters=[LZMA2])
    if method == "lzma":
        raw = lzma.compress(data, lzma.FORMAT_ALONE, filters=[LZMA1])
        return b"\x23\3\1\1\5" + raw[:5], raw[13:]
    if method == "bzip2":
        return b"\3\4\2\2", bz2.compress(data)
    if method == "deflate":
        squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
        return b"\3\4\1\x08", squeeze.compress(data) + squeeze.flush()
    return b"\1\0", data


def streams(start: int, coder: bytes, packed: int, parts: list[bytes]) -> bytes:
    whole = b"".join(parts)
    found = b"\6" + number(start) + b"\1\x09" + number(packed) + b"\0"
    found += b"\7\x0b\1\0\1" + coder + b"\x0c" + number(len(whole))
    if len(parts) == 1:
        return found + b"\x0a\1" + struct.pack("<I", zlib.crc32(whole)) + b"\0\0"
    found += b"\0\x08\x0d" + number(len(parts)) + b"\x09" + b"".join(number(len(p)) for p in parts[:-1])
    return found + b"\x0a\1" + b"".join(struct.pack("<I", zlib.crc32(p)) for p in parts) + b"\0\0"


def build(parts: list[bytes], *, method: str = "lzma2", packed_header: bool = True) -> bytes:
    coder, body = pack(method, b"".join(parts))
    names = b"\0" + b"".join(f"file{n}".encode("utf-16-le") + b"\0\0" for n in range(len(parts)))
    header = b"\1\4" + streams(0, coder, len(body), parts) + b"\5" + number(len(parts)) + b"\x11" + number(len(names)) + names + b"\0\0"
    if packed_header:
        coder, squeezed = pack("lzma", header)
        header = b"\x17" + streams(len(body), coder, len(squeezed), [header])
        body += squeezed
    start = struct.pack("<QQI", len(body), len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + body + header


def test_real_files_end_where_they_end_whatever_follows(evidence_root: Path, walk: Callable[..., Walked | None]) -> None:
    paths = sorted(evidence_root.rglob("types/**/*.7z")) + sorted(evidence_root.rglob("artifacts/**/*.7z"))
    assert len(paths) >= 2
    for path in paths:
        for tail in TAILS:
            found = walk("7z", path.read_bytes() + tail)
            assert found is not None
            assert (found.structure, found.checked, found.length) == (Structure.COMPLETE, True, path.stat().st_size)


@pytest.mark.parametrize(
    ("name", "checked", "members", "encrypted"),
    [
        ("solid", True, 3, None),
        ("encrypted", False, 2, "content"),
        ("encrypted_names", False, None, "names too"),
        ("filtered", False, 1, None),
    ],
)
def test_files_of_7zip_itself(
    name: str, checked: bool, members: int | None, encrypted: str | None, walk: Callable[..., Walked | None]
) -> None:
    data = (SAMPLES / f"{name}.7z").read_bytes()
    for tail in TAILS:
        found = walk("7z", data + tail)
        assert found is not None
        assert (found.structure, found.checked, found.length) == (Structure.COMPLETE, checked, len(data))
        assert (found.facts.get("members"), found.facts.get("encrypted")) == (members, encrypted)


@pytest.mark.parametrize("method", ["lzma2", "lzma", "bzip2", "deflate", "copy"])
@pytest.mark.parametrize("packed_header", [False, True])
def test_what_is_packed_is_held_against_its_checksums(method: str, packed_header: bool, walk: Callable[..., Walked | None]) -> None:
    data = build([WORDS, NOISE, b"short"], method=method, packed_header=packed_header)
    found = walk("7z", data + bytes(600))
    assert found is not None
    assert (found.structure, found.checked, found.length, found.facts["members"]) == (Structure.COMPLETE, True, len(data), 3)
    for fill in (bytes(4096), NOISE[:4096], WORDS[:4096]):
        found = walk("7z", data[:40_960] + fill + data[45_056:] + bytes(600))
        assert found is not None
        assert (found.structure, found.checked, found.length) == (Structure.DAMAGED, False, len(data))


def test_one_file_alone_is_checked(walk: Callable[..., Walked | None]) -> None:
    found = walk("7z", build([WORDS]) + NOISE)
    assert found is not None
    assert (found.structure, found.checked) == (Structure.COMPLETE, True)


@pytest.mark.parametrize("tail", [b"", bytes(90_000), NOISE * 2, WORDS[:90_000]])
def test_one_without_its_header_is_truncated(tail: bytes, walk: Callable[..., Walked | None]) -> None:
    data = build([NOISE, WORDS])
    found = walk("7z", data[:20_480] + tail)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert found.valid == 32
    assert 20_480 <= found.length <= len(data)
    assert found.facts["stated_size"] == len(data)


def test_a_header_that_makes_no_sense_is_damage(walk: Callable[..., Walked | None]) -> None:
    header = b"\1\4\6\0\xff" + b"\xff" * 8
    start = struct.pack("<QQI", 0, len(header), zlib.crc32(header))
    data = b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + header
    found = walk("7z", data + bytes(100))
    assert found is not None
    assert (found.structure, found.length) == (Structure.DAMAGED, len(data))


def test_lying_sizes_cost_nothing(walk: Callable[..., Walked | None]) -> None:
    for offset, size in ((1 << 63, 100), (0, 1 << 62), (1 << 20, 1 << 29), (0, 0)):
        start = struct.pack("<QQI", offset, size, 0)
        data = b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start
        assert walk("7z", data + bytes(9000), allowance=100_000) is None
        found = walk("7z", data + NOISE, allowance=1_000_000)
        assert found is None or (found.structure is Structure.TRUNCATED and found.length <= len(data) + len(NOISE))


def test_a_dictionary_of_gigabytes_is_not_allocated(walk: Callable[..., Walked | None]) -> None:
    data = build([WORDS], packed_header=False).replace(b"\x21\x21\1\x08", b"\x21\x21\1\x28")  # 4 GiB less one byte
    header = data[data.rindex(b"\1\4\6") :]
    start = struct.pack("<QQI", len(data) - len(header) - 32, len(header), zlib.crc32(header))
    data = data[:8] + struct.pack("<I", zlib.crc32(start)) + start + data[32:]
    found = walk("7z", data)
    assert found is not None
    assert (found.structure, found.checked) == (Structure.COMPLETE, True)


def test_what_only_looks_like_one_is_none(walk: Callable[..., Walked | None]) -> None:
    data = bytearray(build([WORDS]))
    data[8] ^= 1
    for one in (
        bytes(data),
        b"7z\xbc\xaf\x27\x1c" + NOISE,
        b"7z\xbc\xaf\x27\x1c" + bytes(900),
        b"7z\xbc\xaf\x27\x1c\0\4",
        build([WORDS])[:64] + bytes(9000),
    ):
        assert walk("7z", one) is None


def holds(data: bytes) -> None:
    try:
        found = FORMATS[0].walk(window_of(data, allowance=64 << 20))
    except (ValueError, LookupError, ArithmeticError, struct.error, zlib.error, WindowSpentError):
        return
    assert found is None or (0 < found.length <= len(data) and (found.valid is None or 0 < found.valid <= found.length))


def sealed(body: bytes, header: bytes) -> bytes:
    """Return an archive whose checksums are right, whatever its header says."""
    start = struct.pack("<QQI", len(body), len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + body + header


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"\1", b"\1\4\6\0\1\x09", b"\x17\6\0\1\x09\x40\0\7\x0b\1\0\1", b""]))
def test_any_header_ends_in_a_result(data: bytes, start: bytes) -> None:
    holds(sealed(NOISE[:64], start + data))
    holds(b"7z\xbc\xaf\x27\x1c" + data)


def test_mutants_end_in_a_result() -> None:
    chance = random.Random(13)
    coder, body = pack("lzma2", WORDS)
    whole = b"\1\4" + streams(0, coder, len(body), [WORDS[:1000], WORDS[1000:]]) + b"\5\2\x11\1\0\0\0"
    for _ in range(500):
        header = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(header))
            match chance.randrange(3):
                case 0:
                    header[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, header[at] ^ 1 << chance.randrange(8)))
                case 1 if len(header) > 9:
                    del header[at : at + chance.randrange(1, 4)]
                case _:
                    header[at:at] = chance.randbytes(chance.choice((1, 4)))
        holds(sealed(body, bytes(header)))
