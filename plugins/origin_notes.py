"""Where a downloaded file came from, as macOS and Linux note it in extended attributes, also those kept in files (``._name``)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from triage.artifacts.appledouble import KNOWN, MAGIC, MAX_BYTES, origin_of, read_attributes
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://(?:[^/@]{0,200}@)?([A-Za-z0-9.-]{1,255}|\[[0-9A-Fa-f:.]{2,60}\])(?=[:/?#]|$)")
_TOLD = ("host_url", "referrer_url", "mail", "program", "time", "downloaded")


class OriginNotes:
    """A finding ``download-origin`` a file whose attributes say it; ``note`` for a comment of the Finder."""

    name = "origin_notes"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(paths=("._*", *(f"*:{name}" for name in KNOWN)), kinds=(Kind.FILE, Kind.STREAM, Kind.DERIVED))

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the attributes say."""
        name = item.entry.name
        attribute = next((one for one in KNOWN if name.endswith(f":{one}")), "")
        if attribute:
            yield from _told(item, {attribute: item.read(MAX_BYTES)}, name[: -len(attribute) - 1])
            return
        if not name.startswith("._") or item.head(4) != MAGIC:
            return
        data = item.read(MAX_BYTES)
        try:
            attributes, notes = read_attributes(data)
        except StructureError as error:
            yield item.problem(f"attributes of a file of macOS that cannot be read: {error}")
            return
        held = {one.name: data[one.offset : one.offset + one.length] for one in attributes if one.name in KNOWN}
        yield from _told(item, held, name[2:])
        for line in notes:
            yield item.problem(line)
        if item.size > MAX_BYTES:
            yield item.problem(f"of a file of macOS' attributes only the first {MAX_BYTES:,} bytes were read")


def _told(item: Item, held: dict[str, bytes], file: str) -> Iterator[Finding | Problem]:
    said = origin_of(held)
    unread = said.pop("unread", None)
    if "comment" in said:
        text = said.pop("comment")
        if text:
            yield item.finding(
                "note", f"a comment in the Finder on {file}: {text[:200]}", {**whose(item.entry.path), "name": file, "text": text}
            )
    if any(key in said for key in _TOLD):
        host = next((match[1] for key in ("host_url", "referrer_url") if (match := _HOST.match(str(said.get(key, ""))))), "")
        by = f" by {said['program']}" if said.get("program") else ""
        if "mail" in said:
            title = f"came with a mail: {said['mail'][0]}"
        else:
            title = f"downloaded from {host}{by}" if host else f"came to this machine{by or ' from elsewhere'}"
        yield item.finding("download-origin", title, {**whose(item.entry.path), "file": file, **said})
    if unread:
        yield item.problem(f"attributes of a file that cannot be read: {', '.join(unread)}")


PLUGIN = OriginNotes
