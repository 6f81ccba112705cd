"""A damaged E01's chunks by group: one sectors section and the tables that name its chunks, whatever is left of each.

A table's head (number of entries, base offset) and its entries have checksums of their own, and each table has a copy (``table2``):
often the head of one and the entries of the other are whole, or what is damaged in one is whole in the other. A table put
together so is as good as a sound one, since the stored Adler-32 says that it is right. Source: *EWF specification*, sections 3.9
and 3.10.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise, product
from typing import TYPE_CHECKING

import numpy as np

from triage.evidence.ewf import decode_offsets
from triage.evidence.ewf_index import DESCRIPTOR, VOLUME_BODY, checksum_fits
from triage.evidence.ewf_runs import Place, Walked, moved
from triage.evidence.ewf_scan import Section, find_heads
from triage.evidence.ewf_walk import Reader, walk
from triage.evidence.medium import pread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_HEAD = 24
_MAX_ENTRIES = 1 << 20
_TAIL = 1 << 20
"""How far behind a group's last chunk its tables are looked for."""
_FIRST_ENTRY = DESCRIPTOR + _HEAD
_REST = frozenset(76 + more + data for more in (0, 112, 156, 268) for data in (0, DESCRIPTOR + VOLUME_BODY))
"""Bytes behind the second table: next or done, with or without digests and a copy of the volume section."""
_FEWEST = 4
"""Entries that must be left of tables without a head."""
_MOST_HEADS = 8
_MOST_DIFFERENT = 10
"""Stretches in which two damaged tables may differ for all mixtures of them to be tried."""


@dataclass(slots=True)
class RawTable:
    """What is left of a table section. ``count`` and ``base`` are ``None`` when the head's checksum is wrong."""

    count: int | None
    base: int | None
    said_base: int
    entries: np.ndarray
    sum: bytes
    whole: bool
    section: Section

    def absolute(self, base: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the offsets in the file and the flags of deflated chunks."""
        offsets, packed = decode_offsets(self.entries.astype(np.int64), size)
        return offsets + base, packed


@dataclass(slots=True)
class Group:
    """Chunks that lie together in segment ``segment``, from byte ``start`` to ``end`` (``None``: not known), none behind ``limit``.

    ``sure``: no chunk can lie before ``start``. ``hidden``: a stretch without believed sections; it may hold a group, or none. A
    group that is ``lost`` stands for whatever a segment without its end held there. ``room`` is how many entries its table
    sections are long for, ``offsets`` those of a sound table; its tables lie before byte ``behind``.
    """

    segment: int
    start: int
    end: int | None
    limit: int
    hidden: bool = False
    lost: bool = False
    tables: list[RawTable] = field(default_factory=list)
    count: int | None = None
    room: int | None = None
    behind: int = 0
    sure: bool = False
    offsets: np.ndarray | None = None
    packed: np.ndarray | None = None
    walked: Walked = field(default_factory=Walked)
    base: int | None = None
    after: int | None = None

    def ends(self) -> list[int]:
        """Return the bytes where the chunks may end: where the first table begins, if nothing says it outright."""
        if self.end is not None:
            return [self.end]
        if not self.tables or self.lost:
            return []
        first = self.tables[0].section
        return [first.at, first.at - (first.end - first.at)]  # the first may have been lost, and is as long as its copy

    def places(self, size: int, rest: int) -> dict[int, Place] | None:
        """Return the chunks by their number in the medium; ``None`` when a sound table names them (see :meth:`place`)."""
        if self.offsets is not None:
            return None
        found: dict[int, Place] = {}
        if self.base is not None and self.count is not None:
            found = {self.base + n: p for n, p in self.walked.numbered(self.count).items()}
            found.update({n: p for n, p in self._all_plain(size, rest).items() if n not in found})
        elif self.base is not None:
            found = {self.base + n: p for n, p in self.walked.front().items()}
        elif self.after is not None:
            found = {self.after - 1 - n: p for n, p in self.walked.back().items()}
        return found

    def place(self, position: int, size: int) -> Place:
        """Return what the sound table says of a chunk; ``length`` 0 for the last, behind which there may be padding."""
        if self.offsets is None or self.packed is None:
            raise IndexError(position)
        offset = int(self.offsets[position])
        end = int(self.offsets[position + 1]) if position + 1 < len(self.offsets) else offset
        return Place(offset, max(0, end - offset), size, bool(self.packed[position]))

    def _all_plain(self, size: int, rest: int) -> dict[int, Place]:
        """Return every place when the section is exactly as long as that many plain chunks: none may be longer, so none is shorter."""
        if self.end is None or not self.count or self.base is None:
            return {}
        for last in {size, rest or size}:
            if self.end - self.start == (self.count - 1) * (size + 4) + last + 4:
                sizes = [size] * (self.count - 1) + [last]
                return {self.base + n: Place(self.start + n * (size + 4), s + 4, s, False) for n, s in enumerate(sizes)}
        return {}


def read_table(file: int, section: Section) -> RawTable:
    """Read a table section, or what may be one."""
    body = section.at + DESCRIPTOR
    raw = pread(file, min(max(0, section.end - body), _HEAD + 4 + 4 * _MAX_ENTRIES), body)
    head = raw[:_HEAD]
    said = int.from_bytes(head[:4], "little")
    base = int.from_bytes(head[8:16], "little")
    sound = len(head) == _HEAD and checksum_fits(head[:20], head[20:])
    room = max(0, (len(raw) - _HEAD - 4) // 4)
    best = None
    for count in dict.fromkeys((said, room) if sound else (room, said)):
        end = _HEAD + 4 * count
        if 0 < count <= room:
            fits = checksum_fits(raw[_HEAD:end], raw[end : end + 4])
            if best is None or fits:
                best = (count, fits)
            if fits:
                break
    count, fits = best or (0, False)
    entries = np.frombuffer(raw, "<u4", count, _HEAD) if count else np.zeros(0, "<u4")
    tail = raw[_HEAD + 4 * count : _HEAD + 4 * count + 4]
    return RawTable(said if sound else None, base if sound else None, base, entries, tail, fits, section)


def build_groups(number: int, file: int, sections: Sequence[Section]) -> list[Group]:
    """Return a segment's groups, in order."""
    groups = list(_groups(number, file, sections))
    behind = sections[-1].end if sections else 0
    for group in reversed(groups):
        group.behind = behind
        if not group.hidden and not group.lost:
            behind = max(0, group.start - DESCRIPTOR)
    return groups


def _groups(number: int, file: int, sections: Sequence[Section]) -> Iterator[Group]:
    group: Group | None = None
    gap: Section | None = None
    for position, section in enumerate(sections):
        following = sections[position + 1] if position + 1 < len(sections) else None
        if section.kind == "sectors":
            if group is not None:
                yield group
            group = Group(number, section.at + DESCRIPTOR, section.end if section.whole else None, section.end, sure=True)
        elif section.kind in ("table", "table2"):
            if group is None or (section.kind == "table" and group.tables and group.tables[0].section.kind == "table"):
                if group is not None:
                    yield group
                # The sectors section before it has lost its descriptor: where its chunks began, the stretch begins.
                start = gap.at + DESCRIPTOR if gap is not None else section.at
                group = Group(number, start, section.at if section.kind == "table" else None, section.at)
            group.tables.append(read_table(file, section))
        elif not section.kind:
            if group is None and following is not None and following.kind in ("table", "table2"):
                gap = section  # the group begins with its table
                continue
            if group is not None and len(group.tables) < 2:
                # Its table, its copy, or both are in here.
                group.tables.append(read_table(file, section))
                half = (section.end - section.at) // 2
                if len(group.tables) == 1 and following is not None and following.kind != "table2" and half > DESCRIPTOR:
                    group.tables.append(read_table(file, section._replace(at=section.at + half)))
                if following is not None and following.kind == "table2":
                    continue
            if group is not None:
                yield group
                group = None
            yield Group(number, section.at + DESCRIPTOR, None, section.end, hidden=True)
        elif group is not None:
            yield group
            group = None
        gap = None
    if group is not None:
        yield group
    if not _ends(sections):
        yield Group(number, 0, None, 0, lost=True)


def _ends(sections: Sequence[Section]) -> bool:
    """Whether a segment is there to its end: no group may follow what was found of it.

    It ends with ``next`` or ``done``, which lost its descriptor when just as many bytes are left; and digests stand behind the
    set's last chunk (specification, sections 3.14 to 3.16).
    """
    if not sections:
        return False
    last = sections[-1]
    if last.kind in ("next", "done"):
        return True
    before = sections[-2].kind if len(sections) > 1 else ""
    if not last.kind and last.end - last.at == DESCRIPTOR and before:
        return True
    kinds = [s.kind for s in sections]
    chunks = max((n for n, kind in enumerate(kinds) if kind in ("sectors", "table", "table2")), default=0)
    return any(kind in ("hash", "digest") for kind in kinds[chunks:])


def settle(group: Group, file: int, size: int, rest: int, beat: Callable[[], None], *, last: bool) -> str:
    """Find a group's chunks: by a sound table, by one put together of two, else by walking. Return what was done, for the operator."""
    if group.lost:
        return ""
    said = {t.count for t in group.tables if t.count is not None}
    group.count = said.pop() if len(said) == 1 else None
    rooms = {(t.section.end - t.section.at - DESCRIPTOR - _HEAD - 4) / 4 for t in group.tables if t.section.sure}
    group.room = int(rooms.pop()) if len(rooms) == 1 and min(rooms).is_integer() else None
    table = _sound(group, size) or _mixed(group, size)
    if table is not None:
        group.offsets, group.packed = table
        group.count = len(group.offsets)
        return ""
    reader = Reader(file, group.limit, beat)
    group.walked = walk(reader, group.start, group.ends(), size, rest=rest, tables=_named(group, size), sure=group.sure)
    if group.hidden and not group.walked.found:
        group.count = 0  # nothing in it is a chunk: descriptors and small sections that were damaged
        return ""
    if group.count is not None and group.count < group.walked.kept:
        group.count = None  # a head that was made to mislead: there are more
    if group.walked.found and _search_tables(group, file, size, last=last):
        return ""
    if group.count is None:
        group.count = group.walked.count
    return "chunks whose tables are damaged were found by walking from one to the next"


def _search_tables(group: Group, file: int, size: int, *, last: bool) -> bool:
    """Look behind a group's last chunk for tables that lost their descriptor; return whether one is sound.

    If none is, what is left of their entries still says how many chunks lie between two, wherever in the table it was.
    """
    start = group.walked.all_runs[-1][-1].end
    raw = pread(file, min(max(0, group.behind - start), _TAIL), start)
    known = {t.section.at for t in group.tables}
    heads = []
    for at in list(find_heads(raw))[:_MOST_HEADS]:
        end = start + at + 28 + 4 * int.from_bytes(raw[at : at + 4], "little")
        section = Section("table", start + at - DESCRIPTOR, end, sure=False)
        if section.at not in known:
            heads.append(read_table(file, section))
    said = {t.count for t in (*group.tables, *heads) if t.count is not None and t.count >= group.walked.kept}
    if group.count is None and len(said) == 1:
        group.count = said.pop()
    own, group.tables = group.tables, sorted([*group.tables, *heads], key=lambda t: (not t.whole, t.count is None, t.section.at))
    table = _sound(group, size) or _mixed(group, size)
    if table is not None:
        group.offsets, group.packed = table
        group.count = len(group.offsets)
        group.walked = Walked()
        return True
    # Entries only say a number where it is certain that they stand where they stood: behind a believed descriptor, or where the
    # chunks are known to end. What merely looks like a table may have been moved there.
    group.tables = sorted((t for t in own if t.section.sure), key=lambda t: t.section.at)
    length = _FIRST_ENTRY + 4 + 4 * (group.count or 0)
    places = [group.end, group.end + length] if group.end is not None and group.count else []
    if not places and len(group.tables) == 1:
        section = group.tables[0].section
        places = [section.at + (section.end - section.at) * (1 if section.kind == "table" else -1)]
    taken = {t.section.at for t in group.tables}
    length = length if group.count else sum(t.section.end - t.section.at for t in group.tables)
    for at in places:
        if at >= start and at not in taken:
            group.tables.append(read_table(file, Section("table2", at, at + length, sure=False)))
    group.tables.sort(key=lambda t: t.section.at)
    group.walked.hold(group.ends(), _named(group, size), _scraps(raw))
    if not group.tables:
        frame(group, file, size, group.count, last=last, heads=[t.section.at for t in heads])
    return False


def _scraps(raw: bytes) -> list[np.ndarray]:
    """Return bytes that may hold a table's entries as offsets, from each of the four places where one may begin."""
    return [np.frombuffer(raw, "<u4", (len(raw) - n) // 4, n).astype(np.int64) & 0x7FFFFFFF for n in range(4) if len(raw) >= n + 4]


def frame(group: Group, file: int, size: int, expected: int | None, *, last: bool, heads: Sequence[int] = ()) -> None:
    """Find out where the tables of a group lay that have lost their heads, and so what number each entry that is left stands for.

    How many entries they had is said by the distance between the two entries of a chunk in both, or is ``expected``: what all
    other groups leave of the medium's chunks. Then they end where one of the ways that a segment can end begins (``last``: the
    set's last segment), begin where the last run ends, or have one of ``heads``. It is believed when just one of these puts every
    run where it can be.
    """
    if not group.walked.found or group.tables:
        return
    walked = group.walked
    start = walked.all_runs[-1][-1].end
    raw = pread(file, min(max(0, group.behind - start), _TAIL), start)
    chunks = np.array([place.offset for run in walked.all_runs for place in run])
    found: dict[int, list[int]] = {}
    scraps = _scraps(raw)
    for phase, entries in enumerate(scraps):
        for n in np.nonzero(np.isin(entries, chunks))[0].tolist():
            found.setdefault(int(entries[n]), []).append(4 * n + phase)
    distances = Counter(b - a for places in found.values() for a, b in pairwise(sorted(places)))
    length, times = max(distances.items(), key=lambda d: (d[1], d[0]), default=(0, 0))
    if times > 2 and times * 4 >= sum(distances.values()) * 3:
        count, odd = divmod(length - _FIRST_ENTRY - 4, 4)
    else:
        count, odd = expected or 0, 0
    if odd or count < walked.kept or len(found) < _FEWEST:
        return
    length = _FIRST_ENTRY + 4 + 4 * count
    fitting: list[tuple[list[RawTable], Walked]] = []
    places = {0, *(group.behind - start - more - 2 * length for more in (_REST if last else (DESCRIPTOR,)))}
    places |= {at - start - before for at in heads for before in (0, length)}
    for at in sorted(places if group.end is None else {group.end - start}):
        if at < 0 or at + 2 * length > len(raw):
            continue
        tables = [read_table(file, Section("table", start + a, start + a + length, sure=False)) for a in (at, at + length)]
        tried = Walked(walked.start, walked.sure, size, walked.all_runs)
        tried.hold([start + at], [t.entries.astype(np.int64) & 0x7FFFFFFF for t in tables], scraps)
        low, high = tried.bounds(count)
        near = [n for n in range(len(low)) if tried.backed[n] is not None or high[n] - low[n] < moved(count)]
        said = [(n, number) for n in near if (number := tried.alone[n]) is not None]
        if said and all(low[n] <= number <= high[n] for n, number in said):
            fitting.append((tables, tried))
    if len(fitting) == 1:
        group.tables, group.walked = fitting[0]
        group.count = count


def _named(group: Group, size: int) -> list[np.ndarray]:
    """Return the offsets that a group's damaged tables name, each at its position."""
    named = []
    for table in group.tables:
        base = _base_of(table, group)
        # Below 2 GiB, one wrong entry would turn the flags of all behind it into offsets past 2 GiB.
        small = group.limit < 1 << 31
        named.append((table.entries.astype(np.int64) & 0x7FFFFFFF) + base if small else table.absolute(base, size)[0])
    return named


def _bases(group: Group) -> list[int]:
    known = [t.base for t in group.tables if t.base is not None]
    return list(dict.fromkeys([*known, 0, *(t.said_base for t in group.tables)]))


def _base_of(table: RawTable, group: Group) -> int:
    known = [t.base for t in group.tables if t.base is not None]
    base = table.base if table.base is not None else (known[0] if known else 0)
    return base if base < group.limit else 0


def _sound(group: Group, size: int) -> tuple[np.ndarray, np.ndarray] | None:
    for table in group.tables:
        if table.whole:
            for base in [table.base] if table.base is not None else _bases(group):
                found = _plausible(group, table, base, size)
                if found is not None:
                    return found
    return None


def _plausible(group: Group, table: RawTable, base: int, size: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a table's offsets and flags if a group can be like that: rising, within the group's bytes, from its start."""
    if base >= group.limit:
        return None
    offsets, packed = table.absolute(base, size)
    if not len(offsets) or (np.diff(offsets) <= 0).any() or offsets[0] < group.start or offsets[-1] >= (group.end or group.limit):
        return None
    if table.base is None and offsets[0] != group.start:
        return None  # the base is a guess: only what fits to the byte is believed
    return offsets, packed


def _mixed(group: Group, size: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Put one sound table together from two damaged ones: where they differ, either may be right; the checksum says which."""
    if len(group.tables) < 2 or not len(group.tables[0].entries):
        return None
    one, other = group.tables[:2]
    count = one.count if one.count is not None else other.count
    if count is None:
        count = len(one.entries)
    if len(one.entries) < count or len(other.entries) < count:
        return None
    first, second = one.entries[:count], other.entries[:count]
    changes = np.nonzero(np.diff(np.concatenate(([False], first != second, [False])).astype(np.int8)))[0]
    stretches = list(zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True))
    if not 0 < len(stretches) <= _MOST_DIFFERENT:
        stretches = []
    for choice in product((False, True), repeat=len(stretches)):
        entries = first.copy()
        for take, (start, end) in zip(choice, stretches, strict=True):
            if take:
                entries[start:end] = second[start:end]
        raw = entries.tobytes()
        if any(checksum_fits(raw, t.sum) for t in (one, other)):
            table = RawTable(count, one.base if one.base is not None else other.base, 0, entries, b"", True, one.section)
            for base in [table.base] if table.base is not None else _bases(group):
                found = _plausible(group, table, base, size)
                if found is not None:
                    return found
    return None
