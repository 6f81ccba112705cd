"""Path patterns that are asked about every entry of an image, and whose subjects evidence has named.

``*`` and ``**`` stand for anything, ``/`` included; ``?`` for one character; ``[abc]`` and ``[!abc]`` for one
of or none of these. Letters match in either case. A pattern without ``/`` is held against the name alone, one
with ``/`` against the whole path, which begins with the volume's name (``vol2/Users/alex/x.jpg``).

Patterns of literals and stars are answered by ``str`` methods, which takes a fraction of a regular
expression's time and is linear in the path's length, whatever the path. The others become one regular
expression of atomic groups.
"""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Test = Callable[[str], bool]

_STARS = re.compile(r"\*+")
_ODD_BACKSLASH = re.compile(r"\\(?!x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})")
MAX_GLOB = 500
"""The longest pattern, in characters."""


def check_glob(glob: str) -> str:
    """Return the pattern if it can match something.

    Raises ``ValueError`` for one that never can: a leading ``/``, or a backslash for a separator.
    """
    if not glob:
        raise ValueError("an empty path pattern matches nothing")
    if len(glob) > MAX_GLOB:
        raise ValueError(f"a path pattern of {len(glob)} characters is too long (at most {MAX_GLOB})")
    if glob.startswith("/"):
        raise ValueError(f"'{glob}' matches nothing: paths begin with the volume's name, so write '*{glob}'")
    if _ODD_BACKSLASH.search(glob):
        raise ValueError(f"'{glob}' matches nothing: paths are written with '/', not '\\'")
    return glob


class Globs:
    """A set of patterns; :meth:`matches` says whether one of them fits."""

    __slots__ = ("_contains", "_everything", "_names", "_others")

    def __init__(self, globs: Iterable[str]) -> None:
        written = {_STARS.sub("*", glob.lower()) for glob in globs}
        self._everything = bool(written & {"*", "*/*"})  # every path has a volume's name before its first slash
        names = {glob for glob in written if "/" not in glob and not _is_ending(glob)}
        self._contains, self._others = _compile(written - names)
        self._names = _compile(names) if names else None

    def matches(self, lowered: str) -> bool:
        """Say whether a pattern fits this path, which the caller has put in lower case."""
        for literal in self._contains:
            if literal in lowered:
                return True
        for test in self._others:
            if test(lowered):
                return True
        if self._names is not None:
            name = lowered[lowered.rfind("/") + 1 :]
            contains, others = self._names
            if any(literal in name for literal in contains) or any(test(name) for test in others):
                return True
        return self._everything


def _is_ending(glob: str) -> bool:
    """Say whether it is ``*literal``, which is the same question of a name and of its path."""
    return glob.startswith("*") and not re.search(r"[*?\[]", glob[1:])


def _compile(globs: set[str]) -> tuple[tuple[str, ...], tuple[Test, ...]]:
    """Return the literals of which one suffices, and the tests for all other patterns."""
    contains: list[str] = []
    starts: list[str] = []
    ends: list[str] = []
    exact: list[str] = []
    odd: list[str] = []
    chains: list[tuple[str, ...]] = []
    for glob in sorted(globs):
        parts = tuple(glob.split("*"))
        if "?" in glob or "[" in glob:
            odd.append(glob)
        elif len(parts) == 1:
            exact.append(glob)
        elif len(parts) == 2 and not parts[0]:
            ends.append(parts[1])
        elif len(parts) == 2 and not parts[1]:
            starts.append(parts[0])
        elif len(parts) == 3 and not parts[0] and not parts[2]:
            contains.append(parts[1])
        else:
            chains.append(parts)
    others: list[Test] = []
    if exact:
        others.append(frozenset(exact).__contains__)
    if starts:
        others.append(_starting(tuple(starts)))
    if ends:
        others.append(_ending(tuple(ends)))
    others.extend(_chain(parts) for parts in chains)
    if odd:
        others.append(_pattern(odd))
    return tuple(contains), tuple(others)


def _starting(literals: tuple[str, ...]) -> Test:
    return lambda path: path.startswith(literals)


def _ending(literals: tuple[str, ...]) -> Test:
    return lambda path: path.endswith(literals)


def _chain(parts: tuple[str, ...]) -> Test:
    """Literals in this order with anything between: the leftmost place of each is always a good one."""
    first, *middle, last = parts

    def test(path: str) -> bool:
        if not path.startswith(first) or not path.endswith(last):
            return False
        at = len(first)
        for literal in middle:
            at = path.find(literal, at)
            if at < 0:
                return False
            at += len(literal)
        return at <= len(path) - len(last)

    return test


def _pattern(globs: list[str]) -> Test:
    found = re.compile("|".join(fnmatch.translate(glob) for glob in globs)).match
    return lambda path: found(path) is not None


def extension_of(name: str) -> str:
    """Return what follows the last dot, in lower case; empty when there is nothing of the kind.

    The fast sibling of :func:`triage.content.types.extension_of`, for a million names: of a stream's name
    (``file.txt:stream``) only the part behind the colon counts; ``.bashrc`` has no extension.
    """
    dot = name.rfind(".")
    if dot <= 0:
        return ""
    extension = name[dot + 1 :]
    return "" if ":" in extension or len(extension) > 16 else extension.lower()
