"""Whether evidence is what it was: a digest of its files, sampled (fast) or whole, and their stat facts."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

from triage.errors import EvidenceError
from triage.evidence.folder import list_folder
from triage.evidence.medium import open_read_only, pread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

EDGE = 64 << 10
"""Bytes at each end of a file that a sampled fingerprint takes whole."""
SAMPLES = 64
"""How many 4 KiB blocks, evenly spread between the ends, it takes besides."""
_BLOCK = 4096
_FILES = 256
_WHOLE = 8 << 20


def sampled(paths: Sequence[Path]) -> str:
    """Return a SHA-256 over each file's size, its two ends and :data:`SAMPLES` blocks between; small files whole.

    It tells one medium from another and finds replaced or cut files in milliseconds. It does not prove that no byte
    changed: :func:`whole` does.
    """
    digest = hashlib.sha256()
    for path in paths:
        if path.is_dir():
            _sample_folder(digest, path)
            continue
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


def _sample_folder(digest: hashlib._Hash, folder: Path) -> None:
    """Take the name and size of all that lies in a folder, and the beginnings of some of its files, evenly spread."""
    files = list_folder(folder)
    regular = [one for one in files if one.size]
    for one in files:
        digest.update(b"%s;%d;%o;" % (b"/".join(one.path), one.size, stat.S_IFMT(one.info.st_mode)))
    for one in regular[:: max(1, len(regular) // _FILES)]:
        path = folder.joinpath(*map(os.fsdecode, one.path))
        descriptor = _open(path)
        try:
            digest.update(pread(descriptor, min(one.size, EDGE), 0))
        except OSError as error:
            raise EvidenceError(f"{path} cannot be read: {error.strerror or error}") from error
        finally:
            os.close(descriptor)


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files that are named, and those in the folders that are."""
    for path in paths:
        if path.is_dir():
            yield from (path.joinpath(*map(os.fsdecode, one.path)) for one in list_folder(path) if stat.S_ISREG(one.info.st_mode))
        else:
            yield path


def _pieces(size: int) -> list[tuple[int, int]]:
    if size <= 2 * EDGE + SAMPLES * _BLOCK:
        return [(offset, min(_WHOLE, size - offset)) for offset in range(0, size, _WHOLE)]
    step = (size - 2 * EDGE) // SAMPLES
    inner = [(EDGE + n * step, _BLOCK) for n in range(SAMPLES)]
    return [(0, EDGE), *inner, (size - EDGE, EDGE)]


def whole(paths: Sequence[Path], progress: Callable[[int], None] = lambda _: None) -> str:
    """Return a SHA-256 over every byte of every file; ``progress`` is told the number of bytes read each time."""
    digest = hashlib.sha256()
    for path in _files(paths):
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
    """Return size, number, modification and change time (ns) of each file: what a writer, or another file, cannot help changing.

    Of a folder the sum of the sizes and the latest times of all that lies in it; the number is a digest of all of these.
    """
    facts = []
    for path in paths:
        try:
            info = path.stat()
            if stat.S_ISDIR(info.st_mode):
                facts.append(_folder_facts(path))
                continue
        except OSError as error:
            raise EvidenceError(f"{path} cannot be read: {error.strerror or error}") from error
        facts.append({"size": info.st_size, "mtime_ns": info.st_mtime_ns, "ctime_ns": info.st_ctime_ns, "inode": info.st_ino})
    return facts


def _folder_facts(folder: Path) -> dict[str, int]:
    digest = hashlib.blake2b(digest_size=7)
    size, changed, written = 0, 0, 0
    for one in list_folder(folder):
        info = one.info
        digest.update(b"%s;%d;%d;%d;%d;" % (b"/".join(one.path), one.size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino))
        size, written, changed = size + one.size, max(written, info.st_mtime_ns), max(changed, info.st_ctime_ns)
    return {"size": size, "mtime_ns": written, "ctime_ns": changed, "inode": int.from_bytes(digest.digest(), "big")}


def _open(path: Path) -> int:
    try:
        return open_read_only(path)
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror or error}", hint="check its permissions") from error
