"""What type some bytes are, and whether a name's extension says something else.

A signature table of our own answers in one to three microseconds; libmagic (``magic.py``) takes several
hundred.
"""

from __future__ import annotations

import re

from triage.content import signatures
from triage.content.catalog import OWNERS, TYPES, FileType
from triage.content.text import text_type

__all__ = ["HEAD", "TAIL", "FileType", "extension_mismatch", "extension_of", "identify", "type_named"]

HEAD = 65536
"""How many first bytes :func:`identify` uses, an OLE directory and zip members farther on aside."""
TAIL = 512
"""How many last bytes it makes use of."""

_MEDIA = frozenset({"picture", "video", "audio"})
_HIDING_PLACES = frozenset({"picture", "video", "audio", "archive"})
_NEUTRAL = frozenset(
    [
        "tmp",
        "temp",
        "bak",
        "old",
        "cache",
        "dat",
        "data",
        "bin",
        "orig",
        "save",
        "sav",
        "swp",
        "part",
        "partial",
        "crdownload",
        "download",
        "file",
        "new",
        "copy",
        "raw",
        "img",
        "chk",
        "rbf",
        "rbs",
        "blob",
        "in",
        "out",
        "backup",
        "deleted",
        "trash",
        "lock",
        "index",
        "pack",
        "idx",
        "pma",
    ]
)
_NEVER = frozenset({"text", "empty", "recycle-bin"})  # a recycle bin record keeps the extension of what was deleted
_EXTENSION = re.compile(r"[a-z0-9_+-]{1,24}")


def identify(head: bytes, size: int, tail: bytes = b"") -> FileType | None:
    """Return the type of an item of ``size`` bytes from its first bytes; ``None`` when unknown.

    ``head`` may be the whole item. ``tail``, the last bytes, tells the few types that are marked at their end
    only; it is taken from ``head`` when that is the whole item. Never raises, whatever the bytes.
    """
    if not head:
        return None if size else TYPES["empty"]
    name = (
        signatures.at_start(head, size)
        or signatures.elsewhere(head, size)
        or text_type(head)
        or signatures.agreeing(head, size)
        or signatures.trailing(head[-TAIL:] if len(head) == size else tail)
    )
    return TYPES[name] if name else None


def type_named(name: str) -> FileType | None:
    """Return the type of that short name, if the table has it."""
    return TYPES.get(name)


def extension_of(file_name: str) -> str:
    """Return the extension in lower case without the dot, or ""; of an NTFS stream, its own name's."""
    name = file_name.rpartition("/")[2]
    if name.upper().endswith(":$DATA"):
        name = name[:-6]
    name = name.rpartition(":")[2].rstrip(". ")
    stem, _, extension = name.rpartition(".")
    extension = extension.lower()
    if not stem.strip(".") or not _EXTENSION.fullmatch(extension) or not any(c.isalpha() for c in extension):
        return ""
    return extension


def extension_mismatch(file_name: str, type_name: str) -> bool:
    """Whether the content's type contradicts the name's extension.

    Pictures, sound, film, archives, documents, programs, mail, databases and system files contradict an
    extension that belongs to another type; pictures, sound and film also one that nobody knows. Markup and
    scripts contradict only the extensions of media and archives. Plain text, unknown types, names without
    extension and extensions that promise nothing (``.tmp``, ``.bak``, ``.dat`` …) never do.
    """
    kind = TYPES.get(type_name)
    if kind is None or kind.name in _NEVER:
        return False
    extension = extension_of(file_name)
    if not extension or extension in kind.extensions or extension in _NEUTRAL:
        return False
    owners = OWNERS.get(extension, ())
    if kind.family and any(owner.family == kind.family for owner in owners):
        return False
    if kind.category == "text":
        return bool(owners) and all(o.opaque and o.category in _HIDING_PLACES for o in owners)
    return bool(owners) or (kind.opaque and kind.category in _MEDIA)
