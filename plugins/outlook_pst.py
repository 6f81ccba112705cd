"""Outlook's mailboxes (PST, OST): mails with their folders, contacts, appointments, notes, and attachments as files of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import mapi
from triage.artifacts.mapichildren import tell
from triage.artifacts.mapisaid import LONGEST_TEXT
from triage.artifacts.pst import Pst
from triage.artifacts.pstmail import Mailbox
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Child, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.pst import Node
    from triage.artifacts.pstmail import Folder
    from triage.plugin import Json

_ALL_SAID, _BESIDE_TEXT = 22 << 20, 1200
_SHORTEST_TEXT = 100
_MOST_NAMED = 200
_FREE = "only a free page of the store still knows of it: it was deleted, or moved and given another number"


class OutlookPst:
    """A finding ``mailbox`` a store, ``mail``, ``contact``, ``appointment`` or ``note`` a message; a derived entry an attachment.

    Messages that no folder lists any more, or of which only free pages of the store know, are said to be deleted.
    """

    name = "outlook_pst"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=("pst",))

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield what the store is, then all messages by folder."""
        mine = whose(item.entry.path)
        try:
            pst = Pst(item.read_at, item.size)
            box = Mailbox(pst)
        except StructureError as error:
            yield item.problem(f"a mailbox of Outlook that cannot be read: {error}")
            return
        # All that is said of an item has a bound: with very many mails, less of each one's text, and no entries of whole texts.
        longest = max(_SHORTEST_TEXT, min(LONGEST_TEXT, _ALL_SAID // max(1, box.count) - _BESIDE_TEXT))
        cut = pst.notes if longest < LONGEST_TEXT else None
        try:
            for folder in box.folders.values():
                box.load_list(folder)
            yield self._store(item, box, mine)
            number = 0
            for folder, node, why in _in_order(box):
                number += 1
                said = _about(folder, node.number, why)
                try:
                    message, whole = box.former(node) if why == _FREE else (box.message(node), True)
                except StructureError as error:
                    pst.notes.add(f"a {'deleted ' if why == _FREE else ''}message cannot be read: {error}")
                    continue
                if not whole:
                    said["incomplete"] = "parts of it are gone"
                label = f"{folder.path}/{number:06d}" if folder.path else f"{number:06d}"
                yield from tell(item, message, label, mine, longest, cut, **said)
        except StructureError as error:
            yield item.problem(f"a mailbox of Outlook was not read whole: {error}")
        for line in pst.notes.lines():
            yield item.problem(line)

    def _store(self, item: Item, box: Mailbox, mine: Json) -> Finding:
        counted = [(one.path, len(one.messages)) for one in box.in_order() if one.messages]
        missing = sum(len(box.missing(one)) for one in box.folders.values())
        if missing:
            box.pst.notes.add("a message that a folder lists is not there", missing)
        name = mapi.text(box.store, 0x3001)
        data: dict[str, Any] = {
            "name": name[:300],
            "form": box.pst.form,
            "messages": box.count,
            "folders": [f"{path or 'no folder'} ({count})" for path, count in counted][:_MOST_NAMED],
            "hidden_entries": box.hidden,
            "password": "a password is set, which locks nothing" if box.locked else "",
        }
        title = f"mailbox of Outlook{': ' + name[:100] if name else ''}, {box.count:,} messages"
        return item.finding("mailbox", title, {**mine, **{key: value for key, value in data.items() if value not in (None, "", [])}})


def _in_order(box: Mailbox) -> Iterator[tuple[Folder, Node, str]]:
    """Yield all messages with their folders and why they count as deleted; last those of which only free pages know."""
    for folder in box.in_order():
        for node in folder.messages:
            yield folder, node, box.why_deleted(folder, node)
    for folder, node in box.lost_messages():
        yield folder, node, _FREE


def _about(folder: Folder, number: int, why: str) -> Json:
    found: Json = {"folder": folder.path[:500], "number": number}
    if why:
        found |= {"deleted": True, "why_deleted": why}
    elif folder.waste:
        found["state"] = "in the folder of deleted items"
    return found


PLUGIN = OutlookPst
