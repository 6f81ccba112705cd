"""An entry's bytes copied into a file: holes stay holes, and what cannot be read is said."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from triage.errors import EvidenceError

if TYPE_CHECKING:
    from triage.engine.session import Session
    from triage.model import Entry

_ZEROS = bytes(1 << 20)
_HEAD = 65536


class Copied(NamedTuple):
    """What was copied: how many bytes, their SHA-256 and their beginning; ``problem``: why that is not all of it."""

    size: int
    sha256: str
    head: bytes
    problem: str


def copy_bytes(session: Session, entry: Entry, file: BinaryIO) -> Copied:
    """Write an entry's bytes to a file that is open for writing; raise ``OSError`` when that cannot be written."""
    digest, head, problem, size = hashlib.sha256(), b"", "", 0
    try:
        if entry.locator is not None:
            for piece in session.read(entry.locator, entry.size):
                digest.update(piece)
                head = head or piece[:_HEAD]
                size += len(piece)
                if piece == _ZEROS:
                    file.seek(len(piece), os.SEEK_CUR)  # a hole stays one: terabytes of it cost no room
                else:
                    file.write(piece)
    except EvidenceError as error:
        problem = error.message
    file.truncate(size)
    if not problem and size < entry.size:
        problem = f"only {size} of {entry.size} bytes can be read"
    return Copied(size, digest.hexdigest(), head, problem)
