"""Which form a hash list has, told by what stands in it and never by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.errors import HashsetError, UsageError
from triage.hashsets.formats import (
    delimited,
    encase,
    hashdeep,
    hashlookup,
    hfind,
    jsonl,
    kdb,
    misp,
    nsrl,
    nsrlsql,
    plain,
    sums,
    urls,
    vics,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.hashsets.records import Event
    from triage.hashsets.source import Source

# In the order they are asked: the sure ones first; ``sums`` before ``plain`` because a file's name may look
# like a digest.
_FORMATS = {
    "kdb": kdb,
    "nsrl": nsrl,
    "encase": encase,
    "hashdeep": hashdeep,
    "hfind": hfind,
    "jsonl": jsonl,
    "vics": vics,
    "nsrl-sql": nsrlsql,
    "misp": misp,
    "sums": sums,
    "plain": plain,
    "csv": delimited,
    "hashlookup": hashlookup,
}
_NAMED_ONLY: dict[str, Callable[[Source], Iterator[Event]]] = {"nsrl-sql-deleted": nsrlsql.read_deleted, "urls": urls.read}
"""Forms that are read only when they are named."""
FORMATS = (*_FORMATS, *_NAMED_ONLY)

_FOREIGN = (
    (b"7z\xbc\xaf", "a 7-Zip archive", "unpack it and import the list inside"),
    (b"Rar!", "a RAR archive", "unpack it and import the list inside"),
)


def detect(source: Source) -> str:
    """Return the format's name; raise ``HashsetError`` if it is none that is read."""
    head = source.head
    if not head.strip():
        raise HashsetError(f"{source.path} is empty", hint="import a list with at least one digest")
    for magic, what, hint in _FOREIGN:
        if head.startswith(magic):
            raise HashsetError(f"{source.path} is {what}", hint=hint)
    for name, module in _FORMATS.items():
        if module.looks_like(head):
            return name
    raise HashsetError(
        f"{source.path} is no hash list of a form that is read",
        hint=f"name the form with --format if you know it: {', '.join(FORMATS)}",
    )


def reader(name: str) -> Callable[[Source], Iterator[Event]]:
    """Return the function that reads a format; raise ``UsageError`` for a name that is none."""
    if name in _NAMED_ONLY:
        return _NAMED_ONLY[name]
    if name not in _FORMATS:
        raise UsageError(f"there is no list format {name!r}", hint=f"one of auto, {', '.join(FORMATS)}")
    read: Callable[[Source], Iterator[Event]] = _FORMATS[name].read
    return read
