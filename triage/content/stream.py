"""Read an item once; all that wants its bytes gets them then: digests, type, entropy, plugins' buffer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from triage.content.digests import LARGE, Digests, digests_of, heads_of
from triage.content.entropy import Sample, entropy, sample_of
from triage.content.types import HEAD, TAIL, identify
from triage.model import Content, Outcome

if TYPE_CHECKING:
    from triage.content.catalog import FileType
    from triage.content.magic import Libmagic

CHUNK = 1 << 20
"""Bytes a read of an item that is not read whole."""
PIECE = 64 << 10
"""Bytes a read of an item that failed to be read whole, so that one bad spot does not cost the rest."""
WHOLE = 8 << 20
"""An item of up to this many bytes is read at once and kept for the plugins."""
MAX_PROBLEMS = 100
"""So many stretches that cannot be read are listed; the rest is only counted."""

ReadAt = Callable[[int, int], bytes]
Progress = Callable[[], object]


class ReadProblem(NamedTuple):
    """A stretch of an item that could not be read, in bytes from its start."""

    offset: int
    length: int
    reason: str


class ReadResult(NamedTuple):
    """What one pass over an item gave. ``data`` is the whole item if it was small and nothing missing."""

    content: Content
    head: bytes
    data: bytes | None
    problems: tuple[ReadProblem, ...]
    type: FileType | None


class ItemReader:
    """One pass over the bytes that ``read_at(offset, length)`` gives, in order, with holes where it fails.

    ``read_at`` returns fewer bytes than asked, or raises ``OSError``, where the medium is damaged. The pass
    goes on at the next chunk. ``progress`` is called after each read, however it ended.
    """

    def __init__(self, read_at: ReadAt, size: int, progress: Progress | None = None) -> None:
        self._read_at = read_at
        self.size = size
        self._progress = progress
        self._holes: list[ReadProblem] = []
        self._missing = 0
        self.bytes_read = 0
        self.head = b""
        self.tail = b""
        self.data: bytes | None = None
        self.sample = b""
        self.hexdigests: tuple[str, str, str] | None = None
        self.heads: tuple[str | None, str | None] = (None, None)

    @property
    def problems(self) -> tuple[ReadProblem, ...]:
        """What could not be read: neighbouring stretches in one, at most ``MAX_PROBLEMS``."""
        return tuple(self._holes)

    @property
    def missing(self) -> int:
        """How many bytes could not be read."""
        return self._missing

    def read_head(self) -> bytes:
        """Return the first bytes alone, as many as tell the type."""
        self.head = self._read(0, min(HEAD, self.size))
        return self.head

    def read(self) -> None:
        """Make the pass."""
        if self.size <= WHOLE:
            data = self._read(0, self.size)
            if len(data) == self.size:
                self.data = self.head = data
                self.hexdigests = digests_of(data)
                self.heads = heads_of(data, self.size)
                self.sample = sample_of(data)
                return
            if self.size <= PIECE:
                self.head, self.sample = data, sample_of(data)
                return
            self._holes, self._missing, self.bytes_read = [], 0, 0
            self._read_in_chunks(PIECE)
            return
        self._read_in_chunks(CHUNK)

    def _read_in_chunks(self, step: int) -> None:
        sample, size = Sample(self.size), self.size
        with Digests(large=size >= LARGE) as digests:
            for offset in range(0, size, step):
                chunk = self._read(offset, min(step, size - offset))
                if not self._missing:
                    digests.update(chunk)
                sample.add(offset, chunk)
                if offset == 0:
                    self.head = chunk[:HEAD]
                    self.heads = heads_of(chunk, size)
                if offset + step >= size and offset + len(chunk) == size:
                    self.tail = chunk[-TAIL:]
            if not self._missing:
                self.hexdigests = digests.hexdigests()
        self.sample = sample.bytes()

    def _read(self, offset: int, length: int) -> bytes:
        reason = ""
        try:
            data = self._read_at(offset, length)
        except OSError as error:
            data, reason = b"", (error.strerror or str(error) or "read error")[:200]
        if self._progress is not None:
            self._progress()
        if len(data) < length:
            self._note(offset + len(data), length - len(data), reason or "short read")
        elif len(data) > length:
            data = data[:length]
        self.bytes_read += len(data)
        return data

    def _note(self, offset: int, length: int, reason: str) -> None:
        self._missing += length
        last = self._holes[-1] if self._holes else None
        if last is not None and last.offset + last.length == offset and last.reason == reason:
            self._holes[-1] = ReadProblem(last.offset, last.length + length, reason)
        elif len(self._holes) < MAX_PROBLEMS:
            self._holes.append(ReadProblem(offset, length, reason))


def analyze_content(
    key: str,
    read_at: ReadAt,
    size: int,
    *,
    libmagic: Libmagic | None = None,
    limit_bytes: int | None = None,
    progress: Progress | None = None,
) -> ReadResult:
    """Read the item of ``size`` bytes once and say what it is.

    The outcome is ``DONE``; ``PARTIAL`` when stretches could not be read and ``FAILED`` when nothing could
    (no digests then: they would be those of something else); ``SKIPPED`` when the item is larger than
    ``limit_bytes`` (its type is still told from its first bytes). Entropy is measured where it says
    something: not of types that are compressed or encrypted by design.
    """
    if limit_bytes is not None and size > limit_bytes:
        return _skipped(key, ItemReader(read_at, size, progress), limit_bytes, libmagic)
    reader = ItemReader(read_at, size, progress)
    reader.read()
    kind = _type_of(reader.head, size, reader.tail, libmagic)
    measure = reader.sample and (kind is None or not kind.opaque)
    md5, sha1, sha256 = reader.hexdigests or (None, None, None)
    outcome, reason = Outcome.DONE, ""
    if reader.missing:
        outcome = Outcome.PARTIAL if reader.bytes_read else Outcome.FAILED
        first = reader.problems[0]
        reason = f"{reader.missing} of {size} bytes cannot be read, the first at {first.offset}: {first.reason}"
    content = Content(
        key=key,
        size=reader.bytes_read,
        md5=md5,
        sha1=sha1,
        sha256=sha256,
        mime=kind.mime if kind else "",
        type=kind.name if kind else "",
        entropy=entropy(reader.sample) if measure else None,
        outcome=outcome,
        reason=reason,
        md5_512=reader.heads[0],
        md5_64k=reader.heads[1],
    )
    return ReadResult(content, reader.head, reader.data, reader.problems, kind)


def _type_of(head: bytes, size: int, tail: bytes, libmagic: Libmagic | None) -> FileType | None:
    kind = identify(head, size, tail)
    if kind is None and libmagic is not None and head:
        kind = libmagic.identify(head)
    return kind


def _skipped(key: str, reader: ItemReader, limit: int, libmagic: Libmagic | None) -> ReadResult:
    head = reader.read_head()
    reason = f"larger than the limit of {limit} bytes"
    if reader.missing:
        reason += f", and its first bytes cannot be read: {reader.problems[0].reason}"
    kind = _type_of(head, reader.size, b"", libmagic)
    content = Content(
        key=key,
        size=len(head),
        mime=kind.mime if kind else "",
        type=kind.name if kind else "",
        outcome=Outcome.SKIPPED,
        reason=reason,
    )
    return ReadResult(content, head, None, (), kind)
