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
from pathlib import Path
from typing import TYPE_CHECKING

from triage.errors import HashsetError, OutputError, UsageError
from triage.hashsets.intake import compile_events, compile_list
from triage.hashsets.store import Hashset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from triage.hashsets.facts import SetFacts
    from triage.hashsets.intake import Change, ImportReport
    from triage.hashsets.records import HashRecord
    from triage.model import Meaning

    Progress = Callable[[str, int, int], None]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FILE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,63})\.(?P<version>\d{6})\.hset")
# Names that Windows keeps for devices
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(10))})


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
        change: Change | None = None,
    ) -> ImportReport:
        """Compile a list into the library under ``name``, replacing the set of that name if any.

        With ``change`` its records are added to those of the set, or taken out of them. ``category`` holds for records that have none
        of their own; ``imported`` is a date to note. Raises ``UsageError``, ``HashsetError`` (nothing accepted, damaged, changed while
        read) or ``OutputError``; the library is then as it was.
        """
        check_name(name)

        def make(target: Path | None) -> ImportReport:
            base = self.open(name) if change else None
            try:
                own = base.facts if base else None
                return compile_list(
                    source,
                    target,
                    name,
                    own.meaning if own else meaning,
                    category=category or (own.category if own else ""),
                    fmt=fmt,
                    progress=progress,
                    imported=imported,
                    base=base,
                    change=change,
                )
            finally:
                if base:
                    base.close()

        return self._put(name, make, dry_run=dry_run)

    def build(
        self, records: Iterable[HashRecord], facts: SetFacts, *, dry_run: bool = False, progress: Progress | None = None
    ) -> ImportReport:
        """Compile records of an agency's own files into the library, replacing the set of that name if any. Raises as an import does."""
        check_name(facts.name)
        return self._put(
            facts.name, lambda target: compile_events(records, target, facts, progress=progress, what=facts.source), dry_run=dry_run
        )

    def _put(self, name: str, make: Callable[[Path | None], ImportReport], *, dry_run: bool) -> ImportReport:
        """Put what ``make`` writes into the library under ``name``; the version before goes when the new one is there."""
        other = next((known for known in self.list() if known != name and known.lower() == name.lower()), None)
        if other:
            raise UsageError(
                f"there is a set {other}, and some systems take {name} for the same",
                hint=f"use {other} to replace it, or another name",
            )
        if dry_run:
            return make(None)
        part = self.root / f".{name}.{secrets.token_hex(4)}.part"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                report = make(part)
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
