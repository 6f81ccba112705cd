"""EMF: drawing records that each say how long they are, from the header to the one that ends it ([MS-EMF] 2.3)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from triage.carving.ahead import Ahead
from triage.carving.forms import Facts, Format, Header, Structure, Walked

if TYPE_CHECKING:
    from triage.carving.window import Window

_END = 14
_LAST_RECORD = 122
"""The largest number of a record's type (2.1.1)."""
_RECORDS = 1_000_000
_SEEN = 8
"""Records that there must be of a drawing that is cut off."""


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 88)
    if len(head) < 88:
        return None
    kind, size = struct.unpack_from("<II", head)
    left, top, right, bottom = struct.unpack_from("<iiii", head, 8)
    signature, version, length, records, _, reserved = struct.unpack_from("<IIIIHH", head, 40)
    if kind != 1 or not 88 <= size <= 1 << 16 or size % 4 or signature != 0x464D4520 or version != 0x10000 or reserved:
        return None
    if length < size + 20 or length % 4 or not 2 <= records <= length // 8:
        return None
    facts: Facts = {}
    if right >= left and bottom >= top:
        facts = {"width": right - left + 1, "height": bottom - top + 1}
    ahead, at, count = Ahead(window), size, 1
    while count < min(records, _RECORDS):
        start = ahead.at(at, 8)
        if len(start) < 8:
            break
        kind, size = struct.unpack("<II", start)
        if not 1 < kind <= _LAST_RECORD or size < 8 or size % 4 or at + size > length:
            break
        at += size
        count += 1
        if kind == _END:
            break
    if at > window.size or count < 2:
        return None if count < _SEEN else _cut(window.size, count - 1, records, facts)
    if kind == _END and at == length:
        exact = count == records
        why = "record by record up to the one that ends it" + ("" if exact else f", though it says {records} and has {count}")
        return Walked(length=at, structure=Structure.COMPLETE, why=why, checked=exact, facts=facts)
    return None if count < _SEEN else _cut(at, count, records, facts)


def _cut(length: int, count: int, records: int, facts: Facts) -> Walked:
    return Walked(
        length=length,
        structure=Structure.TRUNCATED,
        why=f"what follows {count} of its {records} records is none",
        facts={**facts, "decoded": f"{count} of {records} records"},
    )


FORMATS = (Format(name="emf", extension="emf", headers=(Header(b" EMF\0\0\x01\0", at=40),), walk=_walk, largest=1 << 32),)
