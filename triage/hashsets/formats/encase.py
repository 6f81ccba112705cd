r"""EnCase's hash sets of versions 4 to 6 (``.hash``): a header of 1,152 bytes, then 18 bytes a digest.

Layout (little-endian), as TSK and hashdeep read it: ``HASH\r\n\xff\0``, u32 version 2, u32 1, u32 count; at 0x408 the set's name in
UTF-16, 80 bytes; at 0x458 its type, 40 bytes; from 0x480 on 16 bytes of MD5 and 2 more. EnCase 7 and later have another form.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from triage.errors import HashsetError
from triage.hashsets.records import Note, Packed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.hashsets.records import Event
    from triage.hashsets.source import Source

MAGIC = b"HASH\r\n\xff\0"
_COUNT_AT, _NAME_AT, _TYPE_AT, _TYPE_END, _ROWS_AT = 0x10, 0x408, 0x458, 0x480, 0x480
_ROW = 18
_STEP = 1 << 16  # rows


def looks_like(head: bytes) -> bool:
    """Say whether the file begins as EnCase's sets do."""
    return head.startswith(MAGIC)


def read(source: Source) -> Iterator[Event]:
    """Yield the set's digests. One that is shorter than its header says is read as far as it goes, and that is said."""
    with source.open() as stream:
        head = stream.read(_ROWS_AT)
        if len(head) < _ROWS_AT:
            raise HashsetError(f"{source.path} is an EnCase hash set that ends within its header", hint="get the set again")
        (count,) = struct.unpack_from("<I", head, _COUNT_AT)
        name, kind = _text(head[_NAME_AT:_TYPE_AT]), _text(head[_TYPE_AT:_TYPE_END])
        called = f"EnCase calls the set {name or '(no name)'}, of type {kind or '(none)'}"
        yield Note(f"{called}: what being on it means is what you said at the import")
        done = 0
        while done < count and (data := stream.read(min(_STEP, count - done) * _ROW)):
            rows = np.frombuffer(data, np.uint8, len(data) // _ROW * _ROW).reshape(-1, _ROW)
            if len(rows):
                yield Packed("md5", np.ascontiguousarray(rows[:, :16]).tobytes())
            done += len(rows)
            if len(data) % _ROW:
                break
        if done < count:
            yield Note(f"THE LIST IS NOT COMPLETE: its header counts {count:,} digests, {done:,} are there")
        elif stream.read(1):
            yield Note("THE LIST MAY NOT BE COMPLETE: behind the digests that its header counts more bytes follow, which were not read")


def _text(raw: bytes) -> str:
    return raw.decode("utf-16-le", "replace").partition("\0")[0].strip()[:200]
