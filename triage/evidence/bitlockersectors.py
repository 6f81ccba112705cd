"""The sectors of a BitLocker volume, decrypted: where they lie, and how each is encrypted.

Source: libbde, "BitLocker Drive Encryption (BDE) format", section 4; N. Ferguson, "AES-CBC + Elephant diffuser" (Microsoft, 2006).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from triage.evidence.medium import Medium

    Words = NDArray[np.uint32]

_METADATA = 64 << 10
"""How much of the volume each copy of the metadata takes; in the decrypted volume it is zeros."""
_PIECE = 1 << 20
_DIFFUSED, _XTS = (0x8000, 0x8001), (0x8004, 0x8005)
_LENGTHS = {0x8000: 16, 0x8001: 32, 0x8002: 16, 0x8003: 32, 0x8004: 32, 0x8005: 64}


class Layout(NamedTuple):
    """Where things lie, in bytes from the volume's start. ``moved``: where its first ``header`` bytes lie; ``encrypted``: its end."""

    size: int
    sector: int
    method: int
    encrypted: int
    moved: int
    header: int
    metadata: tuple[int, ...]
    version: int
    state: int


class BitlockerMedium:
    """A decrypted BitLocker volume."""

    def __init__(self, volume: Medium, layout: Layout, key: bytes) -> None:
        """Raise ``ValueError`` when the key is too short for the method."""
        length = _LENGTHS[layout.method]
        if len(key) < (64 if layout.method in _DIFFUSED else length):
            raise ValueError("the key of its sectors is too short")
        self.size = layout.size // layout.sector * layout.sector
        self.sector_size = 512
        self.damaged = volume.damaged
        self._volume, self._layout = volume, layout
        self._key = key[:length]
        self._tweak = key[32 : 32 + length]
        self._zeros = _stretches(layout)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        length = max(0, min(length, self.size - offset))
        sector = self._layout.sector
        pieces, at, end = [], offset // sector * sector, -(-(offset + length) // sector) * sector
        while at < end:
            piece = self._piece(at, end)
            pieces.append(piece)
            at += len(piece)
        data = b"".join(pieces)
        skip = offset % sector
        return data[skip : skip + length]

    def _piece(self, at: int, end: int) -> bytes:
        """Return decrypted sectors from one on, as far as they lie in a row, at least one."""
        layout = self._layout
        end = min(end, at + _PIECE)
        if at < layout.header:
            end = min(end, layout.header)
            return self._decrypted(layout.moved + at, end - at)
        for begin, stop in self._zeros:
            if begin <= at < stop:
                return bytes(min(end, stop) - at)
            if at < begin:
                end = min(end, begin)
        if at >= layout.encrypted:
            return self._volume.read_at(at, end - at).ljust(end - at, b"\0")
        return self._decrypted(at, min(end, layout.encrypted) - at)

    def _decrypted(self, at: int, length: int) -> bytes:
        """Return whole sectors at a place of the volume, decrypted: each by where it lies."""
        data = self._volume.read_at(at, length)
        if len(data) < length:  # the evidence is cut: what is not there is no sector
            data = data[: len(data) // self._layout.sector * self._layout.sector]
            return (self._sectors(at, data) if data else b"").ljust(length, b"\0")
        return self._sectors(at, data)

    def _sectors(self, at: int, data: bytes) -> bytes:
        sector, method = self._layout.sector, self._layout.method
        if method in _XTS:
            algorithm, first = algorithms.AES(self._key), at // sector
            return b"".join(
                Cipher(algorithm, modes.XTS((first + number).to_bytes(16, "little"))).decryptor().update(data[begin : begin + sector])
                for number, begin in enumerate(range(0, len(data), sector))
            )
        places = range(at, at + len(data), sector)
        cipher = np.frombuffer(data, np.uint32).reshape(-1, sector // 16, 4)
        chained = Cipher(algorithms.AES(self._key), modes.CBC(bytes(16))).decryptor().update(data)
        plain = np.frombuffer(chained, np.uint32).reshape(cipher.shape).copy()
        plain[1:, 0] ^= cipher[:-1, -1]  # each sector begins a chain of its own
        plain[:, 0] ^= _encrypted(self._key, places)
        if method in _DIFFUSED:
            words = np.ascontiguousarray(plain.reshape(len(plain), -1).T)
            _diffuse(words, (0, 10, 0, 25), 3, 2, 5)
            _diffuse(words, (9, 0, 13, 0), 5, -2, -5)
            second = [place | 0x80 << 120 for place in places]
            keys = np.concatenate((_encrypted(self._tweak, places), _encrypted(self._tweak, second)), axis=1)
            plain = np.ascontiguousarray(words.T) ^ np.tile(keys, (1, sector // 32))
        return plain.tobytes()

    def close(self) -> None:
        """Close the files below."""
        self._volume.close()


def _encrypted(key: bytes, blocks: Iterable[int]) -> Words:
    """Return each block (a number of 16 bytes, the lowest first) encrypted by itself, a row of four words each.

    One chain does it: what the chain adds to a block is taken away before.
    """
    encryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor()
    found, last = [], 0
    for block in blocks:
        one = encryptor.update((block ^ last).to_bytes(16, "little"))
        last = int.from_bytes(one, "little")
        found.append(one)
    return np.frombuffer(b"".join(found), np.uint32).reshape(-1, 4)


def _stretches(layout: Layout) -> list[tuple[int, int]]:
    """Return what is zeros in the decrypted volume, in order: the metadata's copies and the place that its header was moved to."""
    found = [(begin, begin + _METADATA) for begin in layout.metadata if 0 < begin < layout.size]
    if layout.header:
        found.append((layout.moved, layout.moved + layout.header))
    return sorted((begin // layout.sector * layout.sector, -(-stop // layout.sector) * layout.sector) for begin, stop in found)


def _diffuse(words: Words, turns: tuple[int, ...], rounds: int, near: int, far: int) -> None:
    """Undo one of the two diffusers, of all sectors at once: to each word is added the word ``near``, with the word ``far`` turned left.

    ``words`` has a row for each 32-bit word of a sector.
    """
    many = len(words)
    for number in range(many * rounds):
        other, turn = words[(number + far) % many], turns[number % 4]
        if turn:
            other = other << np.uint32(turn) | other >> np.uint32(32 - turn)
        words[number % many] += words[(number + near) % many] ^ other
