"""What is inside PDF documents: pictures and attached files as entries, who wrote it with what and when, links, earlier revisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import pdf, pdffilters, pdfimages
from triage.artifacts.imagenotes import read_xmp
from triage.artifacts.structure import Notes
from triage.artifacts.web import shown_url, whose
from triage.plugin import Accepts, Child, Finding, Item, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDINGS = {"DCTDecode": "jpg", "JPXDecode": "jp2"}
_RAW = {"CCITTFaxDecode": "ccitt", "JBIG2Decode": "jb2"}
_SMALLEST = 16
_MOST_LINKS, _LONGEST_LINK = 200, 2000
_LARGEST_CHILD = 256 << 20
_UNDONE_IN_ALL = 1 << 30
"""Bytes that are undone of one document to see how large its pictures and attachments are."""
_LARGEST_XMP = 1 << 20
_INFO = {"Title": "title", "Author": "author", "Subject": "subject", "Keywords": "keywords", "Creator": "program", "Producer": "written_by"}
_XMP = {
    "title": "title",
    "creator": "author",
    "CreatorTool": "program",
    "Producer": "written_by",
    "CreateDate": "created",
    "ModifyDate": "modified",
    "DocumentID": "document_id",
}
"""What is taken from XMP where the document's information says nothing: properties by local name."""


class PdfContents:
    """A derived entry a picture and attached file; findings ``document``, ``document-link`` and ``document-script``."""

    name = "pdf_contents"
    version = "2"
    tried_on = "real samples"
    accepts = Accepts(types=("pdf",), max_size=pdf.LARGEST)

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield what the document says of itself, then its pictures and attachments in the order they stand in it."""
        notes = Notes()
        data = item.read_at(0, item.size)
        document = pdf.read_pdf(data, notes)
        if document.encrypted:
            yield item.problem("the PDF document is encrypted: what it says of itself, its pictures and attachments were not read")
            return
        yield from self._said(item, document)
        names = _attached(document)
        left = _UNDONE_IN_ALL
        for one in document.objects:
            if one.stream is None or not isinstance(one.value, dict):
                continue
            if left <= 0:
                notes.add("a PDF document's pictures and attachments are larger than 1 GiB: the rest is left out")
                break
            if document.value(one.value.get("Subtype")) == "Image":
                child = _picture(item, document, one, notes)
            elif one.value.get("Type") == "EmbeddedFile" or one.number in names:
                child = _file(item, document, one, names.get(one.number, f"attachment-{one.number}"), notes)
            else:
                continue
            if child is not None:
                left -= child.size
                yield child
        for line in notes.lines():
            yield item.problem(line)

    @staticmethod
    def _said(item: Item, document: pdf.Document) -> Iterator[Finding]:
        info: dict[str, Any] = {}
        for trailer in document.trailers:
            found = document.value(trailer.get("Info"))
            if isinstance(found, dict):
                info.update(found)
        said: dict[str, Any] = {key: pdf.text_of(document.value(info.get(name))) for name, key in _INFO.items()}
        said["created"] = pdf.date_of(document.value(info.get("CreationDate")))
        said["modified"] = pdf.date_of(document.value(info.get("ModDate")))
        kept = {key: value for key, value in said.items() if value}
        for key, value in _xmp(item, document).items():
            kept.setdefault(key, value)
        pages = sum(isinstance(o.value, dict) and o.value.get("Type") == "Page" and not o.replaced for o in document.objects)
        if document.ends > 1:
            kept["revisions"] = document.ends
        who = f" by {kept['author']}" if "author" in kept else ""
        title = f"a PDF document{who}: {kept['title']}" if "title" in kept else f"a PDF document{who} without a title"
        yield item.finding("document", title, {**kept, "pages": pages, **whose(item.entry.path)})
        links: dict[str, None] = {}
        scripts = 0
        for one in document.objects:
            for action in _actions(document, one.value):
                scripts += action.get("S") in ("JavaScript", "Launch")
                address = pdf.text_of(document.value(action.get("URI")), _LONGEST_LINK)
                if address:
                    links.setdefault(address)
        for address in list(links)[:_MOST_LINKS]:
            yield item.finding("document-link", f"links to {shown_url(address)[:200]}", {"url": address, **whose(item.entry.path)})
        if len(links) > _MOST_LINKS:
            yield item.finding("document-link", f"links to {len(links) - _MOST_LINKS:,} more addresses", {"more": len(links) - _MOST_LINKS})
        if scripts:
            text = f"starts programs or runs scripts ({scripts} action{'s' if scripts != 1 else ''})"
            yield item.finding("document-script", text, {"actions": scripts, **whose(item.entry.path)})


def _actions(document: pdf.Document, value: Any) -> Iterator[dict[str, Any]]:
    """Yield the actions that an object is, or has."""
    if not isinstance(value, dict):
        return
    for action in (value, *(document.value(value.get(key)) for key in ("A", "OpenAction"))):
        if isinstance(action, dict) and isinstance(action.get("S"), pdf.Name):
            yield action


def _xmp(item: Item, document: pdf.Document) -> dict[str, str]:
    """Return what the document's last XMP packet says."""
    for one in reversed(document.objects):
        if one.stream is None or one.replaced or one.value.get("Type") != "Metadata":
            continue
        begin, length = one.stream
        packet, _ = pdffilters.undone(item.read_at(begin, min(length, _LARGEST_XMP)), pdf.filters(document, one.value), _LARGEST_XMP)
        found = read_xmp(packet)
        if found is not None and found.properties.get("format", "application/pdf") == "application/pdf":
            return {key: found.properties[name] for name, key in _XMP.items() if found.properties.get(name)}
    return {}


def _attached(document: pdf.Document) -> dict[int, str]:
    """Return the names of attached files by the number of their stream."""
    names = {}
    for one in document.objects:
        files = document.value(one.value.get("EF")) if isinstance(one.value, dict) else None
        if isinstance(files, dict):
            name = next(
                (t for key in ("UF", "F", "Unix", "DOS") if (t := pdf.text_of(document.value(one.value.get(key)), 240))), "attachment"
            )
            for reference in files.values():
                if isinstance(reference, pdf.Ref):
                    names[reference.number] = name
    return names


def _steps(document: pdf.Document, one: pdf.Object, names: list[str]) -> list[list[Any]] | None:
    """Return how a stream's bytes are had with these filters undone; ``None`` when one of them is not read."""
    steps: list[list[Any]] = [["cut", *(one.stream or (0, 0))]]
    for number, name in enumerate(names):
        if name == "FlateDecode":
            steps.append(["undo", "zlib", _LARGEST_CHILD])
        elif name in pdffilters.NAMES:
            early = _parameter(document, one.value, number, "EarlyChange", 1)
            late = "0" if name == "LZWDecode" and early == 0 else ""
            steps.append(["undo", f"pdffilter:{pdffilters.NAMES[name]}{late}", _LARGEST_CHILD])
        else:
            return None
    return steps


def _parameter(document: pdf.Document, value: dict[str, Any], number: int, name: str, otherwise: int) -> int:
    """Return a parameter of a stream's filter of this number."""
    given = document.value(value.get("DecodeParms", value.get("DP")))
    if isinstance(given, list):
        given = document.value(given[number]) if number < len(given) else None
    found = document.value(given.get(name, otherwise)) if isinstance(given, dict) else otherwise
    return found if isinstance(found, int) else otherwise


def _child(item: Item, name: str, steps: list[list[Any]], notes: Notes, said: dict[str, Any], title: str) -> Child | None:
    size, why = item.measure(steps) if len(steps) > 1 else (steps[0][2], "")
    if why:
        notes.add("a picture or attachment of a PDF document is damaged: it was read as far as it goes")
    if not size:
        return None
    return item.child(name, steps, size, kind=Kind.DERIVED, findings=[("document-part", title, {k: v for k, v in said.items() if v})])


def _picture(item: Item, document: pdf.Document, one: pdf.Object, notes: Notes) -> Child | None:
    value = one.value
    width, height = (document.value(value.get(key, value.get(short))) for key, short in (("Width", "W"), ("Height", "H")))
    if not isinstance(width, int) or not isinstance(height, int) or width < _SMALLEST or height < _SMALLEST:
        return None
    names = pdf.filters(document, value)
    said = {"width": width, "height": height, "replaced": one.replaced}
    title = f"a picture in a PDF document, {width} × {height}" + (", of an earlier revision" if one.replaced else "")
    if names and names[-1] in _ENDINGS:
        steps = _steps(document, one, names[:-1])
        if steps is not None:
            return _child(item, f"picture-{one.number}.{_ENDINGS[names[-1]]}", steps, notes, said, title)
    steps = _steps(document, one, names)
    last = _pixels(document, value, width, height, len(names) - 1) if steps is not None else None
    if steps is not None and last is not None:
        return _child(item, f"picture-{one.number}.png", [*steps, last], notes, said, title)
    # As far as it is read, so that it has a digest by which it is known again.
    ending, raw = "bin", steps
    if raw is None and names[-1] in _RAW:
        ending, raw = _RAW[names[-1]], _steps(document, one, names[:-1])
    notes.add("a picture of a PDF document is kept in a way that is not read: its bytes are an entry that cannot be shown")
    raw = raw or [["cut", *(one.stream or (0, 0))]]
    return _child(item, f"picture-{one.number}.{ending}", raw, notes, {**said, "filters": names}, title)


def _pixels(document: pdf.Document, value: dict[str, Any], width: int, height: int, number: int) -> list[Any] | None:
    """Return the step that makes a picture of a stream's rows. ``number``: of its last filter, whose predictor is undone with it."""
    bits = document.value(value.get("BitsPerComponent", value.get("BPC", 8)))
    predictor = _parameter(document, value, max(0, number), "Predictor", 1)
    colours, palette = ("grey", b"") if value.get("ImageMask") is True else _colours(document, value.get("ColorSpace", value.get("CS")))
    if value.get("ImageMask") is True:
        bits = 1
    if not isinstance(bits, int):
        return None
    return pdfimages.step_of(colours, bits, width, height, max(1, predictor), palette)


def _colours(document: pdf.Document, given: Any) -> tuple[str, bytes]:
    space = document.value(given)
    known = {"DeviceGray": "grey", "G": "grey", "CalGray": "grey", "DeviceRGB": "rgb", "RGB": "rgb", "CalRGB": "rgb", "DeviceCMYK": "cmyk"}
    if isinstance(space, pdf.Name):
        return known.get(space, ""), b""
    if not isinstance(space, list) or not space:
        return "", b""
    kind = str(document.value(space[0]))
    if kind == "ICCBased" and len(space) > 1:
        profile = document.value(space[1])
        many = document.value(profile.get("N")) if isinstance(profile, dict) else 0
        return {1: "grey", 3: "rgb", 4: "cmyk"}.get(many if isinstance(many, int) else 0, ""), b""
    if kind in ("Indexed", "I") and len(space) > 3:
        base, table = _colours(document, space[1])[0], document.value(space[3])
        if base == "rgb" and isinstance(table, bytes):
            return "indexed", table[:768]
        if base == "grey" and isinstance(table, bytes):
            return "indexed", b"".join(bytes([level]) * 3 for level in table[:256])
        return "", b""
    return known.get(kind, ""), b""


def _file(item: Item, document: pdf.Document, one: pdf.Object, name: str, notes: Notes) -> Child | None:
    steps = _steps(document, one, pdf.filters(document, one.value))
    if steps is None:
        notes.add("an attachment of a PDF document is packed in a way that is not read: it is left out")
        return None
    parameters = document.value(one.value.get("Params"))
    facts = parameters if isinstance(parameters, dict) else {}
    checksum = document.value(facts.get("CheckSum"))
    said: dict[str, Any] = {"created": pdf.date_of(facts.get("CreationDate")), "modified": pdf.date_of(facts.get("ModDate"))}
    said["replaced"] = one.replaced
    if isinstance(checksum, bytes) and len(checksum) == 16:
        said["stated_md5"] = checksum.hex()
    return _child(item, name, steps, notes, said, f"a file attached to a PDF document: {name}")


PLUGIN = PdfContents
