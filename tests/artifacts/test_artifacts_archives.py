"""Archives give their members, bombs give a bounded part of themselves and a reason, and nothing reaches the disk."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest
from archive_makers import (
    central,
    deflated_zeros,
    end,
    gzip_of_zeros,
    kernel_bomb,
    local,
    nested_bomb,
    quoted_bomb,
    read_at_of,
    tar_of,
    zip_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.artifacts.archives import Limits, Member, MemberKind, archive_kind, open_archive, walk
from triage.artifacts.structure import StructureError
from triage.model import TimeBasis

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"a.txt": b"hello" * 100, "b/c.bin": bytes(range(256)) * 300, "empty": b"", "\u00e4\u202e.txt": b"x"}


def opened(data: bytes, kind: str = "", **limits: int):
    return open_archive(read_at_of(data), len(data), kind, limits=Limits(**limits))


def contents(data: bytes, kind: str = "", **limits: int) -> tuple[dict[bytes, bytes], dict[bytes, str], tuple[str, ...]]:
    """Every member's bytes by its name with those above it, reasons for those not whole, notes."""
    archive = opened(data, kind, **limits)
    got, reasons = {}, {}
    for member in walk(archive):
        name = b"/".join((*member.above, member.name))
        content = member.open()
        got[name] = b"".join(content)
        if content.reason:
            reasons[name] = content.reason
    return got, reasons, archive.notes.lines()


def only(data: bytes, **limits: int) -> tuple[Member, bytes, str]:
    (member,) = opened(data, **limits)
    content = member.open()
    return member, b"".join(content), content.reason


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_of_a_zip_come_whole(method: int) -> None:
    got, reasons, notes = contents(zip_of(FILES, method))
    assert got == {name.encode(): data for name, data in FILES.items()}
    assert not reasons
    assert not notes


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_of_a_tar_come_whole(form: int) -> None:
    files = {**FILES, "long/" * 15 + "n" * 40: b"long name"}
    got, reasons, notes = contents(tar_of(files, form))
    assert got == {name.encode(): data for name, data in files.items()}
    assert not reasons
    assert not notes


@pytest.mark.parametrize(("pack", "kind"), [(gzip.compress, "gzip"), (bz2.compress, "bzip2"), (lzma.compress, "xz")])
def test_a_tar_in_a_compressed_file_streams(pack, kind: str) -> None:
    data = pack(tar_of(FILES))
    assert archive_kind(data[:512]) == kind
    got, reasons, notes = contents(data)
    assert got.pop(b"") == b""
    assert reasons == {b"": "a TAR archive, whose members are given instead"}
    assert got == {b"/" + name.encode(): data for name, data in FILES.items()}
    assert not notes


def test_a_gzip_says_its_name_and_streams_that_follow_each_other_are_one_file() -> None:
    out = io.BytesIO()
    with gzip.GzipFile("notes.txt", "wb", fileobj=out, mtime=1000) as stream:
        stream.write(b"one ")
    member, data, reason = only(out.getvalue() + gzip.compress(b"two") + bytes(700))
    assert (member.name, member.mtime, data, reason) == (b"notes.txt", 1000 * 10**9, b"one two", "")


def test_a_zip_says_times_with_their_basis() -> None:
    (member,) = opened(zip_of({"a": b""}))
    assert (member.mtime, member.time_basis) == (1714566600 * 10**9, TimeBasis.LOCAL)
    (member,) = opened(tar_of({"a": b""}))
    assert (member.mtime, member.time_basis) == (1714566600 * 10**9, TimeBasis.UTC)


def test_what_is_no_archive_is_refused() -> None:
    for data in (b"", b"PK", b"plain words", bytes(2048), b"BZh9 is how this text begins"):
        with pytest.raises(StructureError):
            opened(data)


def test_a_zip_behind_other_bytes_is_read_where_it_really_starts() -> None:
    got, reasons, _ = contents(b"MZ program" * 1000 + zip_of(FILES), "zip")
    assert len(got) == len(FILES)
    assert not reasons


def test_zip64_is_read() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open("wide", "w", force_zip64=True) as member:
        member.write(b"wide" * 1000)
    got, reasons, _ = contents(out.getvalue())
    assert got == {b"wide": b"wide" * 1000}
    assert not reasons
    listing = central(b"w", zlib.crc32(b"wide"), 4, 4, 0, method=0)
    body = local(b"w", zlib.crc32(b"wide"), 4, 4, method=0) + b"wide"
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(listing), len(body))
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(body) + len(listing), 1)
    last = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    for prefix in (b"", b"other bytes"):
        assert contents(prefix + body + listing + end64 + locator + last, "zip")[0] == {b"w": b"wide"}


# -- bombs ----------------------------------------------------------------------------------------------------------------------


def test_a_gzip_of_zeros_is_cut_at_the_ratio() -> None:
    member, data, reason = only(gzip_of_zeros(64 << 20))
    assert reason == "expands more than 200 times"
    assert 16 << 20 < len(data) <= (16 << 20) + (64 << 10)
    assert member.name == b"zeros"


def test_a_member_is_cut_at_its_limit_whatever_its_header_says() -> None:
    packed, crc = deflated_zeros(8 << 20)
    for stated in (10, 8 << 20, 0xFFFFFFF0):
        body = local(b"x", crc, len(packed), stated) + packed
        listing = central(b"x", crc, len(packed), stated, 0)
        _, data, reason = only(body + listing + end(1, len(listing), len(body)), member=1 << 20)
        assert len(data) == 1 << 20
        assert reason == "larger than 1,048,576 bytes"


def test_a_size_that_lies_is_said() -> None:
    packed, crc = deflated_zeros(1 << 20)
    body = local(b"x", crc, len(packed), 10) + packed
    listing = central(b"x", crc, len(packed), 10, 0)
    _, data, reason = only(body + listing + end(1, len(listing), len(body)))
    assert len(data) == 1 << 20
    assert reason == "1,048,576 bytes where the archive states 10"


def test_members_that_share_their_bytes_are_listed_and_not_read() -> None:
    for bomb in (kernel_bomb(500, 8 << 20), quoted_bomb(50, 1 << 20)):
        archive = opened(bomb)
        members = list(archive)
        assert len(members) in (500, 50)
        assert all(m.refused == "it shares its bytes with another member" for m in members)
        assert sum(len(piece) for m in members for piece in m.open()) == 0
        assert archive.notes.lines() == (f"a member shares its bytes with another one and is not read ({len(members)} times)",)


def test_a_member_that_runs_into_the_next_by_its_own_header_is_not_read() -> None:
    """The list leaves room for it, but the local header is longer than the list can tell."""
    first = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 0, 0, 33, 0, 40, 40, 1, 60) + b"a" + bytes(60)
    second = local(b"b", 0, 5, 5, method=0) + b"12345"
    body = first[:71].ljust(71, b"\0") + second
    listing = central(b"a", 0, 40, 40, 0, method=0) + central(b"b", 0, 5, 5, 71, method=0)
    archive = opened(body + listing + end(2, len(listing), len(body)))
    members = {m.name: m for m in archive}
    content = members[b"a"].open()
    assert list(content) == []
    assert content.reason == "it runs into what follows it"


def test_a_nested_bomb_is_bounded_in_depth_members_and_bytes() -> None:
    bomb = nested_bomb(5, 6)  # 6^5 members of 4 MiB: 31 GiB
    archive = opened(bomb, total=64 << 20)
    members = expanded = deepest = 0
    for member in walk(archive):
        members += 1
        deepest = max(deepest, len(member.above))
        expanded += sum(map(len, member.open()))
    assert deepest == 3
    assert members == 6 + 6**2 + 6**3 + 6**4
    assert any("nested more than 4 deep" in line for line in archive.notes.lines())
    assert archive.budget.expanded <= 64 << 20
    archive = opened(bomb, members=100)
    assert len(list(walk(archive))) == 100
    assert any("beyond the first" in line for line in archive.notes.lines())


def test_the_budget_holds_over_all_members() -> None:
    data = zip_of({str(n): bytes(1 << 20) for n in range(20)})
    got, reasons, _ = contents(data, total=5 << 20)
    assert sum(map(len, got.values())) == 5 << 20
    assert len(reasons) == 15
    assert all("expand to more than 5,242,880 bytes" in reason for reason in reasons.values())


def test_members_beyond_the_limit_are_counted() -> None:
    archive = opened(zip_of({str(n): b"" for n in range(50)}), members=20)
    assert len(list(archive)) == 20
    assert archive.notes.lines() == ("members of a ZIP archive beyond the first 20 are not looked at (30 times)",)
    archive = opened(tar_of({str(n): b"" for n in range(50)}), members=20)
    assert len(list(archive)) == 20
    assert "goes on behind the first 20 members" in archive.notes.lines()[0]


def test_memory_stays_flat_while_a_large_member_streams() -> None:
    packed = gzip_of_zeros(96 << 20)
    tracemalloc.start()
    try:
        (member,) = opened(packed, ratio=100_000)
        assert sum(map(len, member.open())) == 96 << 20
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_thousands_of_tiny_gzip_streams_end() -> None:
    _, data, reason = only(gzip.compress(b"", mtime=0) * 20_000)
    assert data == b""
    assert reason == "more than 10,000 compressed streams follow each other"


def test_an_lzma_member_that_asks_for_gigabytes_is_refused() -> None:
    body = b"\x09\x04\x05\x00\x5d" + struct.pack("<I", 0xFFFFFFFF) + bytes(100)
    raw = local(b"x", 0, len(body), 100, method=14) + body
    listing = central(b"x", 0, len(body), 100, 0, method=14)
    assert only(raw + listing + end(1, len(listing), len(raw)))[2] == "its LZMA properties are not ones that are read"


# -- what is hidden, locked, damaged --------------------------------------------------------------------------------------------


def test_encrypted_members_are_named_and_counted() -> None:
    body = local(b"secret.jpg", 0, 5, 5, flags=1, method=0) + b"12345"
    listing = central(b"secret.jpg", 0, 5, 5, 0, flags=1, method=0)
    archive = opened(body + listing + end(1, len(listing), len(body)))
    (member,) = archive
    assert (member.name, member.encrypted, member.refused) == (b"secret.jpg", True, "encrypted")
    assert archive.notes.lines() == ("a member is encrypted and is not read",)


def test_links_and_devices_of_a_tar_are_listed_and_have_no_bytes() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind, link in [
            ("sym", tarfile.SYMTYPE, "/etc/passwd"),
            ("hard", tarfile.LNKTYPE, "../../x"),
            ("block", tarfile.BLKTYPE, ""),
            ("char", tarfile.CHRTYPE, ""),
            ("pipe", tarfile.FIFOTYPE, ""),
            ("dir", tarfile.DIRTYPE, ""),
        ]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            archive.addfile(info)
    members = {m.name: m for m in opened(out.getvalue())}
    assert {name: m.kind for name, m in members.items()} == {
        b"sym": MemberKind.SYMLINK,
        b"hard": MemberKind.HARDLINK,
        b"block": MemberKind.DEVICE,
        b"char": MemberKind.DEVICE,
        b"pipe": MemberKind.FIFO,
        b"dir/": MemberKind.DIRECTORY,
    }
    assert members[b"sym"].link == b"/etc/passwd"
    assert all(m.open().reason for m in members.values())


def test_names_that_aim_outside_stay_bytes_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"../../up": b"1", "/etc/shadow": b"2", "C:\\win\\x": b"3", "CON": b"4", "a\0b": b"5", "": b"6"}
    for data in (zip_of(names), tar_of({n: d for n, d in names.items() if n})):
        got, _, _ = contents(data)
        assert b"../../up" in got
        assert b"/etc/shadow" in got
    assert list(tmp_path.iterdir()) == []


def test_a_zip_without_its_list_gives_its_members_and_says_so() -> None:
    whole = zip_of(FILES)
    cut = whole[: whole.index(b"PK\1\2")]
    got, reasons, notes = contents(cut)
    assert got == {name.encode(): data for name, data in FILES.items()}
    assert not reasons
    assert "found by their own headers" in notes[0]


def test_a_zip_written_to_a_pipe_and_cut_off_gives_what_is_there() -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data) -> int:
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        archive.writestr("one", b"1" * 5000)
        archive.writestr("two", random.Random(1).randbytes(5000))
    whole = pipe.data
    got, _, notes = contents(whole[: whole.index(b"PK\1\2")])
    assert got == {b"one": b"1" * 5000, b"two": random.Random(1).randbytes(5000)}
    assert notes


def test_a_damaged_member_costs_only_itself() -> None:
    data = bytearray(zip_of({"a": random.Random(2).randbytes(9000), "b": b"fine"}))
    data[200] ^= 0xFF
    got, reasons, _ = contents(bytes(data))
    assert got[b"b"] == b"fine"
    assert list(reasons) == [b"a"]
    stored = bytearray(zip_of({"a": b"1" * 100, "b": b"fine"}, zipfile.ZIP_STORED))
    stored[50] ^= 1
    assert contents(bytes(stored))[1] == {b"a": "its checksum is wrong"}


def test_a_tar_with_a_ruined_header_is_searched_for_the_next_one() -> None:
    data = bytearray(tar_of({"a": b"1" * 600, "b": b"2", "c": b"3"}, tarfile.USTAR_FORMAT))
    data[3] ^= 0xFF
    got, _, notes = contents(bytes(data), "tar")
    assert set(got) == {b"b", b"c"}
    assert notes == ("a TAR header is damaged: the next one was searched for",)


def test_a_tar_that_ends_early_says_so() -> None:
    data = tar_of({"a": b"1" * 5000}, tarfile.USTAR_FORMAT)
    got, reasons, notes = contents(data[:3000])
    assert got == {b"a": b"1" * (3000 - 512)}
    assert reasons == {b"a": "2,488 bytes where the archive states 5,000"}
    assert notes == ("a TAR archive ends inside a member",)


def test_bytes_behind_a_tars_end_are_said() -> None:
    notes = contents(tar_of({"a": b"1"}) + tar_of({"b": b"2"}))[2]
    assert notes == ("a TAR archive has bytes behind its end mark, which are not looked at",)


def test_a_hole_in_the_medium_costs_only_the_member_that_lies_there() -> None:
    data = zip_of({"a": random.Random(3).randbytes(200_000), "b": b"fine"})

    def read_at(offset: int, length: int) -> bytes:
        if offset <= 100_000 < offset + length:
            raise OSError(5, "Input/output error")
        return data[offset : offset + length]

    results = {}
    for member in open_archive(read_at, len(data), "zip"):
        content = member.open()
        results[member.name] = (b"".join(content)[:4], content.reason)
    assert results[b"b"] == (b"fine", "")
    assert results[b"a"][1] == "cannot be read: Input/output error"


def test_pax_sizes_and_records_that_lie_do_not_loop() -> None:
    for record in (b"0 a=b\n", b"-1 a=b\n", b"99999999 a=b\n", b"5 a=\n", b"\n", b"12 size=-512\n", b"1 a=b\n"):
        body = record.ljust(512, b"\0")
        header = bytearray(tar_of({"x": b""}, tarfile.USTAR_FORMAT)[:512])
        header[156:157] = b"x"
        header[124:136] = b"%011o\0" % len(record)
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        got, _, _ = contents(bytes(header) + body + tar_of({"y": b"12"}, tarfile.USTAR_FORMAT))
        assert list(got) == [b"y"]


SAMPLES = [
    zip_of(FILES),
    zip_of(FILES, zipfile.ZIP_STORED),
    zip_of(FILES, zipfile.ZIP_LZMA),
    tar_of(FILES),
    gzip.compress(tar_of(FILES)),
    bz2.compress(b"x" * 1000),
    lzma.compress(b"y" * 1000),
    zip_of({"in.zip": zip_of(FILES), "in.tar.gz": gzip.compress(tar_of(FILES))}),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SAMPLES), st.data())
def test_mutants_end_in_members_reasons_and_notes(sample: bytes, data: st.DataObject) -> None:
    mutant = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(mutant) - 1))
        mutant[at] = data.draw(st.integers(0, 255))
    cut = bytes(mutant[: data.draw(st.integers(0, len(mutant)))])
    for kind in ("", "zip", "tar"):
        try:
            got, reasons, notes = contents(cut, kind, total=8 << 20)
        except StructureError:
            continue
        assert all(isinstance(value, bytes) for value in got.values())
        assert sum(map(len, got.values())) <= 10 << 20
        assert all(reasons.values())
        assert all(notes)
