"""Bodies in the block files of Mozilla's old cache whose entry does not lead to them: the map that did is lost, or they were evicted.

A picture ends where its structure ends, and gzip with the checksum of what it was: so a body's length is told from its bytes, and when
there is one entry alone without a body, and one such stretch alone (or the same twice), of just that length, they belong together.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts.cache1 import BLOCKS, Cache1Entry
from triage.artifacts.pictureend import end_of
from triage.artifacts.recipe import undo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from triage.artifacts.child import Beside

_MAGICS = ((b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"GIF8", "gif"), (b"RIFF", "webp"), (b"\x1f\x8b\x08", "gzip"))
_LARGEST_FILE, _STEP = 256 << 20, 1 << 20
_LARGEST_UNDONE, _ALL_UNDONE, _MOST = 4 << 20, 256 << 20, 10_000


class Left(NamedTuple):
    """A stretch that begins as a picture or gzip does. ``number``: of its block file; ``undone``: bytes of gzip's content.

    ``whole``: whether its end was found; else the length is that of all that may be its.
    ``possible``: entries that it may be the body of, when that is not certain.
    """

    source: Beside
    number: int
    offset: int
    length: int
    kind: str
    undone: int = 0
    whole: bool = True
    possible: tuple[Cache1Entry, ...] = ()


Owner = tuple[Cache1Entry, int, "tuple[int, int, int] | None"]


def leftover(blocks: Mapping[int, Beside], headers: Mapping[int, int], known: Sequence[Owner]) -> tuple[dict[int, Left], list[Left]]:
    """Return the bodies of entries without one, by the entry's place in ``known``, and what is left and may belong to any or none.

    ``known``: entries, the block files in which they stand, and the places of their bodies (block file, block, number of blocks).
    """
    wanting: dict[int, list[int]] = {}
    for place, (entry, _, body) in enumerate(known):
        if body is None and entry.body:
            wanting.setdefault(entry.body, []).append(place)
    alike: dict[int, list[Left]] = {}
    given: dict[int, Left] = {}
    rest: list[Left] = []
    for one in _stretches(blocks, headers, known):
        if one.whole:
            alike.setdefault(one.length, []).append(one)
        else:
            rest.append(one)
    for length, those in alike.items():
        fits = wanting.get(length, [])
        sure = len(fits) <= len(those) and len({one.source.read_at(one.offset, length) for one in those}) == 1
        if sure:
            given.update(zip(fits, those, strict=False))
            rest += those[len(fits) :]
        else:
            rest += [one._replace(possible=tuple(known[place][0] for place in fits[:10])) for one in those]
    return given, sorted(rest, key=lambda one: (one.number, one.offset))


def _stretches(blocks: Mapping[int, Beside], headers: Mapping[int, int], known: Sequence[Owner]) -> Iterator[Left]:
    budget, told = _ALL_UNDONE, 0
    for number, source in sorted(blocks.items()):
        step, header = BLOCKS[number], headers.get(number, 4096)
        owned = _owned(number, header, known)
        free = header
        for at, data in _beginnings(source, header, step, owned):
            kind = next((name for magic, name in _MAGICS if data.startswith(magic)), "")
            if at < free or not kind or told >= _MOST or (kind == "webp" and data[8:12] != b"WEBP"):
                continue
            undone, whole = 0, True
            if kind == "gzip":
                if budget <= 0:
                    continue
                length, undone, whole = _unzipped(data)
                budget -= max(undone, len(data))
            else:
                length = _end(data, kind)
            if length:
                told += 1
                free = at + (length if whole else step)
                yield Left(source, number, at, length, kind, undone, whole)


def _owned(number: int, header: int, known: Iterable[Owner]) -> set[int]:
    """Return the blocks that entries and bodies whose place is known have."""
    owned: set[int] = set()
    step = BLOCKS[number]
    for entry, stands, body in known:
        if stands == number:
            owned.update(range((entry.offset - header) // step, -((header - entry.offset - entry.length) // step)))
        if body is not None and body[0] == number:
            owned.update(range(body[1], body[1] + body[2]))
    return owned


def _beginnings(source: Beside, header: int, step: int, owned: set[int]) -> Iterator[tuple[int, bytes]]:
    """Yield where blocks that nobody has begin, and the bytes of four blocks, or as many as are free."""
    size = min(source.size, _LARGEST_FILE)
    for start in range(header, size, _STEP):
        data = source.read_at(start, min(_STEP + 3 * step, size - start))
        for at in range(0, min(_STEP, len(data)), step):
            block = (start + at - header) // step
            if block in owned or not data[at : at + 4].strip(b"\0"):
                continue
            count = next((n for n in range(1, 4) if block + n in owned), 4)
            yield start + at, data[at : at + count * step]


def _end(data: bytes, kind: str) -> int:
    return end_of(lambda offset, many: data[offset : offset + many], len(data), kind) or 0


def _unzipped(data: bytes) -> tuple[int, int, bool]:
    """Return how long a gzip stream is, how many bytes it gives, and whether its end was found, by its checksum (RFC 1952, 2.3.1)."""
    content, _ = undo(lambda offset, many: data[offset : offset + many], len(data), "gzip", _LARGEST_UNDONE)
    if not content:
        return 0, 0, False
    at = data.find(binascii.crc32(content).to_bytes(4, "little") + len(content).to_bytes(4, "little"), 14)
    return (at + 8, len(content), True) if at >= 0 else (len(data), len(content), False)
