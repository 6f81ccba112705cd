"""Thumbnails of Linux desktops: what their texts say, other schemes, failed ones, damage."""

from __future__ import annotations

import struct
import zlib
from hashlib import md5
from typing import TYPE_CHECKING

import pytest
from real_samples import findings, item_of, mutants, never_fails, problems, run

if TYPE_CHECKING:
    from triage.plugin import Item


URI = "file:///home/kim/Pictures/a%20gr%C3%BCn.jpg"
TEXTS = {
    "Thumb::URI": URI, "Thumb::MTime": "1700000000", "Thumb::Size": "4711", "Thumb::Mimetype": "image/jpeg",
    "Software": "GNOME::ThumbnailFactory",
}  # fmt: skip


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(texts: dict[str, str], how: bytes = b"tEXt") -> bytes:
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    for key, value in texts.items():
        raw = value.encode()
        inner = {b"tEXt": raw, b"zTXt": b"\0" + zlib.compress(raw), b"iTXt": b"\0\0\0\0" + raw}[how]
        data += chunk(how, key.encode() + b"\0" + inner)
    return data + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


def place(uri: str = URI, folder: str = "large") -> str:
    return f"vol1/home/kim/.cache/thumbnails/{folder}/{md5(uri.encode()).hexdigest()}.png"


def samples() -> list[Item]:
    return [item_of(png(TEXTS), place())]


@pytest.mark.parametrize("how", [b"tEXt", b"zTXt", b"iTXt"])
def test_the_picture_is_named_with_time_and_size(how: bytes) -> None:
    said = run("linux_thumbnails", item_of(png(TEXTS, how), place()))
    (found,) = findings(said)
    assert found.kind == "thumbnail"
    assert found.data == {
        "user": "kim",
        "original": "/home/kim/Pictures/a grün.jpg",
        "original_time": "2023-11-14T22:13:20Z",
        "original_size": 4711,
        "mime": "image/jpeg",
        "made_by": "GNOME::ThumbnailFactory",
        "name_fits": True,
    }
    assert problems(said) == []


def test_one_on_another_machine_or_phone_has_an_address_and_no_path() -> None:
    uri = "mtp://phone/DCIM/x.jpg"
    (found,) = findings(run("linux_thumbnails", item_of(png({"Thumb::URI": uri}), place(uri))))
    assert (found.data["url"], "original" in found.data) == (uri, False)


def test_a_failed_one_says_so() -> None:
    path = place(folder="fail/gnome-thumbnail-factory")
    (found,) = findings(run("linux_thumbnails", item_of(png(TEXTS), path)))
    assert found.data["failed"] is True
    assert found.title.startswith("no thumbnail could be made of /home/kim")


def test_a_name_that_does_not_fit_is_told() -> None:
    said = run("linux_thumbnails", item_of(png(TEXTS), "vol1/home/kim/.thumbnails/normal/" + "0" * 32 + ".png"))
    assert findings(said)[0].data["name_fits"] is False
    assert "not the MD5" in problems(said)[0].message


def test_one_without_address_and_one_that_breaks_off_are_told() -> None:
    assert "without the address" in problems(run("linux_thumbnails", item_of(png({}), place())))[0].message
    said = run("linux_thumbnails", item_of(png(TEXTS)[:-20], place()))
    assert len(findings(said)) == 1
    assert "breaks off" in problems(said)[0].message


def test_other_pictures_there_say_nothing() -> None:
    assert run("linux_thumbnails", item_of(png({}), "vol1/home/kim/project/thumbnails/large/logo.png")) == []


def test_damage_never_breaks_it() -> None:
    for data in mutants(png(TEXTS, b"zTXt"), 300):
        never_fails("linux_thumbnails", item_of(data, place()))
