"""Pages of Ogg (RFC 3533, 6): a header with serial and running number, a table of lengths, data, and a CRC-32 over all of it.

Ogg's CRC runs from the highest bit down, zlib's from the lowest up: with the bits of each byte turned around they give the same.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triage.carving.window import Window

CAPTURE = b"OggS"
LONGEST = 27 + 255 + 255 * 255
"""Bytes a page may have."""
CONTINUED, FIRST, LAST = 1, 2, 4
"""Flags of a page."""
_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_HEAD = 27 + 255


@dataclass(frozen=True, slots=True)
class Page:
    """A page that begins at ``offset`` and has ``size`` bytes, ``head`` of them before its data. ``granule``: -1 when it has none."""

    offset: int
    size: int
    head: int
    flags: int
    granule: int
    serial: int
    number: int
    checksum: int


def page_at(window: Window, offset: int) -> Page | None:
    """Read the header of a page; ``None`` when none begins there. Its data may go past the window's end."""
    head = window.at(offset, _HEAD)
    if head[:5] != b"OggS\0" or len(head) < 27 or head[5] > 7 or len(head) < 27 + head[26]:
        return None
    count = head[26]
    return Page(
        offset=offset,
        size=27 + count + sum(head[27 : 27 + count]),
        head=27 + count,
        flags=head[5],
        granule=int.from_bytes(head[6:14], "little", signed=True),
        serial=int.from_bytes(head[14:18], "little"),
        number=int.from_bytes(head[18:22], "little"),
        checksum=int.from_bytes(head[22:26], "little"),
    )


def is_right(page: Page, data: bytes) -> bool:
    """Whether the bytes of a page have the checksum that its header says."""
    if len(data) != page.size:
        return False
    # From nothing, with the checksum's own bytes as zeros; zlib begins with and ends with all bits set.
    turned = (data[:22] + b"\0\0\0\0" + data[26:]).translate(_TURNED)
    found = zlib.crc32(turned, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(found.to_bytes(4, "little").translate(_TURNED), "big") == page.checksum
