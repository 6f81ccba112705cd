"""The salvage reader of damaged E01 sets: every chunk that can be proven right, all others said, never a wrong byte."""

from __future__ import annotations

import os
import random
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from ewf_writer import Ewf, damage, sample, table_body, write_ewf
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.errors import EvidenceError
from triage.evidence import ewf_walk
from triage.evidence.ewf import EwfMedium
from triage.evidence.ewf_salvage import SalvagedMedium
from triage.evidence.ewf_scan import FIRST, checksummed, find_sections, read_descriptor
from triage.evidence.medium import DamagedRangeError, open_read_only
from triage.evidence.opening import SALVAGED, open_evidence, reopen
from triage.evidence.segments import find_segments
from triage.evidence.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from triage.model import Evidence

CHUNK = 4096
DATA = sample(40 * CHUNK + 1536)
CHUNKS = 41
BORDERS = ("plain", "packed", "mixed")
PACKED: dict[str, Callable[[int], bool]] = {"plain": lambda n: False, "packed": lambda n: True, "mixed": lambda n: n % 3 != 0}


def wreck(path: Path, *stretches: tuple[int, int], byte: int = 0x5A) -> None:
    """Overwrite stretches of a file, from the first of each pair up to the second."""
    raw = bytearray(path.read_bytes())
    for start, end in stretches:
        raw[start:end] = bytes([byte]) * (end - start)
    path.write_bytes(raw)


def section_of(made: Ewf, kind: str, segment: int = 0) -> tuple[int, int]:
    """A section's first byte, descriptor included, and its end."""
    return next((start, end) for owner, what, start, end in made.sections if (owner, what) == (segment, kind))


def opened(made: Ewf) -> tuple[Evidence, SalvagedMedium, list[str]]:
    evidence, medium, warnings = open_evidence(made.paths[0])
    assert isinstance(medium, SalvagedMedium)
    assert evidence.facts[SALVAGED].startswith("the E01 is damaged: ")
    return evidence, medium, warnings


def lost_chunks(medium: SalvagedMedium, data: bytes, chunk: int = CHUNK) -> list[int]:
    """Which chunks are not given; every other one must be right."""
    lost = []
    for number in range(-(-len(data) // chunk)):
        try:
            assert medium.read_at(number * chunk, chunk) == data[number * chunk : (number + 1) * chunk], f"chunk {number} is wrong"
        except DamagedRangeError as error:
            if (error.offset, error.length) == (number * chunk, len(data[number * chunk : (number + 1) * chunk])):
                lost.append(number)
            else:
                lost.append(-number)
    assert all(number >= 0 for number in lost), "a damaged range is the chunk's"
    return lost


def nothing_is_lost(made: Ewf, verdict: str = "verified") -> list[str]:
    evidence, medium, warnings = opened(made)
    assert lost_chunks(medium, made.data) == []
    assert medium.recovered == medium.chunks
    assert medium.recovered_bytes == len(made.data)
    assert verify(medium, evidence.stored_digests).verdict == verdict
    medium.close()
    again = reopen(evidence)
    assert again.read_at(0, len(made.data)) == made.data
    again.close()
    return warnings


# ---- one thing damaged -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", BORDERS)
@pytest.mark.parametrize("kind", ["header", "volume", "sectors", "table", "table2", "digest", "hash", "done"])
def test_a_ruined_descriptor_costs_no_chunk(kind: str, packed: str, tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, packed=PACKED[packed])
    start, _ = section_of(made, kind)
    wreck(made.paths[0], (start, start + 76))
    nothing_is_lost(made)


@pytest.mark.parametrize("field", [0, 16, 24, 40, 72])
@pytest.mark.parametrize("kind", ["header", "volume", "sectors", "table", "table2", "digest", "done"])
def test_a_descriptor_with_one_wrong_byte_is_repaired(kind: str, field: int, tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA)
    start, _ = section_of(made, kind)
    damage(made.paths[0], start + field)
    nothing_is_lost(made)


@pytest.mark.parametrize("packed", BORDERS)
@pytest.mark.parametrize("extensions", [("E01",), ("E01", "E02", "E03")])
def test_without_any_table_the_chunks_are_found_by_walking(extensions: tuple[str, ...], packed: str, tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, packed=PACKED[packed], extensions=extensions)
    for segment, path in enumerate(made.paths):
        wreck(path, *(tuple(section_of(made, kind, segment)) for kind in ("table", "table2")))
    warnings = nothing_is_lost(made)
    assert "chunks whose tables are damaged were found by walking from one to the next" in warnings


def test_two_damaged_tables_make_a_whole_one(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA)
    for kind, entry in (("table", 3), ("table2", 30)):
        path, body, _ = made.where(kind)
        wreck(path, (body + 24 + 4 * entry, body + 24 + 4 * entry + 8))
    warnings = nothing_is_lost(made)
    assert not any("walking" in w for w in warnings), "the checksum says which mixture of the two is right"


def test_a_sound_head_and_sound_entries_of_two_tables_make_one(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, base=76)
    path, body, _ = made.where("table")
    wreck(path, (body, body + 24))
    _, body, end = made.where("table2")
    wreck(path, (body + 24, end))
    assert not any("walking" in w for w in nothing_is_lost(made))


@pytest.mark.parametrize("packed", BORDERS)
@pytest.mark.parametrize("extensions", [("E01",), ("E01", "E02")])
def test_without_a_volume_section_its_measures_come_from_a_copy_or_from_the_chunks(
    extensions: tuple[str, ...], packed: str, tmp_path: Path
) -> None:
    chunk = 64 * 512  # the smallest size of chunk that is looked for when nothing says it
    made = write_ewf(tmp_path, sample(20 * chunk + 1536), chunk_sectors=64, packed=PACKED[packed], extensions=extensions)
    wreck(made.paths[0], section_of(made, "volume"))
    warnings = nothing_is_lost(made)
    assert any("no volume section is whole" in w for w in warnings) == (len(extensions) == 1)


def test_a_damaged_volume_section_whose_numbers_agree_is_believed(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA)
    path, body, _ = made.where("volume")
    damage(path, body + 700)
    assert any("taken from a damaged one whose numbers agree" in w for w in nothing_is_lost(made))


@pytest.mark.parametrize("at", range(13))
def test_a_ruined_file_header_costs_nothing(at: int, tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA)
    damage(made.paths[0], at)
    if at in (8, 11, 12):  # of no meaning
        _, medium, _ = open_evidence(made.paths[0])
        assert medium.read_at(0, len(DATA)) == DATA
        medium.close()
    else:
        nothing_is_lost(made)


@pytest.mark.parametrize("base", [1 << 31, (1 << 62) + 5, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_a_base_far_outside_the_file_is_not_followed(base: int, tmp_path: Path) -> None:
    """The checksums fit: this is a set made to hurt, not a damaged one."""
    made = write_ewf(tmp_path, DATA)
    raw = bytearray(made.paths[0].read_bytes())
    for kind in ("table", "table2"):
        _, body, _ = made.where(kind)
        raw[body : body + 24] = table_body([0] * CHUNKS, base)[:24]
    made.paths[0].write_bytes(raw)
    nothing_is_lost(made)


@pytest.mark.parametrize("offsets", [[0] * CHUNKS, list(range(CHUNKS, 0, -1)), [0xFFFFFFFF] * CHUNKS, [5, 6] * 20 + [5]])
def test_offsets_that_cannot_be_are_not_followed(offsets: list[int], tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA)
    raw = bytearray(made.paths[0].read_bytes())
    for kind in ("table", "table2"):
        _, body, end = made.where(kind)
        raw[body:end] = table_body(offsets)
    made.paths[0].write_bytes(raw)
    nothing_is_lost(made)


def test_a_section_chain_that_turns_back_is_not_followed(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA)
    raw = bytearray(made.paths[0].read_bytes())
    _, body, _ = made.where("table2")
    at = body - 76
    raw[at + 16 : at + 24] = (13).to_bytes(8, "little")
    raw[at + 72 : at + 76] = zlib.adler32(bytes(raw[at : at + 72])).to_bytes(4, "little")
    made.paths[0].write_bytes(raw)
    nothing_is_lost(made)


# ---- chunks damaged, too ---------------------------------------------------------------------------------------------------


def chunk_starts(made: Ewf, segment: int = 0) -> list[int]:
    """Where the chunks begin, read out of the table before it is damaged."""
    path, body, _ = made.where("table") if segment == 0 else (made.paths[segment], section_of(made, "table", segment)[0] + 76, 0)
    raw = path.read_bytes()
    count = struct.unpack_from("<I", raw, body)[0]
    return [n & 0x7FFFFFFF for n in struct.unpack_from(f"<{count}I", raw, body + 24)]


@pytest.mark.parametrize("packed", BORDERS)
@pytest.mark.parametrize("hit", [(0,), (20,), (40,), (0, 40), (7, 8, 9)])
def test_behind_a_hole_chunks_are_numbered_from_the_end(hit: tuple[int, ...], packed: str, tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, packed=PACKED[packed])
    starts = chunk_starts(made)
    wreck(made.paths[0], *((starts[n] + 4, starts[n] + 12) for n in hit), section_of(made, "table"), section_of(made, "table2"))
    evidence, medium, _ = opened(made)
    assert lost_chunks(medium, DATA) == list(hit)
    assert f"{CHUNKS - len(hit)} of {CHUNKS} chunks" in evidence.facts[SALVAGED]
    assert verify(medium, evidence.stored_digests).verdict == "incomplete"
    medium.close()


def test_between_two_holes_nothing_has_a_number_without_a_table(tmp_path: Path) -> None:
    # Noise and zeros: a hole's length does not say how many chunks it has.
    data = bytearray(random.Random(1).randbytes(40 * CHUNK))
    for n in (10, 11, 12, 30, 31, 32):
        data[n * CHUNK : (n + 1) * CHUNK] = bytes(CHUNK)
    made = write_ewf(tmp_path, bytes(data), packed=lambda n: n in (10, 11, 12, 30, 31, 32))
    starts = chunk_starts(made)
    tables = (section_of(made, "table"), section_of(made, "table2"))
    wreck(made.paths[0], (starts[9] + 4, starts[13] - 4), (starts[29] + 4, starts[33] - 4), *tables)
    evidence, medium, _ = opened(made)
    lost = lost_chunks(medium, bytes(data))
    assert set(range(13, 29)) <= set(lost), "their checksums are right, but which they are is a guess"
    assert not set(lost) & {*range(9), *range(33, 40)}
    assert "16 more may be right, but nothing says which part of the medium they are" in evidence.facts[SALVAGED]
    medium.close()


def test_damaged_tables_still_number_what_lies_between_two_holes(tmp_path: Path) -> None:
    data = random.Random(1).randbytes(20 * CHUNK) + bytes(20 * CHUNK)
    made = write_ewf(tmp_path, data, packed=lambda n: n >= 20)
    starts = chunk_starts(made)
    path, table, _ = made.where("table")
    _, table2, _ = made.where("table2")
    wreck(
        path, (starts[5] + 4, starts[8] - 4), (starts[15] + 4, starts[18] - 4), (table + 24, table + 28), (table2 + 24, table2 + 28)
    )
    _, medium, _ = opened(made)
    assert lost_chunks(medium, data) == [5, 6, 7, 15, 16, 17]
    medium.close()


def test_a_block_of_entries_copied_elsewhere_numbers_nothing_wrong(tmp_path: Path) -> None:
    """All entries of both tables are chunks' true offsets, but not at their positions."""
    data = sample(300 * 512)
    made = write_ewf(tmp_path, data, chunk_sectors=1, packed=lambda n: n % 2 == 0)
    starts = chunk_starts(made)
    raw = bytearray(made.paths[0].read_bytes())
    for kind in ("table", "table2"):
        _, body, _ = made.where(kind)
        raw[body + 24 : body + 24 + 4 * 128] = raw[body + 24 + 4 * 20 : body + 24 + 4 * 148]
    for n in (0, 50, 100, 150, 200, 250):
        raw[starts[n] + 2 : starts[n] + 10] = b"damaged!"
    made.paths[0].write_bytes(raw)
    _, medium, _ = opened(made)
    lost = lost_chunks(medium, data, 512)  # holds every byte against the medium's
    assert len(lost) < 150
    medium.close()


# ---- truncation ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", BORDERS)
def test_of_a_cut_file_every_chunk_before_the_cut_is_given(packed: str, tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, packed=PACKED[packed])
    starts = chunk_starts(made)
    whole = made.paths[0].read_bytes()
    made.paths[0].write_bytes(whole[: starts[23] + 3])
    evidence, medium, _ = opened(made)
    assert medium.size == len(DATA)
    assert lost_chunks(medium, DATA) == list(range(23, CHUNKS))
    assert "truncated" in evidence.facts[SALVAGED]
    assert evidence.stored_digests == {}
    medium.close()


@pytest.mark.parametrize("cut", [0, 1])
def test_a_cut_segment_costs_no_chunk_of_another(cut: int, tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=("E01", "E02"))
    starts = chunk_starts(made, cut)
    made.paths[cut].write_bytes(made.paths[cut].read_bytes()[: starts[10] + 3])
    evidence, medium, _ = opened(made)
    first = 21 * cut
    assert lost_chunks(medium, DATA) == list(range(first + 10, 21 if cut == 0 else CHUNKS))
    assert len(evidence.stored_digests) == (2 if cut == 0 else 0)
    medium.close()


@pytest.mark.parametrize("extensions", [("E01",), ("E01", "E02")])
@pytest.mark.parametrize("last", [True, False])
def test_every_truncation_gives_right_bytes_or_one_line(extensions: tuple[str, ...], last: bool, tmp_path: Path) -> None:
    data = sample(4 * CHUNK)
    made = write_ewf(tmp_path, data, extensions=extensions)
    cut = made.paths[-1 if last else 0]
    whole = cut.read_bytes()
    borders = {at for segment, _, start, end in made.sections for at in (start, start + 1, start + 75, start + 76, end - 1)}
    lengths = {*range(20), *range(0, len(whole), 397), len(whole) - 1, len(whole) - 75, *borders}
    salvaged = 0
    lines: list[tuple[int, EvidenceError]] = []
    for length in sorted(n for n in lengths if 0 <= n < len(whole)):
        cut.write_bytes(whole[:length])
        try:
            evidence, medium, _ = open_evidence(made.paths[0])
        except EvidenceError as refused:
            lines.append((length, refused))
            continue
        if evidence.kind != "raw":  # a stump of less than its first bytes
            salvaged += 1
            assert len(lost_chunks(medium, data)) < 4  # type: ignore[arg-type]
        medium.close()
    assert salvaged > 10
    assert all(refused.hint and "\n" not in str(refused) for _, refused in lines), lines


# ---- whole segments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("segment", [0, 1, 2])
def test_a_segment_full_of_rubbish_costs_its_own_chunks(segment: int, tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=("E01", "E02", "E03"))
    size = made.paths[segment].stat().st_size
    made.paths[segment].write_bytes(random.Random(3).randbytes(size))
    evidence, medium, _ = open_evidence(made.paths[1 if segment == 0 else 0])
    assert SALVAGED in evidence.facts
    assert len(evidence.paths) == 3
    own = range(14 * segment, min(14 * segment + 14, CHUNKS))
    assert lost_chunks(medium, DATA) == list(own)  # type: ignore[arg-type]
    medium.close()


def test_a_missing_segment_stays_a_refusal(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=("E01", "E02", "E03"))
    damage(made.paths[0], section_of(made, "table")[0])
    damage(made.paths[0], section_of(made, "table2")[0])
    made.paths[2].unlink()
    with pytest.raises(EvidenceError, match=r"image\.E02 is the last segment given but the set goes on"):
        open_evidence(made.paths[0])


def test_a_damaged_file_of_which_nothing_can_be_proven_is_refused(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA)
    _, body, end = made.where("sectors")
    wreck(made.paths[0], (body, end), section_of(made, "table"), section_of(made, "table2"))
    with pytest.raises(EvidenceError, match="wrong checksum") as refused:
        open_evidence(made.paths[0])
    assert refused.value.hint


def test_a_file_full_of_zeros_with_an_e01s_name_is_raw(tmp_path: Path) -> None:
    path = tmp_path / "disk.E01"
    path.write_bytes(bytes(1 << 20))
    evidence, medium, _ = open_evidence(path)
    medium.close()
    assert evidence.kind == "raw"


# ---- an E01 inside the medium ----------------------------------------------------------------------------------------------


def test_an_e01_stored_inside_the_medium_is_not_taken_for_the_set(tmp_path: Path) -> None:
    inner = write_ewf(tmp_path, sample(12 * CHUNK), name="inner").paths[0].read_bytes()
    data = (sample(2 * CHUNK) + inner).ljust(14 * CHUNK, b"\0")[: 14 * CHUNK]
    made = write_ewf(tmp_path, data, packed=lambda n: False)
    start, _ = section_of(made, "sectors")
    starts = chunk_starts(made)
    wreck(made.paths[0], (start, start + 76), (starts[4] + 9, starts[4] + 12), section_of(made, "table"))
    _, medium, _ = opened(made)
    assert lost_chunks(medium, data) == [4]
    medium.close()


# ---- whatever the damage ---------------------------------------------------------------------------------------------------


@st.composite
def edits(draw: st.DrawFn) -> list[tuple[str, float, int]]:
    kinds = st.sampled_from(["flip", "zeros", "noise", "copy", "edge"])
    return draw(st.lists(st.tuples(kinds, st.floats(0, 0.9999), st.integers(0, 1 << 30)), min_size=1, max_size=24))


def apply(raw: bytearray, places: list[int], changes: Iterable[tuple[str, float, int]]) -> None:
    """Edit a file: half of the places near sections' borders, the others anywhere."""
    for kind, where, seed in changes:
        chance = random.Random(seed)
        at = places[int(where * len(places))] + chance.randrange(-40, 140) if seed % 2 else int(where * len(raw))
        at = max(0, min(at, len(raw) - 1))
        length = min(chance.choice([1, 4, 76, 512]), len(raw) - at)
        if kind == "flip":
            raw[at] ^= 1 << chance.randrange(8)
        elif kind == "zeros":
            raw[at : at + length] = bytes(length)
        elif kind == "noise":
            raw[at : at + length] = chance.randbytes(length)
        elif kind == "copy":
            source = chance.randrange(len(raw) - length + 1)
            raw[at : at + length] = raw[source : source + length]
        else:
            raw[at : at + length] = bytes([chance.choice([0xFF, 0x7F, 0x80])]) * length


@settings(max_examples=60, deadline=None)
@given(changes=edits(), packed=st.sampled_from(BORDERS), extensions=st.sampled_from([("E01",), ("E01", "E02")]), which=st.integers(0, 1))
def test_every_byte_that_is_given_is_right(
    changes: list[tuple[str, float, int]], packed: str, extensions: tuple[str, ...], which: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    made = write_ewf(folder, DATA, packed=PACKED[packed], extensions=extensions)
    path = made.paths[which % len(extensions)]
    raw = bytearray(path.read_bytes())
    apply(raw, [start for segment, _, start, _ in made.sections if made.paths[segment] == path], changes)
    path.write_bytes(raw)
    try:
        evidence, medium, _ = open_evidence(made.paths[0])
    except EvidenceError:
        return
    if evidence.kind == "raw":
        medium.close()
        return
    verdict = verify(medium, evidence.stored_digests).verdict
    lost = 0
    for number in range(CHUNKS):
        try:
            data = medium.read_at(number * CHUNK, CHUNK)
        except DamagedRangeError:
            lost += 1
        else:
            assert data == DATA[number * CHUNK : number * CHUNK + len(data)]
    assert not (verdict == "verified" and (lost or medium.size != len(DATA)))
    medium.close()
    again = reopen(evidence)
    assert again.size == evidence.size
    again.close()


def test_a_chunk_that_a_moved_block_brought_into_another_is_not_counted(tmp_path: Path) -> None:
    """One chunk and a hole too many where it lies, and two too few where three are gone at once: the sum would be right."""
    data = bytearray(random.Random(1).randbytes(40 * CHUNK))
    small = (5, 10, 11, 12, 13)
    for n in small:
        data[n * CHUNK : (n + 1) * CHUNK] = bytes([n]) * CHUNK
    made = write_ewf(tmp_path, bytes(data), packed=lambda n: n in small)
    starts = chunk_starts(made)
    path = made.paths[0]
    raw = bytearray(path.read_bytes())
    moved = raw[starts[5] : starts[6]]
    raw[starts[20] + 1000 : starts[20] + 1000 + len(moved)] = moved
    path.write_bytes(raw)
    lost = ((starts[10] + 4, starts[13] - 2), (starts[30] + 9, starts[31] + 9))
    wreck(path, *lost, section_of(made, "table"), section_of(made, "table2"))
    _, medium, _ = opened(made)
    found = lost_chunks(medium, bytes(data))  # which holds every byte that is given against the medium's
    assert {10, 11, 12, 20, 30, 31} <= set(found)
    assert not {*range(10), *range(32, 40)} & set(found)
    medium.close()


@pytest.mark.parametrize("rest", ["noise", "heads of streams", "heads of tables", "descriptors"])
def test_what_is_made_to_look_like_a_set_misleads_nothing(rest: str, tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA)
    raw = bytearray(made.paths[0].read_bytes())
    cut = chunk_starts(made)[30] + 5
    head = struct.pack("<I16x", 5)
    raw[cut:] = {
        "noise": random.Random(2).randbytes(1 << 20),
        "heads of streams": b"\x78\x9c" * (1 << 19),
        "heads of tables": (head + zlib.adler32(head).to_bytes(4, "little")) * 40_000,
        "descriptors": raw[section_of(made, "table")[0] : section_of(made, "table")[0] + 76] * 10_000,
    }[rest]
    made.paths[0].write_bytes(raw)
    _, medium, _ = opened(made)
    assert lost_chunks(medium, DATA) == list(range(30, CHUNKS))
    medium.close()


# ---- real sets ---------------------------------------------------------------------------------------------------------------

REAL = ["made/ntfs.E01", "dfvfs/ext2.split.E01", "plaso/image-split.E01", "plaso/image.E01", "bulk_extractor/ansi.E01",
        "sleuthkit/image.E01", "velociraptor/partition_image.E01"]


@pytest.mark.parametrize("kinds", [(), ("table", "table2"), ("volume", "disk", "data"), ("table", "volume", "data", "header", "hash")],
                         ids=["whole", "no tables", "no volume", "one table and no other small section"])
@pytest.mark.parametrize("name", REAL)
def test_sets_of_several_tools_lose_nothing_with_their_small_sections(
    name: str, kinds: tuple[str, ...], evidence_root: Path, tmp_path: Path
) -> None:
    segments = find_segments(evidence_root / "images" / name)[1]
    healthy = EwfMedium(segments)
    copies = []
    for segment in segments:
        raw = bytearray(segment.read_bytes())
        file = open_read_only(segment)
        for section in find_sections(file, len(raw), lambda: None):
            if section.kind in kinds:
                raw[section.at : section.end] = b"Z" * (section.end - section.at)
        os.close(file)
        copies.append(tmp_path / segment.name)
        copies[-1].write_bytes(raw)
    medium = SalvagedMedium(copies, EvidenceError("damaged"))
    medium.check(lambda: None)
    assert (medium.recovered, medium.size) == (healthy.chunks, healthy.size)
    for number in range(healthy.chunks):
        assert medium.read_chunk(number) == healthy.read_chunk(number)
    medium.close()
    healthy.close()


# ---- its parts -------------------------------------------------------------------------------------------------------------


@given(data=st.binary(max_size=300), length=st.integers(1, 60), at=st.integers(0, 250))
def test_checksums_are_found_wherever_they_lie(data: bytes, length: int, at: int) -> None:
    covered = bytes(range(1, length + 1))
    at = min(at, len(data))
    raw = data[:at] + covered + zlib.adler32(covered).to_bytes(4, "little") + data[at:]
    found = checksummed(raw, length)
    assert at in found
    assert all(zlib.adler32(raw[p : p + length]) == int.from_bytes(raw[p + length : p + length + 4], "little") for p in found)


@given(raw=st.binary(min_size=0, max_size=200), at=st.integers(0, 1 << 63))
def test_any_bytes_as_a_descriptor(raw: bytes, at: int) -> None:
    section = read_descriptor(raw, at, 1 << 40)
    assert section is None or section.at == at


@settings(max_examples=40, deadline=None)
@given(raw=st.binary(max_size=4000))
def test_sections_cover_any_file(raw: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.write_bytes(raw)
    file = open_read_only(path)
    try:
        sections = find_sections(file, len(raw), lambda: None)
    finally:
        os.close(file)
    at = FIRST
    for section in sections:
        assert section.at == at
        assert section.end > section.at
        at = section.end
    assert at >= len(raw) or not sections


@pytest.mark.parametrize("end", [0, 1, 50])
def test_a_deflated_chunk_must_end_where_its_stream_does_and_hold_a_whole_chunk(end: int) -> None:
    packed = zlib.compress(DATA[:CHUNK])
    assert ewf_walk.prove(packed + bytes(end), 7, CHUNK) == (7, len(packed), CHUNK, True)
    assert ewf_walk.prove(packed[:-1], 7, CHUNK) is None
    assert ewf_walk.prove(packed, 7, CHUNK + 512) is None
    assert ewf_walk.prove(packed, 7, CHUNK - 512) is None
    broken = bytearray(packed)
    broken[-1] ^= 1
    assert ewf_walk.prove(bytes(broken), 7, CHUNK) is None


def test_opening_says_that_it_gets_on(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA)
    damage(made.paths[0], section_of(made, "sectors")[0])
    beats = 0

    def beat() -> None:
        nonlocal beats
        beats += 1

    _, medium, _ = open_evidence(made.paths[0], beat=beat)
    medium.close()
    assert beats > 0
