"""OLE files: the last sector in use, the kind by the streams in the root, chains that lead astray, and what lies in the streams."""

from __future__ import annotations

import json
import random
import struct
from typing import TYPE_CHECKING

import pytest
from document_samples import FREE, ole, properties, record, slides, words, workbook
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, asked, form, holds, mutants, noise_picture, samples, saved, together, walk

from triage.carving.carved import carved_of
from triage.carving.cfb import read_compound
from triage.carving.entries import pack, unpack
from triage.carving.forms import Structure, Walked
from triage.carving.space import Area
from triage.carving.window import window_of

if TYPE_CHECKING:
    from pathlib import Path

THUMBNAIL = saved(noise_picture(96, 72), "JPEG")
BOOK = ole({"Workbook": workbook(3, 400), "\x05SummaryInformation": properties()})
SLIDES = ole({**slides(), "\x05SummaryInformation": properties()})
THUMBS = ole({"1": struct.pack("<III", 12, 1, len(THUMBNAIL)) + THUMBNAIL, "Catalog": bytes(82)})
MAIL = ole({"__properties_version1.0": bytes(64), "__substg1.0_1000001F": words(2000), "__substg1.0_0037001F": words(4)})
KINDS = {"xls": BOOK, "ppt": SLIDES, "db": THUMBS, "msg": MAIL}


def sound(data: bytes) -> Walked:
    walked = walk("ole", data)
    assert walked is not None
    return walked


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_real_ones_end_with_their_last_sector_in_use(behind: bytes, evidence_root: Path) -> None:
    kinds = {
        "password-protected-example.xls": "ole",
        "sample.msg": "msg",
        "HWP2016.hwp.testfile": "hwp",
        "test_cryptoDoc.docx": "ole",
        "test_msgSampleAttach.msg": "msg",
        "test_msgSample.msg": "msg",
        "test_mockDoc1.doc": "doc",
        "Thumbs.db": "db",
    }
    seen = 0
    patterns = (
        "types/magika/*/*/*.xls",
        "types/magika/*/outlook/*",
        "types/file-tests/*.hwp.testfile",
        "artifacts/iped/*",
        "artifacts/**/Thumbs.db",
    )
    for name, data in samples(evidence_root, *patterns):
        if name in kinds:
            walked = sound(data + behind)
            assert (walked.structure, walked.length, walked.extension) == (Structure.COMPLETE, len(data), kinds[name]), (name, walked.why)
            if name == "Thumbs.db":
                assert walked.facts["kind"] == "thumbs"
                assert walked.checked
                assert walked.parts
            seen += 1
    assert seen >= 9


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_are_told_apart_and_end_exactly(kind: str, behind: bytes) -> None:
    walked = sound(KINDS[kind] + behind)
    assert (walked.structure, walked.length, walked.extension) == (Structure.COMPLETE, len(KINDS[kind]), kind), walked.why
    assert walked.checked == (kind != "msg")


def test_more_kinds_have_their_extensions() -> None:
    def extension(streams: dict[str, bytes], clsid: bytes = bytes(16)) -> str:
        return sound(ole(streams, clsid=clsid)).extension

    assert extension({"Quill": words(10)}) == "pub"
    assert extension({"   114": words(10)}) == "mpp"
    assert extension({"DestList": words(10), "1": words(20)}) == "jumplist"
    assert extension({"VisioDocument": words(10)}) == "vsd"
    assert extension({"anything": words(10)}, bytes.fromhex("84100c0000000000c000000000000046")) == "msi"
    assert extension({"anything": words(10)}) == "ole"
    assert extension({"256_e2015f1be554ff60": words(10)}) == "db"


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_walk_says_passes_from_a_worker_to_its_parent(kind: str) -> None:
    data = KINDS[kind]
    where = Area(evidence="e", volume=None, volume_offset=0, kind="volume", name="v", stretches=((0, len(data)),))
    carved = carved_of(sound(data), form("ole"), [(0, len(data))], where, jumps=False)
    assert unpack(json.loads(json.dumps(pack(carved))), len(data)) == carved


def test_tables_at_the_beginning_are_read_as_well() -> None:
    data = ole({"Workbook": workbook()}, late=False)
    walked = sound(data + NOISE)
    assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data))


def test_free_sectors_inside_belong_to_it() -> None:
    found = read_compound(window_of(BOOK))
    assert found is not None
    data = bytearray(ole({"a": words(2000), "b": words(2000, 2)}))
    table = next(at for at in range(512, len(data), 512) if struct.unpack_from("<I", data, at + (at - 512) // 512 * 4)[0] == 0xFFFFFFFD)
    kept = read_compound(window_of(bytes(data)))
    assert kept is not None
    first = next(entry for entry in kept.entries if entry.name == "a")
    for number in first.chain or ():
        struct.pack_into("<I", data, table + 4 * number, FREE)
    walked = sound(bytes(data) + bytes(2000))
    assert (walked.structure, walked.length) == (Structure.DAMAGED, len(data))


def test_thumbnails_are_its_children() -> None:
    walked = sound(THUMBS + bytes(512))
    (part,) = walked.parts
    assert THUMBS[part.offset : part.offset + part.length] == THUMBNAIL
    assert (part.extension, part.name) == ("jpg", "thumbnail")


@pytest.mark.parametrize("kind", ["xls", "ppt"])
@pytest.mark.parametrize("what", [NOISE[:512], bytes(512), words(300)[:512]], ids=["random", "zeros", "text"])
def test_an_overwritten_sector_is_noticed(kind: str, what: bytes) -> None:
    data = KINDS[kind]
    for at in range(1024, len(data) - 512, 512):
        walked = walk("ole", data[:at] + what + data[at + 512 :] + bytes(2000))
        assert walked is None or walked.structure is not Structure.COMPLETE or not walked.checked, at


def test_a_gap_is_noticed() -> None:
    for at in range(1024, len(BOOK) - 512, 1024):
        walked = walk("ole", BOOK[:at] + NOISE[:4096] + BOOK[at:] + bytes(2000))
        assert walked is None or walked.structure is not Structure.COMPLETE, at


@pytest.mark.parametrize("kind", ["xls", "ppt"])
@pytest.mark.parametrize(
    "between", [NOISE[:8192], bytes(8192), words(2000)[:8192], BOOK[512:8704]], ids=["random", "zeros", "text", "book"]
)
def test_two_pieces_are_put_together_where_the_records_prove_it(kind: str, between: bytes) -> None:
    data, joined = KINDS[kind], 0
    ends = {"xls": len(workbook(3, 400)), "ppt": len(slides()["PowerPoint Document"])}
    for cut in range(1024, ends[kind], 1024):
        space = data[:cut] + between + data[cut:] + bytes(4000)
        window, walked = asked("ole", space)
        if walked is None:
            continue
        assert not (walked.structure is Structure.COMPLETE and walked.checked)
        found = form("ole").rejoin(window, walked)
        if found is not None:
            assert (found.structure, found.checked) == (Structure.FRAGMENTED, True)
            assert together(space, found) == data, cut
            joined += 1
    assert joined > ends[kind] // 1024 * 0.8


def test_nothing_is_put_together_that_nothing_proves() -> None:
    for cut in (1024, 4096, 8192):
        window, walked = asked("ole", MAIL[:cut] + NOISE[:8192] + MAIL[cut:] + bytes(4000))
        assert walked is None or form("ole").rejoin(window, walked) is None


def test_one_that_the_space_cuts_says_how_long_it_was() -> None:
    data = ole({"Workbook": workbook(), "later": words(3000)}, late=False)
    walked = sound(data[:-2048])
    assert (walked.structure, walked.length) == (Structure.TRUNCATED, len(data) - 2048)
    assert str(len(data)) in walked.why


def test_a_document_without_its_tables_is_kept_for_its_text() -> None:
    text = bytearray(words(3000).ljust(16384, b" "))
    text[:4] = b"\xec\xa5\xc1\0"
    data = ole({"WordDocument": bytes(text), "1Table": words(1000)})
    walked = sound(data[:12288] + NOISE[:20000])
    assert (walked.structure, walked.extension) == (Structure.TRUNCATED, "doc")
    assert walk("ole", ole({"other": words(3000)})[:8192] + NOISE[:20000]) is None


def document(pages: int = 3) -> tuple[bytes, bytes]:
    """A Word document's two main streams: text with pages of character formats, and the table of them."""
    text = bytearray(512 * 20)
    text[:4], text[11] = b"\xec\xa5\xc1\0", 2
    begins = [512 * n for n in range(1, pages + 2)]
    for n in range(pages):
        struct.pack_into("<I", text, 512 * (10 + n), begins[n])
    plc = struct.pack(f"<{pages + 1}I", *begins) + struct.pack(f"<{pages}I", *range(10, 10 + pages))
    clx = b"\2" + bytes(15)
    struct.pack_into("<II", text, 0xFA, len(clx), len(plc))
    struct.pack_into("<II", text, 0x1A2, 0, len(clx))
    return bytes(text), (clx + plc).ljust(4096, b"\0")


def test_the_tables_of_a_document_are_held_against_its_text() -> None:
    text, table = document()
    assert sound(ole({"WordDocument": text, "1Table": table})).structure is Structure.COMPLETE
    for changed in (
        text[: 512 * 11] + NOISE[:512] + text[512 * 12 :],
        text[:0x1A2] + struct.pack("<II", 1 << 30, 16) + text[0x1AA:],
        text[:0xFA] + struct.pack("<II", 1 << 30, 100) + text[0x102:],
    ):
        assert sound(ole({"WordDocument": changed, "1Table": table})).structure is Structure.DAMAGED


def test_records_that_lie_are_damage() -> None:
    for book in (
        workbook()[:-4],
        workbook() + b"",
        record(0x0809, bytes(16)) + record(0x0085, struct.pack("<IHBB", 7, 0, 6, 0) + b"Sheet1") + record(0x000A, b""),
        record(0x0809, bytes(16)) + struct.pack("<HH", 0x0203, 9000) + bytes(9000),
    ):
        data = ole({"Workbook": book.ljust(4096, b"\0")})
        assert sound(data).structure is (Structure.COMPLETE if book == workbook() else Structure.DAMAGED)


@pytest.mark.parametrize(
    "data",
    [
        BOOK[:8] + NOISE[:20000],
        BOOK[:512] + NOISE[:20000],
        BOOK[:512] + bytes(20000),
        BOOK[:76] + NOISE[:20000],
        BOOK[:44] + b"\xff\xff\xff\xff" + BOOK[48:],
        BOOK[:48] + b"\xff\xff\xff\xff" + BOOK[52:],
        BOOK[:30] + b"\x0f\0" + BOOK[32:],
        BOOK[:100],
    ],
)
def test_what_only_looks_like_one_is_none(data: bytes) -> None:
    walked = walk("ole", data)
    assert walked is None or (walked.structure is Structure.TRUNCATED and walked.extension == "xls")


def test_chains_that_bite_their_tail_end() -> None:
    data = bytearray(BOOK)
    found = read_compound(window_of(BOOK))
    assert found is not None
    table = struct.unpack_from("<I", data, 76)[0] * 512 + 512
    struct.pack_into("<I", data, table + 4 * 20, 3)
    window, walked = asked("ole", bytes(data))
    assert walked is None or walked.structure is Structure.DAMAGED
    assert window.spent < 4 * len(data)


def test_countless_tables_are_not_read_past_the_space() -> None:
    data = BOOK[:44] + struct.pack("<I", 0xFFFF) + BOOK[48:68] + struct.pack("<II", 1, 0xFFFFFFFF) + BOOK[76:]
    window, _ = asked("ole", data)
    assert window.spent < 4 * len(data)


@given(st.binary(max_size=1200), st.integers(0, len(MAIL)))
def test_any_bytes_keep_within_bounds(behind: bytes, cut: int) -> None:
    holds("ole", MAIL[:512] + behind, allowance=8 << 20)
    holds("ole", MAIL[:cut] + behind + MAIL[cut:], allowance=8 << 20)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_copies_keep_within_bounds(kind: str) -> None:
    for changed in mutants(KINDS[kind], 200, seed=len(kind)):
        holds("ole", changed, allowance=16 << 20)
    chance = random.Random(5)
    header = bytearray(KINDS[kind])
    for _ in range(200):
        changed = bytearray(header)
        at = chance.randrange(24, 512)
        changed[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xfe\xff\xff\xff", chance.randbytes(4)))
        holds("ole", bytes(changed), allowance=16 << 20)
