"""The operator's folder of compiled sets, and the import that fills it.

A set's file is ``NAME.VERSION.hset``. An import writes beside it and renames into place; then the versions
before go. Whoever reads an older version goes on reading it. A killed import leaves at most a ``.part`` file,
which nothing reads.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triage import __version__
from triage.errors import HashsetError, OutputError, UsageError
from triage.hashsets.detect import detect, reader
from triage.hashsets.records import (
    ALGORITHMS,
    EMPTY_FILE,
    LENGTHS,
    HashRecord,
    Note,
    Packed,
    Reject,
    Unkept,
    category_of,
)
from triage.hashsets.sorting import CHUNK_BYTES, NO_CATEGORY, PRIMARY, Sorter
from triage.hashsets.source import Source
from triage.hashsets.store import Counts, Hashset, SetFacts, write_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from triage.model import Meaning

    Progress = Callable[[str, int, int], None]

KEPT_REJECTS = 1000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FILE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,63})\.(?P<version>\d{6})\.hset")
# Names that Windows keeps for devices
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(10))})
_PROGRESS_EVERY = 1 << 14  # events


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import read, took and left out.

    ``records`` counts different records, ``duplicates`` those that repeat one. ``accepted`` counts digests as
    the list has them, ``digests`` different ones. ``rejected`` counts rows, and single digests of rows, that
    were not used; ``rejects`` holds the first 1,000 with their line numbers. ``unsupported`` counts digests
    of kinds that are not stored, ``conflicts`` digests that the list has under more than one category (the
    first one named is kept).
    """

    facts: SetFacts
    dry_run: bool
    records: int
    duplicates: int
    accepted: dict[str, int]
    digests: dict[str, int]
    rejected: int
    rejects: tuple[Reject, ...]
    empty_refused: int
    unsupported: dict[str, int]
    conflicts: int
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        facts = self.facts
        return {
            "name": facts.name,
            "meaning": facts.meaning.value,
            "category": facts.category,
            "format": facts.format,
            "source": facts.source,
            "source_sha256": facts.source_sha256,
            "dry_run": self.dry_run,
            "records": self.records,
            "duplicates": self.duplicates,
            "accepted": self.accepted,
            "digests": self.digests,
            "rejected": self.rejected,
            "empty_refused": self.empty_refused,
            "unsupported": self.unsupported,
            "conflicts": self.conflicts,
            "notes": list(self.notes),
            "integrity": facts.integrity,
            "rejects": [{"line": reject.line, "reason": reject.reason} for reject in self.rejects],
        }


def default_root() -> Path:
    """Return ``TRIAGE_HASHSETS``, or the place for a user's data on this system."""
    if named := os.environ.get("TRIAGE_HASHSETS"):
        return Path(named)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Application Support")
    else:
        base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "triage" / "hashsets"


def check_name(name: str) -> str:
    """Return a set's name; raise ``UsageError`` for one that could not be a file's on every system."""
    if not _NAME.fullmatch(name) or name.endswith(".") or name.partition(".")[0].lower() in _RESERVED:
        raise UsageError(
            f"{name!r} cannot be a set's name",
            hint="up to 64 letters, digits, dots, hyphens and underscores, a letter or digit first",
        )
    return name


class HashsetLibrary:
    """The sets under one folder. Nothing is created before the first import."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or default_root()

    def import_list(
        self,
        source: Path,
        name: str,
        meaning: Meaning,
        category: str = "",
        fmt: str = "auto",
        *,
        dry_run: bool = False,
        progress: Progress | None = None,
        imported: str = "",
    ) -> ImportReport:
        """Compile a list into the library under ``name``, replacing the set of that name if any.

        ``category`` holds for records that have none of their own; ``imported`` is a date to note. Raises
        ``UsageError``, ``HashsetError`` (nothing accepted, damaged, changed while read) or ``OutputError``;
        the library is then as it was.
        """
        check_name(name)
        other = next((known for known in self.list() if known != name and known.lower() == name.lower()), None)
        if other:
            raise UsageError(
                f"there is a set {other}, and some systems take {name} for the same",
                hint=f"use {other} to replace it, or another name",
            )
        if dry_run:
            return compile_list(source, None, name, meaning, category=category, fmt=fmt, progress=progress)
        part = self.root / f".{name}.{secrets.token_hex(4)}.part"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                report = compile_list(
                    source,
                    part,
                    name,
                    meaning,
                    category=category,
                    fmt=fmt,
                    progress=progress,
                    imported=imported,
                )
                before = self._versions(name)
                target = self.root / f"{name}.{(before[-1][0] if before else 0) + 1:06d}.hset"
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
            _sync_folder(self.root)
        except OSError as error:
            raise OutputError(
                f"the set cannot be written to {self.root}: {error.strerror or error}",
                hint="free some room or name another folder with --library",
            ) from error
        _unlink(path for _, path in before)
        return report

    def list(self) -> list[str]:
        """Return the names of all sets, sorted."""
        return sorted({match["name"] for match in map(_FILE.fullmatch, self._files()) if match})

    def info(self, name: str) -> SetFacts:
        """Return what a set says about itself; raise ``HashsetError`` if it is missing or damaged."""
        with self.open(name) as hashset:
            return hashset.facts

    def open(self, name: str) -> Hashset:
        """Open a set's newest version; raise ``HashsetError`` if it is missing or damaged."""
        check_name(name)
        for attempt in range(3):
            versions = self._versions(name)
            if not versions:
                break
            path = versions[-1][1]
            if attempt < 2 and not path.exists():
                continue  # a newer version has just taken its place
            hashset = Hashset(path)
            if hashset.facts.name != name:
                hashset.close()
                raise HashsetError(
                    f"{path} holds the set {hashset.facts.name!r}, not {name!r}",
                    hint="files of the library are not to be renamed: import the list again",
                )
            return hashset
        raise HashsetError(f"there is no hash set {name!r} in {self.root}", hint=self._known())

    def remove(self, name: str) -> None:
        """Delete a set; raise ``HashsetError`` if there is none, ``OutputError`` if it cannot be deleted."""
        check_name(name)
        versions = self._versions(name)
        if not versions:
            raise HashsetError(f"there is no hash set {name!r} in {self.root}", hint=self._known())
        try:
            for _, path in reversed(versions):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"the set {name!r} cannot be removed: {error.strerror or error}",
                hint="end the run that uses it",
            ) from error

    def _known(self) -> str:
        names = self.list()
        more = ", …" if len(names) > 10 else ""
        return "there are: " + ", ".join(names[:10]) + more if names else "import a list with: triage hashset import"

    def _files(self) -> Sequence[str]:
        try:
            return [entry.name for entry in self.root.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise HashsetError(f"the library {self.root} cannot be read: {error.strerror or error}") from error

    def _versions(self, name: str) -> Sequence[tuple[int, Path]]:
        matches = (match for match in map(_FILE.fullmatch, self._files()) if match and match["name"] == name)
        return sorted((int(match["version"]), self.root / match[0]) for match in matches)


class _Intake:
    """Takes what a reader yields: digests to the sorters, the others to the report."""

    def __init__(self, folder: Path | None, chunk_bytes: int) -> None:
        self.sorters = {name: Sorter(name, folder, chunk_bytes=chunk_bytes) for name in ALGORITHMS}
        self.categories: dict[str, int] = {}
        self.taken = self.rejected = self.empty_refused = 0
        self.rejects: list[Reject] = []
        self.accepted: Counter[str] = Counter()
        self.unsupported: Counter[str] = Counter()
        self.notes: list[str] = []
        self._last_rejected = -1

    def take(self, event: object) -> None:
        if type(event) is HashRecord:
            self._record(event)
        elif isinstance(event, Packed):
            count = len(event.digests) // LENGTHS[event.algorithm]
            refused = self.sorters[event.algorithm].add_packed(event.digests)
            self.taken += count - refused
            self.accepted[event.algorithm] += count - refused
            self.empty_refused += refused
        elif isinstance(event, Reject):
            self.rejected += 1
            if len(self.rejects) < KEPT_REJECTS:
                self.rejects.append(event)
        elif isinstance(event, Unkept):
            self.unsupported[event.kind] += event.times
        elif isinstance(event, Note) and event.text not in self.notes:
            self.notes.append(event.text)

    def _record(self, record: HashRecord) -> None:
        code = self._code(record.category) if record.category else NO_CATEGORY
        flag = PRIMARY
        for name, digest in (("sha256", record.sha256), ("sha1", record.sha1), ("md5", record.md5)):
            if digest is None:
                continue
            if digest == EMPTY_FILE[name]:
                self.empty_refused += 1
                continue
            self.sorters[name].add(digest, code | flag)
            self.accepted[name] += 1
            flag = 0
        if not flag:
            self.taken += 1

    def _code(self, category: str) -> int:
        code = self.categories.get(category)
        if code is None:
            if len(self.categories) >= NO_CATEGORY:
                note = f"more than {NO_CATEGORY:,} categories: records with any further one were kept without it"
                if note not in self.notes:
                    self.notes.append(note)
                return NO_CATEGORY
            code = self.categories[category] = len(self.categories)
        return code

    def close(self) -> None:
        for sorter in self.sorters.values():
            sorter.close()


def compile_list(
    path: Path,
    target: Path | None,
    name: str,
    meaning: Meaning,
    *,
    category: str = "",
    fmt: str = "auto",
    progress: Progress | None = None,
    imported: str = "",
    chunk_bytes: int = CHUNK_BYTES,
) -> ImportReport:
    """Compile a list file into the store ``target``, or only count what it holds when that is ``None``.

    Memory is bounded by ``chunk_bytes`` (digests of one algorithm that are held at once), whatever the list's
    size. ``OSError`` is raised for ``target`` and the temporary files beside it; ``UsageError`` and
    ``HashsetError`` for the list.
    """
    source = Source(path)
    chosen = detect(source) if fmt == "auto" else fmt
    events = reader(chosen)(source)
    sha256 = source.sha256(progress)
    intake = _Intake(target.parent if target else None, chunk_bytes)
    try:
        for number, event in enumerate(events):
            intake.take(event)
            if progress and not number % _PROGRESS_EVERY:
                progress("read", source.position, source.size if chosen != "nsrl" else 0)
        source.check_unchanged()
        _check_taken(intake, path)
        facts = SetFacts(
            name=name,
            meaning=meaning,
            category=category_of(category),
            source=path.name,
            source_sha256=sha256,
            format=chosen,
            tool=f"triage {__version__}",
            imported=imported,
            notes=tuple(intake.notes),
        )
        if target is None:
            counts = Counts()
            for algorithm, sorter in intake.sorters.items():
                for _ in counts.blocks(algorithm, sorter):
                    pass
            records, digests, conflicts = counts.records, counts.digests, counts.conflicts
        else:
            facts = write_store(target, intake.sorters, list(intake.categories), facts, progress)
            records, digests, conflicts = facts.records, dict(facts.digests), facts.conflicts
    except BaseException:
        if target is not None:
            target.unlink(missing_ok=True)
        raise
    finally:
        intake.close()
    return ImportReport(
        facts=facts,
        dry_run=target is None,
        records=records,
        duplicates=intake.taken - records,
        accepted=dict(intake.accepted),
        digests=digests,
        rejected=intake.rejected,
        rejects=tuple(intake.rejects),
        empty_refused=intake.empty_refused,
        unsupported=dict(sorted(intake.unsupported.items())),
        conflicts=conflicts,
        notes=tuple(intake.notes),
    )


def _check_taken(intake: _Intake, path: Path) -> None:
    """Raise ``HashsetError`` that says why, if nothing of a list could be used."""
    if intake.taken:
        return
    parts = []
    if intake.rejects:
        first = intake.rejects[0]
        parts.append(f"{intake.rejected:,} rejected, the first in line {first.line}: {first.reason}")
    if intake.empty_refused:
        parts.append(f"{intake.empty_refused:,} were the empty file's")
    parts.extend(f"{count:,} were {kind}, which is not kept" for kind, count in sorted(intake.unsupported.items()))
    raise HashsetError(
        f"no digest of {path} could be used: {'; '.join(parts) or 'it holds none'}",
        hint="look at the list, or name its form with --format",
    )


def _unlink(paths: Iterable[Path]) -> None:
    """Delete versions that nobody opens any more. Windows keeps one that is still mapped.

    It goes with the next import.
    """
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
