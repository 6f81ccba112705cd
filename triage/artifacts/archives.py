"""Archives and compressed files: their members in order, and the bytes of each, streamed and bounded.

ZIP, TAR, and gzip, bzip2 and xz files, which are archives of one member. Nothing is ever written to disk, least of all under a name
that the archive chose; links and devices are listed and never made. What was cut or refused stands in :attr:`Archive.notes` and in the
``reason`` of a member's bytes: a caller makes problems of both.

    archive = open_archive(item.read_at, item.size)
    for member in walk(archive):
        for piece in (content := member.open()):
            ...
        if content.reason: ...
    for line in archive.notes.lines(): ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import tars, zips
from triage.artifacts.expansion import Budget, Expansion, Limits
from triage.artifacts.members import Member, MemberKind
from triage.artifacts.structure import Notes, ReadAt, StructureError
from triage.evidence import decoders
from triage.evidence.tarheaders import FileSource, Source, is_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Archive", "Budget", "Expansion", "Limits", "Member", "MemberKind", "archive_kind", "open_archive", "walk"]

_WRAPPERS = {
    "gzip": (decoders.gzip_decoder, b"\x1f\x8b\x08"),
    "bzip2": (decoders.bzip2_decoder, b"BZh"),
    "xz": (decoders.xz_decoder, b"\xfd7zXZ\0"),
}


def archive_kind(head: bytes) -> str:
    """Return ``zip``, ``tar``, ``gzip``, ``bzip2`` or ``xz`` by the first 512 bytes, "" for anything else."""
    if head.startswith((zips.LOCAL, zips.END, b"PK\7\x08PK")):
        return "zip"
    for kind, (_, magic) in _WRAPPERS.items():
        if head.startswith(magic) and (kind != "bzip2" or head[4:10] in (b"1AY&SY", b"\x17rE8P\x90")):
            return kind
    return "tar" if is_header(head[:512]) else ""


class Archive:
    """An archive's members, in the archive's order; iterate once. ``depth`` is 1 for one that is nested in nothing."""

    def __init__(
        self, kind: str, read_at: ReadAt, size: int, budget: Budget, notes: Notes, *, depth: int = 1, above: tuple[bytes, ...] = ()
    ) -> None:
        self.kind = kind
        self.notes = notes
        self.budget = budget
        self.depth = depth
        self.above = above
        self._read_at = read_at
        self._size = size
        self.stream: Source | None = None

    def __iter__(self) -> Iterator[Member]:
        for member in self._members():
            member.above = self.above
            if member.encrypted:
                self.notes.add("a member is encrypted and is not read")
            yield member

    def _members(self) -> Iterator[Member]:
        if self.kind == "tar":
            return tars.members(self.stream or FileSource(self._read_at, self._size), self.notes, self.budget)
        return self._zip_members() if self.kind == "zip" else self._wrapped()

    def _zip_members(self) -> Iterator[Member]:
        left = self.budget.limits.members - self.budget.members
        listed = zips.list_members(self._read_at, self._size, self.notes, left)
        self.budget.members += len(listed.entries)
        return (zips.to_member(entry, self._read_at, self.budget) for entry in listed.entries)

    def _wrapped(self) -> Iterator[Member]:
        if not self.budget.another_member():
            self.notes.add("a compressed file is not looked at: the limit of members is reached")
            return
        make, magic = _WRAPPERS[self.kind]
        name, mtime = _gzip_facts(self._read_at(0, 1 << 10)) if self.kind == "gzip" else (b"", None)

        def opened() -> Expansion:
            return Expansion(zips.pieces_of(self._read_at, 0, self._size), self.budget, make, again=magic)

        steps: list[list[Any]] = [["cut", 0, self._size], ["undo", self.kind, self.budget.limits.member]]
        yield Member(name=name, packed=self._size, mtime=mtime, method=self.kind, opener=opened, placer=lambda: steps)


def open_archive(read_at: ReadAt, size: int, kind: str = "", *, limits: Limits | None = None) -> Archive:
    """Return the archive that an item of ``size`` bytes is.

    ``kind`` as :func:`archive_kind` gives it; "" to find out. A ZIP archive may have other bytes before it: then its kind must be given.
    Raises :class:`StructureError` for what is no archive; ``read_at``'s ``OSError`` passes through, here and while members are listed.
    """
    kind = kind or archive_kind(read_at(0, 512))
    if kind not in {"zip", "tar", *_WRAPPERS}:
        raise StructureError("not an archive of a kind that is read")
    return Archive(kind, read_at, size, Budget(limits or Limits()), Notes())


def walk(archive: Archive) -> Iterator[Member]:
    """Yield every member, and behind an archive among them its own, down to the limit of depth. Notes are the outermost's.

    A TAR inside of a compressed file streams: its members come, and the file that holds them has no bytes of its own to give.
    """
    for member in archive:
        nested = _nested(archive, member)
        yield member
        if nested is not None:
            yield from walk(nested)


def _nested(archive: Archive, member: Member) -> Archive | None:
    """Return the archive that a member is, if it is one and may be opened. The member's bytes can be had as before."""
    if member.kind is not MemberKind.FILE or member.refused or member.opener is None:
        return None
    content = member.open()
    kind = archive_kind(content.peek(512))
    member.opener = _once(content, member.opener)
    if not kind:
        return None
    if archive.depth >= archive.budget.limits.depth:
        archive.notes.add(f"an archive nested more than {archive.budget.limits.depth} deep is not opened")
        return None
    above = (*archive.above, member.name)
    if kind == "tar" and archive.kind in _WRAPPERS:
        member.refused = "a TAR archive, whose members are given instead"
        inner = Archive(kind, _nothing, 0, archive.budget, archive.notes, depth=archive.depth + 1, above=above)
        inner.stream = tars.StreamSource(content)
        return inner
    limit = min(archive.budget.limits.nested, archive.budget.limits.total)
    data = content.read(limit)
    reason = content.reason
    member.opener = lambda: Expansion(iter((data,)), archive.budget, ends_with=reason)
    if reason:
        archive.notes.add(f"a nested archive was opened in part: {reason}")
    return Archive(kind, lambda at, n: data[at : at + n], len(data), archive.budget, archive.notes, depth=archive.depth + 1, above=above)


def _once(content: Expansion, later: Callable[[], Expansion]) -> Callable[[], Expansion]:
    """Return what gives ``content``, of which a part was peeked at, the first time, and opens the member anew after that."""
    waiting = [content]
    return lambda: waiting.pop() if waiting else later()


def _nothing(_offset: int, _length: int) -> bytes:
    return b""


def _gzip_facts(head: bytes) -> tuple[bytes, int | None]:
    """Return the original name and time that a gzip header may hold (RFC 1952, 2.3)."""
    if len(head) < 10:
        return b"", None
    flags, at = head[3], 10
    mtime = int.from_bytes(head[4:8], "little")
    if flags & 4:
        at += 2 + int.from_bytes(head[10:12], "little")
    name = head[at:].partition(b"\0")[0] if flags & 8 else b""
    return name, mtime * 10**9 if mtime else None
