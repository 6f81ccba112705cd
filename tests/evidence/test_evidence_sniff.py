"""Containers are known by their content; what is none that can be read is refused in one line with advice."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from triage.errors import EvidenceError
from triage.evidence.opening import open_evidence
from triage.evidence.segments import check_file
from triage.evidence.sniff import _MAGIC, HEAD, RAW, TAIL, TAR, ZIP, Container, sniff

if TYPE_CHECKING:
    from pathlib import Path


def sniff_whole(data: bytes) -> Container:
    return sniff(data[:HEAD], data[-TAIL:], len(data))


def refusal(path: Path) -> EvidenceError:
    with pytest.raises(EvidenceError) as error:
        open_evidence(path)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 3
    return error.value


# ---- sniffing --------------------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(head=st.one_of(st.binary(max_size=700), st.text(max_size=300).map(str.encode),
                      st.sampled_from([m for _, m, _ in _MAGIC]).flatmap(lambda m: st.binary(max_size=50).map(lambda rest: m + rest))),
       tail=st.one_of(st.binary(max_size=600), st.binary(max_size=508).map(lambda b: (b"koly" + b)[:512].ljust(512, b"\0"))),
       size=st.integers(0, 1 << 62))
@example(head=b"", tail=b"", size=0)
def test_sniffing_never_raises(head: bytes, tail: bytes, size: int) -> None:
    assert isinstance(sniff(head, tail, size), Container)


@pytest.mark.parametrize(("offset", "magic", "container"), _MAGIC, ids=lambda v: v.kind if isinstance(v, Container) else None)
def test_every_mark_is_found_at_its_place_and_nowhere_else(offset: int, magic: bytes, container: Container) -> None:
    data = (bytes(offset) + magic).ljust(4096, b"\0")
    assert sniff_whole(data) is container
    assert sniff_whole(b"\0" + data) is not container


@pytest.mark.parametrize("data", [bytes(512), b"\xeb\x3c\x90MSDOS5.0" + bytes(501), bytes(1080) + b"\x53\xef" + bytes(3000),
                                  b"\x00\x01\xff" * 2000])
def test_what_has_no_mark_is_raw(data: bytes) -> None:
    assert sniff_whole(data) is RAW


def fixed_vhd() -> bytes:
    return bytes(4096) + b"conectix".ljust(512, b"\0")


def dmg(sectors: int, length: int) -> bytes:
    trailer = bytearray(512)
    trailer[:4] = b"koly"
    trailer[24:40] = struct.pack(">QQ", 0, length)
    trailer[0xD8:0xE0] = struct.pack(">Q", length)  # where the block table lies
    trailer[0x1EC:0x1F4] = struct.pack(">Q", sectors)
    return bytes(length) + b"<plist>" + bytes(100) + bytes(trailer)


def test_marks_at_the_end() -> None:
    assert sniff_whole(fixed_vhd()).kind == "vhd"
    assert sniff_whole(dmg(sectors=8, length=4096)) is RAW, "a flat DMG is a raw disk with a trailer"
    assert sniff_whole(dmg(sectors=800, length=4096)).kind == "dmg", "fewer bytes than sectors: compressed"


# ---- what an operator may give by mistake ----------------------------------------------------------------------------------


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("disk.raw", bytes(4096))
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("disk.raw"), io.BytesIO(b""))
    return out.getvalue()


@pytest.mark.parametrize(("data", "says"), [
    (b"# notes\nthis is no image\n" * 100, "text file"), ("день\n" * 500, "text file"), (b"a", "text file"),
    (b"7z\xbc\xaf\x27\x1c" + bytes(600), "7-Zip"), (b"encrcdsa" + bytes(600), "encrypted Apple disk image"),
    (b"%PDF-1.7\n%\xe2\xe3" + bytes(600), "PDF"),
    (b"SQLite format 3\0" + bytes(4096), "SQLite"),
])
def test_files_that_are_no_image_are_named(data: bytes | str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    assert says in refusal(path).message


def test_archives_are_told_by_their_content() -> None:
    assert sniff_whole(zipped()) is ZIP
    assert sniff_whole(tarred()) is TAR


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert "is an empty folder" in refusal(tmp_path).message
    assert refusal(tmp_path).hint


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nothing.E01").message
    assert "does not exist" in refusal(tmp_path / "nothing.002").message


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    for name in ("disk.raw", "disk.E01", "disk.001"):
        (tmp_path / name).touch()
        assert "is empty (0 bytes)" in refusal(tmp_path / name).message


@pytest.mark.parametrize("size", [1, 13, 511])
def test_less_than_a_sector_is_refused(size: int, tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(b"\x00\xff" * size)
    path.write_bytes(path.read_bytes()[:size])
    assert "less than one sector" in refusal(path).message


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(bytes(1024))
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert "cannot be read" in refusal(path).message


def test_a_broken_link_and_a_link_to_an_image(tmp_path: Path) -> None:
    target = tmp_path / "disk.raw"
    link = tmp_path / "link"
    link.symlink_to(target)
    assert "does not exist" in refusal(link).message
    target.write_bytes(bytes(1024))
    assert check_file(link) is RAW
