"""Bytes of items, one behind the other through the worker's pipe, with their digests: for files that the parent writes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from triage.model import Json

_PIECE = 1 << 20
_SECTOR = 512


def export(
    items: Iterable[tuple[Callable[[int, int], bytes], int]], send: Callable[[bytes], None], announce: Callable[[int], None]
) -> list[Json]:
    """Send exactly as many bytes an item as it has, and return each one's digests and how many of its bytes could not be read.

    Small items share a frame.
    """
    rows: list[Json] = []
    waiting: list[bytes] = []
    weight = 0
    for position, (read_at, size) in enumerate(items):
        announce(position)
        digests = [hashlib.md5(usedforsecurity=False), hashlib.sha1(usedforsecurity=False), hashlib.sha256()]
        offset = unreadable = 0
        while offset < size:
            data, missing = _read(read_at, offset, min(_PIECE, size - offset))
            unreadable += missing
            for digest in digests:
                digest.update(data)
            waiting.append(data)
            weight += len(data)
            offset += len(data)
            if weight >= _PIECE:
                send(b"".join(waiting))
                waiting, weight = [], 0
                announce(position)
        md5, sha1, sha256 = (d.hexdigest() for d in digests)
        rows.append({"md5": md5, "sha1": sha1, "sha256": sha256, "unreadable": unreadable})
    if waiting:
        send(b"".join(waiting))
    return rows


def _read(read_at: Callable[[int, int], bytes], offset: int, length: int) -> tuple[bytes, int]:
    """Return that many bytes, and how many of them are zeros that stand for what cannot be read."""
    try:
        data = read_at(offset, length)
    except OSError:
        if length <= _SECTOR:
            return bytes(length), length
        pieces = [_read(read_at, at, min(_SECTOR, offset + length - at)) for at in range(offset, offset + length, _SECTOR)]
        return b"".join(p for p, _ in pieces), sum(m for _, m in pieces)
    missing = length - len(data)
    return data + bytes(missing), missing
