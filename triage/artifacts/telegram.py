"""What can be told of Telegram's messages without the schema of each of its hundreds of layers: text, time, who.

Android keeps a message as a TL object (core.telegram.org/mtproto/TL, /mtproto/serialize). Its fields differ from layer to layer, but in
all of them the date stands directly before the text, and the table has the date in a column of its own: text is what follows those four
bytes, if it is a string in TL's form. iOS keeps a row of fixed fields (Postbox, ``MessageHistoryTable.swift`` of Telegram-iOS). Media,
replies and attributes are not decoded.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

_PEERS = {0x9DB1BC6D: 4, 0x59511722: 8, 0xBAD0E5BB: 4, 0x36C6019A: 8, 0xBDDDE532: 4, 0xA2A5371E: 8}
"""peerUser, peerChat and peerChannel (before and since layer 133): bytes of their number."""
_FAR = 64  # bytes behind the head in which the author stands
_MOST_DATES = 50
_CONTROLS = frozenset(range(32)) - {9, 10, 13}
_INCOMING = 4


class PostboxMessage(NamedTuple):
    """A message of Telegram for iOS. ``author``: the number of a peer, or ``None``; ``forwarded``: seconds since 1970, or ``None``."""

    text: str
    author: int | None
    incoming: bool
    forwarded: int | None


class PostboxKey(NamedTuple):
    """Where a message belongs: the number of the conversation, and seconds since 1970."""

    peer: int
    time: int


def tl_text(data: bytes, date: int) -> str:
    """Return the text of a message of Android that is dated so (seconds since 1970); "" if there is none, or it is not found."""
    if not 0 < date < 1 << 31:
        return ""
    wanted = struct.pack("<i", date)
    at, tries = data.find(wanted, 8), 0
    while at >= 0 and tries < _MOST_DATES:
        # Everything in TL stands at a multiple of four.
        if at % 4 == 0:
            tries += 1
            text = _tl_string(data, at + 4)
            if text:
                return text
        at = data.find(wanted, at + 1)
    return ""


def _tl_string(data: bytes, at: int) -> str:
    """Return a string: its length in a byte, or 254 and three bytes; the bytes; zeros up to a multiple of four. "" if it is none."""
    if at >= len(data):
        return ""
    length, start = data[at], at + 1
    if length == 254:
        length, start = int.from_bytes(data[at + 1 : at + 4], "little"), at + 4
    elif length == 255:
        return ""
    end = start + length
    padded = end + -end % 4
    raw = data[start:end]
    if not length or padded > len(data) or any(data[end:padded]) or not _CONTROLS.isdisjoint(raw):
        return ""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def tl_author(data: bytes) -> int | None:
    """Return the number of the first peer that a message of Android names: who wrote it, else the conversation."""
    for at in range(8, min(len(data) - 7, 8 + _FAR), 4):
        size = _PEERS.get(int.from_bytes(data[at : at + 4], "little"))
        if size and at + 4 + size <= len(data):
            return int.from_bytes(data[at + 4 : at + 4 + size], "little")
    return None


def postbox_key(key: bytes) -> PostboxKey | None:
    """Return what the key of a message of iOS says, ``None`` for other keys: peer, namespace, time, number, from the largest byte on."""
    if len(key) != 20:
        return None
    peer, _, time, _ = struct.unpack(">qiii", key)
    return PostboxKey(peer, time)


def postbox_message(value: bytes) -> PostboxMessage | None:
    """Return a message of iOS, ``None`` for what is none."""
    reader = _Reader(value)
    if reader.number("b") != 0:
        return None
    reader.skip(8)
    kept = reader.number("B") or 0
    for bit, size in ((1, 8), (2, 4), (4, 8), (8, 4), (16, 4), (32, 8)):
        if kept & bit:
            reader.skip(size)
    flags = reader.number("I") or 0
    reader.skip(4)
    forwarded = _forwarded(reader)
    author = reader.number("q") if reader.number("b") == 1 else None
    text = reader.text()
    return None if text is None else PostboxMessage(text, author, bool(flags & _INCOMING), forwarded)


def _forwarded(reader: _Reader) -> int | None:
    kept = reader.number("b")
    if not kept:
        return None
    reader.skip(8)
    time = reader.number("i")
    reader.skip((8 if kept & 2 else 0) + (16 if kept & 4 else 0))
    for bit in (8, 16):
        if kept & bit:
            reader.text()
    reader.skip(4 if kept & 32 else 0)
    return time


def postbox_name(value: bytes) -> str:
    """Return the name of a peer of iOS from its record (``fn`` and ``ln``, or ``t``, and ``un``); "" if it names none.

    The record is a row of keys and typed values; only texts of those keys are looked for.
    """
    first, last, title, user = (_postbox_text(value, key) for key in (b"\x02fn", b"\x02ln", b"\x01t", b"\x02un"))
    name = f"{first} {last}".strip() or title
    return f"{name} (@{user})" if name and user else name or user


def _postbox_text(value: bytes, key: bytes) -> str:
    at = value.find(key + b"\x04")
    if at < 0:
        return ""
    start = at + len(key) + 5
    length = int.from_bytes(value[start - 4 : start], "little")
    if length > len(value) - start:
        return ""
    try:
        return value[start : start + length].decode("utf-8")
    except UnicodeDecodeError:
        return ""


class _Reader:
    """Numbers and texts one behind the other; ``None`` behind the end, and from then on."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, form: str) -> int | None:
        size = struct.calcsize(f"<{form}")
        if self._at + size > len(self._data):
            self._at = len(self._data) + 1
            return None
        value: int = struct.unpack_from(f"<{form}", self._data, self._at)[0]
        self._at += size
        return value

    def skip(self, size: int) -> None:
        self._at += size

    def text(self) -> str | None:
        length = self.number("i")
        if length is None or not 0 <= length <= len(self._data) - self._at:
            self._at = len(self._data) + 1
            return None
        raw = self._data[self._at : self._at + length]
        self._at += length
        return raw.decode("utf-8", "replace")
