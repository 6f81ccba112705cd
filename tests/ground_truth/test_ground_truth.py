"""Every image of the shared evidence folder against the answer beside it, and every E01 against libewf.

The answers (``truth/*/*.files.tsv``) were made with Sleuth Kit 4.11. Where ours differs on purpose, the difference is a rule
below with its reason, never an image left out.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from triage.case.store import Case
from triage.engine.run import RunOptions, run
from triage.errors import EvidenceError
from triage.evidence.ewf import EwfMedium
from triage.evidence.libewf import LibewfMedium
from triage.evidence.opening import open_evidence
from triage.evidence.verify import verify
from triage.priority.profile import load_profile

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.evidence

FOLDER = Path(os.environ.get("TRIAGE_EVIDENCE") or Path(__file__).resolve().parents[3] / "shared" / "evidence")
EMPTY_MD5 = hashlib.md5(b"", usedforsecurity=False).hexdigest()
EMPTY_SHA1 = hashlib.sha1(b"", usedforsecurity=False).hexdigest()
NOT_READ = {  # how a file's name ends -> what the refusal must call it
    ".aff": "AFF", ".xml": "text", ".txt": "text", ".tsv": "text",
}
CONTAINERS = {  # how a file's name ends -> the kind that its content shows
    ".gz": "raw.gzip", ".zip": "zip", ".qcow2": "qcow", ".qcow": "qcow", ".vmdk": "vmdk", ".vhd": "vhd", ".vhdx": "vhdx", ".ad1": "ad1",
}
ONLY_OURS = {
    # What covers the encrypted part of BitLocker To Go: names with a space between letters, which TSK takes for no names.
    "dfvfs/bdetogo.raw": (r"(PAD|COV) \d{4}\..*", 268, "were not listed by Sleuth Kit"),
    # Its size is beyond the volume's, so TSK takes it for no entry; the name that the truth has is a deleted one of the same name.
    "fatcat/infinite-file.img.gz": ("BigMamma", 1, "were not listed by Sleuth Kit"),
    # In a directory that the FAT has in use and no name leads to.
    "fatcat/repair.img.gz": (r"\$OrphanFiles/orphan_file\.txt", 1, "directories in use are reached by no name"),
}


def _zipped(base: str) -> tuple[Path, str] | None:
    folder = (FOLDER / "images" / base).parent
    for archive in sorted(folder.glob("*.zip")):
        with zipfile.ZipFile(archive) as opened:
            for name in opened.namelist():
                if Path(name).name == Path(base).name:
                    return archive, name
    return None


def _is_packed_dmg(name: str) -> bool:
    """The truth lists names only in a DMG whose data lie as they are: that one is a raw image with a trailer."""
    truth = FOLDER / "truth" / f"{name}.files.tsv"
    return name.endswith(".dmg") and (not truth.is_file() or len(truth.read_text().splitlines()) < 2)


def _wanted_refusal(name: str) -> str | None:
    return NOT_READ.get(Path(name).suffix)


_TRUTHS = [str(p.relative_to(FOLDER / "truth"))[: -len(".files.tsv")] for p in sorted(FOLDER.glob("truth/*/*.files.tsv"))]
HERE = [b for b in _TRUTHS if (FOLDER / "images" / b).is_file() or _zipped(b)]
_LISTED_HERE = [b for b in HERE if b.endswith(".img.gz") or not _wanted_refusal(b)]
NO_TRUTH = [b for b in _LISTED_HERE if not json.loads((FOLDER / "truth" / f"{b}.gt.json").read_text())["volumes"]]
"""Images that Sleuth Kit opened nothing in: APFS, packed DMG."""
READ = [b for b in _LISTED_HERE if b not in NO_TRUTH]
ALL_FILES = [str(p.relative_to(FOLDER / "images")) for p in sorted(FOLDER.glob("images/*/*"))]
E01 = [name for name in ALL_FILES if name.lower().endswith(".e01")]
MADE = [name for name in E01 if name.startswith("made/")]


KINDS = {"file": ("file", "stream"), "dir": ("directory",), "l": ("link",), "v": ("special",)}
NO_UNNAMED_DATA = ("$Secure", "$ObjId", "$Quota", "$Reparse")
FILE_SYSTEMS = {
    "ntfs": "NTFS", "fat12": "FAT12", "fat16": "FAT16", "fat32": "FAT32", "exfat": "exFAT", "ext2": "ext2", "ext3": "ext3",
    "ext4": "ext4", "hfsp": "HFS+", "iso9660": "ISO 9660",
}


class Silent:
    def stage(self, name: str) -> None: ...
    def progress(self, **_: int) -> None: ...
    def notable(self, path: str, text: str) -> None: ...


def _unpack(base: str, folder: Path) -> Path:
    """The image itself: in place, also compressed, or out of the .zip that holds it."""
    image = FOLDER / "images" / base
    target = folder / Path(base).name
    if image.is_file():
        return image
    found = _zipped(base)
    assert found
    with zipfile.ZipFile(found[0]) as archive, archive.open(found[1]) as source, target.open("wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
    return target


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder that is gone after the test: some images are 150 MB once unpacked."""
    yield tmp_path
    shutil.rmtree(tmp_path)


def examine(image: Path, folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Run the main job with the full profile; return files, volumes and problems."""
    run(RunOptions(evidence=(image,), case=folder / "case", profile=load_profile("full"), jobs=1), Silent())
    with Case.open(folder / "case") as case:
        return list(case.files()), case.volumes(), list(case.problems())


# ---- names, states, kinds, sizes and digests -------------------------------------------------------------------------------


def read_truth(base: str) -> dict[tuple[int, str], list[dict[str, str]]]:
    """The truth's names by volume and path, without ``.``, ``..`` and TSK's made-up directory of orphans."""
    with (FOLDER / "truth" / f"{base}.files.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    wanted = defaultdict(list)
    for row in rows:
        path = re.sub(r"\\x[0-9A-F]{2}", lambda m: m.group().lower(), row["path"])  # fiwalk's escapes, written as ours
        if path.split("/")[-1] in (".", "..") or path == "$OrphanFiles":
            continue
        if re.fullmatch(r"\$OrphanFiles/OrphanFile-(?:1[6-9]|2[0-3])", path) and row["size"] == "0":
            continue  # NTFS's reserved records, never used: no name and no bytes
        wanted[int(row["vol"]), path].append(row)
    return wanted


def rows_by_place(files: list[dict[str, Any]], volumes: list[dict[str, Any]]) -> dict[tuple[int, str], list[dict[str, Any]]]:
    """Our rows in the truth's terms: volumes counted from 0 among those that were listed, paths within them."""
    listed = [v["number"] for v in volumes if v["state"] in ("listed", "partly listed") and not _is_shadow(v)]
    placed = defaultdict(list)
    for row in files:
        if row["kind"] in ("cached", "derived") or row["volume"] not in listed:
            continue  # a file inside of a file, or in a shadow copy: the truth has those of file systems
        placed[listed.index(row["volume"]), row["path"].partition("/")[2]].append(row)
    return placed


def without_what_only_we_list(base: str, placed: dict[Any, list[dict[str, Any]]], problems: list[dict[str, Any]]) -> dict[Any, Any]:
    """Take out the names in use that TSK leaves out and the self-check brings back; how many there must be stands in ``ONLY_OURS``."""
    if base not in ONLY_OURS:
        return placed
    pattern, count, said = ONLY_OURS[base]
    brought = [(place, row) for place, rows in placed.items() for row in rows
               if re.fullmatch(pattern, place[1])
               and (row["state"] == "orphan" or (row["state"] == "allocated" and row["meta_addr"] is None))]
    assert len(brought) == count
    assert any(said in problem["message"] for problem in problems)
    for place, row in brought:
        placed[place].remove(row)
    return {place: rows for place, rows in placed.items() if rows}


def _is_shadow(volume: dict[str, Any]) -> bool:
    """Whether a volume is a shadow copy: Sleuth Kit lists none."""
    return bool(volume["scheme"] == "shadow copy")


def _text(value: str) -> str | None:
    return None if value in ("None", "") else value


class Comparison:
    """Ours against the truth's for one image; what differs for no known reason is in ``differences``."""

    def __init__(self, wanted: dict[Any, list[dict[str, str]]], found: dict[Any, list[dict[str, Any]]]) -> None:
        self.differences: list[Any] = []
        self.compared = 0
        self._wanted = wanted
        self._found = found
        for place in sorted(set(wanted) | set(found)):
            self._compare(place, wanted.get(place, []), found.get(place, []))

    def _compare(self, place: tuple[int, str], truth: list[dict[str, str]], ours: list[dict[str, Any]]) -> None:
        if not truth and ours and all(self._stream_the_truth_lacks(row) for row in ours):
            return
        if len(truth) != len(ours):
            self.differences.append((place, "how often", len(truth), len(ours)))
            return
        truth = sorted(truth, key=lambda r: (r["deleted"], int(r["size"]), r["md5"]))
        ours = sorted(ours, key=lambda r: (str(r["state"] != "allocated"), r["size"], str(r["md5"])))
        for a, b in zip(truth, ours, strict=True):
            self.compared += 1
            self._kind(place, a, b)
            self._state(place, a, b)
            if b["kind"] != "directory":
                self._size(place, a, b)
                self._digests(place, a, b)

    def _differ(self, place: Any, what: str, truth: Any, ours: Any) -> None:
        if truth != ours:
            self.differences.append((place, what, truth, ours))

    def _stream_the_truth_lacks(self, row: dict[str, Any]) -> bool:
        """The truth has no row for streams of directories, and none for most others: ours are beside an entry it has."""
        return row["kind"] == "stream" and row["parent"] is not None and row["name"].count(":") >= 1

    def _kind(self, place: Any, truth: dict[str, str], ours: dict[str, Any]) -> None:
        if ours["kind"] not in KINDS[truth["kind"]]:
            self.differences.append((place, "kind", truth["kind"], ours["kind"]))

    def _state(self, place: tuple[int, str], truth: dict[str, str], ours: dict[str, Any]) -> None:
        state = "orphan" if truth["orphan"] == "True" else "deleted" if truth["deleted"] == "True" else "allocated"
        if state == "allocated" and ours["state"] == "deleted" and self._name_left_by_a_rename(place, truth, ours):
            return
        self._differ(place, "state", state, ours["state"])

    def _name_left_by_a_rename(self, place: tuple[int, str], truth: dict[str, str], ours: dict[str, Any]) -> bool:
        """ext: a name in directory slack whose inode an allocated name has by now.

        ``fiwalk`` reports the inode's flag, so it calls the name allocated; but no directory holds that name any more. We say
        deleted, and overwritten: the bytes are the other name's. Size and digests are still those of the inode.
        """
        others = [r for (volume, path), rows in self._found.items() for r in rows
                  if volume == place[0] and path != place[1] and r["meta_addr"] == int(truth["inode"])]
        return ours["recoverability"] == "overwritten" and any(
            r["state"] == "allocated" and r["md5"] == ours["md5"] for r in others)

    def _size(self, place: Any, truth: dict[str, str], ours: dict[str, Any]) -> None:
        self._differ(place, "size", int(truth["size"]), ours["size"])

    def _digests(self, place: Any, truth: dict[str, str], ours: dict[str, Any]) -> None:
        md5, sha1 = _text(truth["md5"]), _text(truth["sha1"])
        if ours["kind"] == "special":
            return  # $MBR, $FAT1 and the like: areas of the medium that TSK dresses up as files; they are listed, not read
        if ours["kind"] == "link":
            # A short link's target lies in the inode, where fiwalk sees no blocks on ext: its digest is that of as many zeros. A
            # link has no content of its own; its target is listed, and as long as the truth's size.
            size = int(truth["size"])
            text = ours["link_target"].encode()
            assert md5 in (None, *(hashlib.md5(b, usedforsecurity=False).hexdigest() for b in (bytes(size), text)))
            self._differ(place, "length of the target", size, len(text))
            self._differ(place, "a link's digest", None, ours["md5"])
            return
        if ours["kind"] == "file" and ours["outcome"] is None and place[1].split("/")[-1] in NO_UNNAMED_DATA:
            # NTFS system files of indexes and named streams only. TSK's tool digests some other attribute or none; a digest
            # of "the file" would say something about nothing. Its streams have theirs.
            self._differ(place, "digest", None, ours["md5"])
            return
        if truth["deleted"] == "True" and _text(truth["inode"]) in (None, "0"):
            # ext clears the inode number of a deleted name: no metadata, so nothing is known of its content.
            self._differ(place, "digest of a name without an inode", (None, None), (ours["md5"], ours["meta_addr"]))
            return
        if md5 is None and int(truth["size"]) == 0:  # fiwalk leaves out the digests of empty files
            md5, sha1 = EMPTY_MD5, EMPTY_SHA1
        self._differ(place, "md5", md5, ours["md5"])
        self._differ(place, "sha1", sha1, ours["sha1"])


@pytest.mark.parametrize("base", READ)
def test_names_states_sizes_and_digests_agree_with_the_truth(base: str, evidence_root: Path, scratch: Path) -> None:
    files, volumes, problems = examine(_unpack(base, scratch), scratch)
    wanted = read_truth(base)
    compared = Comparison(wanted, without_what_only_we_list(base, rows_by_place(files, volumes), problems))
    assert not compared.differences
    assert compared.compared >= sum(map(len, wanted.values()))

    truth = json.loads((FOLDER / "truth" / f"{base}.gt.json").read_text())["volumes"]
    listed = [v for v in volumes if v["state"] in ("listed", "partly listed") and not _is_shadow(v)]
    assert [(v["offset"], v["file_system"]) for v in listed] == [(int(t["partition_offset"]), FILE_SYSTEMS[t["ftype_str"]]) for t in truth]
    for volume in volumes:
        if volume["state"] == "not listed":
            assert [p for p in problems if p["volume"] == volume["number"] and p["severity"] == "error"], "silently left out"


@pytest.mark.parametrize("base", NO_TRUTH)
def test_what_sleuth_kit_opens_nothing_in_is_listed(base: str, evidence_root: Path, scratch: Path) -> None:
    files, volumes, problems = examine(_unpack(base, scratch), scratch)
    if any(v["state"] in ("listed", "partly listed") for v in volumes):
        assert len([row for row in files if row["kind"] == "file" and row["md5"]]) >= 3
    else:
        assert [p for p in problems if p["severity"] == "error"], "silently left out"


def test_the_walk_is_not_empty(evidence_root: Path) -> None:
    assert evidence_root.resolve() == FOLDER.resolve()
    assert len(READ) >= 30
    assert sum(len(read_truth(base)) for base in READ) > 400


# ---- what is not read yet --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in ALL_FILES if _wanted_refusal(n)])
def test_containers_that_are_not_read_are_refused_by_name(name: str, evidence_root: Path) -> None:
    with pytest.raises(EvidenceError) as refused:
        open_evidence(FOLDER / "images" / name)
    assert _wanted_refusal(name) in refused.value.message
    assert refused.value.hint
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", [n for n in ALL_FILES if not _wanted_refusal(n)])
def test_every_other_file_is_opened_as_what_it_is(name: str, evidence_root: Path) -> None:
    path = FOLDER / "images" / name
    evidence, medium, _ = open_evidence(path)
    medium.close()
    is_ewf = path.read_bytes()[:3] == b"EVF"
    wanted = "dmg" if _is_packed_dmg(name) else CONTAINERS.get(path.suffix, "ewf" if is_ewf else "raw")
    assert evidence.kind.split()[-1] == wanted
    assert is_ewf == (path.suffix.lower() in (".e01", ".e02"))


# ---- E01 -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", E01)
def test_e01_bytes_and_facts_are_those_that_libewf_reads(name: str, evidence_root: Path) -> None:
    evidence, medium, warnings = open_evidence(FOLDER / "images" / name)
    oracle = LibewfMedium([Path(p) for p in evidence.paths])
    try:
        assert isinstance(medium, EwfMedium), "the common variants are read by our own reader"
        assert not warnings
        assert medium.size == oracle.size
        assert medium.sector_size == oracle.sector_size
        assert evidence.stored_digests == oracle.stored_digests
        for offset in range(0, medium.size, 1 << 20):
            assert medium.read_at(offset, 1 << 20) == oracle.read_at(offset, 1 << 20), f"different bytes after {offset}"
        for fact, value in oracle.facts.items():
            if fact in ("acquired", "system date"):  # libewf writes dates its own way; we keep what is in the file
                assert evidence.facts[fact]
            else:
                assert evidence.facts[fact] == value
    finally:
        medium.close()
        oracle.close()


@pytest.mark.parametrize("name", E01)
def test_e01_stored_digests(name: str, evidence_root: Path) -> None:
    evidence, medium, _ = open_evidence(FOLDER / "images" / name)
    result = verify(medium, evidence.stored_digests)
    medium.close()
    assert evidence.stored_digests
    assert result.verdict == ("mismatch" if name == "dissect.evidence/ewf.E01" else "verified")
    facts = FOLDER / "truth" / f"{name}.gt.json"
    if facts.is_file():
        truth = json.loads(facts.read_text())
        assert medium.size == truth["media_size"]
        assert evidence.stored_digests["md5"] == truth["ewf_md5_stored"]
        assert result.computed["md5"] == truth["ewf_md5_calc"]
        assert len(evidence.paths) == truth["ewf_segments"]


# ---- the images made from sample photos ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MADE)
def test_what_was_written_and_deleted_is_found(name: str, evidence_root: Path, scratch: Path) -> None:
    with (FOLDER / "images" / "made" / "truth.tsv").open(encoding="utf-8", newline="") as file:
        truth = list(csv.reader(file, delimiter="\t"))
    files, _, _ = examine(FOLDER / "images" / name, scratch)
    by_name = defaultdict(list)
    for row in files:
        by_name[row["name"]].append(row)
    for state, md5, wanted in truth:
        hits = [r for r in by_name[wanted] if r["state"] == {"alloc": "allocated", "deleted": "deleted"}[state]]
        assert hits, f"{wanted} is not listed as {state}"
        assert [r for r in hits if r["md5"] == md5], f"{wanted}: {[(r['size'], r['md5'], r['recoverability']) for r in hits]}"
        if state == "deleted":
            assert {r["recoverability"] for r in hits} == {"intact"}
    # Linux since 5.13 wipes the name when a file on ext4 is deleted, and its size and extents: the journal has them all.
    assert not [r for r in files if r["state"] == "orphan" and r["kind"] == "file"]

