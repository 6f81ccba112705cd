from __future__ import annotations

import io
import random
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jpeg_support import JPEG, KINDS, exif_of, filler, picture, segment, walked, window
from PIL import Image

from triage.carving.forms import Structure
from triage.carving.jpegmeta import _MAX_ENTRIES
from triage.carving.jpegparts import read_picture
from triage.carving.window import WindowSpentError

if TYPE_CHECKING:
    from pathlib import Path

ALLOWED = (ValueError, LookupError, ArithmeticError, struct.error)
SURROUNDINGS = {"zeros": bytes(9000), "random": random.Random(1).randbytes(9000), "picture": picture(seed=9)[:9000], "nothing": b""}


def with_segments(data: bytes, *segments: bytes) -> bytes:
    return data[:2] + b"".join(segments) + data[2:]


def with_index(data: bytes, others: list[bytes], gap: int = 0) -> bytes:
    """A file with a multi-picture index (CIPA DC-007) and the pictures it lists."""
    size = 4 + 8 + 2 + 12 + 4 + 16 * (len(others) + 1)
    length = len(data) + 4 + size
    base = 2 + 4 + 4  # SOI, marker and length, MPF\0: offsets count from the byte order mark
    rows, offset = struct.pack("<IIIHH", 0, length, 0, 0, 0), length + gap - base
    for other in others:
        rows += struct.pack("<IIIHH", 0, len(other), offset, 0, 0)
        offset += len(other)
    body = b"MPF\0II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0xB002, 7, len(rows), 26, 0) + rows
    return with_segments(data, segment(0xE2, body)) + bytes(gap) + b"".join(others)


def samsung_trailer(*entries: bytes) -> bytes:
    body, rows = b"", []
    for kind, entry in enumerate(entries, 0x0A01):
        rows.append((kind, len(body), 8 + 4 + len(entry)))
        body += struct.pack("<HHI", 0, kind, 4) + b"name" + entry
    table = b"SEFH" + struct.pack("<II", 103, len(rows))
    for kind, start, size in rows:
        table += struct.pack("<HHII", 0, kind, len(body) - start, size)
    return body + table + struct.pack("<I", len(table)) + b"SEFT"


@pytest.mark.parametrize("behind", SURROUNDINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_ends_where_its_end_marker_does(kind: str, behind: str) -> None:
    data = picture(kind)
    found = walked(data + SURROUNDINGS[behind])
    assert found is not None
    assert (found.structure, found.length) == (Structure.COMPLETE, len(data))
    assert (found.facts["width"], found.facts["height"]) == (400, 304)


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_across_a_joint_is_decoded(kind: str) -> None:
    data = picture(kind)
    found = walked(data + bytes(99), joints=[4096])
    assert found is not None
    assert (found.structure, found.length, found.checked) == (Structure.COMPLETE, len(data), True)


def test_a_picture_without_suspicion_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.carving.formats.jpeg.check", lambda *_: pytest.fail("decoded"))
    found = walked(picture())
    assert found is not None
    assert not found.checked


def test_a_plain_picture_that_looks_odd_is_decoded_and_whole() -> None:
    out = io.BytesIO()
    Image.new("RGB", (3000, 2000), "white").save(out, "JPEG")
    found = walked(out.getvalue() + bytes(5))
    assert found is not None
    assert (found.structure, found.length, found.checked) == (Structure.COMPLETE, len(out.getvalue()), True)


def test_real_pictures_end_where_their_files_do(evidence_root: Path) -> None:
    names = ("corrupted.jpg", "olympus-d320l.jpg")  # one is cut by another file's blocks; behind the end of the other is one byte more
    count = 0
    for path in sorted(evidence_root.glob("pictures/**/*.jp*g")) + sorted(evidence_root.glob("types/magika/*/jpeg/*")):
        if path.name in names:
            continue
        data = path.read_bytes()
        for behind in (SURROUNDINGS["zeros"], SURROUNDINGS["picture"]):
            found = walked(data + behind, allowance=1 << 30)
            assert found is not None, path
            assert (found.structure, found.length) == (Structure.COMPLETE, len(data)), path
            assert all(data[p.offset : p.offset + 3] == b"\xff\xd8\xff" for p in found.parts), path
            count += 1
    assert count > 190


def test_a_real_picture_with_foreign_blocks_is_cut_before_them(evidence_root: Path) -> None:
    data = (evidence_root / "pictures/exif-samples/jpg/corrupted.jpg").read_bytes()
    found = walked(data, allowance=1 << 30)
    assert found is not None
    assert (found.structure, found.valid, found.length) == (Structure.TRUNCATED, 212_992, 212_992)
    assert 300 <= int(found.facts["rows_shown"]) < 330


# -- what else is in a file -----------------------------------------------------------------------------------------------------------


def test_a_thumbnail_is_a_part_and_does_not_end_the_file() -> None:
    thumbnail = picture(seed=2, width=160, height=120)
    data = with_segments(picture(), segment(0xE1, exif_of(thumbnail)))
    found = walked(data + SURROUNDINGS["random"])
    assert found is not None
    assert found.length == len(data)
    assert found.facts["make"] == "Camera Works"
    assert found.facts["date"] == "2024:05:06 07:08:09"
    (part,) = found.parts
    assert data[part.offset : part.offset + part.length] == thumbnail
    assert (part.name, part.extension) == ("thumbnail", "jpg")


def test_what_a_camera_is_called_is_shown_inert() -> None:
    data = with_segments(picture(), segment(0xE1, exif_of(b"", make=b"\x1b[31mevil\n\0")))
    found = walked(data)
    assert found is not None
    assert found.facts["make"] == "\\x1b[31mevil"


@pytest.mark.parametrize("gap", [0, 512, 3000])
def test_further_pictures_of_an_index_belong_to_the_file(gap: int) -> None:
    others = [picture(seed=3), picture("progressive", seed=4)]
    data = with_index(picture(), others, gap)
    found = walked(data + SURROUNDINGS["random"])
    assert found is not None
    assert (found.structure, found.length) == (Structure.COMPLETE, len(data))
    assert [data[p.offset : p.offset + p.length] for p in found.parts] == others


def test_an_index_whose_pictures_are_gone_does_not_make_the_file_longer() -> None:
    data = with_index(picture(), [picture(seed=3)])
    first = len(data) - len(picture(seed=3))
    found = walked(data[:first] + SURROUNDINGS["random"] * 9)
    assert found is not None
    assert (found.structure, found.length, found.parts) == (Structure.COMPLETE, first, ())


def test_a_damaged_further_picture_is_said() -> None:
    other = picture(seed=3)
    data = bytearray(with_index(picture(), [other]))
    start = len(data) - len(other)
    data[-6000:-3000] = bytes(3000)
    found = walked(bytes(data), joints=[4096])
    assert found is not None
    assert (found.structure, found.valid) == (Structure.DAMAGED, start)


def test_trailers_of_cameras_belong_to_the_file() -> None:
    samsung = samsung_trailer(b"1510110855770", b"x" * 5000)
    canon = b"CANON OPTIONAL DATA\0" + struct.pack(">II", 1, 300) + bytes(300) + b"CANON OPTIONAL DATA\0" + bytes(44)
    segments = segment(0xE5, b"HPQ-AutoExpo" + bytes(700)) + segment(0xE5, b"HPQ-Flicker" + bytes(90))
    for trailer in (samsung, canon, segments):
        data = picture() + trailer
        found = walked(data + SURROUNDINGS["random"])
        assert found is not None
        assert (found.structure, found.length) == (Structure.COMPLETE, len(data))


def test_a_trailer_that_does_not_count_back_to_the_end_is_none() -> None:
    trailer = samsung_trailer(b"1510110855770")
    data = picture()
    lying = trailer.replace(struct.pack("<I", 103), struct.pack("<I", 103), 1)[:-8] + struct.pack("<I", _MAX_ENTRIES) + b"SEFT"
    for behind in (lying, trailer[:8] + b"..." + trailer[8:]):
        found = walked(data + behind + bytes(4000))
        assert found is not None
        assert found.length == len(data)


def test_a_moving_photo_has_its_video() -> None:
    video = b"\0\0\0\x18ftypmp42" + bytes(12) + b"\0\0\x10\0mdat" + bytes(4088)
    for xmp in (
        b'<x:xmpmeta GCamera:MicroVideoOffset="%d"/>' % len(video),
        b'<Container:Item Item:Mime="video/mp4" Item:Semantic="MotionPhoto" Item:Length="%d"/>' % len(video),
    ):
        data = with_segments(picture(), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp)) + video
        found = walked(data + SURROUNDINGS["random"])
        assert found is not None
        assert (found.structure, found.length) == (Structure.COMPLETE, len(data))
        assert [(p.extension, p.length) for p in found.parts] == [("mp4", len(video))]


# -- what is cut, overwritten or none -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behind", ["zeros", "random", "text", "pictures", "nothing"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_picture_is_truncated_where_it_was_cut(kind: str, behind: str) -> None:
    data = picture(kind)
    cut = len(data) * 2 // 3 // 4096 * 4096
    found = walked(data[:cut] + (filler(behind, 40_000, seed=cut) if behind != "nothing" else b""))
    assert found is not None
    assert found.structure is Structure.TRUNCATED or (behind == "pictures" and found.structure is Structure.COMPLETE)
    if found.structure is Structure.TRUNCATED:
        assert found.valid is not None
        assert cut - 4096 <= found.valid <= cut + (4096 if behind == "zeros" else 0)
        assert cut - 1024 <= found.length
        rows = int(found.facts["rows_shown"])
        assert 100 <= rows <= (304 if "progressive" in kind else 240)


@pytest.mark.parametrize("foreign", ["zeros", "random", "text"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_overwritten_middle_is_noticed(kind: str, foreign: str) -> None:
    data = picture(kind)
    cut = len(data) // 2 // 4096 * 4096
    found = walked(data[:cut] + filler(foreign, 4096) + data[cut + 4096 :] + bytes(3000))
    assert found is not None
    assert found.structure in (Structure.DAMAGED, Structure.TRUNCATED)
    assert found.valid == cut


def test_an_overwritten_sector_of_text_is_noticed() -> None:
    data = picture()
    found = walked(data[:8192] + filler("text", 512) + data[8704:])
    assert found is not None
    assert (found.structure, found.length) == (Structure.DAMAGED, len(data))


def test_a_far_end_marker_of_another_picture_does_not_make_the_file_longer() -> None:
    data, other = picture(), picture(seed=2)
    found = walked(data[:12288] + filler("text", 200_000) + other[8192:])
    assert found is not None
    assert (found.structure, found.valid) == (Structure.TRUNCATED, 12288)
    assert found.length < 12288 + 512


def test_of_a_long_broken_picture_only_so_much_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("jpegjoin", "formats.jpeg"):
        monkeypatch.setattr(f"triage.carving.{module}.MOST_CODES", 10_000)
    data = picture()
    cut = len(data) // 4096 * 4096
    found = walked(data[:cut] + filler("random", 9000))
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert found.valid == 8192
    assert cut - 1 <= found.length <= cut + 512


def test_missing_restart_markers_are_noticed() -> None:
    data = picture("restart")
    found = walked(data[:8192] + data[12288:])
    assert found is not None
    assert found.structure is Structure.DAMAGED


def test_a_header_with_something_else_behind_is_none() -> None:
    data = picture()
    start = data.index(b"\xff\xda") + 14
    for foreign in ("zeros", "random", "text", "pictures"):
        assert walked(data[:start] + filler(foreign, 30_000)) is None, foreign


def test_of_a_header_with_a_thumbnail_that_is_kept() -> None:
    thumbnail = picture(seed=2, width=160, height=120)
    data = with_segments(picture(), segment(0xE1, exif_of(thumbnail)))
    start = data.rindex(b"\xff\xda", 0, len(thumbnail) + 2000) + 14
    found = walked(data[:start] + filler("random", 9000), block=512)
    assert found is not None
    assert (found.structure, found.facts["rows_shown"]) == (Structure.TRUNCATED, 0)
    assert [p.name for p in found.parts] == ["thumbnail"]


def test_what_only_begins_like_a_picture_is_none() -> None:
    data = picture()
    for head in (b"\xff\xd8\xff", b"\xff\xd8\xff\xe0", data[:20], data[:200], b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xd8"):
        for behind in SURROUNDINGS.values():
            assert walked(head + behind) is None


def test_a_frame_of_a_film_has_no_tables_and_is_none() -> None:
    data = picture()
    start = data.index(b"\xff\xc4")
    frame = data[:start] + data[data.rindex(b"\xff\xda", 0, start + 700) :]
    assert walked(frame) is None


def test_lying_lengths_and_endless_segments_end() -> None:
    data = picture()
    for body in (segment(0xFE, b"x" * 10) * 50_000, b"\xff" * 300_000):
        place = window(data[:2] + body + data[2:])
        JPEG.walk(place)
        assert place.spent < 4 << 20
    assert walked(data[:2] + b"\xff\xe1\xff\xff" + data[2:]) is None
    wide = bytearray(data)
    at = data.index(b"\xff\xc0")
    wide[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    found = walked(bytes(wide) + bytes(100), joints=[4096])
    assert found is not None
    assert not found.checked


def test_progressive_scans_without_end_are_bounded() -> None:
    data = picture("progressive")
    start = data.index(b"\xff\xda")
    picture_ = read_picture(window(data))
    assert picture_ is not None
    endless = data[:start] + data[start : picture_.scans[0].end] * 3000
    try:
        found = walked(endless + b"\xff\xd9", joints=[4096], allowance=256 << 20)
    except WindowSpentError:
        return
    assert found is None or not found.checked


@settings(max_examples=150, deadline=None)
@given(behind=st.binary(max_size=600), kind=st.sampled_from(sorted(KINDS)), cut=st.integers(2, 3000))
def test_whatever_follows_a_beginning_the_walk_ends(behind: bytes, kind: str, cut: int) -> None:
    data = picture(kind, width=160, height=120)[:cut] + behind
    try:
        found = walked(data, joints=[512])
    except ALLOWED:
        return
    if found is not None:
        assert 0 < found.length <= len(data)
        assert found.valid is None or 0 < found.valid <= found.length
        assert all(0 <= p.offset < p.offset + p.length <= found.length for p in found.parts)


def test_mutated_pictures_do_no_harm() -> None:
    chance = random.Random(11)
    seeds = [picture(kind, width=160, height=120) for kind in KINDS]
    seeds.append(with_index(with_segments(seeds[0], segment(0xE1, exif_of(seeds[1]))), [seeds[2]]) + samsung_trailer(b"1", b"2"))
    for _ in range(250):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(3, len(data))
            match chance.randrange(3):
                case 0:
                    data[at] ^= 1 << chance.randrange(8)
                case 1:
                    del data[at : at + chance.randrange(1, 600)]
                case _:
                    data[at:at] = chance.randbytes(chance.randrange(1, 600))
        place = window(bytes(data), block=512, joints=[512])
        try:
            found = JPEG.walk(place)
            if found is not None and found.structure != "complete" and JPEG.rejoin is not None:
                JPEG.rejoin(place, found)
        except (*ALLOWED, WindowSpentError):
            continue
        if found is not None:
            assert 0 < found.length <= len(data)
            assert found.valid is None or 0 < found.valid <= found.length
