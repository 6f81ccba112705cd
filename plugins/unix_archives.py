"""The files inside of cpio and ar archives (initial file systems, Debian's packages), and inside of ARJ ones as far as they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.ararchive import read_ar
from triage.artifacts.arj import read_arj
from triage.artifacts.cpio import read_cpio
from triage.artifacts.structure import StructureError
from triage.plugin import Accepts, Child, Finding, Item, Problem, Severity, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.arj import ArjFile
    from triage.plugin import Json

_OBJECTS = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\x4c\x01", b"\x64\x86", b"\0\0\xff\xff", b"BC\xc0\xde")
_LEAST_REST, _NAMES = 16, 50


class UnixArchives:
    """A derived entry a file inside; an ``archive-listing`` names files of ARJ archives that are compressed, which is not undone."""

    name = "unix_archives"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=("cpio", "ar", "arj"))

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield the files inside, in the archive's order."""
        read = {"cpio": self._cpio, "ar": self._ar, "arj": self._arj}[item.type.name if item.type is not None else "ar"]
        try:
            yield from read(item)
        except StructureError as error:
            yield item.problem(f"an archive that cannot be opened: {error}")

    def _cpio(self, item: Item) -> Iterator[Finding | Problem | Child]:
        archive = read_cpio(item.read_at, item.size)
        for number, file in enumerate(archive.files):
            if file.regular and file.size:
                yield _child(item, file.name or b"file %d" % number, file.start, file.size, times.unix(file.time))
        rest = item.size - archive.end
        if rest >= _LEAST_REST and not archive.notes:
            said = {"offset": archive.end, "size": rest}
            steps = [["cut", archive.end, rest]]
            finding = ("appended", "stands behind the end of a cpio archive", said)
            yield item.child("behind the archive", steps, rest, findings=[finding])
        for line in archive.notes.lines():
            yield item.problem(line)

    def _ar(self, item: Item) -> Iterator[Finding | Problem | Child]:
        archive = read_ar(item.read_at, item.size)
        objects = 0
        for number, file in enumerate(archive.files):
            if file.name.endswith((b".o", b".obj")) and item.read_at(file.start, 4).startswith(_OBJECTS):
                objects += 1
            elif file.size:
                yield _child(item, file.name or b"file %d" % number, file.start, file.size, times.unix(file.time))
        if objects:
            yield item.problem(f"{objects:,} object files of a program's library inside are not looked at", Severity.INFO)
        for line in archive.notes.lines():
            yield item.problem(line)

    def _arj(self, item: Item) -> Iterator[Finding | Problem | Child]:
        archive = read_arj(item.read_at, item.size)
        refused: dict[str, list[ArjFile]] = {}
        for number, file in enumerate(archive.files):
            if file.kind not in (0, 1) or not file.size:
                continue
            why = _why(file)
            if why:
                refused.setdefault(why, []).append(file)
                continue
            basis = TimeBasis.UTC if file.utc else TimeBasis.LOCAL
            yield _child(item, file.name or b"file %d" % number, file.start, file.packed, file.time, basis)
        for why, files in sorted(refused.items()):
            for at in range(0, len(files), _NAMES):
                some = files[at : at + _NAMES]
                names = ", ".join(_text(file.name)[:60] for file in some[:3]) + (", …" if len(some) > 3 else "")
                title = f"{len(some):,} file{'s' if len(some) != 1 else ''} in an ARJ archive cannot be read: {why}: {names}"
                kind = "encrypted" if why == "encrypted" else "archive-listing"
                yield item.finding(kind, title, {"type": "arj", "why": why, "files": [_listed(file) for file in some]})
            yield item.problem(f"{len(files):,} file{'s' if len(files) != 1 else ''} inside cannot be read: {why}")
        for line in archive.notes.lines():
            yield item.problem(line)


def _child(item: Item, name: bytes, start: int, size: int, when: int | None, basis: TimeBasis = TimeBasis.UTC) -> Child:
    steps: list[list[Any]] = [["cut", start, size]]
    return item.child(name, steps, size, mtime=when, time_basis=basis if when is not None else TimeBasis.UNKNOWN)


def _why(file: ArjFile) -> str:
    """Return why a file of an ARJ archive cannot be had, "" if it can."""
    if file.encrypted:
        return "encrypted"
    if file.continued:
        return "it goes on in another part of the archive"
    return "" if file.method == 0 else f"{file.how}, which is not undone"


def _listed(file: ArjFile) -> Json:
    when = times.iso(file.time)
    said = {
        "name": _text(file.name)[:200],
        "size": file.size,
        "time": when if file.utc or when is None else when.removesuffix("Z"),
        "crc32": f"{file.crc32:08x}",
    }
    return {key: value for key, value in said.items() if value not in (None, "")}


def _text(name: bytes) -> str:
    """Return a name; ARJ does not say in which of a machine's code pages it is."""
    return name.decode("cp437")


PLUGIN = UnixArchives
