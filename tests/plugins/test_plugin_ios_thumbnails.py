"""Thumbnails of iPhones and iPods: made files of pixels of known and of unknown form, files by their place, and damage."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from real_samples import bytes_of, children, findings, item_of, mutants, never_fails, problems, run

if TYPE_CHECKING:
    from triage.plugin import Item

JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + b"x" * 200 + b"\xff\xd9"
MEDIA = "vol1/private/var/mobile/Media"
NOTE = b"""<?xml version="1.0"?><plist version="1.0"><dict><key>adjustmentEditorBundleID</key><string>com.example.edit</string>
<key>adjustmentTimestamp</key><date>2024-01-18T05:20:01Z</date></dict></plist>"""


def scene(width: int, height: int, number: int = 0) -> np.ndarray:
    """Return a picture of slow changes, as photos have: 5 bits a colour."""
    y, x = np.mgrid[:height, :width]
    return np.stack([(x * 31 // width + number) % 32, y * 31 // height, (15 + 15 * np.sin(x / 9 + y / 23 + number)).astype(int)], axis=2)


def raw(colours: np.ndarray, stride: int = 0, behind: int = 0) -> bytes:
    """Return RGB555 pixels; ``stride``: pixels of a row; ``behind``: bytes behind the last row."""
    height, width, _ = colours.shape
    rows = np.zeros((height, stride or width), "<u2")
    rows[:, :width] = colours[:, :, 0] << 10 | colours[:, :, 1] << 5 | colours[:, :, 2]
    return rows.tobytes() + bytes(range(1, behind + 1))


def samples() -> list[Item]:
    return [item_of(raw(scene(160, 120)), "vol1/Photos/Thumbs/F3009_1.ithmb")]


def shown(item: Item, number: int) -> np.ndarray:
    child = children(run("ios_thumbnails", item))[number]
    return np.asarray(Image.open(io.BytesIO(bytes_of(item, child)))) >> 3


def test_pictures_of_a_known_form_are_shown() -> None:
    data = b"".join(raw(scene(160, 120, n)) for n in range(3)) + bytes(2 * 160 * 120)
    one = item_of(data, "vol1/Photos/Thumbs/F3009_1.ithmb")
    said = run("ios_thumbnails", one)
    assert [c.name for c in children(said)] == ["00000.bmp", "00001.bmp", "00002.bmp"], "the last place is empty"
    assert (shown(one, 2) == scene(160, 120, 2)).all()
    assert children(said)[0].findings[0].data == {"number": 0, "width": 160, "height": 120, "layout": "rgb555le", "layout_by": "number"}
    assert problems(said) == []


def test_an_ipods_planes_are_shown() -> None:
    data = bytes([76]) * (720 * 480) + bytes([85]) * (360 * 240) + bytes([255]) * (360 * 240)
    one = item_of(data.ljust(691_200, b"\0"), "vol1/Photos/Thumbs/F1067_1.ithmb")
    assert (shown(one, 0)[::100, ::100] == [31, 0, 0]).all()


@pytest.mark.parametrize(
    ("name", "width", "height", "stride", "behind"),
    [
        ("158x158.ithmb", 158, 158, 160, 28),
        ("120x120.ithmb", 120, 120, 120, 0),
        ("3303.ithmb", 79, 79, 80, 28),
        ("4032.ithmb", 158, 158, 160, 12),
    ],
)
def test_a_form_that_no_table_has_is_told_by_the_rows(name: str, width: int, height: int, stride: int, behind: int) -> None:
    data = b"".join(raw(scene(width, height, n), stride, behind) for n in range(5))
    one = item_of(data, f"{MEDIA}/PhotoData/Thumbnails/{name}")
    said = run("ios_thumbnails", one)
    assert (len(children(said)), problems(said)) == (5, [])
    data = children(said)[0].findings[0].data
    assert data["layout_by"] == ("name" if "x" in name else "content")
    assert (shown(one, 4)[:, :width] == scene(width, height, 4)[:, : data["width"]]).all()
    assert data.get("behind", "") == bytes(range(1, behind + 1)).hex()


def test_what_cannot_be_told_is_said() -> None:
    noise = np.random.default_rng(1).integers(0, 256, 1_234_567, np.uint8).tobytes()
    assert "cannot be told" in problems(run("ios_thumbnails", item_of(noise, f"{MEDIA}/PhotoData/Thumbnails/4999.ithmb")))[0].message
    said = run("ios_thumbnails", item_of(raw(scene(160, 120)) + b"more", "vol1/F3009_1.ithmb"))
    assert "4 bytes behind" in problems(said)[0].message


def test_a_thumbnail_in_a_file_of_its_own_names_its_photo() -> None:
    (found,) = findings(run("ios_thumbnails", item_of(JPEG, f"{MEDIA}/PhotoData/Thumbnails/V2/DCIM/100APPLE/IMG_0001.HEIC/5005.JPG")))
    assert (found.kind, found.data["original"]) == ("thumbnail", "/private/var/mobile/Media/DCIM/100APPLE/IMG_0001.HEIC")
    assert (found.data["format"], found.data["user"]) == ("5005", "mobile")
    (found,) = findings(run("ios_thumbnails", item_of(JPEG, "vol1/PhotoData/Thumbnails/V2/DCIM/100APPLE/IMG_0001.JPG/5003.JPG")))
    assert found.data["original"] == "/DCIM/100APPLE/IMG_0001.JPG"


def test_edited_photos_are_told() -> None:
    folder = f"{MEDIA}/PhotoData/Mutations/DCIM/100APPLE/IMG_0001/Adjustments"
    (found,) = findings(run("ios_thumbnails", item_of(JPEG, f"{folder}/FullSizeRender.jpg")))
    assert (found.kind, found.data["photo"]) == ("edited", "DCIM/100APPLE/IMG_0001")
    (found,) = findings(run("ios_thumbnails", item_of(NOTE, f"{folder}/Adjustments.plist")))
    assert (found.data["program"], found.data["time"]) == ("com.example.edit", "2024-01-18T05:20:01Z")
    assert "cannot be read" in problems(run("ios_thumbnails", item_of(b"no list of any kind", f"{folder}/Adjustments.plist")))[0].message


def test_other_files_there_are_quiet() -> None:
    assert run("ios_thumbnails", item_of(b"plain words\n" * 9, f"{MEDIA}/PhotoData/Thumbnails/V2/DCIM/notes.txt")) == []


def test_damage_never_breaks_it() -> None:
    for data in mutants(raw(scene(32, 32)) * 3, 60):
        for name in ("3303.ithmb", "32x32.ithmb", "F3003_1.ithmb"):
            never_fails("ios_thumbnails", item_of(data, f"vol1/{name}"))
    for data in mutants(NOTE, 60):
        never_fails("ios_thumbnails", item_of(data, f"{MEDIA}/PhotoData/Mutations/DCIM/IMG/Adjustments/Adjustments.plist"))
