"""What is inside Office's old documents (DOC, XLS, PPT, VSD): who wrote them and when, pictures, embedded files, sounds, macros."""

from __future__ import annotations

import ntpath
from typing import TYPE_CHECKING, Any

from triage.artifacts import officeart, times
from triage.artifacts.browsing import show
from triage.artifacts.compound import MAGIC, open_compound
from triage.artifacts.propertyset import DOCUMENT, DOCUMENT_NAMES, SUMMARY, SUMMARY_NAMES, read_properties
from triage.artifacts.structure import Notes, StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Child, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.compound import Compound, Stream
    from triage.artifacts.officeart import Part

_KINDS = {"doc": "a Word document", "xls": "an Excel workbook", "ppt": "a PowerPoint presentation", "vsd": "a Visio drawing"}
_TIMES = ("printed", "created", "modified")
_WHOLE = {"Package": "package", "CONTENTS": "contents"}
"""Streams that are a file as they stand: an embedded document of the new kind, a PDF document."""
_SMALLEST, _MOST_PARTS = 64, 5000


class OleDocuments:
    """Findings ``document`` and ``document-script``; a derived entry a picture, embedded file and sound."""

    name = "ole_documents"
    version = "2"
    tried_on = "real samples"
    accepts = Accepts(types=("doc", "xls", "ppt", "vsd", "hwp", "ole"), max_size=1 << 30)

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield what the document says of itself, then what is in it, in the order of its streams' names."""
        if item.head(8) != MAGIC:
            return  # Hangul's documents are OLE, ZIP or neither, by their version
        try:
            compound = open_compound(item.read_at, item.size)
        except StructureError as error:
            yield item.problem(f"an Office document that cannot be opened: {error}")
            return
        yield from _said(item, compound)
        notes = Notes()
        for number, (stream, part) in enumerate(_parts(item, compound, notes), 1):
            if number > _MOST_PARTS:
                notes.add(f"pictures and embedded files beyond the first {_MOST_PARTS:,} are left out")
                break
            child = _child(item, number, stream, part, notes)
            if child is not None:
                yield child
        for line in (*compound.notes.lines(), *notes.lines()):
            yield item.problem(line)


def _said(item: Item, compound: Compound) -> Iterator[Finding]:
    said: dict[str, Any] = {}
    for stream in compound.streams:
        names = {SUMMARY: SUMMARY_NAMES, DOCUMENT: DOCUMENT_NAMES}.get(stream.path[-1])
        if names is not None and len(stream.path) == 1:
            values = read_properties(stream.read(item.read_at))
            said.update({name: values[key] for key, name in names.items() if key in values})
    for name in _TIMES:
        said[name] = times.iso(times.filetime(said.get(name)))
    # A length of time, in the units of a FILETIME.
    spent = said.pop("edited_for", None)
    said["edited_minutes"] = spent // 600_000_000 if isinstance(spent, int) and spent < 1 << 56 else None
    kept = {name: value for name, value in said.items() if value not in (None, "")}
    kind = _KINDS.get(item.type.name if item.type is not None else "", "an OLE document")
    if kept:
        who = f" by {show(str(kept['author'])[:100])}" if "author" in kept else ""
        title = f": {show(str(kept['title'])[:200])}" if "title" in kept else " without a title"
        yield item.finding("document", f"{kind}{who}{title}", {**kept, **whose(item.entry.path)})
    macros = sorted({"/".join(s.path[:-1]) for s in compound.streams if s.path[-1].lower() == "_vba_project"})
    if macros:
        yield item.finding("document-script", "holds macros (programs that start with it)", {"streams": macros, **whose(item.entry.path)})


def _parts(item: Item, compound: Compound, notes: Notes) -> Iterator[tuple[Stream, Part]]:
    left = item.size
    for stream in compound.streams:
        name = stream.path[-1]
        if stream.size < _SMALLEST:
            continue
        left -= stream.size
        if left < 0:
            # No two streams share a sector: such a file is made to take long.
            notes.add("streams of a document lie over each other: the rest is not searched")
            break
        if name in _WHOLE:
            yield stream, officeart.Part("bin", stream.places, name=_WHOLE[name])
            continue
        if stream.size > officeart.LARGEST:
            notes.add("a stream of more than 256 MiB is not searched")
            continue
        joined = officeart.Joined(item.read_at, stream.places)
        if name == "\x01Ole10Native":
            part = officeart.native(joined)
            if part is not None:
                yield stream, part
            continue
        if name == "PowerPoint Document":
            for one in officeart.slides(joined):
                yield stream, one
        if name in ("Workbook", "Book"):
            joined = officeart.Joined(item.read_at, officeart.drawings(joined))
        for one in officeart.pictures(joined, notes):
            yield stream, one


def _child(item: Item, number: int, stream: Stream, part: Part, notes: Notes) -> Child | None:
    steps: list[list[Any]] = [["cut", *(n for place in part.places for n in place)]]
    size = sum(length for _, length in part.places)
    if part.packed:
        steps.append(["undo", "zlib", min(part.size, officeart.LARGEST)])
        size, why = item.measure(steps)
        if why:
            notes.add("a part of a document is damaged: it was read as far as it goes")
    if not size:
        return None
    name = ntpath.basename(part.name or part.path) or f"part-{number}.{part.ending}"
    said = {"stream": "/".join(stream.path), "embedded_from": part.path, "label": part.name}
    what = "a file embedded in" if part.ending in ("bin", "ole") else "a sound in" if part.ending == "wav" else "a picture in"
    kind = _KINDS.get(item.type.name if item.type is not None else "", "an OLE document")
    title = f"{what} {kind}" + (f", from {show(part.path[:200])}" if part.path else "")
    return item.child(name, steps, size, findings=[("document-part", title, {k: v for k, v in said.items() if v})])


PLUGIN = OleDocuments
