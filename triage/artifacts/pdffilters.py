"""Filters of a PDF document's streams other than those of pictures: a codec for recipes, and object streams undone at once.

``pdffilter:NAME`` with ``a85``, ``hex``, ``lzw`` or ``lzw0`` (``EarlyChange`` 0) and ``run``. Source: ISO 32000-1, sections 7.4.2
(ASCIIHexDecode), 7.4.3 (ASCII85Decode), 7.4.4 (LZWDecode) and 7.4.5 (RunLengthDecode).
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

from triage.artifacts.codec import Codec

if TYPE_CHECKING:
    from triage.artifacts.structure import ReadAt

SHORT = {
    "Fl": "FlateDecode", "DCT": "DCTDecode", "LZW": "LZWDecode", "AHx": "ASCIIHexDecode", "A85": "ASCII85Decode",
    "RL": "RunLengthDecode", "CCF": "CCITTFaxDecode",
}  # fmt: skip
"""Short names of filters ([ISO 32000-1] table 94), and what they are short for."""
NAMES = {"ASCII85Decode": "a85", "ASCIIHexDecode": "hex", "LZWDecode": "lzw", "RunLengthDecode": "run"}
"""Filters that the codec undoes."""
_LARGEST = 64 << 20
_BROKEN_OFF, _DAMAGED = "its filtered bytes break off", "its filtered bytes are damaged"
_SPACE = b"\0\t\n\f\r "
_CLEAR, _END, _WIDEST = 256, 257, 12


def undone(data: bytes, names: list[str], limit: int) -> tuple[bytes, str]:
    """Return a stream's bytes with these filters undone, at most ``limit`` of them, and why not all, "" if all."""
    why = ""
    for name in names:
        if name == "FlateDecode":
            unpacker = zlib.decompressobj()
            pieces: list[bytes] = []
            left = limit
            try:
                # Piece by piece, so that what stands before the damage is had.
                for at in range(0, len(data), 4096):
                    pieces.append(unpacker.decompress(unpacker.unconsumed_tail + data[at : at + 4096], left))
                    left -= len(pieces[-1])
                    if left <= 0 or unpacker.eof:
                        break
            except zlib.error:
                why = why or _DAMAGED
            data = b"".join(pieces)
            why = why or ("" if unpacker.eof else _BROKEN_OFF)
        elif name in NAMES:
            data, more = _WAYS[NAMES[name]](data, limit)
            why = why or more
        else:
            return b"", "a filter that is not read"
    return data[:limit], why or ("it is larger than is read" if len(data) > limit else "")


def _hexadecimal(data: bytes, limit: int) -> tuple[bytes, str]:
    # Some programs leave the mark of the end out: the stream's end is it then.
    digits = data.translate(None, _SPACE).partition(b">")[0]
    sound = re.match(rb"[0-9A-Fa-f]*", digits)
    kept = sound[0] if sound is not None else b""
    found = bytes.fromhex((kept + b"0" * (len(kept) % 2)).decode("ascii"))
    return found[:limit], _DAMAGED if len(kept) < len(digits) else ""


def _base85(data: bytes, limit: int) -> tuple[bytes, str]:
    digits = data.translate(None, _SPACE).removeprefix(b"<~").partition(b"~")[0]
    found, group = bytearray(), 0
    many = 0
    for byte in digits:
        if len(found) >= limit:
            break
        if byte == 0x7A and not many:
            found += b"\0\0\0\0"
        elif 0x21 <= byte <= 0x75:
            group, many = group * 85 + byte - 0x21, many + 1
            if many == 5:
                if group >> 32:
                    return bytes(found), _DAMAGED
                found += group.to_bytes(4, "big")
                group = many = 0
        else:
            return bytes(found), _DAMAGED
    if many > 1:
        for _ in range(5 - many):
            group = group * 85 + 84
        found += (group & 0xFFFFFFFF).to_bytes(4, "big")[: many - 1]
    return bytes(found[:limit]), ""


def _runs(data: bytes, limit: int) -> tuple[bytes, str]:
    found, at = bytearray(), 0
    while at < len(data) and len(found) < limit:
        length = data[at]
        if length == 128:
            return bytes(found[:limit]), ""
        if length < 128:
            found += data[at + 1 : at + 2 + length]
            at += 2 + length
        else:
            found += data[at + 1 : at + 2] * (257 - length)
            at += 2
    return bytes(found[:limit]), "" if len(found) >= limit else _BROKEN_OFF


def _lzw(data: bytes, limit: int, early: int = 1) -> tuple[bytes, str]:
    table = [bytes([n]) for n in range(256)] + [b"", b""]
    found, before = bytearray(), b""
    width, held, bits = 9, 0, 0
    for byte in data:
        held, bits = held << 8 | byte, bits + 8
        if bits < width:
            continue
        bits -= width
        code, held = held >> bits, held & (1 << bits) - 1
        if code == _END:
            return bytes(found[:limit]), ""
        if code == _CLEAR:
            del table[258:]
            width, before = 9, b""
            continue
        if code < len(table):
            piece = table[code]
        elif before and code == len(table):
            piece = before + before[:1]
        else:
            return bytes(found[:limit]), _DAMAGED
        found += piece
        if len(found) >= limit:
            return bytes(found[:limit]), ""
        if before and len(table) < 1 << _WIDEST:
            table.append(before + piece[:1])
        before = piece
        width = min(_WIDEST, max(9, (len(table) + early).bit_length()))
    return bytes(found[:limit]), _BROKEN_OFF


def _lzw_late(data: bytes, limit: int) -> tuple[bytes, str]:
    return _lzw(data, limit, 0)


_WAYS = {"a85": _base85, "hex": _hexadecimal, "lzw": _lzw, "lzw0": _lzw_late, "run": _runs}


def _undo(read_at: ReadAt, size: int, parameters: str, limit: int) -> tuple[bytes, str]:
    data, why = _WAYS[parameters](read_at(0, min(size, _LARGEST)), limit)
    return data, why or (_BROKEN_OFF if size > _LARGEST else "")


CODEC = Codec(re.compile("a85|hex|lzw0?|run"), _undo)
