"""Compressed bytes undone piece by piece, within limits: the part that a bomb aims at.

Limits are counts of bytes, never seconds, so that the same bytes are cut at the same place on every machine. What was cut is said in
``reason``; nothing is raised for what is wrong with the bytes.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.evidence.decoders import FAULTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.evidence.decoders import Decoder

PIECE = 64 << 10
_STREAMS = 10_000  # that follow each other in one gzip, bzip2 or xz file


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far an archive is followed. Sizes are bytes of what comes out.

    A member may grow to ``ratio`` times its packed size once it is past ``ratio_free`` bytes. ``members`` and ``total`` are for an
    archive with all that is nested in it; ``nested`` is the largest archive that is opened inside another.
    """

    member: int = 256 << 20
    ratio: int = 200
    ratio_free: int = 16 << 20
    members: int = 10_000
    depth: int = 4
    total: int = 1 << 30
    nested: int = 64 << 20


class Budget:
    """What one archive and all that is nested in it have used up together."""

    __slots__ = ("expanded", "limits", "members")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.expanded = 0
        self.members = 0

    def another_member(self) -> bool:
        """Count one member more; return False when there may be none."""
        if self.members >= self.limits.members:
            return False
        self.members += 1
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an archive states of a member, to be held against what comes out."""

    size: int | None = None
    crc32: int | None = None


class Expansion:
    """The bytes of one member, once, in pieces of at most 64 KiB. Afterwards ``reason`` says why it is not whole; "" if it is.

    ``source`` yields the packed bytes. ``decoder`` makes a decoder, ``None`` for bytes that stand as they are; ``again`` is the magic
    number of a further stream behind the first, where the format allows that; ``open_ended`` streams may have no end mark.
    ``reason``, when given, is that of a member without bytes; ``ends_with`` that of bytes known to be not all.
    """

    __slots__ = (
        "_again",
        "_budget",
        "_decoder",
        "_ends_with",
        "_expected",
        "_held",
        "_open_ended",
        "_pieces",
        "_source",
        "consumed",
        "produced",
        "reason",
        "trailing",
    )

    def __init__(
        self,
        source: Iterator[bytes],
        budget: Budget,
        decoder: Callable[[], Decoder] | None = None,
        *,
        again: bytes = b"",
        open_ended: bool = False,
        expected: Expected | None = None,
        reason: str = "",
        ends_with: str = "",
    ) -> None:
        self.produced = 0
        self.consumed = 0
        self.reason = reason
        self.trailing = 0
        """Bytes behind the last compressed stream, as far as they were read."""
        self._ends_with = ends_with
        self._source = source
        self._budget = budget
        self._decoder = decoder
        self._again = again
        self._open_ended = open_ended
        self._expected = expected or Expected()
        self._held = b""
        self._pieces = self._limited() if not reason else iter(())

    def __iter__(self) -> Iterator[bytes]:
        if self._held:
            held, self._held = self._held, b""
            yield held
        yield from self._pieces

    def peek(self, length: int) -> bytes:
        """Return the first ``length`` bytes, fewer when there are not so many; iterating still gives them."""
        while len(self._held) < length:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._held += piece
        return self._held[:length]

    def read(self, limit: int) -> bytes:
        """Return what is left, at most ``limit`` bytes of it; ``reason`` says so when there is more."""
        pieces, total = [], 0
        for piece in self:
            pieces.append(piece[: limit - total])
            total += len(piece)
            if total > limit:
                self.reason = self.reason or f"more than the {limit:,} bytes that were asked for"
                break
        return b"".join(pieces)

    def _limited(self) -> Iterator[bytes]:
        limits, crc = self._budget.limits, 0
        for piece in self._plain() if self._decoder is None else self._expanded(self._decoder):
            taken = piece
            if self.produced + len(piece) > limits.member:
                self.reason = f"larger than {limits.member:,} bytes"
                taken = piece[: limits.member - self.produced]
            if self._decoder is not None:
                left = limits.total - self._budget.expanded
                if len(taken) > left:
                    self.reason = f"the archive and what is nested in it expand to more than {limits.total:,} bytes"
                    taken = taken[:left]
                self._budget.expanded += len(taken)
            self.produced += len(taken)
            crc = zlib.crc32(taken, crc)
            if taken:
                yield taken
            if self._decoder is not None and self.produced > limits.ratio_free and self.produced > limits.ratio * self.consumed:
                self.reason = self.reason or f"expands more than {limits.ratio} times"
            if self.reason:
                return
        if not self.reason:
            self.reason = self._ends_with or self._difference(crc)

    def _difference(self, crc: int) -> str:
        stated = self._expected
        if stated.size is not None and stated.size != self.produced:
            return f"{self.produced:,} bytes where the archive states {stated.size:,}"
        if stated.crc32 is not None and stated.crc32 != crc:
            return "its checksum is wrong"
        return ""

    def _plain(self) -> Iterator[bytes]:
        while piece := self._next():
            yield piece

    def _next(self) -> bytes:
        """Return the next packed piece, b"" at the end or where the medium cannot be read."""
        try:
            piece = next(self._source, b"")
        except OSError as error:
            self.reason = f"cannot be read: {error.strerror or error}"[:200]
            return b""
        self.consumed += len(piece)
        return piece

    def _expanded(self, make: Callable[[], Decoder]) -> Iterator[bytes]:
        data, streams = b"", 0
        while True:
            streams += 1
            decoder = make()
            while not decoder.eof:
                if decoder.needs_input and not data:
                    data = self._next()
                    if not data:
                        if not self._open_ended:
                            self.reason = self.reason or "ends before its compressed data do"
                        return
                try:
                    piece = decoder.decompress(data, PIECE)
                except FAULTS:
                    self.reason = "its compressed data are damaged"
                    return
                data = b""
                if piece:
                    yield piece
            data = self._rest(decoder.unused_data)
            if not self._again or not data.startswith(self._again):
                self.trailing = len(data)
                return
            if streams >= _STREAMS:
                self.reason = f"more than {_STREAMS:,} compressed streams follow each other"
                return

    def _rest(self, data: bytes) -> bytes:
        """Return what follows a stream without the zeros that may pad it, at least a magic number's length if there is so much."""
        while self._again:
            data = data.lstrip(b"\0")
            if len(data) >= len(self._again):
                break
            more = self._next()
            if not more:
                break
            data += more
        return data
