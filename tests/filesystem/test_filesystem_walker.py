"""Names of the built-in images against their answer keys: states, links, streams, odd names, loops."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from media_support import Walked

from triage.evidence.opening import open_evidence
from triage.filesystem.tsk import Avoid, Walker
from triage.model import Entry, Kind, Severity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = ["ntfs.E01", "fat32.E01", "exfat.raw", "ext4.raw", "ext2.raw", "fat12.raw", "iso9660.raw", "gpt.E01", "split.001",
         "split-ewf.E01", "damaged-mbr.raw"]


@pytest.fixture(scope="module")
def walked(image: Callable[[str], Path]) -> Callable[[str], Walked]:
    done: dict[str, Walked] = {}

    def walk(name: str) -> Walked:
        if name not in done:
            done[name] = Walked(image(name))
        return done[name]

    return walk


# ---- against the answer keys -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_the_answer_key_is_listed_as_it_says(
    name: str, walked: Callable[[str], Walked], answer_key: Callable[[str], dict[str, Any]]
) -> None:
    found = walked(name)
    by_path: dict[str, list[Entry]] = {}
    for entry in found.entries:
        by_path.setdefault(entry.path, []).append(entry)
    for key in answer_key(name)["entries"]:
        same = [e for e in by_path.get(key["path"], []) if (e.kind.value, e.state.value) == (key["kind"], key["state"])]
        assert same, f"{key['path']}: {key['kind']}, {key['state']} wanted, {by_path.get(key['path'])} found"
        sized = [e for e in same if "size" not in key or e.size == key["size"] or key.get("recoverability") in ("unknown", "overwritten")]
        assert sized, f"{key['path']}: {key['size']} bytes wanted, {[e.size for e in same]} found"
        if "recoverability" in key:
            right = {key["recoverability"], *key.get("also_right", ())}
            assert right & {e.recoverability.value for e in sized}, key["path"]
        if key.get("md5"):
            assert key["md5"] in {found.md5(e) for e in sized}, key["path"]
        if "link_target" in key:
            assert key["link_target"] in {e.link_target for e in sized}, key["path"]


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_sound(name: str, walked: Callable[[str], Walked]) -> None:
    found = walked(name)
    ids = Counter(e.id for e in found.entries)
    assert max(ids.values()) == 1
    assert not [p for p in found.problems if p.severity is Severity.ERROR]
    for entry in found.entries:
        assert entry.path.startswith("vol")
        assert all(c.isprintable() for c in entry.path), repr(entry.path)
        assert "/" not in entry.name.partition(":")[0]
        assert Entry.unpack(entry.pack()) == entry
        assert entry.name not in (".", "..")
        for run in entry.runs:
            assert run.length > 0 or not entry.size
            assert run.image_offset is None or 0 <= run.image_offset < found.medium.size


@pytest.mark.parametrize("name", ["ntfs.E01", "ext4.raw", "fat32.E01"])
def test_a_second_walk_gives_the_same_rows(name: str, walked: Callable[[str], Walked], image: Callable[[str], Path]) -> None:
    assert Walked(image(name)).entries == walked(name).entries


def test_what_is_touched_next_is_announced_first(walked: Callable[[str], Walked]) -> None:
    announced = walked("ext4.raw").announced
    assert {phase for phase, _, _ in announced} >= {Walker.NAMES, Walker.ORPHANS}
    directories = {e.meta_addr for e in walked("ext4.raw").entries if e.kind is Kind.DIRECTORY and e.state.value == "allocated"}
    assert directories <= {address for _, address, _ in announced}


# ---- single properties -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ntfs.E01", "ext4.raw"])
def test_hard_links_are_two_names_of_one_place(name: str, walked: Callable[[str], Walked]) -> None:
    found = walked(name)
    groups: dict[tuple[int | None, int], list[Entry]] = {}
    for entry in found.entries:
        if entry.kind is Kind.FILE and entry.state.value == "allocated" and entry.meta_addr:
            groups.setdefault((entry.volume, entry.meta_addr), []).append(entry)
    linked = [group for group in groups.values() if len(group) > 1]
    assert linked
    for group in linked:
        assert len({e.path for e in group}) == len(group)
        assert len({e.id for e in group}) == len(group)
        assert len({(e.locator, e.size, e.mtime) for e in group}) == 1


@pytest.mark.parametrize("name", ["ext4.raw", "ext2.raw"])
def test_symbolic_links_are_listed_and_not_followed(name: str, walked: Callable[[str], Walked]) -> None:
    found = walked(name)
    links = [e for e in found.entries if e.kind is Kind.LINK]
    assert {"notes.txt", "../../../../../../etc/passwd"} <= {e.link_target for e in links}
    for link in links:
        assert not [e for e in found.entries if e.path.startswith(link.path + "/")]


def test_alternate_data_streams_stand_beside_their_file(walked: Callable[[str], Walked]) -> None:
    found = walked("ntfs.E01")
    by_id = {e.id: e for e in found.entries}
    streams = [e for e in found.entries if e.kind is Kind.STREAM and e.path.startswith("vol1/Users")]
    assert {e.path.rsplit("/", 1)[-1] for e in streams} >= {"list.txt:hidden.jpg", "setup.exe:Zone.Identifier", "Downloads:note"}
    for stream in streams:
        parent = by_id[stream.parent]
        assert stream.path == f"{parent.path}:{stream.name.rsplit(':', 1)[-1]}"
        assert stream.meta_addr == parent.meta_addr
        assert stream.locator != parent.locator
        assert stream.locator.attr_type == 128
        assert b"[ZoneTransfer]" in found.content(stream) or not stream.name.endswith("Zone.Identifier")


def test_sparse_and_compressed_content(walked: Callable[[str], Walked]) -> None:
    found = walked("ntfs.E01")
    sparse = found.at("vol1/Users/alex/Documents/disk.img")
    assert sum(r.length for r in sparse.runs if r.image_offset is None) > 0, "the hole is a run without a place"
    assert sum(r.length for r in sparse.runs if r.image_offset is not None) < sparse.size
    packed = found.at("vol1/Users/alex/Documents/compressed/journal.log")
    assert sum(r.length for r in packed.runs if r.image_offset is not None) < packed.size


def test_resident_content_has_no_runs(walked: Callable[[str], Walked]) -> None:
    resident = [e for e in walked("ntfs.E01").entries if e.resident]
    assert resident
    assert not any(e.runs for e in resident)


def test_names_with_control_bytes_are_escaped_and_kept(walked: Callable[[str], Walked]) -> None:
    ntfs = {e.name: e for e in walked("ntfs.E01").entries}
    assert ntfs["line\\x0abreak \\x1b[31mred.txt"].name_raw == b"line\nbreak \x1b[31mred.txt"
    assert ntfs["rtl\\u202egpj.exe"].name_raw == "rtl\u202egpj.exe".encode()
    assert ntfs["東京.jpg"].name_raw is None
    ext = [e for e in walked("ext4.raw").entries if e.path.startswith("vol1/home/sam/hostile/")]
    slashes = next(e for e in ext if "evil" in e.name)
    assert (slashes.name, slashes.name_raw) == ("..\\x2f..\\x2f..\\x2f..\\x2ftmp\\x2fevil", b"../../../../tmp/evil")
    for entry in ext:
        exact = entry.name_raw if entry.name_raw is not None else entry.name.encode()
        assert (entry.name.encode() == exact) == (entry.name_raw is None)


def test_a_bound_on_names_is_kept_and_said(image: Callable[[str], Path]) -> None:
    found = Walked(image("ext4.raw"), max_entries=5)
    assert 5 <= len(found.entries) < 30
    assert any("more than 5 names" in p.message for p in found.problems)


def test_the_owned_bytes_are_those_of_allocated_files(walked: Callable[[str], Walked]) -> None:
    found = walked("ext4.raw")
    places: set[tuple[int, int]] = set()
    for entry in found.entries:
        if entry.meta_allocated and entry.kind in (Kind.FILE, Kind.DIRECTORY):
            places |= {(r.image_offset, r.length) for r in entry.runs if r.image_offset is not None}
    assert 0 < sum(length for _, length in places) <= found.totals[0].owned <= found.medium.size


# ---- what TSK's listing hung on --------------------------------------------------------------------------------------------


def test_a_directory_is_listed_without_tsk_where_its_listing_hung(image: Callable[[str], Path], walked: Callable[[str], Walked]) -> None:
    usual = walked("ext4.raw")
    folder = usual.at("vol1/home/sam")
    other = Walked(image("ext4.raw"), Avoid(directories=frozenset([folder.meta_addr])))

    def rows(entries: list[Entry]) -> set[tuple[Any, ...]]:
        return {(e.path, e.kind, e.size, e.locator, e.mtime) for e in entries if e.state.value == "allocated"}

    assert rows(other.entries) == rows(usual.entries)


def test_metadata_that_hung_are_never_opened_and_their_names_kept(image: Callable[[str], Path], walked: Callable[[str], Walked]) -> None:
    usual = walked("ext4.raw")
    folder, poison = usual.at("vol1/home/sam"), usual.at("vol1/home/sam/long.log")
    other = Walked(image("ext4.raw"), Avoid(directories=frozenset([folder.meta_addr]), metadata=frozenset([poison.meta_addr])))
    bare = other.at("vol1/home/sam/long.log")
    assert (bare.size, bare.locator, bare.runs, bare.kind) == (0, None, (), Kind.FILE)
    assert [p.path for p in other.problems if "only its name is known" in p.message] == [bare.path]
    assert (Walker.OPENING, poison.meta_addr, 0) not in other.announced


def test_a_directory_that_cannot_be_listed_another_way_is_given_up_and_said(
    image: Callable[[str], Path], walked: Callable[[str], Walked]
) -> None:
    folder = walked("fat12.raw").at("vol1/Papers")
    other = Walked(image("fat12.raw"), Avoid(directories=frozenset([folder.meta_addr]), orphans=True))
    assert [p.path for p in other.problems if "hung and was given up" in p.message] == [folder.path]
    assert any("search for orphan files was given up" in p.message for p in other.problems)
    assert other.at("vol1/NOTES.TXT").size == 9


# ---- loops -----------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("mke2fs") or not shutil.which("debugfs"), reason="needs mke2fs and debugfs (e2fsprogs)")
def test_a_directory_that_is_its_own_ancestor_is_listed_once(tmp_path: Path) -> None:
    path = tmp_path / "loop.raw"
    path.write_bytes(bytes(1 << 20))
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", str(path)], check=True, capture_output=True)
    for request in ("mkdir a", "mkdir a/b", "link a a/b/loop", "link <2> a/root"):
        subprocess.run(["debugfs", "-w", "-R", request, str(path)], check=True, capture_output=True)
    found = Walked(path)
    paths = [e.path for e in found.entries if e.state.value == "allocated" and not e.name.startswith("$")]
    assert sorted(paths) == ["vol1/a", "vol1/a/b", "vol1/a/b/loop", "vol1/a/root", "vol1/lost+found"]
    assert [p.path for p in found.problems if "its own ancestor" in p.message] == ["vol1/a/root", "vol1/a/b/loop"]


# ---- damage below ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fat32.E01", "ntfs.E01"])
def test_damaged_chunks_of_an_e01_cost_names_only_with_a_problem(
    name: str, image: Callable[[str], Path], walked: Callable[[str], Walked], tmp_path: Path
) -> None:
    """One chunk after the other is unreadable: the walk ends, and what is missing is said."""
    whole = image(name).read_bytes()
    copy = tmp_path / name
    usual = {e.path for e in walked(name).entries}
    _, medium, _ = open_evidence(image(name))
    places = [table.place(n)[0] + 30 for table in medium.index.tables for n in range(len(table))]  # type: ignore[attr-defined]
    medium.close()
    for at in places[:: max(1, len(places) // 25)]:
        raw = bytearray(whole)
        raw[at] ^= 0xFF
        copy.write_bytes(raw)
        found = Walked(copy)
        lost = usual - {e.path for e in found.entries}
        assert not lost or found.problems or found.unlisted, f"{len(lost)} names lost in silence, chunk at {at}"
