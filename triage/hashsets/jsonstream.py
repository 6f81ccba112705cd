"""Read JSON a piece at a time: lists of many gigabytes, one object in memory."""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

MAX_VALUE = 1 << 22  # characters of one value that is decoded whole
_BLOCK = 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")
_STRUCTURE = re.compile(r'["{}\[\]]')
_SCALAR_END = re.compile(r"[,\]}]")
_OPEN = frozenset("{[")
_IN_NUMBERS = "0123456789+-.eE"
_LITERAL = 16  # characters; no bare word of JSON is longer


class JsonDamage(ValueError):  # noqa: N818 - it describes the list, and never leaves the reader
    """The text is not JSON from here on, or ends early. ``line`` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.reason = line, reason


class TooLarge(Exception):  # noqa: N818 - not a failure: the caller steps into the value instead
    """A value is too large to be decoded whole."""


class JsonStream:
    """A cursor in JSON text. Numbers come as the text they are written in.

    Nothing is rounded, ``Category`` stays raw.
    """

    def __init__(self, stream: BinaryIO, *, block: int = _BLOCK, max_value: int = MAX_VALUE) -> None:
        self._stream, self._block, self._max = stream, block, max_value
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._scan = json.JSONDecoder(parse_int=str, parse_float=str, strict=False).raw_decode
        self._text, self._at, self._ended = "", 0, False
        self._lines, self._counted = 1, 0

    @property
    def line(self) -> int:
        """The line of the cursor, from 1."""
        self._lines += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._lines

    def peek(self) -> str:
        """Return the next character that is not white space without taking it, or an empty string at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def ahead(self, pattern: re.Pattern[str], reach: int = 1 << 16) -> bool:
        """Say whether a pattern occurs in the next ``reach`` characters, as far as they were read."""
        return pattern.search(self._text, self._at, self._at + reach) is not None

    def take(self, wanted: str) -> None:
        """Take one character of structure; raise :class:`JsonDamage` if another stands there."""
        found = self.peek()
        if found != wanted:
            raise self.damage(f"{wanted!r} expected" if found else "the text ends early")
        self._at += 1

    def value(self) -> Any:
        """Decode and take the next value.

        Raise :class:`TooLarge` or :class:`JsonDamage`, the cursor at the value's start.
        """
        self.peek()
        wanted = self._block
        while True:
            try:
                value, end = self._scan(self._text, self._at)
            except json.JSONDecodeError as error:
                cut_off = error.msg.startswith("Unterminated") or error.pos > len(self._text) - _LITERAL
                if not cut_off:
                    raise self.damage(f"not JSON: {error.msg}") from None
            except (ValueError, RecursionError):
                raise self.damage("not JSON that can be read: nested too deep") from None
            else:
                # A number near the end of the buffer may go on in the next block; other values end
                # themselves.
                open_end = isinstance(value, str) and self._text[self._at] != '"'
                if self._ended or not open_end or self._text[end : end + _LITERAL].strip(_IN_NUMBERS):
                    self._at = end
                    return value
            if self._ended:
                raise self.damage("the text ends early")
            while len(self._text) - self._at < wanted and self._more():
                pass
            if len(self._text) - self._at >= self._max:
                raise TooLarge
            wanted = len(self._text) - self._at + self._block

    def members(self) -> Iterator[str]:
        """Step into an object: yield each key, whose value the caller takes or skips before the next."""
        self.take("{")
        if self.peek() == "}":
            self.take("}")
            return
        while True:
            if self.peek() != '"':
                raise self.damage("a key expected")
            try:
                key = self.value()
            except TooLarge:
                raise self.damage("a key that does not end") from None
            self.take(":")
            yield str(key)
            if self.peek() == "}":
                self.take("}")
                return
            self.take(",")

    def items(self) -> Iterator[None]:
        """Step into a list: yield once for each item, which the caller takes before the next."""
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        while True:
            yield None
            if self.peek() == "]":
                self.take("]")
                return
            self.take(",")

    def skip(self) -> None:
        """Pass over the next value without holding it, however large or badly formed inside.

        Raise :class:`JsonDamage` at the end.
        """
        first = self.peek()
        if first not in _OPEN and first != '"':
            self._pass(_SCALAR_END, keep_match=True)
            return
        depth = 0
        while True:
            found = self._pass(_STRUCTURE)
            if found == '"':
                self._pass_string()
            else:
                depth += 1 if found in _OPEN else -1
            if depth <= 0:
                return

    def damage(self, reason: str) -> JsonDamage:
        """Return the exception for something wrong at the cursor."""
        return JsonDamage(self.line, reason)

    def _pass(self, pattern: re.Pattern[str], *, keep_match: bool = False) -> str:
        while True:
            match = pattern.search(self._text, self._at)
            if match:
                self._at = match.start() if keep_match else match.end()
                return match.group()
            self._at = len(self._text)
            if not self._more():
                raise self.damage("the text ends early")

    def _pass_string(self) -> None:
        """Pass the rest of a string whose opening quote was taken."""
        while True:
            quote = self._text.find('"', self._at)
            back = self._text.find("\\", self._at, quote if quote >= 0 else len(self._text))
            if back >= 0 and back + 1 < len(self._text):
                self._at = back + 2
            elif back < 0 and quote >= 0:
                self._at = quote + 1
                return
            else:
                self._at = len(self._text) if back < 0 else back
                if not self._more():
                    raise self.damage("the text ends early")

    def _more(self) -> bool:
        """Add a block of text, dropping what lies before the cursor; ``False`` at the end."""
        if self._ended:
            return False
        block = self._stream.read(self._block)
        self._ended = not block
        _ = self.line
        self._text = self._text[self._at :] + self._decode(block, not block)
        self._at = self._counted = 0
        return True
