"""What findings say of Outlook's messages, people, appointments and notes: the same words whether they lay in a MSG, PST or TNEF file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from triage.artifacts import bodytext, lzfu, mapi, mime, times
from triage.artifacts.child import Said
from triage.artifacts.mapi import number_of, text, time_of
from triage.artifacts.structure import StructureError
from triage.escape import show

if TYPE_CHECKING:
    from triage.artifacts.mapi import Attached, Message, Properties
    from triage.model import Json

LONGEST_TEXT = 8 << 10
_LINE, _MOST, _MOST_FILES = 1000, 200, 100
_LARGEST_RTF = 2 << 20
_FIELD = re.compile(r"(?im)^(date|from|x-originating-ip|x-mailer|user-agent|reply-to|return-path)[ \t]{0,20}:[ \t]{0,20}([^\r\n]{1,500})")
_EMAILS = (0x20048083, 0x20048093, 0x200480A3, 0x39FE, 0x3003)
_PHONES = (0x3A08, 0x3A1B, 0x3A09, 0x3A2F, 0x3A1C, 0x3A1A, 0x3A1E, 0x3A1D, 0x3A1F, 0x3A24, 0x3A25, 0x3A23)
_ADDRESSES = (0x2004801A, 0x2004801B, 0x2004801C, 0x3A15)
_SITES = (0x2004802B, 0x3A50, 0x3A51)
_PEOPLE = ("ipm.contact", "ipm.distlist", "ipm.abchperson")
_OWN = ("ipm.microsoft.", "ipm.configuration", "ipc.")
"""Classes of what Outlook keeps for itself in folders."""
_EVENTS = {"ipm.appointment": "appointment", "ipm.ole.class.{00061055": "appointment", "ipm.task": "task", "ipm.activity": "journal"}


def said_of(message: Message, longest: int = LONGEST_TEXT, **more: Any) -> Said:
    """Return what is to be said of a message: ``mail``, ``contact``, ``appointment``, ``note`` or ``mailbox-entry``, by its class.

    ``longest``: characters of the text; ``more`` goes into the data as it is. Empty values are left out.
    """
    kind = message.kind
    if kind.startswith(_PEOPLE):
        found = _person(message, longest)
    elif any(kind.startswith(name) for name in _EVENTS):
        found = _event(message, longest)
    elif kind.startswith("ipm.stickynote"):
        found = _note(message, longest)
    elif kind.startswith(_OWN):
        subject = subject_of(message.properties)[:_LINE]
        data = {"class": kind[:100], "subject": subject, "text": body_of(message, longest)[0], "attachments": files_of(message)}
        found = Said("mailbox-entry", f"an entry that Outlook keeps for itself: {show(subject[:150] or kind[:100])}", data)
    else:
        found = _mail(message, longest)
    data = {**found.data, **_times(message.properties), **more}
    if data.get("deleted"):
        found = found._replace(title=f"deleted {found.title}")
    return Said(found.kind, found.title, {name: value for name, value in data.items() if value not in (None, "", [], False)})


def body_of(message: Message, longest: int) -> tuple[str, str, bool]:
    """Return the beginning of a message's text, out of which form it was taken (``html``, ``rtf``, "" for text), and whether it is all."""
    properties = message.properties
    for number in mapi.BODIES:
        value = properties.get(number)
        if not value or not isinstance(value, str | bytes):
            continue
        if number == mapi.BODY and isinstance(value, str):
            found, form = value.partition("\0")[0].strip(), ""
        elif number == mapi.HTML:
            found, form = bodytext.of_html(value, longest + 1), "html"
        elif number == mapi.RTF and isinstance(value, bytes):
            try:
                found, form = bodytext.of_rtf(lzfu.decode(value, _LARGEST_RTF)[0], longest + 1), "rtf"
            except StructureError:
                continue
        else:
            continue
        if found:
            there = len(value) if isinstance(value, bytes) else 2 * len(value)
            whole = len(found) <= longest and message.places.get(number, ([], 0))[1] <= there
            return found[:longest], form, whole
    return "", "", True


def address(properties: Properties, name: tuple[int, ...], smtp: int, plain: int, kind: int) -> str:
    """Return ``name <address>`` as a mail's head would have it; an address of Exchange only where there is no other."""
    shown = text(properties, *name)
    mail = text(properties, smtp)
    if not mail:
        mail = text(properties, plain)
        if text(properties, kind).upper() == "EX" and shown:
            mail = ""
    if not mail or mail == shown.strip("'\""):
        return shown or mail
    return f"{shown} <{mail}>" if shown else mail


def sender_of(properties: Properties) -> str:
    """Return who a message is from: on whose behalf, if that is another, behind it."""
    wrote = address(properties, (0x0C1A,), 0x5D01, 0x0C1F, 0x0C1E)
    stood = address(properties, (0x0042,), 0x5D02, 0x0065, 0x0064)
    if not wrote or not stood:
        return wrote or stood
    return wrote if wrote == stood or text(properties, 0x0C1A) == text(properties, 0x0042) else f"{wrote} for {stood}"


def files_of(message: Message) -> list[str]:
    """Return the names of what is attached."""
    return [(one.name or one.mime or "a file without a name")[:300] for one in message.attached][:_MOST_FILES]


def _recipients(message: Message, kind: int, shown: int) -> str:
    found = [
        address(one, (0x3001, 0x5FF6), 0x39FE, 0x3003, 0x3002)
        for one in message.recipients[:_MOST]
        if (number_of(one, 0x0C15) & 0xF or 1) == kind
    ]
    return ", ".join(one for one in found if one) or text(message.properties, shown)


def _mail(message: Message, longest: int) -> Said:
    properties = message.properties
    head = {name.lower(): value.strip() for name, value in reversed(_FIELD.findall(text(properties, 0x007D)[: 64 << 10]))}
    sender = sender_of(properties) or mime.decoded(head.get("from", ""))
    to, cc, bcc = (_recipients(message, n, shown)[:_LINE] for n, shown in ((1, 0x0E04), (2, 0x0E03), (3, 0x0E02)))
    subject = subject_of(properties)
    sent = time_of(properties, 0x0039) or mime.date_of(head.get("date", "")) or time_of(properties, 0x0E06)
    body, form, _ = body_of(message, longest)
    flags = properties.get(0x0E07)
    kind = text(properties, 0x001A)
    data: Json = {
        "time": times.iso(sent),
        "subject": subject[:_LINE],
        "from": sender[:_LINE],
        "to": to,
        "cc": cc,
        "bcc": bcc,
        "message_id": text(properties, 0x1035)[:300],
        "attachments": files_of(message),
        "text": body,
        "text_form": form,
        "received_time": times.iso(time_of(properties, 0x0E06)),
        "in_reply_to": text(properties, 0x1042)[:300],
        "read": "yes" if isinstance(flags, int) and flags & 1 else "no" if isinstance(flags, int) else "",
        "draft": bool(isinstance(flags, int) and flags & 8),
        "class": kind[:100] if kind.lower() != "ipm.note" else "",
        "originating_ip": head.get("x-originating-ip", ""),
        "program": head.get("x-mailer", "") or head.get("user-agent", ""),
        "reply_to": mime.decoded(head.get("reply-to", "")),
        "return_path": head.get("return-path", ""),
        "start": times.iso(time_of(properties, 0x2002820D)) or "",
        "place": text(properties, 0x20028208)[:_LINE],
    }
    return Said("mail", f"mail from {sender[:100] or 'somebody'} to {to[:100] or 'somebody'}: {subject[:120]}", data)


def subject_of(properties: Properties) -> str:
    """Return the subject without the two characters that say how long its prefix (``RE: ``) is ([MS-PST] 2.5.3.1.1.1)."""
    subject = text(properties, 0x0037)
    if subject[:1] == "\x01":
        subject = subject[2:]
    return subject or text(properties, 0x0E1D, 0x0070)


def _person(message: Message, longest: int) -> Said:
    p = message.properties
    name = text(p, 0x3001) or " ".join(part for part in (text(p, 0x3A06), text(p, 0x3A11)) if part) or text(p, 0x20048005, 0x0037)
    emails = _all(p, _EMAILS)
    numbers = _all(p, _PHONES)
    shown = name or next(iter((*emails, *numbers)), "without a name")
    data: Json = {
        "name": name[:500],
        "emails": emails,
        "numbers": numbers,
        "addresses": _all(p, _ADDRESSES),
        "urls": _all(p, _SITES),
        "accounts": _all(p, (0x20048062,)),
        "nicknames": _all(p, (0x3A4F,)),
        "organisation": text(p, 0x3A16)[:500],
        "job": text(p, 0x3A17)[:500],
        "birthday": (times.iso(time_of(p, 0x3A42)) or "")[:10],
        "note": body_of(message, longest)[0],
        "attachments": files_of(message),
        "what": "list" if message.kind.startswith("ipm.distlist") else "",
    }
    return Said("contact", f"contact {show(shown[:150])}", data)


def _event(message: Message, longest: int) -> Said:
    p = message.properties
    what = next(value for name, value in _EVENTS.items() if message.kind.startswith(name))
    start = time_of(p, 0x2002820D, 0x20038104, 0x20088516, 0x0060)
    subject = subject_of(p)
    organizer = sender_of(p)
    data: Json = {
        "time": times.iso(start),
        "start": times.iso(start),
        "end_time": times.iso(time_of(p, 0x2002820E, 0x20038105, 0x20088517, 0x0061)),
        "subject": subject[:_LINE],
        "place": text(p, 0x20028208)[:_LINE],
        "organizer": organizer[:_LINE],
        "people": [address(one, (0x3001,), 0x39FE, 0x3003, 0x3002)[:300] for one in message.recipients[:_MOST_FILES]],
        "text": body_of(message, longest)[0],
        "attachments": files_of(message),
        "what": what if what != "appointment" else "",
        "state": "done" if p.get(0x2003811C) is True else "",
    }
    return Said("appointment", f"{what}: {show(subject[:150]) or 'without a subject'}", data)


def _note(message: Message, longest: int) -> Said:
    p = message.properties
    body = body_of(message, longest)[0]
    subject = subject_of(p)
    data: Json = {"time": times.iso(time_of(p, 0x3008, 0x3007)), "title": subject[:_LINE], "text": body}
    return Said("note", f"note: {show((subject or body)[:200])}", data)


def _times(properties: Properties) -> Json:
    return {"created_time": times.iso(time_of(properties, 0x3007)), "changed_time": times.iso(time_of(properties, 0x3008))}


def _all(properties: Properties, numbers: tuple[int, ...]) -> list[str]:
    return list(dict.fromkeys(one[:500] for number in numbers if (one := text(properties, number))))


def attachment_said(one: Attached, name: str, **more: Any) -> Said:
    """Return what is said of a file that is attached, as of those of other mails."""
    data = {"mime": one.mime, **_times(one.properties), **more}
    return Said("attachment", f"attached to a mail as {name[:150]}", {key: value for key, value in data.items() if value not in (None, "")})
