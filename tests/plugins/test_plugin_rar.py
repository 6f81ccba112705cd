"""RAR archives: real ones of both kinds, file by file; made ones that are stored, encrypted, split or broken; filters; damage."""

from __future__ import annotations

import hashlib
import random
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from real_samples import ARTIFACTS, bytes_of, children, findings, item_of, mutants, needs_samples, never_fails, problems, run

from triage.artifacts import rarcodec, rarfilters
from triage.artifacts.rar import MARK_4, MARK_5, open_rar
from triage.artifacts.rar2coder import Rar2Decoder
from triage.artifacts.rar3coder import Rar3Decoder
from triage.artifacts.rar5coder import Rar5Decoder
from triage.artifacts.rarbits import Work

if TYPE_CHECKING:
    from triage.plugin import Item

TEXT = b"hello from an archive\n"


def block_4(kind: int, flags: int, body: bytes, data: bytes = b"") -> bytes:
    rest = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
    return struct.pack("<H", zlib.crc32(rest) & 0xFFFF) + rest + data


def file_4(name: bytes, data: bytes, *, flags: int = 0, method: int = 0x30, size: int | None = None, version: int = 29) -> bytes:
    wanted = len(data) if size is None else size
    body = struct.pack("<IIBIIBBHI", len(data), wanted, 2, zlib.crc32(data), 0x58A67A21, version, method, len(name), 32) + name
    return block_4(0x74, flags | 0x8000, body, data)


def rar4(*files: bytes, flags: int = 0) -> bytes:
    return MARK_4 + block_4(0x73, flags, bytes(6)) + b"".join(files) + block_4(0x7B, 0x4000, b"")


def vint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found, number = found + bytes([number & 0x7F | 0x80]), number >> 7
    return found + bytes([number])


def block_5(kind: int, body: bytes, *, data: bytes = b"", extra: bytes = b"", flags: int = 0) -> bytes:
    flags |= (1 if extra else 0) | (2 if data else 0)
    rest = vint(kind) + vint(flags) + (vint(len(extra)) if extra else b"") + (vint(len(data)) if data else b"") + body + extra
    head = vint(len(rest)) + rest
    return struct.pack("<I", zlib.crc32(head)) + head + data


def file_5(name: str, data: bytes, *, how: int = 0, extra: bytes = b"", flags: int = 0) -> bytes:
    raw = name.encode()
    body = (
        vint(6)
        + vint(len(data))
        + vint(32)
        + struct.pack("<II", 1_700_000_000, zlib.crc32(data))
        + vint(how)
        + vint(0)
        + vint(len(raw))
        + raw
    )
    return block_5(2, body, data=data, extra=extra, flags=flags)


def rar5(*files: bytes) -> bytes:
    return MARK_5 + block_5(1, vint(0)) + b"".join(files) + block_5(5, vint(0))


class TestRealSamples:
    pytestmark = needs_samples

    def test_both_kinds_hold_the_same_eighteen_files(self) -> None:
        found = []
        for name in ("test_mockRar4.rar", "test_mockRar5.rar"):
            item = item_of((ARTIFACTS / "iped" / name).read_bytes(), f"vol1/{name}")
            said = run("rar", item)
            assert problems(said) == []
            for child in children(said):
                assert item.measure(child.steps) == (child.size, "")  # the CRC is right
            found.append({c.name: hashlib.md5(bytes_of(item, c), usedforsecurity=False).hexdigest() for c in children(said)})
        assert len(found[0]) == 18
        assert found[0] == found[1]
        assert found[0]["mockdoc3.docx"] == "11c3ada476e30311b49cbf32a5425e7d"

    def test_damage_is_said_and_never_breaks_it(self) -> None:
        wrong = 0
        for name in ("test_mockRar4.rar", "test_mockRar5.rar"):
            data = (ARTIFACTS / "iped" / name).read_bytes()[:40_000]
            for mutant in mutants(data, 40):
                item = item_of(MARK_4 + mutant[7:] if "4" in name else MARK_5 + mutant[8:], "vol1/a.rar")
                for child in children(run("rar", item)):
                    wrong += item.measure(child.steps)[1] != ""
        assert wrong > 10


def test_stored_files_of_both_kinds() -> None:
    for data, basis in ((rar4(file_4(b"dir\\a.txt", TEXT)), "local"), (rar5(file_5("dir/a.txt", TEXT)), "utc")):
        item = item_of(data, "vol1/a.rar")
        said = run("rar", item)
        (child,) = children(said)
        assert (child.name, bytes_of(item, child), child.time_basis.value) == ("dir/a.txt", TEXT, basis)
        assert problems(said) == []


def test_an_archive_behind_a_program() -> None:
    data = b"MZ" + bytes(5000) + rar5(file_5("a.txt", TEXT))
    archive = open_rar(lambda at, many: data[at : at + many], len(data))
    assert [one.name for one in archive.files] == ["a.txt"]


def test_wide_names_of_old_archives() -> None:
    coded = b"ph.txt\0" + b"\x04" + b"\x58" + b"\x44" + b"o" + b"\x42" + b"to.t"
    data = rar4(file_4(coded, TEXT, flags=0x200))
    assert len(open_rar(lambda at, many: data[at : at + many], len(data)).files) == 1
    utf8 = rar4(file_4("ü.txt".encode(), TEXT, flags=0x200))
    assert open_rar(lambda at, many: utf8[at : at + many], len(utf8)).files[0].name == "ü.txt"


def test_what_cannot_be_read_is_named_with_the_reason() -> None:
    data = rar4(
        file_4(b"secret.jpg", TEXT, flags=4, method=0x33),
        file_4(b"half.jpg", TEXT, flags=2),
        file_4(b"old.jpg", TEXT, method=0x33, version=15),
    )
    said = run("rar", item_of(data, "vol1/a.rar"))
    assert children(said) == []
    assert {(f.kind, f.data["why"], f.data["files"][0]["name"]) for f in findings(said)} == {
        ("encrypted", "encrypted (AES)", "secret.jpg"),
        ("archive-listing", "parts of it lie in other volumes", "half.jpg"),
        ("archive-listing", "packed as RAR before 2.0 did", "old.jpg"),
    }
    locked = run("rar", item_of(rar5(file_5("a.jpg", TEXT, extra=vint(2) + vint(1) + b"\0")), "vol1/a.rar"))
    assert findings(locked)[0].kind == "encrypted"
    for data in (rar4(flags=0x80), MARK_5 + block_5(4, vint(0) * 4) + bytes(20)):
        (one,) = findings(run("rar", item_of(data, "vol1/a.rar")))
        assert "not even names can be read" in one.title


def test_what_follows_a_lost_file_in_one_dictionary_is_lost_too() -> None:
    data = rar4(file_4(b"a", TEXT, flags=4, method=0x33), file_4(b"b", TEXT, flags=0x10, method=0x33), file_4(b"c", TEXT))
    said = run("rar", item_of(data, "vol1/a.rar"))
    assert [c.name for c in children(said)] == ["c"]
    assert {f.data["why"] for f in findings(said)} == {"encrypted (AES)", "encrypted (AES), which one before it is"}


def test_a_list_that_is_cut_or_damaged_gives_what_is_whole() -> None:
    whole = rar5(file_5("a.txt", TEXT), file_5("b.txt", TEXT))
    for data, line in ((whole[:-40], "damaged"), (whole[: -len(block_5(5, vint(0)))], "without its end mark")):
        said = run("rar", item_of(data, "vol1/a.rar"))
        assert children(said)
        assert any(line in p.message or "cut off" in p.message for p in problems(said))


def test_a_wrong_checksum_is_said() -> None:
    parameters = f"5;{rarcodec.member(4, 4, stored=True, crc=1)}"
    assert rarcodec.CODEC.undo(lambda at, many: b"abcd"[at : at + many], 4, parameters, 100) == (b"abcd", "its checksum is wrong")


def test_filters_undo_what_packers_do() -> None:
    rng = random.Random(1)
    plain = rng.randbytes(3000)
    for channels in (1, 3, 5):
        coded = bytearray()
        for channel in range(channels):
            last = 0
            for value in plain[channel::channels]:
                coded.append((last - value) & 255)
                last = value
        assert rarfilters.delta(bytes(coded), channels) == plain
    code = bytearray(plain)
    code[100:105] = b"\xe8" + struct.pack("<i", 500)
    packed = bytearray(code)
    packed[101:105] = struct.pack("<i", 500 + 101)
    assert rarfilters.x86(bytes(packed), 0, jumps=False, wraps=False)[100:105] == bytes(code[100:105])
    for undo in (
        lambda d: rarfilters.arm(d, 0),
        lambda d: rarfilters.itanium(d, 0),
        lambda d: rarfilters.rgb(d, 30, 0),
        lambda d: rarfilters.audio(d, 2),
    ):
        assert len(undo(plain)) == len(plain)


@pytest.mark.parametrize("decoder", [Rar2Decoder, Rar3Decoder, Rar5Decoder], ids=["2", "3", "5"])
def test_noise_ends_within_its_work(decoder: type) -> None:
    rng = random.Random(2)
    for number in range(150):
        data = bytes([number & 0xFF]) + rng.randbytes(rng.randrange(4000))
        got, why = decoder(Work(1 << 20)).member(data, 100_000)
        assert len(got) <= 100_000
        assert why or len(got) == 100_000


def test_damage_never_breaks_it() -> None:
    for data in (rar4(file_4(b"a.txt", TEXT), file_4(b"b", TEXT, method=0x33)), rar5(file_5("a.txt", TEXT), file_5("b", TEXT, how=3 << 7))):
        mark = MARK_4 if data.startswith(MARK_4) else MARK_5
        for mutant in mutants(data, 150):
            never_fails("rar", item_of(mark + mutant[len(mark) :], "vol1/a.rar"))


def samples() -> list[Item]:
    return [item_of(rar5(file_5("a.txt", TEXT)), "vol1/a.rar")]
