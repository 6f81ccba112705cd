"""HFS+ and HFSX: what was listed, held against the volume headers, the three B-trees and the allocation file.

Every file and folder has two records in the catalog, one by its folder and name and one by its ID; each folder counts what it holds,
the volume header all files and folders, each tree its records. All of them agree on a volume that was unmounted cleanly; on one
whose journal was not replayed the counts may not, and are then not held against each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.escape import show_name
from triage.filesystem.checks import Fault, Found, Missed, hfsformat
from triage.filesystem.checks.columns import KEPT, count_bitmap, uncovered
from triage.filesystem.checks.hfscatalog import ATTRIBUTE_FORK, DATA_FORK, Attributes, Catalog, Overflow, Rows
from triage.filesystem.checks.hfsformat import Disk, Extent
from triage.filesystem.checks.hfstree import Tree, read_tree_header
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.filesystem.checks import VolumeReader
    from triage.filesystem.checks.columns import Column
    from triage.filesystem.listed import Listed

_BITMAP_PIECE = 256 << 10
_MAX_DEPTH = 1024


def check(reader: VolumeReader, listed: Listed) -> Iterator[Fault | Missed | Found]:
    """Yield what differs and what was missed."""
    disk, faults = _headers(reader)
    yield from faults
    if disk is None:
        return
    pending = hfsformat.journal_pending(disk)
    if pending:
        yield Fault(Severity.WARNING, "the journal holds changes that were not yet made in the file system; they were not replayed")
    elif not disk.header.attributes & hfsformat.UNMOUNTED:
        yield Fault(Severity.INFO, "the volume was not unmounted cleanly")
    if disk.header.attributes & hfsformat.INCONSISTENT:
        yield Fault(Severity.WARNING, "the volume is marked as inconsistent")
    overflow, catalog, attributes = Overflow(disk.blocks), Catalog(disk.blocks), Attributes(disk.blocks)
    yield from _tree(disk, hfsformat.EXTENTS, overflow, overflow)
    yield from _tree(disk, hfsformat.CATALOG, overflow, catalog)
    yield from _tree(disk, hfsformat.ATTRIBUTES, overflow, attributes)
    names = _Names(disk, catalog)
    yield from _records(names, strict=not pending)
    yield from _forks(disk, catalog, overflow, attributes)
    yield from _listed(names, overflow, listed)
    yield from _blocks(disk, catalog, overflow, attributes, listed, strict=not pending)


def _headers(reader: VolumeReader) -> tuple[Disk | None, list[Fault]]:
    """Return the volume by its header, and how header and copy differ. Counts and dates are older in the copy by design."""
    faults = []
    base = hfsformat.embedded(reader)
    header = hfsformat.read_header(reader.read(base + hfsformat.HEADER, 512))
    ends = [reader.size - 1024]
    if header is not None:
        ends.append(base + header.blocks * header.block - 1024)
    copies = (hfsformat.read_header(reader.read(end, 512)) for end in ends if base + hfsformat.HEADER < end)
    copy = next((c for c in copies if c is not None), None)
    if header is None:
        faults.append(Fault(Severity.ERROR, "the volume header is damaged" + ("; its copy was used for the checks" if copy else "")))
        header = copy
    elif copy is None:
        faults.append(Fault(Severity.WARNING, "the volume header's copy at the volume's end is damaged or missing"))
    else:
        differ = [name for kind, name in hfsformat.SPECIAL_FILES.items() if header.forks[kind] != copy.forks[kind]]
        if header.fixed != copy.fixed:
            faults.append(Fault(Severity.ERROR, "the volume header and its copy differ in what never changes: names may be missing"))
        if differ:
            message = f"the volume header and its copy differ in where {', '.join(differ)} lies: names may be missing"
            faults.append(Fault(Severity.ERROR, message))
    if header is None:
        faults.append(Fault(Severity.ERROR, "neither volume header can be used: whether names are missing was not checked"))
        return None, faults
    disk = Disk(reader, base, header)
    if header.blocks * header.block > disk.size + header.block:
        message = f"the file system has {header.blocks * header.block} bytes, the volume only {disk.size}: what lies behind is missing"
        faults.append(Fault(Severity.ERROR, message))
    return disk, faults


def allocation_file(reader: VolumeReader) -> tuple[Disk, list[Extent]] | None:
    """Return a volume and where its allocation file lies, as far as it lies in the volume; ``None`` without a usable header."""
    disk, _ = _headers(reader)
    if disk is None:
        return None
    fork, overflow = disk.header.forks[hfsformat.ALLOCATION], Overflow(disk.blocks)
    if sum(extent.length for extent in fork.extents) < fork.blocks:
        for _ in _tree(disk, hfsformat.EXTENTS, overflow, overflow):
            pass  # what is wrong with the tree is for the check to say
    return disk, disk.inside([*fork.extents, *overflow.of(hfsformat.ALLOCATION, 0)])


def _tree(disk: Disk, kind: int, overflow: Overflow, rows: Rows) -> Iterator[Fault]:
    """Read one of the trees into ``rows``; say what is wrong with it."""
    name = hfsformat.SPECIAL_FILES[kind]
    fork = disk.header.forks[kind]
    if not fork.size and not fork.blocks and kind == hfsformat.ATTRIBUTES:
        return  # volumes without extended attributes have none
    extents = [*fork.extents, *(overflow.of(kind, 0) if kind != hfsformat.EXTENTS else [])]
    sound = disk.inside(extents)
    blocks = sum(extent.length for extent in sound)
    if len(sound) < len(extents) or blocks != fork.blocks or fork.size > blocks * disk.header.block:
        message = f"{name}: {blocks} of its {fork.blocks} blocks could be located, for {fork.size} bytes: names may be missing"
        yield Fault(Severity.ERROR, message)
    header = read_tree_header(b"".join(disk.fork(sound, 512)))
    if header is None:
        yield Fault(Severity.ERROR, f"{name}: the tree's header is damaged: what it holds was not checked")
        return
    tree = Tree(header, rows.take)
    for piece in disk.fork(sound, min(fork.size, header.nodes * header.node)):
        tree.feed(piece)
    tree.settle()
    rows.settle(sound, header.node, tree.live)
    if tree.faults:
        what = {hfsformat.CATALOG: "names", hfsformat.EXTENTS: "parts of large files"}.get(kind, "extended attributes and resource forks")
        yield Fault(Severity.ERROR, f"{name} is damaged: {what} may be missing", detail="; ".join(tree.faults))


class _Names:
    """The catalog's files, folders and threads, and their names for messages."""

    def __init__(self, disk: Disk, catalog: Catalog) -> None:
        self.disk = disk
        self.catalog = catalog
        self.id, self.parent, self.folder, self.told = (catalog.column("things", c) for c in ("id", "parent", "folder", "told"))
        self._place = [catalog.column("things", c) for c in ("node", "place", "letters")]

    def name(self, row: int) -> bytes:
        """Return a file's or folder's name as UTF-16."""
        node, place, letters = (int(column[row]) for column in self._place)
        at = node * self.catalog.node_size + place % self.catalog.node_size
        return self.disk.at(self.catalog.extents, at, 2 * letters)

    def said(self, severity: Severity, message: str, rows: Column) -> Iterator[Fault]:
        """Yield one fault for some files and folders, with the first of them by ID and name."""
        if not len(rows):
            return
        shown = [f"{self.id[row]} ({show_name(hfsformat.utf8(self.name(int(row))))[0]})" for row in rows[:KEPT]]
        more = f" and {len(rows) - len(shown)} more" if len(rows) > len(shown) else ""
        yield Fault(severity, f"{len(rows)} {message}", detail="IDs " + ", ".join(shown) + more)


def _records(names: _Names, *, strict: bool) -> Iterator[Fault]:
    """Hold the catalog's records against each other and against the volume header's counts."""
    catalog, header = names.catalog, names.disk.header
    identity, parent, folder, told = names.id, names.parent, names.folder, names.told
    rows = np.arange(len(identity))
    _, first, times = np.unique(identity, return_index=True, return_counts=True)
    yield from names.said(Severity.ERROR, "files or folders have an ID that others have too", first[times > 1])
    by_id, of_folder, above, called = (catalog.column("threads", c) for c in ("id", "folder", "parent", "told"))
    order = np.argsort(by_id, kind="stable")
    by_id, of_folder, above, called = by_id[order], of_folder[order], above[order], called[order]
    at = np.minimum(np.searchsorted(by_id, identity), max(len(by_id) - 1, 0))
    there = by_id[at] == identity if len(by_id) else np.zeros(len(identity), bool)
    yield from names.said(Severity.ERROR, "files or folders have no record by their ID: they cannot be opened", rows[~there])
    if len(by_id):
        differ = there & ((above[at] != parent) | (called[at] != told) | (of_folder[at] != folder))
        message = "files or folders have another name, folder or kind by their ID than in their folder: one of the two is wrong"
        yield from names.said(Severity.ERROR, message, rows[differ])
    alone = by_id[~np.isin(by_id, identity)]
    if len(alone):
        shown = ", ".join(str(n) for n in alone[:KEPT])
        yield Fault(
            Severity.ERROR,
            f"{len(alone)} files or folders have a record by their ID and are in no folder: names are missing",
            detail=f"IDs {shown}",
        )
    known = np.isin(parent, identity[folder]) | ((identity == hfsformat.ROOT) & (parent == 1))
    yield from names.said(Severity.ERROR, "files or folders lie in a folder that the catalog does not have", rows[~known])
    if not strict:
        return
    held, count = np.unique(parent, return_counts=True)
    at = np.minimum(np.searchsorted(held, identity), max(len(held) - 1, 0))
    inside = np.where(held[at] == identity, count[at], 0) if len(held) else np.zeros(len(identity), np.int64)
    wrong = folder & (inside != catalog.column("things", "valence"))
    yield from names.said(Severity.ERROR, "folders hold another number of names than they count: names are missing", rows[wrong])
    files, folders = int((~folder).sum()), int((folder & (identity != hfsformat.ROOT)).sum())
    if (files, folders) != (header.files, header.folders):
        message = f"the catalog has {files} files and {folders} folders, the volume header counts {header.files} and {header.folders}"
        yield Fault(Severity.ERROR, f"{message}: names are missing")
    if len(identity) and int(identity.max()) >= header.next_id and not header.attributes & hfsformat.REUSED_IDS:
        yield Fault(Severity.WARNING, f"the next ID should be {header.next_id}, but the catalog has higher ones already")


def _forks(disk: Disk, catalog: Catalog, overflow: Overflow, attributes: Attributes) -> Iterator[Fault]:
    """Hold the sizes of files against the extents that they have in both trees."""
    for rows, name in ((catalog, "catalog"), (overflow, "extents overflow"), (attributes, "extended attribute")):
        if count := rows.wrong.counts.get("records do not fit"):
            yield Fault(
                Severity.ERROR, f"{count} {name} records do not fit", detail="nodes " + _places(rows.wrong.first["records do not fit"])
            )
        if count := rows.wrong.counts.get("lie outside of the volume"):
            message = f"{count} extents lie outside of the volume: content is missing"
            yield Fault(Severity.ERROR, message, detail="IDs " + _places(rows.wrong.first["lie outside of the volume"]))
    if count := catalog.wrong.counts.get("are not of the kind that their mode says"):
        message = f"{count} files or folders are of another kind than their mode or mark says"
        yield Fault(Severity.WARNING, message, detail="IDs " + _places(catalog.wrong.first["are not of the kind that their mode says"]))
    identity, fork, size, blocks, first = (catalog.column("forks", c) for c in ("id", "fork", "size", "blocks", "first"))
    owner, kind, total = (overflow.column("parts", c) for c in ("owner", "fork", "total"))
    keys, where = np.unique(owner << 8 | kind, return_inverse=True)
    sums = np.bincount(where, weights=total, minlength=len(keys)).astype(np.int64) if len(keys) else total
    wanted = identity << 8 | fork
    at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    further = np.where(keys[at] == wanted, sums[at], 0) if len(keys) else np.zeros(len(wanted), np.int64)
    short = (first + further != blocks) | (size < 0) | (size > blocks * disk.header.block)
    lost = np.unique(identity[short])
    if len(lost):
        message = f"{len(lost)} files have other blocks than they count, or are larger than these: their content is not whole"
        yield Fault(Severity.ERROR, message, detail="IDs " + _places(lost.tolist()))
    alone = np.unique(keys[~np.isin(keys, wanted)] >> 8)
    alone = alone[alone >= hfsformat.FIRST_USER]
    if len(alone):
        yield Fault(
            Severity.ERROR, f"{len(alone)} files have further extents and are not in the catalog", detail="IDs " + _places(alone.tolist())
        )
    loose = np.unique(attributes.column("rows", "owner"))
    loose = loose[(loose >= hfsformat.FIRST_USER) & ~np.isin(loose, catalog.column("things", "id"))]
    if len(loose):
        message = f"extended attributes belong to {len(loose)} files that are not in the catalog"
        yield Fault(Severity.WARNING, message, detail="IDs " + _places(loose.tolist()))


def _places(numbers: list[int]) -> str:
    return ", ".join(str(n) for n in numbers[:KEPT]) + (" …" if len(numbers) > KEPT else "")


def _listed(names: _Names, overflow: Overflow, listed: Listed) -> Iterator[Fault | Missed | Found]:
    """Hold the catalog against the names that were listed. Hard links are listed with the address of what they lead to."""
    identity, digest, link = names.id, names.catalog.column("things", "digest"), names.catalog.column("things", "link")
    rows = np.arange(len(identity))
    users = identity != hfsformat.ROOT
    addresses, digests = np.array(listed.addresses, dtype=np.int64), np.array(listed.digests, dtype=np.int64)
    own = addresses >= hfsformat.FIRST_USER  # the others are TSK's names for the special files
    addresses, digests = addresses[own], digests[own]
    expected, found = identity << 32 | digest, addresses << 32 | digests
    lost = users & ~link & ~np.isin(identity, addresses)
    unlisted = (users & ~link & ~lost & ~np.isin(expected, found)) | (link & ~np.isin(digest, digests))
    message = (
        "files or folders were listed under another name or in another folder than the catalog has them, or not under all of their names"
    )
    yield from names.said(Severity.ERROR, message, rows[unlisted])
    unknown = addresses[~np.isin(found, expected[users]) & ~np.isin(digests, digest[link])]
    if len(unknown):
        message = f"{len(unknown)} names were listed that the catalog does not have like that: these names or their folders may be wrong"
        yield Fault(Severity.ERROR, message, detail="IDs " + _places(unknown.tolist()))
    bare = users & ~link & np.isin(identity, np.fromiter(listed.unopened, np.int64, len(listed.unopened)))
    if not lost.any() and not bare.any():
        return
    places = _Places(names, overflow)
    for row in rows[lost].tolist():
        yield Missed(int(identity[row]), hfsformat.utf8(names.name(row)), int(names.parent[row]), places.found(row))
    for row in rows[bare].tolist():
        yield places.found(row)


class _Places:
    """Where the files of the catalog are: their paths, sizes and extents, for those that TSK cannot open."""

    def __init__(self, names: _Names, overflow: Overflow) -> None:
        self._names = names
        self._order = np.argsort(names.id, kind="stable")
        self._sorted = names.id[self._order]
        catalog = names.catalog
        self._sizes = {
            identity: size
            for identity, fork, size in zip(*(catalog.column("forks", c).tolist() for c in ("id", "fork", "size")), strict=True)
            if fork == DATA_FORK
        }
        owner, fork, start, count = (
            np.concatenate([rows.column("extents", c) for rows in (catalog, overflow)]) for c in ("owner", "fork", "start", "count")
        )
        order = np.argsort(owner, kind="stable")
        order = order[fork[order] == DATA_FORK]
        self._owner, self._start, self._count = owner[order], start[order], count[order]

    def found(self, row: int) -> Found:
        """Return a file or folder by its place."""
        identity, block, base = int(self._names.id[row]), self._names.disk.header.block, self._names.disk.base
        first, last = (int(np.searchsorted(self._owner, identity, side)) for side in ("left", "right"))
        extents = zip(self._start[first:last].tolist(), self._count[first:last].tolist(), strict=True)
        runs = tuple((base + start * block, count * block) for start, count in extents)
        return Found(self._path(row), max(0, self._sizes.get(identity, 0)), runs, directory=bool(self._names.folder[row]))

    def _path(self, row: int) -> tuple[bytes, ...]:
        path = [hfsformat.utf8(self._names.name(row))]
        for _ in range(_MAX_DEPTH):
            parent = int(self._names.parent[row])
            if parent == hfsformat.ROOT:
                return tuple(reversed(path))
            at = int(np.searchsorted(self._sorted, parent))
            if at >= len(self._sorted) or self._sorted[at] != parent:
                break
            row = int(self._order[at])
            path.append(hfsformat.utf8(self._names.name(row)))
        return (b"$OrphanFiles", path[0])


def _blocks(disk: Disk, catalog: Catalog, overflow: Overflow, attributes: Attributes, listed: Listed, *, strict: bool) -> Iterator[Fault]:
    """Hold the allocation file against the extents of everything, and these against what TSK gave as places; set ``listed.free``."""
    header = disk.header
    owner, fork, start, count = (
        np.concatenate([rows.column("extents", c) for rows in (catalog, overflow, attributes)]) for c in ("owner", "fork", "start", "count")
    )
    bitmap = disk.inside([*header.forks[hfsformat.ALLOCATION].extents, *overflow.of(hfsformat.ALLOCATION, 0)])
    special = [extent for kind in header.forks for extent in disk.inside(header.forks[kind].extents)]
    special.append(Extent(0, -(-(hfsformat.HEADER + 512) // header.block)))
    # The copy of the volume header lies in the last blocks, or behind them when the volume does not end with a whole block.
    last = max(0, (header.blocks * header.block - 1024) // header.block)
    if last < disk.blocks and _marked(disk, bitmap, last):
        special.append(Extent(last, disk.blocks - last))
    begin = np.concatenate((start, np.array([extent.start for extent in special], dtype=np.int64)))
    end = np.concatenate((start + count, np.array([extent.start + extent.length for extent in special], dtype=np.int64)))
    order = np.argsort(begin, kind="stable")
    wanted = -(-disk.blocks // 8)
    counts = count_bitmap(disk.fork(bitmap, wanted, _BITMAP_PIECE), "big", disk.blocks, begin[order], end[order])
    if counts.checked < disk.blocks:
        yield Fault(Severity.WARNING, "the allocation file cannot be read in full: whether blocks in use belong to no file was not checked")
    listed.free = (counts.checked - counts.marked) * header.block
    if counts.shared:
        twice = f"{counts.shared} blocks ({counts.shared * header.block} bytes)"
        yield Fault(Severity.ERROR, f"{twice} belong to more than one file: the content of these is wrong")
    if strict and counts.nobody:
        lost = f"{counts.nobody} blocks ({counts.nobody * header.block} bytes)"
        yield Fault(Severity.WARNING, f"{lost} are marked in use and belong to no file: files or parts of files are missing")
    if strict and counts.free:
        yield Fault(Severity.WARNING, f"{counts.free} blocks ({counts.free * header.block} bytes) belong to files and are marked free")
    if strict and counts.checked == header.blocks and counts.checked - counts.marked != header.free:
        message = f"{counts.checked - counts.marked} blocks are free, the volume header says {header.free}"
        yield Fault(Severity.WARNING, message)
    opened = np.array([a for a in listed.addresses if a not in listed.unopened], dtype=np.int64)
    seen = np.isin(owner, opened) & (fork != ATTRIBUTE_FORK)
    at = disk.reader.volume.offset + disk.base
    unseen = uncovered(listed.ownership.ranges(), start[seen] * header.block + at, (start + count)[seen] * header.block + at)
    if unseen:
        message = f"{unseen} bytes belong to listed files by the catalog, but were not given as theirs: their content may be wrong"
        yield Fault(Severity.WARNING, message)


def _marked(disk: Disk, bitmap: list[Extent], block: int) -> bool:
    """Whether the allocation file calls a block used."""
    byte = disk.at(bitmap, block // 8, 1)
    return bool(byte and byte[0] & 128 >> block % 8)
