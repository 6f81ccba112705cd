"""Where a worker announces what it is about to touch: four integers in memory that it shares with its parent.

Writing them costs a third of a microsecond, so every item and every directory entry is announced. The parent reads them to see
that something moves, and after a kill or crash to know which item was in hand.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import struct
import sys
import tempfile
from typing import BinaryIO, NamedTuple, cast

_FORMAT = struct.Struct("<QQQQ")
_SIZE = 4096


class Announcement(NamedTuple):
    """``phase`` says what the other two mean; ``beats`` grows with every sign of life."""

    phase: int
    address: int
    position: int
    beats: int


class Slot:
    """The shared memory. The parent makes it, the worker opens it by :attr:`handle`; nothing is left on disk."""

    def __init__(self, handle: str | None = None) -> None:
        self._file: BinaryIO | None = None
        if handle is None:
            if sys.platform == "win32":
                self.handle = f"triage-{secrets.token_hex(8)}"
                self._map = mmap.mmap(-1, _SIZE, tagname=self.handle)
            else:
                self._file = _nameless()
                self._file.truncate(_SIZE)
                self.handle = str(self._file.fileno())
                self._map = mmap.mmap(self._file.fileno(), _SIZE)
        else:
            self.handle = handle
            if sys.platform == "win32":
                self._map = mmap.mmap(-1, _SIZE, tagname=handle)
            else:
                self._map = mmap.mmap(int(handle), _SIZE)
                os.close(int(handle))
        self._beats = 0

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The descriptors a worker must inherit."""
        return (self._file.fileno(),) if self._file is not None else ()

    def announce(self, phase: int, address: int, position: int) -> None:
        """Say what is touched next."""
        self._beats += 1
        _FORMAT.pack_into(self._map, 0, phase & _MASK, address & _MASK, position & _MASK, self._beats)

    def beat(self) -> None:
        """Say that the item in hand gets on."""
        self._beats += 1
        struct.pack_into("<Q", self._map, 24, self._beats)

    def read(self) -> Announcement:
        """Return the latest announcement."""
        return Announcement(*_FORMAT.unpack_from(self._map, 0))

    def reset(self) -> None:
        """Forget the last announcement."""
        self._map[: _FORMAT.size] = bytes(_FORMAT.size)

    def close(self) -> None:
        """Release the memory."""
        self._map.close()
        if self._file is not None:
            self._file.close()


def _nameless() -> BinaryIO:
    """Return a file for the slot, kept open for the workers: in memory where the system can, else one without a name."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return os.fdopen(os.memfd_create("triage-slot"), "w+b")
    return cast("BinaryIO", tempfile.TemporaryFile())


_MASK = (1 << 64) - 1
