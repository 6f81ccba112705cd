"""Frames of FLAC: their header, and how long one is when nothing follows it (RFC 9639, 9)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

_LONGEST_HEADER = 16
_SIZES = (0, 8, 12, 0, 16, 20, 24, 32)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame's header. ``size``: bytes of it. ``samples``: per channel. ``number``: of the frame, or of its first sample if ``variable``.

    ``bits``: of a sample; 0 when only the file's header says.
    """

    size: int
    samples: int
    channels: int
    sides: int
    bits: int
    number: int
    variable: bool


@cache
def _crc8_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        state = byte
        for _ in range(8):
            state = (state << 1 ^ (0x07 if state & 0x80 else 0)) & 0xFF
        table.append(state)
    return tuple(table)


def _crc8(data: bytes) -> int:
    table, state = _crc8_table(), 0
    for byte in data:
        state = table[state ^ byte]
    return state


def frame_at(data: bytes, at: int) -> Frame | None:
    """Read the header of a frame and check its CRC-8; ``None`` when none begins there (9.1)."""
    head = data[at : at + _LONGEST_HEADER]
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xFE != 0xF8 or head[3] & 1:
        return None
    block, rate, channels, bits = head[2] >> 4, head[2] & 15, head[3] >> 4, head[3] >> 1 & 7
    if not block or rate == 15 or channels > 10 or bits == 3:
        return None
    first, size = head[4], 5
    more = 0 if first < 0x80 else 8 - (first ^ 0xFF).bit_length() - 1
    if more < 0 or more > 6 or (first & 0xC0) == 0x80:
        return None
    number = first if not more else first & (0x3F >> more)
    for byte in head[5 : 5 + more]:
        if byte & 0xC0 != 0x80:
            return None
        number = number << 6 | byte & 0x3F
    size += more
    extra = 1 if block == 6 else 2 if block == 7 else 0
    samples = int.from_bytes(head[size : size + extra], "big") + 1
    size += extra + (1 if rate == 12 else 2 if rate > 12 else 0)
    if len(head) <= size or _crc8(head[:size]) != head[size]:
        return None
    if not extra:
        samples = 192 if block == 1 else 576 << (block - 2) if block < 6 else 256 << (block - 8)
    return Frame(
        size + 1, samples, min(channels, 1) + 1 if channels > 7 else channels + 1, channels, _SIZES[bits], number, head[1] & 1 == 1
    )


def frame_size(data: bytes, frame: Frame, bits: int) -> int:
    """Return the bytes of the frame at the start of ``data``, found by decoding how long everything is; 0 when it does not fit (9.2).

    ``bits``: of a sample, by the file's header.
    """
    text = bin(int.from_bytes(b"\1" + data[frame.size :], "big"))[3:]
    position = 0
    try:
        for channel in range(frame.channels):
            wide = (channel == 1 and frame.sides in (8, 10)) or (channel == 0 and frame.sides == 9)
            position = _subframe(text, position, (frame.bits or bits) + wide, frame.samples)
    except ValueError:
        return 0
    size = frame.size + (position + 7) // 8 + 2
    return size if size <= len(data) else 0


def _field(text: str, position: int, length: int) -> int:
    return int(text[position : position + length], 2)


def _subframe(text: str, position: int, bits: int, samples: int) -> int:
    """Return the position behind a subframe."""
    kind = _field(text, position, 7)
    position += 8
    if text[position - 1 : position] == "1":
        end = text.index("1", position) + 1
        bits -= end - position
        position = end
    if bits <= 0:
        raise ValueError("no bits are left for a sample")
    if kind == 0:
        return position + bits
    if kind == 1:
        return position + bits * samples
    if 8 <= kind <= 12:
        order = kind - 8
        position += order * bits
    elif 32 <= kind < 64:
        order = kind - 31
        position += order * bits
        precision = _field(text, position, 4) + 1
        if precision == 16:
            raise ValueError("no precision")
        position += 9 + order * precision
    else:
        raise ValueError("a reserved kind")
    return _residual(text, position, samples, order)


def _residual(text: str, position: int, samples: int, order: int) -> int:
    method, partitions = _field(text, position, 2), _field(text, position + 2, 4)
    position += 6
    if method > 1 or samples % (1 << partitions) or samples >> partitions < order:
        raise ValueError("no such coding")
    width = 4 + method
    for number in range(1 << partitions):
        count = (samples >> partitions) - (order if not number else 0)
        parameter = _field(text, position, width)
        position += width
        if parameter == (1 << width) - 1:
            position += 5 + _field(text, position, 5) * count
            continue
        more, find = 1 + parameter, text.index
        for _ in range(count):
            position = find("1", position) + more
    if position > len(text):
        raise ValueError("it goes on")
    return position
