"""Pictures in a report are small, grey and blurred unless asked for otherwise, and never the file's own bytes."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from report_fake_case import file_row

from triage.content.pictures import thumbnail
from triage.model import Entry, Kind, Locator
from triage.report.thumbnails import MAX_BYTES, collect

if TYPE_CHECKING:
    from collections.abc import Iterator


def picture(fmt: str = "JPEG", size: tuple[int, int] = (640, 400), mode: str = "RGB", **options: Any) -> bytes:
    """A red and a blue half with a fine black and white pattern in a corner."""
    image = Image.new(mode, size, 255 if mode in {"L", "P"} else "red")
    if mode == "RGB":
        image.paste((0, 0, 255), (size[0] // 2, 0, size[0], size[1]))
    out = io.BytesIO()
    image.save(out, fmt, **options)
    return out.getvalue()


def opened(jpeg: bytes | str) -> Image.Image:
    assert isinstance(jpeg, bytes), jpeg
    image = Image.open(io.BytesIO(jpeg))
    assert image.format == "JPEG"
    image.load()
    return image


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_pictures_become_small_grey_jpegs(fmt: str) -> None:
    image = opened(thumbnail(picture(fmt)))
    assert (image.mode, image.size) == ("L", (160, 100))


def test_blurring_takes_the_detail_out() -> None:
    stripes = Image.new("L", (320, 320))
    stripes.putdata([255 * (x // 4 % 2) for _ in range(320) for x in range(320)])
    out = io.BytesIO()
    stripes.save(out, "PNG")

    def contrast(data: bytes | str) -> int:
        low, high = opened(data).convert("L").crop((40, 40, 120, 120)).getextrema()
        return int(high) - int(low)  # type: ignore[arg-type]

    assert contrast(thumbnail(out.getvalue(), blurred=False)) > 100
    assert contrast(thumbnail(out.getvalue())) < 30


def test_plain_pictures_keep_their_colours() -> None:
    image = opened(thumbnail(picture(), blurred=False))
    assert image.mode == "RGB"
    red = image.getpixel((20, 50))
    assert isinstance(red, tuple)
    assert red[0] > 200
    assert red[2] < 60


def test_nothing_of_the_originals_metadata_is_left() -> None:
    exif = Image.Exif()
    exif[0x010E] = "SECRET-PLACE"
    image = opened(thumbnail(picture(exif=exif, comment=b"SECRET-COMMENT", icc_profile=b"SECRET-PROFILE" * 20)))
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    made = thumbnail(picture(exif=exif, comment=b"SECRET-COMMENT"), blurred=False)
    assert isinstance(made, bytes)
    assert b"SECRET" not in made


def test_the_camera_orientation_is_followed() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert opened(thumbnail(picture(exif=exif))).size == (100, 160)


def test_the_same_bytes_give_the_same_picture() -> None:
    assert thumbnail(picture()) == thumbnail(picture())


def test_what_is_transparent_is_laid_on_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (50, 50), (0, 0, 0, 0)).save(out, "PNG")
    assert opened(thumbnail(out.getvalue())).getpixel((25, 25)) == 255


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(9600, 9600), (20_000, 20_000), (2_000_000, 2_000_000)])
def test_pictures_with_too_many_pixels_are_not_decoded(size: tuple[int, int]) -> None:
    reason = thumbnail(png_header(*size))
    assert isinstance(reason, str)
    assert "pixels" in reason


def test_formats_off_the_list_are_not_decoded() -> None:
    for fmt in ("PPM", "TGA", "PCX", "ICNS"):
        assert thumbnail(picture(fmt)) == "not a picture of a format that is decoded"
    assert thumbnail(b"<svg onload=alert(1)>") == "not a picture of a format that is decoded"
    assert thumbnail(b"") == "not a picture of a format that is decoded"


@settings(max_examples=60, deadline=None)
@given(
    fmt=st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"]),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
    keep=st.floats(0, 1),
)
def test_damaged_pictures_give_a_picture_or_a_reason(fmt: str, flips: list[tuple[float, int]], keep: float) -> None:
    data = bytearray(picture(fmt, (32, 24)))
    for place, value in flips:
        data[min(len(data) - 1, int(place * len(data)))] = value
    answer = thumbnail(bytes(data[: int(len(data) * keep) + 1]))
    assert answer if isinstance(answer, str) else opened(answer).size[0] <= 160


def test_without_pillow_there_is_a_reason_and_no_failure() -> None:
    code = (
        "import sys; sys.modules['PIL'] = None; from triage.content.pictures import thumbnail, available;"
        "print(available(), thumbnail(b'x'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False pictures need the Python package Pillow, which is not installed\n"


class Worker:
    """Decodes like a session of the engine, and notes when a new one was needed."""

    started = 0

    def __init__(self, refuse: frozenset[int]) -> None:
        self.refuse = refuse

    def thumbnail(self, locator: Locator, length: int, *, blurred: bool) -> bytes | str:
        if locator.meta_addr in self.refuse:
            return "decoding stalled"
        return b"\xff\xd8\xff" + str((locator.meta_addr, length, blurred)).encode()


def collected(rows: list[dict[str, Any]], refuse: frozenset[int] = frozenset()) -> tuple[dict[str, bytes], str, int]:
    entries = {
        row["id"]: Entry(
            id=row["id"],
            evidence="ev-1",
            volume=1,
            path=row["path"],
            name=row["name"],
            kind=Kind.FILE,
            locator=Locator(evidence="ev-1", meta_addr=row["meta_addr"]),
        )
        for row in rows
    }
    started = 0

    @contextmanager
    def decoder() -> Iterator[Worker]:
        nonlocal started
        started += 1
        yield Worker(refuse)

    made, said = collect(rows, entries.get, decoder, blurred=True)
    return made, said, started


def test_only_pictures_of_bounded_size_are_decoded() -> None:
    rows = [file_row(0), file_row(1, category="document"), file_row(2, size=MAX_BYTES + 1), file_row(3, size=0)]
    made, said, started = collected(rows)
    assert made == {rows[0]["id"]: b"\xff\xd8\xff" + str((4000, rows[0]["size"], True)).encode()}
    assert "grey and blurred: 1 of them." in said
    assert started == 1


def test_a_picture_that_takes_its_worker_down_costs_only_itself() -> None:
    rows = [file_row(n) for n in range(5)]
    made, said, started = collected(rows, frozenset({4001}))
    assert set(made) == {row["id"] for row in rows} - {rows[1]["id"]}
    assert "Not shown: 1 (decoding stalled)" in said
    assert started == 2


def test_endless_failures_end() -> None:
    rows = [file_row(n) for n in range(60)]
    made, said, started = collected(rows, frozenset(range(4000, 4060)))
    assert (made, started) == ({}, 25)
    assert "35 more were not tried" in said
