"""Pictures that fight back: bombs are refused with a reason, damage costs what it hit, and only six decoders ever run."""

from __future__ import annotations

import io
import random
import struct
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from triage.content.pictures import FORMATS, thumbnail


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *extra: bytes, data: bytes | None = None) -> bytes:
    rows = zlib.compress(b"".join(b"\0" + bytes(x & 255 for x in range(width)) for _ in range(height))) if data is None else data
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def saved(fmt: str, size: tuple[int, int] = (320, 200), **options: object) -> bytes:
    image = Image.frombytes("L", size, random.Random(1).randbytes(size[0] * size[1])).convert("RGB")
    out = io.BytesIO()
    image.save(out, fmt, **options)
    return out.getvalue()


def tiff(entries: list[tuple[int, int, int, int]], following: int, data: bytes = b"") -> bytes:
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + struct.pack("<I", following) + data


PLAIN = [
    (256, 4, 1, 16),
    (257, 4, 1, 16),
    (258, 3, 1, 8),
    (259, 3, 1, 1),
    (262, 3, 1, 1),
    (273, 4, 1, 122),
    (277, 3, 1, 1),
    (278, 4, 1, 16),
    (279, 4, 1, 256),
]


def refused(data: bytes) -> str:
    started = time.process_time()
    answer = thumbnail(data)
    assert time.process_time() - started < 5
    assert isinstance(answer, str)
    return answer


def shown(data: bytes) -> Image.Image:
    started = time.process_time()
    answer = thumbnail(data)
    assert time.process_time() - started < 5
    assert isinstance(answer, bytes), answer
    image = Image.open(io.BytesIO(answer), formats=("JPEG",))
    image.load()
    return image


@pytest.mark.parametrize("side", [10_001, 60_000, 2**31 - 1])
def test_a_header_that_claims_gigapixels_is_refused(side: int) -> None:
    assert "too many pixels" in refused(png(side, side, data=zlib.compress(bytes(1000))))


def test_compressed_text_in_a_picture_is_not_expanded() -> None:
    bomb = zlib.compress(bytes(200 << 20), 9)
    for kind, body in ((b"zTXt", b"x\0\0" + bomb), (b"iTXt", b"x\0\1\0\0\0" + bomb), (b"iCCP", b"x\0\0" + bomb)):
        answer = thumbnail(png(64, 64, chunk(kind, body)))
        assert isinstance(answer, bytes) or "cannot be decoded" in answer
    many = chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(1 << 20), 9)) * 200
    assert "cannot be decoded" in refused(png(64, 64, many))


def test_frames_without_end_cost_nothing() -> None:
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 8, 8, 0) + b"\x03\x08\x00\x0f\x1a\x9f\x05\x0a\x00\x00".ljust(0)
    head = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + b"\x21\xff\x0bNETSCAPE2.0\3\1\0\0\0"
    picture = b"\x2c" + struct.pack("<HHHHB", 0, 0, 8, 8, 0) + b"\x02\x07\x84\x8f\xa9\xcb\xed\x0f\x63\x00"
    first = thumbnail(head + picture)
    assert first == thumbnail(head + picture + (b"\x21\xf9\4\0\0\0\0\0" + frame) * 200_000)


def test_directories_that_lead_in_circles_and_counts_that_lie_end() -> None:
    data = bytes(range(256))
    loop = tiff(PLAIN, 8, data)
    assert shown(loop).size == (16, 16)
    for tag, count in ((273, 0xFFFFFFFF), (258, 0xFFFFFFF0), (700, 0x7FFFFFFF), (34665, 1)):
        entries = [*(e for e in PLAIN if e[0] != tag), (tag, 4, count, 8)]
        thumbnail(tiff(sorted(entries), 0, data))
    assert isinstance(thumbnail(b"II*\0\x08\0\0\0\xff\xff" + struct.pack("<HHII", 256, 4, 0xFFFFFFFF, 8) * 65535), str)


@pytest.mark.parametrize(
    "head",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
        b"SIMPLE  =                    T",
        b"\0\0\1\0\1\0\x10\x10",
        b"icns\0\0\x10\0",
        b"8BPS\0\1",
        b"\x0a\5\1\x08",
        b"P6 9 9 255 ",
        b"\xd7\xcd\xc6\x9a",
        b"qoif\0\0\0\1",
        b"DDS \x7c\0\0\0",
        b"\0\0\0\x0cjP  \r\n\x87\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"BLP2\1\0\0\0",
        b"\x31\xbe\0\0",
    ],
)
def test_decoders_that_are_not_on_the_list_never_run(head: bytes) -> None:
    assert refused(head + bytes(4096)) == "not a picture of a format that is decoded"


def test_spider_and_other_formats_without_a_mark_are_not_tried() -> None:
    fields = [1.0, 9.0, 9.0, 0.0, 1.0] + [0.0] * 22
    fields[11], fields[12], fields[21], fields[22] = 9.0, 29.0, 1044.0, 36.0
    assert refused(struct.pack("<27f", *fields) + bytes(4096)) == "not a picture of a format that is decoded"


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "BMP"])
def test_a_picture_cut_in_half_shows_its_upper_half(fmt: str) -> None:
    whole = saved(fmt)
    half = shown(whole[: len(whole) // 2])
    assert half.size == (160, 100)
    upper, lower = half.crop((0, 0, 160, 30)), half.crop((0, 75, 160, 100))
    assert upper.getextrema() != lower.getextrema()


def test_a_picture_of_which_nothing_is_left_has_a_reason() -> None:
    for fmt in FORMATS:
        whole = saved(fmt)
        assert isinstance(thumbnail(whole[:60]), str)
    assert "cannot be decoded" in refused(png(64, 64, data=b"\xff" * 100))


def test_profiles_and_metadata_that_lie_do_not_stop_the_picture() -> None:
    for options in (
        {"icc_profile": b"\xff" * 70_000},
        {"exif": b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff" * 60_000},
        {"comment": b"\0" * 60_000},
    ):
        assert shown(saved("JPEG", **options)).size == (160, 100)


SAMPLES = [saved(fmt, (40, 30)) for fmt in FORMATS] + [tiff(PLAIN, 8, bytes(256))]


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(SAMPLES), st.data())
def test_mutants_are_a_picture_or_a_reason(sample: bytes, data: st.DataObject) -> None:
    mutant = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, min(200, len(mutant) - 1)) | st.integers(0, len(mutant) - 1))
        mutant[at] = data.draw(st.integers(0, 255))
    answer = thumbnail(bytes(mutant[: data.draw(st.integers(0, len(mutant)))]))
    assert answer
    assert isinstance(answer, bytes | str)
