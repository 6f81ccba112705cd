"""Header blocks of mail: where one ends, and whether it is one of mail at all (RFC 5322, 2.2 and 3.6; RFC 2045; RFC 2046, 5.1.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.carving.textual import begins_text

if TYPE_CHECKING:
    from triage.carving.window import Window

_LONGEST = 256 << 10
"""Bytes a header block may have here."""
_FIELD = re.compile(rb"([!-9;-~]{1,76}):[ \t]*([^\r\n]{0,16000}(?:\r?\n[ \t][^\r\n]{0,16000})*)\r?\n")
_BLANK = re.compile(rb"\r?\n")
_BOUNDARY = re.compile(rb"boundary[ \t]*=[ \t\r\n]*(?:\"([^\"\r\n]{1,200})\"|([^\s;\"]{1,200}))", re.IGNORECASE)

NAMES = frozenset(
    b"apparently-to arc-authentication-results arc-message-signature arc-seal authentication-results auto-submitted bcc cc comments "
    b"content-class content-disposition content-id content-language content-location content-transfer-encoding content-type date "
    b"deferred-delivery delivered-to delivery-date disposition-notification-to dkim-signature domainkey-signature envelope-to errors-to "
    b"feedback-id from importance in-reply-to keywords lines list-archive list-help list-id list-post list-subscribe list-unsubscribe "
    b"list-unsubscribe-post mail-followup-to mailing-list message-id mime-version newsgroups organization originalarrivaltime path "
    b"precedence priority received received-spf references reply-to resent-date resent-from resent-message-id resent-to return-path "
    b"return-receipt-to sender sensitivity status subject thread-index thread-topic to user-agent".split()
)
_PEOPLE = frozenset((b"from", b"sender", b"return-path", b"received", b"resent-from"))
_MARKS = frozenset((b"date", b"message-id", b"received", b"mime-version", b"delivered-to", b"return-path"))

FIRST = tuple(
    b"ARC-Authentication-Results ARC-Message-Signature ARC-Seal Authentication-Results Auto-Submitted Cc Content-Class Content-Language "
    b"Content-Transfer-Encoding Content-Type DKIM-Signature Date Delivered-To DomainKey-Signature Envelope-To Envelope-to Errors-To From "
    b"Importance In-Reply-To List-Id List-Unsubscribe MIME-Version Mailing-List Message-ID Message-Id Mime-Version Newsgroups Organization "
    b"Precedence Received Received-SPF References Reply-To Return-Path Sender Subject Thread-Index Thread-Topic To User-Agent date from "
    b"message-id mime-version received return-path subject to X-".split()
)
"""Names with which messages begin, as they are written; the last is the beginning of any number of names."""


@dataclass(frozen=True, slots=True)
class Headers:
    """A header block. ``end``: where the body begins, or where the block breaks off (``whole`` is false)."""

    end: int
    fields: dict[bytes, bytes]
    whole: bool
    count: int

    @property
    def of_mail(self) -> bool:
        """Whether these are a message's: who wrote it, when or by which way, and at least three names that mail has."""
        names = self.fields.keys()
        return len(NAMES & names) >= 3 and bool(_PEOPLE & names) and bool(_MARKS & names)

    @property
    def boundary(self) -> bytes | None:
        """Return what separates the parts of the body, if it has any."""
        kind = self.fields.get(b"content-type", b"")
        if not kind.lower().startswith(b"multipart/"):
            return None
        found = _BOUNDARY.search(kind)
        return (found[1] or found[2]) if found else None


def parse_headers(data: bytes, start: int = 0, end: int | None = None) -> Headers:
    """Return the header block at ``start``; of a name that comes several times the first."""
    end = len(data) if end is None else end
    fields: dict[bytes, bytes] = {}
    pos, count = start, 0
    while pos < end:
        match = _FIELD.match(data, pos, end)
        if match is None:
            blank = _BLANK.match(data, pos, end)
            if blank is not None and count:
                return Headers(blank.end(), fields, whole=True, count=count)
            return Headers(pos, fields, whole=False, count=count)
        fields.setdefault(match[1].lower(), match[2])
        pos, count = match.end(), count + 1
    return Headers(pos, fields, whole=False, count=count)


def read_headers(window: Window, start: int) -> Headers:
    """Return the header block at ``start`` of the space; offsets are the window's."""
    size = 8192
    while True:
        data = window.at(start, min(size, _LONGEST))
        found = parse_headers(data)
        if found.whole or len(data) < size or size >= _LONGEST or found.end + 32768 < len(data):
            return Headers(start + found.end, found.fields, found.whole, found.count)
        size *= 4


_MAIL = re.compile(rb"[A-Za-z][A-Za-z-]{1,40}:[ \t]?[^\r\n\0]{0,998}\r?\n[A-Za-z \t]")


def begins_message(head: bytes) -> bool:
    """Whether a message begins there."""
    return _MAIL.match(head) is not None and parse_headers(head).of_mail


def begins_mailbox(head: bytes) -> bool:
    """Whether a mailbox in mbox format begins there: its line, and a header block of mail (RFC 4155)."""
    line = FROM_LINE.match(head)
    if line is None:
        return False
    found = parse_headers(head, line.end())
    return found.count >= 3 and len(NAMES & found.fields.keys()) >= 2


FROM_LINE = re.compile(rb"From [^\r\n\0]{1,300}?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? [^\r\n\0]{0,40}\d{1,2}:\d\d[^\r\n\0]{0,40}\r?\n")


def begins_any(head: bytes) -> bool:
    """Whether a file of text begins there, mail included."""
    return begins_text(head) or begins_mailbox(head) or begins_message(head)
