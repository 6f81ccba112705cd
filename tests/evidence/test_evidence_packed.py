"""What is compressed as a whole: any place can be read, all of it is there, and what is cut or damaged is said."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zlib
from typing import TYPE_CHECKING

import inflate64
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.errors import EvidenceError
from triage.evidence import decoders
from triage.evidence.inflated import Inflated
from triage.evidence.medium import DamagedRangeError
from triage.evidence.opening import open_evidence, reopen

if TYPE_CHECKING:
    from pathlib import Path

RNG = random.Random(7)
DISK = b"".join(RNG.randbytes(900) * RNG.randrange(1, 400) for _ in range(60))
PACKERS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


def inflated(packed: bytes, size: int | None) -> Inflated:
    return Inflated(lambda at, length: packed[at : at + length], len(packed), -zlib.MAX_WBITS, size)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 3000)), max_size=30), st.integers(1, 5000), st.integers(1, 70_000))
def test_deflate64_comes_out_whole_in_whatever_pieces(parts: list[tuple[bytes, int]], given_: int, most: int) -> None:
    plain = b"".join(part * many for part, many in parts)
    packer = inflate64.Deflater()
    packed = packer.deflate(plain) + packer.flush()
    stream, out, at = decoders.deflate64_decoder(), b"", 0
    while not stream.eof:
        piece = b""
        if stream.needs_input:
            piece, at = packed[at : at + given_], at + given_
            assert piece, "it wants more than there is"
        came = stream.decompress(piece, most)
        assert len(came) <= most
        out += came
    assert out == plain


@settings(max_examples=40, deadline=None)
@given(places=st.lists(st.tuples(st.integers(0, len(DISK) + 100), st.integers(0, 1 << 20)), max_size=8))
def test_any_place_can_be_read_in_any_order(places: list[tuple[int, int]]) -> None:
    stream = inflated(zlib.compress(DISK, 1)[2:-4], len(DISK))
    for offset, length in places:
        assert stream.read_at(offset, length) == DISK[offset : offset + length]


def test_going_back_does_not_begin_anew() -> None:
    taken = []
    packed = zlib.compress(DISK, 1)[2:-4]

    def read_at(offset: int, length: int) -> bytes:
        taken.append(length)
        return packed[offset : offset + length]

    stream = Inflated(read_at, len(packed), -zlib.MAX_WBITS, len(DISK))
    stream.read_at(len(DISK) - 10, 10)
    taken.clear()
    stream.read_at(len(DISK) - 5_000_000, 10)
    assert sum(taken) < len(packed) / 2


@pytest.mark.parametrize("kind", PACKERS)
def test_a_compressed_image_is_read_as_the_medium_that_it_holds(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "disk.raw.packed"
    path.write_bytes(PACKERS[kind](DISK))
    evidence, medium, warnings = open_evidence(path)
    assert (evidence.kind, evidence.size, warnings) == (f"raw.{kind}", len(DISK), [])
    assert medium.read_at(len(DISK) - 3000, 5000) == DISK[-3000:]
    medium.close()
    again = reopen(evidence)
    assert again.read_at(1_000_000, 4096) == DISK[1_000_000:1_004_096]
    again.close()


def test_streams_that_follow_each_other_are_one_medium(tmp_path: Path) -> None:
    path = tmp_path / "disk.gz"
    path.write_bytes(gzip.compress(DISK[:100_000]) + gzip.compress(DISK[100_000:]))
    evidence, medium, _ = open_evidence(path)
    assert evidence.size == len(DISK)
    assert medium.read_at(99_990, 20) == DISK[99_990:100_010]
    medium.close()


@pytest.mark.parametrize("kind", PACKERS)
def test_a_cut_one_gives_what_there_is_and_says_so(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "disk.packed"
    packed = PACKERS[kind](RNG.randbytes(2_000_000))
    path.write_bytes(packed[: len(packed) // 2])
    if kind != "gzip":  # of these one block that is not whole gives nothing
        path.write_bytes(packed[: len(packed) * 9 // 10] if kind == "bzip2" else packed[:-100])
    evidence, medium, warnings = open_evidence(path)
    medium.close()
    assert 0 < evidence.size < 2_000_000
    assert "damaged or cut" in warnings[0]


def test_what_is_missing_at_the_end_is_an_error_where_it_is_asked_for() -> None:
    text = bytes(RNG.choices(b"abcdefgh ", k=3_000_000))
    packed = zlib.compress(text, 6)[2:-4]
    stream = inflated(packed[: len(packed) // 2], 3_000_000)
    assert len(stream.read_at(0, 1_000_000)) == 1_000_000
    with pytest.raises(OSError, match="end too early"):
        stream.read_at(2_500_000, 500_000)


def test_an_archive_that_is_compressed_as_a_whole_is_listed(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        info = tarfile.TarInfo("a.txt")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"hello"))
    (tmp_path / "x.tgz").write_bytes(out.getvalue())
    evidence, medium, _ = open_evidence(tmp_path / "x.tgz")
    medium.close()
    assert evidence.kind == "tar.gzip"


def test_another_container_in_it_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"%PDF-1.7\n%\xe2\xe3" + bytes(600)))
    with pytest.raises(EvidenceError, match="holds a PDF document") as refused:
        open_evidence(tmp_path / "x.gz")
    assert refused.value.hint


def test_damaged_ones_never_break_it(tmp_path: Path) -> None:
    rng = random.Random(3)
    good = gzip.compress(RNG.randbytes(20_000) + bytes(20_000))
    for number in range(60):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(3, len(data))] = rng.randrange(256)
        path = tmp_path / f"{number}.gz"
        path.write_bytes(data)
        try:
            evidence, medium, _ = open_evidence(path)
        except EvidenceError:
            continue
        try:
            medium.read_at(0, evidence.size)
        except DamagedRangeError:
            pass
        finally:
            medium.close()


def test_bytes_of_a_decoder_that_cannot_be_copied_come_again_too() -> None:
    packed = bz2.compress(DISK[:500_000])
    stream = Inflated(lambda at, length: packed[at : at + length], len(packed), decoders.bzip2_decoder, 500_000)
    assert stream.read_at(400_000, 100) == DISK[400_000:400_100]
    assert stream.read_at(100, 100) == DISK[100:200]
