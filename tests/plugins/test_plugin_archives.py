"""Files inside archives and office documents, each with the bytes that other programs find there."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from real_samples import ARTIFACTS, bytes_of, children, findings, item_of, mutants, needs_samples, never_fails, problems, run

sys.path.append(str(Path(__file__).resolve().parents[1] / "artifacts"))
from archive_makers import quoted_bomb, tar_of, zip_of

FILES = {"a.txt": b"hello " * 50, "folder/b.jpg": b"\xff\xd8\xff" + bytes(range(256)) * 8, "empty": b""}


def got(one) -> dict[str, bytes]:
    return {child.name: bytes_of(one, child) for child in children(run("archives", one))}


WANTED = {name: data for name, data in FILES.items() if data}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_of_a_zip_are_children_with_their_bytes(method: int) -> None:
    assert got(item_of(zip_of(FILES, method), "vol1/x.zip")) == WANTED


def test_deflate64_is_undone() -> None:
    one = item_of((Path(__file__).parents[1] / "logical" / "deflate64.zip").read_bytes(), "vol1/x.zip")
    noise = random.Random(1).randbytes(34000)
    assert got(one) == {"far.bin": noise + bytes(70000) + noise}


def test_members_of_a_tar_are_children_with_their_bytes() -> None:
    assert got(item_of(tar_of(FILES), "vol1/x.tar")) == WANTED


@pytest.mark.parametrize(("pack", "ending"), [(gzip.compress, "gz"), (bz2.compress, "bz2"), (lzma.compress, "xz")])
def test_a_compressed_file_is_one_child_without_the_ending(pack, ending: str) -> None:
    assert got(item_of(pack(b"text " * 500), f"vol1/x.txt.{ending}")) == {"x.txt": b"text " * 500}
    assert set(got(item_of(pack(tar_of(FILES)), f"vol1/x.tar.{ending}"))) == {"x.tar"}


def test_encrypted_members_are_counted_and_not_given() -> None:
    data = bytearray(zip_of(FILES))
    for at in (data.find(b"PK\1\2"), data.find(b"PK\3\4")):
        flags = 6 if data[at + 2] == 3 else 8
        data[at + flags] |= 1
    said = run("archives", item_of(bytes(data), "vol1/x.zip"))
    assert len(children(said)) == 1
    assert [p.message for p in problems(said)] == ["1 file inside cannot be read: encrypted"]


def test_members_that_share_their_bytes_are_refused() -> None:
    said = run("archives", item_of(quoted_bomb(20, 1 << 20), "vol1/x.zip"))
    assert children(said) == []
    assert any("shares its bytes" in p.message for p in problems(said))


def test_a_size_that_lies_gives_what_there_is() -> None:
    data = bytearray(zip_of({"a.txt": b"hello " * 50}))
    at = data.find(b"PK\1\2")
    struct.pack_into("<I", data, at + 24, 50_000_000)
    one = item_of(bytes(data), "vol1/x.zip")
    (child,) = children(run("archives", one))
    assert (child.size, bytes_of(one, child)) == (50_000_000, b"hello " * 50)


def test_names_keep_their_bytes() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        info = tarfile.TarInfo("f\xe4n\x1b.txt")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
    (child,) = children(run("archives", item_of(out.getvalue(), "vol1/x.tar")))
    assert (child.name, child.raw) == ("f\\xe4n\\x1b.txt", b"f\xe4n\x1b.txt")


@pytest.mark.parametrize("data", [zip_of(FILES), tar_of(FILES), gzip.compress(tar_of(FILES)), zip_of(FILES, zipfile.ZIP_LZMA)])
def test_damage_never_breaks_it(data: bytes) -> None:
    for mutant in mutants(data, 150):
        one = item_of(mutant, "vol1/x")
        if one.type is not None and one.type.name in ("zip", "tar", "gzip"):
            never_fails("archives", one)


class TestRealSamples:
    pytestmark = needs_samples

    @pytest.mark.parametrize(
        "name",
        ["iped/test_mockZip.zip", "iped/test_mockDoc1.docx", "ileapp/safariCache/testdata.safariCache.safariCache.mvs_ios_2023.zip"],
    )
    def test_all_files_of_a_real_zip_are_found_with_their_bytes(self, name: str) -> None:
        path = ARTIFACTS / name
        with zipfile.ZipFile(path) as archive:
            wanted = {i.filename.lstrip("/"): archive.read(i) for i in archive.infolist() if i.file_size}
        assert got(item_of(path.read_bytes(), f"vol1/{name}")) == wanted

    def test_all_files_of_a_real_tar_are_found_with_their_bytes(self) -> None:
        path = ARTIFACTS / "iped" / "test_mockTar.tar"
        with tarfile.open(path) as archive:
            wanted = {m.name: archive.extractfile(m).read() for m in archive.getmembers() if m.isfile() and m.size}
        assert got(item_of(path.read_bytes(), "vol1/x.tar")) == wanted
        assert findings(run("archives", item_of(path.read_bytes(), "vol1/x.tar"))) == []
