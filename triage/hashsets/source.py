"""A hash list on the examiner's disk: opened read-only, whatever its encoding, in bounded memory."""

from __future__ import annotations

import codecs
import hashlib
import io
import stat
from typing import TYPE_CHECKING, BinaryIO

from triage.errors import HashsetError, UsageError
from triage.hashsets import packing
from triage.hashsets.records import Reject

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from triage.hashsets.records import Packed

MAX_LINE = 1 << 20  # bytes; a longer line is rejected without being held
TOO_LONG = "longer than 1 MiB: not a line of a hash list"
HEAD = 1 << 16  # bytes that decide the format
_BLOCK = 1 << 20
_BOMS = (
    (codecs.BOM_UTF8, ""),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Source:
    """A list file. ``position`` is how many bytes of it were read so far, ``size`` how many there are.

    A list that is ``packed`` is unpacked while it is read; both numbers are then about the packed file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position = 0
        try:
            facts = path.stat()
            if stat.S_ISDIR(facts.st_mode):
                raise UsageError(f"{path} is a folder, not a hash list", hint="name the list file inside it")
            if not stat.S_ISREG(facts.st_mode):
                raise UsageError(f"{path} is not a regular file", hint="save the list to a file first: it is read twice")
            with path.open("rb") as stream:
                head = stream.read(HEAD)
        except FileNotFoundError as error:
            raise UsageError(f"there is no file {path}", hint="name a hash list that exists") from error
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
        self.size = facts.st_size
        self._opener = packing.opener_of(path, head)
        self.packed = self._opener is not None
        if self.packed:
            with self._open_unpacked() as unpacked:
                head = unpacked.read(HEAD)
        self._facts = _identity(facts)
        self._bom, self._encoding = next(((b, e) for b, e in _BOMS if head.startswith(b)), (b"", ""))
        self.head = self._decode_head(head)

    def sha256(self, progress: Callable[[str, int, int], None] | None = None) -> str:
        """Return the file's SHA-256 in hexadecimal; ``progress`` gets (stage, bytes done, bytes in all)."""
        digest, done = hashlib.sha256(), 0
        with self._open_raw() as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
                done += len(block)
                self._check_not_grown(done)
                if progress:
                    progress("digest", done, self.size)
        return digest.hexdigest()

    def check_unchanged(self) -> None:
        """Raise ``HashsetError`` if the file is no longer the one that was opened."""
        try:
            same = _identity(self.path.stat()) == self._facts
        except OSError:
            same = False
        if not same:
            raise self._changed()

    def open(self) -> BinaryIO:
        """Return the list's text without its byte order mark; as UTF-8 where the mark says it is UTF-16 or UTF-32."""
        stream = self._open_unpacked() if self.packed else self._open_raw()
        stream.read(len(self._bom))
        return io.BufferedReader(_Text(self, stream, self._encoding), _BLOCK)

    def lines(self) -> Iterator[tuple[int, bytes] | Reject]:
        """Yield (line number, line without its line end).

        A line over 1 MiB comes as a ``Reject`` and is not held.
        """
        number = 0
        with self.open() as stream:
            while line := stream.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE and not line.endswith(b"\n"):
                    while line and not line.endswith(b"\n"):
                        line = stream.readline(MAX_LINE)
                    yield Reject(number, TOO_LONG)
                    continue
                yield number, line.rstrip(b"\r\n")

    def packed_lines(self, pack: Callable[[bytes], Packed | None]) -> Iterator[tuple[int, bytes | Packed | Reject]]:
        """Yield (line number, line) as :meth:`lines` does, and whole blocks at once where ``pack`` can read them.

        ``pack`` gets whole lines and returns ``None`` for a block that is to be taken line by line. The first
        line, which may be unlike the others, comes to it alone.
        """
        number, rest = 1, b""
        with self.open() as stream:
            while True:
                block = stream.read(_BLOCK)
                data = rest + block
                end = data.rfind(b"\n") + 1 if block else len(data)
                data, rest = data[:end], data[end:]
                if data:
                    first = data.find(b"\n") + 1 if number == 1 else 0
                    yield from _packed(number, data[:first], pack)
                    yield from _packed(number + (first > 0), data[first:], pack)
                number += data.count(b"\n")
                if not block:
                    return
                if len(rest) > MAX_LINE:
                    while block and b"\n" not in block:
                        block = stream.read(_BLOCK)
                    rest = block.partition(b"\n")[2]
                    yield number, Reject(number, TOO_LONG)
                    number += 1

    def advance(self, count: int) -> None:
        """Take note of bytes that were read; raise ``HashsetError`` if there are more than the file had."""
        self.position += count
        self._check_not_grown(self.position)

    def _check_not_grown(self, position: int) -> None:
        if position > self.size:  # else a file that grows as fast as it is read would never end
            raise self._changed()

    def _changed(self) -> HashsetError:
        return HashsetError(f"{self.path} changed while it was read", hint="import it again when nothing writes to it")

    def _open_unpacked(self) -> BinaryIO:
        assert self._opener is not None  # noqa: S101 - asked by the callers
        try:
            return io.BufferedReader(_Unpacked(self, self._opener(self.path)), _BLOCK)
        except packing.DAMAGE as error:
            raise self.unpacking_failed(error) from error

    def unpacking_failed(self, error: Exception) -> HashsetError:
        """Return what is said of a packed list that cannot be unpacked."""
        return HashsetError(f"{self.path} cannot be unpacked: {error or type(error).__name__}", hint="get it again, or unpack it yourself")

    def _open_raw(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read: {error.strerror or error}") from error

    def _decode_head(self, head: bytes) -> bytes:
        head = head[len(self._bom) :]
        if not self._encoding:
            return head
        return codecs.getincrementaldecoder(self._encoding)("replace").decode(head).encode("utf-8", "replace")


def _packed(number: int, data: bytes, pack: Callable[[bytes], Packed | None]) -> Iterator[tuple[int, bytes | Packed | Reject]]:
    if not data:
        return
    packed = pack(data)
    if packed:
        yield number, packed
        return
    for index, line in enumerate(data.removesuffix(b"\n").split(b"\n")):
        yield number + index, line.rstrip(b"\r")


class _Unpacked(io.RawIOBase):
    """What comes out of a packed list, with a bound on it."""

    def __init__(self, source: Source, stream: BinaryIO) -> None:
        self._source, self._stream = source, stream
        self._came = 0

    def readable(self) -> bool:
        return True

    # The buffer io hands in is writable bytes
    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            data = self._stream.read(min(len(buffer), _BLOCK))
        except packing.DAMAGE as error:
            raise self._source.unpacking_failed(error) from error
        self._came += len(data)
        packing.check_expansion(self._source.path, self._source.size, self._came)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Text(io.RawIOBase):
    """A stream that counts what it reads for its source, and writes UTF-16 and UTF-32 as UTF-8."""

    def __init__(self, source: Source, stream: BinaryIO, encoding: str) -> None:
        self._source, self._stream = source, stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace") if encoding else None
        self._rest = b""
        source.position = 0 if source.packed else stream.tell()

    def readable(self) -> bool:
        return True

    # The buffer io hands in is writable bytes
    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._decoder is None:
            count = self._stream.readinto(buffer)  # type: ignore[attr-defined]
            self._advance(count)
            return int(count)
        while not self._rest:
            block = self._stream.read(_BLOCK)
            self._advance(len(block))
            self._rest = self._decoder.decode(block, final=not block).encode("utf-8", "replace")
            if not block:
                break
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _advance(self, count: int) -> None:
        if not self._source.packed:  # else what was read is not the file's bytes
            self._source.advance(count)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _identity(facts: os.stat_result) -> tuple[int, ...]:
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns
