"""A Btrfs volume that Linux wrote (bench/kernel_filesystems.sh): names, packed bytes, subvolumes, snapshots, a deleted file; damage."""

from __future__ import annotations

import lzma
import random
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from triage.case.store import Case
from triage.cli import run as triage
from triage.filesystem.image import MediumImage
from triage.filesystem.trees.btrfs import BtrfsError
from triage.filesystem.trees.btrfsdata import lzo1x
from triage.filesystem.trees.btrfstree import BtrfsTree
from triage.filesystem.trees.tree import Fault, Named
from triage.filesystem.volumes import list_volumes
from triage.model import Kind, Severity

sys.path.append(str(Path(__file__).resolve().parents[1] / "evidence"))
from evidence_bytes import Bytes


@cache
def image() -> bytes:
    return lzma.decompress(Path(__file__).with_name("btrfs.img.xz").read_bytes())


def listed(data: bytes) -> tuple[BtrfsTree, dict[str, Named], list[Fault]]:
    tree = BtrfsTree(Bytes(data), 0, len(data))
    said = list(tree.names())
    names = {
        b"/".join(one.path).decode() + (f":{one.stream.decode()}" if one.stream else ""): one for one in said if isinstance(one, Named)
    }
    return tree, names, [one for one in said if isinstance(one, Fault)]


def content(tree: BtrfsTree, one: Named) -> bytes:
    return tree.open(one.address, one.sequence, one.attribute)(0, one.size + 10)


def test_every_file_is_there_with_its_bytes() -> None:
    tree, names, faults = listed(image())
    assert [f.severity for f in faults] == [Severity.INFO] * 2  # of the snapshots
    assert tree.checked
    many = [name for name in names if name.startswith("many/file ")]
    assert len(many) == 400
    for name in many:
        assert content(tree, names[name]) == str(int(name[10:15])).encode()
    noise = random.Random(1).randbytes(9000) * 8
    assert content(tree, names["notes/deep/er/ü\U0001f600.bin"]) == content(tree, names["reflink"]) == noise
    assert content(tree, names["sparse"]) == bytes(300_000) + b"end"
    assert content(tree, names["packs-well.txt"]) == b"t" * 200_000
    assert tree.open(names["packs-well.txt"].address, 5)(131_000, 200) == b"t" * 200
    assert names["packs-well.txt"].runs == ()
    assert (names["sparse"].mode, names["sparse"].uid, names["sparse"].gid) == (0o640, 1001, 1002)


def test_links_streams_and_times() -> None:
    tree, names, _ = listed(image())
    assert names["many/link"].link_target == b"../notes/hello.txt"
    assert names["longlink"].link_target == b"x" * 700
    hello, hard = names["notes/hello.txt"], names["many/hard"]
    assert (hello.address, hello.sequence, hello.nlink) == (hard.address, 5, 2)
    assert (hello.atime, hello.mtime) == (1600000000123456789, 1500000000987654321)
    assert hello.resident
    assert content(tree, names["notes/hello.txt:user.xdg.origin.url"]) == b"https://origin.example/hello.txt"
    assert names["pipe"].kind is Kind.SPECIAL


def test_subvolumes_are_folders_and_of_snapshots_what_differs_is_listed() -> None:
    tree, names, faults = listed(image())
    assert content(tree, names["sub/notes/hello.txt"]) == b"changed\n"
    assert content(tree, names["before/notes/hello.txt"]) == b"hello from here\n"
    assert sorted(name for name in names if name.startswith(("before", "whole"))) == [
        "before", "before/notes", "before/notes/hello.txt", "before/notes/hello.txt:user.xdg.origin.url",
        "whole", "whole/before", "whole/sub",
    ]  # fmt: skip
    assert [(f.path, f.message) for f in faults] == [
        ((b"whole",), "409 files of a snapshot are as in subvolume 5, of which it was made: not listed again"),
        ((b"before",), "1 file of a snapshot is as in subvolume 256, of which it was made: not listed again"),
    ]


def test_a_deleted_file_is_found_by_the_node_that_told_of_it() -> None:
    tree, names, _ = listed(image())
    gone = names["sub/secret.txt"]
    assert (gone.deleted, gone.orphan, gone.size) == (True, False, 30_000)
    assert content(tree, gone) == b"s" * 30_000
    again = BtrfsTree(Bytes(image()), 0, len(image()))  # as a worker opens it, without the names
    assert content(again, gone) == b"s" * 30_000


def test_it_is_a_volume_like_any_other(tmp_path: Path) -> None:
    medium = Bytes(image())
    (volume,), problems = list_volumes(MediumImage(medium), medium, "e")
    assert (volume.file_system, volume.label, problems) == ("Btrfs", "fieldnotes", [])
    path = tmp_path / "a.raw"
    path.write_bytes(image())
    assert triage(["run", str(path), "--case", str(tmp_path / "case"), "-q"]) == 0
    with Case.open(tmp_path / "case") as case:
        (volume,) = case.volumes()
        assert (volume["file_system"], volume["state"]) == ("Btrfs", "listed")


def test_a_damaged_superblock_is_made_good_by_its_copy() -> None:
    data = bytearray(image())
    data[0x10040:0x10080] = bytes(64)
    _, names, faults = listed(bytes(data))
    assert "notes/hello.txt" in names
    assert any("the first superblock is damaged: a copy was taken" in f.message for f in faults)
    data[0x4000040:0x4000080] = bytes(64)
    with pytest.raises(BtrfsError, match="no superblock"):
        BtrfsTree(Bytes(bytes(data)), 0, len(data))


def test_a_damaged_node_is_read_from_its_copy_and_without_one_it_is_told() -> None:
    whole = BtrfsTree(Bytes(image()), 0, len(image()))
    at = whole._subvolumes[5].root.at
    ((places, _),) = whole.fs.places(at, whole.fs.node_size)
    assert len(places) == 2
    data = bytearray(image())
    data[places[0] + 200 : places[0] + 300] = b"\xff" * 100
    _, names, faults = listed(bytes(data))
    assert "notes/hello.txt" in names
    assert [f.severity for f in faults] == [Severity.INFO] * 2
    data[places[1] + 200 : places[1] + 300] = b"\xff" * 100
    tree, names, faults = listed(bytes(data))
    assert not tree.checked
    assert any("nodes of its trees are damaged" in f.message for f in faults)


@pytest.mark.parametrize("packed", [bytes([17 + 5]) + b"hello" + b"\x11\0\0", bytes([2]) + b"hello" + b"\x11\0\0"])
def test_lzo_of_letters_alone(packed: bytes) -> None:
    assert lzo1x(packed, 100) == b"hello"
    with pytest.raises((ValueError, IndexError)):
        lzo1x(packed[:4], 100)


def test_damage_never_breaks_it() -> None:
    data, rng = image(), random.Random(7)
    used = [at for at in range(0, len(data), 4096) if data[at + 48 : at + 56] != bytes(8) and data[at + 32 : at + 48] != bytes(16)]
    for _ in range(8):
        mutant = bytearray(data)
        for _ in range(rng.choice((1, 8, 40))):
            at = rng.choice(used) + rng.randrange(4000)
            mutant[at : at + 4] = rng.choice((rng.randbytes(4), b"\xff" * 4, bytes(4)))
        with suppress(BtrfsError):
            tree, names, _ = listed(bytes(mutant))
            for one in list(names.values())[:30]:
                with suppress(OSError):
                    content(tree, one)
