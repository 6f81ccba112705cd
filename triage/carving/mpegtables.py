"""What the tables of an MPEG transport stream say of its streams, and codecs by their numbers (ISO/IEC 13818-1, 2.4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_CODECS = {
    0x01: "MPEG-1 video",
    0x02: "MPEG-2 video",
    0x03: "MPEG audio",
    0x04: "MPEG audio",
    0x0F: "AAC",
    0x10: "MPEG-4 video",
    0x11: "AAC LATM",
    0x1B: "H.264",
    0x24: "H.265",
    0x81: "AC-3",
    0x82: "DTS",
    0x83: "TrueHD",
    0x84: "E-AC-3",
    0x85: "DTS-HD",
    0x86: "DTS-HD",
    0x87: "E-AC-3",
    0x90: "PGS",
    0xEA: "VC-1",
}
_STREAMS = 64


def section(packet: bytes) -> bytes:
    """Return what of a table begins in a packet of 188 bytes; nothing when none does."""
    if len(packet) < 188 or not packet[1] & 0x40 or not packet[3] & 0x10:
        return b""
    at = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
    if at >= 187:
        return b""
    return packet[at + 1 + packet[at] :]


def streams(first_with: Callable[[int], bytes]) -> list[tuple[int, str]]:
    """Return PID and codec of the streams of the first programme.

    ``first_with(pid)``: the first packet of the stream with which a table begins.
    """
    table = section(first_with(0))
    if len(table) < 12 or table[0] != 0:
        return []
    for at in range(8, min(3 + (int.from_bytes(table[1:3], "big") & 0xFFF) - 4, len(table) - 3), 4):
        if table[at : at + 2] != b"\0\0":  # programme 0 is the network's
            return _streams(section(first_with(int.from_bytes(table[at + 2 : at + 4], "big") & 0x1FFF)))
    return []


def _streams(table: bytes) -> list[tuple[int, str]]:
    if len(table) < 17 or table[0] != 2:
        return []
    end = min(3 + (int.from_bytes(table[1:3], "big") & 0xFFF) - 4, len(table))
    at = 12 + (int.from_bytes(table[10:12], "big") & 0xFFF)
    found: list[tuple[int, str]] = []
    while at + 5 <= end and len(found) < _STREAMS:
        codec = _CODECS.get(table[at], "")
        if codec:
            found.append((int.from_bytes(table[at + 1 : at + 3], "big") & 0x1FFF, codec))
        at += 5 + (int.from_bytes(table[at + 3 : at + 5], "big") & 0xFFF)
    return found


def content(packets: list[bytes]) -> bytes:
    """Return what packets of one stream carry (2.4.3)."""
    made = bytearray()
    for packet in packets:
        if packet[3] & 0x10:
            made += packet[4 + (1 + packet[4] if packet[3] & 0x20 else 0) : 188]
    return bytes(made)
