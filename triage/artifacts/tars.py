"""TAR archives, member by member, from a file or from a stream that is being decompressed. Nothing is extracted.

Formats: POSIX.1-2001 (pax) and ustar, GNU tar (long names, base-256 numbers) and the older form without a magic number. Links, devices
and pipes are listed as what they are and never made. The pieces of sparse members are not put together, which is said of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.expansion import PIECE, Budget, Expansion, Expected
from triage.artifacts.members import Member, MemberKind, refusal
from triage.evidence.tarheaders import BLOCK, FileSource, HeaderReader
from triage.model import TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.structure import Notes
    from triage.evidence.tarheaders import Header, Source

_KINDS = {
    b"1": MemberKind.HARDLINK,
    b"2": MemberKind.SYMLINK,
    b"3": MemberKind.DEVICE,
    b"4": MemberKind.DEVICE,
    b"5": MemberKind.DIRECTORY,
    b"6": MemberKind.FIFO,
    b"D": MemberKind.DIRECTORY,
    b"V": MemberKind.OTHER,
    b"M": MemberKind.OTHER,
}


class StreamSource:
    """Bytes that are being decompressed: what is skipped is decompressed as well, and counts."""

    def __init__(self, expansion: Expansion) -> None:
        self._expansion = expansion
        self._pieces = iter(expansion)
        self._rest = b""

    def read(self, length: int) -> bytes:
        """Return the next bytes."""
        pieces = []
        while length > 0:
            if not self._rest:
                self._rest = next(self._pieces, b"")
            if not self._rest:
                break
            pieces.append(self._rest[:length])
            self._rest = self._rest[length:]
            length -= len(pieces[-1])
        return b"".join(pieces)

    def skip(self, length: int) -> int:
        """Pass over bytes."""
        passed = 0
        while passed < length:
            piece = self.read(min(PIECE, length - passed))
            if not piece:
                break
            passed += len(piece)
        return passed

    def refusal(self) -> str:
        """Return what stopped the decompression."""
        return self._expansion.reason


def members(source: Source, notes: Notes, budget: Budget) -> Iterator[Member]:
    """Yield the members in order. The bytes of one can be had until the next one is asked for."""
    reader = HeaderReader(source, notes)
    while (header := reader.next_header()) is not None:
        if not budget.another_member():
            notes.add(f"a TAR archive goes on behind the first {budget.limits.members:,} members: the rest is not looked at")
            return
        body = _Body(source, header.stored)
        yield _member(header, body, budget)
        body.finish()
        if body.missing:
            notes.add("a TAR archive ends inside a member" + (f": {source.refusal()}" if source.refusal() else ""))
            return


class _Body:
    """A member's bytes in the source, which must be passed over in any case."""

    def __init__(self, source: Source, stored: int) -> None:
        self._source = source
        self._left = stored
        self._padding = -stored % BLOCK
        self.place = source.position if isinstance(source, FileSource) else None
        """Where the member's bytes begin in the item; ``None`` for one that streams by."""
        self.missing = False
        self.taken = False

    def pieces(self) -> Iterator[bytes]:
        """Yield what is left of the member."""
        while self._left > 0:
            piece = self._source.read(min(PIECE, self._left))
            if not piece:
                self.missing = True
                self._left = self._padding = 0
                return
            self._left -= len(piece)
            yield piece

    def finish(self) -> None:
        """Go to the next header."""
        wanted = self._left + self._padding
        if self._source.skip(wanted) < self._left:
            self.missing = True
        self._left = self._padding = 0


def _kind(header: Header) -> MemberKind:
    return MemberKind.DIRECTORY if header.directory else _KINDS.get(header.type, MemberKind.FILE)


def _member(header: Header, body: _Body, budget: Budget) -> Member:
    def opened() -> Expansion:
        if body.taken:
            return refusal("it streamed by: its bytes can be had once, in its turn")
        body.taken = True
        return Expansion(body.pieces(), budget, expected=Expected(size=header.stored))

    place = body.place

    return Member(
        name=header.name,
        kind=_kind(header),
        size=header.size,
        packed=header.stored,
        link=header.link,
        mode=header.mode,
        mtime=header.mtime,
        time_basis=TimeBasis.UTC if header.mtime is not None else TimeBasis.UNKNOWN,
        method="stored",
        refused="a sparse member, whose pieces are not put together" if header.sparse else "",
        opener=opened if header.regular else None,
        placer=(lambda: [["cut", place, header.stored]]) if header.regular and place is not None else None,
    )
