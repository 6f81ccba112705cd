"""HFS+ held against its own books: sound volumes give no alarm, each redundancy is used, and nothing is lost in silence."""

from __future__ import annotations

import random
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_support import Walked, exaggerate_aligned, flip, misplace, mutated, reader_of, wipe

from triage.filesystem.checks import Fault, Missed, hfs, hfsformat
from triage.filesystem.checks.hfstree import read_tree_header
from triage.filesystem.listed import Listed
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "images"))
from builder.hfswriter import BLOCK, SINCE_1904, Volume

WHEN = 1_714_557_600
HEADER = 1024
NODE = 4096
FILES, FOLDERS, FREE_BLOCKS, NEXT_ID, ATTRIBUTES = 32, 36, 48, 64, 4
"""Places in the volume header."""


class Hfs:
    """The built-in volume in memory, to damage it by node and record."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)

    def put(self, at: int, form: str, *values: int) -> None:
        struct.pack_into(form, self.data, at, *values)

    def tree(self, kind: int) -> int:
        """Return where a tree begins: none of these lies in several pieces."""
        header = hfsformat.read_header(bytes(self.data[HEADER : HEADER + 512]))
        assert header is not None
        return header.forks[kind].extents[0].start * BLOCK

    def node(self, number: int, kind: int = hfsformat.CATALOG) -> int:
        return self.tree(kind) + number * NODE

    def record(self, name: str, kind: int) -> tuple[int, int]:
        """Return where a catalog record's key and body begin, by the name that stands in its key."""
        start, wide = self.tree(hfsformat.CATALOG), name.encode("utf-16-be")
        at = start
        while True:
            at = self.data.index(struct.pack(">H", len(name)) + wide, at) - 6
            length = struct.unpack_from(">H", self.data, at)[0]
            if length == 6 + len(wide) and struct.unpack_from(">H", self.data, at + 2 + length)[0] == kind:
                return at, at + 2 + length
            at += 7


@pytest.fixture(scope="module")
def whole(image: Callable[[str], Path]) -> bytes:
    return image("hfsplus.raw").read_bytes()


@pytest.fixture
def volume(whole: bytes) -> Hfs:
    return Hfs(whole)


@pytest.fixture(scope="module")
def sound(image: Callable[[str], Path]) -> Walked:
    return Walked(image("hfsplus.raw"))


@pytest.fixture
def walk(tmp_path: Path) -> Callable[[Hfs | bytes], Walked]:
    def walked(volume: Hfs | bytes) -> Walked:
        path = tmp_path / "damaged.raw"
        path.write_bytes(volume.data if isinstance(volume, Hfs) else volume)
        return Walked(path)

    return walked


def made(*, hfsx: bool = False, node_size: int = NODE) -> Volume:
    volume = Volume(200, "Made", WHEN, hfsx=hfsx, node_size=node_size)
    volume.folder("a")
    for number in range(60):
        volume.file(f"a/File {number:02}.txt", b"x" * number)
    return volume


# ---- no false alarm ---------------------------------------------------------------------------------------------------------


def test_the_built_in_volume_gives_no_alarm(sound: Walked) -> None:
    assert sound.told == []
    assert [e.path for e in sound.entries if e.name == "iNode53"] == ["vol1/^^^^HFS+ Private Data/iNode53"], "what hard links lead to"


@pytest.mark.parametrize("name", ["dfvfs/hfsplus.raw", "strelka/test.dmg"])
def test_real_volumes_give_no_alarm(name: str, evidence_root: Path) -> None:
    assert Walked(evidence_root / "images" / name).told == []


@pytest.mark.parametrize(("hfsx", "node_size"), [(True, 4096), (False, 8192), (True, 8192)])
def test_other_forms_give_no_alarm(hfsx: bool, node_size: int, walk: Callable[[Hfs | bytes], Walked]) -> None:
    found = walk(made(hfsx=hfsx, node_size=node_size).image())
    assert found.told == []
    assert found.content(found.at("vol1/a/File 59.txt")) == b"x" * 59


def _wrapped(data: bytes) -> bytes:
    """Put an HFS wrapper around a volume ("HFS Wrapper"): a master directory block that says where it begins."""
    block, first = 4096, 16
    head = bytearray(first * 512 + block)
    head[1024:1026] = b"BD"
    struct.pack_into(">HI", head, 1024 + 18, len(data) // block + 1, block)
    struct.pack_into(">H", head, 1024 + 28, first)
    head[1024 + 124 : 1024 + 126] = b"H+"
    struct.pack_into(">HH", head, 1024 + 126, 1, len(data) // block)
    return bytes(head) + data + bytes(1024)


def test_a_wrapped_volume_gives_no_alarm_and_its_files_lie_where_they_are_said_to(
    whole: bytes, sound: Walked, walk: Callable[[Hfs | bytes], Walked]
) -> None:
    found = walk(_wrapped(whole))
    assert found.told == []
    assert found.names == sound.names
    entry, usual = found.at("vol1/Documents/vault.dat"), sound.at("vol1/Documents/vault.dat")
    (run,) = entry.runs
    assert run.image_offset is not None
    assert found.medium.read_at(run.image_offset, entry.size) == found.content(entry) == sound.content(usual)


def test_free_space_is_that_of_the_volume_header(whole: bytes) -> None:
    listed = Listed()
    list(hfs.check(reader_of(whole), listed))
    assert listed.free == struct.unpack_from(">I", whole, HEADER + FREE_BLOCKS)[0] * BLOCK > 0


# ---- names ------------------------------------------------------------------------------------------------------------------


def test_names_behind_a_damaged_index_are_listed_under_their_paths(
    volume: Hfs, sound: Walked, walk: Callable[[Hfs | bytes], Walked]
) -> None:
    """TSK goes from the root of the catalog to the leaves; with one leaf's index record gone astray it misses what is there."""
    root = volume.node(struct.unpack_from(">I", volume.data, volume.tree(hfsformat.CATALOG) + 16)[0])
    count = struct.unpack_from(">H", volume.data, root + 10)[0]
    at = root + struct.unpack_from(">H", volume.data, root + NODE - 2 * count)[0]
    at += 2 + struct.unpack_from(">H", volume.data, at)[0]
    volume.put(at, ">I", 0)
    found = walk(volume)
    # Of those, what is left to say: a hard link and streams.
    assert {p.removeprefix("vol1/") for p, _, _ in sound.names - found.names} == {
        "Library/second name.txt",
        "Documents/Letters/forked:RSRC",
        "Documents/Letters/forked:org.example.note",
    }
    assert found.the("the catalog is damaged")[0] is Severity.ERROR
    assert found.the("not under all of their names")[2] == "IDs 55 (second name.txt)"
    pieces = [(e.size, e.runs) for e in found.entries if e.name == "in many pieces.bin" and e.locator is not None]
    assert pieces == [(e.size, e.runs) for e in sound.entries if e.name == "in many pieces.bin"]


def test_files_whose_records_sleuth_kit_finds_no_more_are_listed_with_their_content(
    volume: Hfs, sound: Walked, walk: Callable[[Hfs | bytes], Walked]
) -> None:
    """TSK lists their names, takes them for deleted ones without metadata, and says nothing."""
    tree = volume.tree(hfsformat.CATALOG)
    root = volume.node(struct.unpack_from(">I", volume.data, tree + 16)[0])
    at = root + struct.unpack_from(">H", volume.data, root + NODE - 4)[0]
    volume.put(at + 2, ">I", 2)  # the second leaf's key: searches go to the first one or behind
    found = walk(volume)
    usual = {e.path: e for e in sound.entries}
    placed = {e.path: e for e in found.entries if e.locator is not None and not e.meta_addr}
    assert sum(e.size > 0 for e in placed.values()) > 5
    assert not any(e.state.value == "deleted" for e in found.entries)
    for path, entry in placed.items():
        assert (entry.size, entry.runs) == (usual[path].size, usual[path].runs)


def test_a_folder_that_cannot_be_reached_is_listed_with_what_it_holds(volume: Hfs, walk: Callable[[Hfs | bytes], Walked]) -> None:
    key, _ = volume.record("Lake", 1)
    volume.put(key + 2, ">I", 9_999)
    found = walk(volume)
    assert ("vol1/$OrphanFiles/Lake", "directory", "allocated") in found.names
    assert any(e.name == "boat.bmp" and e.size == 9_270 for e in found.entries)
    assert found.the("lie in a folder that the catalog does not have")[2] == "IDs 18 (Lake)"
    assert found.the("another name, folder or kind by their ID")[0] is Severity.ERROR


def test_a_changed_letter_of_a_name_is_said(volume: Hfs, walk: Callable[[Hfs | bytes], Walked]) -> None:
    key, _ = volume.record("vault.dat", 2)
    volume.data[key + 9] = ord("f")
    assert walk(volume).the("another name, folder or kind by their ID")[::2] == (Severity.ERROR, "IDs 28 (fault.dat)")


def test_an_id_that_two_files_have_is_said(volume: Hfs, walk: Callable[[Hfs | bytes], Walked]) -> None:
    _, body = volume.record("vault.dat", 2)
    volume.put(body + 8, ">I", 29)
    found = walk(volume)
    assert found.the("an ID that others have too")[0] is Severity.ERROR
    assert found.the("are in no folder: names are missing")[2] == "IDs 28"


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (FILES, "the volume header counts"),
        (FOLDERS, "the volume header counts"),
        (FREE_BLOCKS, "the volume header says"),
        (NEXT_ID, "has higher ones already"),
    ],
)
def test_counts_of_the_volume_header_are_held_against_the_volume(place: int, words: str, volume: Hfs) -> None:
    volume.put(HEADER + place, ">I", 7)
    faults = [f for f in hfs.check(reader_of(bytes(volume.data)), Listed()) if isinstance(f, Fault)]
    assert any(words in fault.message for fault in faults)


def test_a_folder_that_counts_more_than_it_holds_is_said(volume: Hfs, walk: Callable[[Hfs | bytes], Walked]) -> None:
    _, body = volume.record("Holiday", 1)
    volume.put(body + 4, ">I", 10)
    assert walk(volume).the("another number of names than they count")[2] == "IDs 17 (Holiday)"


def test_a_file_that_its_mode_turns_into_a_device_is_said(volume: Hfs, walk: Callable[[Hfs | bytes], Walked]) -> None:
    _, body = volume.record("vault.dat", 2)
    volume.put(body + 42, ">H", 0o060644)
    found = walk(volume)
    assert found.at("vol1/Documents/vault.dat").kind.value == "special"
    assert found.the("of another kind than their mode")[2] == "IDs 28"


# ---- trees ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "form", "value", "words"),
    [
        (20, ">I", 7, "records, its header says 7"),
        (14, ">H", 9, "its depth is not the one"),
        (28, ">I", 2, "the chain of its leaves ends at node"),
        (40, ">I", 0, "are free, its header says 0"),
        (248, ">B", 0, "nodes in the chain of leaves are none or marked free"),
        (NODE + 4, ">I", 3, "leaves do not lead back"),
        (NODE + 0, ">I", 1, "leads to node 1, which it was at before"),
        (NODE + 0, ">I", 4_000_000, "which is none"),
        (NODE + 9, ">B", 2, "not at the lowest level"),
        (2 * NODE - 4, ">H", 3, "nodes have records that do not fit"),
    ],
)
def test_damage_to_the_catalog_tree_is_said(at: int, form: str, value: int, words: str, volume: Hfs) -> None:
    volume.put(volume.tree(hfsformat.CATALOG) + at, form, value)
    faults = [f for f in hfs.check(reader_of(bytes(volume.data)), Listed()) if isinstance(f, Fault)]
    assert any(f.severity is Severity.ERROR and f.message.startswith("the catalog is damaged") and words in f.detail for f in faults), (
        faults
    )


def test_a_damaged_attributes_tree_is_said(volume: Hfs, walk: Callable[[Hfs | bytes], Walked]) -> None:
    """TSK then leaves out attributes and resource forks without a word."""
    at = volume.tree(hfsformat.ATTRIBUTES)
    volume.data[at : at + 512] = bytes(512)
    found = walk(volume)
    assert not any(e.name == "forked:org.example.note" for e in found.entries)
    assert found.the("the attributes file: the tree's header is damaged")[0] is Severity.ERROR


def test_parts_of_a_file_that_are_gone_are_said(volume: Hfs, walk: Callable[[Hfs | bytes], Walked]) -> None:
    at = volume.node(1, hfsformat.EXTENTS) + 14
    assert struct.unpack_from(">HBBII", volume.data, at) == (10, 0, 0, 46, 8)
    volume.put(at + 4, ">I", 4_600)
    found = walk(volume)
    assert found.the("their content is not whole")[2] == "IDs 46"
    assert found.the("have further extents and are not in the catalog")[2] == "IDs 4600"


def test_extents_outside_of_the_volume_are_said(volume: Hfs, walk: Callable[[Hfs | bytes], Walked]) -> None:
    _, body = volume.record("vault.dat", 2)
    volume.put(body + 88 + 16, ">I", 4_000_000)
    assert walk(volume).the("lie outside of the volume")[2] == "IDs 28"


# ---- blocks -----------------------------------------------------------------------------------------------------------------


def test_blocks_that_nobody_owns_or_that_are_marked_free_are_said(volume: Hfs, walk: Callable[[Hfs | bytes], Walked]) -> None:
    volume.data[BLOCK + 20] = 0x0F  # of blocks 160 to 167
    assert walk(volume).the("belong to no file")[1].startswith("4 blocks (16384 bytes) are marked in use")
    volume.data[BLOCK] = 0x7F  # block 0 holds the volume header
    assert walk(volume).the("are marked free")[1].startswith("1 blocks")


def test_two_files_in_one_place_are_said(volume: Hfs, walk: Callable[[Hfs | bytes], Walked]) -> None:
    _, body = volume.record("vault.dat", 2)
    volume.put(body + 88 + 16, ">I", 10)
    assert walk(volume).the("more than one file")[0] is Severity.ERROR


# ---- headers and journal ----------------------------------------------------------------------------------------------------


def test_a_damaged_copy_of_the_volume_header_is_said(volume: Hfs, walk: Callable[[Hfs | bytes], Walked]) -> None:
    volume.data[-1024:-512] = bytes(512)
    assert walk(volume).the("volume header's copy")[0] is Severity.WARNING


@pytest.mark.parametrize(("at", "form", "value"), [(272 + 16, ">I", 90), (44, ">I", 300), (16, ">I", 5)])
def test_headers_that_differ_are_said(at: int, form: str, value: int, volume: Hfs) -> None:
    volume.put(HEADER + at, form, value)
    faults = [f for f in hfs.check(reader_of(bytes(volume.data)), Listed()) if isinstance(f, Fault)]
    assert any(f.severity is Severity.ERROR and "the volume header and its copy differ" in f.message for f in faults)


def test_the_copy_is_used_when_the_volume_header_is_gone(volume: Hfs, whole: bytes) -> None:
    volume.data[HEADER : HEADER + 512] = bytes(512)
    found = list(hfs.check(reader_of(bytes(volume.data)), Listed()))
    assert any(isinstance(f, Fault) and f.message == "the volume header is damaged; its copy was used for the checks" for f in found)
    assert len([f for f in found if isinstance(f, Missed)]) > 30


def test_a_journal_that_was_not_replayed_is_said_once_and_counts_are_not_held(volume: Hfs, walk: Callable[[Hfs | bytes], Walked]) -> None:
    info, journal = 380, 381
    for at in (HEADER, len(volume.data) - 1024):
        volume.put(at + ATTRIBUTES, ">I", hfsformat.JOURNALED)
        volume.put(at + 12, ">I", info)
    volume.put(info * BLOCK, ">I", 1)
    volume.put(info * BLOCK + 36, ">QQ", journal * BLOCK, 4 * BLOCK)
    volume.put(journal * BLOCK, "<IIQQQ", 0x4A4E4C78, 0x12345678, 512, 1024, 4 * BLOCK)
    volume.put(HEADER + FILES, ">I", 7)
    assert [(s, m) for s, m, _ in walk(volume).told] == [
        (Severity.WARNING, "the journal holds changes that were not yet made in the file system; they were not replayed")
    ]
    volume.put(journal * BLOCK + 8, "<QQ", 1024, 1024)
    assert {s for s, m, _ in walk(volume).told if "unmounted" in m} == {Severity.INFO}


# ---- hostile ----------------------------------------------------------------------------------------------------------------


def _mutant(data: bytes, number: int) -> bytes:
    """Damage sectors of the headers, the allocation file and the trees."""
    trees = range(311_296 // 512, (356_352 + 16_384) // 512)
    places = [2, 8, *(s for s in trees if any(data[s * 512 : s * 512 + 512])), len(data) // 512 - 2]
    return bytes(mutated(data, places, random.Random(number), (flip, exaggerate_aligned, wipe, misplace)))


def test_no_mutant_loses_a_name_in_silence(whole: bytes, sound: Walked, walk: Callable[[Hfs | bytes], Walked]) -> None:
    usual, losing = sound.names, 0
    for number in range(60):
        mutant = _mutant(whole, number)
        for found in hfs.check(reader_of(mutant), Listed()):
            assert isinstance(found, Fault | Missed)
        try:
            walked = walk(mutant)
        except OSError:
            continue  # no file system any more
        assert not [m for _, m, _ in walked.told if "could not be finished" in m], number
        lost = usual - walked.names
        losing += bool(lost)
        assert not lost or walked.problems or walked.unlisted, f"{number}: {sorted(lost)}"
    assert losing > 10, "the mutants do no harm"


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=512), st.integers(0, 511))
def test_any_volume_header_ends_in_a_verdict(whole: bytes, junk: bytes, at: int) -> None:
    head = bytearray(whole[HEADER : HEADER + 512])
    head[at : at + len(junk)] = junk[: 512 - at]
    raw = whole[:HEADER] + bytes(head) + whole[HEADER + 512 :]
    assert all(isinstance(found, Fault | Missed) for found in hfs.check(reader_of(raw), Listed()))
    read_tree_header(junk)


# ---- times ------------------------------------------------------------------------------------------------------------------


def test_times_before_1970_are_the_stored_ones(sound: Walked) -> None:
    """TSK gives none."""
    entry = sound.at("vol1/Documents/Letters/old letter.txt")
    assert (entry.crtime, entry.mtime) == (-631_152_000 * 10**9, -86_400 * 10**9)
    assert (entry.ctime, entry.atime) == (WHEN * 10**9, WHEN * 10**9)


def test_the_first_and_last_seconds_of_the_format_are_kept(walk: Callable[[Hfs | bytes], Walked]) -> None:
    volume = made()
    for name, created, changed in (("a/first", 1, SINCE_1904), ("a/last", (1 << 32) - 1, 0), ("b", 5, 6)):
        volume.file(name, b"x", created=created, changed=changed)
    found = walk(volume.image())
    times = {e.name: (e.crtime, e.mtime) for e in found.entries if e.name in ("first", "last", "b")}
    assert times == {
        "first": ((1 - SINCE_1904) * 10**9, 0),
        "last": (((1 << 32) - 1 - SINCE_1904) * 10**9, None),
        "b": ((5 - SINCE_1904) * 10**9, (6 - SINCE_1904) * 10**9),
    }
    assert found.told == []
