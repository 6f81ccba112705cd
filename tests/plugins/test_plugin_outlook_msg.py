"""Outlook's MSG files: real ones, made ones with messages in messages, compressed RTF, and damage."""

from __future__ import annotations

import hashlib
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Union

from real_samples import ARTIFACTS, bytes_of, children, findings, item_of, mutants, needs_samples, never_fails, problems, run

sys.path.append(str(Path(__file__).resolve().parents[1] / "carving"))
from document_samples import END, FAT, FREE

if TYPE_CHECKING:
    from triage.plugin import Item

Tree = dict[str, Union[bytes, "Tree"]]
SENT = 133_500_000_000_000_000
RTF = bytes.fromhex("2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0")
"""The example of [MS-OXRTFCP] 4.1.1: ``{\\rtf1\\ansi\\ansicpg1252\\pard hello world}``."""


def compound(tree: Tree) -> bytes:
    """Return a compound file with these streams and storages, all in the mini stream or, from 4096 bytes on, in sectors."""
    sectors: list[bytes] = []
    fat: list[int] = []
    mini, mini_fat = bytearray(), list[int]()
    rows: list[list[object]] = [["Root Entry", 5, FREE, FREE, END, 0]]

    def put(data: bytes) -> int:
        if not data:
            return END
        first, count = len(sectors), -(-len(data) // 512)
        sectors.extend(data[i * 512 : (i + 1) * 512].ljust(512, b"\0") for i in range(count))
        fat.extend([*range(first + 1, first + count), END])
        return first

    def place(parent: int, below: Tree) -> None:
        before = -1
        for name, value in below.items():
            number = len(rows)
            rows.append([name, 1 if isinstance(value, dict) else 2, FREE, FREE, END, 0])
            rows[before if before >= 0 else parent][2 if before >= 0 else 3] = number
            before = number
            if isinstance(value, dict):
                place(number, value)
                continue
            rows[number][5] = len(value)
            if len(value) >= 4096:
                rows[number][4] = put(value)
            elif value:
                first, count = len(mini_fat), -(-len(value) // 64)
                rows[number][4] = first
                mini_fat.extend([*range(first + 1, first + count), END])
                mini.extend(value.ljust(count * 64, b"\0"))

    place(0, tree)
    rows[0][4], rows[0][5] = put(bytes(mini)), len(mini)
    raw = struct.pack(f"<{len(mini_fat)}I", *mini_fat)
    minis = put(raw + b"\xff" * (-len(raw) % 512))
    directory = b""
    for name, kind, right, child, start, size in rows:
        text = str(name).encode("utf-16-le") + b"\0\0"
        directory += struct.pack("<64sHBBIII16sI16xIQ", text, len(text), kind, 1, FREE, right, child, bytes(16), 0, start, size)
    first = put(directory + bytes(-len(directory) % 512))
    places: list[int] = []
    while len(places) * 128 < len(fat):
        places.append(len(sectors))
        sectors.append(b"")
        fat.append(FAT)
    raw = struct.pack(f"<{len(fat)}I", *fat).ljust(len(places) * 512, b"\xff")
    for i, number in enumerate(places):
        sectors[number] = raw[i * 512 : (i + 1) * 512]
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9I", 0, len(places), first, 0, 4096, minis, -(-len(mini_fat) // 128), END, 0)
    return header + struct.pack("<109I", *(places + [FREE] * 109)[:109]) + b"".join(sectors)


def storage(head: int, values: dict[int, object], more: Tree | None = None) -> Tree:
    """Return the streams of properties: texts in UTF-16, bytes, times as (FILETIME,), numbers."""
    fixed, tree = bytes(head), dict[str, bytes | Tree]()
    for number, value in values.items():
        if isinstance(value, str):
            tree[f"__substg1.0_{number:04X}001F"] = value.encode("utf-16-le")
        elif isinstance(value, bytes):
            tree[f"__substg1.0_{number:04X}0102"] = value
        elif isinstance(value, tuple):
            fixed += struct.pack("<HHIQ", 0x40, number, 6, value[0])
        else:
            fixed += struct.pack("<HHIQ", 3, number, 6, value)
    return {"__properties_version1.0": fixed, **tree, **(more or {})}


def person(kind: int, name: str, mail: str) -> Tree:
    return storage(8, {0x3001: name, 0x3002: "SMTP", 0x3003: mail, 0x0C15: kind})


def message(head: int = 32, more: Tree | None = None, **changed: object) -> Tree:
    values = {0x001A: "IPM.Note", 0x0037: "\x01\x05RE: the keys", 0x0C1A: "Kim", 0x0C1F: "kim@example.org", 0x0039: (SENT,)}
    values |= {int(name[1:], 16): value for name, value in changed.items()}
    return storage(head, values, more)


def attached(data: bytes, name: str) -> Tree:
    return storage(8, {0x3705: 1, 0x3707: name, 0x3701: data, 0x370E: "image/jpeg"})


def sample() -> bytes:
    inner = message(24, {"__attach_version1.0_#00000000": attached(b"deep" * 2000, "deep.jpg")}, p0037="inside", p1000="what is inside")
    return compound(
        message(
            p1000="come at noon",
            p0E07=8,
            more={
                "__recip_version1.0_#00000000": person(1, "Lee", "lee@example.org"),
                "__recip_version1.0_#00000001": person(2, "Jo", "jo@example.org"),
                "__recip_version1.0_#00000002": person(3, "Max", "max@example.org"),
                "__attach_version1.0_#00000000": attached(b"\xff\xd8small", "a/../x.jpg"),
                "__attach_version1.0_#00000001": storage(8, {0x3705: 5, 0x3001: "inside"}, {"__substg1.0_3701000D": inner}),
                "__attach_version1.0_#00000002": storage(8, {0x3705: 4, 0x370D: "\\\\server\\share\\x.doc"}),
            },
        )
    )


def one(data: bytes) -> Item:
    return item_of(data, "vol1/Users/kim/mail.msg")


def samples() -> list[Item]:
    return [one(sample())]


class TestRealSamples:
    pytestmark = needs_samples

    def test_a_real_mail_without_attachments(self) -> None:
        said = run("outlook_msg", one((ARTIFACTS / "iped" / "test_msgSample.msg").read_bytes()))
        (found,) = said
        assert found.kind == "mail"
        assert found.data["from"] == "Erick Wendel <comercial@erickwendel.com.br>"
        assert found.data["to"] == "Guilherme Monteiro <guilhermeandreuce@gmail.com>"
        assert found.data["subject"] == "Aula 02 No Ar! Semana Javascript Expert"
        assert found.data["time"] == "2021-09-08T13:01:53Z"
        assert found.data["text"].startswith("Eaaai  beleza? \r\n\r\nAqui é o Erick Wendel!")
        assert found.data["message_id"] == "<20210908132105.31378.275204880.swift@erickworkspace.activehosted.com>"

    def test_a_real_mail_with_an_attachment(self) -> None:
        item = one((ARTIFACTS / "iped" / "test_msgSampleAttach.msg").read_bytes())
        said = run("outlook_msg", item)
        (found,), (child,) = findings(said), children(said)
        assert found.data["cc"] == "Andre Do Vale Oliveira <andrevo@unb.br>, Melissa Emmanuele Alexandre Matos <melissae@unb.br>"
        assert found.data["to"].count("@listas.unb.br") == 4
        assert (found.data["time"], found.data["attachments"]) == ("2021-05-24T14:31:44Z", ["ATT00016.txt"])
        assert hashlib.md5(bytes_of(item, child)).hexdigest() == "d40c4cc2753831566cc21fff21b51a51"
        assert problems(said) == []

    def test_damage_of_real_ones_never_breaks_it(self) -> None:
        for data in mutants((ARTIFACTS / "iped" / "test_msgSampleAttach.msg").read_bytes(), 60):
            if one(data).type is not None:
                never_fails("outlook_msg", one(data))


def test_a_mail_says_who_wrote_to_whom_and_when() -> None:
    found = findings(run("outlook_msg", one(sample())))[0]
    assert found.title == "mail from Kim <kim@example.org> to Lee <lee@example.org>: RE: the keys"
    assert (found.data["cc"], found.data["bcc"]) == ("Jo <jo@example.org>", "Max <max@example.org>")
    assert (found.data["time"], found.data["text"], found.data["user"]) == ("2024-01-17T21:20:00Z", "come at noon", "kim")
    assert (found.data["draft"], found.data["read"]) == (True, "no")


def test_attachments_are_entries_also_those_of_messages_inside() -> None:
    item = one(sample())
    said = run("outlook_msg", item)
    assert [(c.name, bytes_of(item, c)) for c in children(said)] == [
        ("00001-0-a_.._x.jpg", b"\xff\xd8small"),
        ("00001-1-0-deep.jpg", b"deep" * 2000),
    ]
    inner = findings(said)[1]
    assert (inner.data["subject"], inner.data["text"], inner.data["attached_to"]) == ("inside", "what is inside", "RE: the keys")


def test_what_is_attached_by_its_place_is_said() -> None:
    assert [p.message for p in problems(run("outlook_msg", one(sample())))] == [
        "an attachment cannot be read out: it is kept elsewhere: \\\\server\\share\\x.doc"
    ]


def test_a_body_of_compressed_rtf_is_read() -> None:
    (found,) = run("outlook_msg", one(compound(message(p1009=RTF))))
    assert (found.data["text"], found.data["text_form"]) == ("hello world", "rtf")


def test_a_body_of_html_is_read_without_its_tags() -> None:
    page = b"<html><head><style>p{}</style></head><body><p>one &amp; two</p><script>x()</script><!-- no -->three</body>"
    (found,) = run("outlook_msg", one(compound(message(p1013=page))))
    assert (found.data["text"], found.data["text_form"]) == ("one & two\nthree", "html")


def test_a_text_longer_than_a_finding_holds_is_an_entry() -> None:
    item = one(compound(message(p1000="word " * 5000)))
    said = run("outlook_msg", item)
    (child,) = children(said)
    assert (child.name, bytes_of(item, child).decode("utf-16-le")) == ("00001-body.txt", "word " * 5000)
    assert len(findings(said)[0].data["text"]) == 8192


def test_people_notes_and_appointments_are_told_apart() -> None:
    names = {"__substg1.0_00020102": bytes.fromhex("0420060000000000c000000000000046") + bytes.fromhex("0220060000000000c000000000000046")}
    names["__substg1.0_00030102"] = struct.pack("<IHHIHH", 0x8083, 3 << 1, 0, 0x820D, 4 << 1, 1)
    more: Tree = {"__nameid_version1.0": dict(names)}
    made = {
        "IPM.Contact": {"p3001": "Jo", "p8000": "jo@example.org", "p3A1C": "0123"},
        "IPM.StickyNote": {"p1000": "remember"},
        "IPM.Appointment": {"p0037": "meet", "p8001": (SENT,)},
    }
    found = [run("outlook_msg", one(compound(message(more=more, p001A=kind, **values))))[0] for kind, values in made.items()]
    assert [f.kind for f in found] == ["contact", "note", "appointment"]
    assert (found[0].data["emails"], found[0].data["numbers"]) == (["jo@example.org"], ["0123"])
    assert found[1].data["text"] == "remember"
    assert (found[2].title, found[2].data["start"]) == ("appointment: meet", "2024-01-17T21:20:00Z")


def test_messages_nested_too_deep_are_said() -> None:
    tree = message(24, p0037="deepest")
    for level in range(20):
        inner = storage(8, {0x3705: 5}, {"__substg1.0_3701000D": tree})
        tree = message(24 if level < 19 else 32, {"__attach_version1.0_#00000000": inner}, p0037=f"level {level}")
    said = run("outlook_msg", one(compound(tree)))
    assert len(findings(said)) == 17
    assert ["nested too deep" in p.message for p in problems(said)] == [True]


def test_damage_never_breaks_it() -> None:
    for data in mutants(sample(), 300):
        if one(data).type is not None and one(data).type.name == "msg":
            never_fails("outlook_msg", one(data))
