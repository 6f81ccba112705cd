"""EXIF is read out of every format that carries it, and no lie in it loops, reads far or raises."""

from __future__ import annotations

import json
import os
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.artifacts.exif import TYPES, Exif, read_exif
from triage.content.types import identify
from triage.model import Finding, Problem
from triage.plugin import run_plugin, sample_item
from triage.registry import find_plugins

INFO = find_plugins().get("exif")
EVIDENCE = Path(
    os.environ.get("TRIAGE_EVIDENCE") or Path(__file__).resolve().parents[3] / "shared" / "evidence"
)
TRUTH = EVIDENCE / "truth" / "exiftool.json"

Tag = tuple[int, int, int, bytes]  # tag, type, count, value


def text(tag: int, value: str) -> Tag:
    raw = value.encode() + b"\0"
    return tag, 2, len(raw), raw


def directory(order: str, tags: list[Tag], at: int) -> bytes:
    entries, values = b"", b""
    behind = at + 2 + 12 * len(tags) + 4
    for tag, kind, count, value in tags:
        if len(value) <= 4:
            place = value.ljust(4, b"\0")
        else:
            place = struct.pack(order + "I", behind + len(values))
            values += value + b"\0" * (len(value) % 2)
        entries += struct.pack(order + "HHI", tag, kind, count) + place
    return struct.pack(order + "H", len(tags)) + entries + bytes(4) + values


def block(order: str = "<", latitude: tuple[int, ...] = (48, 1, 30, 1, 0, 1), north: bytes = b"N\0") -> bytes:
    """A TIFF with a camera, a serial number and a place."""

    def pointer(tag: int, to: int) -> Tag:
        return tag, 4, 1, struct.pack(order + "I", to)

    exif = [
        text(0x9003, "2024:05:06 07:08:09"),
        text(0x9011, "+02:00"),
        text(0xA431, "SN123456"),
        text(0xA434, "50mm"),
    ]
    gps: list[Tag] = [
        (1, 2, 2, north),
        (2, 5, 3, struct.pack(order + "6I", *latitude)),
        (3, 2, 2, b"W\0"),
        (4, 5, 3, struct.pack(order + "6I", 11, 1, 15, 1, 36, 1)),
        (5, 1, 1, b"\0"),
        (6, 5, 1, struct.pack(order + "2I", 1234, 10)),
        (7, 5, 3, struct.pack(order + "6I", 5, 1, 8, 1, 9, 1)),
        text(29, "2024:05:06"),
    ]
    first = [
        text(0x10F, "Maker Inc"),
        text(0x110, "Model 7"),
        (0x112, 3, 1, struct.pack(order + "H", 6)),
        text(0x131, "1.0"),
    ]
    size = len(directory(order, [*first, pointer(0x8769, 0), pointer(0x8825, 0)], 8))
    exif_at = 8 + size
    gps_at = exif_at + len(directory(order, exif, exif_at))
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return (
        mark
        + struct.pack(order + "I", 8)
        + directory(order, [*first, pointer(0x8769, exif_at), pointer(0x8825, gps_at)], 8)
        + directory(order, exif, exif_at)
        + directory(order, gps, gps_at)
    )


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def jpeg(tiff: bytes) -> bytes:
    app1 = b"Exif\0\0" + tiff
    return (
        b"\xff\xd8\xff\xe0\0\x10JFIF"
        + bytes(10)
        + b"\xff\xe1"
        + struct.pack(">H", len(app1) + 2)
        + app1
        + b"\xff\xda\0\2\xff\xd9"
    )


def png(tiff: bytes) -> bytes:
    chunk = struct.pack(">I", len(tiff)) + b"eXIf" + tiff + bytes(4)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + b"IHDR"
        + bytes(17)
        + chunk
        + bytes(4)
        + b"IEND"
        + bytes(4)
    )


def webp(tiff: bytes) -> bytes:
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(10) + b"EXIF" + struct.pack("<I", len(tiff)) + tiff
    return b"RIFF" + struct.pack("<I", len(body)) + body


def heic(tiff: bytes) -> bytes:
    infe = box(b"infe", b"\2\0\0\0\0\1\0\0hvc1\0") + box(b"infe", b"\2\0\0\0\0\2\0\0Exif\0")
    item = struct.pack(">I", 0) + tiff

    def meta(place: int) -> bytes:
        iloc = b"\0\0\0\0\x44\0" + struct.pack(">H", 2)
        iloc += struct.pack(">HHHII", 1, 0, 1, 0, 0) + struct.pack(">HHHII", 2, 0, 1, place, len(item))
        return box(
            b"meta",
            bytes(4) + box(b"hdlr", bytes(20)) + box(b"iinf", b"\0\0\0\0\0\2" + infe) + box(b"iloc", iloc),
        )

    start = box(b"ftyp", b"heic\0\0\0\0mif1heic")
    return start + meta(len(start) + len(meta(0)) + 8) + box(b"mdat", item)


def raf(tiff: bytes) -> bytes:
    return (b"FUJIFILMCCD-RAW ".ljust(84, b"\0") + struct.pack(">II", 92, 0)) + jpeg(tiff)


FORMATS = {"jpeg": jpeg, "png": png, "webp": webp, "heic": heic, "raf": raf, "tiff": lambda tiff: tiff}
FULL = Exif(
    make="Maker Inc",
    model="Model 7",
    software="1.0",
    taken="2024:05:06 07:08:09",
    taken_offset="+02:00",
    serial="SN123456",
    lens_model="50mm",
    orientation=6,
    latitude=48.5,
    longitude=-11.26,
    altitude=123.4,
    gps_time="2024-05-06T05:08:09Z",
)


def read(data: bytes, kind: str) -> Exif | None:
    return read_exif(lambda offset, length: data[offset : offset + length], len(data), kind)


def run(data: bytes, **options: Any) -> list[Finding | Problem]:
    item = sample_item(data, "vol1/DCIM/a.jpg")
    if not INFO.accepts.matches(item.entry, item.type):
        return []
    return run_plugin(INFO.load(options), INFO.key(options), item)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_facts(kind: str, order: str) -> None:
    data = FORMATS[kind](block(order))
    told = identify(data, len(data))
    assert told is not None
    assert told.name == kind
    assert kind in TYPES
    assert read(data, kind) == FULL


def test_findings_name_camera_and_place() -> None:
    camera, place = run(jpeg(block()))
    assert isinstance(camera, Finding)
    assert isinstance(place, Finding)
    assert (camera.kind, place.kind) == ("camera", "location")
    assert camera.title == "Maker Inc Model 7, serial SN123456, 2024-05-06T07:08:09"
    assert camera.data["serial"] == "SN123456"
    assert camera.data["taken"] == "2024-05-06T07:08:09"
    assert place.data == {
        "latitude": 48.5,
        "longitude": -11.26,
        "altitude": 123.4,
        "gps_time": "2024-05-06T05:08:09Z",
    }
    assert [f.to_json()["kind"] for f in run(jpeg(block()), location=False)] == ["camera"]


def test_a_program_alone_is_no_camera() -> None:
    only = struct.pack("<HHII", 0x0131, 2, 8, 26)
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + only + bytes(4) + b"Paint 9\0"
    (found,) = run(jpeg(data))
    assert isinstance(found, Finding)
    assert (found.kind, found.title, found.data["software"]) == ("edited", "made or edited with Paint 9", "Paint 9")


def test_no_exif_is_no_finding() -> None:
    assert run(b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(60)) == []
    assert read(b"\x89PNG\r\n\x1a\n", "png") is None
    assert read(b"anything", "pdf") is None


@pytest.mark.parametrize(
    "latitude",
    [(48, 0, 30, 1, 0, 1), (91, 1, 0, 1, 0, 1), (0xFFFFFFFF, 1, 0, 1, 0, 1)],
    ids=["over zero", "too far", "huge"],
)
def test_a_place_that_cannot_be_is_none(latitude: tuple[int, ...]) -> None:
    exif = read(block(latitude=latitude), "tiff")
    assert exif is not None
    assert exif.latitude is None
    assert [f.to_json()["kind"] for f in run(jpeg(block(latitude=latitude)))] == ["camera"]


def test_a_place_without_its_letter_is_none_and_minutes_over_zero_count_as_none() -> None:
    exif = read(block(north=b"\0\0"), "tiff")
    assert exif is not None
    assert exif.latitude is None
    exif = read(block(latitude=(48, 1, 30, 0, 0, 0), north=b"S\0"), "tiff")
    assert exif is not None
    assert exif.latitude == -48


def test_directories_that_point_at_themselves_end() -> None:
    loop = bytearray(
        b"II*\0\x08\0\0\0"
        + struct.pack("<H", 2)
        + struct.pack("<HHII", 0x8769, 4, 1, 8)
        + struct.pack("<HHII", 0x8825, 4, 1, 8)
    )
    assert read(bytes(loop), "tiff") is None


def test_lying_counts_and_offsets_read_little() -> None:
    tags = struct.pack("<HHII", 0x10F, 2, 0xFFFFFFFF, 34) + struct.pack(
        "<HHII", 0x110, 2, 0xFFFFFFFF, 0xFFFFFFF0
    )
    data = b"II*\0\x08\0\0\0" + b"\xff\xff" + tags + b"Maker" * 100_000
    asked: list[int] = []

    def read_at(offset: int, length: int) -> bytes:
        asked.append(length)
        return data[offset : offset + length]

    exif = read_exif(read_at, len(data), "tiff")
    assert exif is not None
    assert len(exif.make) <= 256
    assert sum(asked) < 100_000
    assert len(asked) < 50


def test_hostile_text_is_bounded() -> None:
    data = b"MM\0*\0\0\0\x08" + directory(">", [text(0x110, "\x1b[2J<b>" + "x" * 5000)], 8)
    (camera,) = run(jpeg(data))
    assert isinstance(camera, Finding)
    assert len(camera.data["model"]) == 256
    assert len(camera.title) <= 300


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(FORMATS)), st.sampled_from("<>"), st.data())
def test_mutants_give_facts_or_nothing_at_once(kind: str, order: str, data: st.DataObject) -> None:
    mutant = bytearray(FORMATS[kind](block(order)))
    for _ in range(data.draw(st.integers(1, 6))):
        mutant[data.draw(st.integers(0, len(mutant) - 1))] = data.draw(
            st.sampled_from([0, 1, 2, 8, 0x7F, 0x80, 0xFF])
        )
    cut = bytes(mutant[: data.draw(st.integers(0, len(mutant)))])
    started = time.perf_counter()
    exif = read(cut, kind)
    assert exif is None or isinstance(exif, Exif)
    assert all(isinstance(result, Finding) for result in run(cut))
    assert time.perf_counter() - started < 0.5


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(TYPES), st.binary(max_size=400))
def test_random_bytes_never_raise(kind: str, data: bytes) -> None:
    read(data, kind)


FIELDS = {
    "Make": "make",
    "Model": "model",
    "Software": "software",
    "DateTimeOriginal": "taken",
    "GPSLatitude": "latitude",
    "GPSLongitude": "longitude",
    "SerialNumber": "serial",
    "Orientation": "orientation",
}
# What exiftool takes from elsewhere than EXIF: maker notes (serial numbers, Reconyx time), XMP (orientation
# of invalid/ and the IXUS), Canon CIFF and Olympus JFXX blocks, and a "Z" that it adds to a time.
ELSEWHERE = {
    "invalid/image00971.jpg",
    "invalid/image01137.jpg",
    "invalid/image01713.jpg",
    "invalid/image01088.jpg",
    "exif-org/olympus-d320l.jpg",
    "exif-org/sony-powershota5.jpg",
    "jpg/Reconyx_HC500_Hyperfire.jpg",
    "tests/30-type_error.jpg",
    "tests/32-lens_data.jpeg",
    "jpg/Canon_DIGITAL_IXUS_400.jpg",
    "jpg/corrupted.jpg",
}


def same(want: object, got: object) -> bool:
    if isinstance(want, float) and isinstance(got, float):
        return abs(want - got) < 1e-6
    return str(want).strip() == str(got).strip()


@pytest.mark.evidence
@pytest.mark.skipif(not TRUTH.is_file(), reason=f"no ground truth at {TRUTH}: set TRIAGE_EVIDENCE")
def test_exiftool_says_the_same() -> None:
    compared, wrong = 0, []
    for row in json.loads(TRUTH.read_text()):
        data = (EVIDENCE / "pictures" / row["SourceFile"]).read_bytes()
        kind = identify(data, len(data))
        exif = read(data, kind.name if kind else "") or Exif()
        for theirs, ours in FIELDS.items():
            want, got = row.get(theirs, ""), getattr(exif, ours)
            got = "" if got is None else got
            if want == got == "":
                continue
            compared += 1
            if not same(want, got):
                wrong.append((row["SourceFile"], theirs, want, got))
    assert compared >= 320
    assert [w for w in wrong if not w[0].endswith(tuple(ELSEWHERE))] == []
    assert len(wrong) <= 15
