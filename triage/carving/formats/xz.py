"""xz: streams with checksums of header, blocks, index and footer (The .xz File Format 1.2.1)."""

from __future__ import annotations

import lzma
import zlib
from typing import TYPE_CHECKING

from triage.carving.forms import Format, Header, Walked
from triage.carving.zipstreams import walk_streams

if TYPE_CHECKING:
    from triage.carving.window import Window
    from triage.evidence.decoders import Decoder

_MAGIC = b"\xfd7zXZ\0"
_MEMORY = 128 << 20
_PADDING = 64


def _begins(window: Window, at: int) -> int:
    """Return where a stream begins there or behind padding of fours of zeros (2.2); its flags have a checksum (2.1.1.3)."""
    head = window.at(at, 12 + _PADDING)
    skip = (len(head) - len(head.lstrip(b"\0"))) & ~3
    head = head[skip : skip + 12]
    right = len(head) == 12 and head.startswith(_MAGIC) and zlib.crc32(head[6:8]) == int.from_bytes(head[8:], "little")
    return at + skip if right else -1


def _decoder() -> Decoder:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)


def _walk(window: Window) -> Walked | None:
    return walk_streams(window, _decoder, _begins) if _begins(window, 0) == 0 else None


FORMATS = (Format(name="xz", extension="xz", headers=(Header(_MAGIC),), walk=_walk),)
