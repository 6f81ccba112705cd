"""The files inside of archives and office documents: ZIP, TAR, gzip, bzip2, xz and what is built on ZIP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.archives import Limits, MemberKind, open_archive
from triage.artifacts.structure import StructureError
from triage.plugin import Accepts, Child, Finding, Item, Problem, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.members import Member

_ON_ZIP = ("zip", "docx", "xlsx", "pptx", "odt", "ods", "odp", "odf", "epub", "jar", "apk")
_PROGRAMS = (b".class", b".dex", b".arsc", b".kotlin_metadata", b".kotlin_builtins")


class Archives:
    """A derived entry a file inside; members that cannot be read (encrypted, sharing their bytes) are problems with the reason, counted.

    An archive in an archive is an entry, too, and opened in its turn.
    """

    name = "archives"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=(*_ON_ZIP, "tar", "gzip", "bzip2", "xz"))

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield the files inside, in the archive's order."""
        kind = item.type.name if item.type is not None else ""
        try:
            archive = open_archive(item.read_at, item.size, "zip" if kind in _ON_ZIP else kind, limits=Limits(members=100_000))
        except StructureError as error:
            yield item.problem(f"an archive that cannot be opened: {error}")
            return
        refused: dict[str, int] = {}
        for number, member in enumerate(archive):
            if member.kind is not MemberKind.FILE or member.size == 0 or member.name.endswith(_PROGRAMS):
                continue
            steps = member.steps()
            if isinstance(steps, str):
                refused[steps] = refused.get(steps, 0) + 1
                continue
            size, name = member.size, member.name or _inner_name(item)
            if size is None:
                size, why = item.measure(steps)
                if why:
                    yield item.problem(f"a file inside was not read whole: {why}")
            yield item.child(name or f"member {number}", steps, size, mtime=member.mtime, time_basis=_basis(member))
        for reason, count in sorted(refused.items()):
            yield item.problem(f"{count:,} file{'s' if count != 1 else ''} inside cannot be read: {reason}")
        for line in archive.notes.lines():
            if "encrypted" not in line:  # said with the others
                yield item.problem(line)


def _basis(member: Member) -> TimeBasis:
    return member.time_basis if member.mtime is not None else TimeBasis.UNKNOWN


def _inner_name(item: Item) -> bytes:
    """Return a compressed file's name without the extension of its compression."""
    name = item.entry.name
    for ending, other in ((".tgz", ".tar"), (".tbz2", ".tar"), (".tbz", ".tar"), (".txz", ".tar"), (".gz", ""), (".bz2", ""), (".xz", "")):
        if name.lower().endswith(ending):
            return (name[: -len(ending)] + other).encode("utf-8", "replace")
    return f"{name}.unpacked".encode("utf-8", "replace")


PLUGIN = Archives
