"""The files inside RAR archives, solid ones too; the names of those that are encrypted, in several volumes or packed otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.rar import open_rar
from triage.artifacts.rarcheck import Check
from triage.artifacts.rarcodec import DEEPEST, LARGEST, MOST_DICTIONARY, packed_together
from triage.artifacts.structure import StructureError
from triage.plugin import Accepts, Child, Finding, Item, Problem, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.rar import RarArchive, RarFile
    from triage.plugin import Json

_NAMES, _LETTERS, _LONGEST, _PIECE = 50, 200, 5000, 1 << 20
_PROGRAMS = ("pe", "elf")
_SPLIT = "parts of it lie in other volumes"


class Rar:
    """A derived entry a file inside; findings ``encrypted`` and ``archive-listing`` list what cannot be read, with sizes and CRCs."""

    name = "rar"
    version = "2"
    tried_on = "real samples"
    accepts = Accepts(types=("rar", "rar5", *_PROGRAMS), min_size=20)

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield the files inside in the order of the list, then what cannot be read."""
        try:
            archive = open_rar(item.read_at, item.size)
        except StructureError as error:
            if not item.type or item.type.name not in _PROGRAMS:
                yield item.problem(f"an archive that cannot be opened: {error}")
            return
        if archive.encrypted:
            title = "a RAR archive whose list of files is encrypted (AES): not even names can be read"
            yield item.finding("encrypted", title, {"type": "rar"})
            yield item.problem("the list of files of a RAR archive is encrypted (AES): not even names can be read")
        refused: dict[str, list[RarFile]] = {}
        known: dict[str, list[list[Any]]] = {}
        for one, why, own in _ways(archive):
            steps = known.get(one.same, []) if one.same else own
            if not steps:
                refused.setdefault(why, []).append(one)
                continue
            known[one.name] = steps
            if one.stored and not one.same and not _right(item, one):
                yield item.problem(f"the checksum of a stored file in a RAR archive is wrong: {one.name[:_LETTERS]}")
            yield _child(item, one, steps)
        for why, files in sorted(refused.items()):
            yield from _told(item, why, files)
            if not files[0].link:
                yield item.problem(f"{len(files):,} file{'s' if len(files) != 1 else ''} inside cannot be read: {why}")
        for line in archive.notes.lines():
            yield item.problem(line)


def _ways(archive: RarArchive) -> Iterator[tuple[RarFile, str, list[list[Any]]]]:
    """Yield each file that has bytes with why it cannot be had, "" if it can, and the recipe of its bytes.

    What was packed together is undone in windows: files that lie near each other have the same, so that what is undone for one serves
    the others.
    """
    windows: list[tuple[int, int, int]] = []  # of each group: where it begins and ends, and how many bytes come out
    placed: list[tuple[RarFile, str, int, int]] = []  # with the group and the place in it
    broken, total = "", 0
    for number, one in enumerate(archive.files):
        why = _refusal(one)
        if packed_together(one):
            if not one.solid or not windows:
                windows.append((one.head, one.head, 0))
                broken, total = "", 0
                if one.solid and (not number or archive.files[0].before):
                    why = why or "packed together with what lies in another volume"
            if broken:
                why = why or f"packed together with one that cannot be read: {broken}"
            else:
                why = broken = why or _too_much(one, total)
            if not why:
                total += one.size or 0
                windows[-1] = (windows[-1][0], one.end, total)
        if not one.directory and (one.size != 0 or one.link):
            placed.append((one, why, len(windows) - 1, total - (one.size or 0)))
    starts: dict[int, int] = {}
    for one, why, group, place in placed:
        steps: list[list[Any]] = []
        if not why and one.stored:
            steps = [["cut", one.start, min(one.packed, one.size or 0)]]
        elif not why and one.service:
            steps = [["cut", one.head, one.end - one.head], ["undo", _form(one), one.size or 0]]
        elif not why:
            begin, end, whole = windows[group]
            skip = starts.setdefault(group, 0)
            if place + (one.size or 0) - skip > LARGEST:
                skip = starts[group] = place
            window = min(whole - skip, LARGEST)
            steps = [["cut", begin, end - begin], ["undo", _form(one) + (f">{skip}" if skip else ""), window]]
            if (place, one.size) != (skip, window):
                steps.append(["cut", place - skip, one.size or 0])
        yield one, why, steps


def _form(one: RarFile) -> str:
    return "rar:5" if one.generation in (5, 7) else "rar:4"


def _too_much(one: RarFile, total: int) -> str:
    """Return why a file cannot be had behind ``total`` bytes that were packed together with it, "" if it can."""
    if total + (one.size or 0) > DEEPEST:
        return f"more than {DEEPEST >> 20} MiB deep in what was packed together"
    if one.dictionary > MOST_DICTIONARY and total + (one.size or 0) > MOST_DICTIONARY:
        return f"packed with a dictionary that is larger than {MOST_DICTIONARY >> 20} MiB"
    return ""


def _refusal(one: RarFile) -> str:
    """Return why a file cannot be had, "" if it can."""
    if one.encrypted:
        return "encrypted (AES)"
    if one.before or one.after:
        return _SPLIT
    if one.link:
        return "a link"
    if one.size is None:
        return "without a size"
    if one.stored:
        return ""
    if not one.generation:
        return "packed by a version of RAR that is not read"
    return f"larger than {LARGEST >> 20} MiB" if one.size > LARGEST else ""


def _right(item: Item, one: RarFile) -> bool:
    """Whether a stored file's checksums are those of its bytes."""
    check = Check(one)
    for at in range(one.start, one.end, _PIECE):
        piece = item.read_at(at, min(_PIECE, one.end - at))
        if not piece:
            return False
        check.add(piece)
    return one.packed == one.size and check.right()


def _child(item: Item, one: RarFile, steps: list[list[Any]]) -> Child:
    basis = TimeBasis.UNKNOWN if one.mtime is None else TimeBasis.UTC if one.utc else TimeBasis.LOCAL
    name = one.name or "one without a name"
    size = steps[-1][2]
    return item.child(name, steps, size, mtime=one.mtime, atime=one.atime, crtime=one.crtime, time_basis=basis)


def _told(item: Item, why: str, files: list[RarFile]) -> Iterator[Finding]:
    """Yield the names of files, some dozens in a finding."""
    kind = "encrypted" if why.startswith("encrypted") else "archive-listing"
    for at in range(0, len(files), _NAMES):
        some = files[at : at + _NAMES]
        names = ", ".join(file.name[:60] or "one without a name" for file in some[:3]) + (", …" if len(some) > 3 else "")
        title = f"{len(some):,} file{'s' if len(some) != 1 else ''} in a RAR archive cannot be read: {why}: {names}"
        yield item.finding(kind, title, {"type": "rar", "why": why, "files": _listed(some)})


def _listed(files: list[RarFile]) -> list[Json]:
    """Return what the list says of files. ``crc32`` is that of the bytes as they were before they were packed."""
    found: list[Json] = []
    letters = 0
    for one in files:
        name = one.name[:_LETTERS]
        letters += len(name)
        said: Json = {
            "name": name if letters < _LONGEST else name[:40],
            "size": one.size,
            "time": _time(one),
            "crc32": f"{one.crc:08x}" if one.crc is not None else None,
            "blake2sp": one.blake.hex() or None,
        }
        found.append({key: value for key, value in said.items() if value not in (None, "")})
    return found


def _time(one: RarFile) -> str | None:
    """Return when a file was changed; without a zone where it is the time of the computer that packed it."""
    text = times.iso(one.mtime)
    return text if one.utc or text is None else text.removesuffix("Z")


PLUGIN = Rar
