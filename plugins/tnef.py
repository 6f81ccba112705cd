"""The winmail.dat that Outlook attaches to mails (TNEF): subject, text, people, and the attachments inside as files of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import mapi
from triage.artifacts.mapichildren import tell
from triage.artifacts.structure import StructureError
from triage.artifacts.tnef import read_tnef
from triage.artifacts.web import whose
from triage.plugin import Accepts, Child, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator


class Tnef:
    """A finding ``mail`` (or what else its class says) a stream, messages inside too; a derived entry an attachment."""

    name = "tnef"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(types=("tnef",))

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield the message with its attachments."""
        try:
            message, sent, notes = read_tnef(item.read_at, item.size)
        except StructureError as error:
            yield item.problem(f"a winmail.dat that cannot be read: {error}")
            return
        more: dict[str, Any] = {"form": "TNEF"}
        if sent and mapi.time_of(message.properties, 0x0039) is None:
            more |= {"time": sent, "time_zone": "not stated"}
        yield from tell(item, message, "00001", whose(item.entry.path), **more)
        for line in notes.lines():
            yield item.problem(line)


PLUGIN = Tnef
