"""What findings of programs that exchange files share: values that are there, lists that fit, hashes in hexadecimal."""

from __future__ import annotations

import json
from base64 import b32decode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from triage.model import Json

LENGTHS = {"sha1": 20, "md5": 16, "ed2k": 16, "aich": 20, "btih": 20, "tth": 24}
"""Bytes of the digests that lists can have, by the kinds of docs/hashsets.md."""
_ROOM, _LONGEST = 24_000, 1000
_BASE32 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


def said(facts: Mapping[str, Any]) -> Json:
    """Return facts without those that say nothing; 0 and ``False`` are kept. Text is cut at 1,000 characters, which … marks."""
    return {name: _cut(value) for name, value in facts.items() if value not in (None, "", [], {})}


def _cut(value: Any) -> Any:
    return f"{value[:_LONGEST]}…" if isinstance(value, str) and len(value) > _LONGEST else value


def table(facts: Mapping[str, Any], room: int = _ROOM // 2) -> Json:
    """Return the first facts that together take at most ``room`` bytes as JSON."""
    return dict(fitting(facts.items(), room))


def fitting(values: Iterable[Any], room: int = _ROOM) -> list[Any]:
    """Return the first values that together take at most ``room`` bytes as JSON: a finding may have 64 KiB."""
    found = []
    for value in values:
        room -= len(json.dumps(value)) + 1
        if room < 0:
            break
        found.append(value)
    return found


def hex_of(kind: str, text: str) -> str:
    """Return a digest in hexadecimal, out of hexadecimal or Base32 (RFC 4648, without padding); "" for what is none of its kind."""
    length = LENGTHS.get(kind, 0)
    text = text.strip().rstrip("=")
    if not length or not text.isascii():
        return ""
    if len(text) == 2 * length:
        try:
            return bytes.fromhex(text).hex() if not any(c.isspace() for c in text) else ""
        except ValueError:
            return ""
    text = text.upper()
    if len(text) == -(-length * 8 // 5) and _BASE32.issuperset(text):
        return b32decode(text + "=" * (-len(text) % 8)).hex()
    return ""
