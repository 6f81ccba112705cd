"""Office's old documents: what real ones say of themselves; pictures, embedded files, sounds and macros of made ones; damage."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING

from PIL import Image
from real_samples import ARTIFACTS, PLUGINS, bytes_of, children, findings, item_of, mutants, needs_samples, never_fails, problems, run
from test_plugin_outlook_msg import Tree, compound

from triage.artifacts.propertyset import read_properties
from triage.plugin import run_plugin

if TYPE_CHECKING:
    from triage.plugin import Item

PATH = "vol1/Users/kim/Documents/a.doc"
CREATED = 133_500_000_000_000_000


def picture(kind: str, size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.effect_noise(size, 90).convert("RGB").save(out, kind)
    return out.getvalue()


JPEG, PNG = picture("JPEG", (48, 32)), picture("PNG", (20, 30))
METAFILE = b"\x01\0\0\0" + bytes(range(200)) * 3


def blip(kind: int, instance: int, data: bytes, identifiers: int = 1) -> bytes:
    body = bytes(16 * identifiers) + b"\xff" + data
    return struct.pack("<HHI", instance << 4, kind, len(body)) + body


def metafile(data: bytes) -> bytes:
    packed = zlib.compress(data)
    body = bytes(16) + struct.pack("<I16x8xIBB", len(data), len(packed), 0, 0xFE) + packed
    return struct.pack("<HHI", 0x3D4 << 4, 0xF01A, len(body)) + body


def properties(values: dict[int, object], page: int = 1251) -> bytes:
    written = []
    for key, value in ((1, page), *values.items()):
        if isinstance(value, str):
            raw = value.encode("utf-16-le" if page == 1200 else f"cp{page}") + (b"\0\0" if page == 1200 else b"\0")
            written.append((key, struct.pack("<II", 30, len(raw)) + raw + bytes(-len(raw) % 4)))
        elif key == 1:
            written.append((key, struct.pack("<IhH", 2, page, 0)))
        else:
            written.append((key, struct.pack("<IQ", 64, value)))
    places, body, at = b"", b"", 8 + 8 * len(written)
    for key, raw in written:
        places += struct.pack("<II", key, at + len(body))
        body += raw
    inner = struct.pack("<II", at + len(body), len(written)) + places + body
    return b"\xfe\xff\0\0" + bytes(20) + struct.pack("<I", 1) + bytes(16) + struct.pack("<I", 48) + inner


def native(name: str, path: str, data: bytes) -> bytes:
    inner = (
        b"\2\0" + name.encode() + b"\0" + path.encode() + b"\0" + struct.pack("<HHI", 0, 3, 6) + b"C:\\t\\\0" + struct.pack("<I", len(data))
    )
    return struct.pack("<I", len(inner) + len(data)) + inner + data


def word(**more: bytes | Tree) -> bytes:
    tree: Tree = {
        "\x05SummaryInformation": properties({2: "Отчёт", 4: "Анна", 12: CREATED, 18: "Microsoft Office Word"}),
        "WordDocument": bytes(5000),
        "Data": bytes(68) + blip(0xF01D, 0x46A, JPEG) + b"between" + blip(0xF01E, 0x6E1, PNG, 2) + metafile(METAFILE),
        "Macros": {"VBA": {"_VBA_PROJECT": bytes(100)}},
        "ObjectPool": {"_1": {"\x01Ole10Native": native("plan.txt", "D:\\private\\plan.txt", b"the plan, in full")}},
    }
    return compound({**tree, **more})


def record(kind: int, data: bytes, head: int = 0) -> bytes:
    return struct.pack("<HHI", head, kind, len(data)) + data


def slides() -> bytes:
    inner = record(0x1011, struct.pack("<I", 3000) + zlib.compress(bytes(3000)), 0x10) + record(0x1011, b"D" * 100)
    sound = record(0x07E7, b"RIFF" + bytes(60))
    document = record(0x03E8, record(0x0FA8, bytes(20)) + record(0x07E4, record(0x07E6, sound, 0xF), 0xF) + inner, 0xF)
    return compound({"PowerPoint Document": document + bytes(4096), "Pictures": blip(0xF01E, 0x6E0, PNG) + blip(0xF01D, 0x46A, JPEG)})


def workbook() -> bytes:
    drawing = bytes(30) + blip(0xF01E, 0x6E0, PNG)
    pieces = [drawing[at : at + 500] for at in range(0, len(drawing), 500)]
    records = struct.pack("<HH", 0x809, 8) + bytes(8)
    for number, piece in enumerate(pieces):
        records += struct.pack("<HH", 0x3C if number else 0xEB, len(piece)) + piece
    return compound({"Workbook": records + struct.pack("<HH", 10, 0) + bytes(4096)})


def one(data: bytes) -> Item:
    return item_of(data, PATH)


def samples() -> list[Item]:
    return [one(word()), one(slides()), one(workbook())]


class TestRealSamples:
    pytestmark = needs_samples

    def test_what_a_real_one_says_of_itself(self) -> None:
        said = run("ole_documents", one((ARTIFACTS / "iped/test_mockDoc1.doc").read_bytes()))
        assert (problems(said), children(said)) == ([], [])
        (document,) = findings(said)
        assert document.data == {
            "author": "Guilherme Andreúce Sobreira Monteiro",
            "last_saved_by": "Guilherme Andreúce Sobreira Monteiro",
            "template": "Normal.dotm",
            "revision": "2",
            "pages": 2,
            "program": "Microsoft Office Word",
            "created": "2021-05-07T19:34:00Z",
            "modified": "2021-05-07T19:34:00Z",
            "user": "kim",
        }

    def test_damage_of_a_real_one_never_breaks_it(self) -> None:
        for damaged in mutants((ARTIFACTS / "iped/test_mockDoc1.doc").read_bytes(), 150):
            never_fails("ole_documents", one(damaged))


def test_its_pictures_are_entries_with_the_bytes_that_were_put_in() -> None:
    item = one(word())
    said = run("ole_documents", item)
    assert problems(said) == []
    found = {child.name: bytes_of(item, child) for child in children(said)}
    assert found == {"part-1.jpg": JPEG, "part-2.png": PNG, "part-3.emf": METAFILE, "plan.txt": b"the plan, in full"}


def test_an_embedded_file_says_whence_it_came() -> None:
    (child,) = (c for c in children(run("ole_documents", one(word()))) if c.name == "plan.txt")
    (kind, title, facts) = child.findings[0]
    assert (kind, facts["embedded_from"]) == ("document-part", "D:\\private\\plan.txt")
    assert title == "a file embedded in a Word document, from D:\\private\\plan.txt"


def test_letters_are_read_by_the_code_page_it_states() -> None:
    (document,) = findings(run("ole_documents", one(word())), "document")
    assert document.title == "a Word document by Анна: Отчёт"
    assert (document.data["created"], document.data["program"]) == ("2024-01-17T21:20:00Z", "Microsoft Office Word")
    assert read_properties(properties({4: "Zoë"}, 1200)) == {4: "Zoë"}


def test_macros_are_told() -> None:
    (found,) = findings(run("ole_documents", one(word())), "document-script")
    assert found.data["streams"] == ["Macros/VBA"]


def test_a_presentation_gives_pictures_embedded_documents_and_sounds() -> None:
    item = one(slides())
    assert item.type is not None
    assert item.type.name == "ppt"
    found = [(child.name.rpartition(".")[2], bytes_of(item, child)) for child in children(run("ole_documents", item))]
    assert sorted(found) == sorted(
        [("png", PNG), ("jpg", JPEG), ("ole", bytes(3000)), ("ole", b"D" * 100), ("wav", b"RIFF" + bytes(60))],
    )


def test_a_picture_that_a_workbook_cuts_into_records_is_whole() -> None:
    item = one(workbook())
    assert [bytes_of(item, child) for child in children(run("ole_documents", item))] == [PNG]


def test_a_picture_cut_short_is_given_as_far_as_it_goes_and_that_is_said() -> None:
    item = one(word(Data=(bytes(68) + blip(0xF01D, 0x46A, JPEG))[: 200 + len(JPEG) // 2]))
    said = run("ole_documents", item)
    (child,) = (c for c in children(said) if c.name.endswith("jpg"))
    assert JPEG.startswith(bytes_of(item, child))
    assert "not all there" in problems(said)[0].message


def test_how_long_it_was_worked_on_is_told_in_minutes() -> None:
    said = run("ole_documents", one(word(**{"\x05SummaryInformation": properties({4: "Kim", 10: 95 * 600_000_000})})))
    assert findings(said, "document")[0].data["edited_minutes"] == 95


def test_streams_that_lie_over_each_other_are_not_searched_again_and_again() -> None:
    names = [f"s{number:02}" for number in range(40)]
    long = blip(0xF01D, 0x46A, JPEG) + bytes(200_000)
    data = bytearray(compound({"WordDocument": bytes(5000), names[0]: long, **{name: bytes(5000) for name in names[1:]}}))
    first, *others = (data.index(name.encode("utf-16-le") + b"\0\0") for name in names)
    for at in others:
        data[at + 116 : at + 128] = data[first + 116 : first + 128]
    said = run("ole_documents", one(bytes(data)))
    assert "streams of a document lie over each other: the rest is not searched" in [p.message for p in problems(said)]
    assert 1 <= len(children(said)) < 5


def test_documents_of_hangul_that_are_no_ole_files_are_left_alone() -> None:
    info = PLUGINS["ole_documents"]
    item = item_of(b"HWP Document File V3.00 \x1a\1\2\3\4\5" + bytes(3000), "vol1/a.hwp")
    assert run_plugin(info.load(), info.key(), item) == []


def test_damage_never_breaks_it() -> None:
    for sample in (word(), slides(), workbook()):
        for damaged in mutants(sample, 150):
            never_fails("ole_documents", one(damaged))
