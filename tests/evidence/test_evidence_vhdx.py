"""VHDX disks: all kinds give the bytes of the disk, the log is put in, what is missing or damaged is said."""

from __future__ import annotations

import uuid
import zipfile
from typing import TYPE_CHECKING

import pytest
from evidence_bytes import Bytes
from virtual_makers import IDENTIFIER, all_of, by_qemu, converted, disk, mutants, needs_qemu, qemu, readable, same, vhdx, vhdx_log
from virtual_samples import EVIDENCE, check_sample, needs_samples

from triage.errors import EvidenceError
from triage.evidence.medium import DamagedRangeError
from triage.evidence.opening import open_evidence, reopen
from triage.evidence.vhdxlog import read_log

if TYPE_CHECKING:
    from pathlib import Path

RAW = disk()
TOP = bytearray(RAW)
TOP[700_000:700_900] = b"\7" * 900
TOP[2_500_000:2_500_001] = b"\7"
OTHER = uuid.UUID(int=99)
TABLE = 3 << 20


class TestRealSamples:
    pytestmark = needs_samples

    def test_the_disk_is_what_others_read(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(EVIDENCE / "images" / "velociraptor" / "test.vhdx.zip") as archive:
            (name,) = [one for one in archive.namelist() if one.endswith("test.vhdx")]
            (tmp_path / "test.vhdx").write_bytes(archive.read(name))
        check_sample("velociraptor/test.vhdx", tmp_path / "test.vhdx")


@needs_qemu
@pytest.mark.parametrize("options", ["subformat=dynamic", "subformat=fixed", "block_size=1M", "block_size=64M"])
def test_what_qemu_writes(options: str, tmp_path: Path) -> None:
    path = converted(tmp_path, RAW, "a.vhdx", "vhdx", "-o", options)
    evidence, medium, warnings = open_evidence(path)
    assert not warnings
    assert evidence.facts["made by"].startswith("QEMU")
    assert same(all_of(medium), RAW)


def test_a_made_one_with_what_it_says_of_itself(tmp_path: Path) -> None:
    (tmp_path / "of_no_type").write_bytes(vhdx(RAW))
    evidence, medium, warnings = open_evidence(tmp_path / "of_no_type")
    assert evidence.kind == "vhdx"
    assert not warnings
    assert evidence.facts["virtual disk"] == "VHDX, dynamic, blocks of 1048576 bytes"
    assert (evidence.facts["made by"], evidence.facts["disk identifier"]) == ("a test", str(IDENTIFIER))
    assert same(all_of(medium), RAW)
    assert same(all_of(reopen(evidence)), RAW)


@needs_qemu
def test_qemu_reads_what_is_made_here(tmp_path: Path) -> None:
    (tmp_path / "a.vhdx").write_bytes(vhdx(RAW))
    assert same(by_qemu(tmp_path / "a.vhdx", "vhdx"), RAW)


def test_sectors_of_4096_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(vhdx(RAW, sector=4096))
    evidence, medium, _ = open_evidence(tmp_path / "a")
    assert evidence.sector_size == 4096
    assert same(all_of(medium), RAW)


@pytest.mark.parametrize("sector", [512, 4096])
def test_a_differencing_one_takes_sectors_of_both(sector: int, tmp_path: Path) -> None:
    (tmp_path / "base.vhdx").write_bytes(vhdx(RAW, data_write=OTHER, sector=sector))
    (tmp_path / "top.vhdx").write_bytes(vhdx(bytes(TOP), parent=("Base.vhdx", OTHER, RAW), sector=sector))
    evidence, medium, warnings = open_evidence(tmp_path / "top.vhdx")
    assert not warnings
    assert evidence.facts["continues"] == "base.vhdx"
    assert same(all_of(medium, 1000), bytes(TOP))
    (tmp_path / "base.vhdx").write_bytes(vhdx(RAW, sector=sector))
    assert "was changed since" in open_evidence(tmp_path / "top.vhdx")[2][0]
    (tmp_path / "base.vhdx").unlink()
    _, medium, warnings = open_evidence(tmp_path / "top.vhdx")
    assert warnings == ["top.vhdx continues Base.vhdx, which is not beside it: what lies in that cannot be read"]
    with pytest.raises(DamagedRangeError, match=r"Base\.vhdx"):
        medium.read_at(0, 512)


def _dirty() -> bytes:
    page = vhdx(RAW)[TABLE : TABLE + 4096]
    return vhdx(RAW, log=lambda at: [(at, page)])


def test_what_stands_in_the_log_is_put_in(tmp_path: Path) -> None:
    made = _dirty()
    assert made[TABLE : TABLE + 4096] != vhdx(RAW)[TABLE : TABLE + 4096]
    (tmp_path / "a").write_bytes(made)
    before = made
    evidence, medium, warnings = open_evidence(tmp_path / "a")
    assert warnings == ["a: it was not closed: 1 writes that stood in its log were put in, in memory"]
    assert same(all_of(medium), RAW)
    assert same(all_of(reopen(evidence)), RAW)
    assert (tmp_path / "a").read_bytes() == before


@needs_qemu
def test_qemu_puts_the_same_in(tmp_path: Path) -> None:
    (tmp_path / "a.vhdx").write_bytes(_dirty())
    qemu("check", "-r", "all", "-f", "vhdx", tmp_path / "a.vhdx")  # only so does it write what the log has
    assert same(by_qemu(tmp_path / "a.vhdx", "vhdx"), RAW)


def test_a_damaged_log_is_told(tmp_path: Path) -> None:
    made = bytearray(_dirty())
    made[(1 << 20) + 5000] ^= 1
    (tmp_path / "a").write_bytes(made)
    warnings = open_evidence(tmp_path / "a")[2]
    assert warnings[0] == "a: it was not closed, and its log is damaged: what stood in that is missing"


def test_the_newest_whole_sequence_of_a_log_counts() -> None:
    identifier = bytes(range(16))
    pages = [bytes([n]) * 4096 for n in range(1, 4)]
    made = vhdx_log([(0, pages[0]), (8192, pages[1]), (0, pages[2])], identifier, 1 << 20, zeros=((40960, 8192),))
    log = read_log(Bytes(made.ljust(1 << 18, b"\0")), 0, 1 << 18, identifier)
    assert log.whole
    assert log.zeros == [(40960, 8192)]
    assert log.pages == {0: pages[2], 8192: pages[1]}
    assert not read_log(Bytes(made), 0, len(made), bytes(16)).whole
    cut = read_log(Bytes(made[:-1]), 0, len(made), identifier)
    assert cut.pages == {0: pages[0], 8192: pages[1]}


def test_one_damaged_header_is_told_and_the_other_taken(tmp_path: Path) -> None:
    made = bytearray(vhdx(RAW))
    made[(128 << 10) + 100] ^= 1
    (tmp_path / "a").write_bytes(made)
    _, medium, warnings = open_evidence(tmp_path / "a")
    assert warnings == ["a: one of its two headers is damaged: the other was taken"]
    assert same(all_of(medium), RAW)
    made[(64 << 10) + 100] ^= 1
    (tmp_path / "a").write_bytes(made)
    with pytest.raises(EvidenceError, match="neither of its two headers is whole"):
        open_evidence(tmp_path / "a")


def test_a_cut_file_tells_how_much_cannot_be_read(tmp_path: Path) -> None:
    made = vhdx(RAW)
    (tmp_path / "a").write_bytes(made[: -(1 << 20) - 5])
    _, medium, warnings = open_evidence(tmp_path / "a")
    assert warnings == ["1048576 bytes of the virtual disk cannot be read: its place lies outside of the file"]
    found = readable(medium)
    assert b"?" * 4096 in found
    assert all(one in (RAW[at], ord("?")) for at, one in enumerate(found))


@pytest.mark.parametrize("size", [1 << 60, (1 << 64) - 1, 0])
def test_a_size_that_lies_is_refused_at_once(size: int, tmp_path: Path) -> None:
    made = bytearray(vhdx(RAW))
    at = made.index(len(RAW).to_bytes(8, "little"), 2 << 20)
    made[at : at + 8] = size.to_bytes(8, "little")
    (tmp_path / "a").write_bytes(made)
    with pytest.raises(EvidenceError, match="states a size"):
        open_evidence(tmp_path / "a")


@pytest.mark.parametrize("differs", [False, True])
def test_no_damage_does_harm(differs: bool, tmp_path: Path) -> None:
    small = RAW[: 1 << 20]
    made = vhdx(bytes(TOP[: 1 << 20]), parent=("b", OTHER, small)) if differs else _dirty()
    (tmp_path / "b").write_bytes(vhdx(small, data_write=OTHER))
    opened = 0
    where = [(2 << 20, 300), ((2 << 20) + 65536, 300), (TABLE, 64), (TABLE + 4096, 64), (1 << 20, 200), (TABLE + 8 * 8192, 16)]
    for raw in mutants(made, where, 40):
        (tmp_path / "a").write_bytes(raw)
        try:
            _, medium, _ = open_evidence(tmp_path / "a")
        except EvidenceError:
            continue
        opened += 1
        readable(medium, most=100)
        medium.close()
    assert opened > 5
