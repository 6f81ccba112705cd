"""Media that lie compressed in one file: gzip, bzip2 and xz. How long the medium is, is known when all of it was undone once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.errors import EvidenceError
from triage.evidence import decoders
from triage.evidence.inflated import Inflated
from triage.evidence.medium import DamagedRangeError, FileMedium

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from triage.evidence.decoders import Decoder
    from triage.evidence.medium import Medium

LARGEST = 1 << 46
STREAMS: dict[str, tuple[Callable[[], Decoder] | int, bytes]] = {
    "gzip": (31, b"\x1f\x8b\x08"),
    "bzip2": (decoders.bzip2_decoder, b"BZh"),
    "xz": (decoders.xz_decoder, b"\xfd7zXZ\0"),
}
"""What undoes each, and the magic number of a further stream behind the first."""


class InflatedMedium:
    """A medium behind a compressed stream that begins at ``start`` of what lies below.

    ``size``: its bytes when they are known from an earlier look; else all of it is undone once, and ``beat`` called meanwhile.
    """

    def __init__(
        self,
        below: Medium,
        make: Callable[[], Decoder] | int,
        *,
        again: bytes = b"",
        start: int = 0,
        size: int | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.sector_size = 512
        self.damaged: dict[int, tuple[int, str]] = {}
        self._below = below
        self._stream = Inflated(lambda at, length: below.read_at(start + at, length), below.size - start, make, size, again)
        self.size = self._stream.measure(LARGEST, beat) if size is None else size
        self.complete = self._stream.whole

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        length = max(0, min(length, self.size - offset))
        try:
            return self._stream.read_at(offset, length)
        except DamagedRangeError:
            raise
        except OSError as error:
            reason = error.strerror or str(error)
            self.damaged[offset] = (length, reason)
            raise DamagedRangeError(offset, length, reason) from error

    def close(self) -> None:
        """Close the files below."""
        self._below.close()


def open_packed(
    kind: str, segments: Sequence[Path], size: int | None, beat: Callable[[], None]
) -> tuple[InflatedMedium, list[str]]:
    """Open a compressed file; return its medium, and what is wrong with it."""
    make, again = STREAMS[kind]
    below = FileMedium(segments)
    try:
        medium = InflatedMedium(below, make, again=again, size=size, beat=beat)
    except OSError as error:
        below.close()
        raise EvidenceError(f"{segments[0]} cannot be read: {error.strerror or error}") from error
    if medium.complete:
        return medium, []
    return medium, [f"{segments[0].name} is damaged or cut: only the first {medium.size} bytes of what it holds can be read"]
