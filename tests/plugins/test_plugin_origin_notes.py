"""Where downloads came from by extended attributes: AppleDouble files, streams, mails, damage."""

from __future__ import annotations

import plistlib
import struct
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from real_samples import findings, item_of, mutants, never_fails, problems, run

from triage.artifacts.appledouble import COMMENT, DOWNLOADED, KNOWN, QUARANTINE, USED, WHERE_FROM, read_attributes
from triage.artifacts.structure import StructureError
from triage.plugin import Kind, sample_item

if TYPE_CHECKING:
    from triage.plugin import Item

PATH = "vol1/DCIM/._film.mp4"
URL, PAGE = "https://cdn.example.org:8443/film.mp4?x=1", "https://example.org/page"


def plist(value: Any) -> bytes:
    return plistlib.dumps(value, fmt=plistlib.FMT_BINARY)


ALL = {
    WHERE_FROM: plist([URL, PAGE]),
    QUARANTINE: b"0083;6553f100;Google\\x20Chrome;5E2D1A7B-0000-4000-8000-000000000001",
    DOWNLOADED: plist([datetime(2023, 11, 14, 22, 13, 20)]),  # noqa: DTZ001 - plistlib takes no zones
    USED: struct.pack("<QQ", 1_700_000_000, 5),
}


def double(attributes: dict[str, bytes]) -> bytes:
    """An AppleDouble file as copyfile writes it: the Finder's information with the attributes, an empty resource fork."""
    names = [name.encode() + b"\0" for name in attributes]
    heads = sum((11 + len(name) + 3) // 4 * 4 for name in names)
    start = 120 + heads
    table, values = b"", b""
    for name, value in zip(names, attributes.values(), strict=True):
        table += (struct.pack(">IIHB", start + len(values), len(value), 0, len(name)) + name).ljust((11 + len(name) + 3) // 4 * 4, b"\0")
        values += value
    end = start + len(values)
    head = struct.pack(">II16sH", 0x00051607, 0x00020000, b"Mac OS X        ", 2)
    head += struct.pack(">6I", 9, 50, end - 50, 2, end, 0) + bytes(34)
    head += b"ATTR" + struct.pack(">IIII12xHH", 0, end, start, len(values), 0, len(names))
    return head + table + values


def samples() -> list[Item]:
    return [item_of(double(ALL), PATH)]


@pytest.mark.parametrize("path", [PATH, "vol1/Users/kim/x.zip/__MACOSX/._film.mp4"])
def test_a_file_beside_says_addresses_program_and_times(path: str) -> None:
    said = run("origin_notes", item_of(double(ALL), path))
    (found,) = findings(said)
    assert found.kind == "download-origin"
    assert found.title == "downloaded from cdn.example.org by Google Chrome"
    assert found.data == {
        **({"user": "kim"} if "kim" in path else {}),
        "file": "film.mp4",
        "host_url": URL,
        "referrer_url": PAGE,
        "time": "2023-11-14T22:13:20Z",
        "program": "Google Chrome",
        "flags": "0083",
        "event": "5E2D1A7B-0000-4000-8000-000000000001",
        "downloaded": "2023-11-14T22:13:20Z",
        "last_used": "2023-11-14T22:13:20Z",
    }
    assert problems(said) == []


@pytest.mark.parametrize(
    ("attribute", "value", "key", "told"),
    [
        (WHERE_FROM, ALL[WHERE_FROM], "host_url", URL),
        (QUARANTINE, ALL[QUARANTINE], "program", "Google Chrome"),
        ("user.xdg.origin.url", URL.encode(), "host_url", URL),
        ("user.xdg.referrer.url", PAGE.encode(), "referrer_url", PAGE),
    ],
)
def test_a_stream_of_a_file_system_says_the_same(attribute: str, value: bytes, key: str, told: str) -> None:
    (found,) = findings(run("origin_notes", sample_item(value, f"vol1/Users/kim/film.mp4:{attribute}", Kind.STREAM)))
    assert (found.kind, found.data[key], found.data["file"]) == ("download-origin", told, "film.mp4")


def test_a_file_from_a_mail_says_so() -> None:
    (found,) = findings(
        run("origin_notes", item_of(double({WHERE_FROM: plist(["Kim <kim@example.org>", "pics", "message:%3C1%3E"])}), PATH))
    )
    assert found.data["mail"] == ["Kim <kim@example.org>", "pics", "message:%3C1%3E"]
    assert found.title == "came with a mail: Kim <kim@example.org>"


def test_a_comment_is_a_note() -> None:
    (found,) = findings(run("origin_notes", item_of(double({COMMENT: plist("look")}), PATH)))
    assert (found.kind, found.data["text"], found.data["name"]) == ("note", "look", "film.mp4")


def test_what_cannot_be_read_is_told() -> None:
    said = run("origin_notes", item_of(double({QUARANTINE: b"none", WHERE_FROM: b"bplist00"}), PATH))
    assert findings(said) == []
    assert "cannot be read: com.apple.metadata:kMDItemWhereFroms, com.apple.quarantine" in problems(said)[0].message
    said = run("origin_notes", item_of(double(ALL)[:-10], PATH))
    assert "breaks off" in problems(said)[0].message
    with pytest.raises(StructureError):
        read_attributes(b"")


def test_files_that_are_none_and_attributes_of_no_interest_say_nothing() -> None:
    assert run("origin_notes", item_of(b"a text", "vol1/._notes")) == []
    assert run("origin_notes", item_of(double({"com.apple.FinderInfo": b"x" * 32}), PATH)) == []
    assert len(KNOWN) == 7


def test_damage_never_breaks_it() -> None:
    for data in mutants(double(ALL), 300):
        never_fails("origin_notes", item_of(data, PATH))
