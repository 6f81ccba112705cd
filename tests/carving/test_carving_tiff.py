"""TIFF and camera raws: directories that lead to everything, so that the end is the largest of all ends."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, asked, holds, mutants, noise_picture, samples, saved, walk
from PIL import Image

from triage.carving.forms import Structure

if TYPE_CHECKING:
    from pathlib import Path

PICTURE = noise_picture(200, 150)
JPEG = saved(noise_picture(64, 48), "JPEG")
LOSSLESS = (
    b"\xff\xd8\xff\xc3\0\x11\x0c\0\x10\0\x10\1\1\x11\0\0\0\0\0\0\xff\xda\0\x08\1\1\0\0\0\0"
    + NOISE[:500].replace(b"\xff", b"")
    + b"\xff\xd9"
)

Tag = tuple[int, int, object]
"""Number, type, and value: numbers, bytes, or the name of a block whose offset it is."""


def made(
    order: str, magic: bytes, directories: list[tuple[str, list[Tag]]], blocks: dict[str, bytes], *, first: int = 8, before: bytes = b""
) -> bytes:
    """Lay out directories, what does not fit into their entries, and blocks, in this order; a name stands for where something begins."""
    places, sizes = {}, {}
    at = first
    for name, tags in directories:
        places[name] = at
        at += 6 + 12 * len(tags)
        for number, _, value in tags:
            if isinstance(value, bytes) and len(value) > 4:
                sizes[name, number] = at
                at += len(value) + (len(value) & 1)
    for name, data in blocks.items():
        places[name] = at
        at += len(data)
    out = bytearray(magic + struct.pack(order + "I", places[directories[0][0]]) + before).ljust(first, b"\0")
    chain = [name for name, _ in directories if name.startswith("ifd")]
    for name, tags in directories:
        tail = b""
        out += struct.pack(order + "H", len(tags))
        for number, kind, value in tags:
            if isinstance(value, bytes):
                inline = struct.pack(order + "I", sizes[name, number]) if len(value) > 4 else value.ljust(4, b"\0")
                count = len(value) // {3: 2, 4: 4}.get(kind, 1)
                tail += value + bytes(len(value) & 1) if len(value) > 4 else b""
            else:
                known = places[value] if isinstance(value, str) else value
                inline, count = struct.pack(order + ("HH" if kind == 3 else "I"), *((known, 0) if kind == 3 else (known,))), 1
            out += struct.pack(order + "HHI", number, kind, count) + inline
        place = chain.index(name) if name in chain else len(chain)
        out += struct.pack(order + "I", places[chain[place + 1]] if place + 1 < len(chain) else 0) + tail
    return bytes(out) + b"".join(blocks.values())


def strip(width: int, height: int, compression: int, photometric: int, block: str, size: int, *more: Tag, subfile: int = 0) -> list[Tag]:
    return sorted(
        [
            (0xFE, 4, subfile),
            (0x100, 4, width),
            (0x101, 4, height),
            (0x102, 3, 8),
            (0x103, 3, compression),
            (0x106, 3, photometric),
            (0x111, 4, block),
            (0x115, 3, 1),
            (0x117, 4, size),
            *more,
        ],
        key=lambda tag: tag[0],
    )


def make(name: bytes, model: bytes = b"Model One\0") -> list[Tag]:
    return [(0x10F, 2, name), (0x110, 2, model)]


RAW = NOISE[: 90 * 60]
EXIF: list[Tag] = [(0x829A, 5, bytes(8)), (0x927C, 7, b"Maker\0" + bytes(200))]
RAWS = {
    "cr2": (
        2,
        made(
            "<",
            b"II*\0",
            [
                ("ifd0", strip(64, 48, 6, 6, "preview", len(JPEG), *make(b"Canon\0"), (0x8769, 4, "exif"))),
                ("ifd1", [(0x201, 4, "small"), (0x202, 4, len(JPEG))]),
                ("ifd2", [(0x103, 3, 6), (0x111, 4, "raw"), (0x117, 4, len(LOSSLESS))]),
                ("exif", EXIF),
            ],
            {"preview": JPEG, "small": JPEG, "raw": LOSSLESS},
            first=16,
            before=b"CR\2\0\0\0\0\0",
        ),
    ),
    "nef": (
        1,
        made(
            ">",
            b"MM\0*",
            [
                ("ifd0", strip(16, 12, 1, 2, "small", 192, *make(b"NIKON CORPORATION\0"), (0x14A, 4, "raws"), subfile=1)),
                ("raws", strip(90, 60, 34713, 32803, "raw", len(RAW), (0x14A, 4, "previews"))),
                ("previews", [(0xFE, 4, 1), (0x201, 4, "preview"), (0x202, 4, len(JPEG))]),
            ],
            {"small": bytes(192), "preview": JPEG, "raw": RAW},
        ),
    ),
    "arw": (
        1,
        made(
            "<",
            b"II*\0",
            [
                ("ifd0", [(0xFE, 4, 1), (0x103, 3, 6), *make(b"SONY\0"), (0x14A, 4, "raws"), (0x201, 4, "preview"), (0x202, 4, len(JPEG))]),
                ("raws", strip(90, 60, 32767, 32803, "raw", len(RAW))),
            ],
            {"preview": JPEG, "raw": RAW},
        ),
    ),
    "dng": (
        1,
        made(
            "<",
            b"II*\0",
            [
                (
                    "ifd0",
                    strip(64, 48, 7, 6, "preview", len(JPEG), *make(b"Google\0"), (0x14A, 4, "raws"), (0xC612, 1, b"\1\4\0\0"), subfile=1),
                ),
                ("raws", strip(16, 16, 7, 32803, "raw", len(LOSSLESS))),
            ],
            {"preview": JPEG, "raw": LOSSLESS},
        ),
    ),
    "pef": (
        1,
        made(
            ">",
            b"MM\0*",
            [
                ("ifd0", strip(90, 60, 65535, 32803, "raw", len(RAW), *make(b"PENTAX Corporation\0"))),
                ("ifd1", [(0x100, 4, 64), (0x101, 4, 48), (0x103, 3, 6), (0x201, 4, "preview"), (0x202, 4, len(JPEG))]),
            ],
            {"raw": RAW, "preview": JPEG},
        ),
    ),
    "srw": (0, made("<", b"II*\0", [("ifd0", strip(90, 60, 32772, 32803, "raw", len(RAW), *make(b"SAMSUNG\0")))], {"raw": RAW})),
    "orf": (0, made("<", b"IIRO", [("ifd0", strip(90, 60, 1, 1, "raw", len(RAW), *make(b"OLYMPUS CORP.  \0")))], {"raw": RAW})),
    "rw2": (
        1,
        made(
            "<",
            b"IIU\0",
            [
                (
                    "ifd0",
                    [
                        (2, 3, 140),
                        (3, 3, 200),
                        (0x2E, 7, JPEG),
                        *make(b"Panasonic\0"),
                        (0x111, 4, 0xFFFFFFFF),
                        (0x117, 4, 0),
                        (0x118, 4, "raw"),
                    ],
                )
            ],
            {"raw": (NOISE * 2)[: 2 * 0x4000]},  # ten packets of 16 bytes a row of 140, 200 rows, rounded up to blocks of 16 KiB
            first=24,
        ),
    ),
}


def compressed(method: str | None) -> bytes:
    out = io.BytesIO()
    noise_picture(700, 500, "1" if method == "group4" else "RGB").save(out, "TIFF", compression=method)
    return out.getvalue()


METHODS = {method: compressed(method) for method in (None, "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "group4")}


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_real_ones_end_where_the_last_of_their_data_do(behind: bytes, evidence_root: Path) -> None:
    seen = 0
    for name, data in samples(evidence_root, "pictures/exif-samples/tiff/*.tiff", "types/magika/*/tiff/*.tif"):
        walked = walk("tiff", data + behind)
        assert walked is not None, name
        assert (walked.length, walked.structure) == (len(data), Structure.COMPLETE), name
        seen += 1
    assert seen >= 10


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
@pytest.mark.parametrize("method", METHODS)
def test_made_ones_end_where_the_last_of_their_data_do(method: str | None, behind: bytes) -> None:
    data = METHODS[method]
    walked = walk("tiff", data + behind)
    assert (walked.length, walked.structure) == (len(data), Structure.COMPLETE)
    assert walked.facts == {"width": 700, "height": 500}
    assert walked.checked == (method is not None), "a directory behind the data, or strips that begin as they should"


def test_both_orders_and_big_ones_are_known() -> None:
    for order in ("<", ">"):
        word = b"II" if order == "<" else b"MM"
        small = made(order, word + struct.pack(order + "H", 42), [("ifd0", strip(90, 60, 1, 1, "raw", len(RAW)))], {"raw": RAW})
        tags = [(0x100, 90), (0x101, 60), (0x102, 8), (0x103, 1), (0x106, 1), (0x111, 16 + 8 + 20 * 7 + 8), (0x117, len(RAW))]
        entries = b"".join(struct.pack(order + "HHQQ", number, 16, 1, value) for number, value in tags)
        big = word + struct.pack(order + "HHHQQ", 43, 8, 0, 16, len(tags)) + entries + bytes(8) + RAW
        for data in (small, big):
            walked = walk("tiff", data + NOISE[:999])
            assert (walked.length, walked.structure, walked.extension) == (len(data), Structure.COMPLETE, "tif")


def test_pages_are_counted() -> None:
    data = saved(PICTURE, "TIFF", save_all=True, append_images=[PICTURE, PICTURE])
    walked = walk("tiff", data + NOISE[:999])
    assert (walked.length, walked.facts["frames"]) == (len(data), 3)


@pytest.mark.parametrize("name", RAWS)
@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_raws_are_told_apart_and_end_where_their_pixels_do(name: str, behind: bytes) -> None:
    previews, data = RAWS[name]
    walked = walk("tiff", data + behind)
    assert (walked.length, walked.structure, walked.extension) == (len(data), Structure.COMPLETE, name)
    assert len(walked.parts) == previews
    assert all(data[p.offset : p.offset + p.length] == JPEG for p in walked.parts)
    assert "Model One" in str(walked.facts["camera"])


def test_the_length_of_a_strip_that_is_not_said_follows_from_its_pixels() -> None:
    tags = [tag for tag in strip(90, 60, 1, 1, "raw", 0) if tag[0] != 0x117]
    data = made("<", b"II*\0", [("ifd0", tags)], {"raw": RAW})
    assert walk("tiff", data + NOISE[:999]).length == len(data)


@pytest.mark.parametrize("method", ["tiff_adobe_deflate", "jpeg"])
def test_one_that_is_overwritten_in_the_middle_is_damaged(method: str) -> None:
    data = METHODS[method]
    for middle in range(8192, len(data) - 40960, 20480):
        walked = walk("tiff", data[:middle] + NOISE[:4096] + data[middle + 4096 :] + bytes(99))
        assert (walked.length, walked.structure, walked.checked) == (len(data), Structure.DAMAGED, False)


def test_zeros_among_packed_pixels_are_damage() -> None:
    data = METHODS["tiff_lzw"]
    walked = walk("tiff", data[:40960] + bytes(4096) + data[45056:] + bytes(99))
    assert (walked.length, walked.structure) == (len(data), Structure.DAMAGED)


def test_one_that_the_space_cuts_off_is_cut_off() -> None:
    data = METHODS[None]
    walked = walk("tiff", data[:100_000])
    assert (walked.length, walked.structure) == (100_000, Structure.TRUNCATED)
    assert walk("tiff", data[:2000]) is None


def test_a_raw_that_is_cut_off_keeps_its_preview() -> None:
    data = RAWS["arw"][1]
    walked = walk("tiff", data[:-500])
    assert walked.structure is Structure.TRUNCATED
    assert len(walked.parts) == 1


def test_data_that_were_replaced_leave_only_a_header() -> None:
    data = RAWS["dng"][1]
    start = data.index(JPEG)
    assert walk("tiff", data[:start] + NOISE[:9000]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"II*\0" + NOISE,
        b"II*\0\x08\0\0\0" + NOISE,
        b"MM\0*" + bytes(9000),
        b"II*\0\x08\0\0\0" + bytes(9000),
        b"II+\0\x08\0\0\0" + NOISE,
        b"II*\0\xff\xff\xff\x7f" + NOISE,
        made("<", b"II*\0", [("ifd0", [*make(b"Phone\0"), (0x8769, 4, "exif")]), ("exif", EXIF)], {}),
        made("<", b"II*\0", [("ifd0", make(b"Phone\0")), ("ifd1", [(0x103, 3, 6), (0x201, 4, "s"), (0x202, 4, len(JPEG))])], {"s": JPEG}),
        made("<", b"II*\0", [("ifd0", strip(90, 60, 1, 1, "raw", 1 << 29))], {"raw": RAW}),
        made("<", b"II*\0", [("ifd0", strip(90, 0, 1, 1, "raw", 5400))], {"raw": RAW}),
    ],
    ids=[
        "noise",
        "noise directory",
        "zeros",
        "empty directory",
        "big noise",
        "out of space",
        "EXIF",
        "EXIF of a JPEG",
        "too long",
        "no height",
    ],
)
def test_what_only_begins_like_one_is_none(data: bytes) -> None:
    assert walk("tiff", data + NOISE) is None


def test_a_directory_that_is_none_is_damage() -> None:
    data = made("<", b"II*\0", [("ifd0", strip(90, 60, 1, 1, "raw", len(RAW), (0x8769, 4, "raw")))], {"raw": RAW})
    assert walk("tiff", data).structure is Structure.DAMAGED


def test_directories_that_lead_to_each_other_end() -> None:
    data = made("<", b"II*\0", [("ifd0", strip(90, 60, 1, 1, "raw", len(RAW), (0x14A, 4, "ifd0")))], {"raw": RAW})
    at = 8 + 2 + 12 * 10
    walked = walk("tiff", data[:at] + struct.pack("<I", 8) + data[at + 4 :])
    assert (walked.length, walked.structure) == (len(data), Structure.COMPLETE)


def test_directories_without_end_are_given_up() -> None:
    count = 60_000
    one = struct.pack("<H", 1) + struct.pack("<HHIHH", 0x100, 3, 1, 90, 0)
    chain = b"".join(one + struct.pack("<I", 8 + 18 * (number + 1)) for number in range(count))
    window, walked = asked("tiff", b"II*\0\x08\0\0\0" + chain)
    assert walked is None
    assert window.spent < 64 << 20


def test_values_far_behind_the_pixels_are_not_the_files() -> None:
    tags = strip(90, 60, 1, 1, "raw", len(RAW))
    data = made("<", b"II*\0", [("ifd0", tags)], {"raw": RAW})
    lying = made("<", b"II*\0", [("ifd0", [*tags, (0xC000, 7, bytes(8))])], {"raw": RAW})
    at = lying.index(struct.pack("<HHI", 0xC000, 7, 8)) + 8
    lying = lying[:at] + struct.pack("<I", 3 << 20) + lying[at + 4 :]
    walked = walk("tiff", lying + bytes(4 << 20))
    assert walked.length == len(lying)
    assert len(data) < len(lying)


@given(st.binary(max_size=400), st.sampled_from([4, 8, 10, 60]), st.sampled_from(sorted(RAWS)))
def test_any_bytes_behind_a_header_are_borne(behind: bytes, kept: int, name: str) -> None:
    holds("tiff", RAWS[name][1][:kept] + behind + NOISE[:2000])


@pytest.mark.parametrize("name", RAWS)
def test_damaged_copies_are_borne(name: str) -> None:
    for changed in mutants(RAWS[name][1], 80):
        holds("tiff", changed + NOISE[:3000])


def test_the_allowance_ends_a_walk() -> None:
    assert holds("tiff", METHODS["jpeg"], allowance=1000) is None


def test_a_picture_that_pillow_reads_is_what_was_carved() -> None:
    data = METHODS["tiff_lzw"]
    carved = (data + NOISE)[: walk("tiff", data + NOISE).length]
    assert Image.open(io.BytesIO(carved)).tobytes() == noise_picture(700, 500).tobytes()
