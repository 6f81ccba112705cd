"""winmail.dat (TNEF): made ones with attachments, messages inside, people, and damage."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from real_samples import bytes_of, children, findings, item_of, mutants, never_fails, problems, run

if TYPE_CHECKING:
    from triage.plugin import Item

TIME = 133_500_000_000_000_000
INNER = bytes.fromhex("0703020000000000c000000000000046")
Value = str | bytes | int | tuple[int]


def attribute(level: int, tag: int, data: bytes) -> bytes:
    return struct.pack("<BII", level, tag, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def properties(values: dict[int, Value], objects: dict[int, bytes] | None = None, more: bytes = b"", count: int = 0) -> bytes:
    out = struct.pack("<I", len(values) + len(objects or {}) + count)
    for number, value in values.items():
        if isinstance(value, int):
            out += struct.pack("<HHI", 3, number, value)
        elif isinstance(value, tuple):
            out += struct.pack("<HHQ", 0x40, number, value[0])
        else:
            kind, raw = (0x1F, value.encode("utf-16-le") + b"\0\0") if isinstance(value, str) else (0x102, value)
            out += struct.pack("<HHII", kind, number, 1, len(raw)) + padded(raw)
    for number, raw in (objects or {}).items():
        out += struct.pack("<HHII", 0xD, number, 1, len(raw)) + padded(raw)
    return out + more


def stream(*attributes: bytes) -> bytes:
    return b"\x78\x9f\x3e\x22\x01\x00" + attribute(1, 0x00069007, struct.pack("<II", 1252, 0)) + b"".join(attributes)


def attached(name: bytes, data: bytes) -> bytes:
    return attribute(2, 0x00069002, bytes(14)) + attribute(2, 0x00018010, name + b"\0") + attribute(2, 0x0006800F, data)


def person(kind: int, name: str, mail: str) -> bytes:
    return properties({0x0C15: kind, 0x3001: name, 0x3002: "SMTP", 0x3003: mail})


def sample() -> bytes:
    people = struct.pack("<I", 2) + person(1, "Lee", "lee@example.org") + person(2, "Jo", "jo@example.org")
    inner = stream(attribute(1, 0x00018004, b"inside\0"), attached(b"deep.bin", b"deep" * 9))
    return stream(
        attribute(1, 0x00078008, b"IPM.Microsoft Mail.Note\0"),
        attribute(1, 0x00018004, b"the keys\xe9\0"),
        attribute(1, 0x00069003, properties({0x0C1A: "Kim", 0x0C1F: "kim@example.org", 0x0039: (TIME,), 0x1013: b"<p>come at noon</p>"})),
        attribute(1, 0x00069004, people),
        attached(b"A~1.JPG", b"\xff\xd8small") + attribute(2, 0x00069005, properties({0x3707: "a long name.jpg", 0x370E: "image/jpeg"})),
        attribute(2, 0x00069002, bytes(14)) + attribute(2, 0x00069005, properties({0x3001: "inside"}, {0x3701: INNER + inner})),
        attribute(2, 0x00069002, bytes(14)) + attribute(2, 0x00069005, properties({0x3001: "x.ole"}, {0x3701: bytes(16) + b"an object"})),
    )


def one(data: bytes) -> Item:
    return item_of(data, "vol1/Users/kim/winmail.dat")


def samples() -> list[Item]:
    return [one(sample())]


def test_the_mail_says_who_wrote_to_whom_and_when() -> None:
    found = findings(run("tnef", one(sample())))[0]
    assert found.title == "mail from Kim <kim@example.org> to Lee <lee@example.org>: the keysé"
    assert (found.kind, found.data["time"], found.data["cc"]) == ("mail", "2024-01-17T21:20:00Z", "Jo <jo@example.org>")
    assert (found.data["text"], found.data["form"], found.data["user"]) == ("come at noon", "TNEF", "kim")
    assert found.data["attachments"] == ["a long name.jpg", "inside", "x.ole"]


def test_attachments_are_entries_also_those_of_messages_inside() -> None:
    item = one(sample())
    said = run("tnef", item)
    assert {c.name: bytes_of(item, c) for c in children(said)} == {
        "00001-0-a long name.jpg": b"\xff\xd8small",
        "00001-1-0-deep.bin": b"deep" * 9,
        "00001-2-x.ole": b"an object",
    }
    assert findings(said)[1].data["attached_to"] == "the keysé"
    assert problems(said) == []


def test_a_time_without_a_zone_is_given_as_it_stands() -> None:
    sent = attribute(1, 0x00038005, struct.pack("<7H", 2001, 2, 3, 4, 5, 6, 6))
    sender = attribute(1, 0x00008000, struct.pack("<4H", 4, 28, 4, 21) + b"Kim\0" + b"SMTP:kim@example.org\0")
    (found,) = run("tnef", one(stream(sent, sender, attribute(1, 0x0002800C, b"old text\0"))))
    assert (found.data["time"], found.data["time_zone"]) == ("2001-02-03T04:05:06", "not stated")
    assert (found.data["from"], found.data["text"]) == ("Kim <kim@example.org>", "old text")


def test_properties_of_sets_and_lists_of_values_are_read_past() -> None:
    guid = bytes.fromhex("0220060000000000c000000000000046")
    start = struct.pack("<HH", 0x40, 0x8001) + guid + struct.pack("<IIQ", 0, 0x820D, TIME)
    named = struct.pack("<HH", 0x1F, 0x8002) + guid + struct.pack("<II", 1, 6) + padded("abc".encode("utf-16-le"))
    named += struct.pack("<II", 1, 4) + "x\0".encode("utf-16-le")
    many = struct.pack("<HHI", 0x101F, 0x3A58, 2) + 2 * (struct.pack("<I", 4) + b"a\0\0\0")
    last = struct.pack("<HHII", 0x1F, 0x0037, 1, 8) + "meet".encode("utf-16-le")
    data = stream(
        attribute(1, 0x00078008, b"IPM.Appointment\0"), attribute(1, 0x00069003, properties({}, None, start + named + many + last, 4))
    )
    (found,) = run("tnef", one(data))
    assert (found.kind, found.data["start"], found.data["subject"]) == ("appointment", "2024-01-17T21:20:00Z", "meet")


def test_a_body_that_is_a_number_is_none() -> None:
    values = {0x1000: 7, 0x1013: 5, 0x1009: "text", 0x0037: 3, 0x001A: b"x", 0x0E07: "read"}
    (found,) = run("tnef", one(stream(attribute(1, 0x00069003, properties(values)))))
    assert (found.kind, found.title) == ("mail", "mail from somebody to somebody: ")


def test_one_that_breaks_off_gives_what_there_is_and_says_so() -> None:
    data = stream(attribute(1, 0x00018004, b"the keys\0"), attached(b"x.bin", b"y" * 100))
    item = one(data[:-50])
    said = run("tnef", item)
    assert [bytes_of(item, c) for c in children(said)] == [b"y" * 52]
    assert [p.message for p in problems(said)] == ["an attribute breaks off"]


def test_what_stands_behind_the_end_and_wrong_sums_are_said() -> None:
    data = bytearray(stream(attribute(1, 0x00018004, b"the keys\0")))
    data[-1] ^= 1
    said = run("tnef", one(bytes(data) + b"garbage at the end"))
    assert [p.message for p in problems(said)] == [
        "the sum of an attribute's bytes is not what it says",
        "what stands behind the last attribute was not read",
    ]


def test_messages_nested_too_deep_are_said() -> None:
    data = stream(attribute(1, 0x00018004, b"deepest\0"))
    for _ in range(20):
        data = stream(attribute(2, 0x00069002, bytes(14)) + attribute(2, 0x00069005, properties({}, {0x3701: INNER + data})))
    said = run("tnef", one(data))
    assert len(findings(said)) == 13
    assert ["nested too deep" in p.message for p in problems(said)] == [True]


def test_damage_never_breaks_it() -> None:
    for data in mutants(sample(), 300):
        if one(data).type is not None and one(data).type.name == "tnef":
            never_fails("tnef", one(data))
