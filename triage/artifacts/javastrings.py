"""Texts in serialised Java objects and the URNs in them, without reading the objects: what LimeWire and FrostWire kept.

Object Serialization Stream Protocol (Java): the stream begins with AC ED 00 05; a text is ``t``, a 16-bit length and modified UTF-8.
URNs of LimeWire stand in blocks of data, so they are looked for as they are written: ``urn:sha1:`` with 32 characters of Base32.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.artifacts.p2p import hex_of

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"\xac\xed\x00\x05"
_LONGEST, _MOST = 2000, 200_000
_TEXT = re.compile(rb"t([\x00-\x07])(.)", re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_URN = re.compile(rb"urn:(sha1|ttroot|bitprint|tree:tiger):/?([A-Z2-7]{32,39}(?:\.[A-Z2-7]{39})?)", re.IGNORECASE)
_PATH = re.compile(r"[A-Za-z]:[\\/].|[\\/]{1,2}[^\\/].*[\\/].|/[^/]")


@dataclass(slots=True)
class Named:
    """A file. ``path``: the text before its digests that looks like one, "" if there is none."""

    path: str
    offset: int
    digests: dict[str, str] = field(default_factory=dict)


def texts(data: bytes) -> Iterator[tuple[int, str]]:
    """Yield place and value of what look like texts of more than two characters, at most 200,000."""
    at = found = 0
    while found < _MOST and (match := _TEXT.search(data, at)):
        start = match.end()
        length = match[1][0] << 8 | match[2][0]
        at = match.start() + 1
        raw = data[start : start + length]
        if 2 < length <= _LONGEST and len(raw) == length and not _CONTROL.search(raw[:16]) and not _CONTROL.search(raw):
            try:
                yield start, raw.decode("utf-8")
            except UnicodeDecodeError:
                continue
            found += 1
            at = start + length


def files_of(data: bytes) -> list[Named]:
    """Return paths, and digests by the path before them, in the order they stand. The text ``data`` is no stream of Java's: none."""
    if not data.startswith(MAGIC):
        return []
    marks: list[tuple[int, str, str]] = [(place, "", text) for place, text in texts(data) if _PATH.match(text)]
    for number, match in enumerate(_URN.finditer(data)):
        if number >= _MOST:
            break
        marks.append((match.start(), match[1].decode("ascii").lower(), match[2].decode("ascii")))
    found: list[Named] = []
    for place, kind, value in sorted(marks):
        if not kind:
            found.append(Named(value, place))
            continue
        digests = _digests(kind, value)
        # A digest of a kind that the file before it has already is that of a file whose path is not here.
        if not found or any(found[-1].digests.get(name, one) != one for name, one in digests.items()):
            found.append(Named("", place))
        found[-1].digests.update(digests)
    return found


def _digests(kind: str, value: str) -> dict[str, str]:
    sha1, _, tiger = value.partition(".")
    if kind == "sha1":
        pairs = {"sha1": hex_of("sha1", sha1[:32])}
    elif kind == "bitprint":
        pairs = {"sha1": hex_of("sha1", sha1[:32]), "tth": hex_of("tth", tiger)}
    else:
        pairs = {"tth": hex_of("tth", sha1)}
    return {name: digest for name, digest in pairs.items() if digest}
