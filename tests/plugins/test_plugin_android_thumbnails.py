"""MediaStore's thumbnails: made files of slots of both sizes, single ones in folders, and damage."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from real_samples import bytes_of, children, findings, item_of, mutants, never_fails, problems, run

if TYPE_CHECKING:
    from triage.plugin import Item

JPEG = b"\xff\xd8\xff\xe0\0\4ab" + b"\xff\xda\0\4ab" + b"x" * 200 + b"\xff\xd9"
FOLDER = "vol1/media/0/DCIM/.thumbnails"


def slots(pictures: dict[int, bytes], step: int = 10_000, *, unused: frozenset[int] = frozenset()) -> bytes:
    data = bytearray(step * (max(pictures) + 1))
    for slot, jpeg in pictures.items():
        head = struct.pack(">BQI", slot not in unused, 7_000_000_000 + slot, len(jpeg))
        data[slot * step : slot * step + 13 + len(jpeg)] = head + jpeg
    return bytes(data)


def samples() -> list[Item]:
    return [item_of(slots({1: JPEG, 4: JPEG}), f"{FOLDER}/.thumbdata3--1967290299"), item_of(JPEG, f"{FOLDER}/12.jpg")]


@pytest.mark.parametrize("step", [10_000, 16_384])
def test_slots_are_pictures_with_their_numbers(step: int) -> None:
    one = item_of(slots({1: JPEG, 400: JPEG[:-1] + b"x\xff\xd9"}, step, unused=frozenset({400})), f"{FOLDER}/.thumbdata4--1967290299")
    said = run("android_thumbnails", one)
    first, last = children(said)
    assert bytes_of(one, first) == JPEG
    assert (first.name, last.name, first.deleted, last.deleted) == ("000001.jpg", "000400.jpg", False, True)
    data = first.findings[0].data
    assert (data["media_id"], data["magic"], data["of"], data["in_use"]) == (1, "7000000001", "image", True)
    assert last.findings[0].title == "a thumbnail of the image 400 of MediaStore"
    assert problems(said) == []


def test_makers_slots_are_not_said_to_be_mediastores_numbers() -> None:
    (child,) = children(run("android_thumbnails", item_of(slots({3: JPEG}), f"{FOLDER}/.thumbdata5-1763508120_3")))
    assert ("media_id" in child.findings[0].data, child.findings[0].data["slot"]) == (False, 3)


def test_a_length_that_is_too_large_is_the_slots() -> None:
    data = bytearray(slots({0: JPEG, 1: JPEG}))
    data[9:13] = b"\xff\xff\xff\xff"
    one = item_of(bytes(data), f"{FOLDER}/.thumbdata3--1967290299")
    first = children(run("android_thumbnails", one))[0]
    assert (first.size, bytes_of(one, first)[: len(JPEG)]) == (9987, JPEG)


def test_single_thumbnails_say_their_number_or_time() -> None:
    (found,) = findings(run("android_thumbnails", item_of(JPEG, "vol1/media/0/Movies/.thumbnails/1234.jpg")))
    assert (found.kind, found.data["media_id"], found.title) == ("thumbnail", 1234, "a thumbnail of the film 1234 of MediaStore")
    (found,) = findings(run("android_thumbnails", item_of(JPEG, f"{FOLDER}/1304707414000.jpg")))
    assert (found.data["time"], "media_id" in found.data) == ("2011-05-06T18:43:34Z", False)


def test_the_databases_number_is_said() -> None:
    (found,) = findings(run("android_thumbnails", item_of(b"5C3A7E8F-0f11-4a2b-9c3d-1234567890ab", f"{FOLDER}/.database_uuid")))
    assert (found.kind, found.data["database_uuid"]) == ("system", "5c3a7e8f-0f11-4a2b-9c3d-1234567890ab")


def test_other_files_there_are_quiet() -> None:
    assert run("android_thumbnails", item_of(b"plain words\n" * 9, f"{FOLDER}/.nomedia")) == []
    assert run("android_thumbnails", item_of(bytes(50_000), f"{FOLDER}/.thumbdata3--1967290299")) == []


def test_damage_never_breaks_it() -> None:
    for data in mutants(slots({0: JPEG, 1: JPEG, 3: JPEG}, unused=frozenset({3})), 200):
        never_fails("android_thumbnails", item_of(data, f"{FOLDER}/.thumbdata3--1967290299"))
