"""Outlook's MSG files ([MS-OXMSG]): a message in a compound file, its properties as streams, recipients and attachments as storages."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from triage.artifacts import mapi
from triage.artifacts.mapi import Attached, Message, Properties
from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from triage.artifacts.compound import Compound, Stream
    from triage.artifacts.structure import ReadAt

_PROPERTIES, _VALUE = "__properties_version1.0", "__substg1.0_"
_RECIPIENT, _ATTACHED, _NAMES = "__recip_version1.0_", "__attach_version1.0_", "__nameid_version1.0"
_INNER = "__substg1.0_3701000D"
_MOST_VALUE, _MOST_BODY = 64 << 10, 1 << 20
_MOST_PROPERTIES, _MOST_RECIPIENTS, _MOST_ATTACHED, _DEEPEST = 10_000, 5000, 5000, 16

Tree = dict[str, "Tree | Stream"]


def read_message(compound: Compound, read_at: ReadAt) -> tuple[Message, Notes]:
    """Return the message of an opened compound file and what was left out; raise :class:`StructureError` for a file that is none."""
    tree: Tree = {}
    for stream in compound.streams:
        below = tree
        for name in stream.path[:-1]:
            found = below.setdefault(name, {})
            if not isinstance(found, dict):
                break
            below = found
        else:
            below.setdefault(stream.path[-1], stream)
    if not isinstance(tree.get(_PROPERTIES), tuple):
        raise StructureError("a compound file without a message's properties")
    reader = _Reader(read_at)
    return reader.message(tree, 32, 0), reader.notes


class _Reader:
    def __init__(self, read_at: ReadAt) -> None:
        self._read_at = read_at
        self._names: dict[int, int] = {}
        self.notes = Notes()

    def message(self, tree: Tree, head: int, depth: int) -> Message:
        names = tree.get(_NAMES)
        if isinstance(names, dict):
            guids, entries = (self._bytes(names.get(f"{_VALUE}{number}0102"), 1 << 20) for number in ("0002", "0003"))
            self._names = mapi.names_of(guids, entries)
        properties, charset = self._properties(tree, head)
        found = Message(properties)
        for number in mapi.BODIES:
            for kind in ("001F", "001E", "0102"):
                stream = tree.get(f"{_VALUE}{number:04X}{kind}")
                if isinstance(stream, tuple) and number not in found.places and stream.size:
                    found.places[number] = ([stream.cut()], stream.size)
        folders = sorted((name, below) for name, below in tree.items() if isinstance(below, dict))
        recipients = [below for name, below in folders if name.startswith(_RECIPIENT)]
        attached = [below for name, below in folders if name.startswith(_ATTACHED)]
        found.recipients = [self._properties(below, 8, charset)[0] for below in recipients[:_MOST_RECIPIENTS]]
        found.attached = [self._attached(below, charset, depth) for below in attached[:_MOST_ATTACHED]]
        self.notes.add("recipients or attachments of a mail were left out", len(recipients) - len(found.recipients))
        self.notes.add("recipients or attachments of a mail were left out", len(attached) - len(found.attached))
        return found

    def _bytes(self, stream: Tree | Stream | None, limit: int) -> bytes:
        return stream.read(self._read_at, limit) if isinstance(stream, tuple) and stream.size else b""

    def _properties(self, tree: Tree, head: int, charset: str = "") -> tuple[Properties, str]:
        """Return a storage's properties: the fixed ones out of the stream of properties (2.4), the others out of their own."""
        found: Properties = {}
        raw = self._bytes(tree.get(_PROPERTIES), _MOST_PROPERTIES * 16 + head)
        for at in range(head, len(raw) - 15, 16):
            kind, number = struct.unpack_from("<HH", raw, at)
            if kind in mapi.FIXED:
                value = mapi.value_of(kind, raw[at + 8 : at + 16])
                if value is not None:
                    found.setdefault(self._names.get(number, number), value)
        charset = charset or mapi.pages_of(found)
        for name, stream in sorted(tree.items()):
            tag = name[len(_VALUE) :]
            if not name.startswith(_VALUE) or isinstance(stream, dict) or len(tag) != 8:
                continue
            try:
                number, kind = int(tag[:4], 16), int(tag[4:], 16)
            except ValueError:
                continue
            if kind not in (mapi.STRING, mapi.STRING8, mapi.BINARY) or number == mapi.ATTACHED:
                continue
            value = mapi.value_of(kind, self._bytes(stream, _MOST_BODY if number in mapi.BODIES else _MOST_VALUE), charset)
            found.setdefault(self._names.get(number, number), value)
        return found, charset

    def _attached(self, tree: Tree, charset: str, depth: int) -> Attached:
        found = Attached(self._properties(tree, 8, charset)[0])
        method = mapi.number_of(found.properties, 0x3705)
        stream, inner = tree.get(f"{_VALUE}37010102"), tree.get(_INNER)
        if isinstance(stream, tuple):
            found.steps, found.size = [stream.cut()], stream.size
        elif isinstance(inner, dict) and method != mapi.METHOD_OLE and _PROPERTIES in inner:
            if depth < _DEEPEST:
                found.inner = self.message(inner, 24, depth + 1)
            else:
                found.why = "messages in messages are nested too deep"
        elif isinstance(inner, dict):
            self._ole(found, inner)
        elif isinstance(inner, tuple) and inner.size:
            found.steps, found.size = [inner.cut()], inner.size
        elif method not in (0, 1):
            found.why = f"it is kept elsewhere: {mapi.text(found.properties, 0x370D, 0x3708) or 'no place is named'}"[:300]
        elif method == 1:
            found.why = "its bytes are not there"
        return found

    def _ole(self, found: Attached, tree: Tree) -> None:
        """An object of another program: the largest of its streams stands for it ([MS-OXCMSG] 2.2.2.9, afOle)."""
        streams = [one for one in tree.values() if isinstance(one, tuple) and one.size]
        if not streams:
            found.why = "an embedded object without a stream"
            return
        best = max(streams, key=lambda one: (one.size, one.path))
        found.steps, found.size = [best.cut()], best.size
        if len(streams) > 1 or any(isinstance(one, dict) for one in tree.values()):
            self.notes.add("of an embedded object only the largest stream was taken out")
