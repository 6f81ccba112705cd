"""The index that The Sleuth Kit's ``hfind -i`` makes of a list (``NAME-md5.idx``, ``NAME-sha1.idx``): the list itself may be lost.

Two lines of zeros with the form and the name of the list, then ``DIGEST|offset`` in the order of the digests (TSK, ``tm_lookup`` and
``binsrch_index.cpp``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from triage.hashsets.records import BY_HEX_LENGTH, LENGTHS, Note, Packed, Reject, digest_by_length, record_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.hashsets.records import Event
    from triage.hashsets.source import Source

_FIRST = re.compile(rb"0{32,64}\|[A-Za-z0-9_-]{1,32}\r?\n")
_ENTRY = re.compile(rb"([0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})\|(\d{1,20})\s{0,4}")
_OFFSET = 16  # digits


def looks_like(head: bytes) -> bool:
    """Say whether the first line is an index's."""
    return _FIRST.match(head) is not None


def read(source: Source) -> Iterator[Event]:
    """Yield the digests of an index."""
    for number, item in source.packed_lines(_pack):
        if isinstance(item, Packed | Reject):
            yield item
            continue
        if not item.strip():
            continue
        if re.match(rb"0{31,63}[01]?\|", item) and number <= 2:
            if number == 2:
                yield Note(f"the index of a list called {text_of(item.partition(b'|')[2])[:200].strip()}")
            continue
        found = _ENTRY.fullmatch(item)
        digest = digest_by_length(found[1]) if found else None
        if digest is None:
            yield Reject(number, "not a digest and an offset")
        else:
            yield record_of({digest[0]: digest[1]})


def _pack(data: bytes) -> Packed | None:
    """Return a block's digests if each line is one digest of the same length and an offset of 16 digits."""
    digits = data.find(b"|")
    algorithm = BY_HEX_LENGTH.get(digits)
    width = digits + _OFFSET + 2
    if algorithm is None or len(data) % width or data.startswith(b"0" * 31):
        return None
    rows = np.frombuffer(data, np.uint8).reshape(-1, width)
    offsets = rows[:, digits + 1 : width - 1]
    if (rows[:, digits] != ord("|")).any() or (rows[:, -1] != ord("\n")).any() or ((offsets < 48) | (offsets > 57)).any():
        return None
    try:
        digests = bytes.fromhex(np.ascontiguousarray(rows[:, :digits]).tobytes().decode("ascii"))
    except ValueError:
        return None
    return Packed(algorithm, digests) if len(digests) == len(rows) * LENGTHS[algorithm] else None
