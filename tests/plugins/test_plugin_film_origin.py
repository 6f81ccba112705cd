"""What films note: real ones, made ones of cameras and phones, and damage."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run

if TYPE_CHECKING:
    from triage.plugin import Item

WHEN = 2_082_844_800 + 1_705_526_400  # 2024-01-17T21:20:00Z, in seconds since 1904


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def header(version: int = 0) -> bytes:
    return box(b"mvhd", bytes([version, 0, 0, 0]), struct.pack(">QQ" if version else ">II", WHEN, WHEN), bytes(80))


def film(*inside: bytes, brand: bytes = b"qt  ", version: int = 0) -> bytes:
    return box(b"ftyp", brand, bytes(4), brand) + box(b"mdat", bytes(500)) + box(b"moov", header(version), *inside)


def user(kind: bytes, text: str) -> bytes:
    return box(kind, struct.pack(">HH", len(text.encode()), 0x15C7), text.encode())


def apple(values: dict[str, str], *, full: bool = False) -> bytes:
    """Return a ``meta`` box with keys and items; ``full``: with a version before its boxes, as MP4 has it."""
    keys = b"".join(struct.pack(">I4s", len(name) + 8, b"mdta") + name.encode() for name in values)
    data = [box(b"data", struct.pack(">II", 1, 0), text.encode()) for text in values.values()]
    items = b"".join(box(struct.pack(">I", number), one) for number, one in enumerate(data, 1))
    handler = box(b"hdlr", bytes(8), b"mdta", bytes(13))
    listed = box(b"keys", bytes(4), struct.pack(">I", len(values)), keys)
    return box(b"meta", bytes(4) if full else b"", handler, listed, box(b"ilst", items))


PHONE = {
    "com.apple.quicktime.make": "Maker",
    "com.apple.quicktime.model": "Phone 5",
    "com.apple.quicktime.location.ISO6709": "+46.2044+006.1432+375.000/",
    "com.apple.quicktime.creationdate": "2024-01-17T22:20:00+0100",
}


def samples() -> list[Item]:
    return [item_of(film(apple(PHONE)), "vol1/a.mov")]


@pytest.mark.parametrize("full", [False, True])
def test_a_phone_says_what_where_and_when(full: bool) -> None:
    camera, place = findings(run("film_origin", item_of(film(apple(PHONE, full=full)), "vol1/a.mov")))
    assert (camera.kind, camera.title) == ("camera", "film of Maker Phone 5")
    assert camera.data == {"make": "Maker", "model": "Phone 5", "taken": "2024-01-17T22:20:00+0100", "time": "2024-01-17T21:20:00Z"}
    assert place.data == {"latitude": 46.2044, "longitude": 6.1432, "altitude": 375.0}


def test_user_data_of_android_and_old_quicktime() -> None:
    data = film(box(b"udta", user(b"\xa9mod", "Camera 7"), user(b"\xa9xyz", "-33.8568+151.2153/")), brand=b"mp42", version=1)
    camera, place = findings(run("film_origin", item_of(data, "vol1/a.mp4")))
    assert (camera.data["model"], camera.data["time"]) == ("Camera 7", "2024-01-17T21:20:00Z")
    assert place.data == {"latitude": -33.8568, "longitude": 151.2153}


def test_a_place_of_3gpp() -> None:
    place = bytes(4) + struct.pack(">H", 0x15C7) + b"here\0\0" + struct.pack(">iii", int(6.5 * 65536), int(46.25 * 65536), 0) + b"\0\0"
    (found,) = findings(run("film_origin", item_of(film(box(b"udta", box(b"loci", place)), brand=b"3gp5"), "vol1/a.3gp")), "location")
    assert (found.data["latitude"], found.data["longitude"]) == (46.25, 6.5)


@pytest.mark.parametrize("text", ["+95.0+006.0/", "+46.0+190.0/", "nowhere", "+46.0/"])
def test_what_is_no_place_is_none(text: str) -> None:
    data = film(box(b"udta", user(b"\xa9xyz", text)), brand=b"mp42")
    assert findings(run("film_origin", item_of(data, "vol1/a.mp4")), "location") == []


def test_a_film_that_breaks_off_before_its_notes_says_nothing() -> None:
    assert run("film_origin", item_of(film(apple(PHONE))[:300], "vol1/a.mov")) == []


def test_more_notes_than_are_read_are_said() -> None:
    data = film(box(b"udta", *[user(b"\xa9cmt", "x")] * 600), brand=b"mp42")
    assert [p.message for p in problems(run("film_origin", item_of(data, "vol1/a.mp4")))] == ["a film holds more notes than are read"]


def test_damage_never_breaks_it() -> None:
    for data in mutants(film(apple(PHONE), box(b"udta", user(b"\xa9mod", "Camera 7"))), 300):
        item = item_of(data, "vol1/a.mov")
        if item.type is not None and item.type.name in ("mov", "mp4"):
            never_fails("film_origin", item)


class TestRealSamples:
    pytestmark = needs_samples

    def test_the_program_that_wrote_a_real_film(self) -> None:
        (found,) = findings(run("film_origin", item_of((ARTIFACTS / "iped" / "test_videoMp4.mp4").read_bytes(), "vol1/a.mp4")))
        assert found.kind == "edited"  # a program is no camera, and no rule should take it for one
        assert found.data == {"software": "Lavf57.83.100"}  # as exiftool 12.57 and ffprobe show it
