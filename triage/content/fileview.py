"""An item's bytes as a file that can be read and nothing else, for libraries that want one."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

ReadAt = Callable[[int, int], bytes]


class FileView(io.RawIOBase):
    """A read-only file over ``read_at``; it has no way to the bytes before or behind the item."""

    def __init__(self, read_at: ReadAt, size: int) -> None:
        self._read_at = read_at
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read from any place: yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, as ``io`` has it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there are bytes."""
        view = memoryview(buffer).cast("B")
        length = min(len(view), self._size - self._at)
        if length <= 0:
            return 0
        data = self._read_at(self._at, length)[:length]
        view[: len(data)] = data
        self._at += len(data)
        return len(data)
