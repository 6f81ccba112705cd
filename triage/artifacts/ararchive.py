"""``ar`` archives, Debian's packages among them: their files and where the bytes of each stand.

Format: ar(5). Long names as GNU has them (in a member ``//``, with offsets into it) and as BSD has them (``#1/`` and a length, the name
before the file's bytes). Tables of symbols are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from triage.artifacts.structure import ReadAt

MAGIC = b"!<arch>\n"
MOST_FILES = 100_000
_HEADER = 60
_MOST_NAMES, _LONGEST_NAME = 16 << 20, 4096
_SYMBOLS = (b"/", b"/SYM64", b"__.SYMDEF", b"__.SYMDEF SORTED", b"__.SYMDEF_64", b"__.SYMDEF_64 SORTED", b"/<ECSYMBOLS>", b"/<XFGHASHMAP>")


class ArFile(NamedTuple):
    """A file: ``name`` as bytes, ``start`` of its bytes in the item and their ``size``, ``time`` in seconds since 1970."""

    name: bytes
    size: int
    start: int
    time: int


@dataclass(slots=True)
class ArArchive:
    """An opened archive."""

    files: list[ArFile] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)


def read_ar(read_at: ReadAt, size: int) -> ArArchive:
    """Return the files of an archive in its order; raise :class:`StructureError` for what is none."""
    if read_at(0, 8) != MAGIC:
        raise StructureError("no ar archive")
    found = ArArchive()
    at, names = 8, b""
    while at < size:
        raw = read_at(at, _HEADER)
        length, time = _number(raw[48:58]), _number(raw[16:28])
        if len(raw) < _HEADER or raw[58:60] != b"`\n" or length is None:
            found.notes.add("an ar archive has no header where its next file should be")
            break
        start = at + _HEADER
        at = start + length + (length & 1)
        if start + length > size:
            found.notes.add("an ar archive ends inside a file")
            length = size - start
        name = raw[:16].rstrip(b" ")
        if name == b"//":
            names = read_at(start, min(length, _MOST_NAMES))
            if length > _MOST_NAMES:
                found.notes.add("an ar archive has more than 16 MiB of names: some are cut")
            continue
        if name.startswith(b"#1/"):
            inside = min(_number(name[3:]) or 0, length, _LONGEST_NAME)
            name = read_at(start, inside).rstrip(b"\0")
            start, length = start + inside, length - inside
        elif name[:1] == b"/" and name[1:].isdigit():
            place = int(name[1:])
            name = names[place : place + _LONGEST_NAME].partition(b"\n")[0].removesuffix(b"/") or name
        elif len(name) > 1:
            name = name.removesuffix(b"/")
        if name in _SYMBOLS:
            continue
        if len(found.files) >= MOST_FILES:
            found.notes.add(f"an ar archive goes on behind the first {MOST_FILES:,} files: the rest is not looked at")
            break
        found.files.append(ArFile(name, length, start, time or 0))
    return found


def _number(raw: bytes) -> int | None:
    text = raw.strip(b" ")
    return int(text) if text.isdigit() else None
