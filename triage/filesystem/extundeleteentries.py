"""The deleted files of an ext volume's journal as entries: those that TSK lists without size and place, and those that it does not list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.escape import show
from triage.filesystem.checks.extinodes import DIRECTORY, LINK
from triage.filesystem.extjournal import read_journal
from triage.filesystem.extlayout import COMPAT_HAS_JOURNAL, read_descriptors, read_layout
from triage.filesystem.exttimes import inode_times
from triage.filesystem.extundelete import Search, buried
from triage.filesystem.extundeletenames import ORPHANS, JournalNames
from triage.filesystem.tskentry import MAX_RUNS
from triage.model import Entry, Kind, Locator, Recoverability, Run, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from triage.filesystem.checks import VolumeReader
    from triage.filesystem.extundelete import Deleted
    from triage.filesystem.listed import Listed
    from triage.filesystem.tskentry import EntryMaker
    from triage.model import Problem

_KINDS = {DIRECTORY: Kind.DIRECTORY, LINK: Kind.LINK}


class Undeleted:
    """What a volume's journal still knows of deleted files. Made once everything that exists was listed.

    ``directories`` are the inodes of those that exist and where they lie: a copy of a block in the journal does not say whose it was.
    """

    def __init__(self, reader: VolumeReader, listed: Listed, maker: EntryMaker, directories: Iterable[tuple[int, tuple[Run, ...]]]) -> None:
        self._volume = reader.volume
        self._listed = listed
        self._maker = maker
        self._found: list[Deleted] = []
        self._bare: dict[int, Deleted] = {}
        self._names: JournalNames | None = None
        self._left_out = 0
        self._unread = self._elsewhere = False
        self._taken: dict[str, Deleted] = {}
        self._done: set[tuple[int, int]] = set()
        self._counted: dict[bytes, int] = {}
        self._completed = self._added = self._named = 0
        layout = read_layout(reader.read)
        if layout is not None:
            groups = read_descriptors(reader.read, layout)
            journal = read_journal(reader, layout, groups)
            self._unread = journal is None and bool(layout.compat & COMPAT_HAS_JOURNAL)
            self._elsewhere = not layout.number(0xE0, 4)  # s_journal_inum
            if journal is not None and len(journal):
                search = Search(reader, layout, groups, journal)
                self._found = search.run()
                self._left_out = search.left_out
                self._bare = search.bare
                self._names = JournalNames(layout, groups, journal, [*self._found, *self._bare.values()], search.tables()[0].tolist())
                self._names.live(
                    ((run.image_offset - self._volume.offset) // layout.block, run.length // layout.block, address)
                    for address, runs in directories
                    for run in runs
                    if run.image_offset is not None
                )
        self._current = {one.address: one for one in self._found if one.current}
        self._buried = buried(self._found)

    def complete(self, entry: Entry) -> Entry:
        """Return an entry that was listed, with what the journal knows of it where the medium has neither size nor place any more.

        The time of the last change of metadata stays: it is when the file was deleted.
        """
        if entry.id in self._taken or (entry.name_allocated and not entry.orphan) or entry.meta_allocated:
            return entry
        one = self._current.get(entry.meta_addr or 0)
        if one is None:
            bare = self._bare.get(entry.meta_addr or 0)
            return entry if bare is None else entry.replace(**self._name_of(entry, bare))
        self._done.add((one.address, one.generation))
        if any(run.image_offset is not None for run in entry.runs):
            return entry
        facts = self._facts(one)
        if entry.ctime is not None:
            del facts["ctime"]
        entry = entry.replace(**facts, **self._name_of(entry, one))
        self._completed += 1
        self._take(entry, one)
        return entry

    def rest(self, limit: int) -> Iterator[Entry]:
        """Yield those that were not listed: with the name that the journal has for them, else as orphans; at most ``limit``."""
        for one in self._found:
            if (one.address, one.generation) in self._done:
                continue
            if self._added >= limit:
                self._left_out += 1
                continue
            self._added += 1
            entry = self._placed(one)
            if entry is None:
                shown = f"{self._volume.name}/{ORPHANS}"
                kind, text = _KINDS.get(one.kind, Kind.FILE), b"OrphanFile-%d" % one.address
                entry = self._maker.undeleted(one.address, text, kind, shown.encode(), shown, orphan=True, counted=self._counted)
            else:
                self._named += 1
            entry = entry.replace(**self._facts(one))
            self._take(entry, one)
            yield entry

    def _take(self, entry: Entry, one: Deleted) -> None:
        self._taken[entry.id] = one
        if entry.locator is not None and entry.locator.runs:
            self._maker.note(entry, entry.locator.runs)

    def judged(self, entry: Entry, by_owners: Recoverability) -> Recoverability:
        """Return how much of an entry is left: files that were deleted later have written over earlier ones as well."""
        one = self._taken.get(entry.id)
        lost = self._buried.get((one.address, one.generation), 0) if one is not None else 0
        if one is None or not lost or by_owners is Recoverability.OVERWRITTEN:
            return by_owners
        whole = sum(length for start, length in one.runs if start is not None)
        return Recoverability.OVERWRITTEN if lost >= whole else Recoverability.PARTLY_OVERWRITTEN

    def statement(self) -> Iterator[Problem]:
        """Say what the journal brought and what was left out."""
        if self._completed or self._added or self._named:
            message = (
                f"the journal still knew of deleted entries: {self._completed} got size, place and times from it, {self._named} their "
                f"names, and {self._added} that Sleuth Kit does not list were added"
            )
            yield self._maker.problem(Severity.INFO, message)
        if self._unread:
            elsewhere = self._elsewhere
            message = "the journal lies on another device" if elsewhere else "the journal is damaged and cannot be found"
            message += ": deleted files are listed without what it may still know of them"
            yield self._maker.problem(Severity.INFO if elsewhere else Severity.WARNING, message)
        if self._left_out:
            message = f"the journal knows of more deleted files than are taken from it: {self._left_out} were left out"
            yield self._maker.problem(Severity.WARNING, message)
        if self._names is not None and self._names.full:
            message = "the journal holds more names than were looked at: some deleted files are listed without theirs"
            yield self._maker.problem(Severity.WARNING, message)

    def _name_of(self, entry: Entry, one: Deleted) -> dict[str, Any]:
        """Return the fields that give an orphan the name that the journal has for it, none where it has none."""
        placed = self._placed(one) if entry.orphan else None
        if placed is None:
            return {}
        self._named += 1
        return {name: getattr(placed, name) for name in ("id", "path", "name", "name_raw", "orphan", "depth")}

    def _placed(self, one: Deleted) -> Entry | None:
        """Return a bare entry with the name that the journal has for it, ``None`` where it has none."""
        where = self._names.where(one, self._listed.folders, self._volume.name) if self._names is not None else None
        if where is None:
            return None
        orphan = where.shown.startswith(f"{self._volume.name}/{ORPHANS}")
        kind = _KINDS.get(one.kind, Kind.FILE)
        return self._maker.undeleted(one.address, where.name, kind, where.raw, where.shown, orphan=orphan, counted=self._counted)

    def _facts(self, one: Deleted) -> dict[str, Any]:
        """Return the fields of an entry that an inode's copy gives."""
        inode = one.inode
        base = self._volume.offset
        runs = tuple(Run(image_offset=None if start is None else base + start, length=length) for start, length in one.runs)
        facts: dict[str, Any] = {
            "size": one.size,
            "runs": runs[:MAX_RUNS],
            "resident": one.inside,
            "mode": int.from_bytes(inode[0:2], "little") & 0o7777,
            "uid": int.from_bytes(inode[0x02:0x04], "little") | int.from_bytes(inode[0x78:0x7A], "little") << 16,
            "gid": int.from_bytes(inode[0x18:0x1A], "little") | int.from_bytes(inode[0x7A:0x7C], "little") << 16,
            "nlink": int.from_bytes(inode[0x1A:0x1C], "little"),
            **inode_times(inode),
        }
        facts.pop("wrong", None)
        if one.link is not None:
            shown = None if facts.get("encrypted") else show(one.link.decode("utf-8", "surrogateescape"))
            facts.update(link_target=shown, locator=None)
        elif _KINDS.get(one.kind) is not Kind.DIRECTORY:
            facts["locator"] = Locator(evidence=self._volume.evidence, volume_offset=base, runs=runs)
        return facts
