"""What a walk sees of the space: the bytes from a candidate's header on, read in bounded amounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Sequence

CHUNK = 1 << 20
"""Bytes that :meth:`Window.chunks` hands out at once, at most."""
_CALL = 64
"""What a read costs besides its bytes, so that a walk of countless tiny steps ends as well."""


class WindowSpentError(Exception):
    """A walk has read more than a candidate may. The carver takes it for cut off, and counts it."""


class Window:
    """The bytes from a candidate's first on, as far as the space goes. Offsets are relative to it.

    ``size``: bytes there are. ``block``: the allocation unit in bytes; the candidate begins at a multiple of it, or at one of 512.
    ``joints()``: offsets, in order, at which bytes follow that did not lie there on the medium: a file owned by somebody else lies
    between. ``allowance``: bytes that may be read before :class:`WindowSpentError` is raised. ``beat`` is called with all that is spent:
    a watchdog sees that the walk gets on.
    """

    def __init__(
        self,
        read: Callable[[int, int], bytes],
        size: int,
        *,
        block: int = 512,
        allowance: int = 1 << 62,
        joints: Callable[[int, int], Sequence[int]] = lambda _start, _end: (),
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._read = read
        self._joints = joints
        self._beat = beat
        self.size = size
        self.block = block
        self.allowance = allowance
        self.spent = 0

    def spend(self, amount: int) -> None:
        """Count work as if that many bytes had been read: decoding costs more than reading."""
        self.spent += amount
        self._beat()
        if self.spent > self.allowance:
            raise WindowSpentError

    def at(self, offset: int, length: int) -> bytes:
        """Return the bytes, fewer at the end and none past it or before the start."""
        length = min(length, self.size - offset)
        if length <= 0 or offset < 0:
            return b""
        self.spend(length + _CALL)
        return self._read(offset, length)

    def chunks(self, start: int, end: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield ``(offset, bytes)`` of at most 1 MiB each, from ``start`` to ``end`` or the window's."""
        end = self.size if end is None else min(end, self.size)
        step = 64 << 10  # most files are small: the first pieces are too
        while 0 <= start < end:
            data = self.at(start, min(step, end - start))
            yield start, data
            start += len(data)
            step = min(step * 4, CHUNK)

    def find(self, needle: bytes, start: int, end: int | None = None) -> int:
        """Return where ``needle`` begins at or after ``start`` and ends by ``end``; -1 for nowhere."""
        tail = b""
        for offset, data in self.chunks(start, end):
            joined = tail + data
            found = joined.find(needle)
            if found >= 0:
                return offset - len(tail) + found
            tail = joined[len(joined) - len(needle) + 1 :] if len(needle) > 1 else b""
        return -1

    def search(self, pattern: re.Pattern[bytes], start: int, end: int | None = None, *, longest: int = 64) -> tuple[int, bytes] | None:
        """Return where a pattern that matches at most ``longest`` bytes first matches, and those bytes."""
        tail = b""
        for offset, data in self.chunks(start, end):
            joined = tail + data
            found = pattern.search(joined)
            last = offset + len(data) >= (self.size if end is None else min(end, self.size))
            if found is not None and (last or found.end() < len(joined)):
                return offset - len(tail) + found.start(), found.group()
            tail = joined[-longest:]
        return None

    def joints(self, start: int, end: int) -> Sequence[int]:
        """Return the joints between two offsets."""
        return self._joints(start, end)

    def spliced(self, pieces: Sequence[tuple[int, int]]) -> Window:
        """Return what these ``(offset, length)`` pieces of the window give one after the other. What is read of it is spent here."""

        def read(offset: int, length: int) -> bytes:
            taken, start = [], 0
            for at, size in pieces:
                skip = offset - start
                if 0 <= skip < size and length > 0:
                    piece = self._read(at + skip, min(length, size - skip))
                    taken.append(piece)
                    offset += len(piece)
                    length -= len(piece)
                start += size
            return b"".join(taken)

        return _Spliced(self, read, sum(size for _, size in pieces))


class _Spliced(Window):
    """A window over pieces of another, which pays."""

    def __init__(self, whole: Window, read: Callable[[int, int], bytes], size: int) -> None:
        super().__init__(read, size, block=whole.block)
        self._whole = whole

    def spend(self, amount: int) -> None:
        """Spend of the whole window's allowance."""
        self._whole.spend(amount)


def window_of(data: bytes, *, block: int = 512, allowance: int = 1 << 62) -> Window:
    """Return a window over bytes in memory."""
    return Window(lambda offset, length: data[offset : offset + length], len(data), block=block, allowance=allowance)
