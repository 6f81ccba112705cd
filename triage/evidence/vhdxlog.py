"""The log of a VHDX file: writes to its tables that were not put in when it was closed. They are put in here, in memory.

Source: [MS-VHDX], section 2.3 (log): entries of whole 4096 bytes, each with a checksum; the active sequence is the newest whole one.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from triage.evidence.medium import Medium

SECTOR = 4096
LARGEST = 16 << 20
"""Bytes of the largest log that is put in; Hyper-V's and QEMU's have one mebibyte."""
_MOST_ZEROS = 4096


class _Entry(NamedTuple):
    """One entry: its place in the log, its length, where the sequence begins, its number, how many descriptors it has."""

    at: int
    length: int
    tail: int
    sequence: int
    descriptors: int


class Log(NamedTuple):
    """What is to be put in: pages of 4096 bytes by their place, stretches of zeros; whether anything could be made of the log."""

    pages: dict[int, bytes]
    zeros: list[tuple[int, int]]
    whole: bool


@cache
def _table() -> tuple[int, ...]:
    """Return what each byte becomes by the polynomial of Castagnoli (RFC 3720, appendix B.4)."""
    found = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        found.append(value)
    return tuple(found)


def crc32c(data: bytes) -> int:
    """Return the CRC-32C: the fast one that the file systems have is of another room."""
    table, state = _table(), 0xFFFFFFFF
    for byte in data:
        state = state >> 8 ^ table[(state ^ byte) & 0xFF]
    return state ^ 0xFFFFFFFF


def checked(raw: bytes, signature: bytes, length: int) -> bool:
    """Whether a structure begins with its signature and has the CRC-32C that stands behind that."""
    if len(raw) < length or not raw.startswith(signature):
        return False
    return crc32c(raw[:4] + bytes(4) + raw[8:length]) == int.from_bytes(raw[4:8], "little")


def read_log(file: Medium, at: int, length: int, identifier: bytes) -> Log:
    """Return what the active sequence of a log writes; raise ``OSError``."""
    raw = file.read_at(at, length) if at < file.size and length <= LARGEST else b""
    raw = raw[: len(raw) // SECTOR * SECTOR]
    entries = _entries(raw, identifier)
    best: list[_Entry] = []
    seen: set[int] = set()
    for entry in sorted(entries.values(), key=lambda one: one.sequence):
        if entry.at in seen:
            continue
        chain = [entry]
        while len(chain) <= len(entries):
            seen.add(chain[-1].at)
            following = entries.get((chain[-1].at + chain[-1].length) % len(raw))
            if following is None or following.sequence != chain[-1].sequence + 1:
                break
            chain.append(following)
        places = [one.at for one in chain]
        # The newest entry says where the sequence begins: what stands before is done, and without it nothing counts.
        if chain[-1].tail in places and (not best or chain[-1].sequence > best[-1].sequence):
            best = chain[places.index(chain[-1].tail) :]
    log = Log({}, [], whole=bool(best))
    for entry in best:
        _put_in(log, _wrapped(raw, entry.at, entry.length), entry)
    return log if len(log.zeros) <= _MOST_ZEROS else Log({}, [], whole=False)


def _wrapped(raw: bytes, at: int, length: int) -> bytes:
    """Return a stretch of the log, which goes on at its beginning."""
    return (raw[at : at + length] + raw[: max(0, at + length - len(raw))])[:length]


def _entries(raw: bytes, identifier: bytes) -> dict[int, _Entry]:
    found: dict[int, _Entry] = {}
    budget = 2 * len(raw)  # entries hardly overlap, those that are written over with others: more was not written so
    for at in range(0, len(raw), SECTOR):
        if raw[at : at + 4] != b"loge" or raw[at + 32 : at + 48] != identifier:
            continue
        length, tail, sequence, many = struct.unpack_from("<IIQI", raw, at + 8)
        if not SECTOR <= length <= len(raw) or length % SECTOR or tail % SECTOR or many > length // 32:
            continue
        budget -= length
        if budget >= 0 and checked(_wrapped(raw, at, length), b"loge", length):
            found[at] = _Entry(at, length, tail, sequence, many)
    return found


def _put_in(log: Log, raw: bytes, entry: _Entry) -> None:
    data = -(-(64 + 32 * entry.descriptors) // SECTOR) * SECTOR
    for number in range(entry.descriptors):
        kind, trailing, leading, place, sequence = struct.unpack_from("<4s4s8sQQ", raw, 64 + number * 32)
        if sequence != entry.sequence or place % SECTOR:
            continue
        if kind == b"zero" and len(log.zeros) <= _MOST_ZEROS:
            length = int.from_bytes(leading, "little")
            log.zeros.append((place, length))
            for written in [one for one in log.pages if place <= one < place + length]:
                del log.pages[written]
        elif kind == b"desc":
            page = raw[data : data + SECTOR]
            data += SECTOR
            if len(page) == SECTOR and page.startswith(b"data"):
                log.pages[place] = leading + page[8:4092] + trailing


class ReplayedMedium:
    """A file with the writes of its log put in."""

    def __init__(self, below: Medium, log: Log) -> None:
        self.sector_size, self.damaged = below.sector_size, below.damaged
        self._below, self._log = below, log
        self.size = max([below.size, *(place + SECTOR for place in log.pages if place < below.size + (1 << 30))])

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        length = max(0, min(length, self.size - offset))
        data = self._below.read_at(offset, length) if offset < self._below.size else b""
        end = offset + length
        touched = [(place, size) for place, size in self._log.zeros if place < end and place + size > offset]
        first = offset // SECTOR * SECTOR
        if length <= len(self._log.pages) * SECTOR:
            pages = [page for page in range(first, end, SECTOR) if page in self._log.pages]
        else:
            pages = [page for page in self._log.pages if first <= page < end]
        if not touched and not pages and len(data) == length:
            return data
        whole = bytearray(data.ljust(length, b"\0"))
        for place, size in touched:
            start, stop = max(place, offset), min(place + size, end)
            whole[start - offset : stop - offset] = bytes(stop - start)
        for page in pages:
            start, stop = max(page, offset), min(page + SECTOR, end)
            whole[start - offset : stop - offset] = self._log.pages[page][start - page : stop - page]
        return bytes(whole)

    def close(self) -> None:
        """Close the file."""
        self._below.close()
