"""Lines of vCards and calendars: their properties, each with where its value stands in the file.

vCard 2.1 (versit), 3.0 (RFC 2426), 4.0 (RFC 6350), iCalendar (RFC 5545): ``group.NAME;PARAM=x;PARAM="y":value``, a line that begins with a
blank going on with the one before. In 2.1 a quoted-printable value goes on behind a line that ends in ``=``, and one in Base64 to the next
blank line. Components (``BEGIN`` and ``END``) lie in each other.
"""

from __future__ import annotations

import quopri
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_HEAD = 2000
_DEEPEST = 20
_BLANK = re.compile(rb"[\r\n]+")
_FOLD = re.compile(rb"\r?\n[ \t]")
_HEAD = re.compile(rb'((?:[^":\r\n]|\r?\n[ \t]|"[^"]*")*+):')
_PARAMETER = re.compile(r';([^;="]{1,100})(?:=("[^"]*"(?:,"[^"]*")*|[^;"]*))?')
_BASE64 = re.compile(rb"[ \t]*[A-Za-z0-9+/]+={0,2}[ \t]*\r?\Z")
_ESCAPE = re.compile(r"\\([\\,;:nN])")
_SPLIT = re.compile(r"(?<!\\);")
_TIME = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d)(?::?(\d\d))?(?:\.\d{1,9})?(Z)?)?")


@dataclass(slots=True)
class Property:
    """A property. ``start`` and ``end``: of its value in the file, folds and all."""

    name: str
    group: str
    parameters: dict[str, list[str]]
    raw: bytes
    start: int
    end: int

    @property
    def text(self) -> str:
        """The value as text: quoted-printable undone, in its character set, escapes as they stand."""
        raw = _FOLD.sub(b"", self.raw)
        if "QUOTED-PRINTABLE" in self.encoding:
            raw = quopri.decodestring(self.raw)
        charset = self.first("CHARSET")
        try:
            return raw.decode(charset or "utf-8").strip()
        except (LookupError, ValueError):
            return raw.decode("utf-8" if charset else "latin-1", "replace").strip()

    @property
    def plain(self) -> str:
        """The value as text, escapes undone."""
        return unescape(self.text)

    @property
    def fields(self) -> list[str]:
        """The parts of the value between semicolons, escapes undone."""
        return [unescape(part).strip() for part in _SPLIT.split(self.text)[:100]]

    @property
    def encoding(self) -> str:
        """What the value is encoded in, in capital letters: ``QUOTED-PRINTABLE``, ``B``, ``BASE64`` or ""."""
        return self.first("ENCODING").upper()

    def first(self, name: str) -> str:
        """Return the first value of a parameter, "" if there is none."""
        return next(iter(self.parameters.get(name, [])), "")


@dataclass(slots=True)
class Component:
    """A component: its name (``VCARD``, ``VEVENT``), its properties, whether its end is there, and how deep it lies in others."""

    name: str
    start: int
    end: int = 0
    properties: list[Property] = field(default_factory=list)
    whole: bool = False
    depth: int = 0


def components(data: bytes) -> Iterator[Component]:
    """Yield components, inner ones before what they lie in; those that have no end behind the others."""
    stack: list[Component] = []
    for one in properties(data):
        if one.name == "BEGIN":
            if len(stack) >= _DEEPEST:
                stack[-1].end = one.end
                yield stack.pop()
            stack.append(Component(one.text.upper()[:50], one.start - 6, depth=len(stack)))
        elif one.name == "END":
            name = one.text.upper()[:50]
            while stack and any(open_.name == name for open_ in stack):
                closed = stack.pop()
                closed.end = one.end
                closed.whole = closed.name == name
                yield closed
                if closed.whole:
                    break
        elif stack:
            stack[-1].properties.append(one)
    for left in reversed(stack):
        left.end = len(data)
        yield left


def properties(data: bytes) -> Iterator[Property]:
    """Yield the properties of a file, those of all components in their order; what is no property is passed over."""
    at, size = 0, len(data)
    while at < size:
        if (blank := _BLANK.match(data, at)) is not None:
            at = blank.end()
            continue
        end = _line_end(data, at)
        while data[end : end + 1] in (b" ", b"\t") and end < size:
            end = _line_end(data, end)
        head = _HEAD.match(data[at : min(end, at + _LONGEST_HEAD)])
        if head is None:
            at = end
            continue
        start = at + head.end()
        group, name, parameters = _head(_FOLD.sub(b"", head[1]).decode("utf-8", "replace"))
        found = Property(name, group, parameters, b"", start, end)
        if found.encoding == "QUOTED-PRINTABLE":
            while end < size and data[max(start, end - 3) : end].rstrip(b"\r\n").endswith(b"="):
                end = _line_end(data, end)
        elif found.encoding in ("B", "BASE64"):
            while end < size and _BASE64.match(data[end : _line_end(data, end)].rstrip(b"\n")):
                end = _line_end(data, end)
        found.end = end
        found.raw = data[start:end].rstrip(b"\r\n")
        yield found
        at = end


def unescape(text: str) -> str:
    """Return a value with its escapes undone (RFC 6350, 3.4)."""
    return _ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], text)


def time_of(text: str) -> tuple[str, int | None] | None:
    """Return a date or time as ISO text, and in nanoseconds since 1970 when it is one in UTC; ``None`` for what is neither.

    A time that is not in UTC has no ``Z``: what zone it is in stands beside it, if at all.
    """
    match = _TIME.match(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, zone = match.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), min(int(second or 0), 59), tzinfo=UTC)
    except ValueError:
        return None
    if hour is None:
        return moment.date().isoformat(), None
    nanoseconds = int(moment.timestamp()) * 10**9
    return moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0") + (zone or ""), nanoseconds if zone else None


def _line_end(data: bytes, at: int) -> int:
    end = data.find(b"\n", at)
    return len(data) if end < 0 else end + 1


def _head(text: str) -> tuple[str, str, dict[str, list[str]]]:
    """Return group, name and parameters. Those without a name (2.1) are encodings when they look so, else types."""
    name, _, rest = text.partition(";")
    group, _, name = name.strip().rpartition(".")
    parameters: dict[str, list[str]] = {}
    for key, value in _PARAMETER.findall(f";{rest}" if rest else "")[:50]:
        values = [one.strip('"') for one in value.split(",")]
        if not value:
            values = [key]
            key = "ENCODING" if key.upper() in ("QUOTED-PRINTABLE", "BASE64", "B", "8BIT") else "TYPE"  # noqa: PLW2901 - 2.1 leaves the name out
        parameters.setdefault(key.strip().upper(), []).extend(values)
    return group, name.upper()[:100], parameters
