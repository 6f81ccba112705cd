"""Messages in Android's own backups: what the telephone provider put into an ADB backup, packed JSON, a file for so many messages."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.browsing import fact, show
from triage.artifacts.jsonfile import parse_json
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST = 64 << 20
_SENT = {"1": "received", "2": "sent", "4": "sent", "5": "sent", "6": "sent"}
"""By Android's Telephony.TextBasedSmsColumns: inbox; sent, outbox, failed, queued. 3 is a draft."""
_FROM, _TO = 137, 151
"""Kinds of addresses of a multimedia message (PduHeaders)."""


class SmsBackup:
    """Findings ``message``: text and multimedia messages, each with person, time and direction."""

    name = "sms_backup"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(paths=("*_sms_backup", "*_mms_backup"), max_size=_LARGEST)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield each message in the order of the file."""
        raw = item.read_at(0, item.size)
        undo = zlib.decompressobj()
        try:
            text = undo.decompress(raw, _LARGEST)
        except zlib.error:
            if not raw.startswith(b"["):
                return  # another file with such a name
            text = raw
        if undo.unconsumed_tail:
            yield item.problem(f"a backup of messages that is larger than {_LARGEST >> 20} MiB undone: it was not read")
            return
        try:
            rows = parse_json(text).value
        except StructureError as error:
            yield item.problem(f"a backup of messages cannot be read: {error}")
            return
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict):
                kind, title, data = _mms(row) if "mms_body" in row or "mms_addresses" in row else _sms(row)
                yield item.finding(kind, title, {**data, **whose(item.entry.path)})


def _said(when: int | None, text: str, direction: str, people: list[str], **more: Any) -> tuple[str, str, dict[str, Any]]:
    way = {"sent": "sent to", "received": "received from"}.get(direction, "with")
    title = f"message {way} {show(', '.join(people)[:100]) or 'somebody'}"
    title = f"{title}: {show(text[:150])}" if text else title
    return fact("message", title, when, text=text, direction=direction, person=", ".join(people), application="Android messages", **more)


def _sms(row: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    people = _people(row)
    number = str(row.get("type", ""))
    return _said(
        times.unix_ms(_number(row.get("date"))), _text(row.get("body")), _SENT.get(number, ""), people or [_text(row.get("address"))],
        sent_time=times.unix_ms(_number(row.get("date_sent"))), read=row.get("read") == "1" or None, draft=number == "3" or None,
    )  # fmt: skip


def _mms(row: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    direction = _SENT.get(str(row.get("msg_box", "")), "")
    wanted = _FROM if direction == "received" else _TO
    addresses = row.get("mms_addresses")
    named = [a for a in addresses if isinstance(a, dict)] if isinstance(addresses, list) else []
    people = [_text(a.get("address")) for a in named if a.get("type") == wanted and _text(a.get("address")) != "insert-address-token"]
    return _said(
        times.unix(_number(row.get("date"))), _text(row.get("mms_body")), direction, people or _people(row),
        sent_time=times.unix(_number(row.get("date_sent"))), subject=_text(row.get("sub")), read=row.get("read") == "1" or None, kind="MMS",
    )  # fmt: skip


def _people(row: dict[str, Any]) -> list[str]:
    given = row.get("recipients")
    return [text for one in (given if isinstance(given, list) else [])[:50] if (text := _text(one))]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None


PLUGIN = SmsBackup
