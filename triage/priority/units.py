"""Sizes and durations as people write them: one parser each, used by profiles and by command options alike.

Sizes: ``64 MiB`` counts in 1024s, ``64 MB`` in 1000s (IEC 80000-13); a bare number is bytes. ``64M`` is
refused, because half of all tools take it for the one and half for the other. Durations: ``90s``, ``1h30m``,
``500ms``; a bare number is seconds.
"""

from __future__ import annotations

import re
from fractions import Fraction

_BINARY = {"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40, "pib": 1 << 50}
_DECIMAL = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "pb": 10**15}
_SIZES = {"": 1, "b": 1, "byte": 1, "bytes": 1, **_BINARY, **_DECIMAL}
_SECONDS = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}
_SPELLED = {
    1 << 10: "KiB",
    1 << 20: "MiB",
    1 << 30: "GiB",
    1 << 40: "TiB",
    1 << 50: "PiB",
    10**3: "kB",
    10**6: "MB",
    10**9: "GB",
    10**12: "TB",
    10**15: "PB",
}

_NUMBER = r"[0-9]{1,20}(?:\.[0-9]{1,9})?"
_SIZE = re.compile(rf"({_NUMBER})\s*([A-Za-z]*)")
_PART = re.compile(rf"({_NUMBER})\s*(ms|s|m|h|d)\s*")

MAX_SIZE = 2**63 - 1
"""The largest size in bytes that the case's database holds."""
MAX_SECONDS = 366 * 86400
"""The longest duration, in seconds: a year."""


def parse_size(value: int | str) -> int:
    """Return bytes. Raises ``ValueError`` with a text that says what was wrong and what would do."""
    if isinstance(value, int):
        return _bounded(value, str(value))
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"'{value}' is not a size: write a number and a unit, such as 64 MiB, 2 GB or 4096")
    number, unit = match.groups()
    factor = _SIZES.get(unit.lower())
    if factor is None:
        if len(unit) == 1 and unit.lower() in "kmgtp":
            letter = unit.upper()
            raise ValueError(f"'{value}' is ambiguous: write {number} {letter}iB (1024s) or {number} {letter}B (1000s)")
        raise ValueError(f"'{value}' has no unit of size: use B, KiB, MiB, GiB, TiB (1024s) or kB, MB, GB, TB (1000s)")
    return _bounded(int(Fraction(number) * factor), value)


def _bounded(size: int, shown: str) -> int:
    if not 0 <= size <= MAX_SIZE:
        raise ValueError(f"'{shown}' is out of range: a size is 0 to {MAX_SIZE} bytes")
    return size


def format_size(size: int) -> str:
    """Return a size as :func:`parse_size` reads it back exactly: ``256 MiB``, ``2 GB``, ``12345 bytes``."""
    for factor in sorted(_SPELLED, reverse=True):
        if size and size % factor == 0:
            return f"{size // factor} {_SPELLED[factor]}"
    return f"{size} byte" if size == 1 else f"{size} bytes"


def parse_duration(value: float | str) -> float:
    """Return seconds, to the millisecond.

    Raises ``ValueError`` with a text that says what was wrong and what would do.
    """
    text = str(value).strip()
    seconds: Fraction | None = None
    if re.fullmatch(_NUMBER, text):
        seconds = Fraction(text)
    else:
        at, total, last = 0, Fraction(0), None
        while part := _PART.match(text, at):
            unit = _SECONDS[part.group(2)]
            if last is not None and unit >= last:  # "5m5m" and "5s2h" are slips, not sums
                break
            total, last, at = total + Fraction(part.group(1)) * unit, unit, part.end()
        if at == len(text) and last is not None:
            seconds = total
    if seconds is None:
        raise ValueError(f"'{value}' is not a duration: write a number and a unit, such as 15m, 90s, 1h30m or 500ms")
    if seconds > MAX_SECONDS:
        raise ValueError(f"'{value}' is out of range: a duration is at most {MAX_SECONDS // 86400} days")
    return float(round(seconds, 3))
