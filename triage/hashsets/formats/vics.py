"""Project VIC's VICS 2.0 and 1.x JSON, and NIST's CAID files, which have the same form.

The specification is released under agreement only: this reads what public readers and writers show, and is
permissive. Lists of any size are streamed, one media entry in memory. Categories stay as they stand there;
nothing is decided from them. Numbers and flags come as numbers, flags, text or null; digests, category, size and what is said of
victims, offenders, distribution and series are looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from triage.hashsets.formats.fields import is_digest, record_events, role_of
from triage.hashsets.jsonstream import JsonDamage, JsonStream, TooLarge
from triage.hashsets.records import MAX_CATEGORY, HashRecord, Note, Reject, Scheme

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.hashsets.records import Event
    from triage.hashsets.source import Source

_CASE = re.compile(r'"[Mm]edia"\s*:\s*\[')
_MAX_DEPTH = 3  # a document, its cases, their media
_CONTEXT = frozenset({"@odata.context", "odata.metadata", "odata.context"})
_LISTS = frozenset({"value", "media"})
_ENTRY = {
    "category": "category",
    "mediasize": "size",
    "victimidentified": "fact:victim_identified",
    "offenderidentified": "fact:offender_identified",
    "isdistributed": "fact:distributed",
    "issuspected": "fact:suspected",
    "selfgenerated": "fact:self_generated",
    "series": "fact:series",
    "tags": "fact:tags",
}
_SCHEMES = (
    (re.compile(r"DataModels?/(\d+\.\d+)\.xml/([A-Za-z]+)/\$metadata", re.IGNORECASE), "VICS {} {}"),
    (re.compile(r"DataModels?/(\d+\.\d+)\.xml", re.IGNORECASE), "VICS {}"),
)
_CAID = Note(
    "the list's entries are of category 8, as in NIST's CAID files: those are of harmless software. Whether it is notable, known or "
    "ignorable is what you said at the import"
)
_FIELDS = {"md5": "md5", "sha1": "sha1", "sha-1": "sha1", "sha256": "sha256", "sha-256": "sha256"}


def looks_like(head: bytes) -> bool:
    """Say whether the text begins as JSON does and names what VICS names."""
    start = head.lstrip()
    return start.startswith((b"{", b"[")) and any(
        word in head for word in (b"odata", b'"Media"', b'"MediaID"', b'"MD5"', b'"SHA1"', b'"md5"', b'"sha1"')
    )


def read(source: Source) -> Iterator[Event]:
    """Yield one record a media entry, in cases or not.

    What is damaged is rejected, and reading goes on where it can.
    """
    with source.open() as stream:
        reader = _Reader(JsonStream(stream))
        told = False
        try:
            for event in reader.document():
                if not told and isinstance(event, HashRecord) and event.category == "8":
                    told = True
                    yield _CAID
                yield event
        except JsonDamage as damage:
            yield Reject(damage.line, damage.reason)
            yield Note(
                f"THE LIST IS NOT COMPLETE: line {damage.line}, entry {reader.entries + 1}: {damage.reason}; "
                "what stands behind that was not read"
            )
        else:
            if reader.json.peek():
                yield Reject(reader.json.line, "text after the end of the JSON document")
                yield Note("THE LIST MAY NOT BE COMPLETE: text after the end of the JSON document was not read")


class _Reader:
    def __init__(self, stream: JsonStream) -> None:
        self.json = stream
        self.entries = 0
        self._context_told = False

    def document(self) -> Iterator[Event]:
        if self.json.peek() == "[":
            yield from self._list(1)
        else:
            yield from self._object(0)

    def _list(self, depth: int) -> Iterator[Event]:
        for _ in self.json.items():
            yield from self._item(depth)

    def _item(self, depth: int) -> Iterator[Event]:
        """One media entry, or one case with a list of them."""
        first, line = self.json.peek(), self.json.line
        if first != "{" or depth > _MAX_DEPTH:
            self.json.skip()
            yield Reject(line, "an entry that is no object" if first != "{" else "nested too deep")
            return
        try:
            item = self.json.value()
        except TooLarge:
            # A case with all its media in it, or one entry with a very long list
            yield from self._object(depth)
        except JsonDamage as damage:
            if self.json.ahead(_CASE):
                yield from self._object(depth)  # only the media entry that is damaged is lost, not the case
                return
            self.entries += 1
            yield Reject(damage.line, f"entry {self.entries}: {damage.reason}")
            self.json.skip()
        else:
            yield from self._decoded(line, item)

    def _decoded(self, line: int, item: dict[str, Any]) -> Iterator[Event]:
        media = item.get("Media", item.get("media"))
        if isinstance(media, list):
            for entry in media:
                if isinstance(entry, dict):
                    yield from self._media(line, entry)
                else:
                    yield Reject(line, "an entry that is no object")
        else:
            yield from self._media(line, item)

    def _object(self, depth: int) -> Iterator[Event]:
        """Step through an object that is too large to hold or is damaged; at depth 0 through the document itself."""
        line = self.json.line
        small: dict[str, Any] = {}
        lists = 0
        for key in self.json.members():
            first = self.json.peek()
            if key.lower() in _LISTS and first == "[":
                lists += 1
                yield from self._list(depth + 1)
                continue
            try:
                value = self.json.value()
            except TooLarge:
                self.json.skip()
                continue
            except JsonDamage as damage:
                yield Reject(damage.line, f"{key[:40]}: {damage.reason}")
                self.json.skip()
                continue
            if key.lower() in _CONTEXT and isinstance(value, str) and not self._context_told:
                self._context_told = True
                yield Note(f"the list's context: {value[:MAX_CATEGORY]}")
                for pattern, form in _SCHEMES:
                    if match := pattern.search(value):
                        yield Scheme(form.format(*match.groups()))
                        break
            if not isinstance(value, list) or key == "AlternativeHashes":
                small[key] = value
        if not lists and (depth or _has_digest(small)):
            yield from self._media(line, small)

    def _media(self, line: int, item: dict[str, Any]) -> Iterator[Event]:
        self.entries += 1
        values: list[tuple[str, Any]] = []
        for key, value in item.items():
            lower = key.lower()
            if lower == "alternativehashes":
                values.extend(_alternative(value))
            elif lower in _ENTRY:
                values.append((_ENTRY[lower], value))
            elif (role := role_of(key)) and is_digest(role) and role != "digest":
                values.append((role, value))
        yield from record_events(line, values, f"entry {self.entries}: ")


def _alternative(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield (kind, digest) out of ``AlternativeHashes``: objects with ``HashName`` and ``HashValue``."""
    for entry in value if isinstance(value, list) else [value]:
        if isinstance(entry, dict):
            name = str(entry.get("HashName") or entry.get("hashName") or "")
            digest = entry.get("HashValue") or entry.get("hashValue")
            role = role_of(name)
            if digest and role and is_digest(role) and role != "digest":
                yield role, digest
            elif digest:
                yield "unkept:another kind", digest


def _has_digest(item: dict[str, Any]) -> bool:
    return any(key.lower() in _FIELDS for key in item)
