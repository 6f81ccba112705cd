from __future__ import annotations

import bz2
import lzma
import random
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.carving.forms import Structure, Walked
from triage.carving.window import WindowSpentError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WORDS = " ".join(f"word{n % 977} of sentence {n // 7}" for n in range(20_000)).encode()
NOISE = random.Random(2).randbytes(60_000)
KINDS = [("xz", lzma.compress), ("bzip2", bz2.compress)]


@pytest.mark.parametrize(("name", "compress"), KINDS)
def test_one_ends_where_its_checksums_say(name: str, compress: Callable[[bytes], bytes], walk: Callable[..., Walked | None]) -> None:
    for content in (WORDS, NOISE + WORDS, b"little"):
        data = compress(content)
        for tail in (b"", bytes(5000), NOISE[:5000], compress(WORDS)[:2000] if len(data) % 512 else b""):
            found = walk(name, data + tail)
            assert found is not None
            assert (found.structure, found.checked, found.length) == (Structure.COMPLETE, True, len(data))
            assert found.facts == {"streams": 1, "expanded_size": len(content)}


def test_real_files_are_whole(evidence_root: Path, walk: Callable[..., Walked | None]) -> None:
    for name, place in (("xz", "xz/xz.xz"), ("bzip2", "bzip/bzip2.bz2")):
        data = (evidence_root / "types/magika/mitra" / place).read_bytes()
        found = walk(name, data + NOISE)
        assert found is not None
        assert (found.structure, found.checked, found.length) == (Structure.COMPLETE, True, len(data))


@pytest.mark.parametrize(("name", "compress"), KINDS)
def test_streams_one_behind_the_other_are_one_file(
    name: str, compress: Callable[[bytes], bytes], walk: Callable[..., Walked | None]
) -> None:
    data = compress(WORDS[:5000]) + (bytes(8) if name == "xz" else b"") + compress(NOISE[:5000]) + compress(b"end")
    found = walk(name, data + bytes(100), block=4096)
    assert found is not None
    assert (found.structure, found.length, found.facts["streams"]) == (Structure.COMPLETE, len(data), 3)


@pytest.mark.parametrize("tail", [b"", bytes(9000), NOISE, WORDS])
def test_a_cut_one_is_truncated_about_there(tail: bytes, walk: Callable[..., Walked | None]) -> None:
    data = lzma.compress(NOISE + WORDS)
    found = walk("xz", data[:40_960] + tail)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert 24_000 <= found.length <= 40_960
    blocks = bz2.compress(NOISE * 20, 1)
    found = walk("bzip2", blocks[:409_600] + tail)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert found.length <= 409_600 + len(tail)


@pytest.mark.parametrize(("name", "compress"), KINDS)
def test_overwritten_bytes_are_noticed(name: str, compress: Callable[[bytes], bytes], walk: Callable[..., Walked | None]) -> None:
    data = bytearray(compress(NOISE))
    data[30_000:30_512] = WORDS[:512]
    found = walk(name, bytes(data))
    assert found is None or found.structure is Structure.TRUNCATED


def test_what_only_looks_like_one_is_none(walk: Callable[..., Walked | None]) -> None:
    for name, magic in (("xz", b"\xfd7zXZ\0"), ("bzip2", b"BZh91AY&SY"), ("xz", lzma.compress(WORDS)[:12]), ("bzip2", b"BZhx1AY&SY")):
        for rest in (b"", bytes(9000), NOISE, WORDS):
            assert walk(name, magic + rest) is None
    assert walk("xz", lzma.compress(WORDS)[:600] + bytes(9000)) is None


def test_bombs_and_large_dictionaries_are_given_up(walk: Callable[..., Walked | None]) -> None:
    packed = bz2.compress(bytes(40 << 20))
    found = walk("bzip2", packed * 8, allowance=400 << 20)
    assert found is not None
    assert found.structure in (Structure.COMPLETE, Structure.TRUNCATED)
    large = bytearray(lzma.compress(NOISE))
    header = slice(12, 12 + large[12] * 4)  # The .xz File Format, 3.1: the dictionary's size is the last byte before the padding
    assert large[14:16] == b"\x21\1"
    large[16] = 32  # 256 MiB
    large[header.stop : header.stop + 4] = struct.pack("<I", zlib.crc32(large[header]))
    assert walk("xz", bytes(large)) is None  # its memory is more than an examiner's machine should give for it


def holds(name: str, data: bytes) -> None:
    from triage.carving.catalog import known_formats
    from triage.carving.window import window_of

    form = next(f for f in known_formats() if f.name == name)
    try:
        found = form.walk(window_of(data, allowance=64 << 20))
    except (ValueError, LookupError, ArithmeticError, struct.error, zlib.error, WindowSpentError):
        return
    assert found is None or (0 < found.length <= len(data) and (found.valid is None or 0 < found.valid <= found.length))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 60))
def test_any_bytes_behind_a_header_end_in_a_result(data: bytes, keep: int) -> None:
    for name, compress in KINDS:
        holds(name, compress(b"words")[: 10 + keep] + data)


def test_mutants_end_in_a_result() -> None:
    chance = random.Random(15)
    for number in range(200):
        name, compress = KINDS[number % 2]
        data = bytearray(compress(WORDS[:900]) + compress(NOISE[:900]))
        at = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.randrange(1, 400)]
            case _:
                data[at:at] = chance.randbytes(chance.choice((1, 64)))
        holds(name, bytes(data))
