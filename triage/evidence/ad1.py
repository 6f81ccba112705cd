"""AccessData's logical images (AD1): the segments of one as a single string of bytes, each without its head.

Its maker has published no description; what is known was read off images (the samples of Dissect's tests) and off what others published of
theirs: a head of 512 bytes says which segment of how many a file is.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

from triage.errors import EvidenceError
from triage.evidence.medium import FileMedium

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from triage.evidence.medium import Medium

SEGMENT, IMAGE, ENCRYPTED = b"ADSEGMENTEDFILE\0", b"ADLOGICALIMAGE\0", b"ADCRYPT\0"
_NAME = re.compile(r"^(?P<stem>.*)\.ad(?P<number>\d{1,4})$", re.IGNORECASE)
_LARGEST_HEAD = 1 << 16


class Head(NamedTuple):
    """What a segment says of itself."""

    number: int
    total: int
    length: int


def read_head(path: Path) -> Head:
    """Return a segment's head; raise ``EvidenceError`` when it has none."""
    try:
        with path.open("rb") as file:
            raw = file.read(48)
    except OSError as error:
        raise EvidenceError(f"{path.name} cannot be read: {error.strerror or error}", hint="check its permissions") from error
    number, count = struct.unpack_from("<II", raw.ljust(48, b"\0"), 0x18)
    (length,) = struct.unpack_from("<I", raw.ljust(48, b"\0"), 0x28)
    if not raw.startswith(SEGMENT) or not 48 <= length <= _LARGEST_HEAD or not 0 < number <= max(count, 1):
        raise EvidenceError(f"{path.name} is no segment of an AD1 image", hint="get a whole copy")
    return Head(number, max(count, 1), length)


def find_ad1(path: Path) -> list[Path]:
    """Return the segments of the image that one belongs to, in order. Raises ``EvidenceError`` when one is missing."""
    head, match = read_head(path), _NAME.match(path.name)
    if head.total == 1 or match is None:
        if head.number != 1 or head.total > 1:
            raise EvidenceError(f"{path.name} is segment {head.number} of {head.total}", hint="name the segments NAME.ad1, NAME.ad2 …")
        return [path]
    found = {}
    for other in sorted(path.parent.iterdir()):
        same = _NAME.match(other.name)
        if same is not None and same["stem"].lower() == match["stem"].lower() and other.is_file():
            found[int(same["number"])] = other
    missing = [f"{match['stem']}.ad{n}" for n in range(1, head.total + 1) if n not in found]
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise EvidenceError(f"segment {shown} of {path.name}'s set is missing", hint="put it beside the others")
    return [found[n] for n in range(1, head.total + 1)]


class Ad1Medium:
    """The bytes of the segments behind their heads, one behind the other."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.sector_size = 512
        self.damaged: dict[int, tuple[int, str]] = {}
        self._parts: list[tuple[int, int, int, Medium]] = []  # start, end, length of the head, file
        start = 0
        for number, path in enumerate(paths, 1):
            head = read_head(path)
            if head.number != number:
                self.close()
                raise EvidenceError(f"{path.name} says that it is segment {head.number}, not {number}", hint="give each segment its name")
            file = FileMedium([path])
            end = start + max(0, file.size - head.length)
            self._parts.append((start, end, head.length, file))
            start = end
        self.size = start

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        length = max(0, min(length, self.size - offset))
        pieces = []
        for start, end, head, file in self._parts:
            if start <= offset < end and length > 0:
                piece = file.read_at(head + offset - start, min(length, end - offset))
                pieces.append(piece)
                offset += len(piece)
                length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Close the files."""
        for _, _, _, file in self._parts:
            file.close()
