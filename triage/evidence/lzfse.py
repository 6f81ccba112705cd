"""LZFSE and LZVN, Apple's packings since 2015: literals and copies, their numbers by finite state entropy or as bytes.

Source: the format as Apple's reference has it (``lzfse``, BSD-3-Clause: ``lzfse_internal.h``, ``lzvn_decode_base``). A stream is a row of
blocks that begin with a mark. A block of finite state entropy has the frequencies of its symbols, then two streams of bits that are read
from their ends: literals by four states in turn, and triples of how many literals come, how many bytes are copied, and from how far.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

_END, _PLAIN, _LZVN, _PACKED = b"bvx$", b"bvx-", b"bvxn", b"bvx2"
_MOST_LITERALS, _MOST_MATCHES = 40_000, 10_000
_L, _M, _D, _LITERALS = 64, 64, 256, 1024
"""How many states there are for each kind of number."""
_L_BITS = (0,) * 16 + (2, 3, 5, 8)
_M_BITS = (0,) * 16 + (3, 5, 8, 11)
_D_BITS = tuple(bits for bits in range(16) for _ in range(4))
_FREQUENCY_BITS = (2, 3, 2, 5, 2, 3, 2, 8, 2, 3, 2, 5, 2, 3, 2, 14)
_FREQUENCY = (0, 2, 1, 4, 0, 3, 1, -1, 0, 2, 1, 5, 0, 3, 1, -1, 0, 2, 1, 6, 0, 3, 1, -1, 0, 2, 1, 7, 0, 3, 1, -1)
"""By the lower bits of what is left of the table: how many bits a frequency takes, and which it is; -1: more bits say it."""

_Table = list[tuple[int, int, int, int]]
"""By state: bits to be taken, how many of them are the value's, what is added for the next state, and the value's base."""


class LzfseError(ValueError):
    """Bytes that are none of this."""


class _Header(NamedTuple):
    """The header of a block of finite state entropy."""

    raw: int
    literals: int
    literal_bytes: int
    literal_bits: int
    matches: int
    match_bytes: int
    match_bits: int
    literal_states: tuple[int, int, int, int]
    states: tuple[int, int, int]
    size: int


def lzfse(raw: bytes, size: int) -> bytes:
    """Return at most ``size`` bytes of a stream. Raises :class:`LzfseError` for damage, also where it has no end."""
    out = bytearray()
    at = 0
    while len(out) < size:
        mark = raw[at : at + 4]
        if mark == _END:
            break
        if mark == _PLAIN and at + 8 <= len(raw):
            length = int.from_bytes(raw[at + 4 : at + 8], "little")
            out += raw[at + 8 : at + 8 + length]
            at += 8 + length
        elif mark == _LZVN and at + 12 <= len(raw):
            length, packed = struct.unpack_from("<II", raw, at + 4)
            _lzvn(raw[at + 12 : at + 12 + packed], out, min(len(out) + length, size))
            at += 12 + packed
        elif mark == _PACKED:
            at = _block(raw, at, out, size)
        else:
            raise LzfseError("its LZFSE blocks are damaged")
    return bytes(out[:size])


# ---- blocks of finite state entropy ----------------------------------------------------------------------------------------


def _block(raw: bytes, at: int, out: bytearray, size: int) -> int:
    """Undo a block and return what is behind it."""
    head = _header(raw, at)
    tables = _frequencies(raw[at + 32 : at + head.size])
    literals_at = at + head.size
    matches_at = literals_at + head.literal_bytes
    end = matches_at + head.match_bytes
    if end > len(raw):
        raise LzfseError("an LZFSE block is cut off")
    literals = _literals(raw[literals_at:matches_at], head, tables[3])
    _matches(raw[matches_at:end], head, tables, literals, out, min(len(out) + head.raw, size))
    return end


def _header(raw: bytes, at: int) -> _Header:
    if at + 32 > len(raw):
        raise LzfseError("an LZFSE block is cut off")
    length, first, second, third = struct.unpack_from("<IQQQ", raw, at + 4)

    def field(value: int, place: int, bits: int) -> int:
        return value >> place & (1 << bits) - 1

    states = tuple(field(second, place, 10) for place in (0, 10, 20, 30))
    head = _Header(
        raw=length, literals=field(first, 0, 20), literal_bytes=field(first, 20, 20), literal_bits=field(first, 60, 3) - 7,
        matches=field(first, 40, 20), match_bytes=field(second, 40, 20), match_bits=field(second, 60, 3) - 7,
        literal_states=(states[0], states[1], states[2], states[3]),
        states=(field(third, 32, 10), field(third, 42, 10), field(third, 52, 10)), size=field(third, 0, 32),
    )  # fmt: skip
    if head.literals > _MOST_LITERALS or head.literals % 4 or head.matches > _MOST_MATCHES or not 32 <= head.size <= len(raw) - at:
        raise LzfseError("the header of an LZFSE block cannot be")
    if max(head.states[:2]) >= _L or head.states[2] >= _D:
        raise LzfseError("the header of an LZFSE block cannot be")
    return head


def _frequencies(data: bytes) -> tuple[_Table, _Table, _Table, _Table]:
    """Return the tables for literals' numbers, lengths, distances and literals, by the frequencies that a header has."""
    bits, left, values = int.from_bytes(data, "little"), 8 * len(data), []
    for _ in range(20 + 20 + 64 + 256):
        if not data:
            values.append(0)  # a block may have no table: all its symbols are of one kind then, which is none
            continue
        low = bits & 0x1F
        taken, value = _FREQUENCY_BITS[low & 15], _FREQUENCY[low]
        if value < 0:
            value = 8 + (bits >> 4 & 0xF) if taken == 8 else 24 + (bits >> 4 & 0x3FF)
        bits >>= taken
        left -= taken
        if left < 0:
            raise LzfseError("the frequencies of an LZFSE block are cut off")
        values.append(value)
    return (
        _table(_L, values[:20], _L_BITS), _table(_M, values[20:40], _M_BITS), _table(_D, values[40:104], _D_BITS),
        _table(_LITERALS, values[104:], None),
    )  # fmt: skip


def _table(states: int, frequencies: list[int], bits: tuple[int, ...] | None) -> _Table:
    """Return the table of a kind of number. ``bits``: of each symbol, how many more say the value; ``None``: it is the value."""
    if sum(frequencies) > states:
        raise LzfseError("the frequencies of an LZFSE block cannot be")
    table: _Table = []
    base = 0
    for symbol, frequency in enumerate(frequencies):
        more = bits[symbol] if bits is not None else 0
        value = symbol if bits is None else base
        base += 1 << more
        if not frequency:
            continue
        shift = states.bit_length() - frequency.bit_length()
        many = (2 * states >> shift) - frequency
        for number in range(frequency):
            if number < many:
                table.append((shift + more, more, ((frequency + number) << shift) - states, value))
            else:
                table.append((shift - 1 + more, more, (number - many) << (shift - 1), value))
    return table


def _literals(data: bytes, head: _Header, table: _Table) -> bytes:
    """Return a block's literals: four states take turns, and bits are taken from the end."""
    data = bytes(8) + data
    place = 8 * len(data) + head.literal_bits
    states = list(head.literal_states)
    out = bytearray(head.literals)
    take = int.from_bytes
    try:
        for number in range(head.literals):
            turn = number & 3
            bits, _, add, value = table[states[turn]]
            out[number] = value
            place -= bits
            start = place >> 3
            states[turn] = add + (take(data[start : start + 4], "little") >> (place & 7) & (1 << bits) - 1)
    except IndexError as error:
        raise LzfseError("a state of an LZFSE block cannot be") from error
    if place < 64:
        raise LzfseError("the literals of an LZFSE block are cut off")
    return bytes(out)


def _matches(data: bytes, head: _Header, tables: tuple[_Table, _Table, _Table, _Table], literals: bytes, out: bytearray, end: int) -> None:
    """Put together what a block becomes: literals and copies by turns."""
    data = bytes(8) + data
    place = 8 * len(data) + head.match_bits
    states = list(head.states)
    given, distance = 0, 0
    values = [0, 0, 0]
    for _ in range(head.matches):
        for kind in range(3):
            state, table = states[kind], tables[kind]
            if state >= len(table):
                raise LzfseError("a state of an LZFSE block cannot be")
            bits, more, add, base = table[state]
            place -= bits
            if place < 64:
                raise LzfseError("the copies of an LZFSE block are cut off")
            start = place >> 3
            taken = int.from_bytes(data[start : start + 5], "little") >> (place & 7) & (1 << bits) - 1
            states[kind] = add + (taken >> more)
            values[kind] = base + (taken & (1 << more) - 1)
        distance = values[2] or distance
        out += literals[given : given + values[0]]
        given += values[0]
        if given > len(literals):
            raise LzfseError("an LZFSE block has fewer literals than it uses")
        if len(out) >= end:
            return
        if values[1]:
            _copy(out, distance, values[1], end)
    if len(out) < end:
        raise LzfseError("an LZFSE block becomes fewer bytes than it says")


def _copy(out: bytearray, distance: int, length: int, end: int) -> None:
    if not 0 < distance <= len(out):
        raise LzfseError("a copy from before the beginning")
    length = min(length, end - len(out))
    piece = out[-distance:][:length] if distance >= length else out[-distance:] * (length // distance + 1)
    out += piece[:length]


# ---- LZVN ------------------------------------------------------------------------------------------------------------------


def _lzvn(raw: bytes, out: bytearray, end: int) -> None:
    """Undo a payload of LZVN up to ``end`` bytes in all."""
    at, distance = 0, 0
    while len(out) < end:
        if at >= len(raw):
            raise LzfseError("an LZVN block is cut off")
        code = raw[at]
        high, low = code >> 4, code & 7
        literals, length = code >> 6, (code >> 3 & 7) + 3
        if high == 0xE:
            wide = not code & 15
            literals, length, size = (raw[at + 1] + 16 if at + 1 < len(raw) else 0) if wide else code & 15, 0, 1 + wide
        elif high == 0xF:
            wide = not code & 15
            literals, length, size = 0, (raw[at + 1] + 16 if at + 1 < len(raw) else 0) if wide else code & 15, 1 + wide
        elif high in (0xA, 0xB):
            pair = int.from_bytes(raw[at + 1 : at + 3], "little")
            literals, length, distance, size = code >> 3 & 3, (low << 2 | pair & 3) + 3, pair >> 2, 3
        elif high in (7, 0xD):
            raise LzfseError("an LZVN code that there is not")
        elif low == 7:
            distance, size = int.from_bytes(raw[at + 1 : at + 3], "little"), 3
        elif low == 6:
            if code == 0x06:
                raise LzfseError("an LZVN block becomes fewer bytes than it says")
            if code < 0x40:
                if code not in (0x0E, 0x16):
                    raise LzfseError("an LZVN code that there is not")
                at += 1
                continue
            size = 1
        else:
            distance, size = low << 8 | (raw[at + 1] if at + 1 < len(raw) else 0), 2
        at += size
        if at + literals > len(raw):
            raise LzfseError("an LZVN block is cut off")
        out += raw[at : at + literals]
        at += literals
        if length and len(out) < end:
            _copy(out, distance, length, end)
