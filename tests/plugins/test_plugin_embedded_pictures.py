"""Pictures and films inside unknown files: each kind is found whole, nothing twice, in linear time."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

import pytest
from real_samples import ARTIFACTS, bytes_of, children, item_of, mutants, needs_samples, never_fails, problems, run
from test_plugin_appended import FORMATS, picture
from test_plugin_cached_files import volley

from triage.plugin import Kind
from triage.registry import find_plugins

if TYPE_CHECKING:
    from triage.plugin import Item

PATH = "vol1/data/data/com.example.app/cache/store.bin"
NOISE = bytes((n * n * 31 + n // 7) % 251 for n in range(3000))


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


FILM = box(b"ftyp", b"isom\0\0\2\0isomiso2") + box(b"moov", bytes(120)) + box(b"mdat", b"frames" * 50)
HEIC = box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", bytes(90)) + box(b"mdat", b"tiles" * 50)
PICTURES = [*(picture(form) for form in FORMATS), FILM, HEIC]


def blob(parts: list[bytes]) -> bytes:
    return NOISE + b"".join(part + NOISE[: 100 + 7 * n] for n, part in enumerate(parts))


def samples() -> list[Item]:
    return [item_of(blob(PICTURES), PATH)]


def test_pictures_and_films_are_found_whole_and_in_order() -> None:
    one = item_of(blob(PICTURES), PATH)
    said = run("embedded_pictures", one)
    assert [bytes_of(one, child) for child in children(said)] == PICTURES
    assert {child.kind for child in children(said)} == {Kind.CACHED}
    assert [child.name.rpartition(".")[2] for child in children(said)][-2:] == ["mp4", "heic"]
    assert children(said)[0].findings[0].data["application"] == "com.example.app"
    assert problems(said) == []


def test_outside_of_caches_they_are_derived_files() -> None:
    (child,) = children(run("embedded_pictures", item_of(blob([FILM]), "vol1/holiday.bin")))
    assert (child.kind, child.findings[0].kind) == (Kind.DERIVED, "embedded")


def test_what_breaks_off_is_not_given() -> None:
    cut = [part[: len(part) // 2] for part in PICTURES]
    assert children(run("embedded_pictures", item_of(NOISE + cut[-2], PATH))) == []
    one = item_of(blob([cut[0], PICTURES[1]]), PATH)
    assert PICTURES[1] in [bytes_of(one, child) for child in children(run("embedded_pictures", one))]


@pytest.mark.parametrize(
    "path",
    [
        "vol1/Cache/data_3",
        "vol1/Cache/f_00001a",
        "vol1/Cache/_CACHE_002_",
        "vol1/x/3303.ithmb",
        "vol1/DCIM/.thumbnails/.thumbdata3--1",
        "vol1/Windows/x.dat",
    ],
)
def test_what_others_read_or_the_system_brings_is_left_alone(path: str) -> None:
    assert run("embedded_pictures", item_of(blob(PICTURES), path)) == []


def test_a_file_of_volley_is_left_to_its_plugin() -> None:
    assert run("embedded_pictures", item_of(volley("https://example.org/a", PICTURES[0] + bytes(2000), {}), PATH)) == []


def test_known_types_are_not_looked_into() -> None:
    accepts = find_plugins().plugins["embedded_pictures"].accepts
    for data in (PICTURES[0] + bytes(2000), b"plain words\n" * 200, FILM + bytes(2000)):
        one = item_of(data, PATH)
        assert not accepts.matches(one.entry, one.type)


def test_more_than_may_be_are_counted() -> None:
    small = picture("gif")
    said = run("embedded_pictures", item_of(NOISE + small * 2100, PATH))
    assert len(children(said)) == 2000
    assert "more than 2,000 pictures" in problems(said)[0].message


@pytest.mark.parametrize(
    "piece",
    [b"\xff\xd8\xff\xda\0\2", b"\xff\xd8\xff\xe0\0\4xx", b"GIF89a" + bytes(7), b"RIFF\xff\xff\0\0WEBPVP8 ", b"\0\0\0\x10ftypisom\0\0\0\0"],
)
def test_countless_beginnings_do_not_take_long(piece: bytes) -> None:
    data = NOISE + piece * ((1 << 20) // len(piece))
    started = time.process_time()
    run("embedded_pictures", item_of(data, PATH))
    assert time.process_time() - started < 3


def test_damage_never_breaks_it() -> None:
    for data in mutants(blob(PICTURES), 150):
        never_fails("embedded_pictures", item_of(data, PATH))


class TestRealSamples:
    pytestmark = needs_samples

    def test_real_photos_inside_noise_are_found_byte_by_byte(self) -> None:
        folder = ARTIFACTS / "dfrws2011_sdcard"
        photos = [path.read_bytes() for path in sorted(folder.rglob("*.jpg")) + sorted(folder.rglob("hires*.cache"))]
        one = item_of(blob(photos), PATH)
        found = [bytes_of(one, child) for child in children(run("embedded_pictures", one))]
        # The camera's photo has 95,216 bytes behind its end.
        assert [len(photo) - len(one) for photo, one in zip(photos, found, strict=True)] == [95_216, 0, 0]
        assert all(photo.startswith(one) and one.endswith(b"\xff\xd9") for photo, one in zip(photos, found, strict=True))
