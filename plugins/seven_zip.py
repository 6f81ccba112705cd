"""The files inside of 7z archives, solid ones too; the names of those that are encrypted or packed in a way that is not read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.sevencoders import DEEPEST, pack_steps
from triage.artifacts.sevenzip import open_sevenzip
from triage.artifacts.structure import StructureError
from triage.plugin import Accepts, Child, Finding, Item, Problem, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.sevenzip import Folder, SevenArchive, SevenFile
    from triage.plugin import Json

LARGEST = 256 << 20
"""Bytes that are undone at once, and of one file."""
_NAMES, _LETTERS, _LONGEST = 50, 200, 5000


class SevenZip:
    """A derived entry a file inside; findings ``encrypted`` and ``archive-listing`` list what cannot be read, with sizes and CRCs."""

    name = "seven_zip"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=("7z",), min_size=32)

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield the files inside in the order of the list, then what cannot be read."""
        try:
            archive = open_sevenzip(item.read_at, item.size)
        except StructureError as error:
            yield item.problem(f"an archive that cannot be opened: {error}")
            return
        if archive.encrypted:
            yield item.problem("the list of files of a 7z archive is encrypted (AES-256): not even names can be read")
        refused: dict[str, list[SevenFile]] = {}
        for number, file, skip in _windows(archive):
            why, steps = _steps(archive.folders[file.folder or 0], file, skip)
            if why:
                refused.setdefault(why, []).append(file)
                continue
            when = times.filetime(file.modified)
            yield item.child(
                file.name or f"file {number}",
                steps,
                file.size,
                mtime=when,
                atime=times.filetime(file.accessed),
                crtime=times.filetime(file.created),
                time_basis=TimeBasis.UTC if when is not None else TimeBasis.UNKNOWN,
            )
        anti = [file for file in archive.files if file.anti]
        yield from _told(item, "archive-listing", "are to be deleted when it is unpacked", anti)
        for why, files in sorted(refused.items()):
            yield from _told(item, "encrypted" if why.startswith("encrypted") else "archive-listing", f"cannot be read: {why}", files)
            yield item.problem(f"{len(files):,} file{'s' if len(files) != 1 else ''} inside cannot be read: {why}")
        for line in archive.notes.lines():
            yield item.problem(line)


def _windows(archive: SevenArchive) -> Iterator[tuple[int, SevenFile, int]]:
    """Yield files that have bytes, each with its number and how much of its folder is passed over to reach it.

    Files that lie near each other have the same place to begin at, so that what is undone for one serves the others.
    """
    starts: dict[int, int] = {}
    for number, file in enumerate(archive.files):
        if file.folder is None or file.directory or file.link or not file.size:
            continue
        start = starts.setdefault(file.folder, 0)
        if file.offset + file.size - start > LARGEST:
            start = starts[file.folder] = file.offset
        yield number, file, start


def _steps(folder: Folder, file: SevenFile, skip: int) -> tuple[str, list[list[Any]]]:
    """Return why a file cannot be had, "" if it can, and the recipe of its bytes."""
    if folder.refused:
        return folder.refused, []
    if not folder.packed:
        return "what it is packed in is not there", []
    if all(step.name == "copy" for step in folder.steps):
        return "", [["cut", folder.start + file.offset, file.size]]
    if file.size > LARGEST:
        return f"larger than {LARGEST:,} bytes", []
    if file.offset + file.size > DEEPEST:
        return f"it lies more than {DEEPEST:,} bytes deep in what was packed together", []
    window = min(folder.size - skip, LARGEST, DEEPEST - skip)
    steps: list[list[Any]] = [["cut", folder.start, folder.packed], ["undo", pack_steps(folder.steps, skip), window]]
    if (file.offset, file.size) != (skip, window):
        steps.append(["cut", file.offset - skip, file.size])
    return "", steps


def _told(item: Item, kind: str, why: str, files: list[SevenFile]) -> Iterator[Finding]:
    """Yield the names of files, some dozens in a finding."""
    for at in range(0, len(files), _NAMES):
        some = files[at : at + _NAMES]
        yield item.finding(kind, _title(why, some), {"type": "7z", "why": why, "files": _listed(some)})


def _title(what: str, files: list[SevenFile]) -> str:
    names = ", ".join(file.name[:60] or "one without a name" for file in files[:3])
    return f"{len(files):,} file{'s' if len(files) != 1 else ''} in a 7z archive {what}: {names}{', …' if len(files) > 3 else ''}"


def _listed(files: list[SevenFile]) -> list[Json]:
    """Return what the list says of files. ``crc32`` is that of the bytes as they were before they were packed."""
    found: list[Json] = []
    letters = 0
    for file in files:
        name = file.name[:_LETTERS]
        letters += len(name)
        said: Json = {
            "name": name if letters < _LONGEST else name[:40],
            "size": file.size,
            "time": times.iso(times.filetime(file.modified)),
            "crc32": f"{file.crc32:08x}" if file.crc32 is not None else None,
        }
        found.append({key: value for key, value in said.items() if value not in (None, "")})
    return found


PLUGIN = SevenZip
