"""PDF documents: every picture of real ones, as poppler counts them; attachments, links, revisions of made ones; damage."""

from __future__ import annotations

import base64
import hashlib
import io
import time
import zlib
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from real_samples import ARTIFACTS, bytes_of, children, findings, item_of, mutants, needs_samples, never_fails, problems, run

from triage.artifacts.pdf import read_pdf
from triage.artifacts.structure import Notes

if TYPE_CHECKING:
    from triage.plugin import Item

PATH = "vol1/Users/kim/Documents/a.pdf"
# Document, and how many pictures `pdfimages -list` (poppler 22.12) counts in it, masks too.
REAL = {"2201-4": 3, "2201-7": 3, "2201-8": 3, "2201-9": 3, "2228-10": 5, "2228-11": 4, "2228-12": 3, "2228-15": 5, "2228-7": 5}


class TestRealSamples:
    pytestmark = needs_samples

    @pytest.mark.parametrize(("name", "many"), REAL.items(), ids=REAL)
    def test_every_picture_is_an_entry(self, name: str, many: int) -> None:
        item = item_of((ARTIFACTS / f"dfrws2011_sdcard/download/{name}.pdf").read_bytes(), PATH)
        said = run("pdf_contents", item)
        assert problems(said) == []
        assert len(children(said)) == many
        for child in children(said):
            data = bytes_of(item, child)
            assert len(data) == child.size
            picture = Image.open(io.BytesIO(data))
            picture.load()
            (kind, _, facts) = child.findings[0]
            assert (kind, picture.size) == ("document-part", (facts["width"], facts["height"]))
        (document,) = findings(said, "document")
        assert (document.data["author"], document.data["program"], document.data["pages"]) == ("Tim", "Draw", 1)
        assert document.data["created"].startswith("2011-05-0")

    def test_photos_come_out_as_they_were_put_in(self) -> None:
        item = item_of((ARTIFACTS / "iped/test_OCR.pdf").read_bytes(), PATH)
        said = run("pdf_contents", item)
        assert [c.name for c in children(said)][:2] == ["picture-5.jpg", "picture-16.jpg"]
        digests = {hashlib.md5(bytes_of(item, child), usedforsecurity=False).hexdigest() for child in children(said)}
        assert len(digests) == 9  # pdfimages -all gives nine files
        assert findings(said, "document")[0].data["author"] == "Felipe Costa"

    def test_an_encrypted_one_is_said_to_be(self) -> None:
        said = run("pdf_contents", item_of((ARTIFACTS / "iped/test_pdfProtected.pdf").read_bytes(), PATH))
        assert (children(said), findings(said)) == ([], [])
        assert "is encrypted" in problems(said)[0].message


def stream(number: int, dictionary: str, data: bytes) -> bytes:
    return f"{number} 0 obj\n<< {dictionary} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream\nendobj\n"


def picture(number: int, size: tuple[int, int], space: str, rows: bytes, more: str = "") -> bytes:
    facts = f"/Subtype /Image /Width {size[0]} /Height {size[1]} /ColorSpace {space} /BitsPerComponent 8 /Filter /FlateDecode {more}"
    return stream(number, facts, zlib.compress(rows))


def photo(colour: tuple[int, int, int], size: tuple[int, int] = (40, 30)) -> Image.Image:
    made = Image.new("RGB", size, colour)
    made.putpixel((3, 4), (9, 8, 7))
    return made


def jpeg(colour: tuple[int, int, int]) -> bytes:
    out = io.BytesIO()
    photo(colour).save(out, "JPEG")
    return out.getvalue()


def up(rows: bytes, width: int) -> bytes:
    """Rows under PNG's predictor "up"."""
    found, before = b"", bytes(width)
    for at in range(0, len(rows), width):
        row = rows[at : at + width]
        found += b"\2" + bytes((a - b) & 255 for a, b in zip(row, before, strict=True))
        before = row
    return found


def document() -> bytes:
    rgb = photo((200, 10, 20)).tobytes()
    dct = "/Type /XObject /Subtype /Image /Width 40 /Height 30 /Filter /DCTDecode"
    specs = [
        b"<</Type /Filespec /F (a.txt) /UF <FEFF006E006F00740065002000FC002E007400780074> /EF <</F 7 0 R>>>>",
        b"<</S /URI /URI (https://a.example/x\\(1\\))>>",
    ]
    numbers = f"20 0 21 {len(specs[0]) + 1} ".encode()
    objects = zlib.compress(numbers + b" ".join(specs))
    return (
        b"%PDF-1.7\n%\xe2\xe3\n"
        + picture(1, (40, 30), "/DeviceRGB", rgb)
        + picture(2, (40, 30), "[/ICCBased 9 0 R]", up(rgb, 120), "/DecodeParms << /Predictor 15 /Colors 3 /Columns 40 >>")
        + picture(3, (40, 30), "[/Indexed /DeviceRGB 1 <000000 C80A14>]", b"\1" * 1200)
        + picture(4, (40, 30), "/DeviceCMYK", bytes((0, 255, 255, 0)) * 1200)
        + stream(5, dct, jpeg((1, 2, 3)))
        + stream(6, "/Subtype /Image /Width 40 /Height 30 /Filter [/FlateDecode /DCTDecode]", zlib.compress(jpeg((50, 60, 70))))
        + stream(7, "/Type /EmbeddedFile /Filter /FlateDecode /Params << /ModDate (D:20240506070809Z) >>", zlib.compress(b"the note\n"))
        + stream(8, "/Subtype /Image /Width 4 /Height 4 /Filter /FlateDecode", zlib.compress(bytes(48)))
        + stream(9, "/N 3", b"a profile")
        + stream(10, "/Subtype /Image /Width 40 /Height 30 /Filter /CCITTFaxDecode", b"fax")
        + stream(11, f"/Type /ObjStm /N 2 /First {len(numbers)} /Filter /FlateDecode", objects)
        + b"12 0 obj\n<< /Title (A \\(real\\) title) /Author <FEFF00DC006D006900740> /CreationDate (D:20110507123226-04'00') >>\nendobj\n"
        + b"13 0 obj << /Type /Annot /A << /S /URI /URI (https://b.example/) >> >> endobj\n14 0 obj << /Type /Page >> endobj\n"
        + b"15 0 obj << /OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >> >> endobj\n"
        + b"trailer << /Root 15 0 R /Info 12 0 R >>\n%%EOF\n"
        + stream(5, dct, jpeg((99, 98, 97)))
        + b"trailer << /Root 15 0 R /Info 12 0 R >>\n%%EOF\n"
    )  # fmt: skip


def parts() -> tuple[Item, dict[str, list[bytes]], list[object]]:
    item = item_of(document(), PATH)
    said = run("pdf_contents", item)
    found: dict[str, list[bytes]] = {}
    for child in children(said):
        found.setdefault(child.name, []).append(bytes_of(item, child))
    return item, found, said


def test_rows_of_pixels_become_pictures() -> None:
    _, found, _ = parts()
    wanted = photo((200, 10, 20))
    for name in ("picture-1.png", "picture-2.png"):
        assert Image.open(io.BytesIO(found[name][0])).tobytes() == wanted.tobytes()
    assert Image.open(io.BytesIO(found["picture-3.png"][0])).convert("RGB").getpixel((0, 0)) == (0xC8, 0x0A, 0x14)
    assert Image.open(io.BytesIO(found["picture-4.png"][0])).getpixel((5, 5)) == (255, 0, 0)


def test_photos_and_attachments_are_their_own_bytes() -> None:
    item, found, _ = parts()
    assert found["picture-6.jpg"] == [jpeg((50, 60, 70))]
    assert found["note ü.txt"] == [b"the note\n"]
    (attached,) = [c for c in children(run("pdf_contents", item)) if c.name == "note ü.txt"]
    assert attached.findings[0].data == {"modified": "2024-05-06T07:08:09Z"}


def test_what_an_earlier_revision_showed_is_there_and_marked() -> None:
    item, found, _ = parts()
    assert found["picture-5.jpg"] == [jpeg((1, 2, 3)), jpeg((99, 98, 97))]
    both = [c for c in children(run("pdf_contents", item)) if c.name == "picture-5.jpg"]
    assert [c.findings[0].data.get("replaced", False) for c in both] == [True, False]


def test_what_the_document_says_of_itself() -> None:
    _, _, said = parts()
    (about,) = findings(said, "document")
    assert about.title == "a PDF document by Ümit: A (real) title" or about.data["author"].startswith("Ümit")
    assert (about.data["created"], about.data["revisions"], about.data["pages"], about.data["user"]) == (
        "2011-05-07T12:32:26-04:00",
        2,
        1,
        "kim",
    )
    assert sorted(f.data["url"] for f in findings(said, "document-link")) == ["https://a.example/x(1)", "https://b.example/"]
    assert [f.data["actions"] for f in findings(said, "document-script")] == [1]
    assert [p.message for p in problems(said)] == [
        "a picture of a PDF document is kept in a way that is not read: its bytes are an entry that cannot be shown"
    ]


def test_a_document_without_its_end_gives_what_is_there() -> None:
    cut = document()[: document().index(b"trailer")]
    assert len(children(run("pdf_contents", item_of(cut, PATH)))) == 8
    assert len(children(run("pdf_contents", item_of(cut[: len(cut) // 2], PATH)))) >= 2


def objects(number: int, *inner: tuple[int, bytes], places: list[int] | None = None) -> bytes:
    """An object stream of these objects, each at its own place or where ``places`` says."""
    own = [sum(len(text) + 1 for _, text in inner[:at]) for at in range(len(inner))]
    numbers = "".join(f"{one} {place} " for (one, _), place in zip(inner, places or own, strict=True)).encode()
    packed = zlib.compress(numbers + b" ".join(text for _, text in inner))
    return stream(number, f"/Type /ObjStm /N {len(inner)} /First {len(numbers)} /Filter /FlateDecode", packed)


def test_a_later_revision_s_object_stream_says_what_holds() -> None:
    before = b"%PDF-1.5\n3 0 obj <</Type /Page>> endobj\n4 0 obj <</Title (old)>> endobj\ntrailer <</Info 4 0 R>>\n%%EOF\n"
    later = objects(9, (3, b"<</Type /Page>>"), (4, b"<</Title (new)>>"))
    (about,) = findings(run("pdf_contents", item_of(before + later + b"%%EOF\n", PATH)), "document")
    assert (about.data["title"], about.data["pages"], about.data["revisions"]) == ("new", 1, 2)
    (about,) = findings(run("pdf_contents", item_of(before[:9] + later + before[9:], PATH)), "document")
    assert (about.data["title"], about.data["pages"]) == ("old", 1)


def lzw(data: bytes, size: tuple[int, int]) -> bytes:
    """Rows of grey as libtiff packs them, which is as PDF does."""
    out = io.BytesIO()
    Image.frombytes("L", size, data).save(out, "TIFF", compression="tiff_lzw", tiffinfo={278: size[1]})
    with Image.open(out) as made:
        (at,), (length,) = made.tag_v2[273], made.tag_v2[279]
    return out.getvalue()[at : at + length]


NOISE = Image.effect_noise((90, 70), 60).tobytes()
FILTERED = {
    "/LZWDecode": lzw(NOISE, (90, 70)),
    "/ASCIIHexDecode": NOISE.hex().encode() + b">",
    "/AHx": b"\n".join(NOISE.hex().encode()[at : at + 60] for at in range(0, len(NOISE) * 2, 60)),
    "[/ASCII85Decode /FlateDecode]": base64.a85encode(zlib.compress(NOISE)) + b"~>",
    "[/A85 /LZW]": base64.a85encode(lzw(NOISE, (90, 70)), wrapcol=72) + b"~>",
    "/RunLengthDecode": b"".join(bytes([len(NOISE[at : at + 128]) - 1]) + NOISE[at : at + 128] for at in range(0, len(NOISE), 128))
    + b"\x80",
}


@pytest.mark.parametrize("names", FILTERED)
def test_pictures_under_other_filters_are_read(names: str) -> None:
    facts = f"/Subtype /Image /Width 90 /Height 70 /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter {names}"
    item = item_of(b"%PDF-1.4\n" + stream(1, facts, FILTERED[names]), PATH)
    said = run("pdf_contents", item)
    (child,) = children(said)
    assert problems(said) == []
    assert Image.open(io.BytesIO(bytes_of(item, child))).tobytes() == NOISE


def test_runs_are_drawn_out() -> None:
    facts = "/Subtype /Image /Width 50 /Height 20 /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /RunLengthDecode"
    item = item_of(b"%PDF-1.4\n" + stream(1, facts, bytes([257 - 100, 7]) * 10 + b"\x80"), PATH)
    (child,) = children(run("pdf_contents", item))
    assert Image.open(io.BytesIO(bytes_of(item, child))).tobytes() == b"\7" * 1000


def test_a_fax_is_an_entry_of_its_own_bytes() -> None:
    _, found, _ = parts()
    assert found["picture-10.ccitt"] == [b"fax"]


def test_xmp_says_what_the_information_does_not() -> None:
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" xmp:CreateDate="2020-01-02T03:04:05Z" '
        b'dc:format="application/pdf"><dc:creator><rdf:Seq><rdf:li>Kim</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF></x:xmpmeta>'
    )
    data = b"%PDF-1.4\n4 0 obj <</Title (A) /Author (Jo)>> endobj\n" + stream(5, "/Type /Metadata /Subtype /XML", packet)
    (about,) = findings(run("pdf_contents", item_of(data, PATH)), "document")
    assert (about.data["author"], about.data["created"]) == ("Kim", "2020-01-02T03:04:05Z")
    (about,) = findings(run("pdf_contents", item_of(data + b"trailer <</Info 4 0 R>>", PATH)), "document")
    assert (about.data["author"], about.data["title"], about.data["created"]) == ("Jo", "A", "2020-01-02T03:04:05Z")


def test_a_date_that_no_calendar_has_is_none() -> None:
    data = b"%PDF-1.4\n4 0 obj <</Title (A) /CreationDate (D:20209901000000Z)>> endobj\ntrailer <</Info 4 0 R>>"
    (about,) = findings(run("pdf_contents", item_of(data, PATH)), "document")
    assert "created" not in about.data


@pytest.mark.parametrize("text", [b"1 0 obj(", b"1 0 obj<", b"1 0 obj[ 1 ", b"1 0 obj<</A(", b"trailer(", b"1 0 obj %\n"])
def test_objects_inside_each_other_take_no_longer_the_more_there_are(text: bytes) -> None:
    notes, started = Notes(), time.process_time()
    read_pdf(b"%PDF-1.4\n" + text * 20_000 + b"1 " * 200_000, notes)
    assert time.process_time() - started < 10


def test_objects_of_a_stream_that_lie_over_each_other_are_read_once() -> None:
    large = b"[" + b"1 " * 9000 + b"]"
    data = objects(2, (1, large), *((number, b"0") for number in range(3, 3000)), places=[0] * 2998)
    notes = Notes()
    found = read_pdf(b"%PDF-1.5\n" + data, notes)
    assert len(found.objects) < 20
    assert notes.lines() == ("objects of a stream lie over each other, or are too many: the rest is left out",)


@pytest.mark.parametrize(
    "text", [b"<<" * 5000, b"[" * 5000, b"(" * 5000, b"/A " * 9000, b"1 0 R " * 5000, b"<" * 5000, b"%" * 5000, b"1 0 obj" * 3000]
)
def test_what_does_not_end_ends_soon(text: bytes) -> None:
    notes = Notes()
    read_pdf(b"%PDF-1.4\n1 0 obj\n" + text, notes)
    read_pdf(b"%PDF-1.4\n1 0 obj\n<< /A " + text, notes)


def test_damage_never_breaks_it() -> None:
    for data in mutants(document(), 250):
        never_fails("pdf_contents", item_of(b"%PDF-1.7\n" + data[9:], PATH))


def samples() -> list[Item]:
    return [item_of(document(), PATH)]
