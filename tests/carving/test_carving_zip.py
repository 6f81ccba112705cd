from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.carving.formats.zip import FORMATS
from triage.carving.forms import Structure, Walked
from triage.carving.window import WindowSpentError, window_of
from triage.carving.zipkinds import kind_of
from triage.carving.ziprejoin import rejoin
from triage.carving.zipwalk import walk as walk_zip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BLOCK = 4096
WORDS = " ".join(f"word{n % 977} of sentence {n // 7}" for n in range(20_000)).encode()


class Unseekable(io.RawIOBase):
    """What zipfile can only write to: it puts sizes behind the members then."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.data += bytes(data)  # type: ignore[call-overload]
        return len(bytes(data))  # type: ignore[call-overload]


def build(members: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED, streamed: bool = False, comment: bytes = b"") -> bytes:
    out = Unseekable() if streamed else io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:  # type: ignore[arg-type]
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=method)
        archive.comment = comment
    return bytes(out.data) if isinstance(out, Unseekable) else out.getvalue()


def content(chance: random.Random, size: int) -> bytes:
    start = chance.randrange(len(WORDS) - size) if size < len(WORDS) else 0
    return chance.choice((WORDS[start : start + size], chance.randbytes(size)))


def sample(seed: int = 1, *, size: int = 20_000, count: int = 6, **options: object) -> bytes:
    chance = random.Random(seed)
    return build({f"folder/file{n}.bin": content(chance, size) for n in range(count)}, **options)  # type: ignore[arg-type]


TAILS = [b"", bytes(5000), random.Random(9).randbytes(5000), sample(77)[:5000]]


# -- whole files ----------------------------------------------------------------------------------------------------------------


def test_real_files_end_where_they_end_whatever_follows(evidence_root: Path, walk: Callable[..., Walked | None]) -> None:
    wanted = {"docx": 3, "xlsx": 1, "pptx": 1, "odt": 2, "ods": 1, "odp": 1, "epub": 2, "zip": 20}
    seen = dict.fromkeys(wanted, 0)
    places = ["types/magika/basic", "types/magika/mitra/zip", "artifacts/iped", "artifacts/mvt", "artifacts/ileapp/notes"]
    for path in sorted(p for place in places for p in (evidence_root / place).rglob("*") if p.is_file()):
        data = path.read_bytes() if path.stat().st_size < 3_000_000 else b""
        if not data.startswith(b"PK\3\4") or path.name == "mini.zip":  # its member has no name
            continue
        for tail in TAILS:
            found = walk("zip", data + tail)
            assert found is not None, path
            assert (found.structure, found.length) == (Structure.COMPLETE, len(data)), path
            if path.suffix[1:] in seen:
                assert found.extension == path.suffix[1:]
        assert found is not None
        assert found.checked or "mitra" in str(path), path
        if path.suffix[1:] in seen:
            seen[path.suffix[1:]] += 1
    assert all(seen[kind] >= least for kind, least in wanted.items()), seen


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("comment", [b"", b"made by hand"])
def test_every_member_is_checked(method: int, streamed: bool, comment: bytes, walk: Callable[..., Walked | None]) -> None:
    data = sample(method=method, streamed=streamed, comment=comment)
    for tail in TAILS:
        found = walk("zip", data + tail)
        assert found is not None
        assert (found.structure, found.checked, found.length) == (Structure.COMPLETE, True, len(data))
        assert found.facts == {"members": 6, "members_whole": 6}


def test_methods_that_are_not_read_are_hopped_over_and_not_called_checked(walk: Callable[..., Walked | None]) -> None:
    data = sample(method=zipfile.ZIP_BZIP2)
    found = walk("zip", data + bytes(100))
    assert found is not None
    assert (found.structure, found.checked, found.length) == (Structure.COMPLETE, False, len(data))
    assert found.facts == {"members": 6, "members_whole": 0, "members_unchecked": 6}


def test_a_wide_archive_is_whole(walk: Callable[..., Walked | None]) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open(zipfile.ZipInfo("big"), "w", force_zip64=True) as member:
        member.write(WORDS)
    data = out.getvalue()
    end = data.rindex(b"PK\5\6")
    count, size, offset = struct.unpack("<HII", data[end + 10 : end + 20])
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    wide = data[:end] + record + locator + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert zipfile.ZipFile(io.BytesIO(wide)).namelist() == ["big"]
    found = walk("zip", wide + bytes(600))
    assert found is not None
    assert (found.structure, found.checked, found.length) == (Structure.COMPLETE, True, len(wide))


def test_more_members_than_16_bits_count(walk: Callable[..., Walked | None]) -> None:
    local = struct.Struct("<4sHHHHHIIIHH5s")
    body = b"".join(local.pack(b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 5, 0, b"%05d" % n) for n in range(66_000))
    central = struct.Struct("<4sHHHHHHIIIHHHHHII5s")
    entries = [central.pack(b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, n * 35, b"%05d" % n) for n in range(66_000)]
    directory = b"".join(entries)
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 66_000, 66_000, len(directory), len(body))
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(body) + len(directory), 1)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    data = body + directory + record + locator + end
    found = walk("zip", data + bytes(600))
    assert found is not None
    assert (found.structure, found.length, found.facts["members"]) == (Structure.COMPLETE, len(data), 66_000)


def test_the_signing_block_of_an_apk_belongs_to_it(walk: Callable[..., Walked | None]) -> None:
    data = build({"AndroidManifest.xml": WORDS, "classes.dex": WORDS[::-1]})
    end = data.rindex(b"PK\5\6")
    size, offset = struct.unpack("<II", data[end + 12 : end + 20])
    body = struct.pack("<QI", 4 + 900, 0x7109871A) + random.Random(3).randbytes(900)
    length = len(body) + 24
    block = struct.pack("<Q", length) + body + struct.pack("<Q", length) + b"APK Sig Block 42"
    signed = data[:offset] + block + data[offset : end + 16] + struct.pack("<I", offset + len(block)) + data[end + 20 :]
    assert size == end - offset
    found = walk("zip", signed + bytes(100))
    assert found is not None
    assert (found.structure, found.checked, found.length, found.extension) == (Structure.COMPLETE, True, len(signed), "apk")


def test_an_archive_in_a_stored_member_is_not_the_end(walk: Callable[..., Walked | None]) -> None:
    for streamed in (False, True):
        data = build({"inner.zip": sample(5), "after": WORDS}, method=zipfile.ZIP_STORED, streamed=streamed)
        found = walk("zip", data + bytes(100))
        assert found is not None
        assert (found.structure, found.checked, found.length, found.facts["members"]) == (Structure.COMPLETE, True, len(data), 2)


@pytest.mark.parametrize(
    ("names", "mimetype", "types", "kind"),
    [
        (["mimetype"], b"application/vnd.oasis.opendocument.text", b"", "odt"),
        (["mimetype"], b"application/vnd.oasis.opendocument.spreadsheet\n", b"", "ods"),
        (["mimetype"], b"application/vnd.oasis.opendocument.unheard-of", b"", "zip"),
        (["mimetype"], b"application/epub+zip", b"", "epub"),
        (["mimetype"], b"application/hwp+zip", b"", "hwpx"),
        (["[Content_Types].xml", "word/document.xml"], b"", b"", "docx"),
        (["[Content_Types].xml"], b"", b"'application/vnd.ms-word.document.macroEnabled.main+xml'", "docm"),
        (["[Content_Types].xml", "xl/workbook.bin"], b"", b"application/vnd.ms-excel.sheet.binary.macroEnabled.main", "xlsb"),
        (["[Content_Types].xml", "visio/document.xml"], b"", b"", "vsdx"),
        (["[Content_Types].xml", "FixedDocSeq.fdseq"], b"", b"", "xps"),
        (["word/notes.txt"], b"", b"", "zip"),
        (["META-INF/MANIFEST.MF", "a/B.class"], b"", b"", "jar"),
        (["META-INF/MANIFEST.MF", "AndroidManifest.xml", "classes.dex"], b"", b"", "apk"),
        (["manifest.json", "META-INF/mozilla.rsa"], b"", b"", "xpi"),
        (["Payload/Some.app/Info.plist"], b"", b"", "ipa"),
        (["doc.kml", "images/a.png"], b"", b"", "kmz"),
        (["ComicInfo.xml", "1.jpg"], b"", b"", "cbz"),
        (["document.json", "meta.json", "user.json"], b"", b"", "sketch"),
        (["Index/Document.iwa", "Index/Slide-1.iwa"], b"", b"", "key"),
        (["IMG_1.jpg", "IMG_2.jpg"], b"", b"", "zip"),
    ],
)
def test_packages_are_told_apart(names: list[str], mimetype: bytes, types: bytes, kind: str) -> None:
    assert kind_of([n.encode() for n in names], mimetype, types) == kind


def test_content_types_are_read_where_they_are_compressed(walk: Callable[..., Walked | None]) -> None:
    types = b"<Types><Override ContentType='application/vnd.ms-powerpoint.slideshow.macroEnabled.main+xml'/></Types>"
    found = walk("zip", build({"[Content_Types].xml": types, "ppt/presentation.xml": WORDS}))
    assert found is not None
    assert found.extension == "ppsm"


# -- cut, damaged, and what only looks like one -------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
def test_one_that_is_cut_says_which_members_are_whole(streamed: bool, walk: Callable[..., Walked | None]) -> None:
    data = sample(2, count=8, streamed=streamed)
    for cut in range(BLOCK, len(data), 3 * BLOCK):
        for tail in (b"", bytes(20_000), random.Random(cut).randbytes(60_000), WORDS[:60_000]):
            found = walk("zip", data[:cut] + tail, block=BLOCK)
            assert found is not None, cut
            assert found.structure is Structure.TRUNCATED
            listed = zipfile.ZipFile(io.BytesIO(data)).infolist()
            whole = sum(info.header_offset + 30 + len(info.filename) + info.compress_size <= cut for info in listed)
            assert whole - 1 <= int(found.facts["members_whole"]) <= whole  # the descriptor of the last may be cut
            assert found.valid is not None
            assert found.valid <= min(cut, found.length)


def test_one_that_is_overwritten_in_the_middle_is_damaged(walk: Callable[..., Walked | None]) -> None:
    for streamed in (False, True):
        data = bytearray(sample(3, count=8, streamed=streamed))
        for start, count in ((2 * BLOCK, 1), (5 * BLOCK, 3), (BLOCK, 9)):
            for fill in (bytes(count * BLOCK), random.Random(1).randbytes(count * BLOCK), WORDS[: count * BLOCK]):
                found = walk("zip", bytes(data[:start]) + fill + bytes(data[start + len(fill) :]) + bytes(9000), block=BLOCK)
                assert found is not None
                assert (found.structure, found.length, found.checked) == (Structure.DAMAGED, len(data), False)
                assert found.facts["members"] == 8
                assert 0 < int(found.facts["members_whole"]) < 8


def test_a_damaged_directory_is_said(walk: Callable[..., Walked | None]) -> None:
    data = bytearray(build({f"{n:0100}": WORDS[:100] for n in range(100)}))
    start = data.index(b"PK\1\2")
    data[start + 3000 : start + 4000] = bytes(1000)
    found = walk("zip", bytes(data) + bytes(600))
    assert found is not None
    assert (found.structure, found.length) == (Structure.DAMAGED, len(data))
    assert found.facts["members_whole"] == 100
    assert "central directory" in found.why


def test_one_whose_beginning_is_gone_is_damaged(walk: Callable[..., Walked | None]) -> None:
    data = sample(4)
    second = data.index(b"PK\3\4", 4)
    found = walk("zip", data[second:] + bytes(600))
    assert found is not None
    assert (found.structure, found.length) == (Structure.DAMAGED, len(data) - second)
    assert (found.facts["members"], found.facts["members_whole"], found.facts["bytes_missing_before"]) == (6, 5, second)


def test_the_members_of_the_next_archive_are_not_this_ones(walk: Callable[..., Walked | None]) -> None:
    data = sample(4)
    cut = data.index(b"PK\3\4", data.index(b"PK\3\4", 4) + 4)
    found = walk("zip", data[:cut] + sample(5) + bytes(600))
    assert found is not None
    assert (found.structure, found.length, found.facts["members"]) == (Structure.TRUNCATED, cut, 2)


def test_a_directory_that_names_other_checksums_is_not_believed(walk: Callable[..., Walked | None]) -> None:
    data = bytearray(sample(6))
    entry = data.index(b"PK\1\2")
    data[entry + 16] ^= 1
    found = walk("zip", bytes(data))
    assert found is not None
    assert (found.structure, found.facts["members_whole"]) == (Structure.DAMAGED, 5)


def test_what_only_looks_like_one_is_none(walk: Callable[..., Walked | None]) -> None:
    chance = random.Random(8)
    header = sample()[:200]
    for data in (
        b"PK\3\4" + bytes(5000),
        b"PK\3\4" + chance.randbytes(50_000),
        b"PK\3\4 is how a ZIP file begins. " + WORDS,
        header + bytes(50_000),
        build({"[Content_Types].xml": WORDS[:3000]})[:300] + bytes(9000),
        build({"mimetype": b"application/epub+zip"}, method=0)[:58] + chance.randbytes(9000),
        build({"stored": WORDS}, method=0)[:BLOCK] + WORDS[::-1],
        b"PK\3\4",
        b"PK00PK\3\4" + bytes(600),
    ):
        assert walk("zip", data) is None


def test_a_bomb_is_hopped_over_when_it_expands_to_too_much(walk: Callable[..., Walked | None]) -> None:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = (squeeze.compress(bytes(1 << 20)) + squeeze.flush(zlib.Z_FULL_FLUSH)) * 300 + squeeze.flush()
    crc = zlib.crc32(b"")  # not what it has: nobody gets there
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(packed), 300 << 20, 4, 0) + b"bomb"
    central = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, len(packed), 300 << 20, 4, 0, 0, 0, 0, 0, 0) + b"bomb"
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local) + len(packed), 0)
    data = local + packed + central + end
    found = walk("zip", data + bytes(600), allowance=320 << 20)
    assert found is not None
    assert (found.structure, found.checked, found.length) == (Structure.COMPLETE, False, len(data))
    assert found.facts["members_unchecked"] == 1


def test_members_that_share_their_bytes_are_not_expanded_again(walk: Callable[..., Walked | None]) -> None:
    """Fifield, A better zip bomb (WOOT '19): every entry of the directory means the same bytes."""
    member = sample(1, count=1, size=200_000)
    entry = member[member.index(b"PK\1\2") : member.rindex(b"PK\5\6")]
    directory = entry + b"".join(entry[:42] + struct.pack("<I", 5 + n) + entry[46:] for n in range(3000))
    body = member[: member.index(b"PK\1\2")]
    data = body + directory + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 3001, 3001, len(directory), len(body), 0)
    found = walk("zip", data, allowance=3_000_000)
    assert found is not None
    assert (found.structure, found.facts["members_whole"]) == (Structure.DAMAGED, 1)


def test_an_endless_chain_of_members_ends_at_the_allowance() -> None:
    header = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"x"
    with pytest.raises(WindowSpentError):
        walk_zip(window_of(header * 100_000, allowance=1 << 20))


def test_a_flood_of_end_records_is_bounded() -> None:
    data = sample(4)[:BLOCK] + (b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, 46, 1 << 31, 0)) * 100_000
    window = window_of(data, block=BLOCK)
    found = walk_zip(window)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert window.spent < 60 * len(data)


# -- two pieces -----------------------------------------------------------------------------------------------------------------


def gap_of(chance: random.Random, size: int) -> bytes:
    kind = chance.choice(("text", "random", "zeros", "archive"))
    if kind == "text":
        return (WORDS[chance.randrange(1000) :] * (size // len(WORDS) + 2))[:size]
    if kind == "archive":
        return (sample(chance.randrange(1000), count=9) + bytes(size))[:size]
    return bytes(size) if kind == "zeros" else chance.randbytes(size)


@pytest.mark.parametrize("form", ["deflated", "streamed", "stored"])
def test_two_pieces_are_put_together(form: str) -> None:
    """Fifteen files of each form, cut anywhere, with gaps of 1 to 200 clusters."""
    missed = []
    for seed in range(15):
        chance = random.Random(f"{form} {seed}")
        members = {f"file{n}": content(chance, chance.choice((600, 9000, 70_000))) for n in range(chance.randrange(2, 9))}
        data = build(members, method=zipfile.ZIP_STORED if form == "stored" else zipfile.ZIP_DEFLATED, streamed=form == "streamed")
        if len(data) <= BLOCK:
            data = build({**members, "more": chance.randbytes(20_000)})
        split = chance.randrange(1, (len(data) - 1) // BLOCK + 1) * BLOCK
        gap = chance.randrange(1, 201) * BLOCK
        space = data[:split] + gap_of(chance, gap) + data[split:] + chance.randbytes(50_000)
        window = window_of(space, block=BLOCK)
        first = walk_zip(window)
        assert first is not None
        assert first.structure is Structure.TRUNCATED
        joined = rejoin(window, first)
        if joined is None:
            missed.append((seed, split, gap))
            continue
        assert b"".join(space[at : at + size] for at, size in joined.pieces) == data
        assert (joined.structure, joined.checked, joined.length) == (Structure.FRAGMENTED, True, len(data))
    assert not missed


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_rest_of_a_large_file_is_found_from_header_to_header(method: int) -> None:
    chance = random.Random(21)
    gap = 9 * BLOCK
    data = build({"IMG_1.jpg": chance.randbytes(30_000), "VID_1.mp4": chance.randbytes(17 << 20)}, method=method)
    split = 5 * BLOCK
    space = data[:split] + chance.randbytes(gap) + data[split:] + bytes(9000)
    window = window_of(space, block=BLOCK)
    first = walk_zip(window)
    assert first is not None
    assert first.structure is Structure.TRUNCATED
    joined = rejoin(window, first)
    assert joined is not None
    assert joined.pieces == ((0, split), (split + gap, len(data) - split))


def test_a_cut_in_the_directory_or_the_end_record_is_found() -> None:
    base = {f"{n:0150}": b"" for n in range(200)}
    for wanted in (10, 14, 60, 5000, 9000):  # bytes from the cut to the file's end
        shape = len(build({"first": b"", **base}, method=0))
        filler = random.Random(wanted).randbytes((wanted - shape) % BLOCK + BLOCK)
        data = build({"first": filler, **base}, method=0)
        split = len(data) - wanted
        assert split % BLOCK == 0
        space = data[:split] + random.Random(1).randbytes(7 * BLOCK) + data[split:] + bytes(9000)
        window = window_of(space, block=BLOCK)
        first = walk_zip(window)
        assert first is not None
        joined = rejoin(window, first)
        assert joined is not None, wanted
        assert b"".join(space[at : at + size] for at, size in joined.pieces) == data


def test_a_cut_in_the_only_entry_of_a_directory_is_found() -> None:
    for wanted in range(24, 22 + 46 + 9):  # bytes from the cut to the file's end, up to the directory's whole length
        shape = len(build({"only.file": b""}, method=0))
        data = build({"only.file": random.Random(wanted).randbytes((wanted - shape) % 512 + 512)}, method=0)
        split = len(data) - wanted
        assert split % 512 == 0
        space = data[:split] + random.Random(1).randbytes(7 * 512) + data[split:] + bytes(9000)
        window = window_of(space, block=512)
        first = walk_zip(window)
        assert first is not None
        joined = rejoin(window, first)
        assert joined is not None, wanted
        assert b"".join(space[at : at + size] for at, size in joined.pieces) == data


def test_a_piece_that_is_missing_is_not_made_up() -> None:
    for seed in range(6):
        chance = random.Random(seed)
        data = sample(seed, count=8)
        split = chance.randrange(2, len(data) // BLOCK - 3) * BLOCK
        # One cluster of it is nowhere: what lies there is of another file.
        space = data[:split] + gap_of(chance, 8 * BLOCK) + chance.randbytes(BLOCK) + data[split + BLOCK :] + bytes(9000)
        window = window_of(space, block=BLOCK)
        first = walk_zip(window)
        assert first is not None
        assert rejoin(window, first) is None


def test_a_piece_of_another_version_of_the_file_is_not_taken() -> None:
    chance = random.Random(4)
    body = chance.randbytes(40_000)
    old = build({"[Content_Types].xml": WORDS[:2000], "word/document.xml": body + b"old", "word/media/1.jpg": body[::-1]})
    new = build({"[Content_Types].xml": WORDS[:2000], "word/document.xml": body + b"new", "word/media/1.jpg": body[::-1]})
    split = 9 * BLOCK
    space = old[:split] + chance.randbytes(5 * BLOCK) + new[split:] + bytes(9000)
    window = window_of(space, block=BLOCK)
    first = walk_zip(window)
    assert first is not None
    assert (first.structure, first.extension) == (Structure.TRUNCATED, "docx")
    joined = rejoin(window, first)
    assert joined is None or b"".join(space[at : at + size] for at, size in joined.pieces) == new  # what it is by every checksum


# -- any bytes ------------------------------------------------------------------------------------------------------------------


def holds(data: bytes) -> None:
    window = window_of(data, block=512, allowance=64 << 20)
    try:
        found = FORMATS[0].walk(window)
        joined = rejoin(window, found) if found is not None else None
    except (ValueError, LookupError, ArithmeticError, struct.error, zlib.error, WindowSpentError):
        return
    for one in (found, joined):
        if one is None:
            continue
        if not one.pieces:
            assert 0 < one.length <= len(data)
        assert all(at >= 0 and size > 0 and at + size <= len(data) for at, size in one.pieces)
        assert one.valid is None or 0 < one.valid <= one.length


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 60))
def test_any_bytes_behind_a_header_end_in_a_result(data: bytes, keep: int) -> None:
    holds(b"PK\3\4" + sample(1, size=100)[4:keep] + data)


def test_mutants_end_in_a_result() -> None:
    chance = random.Random(11)
    seeds = [sample(1, size=900, streamed=True), sample(2, size=900), sample(3, size=900, method=0, comment=b"c")]
    for _ in range(600):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[at] ^= 1 << chance.randrange(8)
                case 1:
                    del data[at : at + chance.randrange(1, 600)]
                case 2:
                    data[at:at] = chance.randbytes(chance.choice((1, 4, 512)))
                case _:
                    data[at : at + 4] = chance.choice((b"\xff" * 4, b"PK\1\2", b"PK\5\6", bytes(4)))
            if not data:
                break
        holds(bytes(data))
