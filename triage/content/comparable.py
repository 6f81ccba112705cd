"""What a picture or a video is compared by: its hashes, or why there are none, as a worker finds them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.content import videoframes
from triage.content.likeness import picture_hash
from triage.content.pdq import ORIENTATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.content.catalog import FileType

    ReadAt = Callable[[int, int], bytes]

LARGEST_PICTURE = 64 << 20
"""Bytes of a picture file that is decoded, at most."""
LEAST_QUALITY = 50
"""A PDQ hash of less quality says too little to be compared (PDQ's own recommendation)."""
_PDQ, _PHASH = 32 * len(ORIENTATIONS), 8 * len(ORIENTATIONS)
MAX_FRAMES, MAX_DENSE = 600, 3600
"""Frames that are taken of a video of a case, and of one that a list is built of."""
_MAX_REASON = 300


class Frame(NamedTuple):
    """A frame of a video: where it is in milliseconds, its PDQ hash, and the hash's quality."""

    time_ms: int
    pdq: bytes
    quality: int


class Comparable(NamedTuple):
    """The hashes of a picture in its eight orientations, or of a video's frames; ``reason``: why there are none, or not all.

    ``photodna``: what a licensed comparison makes of the picture, when one is installed.
    """

    pdq: bytes = b""
    phash: bytes = b""
    quality: int = 0
    frames: tuple[Frame, ...] = ()
    reason: str = ""
    photodna: bytes = b""

    def pack(self) -> list[Any]:
        """Return the fields as JSON values."""
        frames = [[f.time_ms, f.pdq.hex(), f.quality] for f in self.frames]
        pdq, phash, photodna = (base64.b64encode(raw).decode("ascii") for raw in (self.pdq, self.phash, self.photodna))
        return [pdq, phash, self.quality, frames, self.reason, photodna]

    @classmethod
    def unpack(cls, values: Any) -> Comparable:
        """Build it from :meth:`pack`'s form; raise ``TypeError`` or ``ValueError`` for what does not fit."""
        pdq, phash, quality, frames, reason, photodna = values
        hashes = base64.b64decode(pdq, validate=True), base64.b64decode(phash, validate=True)
        if (len(hashes[0]), len(hashes[1])) not in ((0, 0), (_PDQ, _PHASH)) or len(frames) > MAX_DENSE:
            raise ValueError("not the hashes of a picture")
        if type(quality) is not int or not 0 <= quality <= 100 or type(reason) is not str or len(reason) > _MAX_REASON:
            raise ValueError("not the quality of a hash, or not a reason")
        vector = base64.b64decode(photodna, validate=True)
        if len(vector) not in (0, 144):
            raise ValueError("not the vector of a picture")
        return cls(*hashes, quality, tuple(_frame(frame) for frame in frames), reason, vector)


def _frame(values: Any) -> Frame:
    time_ms, pdq, quality = values
    if type(time_ms) is not int or not 0 <= time_ms < 1 << 52 or type(quality) is not int or not 0 <= quality <= 100:
        raise ValueError("not a frame of a video")
    frame = Frame(time_ms, bytes.fromhex(pdq), quality)
    if len(frame.pdq) != 32:
        raise ValueError("not the hash of a frame")
    return frame


def comparable_of(
    kind: FileType | None,
    data: bytes | None,
    read_at: ReadAt,
    size: int,
    *,
    pictures: bool,
    videos: bool,
    beat: Callable[[], None],
    dense: bool = False,
    photodna: Callable[[bytes], bytes | None] | None = None,
) -> Comparable | None:
    """Return what an item is compared by, ``None`` if it is no picture and no video, or those are not to be compared.

    ``data``: the whole item if it is at hand; ``dense``: of a video a frame each second, not only key frames.
    Damage is in the answer; ``OSError`` of ``read_at`` and ``MemoryError`` are raised.
    """
    category = kind.category if kind else ""
    if category == "picture" and pictures:
        return _of_picture(data, read_at, size, photodna)
    if category == "video" and videos:
        found = videoframes.frames_of(read_at, size, dense=dense, limit=MAX_DENSE if dense else MAX_FRAMES, beat=beat)
        if isinstance(found, str):
            return Comparable(reason=found[:_MAX_REASON])
        return Comparable(frames=tuple(Frame(*frame) for frame in found.frames), reason=found.cut[:_MAX_REASON])
    return None


def _of_picture(data: bytes | None, read_at: ReadAt, size: int, photodna: Callable[[bytes], bytes | None] | None) -> Comparable:
    if data is None:
        if size > LARGEST_PICTURE:
            return Comparable(reason=f"larger than {LARGEST_PICTURE >> 20} MiB")
        data = read_at(0, size)
    vector = _vector(photodna, data)
    found = picture_hash(data)
    if isinstance(found, str):
        return Comparable(reason=found[:_MAX_REASON], photodna=vector)
    return Comparable(found.pdq, found.phash, found.quality, photodna=vector)


def _vector(photodna: Callable[[bytes], bytes | None] | None, data: bytes) -> bytes:
    """Return what a licensed comparison makes of a picture; nothing when it fails, whatever its reason: it is not ours."""
    if photodna is None:
        return b""
    try:
        return photodna(data) or b""
    except Exception:
        return b""
