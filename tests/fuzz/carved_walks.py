"""What the targets of carved formats share: walk bytes as the carver does, and ask for what lies in pieces."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from triage.carving.catalog import known_formats
from triage.carving.window import WindowSpentError, window_of

if TYPE_CHECKING:
    from collections.abc import Callable

ALLOWED = (ValueError, LookupError, ArithmeticError, struct.error, zlib.error, WindowSpentError)
"""What a walk may end in when bytes lead it astray."""
_ALLOWANCE = 64 << 20


def walks(name: str) -> Callable[[bytes], object]:
    """Return a function that walks bytes as the format does; what it answers must lie in them."""

    def run(data: bytes) -> object:
        form = next(f for f in known_formats() if f.name == name)
        if not any(header.matches(data) for header in form.headers):
            return None
        window = window_of(data, block=512, allowance=_ALLOWANCE)
        found = form.walk(window)
        if found is None:
            return None
        assert 0 < found.length <= len(data)
        assert found.valid is None or 0 < found.valid <= found.length
        assert all(0 <= part.offset < part.offset + part.length <= found.length for part in found.parts)
        if form.rejoin is not None and (joined := form.rejoin(window, found)) is not None and joined.pieces:
            assert sum(size for _, size in joined.pieces) == joined.length
            assert all(at >= 0 and size > 0 and at + size <= len(data) for at, size in joined.pieces)
        return found

    return run
