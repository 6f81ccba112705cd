"""What the readers of this room share: one error, and the notes of what a reader left out."""

from __future__ import annotations

from collections.abc import Callable

ReadAt = Callable[[int, int], bytes]
"""``read_at(offset, length)``: the bytes there, fewer at the end; ``OSError`` where the medium is damaged."""

_MOST_KINDS = 100


class StructureError(ValueError):
    """The bytes are not the structure that was asked for, or not one that may be read: nothing of it was. The message says why."""


class Notes:
    """What was cut, refused or read otherwise than it stands, as sentences with counts, in the order they first came up.

    Sentences are ours and hold no text from evidence, so that few different ones arise.
    """

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, sentence: str, count: int = 1) -> None:
        """Take note of something that happened ``count`` times."""
        if count <= 0:
            return
        if sentence not in self._counts and len(self._counts) >= _MOST_KINDS:
            sentence = "something of more than 100 other kinds was left out"
        self._counts[sentence] = self._counts.get(sentence, 0) + count

    def lines(self) -> tuple[str, ...]:
        """Return the sentences, with ``(N times)`` behind what happened more than once."""
        return tuple(text if n == 1 else f"{text} ({n:,} times)" for text, n in self._counts.items())

    def __len__(self) -> int:
        return len(self._counts)
