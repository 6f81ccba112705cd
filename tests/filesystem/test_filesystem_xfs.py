"""An XFS volume that Linux wrote (bench/kernel_filesystems.sh): every name, time, stream and byte; what its own books say; damage."""

from __future__ import annotations

import io
import lzma
import os
import random
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from triage.cli import run as triage
from triage.filesystem.image import MediumImage
from triage.filesystem.trees.tree import Fault, Named
from triage.filesystem.trees.xfs import XfsTree
from triage.filesystem.volumes import list_volumes
from triage.model import Kind, Severity

sys.path.append(str(Path(__file__).resolve().parents[1] / "evidence"))
from evidence_bytes import Bytes


@cache
def image() -> bytes:
    return lzma.decompress(Path(__file__).with_name("xfs.img.xz").read_bytes())


def listed(data: bytes) -> tuple[XfsTree, dict[str, Named], list[Fault]]:
    tree = XfsTree(Bytes(data), 0, len(data))
    said = list(tree.names())
    names = {
        b"/".join(one.path).decode() + (f":{one.stream.decode()}" if one.stream else ""): one for one in said if isinstance(one, Named)
    }
    return tree, names, [one for one in said if isinstance(one, Fault)]


def content(tree: XfsTree, one: Named) -> bytes:
    return tree.open(one.address, one.sequence, one.attribute)(0, one.size + 10)


def test_every_file_is_there_with_its_bytes() -> None:
    tree, names, faults = listed(image())
    assert faults == []
    assert tree.checked  # by the headers of its allocation groups
    many = [name for name in names if name.startswith("many/file ")]
    assert len(many) == 400
    for name in many:
        assert content(tree, names[name]) == str(int(name[10:15])).encode()
    assert content(tree, names["notes/deep/er/ü\U0001f600.bin"]) == random.Random(1).randbytes(9000) * 8
    assert content(tree, names["sparse"]) == bytes(300_000) + b"end"
    assert names["sparse"].runs[0] == (None, 299_008)
    assert (names["sparse"].mode, names["sparse"].uid, names["sparse"].gid) == (0o640, 1001, 1002)


def test_it_is_as_libfsxfs_reads_it() -> None:
    pyfsxfs = pytest.importorskip("pyfsxfs", reason="libfsxfs is not installed")
    _, names, _ = listed(image())
    volume = pyfsxfs.volume()
    volume.open_file_object(io.BytesIO(image()))
    ours = {
        name: (one.address, one.mode, one.uid, one.nlink, one.size, one.mtime, one.atime, one.ctime, one.crtime)
        for name, one in names.items()
        if not one.stream and one.kind is Kind.FILE and not one.deleted
    }
    theirs: dict[str, tuple[int | None, ...]] = {}

    def walk(folder: pyfsxfs.file_entry, above: str) -> None:
        for number in range(folder.get_number_of_sub_file_entries()):
            one = folder.get_sub_file_entry(number)
            name = above + one.get_name()
            if one.get_file_mode() >> 12 == 8:
                theirs[name] = (
                    one.get_inode_number(), one.get_file_mode() & 0o7777, one.get_owner_identifier(), one.get_number_of_links(),
                    one.get_size(), one.get_modification_time_as_integer(), one.get_access_time_as_integer(),
                    one.get_inode_change_time_as_integer(), one.get_creation_time_as_integer(),
                )  # fmt: skip
            elif one.get_file_mode() >> 12 == 4:
                walk(one, f"{name}/")

    walk(volume.get_root_directory(), "")
    assert ours == theirs
    assert len(ours) > 400


def test_links_streams_and_times() -> None:
    tree, names, _ = listed(image())
    assert names["many/link"].link_target == b"../notes/hello.txt"
    assert names["longlink"].link_target == b"x" * 700
    hello, hard = names["notes/hello.txt"], names["many/hard"]
    assert hello.address == hard.address
    assert hello.nlink == 2
    assert (hello.atime, hello.mtime) == (1600000000123456789, 1500000000987654321)
    assert content(tree, names["notes/hello.txt:user.xdg.origin.url"]) == b"https://origin.example/hello.txt"
    assert names["pipe"].kind is Kind.SPECIAL
    assert "gone.txt" not in names


def test_its_files_lie_where_the_runs_say() -> None:
    _, names, _ = listed(image())
    ((place, length),) = names["notes/hello.txt"].runs
    assert place is not None
    assert image()[place : place + 16] == b"hello from here\n"
    assert length == 4096


def test_it_is_a_volume_like_any_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    medium = Bytes(image())
    (volume,), problems = list_volumes(MediumImage(medium), medium, "e")
    assert (volume.file_system, volume.label, volume.block_size) == ("XFS", "fieldnotes", 4096)
    assert problems == []
    path = tmp_path / "disk.raw"
    path.write_bytes(image())
    assert triage(["cat", str(path), "vol1/notes/hello.txt"]) == 0
    assert capsys.readouterr().out == "hello from here\n"


def test_inodes_that_no_name_leads_to_are_told() -> None:
    data = bytearray(image())
    place = 2 * 512 + 16  # of the first allocation group's header: how many inodes it has
    assert data[1024:1028] == b"XAGI"
    data[place : place + 4] = (int.from_bytes(data[place : place + 4], "big") + 5).to_bytes(4, "big")
    tree, _, faults = listed(bytes(data))
    assert not tree.checked
    assert [fault.severity for fault in faults] == [Severity.WARNING]
    assert faults[0].message.startswith("5 inodes are in use that no name leads to")


def test_what_is_no_xfs_is_refused() -> None:
    for data in (b"", bytes(4096), b"XFSB".ljust(4096, b"\xff"), image()[:512] + bytes(1 << 20)):
        with pytest.raises((ValueError, OSError)):
            XfsTree(Bytes(data), 0, len(data))


def test_damage_never_breaks_it() -> None:
    rng = random.Random(2)
    data = image()
    used = [at for at in range(0, len(data), 4096) if any(data[at : at + 4096])]
    reached = 0
    for _ in range(30):
        mutant = bytearray(data)
        for _ in range(rng.choice((1, 4, 12))):
            at = rng.choice(used[: rng.choice((2, 20, len(used)))]) + rng.randrange(4090)
            mutant[at : at + 4] = rng.choice((rng.randbytes(4), b"\xff" * 4, bytes(4)))
        try:
            tree, names, _ = listed(bytes(mutant))
        except (ValueError, OSError):
            continue
        for one in list(names.values())[:20]:
            if one.readable:
                try:
                    tree.open(one.address, one.sequence, one.attribute)(0, min(one.size, 1 << 20))
                except OSError:
                    continue
                reached += 1
    assert reached > 100


@pytest.mark.skipif(shutil.which("mkfs.xfs") is None, reason="mkfs.xfs is not installed")
@pytest.mark.parametrize("options", ["-n ftype=1", "-n ftype=0", "-b size=1024 -n size=4096"])
def test_a_volume_of_the_older_version(options: str, tmp_path: Path) -> None:
    """Version 4, without checksums, as mkfs.xfs fills it: Linux does not mount it any more."""
    lines = ["/dev/null", "0 0", "d--755 0 0"]
    for number in range(60):
        (tmp_path / f"f{number}").write_bytes(random.Random(number).randbytes(1000 + number * 137))
        lines.append(f"file{number:03}withalongname ---644 1000 1001 {tmp_path}/f{number}")
    lines += ["sub d--755 0 0", f"inner ---600 5 6 {tmp_path}/f7", "link l--777 0 0 ../target/of/it", "$", "$"]
    (tmp_path / "proto").write_text("\n".join(lines) + "\n", encoding="utf-8")
    volume = tmp_path / "volume"
    with volume.open("wb") as file:
        file.truncate(40 << 20)
    tested = {"TEST_DIR": "1", "TEST_DEV": "1", "QA_CHECK_FS": "1"}  # mkfs.xfs makes small volumes only for who tests it
    command = ["mkfs.xfs", "-q", "-f", "-m", "crc=0", *options.split(), "-p", tmp_path / "proto", volume]
    if subprocess.run(command, capture_output=True, env={**os.environ, **tested}, check=False).returncode:
        pytest.skip("this mkfs.xfs does not make volumes of version 4")
    tree, names, faults = listed(volume.read_bytes())
    assert (tree.fs.v5, tree.fs.file_types, faults) == (False, "ftype=0" not in options, [])
    assert tree.checked
    for number in range(60):
        one = names[f"file{number:03}withalongname"]
        assert content(tree, one) == (tmp_path / f"f{number}").read_bytes()
        assert (one.mode, one.uid, one.gid) == (0o644, 1000, 1001)
    assert content(tree, names["sub/inner"]) == (tmp_path / "f7").read_bytes()
    assert names["sub/link"].link_target == b"../target/of/it"
