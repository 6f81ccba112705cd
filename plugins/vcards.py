"""Address books and calendars in files (vCard, iCalendar): people with their numbers and pictures, appointments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts.browsing import fact, show
from triage.artifacts.contentlines import components, time_of
from triage.artifacts.web import whose
from triage.plugin import Accepts, Child, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.browsing import Fact
    from triage.artifacts.contentlines import Component, Property
    from triage.plugin import Json

_LARGEST = 64 << 20
_MOST, _LONGEST = 20, 500
_LISTS = {"TEL": "numbers", "EMAIL": "emails", "URL": "urls", "NICKNAME": "nicknames", "CATEGORIES": "groups", "ADR": "addresses"}
_LISTS |= dict.fromkeys(
    ("IMPP", "X-SKYPE", "X-SKYPE-USERNAME", "X-ICQ", "X-AIM", "X-MSN", "X-YAHOO", "X-JABBER", "X-QQ", "X-GTALK"), "accounts"
)
_LISTS |= {
    "X-GOOGLE-TALK": "accounts",
    "X-SOCIALPROFILE": "accounts",
    "ATTENDEE": "people",
    "RELATED": "related",
    "X-ABRELATEDNAMES": "related",
}
_TEXTS = {
    "ORG": "organisation", "TITLE": "job", "NOTE": "note", "BDAY": "birthday", "UID": "number", "SUMMARY": "subject", "LOCATION": "place",
    "DESCRIPTION": "text", "STATUS": "state", "RRULE": "repeats", "GEO": "coordinates", "ANNIVERSARY": "anniversary", "CLASS": "class",
}  # fmt: skip
_TIMES = {"REV": "changed_time", "LAST-MODIFIED": "changed_time", "CREATED": "created_time", "DTEND": "end_time", "DUE": "end_time"}
_PICTURES = ("PHOTO", "LOGO", "SOUND", "KEY", "ATTACH")
_EVENTS = {"VEVENT": "appointment", "VTODO": "task", "VJOURNAL": "journal"}
_ASIDE = ("VERSION", "PRODID", "N", "FN", "DTSTART", "DTSTAMP", "SEQUENCE", "X-ABLABEL", "ORGANIZER")


class Vcards:
    """A finding ``contact`` a person, ``appointment`` an event, task or journal; their pictures and attachments as entries."""

    name = "vcards"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=("vcard", "ical"))

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield people and appointments."""
        if item.size > _LARGEST:
            yield item.problem(f"of an address book or calendar of {item.size:,} bytes only the first {_LARGEST:,} were read")
        data, placed = item.read(_LARGEST), True
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            data, placed = data.decode("utf-16", "replace").encode(), False
        mine = whose(item.entry.path)
        broken = unreadable = number = 0
        for one in components(data):
            if one.name != "VCARD" and one.name not in _EVENTS:
                continue
            number += 1
            broken += not one.whole
            finding = _person(one) if one.name == "VCARD" else _event(one)
            ranges = [(one.start, one.end - one.start)] if placed else []
            yield item.finding(finding.kind, finding.title, {**mine, **finding.data}, ranges)
            for place, held in enumerate(p for p in one.properties if p.name in _PICTURES and _is_held(p)):
                child = _held(item, held, f"{number:05d}-{place}", finding.title, mine) if placed else None
                unreadable += child is None
                if child is not None:
                    yield child
        if broken:
            yield item.problem(f"{broken:,} people or appointments have no end")
        if unreadable:
            yield item.problem(f"{unreadable:,} pictures or attachments cannot be read out")


def _person(one: Component) -> Fact:
    names = next((p for p in one.properties if p.name == "N"), None)
    parts = names.fields if names is not None else []
    built = " ".join(part for part in (*parts[3:4], *parts[1:3], *parts[:1], *parts[4:5]) if part)
    said = _said(one)
    name = next((p.plain for p in one.properties if p.name == "FN" and p.plain), "") or built or said.get("organisation", "")
    shown = name or next((one for key in ("emails", "numbers") for one in said.get(key, [])), "without a name")
    return fact("contact", f"contact {show(shown[:150])}", None, name=name[:_LONGEST], **said)


def _event(one: Component) -> Fact:
    said = _said(one)
    what = _EVENTS[one.name]
    first = next((p for p in one.properties if p.name == "DTSTART"), None)
    start = time_of(first.text) if first is not None else None
    organizer = next((p for p in one.properties if p.name == "ORGANIZER"), None)
    zone = first.first("TZID")[:100] if first is not None else ""
    found = fact(
        "appointment",
        f"{what}: {show(said.get('subject', '')[:150]) or 'without a subject'}",
        None,
        start=start[0] if start is not None else "",
        time_zone=zone,
        organizer=_named(organizer) if organizer is not None else "",
        what=what if what != "appointment" else "",
        **said,
    )
    if start is not None:
        found.data["time"] = start[0]
    return found


def _said(one: Component) -> Json:
    """Return what the properties of a component say; those that are not known by name stand under ``other``."""
    said: dict[str, Any] = {}
    left: dict[str, int] = {}

    def add(key: str, text: str) -> None:
        values = said.setdefault(key, [])
        if text and text not in values:
            if len(values) < _MOST:
                values.append(text[:_LONGEST])
            else:
                left[key] = left.get(key, 0) + 1

    labels = {p.group: p.plain.strip("_$!<>") for p in one.properties if p.group and p.name == "X-ABLABEL"}
    for p in one.properties:
        if key := _LISTS.get(p.name):
            text = ", ".join(f for f in p.fields if f) if p.name == "ADR" else _named(p) if p.name == "ATTENDEE" else p.plain
            program = p.name.removeprefix("X-").lower() if key == "accounts" and p.name != "IMPP" else ""
            add(key, f"{program}: {text}" if program and text else text)
        elif key := _TEXTS.get(p.name):
            text = ", ".join(f for f in p.fields if f) if p.name == "ORG" else p.plain
            said.setdefault(key, text[: 8 * _LONGEST])
        elif key := _TIMES.get(p.name):
            moment = time_of(p.text)
            said.setdefault(key, moment[0] if moment is not None else "")
        elif p.name in _PICTURES:
            if not _is_held(p) and p.plain:
                add("urls", p.plain)
        elif p.name not in _ASIDE and p.plain:
            label = labels.get(p.group, "") or p.name
            add("other", f"{label}: {p.plain}")
    for key, count in left.items():
        said[key].append(f"and {count:,} more")
    return said


def _named(p: Property) -> str:
    """Return a person of a calendar: the name, and the address behind it."""
    address = p.plain.partition(":")[2] or p.plain
    name = p.first("CN")
    return f"{name} <{address}>"[:_LONGEST] if name and name != address else address[:_LONGEST]


def _is_held(p: Property) -> bool:
    return p.encoding in ("B", "BASE64") or b";base64," in p.raw[:300]


def _held(item: Item, p: Property, label: str, title: str, mine: Json) -> Child | None:
    """Return what a property holds as a file of its own; ``None`` if nothing comes out."""
    start = p.start
    if p.encoding not in ("B", "BASE64"):
        start += p.raw.index(b";base64,") + 8
    length = p.end - start
    if length <= 0:
        return None
    steps: list[list[Any]] = [["cut", start, length], ["undo", "base64", length]]
    size, _ = item.measure(steps)
    if not size:
        return None
    kind = (p.first("TYPE") or p.first("FMTTYPE") or p.raw[:100].partition(b";")[0].decode("latin-1")).lower().rpartition("/")[2]
    ending = kind.replace("jpeg", "jpg") if kind.isalnum() and len(kind) < 6 else "bin"
    name = p.first("FILENAME") or p.first("X-FILENAME")
    return item.child(
        f"{label}-{name}" if name else f"{label}.{ending}",
        steps,
        size,
        findings=[("attachment", f"kept with {title}", {"property": p.name, **mine})],
    )


PLUGIN = Vcards
