"""NTFS clusters: the runlists of all MFT records, $Bitmap, and what TSK gave as the places of listed files, held against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.filesystem.checks import Fault, ntfsmft
from triage.filesystem.checks.columns import count_bitmap, uncovered
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.filesystem.checks.columns import Column
    from triage.filesystem.checks.ntfsmft import Mft
    from triage.filesystem.checks.ntfstable import Table
    from triage.filesystem.listed import Listed

_PIECE = 256 << 10
"""Bytes of $Bitmap looked at together: two million clusters."""


def cluster_faults(mft: Mft, table: Table, listed: Listed) -> Iterator[Fault]:
    """Yield how the three differ; set ``listed.free``."""
    owner, start, length = table.column("run_record"), table.column("run_start"), table.column("run_length")
    order = np.argsort(start, kind="stable")
    owner, start, length = owner[order], start[order], length[order]
    yield from _against_bitmap(mft, start, start + length, listed)
    seen = np.isin(owner, np.array(listed.addresses, dtype=np.int64))
    cluster, base = mft.boot.cluster, mft.reader.volume.offset
    unseen = uncovered(listed.ownership.ranges(), start[seen] * cluster + base, (start + length)[seen] * cluster + base)
    if unseen:
        message = f"{unseen} bytes belong to listed files by their MFT records, but were not given as theirs: their content may be wrong"
        yield Fault(Severity.WARNING, message)


def _against_bitmap(mft: Mft, start: Column, end: Column, listed: Listed) -> Iterator[Fault]:
    record = mft.record(6)
    bitmap = mft.whole(record, ntfsmft.DATA) if record is not None else None
    cluster, clusters = mft.boot.cluster, mft.clusters
    if bitmap is None or bitmap.runs is None:
        yield Fault(Severity.WARNING, "$Bitmap cannot be read: whether clusters in use belong to no file was not checked")
        return
    wanted = -(-clusters // 8)
    if bitmap.size < wanted:
        yield Fault(Severity.WARNING, f"$Bitmap has {bitmap.size} bytes; the volume's clusters need {wanted}")
    pieces = ntfsmft.read_runs(mft.reader, bitmap.runs, cluster, min(bitmap.size, wanted), _PIECE)
    counts = count_bitmap(pieces, "little", clusters, start, end)
    listed.free = (counts.checked - counts.marked) * cluster
    if counts.nobody:
        lost = f"{counts.nobody} clusters ({counts.nobody * cluster} bytes)"
        yield Fault(Severity.WARNING, f"{lost} are marked in use and belong to no file: files or parts of files are missing")
    if counts.free:
        yield Fault(Severity.WARNING, f"{counts.free} clusters ({counts.free * cluster} bytes) belong to files and are marked free")
    if counts.shared:
        twice = f"{counts.shared} clusters ({counts.shared * cluster} bytes)"
        yield Fault(Severity.ERROR, f"{twice} belong to more than one file: the content of these is wrong")
