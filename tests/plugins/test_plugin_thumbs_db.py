"""Thumbs.db: real ones of two generations, made ones, and damage."""

from __future__ import annotations

import hashlib
import struct
import sys
from pathlib import Path

import pytest
from real_samples import ARTIFACTS, bytes_of, children, findings, item_of, mutants, needs_samples, never_fails, run

sys.path.append(str(Path(__file__).resolve().parents[1] / "carving"))
from document_samples import ole

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)) * 20 + b"\xff\xd9"
TIME = 133_500_000_000_000_000


def catalog(names: list[str]) -> bytes:
    data = struct.pack("<HHIII", 16, 7, len(names), 96, 96)
    for number, name in enumerate(names, 1):
        text = name.encode("utf-16-le") + b"\0\0\0\0"
        data += struct.pack("<IIQ", 16 + len(text), number, TIME) + text
    return data


def thumbs(names: list[str], gone: frozenset[int] = frozenset()) -> bytes:
    prefix = struct.pack("<III", 12, 1, len(JPEG))
    streams = {str(n)[::-1]: prefix + JPEG + bytes([n]) for n in range(1, len(names) + 1) if n not in gone}
    return ole({"Catalog": catalog(names), **streams})


def test_thumbnails_are_cached_entries_with_the_names_of_their_pictures() -> None:
    names = [f"IMG_{n:04}.JPG" for n in range(1, 13)]
    one = item_of(thumbs(names), "vol1/Documents and Settings/kim/Pictures/Thumbs.db")
    found = children(run("thumbs_db", one))
    assert {c.findings[0].data["original"]: bytes_of(one, c) for c in found} == {
        name: JPEG + bytes([n]) for n, name in enumerate(names, 1)
    }
    assert {(c.findings[0].data["user"], c.findings[0].data["original_time"]) for c in found} == {("kim", "2024-01-17T21:20:00Z")}


def test_a_name_whose_thumbnail_is_gone_is_still_said() -> None:
    said = run("thumbs_db", item_of(thumbs(["a.jpg", "b.jpg"], frozenset({2})), "vol1/Thumbs.db"))
    assert [f.data["original"] for f in findings(said, "thumbnail-missing")] == ["b.jpg"]


def test_small_and_large_streams_give_their_bytes() -> None:
    small, large = b"\xff\xd8\xff" + b"s" * 300, b"\xff\xd8\xff" + b"l" * 50_000
    data = ole({"Catalog": catalog([]), "1": struct.pack("<III", 12, 1, 0) + small, "2": bytes(12) + large})
    one = item_of(data, "vol1/Thumbs.db")
    assert [bytes_of(one, c) for c in children(run("thumbs_db", one))] == [small, large]


def test_a_document_is_none() -> None:
    assert run("thumbs_db", item_of(ole({"Other": b"x" * 5000, "12ab": b"y"}), "vol1/x.bin")) == []


def test_damage_never_breaks_it() -> None:
    for data in mutants(thumbs(["a.jpg", "b.jpg"]), 300):
        one = item_of(data, "vol1/Thumbs.db")
        if one.type is not None and one.type.name in ("thumbs", "ole"):
            never_fails("thumbs_db", one)


class TestRealSamples:
    pytestmark = needs_samples

    def test_a_real_one_of_vista_gives_its_pictures(self) -> None:
        one = item_of((ARTIFACTS / "thumbs" / "Thumbs.db").read_bytes(), "vol1/Thumbs.db")
        found = children(run("thumbs_db", one))
        assert len(found) == 3
        for child in found:
            data = bytes_of(one, child)
            assert data.startswith(b"\x89PNG")
            assert data.endswith(b"IEND\xaeB`\x82")

    def test_a_real_one_of_xp_names_its_picture(self) -> None:
        one = item_of((ARTIFACTS / "dfrws2011_sdcard" / "DCIM" / "Camera" / "Thumbs.db").read_bytes(), "vol1/Thumbs.db")
        (child,) = children(run("thumbs_db", one))
        assert child.findings[0].data["original"] == "2011-05-06 14.43.35.jpg"
        assert bytes_of(one, child)[-2:] == b"\xff\xd9"
        assert len(hashlib.md5(bytes_of(one, child)).hexdigest()) == 32


@pytest.mark.parametrize("late", [True, False])
def test_tables_may_stand_anywhere(late: bool) -> None:
    one = item_of(ole({"Catalog": catalog(["a.jpg"]), "1": bytes(12) + JPEG}, late=late), "vol1/Thumbs.db")
    assert [bytes_of(one, c) for c in children(run("thumbs_db", one))] == [JPEG]
