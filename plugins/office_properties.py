"""What Office's and OpenDocument's documents say of themselves: authors, times, program, people who commented, links, templates, macros.

Their pictures and embedded files are members of the archive, which ``archives`` lists. Parts: ECMA-376 part 2, 11 (core properties) and
part 1, 15.2.12 (extended ones); OpenDocument 1.3 part 2, 4.3 (``meta.xml``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from triage.artifacts.archives import Limits, open_archive
from triage.artifacts.browsing import show
from triage.artifacts.structure import Notes, StructureError
from triage.artifacts.web import shown_url, whose
from triage.artifacts.xmlfile import Element, parse_xml
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = {
    "docx": "a Word document",
    "xlsx": "an Excel workbook",
    "pptx": "a PowerPoint presentation",
    "odt": "an OpenDocument text",
    "ods": "an OpenDocument spreadsheet",
    "odp": "an OpenDocument presentation",
    "odf": "an OpenDocument file",
}
_SAID = {
    "docProps/core.xml": {
        "title": "title",
        "subject": "subject",
        "creator": "author",
        "keywords": "keywords",
        "description": "comments",
        "lastModifiedBy": "last_saved_by",
        "revision": "revision",
        "created": "created",
        "modified": "modified",
        "lastPrinted": "printed",
        "category": "category",
    },
    "docProps/app.xml": {
        "Application": "program",
        "AppVersion": "program_version",
        "Company": "company",
        "Manager": "manager",
        "Template": "template",
        "Pages": "pages",
        "Slides": "slides",
        "HyperlinkBase": "link_base",
    },
    "meta.xml": {
        "title": "title",
        "subject": "subject",
        "initial-creator": "author",
        "creator": "last_saved_by",
        "keyword": "keywords",
        "description": "comments",
        "creation-date": "created",
        "date": "modified",
        "printed-by": "printed_by",
        "print-date": "printed",
        "generator": "program",
        "editing-cycles": "revision",
    },
}
"""Elements by the part they stand in, and what findings call them."""
_PEOPLE = re.compile(
    r"(?:word|xl|ppt)/(?:comments\d*|commentAuthors|people|authors)\.xml|(?:xl|ppt)/(?:comments|persons)/[\w.-]{1,60}\.xml"
)
_NAMES = ("author", "name", "displayName")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z?")
_LARGEST, _MOST_PARTS, _MOST_LINKS, _MOST_PEOPLE = 8 << 20, 500, 200, 100


class OfficeProperties:
    """Findings ``document``, ``document-link`` and ``document-script``."""

    name = "office_properties"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=tuple(_KINDS))

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the document says of itself, then where it links to."""
        try:
            archive = open_archive(item.read_at, item.size, "zip", limits=Limits(members=100_000))
        except StructureError:
            return  # archives says so
        notes = Notes()
        said: dict[str, Any] = {}
        people: dict[str, None] = {}
        links: dict[str, str] = {}
        macros, parts = [], 0
        for member in archive:
            name = member.name.decode("utf-8", "replace")
            if name.endswith("vbaProject.bin") or name.startswith(("Basic/", "Scripts/")):
                macros.append(name[:200])
            wanted = name in _SAID or _PEOPLE.fullmatch(name) or name.endswith(".rels")
            if not wanted or member.encrypted:
                continue
            parts += 1
            if parts > _MOST_PARTS:
                notes.add("parts of a document are left out: there are more than 500 that tell of links and people")
                break
            root = _read(member, notes)
            if root is None:
                continue
            if name in _SAID:
                _properties(root, _SAID[name], said)
            elif name.endswith(".rels"):
                _links(root, links)
            else:
                _people(root, people)
        yield from _told(item, said, people, macros)
        for address in list(links)[:_MOST_LINKS]:
            title = f"{links[address]} {shown_url(address)[:200]}"
            yield item.finding("document-link", title, {"url": shown_url(address), **whose(item.entry.path)})
        if len(links) > _MOST_LINKS:
            yield item.finding("document-link", f"links to {len(links) - _MOST_LINKS:,} more addresses", {"more": len(links) - _MOST_LINKS})
        for line in notes.lines():
            yield item.problem(line)


def _read(member: Any, notes: Notes) -> Element | None:
    data = member.open().read(_LARGEST + 1)
    if len(data) > _LARGEST:
        notes.add("a part of a document of more than 8 MiB, which tells of links or people, is not read")
        return None
    try:
        return parse_xml(data).root
    except StructureError:
        notes.add("a part of a document, which tells of its author, links or people, is damaged")
        return None


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _walk(root: Element) -> Iterator[Element]:
    waiting = [root]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += reversed(one.children)


def _properties(root: Element, names: dict[str, str], said: dict[str, Any]) -> None:
    for one in _walk(root):
        known = names.get(_local(one.name))
        text = one.text.strip()
        if known is None or not text or known in said:
            continue
        if known in ("created", "modified", "printed"):
            found = _TIME.match(text)
            if found is None:
                continue
            text = found[0]
        said[known] = text[:2000]


def _people(root: Element, people: dict[str, None]) -> None:
    for one in _walk(root):
        tag = _local(one.name)
        if tag not in ("comment", "cmAuthor", "person", "author"):
            continue
        given = {_local(key): value for key, value in one.attributes.items()}
        name = next((given[key] for key in _NAMES if given.get(key)), one.text.strip() if tag == "author" else "")
        if name and len(people) < _MOST_PEOPLE:
            people.setdefault(name[:200])


def _links(root: Element, links: dict[str, str]) -> None:
    for one in root.children:
        if one.attributes.get("TargetMode") != "External":
            continue
        target, kind = one.attributes.get("Target", ""), one.attributes.get("Type", "").rpartition("/")[2]
        if target:
            how = {"hyperlink": "links to", "attachedTemplate": "has its template at", "image": "shows a picture from"}.get(
                kind, "takes from"
            )
            links.setdefault(target, how)


def _told(item: Item, said: dict[str, Any], people: dict[str, None], macros: list[str]) -> Iterator[Finding]:
    if people:
        said["people"] = list(people)
    if said:
        kind = _KINDS.get(item.type.name if item.type is not None else "", "a document")
        who = f" by {show(said['author'][:100])}" if "author" in said else ""
        title = f": {show(said['title'][:200])}" if "title" in said else " without a title"
        yield item.finding("document", f"{kind}{who}{title}", {**said, **whose(item.entry.path)})
    if macros:
        yield item.finding(
            "document-script", "holds macros (programs that start with it)", {"parts": macros[:50], **whose(item.entry.path)}
        )


PLUGIN = OfficeProperties
