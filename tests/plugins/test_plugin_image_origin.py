"""How a picture came to be: XMP of real pictures, made notes of generators and content credentials, and damage."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from real_samples import EVIDENCE, findings, item_of, mutants, never_fails, problems, run

if TYPE_CHECKING:
    from triage.plugin import Finding, Item

SAMPLES = EVIDENCE / "pictures" / "exif-samples"
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:xmpMM="m" xmlns:stEvt="s" xmlns:Iptc4xmpExt="i" xmp:CreatorTool="Paint 3" {more}>'
    "<xmpMM:DocumentID>xmp.did:1</xmpMM:DocumentID><xmpMM:History><rdf:Seq>"
    '<rdf:li stEvt:action="saved" stEvt:when="2024-01-02T03:04:05Z" stEvt:softwareAgent="Paint 3"/></rdf:Seq></xmpMM:History>'
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
)
PARAMETERS = "a dog on a hill\nNegative prompt: rain\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 4711, Size: 512x512, Model: base"
CLAIM = b"jumbc2pa\0" + b"\xa2\x6fclaim_generator\x6aMaker/1.20\x74claim_generator_infox" + (
    b"qdigitalSourceType\x78\x46http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    body = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, data) for name, data in body)


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    parts = b"".join(bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data for marker, data in segments)
    return b"\xff\xd8" + parts + b"\xff\xda\0\x08\x01\x01\0\0?\0\0\xff\xd9"


def app11(data: bytes, size: int = 100) -> list[tuple[int, bytes]]:
    """Return a JUMBF box in packets, each with the box's length and type before it."""
    box = struct.pack(">I", len(data) + 8) + b"jumb"
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return [(0xEB, b"JP\0\x01" + struct.pack(">I", number) + box + piece) for number, piece in enumerate(pieces, 1)]


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(name + struct.pack("<I", len(data)) + data + bytes(len(data) & 1) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def xmp(more: str = "") -> bytes:
    return XMP.format(more=more).encode()


def one(data: bytes, kind: str, name: str = "vol1/a.png") -> Finding:
    (found,) = findings(run("image_origin", item_of(data, name)), kind)
    return found


def samples() -> list[Item]:
    return [
        item_of(png((b"tEXt", b"parameters\0" + PARAMETERS.encode())), "vol1/a.png"),
        item_of(jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp())), "vol1/a.jpg"),
    ]


@pytest.mark.parametrize("name", [b"tEXt", b"zTXt", b"iTXt", b"packed iTXt"])
def test_the_prompt_of_a_generator_is_told(name: bytes) -> None:
    text = PARAMETERS.encode()
    body = {
        b"tEXt": b"parameters\0" + text,
        b"zTXt": b"parameters\0\0" + zlib.compress(text),
        b"iTXt": b"parameters\0\0\0\0\0" + text,
        b"packed iTXt": b"parameters\0\x01\0\0\0" + zlib.compress(text),
    }[name]
    found = one(png((name[-4:], body)), "generated")
    assert (found.data["prompt"], found.data["negative_prompt"], found.data["seed"], found.data["model"]) == (
        "a dog on a hill", "rain", "4711", "base",
    )  # fmt: skip
    assert found.data["generator"] == "Stable Diffusion web UI"


@pytest.mark.parametrize(
    ("texts", "generator", "prompt"),
    [
        ({"prompt": '{"3": {"class_type": "CLIPTextEncode", "inputs": {"text": "a \\"red\\" tent"}}}'}, "ComfyUI", 'a "red" tent'),
        ({"Software": "NovelAI", "Description": "a tent"}, "NovelAI", "a tent"),
        ({"Description": "a tent --v 6 Job ID: 1-2"}, "Midjourney", "a tent --v 6 Job ID: 1-2"),
        ({"invokeai_metadata": "{}"}, "InvokeAI", "{}"),
    ],
)
def test_generators_are_told_by_what_they_write(texts: dict[str, str], generator: str, prompt: str) -> None:
    found = one(png(*((b"tEXt", f"{key}\0{text}".encode()) for key, text in texts.items())), "generated")
    assert (found.data["generator"], found.data["prompt"]) == (generator, prompt)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_content_credentials_name_the_program_and_the_source(kind: str) -> None:
    data = {
        "jpeg": jpeg(*app11(CLAIM)),
        "png": png((b"caBX", CLAIM)),
        "webp": webp((b"VP8X", bytes(10)), (b"VP8L", b"/" + bytes(9)), (b"C2PA", CLAIM)),
    }[kind]
    assert one(data, "credentials").data == {"claim_generator": "Maker/1.20", "source_type": "trainedAlgorithmicMedia"}
    assert one(data, "generated").data == {"generator": "Maker/1.20", "source_type": "trainedAlgorithmicMedia"}


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_xmp_says_what_a_picture_was_made_with(kind: str) -> None:
    data = {
        "jpeg": jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp())),
        "png": png((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp())),
        "webp": webp((b"VP8X", bytes(10)), (b"VP8L", b"/" + bytes(9)), (b"XMP ", xmp())),
    }[kind]
    assert one(data, "edited").data == {
        "creator_tool": "Paint 3",
        "document_id": "xmp.did:1",
        "history": [{"action": "saved", "when": "2024-01-02T03:04:05Z", "softwareAgent": "Paint 3"}],
    }


def test_a_source_type_in_xmp_tells_a_generator() -> None:
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    data = jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(f'Iptc4xmpExt:DigitalSourceType="{source}"')))
    assert one(data, "generated").data["generator"] == "Paint 3"


def test_a_camera_is_no_generator() -> None:
    said = run("image_origin", item_of(png((b"tEXt", b"Software\0Paint 3"), (b"tEXt", b"Description\0a dog")), "vol1/a.png"))
    assert [f.kind for f in findings(said)] == ["edited"]


def test_a_packet_that_is_no_xml_is_said_and_entities_are_not_expanded() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "bb">]><a xmp:CreatorTool="&b;"/>'
    for packet in (b"<a", bomb):
        said = run("image_origin", item_of(jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)), "vol1/a.jpg"))
        assert [p.message for p in problems(said)] == ["an XMP packet of a picture cannot be read"]
        assert findings(said) == []


def test_a_text_that_swells_is_bounded() -> None:
    data = png((b"zTXt", b"parameters\0\0" + zlib.compress(b"Steps: 1" + bytes(50 << 20))))
    assert len(str(findings(run("image_origin", item_of(data, "vol1/a.png"))))) < 100_000


def test_more_notes_than_are_read_are_said() -> None:
    data = png(*[(b"tEXt", b"key%d\0" % n + b"x" * 10) for n in range(150)])
    assert [p.message for p in problems(run("image_origin", item_of(data, "vol1/a.png")))] == ["a picture holds more notes than are read"]


def test_damage_never_breaks_it() -> None:
    for sample in (
        png((b"tEXt", b"parameters\0" + PARAMETERS.encode()), (b"caBX", CLAIM)),
        jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp()), *app11(CLAIM)),
        webp((b"XMP ", xmp()), (b"C2PA", CLAIM)),
    ):
        for data in mutants(sample, 100):
            item = item_of(data, "vol1/a")
            if item.type is not None and item.type.name in ("png", "jpeg", "webp"):
                never_fails("image_origin", item)


@pytest.mark.evidence
@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared evidence is not here")
@pytest.mark.parametrize(
    ("name", "wanted"),
    [  # as exiftool 12.57 shows them
        ("jpg/Nikon_D70.jpg", {"creator_tool": "Adobe Photoshop CS2 Windows", "instance_id": "uuid:7478C2F1C0F2DC1196C89D103988A03E"}),
        ("jpg/Pentax_K10D.jpg", {"creator_tool": "Adobe Photoshop Elements 5.0 Windows", "creator": "Laitche"}),
        ("jpg/invalid/image00971.jpg", {"original_document_id": "uuid:345E7BBC487211DFACBFA8F3B3C9B964"}),
        ("jpg/long_description.jpg", {"creator": "SSG KYLE DAVIS", "credit": "HHC 1ST BCT, 10TH MOUNTAIN", "date_created": "2003-08-31"}),
    ],
)
def test_xmp_of_real_pictures(name: str, wanted: dict[str, str]) -> None:
    data = one((SAMPLES / name).read_bytes(), "edited", "vol1/a.jpg").data
    assert {key: data[key] for key in wanted} == wanted
