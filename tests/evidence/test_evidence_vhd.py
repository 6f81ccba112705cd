"""VHD disks: fixed, dynamic and differencing ones give the bytes of the disk; what is missing or damaged is said."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from virtual_makers import IDENTIFIER, all_of, by_qemu, converted, disk, mutants, needs_qemu, read, readable, same, vhd, vhd_footer
from virtual_samples import check_sample, needs_samples

from triage.errors import EvidenceError
from triage.evidence.medium import DamagedRangeError
from triage.evidence.opening import open_evidence, reopen

if TYPE_CHECKING:
    from pathlib import Path

RAW = disk()
TOP = bytearray(RAW)
TOP[700_000:700_900] = b"\7" * 900
OTHER = uuid.UUID(int=99)


class TestRealSamples:
    pytestmark = needs_samples

    def test_the_disk_is_what_others_read(self) -> None:
        check_sample("sleuthkit/image.vhd")


@needs_qemu
@pytest.mark.parametrize("form", ["fixed", "dynamic"])
def test_what_qemu_writes(form: str, tmp_path: Path) -> None:
    path = converted(tmp_path, RAW, "a.vhd", "vpc", "-o", f"subformat={form},force_size=on")
    assert same(read(path), RAW)
    assert open_evidence(path)[0].facts["virtual disk"] == f"VHD, {form}"


@needs_qemu
def test_qemu_reads_what_is_made_here(tmp_path: Path) -> None:
    (tmp_path / "a.vhd").write_bytes(vhd(RAW))
    assert same(by_qemu(tmp_path / "a.vhd", "vpc"), RAW)


def test_a_dynamic_one_with_what_it_says_of_itself(tmp_path: Path) -> None:
    (tmp_path / "of_no_type").write_bytes(vhd(RAW))
    evidence, medium, warnings = open_evidence(tmp_path / "of_no_type")
    assert evidence.kind == "vhd"
    assert not warnings
    assert evidence.facts["made by"] == "win 6.1 (Windows)"
    assert evidence.facts["made"] == "2013-12-31T00:00:00Z"
    assert evidence.facts["disk identifier"] == str(IDENTIFIER)
    assert same(all_of(medium), RAW)
    assert same(all_of(reopen(evidence)), RAW)


def test_a_fixed_one_is_not_read_with_its_footer(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(RAW + vhd_footer(len(RAW), 2))
    assert same(read(tmp_path / "a"), RAW)
    (tmp_path / "a").write_bytes(RAW[:-1024] + vhd_footer(len(RAW), 2))
    _, medium, warnings = open_evidence(tmp_path / "a")
    assert warnings == ["1024 bytes of the virtual disk cannot be read: its place lies outside of the file"]
    assert same(readable(medium, 512, 10_000), RAW[:-1024] + b"?" * 1024)


def test_a_differencing_one_takes_sectors_of_both(tmp_path: Path) -> None:
    (tmp_path / "base.vhd").write_bytes(vhd(RAW, identifier=OTHER))
    (tmp_path / "top.vhd").write_bytes(vhd(bytes(TOP), parent=("C:\\disks\\Base.vhd", OTHER, RAW)))
    evidence, medium, warnings = open_evidence(tmp_path / "top.vhd")
    assert not warnings
    assert evidence.facts["continues"] == "base.vhd"
    assert [one.rpartition("/")[2] for one in evidence.paths] == ["top.vhd", "base.vhd"]
    assert same(all_of(medium, 1000), bytes(TOP))
    (tmp_path / "base.vhd").write_bytes(vhd(RAW))
    assert open_evidence(tmp_path / "top.vhd")[2] == [
        "top.vhd: the disk that was found for it has another identifier than the one it continues"
    ]


def test_a_differencing_one_without_its_parent(tmp_path: Path) -> None:
    (tmp_path / "top.vhd").write_bytes(vhd(bytes(TOP), parent=("base.vhd", OTHER, RAW)))
    _, medium, warnings = open_evidence(tmp_path / "top.vhd")
    assert warnings == ["top.vhd continues base.vhd, which is not beside it: what lies in that cannot be read"]
    assert medium.read_at(700_416, 484) == b"\7" * 484
    with pytest.raises(DamagedRangeError, match=r"base\.vhd"):
        medium.read_at(0, 512)


def test_a_damaged_footer_is_told(tmp_path: Path) -> None:
    made = vhd(RAW)
    (tmp_path / "a").write_bytes(made[:-512])
    _, medium, warnings = open_evidence(tmp_path / "a")
    assert warnings == ["a: its footer is damaged or missing: the copy at its head was taken"]
    assert same(all_of(medium), RAW)
    wrong = bytearray(RAW + vhd_footer(len(RAW), 2))
    wrong[-512 + 70] ^= 1
    (tmp_path / "a").write_bytes(wrong)
    assert open_evidence(tmp_path / "a")[2] == ["a: the checksum of its footer is wrong"]


def test_a_cut_file_tells_how_much_cannot_be_read(tmp_path: Path) -> None:
    made = vhd(RAW)
    (tmp_path / "a").write_bytes(made[: len(made) // 2])
    _, medium, warnings = open_evidence(tmp_path / "a")
    assert any("cannot be read: its place lies outside of the file" in line for line in warnings)
    found = readable(medium)
    assert b"?" * 4096 in found
    assert all(one in (RAW[at], ord("?")) for at, one in enumerate(found))


@pytest.mark.parametrize("size", [1 << 60, (1 << 64) - 1, 0])
def test_a_size_that_lies_is_refused_at_once(size: int, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(RAW + vhd_footer(size, 2))
    with pytest.raises(EvidenceError, match=r"cannot be opened|states a size"):
        open_evidence(tmp_path / "a")


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(RAW + vhd_footer(len(RAW), 6))
    with pytest.raises(EvidenceError, match="a VHD of a kind that is not known"):
        open_evidence(tmp_path / "a")


@pytest.mark.parametrize("differs", [False, True])
def test_no_damage_does_harm(differs: bool, tmp_path: Path) -> None:
    small = RAW[: 1 << 20]
    made = vhd(bytes(TOP[: 1 << 20]), parent=("b", OTHER, small), block=1 << 16) if differs else vhd(small, block=1 << 16)
    (tmp_path / "b").write_bytes(vhd(small, identifier=OTHER))
    opened = 0
    for raw in mutants(made, [(0, 120), (512, 800), (1536, 200), (len(made) - 512, 120)], 150):
        (tmp_path / "a").write_bytes(raw)
        try:
            _, medium, _ = open_evidence(tmp_path / "a")
        except EvidenceError:
            continue
        opened += 1
        readable(medium, most=200)
        medium.close()
    assert opened > 20
