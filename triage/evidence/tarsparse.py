"""Sparse members of TAR archives: where their pieces belong, by the map that each of the four forms keeps.

Source: GNU tar manual, "Storing Sparse Files": the old GNU format, and PAX formats 0.0, 0.1 and 1.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    ReadAt = Callable[[int, int], bytes]

_MOST_PIECES, _MOST_MAP, _LARGEST = 1_000_000, 32 << 20, 1 << 62
_BLOCK = 512


class Piece(NamedTuple):
    """Bytes that are there: where they belong in the file, and how many."""

    offset: int
    length: int


class Sparse(NamedTuple):
    """A sparse file: how long it is, its pieces in order, and how many bytes of the member's body come before them (a map)."""

    size: int
    pieces: tuple[Piece, ...]
    before: int = 0

    def runs(self, body: int) -> tuple[tuple[int | None, int], ...]:
        """Return the file as ``(place or None for a hole, length)``; ``body``: where the member's body begins."""
        found: list[tuple[int | None, int]] = []
        at, place = 0, body + self.before
        for piece in self.pieces:
            if piece.offset > at:
                found.append((None, piece.offset - at))
            if piece.length:
                found.append((place, piece.length))
            place += piece.length
            at = piece.offset + piece.length
        if at < self.size:
            found.append((None, self.size - at))
        return tuple(found)


def old_entries(block: bytes, at: int, many: int) -> list[tuple[int | None, int | None]]:
    """Return the entries of an old GNU map in a header block: 24 bytes each, octal digits or big-endian; an empty one ends them."""
    found: list[tuple[int | None, int | None]] = []
    for number in range(many):
        entry = block[at + 24 * number : at + 24 * number + 24]
        if not entry[:1].strip(b"\0") and not entry[12:13].strip(b"\0"):
            break
        found.append((_number(entry[:12]), _number(entry[12:24])))
    return found


def old_size(block: bytes) -> int | None:
    """Return the real size that a header of type ``S`` states."""
    return _number(block[483:495])


def _number(field: bytes) -> int | None:
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    return int(digits, 8) if digits and not digits.translate(None, b"01234567") else None


def made(size: int | None, entries: list[tuple[int | None, int | None]], stored: int, before: int = 0) -> Sparse | None:
    """Return a map if it can be: pieces in order, within the file, as long together as what is stored."""
    if size is None or not 0 <= size < _LARGEST or len(entries) > _MOST_PIECES:
        return None
    pieces, at = [], 0
    for offset, length in entries:
        if offset is None or length is None or offset < at or length < 0 or offset + length > size:
            return None
        pieces.append(Piece(offset, length))
        at = offset + length
    return Sparse(size, tuple(pieces), before) if before + sum(p.length for p in pieces) <= stored else None


def pax_map(pax: Mapping[bytes, bytes], stored: int, read_body: Callable[[int], bytes]) -> Sparse | None:
    """Return the map that a member's pax records tell, or the beginning of its body (1.0), of which ``read_body(length)`` gives bytes."""
    size = _decimal(pax.get(b"GNU.sparse.realsize") or pax.get(b"GNU.sparse.size"))
    if pax.get(b"GNU.sparse.major") == b"1":
        return _in_body(size, stored, read_body)
    numbers = [_decimal(text) for text in pax.get(b"GNU.sparse.map", b"").split(b",") if text][: 2 * _MOST_PIECES]
    if len(numbers) % 2:
        return None
    return made(size, list(zip(numbers[::2], numbers[1::2], strict=True)), stored)


def _in_body(size: int | None, stored: int, read_body: Callable[[int], bytes]) -> Sparse | None:
    """Read the map of PAX format 1.0: decimal numbers, a line each, the first how many pieces there are; padded to whole blocks."""
    length = 4096
    while True:
        data = read_body(min(length, stored, _MOST_MAP))
        lines = data.split(b"\n")
        count = _decimal(lines[0]) if len(lines) > 1 else None
        if count is None or count > _MOST_PIECES:
            return None
        if len(lines) > 2 * count + 1:
            break
        if len(data) < length or length >= _MOST_MAP:
            return None
        length *= 4
    numbers = [_decimal(line) for line in lines[1 : 2 * count + 1]]
    used = sum(len(line) + 1 for line in lines[: 2 * count + 1])
    return made(size, list(zip(numbers[::2], numbers[1::2], strict=True)), stored, -(-used // _BLOCK) * _BLOCK)


def _decimal(text: bytes | None) -> int | None:
    return int(text) if text and len(text) <= 19 and text.isdigit() else None
