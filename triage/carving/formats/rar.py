"""RAR, of versions 1.5 to 4 and of version 5: blocks with checksums of their headers, up to the one that says it is the last.

Sources: RAR 5.0 archive format (rarlab.com/technote.htm); TechNote.txt of RAR 3 and 4. What is compressed is not checked, what is
stored is. An archive of which the headers are encrypted cannot be followed: it is taken up to the first zeros.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.zipextent import looks_packed, packed_end
from triage.escape import show_name

if TYPE_CHECKING:
    from triage.carving.window import Window

_OLD, _NEW = b"Rar!\x1a\7\0", b"Rar!\x1a\7\1\0"
_BLOCKS = 1_000_000
_MOST_HEADER = 2 << 20


@dataclass(slots=True)
class _Block:
    """One block: ``end`` is behind its data, which begin at ``data``. ``crc`` is that of stored data, if this is what they are."""

    data: int
    end: int
    kind: str
    name: bytes = b""
    crc: int | None = None
    encrypted: bool = False
    version: int = 0
    volume: bool = False
    locked: bool = False


def _old_block(window: Window, at: int) -> _Block | None:
    """Read a block of RAR 1.5 to 4: checksum, type, flags, size, and the size of what follows where the flags say so."""
    head = window.at(at, 512)
    if len(head) < 7:
        return None
    kind, flags, size = head[2], int.from_bytes(head[3:5], "little"), int.from_bytes(head[5:7], "little")
    if not 0x73 <= kind <= 0x7B or size < 7:
        return None
    if size > len(head):
        head = window.at(at, size)
    if len(head) < size or zlib.crc32(head[2 : 13 if kind == 0x73 else size]) & 0xFFFF != int.from_bytes(head[:2], "little"):
        return None
    follows = int.from_bytes(head[7:11], "little") if (flags & 0x8000 or kind in (0x74, 0x7A)) and size >= 11 else 0
    block = _Block(at + size, at + size, {0x73: "main", 0x74: "file", 0x7B: "end"}.get(kind, "other"))
    if kind == 0x73:
        block.volume, block.locked = bool(flags & 1), bool(flags & 0x80)
        return block if size >= 13 else None
    if kind == 0x7B:
        block.volume = bool(flags & 1)
        return block
    if kind in (0x74, 0x7A):
        if size < 32:
            return None
        name, length = 32, int.from_bytes(head[26:28], "little")
        if flags & 0x100 and size >= 40:
            follows += int.from_bytes(head[32:36], "little") << 32
            name = 40
        block.version, block.encrypted = head[24], bool(flags & 4)
        block.name = head[name : name + length].split(b"\0")[0]  # behind the zero, the same in Unicode
        block.volume = bool(flags & 3)
        if head[25] == 0x30 and not flags & 7 and follows == int.from_bytes(head[11:15], "little"):
            block.crc = int.from_bytes(head[16:20], "little")
    block.end += follows
    return block


class _Fields:
    """Reads numbers of 7 bits a byte, the top bit saying that another follows, out of a header."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def number(self) -> int:
        """Return the next one. Raises ``IndexError`` behind the end and ``ValueError`` for one of more than ten bytes."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError("a number without an end")


def _new_block(window: Window, at: int) -> _Block | None:
    """Read a block of RAR 5: checksum, size, type, flags, and the sizes of extra area and data where the flags say so."""
    head = window.at(at, 512)
    if len(head) < 7:
        return None
    try:
        fields = _Fields(head, 4)
        size = fields.number()
        begins = fields.at
        if not 2 <= size <= _MOST_HEADER or begins > 7:
            return None
        if begins + size > len(head):
            head = window.at(at, begins + size)
        head = head[: begins + size]
        if len(head) < begins + size or zlib.crc32(head[4:]) != int.from_bytes(head[:4], "little"):
            return None
        fields = _Fields(head, begins)
        kind, flags = fields.number(), fields.number()
        extra = fields.number() if flags & 1 else 0
        follows = fields.number() if flags & 2 else 0
        block = _Block(at + len(head), at + len(head) + follows, {1: "main", 2: "file", 4: "lock", 5: "end"}.get(kind, "other"))
        if kind in (1, 5):
            block.volume = bool(fields.number() & 1)
        elif kind == 2:
            _new_file(block, fields, flags, follows, extra)
    except (IndexError, ValueError):
        return None
    return block


def _new_file(block: _Block, fields: _Fields, flags: int, follows: int, extra: int) -> None:
    details, unpacked = fields.number(), fields.number()
    fields.number()
    fields.at += 4 if details & 2 else 0
    crc = int.from_bytes(fields.data[fields.at : fields.at + 4], "little") if details & 4 else None
    fields.at += 4 if details & 4 else 0
    method = fields.number() >> 7 & 7
    fields.number()
    length = fields.number()
    block.name = fields.data[fields.at : fields.at + length]
    block.volume = bool(flags & 0x18)
    area = _Fields(fields.data, max(len(fields.data) - extra, fields.at))
    while extra and area.at < len(fields.data):
        size = area.number()
        following = area.at + size
        block.encrypted = block.encrypted or area.number() == 1
        area.at = following
    if not method and not block.encrypted and not block.volume and unpacked == follows:
        block.crc = crc


@dataclass(slots=True)
class _Found:
    """What the blocks told."""

    at: int
    members: int = 0
    whole: int = 0
    wrong: int = 0
    encrypted: int = 0
    version: int = 0
    volume: bool = False
    first: bytes = b""
    last: _Block | None = None

    def facts(self, form: str) -> Facts:
        """Return them in words."""
        found: Facts = {"version": form, "members": self.members}
        if self.first:
            found["first_member"] = show_name(self.first[:200])[0]
        if self.whole:
            found["members_whole"] = self.whole
        if self.encrypted:
            found["members_encrypted"] = self.encrypted
        if self.volume:
            found["volume"] = "one of several"
        return found


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 8)
    new = head == _NEW
    read, form = (_new_block, "5") if new else (_old_block, "1.5 to 4")
    found = _Found(8 if new else 7)
    block = read(window, found.at)
    if block is None or block.kind not in ("main", "lock"):
        return None
    if block.kind == "lock" or block.locked:
        return _locked(window, block.end, form)
    found.volume = block.volume
    found.at = block.end
    for _ in range(_BLOCKS):
        block = read(window, found.at)
        if block is None:
            return _stopped(window, found, form, new)
        if block.kind == "end":
            return _ended(found, block, form)
        if block.kind == "file" and not found.first:
            found.first = block.name
        if block.end > window.size:
            found.last = block
            return _stopped(window, found, form, new)
        _count(window, found, block)
        found.at, found.last = block.end, block
    return Walked(length=found.at, structure=Structure.TRUNCATED, why="it has a million blocks: given up", facts=found.facts(form))


def _count(window: Window, found: _Found, block: _Block) -> None:
    if block.kind != "file":
        return
    found.members += 1
    found.encrypted += block.encrypted
    found.volume = found.volume or block.volume
    found.version = max(found.version, block.version)
    if block.crc is not None:
        right = _crc(window, block.data, block.end) == block.crc
        found.whole += right
        found.wrong += not right


def _crc(window: Window, start: int, end: int) -> int:
    crc = 0
    for _, data in window.chunks(start, end):
        crc = zlib.crc32(data, crc)
    return crc


def _ended(found: _Found, block: _Block, form: str) -> Walked | None:
    """Return an archive that goes up to its last block."""
    if not found.members and not found.volume:
        return None
    found.volume = found.volume or block.volume
    facts = found.facts(form)
    if found.wrong:
        why = f"its end block was reached, but {found.wrong} of {found.members} members do not have their checksums"
        return Walked(length=block.end, structure=Structure.DAMAGED, why=why, facts=facts)
    checked = found.whole == found.members
    why = "its end block was reached from header to header"
    return Walked(length=block.end, structure=Structure.COMPLETE, why=why, checked=checked, facts=facts)


def _stopped(window: Window, found: _Found, form: str, new: bool) -> Walked | None:
    """Return an archive whose last block was not reached. Before RAR 3 there was none, and the members' ends are the file's."""
    facts = found.facts(form)
    last = found.last
    if last is None:
        return None
    if last.end > window.size:
        if not found.members and not looks_packed(window, last.data, last.end):
            return None
        why = f"the space ends inside the member whose data begin at byte {last.data}"
        length = packed_end(window, last.data, last.end)
        return Walked(length=length, structure=Structure.TRUNCATED, why=why, valid=found.at, facts=facts)
    if not new and not found.volume and found.version and found.version < 29 and not found.wrong:
        why = "its last member ends there; archives of that version have no end block"
        return Walked(length=found.at, structure=Structure.COMPLETE, why=why, checked=found.whole == found.members, facts=facts)
    # The last member's data may be cut: what follows it is no block.
    if found.members <= 1 and not (found.whole or looks_packed(window, last.data, last.end)):
        return None
    valid = found.at if found.members == found.whole else last.data
    why = f"what stands at byte {found.at} is no block"
    return Walked(length=found.at, structure=Structure.TRUNCATED, why=why, valid=valid, facts=facts)


def _locked(window: Window, start: int, form: str) -> Walked | None:
    """Return an archive with encrypted headers, up to the first 512 zeros in a row."""
    end = packed_end(window, start, window.size)
    if not looks_packed(window, start, end):
        return None
    why = "its headers are encrypted: where it ends is not known, taken up to the first zeros"
    facts: Facts = {"version": form, "encrypted": "names too"}
    return Walked(length=end, structure=Structure.TRUNCATED, why=why, valid=start, facts=facts)


FORMATS = (Format(name="rar", extension="rar", headers=(Header(_OLD), Header(_NEW)), walk=_walk),)
