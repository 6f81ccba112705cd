"""Deleted files of an XFS volume that Linux wrote (bench/xfs_deleted.py): names, bytes, what became of them; files in very many pieces."""

from __future__ import annotations

import lzma
import random
import struct
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from triage.case.store import Case
from triage.cli import run as triage
from triage.filesystem.trees.tree import Fault, Named
from triage.filesystem.trees.xfs import XfsTree
from triage.filesystem.trees.xfsinode import Xfs, XfsError
from triage.filesystem.trees.xfslog import was_unmounted
from triage.filesystem.trees.xfsnames import attributes_of, names_of
from triage.model import Kind, Severity

sys.path.append(str(Path(__file__).resolve().parents[1] / "evidence"))
sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))
from evidence_bytes import Bytes
from xfs_deleted import attributes, content, pieces


@cache
def image() -> bytes:
    return lzma.decompress(Path(__file__).with_name("xfs_deleted.img.xz").read_bytes())


def listed(data: bytes) -> tuple[XfsTree, dict[str, Named], dict[str, Named], list[Fault]]:
    """Return the tree, what is in use, what is deleted, and what was said."""
    tree = XfsTree(Bytes(data), 0, len(data))
    said = list(tree.names())
    named = [one for one in said if isinstance(one, Named)]
    live = {b"/".join(one.path).decode(): one for one in named if not one.deleted and not one.stream}
    gone = {b"/".join(one.path).decode(): one for one in named if one.deleted}
    return tree, live, gone, [one for one in said if isinstance(one, Fault)]


def by_runs(one: Named) -> bytes:
    return b"".join(bytes(length) if at is None else image()[at : at + length] for at, length in one.runs)[: one.size]


def test_deleted_files_come_back_with_their_names_and_every_byte() -> None:
    tree, live, gone, faults = listed(image())
    assert tree.checked
    assert [fault.severity for fault in faults] == [Severity.INFO]
    assert faults[0].message.startswith("how long 161 deleted files were is not kept")
    wanted = [f"mixed/picture {n:02}.txt" for n in range(1, 40, 2)]
    wanted += [f"many/a name that is long enough to fill blocks {n:05}.txt" for n in range(1, 200, 2)]
    numbers = {name: n for n, name in enumerate(names_made())}
    right = [name for name in wanted if by_runs(gone[name]) == content(name, 700 + 611 * (numbers[name] % 40))]
    assert right == wanted
    assert not set(wanted) & set(live)
    one = gone["mixed/picture 01.txt"]
    assert (one.mtime or 0) < (one.ctime or 0), "its metadata were changed last when it was deleted"


def names_made() -> list[str]:
    names = [f"keep/k{n}.txt" for n in range(10)] + [f"mixed/picture {n:02}.txt" for n in range(40)]
    names += [f"gone/g{n}.txt" for n in range(20)] + [f"gone/sub/s{n:03}.txt" for n in range(150)]
    return names + [f"many/a name that is long enough to fill blocks {n:05}.txt" for n in range(200)]


def test_a_deleted_file_in_many_pieces() -> None:
    _, _, gone, _ = listed(image())
    one = gone["mixed/pieces.txt"]
    assert len(one.runs) == 2 * 60 - 1
    assert by_runs(one) == pieces(60)


def test_what_was_in_a_deleted_directory_whose_name_is_lost() -> None:
    """Inodes in chunks that were given up are as they last were, with their size and mode; of the others what is left is read."""
    _, _, gone, _ = listed(image())
    (folder,) = {name.split("/")[1] for name in gone if name.startswith("$OrphanFiles/") and name.count("/") >= 2}
    numbers = {name: n for n, name in enumerate(names_made())}
    inside = [f"gone/g{n}.txt" for n in range(1, 20)] + [f"gone/sub/s{n:03}.txt" for n in range(150)]
    found = {name: gone[name.replace("gone", f"$OrphanFiles/{folder}", 1)] for name in inside}
    assert all(by_runs(one) == content(name, 700 + 611 * (numbers[name] % 40)) for name, one in found.items())
    assert sum(one.mode == 0o644 for one in found.values()) == 128
    assert gone[f"$OrphanFiles/{folder}/sub"].kind is Kind.DIRECTORY


def test_a_name_whose_inode_is_in_use_again_keeps_no_bytes() -> None:
    _, live, gone, _ = listed(image())
    again = live["keep/last.txt"].address
    (name,) = [name for name, one in gone.items() if one.address == again]
    assert not gone[name].readable
    assert gone["mixed/link"].kind is Kind.LINK


def test_a_run_tells_what_became_of_them(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(image())
    assert triage(["run", str(path), "--case", str(tmp_path / "case"), "-q", "--no-report"]) == 0
    with Case.open(tmp_path / "case") as case:
        rows = {row["path"]: row for row in case.files()}
    one = rows["vol1/mixed/pieces.txt"]
    assert (one["state"], one["recoverability"], one["size"]) == ("deleted", "intact", len(pieces(60)))
    assert one["sha256"]
    deleted = [row for row in rows.values() if row["state"] in ("deleted", "orphan") and row["kind"] == "file"]
    assert sum(row["recoverability"] == "intact" for row in deleted) == 290


def test_what_is_in_use_is_all_but_free_space() -> None:
    tree, live, gone, _ = listed(image())
    used = list(tree.used())
    inside = [any(start <= at < start + length for start, length in used) for one in live.values() for at, _ in one.runs if at is not None]
    assert all(inside)
    outside = [any(start < at + size and at < start + length for start, length in used)
               for one in gone.values() for at, size in one.runs if at is not None]  # fmt: skip
    assert not any(outside)
    free = struct.unpack_from(">Q", image(), 144)[0]  # of the superblock, at the unmounting
    assert abs(sum(length for _, length in used) - (tree.size - free * 1024)) <= 64 * 1024


def test_a_file_in_more_pieces_than_a_tree_of_two_levels_holds() -> None:
    tree, live, _, _ = listed(image())
    one = live["keep/scattered.txt"]
    inode = tree.fs.inode(one.address)
    assert inode is not None
    assert struct.unpack_from(">H", inode.data_fork)[0] == 2, "the tree has a root, nodes and leaves"
    data = tree.open(one.address, None, None)(0, one.size + 5)
    assert len(one.runs) == 2 * 1500 - 1
    assert data == b"".join((b"%06d " % n * 146 + b"\n\n").ljust(2048, b"\0") for n in range(1500))[: one.size]
    assert tree.open(one.address, None, None)(2048 * 1400 + 7, 6) == b"001400"


def test_extended_attributes_in_a_tree_and_in_blocks_of_their_own() -> None:
    tree = XfsTree(Bytes(image()), 0, len(image()))
    streams = [one for one in tree.names() if isinstance(one, Named) and one.stream]
    found = {one.stream.decode(): tree.open(one.address, None, one.attribute)(0, one.size) for one in streams}
    assert found == attributes()
    assert {one.path for one in streams} == {(b"keep", b"k0.txt")}
    with pytest.raises(OSError, match="no such attribute"):
        tree.open(streams[0].address, None, (1, 5000))


def test_a_volume_that_was_not_unmounted_is_said() -> None:
    fs = Xfs(Bytes(image()).read_at)
    assert was_unmounted(fs) is True
    place = fs.place(struct.unpack_from(">Q", fs.head, 48)[0])
    size = struct.unpack_from(">I", fs.head, 96)[0] * 1024
    last = max(at for at in range(place, place + size, 512) if image()[at : at + 8] == b"\xfe\xed\xba\xbe\0\0\0\1")
    data = bytearray(image())
    headers = -(-struct.unpack_from(">I", data, last + 320)[0] // 32768)
    operation = last + 512 * headers + 9
    assert data[operation] == 0x20
    data[operation] = 0x01
    tree, live, _, faults = listed(bytes(data))
    assert not tree.checked
    assert [fault.message for fault in faults if fault.severity is Severity.WARNING] == [
        "the volume was not unmounted: its journal holds changes that were not put in their places and are not shown"
    ]
    assert "keep/last.txt" in live
    data[48:56] = bytes(8)  # a journal on a device of its own
    assert any("its journal cannot be read" in fault.message for fault in listed(bytes(data))[3])


def test_names_beyond_the_bound_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.filesystem.trees.xfs._MOST_GONE", 20)
    _, _, gone, faults = listed(image())
    (said,) = [fault.message for fault in faults if "names of deleted files more than" in fault.message]
    assert int(said.split()[0]) > 100
    assert sum(name.startswith(("mixed/", "many/")) for name in gone) == 20


def test_a_directory_block_of_which_a_piece_is_missing_is_said() -> None:
    fs = Xfs(Bytes(image()).read_at)
    _, live, _, _ = listed(image())
    folder = fs.inode(live["many"].address)
    assert folder is not None
    fs.directory_block = 2048  # as if it were two blocks long, of which one is there
    with pytest.raises(XfsError, match="1 blocks of the directory are damaged"):
        list(names_of(fs, folder, [fs.extents(folder)[0]._replace(many=1)]))


def test_attributes_in_a_circle_are_damage() -> None:
    tree, live, _, _ = listed(image())
    inode = tree.fs.inode(live["keep/k0.txt"].address)
    assert inode is not None
    assert len(attributes_of(tree.fs, inode)) == len(attributes())
    data = bytearray(image())
    leaves = [one.place + n * 1024 for one in tree.fs.extents(inode, attributes=True) for n in range(one.many)]
    last = next(at for at in leaves if data[at + 8 : at + 10] == b"\x3b\xee" and data[at : at + 4] == bytes(4))
    data[last : last + 4] = data[last + 4 : last + 8]  # the next one is the one before
    _, _, _, faults = listed(bytes(data))
    (detail,) = [fault.detail for fault in faults if fault.severity is Severity.ERROR]
    assert detail == "the chain of a file's extended attributes turns back"


def test_a_size_that_cannot_be_costs_the_bytes_of_that_file_only() -> None:
    data = bytearray(image())
    tree, live, _, _ = listed(image())
    place = tree.fs.inode_place(live["keep/k1.txt"].address)
    data[place + 56 : place + 64] = b"\x7f" + b"\xff" * 7
    _, live, _, faults = listed(bytes(data))
    assert not live["keep/k1.txt"].readable
    assert live["keep/k2.txt"].readable
    assert any(fault.detail == "the size of a file cannot be" for fault in faults)


def test_places_and_numbers() -> None:
    fs = Xfs(Bytes(image()).read_at)
    assert fs.inode_place(fs.root) == (fs.root >> 1) * 1024 + (fs.root & 1) * 512
    assert fs.place(fs.group_blocks) == fs.place(1 << 40) == -1
    assert fs.inode(1 << 50) is None
    for number in range(-1, 3):
        assert fs.inode(number) is None


@pytest.mark.parametrize("mark", [b"IAB3", b"AB3B"])
def test_a_damaged_tree_of_a_group_is_said_and_names_are_listed(mark: bytes) -> None:
    data = bytearray(image())
    at = next(at for at in range(0, len(data), 1024) if data[at : at + 4] == mark)
    data[at : at + 4] = bytes(4)
    tree, live, _, faults = listed(bytes(data))
    assert len([name for name in live if name.startswith("many/")]) == 100
    assert any("(IABT) is damaged" in fault.detail if mark == b"IAB3" else "(ABTB) is damaged" in fault.detail for fault in faults)
    assert tree.checked == (mark != b"IAB3")


def test_files_of_a_damaged_directory_are_found_without_their_names() -> None:
    data = bytearray(image())
    _, live, _, _ = listed(image())
    fs = Xfs(Bytes(image()).read_at)
    folder = fs.inode(live["mixed"].address)
    assert folder is not None
    place = fs.extents(folder)[0].place
    data[place : place + 4] = bytes(4)
    tree, names, _, faults = listed(bytes(data))
    assert not tree.checked
    assert any("names in it may be missing" in fault.message for fault in faults)
    found = {by_runs(one) for name, one in names.items() if name.startswith("$OrphanFiles/")}
    assert content("mixed/picture 00.txt", 700 + 611 * 10) in found
    with pytest.raises(XfsError, match="1 blocks of the directory are damaged"):
        list(names_of(Xfs(Bytes(bytes(data)).read_at), folder, fs.extents(folder)))


def test_changes_never_break_it() -> None:
    """Words of its metadata set to edges: what is listed is read or refused."""
    rng = random.Random(5)
    data = image()
    places = [
        at
        for at in range(0, len(data), 512)
        if data[at : at + 4] in (b"XFSB", b"XAGI", b"XAGF", b"IAB3", b"AB3B", b"BMA3", b"XDD3", b"XDB3")
    ]
    places += [at for at in range(0, len(data), 512) if data[at : at + 2] == b"IN"]
    reached = 0
    for _ in range(40):
        mutant = bytearray(data)
        for _ in range(rng.choice((1, 5, 30))):
            at = rng.choice(places) + rng.randrange(0, 508)
            mutant[at : at + 4] = rng.choice((rng.randbytes(4), b"\xff" * 4, bytes(4), b"\0\0\0\1"))
        try:
            tree, live, gone, _ = listed(bytes(mutant))
        except (ValueError, OSError):
            continue
        for one in [*live.values(), *gone.values()][:60]:
            if one.readable and not one.by_runs:
                with suppress(OSError):
                    tree.open(one.address, one.sequence, one.attribute)(0, min(one.size, 1 << 20))
                    reached += 1
    assert reached > 500
