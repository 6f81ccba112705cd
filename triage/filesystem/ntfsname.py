"""NTFS names as they are stored: TSK ends them at a NUL and writes ``^`` for half a surrogate pair, so that two may look the same.

A name's exact UTF-16 stands in the file's $FILE_NAME attributes ([MS-FSCC] 2.1.5 and the layout in Microsoft's FILE_NAME
structure). Here it becomes UTF-8 in which half a surrogate pair takes three bytes (WTF-8): nothing is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE_NAME = 48
_FIXED = 66
_LONGEST = _FIXED + 2 * 255
_MAX_NAMES = 1024
"""Names of one file that are looked at: NTFS allows as many hard links."""


class StoredName(NamedTuple):
    """A $FILE_NAME: the metadata address of its directory, and its text as WTF-8."""

    parent: int
    text: bytes


def units(text: bytes) -> int:
    """Return how many UTF-16 units a name of TSK's has."""
    if text.isascii():
        return len(text)
    return len(text.decode("utf-8", "replace").encode("utf-16-le", "surrogatepass")) // 2


def is_whole(text: bytes, sizes: Iterable[int]) -> bool:
    """Whether TSK's text can be all of a name, by the sizes in bytes of the file's $FILE_NAME attributes."""
    if b"^" in text:
        return False
    return _FIXED + 2 * units(text) in sizes


def wide_to_bytes(name: bytes) -> bytes:
    """Return UTF-16's bytes as WTF-8; an odd byte at the end is left out."""
    return name[: len(name) & ~1].decode("utf-16-le", "surrogatepass").encode("utf-8", "surrogatepass")


def may_look_like(stored: bytes, text: bytes) -> bool:
    """Whether TSK may give ``text`` for a stored name: alike up to what it cannot express, which there is.

    Behind half a pair TSK drops the next unit or the rest, and so says little about what follows.
    """
    name = stored.decode("utf-8", "surrogatepass")
    first = next((n for n, c in enumerate(name) if c == "\0" or "\ud800" <= c <= "\udfff"), None)
    if first is None:
        return False
    before = name[:first].encode()
    return text == before if name[first] == "\0" else text.startswith(before)


def stored_names(file: Any) -> list[StoredName]:
    """Return a file's names; none where they cannot be read."""
    found: list[StoredName] = []
    try:
        for attribute in file:
            info = attribute.info
            if int(info.type) != FILE_NAME or len(found) >= _MAX_NAMES:
                continue
            data: bytes = file.read_random(0, min(int(info.size), _LONGEST), FILE_NAME, int(info.id))
            if len(data) >= _FIXED and len(data) >= _FIXED + 2 * data[64]:
                parent = int.from_bytes(data[:6], "little")
                found.append(StoredName(parent, wide_to_bytes(data[_FIXED : _FIXED + 2 * data[64]])))
    except OSError:
        return found
    return found


def exact_name(file: Any, text: bytes, parent: int, times: int) -> bytes:
    """Return the stored name behind TSK's ``text``; ``text`` itself when no stored one gives it.

    ``parent`` is the directory's address; ``times``: how many names of this file that look the same stood before it there.
    """
    stored = stored_names(file)
    if any(name.text == text for name in stored):
        return text
    alike = [name for name in stored if may_look_like(name.text, text)]
    here = [name.text for name in alike if name.parent == parent] or [name.text for name in alike]
    return here[min(times, len(here) - 1)] if here else text
