"""What a format tells the carver, and what its walk answers. Offsets are in bytes, relative to the first byte of the candidate."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.carving.window import Window

Facts = dict[str, str | int]


class Structure(StrEnum):
    """How much of a carved file is there, by its own structure.

    ``complete``: from its header to its true end. ``fragmented``: so too, but put together out of pieces that lay apart.
    ``truncated``: it goes on where nothing of it can be found. ``damaged``: its end was found, but something in between is wrong.
    """

    COMPLETE = "complete"
    FRAGMENTED = "fragmented"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Header:
    """Bytes by which a file of the format begins. ``at``: where they stand. ``mask``: 0 for bytes that may be any; as long as ``magic``."""

    magic: bytes
    at: int = 0
    mask: bytes = b""

    @property
    def fixed(self) -> int:
        """How many of the bytes are certain: what has fewer than three is looked for at the beginnings of sectors only."""
        return len(self.magic) if not self.mask else sum(1 for m in self.mask if m)

    def matches(self, data: bytes, at: int = 0) -> bool:
        """Whether a file that begins at ``at`` in ``data`` has this header."""
        found = data[at + self.at : at + self.at + len(self.magic)]
        if not self.mask:
            return found == self.magic
        return len(found) == len(self.magic) and all(not m or a == b for a, b, m in zip(found, self.magic, self.mask, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What lies inside a carved file and is a file of its own, in plain bytes: a thumbnail. It becomes a child of it."""

    offset: int
    length: int
    extension: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What the walk of a candidate found.

    ``length``: bytes of the file, or of what there is of it. ``why``: how its end was found, or why the walk stopped, for an examiner.
    ``extension``: where the structure says more than the format's own. ``checked``: the content itself agrees with something that only
    the right content agrees with: checksums, a decoder that ends where the file does, inner offsets that all lead where they should.
    ``valid``: bytes from the start that are surely the file's (the search for other headers goes on behind them); ``None``: all.
    ``pieces``: ``(offset, length)`` of each when it lies in more than one. ``facts``: a few plain words for the finding.
    ``memo``: what the format's own ``rejoin`` need not find out again; it is asked about the same bytes.
    """

    length: int
    structure: Structure
    why: str
    extension: str = ""
    checked: bool = False
    valid: int | None = None
    pieces: tuple[tuple[int, int], ...] = ()
    parts: tuple[Part, ...] = ()
    facts: Facts = field(default_factory=dict)
    memo: object = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format: its headers, its walk, and how long a file of it may be in bytes.

    ``walk`` returns ``None`` for what only looks like one. ``rejoin`` is asked about what the walk found truncated or damaged, or whole
    but unchecked across a joint of the space: it looks for the rest of the file behind a gap and returns it, or ``None``. Both may raise
    ``ValueError``, ``LookupError``, ``ArithmeticError``, ``struct.error`` or ``zlib.error``: such a candidate is none. ``holds_files``:
    whole files of other kinds may lie in one as they are, also behind a gap.
    """

    name: str
    extension: str
    headers: tuple[Header, ...]
    walk: Callable[[Window], Walked | None]
    rejoin: Callable[[Window, Walked], Walked | None] | None = None
    largest: int = 1 << 40
    holds_files: bool = False
