"""A file of the disk cache of Android's Volley (``cache/volley/-1234567890123456``): key and fields of an answer, then its body.

Layout (Apache-2.0; Google, ``com.android.volley.toolbox.DiskBasedCache``; little-endian): u32 magic, a date as hexadecimal digits
(0x20120504, 0x20140623, 0x20150306); key, tag; u64 time of the server, u64 of the last change (not in the first version), u64 until when
it holds, u64 until when it is fresh (milliseconds since 1970); u32 number of fields, name and value of each. Texts have u64 their length
before them. The body goes to the end of the file. The key is the address, with ``1-`` before it for other methods than GET.
"""

from __future__ import annotations

import re
from typing import NamedTuple

HEAD = 256 << 10
"""Bytes from a file's beginning in which what is before the body must end."""
_MOST_FIELDS = 500
_METHOD = re.compile(r"-?\d-(?=[a-z]+:)")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")


class VolleyFile(NamedTuple):
    """What is said of a body: times in milliseconds since 1970, fields by small name, where the body begins."""

    key: str
    url: str
    server_time: int
    changed: int
    holds: int
    fields: dict[str, str]
    body: int


def parse_volley(head: bytes) -> VolleyFile | None:
    """Return what the first bytes of a file say, ``None`` for what is no such file."""
    if len(head) < 48 or head[3] != 0x20 or not 0x10 <= head[2] <= 0x39 or not 1 <= head[1] <= 0x12 or not 1 <= head[0] <= 0x31:
        return None
    key, at = _text(head, 4)
    if key is None or not key:
        return None
    tag, at = _text(head, at)
    if tag is None:
        return None
    # The first version lacks the time of the last change; a number of no fields fits in the wrong place as well.
    for numbers in (3, 4) if head[2] < 0x14 else (4, 3):
        fields, body = _fields(head, at + 8 * numbers)
        if body:
            times = [int.from_bytes(head[at + 8 * n : at + 8 * n + 8], "little") for n in range(numbers)]
            text = key.decode("utf-8", "replace")
            return VolleyFile(text, _METHOD.sub("", text, count=1), times[0], times[1] if numbers == 4 else 0, times[-2], fields, body)
    return None


def _text(head: bytes, at: int) -> tuple[bytes | None, int]:
    length = int.from_bytes(head[at : at + 8], "little")
    end = at + 8 + length
    return (head[at + 8 : end], end) if at + 8 <= end <= len(head) else (None, at)


def _fields(head: bytes, at: int) -> tuple[dict[str, str], int]:
    """Return the fields and where they end; 0 when what stands there is none."""
    count = int.from_bytes(head[at : at + 4], "little")
    at += 4
    found: dict[str, str] = {}
    if at > len(head) or count > _MOST_FIELDS:
        return found, 0
    for _ in range(count):
        name, at = _text(head, at)
        if name is None or not _NAME.fullmatch(name):
            return {}, 0
        value, at = _text(head, at)
        if value is None:
            return {}, 0
        found.setdefault(name.decode().lower(), value[:4096].decode("utf-8", "replace"))
    return found, at
