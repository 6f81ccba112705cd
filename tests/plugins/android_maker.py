"""Files of Android's system as it writes them: binary XML and Protocol Buffers messages."""

from __future__ import annotations

import struct


class Abx:
    """Writes Android Binary XML: elements as (name, attributes, children), values by their type in Python; ``Hex`` in hexadecimal."""

    def __init__(self) -> None:
        self.out = bytearray(b"ABX\0\x10")
        self._known: list[str] = []

    def again(self, text: str) -> None:
        if text in self._known:
            self.out += struct.pack(">H", self._known.index(text))
        else:
            self._known.append(text)
            self.out += b"\xff\xff" + self.plain(text)

    @staticmethod
    def plain(text: str) -> bytes:
        raw = text.encode()
        return struct.pack(">H", len(raw)) + raw

    def value(self, name: str, value: object) -> None:
        form = {bool: 0xC0 if value else 0xD0, str: 0x20, int: 0x60, bytes: 0x40, float: 0xB0, Hex: 0x90, Again: 0x30}[type(value)]
        self.out.append(form | 15)
        self.again(name)
        if isinstance(value, Again):
            self.again(str(value))
        elif isinstance(value, str):
            self.out += self.plain(value)
        elif isinstance(value, bytes):
            self.out += struct.pack(">H", len(value)) + value
        elif isinstance(value, float):
            self.out += struct.pack(">d", value)
        elif isinstance(value, Hex):
            self.out += struct.pack(">q", value)
        elif not isinstance(value, bool):
            self.out += struct.pack(">i", value)

    def element(self, name: str, values: dict[str, object], *inside: object) -> Abx:
        self.out.append(0x32)
        self.again(name)
        for key, value in values.items():
            self.value(key, value)
        for one in inside:
            if isinstance(one, tuple):
                self.element(*one)
            else:
                self.out += b"\x24" + self.plain(str(one))
        self.out.append(0x33)
        self.again(name)
        return self

    def done(self) -> bytes:
        return bytes(self.out) + b"\x11"


class Hex(int):
    """A number that is written in hexadecimal digits."""


class Again(str):
    """A text that is written once."""

    __slots__ = ()


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def message(*fields: tuple[int, int | str | bytes]) -> bytes:
    """Return a Protocol Buffers message: field numbers with a whole number, a text or a message inside."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            raw = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(raw)) + raw
    return out
