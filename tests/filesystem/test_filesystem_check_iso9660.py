"""ISO 9660's self-check: silent on sound discs; whatever is damaged in one copy is said, and what TSK loses is listed."""

from __future__ import annotations

import gzip
import random
import shutil
import struct
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from media_support import Walked, clear, exaggerate, flip, mutated, reader_of, scramble

from triage.escape import show
from triage.filesystem.checks.isodisc import Disc, Tally, read_descriptors, read_rock
from triage.filesystem.isotimes import local_time
from triage.model import Kind, Severity, State, TimeBasis, iso_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECTOR = 2048
# Of the built-in disc: see tests/images/builder/others.py and the listing that isoinfo -p prints.
PRIMARY, JOLIET, TERMINATOR, JOLIET_TABLE_BIG, JOLIET_ROOT, JOLIET_PAPERS, PRIMARY_ROOT = 16, 17, 18, 26, 31, 33, 28


@pytest.fixture(autouse=True, scope="module")
def utc() -> Iterator[None]:
    """TSK makes times by the process's zone; workers have none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def disc(image: Callable[[str], Path]) -> bytearray:
    return bytearray(image("iso9660.raw").read_bytes())


@pytest.fixture
def walk(tmp_path: Path) -> Callable[[bytes], Walked]:
    def walked(data: bytes) -> Walked:
        path = tmp_path / "disc.raw"
        path.write_bytes(data)
        return Walked(path)

    return walked


def names(found: Walked) -> set[tuple[str, str]]:
    return {(e.path, e.kind.value) for e in found.entries if e.state is State.ALLOCATED}


# ---- sound discs -----------------------------------------------------------------------------------------------------------


def test_the_built_in_disc_is_sound(disc: bytearray, walk: Callable[[bytes], Walked]) -> None:
    assert walk(bytes(disc)).problems == []


@pytest.mark.parametrize("name", ["plaso/iso9660.raw", "sleuthkit/image.iso", "strelka/test.iso"])
def test_real_discs_are_sound(name: str, evidence_root: Path) -> None:
    found = Walked(evidence_root / "images" / name)
    assert found.entries
    assert found.problems == []
    assert {e.time_basis for e in found.entries} == {TimeBasis.UTC}, "the record's zone is taken in"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with what makes discs odd: deep, long, foreign, linked, empty, special."""
    root = tmp_path_factory.mktemp("disc") / "tree"
    deep = root
    for level in range(10):
        deep /= f"level {level}"
        deep.mkdir(parents=True)
        (deep / f"at {level}.txt").write_text("x" * (1 + level * 700))
    for number in range(70):
        (root / f"A name that is long, number {number:03d}.jpeg").write_text(f"{number}" * 9)
    (root / "写真").mkdir()
    (root / "写真" / "first.txt").write_text("first")
    (root / "写真" / "link").symlink_to("first.txt")
    (root / "写真" / "hard.txt").hardlink_to(root / "写真" / "first.txt")
    (root / "empty folder").mkdir()
    (root / "empty.txt").write_bytes(b"")
    (root / "boot.img").write_bytes(b"b" * 2048)
    return root


def make_disc(folder: Path, *options: str) -> Path:
    if not shutil.which("genisoimage"):
        pytest.skip("genisoimage is not here")
    out = folder.parent / ("disc" + "".join(options).replace("/", "") + ".iso")
    subprocess.run(["genisoimage", "-quiet", *options, "-o", str(out), str(folder)], check=True, capture_output=True)
    return out


@pytest.mark.parametrize("options", [("-R",), ("-R", "-J"), ("-J",), ("-D",), ("-R", "-J", "-udf"), ("-R", "-J", "-iso-level", "4"),
                                     ("-R", "-J", "-b", "boot.img", "-no-emul-boot", "-c", "boot.cat")], ids=" ".join)
def test_made_discs_are_sound(options: tuple[str, ...], folder: Path) -> None:
    """Deep directories moved, symbolic links that Joliet lacks, boot catalogues, UDF beside: none of it is damage."""
    found = Walked(make_disc(folder, *options))
    assert len(found.entries) > 70
    assert found.problems == []


@pytest.mark.parametrize("front", [16, 24])
def test_a_raw_disc_with_sector_headers_is_sound(front: int, disc: bytearray, walk: Callable[[bytes], Walked]) -> None:
    framed = b"".join(bytes(front) + disc[at : at + SECTOR] + bytes(304 - front) for at in range(0, len(disc), SECTOR))
    found = walk(framed)
    assert names(found) == names(walk(bytes(disc)))
    assert found.problems == []


# ---- times ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "path", "moment"), [
    ("plaso/iso9660.raw", "vol1/PASSWORDS.TXT", "2021-07-22T14:07:32Z"),  # 16:07:32 in a zone two hours ahead
    ("strelka/test.iso", "vol1/lorem.txt", "2022-12-12T00:44:49Z"),  # 18:44:49 in a zone six hours behind
])
def test_a_time_is_in_utc_by_the_zone_beside_it(name: str, path: str, moment: str, evidence_root: Path) -> None:
    """TSK leaves the zone out: its times are off by hours."""
    assert iso_time(Walked(evidence_root / "images" / name).at(path).crtime) == moment


@pytest.mark.parametrize(("zone", "hours"), [(0, 0), (52, 13), (208, -12), (53, None), (128, None)])
def test_a_zone_that_cannot_be_leaves_a_local_time(zone: int, hours: int | None, disc: bytearray, walk: Callable[[bytes], Walked]) -> None:
    plain = walk(bytes(disc)).at("vol1/README.TXT")
    for at in (JOLIET_ROOT * SECTOR + 68 + 24, PRIMARY_ROOT * SECTOR + disc[PRIMARY_ROOT * SECTOR :].index(b"README.TXT;1") - 33 + 24):
        disc[at] = zone
    entry = walk(bytes(disc)).at("vol1/README.TXT")
    assert plain.crtime is not None
    assert entry.time_basis is (TimeBasis.LOCAL if hours is None else TimeBasis.UTC)
    assert entry.crtime == plain.crtime - (hours or 0) * 3600 * 10**9


def test_a_month_that_cannot_be_is_no_time() -> None:
    assert local_time(bytes((124, 13, 1, 0, 0, 0, 0))) is None
    assert local_time(bytes((124, 2, 29, 23, 59, 59, 0))) == 1709251199 * 10**9
    assert local_time(b"") is None


# ---- what TSK loses on sound discs ------------------------------------------------------------------------------------------


def test_a_long_foreign_name_does_not_cost_itself_and_those_behind_it(folder: Path, tmp_path: Path) -> None:
    """TSK gives a name 128 bytes of UTF-8: at a longer one it gives up the rest of the directory's sector."""
    source = tmp_path / "tree"
    shutil.copytree(folder, source, symlinks=True)
    long = "写真の長い名前です" * 5 + ".txt"
    (source / "写真" / long).write_text("long")
    found = Walked(make_disc(source, "-R", "-J"))
    (entry,) = (e for e in found.entries if e.name == long)
    assert (entry.path, entry.kind, entry.state, entry.size) == (f"vol1/写真/{long}", Kind.FILE, State.ALLOCATED, 4)
    assert entry.locator is not None
    (run,) = entry.locator.runs
    assert found.medium.read_at(run.image_offset or 0, run.length) == b"long"
    assert any("not listed by Sleuth Kit" in p.message for p in found.problems)
    assert len({e.path for e in found.entries if "/写真/" in e.path}) == 4 + 1 - 1  # first, link, hard, long


# ---- each redundancy --------------------------------------------------------------------------------------------------------


def test_a_damaged_path_table_loses_nothing(disc: bytearray, walk: Callable[[bytes], Walked]) -> None:
    """TSK finds a directory's names by the big-endian path table alone."""
    sound = names(walk(bytes(disc)))
    at = JOLIET_TABLE_BIG * SECTOR + 12  # behind the root's 10 bytes: the second row's extent
    disc[at : at + 4] = struct.pack(">I", 5)
    found = walk(bytes(disc))
    assert names(found) == sound
    assert "the path tables are damaged" in found.said
    papers = [e for e in found.entries if "/papers/" in e.path]
    assert {e.meta_addr for e in papers} == {None}, "they are ours, not TSK's"


def test_a_damaged_record_costs_no_other(disc: bytearray, walk: Callable[[bytes], Walked]) -> None:
    sound = names(walk(bytes(disc)))
    at = JOLIET_ROOT * SECTOR + 34 + 34  # the first name: README.TXT
    disc[at] = 7  # a length that cannot be
    found = walk(bytes(disc))
    assert {n for n in sound if n[0] != "vol1/README.TXT"} <= names(found)
    assert "sectors of directories are damaged" in found.said
    assert "vol1/README.TXT" in {e.path for e in found.entries}, "the primary tree still names it, by Rock Ridge"


def test_a_zeroed_directory_is_said_and_its_files_come_from_the_other_tree(disc: bytearray, walk: Callable[[bytes], Walked]) -> None:
    sound = names(walk(bytes(disc)))
    disc[JOLIET_PAPERS * SECTOR : (JOLIET_PAPERS + 1) * SECTOR] = bytes(SECTOR)
    found = walk(bytes(disc))
    assert {n for n in sound if n[0] != "vol1/papers/empty.txt"} <= names(found)
    assert "sectors of directories are empty" in found.said


@pytest.mark.parametrize(("at", "message"), [
    (PRIMARY * SECTOR + 83, "numbers differ between their two byte orders"),
    (JOLIET * SECTOR + 135, "numbers differ between their two byte orders"),
    (JOLIET * SECTOR + 89, "volume descriptors are damaged"),
    (JOLIET * SECTOR, "volume descriptors are damaged"),
    (JOLIET * SECTOR + 140, "path tables are damaged"),
    (JOLIET_ROOT * SECTOR + 2, "wrong"),
    (JOLIET_ROOT * SECTOR + 34 + 6, "numbers differ between their two byte orders"),
    (JOLIET_ROOT * SECTOR + 68 + 10, "numbers differ between their two byte orders"),
    (JOLIET_ROOT * SECTOR + 68 + 18, "different times"),
    (JOLIET_ROOT * SECTOR + 68 + 36, "names that the disc's trees tell differently"),
    (PRIMARY_ROOT * SECTOR + 0x88 + 0x66 + 2, "numbers differ between their two byte orders"),
])
def test_a_flipped_bit_is_said(at: int, message: str, disc: bytearray, walk: Callable[[bytes], Walked]) -> None:
    disc[at] ^= 0x20
    found = walk(bytes(disc))
    assert message in found.said


def test_a_name_that_stands_in_one_tree_only_is_said(disc: bytearray, walk: Callable[[bytes], Walked]) -> None:
    """An empty file has no place by which the trees could be compared: its name must do."""
    at = disc.index("empty.txt".encode("utf-16-be"), JOLIET_PAPERS * SECTOR) - 33
    length = disc[at]
    rest = disc[at + length : (JOLIET_PAPERS + 1) * SECTOR]
    disc[at : (JOLIET_PAPERS + 1) * SECTOR] = rest + bytes(length)
    found = walk(bytes(disc))
    assert "stand in one of the disc's trees and not in another" in found.said


def test_a_disc_that_is_cut_short_is_said(disc: bytearray, walk: Callable[[bytes], Walked]) -> None:
    found = walk(bytes(disc[: 40 * SECTOR]))
    assert "larger than the image" in found.said
    assert "reach past the volume's end" in found.said
    assert {p.severity for p in found.problems} == {Severity.ERROR}


def test_continuations_that_lead_to_themselves_end(disc: bytearray) -> None:
    loop = b"CE\x1c\x01" + b"".join(struct.pack("<I", n) + struct.pack(">I", n) for n in (19, 0, 28))
    disc[19 * SECTOR : 19 * SECTOR + 28] = loop
    assert read_rock(Disc(reader_of(bytes(disc))), loop, SECTOR).odd


def test_descriptors_without_an_end_are_bounded() -> None:
    endless = bytes(16 * SECTOR) + (b"\2CD001\1" + bytes(SECTOR - 7)) * 500
    odd = Tally()
    assert len(read_descriptors(Disc(reader_of(endless)), odd)) == 64
    assert "no terminator" in odd.places["descriptor"][0]


# ---- mutations --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["built-in", "seed"])
def test_no_mutant_loses_a_name_in_silence(
    source: str, disc: bytearray, walk: Callable[[bytes], Walked], request: pytest.FixtureRequest
) -> None:
    whole = bytes(disc)
    if source == "seed":
        whole = gzip.decompress((request.config.rootpath / "bench" / "seeds" / "iso9660.raw.gz").read_bytes())
    sound = names(walk(whole))
    used = [n for n in range(SECTOR * 16 // 512, len(whole) // 512) if whole[n * 512 : n * 512 + 512].strip(b"\0")][:200]
    for number in range(40):
        raw = mutated(whole, used, random.Random(number), (flip, clear, scramble, exaggerate), times=(1, 1, 2, 8))
        found = walk(bytes(raw))
        assert "self-check could not be finished" not in found.said, number
        lost = sound - names(found)
        assert not lost or found.problems or found.unlisted, f"mutant {number} lost {[show(path) for path, _ in sorted(lost)]}"
