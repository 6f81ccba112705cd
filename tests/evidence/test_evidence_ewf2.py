"""Ex01 and Lx01 by our own reader: every byte as it was written and as libewf reads it; damage costs what it hit, and is said."""

from __future__ import annotations

import os
import random
import struct
from typing import TYPE_CHECKING

import pytest
from ewf2_writer import CASE, DEVICE, DONE, ERRORS, KEYS, MD5, SECTORS, SHA1, TABLE, aligned, text, write_ewf2
from ewf_writer import adler, damage, read_by_libewf, sample
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.cli import run as triage
from triage.errors import EvidenceError, TriageError
from triage.evidence import ewf2_sections
from triage.evidence.ewf2 import Ewf2Medium
from triage.evidence.medium import DamagedRangeError
from triage.evidence.opening import open_evidence
from triage.evidence.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATA = sample(20 * 4096 + 1536)
ZEROS = DATA[: 4 * 4096] + bytes(6 * 4096) + DATA[4 * 4096 :]


def read_all(paths: list[Path]) -> tuple[bytes, int, list[str]]:
    """Return the medium's bytes with zeros for what is damaged, how many bytes are damaged, and what was said."""
    _, medium, warnings = open_evidence(paths[0])
    assert isinstance(medium, Ewf2Medium)
    found, lost = bytearray(), 0
    for number in range(medium.chunks):
        try:
            found += medium.read_chunk(number)
        except DamagedRangeError as error:
            found += bytes(error.length)
            lost += error.length
    medium.close()
    return bytes(found), lost, warnings


@pytest.mark.parametrize("packed", [lambda n: True, lambda n: False, lambda n: n % 2 == 0], ids=["packed", "plain", "every other packed"])
@pytest.mark.parametrize("extensions", [("Ex01",), ("Ex01", "Ex02", "Ex03")])
@pytest.mark.parametrize("a_table", [1000, 3])
@pytest.mark.parametrize(("method", "patterns"), [(1, False), (2, False), (1, True)], ids=["zlib", "bzip2", "patterns"])
def test_every_byte_comes_back_as_it_was_written(
    packed: Callable[[int], bool], extensions: tuple[str, ...], a_table: int, method: int, patterns: bool, tmp_path: Path
) -> None:
    made = write_ewf2(tmp_path, ZEROS, extensions=extensions, packed=packed, a_table=a_table, method=method, patterns=patterns)
    evidence, medium, warnings = open_evidence(made.paths[0])
    assert (medium.read_at(0, len(ZEROS)), medium.size, warnings) == (ZEROS, len(ZEROS), [])
    assert verify(medium, evidence.stored_digests).verdict == "verified"
    assert evidence.facts["notes"] == "one\ntwo\tthree"
    assert (evidence.facts["serial number"], evidence.facts["acquired"]) == ("S-1", "1970-01-01T00:00:00Z")
    medium.close()
    if method == 1 and a_table == 1000:
        assert read_by_libewf(made.paths) == ZEROS, "the writer of these tests must write what libewf reads"


def test_a_damaged_chunk_costs_that_chunk_only(tmp_path: Path) -> None:
    for number, packed in enumerate((True, False)):
        folder = tmp_path / str(number)
        folder.mkdir()
        made = write_ewf2(folder, DATA, packed=lambda _, p=packed: p)
        path, start, _ = made.where(SECTORS)
        damage(path, start + 500)
        found, lost, _ = read_all(made.paths)
        assert (lost, found[4096:]) == (4096, DATA[4096:])
        assert triage(["verify", str(path)]) == 3


@pytest.mark.parametrize(("at", "packed"), [(4, 1), (40, 1), (40, 0), (-5, 1)])
def test_a_damaged_table_is_replaced_by_what_the_chunks_prove(at: int, packed: int, tmp_path: Path) -> None:
    made = write_ewf2(tmp_path, DATA, a_table=6, packed=lambda n: n % 2 < packed)
    for number in (1, 3):  # the last of them names the medium's last, shorter chunk
        path, start, end = made.where(TABLE, number)
        damage(path, start + at if at > 0 else end - 16)
    found, lost, warnings = read_all(made.paths)
    assert (found, lost) == (DATA, 0)
    assert sum("the chunk table before byte" in one for one in warnings) == 2


def test_neighbouring_damaged_tables_are_replaced_together(tmp_path: Path) -> None:
    made = write_ewf2(tmp_path, DATA, a_table=6)
    for number in (0, 1):
        path, start, _ = made.where(TABLE, number)
        damage(path, start + 40)
    assert read_all(made.paths)[:2] == (DATA, 0)


def test_chunks_of_a_damaged_table_are_lost_when_one_of_them_is_damaged_too(tmp_path: Path) -> None:
    made = write_ewf2(tmp_path, DATA, a_table=6)
    path, start, _ = made.where(TABLE, 1)
    damage(path, start + 40)
    damage(path, made.where(SECTORS, 1)[1] + 100)
    found, lost, warnings = read_all(made.paths)
    assert lost == 6 * 4096
    assert (found[: 6 * 4096], found[12 * 4096 :]) == (DATA[: 6 * 4096], DATA[12 * 4096 :])
    assert any("name 15 of 21 chunks: the others are lost" in one for one in warnings)


@pytest.mark.parametrize("kind", [DEVICE, CASE, SECTORS, TABLE, MD5, SHA1, DONE])
def test_a_broken_chain_of_sections_is_searched(kind: int, tmp_path: Path) -> None:
    made = write_ewf2(tmp_path, DATA, extensions=("Ex01", "Ex02"), a_table=6)
    path, _, end = [(made.paths[s], a, e) for s, k, a, e in made.sections if k == kind][-1]
    damage(path, end + 10)
    found, lost, warnings = read_all(made.paths)
    assert (found, lost) == (DATA, 0)
    assert any("its chain of sections breaks at byte" in one for one in warnings)


def test_what_is_cut_gives_what_is_there(tmp_path: Path) -> None:
    made = write_ewf2(tmp_path, DATA, a_table=6)
    path, start, _ = made.where(SECTORS, 2)
    os.truncate(path, start + 1000)
    found, lost, _ = read_all(made.paths)
    assert (found[: 12 * 4096], lost) == (DATA[: 12 * 4096], len(DATA) - 12 * 4096)


def test_a_file_that_becomes_shorter_is_said(tmp_path: Path) -> None:
    made = write_ewf2(tmp_path, DATA, a_table=6)
    medium = Ewf2Medium(made.paths)
    os.truncate(made.paths[0], made.where(TABLE, 1)[1])
    assert medium.read_chunk(0) == DATA[:4096]
    with pytest.raises(DamagedRangeError, match="became shorter"):
        medium.read_chunk(7)
    medium.close()


def test_an_image_inside_the_medium_is_not_taken_for_sections(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    inner = write_ewf2(tmp_path / "inner", sample(8192), packed=lambda _: False).paths[0].read_bytes()
    data = DATA[:4096] + inner + bytes(-len(inner) % 4096) + DATA[4096:8192]
    made = write_ewf2(tmp_path, data, packed=lambda _: False, chunk_sectors=64)
    path, _, end = made.where(SECTORS)
    damage(path, end + 20)  # now it is searched
    assert read_all(made.paths)[:2] == (data, 0)


def test_the_segments_that_are_missing_are_named(tmp_path: Path) -> None:
    made = write_ewf2(tmp_path, DATA, extensions=("Ex01", "Ex02", "Ex03"))
    made.paths[2].unlink()
    with pytest.raises(EvidenceError, match=r"image\.Ex02 is the last segment given but the set goes on"):
        open_evidence(made.paths[0])
    made.paths[1].unlink()
    with pytest.raises(EvidenceError, match="the set goes on"):
        open_evidence(made.paths[0])


def test_sets_without_an_identifier_are_told_apart_by_their_names(tmp_path: Path) -> None:
    made = write_ewf2(tmp_path, DATA, extensions=("Ex01", "Ex02"), identifier=bytes(16))
    for path in made.paths:
        (tmp_path / path.name.replace("image", "other")).write_bytes(path.read_bytes())
    assert read_all(made.paths)[:2] == (DATA, 0)


@pytest.mark.parametrize("how", ["flags", "keys"])
def test_an_encrypted_one_is_refused_by_name(how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = write_ewf2(tmp_path, DATA, flags=2 if how == "flags" else 0)
    if how == "keys":
        path, _, end = made.where(SHA1)
        data = bytearray(path.read_bytes())
        struct.pack_into("<I", data, end, KEYS)
        data[end + 60 : end + 64] = adler(bytes(data[end : end + 60]))
        path.write_bytes(data)
    assert triage(["run", str(made.paths[0]), "--case", str(tmp_path / "case"), "-q"]) == 3
    assert "is encrypted, which is not read (export it unencrypted" in capsys.readouterr().err
    assert not (tmp_path / "case").exists()


def test_what_the_acquisition_could_not_read_is_a_warning(tmp_path: Path) -> None:
    made = write_ewf2(tmp_path, DATA, unread=3)
    evidence, medium, warnings = open_evidence(made.paths[0])
    medium.close()
    assert evidence.facts["acquisition errors"] == "3"
    assert warnings == ["the acquisition could not read 3 stretches of the medium: the image holds filler in their place"]


def test_a_damaged_list_of_what_could_not_be_read_is_said(tmp_path: Path) -> None:
    made = write_ewf2(tmp_path, DATA, unread=3)
    path, start, _ = made.where(ERRORS)
    damage(path, start)
    evidence, medium, warnings = open_evidence(path)
    medium.close()
    assert "acquisition errors" not in evidence.facts
    assert warnings == ["image.Ex01: the list of what the acquisition could not read is damaged and was not used"]


def test_chunks_without_a_checksum_are_counted(tmp_path: Path) -> None:
    made = write_ewf2(tmp_path, DATA, packed=lambda _: False)
    path, start, end = made.where(TABLE)
    data = bytearray(path.read_bytes())
    for at in (start + 32 + 12, start + 48 + 12):  # the flags of the first two
        data[at : at + 4] = bytes(4)
    data[end - 16 : end - 12] = adler(bytes(data[start + 32 : end - 16]))
    path.write_bytes(data)
    _, medium, warnings = open_evidence(path)
    assert warnings == ["image.Ex01: 2 chunks have no checksum: that they are as they were acquired is not proven"]
    assert medium.read_at(0, 8192) == DATA[:8192]
    medium.close()


def test_a_damaged_digest_is_not_used(tmp_path: Path) -> None:
    made = write_ewf2(tmp_path, DATA)
    path, start, _ = made.where(MD5)
    damage(path, start)
    evidence, medium, warnings = open_evidence(path)
    medium.close()
    assert list(evidence.stored_digests) == ["sha1"]
    assert warnings == ["image.Ex01: the section with the MD5 is damaged and was not used"]


def test_two_tables_that_name_the_same_chunk_are_said(tmp_path: Path) -> None:
    made = write_ewf2(tmp_path, DATA, a_table=6)
    path, start, _ = made.where(TABLE, 1)
    data = bytearray(path.read_bytes())
    struct.pack_into("<Q", data, start, 4)
    data[start + 16 : start + 20] = adler(bytes(data[start : start + 16]))
    path.write_bytes(data)
    found, lost, warnings = read_all(made.paths)
    assert any("two chunk tables name chunk 4: the first was used" in one for one in warnings)
    assert found[: 6 * 4096] == DATA[: 6 * 4096]
    assert lost == 2 * 4096


def test_a_place_that_cannot_be_is_damage(tmp_path: Path) -> None:
    made = write_ewf2(tmp_path, DATA)
    path, start, end = made.where(TABLE)
    data = bytearray(path.read_bytes())
    struct.pack_into("<Q", data, start + 32, (1 << 64) - 1)
    entries = bytes(data[start + 32 : end - 16])
    data[end - 16 : end - 12] = adler(entries)
    path.write_bytes(data)
    assert read_all(made.paths)[1] == 4096


@pytest.mark.parametrize(("values", "message"), [
    ({"sb": "0"}, "does not say how large its chunks are"),
    ({"sb": "99999999"}, "cannot be read: chunks of 99999999 sectors"),
    ({"sb": ""}, "does not say how large its chunks are"),
])  # fmt: skip
def test_sizes_that_cannot_be_are_refused(values: dict[str, str], message: str, tmp_path: Path) -> None:
    made = write_ewf2(tmp_path, DATA, facts={"nm": "x"})
    path, start, end = made.where(CASE)
    body = aligned(text({"nm": "x", **values}, 1))
    data = bytearray(path.read_bytes())
    assert len(body) <= end - start
    data[start:end] = body.ljust(end - start, b"\0")
    path.write_bytes(data)
    with pytest.raises(EvidenceError, match=message):
        open_evidence(path)


@settings(max_examples=60, deadline=None)
@given(offset=st.integers(0, len(DATA) + 100), length=st.integers(0, 3 * 4096))
def test_any_range_is_that_slice(offset: int, length: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "ewf2"
    if not folder.exists():
        folder.mkdir()
        write_ewf2(folder, DATA, a_table=6)
    medium = Ewf2Medium([folder / "image.Ex01"])
    assert medium.read_at(offset, length) == DATA[offset : offset + length]
    medium.close()


def test_no_damage_ever_gives_a_wrong_byte(tmp_path: Path) -> None:
    """Bits flipped, sectors zeroed, copied elsewhere, files cut: what is opened gives right chunks, or says which are lost."""
    made = write_ewf2(tmp_path, ZEROS, extensions=("Ex01", "Ex02"), a_table=5, patterns=True)
    whole = [path.read_bytes() for path in made.paths]
    rng = random.Random(7)
    opened = 0
    for _ in range(120):
        which = rng.randrange(2)
        data = bytearray(whole[which])
        match rng.randrange(4):
            case 0:
                del data[rng.randrange(100, len(data)) :]
            case 1:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 2:
                at = rng.randrange(len(data) - 512)
                data[at : at + 512] = bytes(512)
            case _:
                at, other = rng.randrange(len(data) - 512), rng.randrange(len(data) - 512)
                data[at : at + 512] = data[other : other + 512]
        made.paths[which].write_bytes(data)
        try:
            _, medium, _ = open_evidence(made.paths[0])
        except TriageError:
            continue
        finally:
            made.paths[which].write_bytes(whole[which])
        opened += 1
        assert medium.size == len(ZEROS)
        made.paths[which].write_bytes(data)
        for number in range(medium.chunks):
            try:
                found = medium.read_chunk(number)
            except DamagedRangeError:
                continue
            assert found == ZEROS[number * 4096 : number * 4096 + 4096]
        medium.close()
        made.paths[which].write_bytes(whole[which])
    assert opened > 105


def test_the_search_for_sections_takes_no_longer_for_what_looks_like_many(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"EVF2\r\n\x81\0" + bytes(24) + (b"\x40\0\0\0" * (1 << 18)))
    file = os.open(path, os.O_RDONLY)
    try:
        assert ewf2_sections.find_sections(file, lambda: None)[0] == []
    finally:
        os.close(file)

