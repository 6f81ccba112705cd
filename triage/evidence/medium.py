"""What every container format offers: the bytes of the acquired medium, read-only, at any offset."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


VERDICTS = ("verified", "mismatch", "no stored hash", "incomplete")
"""How recomputing a medium's stored digests can end (:mod:`triage.evidence.verify`)."""


class DamagedRangeError(OSError):
    """Bytes of the medium that its container can no longer give. ``offset`` and ``length`` are relative to the medium."""

    def __init__(self, offset: int, length: int, reason: str) -> None:
        super().__init__(f"{reason} (medium offset {offset}, {length} bytes)")
        self.offset = offset
        self.length = length
        self.reason = reason


class Medium(Protocol):
    """The bytes of a disk, card or phone, whatever they are kept in. Sizes and offsets are in bytes."""

    size: int
    sector_size: int
    damaged: dict[int, tuple[int, str]]
    """Ranges found unreadable so far: offset → (length, reason)."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly the bytes asked for, fewer only at the medium's end; raise :class:`DamagedRangeError`."""

    def close(self) -> None:
        """Release the files."""


def open_read_only(path: Path) -> int:
    """Open a file for reading, without touching its access time where the system allows; return the descriptor."""
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    no_atime = getattr(os, "O_NOATIME", 0)
    if no_atime:
        try:
            return os.open(path, flags | no_atime)
        except PermissionError:  # only the file's owner may ask for it
            pass
    return os.open(path, flags)


if hasattr(os, "pread"):
    pread = os.pread
else:  # pragma: no cover - Windows

    def pread(descriptor: int, length: int, offset: int, /) -> bytes:
        """Read at an offset; workers have one thread that reads, so the shared position does no harm."""
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, length)


class FileMedium:
    """One raw file, or several that follow each other (``.001``, ``.002`` …)."""

    def __init__(self, paths: Sequence[Path], sector_size: int = 512) -> None:
        self.sector_size = sector_size
        self.damaged: dict[int, tuple[int, str]] = {}
        self._parts: list[tuple[int, int, int]] = []  # start, end, descriptor
        start = 0
        try:
            for path in paths:
                descriptor = open_read_only(path)
                end = start + os.lseek(descriptor, 0, os.SEEK_END)
                self._parts.append((start, end, descriptor))
                start = end
        except OSError:
            self.close()
            raise
        self.size = start

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`Medium`."""
        pieces = []
        length = max(0, min(length, self.size - offset))
        for start, end, descriptor in self._parts:
            while start <= offset < end and length > 0:
                try:
                    piece = pread(descriptor, min(length, end - offset), offset - start)
                except OSError as error:
                    raise self._damage(offset, length, error.strerror or str(error)) from error
                if not piece:
                    raise self._damage(offset, length, "the file became shorter while it was read")
                pieces.append(piece)
                offset += len(piece)
                length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _damage(self, offset: int, length: int, reason: str) -> DamagedRangeError:
        self.damaged[offset] = (length, reason)
        return DamagedRangeError(offset, length, reason)

    def close(self) -> None:
        """Close the files."""
        for _, _, descriptor in self._parts:
            os.close(descriptor)
        self._parts = []


class PartMedium:
    """A stretch of another medium, from ``start`` on to its end or for ``size`` bytes."""

    def __init__(self, below: Medium, start: int, size: int | None = None) -> None:
        self.sector_size = below.sector_size
        self.damaged = below.damaged
        self._below = below
        self._start = start
        left = max(0, below.size - start)
        self.size = left if size is None else min(size, left)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`Medium`."""
        return self._below.read_at(self._start + offset, max(0, min(length, self.size - offset)))

    def close(self) -> None:
        """Close the files below."""
        self._below.close()
