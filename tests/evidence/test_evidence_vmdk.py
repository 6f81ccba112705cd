"""VMDK disks: every form gives the bytes of the disk, its set is found, what is missing or damaged is said."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from virtual_makers import (
    QEMU,
    all_of,
    by_qemu,
    converted,
    cowd,
    disk,
    hosted,
    mutants,
    needs_qemu,
    qemu,
    read,
    readable,
    same,
    sesparse,
    vmdk_descriptor,
)  # fmt: skip
from virtual_samples import check_sample, needs_samples

from triage.errors import EvidenceError
from triage.evidence.medium import DamagedRangeError
from triage.evidence.opening import open_evidence, reopen
from triage.evidence.segments import group

if TYPE_CHECKING:
    from pathlib import Path

RAW = disk()
SECTORS = len(RAW) // 512


class TestRealSamples:
    pytestmark = needs_samples

    @pytest.mark.parametrize("name", ["dfvfs/ext2.vmdk", "plaso/image.vmdk", "sleuthkit/image.vmdk"])
    def test_the_disk_is_what_others_read(self, name: str) -> None:
        check_sample(name)


@needs_qemu
@pytest.mark.parametrize("form", ["monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat", "streamOptimized"])
def test_what_qemu_writes(form: str, tmp_path: Path) -> None:
    path = converted(tmp_path, RAW, "a.vmdk", "vmdk", "-o", f"subformat={form}")
    assert same(read(path), RAW)
    assert open_evidence(path)[0].facts["virtual disk"].startswith(f"VMDK {form}")


@needs_qemu
def test_an_extent_leads_to_its_descriptor(tmp_path: Path) -> None:
    path = converted(tmp_path, RAW, "a.vmdk", "vmdk", "-o", "subformat=twoGbMaxExtentSparse")
    evidence, medium, _ = open_evidence(tmp_path / "a-s001.vmdk")
    assert evidence.paths == (str(path), str(tmp_path / "a-s001.vmdk"))
    assert same(all_of(medium), RAW)
    assert group([tmp_path / "a-s001.vmdk", path]) == [path]


@pytest.mark.parametrize("options", [{}, {"grain": 128}, {"packed": True}, {"packed": True, "footer": True, "grain": 128}, {"entries": 64}])
def test_made_sparse_ones(options: dict[str, int], tmp_path: Path) -> None:
    made = hosted(RAW, descriptor=vmdk_descriptor([f'RW {SECTORS} SPARSE "other.vmdk"']), **options)
    path = tmp_path / "of_no_type"
    path.write_bytes(made)
    evidence, medium, warnings = open_evidence(path)
    assert evidence.kind == "vmdk"
    assert not warnings
    assert same(all_of(medium), RAW)
    assert same(all_of(reopen(evidence)), RAW)
    if QEMU:
        assert same(by_qemu(path, "vmdk"), RAW)


def test_extents_of_all_kinds_in_one_disk(tmp_path: Path) -> None:
    mib = 1 << 20
    parts = {
        "a-flat.vmdk": b"x" * 1024 + RAW[:mib],
        "a-s002.vmdk": hosted(RAW[mib : 2 * mib]),
        "a-cowd.vmdk": cowd(RAW[2 * mib :]),
        "a-sesparse.vmdk": sesparse(RAW[:mib]),
    }
    for name, data in parts.items():
        (tmp_path / name).write_bytes(data)
    lines = [
        'RW 2048 FLAT "A-FLAT.VMDK" 2',
        'RW 2048 SPARSE "C:\\other\\a-s002.vmdk"',
        'RW 2048 VMFSSPARSE "a-cowd.vmdk"',
        "RW 64 ZERO",
        'RW 2048 SESPARSE "a-sesparse.vmdk"',
    ]
    (tmp_path / "a.vmdk").write_bytes(vmdk_descriptor(lines, "custom"))
    evidence, medium, warnings = open_evidence(tmp_path / "a.vmdk")
    assert not warnings
    assert [one.rpartition("/")[2] for one in evidence.paths] == ["a.vmdk", *parts]
    assert same(all_of(medium, 77_777), RAW + bytes(64 * 512) + RAW[:mib])


@needs_qemu
@pytest.mark.parametrize(("maker", "kind"), [(cowd, "VMFSSPARSE"), (sesparse, "SESPARSE")])
def test_qemu_reads_what_is_made_here_of_esx(maker, kind: str, tmp_path: Path) -> None:
    (tmp_path / "a-x.vmdk").write_bytes(maker(RAW))
    form = "seSparse" if kind == "SESPARSE" else "vmfsSparse"
    (tmp_path / "a.vmdk").write_bytes(vmdk_descriptor([f'RW {SECTORS} {kind} "a-x.vmdk"'], form))
    assert same(by_qemu(tmp_path / "a.vmdk", "vmdk"), RAW)
    assert same(read(tmp_path / "a.vmdk"), RAW)


def test_a_part_that_is_missing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.vmdk").write_bytes(vmdk_descriptor(['RW 2048 FLAT "a-flat.vmdk" 0'], "monolithicFlat"))
    with pytest.raises(EvidenceError, match=r"consists of a-flat\.vmdk as well, which is not beside it"):
        open_evidence(tmp_path / "a.vmdk")


def test_a_part_without_its_descriptor_is_read_alone(tmp_path: Path) -> None:
    (tmp_path / "a-s001.vmdk").write_bytes(hosted(RAW))
    _, medium, warnings = open_evidence(tmp_path / "a-s001.vmdk")
    assert warnings == ["a-s001.vmdk: it is one part of a virtual disk, whose descriptor is not beside it: only this part is read"]
    assert same(all_of(medium), RAW)


def test_a_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    (tmp_path / "a.vmdk").write_bytes(vmdk_descriptor(['RW 2048 VMFSRDM "x"'], "vmfsRawDeviceMap"))
    with pytest.raises(EvidenceError, match="consists of a device"):
        open_evidence(tmp_path / "a.vmdk")


def test_a_snapshot_continues_its_disk(tmp_path: Path) -> None:
    top = bytearray(len(RAW))
    top[8192:16384] = b"\7" * 8192
    extent = f'RW {SECTORS} SPARSE "x.vmdk"'
    (tmp_path / "base.vmdk").write_bytes(hosted(RAW, descriptor=vmdk_descriptor([extent], cid="11112222")))
    child = vmdk_descriptor([extent], parent="/vmfs/volumes/base.vmdk", parent_cid="11112222")
    (tmp_path / "top.vmdk").write_bytes(hosted(bytes(top), descriptor=child))
    wanted = bytearray(RAW)
    wanted[8192:16384] = top[8192:16384]
    evidence, medium, warnings = open_evidence(tmp_path / "top.vmdk")
    assert evidence.facts["continues"] == "base.vmdk"
    assert not warnings
    assert same(all_of(medium), bytes(wanted))
    (tmp_path / "base.vmdk").write_bytes(hosted(RAW, descriptor=vmdk_descriptor([extent], cid="33334444")))
    assert "was changed since" in open_evidence(tmp_path / "top.vmdk")[2][0]
    (tmp_path / "base.vmdk").unlink()
    _, medium, warnings = open_evidence(tmp_path / "top.vmdk")
    assert warnings == ["top.vmdk continues base.vmdk, which is not beside it: what lies in that cannot be read"]
    assert medium.read_at(8192, 8192) == b"\7" * 8192
    with pytest.raises(DamagedRangeError, match=r"base\.vmdk"):
        medium.read_at(0, 512)


def test_the_second_extent_of_a_snapshot_continues_at_its_own_place(tmp_path: Path) -> None:
    half = len(RAW) // 2
    for name, start in (("base-1.vmdk", 0), ("base-2.vmdk", half)):
        (tmp_path / name).write_bytes(hosted(RAW[start : start + half]))
    for name in ("top-1.vmdk", "top-2.vmdk"):
        (tmp_path / name).write_bytes(hosted(bytes(half)))
    for name, below in (("base", ""), ("top", "base.vmdk")):
        lines = [f'RW {half // 512} SPARSE "{name}-{n}.vmdk"' for n in (1, 2)]
        (tmp_path / f"{name}.vmdk").write_bytes(vmdk_descriptor(lines, parent=below, parent_cid="abcd1234" if below else "ffffffff"))
    assert same(read(tmp_path / "top.vmdk"), RAW)
    whole = (tmp_path / "base-2.vmdk").read_bytes()
    (tmp_path / "base-2.vmdk").write_bytes(whole[: len(whole) // 2])
    _, medium, _ = open_evidence(tmp_path / "top.vmdk")
    found = readable(medium)
    assert same(found[:half], RAW[:half])
    assert b"?" in found[half:]
    assert all(one in (RAW[at], ord("?")) for at, one in enumerate(found))


@needs_qemu
def test_a_snapshot_as_qemu_makes_it(tmp_path: Path) -> None:
    converted(tmp_path, RAW, "base.vmdk", "vmdk")
    qemu("create", "-q", "-f", "vmdk", "-b", tmp_path / "base.vmdk", "-F", "vmdk", tmp_path / "top.vmdk")
    subprocess.run(["qemu-io", "-f", "vmdk", "-c", "write -P 7 1M 100k", str(tmp_path / "top.vmdk")], check=True, capture_output=True)
    assert same(read(tmp_path / "top.vmdk"), by_qemu(tmp_path / "top.vmdk", "vmdk"))


def test_the_copy_of_a_damaged_table_is_taken(tmp_path: Path) -> None:
    made = bytearray(hosted(RAW, descriptor=vmdk_descriptor([f'RW {SECTORS} SPARSE "a"'])))
    directory = int.from_bytes(made[56:64], "little") * 512
    made[directory : directory + 4] = (1 << 31).to_bytes(4, "little")
    (tmp_path / "a").write_bytes(made)
    _, medium, warnings = open_evidence(tmp_path / "a")
    assert warnings == ["the virtual disk: 1 of its tables cannot be read: their copies were taken"]
    assert same(all_of(medium), RAW)


def test_a_stream_without_its_end_is_read_by_the_marks_of_its_grains(tmp_path: Path) -> None:
    made = hosted(RAW, descriptor=vmdk_descriptor([f'RW {SECTORS} SPARSE "a"'], "streamOptimized"), packed=True, footer=True)
    (tmp_path / "a").write_bytes(made[: len(made) * 2 // 3])
    _, medium, warnings = open_evidence(tmp_path / "a")
    assert "its end is missing" in warnings[0]
    assert "cannot be read" in warnings[1]
    found = readable(medium)
    assert all(one in (RAW[at], ord("?")) for at, one in enumerate(found))
    stored = sum(any(RAW[at : at + 8192]) for at in range(0, len(RAW), 8192))
    got = sum(found[at : at + 8192] != b"?" * 8192 for at in range(0, len(found), 8192))
    assert got > stored // 2


def test_another_grain_at_a_place_is_damage(tmp_path: Path) -> None:
    made = bytearray(hosted(RAW, descriptor=vmdk_descriptor([f'RW {SECTORS} SPARSE "a"']), packed=True))
    at = int.from_bytes(made[64:72], "little") * 512
    lost = int.from_bytes(made[at : at + 8], "little") * 512
    assert lost % 8192 == 0
    made[at + 1] ^= 1
    (tmp_path / "a").write_bytes(made)
    _, medium, _ = open_evidence(tmp_path / "a")
    with pytest.raises(DamagedRangeError, match="another grain"):
        medium.read_at(lost, 512)
    assert same(readable(medium), RAW[:lost] + b"?" * 8192 + RAW[lost + 8192 :])


@pytest.mark.parametrize("sectors", [1 << 51, (1 << 63) - 1])
def test_a_size_that_lies_is_refused_at_once(sectors: int, tmp_path: Path) -> None:
    (tmp_path / "a.vmdk").write_bytes(vmdk_descriptor([f"RW {sectors} ZERO"]))
    with pytest.raises(EvidenceError, match="states a size"):
        open_evidence(tmp_path / "a.vmdk")


_LINE = f'RW {1 << 10} SPARSE "a.vmdk"'
_FORMS = {
    "sparse": hosted(disk(1 << 19), descriptor=vmdk_descriptor([_LINE])),
    "stream": hosted(disk(1 << 19), descriptor=vmdk_descriptor([_LINE]), packed=True, footer=True),
    "cowd": cowd(disk(1 << 19)),
    "sesparse": sesparse(disk(1 << 19)),
    "descriptor": vmdk_descriptor(['RW 1024 FLAT "b" 0', 'RW 1024 SPARSE "c" ', "RW 99 ZERO"]),
}


@pytest.mark.parametrize("form", _FORMS)
def test_no_damage_does_harm(form: str, tmp_path: Path) -> None:
    made = _FORMS[form]
    (tmp_path / "b").write_bytes(RAW)
    (tmp_path / "c").write_bytes(_FORMS["sparse"])
    opened = 0
    where = [(0, 200), (0, 1500), (max(0, len(made) - 3000), 3000), (10_752, 1024)]
    for raw in mutants(made, [(at, many) for at, many in where if at < len(made)], 150):
        (tmp_path / "a.vmdk").write_bytes(raw)
        try:
            _, medium, _ = open_evidence(tmp_path / "a.vmdk")
        except EvidenceError:
            continue
        opened += 1
        readable(medium, most=100)
        medium.close()
    assert opened > 10
