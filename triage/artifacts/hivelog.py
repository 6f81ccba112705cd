"""What the logs beside a registry hive hold that the hive does not yet: its newest changes, put where they belong.

Layout by Maxim Suhanov, "Windows registry file format specification", sections "Old format" and "New format" of transaction logs
(little-endian). Both begin with 512 bytes of a hive's base block. The new one (Windows 8.1 and later; the type at 28 is 6) goes on with
entries at multiples of 512: ``HvLE``, u32 size, flags, sequence number, length of the hive's bins, number of pages, u64 hash of what
follows byte 40, u64 hash of the first 32 bytes, then for each page u32 place in the bins and u32 length, then the pages. The old one goes
on with ``DIRT``, a bit for each 512 bytes of the bins, and the sectors whose bit is set, from the next multiple of 512 on.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from triage.artifacts.hive import BASE, LARGEST, checksum

_LOG_BASE, _STEP, _NEW = 512, 512, 6
_SEED = 0x82EF4D887A4E55C5
_WORD = 0xFFFFFFFF


class Replayed(NamedTuple):
    """A hive as its logs make it. ``entries``: how many of their entries were put in; ``why``: why not all, "" if all."""

    data: bytes
    entries: int
    why: str


class _Entry(NamedTuple):
    sequence: int
    length: int
    pages: list[tuple[int, int, int]]
    """Place in the bins, length, place in the log."""
    log: bytes


def replay(hive: bytes, logs: list[bytes]) -> Replayed:
    """Return a hive with what its logs hold beyond it; the hive as it is when they hold nothing newer, or cannot be believed."""
    if len(hive) < BASE or hive[:4] != b"regf":
        return Replayed(hive, 0, "")
    first, second = struct.unpack_from("<II", hive, 4)
    whole = checksum(hive) == int.from_bytes(hive[508:512], "little")
    if first == second and whole:
        return Replayed(hive, 0, "")
    found: dict[int, _Entry] = {}
    old: list[bytes] = []
    for log in logs:
        if len(log) < _LOG_BASE or log[:4] != b"regf" or checksum(log) != int.from_bytes(log[508:512], "little"):
            continue
        if int.from_bytes(log[28:32], "little") == _NEW:
            for entry in _entries(log):
                found.setdefault(entry.sequence, entry)
        elif log[_LOG_BASE : _LOG_BASE + 4] == b"DIRT" and log[4:8] == log[8:12]:
            old.append(log)
    if found:
        return _put_entries(hive, found, second if whole else min(found))
    if old:
        return _put_sectors(hive, max(old, key=lambda log: int.from_bytes(log[4:8], "little")))
    return Replayed(hive, 0, "there is no log that can be used beside it")


def _entries(log: bytes) -> list[_Entry]:
    """Return the entries of a log of the new format, to the first that does not fit: what lies behind is of an earlier turn."""
    found: list[_Entry] = []
    at = _LOG_BASE
    while at + 40 <= len(log) and log[at : at + 4] == b"HvLE":
        size, _, sequence, length, count = struct.unpack_from("<5I", log, at + 4)
        of_data, of_head = struct.unpack_from("<QQ", log, at + 24)
        if size < 40 + 8 * count or size % _STEP or at + size > len(log) or length > LARGEST:
            break
        if (found and sequence != found[-1].sequence + 1) or marvin32(log[at : at + 32]) != of_head:
            break
        if marvin32(log[at + 40 : at + size]) != of_data:
            break
        pages, place = [], at + 40 + 8 * count
        for number in range(count):
            offset, many = struct.unpack_from("<II", log, at + 40 + 8 * number)
            if place + many > at + size or offset + many > length:
                return found
            pages.append((offset, many, place))
            place += many
        found.append(_Entry(sequence, length, pages, log))
        at += size
    return found


def _put_entries(hive: bytes, found: dict[int, _Entry], oldest: int) -> Replayed:
    newer = sorted(number for number in found if number >= oldest)
    if not newer:
        return Replayed(hive, 0, "its logs hold only what is older")
    data = bytearray(hive)
    put, expected, length = 0, newer[0], 0
    for number in newer:
        if number != expected:
            break
        entry = found[number]
        length = entry.length
        if len(data) < BASE + length:
            data.extend(bytes(BASE + length - len(data)))
        for offset, many, place in entry.pages:
            data[BASE + offset : BASE + offset + many] = entry.log[place : place + many]
        put, expected = put + 1, expected + 1
    _close(data, found[newer[put - 1]].log, length, expected - 1)
    return Replayed(bytes(data), put, "" if put == len(newer) else "between entries of its logs others are missing")


def _put_sectors(hive: bytes, log: bytes) -> Replayed:
    length = int.from_bytes(log[40:44], "little")
    if not length or length > LARGEST or length % BASE:
        return Replayed(hive, 0, "its log does not say how long it is")
    size = length // _STEP // 8
    bitmap = log[_LOG_BASE + 4 : _LOG_BASE + 4 + size]
    at = -(-(_LOG_BASE + 4 + size) // _STEP) * _STEP
    data = bytearray(hive)
    if len(data) < BASE + length:
        data.extend(bytes(BASE + length - len(data)))
    put, why = 0, ""
    for number, byte in enumerate(bitmap):
        for bit in range(8):
            if not byte >> bit & 1:
                continue
            sector = log[at : at + _STEP]
            if len(sector) < _STEP:
                why = "its log breaks off"
                break
            place = BASE + (number * 8 + bit) * _STEP
            data[place : place + _STEP] = sector
            put, at = put + 1, at + _STEP
        if why:
            break
    if put:
        _close(data, log, length, int.from_bytes(log[4:8], "little"))
    return Replayed(bytes(data), put, why)


def _close(data: bytearray, log: bytes, length: int, sequence: int) -> None:
    """Give a hive the base block of its log, as Windows does: the hive's own may be what was damaged."""
    struct.pack_into("<II", data, 4, sequence, sequence)
    data[36:40] = log[36:40] if log[36:40].strip(b"\0") else data[36:40]
    struct.pack_into("<I", data, 40, length)
    struct.pack_into("<I", data, 508, checksum(bytes(data[:512])))


def marvin32(data: bytes, seed: int = _SEED) -> int:
    """Return the Marvin32 hash of bytes (D. Larson, US patent 20130262421; the seed is that of registry logs)."""
    low, high = seed & _WORD, seed >> 32
    tail = len(data) & ~3
    last = int.from_bytes(data[tail:] + b"\x80", "little")
    for word in (*struct.unpack_from(f"<{tail // 4}I", data), last, 0):
        low = (low + word) & _WORD
        high ^= low
        low = ((low << 20 | low >> 12) + high) & _WORD
        high = (high << 9 | high >> 23) & _WORD ^ low
        low = ((low << 27 | low >> 5) + high) & _WORD
        high = (high << 19 | high >> 13) & _WORD
    return high << 32 | low
