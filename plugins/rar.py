"""The files inside RAR archives, solid ones too; the names of those that are encrypted, in several volumes or packed otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import rarcodec, times
from triage.artifacts.rar import open_rar
from triage.artifacts.structure import StructureError
from triage.plugin import Accepts, Child, Finding, Item, Problem, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.rar import RarFile

_LARGEST = 256 << 20
_DICTIONARY = 1 << 30
_NAMES = 50


class Rar:
    """A derived entry a file inside; findings ``encrypted`` and ``archive-listing`` list what cannot be read, with sizes and CRCs."""

    name = "rar"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=("rar", "rar5"), min_size=20)

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield the files inside in the order of the list, then what cannot be read."""
        try:
            archive = open_rar(item.read_at, item.size)
        except StructureError as error:
            yield item.problem(f"an archive that cannot be opened: {error}")
            return
        if archive.encrypted:
            yield item.finding(
                "encrypted", "a RAR archive whose list of files is encrypted (AES): not even names can be read", {"type": "rar"}
            )
            yield item.problem("the list of files of a RAR archive is encrypted (AES): not even names can be read")
        refused: dict[str, list[RarFile]] = {}
        group: list[RarFile] = []
        broken = ""
        for one in archive.files:
            if one.directory or (one.link and not one.size):
                continue
            if not one.solid:
                group, broken = [], ""
            why = _refusal(one)
            if why or broken:
                # What follows in the same dictionary needs this one.
                broken = broken or (why if one.packed else "")
                refused.setdefault(why or f"{broken}, which one before it is", []).append(one)
                continue
            if not one.size:
                continue
            group.append(one)
            total = sum(file.size or 0 for file in group)
            if total > _LARGEST or len(group) > rarcodec.MOST_MEMBERS:
                broken = f"it lies more than {_LARGEST >> 20} MiB or {rarcodec.MOST_MEMBERS:,} files deep in what was packed together"
                refused.setdefault(broken, []).append(one)
                continue
            yield self._child(item, one, group, total)
        for why, files in sorted(refused.items()):
            kind = "encrypted" if why.startswith("encrypted") else "archive-listing"
            for at in range(0, len(files), _NAMES):
                some = files[at : at + _NAMES]
                title = f"{len(some):,} file{'s' if len(some) != 1 else ''} in a RAR archive cannot be read: {why}"
                yield item.finding(kind, title, {"type": "rar", "why": why, "files": [_listed(file) for file in some]})
            yield item.problem(f"{len(files):,} file{'s' if len(files) != 1 else ''} inside cannot be read: {why}")
        for line in archive.notes.lines():
            yield item.problem(line)

    @staticmethod
    def _child(item: Item, one: RarFile, group: list[RarFile], total: int) -> Child:
        if one.stored:
            steps: list[list[Any]] = [["cut", one.start, one.packed]]
        else:
            cuts = [number for file in group for number in (file.start, file.packed)]
            members = "+".join(rarcodec.member(f.packed, f.size or 0, stored=f.stored, crc=f.crc) for f in group)
            generation = 7 if one.generation == 5 and one.version == 1 else one.generation
            steps = [["cut", *cuts], ["undo", f"rar:{generation};{members}", total]]
            if len(group) > 1:
                steps.append(["cut", total - (one.size or 0), one.size or 0])
        basis = TimeBasis.UNKNOWN if one.mtime is None else TimeBasis.UTC if one.utc else TimeBasis.LOCAL
        return item.child(
            one.name or "one without a name", steps, one.size or 0, mtime=one.mtime, atime=one.atime, crtime=one.crtime, time_basis=basis
        )


def _refusal(one: RarFile) -> str:
    """Return why a file cannot be had, "" if it can."""
    if one.encrypted:
        return "encrypted (AES)"
    if one.before or one.after:
        return "parts of it lie in other volumes"
    if one.link:
        return "it is a link"
    if one.size is None:
        return "its size is not stated"
    if not one.stored and not one.generation:
        return "packed as RAR before 2.0 did"
    if one.size > _LARGEST and not one.stored:
        return f"larger than {_LARGEST >> 20} MiB"
    return "its dictionary is larger than 1 GiB" if one.dictionary > _DICTIONARY else ""


def _listed(one: RarFile) -> dict[str, Any]:
    """Return what the list says of a file. ``crc32`` is that of its bytes as they were before they were packed."""
    crc = f"{one.crc:08x}" if one.crc is not None else None
    said = {"name": one.name[:200], "size": one.size, "time": times.iso(one.mtime), "crc32": crc}
    return {key: value for key, value in said.items() if value not in (None, "")}


PLUGIN = Rar
