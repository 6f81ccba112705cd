"""What a worker does with one of an agency's own files: everything that a hash set can know of it, and nothing of the file itself."""

from __future__ import annotations

import base64
import os
import stat
from typing import TYPE_CHECKING, Any

from triage.content.blocks import distinctive_blocks
from triage.content.comparable import LEAST_QUALITY, Comparable, comparable_of
from triage.content.stream import CHUNK, analyze_content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from triage.model import Json


def hash_file(path: Path, flags: Json, beat: Callable[[], None]) -> Json:
    """Return a file's digests, blocks and what it is compared by, as JSON values; ``error`` says why there are none.

    ``flags``: ``blocks``, ``pictures`` and ``videos``, whether those are wanted. ``MemoryError`` is raised.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        return {"error": f"it cannot be opened: {error.strerror or error}"}
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            return {"error": "it is not a regular file"}
        return _hashed(handle, facts.st_size, flags, beat)
    except OSError as error:
        return {"error": f"it cannot be read: {error.strerror or error}"}
    finally:
        os.close(handle)


def _hashed(handle: int, size: int, flags: Json, beat: Callable[[], None]) -> Json:
    with os.fdopen(os.dup(handle), "rb", buffering=0) as stream:

        def read_at(offset: int, length: int) -> bytes:
            beat()
            stream.seek(offset)
            data = bytearray()
            while len(data) < length and (piece := stream.read(length - len(data))):
                data += piece
            return bytes(data)

        result = analyze_content("", read_at, size, progress=beat)
        content = result.content
        if content.md5 is None:
            return {"error": content.reason or "not all of it can be read"}
        alike = comparable_of(
            result.type, result.data, read_at, size, pictures=flags["pictures"], videos=flags["videos"], beat=beat, dense=True
        )
        chunks: Iterator[bytes] = iter([result.data]) if result.data is not None else _chunks(read_at, size)
        blocks = distinctive_blocks(chunks) if flags["blocks"] else []
    answer: dict[str, Any] = {
        "size": size,
        "category": result.type.category if result.type else "unknown",
        **{name: getattr(content, name) for name in ("md5", "sha1", "sha256", "md5_512", "md5_64k")},
        "numbers": [number for number, _ in blocks],
        "blocks": base64.b64encode(b"".join(digest for _, digest in blocks)).decode("ascii"),
        "alike": alike.pack() if alike is not None else None,
    }
    return answer


def _chunks(read_at: Callable[[int, int], bytes], size: int) -> Iterator[bytes]:
    for offset in range(0, size, CHUNK):
        yield read_at(offset, min(CHUNK, size - offset))


def usable(alike: Comparable | None) -> bool:
    """Whether a picture's hash has enough in it to be put on a list."""
    return alike is not None and bool(alike.pdq) and alike.quality >= LEAST_QUALITY
