"""Self-check of FAT12, FAT16 and FAT32: boot sector, copies of the FAT, directories, chains, clusters that belong to no name.

Source: Microsoft, "FAT: General Overview of On-Disk Format" 1.03.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from triage.filesystem.checks import Fault
from triage.filesystem.checks.clusters import BAD, END, FREE, Claims, Table, covered, owned_spans, runs_of
from triage.filesystem.checks.fatboot import Boot, check_boot, check_label, read_boot
from triage.filesystem.checks.fattree import Tree
from triage.filesystem.checks.faults import KEPT, Faults
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from triage.filesystem.checks import Found, Missed, VolumeReader
    from triage.filesystem.listed import Listed

_PIECE = 1 << 19
"""Entries of a FAT that are looked at together: 2 MiB of FAT32."""
MAX_HEADS = 4096
"""Beginnings of unowned chains that are looked at for a directory."""


def check(reader: VolumeReader, listed: Listed) -> Iterator[Fault | Missed | Found]:
    """Yield what differs and what was missed."""
    bits = int(reader.volume.file_system.removeprefix("FAT"))
    boot = read_boot(reader, bits)
    if boot is None:
        message = "the boot sector makes no sense to our own reading: whether names are missing was not checked"
        yield Fault(Severity.ERROR, message)
        return
    tables = read_tables(reader, boot)
    yield from check_boot(reader, boot, tables[0])
    faults = Faults()
    differ = False
    for other in tables[1:] if not _mirroring_off(boot) else []:
        for fault in _compare(tables[0], other, tables.index(other) + 1):
            differ = True
            yield fault
    tree = Tree(reader, boot, tables[:2] if differ else tables[:1], listed, faults)
    yield from tree.walk()
    yield from check_label(boot, tree.labels)
    heads, free = yield from _unowned(reader, boot, tables[0], tree.owners.claims, listed)
    listed.free = free * boot.cluster
    yield from _lost_directories(tree, heads)
    yield from tree.owners.shared(faults)
    if tree.deleted_long:
        message = f"{tree.deleted_long} deleted names may be wrong: what stands in front of them is not, or not all of, their long name"
        yield Fault(Severity.INFO, message)
    if tree.zeroed:
        message = f"{tree.zeroed} places of directories that count as never used hold something: names may have stood there"
        yield Fault(Severity.INFO, message)
    if tree.code_page:
        message = f"{tree.code_page} short names hold bytes beyond ASCII, whose letters depend on a code page: they are shown as ^"
        yield Fault(Severity.INFO, message)
    yield from faults.rest()


def read_tables(reader: VolumeReader, boot: Boot) -> list[Table]:
    """Return the copies of the FAT.

    What lies behind the volume's end cannot be read: neither tables nor memory follow a number that is too large.
    """
    table_bytes = min(boot.fat_size, reader.size - boot.fat_start)
    clusters = min(boot.clusters, max(0, table_bytes * 8 // boot.bits - 2))
    return [Table(reader, boot.fat_start + n * boot.fat_size, boot.bits, clusters) for n in range(boot.fats)]


def table_in_use(boot: Boot) -> int:
    """Return which of the FATs is kept up (``BPB_ExtFlags``): the first unless FAT32 names another that there is."""
    active = boot.raw[40] & 0x0F if _mirroring_off(boot) else 0
    return active if active < boot.fats else 0


def _mirroring_off(boot: Boot) -> bool:
    """Whether FAT32 says that only one FAT is kept up (``BPB_ExtFlags`` bit 7)."""
    return boot.bits == 32 and bool(boot.raw[40] & 0x80)


def _compare(table: Table, other: Table, number: int) -> Iterator[Fault]:
    """Compare two copies of the FAT. Entry 1 holds flags that need not be the same."""
    differing = shorter = 0
    examples: list[str] = []
    for first in range(0, table.entries, _PIECE):
        one, two = table.read(first, _PIECE), other.read(first, _PIECE)
        for at in np.flatnonzero(one != two).tolist():
            if first + at == 1:
                continue
            here, there = int(one[at]), int(two[at])
            differing += 1
            shorter += 2 <= there <= table.last and not 2 <= here <= table.last
            if len(examples) < KEPT:
                examples.append(f"{first + at} ({_value(here)}; {_value(there)})")
    if differing:
        message = f"FAT 1 and FAT {number} differ in {differing} clusters: {', '.join(examples)}{' …' if differing > KEPT else ''}"
        if shorter:
            message += f"; {shorter} of them go on in FAT {number} only, so content or names are missing by FAT 1, which was read"
        yield Fault(Severity.ERROR if shorter else Severity.WARNING, message)


def _value(value: int) -> str:
    if value >= END:
        return "end"
    return {FREE: "free", BAD: "bad"}.get(value, str(value))


def _unowned(reader: VolumeReader, boot: Boot, table: Table, claims: Claims, listed: Listed) -> Any:
    """Hold the FAT against who owns what. Yield faults; return the clusters that unowned chains begin with, and how many are free."""
    mine = claims.spans()
    theirs = owned_spans(listed.ownership.ranges(), reader.volume.offset + boot.heap, boot.cluster)
    lost = free = beyond = 0
    first_lost = 0
    starts: list[NDArray[Any]] = []
    targets: list[NDArray[Any]] = []
    there = max(0, min(table.entries, (reader.size - boot.heap) // boot.cluster + 2))
    for first in range(2, table.entries, _PIECE):
        values = table.read(first, _PIECE)
        used = (values != FREE) & (values != BAD)
        free += int(np.count_nonzero(values == FREE))
        if first + len(values) > there:
            beyond += int(np.count_nonzero(used[max(0, there - first) :]))
        unowned = used & ~covered(first, len(values), *mine) & ~covered(first, len(values), *theirs)
        count = int(np.count_nonzero(unowned))
        if not count:
            continue
        if not lost:
            first_lost = first + int(np.argmax(unowned))
        lost += count
        if sum(map(len, starts)) < MAX_HEADS * 256:
            starts.append(np.array([start for start, _ in runs_of(unowned, first)], np.int64))
            targets.append(values[unowned].astype(np.int64))
    if lost:
        message = (
            f"{lost} clusters ({lost * boot.cluster} bytes) are marked as used, the first of them {first_lost}, and belong to no name: "
            "names are missing, or what they held was lost before"
        )
        yield Fault(Severity.ERROR, message)
    if beyond:
        yield Fault(Severity.ERROR, f"{beyond} clusters that are marked as used lie behind the volume's end: content is missing")
    if not starts:
        return [], free
    heads = np.setdiff1d(np.concatenate(starts), np.concatenate(targets))
    return heads.tolist(), free


def _lost_directories(tree: Tree, heads: list[int]) -> Iterator[Fault | Missed | Found]:
    """List what is in directories that no name leads to."""
    found = 0
    for cluster in heads[:MAX_HEADS]:
        if tree.is_directory(cluster):
            found += 1
            yield from tree.walk_lost(cluster)
    if found:
        message = f"{found} directories in use are reached by no name: the names in them are listed under $OrphanFiles"
        yield Fault(Severity.ERROR, message)
    if len(heads) > MAX_HEADS:
        message = f"of {len(heads)} chains that belong to no name, {MAX_HEADS} were looked at: names in the others are not listed"
        yield Fault(Severity.ERROR, message)
