"""Files that are attached to Outlook's messages, and bodies longer than findings hold, as children; messages in messages told with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from triage.artifacts import mapi, mapisaid
from triage.artifacts.mapi import time_of
from triage.model import TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from triage.artifacts.child import Child
    from triage.artifacts.mapi import Attached, Message
    from triage.artifacts.structure import Notes
    from triage.model import Finding, Json, Problem

_BODIES = {mapi.BODY: "body.txt", mapi.HTML: "body.html", mapi.RTF: "body.rtf"}
_LARGEST = 256 << 20
_MOST_RTF = 64 << 20


class Sayer(Protocol):
    """As much of a plugin's item as telling needs."""

    def finding(self, kind: str, title: str, data: Json | None = None, ranges: Iterable[tuple[int, int]] = ()) -> Finding:
        """Return a finding."""

    def problem(self, message: str, *, detail: str = "") -> Problem:
        """Return a problem."""

    def child(self, name: str | bytes, steps: Iterable[Iterable[Any]], size: int, **facts: Any) -> Child:
        """Return a file inside."""

    def measure(self, steps: Iterable[Iterable[Any]]) -> tuple[int, str]:
        """Return how many bytes steps give, and why not all."""


def tell(
    item: Sayer, message: Message, label: str, mine: Json, longest: int = mapisaid.LONGEST_TEXT, cut: Notes | None = None, **more: Any
) -> Iterator[Finding | Problem | Child]:
    """Yield the finding of a message, its attachments as children named below ``label``, and what is said of messages inside.

    ``mine``: whose it is; ``longest``: characters of text in a finding; the whole body of what is longer becomes a child, or is noted in
    ``cut`` where there would be too many. ``more`` goes into the finding's data; a message that is inside another says its subject as
    ``attached_to``.
    """
    said = mapisaid.said_of(message, longest, **more)
    yield item.finding(said.kind, said.title, {**mine, **said.data}, message.where)
    yield from _body(item, message, label, mine, longest, cut)
    inherited = {name: more[name] for name in ("folder", "deleted", "why_deleted") if name in more}
    for number, one in enumerate(message.attached):
        if one.inner is not None:
            subject = mapisaid.subject_of(message.properties)[:200] or "a mail without a subject"
            yield from tell(item, one.inner, f"{label}-{number}", mine, longest, cut, **inherited, attached_to=subject)
        elif one.steps and one.size:
            yield from _file(item, message, one, f"{label}-{number}", mine, bool(more.get("deleted")))
        elif one.why:
            yield item.problem(f"an attachment cannot be read out: {one.why}", detail=one.name[:300])


def _file(item: Sayer, message: Message, one: Attached, label: str, mine: Json, deleted: bool) -> Iterator[Problem | Child]:
    if one.size > _LARGEST and any(step[0] == "undo" for step in one.steps):
        yield item.problem(f"an attachment of {one.size:,} bytes was left out: no more than {_LARGEST:,} are unpacked")
        return
    name = one.name.replace("/", "_").replace("\\", "_")[:200] or f"part.{one.mime.rpartition('/')[2] or 'bin'}"
    when = time_of(one.properties, 0x3008) or time_of(message.properties, 0x0039, 0x0E06)
    said = mapisaid.attachment_said(one, name, subject=mapisaid.subject_of(message.properties)[:300], **mine)
    yield item.child(
        f"{label}-{name}",
        one.steps,
        one.size,
        mtime=when,
        time_basis=TimeBasis.UTC if when is not None else TimeBasis.UNKNOWN,
        deleted=deleted,
        findings=[said],
    )
    if one.why:
        yield item.problem(f"an attachment is not all there: {one.why}", detail=one.name[:300])


def _body(item: Sayer, message: Message, label: str, mine: Json, longest: int, cut: Notes | None) -> Iterator[Problem | Child]:
    """Yield a body that is longer than a finding may hold, as a file of its own, so that it is searched like any other."""
    _, form, whole = mapisaid.body_of(message, longest)
    number = {"html": mapi.HTML, "rtf": mapi.RTF}.get(form, mapi.BODY)
    steps, size = message.places.get(number, ([], 0))
    if whole:
        return
    if cut is not None:
        cut.add(f"the text of a mail was cut after {longest:,} characters, since there are very many")
        return
    if not steps:
        yield item.problem(f"the text of a mail was cut after {longest:,} characters")
        return
    if number == mapi.RTF:
        steps = [*steps, ["undo", "lzfu", _MOST_RTF]]
        size, why = item.measure(steps)
        if why:
            yield item.problem(f"the body of a mail was not read whole: {why}")
    if 0 < size <= _LARGEST:
        yield item.child(f"{label}-{_BODIES[number]}", steps, size, findings=[("mail-text", "the whole text of a mail", dict(mine))])
