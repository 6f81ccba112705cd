"""VDI disks: dynamic, fixed and differencing ones give the bytes of the disk; what is missing or damaged is said."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from virtual_makers import all_of, by_qemu, converted, disk, mutants, needs_qemu, read, readable, same, vdi

from triage.errors import EvidenceError
from triage.evidence.medium import DamagedRangeError
from triage.evidence.opening import open_evidence, reopen

if TYPE_CHECKING:
    from pathlib import Path

RAW = disk()
TOP = bytearray(RAW)
TOP[700_000:700_900] = b"\7" * 900
TOP[2 << 20 : 3 << 20] = bytes(1 << 20)


@needs_qemu
@pytest.mark.parametrize("options", [[], ["-o", "static=on"]])
def test_what_qemu_writes(options: list[str], tmp_path: Path) -> None:
    path = converted(tmp_path, RAW, "a.vdi", "vdi", *options)
    assert same(read(path), RAW)


@needs_qemu
def test_qemu_reads_what_is_made_here(tmp_path: Path) -> None:
    (tmp_path / "a.vdi").write_bytes(vdi(RAW))
    assert same(by_qemu(tmp_path / "a.vdi", "vdi"), RAW)


@pytest.mark.parametrize("options", [{}, {"kind": 2}, {"block": 1 << 16}, {"extra": 512}])
def test_made_ones_with_what_they_say_of_themselves(options: dict[str, int], tmp_path: Path) -> None:
    (tmp_path / "of_no_type").write_bytes(vdi(RAW, **options))
    evidence, medium, warnings = open_evidence(tmp_path / "of_no_type")
    assert evidence.kind == "vdi"
    assert not warnings
    assert evidence.facts["made by"] == "A Test's Virtual Disk"
    assert evidence.facts["description"] == "a comment"
    assert evidence.facts["disk identifier"] == str(uuid.UUID(int=5))
    assert same(all_of(medium), RAW)
    assert same(all_of(reopen(evidence)), RAW)


def test_a_differencing_one_finds_its_disk_by_the_identifier(tmp_path: Path) -> None:
    (tmp_path / "any name").write_bytes(vdi(RAW, identifier=50, changed=51))
    (tmp_path / "top.vdi").write_bytes(vdi(bytes(TOP), kind=4, parent=(50, 51, RAW)))
    evidence, medium, warnings = open_evidence(tmp_path / "top.vdi")
    assert not warnings
    assert evidence.facts["continues"] == "any name"
    assert same(all_of(medium), bytes(TOP))
    (tmp_path / "any name").write_bytes(vdi(RAW, identifier=50, changed=52))
    assert "was changed since" in open_evidence(tmp_path / "top.vdi")[2][0]
    (tmp_path / "any name").unlink()
    _, medium, warnings = open_evidence(tmp_path / "top.vdi")
    assert warnings == [f"top.vdi continues the disk {uuid.UUID(int=50)}, which is not beside it: what lies in that cannot be read"]
    assert same(medium.read_at(0, 1 << 20), bytes(TOP[: 1 << 20]))
    with pytest.raises(DamagedRangeError):
        medium.read_at(1 << 20, 512)
    assert medium.read_at(2 << 20, 512) == bytes(512)


def test_what_is_not_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(vdi(RAW, kind=3))
    with pytest.raises(EvidenceError, match=r"a kind that is not read \(undo\)"):
        open_evidence(tmp_path / "a")
    made = bytearray(vdi(RAW))
    made[0x44:0x48] = b"\1\0\2\0"
    (tmp_path / "a").write_bytes(made)
    with pytest.raises(EvidenceError, match="VDI of version 2"):
        open_evidence(tmp_path / "a")


def test_a_cut_file_tells_how_much_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(vdi(RAW)[: -(1 << 20) - 5])
    _, medium, warnings = open_evidence(tmp_path / "a")
    assert warnings == ["1048576 bytes of the virtual disk cannot be read: its place lies outside of the file"]
    found = readable(medium)
    assert b"?" * 4096 in found
    assert all(one in (RAW[at], ord("?")) for at, one in enumerate(found))


@pytest.mark.parametrize("size", [1 << 60, (1 << 64) - 1, 0])
def test_a_size_that_lies_is_refused_at_once(size: int, tmp_path: Path) -> None:
    made = bytearray(vdi(RAW))
    made[0x170:0x178] = size.to_bytes(8, "little")
    (tmp_path / "a").write_bytes(made)
    with pytest.raises(EvidenceError, match="cannot be opened"):
        open_evidence(tmp_path / "a")


def test_no_damage_does_harm(tmp_path: Path) -> None:
    made = vdi(RAW[: 1 << 20], block=1 << 16)
    opened = 0
    for raw in mutants(made, [(0x40, 0x188), (0x154, 64), (512, 64)], 150):
        (tmp_path / "a").write_bytes(raw)
        try:
            _, medium, _ = open_evidence(tmp_path / "a")
        except EvidenceError:
            continue
        opened += 1
        readable(medium, most=150)
        medium.close()
    assert opened > 20
