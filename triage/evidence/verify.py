"""Recompute the medium's digests and hold them against those that the acquisition stored."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.evidence.aff4 import Aff4Medium
from triage.evidence.ewf import EwfMedium
from triage.evidence.medium import DamagedRangeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from triage.evidence.medium import Medium

_STEP = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """``verdict`` is ``verified``, ``mismatch``, ``no stored hash`` or ``incomplete`` (a part could not be read)."""

    verdict: str
    stored: Mapping[str, str]
    computed: Mapping[str, str]
    size: int
    unread: int = 0
    reasons: tuple[str, ...] = ()


def verify(medium: Medium, stored: Mapping[str, str], progress: Callable[[int], None] = lambda _: None) -> Verification:
    """Read the whole medium once. Digests are MD5, SHA-1 and SHA-256 of its bytes; none when a part cannot be read."""
    digests = [hashlib.md5(usedforsecurity=False), hashlib.sha1(usedforsecurity=False), hashlib.sha256()]
    unread = 0
    reasons: list[str] = []
    with ThreadPoolExecutor(max_workers=4) as pool:
        waiting: list[Future[None]] = []
        for piece in _pieces(medium, pool):
            for done in waiting:
                done.result()
            if isinstance(piece, DamagedRangeError):
                unread += piece.length
                progress(piece.length)
                if len(reasons) < 100:
                    reasons.append(str(piece))
                waiting = []
                continue
            # hashlib lets go of the interpreter lock, so the three digests of a piece run side by side.
            waiting = [pool.submit(d.update, piece) for d in digests]
            progress(len(piece))
        for done in waiting:
            done.result()
    computed = {} if unread else dict(zip(("md5", "sha1", "sha256"), (d.hexdigest() for d in digests), strict=True))
    if isinstance(medium, Aff4Medium):  # its digests are of what is stored: the disk itself has none
        computed.update(medium.stream_digests())
    if unread:
        verdict = "incomplete"
    elif not stored:
        verdict = "no stored hash"
    else:
        verdict = "verified" if all(computed.get(k) == v for k, v in stored.items()) else "mismatch"
    return Verification(verdict=verdict, stored=stored, computed=computed, size=medium.size, unread=unread, reasons=tuple(reasons))


def _pieces(medium: Medium, pool: ThreadPoolExecutor) -> Iterator[bytes | DamagedRangeError]:
    """Yield the medium's bytes in order; E01 chunks are inflated ahead by the pool."""
    if not isinstance(medium, EwfMedium):
        for offset in range(0, medium.size, _STEP):
            yield from _piece(medium, offset, min(offset + _STEP, medium.size))
        return
    per_piece = max(1, _STEP // medium.chunk_size)
    ahead: deque[Future[list[bytes | DamagedRangeError]]] = deque()
    starts = iter(range(0, medium.chunks, per_piece))

    def inflate(first: int) -> list[bytes | DamagedRangeError]:
        last = min(first + per_piece, medium.chunks)
        return [_try(lambda n=n: medium.read_chunk(n)) for n in range(first, last)]  # type: ignore[misc]

    for first in starts:
        ahead.append(pool.submit(inflate, first))
        if len(ahead) > 4:
            yield from _merged(ahead.popleft().result())
    while ahead:
        yield from _merged(ahead.popleft().result())


def _piece(medium: Medium, at: int, end: int) -> Iterator[bytes | DamagedRangeError]:
    """Yield the bytes of a stretch, and what of it is damaged, in order."""
    while at < end:
        try:
            data = medium.read_at(at, end - at)
        except DamagedRangeError as error:
            if error.offset > at:
                end_of_good = min(error.offset, end)
                yield _try(lambda first=at, last=end_of_good: medium.read_at(first, last - first))  # type: ignore[misc]
            after = min(max(error.offset + error.length, at + 1), end)
            yield DamagedRangeError(max(error.offset, at), after - max(error.offset, at), error.reason)
            at = after
            continue
        yield data
        return


def _merged(chunks: list[bytes | DamagedRangeError]) -> Iterator[bytes | DamagedRangeError]:
    good: list[bytes] = []
    for chunk in chunks:
        if isinstance(chunk, DamagedRangeError):
            if good:
                yield b"".join(good)
                good = []
            yield chunk
        else:
            good.append(chunk)
    if good:
        yield b"".join(good)


def _try(read: Callable[[], bytes]) -> bytes | DamagedRangeError:
    try:
        return read()
    except DamagedRangeError as error:
        return error
