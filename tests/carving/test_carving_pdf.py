"""PDF: the true end among several, tables of both kinds, what is overwritten or cut, and files in two pieces."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from document_samples import contents, pdf, stream, table_of, words
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, asked, form, holds, mutants, samples, together, walk

from triage.carving.forms import Structure
from triage.carving.pdftables import read_tables
from triage.carving.window import WindowSpentError, window_of

if TYPE_CHECKING:
    from pathlib import Path

TABLES = ("table", "stream", "predicted")
PDF = pdf(contents())
JPEG = (
    b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xda\0\x08\1\1\0\0\x3f\0" + NOISE[:40000].replace(b"\xff", b"\xff\0") + b"\xff\xd9"
)


def whole(data: bytes, behind: bytes, length: int | None = None) -> None:
    walked = walk("pdf", data + behind)
    assert walked is not None
    assert (walked.structure, walked.length, walked.checked) == (Structure.COMPLETE, length or len(data), True), walked.why


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_real_ones_end_where_they_do(behind: bytes, evidence_root: Path) -> None:
    seen = 0
    for name, data in samples(
        evidence_root, "types/magika/*/pdf/*.pdf", "artifacts/iped/*.pdf", "artifacts/dfrws2011_sdcard/download/*.pdf"
    ):
        padded = data + bytes(-len(data) % 512)
        for followed in (padded + behind, padded + data):
            walked = walk("pdf", followed)
            assert walked is not None, name
            assert (walked.structure, walked.length, walked.checked) == (Structure.COMPLETE, len(data), True), (name, walked.why)
        seen += 1
    assert seen >= 10


def test_real_ones_in_two_pieces_are_put_together_or_left_alone(evidence_root: Path) -> None:
    exact, seen, chance = 0, 0, random.Random(2)
    for name, data in samples(evidence_root, "types/magika/*/pdf/*.pdf", "artifacts/dfrws2011_sdcard/download/*.pdf"):
        if len(data) < 20000:
            continue
        for gap in (4096, 20480):
            cut = chance.randrange(1, len(data) // 4096) * 4096
            space = data[:cut] + NOISE[:gap] + data[cut:] + bytes(4000)
            window, walked = asked("pdf", space, block=4096)
            assert walked is not None, name
            assert not (walked.structure is Structure.COMPLETE and walked.checked), name
            joined = form("pdf").rejoin(window, walked)
            seen += 1
            if joined is not None:
                assert together(space, joined) == data, (name, cut, gap)
                exact += 1
    assert exact > seen * 0.8


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_it_ends_at_the_mark_that_leads_to_its_table(table: str, behind: bytes) -> None:
    whole(pdf(contents(), table=table), bytes(20) + behind)


@pytest.mark.parametrize("end", [b"%%EOF", b"%%EOF\n", b"%%EOF\r\n", b"%%EOF\r", b"%%EOF\n\n", b"%%EOF \r\n"])
def test_line_ends_behind_the_mark_are_its_own(end: bytes) -> None:
    whole(pdf(contents(), end=end), bytes(100))


@pytest.mark.parametrize("table", TABLES)
def test_updates_belong_to_it(table: str) -> None:
    twice = pdf([b"<</Changed 1>>"], before=PDF, previous=table_of(PDF), first=3, table=table)
    thrice = pdf([stream(words(3000, 50))], before=twice, previous=table_of(twice), first=4)
    for data in (twice, thrice):
        whole(data, bytes(100) + PDF)
    assert read_tables(window_of(thrice), table_of(thrice), len(thrice)).revisions == 3


def test_an_update_that_breaks_off_leaves_the_file_before_it() -> None:
    update = pdf([stream(NOISE[:3000], b"")], before=PDF, previous=table_of(PDF), first=4)
    walked = walk("pdf", update[: len(PDF) + 2000] + NOISE[:9000])
    assert walked is not None
    assert (walked.structure, walked.length) == (Structure.TRUNCATED, len(PDF))
    assert "update" in walked.why


def linearized() -> bytes:
    """A file whose first table stands at its beginning, and whose first dictionary says how long it is (annex F)."""
    objects = contents()
    body, places = b"", []
    start = 9 + len(b"1 0 obj\n<</Linearized 1/L 0000000000/N 1>>\nendobj\n") + 200
    for number, content in enumerate(objects, 2):
        places.append(start + len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    main = start + len(body)
    first = b"xref\n1 1\n%010d 00000 n \ntrailer\n<</Size %d/Prev %d>>\nstartxref\n0\n%%%%EOF\n" % (9, len(objects) + 2, main)
    table = b"xref\n2 %d\n" % len(objects) + b"".join(b"%010d 00000 n \n" % at for at in places) + b"trailer\n<</Size 99>>\n"
    opened = b"%%PDF-1.6\n1 0 obj\n<</Linearized 1/L %010d/N 1>>\nendobj\n"
    at = len(opened % 0)
    tail = table + b"startxref\n%d\n%%%%EOF\n" % at
    return (opened % (main + len(tail))) + first.ljust(start - at) + body + tail


def test_a_linearized_file_is_as_long_as_it_says() -> None:
    data = linearized()
    whole(data, bytes(50))
    walked = walk("pdf", data + NOISE[:500])
    assert walked is not None
    assert walked.facts["linearized"] == "yes"


def test_it_does_not_run_on_into_the_next() -> None:
    padded = PDF + bytes(-len(PDF) % 512)
    whole(PDF, padded[len(PDF) :] + PDF)
    cut = PDF[: len(PDF) // 1024 * 512]
    walked = walk("pdf", cut + PDF)
    assert walked is not None
    assert walked.structure is Structure.TRUNCATED
    assert walked.length <= len(cut)


def test_an_attached_pdf_does_not_end_it() -> None:
    whole(pdf([*contents(), stream(pdf(contents(3)), b""), *contents(4, seed=9)]), bytes(50))


@pytest.mark.parametrize("what", [NOISE[:4096], bytes(4096), words(1000)[:4096], PDF[8192:12288]], ids=["random", "zeros", "text", "pdf"])
def test_an_overwritten_block_is_noticed_wherever_it_lies(what: bytes) -> None:
    data = pdf([*contents(20, 4000), stream(JPEG, b"/Filter/DCTDecode")])
    for at in range(4096, len(data) - 4096, 4096):
        window, walked = asked("pdf", data[:at] + what + data[at + 4096 :] + bytes(4000), block=4096)
        assert walked is not None
        assert walked.structure in (Structure.DAMAGED, Structure.TRUNCATED), at
        assert (walked.valid or walked.length) <= at + 4096
        assert form("pdf").rejoin(window, walked) is None


@pytest.mark.parametrize("table", TABLES)
def test_two_pieces_are_put_together_exactly(table: str) -> None:
    data = pdf(contents(20, 4000), table=table)
    for cut in range(4096, len(data), 12288):
        space = data[:cut] + NOISE[:12288] + data[cut:] + bytes(4000)
        window, walked = asked("pdf", space, block=4096)
        assert walked is not None, cut
        joined = form("pdf").rejoin(window, walked)
        assert joined is not None, cut
        assert (joined.structure, joined.checked, joined.pieces) == (
            Structure.FRAGMENTED,
            True,
            ((0, cut), (cut + 12288, len(data) - cut)),
        )
        assert together(space, joined) == data


def test_what_lies_in_the_gap_is_left_to_others() -> None:
    data = pdf(contents(20, 4000))
    for cut in range(8192, len(data) - 8192, 8192):
        walked = walk("pdf", data[:cut] + NOISE[:12288] + data[cut:] + bytes(4000))
        assert walked is not None
        assert walked.structure is Structure.TRUNCATED
        assert walked.valid is not None
        assert walked.valid <= cut
        assert walked.length >= cut - 512


def test_another_whole_pdf_may_lie_between_the_pieces() -> None:
    data, between = pdf(contents(20, 4000)), PDF + bytes(-len(PDF) % 4096)
    cut = len(data) // 8192 * 4096
    space = data[:cut] + between + data[cut:] + bytes(4000)
    window, walked = asked("pdf", space, block=4096)
    assert walked is not None
    assert walked.structure is Structure.TRUNCATED
    joined = form("pdf").rejoin(window, walked)
    assert joined is not None
    assert together(space, joined) == data


def test_a_picture_across_the_gap_is_put_together_only_where_one_place_fits() -> None:
    data = pdf([*contents(3), stream(JPEG, b"/Filter/DCTDecode"), *contents(3, seed=7)])
    cut = (data.find(b"\xff\xd8\xff") + 20000) // 4096 * 4096
    space = data[:cut] + NOISE[-8192:] + data[cut:] + bytes(4000)
    window, walked = asked("pdf", space, block=4096)
    assert walked is not None
    joined = form("pdf").rejoin(window, walked)
    assert joined is not None
    assert together(space, joined) == data
    locked = pdf([*contents(3), stream(NOISE[:40000], b"/Filter/CCITTFaxDecode"), *contents(3, seed=7)])
    cut = (locked.find(b"CCITT") + 20000) // 4096 * 4096
    window, walked = asked("pdf", locked[:cut] + NOISE[-8192:] + locked[cut:] + bytes(4000), block=4096)
    assert walked is not None
    assert form("pdf").rejoin(window, walked) is None, "nothing in such data says where the gap begins"


def test_what_is_plain_in_an_encrypted_file_is_no_damage() -> None:
    coded = [stream(NOISE[n * 9000 : n * 9000 + 9000], b"") for n in range(4)]
    data = pdf([*contents(0), *coded, stream(words(2000), b"/Type/Metadata/Subtype/XML")]).replace(
        b"/Root 1 0 R", b"/Root 1 0 R/Encrypt 9 0 R"
    )
    whole(data, bytes(100))
    at = (data.find(b"stream\n") + 4096) // 512 * 512
    walked = walk("pdf", data[:at] + words(300)[:512] + data[at + 512 :] + bytes(100))
    assert walked is not None
    assert walked.structure is Structure.DAMAGED
    assert walked.facts["encrypted"] == "yes"


def test_missing_bytes_make_it_damaged() -> None:
    data = pdf(contents(20, 4000))
    walked = walk("pdf", data[:8192] + data[12288:] + bytes(3000))
    assert walked is not None
    assert (walked.structure, walked.length) == (Structure.DAMAGED, len(data) - 4096)
    assert "4096 bytes" in walked.why


def test_one_cut_short_ends_behind_its_last_whole_object() -> None:
    for cut in range(8192, len(PDF), 4096):
        walked = walk("pdf", PDF[:cut] + NOISE[:9000])
        assert walked is not None
        assert (walked.structure, PDF[:cut].rfind(b"endobj") + 6) == (Structure.TRUNCATED, walked.length)
        assert walked.facts["whole objects"] == PDF[:cut].count(b"endobj")


def test_a_long_picture_at_the_beginning_is_kept_as_far_as_it_can_be_read() -> None:
    data = pdf([stream(words(20000)), *contents()])
    walked = walk("pdf", data[:20480] + NOISE[:9000])
    assert walked is not None
    assert walked.structure is Structure.TRUNCATED
    assert 20480 - 512 <= walked.length <= 20480 + 2048


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.4\n" + NOISE[:20000],
        b"%PDF-1.4\n" + bytes(20000),
        b"%PDF-1.4\n1 0 obj\n" + NOISE[:20000],
        b"%PDF-1.4 is a format, and 1 0 obj begins an object" + bytes(1000),
        b"%PDF-9.4\n1 0 obj\n<<>>\nendobj\nxref\n",
        b"%PDF-",
        PDF[:30],
    ],
)
def test_what_only_looks_like_one_is_none(data: bytes) -> None:
    assert walk("pdf", data) is None


def test_lying_tables_are_damage() -> None:
    at = table_of(PDF)
    for old, new in (
        (b"\n0 16\n", b"\n0 99999999\n"),
        (b"0000000015", b"9999999999"),
        (b" 00000 n", b" 0000x n"),
        (b"/Size", b"/Prev 7/Size"),
    ):
        data = PDF[:at] + PDF[at:].replace(old, new, 1)
        assert data != PDF
        walked = walk("pdf", data + bytes(100))
        assert walked is not None
        assert walked.structure is Structure.DAMAGED, new
        assert walked.length == len(data)


def test_tables_that_lead_to_each_other_end() -> None:
    at = table_of(PDF)
    data = PDF.replace(b"trailer\n<<", b"trailer\n<</Prev %d " % at)
    whole(data, b"")


def test_a_bomb_is_not_blown_up() -> None:
    data = pdf([*contents(), stream(bytes(160 << 20)), stream(words(3000))])
    window, walked = asked("pdf", data + bytes(50), allowance=100 << 20)
    assert walked is not None
    assert walked.length == len(data)
    assert window.spent < 16 << 20


def test_endless_space_without_objects_is_not_searched_to_its_end() -> None:
    read = 0

    def endless(offset: int, length: int) -> bytes:
        nonlocal read
        read += length
        return (PDF[: len(PDF) // 2] + bytes(length))[offset : offset + length] if offset < len(PDF) else bytes(length)

    from triage.carving.window import Window

    assert form("pdf").walk(Window(endless, 1 << 40)) is not None
    assert read < 200 << 20


def test_countless_marks_are_given_up() -> None:
    data = PDF[: len(PDF) // 2] + b"1 0 obj startxref 5 %%EOF endobj\n" * 50_000
    window, walked = asked("pdf", data, allowance=64 << 20)
    assert walked is not None
    assert form("pdf").rejoin(window, walked) is None
    with pytest.raises(WindowSpentError):
        asked("pdf", data, allowance=100_000)


@given(st.binary(max_size=600), st.integers(0, len(PDF)))
def test_any_bytes_keep_within_bounds(behind: bytes, cut: int) -> None:
    holds("pdf", b"%PDF-1.4\n" + behind, allowance=8 << 20)
    holds("pdf", PDF[:cut] + behind + PDF[cut:], allowance=64 << 20)


@pytest.mark.parametrize("table", TABLES)
def test_damaged_copies_keep_within_bounds(table: str) -> None:
    for changed in mutants(pdf(contents(4), table=table), 150):
        holds("pdf", changed, allowance=64 << 20)
