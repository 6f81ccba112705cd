"""QCOW disks: every form gives the bytes of the disk, what is missing or damaged is a read error, what is not read is said."""

from __future__ import annotations

import subprocess
import zlib
from typing import TYPE_CHECKING

import pytest
from virtual_makers import all_of, by_qemu, converted, disk, mutants, needs_qemu, qcow2, qemu, read, readable, same
from virtual_samples import check_sample, needs_samples

from triage.errors import EvidenceError
from triage.evidence.medium import DamagedRangeError
from triage.evidence.opening import open_evidence, reopen
from triage.evidence.segments import group

if TYPE_CHECKING:
    from pathlib import Path

RAW = disk()


class TestRealSamples:
    pytestmark = needs_samples

    @pytest.mark.parametrize(
        "name",
        ["dfvfs/ext2.qcow2", "dfvfs/windows_volume.qcow2", "plaso/image.qcow2", "plaso/vsstest.qcow2", "sleuthkit/image.qcow"],
    )
    def test_the_disk_is_what_others_read(self, name: str) -> None:
        check_sample(name)


@needs_qemu
@pytest.mark.parametrize(
    "options",
    [
        ["-o", "cluster_size=4k"],
        ["-o", "cluster_size=512"],
        ["-o", "cluster_size=2M"],
        ["-o", "compat=0.10"],
        ["-c"],
        ["-c", "-o", "compat=0.10,cluster_size=16k"],
        ["-c", "-o", "compression_type=zstd"],
        ["-o", "extended_l2=on"],
        ["-c", "-o", "extended_l2=on,cluster_size=128k"],
        ["-o", "preallocation=full"],
        ["-o", "data_file={folder}/outside.raw"],
        ["-o", "data_file={folder}/outside.raw,data_file_raw=on"],
    ],
)
def test_what_qemu_writes(options: list[str], tmp_path: Path) -> None:
    path = converted(tmp_path, RAW, "a.qcow2", "qcow2", *(one.format(folder=tmp_path) for one in options))
    assert same(read(path), RAW)


@needs_qemu
def test_the_first_version(tmp_path: Path) -> None:
    assert same(read(converted(tmp_path, RAW, "a.qcow", "qcow")), RAW)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("bits", [9, 12, 16])
def test_made_ones(bits: int, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "of_no_type"
    path.write_bytes(qcow2(RAW[: 1 << 20] if bits == 9 else RAW, bits=bits, packed=packed))
    evidence, medium, warnings = open_evidence(path)
    assert evidence.kind == "qcow"
    assert not warnings
    assert same(all_of(medium), RAW[: medium.size])
    assert same(all_of(reopen(evidence)), RAW[: medium.size])


def test_a_disk_that_continues_another_beside_it(tmp_path: Path) -> None:
    top = bytearray(len(RAW))
    top[65536:70000] = b"\7" * (70000 - 65536)
    (tmp_path / "base.qcow2").write_bytes(qcow2(RAW))
    (tmp_path / "top.qcow2").write_bytes(qcow2(bytes(top), backing="/other/folder/base.qcow2"))
    evidence, medium, warnings = open_evidence(tmp_path / "top.qcow2")
    assert evidence.paths == (str(tmp_path / "top.qcow2"), str(tmp_path / "base.qcow2"))
    assert evidence.facts["continues"] == "base.qcow2"
    assert not warnings
    wanted = bytearray(RAW)
    wanted[65536 : 2 * 65536] = top[65536 : 2 * 65536]
    assert same(all_of(medium), bytes(wanted))
    assert group([tmp_path / "top.qcow2", tmp_path / "base.qcow2"]) == [tmp_path / "top.qcow2"]
    before = evidence.fingerprint
    (tmp_path / "base.qcow2").write_bytes(qcow2(RAW[:-1] + b"\1"))
    assert open_evidence(tmp_path / "top.qcow2")[0].fingerprint != before


@needs_qemu
def test_a_chain_as_qemu_makes_it(tmp_path: Path) -> None:
    converted(tmp_path, RAW, "base.qcow2", "qcow2", "-o", "extended_l2=on")
    qemu("create", "-q", "-f", "qcow2", "-o", "extended_l2=on", "-b", tmp_path / "base.qcow2", "-F", "qcow2", tmp_path / "mid.qcow2", "4M")
    qemu("create", "-q", "-f", "qcow2", "-b", tmp_path / "mid.qcow2", "-F", "qcow2", tmp_path / "top.qcow2")
    for name, where in (("mid.qcow2", "10k 3k"), ("mid.qcow2", "3500k 9k"), ("top.qcow2", "200k 1k")):
        subprocess.run(["qemu-io", "-f", "qcow2", "-c", f"write -P 7 {where}", str(tmp_path / name)], check=True, capture_output=True)
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -z 64k 64k", str(tmp_path / "top.qcow2")], check=True, capture_output=True)
    assert same(read(tmp_path / "top.qcow2"), by_qemu(tmp_path / "top.qcow2", "qcow2"))


def test_what_lies_below_and_is_not_there_is_no_zeros(tmp_path: Path) -> None:
    top = bytearray(len(RAW))
    top[:65536] = b"\7" * 65536
    (tmp_path / "top.qcow2").write_bytes(qcow2(bytes(top), backing="base.qcow2"))
    _, medium, warnings = open_evidence(tmp_path / "top.qcow2")
    assert warnings == ["top.qcow2 continues base.qcow2, which is not beside it: what lies in that cannot be read"]
    assert medium.read_at(0, 65536) == b"\7" * 65536
    with pytest.raises(DamagedRangeError, match=r"it lies in base.qcow2, which is not there \(medium offset 65536") as caught:
        medium.read_at(65000, 2000)
    assert (caught.value.offset, caught.value.length) == (65536, 1464)


def test_what_lies_below_and_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "base.qcow2").write_bytes(qcow2(RAW, crypt=2))
    (tmp_path / "top.qcow2").write_bytes(qcow2(bytes(len(RAW)), backing="base.qcow2"))
    _, medium, warnings = open_evidence(tmp_path / "top.qcow2")
    assert warnings == ["base.qcow2 is encrypted (LUKS), and that is not read: what lies in it cannot be read"]
    assert set(readable(medium)) == {ord("?")}


def test_a_raw_disk_below_is_taken_as_the_header_says(tmp_path: Path) -> None:
    (tmp_path / "base.raw").write_bytes(RAW)
    (tmp_path / "top.qcow2").write_bytes(qcow2(bytes(len(RAW) + 65536), backing="base.raw"))
    assert same(read(tmp_path / "top.qcow2"), RAW + bytes(65536))


@needs_qemu
def test_a_guest_cannot_make_its_raw_disk_another_format(tmp_path: Path) -> None:
    inner = (qcow2(RAW[:65536]) + bytes(1 << 20))[: 1 << 20]
    (tmp_path / "base.raw").write_bytes(inner)
    qemu("create", "-q", "-f", "qcow2", "-b", tmp_path / "base.raw", "-F", "raw", tmp_path / "top.qcow2")
    assert same(read(tmp_path / "top.qcow2"), inner)


def test_a_disk_that_continues_itself_is_refused(tmp_path: Path) -> None:
    for name, below in (("a", "b"), ("b", "a")):
        (tmp_path / name).write_bytes(qcow2(RAW, backing=below))
    with pytest.raises(EvidenceError, match="a continues itself"):
        open_evidence(tmp_path / "a")


@needs_qemu
def test_snapshots_inside_are_named(tmp_path: Path) -> None:
    path = converted(tmp_path, RAW, "a.qcow2", "qcow2")
    for name in ("before cleaning", "später"):
        qemu("snapshot", "-c", name, path)
    evidence, _, warnings = open_evidence(path)
    names = [one.rsplit(" ", 1)[0] for one in evidence.facts["snapshots inside"].split(", ")]
    assert names == ["before cleaning", "später"]
    assert not warnings


@pytest.mark.parametrize(("crypt", "said"), [(1, "AES"), (2, "LUKS"), (9, "in an unknown way")])
def test_an_encrypted_one_is_refused_by_name(crypt: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(qcow2(RAW, crypt=crypt))
    with pytest.raises(EvidenceError, match=rf"a is encrypted \({said}\)"):
        open_evidence(tmp_path / "a")


def test_unknown_features_are_refused_and_marks_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(qcow2(RAW, features=1 << 20))
    with pytest.raises(EvidenceError, match="features of QCOW that are not known"):
        open_evidence(tmp_path / "a")
    (tmp_path / "a").write_bytes(qcow2(RAW, features=3))
    assert open_evidence(tmp_path / "a")[2] == [
        "a: it is marked as damaged by the program that wrote it",
        "a: it was not closed by the program that wrote it",
    ]


def test_a_cut_file_tells_how_much_cannot_be_read(tmp_path: Path) -> None:
    made = qcow2(disk(1 << 20))
    (tmp_path / "a").write_bytes(made[:-200_000])
    _, medium, warnings = open_evidence(tmp_path / "a")
    assert warnings == ["196608 bytes of the virtual disk cannot be read: its place lies outside of the file"]
    found, wanted = readable(medium), disk(1 << 20)
    assert all(one in (wanted[at], ord("?")) for at, one in enumerate(found))
    assert 196_608 <= found.count(b"?") < 270_000


def test_a_damaged_cluster_is_one_read_error(tmp_path: Path) -> None:
    made = bytearray(qcow2(RAW, packed=True))
    at = bytes(made).index(zlib.compress(RAW[:65536], 9, wbits=-12)[:40])
    made[at + 4 : at + 40] = b"\xff" * 36
    (tmp_path / "a").write_bytes(made)
    _, medium, _ = open_evidence(tmp_path / "a")
    found = readable(medium)
    assert found[:65536] == b"?" * 65536
    assert same(found[65536:], RAW[65536:])
    assert medium.damaged


@pytest.mark.parametrize("size", [1 << 60, (1 << 64) - 1, 0])
def test_a_size_that_lies_is_refused_at_once(size: int, tmp_path: Path) -> None:
    made = bytearray(qcow2(RAW))
    made[24:32] = size.to_bytes(8, "big")
    (tmp_path / "a").write_bytes(made)
    with pytest.raises(EvidenceError, match="cannot be opened"):
        open_evidence(tmp_path / "a")


@pytest.mark.parametrize("packed", [False, True])
def test_no_damage_does_harm(packed: bool, tmp_path: Path) -> None:
    made = qcow2(disk(1 << 19), bits=12, packed=packed)
    opened = 0
    for raw in mutants(made, [(0, 112), (4096, 16), (8192, 1024)], 150):
        (tmp_path / "a").write_bytes(raw)
        try:
            _, medium, _ = open_evidence(tmp_path / "a")
        except EvidenceError:
            continue
        opened += 1
        readable(medium, most=150)
        medium.close()
    assert opened > 20
