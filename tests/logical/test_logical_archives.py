"""Archives as evidence: names, times, owners and bytes as the archive has them, of any size, and what cannot be read."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from triage.filesystem.trees.tree import Fault, Named, Tree
from triage.logical.tarfiles import TarTree
from triage.logical.zipfiles import NoListError, ZipTree
from triage.model import Kind, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = {
    "private/var/mobile/a.txt": b"hello " * 5000,
    "private/var/mobile/ü.jpg": b"\xff\xd8\xff" + bytes(range(256)) * 9,
    "data/empty": b"",
}


class Bytes:
    """A medium in memory."""

    def __init__(self, data: bytes) -> None:
        self.data, self.size, self.sector_size = data, len(data), 512
        self.damaged: dict[int, tuple[int, str]] = {}

    def read_at(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + max(0, length)]

    def close(self) -> None:
        pass


def zipped(method: int = zipfile.ZIP_DEFLATED, extra: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in FILES.items():
            info = zipfile.ZipInfo(name, (2024, 5, 6, 7, 8, 10))
            info.extra, info.external_attr = extra, 0o100640 << 16
            archive.writestr(info, data, method)
    return out.getvalue()


def tarred(form: int = tarfile.PAX_FORMAT, mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=form) as archive:
        for name, data in FILES.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uid, info.gid, info.mode = len(data), 1_700_000_000, 501, 20, 0o640
            if form == tarfile.PAX_FORMAT:
                info.pax_headers = {"mtime": "1700000000.5", "atime": "1700000001.25", "LIBARCHIVE.creationtime": "1600000000"}
            archive.addfile(info, io.BytesIO(data))
        for name, kind, target in (("data/link", tarfile.SYMTYPE, "../x"), ("data/hard", tarfile.LNKTYPE, "private/var/mobile/a.txt")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    return out.getvalue()


def tree_of(make: Callable[..., Tree], data: bytes) -> Tree:
    return make(Bytes(data), 0, len(data))


def listed(tree: Tree) -> tuple[dict[str, Named], list[str]]:
    said = list(tree.names())
    names = {b"/".join(one.path).decode("utf-8", "replace"): one for one in said if isinstance(one, Named)}
    return names, [one.message for one in said if isinstance(one, Fault)]


def contents(tree: Tree) -> dict[str, bytes]:
    return {
        path: tree.open(one.address, one.sequence, one.attribute)(0, one.size)
        for path, one in listed(tree)[0].items()
        if one.kind is Kind.FILE and one.readable
    }


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_of_a_zip_archive_come_out(method: int) -> None:
    tree = tree_of(ZipTree, zipped(method))
    assert contents(tree) == FILES
    names, faults = listed(tree)
    assert faults == []
    assert tree.checked
    assert [path for path, one in names.items() if one.kind is Kind.DIRECTORY] == ["private", "private/var", "private/var/mobile", "data"]
    assert (names["data/empty"].mode, names["data/empty"].time_basis) == (0o100640, TimeBasis.LOCAL)


def test_deflate64_which_windows_packs_large_files_by_is_undone() -> None:
    # Made by 7-Zip of noise, zeros and the same noise: what is repeated lies farther back than plain deflate reaches.
    tree = tree_of(ZipTree, (Path(__file__).parent / "deflate64.zip").read_bytes())
    noise = random.Random(1).randbytes(34000)
    assert contents(tree) == {"far.bin": noise + bytes(70000) + noise}
    assert listed(tree)[1] == []
    read = tree.open(listed(tree)[0]["far.bin"].address, None, None)
    assert read(100_000, 5000) == bytes(4000) + noise[:1000]
    assert read(5, 5) == noise[5:10]


def test_bytes_that_are_stored_are_named_by_their_place() -> None:
    data = zipped(zipfile.ZIP_STORED)
    one = listed(tree_of(ZipTree, data))[0]["private/var/mobile/a.txt"]
    ((offset, length),) = one.runs
    assert offset is not None
    assert data[offset : offset + length] == FILES["private/var/mobile/a.txt"]


@pytest.mark.parametrize(("extra", "times"), [
    (struct.pack("<HHBi", 0x5455, 5, 1, 1_700_000_000), {"mtime": 1_700_000_000 * 10**9}),
    (struct.pack("<HHBiii", 0x5455, 13, 7, 1_700_000_000, 1_700_000_001, 1_600_000_000),
     {"mtime": 1_700_000_000 * 10**9, "atime": 1_700_000_001 * 10**9, "crtime": 1_600_000_000 * 10**9}),
    (struct.pack("<HHIHHQQQ", 10, 32, 0, 1, 24, 133_500_000_000_000_000, 0, 0), {"mtime": 1_705_526_400 * 10**9}),
    (struct.pack("<HHii", 0x5855, 8, 1_700_000_001, 1_700_000_000), {"mtime": 1_700_000_000 * 10**9, "atime": 1_700_000_001 * 10**9}),
])  # fmt: skip
def test_times_of_extra_fields_are_utc(extra: bytes, times: dict[str, int]) -> None:
    one = listed(tree_of(ZipTree, zipped(extra=extra)))[0]["data/empty"]
    assert {name: getattr(one, name) for name in times} == times
    assert one.time_basis is TimeBasis.UTC


def test_owners_of_extra_fields_are_kept() -> None:
    field = struct.pack("<HHBBIBI", 0x7875, 11, 1, 4, 501, 4, 20)
    one = listed(tree_of(ZipTree, zipped(extra=field)))[0]["data/empty"]
    assert (one.uid, one.gid) == (501, 20)


def test_folders_keep_their_times_wherever_they_stand() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a/b/c.txt", (2024, 5, 6, 7, 8, 10)), b"x")
        for name in ("a/b/", "a/"):
            info = zipfile.ZipInfo(name, (2020, 1, 2, 3, 4, 6))
            info.external_attr = 0o40750 << 16
            archive.writestr(info, b"")
    said = list(tree_of(ZipTree, out.getvalue()).names())
    assert [b"/".join(one.path) for one in said] == [b"a", b"a/b", b"a/b/c.txt"]
    for folder in said[:2]:
        assert isinstance(folder, Named)
        assert (folder.kind, folder.mode, folder.mtime) == (Kind.DIRECTORY, 0o40750, 1_577_934_246_000_000_000)


def test_bytes_before_the_archive_do_not_matter() -> None:
    tree = tree_of(ZipTree, b"before" * 1000 + zipped())
    assert contents(tree) == FILES
    assert listed(tree)[1] == ["about 5924 bytes of the archive belong to no member: nothing in them was examined"]


def test_encrypted_and_unknown_members_are_counted_and_said() -> None:
    data = bytearray(zipped())
    places = [at for at in range(len(data)) if data[at : at + 4] == b"PK\1\2"]
    data[places[0] + 8] |= 1
    data[places[1] + 10] = 98
    names, faults = listed(tree_of(ZipTree, bytes(data)))
    assert not names["private/var/mobile/a.txt"].readable
    assert faults == [
        "1 files of the archive are encrypted: nothing in them was examined",
        "1 files of the archive are compressed by PPMd, which is not read",
    ]


def test_a_checksum_that_is_wrong_is_an_error_at_the_end() -> None:
    data = bytearray(zipped(zipfile.ZIP_STORED))
    data[data.index(b"hello hello") + 3] ^= 1
    with pytest.raises(OSError, match="checksum is wrong"):
        contents(tree_of(ZipTree, bytes(data)))


def test_missing_members_are_said() -> None:
    data = bytearray(zipped())
    end = data.rindex(b"PK\5\6")
    data[end + 10 : end + 12] = struct.pack("<H", 9)
    names, faults = listed(tree_of(ZipTree, bytes(data)))
    assert len([n for n in names.values() if n.kind is Kind.FILE]) == 3
    assert "6 of 9 members are missing" in faults[0]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_members_of_a_tar_archive_come_out(form: int) -> None:
    tree = tree_of(TarTree, tarred(form))
    assert contents(tree) == {**FILES, "data/hard": FILES["private/var/mobile/a.txt"]}
    names, faults = listed(tree)
    assert faults == []
    one = names["private/var/mobile/a.txt"]
    assert (one.uid, one.gid, one.mode) == (501, 20, 0o640)
    assert (names["data/link"].kind, names["data/link"].link_target) == (Kind.LINK, b"../x")
    assert names["data/hard"].address == one.address
    if form == tarfile.PAX_FORMAT:
        assert (one.mtime, one.atime, one.crtime) == (1_700_000_000_500_000_000, 1_700_000_001_250_000_000, 1_600_000_000 * 10**9)


def test_a_tar_archive_that_is_cut_gives_what_is_whole_and_says_so() -> None:
    data = tarred()
    names, faults = listed(tree_of(TarTree, data[:20_000]))
    assert "private/var/mobile/a.txt" in names
    assert any("ends inside a member" in fault for fault in faults)


@pytest.mark.parametrize("make", [ZipTree, TarTree])
def test_names_that_would_lead_elsewhere_are_only_names(make: Callable[..., Tree]) -> None:
    out = io.BytesIO()
    if make is ZipTree:
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("../../etc/passwd", b"x")
            archive.writestr("/abs//b", b"y")
    else:
        with tarfile.open(fileobj=out, mode="w") as packed:
            for name in ("../../etc/passwd", "/abs//b"):
                info = tarfile.TarInfo(name)
                packed.addfile(info)
    names, _ = listed(tree_of(make, out.getvalue()))
    assert {"../../etc/passwd", "abs/b"} <= set(names)


@pytest.mark.parametrize(("make", "data"), [(ZipTree, zipped()), (ZipTree, zipped(zipfile.ZIP_LZMA)), (TarTree, tarred())])
def test_damage_never_breaks_it(make: Callable[..., Tree], data: bytes) -> None:
    rng = random.Random(zlib.crc32(data[:100]))
    for _ in range(300):
        mutant = bytearray(data)
        for _ in range(rng.choice((1, 2, 8))):
            at = rng.randrange(len(mutant))
            mutant[at : at + 4] = rng.choice((rng.randbytes(4), b"\xff" * 4, bytes(4)))
        if rng.random() < 0.2:
            del mutant[rng.randrange(len(mutant)) :]
        try:
            tree = tree_of(make, bytes(mutant))
        except NoListError:
            continue
        for one in tree.names():
            if isinstance(one, Named) and one.readable:
                with contextlib.suppress(OSError):
                    tree.open(one.address, one.sequence, one.attribute)(0, min(one.size, 1 << 20))
