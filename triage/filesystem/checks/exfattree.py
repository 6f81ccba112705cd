"""exFAT's directories, walked by our own reading: every entry set in use, its checksums, its place, against what the walk listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from triage.escape import show_name
from triage.filesystem.checks import Fault, Found, Missed
from triage.filesystem.checks import exfatdir as sets
from triage.filesystem.checks.chaintree import MAX_DEPTH, ROOT_ADDRESS, ChainTree
from triage.filesystem.checks.clusters import Chain, Stop, byte_runs
from triage.filesystem.checks.exfatdir import Odd, Record, Special
from triage.filesystem.checks.owners import ORPHANS, check_end
from triage.filesystem.dostime import exfat_stamps
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.filesystem.checks import VolumeReader
    from triage.filesystem.checks.clusters import Table
    from triage.filesystem.checks.exfatboot import Boot
    from triage.filesystem.checks.faults import Faults
    from triage.filesystem.listed import Listed

_MAX_UPCASE = 0x20000


class _Place(NamedTuple):
    """A directory to read: its chain, TSK's address of it, its path."""

    chain: Chain
    address: int | None
    path: tuple[bytes, ...]

    @property
    def cluster(self) -> int:
        """Its first cluster, 0 if its chain has none."""
        return self.chain.runs[0][0] if self.chain.runs else 0


class Tree(ChainTree[_Place]):
    """Walks the directories. ``owners`` collects who has which clusters; ``bitmap`` is the bitmap's ``(first cluster, bytes)``.

    Counted besides: ``deleted`` sets that are no longer whole, ``unwritten`` files whose valid data end before their size.
    """

    def __init__(self, reader: VolumeReader, boot: Boot, table: Table, listed: Listed, faults: Faults) -> None:
        super().__init__(reader, listed, faults)
        self.bitmap: tuple[int, int] | None = None
        self.deleted = 0
        self.unwritten = 0
        self._boot = boot
        self._table = table
        self._upcase: list[int] | None = None
        self._room = boot.clusters * boot.cluster

    def walk(self) -> Iterator[Fault | Missed | Found]:
        """Walk from the root, which the FAT always chains (3.1.10, 7.4)."""
        chain = self._table.chain(self._boot.root)
        self.owners.own(self.owners.shown(()), chain)
        yield from check_end(chain, self._reader.volume.name, self._faults, directory=True)
        top = _Place(chain, ROOT_ADDRESS, ())
        yield from self._specials(top)
        yield from self._descend(top)

    def find_bitmap(self) -> tuple[int, int] | None:
        """Return the bitmap's ``(first cluster, bytes)`` out of the root alone, ``None`` where that has none."""
        for _ in self._specials(_Place(self._table.chain(self._boot.root), ROOT_ADDRESS, ())):
            pass  # what is wrong with it is for the check to say
        return self.bitmap

    def walk_lost(self, cluster: int) -> Iterator[Fault | Missed | Found]:
        """List what is in a cluster of a directory that no name leads to."""
        chain = Chain([(cluster, 1)], 1, Stop.END, cluster)
        self.owners.own(self.owners.shown((ORPHANS, b"directory in cluster %d" % cluster)), chain)
        yield from self._descend(_Place(chain, None, (ORPHANS,)))

    def is_directory(self, cluster: int) -> bool:
        """Whether a cluster begins with a whole entry set, by its checksum."""
        head = self._reader.read(self._boot.cluster_at(cluster), min(self._boot.cluster, 19 * sets.SLOT))
        first = next(sets.read_sets([(0, head)]), None)
        return isinstance(first, Record) and not first.wrong and first.at == 0

    def _pieces(self, place: _Place) -> Iterator[tuple[int, bytes]]:
        return self._read((self._boot.cluster_at(first), count * self._boot.cluster) for first, count in place.chain.runs)

    def _specials(self, root: _Place) -> Iterator[Fault]:
        """Read the root's entries of the bitmap and the up-case table first: the names' hashes need that table (7.1, 7.2)."""
        kinds: dict[int, list[bytes]] = {sets.BITMAP: [], sets.UPCASE: [], sets.LABEL: []}
        for one in sets.read_sets(self._pieces(root)):
            if isinstance(one, Special):
                kinds[one.slot[0]].append(one.slot)
        self._bytes = 0
        for slot in kinds[sets.BITMAP][:1]:
            first, length = int.from_bytes(slot[20:24], "little"), int.from_bytes(slot[24:32], "little")
            needed = -(-self._boot.clusters // 8)
            if length != needed:
                yield Fault(Severity.ERROR, f"the allocation bitmap is {length} bytes long, {self._boot.clusters} clusters need {needed}")
            if 2 <= first <= self._table.last:
                self.bitmap = first, min(length, needed)
            else:
                yield Fault(Severity.ERROR, f"the allocation bitmap is said to begin in cluster {first}, which does not exist")
            self.owners.own(self.owners.shown((b"$ALLOC_BITMAP",)), self._in_a_row(first, min(length, self._room)))
        for slot in kinds[sets.UPCASE][:1]:
            yield from self._read_upcase(slot)
        for kind, name in ((sets.BITMAP, "allocation bitmap"), (sets.UPCASE, "up-case table"), (sets.LABEL, "label")):
            count = len(kinds[kind])
            if count > (2 if kind == sets.BITMAP else 1) or (not count and kind != sets.LABEL):
                yield Fault(Severity.WARNING, f"the root directory has {count} entries for the {name}: entries are damaged")

    def _read_upcase(self, slot: bytes) -> Iterator[Fault]:
        stored, first, length = (int.from_bytes(slot[a:b], "little") for a, b in ((4, 8), (20, 24), (24, 32)))
        chain = self._in_a_row(first, min(length, self._room))
        self.owners.own(self.owners.shown((b"$UPCASE_TABLE",)), chain)
        raw = self._reader.read(self._boot.cluster_at(first), length) if chain.runs and length <= _MAX_UPCASE else b""
        self._upcase = sets.upcase(raw) if raw and sets.sum32(raw) == stored else None
        if self._upcase is None:
            message = "the up-case table is damaged, by its checksum: names were not held against their hashes"
            yield Fault(Severity.WARNING, message)

    def _in_a_row(self, first: int, size: int) -> Chain:
        """Return the clusters of what lies in one piece; none where they do not exist."""
        count = -(-size // self._boot.cluster)
        if not count or not 2 <= first <= self._table.last:
            return Chain([], 0, Stop.OUTSIDE if count else Stop.END, first)
        inside = min(count, self._table.last + 1 - first)
        return Chain([(first, inside)], inside, Stop.END if inside == count else Stop.OUTSIDE, first + inside - 1)

    def _directory(self, place: _Place, below: list[_Place]) -> Iterator[Fault | Missed | Found]:
        """Read one directory."""
        path = self.owners.shown(place.path)
        unreadable = orphans = 0
        entries: list[Record] = []
        for one in sets.read_sets(self._pieces(place)):
            if isinstance(one, Record):
                entries.append(one)
            elif isinstance(one, Odd):
                unreadable += one.kind == sets.UNREADABLE
                orphans += one.kind == sets.ORPHAN
                self.deleted += one.kind == sets.DELETED
            elif place.address != ROOT_ADDRESS:
                unreadable += 1
        yield from self._tell_behind(sum(entry.behind for entry in entries), path)
        if orphans:
            message = f"{orphans} parts of names stand without the beginning of their entry: names are missing"
            yield from self._faults.tell(Severity.ERROR, "directories with parts of names", message, path)
        yield from self._tell_unreadable(unreadable, path)
        missing = self._seen.missing([self._boot.address(entry.at) for entry in entries])
        for entry, gone in zip(entries, missing, strict=True):
            yield from self._entry(entry, place, f"{path}/{show_name(entry.name)[0]}", below, gone=gone)

    def _entry(self, entry: Record, place: _Place, shown: str, below: list[_Place], *, gone: bool) -> Iterator[Fault | Missed | Found]:
        """Check one entry; go into it later if it is a directory; give it back if it was not listed."""
        path = (*place.path, entry.name)
        yield from self._check_set(entry, shown)
        first, size = entry.cluster, entry.size
        in_piece = self._in_a_row(first, size) if size <= self._room * 2 else Chain([], 0, Stop.OUTSIDE, first)
        chain = (self._table.chain(first) if first else Chain([], 0, Stop.END, 0)) if entry.chained else in_piece
        self.owners.own(shown, chain)
        yield from self._check_place(entry, chain, shown)
        address = self._boot.address(entry.at)
        if gone and entry.name and not self._in_free(entry.at):
            yield from self._lost(entry, place, path, chain, address)
        if entry.directory and chain.runs and chain.runs[0][0] not in self._walked:
            if len(path) > MAX_DEPTH:
                yield Fault(Severity.ERROR, f"directories nest deeper than {MAX_DEPTH}: what lies below was not checked", shown)
                return
            below.append(_Place(chain, address, path))

    def _check_set(self, entry: Record, path: str) -> Iterator[Fault]:
        """Hold a set against its checksums, its lengths and the calendar."""
        fits = self._upcase is None or not entry.units or sets.name_hash(entry.units, self._upcase) == entry.name_hash
        if entry.wrong:
            which = "" if self._upcase is None else "; its name is right by its hash" if fits else "; its name does not fit its hash either"
            message = f"{entry.wrong}: name, size, times or place may be wrong{which}"
            yield from self._faults.tell(Severity.ERROR, "damaged entries", message, path)
        elif not fits:
            yield from self._faults.tell(Severity.WARNING, "names that do not fit their hash", "the name does not fit its hash", path)
        if entry.valid > entry.size:
            message = f"{entry.valid} bytes are said to be valid of a size of {entry.size}: the size may be wrong"
            yield from self._faults.tell(Severity.WARNING, "files with more valid data than their size", message, path)
        self.unwritten += entry.valid < entry.size and not entry.directory
        yield from self._check_times(exfat_stamps(entry.primary), path)

    def _check_place(self, entry: Record, chain: Chain, path: str) -> Iterator[Fault]:
        """Hold a set's clusters against its size."""
        cluster, size = self._boot.cluster, entry.size
        has = chain.length * cluster
        if has < size:
            if entry.chained and chain.runs:
                why = f"behind cluster {chain.last} its chain comes to {chain.stop.value}"
            else:
                why = f"from cluster {entry.cluster} on there are no more" if entry.cluster else "it names no cluster"
            lost = "names are missing" if entry.directory else "content is missing"
            message = f"only {has} of its {size} bytes can be found, {lost}: {why}"
            yield from self._faults.tell(Severity.ERROR, "names whose bytes are cut", message, path)
        elif entry.chained and chain.stop is not Stop.GIVEN_UP and has - size >= cluster:
            message = f"the size is {size} bytes, but clusters for {has} belong to it: what lies behind its end was not read"
            yield from self._faults.tell(Severity.WARNING, "names with more clusters than their size needs", message, path)
        elif entry.chained:
            yield from check_end(chain, path, self._faults, directory=entry.directory)
        if entry.directory and (not size or size % cluster):
            message = f"the directory has a size of {size} bytes, which are no whole clusters: names may be missing"
            yield from self._faults.tell(Severity.WARNING, "directories of an odd size", message, path)

    def _in_free(self, at: int) -> bool:
        """Whether a slot lies in a cluster that is marked free: TSK lists what is there as deleted."""
        if self.bitmap is None:
            return False
        number = (at - self._boot.heap) // self._boot.cluster
        mark = self._reader.read(self._boot.cluster_at(self.bitmap[0]) + number // 8, 1)
        return bool(mark) and not mark[0] >> number % 8 & 1

    def _lost(self, entry: Record, place: _Place, path: tuple[bytes, ...], chain: Chain, address: int) -> Iterator[Missed | Found]:
        """Give back an entry that was not listed: by its address where TSK opens it, else by its clusters."""
        if sets.tsk_takes(entry.primary, entry.stream, self._table.last, self._room):
            yield Missed(address, entry.name, place.address)
        elif entry.directory:
            yield self._folder(path, address, place.address)
        else:
            yield Found(path, entry.size, byte_runs(chain, entry.size, self._boot.heap, self._boot.cluster))
