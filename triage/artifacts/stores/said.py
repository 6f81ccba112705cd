"""How the rows of different programs say the same: a message, a call, a contact, a place, a file in a cloud."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from triage.artifacts.jsonfile import parse_json
from triage.artifacts.structure import StructureError
from triage.escape import show

if TYPE_CHECKING:
    from triage.artifacts.stores.tables import Trace, Values

_LONGEST = 16 << 10
_ISO = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9})[0-9]{0,10})?Z?")


def message(row: Values, when: int | None, text: str, *, sent: bool | None, person: str, **more: Any) -> Trace:
    """Return what a row says of a message. ``sent``: by the owner; ``None`` if the row does not tell. ``person``: the other side."""
    text = text[:_LONGEST]
    direction = "" if sent is None else "sent" if sent else "received"
    way = "with" if sent is None else "sent to" if sent else "received from"
    title = f"message {way} {show(person[:100]) or 'somebody'}"
    return row.trace(
        "message", f"{title}: {show(text[:150])}" if text else title, when, text=text, direction=direction, person=person, **more
    )


def call(row: Values, when: int | None, *, person: str, direction: str = "", **more: Any) -> Trace:
    """Return what a row says of a call. ``direction``: incoming, outgoing or missed, "" if the row does not tell."""
    return row.trace("call", f"{direction or 'a'} call {show(person[:100])}".strip(), when, person=person, direction=direction, **more)


def contact(row: Values, name: str, **more: Any) -> Trace:
    """Return what a row says of a person who is known."""
    return row.trace("contact", f"contact {show(name[:150])}", more.pop("when", None), name=name, **more)


def place(row: Values, when: int | None, latitude: object, longitude: object, what: str, **more: Any) -> Trace | None:
    """Return what a row says of a place, in degrees; ``None`` if it is none."""
    if not isinstance(latitude, int | float) or not isinstance(longitude, int | float):
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180) or (latitude == 0 and longitude == 0):
        return None
    where = f"{latitude:.5f}, {longitude:.5f}"
    return row.trace("location", f"{what} {where}", when, latitude=float(latitude), longitude=float(longitude), **more)


def parsed(value: object) -> Any:
    """Return the JSON value that a column holds, ``None`` if it holds none."""
    if not isinstance(value, str | bytes) or not value:
        return None
    try:
        return parse_json(value.encode("utf-8", "replace") if isinstance(value, str) else value).value
    except StructureError:
        return None


def inside(value: Any, *keys: str | int) -> Any:
    """Return what stands along keys and indices in a JSON value, ``None`` if nothing does."""
    for key in keys:
        if isinstance(key, str) and isinstance(value, dict):
            value = value.get(key)
        elif isinstance(key, int) and isinstance(value, list) and -len(value) <= key < len(value):
            value = value[key]
        else:
            return None
    return value


def words(value: Any) -> str:
    """Return a JSON value as text: text as it is, numbers in digits, anything else as JSON of at most 2,000 characters."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return value[:_LONGEST]
    return str(value) if isinstance(value, int | float) else json.dumps(value, ensure_ascii=False)[:2000]


def digits(value: object) -> int | None:
    """Return a whole number that a column may hold as text."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) else None


def iso_time(value: object) -> int | None:
    """Return a time in ISO 8601, UTC, as nanoseconds since 1970; ``None`` for anything else."""
    found = _ISO.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        whole = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(whole.timestamp()) * 10**9 + int((found[2] or "").ljust(9, "0"))
