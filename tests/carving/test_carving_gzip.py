from __future__ import annotations

import gzip
import io
import random
import struct
import tarfile
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


def build(data: bytes, *, name: str = "", level: int = 6) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(name, "wb", level, out, mtime=1_000_000_000) as member:
        member.write(data)
    return out.getvalue()


TAILS = [b"", bytes(5000), NOISE[:5000], build(WORDS)[:3000]]


def test_real_files_end_where_they_end_whatever_follows(evidence_root: Path, walk: Callable[..., Walked | None]) -> None:
    seen = 0
    for path in sorted((evidence_root / "types" / "magika").rglob("*.gz")):
        data = path.read_bytes()
        if len(data) > 100_000:
            continue
        for tail in TAILS:
            found = walk("gzip", data + tail, block=512)
            assert found is not None
            assert (found.structure, found.checked, found.length) == (Structure.COMPLETE, True, len(data)), path
        seen += 1
    assert seen >= 5


@pytest.mark.parametrize("level", [0, 1, 9])
def test_the_checksum_behind_the_stream_proves_it(level: int, walk: Callable[..., Walked | None]) -> None:
    data = build(WORDS + NOISE, name="words.txt", level=level)
    for tail in TAILS:
        found = walk("gzip", data + tail)
        assert found is not None
        assert (found.structure, found.checked, found.length, found.extension) == (Structure.COMPLETE, True, len(data), "gz")
        assert found.facts == {"members": 1, "name": "words.txt", "expanded_size": len(WORDS + NOISE)}


def test_members_one_behind_the_other_are_one_file(walk: Callable[..., Walked | None]) -> None:
    data = b"".join(build(WORDS[n : n + 3000]) for n in range(0, 30_000, 3000))
    found = walk("gzip", data + bytes(5000))
    assert found is not None
    assert (found.length, found.facts["members"], found.checked) == (len(data), 10, True)


def test_what_begins_where_a_block_does_is_another_file(walk: Callable[..., Walked | None]) -> None:
    pad = -len(build(WORDS, name="")) % 512
    first = build(WORDS, name="n" * (pad - 1) if pad else "")
    assert len(first) % 512 == 0
    found = walk("gzip", first + build(NOISE), block=512)
    assert found is not None
    assert (found.structure, found.length) == (Structure.COMPLETE, len(first))


def test_every_optional_field_of_the_header_is_read(walk: Callable[..., Walked | None]) -> None:
    plain = build(WORDS)
    header = b"\x1f\x8b\x08\x1e" + plain[4:10] + struct.pack("<H", 300) + bytes(300) + b"a name\0comment\0"
    data = header + struct.pack("<H", zlib.crc32(header) & 0xFFFF) + plain[10:]
    found = walk("gzip", data + bytes(100))
    assert found is not None
    assert (found.structure, found.length, found.facts["name"]) == (Structure.COMPLETE, len(data), "a name")
    wrong = bytearray(data)
    wrong[len(header)] ^= 1
    assert walk("gzip", bytes(wrong)) is None


def test_tar_and_svg_inside_are_told(walk: Callable[..., Walked | None]) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a"), None)
    for data, kind in ((out.getvalue(), "tgz"), (build(b"<?xml version='1.0'?>\n<svg xmlns='x'/>"), "svgz"), (build(b"text <svg"), "gz")):
        found = walk("gzip", data + bytes(600))
        assert found is not None
        assert (found.extension, found.length) == (kind, len(data))


@pytest.mark.parametrize("tail", [b"", bytes(20_000), NOISE, WORDS[:30_000]])
def test_one_that_is_cut_is_truncated_about_there(tail: bytes, walk: Callable[..., Walked | None]) -> None:
    data = build(NOISE + WORDS)
    for cut in (4096, 20_480, 61_440):
        found = walk("gzip", data[:cut] + tail)
        assert found is not None
        assert found.structure is Structure.TRUNCATED
        assert cut - 512 <= found.length <= cut + len(tail)
        assert found.valid == 10


def test_a_wrong_checksum_is_damage(walk: Callable[..., Walked | None]) -> None:
    data = bytearray(build(NOISE, level=0))
    data[30_000] ^= 1
    found = walk("gzip", bytes(data) + bytes(100))
    assert found is not None
    assert (found.structure, found.checked, found.length) == (Structure.DAMAGED, False, len(data))


def test_what_only_looks_like_one_is_none(walk: Callable[..., Walked | None]) -> None:
    whole = build(WORDS, name="x")
    for data in (
        b"\x1f\x8b\x08" + bytes(5000),
        b"\x1f\x8b\x08" + NOISE,
        b"\x1f\x8b\x08\0" + bytes(4) + b"\0\3" + NOISE,
        b"\x1f\x8b\x08\0" + bytes(4) + b"\0\3" + WORDS,
        b"\x1f\x8b\x08\xe0" + whole[4:],
        whole[:8] + b"\x01" + whole[9:],
        whole[:9] + b"\x63" + whole[10:],
        b"\x1f\x8b\x08\x08" + whole[4:10] + b"no end of the name" * 200,
        whole[:1000] + bytes(9000),
        whole[:12],
    ):
        assert walk("gzip", data) is None


def test_a_bomb_is_given_up(walk: Callable[..., Walked | None]) -> None:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = build(b"")[:10] + (squeeze.compress(bytes(1 << 20)) + squeeze.flush(zlib.Z_FULL_FLUSH)) * 400
    try:
        found = walk("gzip", data, allowance=400 << 20)
    except WindowSpentError:
        pytest.fail("it went on for longer than its own limit")
    assert found is None or found.structure is Structure.TRUNCATED


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 60))
def test_any_bytes_behind_a_header_end_in_a_result(data: bytes, keep: int) -> None:
    holds(b"\x1f\x8b\x08" + build(WORDS[:500], name="n")[3:keep] + data)


def test_mutants_end_in_a_result() -> None:
    chance = random.Random(12)
    whole = build(WORDS[:9000], name="n") + build(NOISE[:700])
    for _ in range(500):
        data = bytearray(whole)
        at = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.randrange(1, 400)]
            case _:
                data[at:at] = chance.randbytes(chance.choice((1, 64)))
        holds(bytes(data))


def holds(data: bytes) -> None:
    from triage.carving.formats.gzip import FORMATS
    from triage.carving.window import window_of

    try:
        found = FORMATS[0].walk(window_of(data, allowance=64 << 20))
    except (ValueError, LookupError, ArithmeticError, struct.error, zlib.error):
        return
    assert found is None or (0 < found.length <= len(data) and (found.valid is None or 0 < found.valid <= found.length))
