"""ext2, ext3 and ext4: what was listed against superblocks, descriptors, bitmaps, inodes, directories and blocks.

Nothing of it is read through TSK. A volume whose journal was not replayed, or that was not unmounted in order, has books that differ
without damage: that is said once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.filesystem.checks import Fault, Missed
from triage.filesystem.checks.extblocks import BlockMaps
from triage.filesystem.checks.extdirs import Directories
from triage.filesystem.checks.extinodes import DIRECTORY, InodeTables
from triage.filesystem.checks.extspace import check_space
from triage.filesystem.checks.extsuper import check_counts, check_descriptors, check_reserved, check_superblock
from triage.filesystem.checks.exttally import Kind, Tally
from triage.filesystem.extlayout import INCOMPAT_RECOVER, ROOT, read_descriptors, read_layout
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from triage.filesystem.checks import VolumeReader
    from triage.filesystem.extlayout import ExtLayout
    from triage.filesystem.listed import Listed

    Numbers = NDArray[np.int64]

MORE_LINKS = Kind(Severity.ERROR, "{n} [file has|files have] more names than were listed: names are missing", cross=True)
FEWER_LINKS = Kind(Severity.WARNING, "{n} [file has|files have] fewer names than were listed: a name leads to the wrong file", cross=True)
NO_ROOT = Kind(Severity.ERROR, "the root directory's inode is damaged: names are missing")


def check(reader: VolumeReader, listed: Listed) -> Iterator[Fault | Missed]:
    """Yield what differs and what was missed."""
    layout = read_layout(reader.read)
    if layout is None:
        yield Fault(Severity.ERROR, "the superblock gives sizes that cannot be: names may be missing, and nothing else was checked")
        return
    tally = Tally()
    tally.dirty = _unclean(layout)
    try:
        yield from _check(reader, layout, listed, tally)
    finally:
        faults = list(tally.faults())
    yield from faults


def _unclean(layout: ExtLayout) -> str:
    if layout.incompat & INCOMPAT_RECOVER:
        return "the journal holds changes that were not carried out and are not read: the newest names may be missing"
    return "" if layout.clean else "the file system was not unmounted in order"


def _check(reader: VolumeReader, layout: ExtLayout, listed: Listed, tally: Tally) -> Iterator[Missed]:
    check_superblock(reader, layout, tally)
    groups = read_descriptors(reader.read, layout)
    check_descriptors(reader, layout, groups, tally)
    addresses, times = np.unique(np.frombuffer(listed.addresses, dtype=np.uint64).astype(np.int64), return_counts=True)
    tables = InodeTables(reader, layout, groups, tally, addresses)
    maps = BlockMaps(reader, layout, tally)
    for piece in tables.pieces():
        maps.take(piece)
    used, links, kinds = tables.inodes.columns()
    if not (kinds[used == ROOT] == DIRECTORY).any():
        tally.add(NO_ROOT, f"inode {ROOT}")
    lost = set(np.setdiff1d(used[(kinds != 0) & (used != ROOT)], addresses, assume_unique=True).tolist())
    directories = Directories(reader, layout, tally, listed, (used, links, kinds), lost)
    directories.read(maps)
    _links(used, links, kinds, addresses, times, tally)
    listed.free = check_space(reader, layout, groups, maps, tally)
    check_counts(layout, groups, tally)
    check_reserved(reader, layout, maps.reserve, tally)
    for address in sorted(lost):
        place = directories.names.get(address) or directories.guesses.get(address)
        folder = place.folder if place else directories.parents.get(address)
        yield Missed(address, place.name if place else b"", folder if folder != address else None)


def _links(used: Numbers, links: Numbers, kinds: NDArray[np.uint8], addresses: Numbers, times: Numbers, tally: Tally) -> None:
    """Hold the number of names of each file against the number that its inode has."""
    files = (kinds != 0) & (kinds != DIRECTORY)
    common, mine, theirs = np.intersect1d(used[files], addresses, assume_unique=True, return_indices=True)
    stored, seen = links[files][mine], times[theirs]
    tally.add_all(MORE_LINKS, "inode", common[stored > seen])
    tally.add_all(FEWER_LINKS, "inode", common[stored < seen])
