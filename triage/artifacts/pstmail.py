"""Folders and messages of Outlook's stores ([MS-PST] 2.4): the tree of folders, what each lists, messages with all that is attached."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.artifacts import mapi
from triage.artifacts.mapi import Attached, Message
from triage.artifacts.pstheap import PROPERTIES, TABLE, Heap, properties_of, row_numbers, rows_of
from triage.artifacts.pstlost import find_lost
from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from triage.artifacts.mapi import Properties
    from triage.artifacts.pst import Node, Pst

STORE, NAMES, RECIPIENTS = 0x21, 0x61, 0x692
_FOLDER, _MESSAGE, _ATTACHMENT, _HIDDEN, _CONTENTS = 2, 4, 5, 8, 0x0E
_MOST_MESSAGES, _MOST_FOLDERS, _MOST_RECIPIENTS, _MOST_ATTACHED = 2_000_000, 100_000, 2000, 5000
_DEEPEST_FOLDERS, _DEEPEST = 64, 16
_NOT_LISTED = "it is in the store's tree, but no folder lists it any more"


@dataclass(slots=True)
class Folder:
    """A folder. ``messages``: the nodes below it; ``listed``: those that it lists, ``None`` when that cannot be read."""

    number: int
    parent: int
    name: str = ""
    path: str = ""
    waste: bool = False
    messages: list[Node] = field(default_factory=list)
    listed: set[int] | None = None


class Mailbox:
    """The folders of an opened store and its messages' nodes; messages themselves are read one after the other."""

    def __init__(self, pst: Pst) -> None:
        self.pst = pst
        self.hidden = 0
        self.names = self._names()
        self.store = self._properties(STORE)
        self.folders: dict[int, Folder] = {}
        lost = Folder(0, 0, path="")
        nodes: list[Node] = []
        count = 0
        for node in pst.nodes():
            kind = node.number & 0x1F
            if kind == _FOLDER and len(self.folders) < _MOST_FOLDERS:
                self.folders[node.number] = Folder(node.number, node.parent)
            elif kind == _MESSAGE:
                count += 1
                if len(nodes) < _MOST_MESSAGES:
                    nodes.append(node)
            self.hidden += kind == _HIDDEN
        pst.notes.add("messages beyond the first 2,000,000 were left out", count - len(nodes))
        for node in nodes:
            self.folders.get(node.parent, lost).messages.append(node)
        self._name_folders()
        self.lost = lost
        self.count = len(nodes)

    @property
    def locked(self) -> bool:
        """Whether a password is asked for; it is no more than a checksum that a program compares (2.4.4.2), and locks nothing."""
        return bool(mapi.number_of(self.store, 0x67FF))

    def in_order(self) -> list[Folder]:
        """Return the folders by their paths, and behind them what is below none."""
        return [*sorted(self.folders.values(), key=lambda one: (one.path, one.number)), self.lost]

    def missing(self, folder: Folder) -> set[int]:
        """Return the numbers of messages that a folder lists and that are not there."""
        there = {node.number for node in folder.messages}
        return {number for number in folder.listed or () if number & 0x1F == _MESSAGE and number not in there}

    def why_deleted(self, folder: Folder, node: Node) -> str:
        """Return why a message counts as deleted, "" if it does not."""
        if folder is self.lost:
            return "it is in the store's tree, but its folder is gone"
        return _NOT_LISTED if folder.listed is not None and node.number not in folder.listed else ""

    def lost_messages(self) -> list[tuple[Folder, Node]]:
        """Return messages of which only free pages of the store know, with the folder that they were in."""
        known = {node.number for folder in self.in_order() for node in folder.messages}
        return [(self.folders.get(node.parent, self.lost), node) for node in find_lost(self.pst, known)]

    def load_list(self, folder: Folder) -> None:
        """Read which messages a folder lists."""
        node = self.pst.node(folder.number & ~0x1F | _CONTENTS)
        if node is None:
            return
        try:
            folder.listed = row_numbers(Heap(self.pst, node, TABLE))
        except StructureError:
            self.pst.notes.add("the list of a folder's messages cannot be read: whether they are deleted is not known")

    def former(self, node: Node) -> tuple[Message, bool]:
        """Return a message of which only free pages know, and whether all of it is still there."""
        kept, self.pst.notes = self.pst.notes, Notes()
        try:
            found = self.message(node)
            return found, not len(self.pst.notes)
        finally:
            self.pst.notes = kept

    def message(self, node: Node, depth: int = 0) -> Message:
        """Return a message; raise :class:`StructureError` for one that cannot be read."""
        heap = Heap(self.pst, node, PROPERTIES)
        properties, placed, charset = properties_of(heap, self.names)
        found = Message(properties, where=tuple((block.offset, block.size) for block in heap.blocks[:4]))
        for number in mapi.BODIES:
            if number in placed:
                steps, size = heap.steps(placed[number][1])
                if steps:
                    found.places[number] = (steps, size)
        table = heap.below.get(RECIPIENTS)
        if table is not None:
            try:
                found.recipients = rows_of(Heap(self.pst, table, TABLE), self.names, charset, _MOST_RECIPIENTS)
            except StructureError:
                self.pst.notes.add("the list of a mail's recipients cannot be read")
        attached = sorted(number for number in heap.below if number & 0x1F == _ATTACHMENT)
        for number in attached[:_MOST_ATTACHED]:
            try:
                found.attached.append(self._attached(heap.below[number], charset, depth))
            except StructureError:
                self.pst.notes.add("an attachment cannot be read")
        self.pst.notes.add("attachments beyond the first 5,000 of a mail were left out", len(attached) - _MOST_ATTACHED)
        return found

    def _attached(self, node: Node, charset: str, depth: int) -> Attached:
        heap = Heap(self.pst, node, PROPERTIES)
        properties, placed, _ = properties_of(heap, self.names, charset)
        found = Attached(properties)
        method = mapi.number_of(properties, 0x3705)
        kind, value = placed.get(mapi.ATTACHED, (0, 0))
        if kind == mapi.OBJECT:
            inside = heap.below.get(int.from_bytes(heap.piece(value)[:4], "little"))
            if inside is None:
                found.why = "its bytes are not there"
            elif method == mapi.METHOD_EMBEDDED and depth < _DEEPEST:
                found.inner = self.message(inside, depth + 1)
            elif method == mapi.METHOD_EMBEDDED:
                found.why = "messages in messages are nested too deep"
            else:
                blocks = self.pst.data(inside.data)
                found.steps, found.size = self.pst.steps(blocks) if blocks else ([], 0)
        elif value:
            found.steps, found.size = heap.steps(value)
            if not found.steps:
                found.why = "its bytes are not there"
        elif method not in (0, 1):
            found.why = f"it is kept elsewhere: {mapi.text(properties, 0x370D, 0x3708) or 'no place is named'}"[:300]
        return found

    def _names(self) -> dict[int, int]:
        """Return the wide numbers of the store's own numbers (2.4.7)."""
        found = self._properties(NAMES)
        guids, entries = (found.get(number) for number in (2, 3))
        return mapi.names_of(guids, entries) if isinstance(guids, bytes) and isinstance(entries, bytes) else {}

    def _properties(self, number: int) -> Properties:
        node = self.pst.node(number)
        try:
            return properties_of(Heap(self.pst, node, PROPERTIES), {})[0] if node is not None else {}
        except StructureError:
            self.pst.notes.add("what the store says of itself cannot be read")
            return {}

    def _name_folders(self) -> None:
        for number, folder in self.folders.items():
            folder.name = mapi.text(self._properties(number), 0x3001).replace("/", "_")[:200]
        waste = self.store.get(0x35E3)
        thrown = int.from_bytes(waste[20:24], "little") if isinstance(waste, bytes) and len(waste) >= 24 else 0
        for folder in self.folders.values():
            names: list[str] = []
            one: Folder | None = folder
            seen: set[int] = set()
            while one is not None and one.number not in seen and len(seen) < _DEEPEST_FOLDERS:
                seen.add(one.number)
                names.append(one.name)
                folder.waste = folder.waste or (thrown != 0 and one.number == thrown)
                one = self.folders.get(one.parent)
            folder.path = "/".join(name for name in reversed(names) if name)
