"""What Apple Mail and Maildir folders note of a mail beside its text: received when, read, answered, deleted, junk."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.plist import Date, parse_plist
from triage.artifacts.structure import StructureError
from triage.artifacts.times import iso
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.plist import Value

_LARGEST_LIST = 1 << 20
_FIRST = re.compile(rb"\s{0,20}(\d{1,10})\s{0,20}\n")
# As publicly described (J. Zawinski, "Mail.app's flags"): bits of a number.
_FLAGS = {
    0: "read", 1: "deleted", 2: "answered", 3: "encrypted", 4: "flagged", 6: "draft", 8: "forwarded", 9: "redirected", 23: "signed",
    24: "junk", 25: "not junk",
}  # fmt: skip
_MAILDIR = re.compile(r"[:;!]2,([A-Za-z]{1,20})$")
_LETTERS = {"P": "forwarded", "R": "answered", "S": "read", "T": "deleted", "D": "draft", "F": "flagged"}
_TEXTS = {"subject": "subject", "sender": "from", "to": "to", "original-mailbox": "mailbox", "remote-id": "number"}


class MacMail:
    """A finding ``mail-state`` a mail; its text and attachments are told by ``mail``."""

    name = "mac_mail"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(paths=("*.emlx", "cur/*2,*"), min_size=3)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what is noted of the mail."""
        if match := _MAILDIR.search(item.entry.name):
            states = [_LETTERS[letter] for letter in dict.fromkeys(match[1].upper()) if letter in _LETTERS]
            if states:
                yield item.finding("mail-state", f"a mail that is {', '.join(states)}", {**whose(item.entry.path), "states": states})
            return
        first = _FIRST.match(item.read_at(0, 64))
        if first is None or not item.entry.name.lower().endswith(".emlx"):
            return
        start = first.end() + int(first[1])
        if start >= item.size:
            yield item.problem("a mail of Apple Mail has nothing behind its text, which breaks off or is of another length")
            return
        if item.size - start > _LARGEST_LIST:
            yield item.problem(f"what is noted behind a mail of Apple Mail was not read: more than {_LARGEST_LIST:,} bytes")
            return
        raw = item.read_at(start, item.size - start).lstrip()
        try:
            plist = parse_plist(raw)
        except StructureError as error:
            yield item.problem(f"what is noted behind a mail of Apple Mail cannot be read: {error}")
            return
        value = plist.value if isinstance(plist.value, dict) else {}
        said, states = _said(value)
        if said:
            unread = "a mail that was not read" if isinstance(value.get("flags"), int) else "a mail that Apple Mail kept"
            title = f"a mail that is {', '.join(states)}" if states else unread
            yield item.finding("mail-state", title, {**whose(item.entry.path), **said}, [(start, item.size - start)])
        for line in plist.notes:
            yield item.problem(line)


def _said(value: dict[str, Value]) -> tuple[dict[str, Any], list[str]]:
    flags = value.get("flags")
    states = [name for bit, name in _FLAGS.items() if flags >> bit & 1] if isinstance(flags, int) and flags >= 0 else []
    received, sent, seen = (_time(value.get(name)) for name in ("date-received", "date-sent", "date-last-viewed"))
    said: dict[str, Any] = {
        "time": iso(received if received is not None else sent),
        "sent_time": iso(sent),
        "viewed_time": iso(seen),
        "states": states,
        "attachments": flags >> 10 & 63 if isinstance(flags, int) and flags >= 0 else 0,
    }
    for key, name in _TEXTS.items():
        one = value.get(key)
        if isinstance(one, str | int) and not isinstance(one, bool):
            said[name] = str(one)[:1000]
    return {name: one for name, one in said.items() if one not in (None, "", [], 0)}, states


def _time(value: Value) -> int | None:
    return value.nanoseconds if isinstance(value, Date) else times.unix(value)


PLUGIN = MacMail
