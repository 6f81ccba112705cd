"""What stands behind the end of a picture: found to the byte in each format, and nothing made up."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from real_samples import EVIDENCE, bytes_of, children, item_of, mutants, never_fails, run
from test_plugin_archives import FILES, zip_of

from triage.artifacts.pictureend import end_of

if TYPE_CHECKING:
    from triage.plugin import Child, Item

SAMPLES = EVIDENCE / "pictures" / "pdq" / "exif-rotn" / "exif-rotn-1.jpg"
FORMATS = ["JPEG", "progressive JPEG", "PNG", "GIF", "WEBP"]


def picture(form: str) -> bytes:
    out = io.BytesIO()
    image = Image.linear_gradient("L").resize((60, 40)).convert("P" if form == "GIF" else "RGB")
    image.save(out, form.rpartition(" ")[2], **({"progressive": True} if form.startswith("prog") else {}))
    return out.getvalue()


def behind(data: bytes) -> list[Child]:
    return children(run("appended", item_of(data, "vol1/a.jpg")))


def samples() -> list[Item]:
    return [item_of(picture("JPEG") + zip_of(FILES), "vol1/a.jpg")]


@pytest.mark.parametrize("form", FORMATS)
def test_an_archive_behind_a_picture_is_an_entry_of_its_own(form: str) -> None:
    packed = zip_of(FILES)
    item = item_of(picture(form) + packed, "vol1/a.jpg")
    (child,) = children(run("appended", item))
    assert bytes_of(item, child) == packed
    assert child.findings[0].data == {"offset": len(picture(form)), "size": len(packed)}


@pytest.mark.parametrize("form", FORMATS)
def test_a_picture_that_ends_where_it_ends_says_nothing(form: str) -> None:
    assert behind(picture(form)) == []


@pytest.mark.parametrize("form", FORMATS)
def test_zeros_and_a_few_bytes_are_no_file(form: str) -> None:
    assert behind(picture(form) + bytes(5000)) == []
    assert behind(picture(form) + b"\r\n" * 10) == []


def test_zeros_before_what_is_there_are_not_part_of_it() -> None:
    packed = zip_of(FILES)
    item = item_of(picture("JPEG") + bytes(2 << 20) + packed, "vol1/a.jpg")
    (child,) = children(run("appended", item))
    assert bytes_of(item, child) == packed


@pytest.mark.parametrize("form", FORMATS)
def test_a_picture_that_breaks_off_has_no_end(form: str) -> None:
    data = picture(form)
    for cut in range(30, len(data) - 1, 7):
        found = end_of(lambda offset, length, cut=cut: data[:cut][offset : offset + length], cut, form.rpartition(" ")[2].lower())
        assert found is None


def test_a_thumbnail_in_a_picture_is_not_its_end() -> None:
    inner = picture("JPEG")
    data = picture("JPEG")
    data = data[:2] + b"\xff\xe5" + (len(inner) + 2).to_bytes(2, "big") + inner + data[2:]
    assert behind(data) == []


def test_damage_never_breaks_it() -> None:
    for form in FORMATS:
        for data in mutants(picture(form) + zip_of(FILES), 60):
            item = item_of(data, "vol1/a")
            if item.type is not None and item.type.name in ("jpeg", "png", "gif", "webp"):
                never_fails("appended", item)


@pytest.mark.evidence
@pytest.mark.skipif(not SAMPLES.is_file(), reason="the shared evidence is not here")
def test_what_a_real_camera_appended() -> None:
    item = item_of(SAMPLES.read_bytes(), "vol1/a.jpg")
    (child,) = children(run("appended", item))
    assert b"Image_UTC_" in bytes_of(item, child)
