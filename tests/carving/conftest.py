"""What the tests of carved formats share: walking bytes that lie in the middle of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from triage.carving.catalog import known_formats
from triage.carving.window import window_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.carving.forms import Walked


def _walk(name: str, data: bytes, *, allowance: int = 1 << 40, **kwargs: Any) -> Walked | None:
    found = next(f for f in known_formats() if f.name == name)
    window = window_of(data, allowance=allowance, **kwargs)
    return found.walk(window)


@pytest.fixture
def walk() -> Callable[..., Walked | None]:
    """``walk(format name, bytes)``: the format's walk over bytes that begin with its header."""
    return _walk
