"""E-mails and mailboxes: who wrote to whom and when, and the attachments as files of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import mime
from triage.artifacts.times import iso
from triage.artifacts.web import whose
from triage.plugin import Accepts, Child, Finding, Item, Problem, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.mime import Part
    from triage.plugin import Json

_LARGEST = 512 << 20
_LONGEST_TEXT = 8 << 10


class Mail:
    """A finding ``mail`` a message, a derived entry an attachment or embedded picture."""

    name = "mail"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=("eml", "mbox"))

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield each mail with its attachments."""
        if item.size > _LARGEST:
            yield item.problem(f"of a mailbox of {item.size:,} bytes only the first {_LARGEST:,} were read")
        data = item.read(_LARGEST)
        mine = whose(item.entry.path)
        for number, (start, end) in enumerate(mime.mails_of(data), 1):
            parts = list(mime.parts_of(data, start, end))
            yield self._mail(item, data, start, end, parts, mine)
            for place, part in enumerate(parts[1:] if len(parts) > 1 else parts):
                child = self._attachment(item, part, number, place, mime.date_of(parts[0].headers.get("date", "")))
                if child is not None:
                    yield child

    def _mail(self, item: Item, data: bytes, start: int, end: int, parts: list[Part], mine: Json) -> Finding:
        headers = parts[0].headers
        subject = mime.decoded(headers.get("subject", ""))
        sender, to = (mime.decoded(headers.get(name, ""))[:1000] for name in ("from", "to"))
        said: dict[str, Any] = {
            "time": iso(mime.date_of(headers.get("date", ""))),
            "subject": subject[:1000],
            "from": sender,
            "to": to,
            "cc": mime.decoded(headers.get("cc", ""))[:1000],
            "message_id": headers.get("message-id", "")[:300],
            "attachments": [part.name or part.type for part in parts if _is_file(part)][:100],
            "text": self._text(data, parts),
            "parts": len(parts),
        }
        said = {name: value for name, value in said.items() if value not in (None, "", [])}
        title = f"mail from {sender[:100] or 'somebody'} to {to[:100] or 'somebody'}: {subject[:120]}"
        return item.finding("mail", title, {**mine, **said}, [(start, end - start)])

    def _text(self, data: bytes, parts: list[Part]) -> str:
        part = next((p for p in parts if p.type == "text/plain" and not _is_file(p)), None)
        if part is None:
            return ""
        raw = data[part.start : min(part.end, part.start + 4 * _LONGEST_TEXT)]
        return mime.text_of(raw, part)[:_LONGEST_TEXT]

    def _attachment(self, item: Item, part: Part, mail: int, place: int, time: int | None) -> Child | None:
        if not _is_file(part) or part.end <= part.start:
            return None
        length = part.end - part.start
        steps: list[list[Any]] = [["cut", part.start, length]]
        size = length
        if part.encoding:
            steps.append(["undo", part.encoding, length])
            size, _ = item.measure(steps)
        if not size:
            return None
        name = part.name.replace("/", "_").replace("\\", "_") or f"part{place}.{part.type.rpartition('/')[2] or 'bin'}"
        return item.child(
            f"{mail:05d}-{name}",
            steps,
            size,
            mtime=time,
            time_basis=TimeBasis.UTC if time is not None else TimeBasis.UNKNOWN,
            findings=[("attachment", f"attached to a mail as {name[:150]}", {"mime": part.type, "mail": mail, **whose(item.entry.path)})],
        )


def _is_file(part: Part) -> bool:
    if part.type.startswith("multipart/") or part.type == "message/rfc822":
        return False
    return bool(part.name) or part.attached or not part.type.startswith("text/")


PLUGIN = Mail
