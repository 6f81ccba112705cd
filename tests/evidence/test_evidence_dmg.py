"""Apple's disk images: every packing gives the bytes of the disk, checksums are kept, what is not read or damaged is said."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING

import pytest
from virtual_makers import IDENTIFIER, all_of, by_qemu, disk, dmg, mutants, needs_qemu, readable, same
from virtual_samples import EVIDENCE, needs_samples

from triage.errors import EvidenceError
from triage.evidence.adc import adc
from triage.evidence.dmg import DmgMedium
from triage.evidence.medium import DamagedRangeError
from triage.evidence.opening import open_evidence, reopen

if TYPE_CHECKING:
    from pathlib import Path

RAW = disk()
RAW_KIND, ADC, ZLIB, BZIP2, LZFSE, LZMA = 1, 0x80000004, 0x80000005, 0x80000006, 0x80000007, 0x80000008


def literals(raw: bytes) -> bytes:
    """ADC without copies."""
    return b"".join(bytes([0x80 | len(raw[at : at + 128]) - 1]) + raw[at : at + 128] for at in range(0, len(raw), 128))


class TestRealSamples:
    pytestmark = needs_samples

    @pytest.mark.parametrize(("name", "right"), [("dfvfs", 7), ("plaso", 8)])
    def test_all_checksums_that_they_keep_are_right(self, name: str, right: int) -> None:
        _, medium, warnings = open_evidence(EVIDENCE / "images" / name / "hfsplus_zlib.dmg")
        assert not warnings
        assert isinstance(medium, DmgMedium)
        assert medium.check() == (right, [])

    @needs_qemu
    @pytest.mark.parametrize("name", ["dfvfs", "plaso"])
    def test_the_disk_is_what_qemu_reads(self, name: str, tmp_path: Path) -> None:
        path = EVIDENCE / "images" / name / "hfsplus_zlib.dmg"
        (tmp_path / "a.dmg").write_bytes(path.read_bytes())
        assert same(all_of(open_evidence(path)[1]), by_qemu(tmp_path / "a.dmg", "dmg"))

    def test_a_flat_one_stays_a_raw_disk(self) -> None:
        assert open_evidence(EVIDENCE / "images" / "strelka" / "test.dmg")[0].kind == "raw"


@pytest.mark.parametrize(
    "kinds", [(ZLIB,), (BZIP2,), (LZMA,), (ADC,), (LZFSE,), (RAW_KIND, ZLIB), (ADC, ZLIB, RAW_KIND, BZIP2, LZFSE, LZMA)]
)
def test_every_packing(kinds: tuple[int, ...], tmp_path: Path) -> None:
    (tmp_path / "of_no_type").write_bytes(dmg(RAW, kinds, adc=literals))
    evidence, medium, warnings = open_evidence(tmp_path / "of_no_type")
    assert evidence.kind == "dmg"
    assert not warnings
    assert evidence.facts["partitions"] == "part 0, part 1"
    assert evidence.facts["disk identifier"] == str(IDENTIFIER)
    assert isinstance(medium, DmgMedium)
    assert medium.check() == (2, [])
    assert same(all_of(medium), RAW)
    assert same(all_of(reopen(evidence)), RAW)


def test_adc_copies() -> None:
    assert adc(b"\x82abc" + bytes([0x08, 0x02]) + b"\x80x", 100) == b"abcabcabx"
    assert adc(b"\x80a" + bytes([0x40 | 6, 0, 0]), 100) == b"a" * 11
    assert adc(b"\x80a" + bytes([0x40 | 63, 0, 0]), 9) == b"a" * 9
    with pytest.raises(ValueError, match="before the beginning"):
        adc(b"\x80a" + bytes([0x40, 0, 1]), 100)
    rng = random.Random(1)
    for _ in range(500):
        with contextlib.suppress(ValueError):
            assert len(adc(rng.randbytes(rng.randrange(80)), 1000)) <= 1000


def test_a_packing_that_is_not_known_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(dmg(RAW, (0x80000009, ZLIB)))
    _, medium, warnings = open_evidence(tmp_path / "a")
    assert len(warnings) == 1
    assert warnings[0].endswith("bytes of the virtual disk cannot be read: it is packed in a way that is not read")
    found = readable(medium)
    assert found.count(b"?" * 4096) > 0
    assert all(one in (RAW[at], ord("?")) for at, one in enumerate(found))


def test_an_encrypted_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"encrcdsa" + RAW)
    with pytest.raises(EvidenceError, match="encrypted Apple disk image"):
        open_evidence(tmp_path / "a")


def test_a_changed_byte_shows_in_the_checksums(tmp_path: Path) -> None:
    made = bytearray(dmg(RAW, (RAW_KIND,)))
    made[100] ^= 1
    (tmp_path / "a").write_bytes(made)
    _, medium, _ = open_evidence(tmp_path / "a")
    assert isinstance(medium, DmgMedium)
    right, wrong = medium.check()
    assert right == 1
    assert wrong[0].startswith("part 0: its data have the checksum")


def test_a_damaged_chunk_is_one_read_error(tmp_path: Path) -> None:
    made = bytearray(dmg(RAW))
    made[4:40] = b"\xff" * 36
    (tmp_path / "a").write_bytes(made)
    _, medium, _ = open_evidence(tmp_path / "a")
    found = readable(medium)
    lost = found.index(b"?")
    assert found[lost : lost + 32768] == b"?" * 32768
    assert same(found[:lost] + found[lost + 32768 :], RAW[:lost] + RAW[lost + 32768 :])
    with pytest.raises(DamagedRangeError) as caught:
        medium.read_at(lost + 600, 10)
    assert (caught.value.offset, caught.value.length) == (lost, 32768)


@pytest.mark.parametrize("sectors", [1 << 51, (1 << 64) - 1])
def test_a_size_that_lies_is_refused_at_once(sectors: int, tmp_path: Path) -> None:
    made = bytearray(dmg(RAW))
    made[-20:-12] = sectors.to_bytes(8, "big")
    (tmp_path / "a").write_bytes(made)
    with pytest.raises(EvidenceError, match="states a size"):
        open_evidence(tmp_path / "a")


def test_what_no_table_tells_of_is_no_zeros(tmp_path: Path) -> None:
    made = bytearray(dmg(RAW))
    made[-20:-12] = (len(RAW) // 512 + 8).to_bytes(8, "big")
    (tmp_path / "a").write_bytes(made)
    _, medium, warnings = open_evidence(tmp_path / "a")
    assert warnings == ["4096 bytes of the virtual disk cannot be read: no table tells of it"]
    with pytest.raises(DamagedRangeError, match="no table"):
        medium.read_at(len(RAW), 512)


def test_no_damage_does_harm(tmp_path: Path) -> None:
    made = dmg(disk(1 << 19), (ADC, ZLIB, RAW_KIND, BZIP2, LZMA), adc=literals)
    at = made.index(b"<plist>")
    opened = 0
    for raw in mutants(made, [(0, at), (at, len(made) - at - 512), (len(made) - 512, 512)], 200):
        (tmp_path / "a").write_bytes(raw)
        try:
            _, medium, _ = open_evidence(tmp_path / "a")
        except EvidenceError:
            continue
        opened += 1
        readable(medium, most=150)
        medium.close()
    assert opened > 20
