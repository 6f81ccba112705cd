"""The index blocks of NTFS folders: their signatures and update sequences.

TSK lists a folder whose index block is damaged by the MFT's records, without a word; names that only the block has, of deleted files,
are gone then. Structures: INDEX_ALLOCATION buffers of the NTFS documentation (Linux-NTFS project), MULTI_SECTOR_HEADER.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.filesystem.checks import Fault, ntfsmft
from triage.filesystem.checks.columns import KEPT, Bytes
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from triage.filesystem.checks.columns import Column
    from triage.filesystem.checks.ntfsmft import Attribute, Mft
    from triage.filesystem.checks.ntfstable import Table

MAX_BYTES = 512 << 20
"""Bytes of indexes that are read: enough for a few million names."""
_MAX_DAMAGED = 10_000
_MAX_BITMAP = 1 << 20
_INDX = int.from_bytes(b"INDX", "little")


def index_faults(mft: Mft, table: Table) -> Iterator[Fault]:
    """Yield what is wrong with the index blocks in use."""
    block, cluster = mft.boot.index, mft.boot.cluster
    if block < 512 or block > ntfsmft.PIECE or block % 512:
        yield Fault(Severity.WARNING, f"the boot sector gives index blocks {block} bytes: folders' indexes were not checked")
        return
    which = table.column("run_type") == ntfsmft.INDEX_ALLOCATION
    owner, start, length = (table.column(c)[which] for c in ("run_record", "run_start", "run_length"))
    order = np.argsort(start, kind="stable")
    owner, start, length = owner[order], start[order], length[order]
    whole = int(length.sum()) * cluster
    kept = int(np.searchsorted(np.cumsum(length) * cluster, MAX_BYTES, "right"))
    # Where a block is larger than a cluster it may lie in two runs: such folders are read one by one.
    torn = np.unique(owner[length * cluster % block != 0])
    damaged: set[int] = set()
    for folder, first, count in zip(owner[:kept].tolist(), start[:kept].tolist(), length[:kept].tolist(), strict=True):
        if len(torn) and folder in torn:
            continue
        for place in _bad_blocks(mft, [ntfsmft.Run(first, count)], count * cluster):
            if len(damaged) < _MAX_DAMAGED and _in_use(mft, folder, first + place // cluster):
                damaged.add(folder)
    for folder in torn.tolist():
        for index in _indexes(mft, folder):
            used = _bits(mft, folder, index)
            if any(_is_set(used, place // block) for place in _bad_blocks(mft, index.runs or (), index.size)):
                damaged.add(folder)
    if damaged:
        shown = ", ".join(str(n) for n in sorted(damaged)[:KEPT]) + (" …" if len(damaged) > KEPT else "")
        message = f"the indexes of {len(damaged)} folders are damaged: names of deleted files in them are missing"
        yield Fault(Severity.ERROR, f"{message}, others may be", detail=f"records {shown}")
    if kept < len(owner):
        yield Fault(Severity.INFO, f"of {whole} bytes of folders' indexes, the first {MAX_BYTES} were checked")


def _bad_blocks(mft: Mft, runs: Sequence[ntfsmft.Run], size: int) -> Iterator[int]:
    """Yield the places, relative to what lies in the runs, of blocks that are none or not of one piece."""
    block = mft.boot.index
    piece = ntfsmft.PIECE // block * block
    done = 0
    for data in ntfsmft.read_runs(mft.reader, runs, mft.boot.cluster, size // block * block, piece):
        here = Bytes(data)
        at = np.arange(len(data) // block, dtype=np.int64) * block
        offset, count = here.at(at + 4, 2), here.at(at + 6, 2)
        sound: Column = (here.at(at, 4) == _INDX) & (count == block // 512 + 1) & (offset + 2 * count <= 510)
        number = here.at(at + np.where(sound, offset, 0), 2)
        for sector in range(block // 512):
            sound &= here.at(at + 512 * sector + 510, 2) == number
        yield from (at[~sound] + done).tolist()
        done += len(data)


def _indexes(mft: Mft, folder: int) -> Iterator[Attribute]:
    """Yield the index allocations of a record, each with all its runs."""
    record = mft.record(folder)
    if record is None:
        return
    for name in sorted({a.name for a in record.attributes if a.type == ntfsmft.INDEX_ALLOCATION}):
        index = mft.whole(record, ntfsmft.INDEX_ALLOCATION, name)
        if index is not None and index.runs is not None:
            yield index


def _bits(mft: Mft, folder: int, index: Attribute) -> bytes | None:
    """Return the bitmap of the blocks of an index; ``None`` when it has none."""
    record = mft.record(folder)
    bitmap = mft.whole(record, ntfsmft.BITMAP, index.name) if record is not None else None
    return mft.content(bitmap, _MAX_BITMAP) if bitmap is not None else None


def _is_set(bits: bytes | None, block: int) -> bool:
    return bits is None or (block // 8 < len(bits) and bool(bits[block // 8] >> block % 8 & 1))


def _in_use(mft: Mft, folder: int, cluster: int) -> bool:
    """Whether the index block that begins at a cluster is in use; also where that cannot be told."""
    for index in _indexes(mft, folder):
        reached = 0
        for run in index.runs or ():
            if run.start is not None and run.start <= cluster < run.start + run.length:
                block = (reached + cluster - run.start) * mft.boot.cluster // mft.boot.index
                return block * mft.boot.index < index.size and _is_set(_bits(mft, folder, index), block)
            reached += run.length
    return True
