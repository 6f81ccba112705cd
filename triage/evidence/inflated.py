"""Compressed bytes read at any offset: a decoder that goes forward, and marks from which it can go forward again.

A phone's extraction is an archive of tens of gigabytes in which films of gigabytes are compressed; a worker asks for them a mebibyte at
a time, mostly in order, and for databases here and there. So the decoder is kept where it was left, and copied now and then on the way:
going back costs at most the way from the last mark. Only zlib's decoders can be copied; others begin again.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from triage.evidence.decoders import FAULTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.evidence.decoders import Decoder

PIECE = 256 << 10
_MARKS = 256
"""Marks that are kept at most: each takes some 40 KiB. When there are so many, every other one is forgotten and the step doubles."""
_STEP = 4 << 20
"""Bytes of what comes out between two marks, at first."""


class Inflated:
    """``read_at(offset, length)`` over what a compressed stream of ``packed`` bytes becomes.

    ``make`` makes its decoder, or is a number of zlib's ``wbits``. ``again``: the magic number of a further stream behind the first, where
    the format allows that. Reads raise ``OSError`` where the stream is damaged, or ends too early for ``size``; ``size`` is ``None``
    while it is not known, and :meth:`measure` finds it.
    """

    def __init__(
        self, read_at: Callable[[int, int], bytes], packed: int, make: Callable[[], Decoder] | int, size: int | None, again: bytes = b""
    ) -> None:
        self._read_at = read_at
        self._packed = packed
        self._make = make
        self._again = again
        self.size = size
        self.whole = size is not None
        """Whether the stream was followed to its end mark, or its size was known."""
        self._marks: list[tuple[int, int, bytes, Any]] = []  # place in what comes out, in what goes in, what was read and not used, decoder
        self._step = _STEP
        self._begin()

    def _begin(self) -> None:
        self._out, self._in, self._rest = 0, 0, b""
        self._decoder: Any = zlib.decompressobj(self._make) if isinstance(self._make, int) else self._make()
        self._ended = self._cut = False

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes, fewer only at the end; raise ``OSError`` where they cannot be had."""
        if self.size is not None:
            length = min(length, self.size - offset)
        if length <= 0:
            return b""
        self._go_to(offset)
        pieces: list[bytes] = []
        while length > 0 and not self._ended:
            piece = self._next(min(length, PIECE))
            pieces.append(piece)
            length -= len(piece)
        if length > 0 and self.size is not None:
            raise OSError("its compressed data end too early")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def measure(self, most: int, beat: Callable[[], None] = lambda: None) -> int:
        """Return how many bytes come out, at most ``most``; what is damaged ends there. Sets ``size``."""
        self._go_to(0)
        try:
            while not self._ended and self._out < most:
                self._next(min(PIECE, most - self._out))
                beat()
            self.whole = self._ended and not self._cut
        except OSError:
            self.whole = False
        self.size = self._out
        return self._out

    def _go_to(self, offset: int) -> None:
        if offset < self._out or (self._marks and self._marks[-1][0] > self._out):
            at = bisect_right(self._marks, offset, key=lambda mark: mark[0]) - 1
            if at >= 0 and (offset < self._out or self._marks[at][0] > self._out):
                self._out, self._in, self._rest, kept = self._marks[at]
                self._decoder, self._ended, self._cut = kept.copy(), False, False
            elif offset < self._out:
                self._begin()
        while self._out < offset and not self._ended:
            self._next(min(PIECE, offset - self._out))

    def _next(self, most: int) -> bytes:
        """Return at least one and at most ``most`` bytes that come next, none at the end."""
        while not self._ended:
            piece = self._step_on(most)
            if piece:
                self._out += len(piece)
                self._mark()
                return piece
        return b""

    def _step_on(self, most: int) -> bytes:
        stream = self._decoder
        if not self._rest and (not hasattr(stream, "needs_input") or stream.needs_input):
            self._rest = self._read_at(self._in, min(PIECE, self._packed - self._in)) if self._in < self._packed else b""
            self._in += len(self._rest)
        given, self._rest = self._rest, b""
        try:
            piece: bytes = stream.decompress(given, most)
        except FAULTS as error:
            raise OSError("its compressed data are damaged") from error
        if not hasattr(stream, "needs_input"):
            self._rest = stream.unconsumed_tail
        if stream.eof:
            behind = stream.unused_data.lstrip(b"\0") if self._again else b""
            if self._again and len(behind) < len(self._again) and self._in < self._packed:
                more = self._read_at(self._in, min(PIECE, self._packed - self._in))
                self._in += len(more)
                behind = (behind + more).lstrip(b"\0")
            if self._again and behind.startswith(self._again):
                self._rest = behind
                self._decoder = zlib.decompressobj(self._make) if isinstance(self._make, int) else self._make()
            else:
                self._ended = True
        elif not piece and not given and not self._rest and self._in >= self._packed:
            self._ended = self._cut = True
        return piece

    def _mark(self) -> None:
        last = self._marks[-1][0] if self._marks else 0
        if self._out < last + self._step or not hasattr(self._decoder, "copy") or self._ended:
            return
        self._marks.append((self._out, self._in, self._rest, self._decoder.copy()))
        if len(self._marks) > _MARKS:
            self._marks = self._marks[1::2]
            self._step *= 2
