"""Length-limited frames between the parent and its workers: JSON or bytes, never pickle.

A worker has just parsed hostile evidence and may be anybody's. The parent therefore bounds each frame before it reads it, and
takes nothing but JSON values, which :mod:`triage.model` then checks field by field.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import IO

MAX_FRAME = 64 << 20
"""Bytes a frame may hold; a batch's results are a few hundred KiB."""
MAX_VALUES = 2_000_000
"""Values that a JSON frame may hold: small ones take twenty times their bytes in memory."""
_HEAD = struct.Struct("<cI")
JSON, BYTES = b"J", b"B"


class FrameError(Exception):
    """The other side sent what is not a frame."""


def write_frame(stream: IO[bytes], payload: bytes, kind: bytes = BYTES) -> None:
    """Write one frame and flush."""
    if len(payload) > MAX_FRAME:
        raise FrameError(f"a frame of {len(payload)} bytes is too large")
    stream.write(_HEAD.pack(kind, len(payload)) + payload)
    stream.flush()


def write_json(stream: IO[bytes], value: Any) -> None:
    """Write one value as a JSON frame."""
    write_frame(stream, json.dumps(value, separators=(",", ":")).encode(), JSON)


def read_frame(stream: IO[bytes]) -> tuple[bytes, bytes] | None:
    """Return ``(kind, payload)``, ``None`` at the end; raise :class:`FrameError` for what is not a frame."""
    head = _exactly(stream, _HEAD.size)
    if not head:
        return None
    if len(head) < _HEAD.size:
        raise FrameError("a frame was cut short")
    kind, length = _HEAD.unpack(head)
    if kind not in (JSON, BYTES) or length > MAX_FRAME:
        raise FrameError("not a frame")
    payload = _exactly(stream, length)
    if len(payload) < length:
        raise FrameError("a frame was cut short")
    return kind, payload


def parse_json(payload: bytes) -> dict[str, Any]:
    """Return a JSON frame's object; raise :class:`FrameError` when it is none, nests too deep or holds too much."""
    if len(payload) > MAX_VALUES and payload.count(b",") + payload.count(b"[") + payload.count(b"{") > MAX_VALUES:
        raise FrameError("too many values")
    try:
        value = json.loads(payload, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise FrameError("not JSON") from error
    if not isinstance(value, dict):
        raise FrameError("not an object")
    return value


def _no_number(text: str) -> Any:
    """Refuse NaN and the infinities, which are no JSON."""
    raise ValueError(text)


def _exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    return data if data is not None else b""
