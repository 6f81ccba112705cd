"""NTFS held against its own books: sound volumes give no alarm, each redundancy is used, and nothing is lost in silence."""

from __future__ import annotations

import gzip
import random
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_support import Walked, exaggerate_aligned, flip, misplace, mutated, reader_of, wipe

from triage.evidence.opening import open_evidence
from triage.filesystem.checks import Fault, Missed, ntfs, ntfsmft
from triage.filesystem.checks.columns import Bytes, count_bitmap, uncovered
from triage.filesystem.checks.ntfstable import USED, Table
from triage.filesystem.listed import Listed
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
RECORD, CLUSTER, MFT, MIRROR = 1024, 1024, 16 * 1024, 3071 * 1024
PAGEFILE, IMAGE_1, NOTES, DOCUMENTS, FREE, DELETED = 69, 72, 87, 86, 28, 146


class Ntfs:
    """The built-in volume in memory, to damage it by MFT record and attribute."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)

    def record(self, number: int) -> int:
        return MFT + number * RECORD

    def attribute(self, number: int, kind: int) -> int:
        """Return where a record's attribute of a type begins; none of those used here crosses a sector's end."""
        at = self.record(number) + struct.unpack_from("<H", self.data, self.record(number) + 20)[0]
        while struct.unpack_from("<I", self.data, at)[0] != kind:
            at += struct.unpack_from("<I", self.data, at + 4)[0]
        return at

    def value(self, number: int, kind: int) -> int:
        at = self.attribute(number, kind)
        return at + int(struct.unpack_from("<H", self.data, at + 20)[0])

    def runs(self, number: int, kind: int) -> list[ntfsmft.Run]:
        record = ntfsmft.parse_record(bytes(self.data[self.record(number) : self.record(number) + RECORD]), number, 1 << 20)
        assert record is not None
        found = record.find(kind) or record.find(kind, "$I30")
        assert found is not None
        assert found.runs is not None
        return list(found.runs)

    def put(self, at: int, form: str, *values: int) -> None:
        struct.pack_into(form, self.data, at, *values)

    def write_record(self, number: int, flags: int, base: int, attributes: list[bytes], *, sequence: int = 1, links: int = 1) -> None:
        """Write a record anew, with its update sequence."""
        body = b"".join(attributes) + struct.pack("<II", 0xFFFFFFFF, 0)
        raw = bytearray(
            struct.pack("<4sHHQHHHHIIQHHI", b"FILE", 48, 3, 0, sequence, links, 56, flags, 56 + len(body), RECORD, base, 9, 0, number)
        )
        raw += bytes(8) + body
        raw += bytes(RECORD - len(raw))
        raw[48:50] = b"\x07\0"
        for sector in (1, 2):
            raw[48 + 2 * sector : 50 + 2 * sector] = raw[sector * 512 - 2 : sector * 512]
            raw[sector * 512 - 2 : sector * 512] = b"\x07\0"
        self.data[self.record(number) : self.record(number) + RECORD] = raw

    def attributes(self, number: int) -> list[bytes]:
        fixed = ntfsmft.fixed_up(bytes(self.data[self.record(number) : self.record(number) + RECORD]))
        assert fixed is not None
        at, found = struct.unpack_from("<H", fixed, 20)[0], []
        while struct.unpack_from("<I", fixed, at)[0] != 0xFFFFFFFF:
            length = struct.unpack_from("<I", fixed, at + 4)[0]
            found.append(fixed[at : at + length])
            at += length
        return found

    def mark(self, number: int) -> None:
        """Mark a record used in the MFT's bitmap."""
        start = self.runs(0, ntfsmft.BITMAP)[0].start
        assert start is not None
        self.data[start * CLUSTER + number // 8] |= 1 << number % 8


@pytest.fixture(scope="module")
def whole(image: Callable[[str], Path]) -> bytes:
    _, medium, _ = open_evidence(image("ntfs.E01"))
    try:
        return medium.read_at(65536, 12288 * 512)
    finally:
        medium.close()


@pytest.fixture
def volume(whole: bytes) -> Ntfs:
    return Ntfs(whole)


@pytest.fixture(scope="module")
def sound(whole: bytes, tmp_path_factory: pytest.TempPathFactory) -> Walked:
    path = tmp_path_factory.mktemp("ntfs") / "sound.raw"
    path.write_bytes(whole)
    return Walked(path)


@pytest.fixture
def walk(tmp_path: Path) -> Callable[[Ntfs], Walked]:
    def walked(volume: Ntfs) -> Walked:
        path = tmp_path / "damaged.raw"
        path.write_bytes(volume.data)
        return Walked(path)

    return walked


# ---- no false alarm ---------------------------------------------------------------------------------------------------------


def test_sound_volumes_give_no_alarm(image: Callable[[str], Path], sound: Walked, tmp_path: Path) -> None:
    assert sound.told == []
    assert Walked(image("ntfs.E01")).told == []
    seed = tmp_path / "seed.raw"
    seed.write_bytes(gzip.decompress((ROOT / "bench" / "seeds" / "ntfs.raw.gz").read_bytes()))
    assert Walked(seed).told == []


@pytest.mark.parametrize(
    ("name", "log"), [("made/ntfs.E01", False), ("velociraptor/partition_image.E01", False), ("velociraptor/test.ntfs.dd.E01", True)]
)
def test_real_volumes_give_no_alarm(name: str, log: bool, evidence_root: Path) -> None:
    found = Walked(evidence_root / "images" / name).told
    assert all(severity is Severity.INFO and "$LogFile holds changes" in message for severity, message, _ in found)
    assert bool(found) is log, "the one volume was acquired while it was mounted"


def test_free_space_is_that_of_the_bitmap(whole: bytes) -> None:
    listed = Listed()
    list(ntfs.check(reader_of(whole), listed))
    bits = np.unpackbits(np.frombuffer(Ntfs(whole).data[_bitmap(whole) : _bitmap(whole) + 768], np.uint8), bitorder="little")[:6143]
    assert listed.free == int((bits == 0).sum()) * CLUSTER


# ---- names ------------------------------------------------------------------------------------------------------------------


def test_files_of_a_folder_whose_index_is_damaged_are_listed_under_their_paths(
    volume: Ntfs, sound: Walked, walk: Callable[[Ntfs], Walked]
) -> None:
    start = volume.runs(DOCUMENTS, ntfsmft.INDEX_ALLOCATION)[0].start
    assert start is not None
    volume.data[start * CLUSTER : start * CLUSTER + 4096] = bytes(4096)
    found = walk(volume)
    assert sound.names - found.names == set()
    assert found.at("vol1/Users/alex/Documents/vault.dat").size == 6000
    assert found.md5(found.at("vol1/Users/alex/Documents/plan.docx")) == sound.md5(sound.at("vol1/Users/alex/Documents/plan.docx"))
    assert found.the("indexes of 1 folders are damaged")[::2] == (Severity.ERROR, "records 86")


def test_a_name_changed_in_the_index_is_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    start = volume.runs(DOCUMENTS, ntfsmft.INDEX_ALLOCATION)[0].start
    assert start is not None
    at = volume.data.index("vault.dat".encode("utf-16-le"), start * CLUSTER)
    volume.data[at] = ord("f")
    found = walk(volume)
    severity, _, detail = found.the("listed under another name")
    assert (severity, detail) == (Severity.ERROR, "records 93 (vault.dat)")


def test_a_hard_link_that_leads_to_another_file_is_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    """TSK lists the link by the right file's record as well."""
    at = volume.data.index("notes ag".encode("utf-16-le"), volume.value(142, ntfsmft.INDEX_ROOT)) - 0x52
    assert struct.unpack_from("<I", volume.data, at)[0] == NOTES
    volume.put(at, "<I", IMAGE_1)
    found = walk(volume)
    assert found.the("listed under another name")[2] == "records 72 (IMG_0001.jpg)"
    assert {e.meta_addr for e in found.entries if e.path == "vol1/Users/alex/Desktop/notes again.txt"} == {IMAGE_1, NOTES}


def test_a_folder_of_another_sequence_is_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    volume.put(volume.value(IMAGE_1, ntfsmft.FILE_NAME) + 6, "<H", 9)
    assert walk(volume).the("lie in a folder that is none")[2] == "records 72 (IMG_0001.jpg)"


def test_a_deleted_file_whose_folder_never_was_is_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    volume.put(volume.value(DELETED, ntfsmft.FILE_NAME), "<I", 100_000)
    severity, _, detail = walk(volume).the("name a folder that never was")
    assert (severity, detail) == (Severity.WARNING, "records 146 (gone.pdf)")


def test_another_number_of_links_than_names_is_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    volume.put(volume.record(NOTES) + 18, "<H", 3)
    assert walk(volume).the("another number of names")[2] == "records 87 (notes.txt)"


# ---- records ----------------------------------------------------------------------------------------------------------------


def test_a_record_without_its_signature_is_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    volume.data[volume.record(IMAGE_1) : volume.record(IMAGE_1) + 4] = b"BAAD"
    assert walk(volume).the("damaged beyond reading")[::2] == (Severity.ERROR, "records 72")


def test_a_sector_that_does_not_belong_to_its_record_is_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    volume.put(volume.record(DELETED) + 1022, "<H", 0x1234)
    assert walk(volume).the("free MFT records are damaged")[::2] == (Severity.WARNING, "records 146")


def test_a_file_that_a_flag_turns_into_a_deleted_one_is_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    volume.put(volume.record(IMAGE_1) + 22, "<H", 0)
    assert walk(volume).the("marked in use, but are free")[::2] == (Severity.ERROR, "records 72 (IMG_0001.jpg)")


def test_a_deleted_file_that_a_flag_turns_into_one_in_use_is_said_and_listed(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    volume.put(volume.record(DELETED) + 22, "<H", 1)
    found = walk(volume)
    assert found.the("are in use, but marked free")[2] == "records 146 (gone.pdf)"
    assert any(e.name == "gone.pdf" for e in found.entries)


def test_attributes_behind_an_early_end_are_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    """TSK makes an empty file of it."""
    volume.put(volume.attribute(IMAGE_1, ntfsmft.DATA), "<I", 0xFFFFFFFF)
    found = walk(volume)
    assert found.at("vol1/Users/alex/Pictures/Holiday/IMG_0001.jpg").size == 0
    assert found.the("have another length than they say")[0] is Severity.ERROR
    assert found.the("have no $DATA attribute")[2] == "records 72 (IMG_0001.jpg)"


def test_a_chain_of_attributes_that_breaks_is_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    volume.put(volume.attribute(IMAGE_1, ntfsmft.FILE_NAME) + 4, "<I", 100_000)
    assert walk(volume).the("end before their last attribute")[2] == "records 72"


@pytest.mark.parametrize(
    ("place", "form", "value", "words"),
    [
        (24, "<Q", 99, "another length than they say: content may be wrong"),  # the last cluster's number
        (40, "<Q", 999_424, "sizes that contradict"),  # allocated
        (48, "<Q", 1 << 40, "sizes that contradict"),  # data
        (56, "<Q", 1 << 40, "sizes that contradict"),  # initialised
        (64, "<B", 0x88, "another length than they say: content may be wrong"),  # the first run's header
        (32, "<H", 8, "hold an attribute that does not fit"),  # where the runs begin
    ],
)
def test_what_is_wrong_with_where_a_file_lies_is_said(
    place: int, form: str, value: int, words: str, volume: Ntfs, walk: Callable[[Ntfs], Walked]
) -> None:
    volume.put(volume.attribute(PAGEFILE, ntfsmft.DATA) + place, form, value)
    problems = [p for p in walk(volume).told if words in p[1]]
    assert [(s, d) for s, _, d in problems] == [(Severity.ERROR, "records 69 (pagefile.sys)")]


def test_a_copied_record_is_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    first, other = volume.record(IMAGE_1), volume.record(IMAGE_1 + 1)
    volume.data[first : first + RECORD] = volume.data[other : other + RECORD]
    assert walk(volume).the("tell another record's number")[2] == "records 72 (IMG_0002.jpg)"


def test_a_folder_without_an_index_is_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    volume.put(volume.record(IMAGE_1) + 22, "<H", 3)
    assert walk(volume).the("folders without an index")[2] == "records 72 (IMG_0001.jpg)"


# ---- files in several records -----------------------------------------------------------------------------------------------


def _in_two_records(volume: Ntfs) -> None:
    """Move pagefile.sys's $DATA to a record of its own, and list it in an $ATTRIBUTE_LIST."""
    *others, data = volume.attributes(PAGEFILE)
    listing = b""
    for attribute, record in [*((other, PAGEFILE) for other in others), (data, FREE)]:
        kind, identity = struct.unpack_from("<I10xH", attribute)
        listing += struct.pack("<IHBBQQH6x", kind, 32, 0, 26, 0, 1 << 48 | record, identity)
    attribute = struct.pack("<IIBBHHHIHBB", 0x20, 24 + len(listing), 0, 0, 0, 0, 8, len(listing), 24, 0, 0) + listing
    volume.write_record(PAGEFILE, 1, 0, [others[0], attribute, *others[1:]])
    volume.write_record(FREE, 1, 1 << 48 | PAGEFILE, [data], links=0)
    volume.mark(FREE)


def test_a_file_in_two_records_gives_no_alarm(volume: Ntfs, sound: Walked, walk: Callable[[Ntfs], Walked]) -> None:
    _in_two_records(volume)
    found = walk(volume)
    assert found.told == []
    assert found.md5(found.at("vol1/pagefile.sys")) == sound.md5(sound.at("vol1/pagefile.sys"))


def test_a_part_that_is_gone_is_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    _in_two_records(volume)
    volume.put(volume.record(FREE) + 22, "<H", 0)
    assert walk(volume).the("lack a part that their attribute list names")[2] == "records 69 (pagefile.sys)"


def test_a_part_that_belongs_to_no_file_is_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    _in_two_records(volume)
    volume.put(volume.record(FREE) + 32, "<I", IMAGE_1)
    assert walk(volume).the("continue a file that does not know of them")[2] == "records 28"


# ---- clusters ---------------------------------------------------------------------------------------------------------------


def _bitmap(data: bytes) -> int:
    start = Ntfs(data).runs(6, ntfsmft.DATA)[0].start
    assert start is not None
    return start * CLUSTER


def test_clusters_in_use_that_nobody_owns_are_said(volume: Ntfs, whole: bytes, walk: Callable[[Ntfs], Walked]) -> None:
    at = volume.data.index(b"\0\0\0\0", _bitmap(whole))
    volume.put(at, "<I", 0x0F)
    assert walk(volume).the("belong to no file")[:2] == (
        Severity.WARNING,
        "4 clusters (4096 bytes) are marked in use and belong to no file: files or parts of files are missing",
    )


def test_owned_clusters_that_are_marked_free_are_said(volume: Ntfs, whole: bytes, walk: Callable[[Ntfs], Walked]) -> None:
    volume.data[_bitmap(whole)] = 0
    assert walk(volume).the("are marked free")[1] == "8 clusters (8192 bytes) belong to files and are marked free"


def test_two_files_in_one_place_are_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    first, other = (volume.attribute(n, ntfsmft.DATA) + 64 for n in (IMAGE_1, IMAGE_1 + 1))
    volume.data[first : first + 4] = volume.data[other : other + 4]
    assert walk(volume).the("more than one file")[0] is Severity.ERROR


# ---- copies -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "value"), [(48, 17), (64, 0xF7), (13, 4)])
def test_a_boot_sector_that_differs_from_its_copy_is_said(at: int, value: int, volume: Ntfs) -> None:
    volume.data[at] = value
    faults = [f.message for f in ntfs.check(reader_of(bytes(volume.data)), Listed()) if isinstance(f, Fault)]
    assert any("boot sector" in message for message in faults)


def test_a_damaged_copy_of_the_boot_sector_is_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    volume.data[12287 * 512 + 3] = 0
    assert walk(volume).the("boot sector's copy")[0] is Severity.WARNING


def test_the_mft_is_found_by_its_copy(volume: Ntfs, whole: bytes) -> None:
    volume.data[MFT : MFT + 4] = bytes(4)
    found = list(ntfs.check(reader_of(bytes(volume.data)), Listed()))
    assert any(isinstance(f, Fault) and "differ from their copies in $MFTMirr" in f.message for f in found)
    assert {f.address for f in found if isinstance(f, Missed)} == {
        f.address for f in ntfs.check(reader_of(whole), Listed()) if isinstance(f, Missed) and f.address
    }


def test_a_copy_that_differs_is_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    volume.put(MIRROR + 2 * RECORD + 22, "<H", 0)
    assert walk(volume).the("$MFTMirr")[1].startswith("MFT records 2 differ")


def test_a_volume_that_is_cut_short_is_said(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    del volume.data[4 << 20 :]
    assert walk(volume).the("what lies behind is missing")[0] is Severity.ERROR


def test_a_dirty_volume_is_no_more_than_information(volume: Ntfs, walk: Callable[[Ntfs], Walked]) -> None:
    volume.data[volume.value(3, ntfsmft.VOLUME_INFORMATION) + 10] |= 1
    assert [s for s, _, _ in walk(volume).told] == [Severity.INFO]


# ---- hostile ----------------------------------------------------------------------------------------------------------------


def _mutant(data: bytes, number: int) -> bytes:
    """Damage sectors of the boot sector, the MFT and folders."""
    places = [0, 12287, *range(32, 360), *range(6142, 6150)]
    return bytes(mutated(data, places, random.Random(number), (flip, exaggerate_aligned, wipe, misplace)))


def test_no_mutant_loses_a_name_in_silence(whole: bytes, sound: Walked, walk: Callable[[Ntfs], Walked]) -> None:
    usual, losing = sound.names, 0
    for number in range(40):
        try:
            found = walk(Ntfs(_mutant(whole, number)))
        except OSError:
            continue  # no file system any more
        assert not [m for _, m, _ in found.told if "could not be finished" in m], number
        lost = usual - found.names
        losing += bool(lost)
        assert not lost or found.problems or found.unlisted, f"{number}: {sorted(lost)}"
    assert losing > 10, "the mutants do no harm"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=1024), st.integers(0, 1023))
def test_any_bytes_in_a_record_end_in_a_verdict(junk: bytes, at: int) -> None:
    raw = bytearray(struct.pack("<4sHHQHHHHIIQHHI", b"FILE", 48, 3, 0, 1, 1, 56, 1, 1024, RECORD, 0, 9, 0, 0) + bytes(RECORD - 48))
    raw[at : at + len(junk)] = junk[: RECORD - at]
    record = ntfsmft.parse_record(bytes(raw), 0, 100)
    for attribute in record.attributes if record is not None else ():
        ntfsmft.file_name(attribute.value)
        ntfsmft.attribute_list(attribute.value)
    table = Table(RECORD, CLUSTER, 100)
    table.feed(bytes(raw) * 2)
    assert table.count == 2
    assert (record is not None) == bool(table.column("state")[0] in (1, USED))


@given(st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 1 << 20)), st.integers(1, 1 << 16)), max_size=20))
def test_both_decoders_of_runs_agree_with_who_wrote_them(runs: list[tuple[int | None, int]]) -> None:
    raw, before = b"", 0
    for start, length in runs:
        size = (length.bit_length() + 8) // 8
        far = 0 if start is None else ((start - before).bit_length() + 8) // 8
        raw += bytes([far << 4 | size]) + length.to_bytes(size, "little", signed=True)
        if start is not None:
            raw += (start - before).to_bytes(far, "little", signed=True)
            before = start
    raw += b"\0"
    clusters = 1 << 22
    assert ntfsmft.runlist(raw, clusters) == [ntfsmft.Run(*run) for run in runs]
    table, broken = Table(4096, 1, clusters), np.zeros(1, bool)
    here = Bytes(raw)
    decoded = list(table._decode(here, np.array([0]), np.array([len(raw)]), broken))
    assert not broken.any()
    assert [(None if s[0] < 0 else int(s[0]), int(n[0])) for _, s, n in decoded] == runs


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 20)), max_size=12), st.binary(min_size=13, max_size=13))
def test_a_bitmap_is_counted_as_bit_by_bit(ranges: list[tuple[int, int]], bits: bytes) -> None:
    total = 100
    ranges.sort()
    start = np.array([s for s, _ in ranges], dtype=np.int64)
    end = np.minimum(start + np.array([n for _, n in ranges], dtype=np.int64), total)
    counts = count_bitmap([bits[:5], bits[5:]], "little", total, start, end)
    owners = [sum(s <= bit < e for s, e in zip(start.tolist(), end.tolist(), strict=True)) for bit in range(total)]
    marked = [bits[bit // 8] >> bit % 8 & 1 for bit in range(total)]
    assert counts.nobody == sum(m and not o for m, o in zip(marked, owners, strict=True))
    assert counts.free == sum(bool(o) and not m for m, o in zip(marked, owners, strict=True))
    assert counts.shared == sum(o > 1 for o in owners)
    assert (counts.checked, counts.marked) == (total, sum(marked))


def test_what_no_range_covers_is_counted() -> None:
    ranges = [(10, 20), (30, 40), (1 << 70, 1 << 71)]
    assert uncovered(ranges, np.array([0, 15, 39]), np.array([10, 35, 41])) == 10 + 10 + 1
    assert uncovered([], np.array([3]), np.array([5])) == 2
