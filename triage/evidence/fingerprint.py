"""Whether evidence is what it was: a digest of its files, sampled (fast) or whole, and their stat facts."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from triage.errors import EvidenceError
from triage.evidence.medium import open_read_only, pread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

EDGE = 64 << 10
"""Bytes at each end of a file that a sampled fingerprint takes whole."""
SAMPLES = 64
"""How many 4 KiB blocks, evenly spread between the ends, it takes besides."""
_BLOCK = 4096
_WHOLE = 8 << 20


def sampled(paths: Sequence[Path]) -> str:
    """Return a SHA-256 over each file's size, its two ends and :data:`SAMPLES` blocks between; small files whole.

    It tells one medium from another and finds replaced or cut files in milliseconds. It does not prove that no byte
    changed: :func:`whole` does.
    """
    digest = hashlib.sha256()
    for path in paths:
        descriptor = _open(path)
        try:
            size = os.lseek(descriptor, 0, os.SEEK_END)
            digest.update(b"%d;" % size)
            for offset, length in _pieces(size):
                digest.update(pread(descriptor, length, offset))
        except OSError as error:
            raise EvidenceError(f"{path} cannot be read: {error.strerror or error}") from error
        finally:
            os.close(descriptor)
    return digest.hexdigest()


def _pieces(size: int) -> list[tuple[int, int]]:
    if size <= 2 * EDGE + SAMPLES * _BLOCK:
        return [(offset, min(_WHOLE, size - offset)) for offset in range(0, size, _WHOLE)]
    step = (size - 2 * EDGE) // SAMPLES
    inner = [(EDGE + n * step, _BLOCK) for n in range(SAMPLES)]
    return [(0, EDGE), *inner, (size - EDGE, EDGE)]


def whole(paths: Sequence[Path], progress: Callable[[int], None] = lambda _: None) -> str:
    """Return a SHA-256 over every byte of every file; ``progress`` is told the number of bytes read each time."""
    digest = hashlib.sha256()
    for path in paths:
        descriptor = _open(path)
        try:
            offset = 0
            while piece := pread(descriptor, _WHOLE, offset):
                digest.update(piece)
                offset += len(piece)
                progress(len(piece))
        except OSError as error:
            raise EvidenceError(f"{path} cannot be read: {error.strerror or error}") from error
        finally:
            os.close(descriptor)
    return digest.hexdigest()


def stat_facts(paths: Sequence[Path]) -> list[dict[str, int]]:
    """Return size, number, modification and change time (ns) of each file: what a writer, or another file, cannot help changing."""
    facts = []
    for path in paths:
        try:
            info = path.stat()
        except OSError as error:
            raise EvidenceError(f"{path} cannot be read: {error.strerror or error}") from error
        facts.append({"size": info.st_size, "mtime_ns": info.st_mtime_ns, "ctime_ns": info.st_ctime_ns, "inode": info.st_ino})
    return facts


def _open(path: Path) -> int:
    try:
        return open_read_only(path)
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror or error}", hint="check its permissions") from error
