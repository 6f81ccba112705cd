"""The border to the libyal readers of volumes (BitLocker, FileVault, shadow copies, logical volumes): media in, media out, errors ours."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from triage.evidence.medium import DamagedRangeError

if TYPE_CHECKING:
    from triage.evidence.medium import Medium

ERRORS = (OSError, RuntimeError, ValueError, TypeError, OverflowError, MemoryError, SystemError)
"""What the bindings raise, from whatever lies below them."""
_FRAME = re.compile(r"\b(?:py|lib)\w+: ")


class MediumFile:
    """A medium as the bindings read it: a file with a place in it."""

    def __init__(self, medium: Medium) -> None:
        self._medium = medium
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        data = self._medium.read_at(self._at, self._medium.size - self._at if size < 0 else size)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> None:
        """Go to a place."""
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence, self._medium.size))

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def seekable(self) -> bool:
        """Return whether other places can be gone to."""
        return True

    def get_size(self) -> int:
        """Return the medium's size in bytes."""
        return self._medium.size


class YalMedium:
    """What a binding reads out of a volume, ``size`` bytes of it. Not safe for several threads.

    ``inner``: the binding's object; ``held``: what must live as long as it does; ``closing``: what is closed with it besides ``below``.
    """

    def __init__(self, inner: Any, size: int, below: Medium, held: tuple[Any, ...] = (), closing: tuple[Medium, ...] = ()) -> None:
        self.size = size
        self.sector_size = below.sector_size
        self.damaged: dict[int, tuple[int, str]] = {}
        self.inner, self._below, self._held, self._closing = inner, below, held, closing

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        length = max(0, min(length, self.size - offset))
        pieces, at, left = [], offset, length
        while left:
            try:
                piece: bytes = self.inner.read_buffer_at_offset(left, at)
            except ERRORS as error:
                raise self._damage(offset, length, reason(error)) from error
            if not piece:
                raise self._damage(offset, length, "the volume ends before its end")
            pieces.append(piece)
            at += len(piece)
            left -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _damage(self, offset: int, length: int, why: str) -> DamagedRangeError:
        self.damaged[offset] = (length, why)
        return DamagedRangeError(offset, length, why)

    def close(self) -> None:
        """Close the files below."""
        for medium in (self._below, *self._closing):
            medium.close()


def reason(error: BaseException) -> str:
    """Return the plainest clause of a binding's nested message, at most 200 characters."""
    clauses = [c.strip() for c in _FRAME.split(str(error)) if c.strip()]
    return (clauses[-1] if clauses else type(error).__name__).split("\n")[0].rstrip(".")[:200]
