"""Which bytes of a volume its file system calls free, by its own bitmaps and tables: where deleted content can still lie.

Nothing of it is read through TSK. What the books say may be wrong: they are older than what the journal holds, or damaged. Whoever
looks for deleted content takes away what listed files own. Sources: those of the readers in :mod:`triage.filesystem.checks`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from triage.filesystem.checks import exfat, exfatboot, fat, fatboot, hfs, ntfs, ntfsmft
from triage.filesystem.checks.clusters import FREE, byte_runs
from triage.filesystem.checks.exfattree import Tree
from triage.filesystem.checks.extspace import system_runs
from triage.filesystem.checks.faults import Faults
from triage.filesystem.extlayout import GROUP_BLOCKS_UNUSED, INCOMPAT_RECOVER, read_descriptors, read_layout
from triage.filesystem.listed import Listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from triage.filesystem.checks import VolumeReader
    from triage.filesystem.extlayout import ExtLayout, Groups

    Numbers = NDArray[np.int64]

MAX_RANGES = 1 << 20
"""Free ranges that are kept, the largest ones: a bitmap can hold a hundred million."""
_PIECE = 1 << 20
_TABLE_PIECE = 1 << 21
"""Entries of a FAT that are looked at together: 8 MiB of FAT32."""
_BITMAPS = 256
"""Bitmaps of an ext volume that are read together, where they lie in a row: up to 16 MiB."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """What a file system's own books call free.

    ``block`` is the unit that they count in, in bytes; ``free`` holds ``(start, end)`` in bytes from the volume's start, sorted and
    apart from each other; ``note`` says what of the books could not be read or is not certain, empty when nothing.
    """

    block: int
    free: list[tuple[int, int]]
    note: str = ""


def free_ranges(reader: VolumeReader, file_system: str) -> Allocation | None:
    """Return what a file system calls free, by its name as :func:`~triage.filesystem.volumes.file_system_name` has it.

    ``None`` for kinds that keep no such books, and where they cannot be found.
    """
    of = _READERS.get(file_system)
    if of is None:
        return None
    try:
        return of(reader)
    except (ValueError, ArithmeticError, LookupError, TypeError, struct.error):
        return None  # the structures that lead to the books are damaged; the self-check says how


# ---- bits into ranges -------------------------------------------------------------------------------------------------------


def _clear_bits(data: bytes | NDArray[np.uint8], count: int) -> Numbers:
    """Return the runs of clear bits among the first ``count``, lowest bit first, as rows of start and end; missing ones count as set."""
    words = np.full(-(-count // 64), 0xFFFFFFFFFFFFFFFF, "<u8")
    octets = np.frombuffer(data, np.uint8)[: len(words) * 8]
    words.view(np.uint8)[: len(octets)] = octets
    if count % 64:
        words[-1] |= np.uint64(0xFFFFFFFFFFFFFFFF << count % 64 & 0xFFFFFFFFFFFFFFFF)
    before = np.ones_like(words)  # in front of the first bit is a set one
    before[1:] = words[:-1] >> np.uint64(63)
    edges = words ^ (words << np.uint64(1) | before)
    at = np.flatnonzero(edges)
    rows, columns = np.nonzero(np.unpackbits(edges[at].view(np.uint8).reshape(-1, 8), axis=1, bitorder="little"))
    places = at[rows] * 64 + columns
    if len(places) % 2:
        places = np.append(places, count)
    return places.reshape(-1, 2).astype(np.int64)


class _Free:
    """Collects free ranges in order, in some unit; keeps the largest where there are too many."""

    def __init__(self) -> None:
        self._pieces: list[Numbers] = []
        self._held = 0
        self._dropped = 0
        self.notes: list[str] = []

    def add(self, spans: Numbers) -> None:
        """Add ranges behind those that were added before."""
        self._pieces.append(spans)
        self._held += len(spans)
        if self._held > 4 * MAX_RANGES:
            self._pieces = [self._largest(_merged(np.concatenate(self._pieces)))]
            self._held = len(self._pieces[0])

    def _largest(self, spans: Numbers) -> Numbers:
        if len(spans) <= MAX_RANGES:
            return spans
        lengths = spans[:, 1] - spans[:, 0]
        least = np.partition(lengths, -MAX_RANGES)[-MAX_RANGES]
        kept = lengths > least
        ties = np.flatnonzero(lengths == least)[: MAX_RANGES - int(np.count_nonzero(kept))]
        kept[ties] = True
        self._dropped += len(spans) - MAX_RANGES
        largest: Numbers = spans[kept]
        return largest

    def spans(self) -> Numbers:
        """Return all of them, merged."""
        return _merged(np.concatenate(self._pieces)) if self._pieces else np.empty((0, 2), np.int64)

    def allocation(self, reader: VolumeReader, block: int, spans: Numbers) -> Allocation:
        """Return the result; ``spans`` are in bytes and may reach beyond the volume."""
        spans = spans.clip(0, reader.size)
        spans = self._largest(_merged(spans[spans[:, 0] < spans[:, 1]]))
        if self._dropped:
            self.notes.append(f"there are too many free ranges: {self._dropped} of the smallest were left out")
        return Allocation(block, list(zip(spans[:, 0].tolist(), spans[:, 1].tolist(), strict=True)), "; ".join(self.notes))


def _merged(spans: Numbers) -> Numbers:
    """Return sorted ranges with those joined that touch."""
    if len(spans) < 2:
        return spans
    heads = np.concatenate(([True], spans[1:, 0] > spans[:-1, 1]))
    merged: Numbers = np.stack((spans[heads, 0], spans[np.append(heads[1:], True), 1]), axis=1)
    return merged


def _without(spans: Numbers, starts: Numbers, ends: Numbers) -> Numbers:
    """Return what other ranges, in any order, leave of sorted ones."""
    places = np.concatenate((spans[:, 0], spans[:, 1], starts, ends))
    mine = np.repeat(np.array([1, -1, 0, 0]), (len(spans), len(spans), len(starts), len(ends)))
    theirs = np.repeat(np.array([0, 0, 1, -1]), (len(spans), len(spans), len(starts), len(ends)))
    order = np.argsort(places, kind="stable")
    places = places[order]
    kept = (np.cumsum(mine[order])[:-1] > 0) & (np.cumsum(theirs[order])[:-1] == 0) & (places[1:] > places[:-1])
    return _merged(np.stack((places[:-1][kept], places[1:][kept]), axis=1))


def _bitmap(reader: VolumeReader, pieces: Iterable[bytes], total: int, free: _Free, *, reversed_bits: bool = False) -> None:
    """Collect the clear bits of a bitmap. What the container could not give counts as set."""
    done = unread = 0
    missing = reader.unreadable
    for data in pieces:
        if done >= total:
            break
        count = min(len(data) * 8, total - done)
        if reader.unreadable > missing:
            missing, unread = reader.unreadable, unread + count
        else:
            free.add(_clear_bits(_REVERSED[np.frombuffer(data, np.uint8)] if reversed_bits else data, count) + done)
        done += count
    unread += total - done
    if unread:
        free.notes.append(f"the bitmap cannot be read for {unread} of {total} blocks")


_REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1), axis=1, bitorder="little")[:, 0]
"""Each byte with its bits in the other order."""


# ---- one kind each ----------------------------------------------------------------------------------------------------------


def _ntfs(reader: VolumeReader) -> Allocation | None:
    mft = ntfs.open_mft(reader)
    record = mft.record(6) if mft is not None else None
    bitmap = mft.whole(record, ntfsmft.DATA) if mft is not None and record is not None else None
    if mft is None or bitmap is None:
        return None
    free, cluster = _Free(), mft.boot.cluster
    pieces: Iterable[bytes] = [bitmap.value]  # of a few clusters: within its record
    if bitmap.runs is not None:
        pieces = ntfsmft.read_runs(reader, bitmap.runs, cluster, min(bitmap.size, -(-mft.clusters // 8)), _PIECE)
    _bitmap(reader, pieces, mft.clusters, free)
    return free.allocation(reader, cluster, free.spans() * cluster)


def _hfs(reader: VolumeReader) -> Allocation | None:
    opened = hfs.allocation_file(reader)
    if opened is None:
        return None
    disk, extents = opened
    free, block = _Free(), disk.header.block
    _bitmap(reader, disk.fork(extents, -(-disk.blocks // 8), _PIECE), disk.blocks, free, reversed_bits=True)
    return free.allocation(reader, block, free.spans() * block + disk.base)


def _fat(bits: int) -> Callable[[VolumeReader], Allocation | None]:
    def of(reader: VolumeReader) -> Allocation | None:
        boot = fatboot.read_boot(reader, bits)
        if boot is None:
            return None
        free, missing, unread = _Free(), reader.unreadable, 0
        table = fat.read_tables(reader, boot)[fat.table_in_use(boot)]
        for first in range(2, table.entries, _TABLE_PIECE):
            values = table.read(first, _TABLE_PIECE)
            if reader.unreadable > missing:
                missing, unread = reader.unreadable, unread + len(values)
            else:
                free.add(_clear_bits(np.packbits(values != FREE, bitorder="little"), len(values)) + first - 2)
        unread += boot.clusters + 2 - table.entries
        if unread > 0:
            free.notes.append(f"the FAT cannot be read for {unread} of {boot.clusters} clusters")
        return free.allocation(reader, boot.cluster, free.spans() * boot.cluster + boot.heap)

    return of


def _exfat(reader: VolumeReader) -> Allocation | None:
    boot = exfatboot.read_boot(reader)
    if boot is None:
        return None
    table = exfat.read_table(reader, boot)
    found = Tree(reader, boot, table, Listed(), Faults()).find_bitmap()
    if found is None:
        return None
    first, length = found
    runs = byte_runs(table.chain(first), length, boot.heap, boot.cluster)
    if sum(size for _, size in runs) < length:
        runs = ((boot.cluster_at(first), length),)  # not chained: it lies in one piece, as every formatting tool puts it
    free = _Free()
    _bitmap(reader, _pieces(reader, runs), min(boot.clusters, max(0, reader.size - boot.heap) // boot.cluster + 1), free)
    return free.allocation(reader, boot.cluster, free.spans() * boot.cluster + boot.heap)


def _pieces(reader: VolumeReader, runs: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """Yield what lies in runs; ends where the volume does."""
    for start, length in runs:
        for done in range(0, length, _PIECE):
            data = reader.read(start + done, min(_PIECE, length - done))
            yield data
            if len(data) < min(_PIECE, length - done):
                return


def _ext(reader: VolumeReader) -> Allocation | None:
    layout = read_layout(reader.read)
    if layout is None:
        return None
    groups = read_descriptors(reader.read, layout)
    free = _Free()
    if layout.incompat & INCOMPAT_RECOVER:
        free.notes.append("the journal holds changes that were not carried out: the newest blocks may still be called free")
    there = min(layout.groups, -(-max(0, reader.size // layout.block - layout.first) // layout.per_group))
    unread, differ = max(0, there - len(groups)), 0
    for group, bitmap in _group_bitmaps(reader, layout, groups, min(there, len(groups))):
        length = layout.group_length(group)
        count = -(-length // layout.cluster)
        if bitmap is None:
            unread += 1
            continue
        spans = _clear_bits(bitmap, count)
        if not int(groups.flags[group]) & GROUP_BLOCKS_UNUSED:
            differ += int((spans[:, 1] - spans[:, 0]).sum()) != groups.free_blocks[group]
        spans = spans * layout.cluster + layout.group_start(group)
        free.add(spans)
    if unread:
        free.notes.append(f"the bitmaps of {unread} of {layout.groups} groups cannot be read")
    if differ:
        free.notes.append(f"{differ} groups count other free blocks than their bitmaps show")
    starts, ends = system_runs(layout, groups)
    first, cluster = layout.first, layout.cluster
    starts, ends = (starts - first) // cluster * cluster + first, -(-(ends - first) // cluster) * cluster + first
    spans = _without(free.spans(), starts, ends).clip(0, layout.blocks)
    return free.allocation(reader, layout.block * cluster, spans * layout.block)


def _group_bitmaps(reader: VolumeReader, layout: ExtLayout, groups: Groups, count: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield each group's bitmap; ``None`` for those that cannot be read, noughts for those that were never written.

    The latter do not even mark what the file system itself has put there.
    """
    block = layout.block
    places = groups.block_bitmap[:count]
    breaks = np.append(np.flatnonzero(np.diff(places) != 1) + 1, count).tolist() if count else []
    group = 0
    for end in breaks:
        while group < end:
            some = min(end - group, _BITMAPS)
            place, missing = int(places[group]), reader.unreadable
            inside = layout.first < place < layout.blocks
            data = reader.read(place * block, some * block) if inside else b""
            if reader.unreadable > missing:
                data = b""
            for number in range(some):
                if int(groups.flags[group + number]) & GROUP_BLOCKS_UNUSED:
                    yield group + number, bytes(block)
                    continue
                bitmap = data[number * block : (number + 1) * block]
                yield group + number, bitmap if len(bitmap) == block else None
            group += some


_READERS: dict[str, Callable[[VolumeReader], Allocation | None]] = {
    "NTFS": _ntfs,
    "FAT12": _fat(12),
    "FAT16": _fat(16),
    "FAT32": _fat(32),
    "exFAT": _exfat,
    "ext2/3/4": _ext,  # one that TSK does not open
    "ext2": _ext,
    "ext3": _ext,
    "ext4": _ext,
    "HFS+": _hfs,
}
