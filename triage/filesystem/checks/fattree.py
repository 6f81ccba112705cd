"""FAT's directories, walked by our own reading: every name that is in use, against what the walk listed; every chain against its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.escape import show, show_name
from triage.filesystem.checks import Fault, Found, Missed
from triage.filesystem.checks import fatdir as slots
from triage.filesystem.checks.chaintree import MAX_DEPTH, ROOT_ADDRESS, ChainTree
from triage.filesystem.checks.clusters import FREE, Chain, Stop, byte_runs, covered, runs_of
from triage.filesystem.checks.fatdir import Odd, Record
from triage.filesystem.checks.owners import ORPHANS, check_end
from triage.filesystem.dostime import fat_stamps
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.filesystem.checks import VolumeReader
    from triage.filesystem.checks.clusters import Table
    from triage.filesystem.checks.fatboot import Boot
    from triage.filesystem.checks.faults import Faults
    from triage.filesystem.listed import Listed


class _Place(NamedTuple):
    """A directory to read: its first cluster (0: FAT12's and FAT16's root), TSK's address, its path, its parent's first cluster.

    ``parent`` is ``None`` where it is not known: of the root and of directories that no name leads to.
    """

    cluster: int
    address: int | None
    path: tuple[bytes, ...]
    parent: int | None


class Tree(ChainTree[_Place]):
    """Walks the directories. ``owners`` collects who has which clusters, ``labels`` the label in the root directory.

    Counted besides: ``deleted_long`` names whose long name does not fit, ``zeroed`` slots that count as never used and hold something,
    ``code_page`` short names beyond ASCII.
    """

    def __init__(self, reader: VolumeReader, boot: Boot, tables: list[Table], listed: Listed, faults: Faults) -> None:
        super().__init__(reader, listed, faults)
        self.labels: list[bytes] = []
        self.deleted_long = 0
        self.zeroed = 0
        self.code_page = 0
        self._boot = boot
        self._table = tables[0]
        self._other = tables[1] if len(tables) > 1 else None
        self._room = boot.clusters * boot.cluster

    def walk(self) -> Iterator[Fault | Missed | Found]:
        """Walk from the root."""
        root = self._boot.root_cluster
        if root:
            chain = self._table.chain(root)
            self.owners.own(self.owners.shown(()), chain)
            yield from check_end(chain, self._reader.volume.name, self._faults, directory=True)
        yield from self._descend(_Place(root, ROOT_ADDRESS, (), None))

    def walk_lost(self, cluster: int) -> Iterator[Fault | Missed | Found]:
        """Walk a directory that no name leads to."""
        chain = self._table.chain(cluster)
        self.owners.own(self.owners.shown((ORPHANS, b"directory in cluster %d" % cluster)), chain)
        yield from self._descend(_Place(cluster, None, (ORPHANS,), None))

    def is_directory(self, cluster: int) -> bool:
        """Whether a cluster begins like a directory below the root: with ``.`` that leads to itself, and ``..``."""
        head = self._reader.read(self._boot.cluster_at(cluster), 64)
        return self._is_dot(head[:32], b".", cluster) and self._is_dot(head[32:], b"..", None)

    def _pieces(self, place: _Place) -> Iterator[tuple[int, bytes]]:
        """Yield a directory's bytes with where they lie, by the first FAT and, where that ends earlier, by the second."""
        boot = self._boot
        if not place.cluster:
            runs = [(boot.first_slot, boot.root_entries * 32)]
        else:
            clusters = self._table.chain(place.cluster).runs
            more = self._other.chain(place.cluster) if self._other is not None else None
            if more is not None and more.stop is Stop.END and more.runs != clusters:
                spans = np.array(sorted(clusters), np.int64).reshape(-1, 2)
                starts, ends = spans[:, 0], spans.sum(axis=1)
                clusters = clusters + [run for first, count in more.runs for run in runs_of(~covered(first, count, starts, ends), first)]
            runs = [(boot.cluster_at(first), count * boot.cluster) for first, count in clusters]
        yield from self._read(runs)

    def _directory(self, place: _Place, below: list[_Place]) -> Iterator[Fault | Missed | Found]:
        """Read one directory."""
        path = self.owners.shown(place.path)
        unreadable = 0
        entries: list[Record] = []
        dots: list[Record] = []
        for one in slots.read_slots(self._pieces(place)):
            if isinstance(one, Record) and slots.is_chance(one.slot, self._boot.bits, self._boot.clusters + 1, self._room):
                unreadable += 1
            elif isinstance(one, Odd):
                unreadable += one.kind == slots.UNREADABLE
                yield from self._odd(one, path)
            elif one.attributes & slots.LABEL and not one.directory:
                yield from self._label(one, place, path)
            elif one.slot[:11] in (b".          ", b"..         "):
                dots.append(one)
            else:
                entries.append(one)
        yield from self._dots(place, path, dots)
        yield from self._tell_behind(sum(entry.behind for entry in entries), path)
        yield from self._tell_unreadable(unreadable, path)
        missing = self._seen.missing([self._boot.address(entry.at) for entry in entries])
        for entry, gone in zip(entries, missing, strict=True):
            yield from self._entry(entry, place, f"{path}/{show_name(entry.name)[0]}", below, gone=gone)

    def _odd(self, odd: Odd, path: str) -> Iterator[Fault]:
        if odd.kind == slots.ORPHAN_LONG:
            message = f"a long name stands without its entry, which is missing or marked deleted: {show(odd.text)}"
            yield from self._faults.tell(Severity.ERROR, "long names without their entries", message, path, f"byte {odd.at} of the volume")
        elif odd.kind == slots.DELETED_LONG:
            self.deleted_long += 1
        elif odd.kind == slots.ZEROED:
            self.zeroed += 1

    def _label(self, entry: Record, place: _Place, path: str) -> Iterator[Fault]:
        odd = slots.fields_odd(entry.slot, self._boot.bits)
        if place.address == ROOT_ADDRESS and not odd and not self.labels:
            self.labels.append(entry.slot[:11])
        else:
            message = "a label stands where none belongs: it may be a damaged entry, whose content is missing"
            yield from self._faults.tell(Severity.WARNING, "labels where none belong", message, path, f"byte {entry.at} of the volume")

    def _is_dot(self, slot: bytes, name: bytes, cluster: int | None) -> bool:
        if slot[:11] != name.ljust(11) or not slot[11] & slots.DIRECTORY:
            return False
        return cluster is None or Record(0, slot, b"", False).cluster(self._boot.bits) == cluster

    def _dots(self, place: _Place, path: str, dots: list[Record]) -> Iterator[Fault]:
        """Hold ``.`` and ``..`` against where the directory and its parent are."""
        if place.address == ROOT_ADDRESS:
            if dots:
                message = "the root directory has entries '.' and '..', which only others have: it is another directory, or damaged"
                yield Fault(Severity.ERROR, message, path)
            return
        bits, root = self._boot.bits, self._boot.root_cluster
        where = {entry.slot[:11].rstrip(): entry.cluster(bits) for entry in reversed(dots)}
        if b"." not in where or b".." not in where:
            message = "the directory does not begin with '.' and '..': it may be no directory, or its first names are missing"
            yield from self._faults.tell(Severity.ERROR, "directories without '.' or '..'", message, path)
        if where.get(b".", place.cluster) != place.cluster:
            message = f"the directory lies in cluster {place.cluster}, but calls itself that in cluster {where[b'.']}"
            yield from self._faults.tell(Severity.ERROR, "directories in another's place", message, path)
        parent = place.parent
        if parent is not None and where.get(b"..", parent) not in ({0, root} if parent in (0, root) else {parent}):
            message = f"its '..' leads to cluster {where[b'..']}, not to {parent} where its parent is: one of the two is another's"
            yield from self._faults.tell(Severity.WARNING, "directories that name another parent", message, path)

    def _entry(self, entry: Record, place: _Place, shown: str, below: list[_Place], *, gone: bool) -> Iterator[Fault | Missed | Found]:
        """Check one entry; go into it later if it is a directory; give it back if it was not listed."""
        boot = self._boot
        path = (*place.path, entry.name)
        first = entry.cluster(boot.bits)
        if entry.long:
            message = f"{entry.long}; its short name is {show(slots.short_text(entry.slot).decode('ascii', 'replace'))}"
            yield from self._faults.tell(Severity.WARNING, "damaged names", message, shown)
        self.code_page += entry.name == slots.short_text(entry.slot) and any(byte > 0x7E for byte in entry.slot[:11])
        if entry.hint:
            message = f"the long name may be damaged: {entry.hint} ({show(slots.short_text(entry.slot).decode('ascii', 'replace'))})"
            yield from self._faults.tell(Severity.INFO, "long names that may be damaged", message, shown)
        odd = slots.fields_odd(entry.slot, boot.bits)
        if odd:
            message = f"the entry holds what nothing writes there ({odd}): it is damaged, or no entry"
            yield from self._faults.tell(Severity.WARNING, "entries with impossible fields", message, shown)
        yield from self._check_times(fat_stamps(entry.slot), shown)
        chain = self._table.chain(first) if first else Chain([], 0, Stop.END, 0)
        self.owners.own(shown, chain)
        if entry.directory and not chain.runs:
            message = "the directory has no cluster, or one that does not exist: what it held is missing"
            yield from self._faults.tell(Severity.ERROR, "directories without a cluster", message, shown)
        elif entry.directory:
            yield from check_end(chain, shown, self._faults, directory=True)
        elif chain.length * boot.cluster < entry.size:
            yield from self._cut(entry, first, chain, shown)
        else:
            yield from check_end(chain, shown, self._faults, directory=False)
            yield from self._check_size(entry, chain, shown)
        if not entry.directory:
            yield from self._by_other(entry, path, first, chain)
        address = boot.address(entry.at)
        if gone and not self._in_free(entry.at):
            yield from self._lost(entry, place, path, chain, address)
        if entry.directory and chain.runs and first not in self._walked:
            if len(path) > MAX_DEPTH:
                yield Fault(Severity.ERROR, f"directories nest deeper than {MAX_DEPTH}: what lies below was not checked", shown)
                return
            below.append(_Place(first, address, path, place.cluster))

    def _in_free(self, at: int) -> bool:
        """Whether a slot lies in a cluster that is marked free: TSK lists what is there as deleted."""
        boot = self._boot
        return at >= boot.heap and self._table.value((at - boot.heap) // boot.cluster + 2) == FREE

    def _lost(self, entry: Record, place: _Place, path: tuple[bytes, ...], chain: Chain, address: int) -> Iterator[Missed | Found]:
        """Give back an entry that was not listed: by its address where TSK opens it, else by its clusters."""
        boot = self._boot
        if slots.is_short_name(entry.slot[:11]) and slots.tsk_takes(entry.slot, boot.bits, boot.clusters + 1, self._room):
            yield Missed(address, entry.name, place.address)
            return
        if entry.directory:
            yield self._folder(path, address, place.address)
            return
        yield Found(path, entry.size, self._runs(entry.size, chain))

    def _by_other(self, entry: Record, path: tuple[bytes, ...], first: int, chain: Chain) -> Iterator[Found]:
        """Give a file once more by the second FAT, where that has another chain for it, and one that fits its size."""
        if self._other is None or not entry.size:
            return
        more = self._other.chain(first)
        if more.stop is Stop.END and more.length == -(-entry.size // self._boot.cluster) and more.runs != chain.runs:
            yield Found((*path[:-1], entry.name + b" (by the second FAT)"), entry.size, self._runs(entry.size, more))

    def _runs(self, size: int, chain: Chain) -> tuple[tuple[int, int], ...]:
        return byte_runs(chain, size, self._boot.heap, self._boot.cluster)

    def _cut(self, entry: Record, first: int, chain: Chain, path: str) -> Iterator[Fault]:
        """Tell of a file whose chain is shorter than its size."""
        has = chain.length * self._boot.cluster
        if chain.runs:
            why = f"behind cluster {chain.last} its chain comes to {chain.stop.value}"
        else:
            why = f"it begins in cluster {first}, which does not exist" if first else "it names no cluster"
        message = f"only {has} of {entry.size} bytes of the content can be found: {why}"
        yield from self._faults.tell(Severity.ERROR, "files whose content is cut", message, path)

    def _check_size(self, entry: Record, chain: Chain, path: str) -> Iterator[Fault]:
        """Tell of a file that has more clusters than its size needs."""
        has = chain.length * self._boot.cluster
        if chain.stop is not Stop.GIVEN_UP and has - entry.size >= self._boot.cluster:
            message = f"the size is {entry.size} bytes, but clusters for {has} belong to the file: content behind its end was not read"
            yield from self._faults.tell(Severity.WARNING, "files with more clusters than their size needs", message, path)
