"""NTFS clusters: the runlists of all MFT records, $Bitmap, and what TSK gave as the places of listed files, held against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.filesystem.checks import Fault, ntfsmft
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.filesystem.checks.ntfsmft import Mft
    from triage.filesystem.checks.ntfstable import Column, Table
    from triage.filesystem.listed import Listed

_PIECE = 256 << 10
"""Bytes of $Bitmap looked at together: two million clusters."""


def cluster_faults(mft: Mft, table: Table, listed: Listed) -> Iterator[Fault]:
    """Yield how the three differ; set ``listed.free``."""
    owner, start, length = table.column("run_record"), table.column("run_start"), table.column("run_length")
    order = np.argsort(start, kind="stable")
    owner, start, length = owner[order], start[order], length[order]
    yield from _against_bitmap(mft, start, start + length, listed)
    yield from _against_listed(mft, owner, start, length, listed)


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
    nobody = free = shared = marked = 0
    reach = np.maximum.accumulate(end) if len(end) else end
    at = 0
    for data in ntfsmft.read_runs(mft.reader, bitmap.runs, cluster, min(bitmap.size, wanted), _PIECE):
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[: clusters - at].astype(bool)
        first, last = int(np.searchsorted(reach, at, "right")), int(np.searchsorted(start, at + len(bits), "left"))
        owners = np.zeros(len(bits) + 1, np.int32)
        np.add.at(owners, np.clip(start[first:last] - at, 0, len(bits)), 1)
        np.add.at(owners, np.clip(end[first:last] - at, 0, len(bits)), -1)
        owners = np.cumsum(owners)[:-1]
        marked += int(bits.sum())
        nobody += int((bits & (owners == 0)).sum())
        free += int((~bits & (owners > 0)).sum())
        shared += int((owners > 1).sum())
        at += len(bits)
    listed.free = (at - marked) * cluster
    if nobody:
        message = (
            f"{nobody} clusters ({nobody * cluster} bytes) are marked in use and belong to no file: files or parts of files are missing"
        )
        yield Fault(Severity.WARNING, message)
    if free:
        yield Fault(Severity.WARNING, f"{free} clusters ({free * cluster} bytes) belong to files and are marked free")
    if shared:
        yield Fault(
            Severity.ERROR, f"{shared} clusters ({shared * cluster} bytes) belong to more than one file: the content of these is wrong"
        )


def _against_listed(mft: Mft, owner: Column, start: Column, length: Column, listed: Listed) -> Iterator[Fault]:
    """Say where TSK gave other places for the files it listed than their records do."""
    seen = np.isin(owner, np.array(listed.addresses, dtype=np.int64))
    cluster, base = mft.boot.cluster, mft.reader.volume.offset
    ranges = np.array(listed.ownership.ranges(), dtype=np.int64).reshape(-1, 2)
    first, last = start[seen] * cluster + base, (start + length)[seen] * cluster + base
    unseen = int((last - first).sum() - (_covered(ranges, last) - _covered(ranges, first)).sum())
    if unseen:
        message = f"{unseen} bytes belong to listed files by their MFT records, but were not given as theirs: their content may be wrong"
        yield Fault(Severity.WARNING, message)


def _covered(ranges: Column, places: Column) -> Column:
    """Return how many bytes of the ranges (sorted, apart) lie before each place."""
    if not len(ranges):
        return np.zeros(len(places), np.int64)
    before = np.concatenate(([0], np.cumsum(ranges[:, 1] - ranges[:, 0])))
    at = np.searchsorted(ranges[:, 0], places, "right")
    inside = np.minimum(places, ranges[np.maximum(at - 1, 0), 1]) - ranges[np.maximum(at - 1, 0), 0]
    covered: Column = np.where(at > 0, before[np.maximum(at - 1, 0)] + inside, 0)
    return covered
