"""MD5, SHA-1 and SHA-256 of one item, fed in chunks."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

LARGE = 64 << 20
"""From how many bytes on a thread a digest pays: below, the other worker processes need the cores."""

Hexdigests = tuple[str, str, str]
HEADS = (512, 64 << 10)
"""Of so many first bytes some lists have the MD5, by which a file is known of which only the beginning is left."""


def heads_of(head: bytes, size: int) -> tuple[str | None, str | None]:
    """Return the MD5 of the first 512 bytes and of the first 64 KiB of a file of ``size`` bytes; ``None`` where it has no more than that.

    ``head``: its first bytes, 64 KiB of them at least if there are as many.
    """
    first, second = (
        hashlib.md5(memoryview(head)[:length], usedforsecurity=False).hexdigest() if size > length and len(head) >= length else None
        for length in HEADS
    )
    return first, second


def digests_of(data: bytes) -> Hexdigests:
    """Return MD5, SHA-1 and SHA-256 of ``data`` as lower-case hex."""
    return (
        hashlib.md5(data, usedforsecurity=False).hexdigest(),
        hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        hashlib.sha256(data, usedforsecurity=False).hexdigest(),
    )


class Digests:
    """The three digests of a stream. ``large``: a thread each; the next chunk is read meanwhile.

    Chunks must not change after they were given. Use it as a context manager: leaving it ends the threads.
    """

    def __init__(self, large: bool = False) -> None:
        self._hashes = (
            hashlib.md5(usedforsecurity=False),
            hashlib.sha1(usedforsecurity=False),
            hashlib.sha256(usedforsecurity=False),
        )
        self._pool = ThreadPoolExecutor(max_workers=3, thread_name_prefix="digest") if large else None
        self._running: tuple[Future[None], ...] = ()

    def update(self, chunk: bytes) -> None:
        """Feed the next bytes."""
        if self._pool is None:
            for one in self._hashes:
                one.update(chunk)
            return
        self._wait()
        self._running = tuple(self._pool.submit(one.update, chunk) for one in self._hashes)

    def hexdigests(self) -> Hexdigests:
        """Return MD5, SHA-1 and SHA-256 of everything fed so far, as lower-case hex."""
        self._wait()
        md5, sha1, sha256 = self._hashes
        return md5.hexdigest(), sha1.hexdigest(), sha256.hexdigest()

    def close(self) -> None:
        """End the threads. The digests stay readable."""
        self._wait()
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _wait(self) -> None:
        running, self._running = self._running, ()
        for future in running:
            future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
