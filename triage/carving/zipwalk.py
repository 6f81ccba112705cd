"""The walk of a ZIP file: from member to member, then the central directory, and whether all of it agrees.

The members are followed by their own headers. Where that chain breaks, an end record is looked for whose directory would lie exactly
where it says: then the file is all there and something in the middle is wrong. One whose directory lies some blocks further back belongs
to a file in two pieces, which :mod:`triage.carving.ziprejoin` puts together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.artifacts.zips import CENTRAL, LOCAL
from triage.carving.forms import Facts, Structure, Walked
from triage.carving.zipextent import looks_packed, without_zeros
from triage.carving.zipinflate import Budget
from triage.carving.zipkinds import BOILERPLATE, CONTENT_TYPES, kind_of
from triage.carving.zipparts import Directory, End, Listed, Member, State, ends, local_header, read_directory, read_member

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.carving.window import Window

_MEMBERS = 500_000
REACH = 8 << 20
"""How far behind the place where the members end an end record is looked for, besides what a header says of the member there."""
_LARGEST_GAP = 16 << 20
_GAP_BLOCKS = 4096
_HOPS = 1 << 16
_PADDING = 1 << 16
_TEXT = bytes([9, 10, 13, *range(32, 127), *range(128, 256)])
_SIGNING = b"APK Sig Block 42"


@dataclass(slots=True)
class Trail:
    """How far the members could be followed. ``stop``: where the first record is, or should be, that is not whole (``broken``)."""

    members: list[Member] = field(default_factory=list)
    stop: int = 0
    broken: bool = False
    directory: Directory | None = None
    budget: Budget = field(default_factory=Budget)

    @property
    def sound(self) -> list[Member]:
        """The members before ``stop``."""
        return [m for m in self.members if m.offset < self.stop]


def trail_of(window: Window) -> Trail:
    """Walk the members that are this file's own: where one was cut, the members of another may follow at once."""
    trail = _follow(window)
    directory = trail.directory
    end = directory.end if directory is not None else None
    if directory is not None and end is not None and end.gap and not trail.broken and _every_one(trail, directory.entries):
        directory.end = None  # the directory is this file's: the record behind it is another's, or cut in the middle
    elif end is not None and end.gap > 0:
        if any(m.offset == end.gap for m in trail.members):
            trail.members = [m for m in trail.members if m.offset < end.gap]
            trail.stop = min(trail.stop, end.gap)
        trail.directory, trail.broken = None, True
    return trail


def _follow(window: Window) -> Trail:
    """Walk the members from the window's start, up to the central directory or to what is neither."""
    trail = Trail()
    at = 4 if window.at(0, 4) != LOCAL else 0  # 8.5.4: a mark of archives in several parts that is left when there is one only
    while len(trail.members) < _MEMBERS:
        mark = window.at(at, 4)
        if mark == LOCAL:
            member = read_member(window, at, trail.budget)
            if member is None:
                break
            trail.members.append(member)
            trail.broken = trail.broken or member.state in (State.WRONG, State.OPEN)
            if not trail.broken:
                trail.stop = member.end
            if not member.goes_on:
                member.goes_on = member.state is State.WHOLE and _next_record(window, member.end) > member.end
                if not member.goes_on:
                    break
            at = member.end
        elif mark == CENTRAL:
            trail.directory = read_directory(window, at)
            return trail
        else:
            further = _next_record(window, at)
            if further <= at:
                break
            at = further
            if not trail.broken:
                trail.stop = at
    trail.broken = True
    return trail


def _next_record(window: Window, at: int) -> int:
    """Return where the next record stands behind an APK signing block or the zeros that align members; ``at`` if there is neither."""
    size = int.from_bytes(window.at(at, 8), "little")
    if 24 <= size <= 1 << 26 and window.at(at + size - 8, 16) == _SIGNING and window.at(at + 8 + size, 4) == CENTRAL:
        return at + 8 + size
    zeros = window.at(at, 4096)
    if zeros[:4] != b"\0\0\0\0":
        return at
    for offset, data in window.chunks(at, at + _PADDING):
        rest = data.lstrip(b"\0")
        if rest:
            place = offset + len(data) - len(rest)
            return place if window.at(place, 4) in (LOCAL, CENTRAL) else at
    return at


def walk(window: Window) -> Walked | None:
    """Return the file that begins at the window's start."""
    trail = trail_of(window)
    if not trail.members:
        return None
    directory = trail.directory
    if directory is not None and directory.end is not None:
        shift = directory.end.gap
        if directory.stop - directory.start != directory.end.size or len(directory.entries) & 0xFFFF != directory.end.count & 0xFFFF:
            return _damaged_directory(window, trail, directory.end) if shift == 0 else _cut(window, trail)
        if shift == 0:
            return _judged(window, trail, directory.entries, directory.end)
        return _headless(window, trail, directory.entries, directory.end)
    for end in related_ends(window, trail):
        if end.gap:
            return _cut(window, trail, related=True)
        entries = read_directory(window, end.offset).entries
        if len(entries) & 0xFFFF == end.count & 0xFFFF:
            return _judged(window, trail, entries, end)
        return _damaged_directory(window, trail, end)
    return _cut(window, trail) or (_cut(window, trail, related=True) if hopped_end(window, trail) is not None else None)


def related_ends(window: Window, trail: Trail, reach: int = REACH) -> Iterator[End]:
    """Yield the end records behind the trail's stop that may be this file's: with a gap of whole blocks, or none, before them."""
    largest = max(_LARGEST_GAP, _GAP_BLOCKS * window.block)
    start = trail.stop
    last = trail.members[-1]
    known = last.data + last.packed if last.packed and last.data + last.packed <= window.size else last.data
    for end in ends(window, start, max(known, start) + reach):
        if 0 <= end.gap <= largest and is_related(window, trail, end):
            yield end


def hopped_end(window: Window, trail: Trail) -> End | None:
    """Return the end record that is found from header to header, where it is known how far away the next one is, but for the gap."""
    last = trail.members[-1]
    if last.offset != trail.stop or last.streamed or not last.packed:
        return None
    left = _HOPS
    for gap in range(window.block, (_GAP_BLOCKS + 1) * window.block, window.block):
        at = last.data + last.packed + gap
        while left and (mark := window.at(at, 4)) in (LOCAL, CENTRAL):
            left -= 1
            if mark == CENTRAL:
                end = read_directory(window, at).end
                if end is not None and end.gap == gap and is_related(window, trail, end):
                    return end
                break
            member = local_header(window, at)
            if member is None or (member.streamed and not member.packed):
                break
            at = member.data + member.packed
        if not left or at >= window.size:
            break
    return None


def is_related(window: Window, trail: Trail, end: End) -> bool:
    """Whether an end record may be this file's: by the gap before it, and by the directory, which may lie on either side of that."""
    if end.gap % window.block or end.offset < trail.stop:
        return False
    if _agreeing(trail, read_directory(window, end.offset + end.gap, most=64).entries):
        return True
    # Cut inside the directory: that it begins just where the members end says enough.
    mark = CENTRAL[: window.block - end.offset % window.block]
    return end.gap > 0 and end.offset == trail.stop and window.at(end.offset, 4).startswith(mark)


def _agreeing(trail: Trail, entries: list[Listed]) -> bool:
    """Whether entries of a directory are those of the members that were walked. The last one read may be damaged."""
    ours = {m.offset: m for m in trail.members}
    agreed = 0
    for entry in entries[:-1] or entries:
        member = ours.get(entry.offset)
        if member is None:
            continue
        if member.name != entry.name or (member.offset < trail.stop and member.crc != entry.crc):
            return False
        agreed += 1
    return agreed > 0


def _every_one(trail: Trail, entries: list[Listed]) -> bool:
    ours = {m.offset: m.name for m in trail.members}
    return all(ours.get(e.offset) == e.name for e in entries)


def _judged(window: Window, trail: Trail, entries: list[Listed], end: End) -> Walked:
    """Hold every entry of the directory against the member that it means."""
    by_offset = {m.offset: m for m in trail.members}
    whole = unknown = encrypted = 0
    reach = max((m.end for m in trail.members if m.goes_on or m.state is State.WHOLE), default=trail.stop)
    names = []
    for entry in sorted(entries, key=lambda e: e.offset):
        names.append(entry.name)
        member = by_offset.get(entry.offset)
        if (member is None or (member.state in (State.OPEN, State.WRONG) and not member.goes_on)) and reach <= entry.offset < end.offset:
            member = read_member(window, entry.offset, trail.budget, entry)
            if member is not None:
                reach = max(reach, min(member.end, end.offset))
                by_offset[entry.offset] = member
        if member is None or not _agree(member, entry):
            continue
        whole += member.state is State.WHOLE
        unknown += member.state is State.UNKNOWN
        encrypted += member.encrypted
    wrong = len(entries) - whole - unknown
    facts = _facts(len(entries), whole, encrypted, unknown)
    extension = _extension(list(by_offset.values()), names)
    if end.end > window.size or _doubtful_comment(window, end):
        length, why = min(end.at + 22, window.size), "its comment is cut short"
        return Walked(length=length, structure=Structure.TRUNCATED, why=why, facts=facts, extension=extension)
    if wrong:
        return Walked(
            length=end.end,
            structure=Structure.DAMAGED,
            why=f"its central directory was found, but {wrong} of {len(entries)} members are not what it says",
            facts=facts,
            extension=extension,
        )
    why = f"its central directory agrees with its {len(entries)} members"
    return Walked(length=end.end, structure=Structure.COMPLETE, why=why, checked=not unknown, facts=facts, extension=extension)


def _doubtful_comment(window: Window, end: End) -> bool:
    """Whether a block begins within the length of the comment, the record's last two bytes, and what stands there is no text."""
    if (end.at + 21) // window.block == (end.at + 19) // window.block:
        return False
    comment = window.at(end.at + 22, end.end - end.at - 22)
    return bool(comment.translate(None, _TEXT))


def _agree(member: Member, entry: Listed) -> bool:
    """Whether what is known of a member is what the directory says. Encrypted ones may hide their checksum (AE-2: it is 0)."""
    if member.name != entry.name or member.method != entry.method or member.state in (State.WRONG, State.OPEN):
        return False
    return (member.packed, member.size, member.crc) == (entry.packed, entry.size, entry.crc)


def _headless(window: Window, trail: Trail, entries: list[Listed], end: End) -> Walked | None:
    """Return the rest of an archive whose first members are gone: the offsets of its directory count bytes before the window."""
    shift = end.gap
    moved = [Listed(e.offset + shift, e.name, e.flags, e.method, e.crc, e.packed, e.size) for e in entries]
    found = _judged(window, trail, moved, end)
    if not found.facts["members_whole"]:
        return None
    missing = sum(e.offset < 0 for e in moved)
    found.facts["bytes_missing_before"] = -shift
    why = f"its central directory counts {-shift} bytes before it, which are not there, with {missing} of {len(entries)} members"
    return Walked(length=found.length, structure=Structure.DAMAGED, why=why, facts=found.facts, extension=found.extension)


def _damaged_directory(window: Window, trail: Trail, end: End) -> Walked | None:
    """Return an archive whose end was found, but whose directory cannot be read from one end to the other."""
    whole = sum(m.state is State.WHOLE for m in trail.members)
    if not whole:
        return None
    facts = _facts(len(trail.members), whole, sum(m.encrypted for m in trail.members), sum(m.state is State.UNKNOWN for m in trail.members))
    why = f"its end was found, but its central directory, which should list {end.count} members, is damaged"
    length = end.end if end.end <= window.size else end.at + 22
    return Walked(length=length, structure=Structure.DAMAGED, why=why, facts=facts, extension=_extension(trail.members))


def _cut(window: Window, trail: Trail, *, related: bool = False) -> Walked | None:
    """Return what there is of an archive whose end was not found, if that is worth an examiner's time."""
    members = trail.sound
    whole = [m for m in members if m.state is State.WHOLE]
    worth = any(m.packed and m.name not in BOILERPLATE for m in members)
    last = trail.members[-1]
    opened = last if last.offset >= trail.stop and last.method == 8 and not last.encrypted else None
    reached = without_zeros(window, opened.data, opened.reached) if opened is not None else 0
    if opened is not None and looks_packed(window, opened.data, reached):
        worth = True
    if not worth and not related:
        return None
    valid = max(trail.stop, 1)
    # A member's first bytes are its own as far as the block goes in which its header stands.
    begun = min(-(-last.data // window.block) * window.block, last.data + last.packed) if last.offset >= trail.stop else 0
    length = max(valid, reached, begun)
    why = f"what stands at byte {trail.stop} is neither a member nor the central directory"
    if trail.directory is not None:
        length = max(length, trail.directory.stop)
        why = "its central directory is cut short"
    elif opened is not None and local_header(window, opened.offset) is not None:
        why = f"the member at byte {opened.offset} cannot be read beyond byte {reached}"
    elif last.offset >= trail.stop:
        why = f"the member at byte {last.offset} is not whole, and nothing of the archive follows it"
    facts = _facts(len(members) + (opened is not None), len(whole), sum(m.encrypted for m in members), len(members) - len(whole))
    length = min(max(length, 30), window.size)
    return Walked(
        length=length,
        structure=Structure.TRUNCATED,
        why=why,
        valid=min(max(valid, min(last.data, length)) if not members else valid, length),
        facts=facts,
        extension=_extension(trail.members),
    )


def _facts(members: int, whole: int, encrypted: int, unknown: int) -> Facts:
    facts: Facts = {"members": members, "members_whole": whole}
    if encrypted:
        facts["members_encrypted"] = encrypted
    if unknown > encrypted:
        facts["members_unchecked"] = unknown - encrypted
    return facts


def _extension(members: list[Member], names: list[bytes] | None = None) -> str:
    first = min(members, key=lambda m: m.offset, default=None)
    mimetype = first.head if first is not None and first.name == b"mimetype" else b""
    types = next((m.head for m in members if m.name == CONTENT_TYPES), b"")
    return kind_of(names if names is not None else [m.name for m in members], mimetype, types)
