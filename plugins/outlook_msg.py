"""Outlook's messages kept as files (MSG): who wrote to whom and when, and the attachments as files of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.compound import open_compound
from triage.artifacts.mapichildren import tell
from triage.artifacts.outlookmsg import read_message
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Child, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator


class OutlookMsg:
    """A finding ``mail``, ``contact``, ``appointment`` or ``note`` a message, those inside it too; a derived entry an attachment."""

    name = "outlook_msg"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=("msg",))

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield the message with its attachments."""
        try:
            compound = open_compound(item.read_at, item.size)
            message, notes = read_message(compound, item.read_at)
        except StructureError as error:
            yield item.problem(f"a message of Outlook that cannot be read: {error}")
            return
        yield from tell(item, message, "00001", whose(item.entry.path))
        for line in (*compound.notes.lines(), *notes.lines()):
            yield item.problem(line)


PLUGIN = OutlookMsg
