"""Virtual disks: real ones, and those that QEMU made of one disk in every form; chains; what is missing, refused or damaged."""

from __future__ import annotations

import io
import json
import random
import shutil
import tarfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from triage.case.store import Case
from triage.cli import run as triage
from triage.errors import EvidenceError
from triage.evidence.opening import open_evidence, reopen

SIZE = (3 << 20) + (12 << 10)
WHOLE = (
    "plain.qcow2", "old.qcow2", "packed.qcow2", "zstd.qcow2", "subclusters.qcow2", "tiny.qcow2", "first.qcow", "firstpacked.qcow",
    "monolithicSparse.vmdk", "monolithicFlat.vmdk", "twoGbMaxExtentSparse.vmdk", "twoGbMaxExtentFlat.vmdk", "streamOptimized.vmdk",
    "fixed.vhd", "dynamic.vhd", "dynamic.vhdx", "dynamic.vdi", "fixed.vdi",
)  # fmt: skip
CHANGED = {
    "child.qcow2": [(1 << 20, 7, 128 << 10)],
    "child.vmdk": [(1 << 20, 7, 128 << 10)],
    "onraw.qcow2": [(1 << 20, 7, 128 << 10)],
    "grandchild.qcow2": [(1 << 20, 7, 128 << 10), (2 << 20, 8, 64 << 10)],
}


@cache
def packed() -> bytes:
    """The disks, as bench/virtual_disks.sh makes them."""
    return Path(__file__).with_name("virtual_disks.tar.xz").read_bytes()


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disks")
    with tarfile.open(fileobj=io.BytesIO(packed()), mode="r:xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def read(path: Path) -> bytes:
    _, medium, _ = open_evidence(path)
    data = b"".join(medium.read_at(at, 1 << 20) for at in range(0, medium.size, 1 << 20))
    medium.close()
    return data


@pytest.mark.parametrize("name", WHOLE)
def test_every_form_holds_the_same_disk(name: str, disks: Path) -> None:
    wanted = (disks / "base.raw").read_bytes()
    evidence, medium, warnings = open_evidence(disks / name)
    assert (medium.size, warnings) == (SIZE, [])
    assert evidence.kind.removeprefix("split ") == name.rpartition(".")[2].replace("qcow2", "qcow")
    rng = random.Random(name)
    for _ in range(60):
        offset, length = rng.randrange(SIZE), rng.randrange(1 << rng.randrange(1, 19))
        assert medium.read_at(offset, length) == wanted[offset : offset + length]
    assert medium.read_at(SIZE - 5, 99) == wanted[-5:]
    assert medium.read_at(SIZE, 9) == b""
    again = reopen(evidence)
    assert again.read_at(0, SIZE) == wanted


@pytest.mark.parametrize("name", CHANGED)
def test_a_disk_that_continues_others_is_put_on_top_of_them(name: str, disks: Path) -> None:
    wanted = bytearray((disks / "base.raw").read_bytes())
    for at, byte, length in CHANGED[name]:
        wanted[at : at + length] = bytes([byte]) * length
    assert read(disks / name) == wanted
    evidence, _, _ = open_evidence(disks / name)
    assert evidence.facts["continues"].split(", ")[0] in {"plain.qcow2", "child.qcow2", "monolithicSparse.vmdk", "base.raw"}
    assert len(evidence.paths) == (3 if name.startswith("grand") else 2)


def test_snapshots_inside_are_named(disks: Path) -> None:
    evidence, _, _ = open_evidence(disks / "old.qcow2")
    assert evidence.facts["snapshots inside"].startswith("before cleaning ")


@pytest.mark.parametrize(
    ("name", "needs", "words"),
    [
        (
            "twoGbMaxExtentSparse.vmdk",
            "twoGbMaxExtentSparse-s001.vmdk",
            "consists of twoGbMaxExtentSparse-s001.vmdk as well, which is not beside it",
        ),
        ("monolithicFlat.vmdk", "monolithicFlat-flat.vmdk", "consists of monolithicFlat-flat.vmdk as well, which is not beside it"),
    ],
)
def test_a_part_that_is_missing_is_an_error(name: str, needs: str, words: str, disks: Path, tmp_path: Path) -> None:
    for path in disks.iterdir():
        if path.name != needs:
            shutil.copy(path, tmp_path)
    with pytest.raises(EvidenceError, match=words):
        open_evidence(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "needs"),
    [("child.qcow2", "plain.qcow2"), ("grandchild.qcow2", "plain.qcow2"), ("child.vmdk", "monolithicSparse.vmdk")],
)
def test_without_the_disk_that_it_continues_what_lies_in_that_cannot_be_read(name: str, needs: str, disks: Path, tmp_path: Path) -> None:
    for path in disks.iterdir():
        if path.name != needs:
            shutil.copy(path, tmp_path)
    _, medium, warnings = open_evidence(tmp_path / name)
    assert any(f"continues {needs}, which is not beside it: what lies in that cannot be read" in line for line in warnings)
    with pytest.raises(OSError, match=needs):
        medium.read_at(0, 4096)
    at, byte, length = CHANGED[name][0]
    assert medium.read_at(at, length) == bytes([byte]) * length


def test_a_part_by_itself_leads_to_the_whole(disks: Path) -> None:
    assert read(disks / "twoGbMaxExtentSparse-s001.vmdk") == (disks / "base.raw").read_bytes()


def test_a_disk_is_told_by_its_content_whatever_it_is_called(disks: Path, tmp_path: Path) -> None:
    shutil.copy(disks / "dynamic.vhdx", tmp_path / "holiday.jpg")
    assert open_evidence(tmp_path / "holiday.jpg")[0].kind == "vhdx"


def test_what_is_encrypted_or_elsewhere_is_refused_with_the_reason(disks: Path, tmp_path: Path) -> None:
    data = bytearray((disks / "plain.qcow2").read_bytes())
    path = tmp_path / "a.qcow2"
    for at, value, words in (
        (35, 2, "is encrypted \\(LUKS\\)"),
        (79, 4, "its data lie in another file, and not in which"),
        (79, 64, "features of QCOW that are not known"),
    ):
        changed = bytearray(data)
        changed[at] = value
        path.write_bytes(changed)
        with pytest.raises(EvidenceError, match=words):
            open_evidence(path)
    data[79] = 2
    path.write_bytes(data)
    assert open_evidence(path)[2] == ["a.qcow2: it is marked as damaged by the program that wrote it"]


def test_a_disk_that_continues_itself_ends_there_and_that_is_said(disks: Path, tmp_path: Path) -> None:
    shutil.copy(disks / "child.qcow2", tmp_path / "plain.qcow2")
    shutil.copy(disks / "child.qcow2", tmp_path / "child.qcow2")
    for name in ("plain.qcow2", "child.qcow2"):
        assert any("plain.qcow2, which is not beside it" in line for line in open_evidence(tmp_path / name)[2])


def test_a_packed_cluster_that_is_damaged_cannot_be_read_and_the_others_can(disks: Path, tmp_path: Path) -> None:
    wanted = (disks / "base.raw").read_bytes()
    data = bytearray((disks / "packed.qcow2").read_bytes())
    data[-600:-100] = b"\xff" * 500
    path = tmp_path / "a.qcow2"
    path.write_bytes(data)
    _, medium, _ = open_evidence(path)
    lost = 0
    for at in range(0, SIZE, 65536):
        try:
            assert medium.read_at(at, 65536) == wanted[at : at + 65536]
        except OSError:
            lost += 1
    assert 0 < lost < 5
    assert medium.damaged


REAL = {
    "dfvfs/ext2.qcow2": "QCOW version 3", "dfvfs/windows_volume.qcow2": "QCOW version 3", "plaso/image.qcow2": "QCOW version 2",
    "plaso/vsstest.qcow2": "QCOW version 2", "sleuthkit/image.qcow": "QCOW version 1", "dfvfs/ext2.vmdk": "VMDK monolithicSparse",
    "plaso/image.vmdk": "VMDK monolithicSparse", "sleuthkit/image.vmdk": "VMDK monolithicSparse", "sleuthkit/image.vhd": "VHD, dynamic",
}  # fmt: skip


@pytest.mark.parametrize(("name", "form"), REAL.items(), ids=REAL)
def test_real_disks_have_the_digest_that_their_truth_states(name: str, form: str, evidence_root: Path) -> None:
    import hashlib

    evidence, medium, _ = open_evidence(evidence_root / "images" / name)
    digest = hashlib.md5(usedforsecurity=False)
    for at in range(0, medium.size, 1 << 20):
        digest.update(medium.read_at(at, 1 << 20))
    truth = json.loads((evidence_root / "truth" / f"{name}.gt.json").read_text())
    assert (medium.size, digest.hexdigest()) == (truth["media_size"], truth["media_md5"])
    assert evidence.facts["virtual disk"].startswith(form)


def test_a_real_vhdx(evidence_root: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(evidence_root / "images/velociraptor/test.vhdx.zip", tmp_path)
    assert triage(["run", str(tmp_path / "test.vhdx"), "--case", str(tmp_path / "case"), "-q"]) == 0
    with Case.open(tmp_path / "case") as case:
        assert case.coverage()["seen"]["volumes_listed"] >= 1


@pytest.mark.parametrize("name", ["dfvfs/hfsplus_zlib.dmg", "plaso/hfsplus_zlib.dmg"])
def test_a_real_packed_disk_image_of_macos(name: str, evidence_root: Path, tmp_path: Path) -> None:
    assert triage(["run", str(evidence_root / "images" / name), "--case", str(tmp_path / "case"), "-q"]) == 0
    with Case.open(tmp_path / "case") as case:
        (volume,) = [v for v in case.volumes() if v["state"] == "listed"]
        assert volume["file_system"] == "HFS+"
        assert case.evidence()[0]["kind"] == "dmg"


FORMS = (
    "plain.qcow2",
    "zstd.qcow2",
    "subclusters.qcow2",
    "first.qcow",
    "monolithicSparse.vmdk",
    "streamOptimized.vmdk",
    "dynamic.vhd",
    "dynamic.vhdx",
    "dynamic.vdi",
)


@pytest.mark.parametrize("name", FORMS)
def test_damage_never_breaks_it(name: str, disks: Path, tmp_path: Path) -> None:
    data, rng = (disks / name).read_bytes(), random.Random(name)
    used = [at for at in range(0, len(data), 512) if any(data[at : at + 512])]
    path, opened = tmp_path / name, 0
    for _ in range(80):
        mutant = bytearray(data)
        for _ in range(rng.choice((1, 4))):
            at = rng.choice(used[: rng.choice((2, 40))]) + rng.randrange(508)
            mutant[at : at + 4] = rng.choice((rng.randbytes(4), b"\xff" * 4, bytes(4)))
        path.write_bytes(mutant if rng.randrange(4) else mutant[: rng.randrange(len(mutant))])
        try:
            _, medium, _ = open_evidence(path)
        except EvidenceError:
            continue
        opened += 1
        for at in (0, medium.size // 2, medium.size - 9000):
            with suppress(OSError):
                assert len(medium.read_at(max(0, at), 9000)) <= 9000
        medium.close()
    assert opened
