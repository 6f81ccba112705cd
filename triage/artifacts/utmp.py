"""Who logged in when on Linux: records of ``utmp``, ``wtmp``, ``btmp``, and ``lastlog``.

Format: utmp(5), ``struct utmp`` of glibc; libyal's dtformats, "Utmp login records format". Records have 384 bytes with times of 32 bits, or
400 with times of 64 (AArch64, s390x); either byte order. ``lastlog``: 292 bytes at each user's number: time, terminal (32), host (256).
Which form a file has, is told by in which its records make sense.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.structure import ReadAt

BROKEN, RUN_LEVEL, BOOT, LOGIN_PROCESS, USER, DEAD = -1, 1, 2, 6, 7, 8
_LAST_KIND = 9
_RECORD = "h2xi32s4s32s256shh"
_FORMS = tuple(order + _RECORD + times for order in "<>" for times in ("iii16s20x", "qqq16s24x"))
"""By byte order and size of times, as :mod:`struct` has them."""
_FIRST = 315_532_800
"""Seconds since 1970 from which on a time makes sense: 1980."""
_LASTLOG = struct.Struct("<i32s256s")
_PIECE = 3000
_TRIED = 200


class Login(NamedTuple):
    """A record. ``time`` is nanoseconds since 1970; ``offset`` in the file, and ``size`` of it."""

    kind: int
    process: int
    terminal: str
    user: str
    host: str
    address: str
    time: int
    offset: int
    size: int


class LastLogin(NamedTuple):
    """When a user by number last logged in, in nanoseconds since 1970."""

    number: int
    terminal: str
    host: str
    time: int
    offset: int


def read_logins(read_at: ReadAt, size: int) -> tuple[Iterator[Login], int]:
    """Return the records of a file, and how many bytes at its end are no whole one. A broken record has the kind ``BROKEN``.

    Raises :class:`StructureError` when its records make sense in no form.
    """
    head = read_at(0, min(size, 400 * _TRIED))
    (sensible, _), number = max((_score(head, form), -number) for number, form in enumerate(_FORMS))
    if not sensible:
        raise StructureError("no records of logins")
    one = struct.Struct(_FORMS[-number])
    return _walk(read_at, size, one), size % one.size


def _score(head: bytes, form: str) -> tuple[int, int]:
    """Return how many of the first records make sense, and, to be as large as can be, how many do not, negative; empty ones are neither."""
    one = struct.Struct(form)
    fits = [_fits(one, head[at : at + one.size]) for at in range(0, len(head) - one.size + 1, one.size)]
    return fits.count(True), -fits.count(False)


def _fits(one: struct.Struct, record: bytes) -> bool | None:
    if not any(record):
        return None
    kind, process, *_, seconds, micros, _ = one.unpack(record)
    return 0 <= kind <= _LAST_KIND and record[2:4] == b"\0\0" and process >= 0 and 0 <= micros < 1_000_000 and _FIRST <= seconds < 1 << 33


def _walk(read_at: ReadAt, size: int, one: struct.Struct) -> Iterator[Login]:
    for start in range(0, size - one.size + 1, one.size * _PIECE):
        piece = read_at(start, min(one.size * _PIECE, size - start))
        for at in range(0, len(piece) - one.size + 1, one.size):
            kind, process, terminal, _, user, host, *_, seconds, micros, address = one.unpack_from(piece, at)
            if not any(piece[at : at + one.size]):
                continue
            if not 0 <= kind <= _LAST_KIND or not 0 <= seconds < 1 << 33:
                kind, seconds = BROKEN, 0
            time = seconds * 10**9 + (micros * 1000 if 0 <= micros < 1_000_000 else 0)
            yield Login(kind, process, _text(terminal), _text(user), _text(host), _address(address), time, start + at, one.size)


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "replace")


def _address(raw: bytes) -> str:
    if not any(raw):
        return ""
    return str(ipaddress.IPv6Address(raw) if any(raw[4:]) else ipaddress.IPv4Address(raw[:4]))


def read_lastlog(read_at: ReadAt, size: int) -> Iterator[LastLogin]:
    """Yield each user who has logged in, by number."""
    for start in range(0, size - _LASTLOG.size + 1, _LASTLOG.size * _PIECE):
        piece = read_at(start, min(_LASTLOG.size * _PIECE, size - start))
        for at in range(0, len(piece) - _LASTLOG.size + 1, _LASTLOG.size):
            seconds, terminal, host = _LASTLOG.unpack_from(piece, at)
            if seconds > 0:
                offset = start + at
                yield LastLogin(offset // _LASTLOG.size, _text(terminal), _text(host), seconds * 10**9, offset)
