"""One small target a parser: seeds that it reads, and a function of bytes that ends in a result or in an error that it documents."""

from __future__ import annotations

import importlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Target:
    """A parser under test.

    ``run`` must return, or raise one of ``allowed``; anything else is a failure. ``modules`` are those that it
    exercises; ``*`` at the end of one stands for all that begin so.
    """

    name: str
    run: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    modules: tuple[str, ...]
    allowed: tuple[type[Exception], ...] = ()
    tokens: tuple[bytes, ...] = ()


def scratch(name: str, data: bytes) -> Path:
    """Write an input to a file of this process, for parsers that open files themselves."""
    path = Path(tempfile.gettempdir()) / name
    path.write_bytes(data)
    return path


def reads(data: bytes) -> Callable[[int, int], bytes]:
    """Return ``read_at`` over bytes."""
    return lambda offset, length: data[offset : offset + length] if offset >= 0 and length > 0 else b""


def _all() -> dict[str, Target]:
    found: dict[str, Target] = {}
    for path in sorted(Path(__file__).parent.glob("targets_*.py")):
        for target in importlib.import_module(path.stem).TARGETS:
            if target.name in found:
                raise ValueError(f"two targets are called {target.name}")
            found[target.name] = target
    return found


TARGETS: dict[str, Target] = {}
if __name__ == "targets":  # the other files import Target from here first
    TARGETS.update(_all())
