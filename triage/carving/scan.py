"""Where headers stand: at the beginnings of sectors by NumPy, at any byte by hyperscan, or by NumPy where that is not installed.

Both ways give the same answer. A carving of free space needs only the first: files begin at the beginning of an allocation unit.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from triage.carving.space import SECTOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from triage.carving.forms import Format, Header

hyperscan: Any
try:
    import hyperscan
except ImportError:  # pragma: no cover - an extra
    hyperscan = None

_MIN_FIXED = 3
"""Certain bytes that a header must have to be looked for at any byte."""


class Headers:
    """The headers of some formats, ready to be looked for. ``reach``: how many bytes behind a candidate's first must be seen."""

    def __init__(self, formats: Sequence[Format], *, library: bool = True) -> None:
        self._by_place: dict[int, dict[bytes, list[tuple[Header, Format]]]] = defaultdict(lambda: defaultdict(list))
        self._anywhere: list[tuple[Header, Format]] = []
        for one in formats:
            for header in one.headers:
                for prefix in _prefixes(header):
                    self._by_place[header.at][prefix].append((header, one))
                if header.fixed >= _MIN_FIXED:
                    self._anywhere.append((header, one))
        self.reach = max((h.at + len(h.magic) for one in formats for h in one.headers), default=0)
        self._tables = {at: _table(prefixes) for at, prefixes in self._by_place.items()}
        self._library = library and hyperscan is not None and bool(self._anywhere)
        self._database: Any = None

    def _compiled(self) -> Any:
        """Return the library's form of the headers, made with the first need of it: it takes some 50 ms."""
        if self._database is None:
            self._database = hyperscan.Database()
            self._database.compile(
                expressions=[_expression(header) for header, _ in self._anywhere],
                ids=list(range(len(self._anywhere))),
                flags=[hyperscan.HS_FLAG_DOTALL] * len(self._anywhere),
                elements=len(self._anywhere),
            )
        return self._database

    def formats_at(self, data: bytes, offset: int) -> list[Format]:
        """Return the formats that could begin at an offset of ``data``, by name."""
        found: dict[str, Format] = {}
        for at, prefixes in self._by_place.items():
            for header, one in prefixes.get(data[offset + at : offset + at + 2], ()):
                if one.name not in found and header.matches(data, offset):
                    found[one.name] = one
        return [found[name] for name in sorted(found)] if len(found) > 1 else list(found.values())

    def aligned(self, data: bytes, length: int) -> list[int]:
        """Return the multiples of 512 below ``length`` at which a header could stand (its first two bytes do)."""
        sectors = -(-length // SECTOR)
        hits = np.zeros(sectors, dtype=bool)
        raw = np.frombuffer(data, dtype=np.uint8)
        for at, table in self._tables.items():
            first, second = raw[at::SECTOR][:sectors], raw[at + 1 :: SECTOR][:sectors]
            count = len(second)  # one more sector has its first byte only
            hits[:count] |= table[(first[:count].astype(np.uint16) << 8) | second]
        return [int(n) * SECTOR for n in np.flatnonzero(hits)]

    def anywhere(self, data: bytes, length: int) -> list[int]:
        """Return the offsets below ``length`` at which a header stands. ``data`` is 1 MiB or little more: every byte could be one."""
        found = self._by_library(data) if self._library else self._by_numpy(data)
        return sorted(o for o in found if o < length)

    def _by_library(self, data: bytes) -> set[int]:
        found: set[int] = set()
        starts = [header.at + len(header.magic) for header, _ in self._anywhere]

        def hit(number: int, _start: int, end: int, _flags: int, _context: Any) -> None:
            start = end - starts[number]
            if start >= 0:
                found.add(start)

        self._compiled().scan(data, match_event_handler=hit)
        return found

    def _by_numpy(self, data: bytes) -> set[int]:
        raw = np.frombuffer(data, dtype=np.uint8)
        if len(raw) < 2:
            return set()
        words = (raw[:-1].astype(np.uint16) << 8) | raw[1:]
        found: set[int] = set()
        by_prefix: dict[bytes, list[Header]] = defaultdict(list)
        for header, _ in self._anywhere:
            for prefix in _prefixes(header):
                by_prefix[prefix].append(header)
        table = _table(by_prefix)
        for place in np.flatnonzero(table[words]).tolist():
            for header in by_prefix[data[place : place + 2]]:
                start = place - header.at
                if start >= 0 and header.matches(data, start):
                    found.add(start)
        return found


def _prefixes(header: Header) -> list[bytes]:
    """Return what the first two bytes of a header may be. The first is always certain."""
    if len(header.magic) < 2 or (header.mask and not header.mask[0]):
        raise ValueError("a header begins with a byte that is certain and one more")
    if header.mask and not header.mask[1]:
        return [header.magic[:1] + bytes([second]) for second in range(256)]
    return [header.magic[:2]]


def _table(prefixes: Iterable[bytes]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    table = np.zeros(1 << 16, dtype=bool)
    for prefix in prefixes:
        table[int.from_bytes(prefix, "big")] = True
    return table


def _expression(header: Header) -> bytes:
    """Return a header as a regular expression of escapes: the library's literal mode ends a pattern at the first NUL."""
    mask = header.mask or b"\xff" * len(header.magic)
    return b"".join(b"\\x%02x" % byte if sure else b"." for byte, sure in zip(header.magic, mask, strict=True))
