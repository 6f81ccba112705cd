"""Partition tables: MBR and GPT read by us, with what is wrong with them; the other schemes by TSK.

TSK lists what it can follow and refuses a whole table over one entry. Here every entry counts: both copies of a GPT are read and the
sound one is used, a chain of logical partitions is followed as far as it goes, and a table that TSK reads otherwise is said.

UEFI specification 2.10, section 5 (MBR, protective MBR, GPT). Offsets and sizes are in bytes of the medium unless they say LBA.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pytsk3

from triage.escape import show
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.evidence.medium import Medium

MAX_PARTITIONS = 1024
MAX_ENTRIES = 16 << 20
"""Bytes of a GPT's entries that are read."""
_TSK_SCHEMES = {1: "MBR", 2: "BSD", 4: "Sun", 8: "Mac", 16: "GPT"}
_EXTENDED = frozenset({0x05, 0x0F, 0x85})
_PROTECTIVE = 0xEE
_HEAD = struct.Struct("<8sIIIIQQQQ16sQIII")
_TAIL = 1 << 20


class Part(NamedTuple):
    """A partition as a table has it. ``unused``: its entry says that it is none."""

    start: int
    size: int
    kind: str
    unused: bool = False


@dataclass(slots=True)
class Table:
    """A partition table that was read. ``parts`` are in the order of their offsets, ``faults`` what is wrong with it.

    ``doubtful``: it may be boot code that only looks like a table.
    """

    scheme: str = "none"
    parts: list[Part] = field(default_factory=list)
    faults: list[tuple[Severity, str]] = field(default_factory=list)
    doubtful: bool = False

    def fault(self, severity: Severity, message: str) -> None:
        """Add what is wrong, once."""
        if (severity, message) not in self.faults and len(self.faults) < 100:
            self.faults.append((severity, message))


def read_table(image: Any, medium: Medium, known: Callable[[int], bool]) -> Table:
    """Return the medium's partition table. ``known`` says whether a file system or container is recognised at an offset."""
    theirs, refused = _by_tsk(image)
    candidates = [t for t in (_read_gpt(medium, known), _read_mbr(medium, known)) if t is not None]
    gpt, mbr = (next((t for t in candidates if t.scheme == scheme), None) for scheme in ("GPT", "MBR"))
    protective = mbr is not None and any(p.kind == "protective" for p in mbr.parts)
    if mbr is not None:
        mbr.parts = [p for p in mbr.parts if p.kind != "protective"]
    if gpt is not None:
        ours = gpt
        if mbr is not None and mbr.parts:
            ours = _gpt_and_mbr(gpt, mbr, known, protective=protective)
        elif not protective:
            gpt.fault(Severity.WARNING, "there is a GPT, but no protective MBR before it: systems that look there see no partition")
    elif mbr is not None and (mbr.parts or not protective):
        ours = mbr
    else:
        ours = Table()
    if protective and gpt is None:
        message = "a protective MBR says that there is a GPT, but neither of its two copies is there: its partitions are lost"
        ours.fault(Severity.ERROR, message)
    if theirs.scheme not in ("none", "MBR", "GPT"):
        return theirs if sum(known(p.start) for p in theirs.parts) >= sum(known(p.start) for p in ours.parts) else ours
    return _held_against(ours, theirs, refused)


def _gpt_and_mbr(gpt: Table, mbr: Table, known: Callable[[int], bool], *, protective: bool) -> Table:
    """Choose between a GPT and an MBR that has partitions of its own."""
    extra = [p for p in mbr.parts if not any(p.start == g.start for g in gpt.parts)]
    if protective:
        gpt.fault(Severity.WARNING, f"the MBR beside the GPT is a hybrid: it lists {len(mbr.parts)} partitions itself")
        for part in extra:
            if known(part.start):
                gpt.parts.append(part)
                gpt.fault(Severity.WARNING, f"a partition at byte {part.start} stands in the hybrid MBR only, not in the GPT")
        gpt.parts.sort(key=lambda p: p.start)
        return gpt
    chosen, other = (gpt, mbr) if sum(known(p.start) for p in gpt.parts) > sum(known(p.start) for p in mbr.parts) else (mbr, gpt)
    chosen.fault(
        Severity.WARNING,
        f"there are two partition tables, a GPT and an MBR that is not its protection: the {chosen.scheme} was used; the {other.scheme} "
        f"has {len(other.parts)} partitions, {len([p for p in other.parts if p not in chosen.parts])} of them elsewhere",
    )
    return chosen


def _held_against(ours: Table, theirs: Table, refused: str) -> Table:
    """Take TSK's words for what it lists as well, and say where its reading differs."""
    kinds = {(p.start, p.size): p.kind for p in theirs.parts}
    same = {(p.start, p.size) for p in ours.parts} == set(kinds)
    ours.parts = [p._replace(kind=kinds.get((p.start, p.size)) or p.kind) for p in ours.parts]
    if ours.doubtful or not ours.parts:
        return ours
    if theirs.scheme == "none":
        ours.fault(Severity.WARNING, f"Sleuth Kit refuses this partition table{f' ({refused})' if refused else ''}: it was read by us")
    elif not same:
        ours.fault(
            Severity.WARNING,
            f"Sleuth Kit reads this partition table otherwise ({theirs.scheme}, {len(theirs.parts)} partitions; "
            f"{ours.scheme}, {len(ours.parts)} by us): it was read by us",
        )
    return ours


def _by_tsk(image: Any) -> tuple[Table, str]:
    """Return the table as TSK reads it, or why it does not."""
    try:
        table = pytsk3.Volume_Info(image)
    except OSError as error:
        words = str(error).partition(") ")[2].partition("\n")[0]
        return Table(), "" if "Cannot determine" in words or "Unknown" in words else show(words)[:200]
    block = int(table.info.block_size)
    found = Table(scheme=_TSK_SCHEMES.get(int(table.info.vstype), str(table.info.vstype)))
    for part in table:
        if int(part.flags) == 1:  # TSK_VS_PART_FLAG_ALLOC
            kind = part.desc.decode("utf-8", "replace") if part.desc else ""
            found.parts.append(Part(int(part.start) * block, int(part.len) * block, kind))
        if len(found.parts) >= MAX_PARTITIONS:
            break
    return found, ""


def _read(medium: Medium, offset: int, length: int) -> bytes:
    """Return bytes, none where they cannot be read."""
    try:
        return medium.read_at(offset, length) if 0 <= offset < medium.size else b""
    except OSError:
        return b""


def sector_sizes(medium: Medium) -> list[int]:
    """Return the sector sizes that tables may count in, the medium's own first."""
    return list(dict.fromkeys(size for size in (medium.sector_size, 512, 4096) if size in (512, 1024, 2048, 4096)))


# ---- MBR -------------------------------------------------------------------------------------------------------------------


class _Row(NamedTuple):
    status: int
    kind: int
    start: int
    sectors: int


def _rows(sector: bytes) -> list[_Row]:
    found = [struct.unpack_from("<B3xB3xII", sector, 446 + 16 * n) for n in range(4)]
    return [_Row(*row) for row in found]


def _read_mbr(medium: Medium, known: Callable[[int], bool]) -> Table | None:
    """Read the master boot record, in the sector size by which most of its partitions are recognised."""
    sector = _read(medium, 0, 512)
    if len(sector) < 512 or sector[510:] != b"\x55\xaa" or not any(row.sectors for row in _rows(sector)):
        return None
    best: tuple[int, Table] | None = None
    for unit in sector_sizes(medium):
        table = _mbr_in(medium, _rows(sector), unit)
        score = sum(known(p.start) for p in table.parts if p.start)
        if best is None or score > best[0]:
            best = (score, table)
    return best[1] if best else None


def _mbr_in(medium: Medium, rows: list[_Row], unit: int) -> Table:
    table = Table(scheme="MBR")
    for number, row in enumerate(rows, 1):
        if not row.sectors:
            if any((row.kind, row.start, row.status)):
                table.fault(Severity.WARNING, f"entry {number} of the MBR has a type or a place but no size: it may have been cleared")
            continue
        if row.status not in (0, 0x80):
            table.doubtful = True
            table.fault(Severity.WARNING, f"entry {number} of the MBR has the status {row.status:#04x}: the table is damaged")
        if row.kind == _PROTECTIVE:
            table.parts.append(Part(row.start * unit, row.sectors * unit, "protective"))
        elif row.kind in _EXTENDED:
            _logical(medium, table, row, unit)
        else:
            table.parts.append(Part(row.start * unit, row.sectors * unit, f"type {row.kind:#04x}", not row.kind))
    table.parts.sort(key=lambda p: p.start)
    return table


def _logical(medium: Medium, table: Table, extended: _Row, unit: int) -> None:
    """Follow the chain of extended boot records. Partitions count from the record, the next record from the first one."""
    base, end = extended.start, extended.start + extended.sectors
    here, seen = base, set[int]()
    while True:
        if here in seen or len(seen) >= MAX_PARTITIONS:
            table.fault(Severity.ERROR, f"the chain of extended partitions at sector {base} runs in a circle or is too long: it was cut")
            return
        seen.add(here)
        sector = _read(medium, here * unit, 512)
        if len(sector) < 512 or sector[510:] != b"\x55\xaa":
            message = f"the chain of extended partitions breaks at sector {here}: logical partitions behind it are not in the table"
            table.fault(Severity.ERROR, message)
            return
        following = None
        for row in _rows(sector):
            if not row.sectors or not row.start:
                continue
            if row.kind in _EXTENDED:
                following = following if following is not None else base + row.start
                continue
            start = here + row.start
            if not base < start < end:
                table.fault(Severity.WARNING, f"a logical partition at sector {start} lies outside its extended partition")
            if row.status not in (0, 0x80):
                table.fault(Severity.WARNING, f"a logical partition at sector {start} has the status {row.status:#04x}, which cannot be")
            table.parts.append(Part(start * unit, row.sectors * unit, f"type {row.kind:#04x}", not row.kind))
        if following is None:
            return
        if not base < following < end:
            table.fault(Severity.WARNING, f"the chain of extended partitions leads to sector {following}, outside the extended partition")
        here = following


# ---- GPT -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Gpt:
    """One copy of a GPT. ``wrong`` says what does not hold; a sound one has none."""

    lba: int
    alternate: int
    disk: bytes
    usable: tuple[int, int]
    entries: tuple[bytes, ...]
    table: tuple[int, int]  # LBA and bytes
    wrong: tuple[str, ...]


def _read_gpt(medium: Medium, known: Callable[[int], bool]) -> Table | None:
    """Read both copies in each sector size; return the better table, ``None`` where there is no copy at all."""
    best: tuple[int, Table] | None = None
    for unit in sector_sizes(medium):
        last = medium.size // unit - 1
        primary = _gpt_copy(medium, 1, unit)
        places = [last] if primary is None else list(dict.fromkeys((primary.alternate, last)))
        backup = next((copy for lba in places if (copy := _gpt_copy(medium, lba, unit)) is not None), None)
        if backup is None and (found := _search_backup(medium, unit)) is not None:
            backup = _gpt_copy(medium, found, unit)
        if primary is None and backup is None:
            continue
        table = _choose_gpt(medium, primary, backup, unit, known)
        score = 1 + sum(known(p.start) for p in table.parts)
        if best is None or score > best[0]:
            best = (score, table)
    return best[1] if best else None


def _search_backup(medium: Medium, unit: int) -> int | None:
    """Look for a backup header within the last MiB: the image may be longer than the disk was."""
    start = max(0, medium.size - _TAIL) // unit * unit
    data = _read(medium, start, _TAIL)
    at = data.rfind(b"EFI PART")
    while at > 0 and (at % unit or start + at <= unit):
        at = data.rfind(b"EFI PART", 0, at)
    return (start + at) // unit if at > 0 else None


def _gpt_copy(medium: Medium, lba: int, unit: int) -> _Gpt | None:
    """Read the header at an LBA and its entries (5.3.2, 5.3.3)."""
    head = _read(medium, lba * unit, unit)
    if len(head) < _HEAD.size or not head.startswith(b"EFI PART"):
        return None
    _, revision, length, crc, _, mine, alternate, first, last, disk, table, count, size, entries_crc = _HEAD.unpack_from(head)
    wrong = []
    if not _HEAD.size <= length <= unit or zlib.crc32(head[:16] + bytes(4) + head[20:length]) != crc:
        wrong.append("the header's checksum is wrong")
    if revision >> 16 != 1:
        wrong.append("its revision is unknown")
    if mine != lba:
        wrong.append(f"it says that it lies at LBA {mine}, not {lba}")
    if size < 128 or size > 4096:
        wrong.append(f"its entries have {size} bytes")
        size = 128
    if not count or count * size > MAX_ENTRIES:
        wrong.append(f"it says that it has {count} entries")
        count = 128
    data = _read(medium, table * unit, count * size)
    if len(data) < count * size or zlib.crc32(data) != entries_crc:
        wrong.append("the entries' checksum is wrong")
    pieces = tuple(data[at : at + size] for at in range(0, len(data) - 127, size))
    return _Gpt(lba, alternate, disk, (first, last), pieces, (table, count * size), tuple(wrong))


def _choose_gpt(medium: Medium, primary: _Gpt | None, backup: _Gpt | None, unit: int, known: Callable[[int], bool]) -> Table:
    table = Table(scheme="GPT")
    for name, copy in (("primary", primary), ("backup", backup)):
        if copy is None:
            table.fault(Severity.WARNING, f"the GPT's {name} copy is missing")
        elif copy.wrong:
            table.fault(Severity.WARNING, f"the GPT's {name} copy is damaged: {', '.join(copy.wrong)}")
    copies = [copy for copy in (primary, backup) if copy is not None]
    sound = [copy for copy in copies if not copy.wrong]
    if not sound:
        table.fault(Severity.ERROR, "no copy of the GPT is sound: partitions may be missing")
    chosen = (sound or sorted(copies, key=lambda c: -sum(known(p.start) for p in _gpt_parts(c, unit, Table()))))[0]
    if primary is not None and backup is not None and not primary.wrong and not backup.wrong:
        if primary.entries != backup.entries or primary.disk != backup.disk:
            table.fault(Severity.ERROR, "the two copies of the GPT list different partitions: the primary one was used")
        if backup.alternate != primary.lba or primary.alternate != backup.lba:
            table.fault(Severity.WARNING, "the two copies of the GPT do not lead to each other")
    table.parts = _gpt_parts(chosen, unit, table)
    end = max(chosen.lba, chosen.alternate)
    if end * unit >= medium.size:
        past = (end + 1) * unit - medium.size
        table.fault(Severity.ERROR, f"the GPT's backup copy lies {past} bytes past the medium's end: the image is cut short")
    elif (end + 1) * unit < medium.size // unit * unit:
        rest = medium.size - (end + 1) * unit
        table.fault(Severity.WARNING, f"{rest} bytes lie behind the GPT's backup copy: the medium is larger than its table knows")
    reserved = [(0, 2), *((c.lba, c.lba + 1) for c in sound), *((c.table[0], c.table[0] - (-c.table[1] // unit)) for c in sound)]
    for part in table.parts:
        first, last = part.start // unit, (part.start + part.size) // unit
        if any(first < stop and start < last for start, stop in reserved):
            table.fault(Severity.WARNING, f"the partition at byte {part.start} overlaps the GPT itself")
    return table


def _gpt_parts(copy: _Gpt, unit: int, table: Table) -> list[Part]:
    parts = []
    for number, entry in enumerate(copy.entries, 1):
        first, last = struct.unpack_from("<QQ", entry, 32)
        if not entry[:16].strip(b"\0"):
            if entry.strip(b"\0"):
                table.fault(Severity.WARNING, f"entry {number} of the GPT is marked as unused but is not empty: it may have been cleared")
            continue
        if not 0 < first <= last or last >= 1 << 54:
            table.fault(Severity.ERROR, f"entry {number} of the GPT goes from LBA {first} to {last}, which cannot be: it was left out")
            continue
        if first < copy.usable[0] or last > copy.usable[1]:
            table.fault(Severity.WARNING, f"entry {number} of the GPT lies outside the area that the GPT calls usable")
        name = entry[56:128].decode("utf-16-le", "replace").partition("\0")[0]
        parts.append(Part(first * unit, (last - first + 1) * unit, show(name) or str(uuid.UUID(bytes_le=entry[:16]))))
        if len(parts) >= MAX_PARTITIONS:
            table.fault(Severity.ERROR, f"the GPT has more than {MAX_PARTITIONS} partitions: the others were left out")
            break
    return sorted(parts, key=lambda p: p.start)


def overlaps(parts: list[Part]) -> list[tuple[int, int]]:
    """Return which partitions (their positions) overlap the one before them; extended ones are not in the list."""
    found = []
    furthest = -1
    for position, part in enumerate(parts):
        if part.unused:
            continue
        if furthest >= 0 and part.start < parts[furthest].start + parts[furthest].size:
            found.append((furthest, position))
        if furthest < 0 or part.start + part.size > parts[furthest].start + parts[furthest].size:
            furthest = position
    return found
