"""LZFSE: real blocks of both kinds, every code of LZVN, damage.

``lzfse.bin`` has the chunks of ``testdata/cli/basic-lzfse.dmg`` of go-apfs-v2 (MIT, Copyright (c) 2024 Deployment Theory), which hdiutil
packed: lengths before and after, the SHA-256 of what comes out, what is packed.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import struct
import time
from pathlib import Path

import pytest

from triage.evidence.lzfse import LzfseError, lzfse


def samples() -> list[tuple[bytes, int, bytes]]:
    data, at, found = (Path(__file__).parent / "lzfse.bin").read_bytes(), 0, []
    while at < len(data):
        packed, size = struct.unpack_from("<II", data, at)
        found.append((data[at + 40 : at + 40 + packed], size, data[at + 8 : at + 40]))
        at += 40 + packed
    return found


SAMPLES = samples()


def test_real_blocks_become_what_was_packed() -> None:
    assert sorted((raw[:4], size) for raw, size, _ in SAMPLES) == [(b"bvx2", 16384), (b"bvx2", 436057), *[(b"bvxn", 512)] * 3]
    for raw, size, digest in SAMPLES:
        assert hashlib.sha256(lzfse(raw, size)).digest() == digest
        assert lzfse(raw, 100) == lzfse(raw, size)[:100]


def lzvn(payload: bytes, size: int, before: bytes = b"") -> bytes:
    """Return what a payload becomes behind some bytes that are as they are."""
    head = b"bvx-" + struct.pack("<I", len(before)) + before
    return lzfse(head + b"bvxn" + struct.pack("<II", size, len(payload)) + payload + b"bvx$", len(before) + size)[len(before) :]


@pytest.mark.parametrize(
    ("payload", "becomes"),
    [
        (b"\xe3abc", b"abc"),
        (b"\xe0\x02" + b"x" * 18, b"x" * 18),
        (bytes([0x40 | 0 << 3 | 0, 3]) + b"x", b"x" + b"89x"),  # one literal, three from three before
        (bytes([2 << 6 | 1 << 3 | 0, 6]) + b"yz", b"yz6789"),
        (bytes([0xA0 | 1 << 3 | 1, 4 << 2 & 0xFF | 2, 0]) + b"q", b"q" + b"789q" * 2 + b"7"),
        (bytes([1 << 6 | 2 << 3 | 7, 10, 0]) + b"w", b"w" + b"12345"),
        (bytes([0, 5]) + bytes([0x0E, 0x16]) + bytes([1 << 6 | 6]) + b"k", b"567" + b"k" + b"956"),  # once more from five before
        (bytes([0, 10]) + b"\xf2", b"01234"),
        (bytes([0, 10]) + b"\xf0\x01", b"012" + (b"3456789012" * 2)[:17]),
    ],
    ids=["literals", "many literals", "small distance", "two literals", "medium distance", "large distance", "same", "short", "long"],
)
def test_every_code_of_lzvn(payload: bytes, becomes: bytes) -> None:
    assert lzvn(payload, len(becomes), b"0123456789") == becomes


@pytest.mark.parametrize("payload", [b"\x06", b"\x1e", b"\x70", b"\xd0", b"\xe9ab", b"", b"\x00\x00", b"\x00\x0b", b"\xa0"])
def test_payloads_that_cannot_be(payload: bytes) -> None:
    with pytest.raises(LzfseError):
        lzvn(payload, 50, b"0123456789")


@pytest.mark.parametrize("raw", [b"", b"bvx", b"bvx2", b"bvx2" + bytes(40), b"bvx1" + bytes(100), SAMPLES[-1][0][:-2000]])
def test_streams_that_cannot_be(raw: bytes) -> None:
    with pytest.raises(LzfseError):
        lzfse(raw, 1 << 20)


def test_damage_never_breaks_it_or_takes_long() -> None:
    rng = random.Random(1)
    begun = time.process_time()
    for _ in range(400):
        raw, size, _ = SAMPLES[rng.randrange(4)]
        data = bytearray(raw)
        for _ in range(rng.choice((1, 3, 20))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        with contextlib.suppress(LzfseError):
            assert len(lzfse(bytes(data), size)) <= size
    assert time.process_time() - begun < 20
