"""7z archives: a real one, made ones of many coders, encrypted ones, bombs, and damage."""

from __future__ import annotations

import hashlib
import lzma
import random
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from real_samples import ARTIFACTS, PLUGINS, bytes_of, children, findings, item_of, mutants, needs_samples, never_fails, problems, run
from seven_maker import FILES, MADE, READ, TIME, archive, number, sealed

from triage.artifacts.sevencoders import CODEC, MOST_DICTIONARY, undo
from triage.artifacts.sevenzip import open_sevenzip

if TYPE_CHECKING:
    from triage.plugin import Item


def samples() -> list[Item]:
    return [item_of(MADE["solid"], "vol1/x.7z"), item_of(MADE["pw"], "vol1/y.7z")]


def got(one: Item) -> dict[str, bytes]:
    return {child.name: bytes_of(one, child) for child in children(run("seven_zip", one))}


class TestRealSamples:
    pytestmark = needs_samples

    def test_all_files_of_a_real_archive_are_found_with_the_bytes_that_their_checksums_say(self) -> None:
        one = item_of((ARTIFACTS / "iped" / "test_mock7z_2.7z").read_bytes(), "vol1/x.7z")
        said = run("seven_zip", one)
        listed = {file.name: file for file in open_sevenzip(one.read_at, one.size).files if file.size}
        assert len(children(said)) == len(listed) == 10
        for child in children(said):
            assert zlib.crc32(bytes_of(one, child)) == listed[child.name].crc32
            assert child.mtime is not None
        assert (findings(said), problems(said)) == ([], [])


@pytest.mark.parametrize("how", READ)
def test_files_have_their_bytes_and_times_however_they_were_packed(how: str) -> None:
    one = item_of(MADE[how], "vol1/x.7z")
    said = run("seven_zip", one)
    assert {child.name: bytes_of(one, child) for child in children(said)} == FILES
    assert {child.mtime for child in children(said)} == {TIME}
    assert all((child.crtime is not None) == (how == "times") for child in children(said))
    assert (findings(said), problems(said)) == ([], [])


def test_deflate64_is_undone() -> None:
    one = item_of((Path(__file__).parent / "deflate64.7z").read_bytes(), "vol1/x.7z")
    noise = random.Random(1).randbytes(34000)
    assert got(one) == {"far.bin": noise + bytes(70000) + noise}


def test_files_that_were_packed_together_share_what_is_undone() -> None:
    first, second, third = children(run("seven_zip", item_of(MADE["solid"], "vol1/x.7z")))
    assert first.steps[:2] == second.steps[:2] == third.steps[:2]
    assert [step[0] for step in first.steps] == ["cut", "undo", "cut"]


def test_what_is_not_packed_is_cut_from_the_archive_itself() -> None:
    assert all([step[0] for step in child.steps] == ["cut"] for child in children(run("seven_zip", item_of(MADE["copy"], "vol1/x.7z"))))


@pytest.mark.parametrize(("how", "name"), [("bcj2", "BCJ2")])
def test_files_packed_in_a_way_that_is_not_read_are_listed_with_the_method(how: str, name: str) -> None:
    said = run("seven_zip", item_of(MADE[how], "vol1/x.7z"))
    (found,) = findings(said, "archive-listing")
    assert {(f["name"], f["size"], f["crc32"]) for f in found.data["files"]} == {
        (name, len(data), f"{zlib.crc32(data):08x}") for name, data in FILES.items()
    }
    assert [p.message for p in problems(said)] == [f"3 files inside cannot be read: packed by {name}, which is not read"]
    assert children(said) == []


def test_encrypted_files_are_listed_with_names_and_times() -> None:
    said = run("seven_zip", item_of(MADE["pw"], "vol1/x.7z"))
    (found,) = findings(said, "encrypted")
    assert found.title == "3 files in a 7z archive cannot be read: encrypted (AES-256): a.txt, d/b.jpg, d/c ü.bin"
    assert {f["time"] for f in found.data["files"]} == {"2021-03-04T05:06:07.500Z"}
    assert [p.message for p in problems(said)] == ["3 files inside cannot be read: encrypted (AES-256)"]


def test_a_list_that_is_encrypted_is_told() -> None:
    (told,) = run("seven_zip", item_of(MADE["he"], "vol1/x.7z"))
    assert "not even names" in told.message


def test_what_says_that_files_are_to_be_deleted_is_listed() -> None:
    bits = [(0x0E, b"\x40"), (0x10, b"\x80")]
    plain = archive({"kept": b"x", "gone.jpg": b""}, more=bits)
    # One stream for two files: the second has none.
    header = plain[33:].replace(b"\x08\x0d\2\x09\1\x0a\1" + struct.pack("<II", zlib.crc32(b"x"), 0), b"\x08\x0d\1\x0a\1" + plain[-4:])
    assert header != plain[33:]
    said = run("seven_zip", item_of(sealed(b"x", header), "vol1/x.7z"))
    assert [c.name for c in children(said)] == ["kept"]
    assert "gone.jpg" in findings(said, "archive-listing")[0].title


@pytest.mark.parametrize("filters", [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}])
def test_files_far_inside_of_what_was_packed_together_are_reached(filters: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"{n}.bin": hashlib.sha256(bytes([n])).digest() * 40 for n in range(40)}
    packed = lzma.compress(b"".join(files.values()), lzma.FORMAT_RAW, filters=[filters])
    one = item_of(archive(files, b"\x21\x21\1\x10", packed), "vol1/x.7z")
    monkeypatch.setitem(PLUGINS["seven_zip"].cls.analyze.__globals__, "LARGEST", 5000)
    found = children(run("seven_zip", one))
    assert {child.name: bytes_of(one, child) for child in found} == files
    assert len({child.steps[1] for child in found}) == 14
    assert max(child.steps[1][2] for child in found) == 5000


def test_what_expands_too_much_is_cut_and_told() -> None:
    raw = lzma.compress(bytes(40 << 20), lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}])
    data, why = undo(lambda at, n: raw[at : at + n], len(raw), f"lzma2=10@{40 << 20}", 256 << 20)
    assert why == "expands more than 200 times"
    assert len(data) < 17 << 20


def test_a_dictionary_that_memory_would_not_hold_is_refused() -> None:
    files = {"a": b"x"}
    coder = b"\x23\3\1\1\5\x5d" + struct.pack("<I", MOST_DICTIONARY + 1)
    assert len(children(run("seven_zip", item_of(archive(files, coder, b"\0" * 20), "vol1/x.7z")))) == 1, "no more comes out than one byte"
    data = archive(files, coder, b"\0" * 20).replace(b"\x0c\1", b"\x0c" + number(1 << 40))
    said = run("seven_zip", item_of(sealed(data[32:52], data[52:]), "vol1/x.7z"))
    assert "its dictionary is larger than 256 MiB" in problems(said)[0].message


def test_ppmd_is_read_within_limits() -> None:
    files = {"a": b"x"}
    coder = b"\x23\3\4\1\5\6" + struct.pack("<I", 1 << 20)
    data = archive(files, coder, b"\0" * 20).replace(b"\x0c\1", b"\x0c" + number(1 << 40))
    said = run("seven_zip", item_of(sealed(data[32:52], data[52:]), "vol1/x.7z"))
    assert "more than 16 MiB that PPMd packed" in problems(said)[0].message
    for properties in (b"\1" + struct.pack("<I", 1 << 20), b"\x06" + struct.pack("<I", MOST_DICTIONARY + 1)):
        said = run("seven_zip", item_of(archive(files, b"\x23\3\4\1\5" + properties, b"\0" * 20), "vol1/x.7z"))
        assert "its properties of ppmd are not ones that are read" in problems(said)[0].message
    signs: list[int] = []

    def read_at(at: int, many: int) -> bytes:
        signs.append(at)
        return bytes(1 << 10)[at : at + many]

    assert len(undo(read_at, 1 << 10, f"ppmd=0600001000@{1 << 15}", 1 << 15)[0]) == 1 << 15
    assert len(signs) > 2, "a byte is read as a sign of life"
    noise = random.Random(1).randbytes(2000)
    data, why = undo(lambda at, many: noise[at : at + many], len(noise), f"ppmd=0600001000@{1 << 20}", 1 << 20)
    assert why in ("its PPMd data are damaged", "ends before its compressed data do")
    assert 0 < len(data) < 1 << 20


def test_parameters_say_what_is_to_be_undone_and_nothing_else() -> None:
    assert CODEC.parameters.fullmatch("lzma=5d00001000@70000+bcj@70000>5")
    for text in ("", "lzma", "lzma@", "lzss@5", "lzma=5d0000100@1", "copy@1>", "+".join(["copy@1"] * 9), "copy@1\n"):
        assert CODEC.parameters.fullmatch(text) is None, text


def test_checksums_that_do_not_fit_are_told_and_what_is_there_is_given() -> None:
    data = bytearray(MADE["copy"])
    data[8] ^= 1
    data[28] ^= 1
    said = run("seven_zip", item_of(bytes(data), "vol1/x.7z"))
    assert len(children(said)) == 3
    assert sorted("checksum" in p.message for p in problems(said)) == [True, True]


def test_a_cut_archive_is_told() -> None:
    (told,) = run("seven_zip", item_of(MADE["solid"][:-1], "vol1/x.7z"))
    assert "cut off" in told.message


def test_empty_archives_say_nothing() -> None:
    assert run("seven_zip", item_of(sealed(b"", b""), "vol1/x.7z")) == []


@pytest.mark.parametrize(
    "data", [MADE["solid"], archive(FILES), archive(FILES, more=[(0x14, b"\1\0" + bytes(24)), (0x15, b"\0\xe0\0" + bytes(12))])]
)
def test_damage_never_breaks_it(data: bytes) -> None:
    for mutant in mutants(data, 300):
        length = len(data) - 32 - struct.unpack_from("<Q", data, 12)[0]
        mended = sealed(mutant[32 : len(mutant) - length], mutant[len(mutant) - length :]) if len(mutant) > 32 + length else mutant
        for one in (item_of(mutant, "vol1/x"), item_of(mended, "vol1/x")):
            if one.type is not None and one.type.name == "7z":
                never_fails("seven_zip", one)
