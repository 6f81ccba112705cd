"""OLE compound files: Word, Excel, PowerPoint, Outlook messages, Thumbs.db, installers and more ([MS-CFB]).

The file's own allocation table says which sector is the last in use, and each stream must be a chain of as many sectors as its size
takes. What kind it is, the streams in its root tell; of some kinds the content is walked as well (``olecontent``).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from triage.carving.cfb import MAGIC, CfbEntry, Compound, displaced_tables, read_compound
from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.olecontent import check_content, pictures
from triage.content.ole import OleEntry, type_of

if TYPE_CHECKING:
    from triage.carving.window import Window

_HEADER = 512
_FURTHEST = 32 << 20
"""Bytes behind their place in which displaced tables are looked for."""
_CUTS = 16
"""Places of a gap that are tried."""
_EXTENSION = {"office-encrypted": "ole", "thumbs": "db"}
_MORE = {"Quill": ("pub", "publisher"), "   114": ("mpp", "project"), "   214": ("mpp", "project"), "MSWorksWPDoc": ("wps", "works")}
"""Streams of kinds that have no name elsewhere: extension and kind."""
_FIRST = ((b"\xec\xa5\xc1\0", "doc"), (b"\x09\x08\x10\0", "xls"), (b"\x0f\0\xe8\x03", "ppt"))
"""How the main streams of Word, Excel and PowerPoint 97 and later begin: [MS-DOC] 2.5.2, [MS-XLS] 2.4.21, [MS-PPT] 2.4.1."""
_THUMBNAIL = re.compile(r"\d{1,4}_[0-9a-f]{1,16}")
"""A Thumbs.db of Windows Vista and later has no catalogue: size and hash are the streams' names."""


def _walk(window: Window) -> Walked | None:
    found = read_compound(window)
    if found is None:
        return None
    if not found.entries:
        return _without_directory(window, found)
    extension, facts = _kind(found)
    streams = [entry for entry in found.entries if entry.kind == 2 and entry.size]
    facts["streams"] = len(streams)
    length = min(found.end, window.size)
    broken = [entry for entry in streams if entry.chain is None]
    if found.end > window.size:
        why = f"the space ends inside it: by its table it has {found.end} bytes"
        return Walked(
            length=length, structure=Structure.TRUNCATED, why=why, extension=extension, valid=min(found.sure, length), facts=facts
        )
    if streams and len(broken) == len(streams):
        return None
    root = found.entries[0]
    if broken or found.lost or root.chain is None:
        why = f"{len(broken)} of its {len(streams)} streams do not lead where they should"
        if found.lost:
            why = f"{found.lost} is not there; {why}"
        return Walked(length=length, structure=Structure.DAMAGED, why=why, extension=extension, valid=_HEADER, facts=facts)
    content = check_content(window, found, extension)
    if content.wrong:
        valid = min(max(content.at or 0, _HEADER), length)
        return Walked(length=length, structure=Structure.DAMAGED, why=content.wrong, extension=extension, valid=valid, facts=facts)
    parts = pictures(window, found) if extension == "db" else ()
    why = f"its table was read, and the chains of all {len(streams)} streams lead where their sizes say"
    if content.proven:
        why += f"; {content.proven}"
    return Walked(
        length=length, structure=Structure.COMPLETE, why=why, extension=extension, checked=bool(content.proven), parts=parts, facts=facts
    )


def _without_directory(window: Window, found: Compound) -> Walked | None:
    """Say what a file is whose directory is gone: Word and Excel put their text at the beginning."""
    begins = [window.at(number * found.sector, 4) for number in range(1, 5)]
    kind = next((name for head in begins for mark, name in _FIRST if head.startswith(mark)), "ole")
    length = min(found.end, window.size)
    if length <= 2 * found.sector or (kind == "ole" and not found.tables):
        return None
    why = f"{found.lost or 'its directory'} is not there; its {'first stream' if kind != 'ole' else 'allocation table'} is"
    if found.end > window.size:
        why = f"the space ends inside it, and {why}" + (f": by that it has {found.end} bytes" if found.tables else "")
    valid = min(max(found.sure, 2 * found.sector), length)
    return Walked(length=length, structure=Structure.TRUNCATED, why=why, extension=kind, valid=valid, facts={"kind": kind})


def _kind(found: Compound) -> tuple[str, Facts]:
    """Return the extension, and the kind for the finding."""
    named: list[CfbEntry] = [found.entries[0], *(entry for entry in found.entries[1:] if entry.top)]
    kind = type_of(tuple(OleEntry(entry.name, entry.size, None, entry.clsid) for entry in named))
    if kind == "ole":
        for entry in named:
            if entry.name in _MORE:
                extension, kind = _MORE[entry.name]
                return extension, {"kind": kind}
        names = [entry.name for entry in named[1:]]
        if names and all(_THUMBNAIL.fullmatch(name) for name in names):
            kind = "thumbs"
    facts: Facts = {"kind": kind}
    return _EXTENSION.get(kind, kind), facts


def _rejoin(window: Window, _walked: Walked) -> Walked | None:
    """Look for the rest of a file behind a gap: its directory or table is that much further on than the header says.

    Where the gap begins, the content must prove: the records of a workbook or of slides follow on each other with no other block.
    """
    displaced = displaced_tables(window, _FURTHEST)
    if displaced is None:
        return None
    expected, place = displaced
    shift = place - expected
    unit = next((unit for unit in (window.block, 512) if shift % unit == 0), 512)
    last = expected // unit * unit
    found = read_compound(window.spliced(_pieces(window, last, shift)))
    if found is None or not found.entries:
        return None
    broken = check_content(window.spliced(_pieces(window, last, shift)), found, _kind(found)[0]).at
    guess = last if broken is None else min(broken // unit * unit, last)
    for cut in (*range(guess, max(guess - _CUTS * unit, 0), -unit), *range(guess + unit, min(guess + 4 * unit, last + 1), unit)):
        pieces = _pieces(window, cut, shift)
        whole = _walk(window.spliced(pieces))
        if whole is not None and whole.structure is Structure.COMPLETE and whole.checked:
            pieces = ((0, cut), (cut + shift, whole.length - cut))
            why = f"{shift} bytes of others lie behind byte {cut}; without them {whole.why}"
            return replace(whole, structure=Structure.FRAGMENTED, why=why, pieces=pieces, parts=())
    return None


def _pieces(window: Window, cut: int, shift: int) -> tuple[tuple[int, int], ...]:
    return ((0, cut), (cut + shift, window.size - cut - shift))


FORMATS = (Format(name="ole", extension="ole", headers=(Header(MAGIC),), walk=_walk, rejoin=_rejoin, holds_files=True, largest=4 << 30),)
