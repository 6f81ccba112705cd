"""The E01 reader: what it reads, what it says about damage, and what it takes from the headers."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from array import array
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ewf_writer import FACTS, damage, header_text, read_by_libewf, sample, write_ewf
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.errors import EvidenceError
from triage.escape import show
from triage.evidence import ewf
from triage.evidence.ewf import EwfMedium, read_index
from triage.evidence.ewf_index import DamagedSetError, EwfIndex, Table, read_facts, read_small
from triage.evidence.medium import DamagedRangeError
from triage.evidence.opening import open_evidence
from triage.evidence.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHORT = sample(8 * 4096 + 1536)  # the last chunk is 3 sectors long


@pytest.mark.parametrize("packed", [lambda n: True, lambda n: False, lambda n: n % 2 == 0, lambda n: n % 2 == 1],
                         ids=["packed", "plain", "even packed", "odd packed"])
@pytest.mark.parametrize("extensions", [("E01",), ("E01", "E02"), ("e01", "e02", "e03")])
@pytest.mark.parametrize("data", [SHORT, sample(4096), sample(512), sample(65536)], ids=["short last", "one chunk", "sector", "even"])
def test_every_byte_comes_back_as_it_was_written(
    data: bytes, extensions: tuple[str, ...], packed: Callable[[int], bool], tmp_path: Path
) -> None:
    chunks = -(-len(data) // 4096)
    made = write_ewf(tmp_path, data, extensions=extensions[:chunks], packed=packed)
    evidence, medium, warnings = open_evidence(made.paths[0])
    assert isinstance(medium, EwfMedium)
    assert (medium.read_at(0, len(data)), warnings) == (data, [])
    assert evidence.kind == ("ewf" if len(made.paths) == 1 else "split ewf")
    assert verify(medium, evidence.stored_digests).verdict == "verified"
    medium.close()
    assert read_by_libewf(made.paths) == data, "the writer of these tests must write what libewf reads"


@settings(max_examples=60, deadline=None)
@given(offset=st.integers(0, len(SHORT) + 100), length=st.integers(0, 3 * 4096))
def test_any_range_is_that_slice(offset: int, length: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "ranges"
    if not folder.is_dir():
        folder.mkdir()
        write_ewf(folder, SHORT)
    medium = EwfMedium([folder / "image.E01"])
    assert medium.read_at(offset, length) == SHORT[offset : offset + length]
    medium.close()


def fix(path: Path, at: int, length: int, change: bytes) -> None:
    """Write ``change`` at ``at`` and make the checksum behind the ``length`` bytes there fit again."""
    raw = bytearray(path.read_bytes())
    raw[at : at + len(change)] = change
    raw[at + length : at + length + 4] = zlib.adler32(bytes(raw[at : at + length])).to_bytes(4, "little")
    path.write_bytes(raw)


def test_no_stored_digest_is_never_called_verified(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, SHORT, digest=False, hash_=False)
    evidence, medium, _ = open_evidence(made.paths[0])
    assert evidence.stored_digests == {}
    assert verify(medium, evidence.stored_digests).verdict == "no stored hash"
    medium.close()


def test_a_stored_digest_of_other_bytes_is_a_mismatch(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, SHORT, digest=False)
    path, body, _ = made.where("hash")
    fix(path, body, 32, bytes(range(16)))
    evidence, medium, warnings = open_evidence(path)
    assert (verify(medium, evidence.stored_digests).verdict, warnings) == ("mismatch", [])
    medium.close()


def test_a_damaged_hash_section_does_not_hide_a_sound_digest_section(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, SHORT)
    path, body, _ = made.where("hash")
    damage(path, body)
    evidence, medium, warnings = open_evidence(path)
    assert verify(medium, evidence.stored_digests).verdict == "verified"
    assert "the hash section has a wrong checksum" in warnings[0]
    medium.close()


def test_a_damaged_hash_that_stands_alone_is_a_mismatch_and_said(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, SHORT, digest=False)
    path, body, _ = made.where("hash")
    damage(path, body)
    evidence, medium, warnings = open_evidence(path)
    assert verify(medium, evidence.stored_digests).verdict == "mismatch"
    assert "may be wrong" in warnings[0]
    medium.close()


def test_verify_tells_incomplete_from_mismatch(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, SHORT)
    path, body, _ = made.where("sectors")
    damage(path, body + 20)
    evidence, medium, _ = open_evidence(path)
    result = verify(medium, evidence.stored_digests)
    assert (result.verdict, result.computed, result.unread) == ("incomplete", {}, 4096)
    assert "offset 0" in result.reasons[0]
    assert medium.damaged[0][0] == 4096
    medium.close()


def test_a_damaged_chunk_costs_that_chunk_only(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, SHORT, packed=lambda n: False)
    path, body, _ = made.where("sectors")
    damage(path, body + 2 * 4100 + 7)
    medium = EwfMedium([path])
    with pytest.raises(DamagedRangeError) as found:
        medium.read_at(2 * 4096 + 100, 10)
    assert (found.value.offset, found.value.length) == (2 * 4096, 4096)
    assert medium.read_at(0, 2 * 4096) == SHORT[: 2 * 4096]
    assert medium.read_at(3 * 4096, len(SHORT)) == SHORT[3 * 4096 :]
    medium.close()


# ---- tables ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 8, 20, 24, 30])
def test_a_damaged_table_is_replaced_by_its_copy_and_said(at: int, tmp_path: Path) -> None:
    made = write_ewf(tmp_path, SHORT)
    path, body, _ = made.where("table")
    damage(path, body + at)
    evidence, medium, warnings = open_evidence(path)
    assert len(warnings) == 1
    assert "its copy was used" in warnings[0]
    assert medium.read_at(0, len(SHORT)) == SHORT
    assert verify(medium, evidence.stored_digests).verdict == "verified"
    medium.close()


def test_fewer_chunks_than_sectors_is_an_evidence_error(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, SHORT)
    index = read_index(made.paths)
    raw = bytearray(made.paths[0].read_bytes())
    _, body, _ = made.where("volume")
    raw[body + 16 : body + 24] = (index.sectors + 8).to_bytes(8, "little")
    raw[body + 1048 : body + 1052] = zlib.adler32(bytes(raw[body : body + 1048])).to_bytes(4, "little")
    made.paths[0].write_bytes(raw)
    with pytest.raises(EvidenceError, match="9 of 10 chunks"):
        open_evidence(made.paths[0])


def test_chunk_offsets_may_count_from_a_base(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, SHORT, base=76)
    medium = EwfMedium(made.paths)
    assert medium.read_at(0, len(SHORT)) == SHORT
    medium.close()


def test_tables_that_differ_are_said(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, SHORT)
    path, body, _ = made.where("table2")
    damage(path, body + 24)
    _, medium, warnings = open_evidence(path)
    assert ["differ: the first, whose checksum fits, was used" in w for w in warnings] == [True]
    assert medium.read_at(0, len(SHORT)) == SHORT
    medium.close()


# ---- what is there twice ---------------------------------------------------------------------------------------------------


def test_copies_of_the_volume_section_that_differ_are_said(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, SHORT, extensions=("E01", "E02"))
    path, body, _ = made.where("data")
    fix(path, body, 1048, bytes(4) + (1000).to_bytes(4, "little"))
    _, medium, warnings = open_evidence(path)
    assert ["says other sizes than the set's first" in w for w in warnings] == [True]
    medium.close()


def test_a_damaged_copy_of_the_volume_section_is_said(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, SHORT, extensions=("E01", "E02"))
    path, body, _ = made.where("data")
    damage(path, body + 500)
    _, medium, warnings = open_evidence(path)
    assert ["a copy of the volume section, has a wrong checksum" in w for w in warnings] == [True]
    assert medium.read_at(0, len(SHORT)) == SHORT
    medium.close()


def test_a_chunk_count_that_does_not_fit_the_sectors_is_said(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, SHORT)
    path, body, _ = made.where("volume")
    fix(path, body, 1048, bytes(4) + (7).to_bytes(4, "little"))
    _, medium, warnings = open_evidence(path)
    assert warnings == ["image.E01: 67 sectors take 9 chunks and the volume section says 7"]
    medium.close()


def test_headers_that_differ_are_said(tmp_path: Path) -> None:
    other = zlib.compress(header_text({**FACTS, "c": "2024-18"}).encode("utf-16"))
    made = write_ewf(tmp_path, SHORT, header2=other)
    _, medium, warnings = open_evidence(made.paths[0])
    assert warnings == ["image.E01: the headers differ about the case number: 2024-18 and 2024-17"]
    medium.close()


def test_a_hash_section_that_contradicts_the_digest_section_is_said(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, SHORT)
    path, body, _ = made.where("hash")
    fix(path, body, 32, bytes(range(1, 17)))
    _, medium, warnings = open_evidence(path)
    assert ["stores another MD5" in w for w in warnings] == [True]
    medium.close()


def test_a_segment_named_like_another_is_said(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, SHORT, extensions=("E01", "E02"))
    moved = made.paths[1].rename(tmp_path / "image.E07")
    _, medium, warnings = open_evidence(made.paths[0])
    assert warnings == ["image.E07 is named like segment 7 and says that it is segment 2: it was taken for that"]
    assert medium.read_at(0, len(SHORT)) == SHORT
    medium.close()
    assert moved.exists()


def test_offsets_past_2_gib_use_all_32_bits() -> None:
    """EnCase 6.7: from the first offset over 2 GiB on, bit 31 is part of the offset and no flag is left."""
    size = 32768
    lengths = [20_000, size + 4, 30_000, size + 4, 111, size + 4, 500, size + 4]
    starts = [0x7FFFFFFF - 60_000]
    for length in lengths[:-1]:
        starts.append(starts[-1] + length)
    packed = [length != size + 4 for length in lengths]
    crossed = next(n for n, start in enumerate(starts) if start > 0x7FFFFFFF)
    stored = [s | 0x80000000 if p and n < crossed else s for n, (s, p) in enumerate(zip(starts, packed, strict=True))]
    offsets, compressed = ewf.decode_offsets(np.array(stored, dtype=np.int64), size)
    assert 0 < crossed < len(starts) - 2
    assert offsets.tolist() == starts
    assert compressed.tolist()[:-1] == packed[:-1]  # the last one's length is not known here: the reader tries both


@given(st.lists(st.integers(20, 4100), min_size=2, max_size=50), st.integers(0, (1 << 31) + 60_000), st.data())
def test_a_chunks_place_is_what_the_table_as_a_whole_says(lengths: list[int], first: int, data: st.DataObject) -> None:
    """Below 2 GiB, above, and on both sides: where the flags are lost, all 32 bits are the offset."""
    offsets = [first + sum(lengths[:n]) for n in range(len(lengths))]
    wide = next((n for n, offset in enumerate(offsets) if offset >= 1 << 31), len(offsets))
    packed = [data.draw(st.booleans()) for _ in offsets]
    stored = np.array([o | (1 << 31 if p and n < wide else 0) for n, (o, p) in enumerate(zip(offsets, packed, strict=True))], np.int64)
    table = Table(0, array("I", stored.astype("=u4").tobytes()), 0, offsets[-1] + lengths[-1], ewf.first_wide(stored), 4096)
    whole, flags = ewf.decode_offsets(stored, 4096)
    for n in range(len(offsets)):
        offset, length, deflated = table.place(n)
        assert (offset, deflated) == (int(whole[n]), bool(flags[n]))
        if n + 1 < len(offsets) and int(whole[n + 1]) > offset:
            assert length == int(whole[n + 1]) - offset


def test_an_index_of_millions_of_chunks_takes_few_bytes_each(tmp_path: Path) -> None:
    """A terabyte in chunks of 32 KiB has 30 million of them, and each worker holds its own index."""
    (tmp_path / "a").touch()
    tracemalloc.start()
    index = EwfIndex(chunk_size=32768, chunk_count=2_000_000, sectors=128_000_000)
    for _ in range(200):
        index.tables.append(Table(0, array("I", np.arange(10_000, dtype="=u4").tobytes()), 0, 10_000, 10_000, 32768))
    medium = EwfMedium([tmp_path / "a"], index)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    medium.close()
    assert taken < 6 * index.chunk_count


def test_offsets_below_2_gib_keep_their_flags() -> None:
    stored = np.array([76, 5000 | 0x80000000, 5100, 0x7FFFFFFF], dtype=np.int64)
    offsets, compressed = ewf.decode_offsets(stored, 4096)
    assert offsets.tolist() == [76, 5000, 5100, 0x7FFFFFFF]
    assert compressed.tolist() == [False, True, False, False]


@pytest.mark.parametrize("size", [4096, 1536])
def test_a_plain_chunk_whose_flag_was_lost_is_still_read(size: int, tmp_path: Path) -> None:
    """The last chunk of a table over 2 GiB is taken for a deflated one; its own checksum says that it is plain."""
    data = sample(2 * 4096 + size)
    made = write_ewf(tmp_path, data, packed=lambda n: False)
    medium = EwfMedium(made.paths)
    medium._packed = [True] * 3
    assert medium.read_at(0, len(data)) == data
    medium.close()
    damage(made.paths[0], made.where("sectors")[1] + 3)
    medium = EwfMedium(made.paths)
    medium._packed = [True] * 3
    with pytest.raises(DamagedRangeError):
        medium.read_at(0, 1)
    medium.close()


# ---- facts -----------------------------------------------------------------------------------------------------------------


def test_acquisition_facts_are_read_by_their_names(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, SHORT, facts=FACTS)
    assert read_index(made.paths).facts == {
        "case number": "2024-17", "evidence number": "EX-3", "description": "a card", "examiner": "R. Examiner", "notes": "notes",
        "acquired with": "3", "acquired on": "Linux", "acquired": "1970-01-01T00:00:00Z", "system date": "1970-01-01T00:00:00Z",
    }


def test_header2_is_utf_16_and_goes_before_header(tmp_path: Path) -> None:
    text = header_text({"c": "дело 7", "e": "名前", "sn": "S/1"})
    made = write_ewf(tmp_path, SHORT, facts={"c": "other", "t": "only here"}, header2=zlib.compress(text.encode("utf-16")))
    assert read_index(made.paths).facts == {"case number": "дело 7", "examiner": "名前", "serial number": "S/1"}


HOSTILE = ["\x1b]0;owned\x07\x1b[2J", "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "a\u2028b\u2029c", "x\x0by\x0cz\x1c\x1d\x1e",
           "rtl\u202egpj.exe", "\x85next", "\ud7ff\ufffd", "\N{PILE OF POO}" * 50]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_a_header_stays_one_inert_value(text: str, tmp_path: Path) -> None:
    body = zlib.compress(header_text({"t": f"A{text}B", "c": "after it"}).encode("utf-16"))
    made = write_ewf(tmp_path, SHORT, header2=body)
    evidence, medium, _ = open_evidence(made.paths[0])
    medium.close()
    assert evidence.facts["notes"] == f"A{text}B", "kept as it is; what people see goes through escape.show"
    assert evidence.facts["case number"] == "after it", "no value may push the next one out of its place"
    assert not any(c in show(evidence.facts["notes"]) for c in "\x1b\x07\u202e\u2028\x0b")


@settings(max_examples=80, deadline=None)
@given(body=st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(zlib.compress),
                      st.text(max_size=200).map(lambda t: zlib.compress(("1\nmain\n" + t).encode("utf-16", "surrogatepass")))),
       kind=st.sampled_from(["header", "header2"]))
def test_any_header_gives_text_or_nothing(body: bytes, kind: str) -> None:
    facts = read_facts(body, kind)
    assert all(isinstance(k, str) and isinstance(v, str) and v for k, v in facts.items())


def test_a_header_that_inflates_to_gigabytes_is_cut(tmp_path: Path) -> None:
    bomb = zlib.compress(b"1\nmain\nc\tt\nseven\t" + b"A" * (64 << 20))
    made = write_ewf(tmp_path, SHORT, header2=bomb)
    assert sum(map(len, read_index(made.paths).facts.values())) <= 2 << 20


# ---- what is left to libewf ------------------------------------------------------------------------------------------------


def test_a_set_without_any_volume_section_is_left_to_libewf(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, SHORT)
    raw = bytearray(made.paths[0].read_bytes())
    _, body, _ = made.where("volume")
    raw[body - 76 : body - 4] = raw[body - 76 : body - 4].replace(b"volume\0", b"unheard")
    raw[body - 4 : body] = zlib.adler32(bytes(raw[body - 76 : body - 4])).to_bytes(4, "little")
    made.paths[0].write_bytes(raw)
    with pytest.raises(DamagedSetError, match="before any volume section"):
        read_index(made.paths)


@pytest.mark.parametrize("count", [0, 7])
def test_what_the_acquisition_could_not_read_is_a_warning(count: int) -> None:
    index = EwfIndex()
    read_small(index, "error2", struct.pack("<I", count) + bytes(516), "image.E01")
    assert index.facts["acquisition errors"] == str(count)
    assert [w for w in index.warnings if "could not read 7 stretches" in w] == index.warnings
    assert bool(index.warnings) == bool(count)
