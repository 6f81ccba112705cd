"""Deleted ext3 and ext4 files out of the journal: what the kernel deleted comes back byte for byte, what exists is left alone."""

from __future__ import annotations

import gzip
import hashlib
import random
import re
import struct
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_support import Bytes, Walked, clear, exaggerate, flip, misplace, mutated, reader_of, scramble

from triage.filesystem.crc32c import crc32c
from triage.filesystem.extjournal import Journal, read_journal
from triage.filesystem.extlayout import ExtLayout, Groups, read_descriptors, read_layout
from triage.filesystem.extundelete import Deleted, Search, buried
from triage.filesystem.extundeletenames import JournalNames
from triage.filesystem.extundeleteorphans import deleted_inodes
from triage.filesystem.tsk import Avoid
from triage.model import Entry, Kind, Recoverability, Severity, State

if TYPE_CHECKING:
    from triage.filesystem.checks import VolumeReader

SAMPLES = Path(__file__).resolve().parent / "samples"
JOURNALED = ("ext4", "ext4-bare", "ext4-dirty", "ext3")
REGULAR, DIRECTORY = 8, 4


class Row(NamedTuple):
    """What became of a file, as it was written down when the sample was built."""

    image: str
    state: str
    path: str
    size: int
    sha256: str


def truth(image: str, state: str) -> list[Row]:
    rows = (line.split("\t") for line in (SAMPLES / "truth.tsv").read_text(encoding="utf-8").splitlines())
    return [Row(a, b, c, int(d), e) for a, b, c, d, e in rows if (a, b) == (image, state)]


@cache
def sample(image: str) -> bytes:
    return gzip.decompress((SAMPLES / f"{image}.raw.gz").read_bytes())


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Walked]:
    folder = tmp_path_factory.mktemp("journals")
    found = {}
    for image in JOURNALED:
        path = folder / f"{image}.raw"
        path.write_bytes(sample(image))
        found[image] = Walked(path)
    return found


def content(walked: Walked, entry: Entry) -> bytes:
    assert entry.locator is not None
    runs = entry.locator.runs
    return b"".join(bytes(r.length) if r.image_offset is None else walked.medium.read_at(r.image_offset, r.length) for r in runs)


def gone(walked: Walked) -> list[Entry]:
    return [e for e in walked.entries if e.state in (State.DELETED, State.ORPHAN)]


def opened(data: bytes) -> tuple[VolumeReader, ExtLayout, Groups, Journal | None]:
    reader = reader_of(data)
    layout = read_layout(reader.read)
    assert layout is not None
    groups = read_descriptors(reader.read, layout)
    return reader, layout, groups, read_journal(reader, layout, groups)


# -- what was deleted ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", JOURNALED)
def test_deleted_files_come_back_byte_for_byte_under_their_names(walks: dict[str, Walked], image: str) -> None:
    walked, rows = walks[image], truth(image, "deleted")
    found = {e.path.removeprefix("vol1/"): e for e in gone(walked) if e.kind is Kind.FILE}
    assert len(rows) >= 18
    assert sorted(found) == sorted(row.path for row in rows)
    whole = 0
    for row in rows:
        entry = found[row.path]
        assert entry.size == row.size
        assert sum(run.length for run in entry.runs) == row.size
        same = hashlib.sha256(content(walked, entry)).hexdigest() == row.sha256
        assert same == (entry.recoverability is Recoverability.INTACT), row.path
        whole += same
    assert whole >= len(rows) * 3 // 4


@pytest.mark.parametrize("image", JOURNALED)
def test_without_the_journal_none_of_them_has_a_place(tmp_path: Path, image: str) -> None:
    path = tmp_path / "image.raw"
    path.write_bytes(sample(image))
    walked = Walked(path, Avoid(checks=True))
    assert not [e for e in gone(walked) if any(run.image_offset is not None for run in e.runs)]
    assert "the journal was not read" in walked.said


@pytest.mark.parametrize("image", JOURNALED)
def test_what_exists_is_not_listed_as_deleted(walks: dict[str, Walked], image: str) -> None:
    live = {row.path for row in truth(image, "live")}
    assert not live & {e.path.removeprefix("vol1/") for e in gone(walks[image])}
    if image == "ext4-dirty":  # a file that only the journal knows of exists all the same
        _, _, _, journal = opened(sample(image))
        assert journal is not None
        assert any(journal.pending(copy) for block in journal.blocks.tolist() for copy in journal.copies(block))


def test_the_examiner_is_told_what_came_from_the_journal(walks: dict[str, Walked]) -> None:
    severity, message, _ = walks["ext4"].the("the journal still knew")
    assert severity is Severity.INFO
    completed, named, added = map(int, re.findall(r"\d+", message))
    assert completed + added == named == len(gone(walks["ext4"]))


def test_a_name_is_given_back_where_nothing_else_is_left(walks: dict[str, Walked], tmp_path: Path) -> None:
    raw = sample("ext4")
    reader, layout, groups, journal = opened(raw)
    assert journal is not None
    search = Search(reader, layout, groups, journal)
    current = {one.address for one in search.run() if one.current}
    wanted = next(e for e in gone(walks["ext4"]) if e.meta_addr in current and e.path.startswith("vol1/docs/"))
    every = ((block, journal.read(copy)) for block in journal.blocks.tolist() for copy in journal.copies(block))
    folder = next((block, data) for block, data in every if wanted.name.encode() in data[:400])
    written = Written(*FORMS["checksums 3"])  # holds a folder as it was, and inodes as they are now
    written.descriptor(1, 90, [folder])
    written.descriptor(9, 91, [(block, raw[block * 1024 : block * 1024 + 1024]) for block in search.tables()[0].tolist()])
    path = tmp_path / "image.raw"
    path.write_bytes(written.raw)
    walked = Walked(path)
    (entry,) = (e for e in gone(walked) if e.name == wanted.name)
    assert (entry.path, entry.size, entry.orphan, entry.runs) == (wanted.path, 0, False, ())


@pytest.mark.parametrize("image", JOURNALED)
def test_deleted_folders_lead_to_what_was_in_them(walks: dict[str, Walked], image: str) -> None:
    folders = {e.path for e in gone(walks[image]) if e.kind is Kind.DIRECTORY}
    assert folders == {f"vol1/{path}" for path in ("tree", "tree/one", "tree/two", "tree/two/three")}
    assert {e.name_allocated for e in gone(walks[image])} == {False}


def test_a_deleted_link_says_where_it_led(walks: dict[str, Walked]) -> None:
    (link,) = (e for e in gone(walks["ext4"]) if e.kind is Kind.LINK)
    assert (link.path, link.link_target, link.runs) == ("vol1/link", "docs/d0/file00.txt", ())


def test_holes_and_pieces_are_kept(walks: dict[str, Walked]) -> None:
    by_path = {e.path: e for e in gone(walks["ext4"])}
    assert by_path["vol1/sparse.bin"].runs[0].image_offset is None
    assert len(by_path["vol1/pieces0.log"].runs) > 4  # more than fit into the inode: the map has blocks of its own


def test_times_are_those_of_before_the_deletion(walks: dict[str, Walked]) -> None:
    walked = walks["ext4"]
    live = max(e.mtime or 0 for e in walked.entries if e.path.startswith("vol1/docs/") and e.name_allocated and e.kind is Kind.FILE)
    for entry in gone(walked):
        if entry.path.startswith("vol1/docs/") and entry.kind is Kind.FILE:
            assert entry.mtime is not None
            assert entry.crtime is not None
            assert entry.crtime <= entry.mtime <= live + 1_000_000_000


def test_inodes_that_were_given_away_are_told_apart_by_generation() -> None:
    reader, layout, groups, journal = opened(sample("ext4"))
    assert journal is not None
    found = Search(reader, layout, groups, journal).run()
    numbers = [(one.address, one.generation) for one in found]
    assert len(set(numbers)) == len(numbers)
    assert {one.current for one in found} == {True, False}


def test_deleted_folders_do_not_hide_orphans_that_the_journal_knows_nothing_of(tmp_path: Path) -> None:
    written = Written(*FORMS["version 2"])  # an empty journal
    path = tmp_path / "image.raw"
    path.write_bytes(written.raw)
    walked = Walked(path)
    found = gone(walked)
    assert len(found) >= 16
    assert all(e.orphan and e.path == f"vol1/$OrphanFiles/OrphanFile-{e.meta_addr}" for e in found)
    assert Kind.DIRECTORY in {e.kind for e in found}
    assert "cannot be listed" not in walked.said


def test_our_search_for_orphans_finds_what_sleuth_kit_finds(evidence_root: Path) -> None:
    walked = Walked(evidence_root / "images" / "made" / "ext4.E01", Avoid(checks=True))
    ((reader, _),) = walked.listed
    assert sorted(deleted_inodes(reader)) == sorted(e.meta_addr or 0 for e in gone(walked)) != []


def test_real_evidence_gives_up_its_deleted_pictures_with_their_names(evidence_root: Path) -> None:
    folder = evidence_root / "images" / "made"
    rows = [line.split("\t") for line in (folder / "truth.tsv").read_text(encoding="utf-8").splitlines()]
    deleted = {name: md5 for state, md5, name in rows if state == "deleted"}
    walked = Walked(folder / "ext4.E01")
    found = {e.name: hashlib.md5(content(walked, e), usedforsecurity=False).hexdigest() for e in gone(walked)}
    assert len(deleted) == 8
    assert found == deleted


def test_a_file_that_a_later_deleted_one_took_the_blocks_of_is_not_called_whole() -> None:
    base = {"generation": 1, "kind": REGULAR, "inode": bytes(128), "after": -9, "before": 9, "current": True}
    early = Deleted(address=11, size=3072, runs=((4096, 2048), (None, 512), (9000, 512)), age=1, **base)
    late = Deleted(address=12, size=1024, runs=((5120, 1024),), age=2, **base)
    apart = Deleted(address=13, size=1024, runs=((20_000, 1024),), age=0, **base)
    assert buried([early, late, apart]) == {(11, 1): 1024}


# -- the journal's forms ----------------------------------------------------------------------------------------------------------------

MAGIC = 0xC03B3998
FORMS = {  # superblock's kind, features, bytes a tag
    "version 1": (3, 0, 8),
    "version 2": (4, 0, 8),
    "64 bits": (4, 0x2, 12),
    "checksums 2": (4, 0x8, 10),
    "checksums 2, 64 bits": (4, 0xA, 14),
    "checksums 3": (4, 0x10, 16),
    "checksums 3, 64 bits": (4, 0x12, 16),
}


class Written:
    """A sample whose journal is written anew, block by block; blocks are numbered as the journal does."""

    def __init__(self, kind: int, features: int, tag: int, sequence: int = 100) -> None:
        self.raw = bytearray(sample("ext4"))
        _, layout, _, journal = opened(bytes(self.raw))
        assert journal is not None
        places = journal.places
        self.places = [int(place) * layout.block for place in places]
        self.block = layout.block
        self.features, self.tag = features, tag
        self.seed = crc32c(0xFFFFFFFF, bytes(range(16)))
        for number in range(len(self.places)):
            self.put(number, bytes(self.block))
        head = struct.pack(">12I", MAGIC, kind, 0, self.block, len(self.places), 1, sequence, 0, 0, 0, features, 0) + bytes(range(16))
        self.put(0, head.ljust(self.block, b"\0"))

    def put(self, number: int, data: bytes) -> None:
        self.raw[self.places[number] : self.places[number] + self.block] = data

    def descriptor(self, number: int, sequence: int, tags: list[tuple[int, bytes]], at: list[int] | None = None) -> None:
        """Write a descriptor and behind it the copies of ``(block, bytes)``."""
        body = b""
        for index, (block, data) in enumerate(tags):
            flags = (0 if not index else 2) | (8 if index == len(tags) - 1 else 0) | (1 if data[:4] == MAGIC.to_bytes(4, "big") else 0)
            stored = bytes(4) + data[4:] if flags & 1 else data
            checksum = crc32c(crc32c(self.seed, sequence.to_bytes(4, "big")), stored)
            if self.features & 0x10:
                body += struct.pack(">IIII", block & 0xFFFFFFFF, flags, block >> 32, checksum)
            else:
                body += struct.pack(">IHHI", block & 0xFFFFFFFF, checksum & 0xFFFF, flags, block >> 32)[: 8 + 4 * bool(self.features & 2)]
                body += bytes(2) if self.features & 8 else b""
            body += b"" if index else bytes(16)
            self.put((at or range(number + 1, 1 << 20))[index], stored)
        self.put(number, (struct.pack(">III", MAGIC, 1, sequence) + body).ljust(self.block, b"\0"))

    def copies(self, block: int) -> list[bytes]:
        _, _, _, journal = opened(bytes(self.raw))
        return [journal.read(copy) for copy in journal.copies(block)] if journal is not None else []


def block_of(letter: bytes) -> bytes:
    return letter * 1024


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_tags_is_read(form: str) -> None:
    written = Written(*FORMS[form])
    written.descriptor(1, 90, [(5000, block_of(b"a")), (5001, block_of(b"b")), (5002, MAGIC.to_bytes(4, "big") + bytes(1020))])
    written.descriptor(9, 91, [(5000, block_of(b"c"))])
    assert written.copies(5000) == [block_of(b"c"), block_of(b"a")]  # the newest first
    assert written.copies(5001) == [block_of(b"b")]
    assert written.copies(5002) == [MAGIC.to_bytes(4, "big") + bytes(1020)]  # its first four bytes stood for themselves


def test_copies_behind_the_journals_end_are_at_its_beginning() -> None:
    written = Written(*FORMS["checksums 3"])
    last = len(written.places) - 1
    written.descriptor(last - 1, 90, [(5000 + n, block_of(b"%d" % n)) for n in range(4)], at=[last, 1, 2, 3])
    assert [written.copies(5000 + n) for n in range(4)] == [[block_of(b"%d" % n)] for n in range(4)]


def test_copies_that_a_newer_transaction_has_written_over_are_not_the_older_ones() -> None:
    written = Written(*FORMS["version 2"])
    last = len(written.places) - 1
    written.descriptor(last - 1, 90, [(5000 + n, block_of(b"o")) for n in range(4)], at=[last, 1, 2, 3])
    written.descriptor(1, 95, [(6000, block_of(b"n")), (6001, block_of(b"n"))])
    assert written.copies(5000) == [block_of(b"o")]
    assert [written.copies(5000 + n) for n in (1, 2, 3)] == [[], [], []]
    assert written.copies(6000) == [block_of(b"n")]


def test_a_copy_that_fails_its_checksum_is_none() -> None:
    written = Written(*FORMS["checksums 3, 64 bits"])
    written.descriptor(1, 90, [(5000, block_of(b"a")), (5001, block_of(b"b"))])
    written.put(2, block_of(b"z"))
    assert (written.copies(5000), written.copies(5001)) == ([b""], [block_of(b"b")])


def test_sequence_numbers_count_on_past_their_end() -> None:
    written = Written(*FORMS["version 2"], sequence=3)
    written.descriptor(1, 0xFFFFFFFE, [(5000, block_of(b"o"))])
    written.descriptor(5, 1, [(5000, block_of(b"n"))])
    assert written.copies(5000) == [block_of(b"n"), block_of(b"o")]


def test_a_journal_of_descriptors_alone_gives_no_copies() -> None:
    written = Written(*FORMS["version 2"])
    tags = b"".join(struct.pack(">IHH", 5000 + n, 0, 2) for n in range(120))
    for number in range(1, len(written.places)):
        written.put(number, (struct.pack(">III", MAGIC, 1, 90) + tags).ljust(1024, b"\0"))
    _, _, _, journal = opened(bytes(written.raw))
    assert journal is not None
    assert len(journal) <= 1


def test_a_journal_whose_inode_is_lost_is_found_by_the_superblocks_copy() -> None:
    raw = bytearray(sample("ext4"))
    _, layout, groups, journal = opened(bytes(raw))
    assert journal is not None
    at = int(groups.inode_table[0]) * layout.block + 7 * layout.inode_size
    raw[at : at + layout.inode_size] = bytes(layout.inode_size)
    _, _, _, again = opened(bytes(raw))
    assert again is not None
    assert len(again) == len(journal) > 0


@pytest.mark.parametrize(("changed", "said"), [("superblock", "the journal lies on another device"), ("journal", "the journal is damaged")])
def test_a_journal_that_is_not_there_is_said(tmp_path: Path, changed: str, said: str) -> None:
    raw = bytearray(sample("ext4"))
    _, layout, _, journal = opened(bytes(raw))
    assert journal is not None
    if changed == "superblock":
        raw[1024 + 0xE0 : 1024 + 0xE4] = bytes(4)
        raw[1024 + 0xFD] = 0
        raw[1024 + 0x3FC : 1024 + 0x400] = crc32c(0xFFFFFFFF, bytes(raw[1024 : 1024 + 0x3FC])).to_bytes(4, "little")
    else:
        place = int(journal.places[0]) * layout.block
        raw[place : place + 512] = bytes(512)
    path = tmp_path / "image.raw"
    path.write_bytes(raw)
    walked = Walked(path)
    assert said in walked.said
    assert all(e.path.startswith("vol1/$OrphanFiles/") for e in gone(walked))


def test_a_volume_without_a_journal_has_none() -> None:
    raw = bytearray(sample("ext4"))
    raw[1024 + 0x5C] &= ~4  # has_journal
    assert opened(bytes(raw))[3] is None


# -- hostile input ------------------------------------------------------------------------------------------------------------------------


def look(data: bytes) -> list[Deleted]:
    """Do what the walk does with a journal, but for the entries."""
    reader = reader_of(data)
    layout = read_layout(reader.read)
    if layout is None:
        return []
    groups = read_descriptors(reader.read, layout)
    journal = read_journal(reader, layout, groups)
    if journal is None:
        return []
    search = Search(reader, layout, groups, journal)
    found = search.run()
    names = JournalNames(layout, groups, journal, found, search.tables()[0].tolist())
    for one in found:
        names.where(one, {}, "vol1")
        places = [(start, length) for start, length in one.runs if start is not None]
        assert all(0 < start <= reader.size and length > 0 for start, length in places)
        assert not one.runs or sum(length for _, length in one.runs) == one.size
    buried(found)
    return found


@pytest.mark.parametrize("image", ["ext4", "ext3"])
def test_damage_anywhere_in_the_books_breaks_nothing(image: str) -> None:
    data = sample(image)
    _, layout, groups, journal = opened(data)
    assert journal is not None
    tables = range(int(groups.inode_table[0]) * 2, int(groups.inode_table[0]) * 2 + 30)
    own = [int(place) * layout.block // 512 for place in journal.places[:400]]
    chance = random.Random(11)
    sectors = [2, 3, *tables, *own]
    for _ in range(60):
        look(bytes(mutated(data, sectors, chance, (flip, clear, scramble, misplace, exaggerate))))


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=12, max_size=1012), st.integers(1, 3000), st.sampled_from(sorted(FORMS)))
def test_any_bytes_behind_a_descriptors_head_are_taken(body: bytes, number: int, form: str) -> None:
    written = WRITTEN[form]
    raw = bytearray(written.raw)
    place = written.places[number]
    raw[place : place + 1024] = (struct.pack(">III", MAGIC, 1, 77) + body).ljust(1024, b"\0")
    _, layout, _, journal = opened(bytes(raw))
    assert journal is not None
    assert len(journal) <= len(written.places)
    for block in journal.blocks.tolist():
        assert 0 < block < layout.blocks
        assert all(len(journal.read(copy)) in (0, 1024) for copy in journal.copies(block))


class _Forms(dict[str, Written]):
    def __missing__(self, form: str) -> Written:
        self[form] = Written(*FORMS[form])
        return self[form]


WRITTEN = _Forms()


def test_a_journal_that_cannot_be_read_in_part_gives_the_rest() -> None:
    data = sample("ext4")
    reader, layout, groups, journal = opened(data)
    assert journal is not None
    whole = len(Search(reader, layout, groups, journal).run())
    block = int(journal.blocks[len(journal.blocks) // 2])
    bad = journal.copies(block)[0].place
    reader._medium = Bytes(data, (bad, bad + 512))
    again = read_journal(reader, layout, groups)
    assert again is not None
    assert again.read(again.copies(block)[0]) == b""
    assert 0 < len(Search(reader, layout, groups, again).run()) <= whole
