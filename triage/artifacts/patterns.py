"""Words and regular expressions of the operator, searched for in bytes from evidence in time that is linear in their length.

Python's ``re`` tries alternatives one after the other: ``(a+)+$`` takes twice as long for every further ``a`` of hostile text. Regular
expressions therefore run only in RE2, whose automata look at each byte a bounded number of times; without the package they are refused,
never run by something else. RE2 knows no look-around and no back-references. Plain words need no package.

google-re2 (BSD licence) has wheels for Linux with glibc, Windows and macOS on Python 3.11 to 3.14, but none for Linux with musl: hence an
optional part (``pip install triage[patterns]``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from triage.artifacts.structure import Notes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

try:
    import re2 as _re2
except ImportError:  # an optional dependency
    _re2 = None

MAX_PATTERNS = 10_000
MAX_LENGTH = 1000
"""Characters of one pattern."""
MAX_HIT = 4096
"""Bytes of one hit."""
MAX_HITS = 10_000
"""Hits that one pattern may have in one search."""
_MEMORY = 8 << 20  # bytes that RE2 may take for one pattern's automata
_WINDOW = 64 << 10


class PatternError(ValueError):
    """A pattern of the operator that cannot be used; the message says which and why."""


class Hit(NamedTuple):
    """Where the pattern of that number matched: ``data[start:end]``."""

    pattern: int
    start: int
    end: int


class _Compiled(Protocol):
    def search(self, data: bytes, pos: int, endpos: int) -> Any:
        """Return the leftmost match or ``None``."""


def available() -> bool:
    """Return whether regular expressions can be used: whether RE2 is installed."""
    return _re2 is not None


class Patterns:
    """Patterns to search for: plain words, or regular expressions in RE2's syntax over bytes (a character is one to four of UTF-8)."""

    def __init__(self, patterns: Sequence[str], *, regular: bool = False, ignore_case: bool = False) -> None:
        if len(patterns) > MAX_PATTERNS:
            raise PatternError(f"{len(patterns):,} patterns are too many (at most {MAX_PATTERNS:,})")
        if regular and _re2 is None:
            raise PatternError("regular expressions need the Python package google-re2, which is not installed")
        make = _expression if regular else _word
        self._compiled: list[_Compiled] = [make(pattern, ignore_case) for pattern in patterns]

    def search(self, data: bytes, notes: Notes | None = None) -> Iterator[Hit]:
        """Yield hits, pattern by pattern, those of one in order and not overlapping; empty matches are none, though they count.

        The bytes are looked at in stretches of 64 KiB, so that no search of a pattern can look far ahead again and again; ``^`` and
        ``$`` without ``(?m)`` mean a stretch's ends. A hit is at most 4 KiB long, and there are at most 10,000 of one pattern: what is
        cut is noted.
        """
        notes = notes if notes is not None else Notes()
        for number, compiled in enumerate(self._compiled):
            for count, (start, end) in enumerate(_hits(compiled, data)):
                if count >= MAX_HITS:
                    notes.add(f"a pattern has more than {MAX_HITS:,} hits: the rest was left out")
                    break
                if end > start:
                    yield Hit(number, start, end)


def _hits(compiled: _Compiled, data: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    for window in range(0, len(data), _WINDOW):
        stop = min(window + _WINDOW + MAX_HIT, len(data))
        at = max(at, window)
        while at < min(window + _WINDOW, len(data)):
            match = compiled.search(data, at, stop)
            if match is None:
                break
            start, end = match.start(), min(match.end(), match.start() + MAX_HIT)
            if start >= window + _WINDOW:
                break
            yield start, end
            at = max(end, start + 1)


def _word(pattern: str, ignore_case: bool) -> _Compiled:
    _check_length(pattern)
    return re.compile(re.escape(pattern.encode()), re.IGNORECASE if ignore_case else 0)  # a literal: nothing to go back to


def _expression(pattern: str, ignore_case: bool) -> _Compiled:
    _check_length(pattern)
    options = _re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    options.case_sensitive = not ignore_case
    options.encoding = options.Encoding.LATIN1
    options.never_capture = True
    try:
        compiled: _Compiled = _re2.compile(pattern.encode(), options)
    except _re2.error as error:
        raise PatternError(f"'{pattern}' is not a regular expression that is understood: {_text(error)}") from error
    if compiled.search(b"", 0, 0) is not None:
        raise PatternError(f"'{pattern}' matches nothing at all, and so matches everywhere")
    return compiled


def _check_length(pattern: str) -> None:
    if not 0 < len(pattern) <= MAX_LENGTH:
        raise PatternError(f"a pattern of {len(pattern):,} characters cannot be used (1 to {MAX_LENGTH:,})")
    if not pattern.isascii():
        try:
            pattern.encode()
        except UnicodeEncodeError as error:
            raise PatternError("a pattern that is not text cannot be used") from error


def _text(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
