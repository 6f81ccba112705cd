"""Self-check of exFAT: boot regions, entry sets, chains, the allocation bitmap against who owns what.

Source: Microsoft, "exFAT file system specification".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from triage.filesystem.checks import Fault
from triage.filesystem.checks.clusters import Table, covered, owned_spans
from triage.filesystem.checks.exfatboot import Boot, check_boot, read_boot
from triage.filesystem.checks.exfattree import Tree
from triage.filesystem.checks.faults import Faults
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.filesystem.checks import Found, Missed, VolumeReader
    from triage.filesystem.listed import Listed

_PIECE = 1 << 19
"""Clusters whose bits are looked at together."""
MAX_LOOKED_AT = 4096
"""Clusters without an owner that are looked at for a directory."""


def check(reader: VolumeReader, listed: Listed) -> Iterator[Fault | Missed | Found]:
    """Yield what differs and what was missed."""
    boot = read_boot(reader)
    if boot is None:
        message = "the boot sector makes no sense to our own reading: whether names are missing was not checked"
        yield Fault(Severity.ERROR, message)
        return
    yield from check_boot(reader, boot)
    table = read_table(reader, boot)
    media, second = (int(value) for value in table.read(0, 2))
    if media not in (0x0FFFFFF8, 0x0FFFFFFF) or second < 0x0FFFFFF8:
        yield Fault(Severity.WARNING, "the FAT does not begin as it should: it is damaged or misplaced", detail=f"{media:x} {second:x}")
    faults = Faults()
    tree = Tree(reader, boot, table, listed, faults)
    yield from tree.walk()
    lost = yield from _bitmap(reader, boot, tree, listed)
    found = 0
    for cluster in lost:
        if tree.is_directory(cluster):
            found += 1
            yield from tree.walk_lost(cluster)
    if found:
        message = f"{found} clusters of directories in use are reached by no name: the names in them are listed under $OrphanFiles"
        yield Fault(Severity.ERROR, message)
    yield from tree.owners.shared(faults)
    if tree.deleted:
        message = f"{tree.deleted} deleted entries are no longer whole: their names, sizes and places may be wrong"
        yield Fault(Severity.INFO, message)
    if tree.unwritten:
        message = f"{tree.unwritten} files were written only in part: what was read behind that is older content of the medium"
        yield Fault(Severity.INFO, message)
    yield from faults.rest()


def read_table(reader: VolumeReader, boot: Boot) -> Table:
    """Return the first FAT.

    What lies behind the volume's end cannot be read: neither tables nor memory follow a number that is too large.
    """
    clusters = min(boot.clusters, max(0, min(boot.fat_size, reader.size - boot.fat_start) // 4 - 2))
    return Table(reader, boot.fat_start, 32, clusters)


def _bitmap(reader: VolumeReader, boot: Boot, tree: Tree, listed: Listed) -> Any:
    """Hold the bitmap against who owns what. Yield faults; return some of the clusters in use that nobody owns."""
    if tree.bitmap is None:
        return []
    first, length = tree.bitmap
    clusters = min(boot.clusters, length * 8)
    mine = tree.owners.claims.spans()
    theirs = owned_spans(listed.ownership.ranges(), reader.volume.offset + boot.heap, boot.cluster)
    free = lost = unmarked = 0
    first_lost = first_unmarked = 0
    looked_at: list[int] = []
    for start in range(0, clusters, _PIECE):
        count = min(_PIECE, clusters - start)
        raw = reader.read(boot.cluster_at(first) + start // 8, -(-count // 8))
        count = min(count, len(raw) * 8)
        if not count:
            break
        used = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")[:count].astype(bool)
        free += count - int(np.count_nonzero(used))
        owned_by_us = covered(start + 2, count, *mine)
        owned = owned_by_us | covered(start + 2, count, *theirs)
        unowned, unused = np.flatnonzero(used & ~owned), np.flatnonzero(owned_by_us & ~used)
        if len(unowned) and not lost:
            first_lost = start + 2 + int(unowned[0])
        if len(unused) and not unmarked:
            first_unmarked = start + 2 + int(unused[0])
        lost += len(unowned)
        unmarked += len(unused)
        looked_at += (unowned[: MAX_LOOKED_AT - len(looked_at)] + start + 2).tolist()
    listed.free = free * boot.cluster
    if lost:
        message = (
            f"{lost} clusters ({lost * boot.cluster} bytes) are marked as used, the first of them {first_lost}, and belong to no name: "
            "names are missing, or what they held was lost before"
        )
        yield Fault(Severity.ERROR, message)
    if lost > MAX_LOOKED_AT:
        message = f"{MAX_LOOKED_AT} of those clusters were looked at for directories: names in the others are not listed"
        yield Fault(Severity.ERROR, message)
    if unmarked:
        message = f"{unmarked} clusters of names in use are marked as free, the first of them {first_unmarked}: others may use them"
        yield Fault(Severity.WARNING, message)
    return looked_at
