"""Frames of videos as hashes: what a video is compared by.

As in vPDQ (ThreatExchange): a PDQ hash of a frame a second, those with too little in them left out. Decoding all frames of a long video
takes minutes, and most of them show what the one before showed: so a video of a case is decoded at its key frames only, a second apart at
least, and only a short one, or one with few key frames, from the beginning on. The known videos that an agency builds a list of are
decoded ``dense``: a frame each second, so that whichever frame a copy has its key frames at finds its like.

Decoders have a long record of holes: this runs in a worker process that may be killed, has no network and can make no file. FFmpeg gets
the bytes through a file-like object, only the container formats named here, and no other file that a video might name. What limits the
work is counted, not timed: the same bytes give the same frames. The frames' brightness is taken as it was decoded, without a scaler, since
those differ from one processor to the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from triage.content.fileview import FileView
from triage.content.pdq import hash_of

try:
    import av
except ImportError:  # an optional dependency: "pip install triage[video]"
    _AV = False
else:
    _AV = True

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

LEAST_QUALITY = 50
PRUNED = 8
"""A frame that differs in so few bits from the one taken before is left out: it shows the same."""
MAX_FRAMES = 600
MAX_PIXELS = 50_000_000
FEW = 8
"""A video that has fewer key frames than this is decoded from the beginning on, for at most ``FROM_START`` frames."""
FROM_START = 1500
MAX_DECODED = 200_000
MAX_PACKETS = 5_000_000
_SIDE = 256  # pixels a side that a frame has at least when it is reduced
_DAMAGE = 50  # errors of the decoder after which a video is given up
_EIGHT_BITS = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "yuv410p", "yuv411p", "nv12", "nv21", "gray"})
_HEADS: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftyp", "mov"),
    (4, b"moov", "mov"),
    (4, b"mdat", "mov"),
    (4, b"wide", "mov"),
    (4, b"free", "mov"),
    (4, b"skip", "mov"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (8, b"AVI ", "avi"),
    (0, b"FLV", "flv"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (0, b"OggS", "ogg"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
)
_TS_PACKET = 188


class Frame(NamedTuple):
    """A frame: its time in milliseconds, its PDQ hash of 32 bytes and the hash's quality."""

    time_ms: int
    pdq: bytes
    quality: int


class VideoFrames(NamedTuple):
    """The frames that were taken, the video's duration in milliseconds if it tells, how many were decoded, and why it ended early."""

    frames: tuple[Frame, ...]
    duration_ms: int | None
    looked: int
    cut: str


def available() -> bool:
    """Return whether PyAV is installed."""
    return _AV


def container_format(head: bytes) -> str | None:
    """Return FFmpeg's name of the container, ``None`` for one that is not decoded. Lists that name other files are none."""
    for offset, magic, name in _HEADS:
        if head[offset : offset + len(magic)] == magic and (name != "avi" or head.startswith(b"RIFF")):
            return name
    if len(head) > 2 * _TS_PACKET and head[0] == head[_TS_PACKET] == head[2 * _TS_PACKET] == 0x47:
        return "mpegts"
    return None


def frames_of(
    read_at: Callable[[int, int], bytes],
    size: int,
    *,
    dense: bool = False,
    every: float = 1.0,
    limit: int = MAX_FRAMES,
    beat: Callable[[], object] | None = None,
) -> VideoFrames | str:
    """Return a video's frames, or why there are none. ``every``: seconds between two frames at least; ``beat`` is called now and then.

    Damage is in the answer; only ``OSError`` of ``read_at`` and ``MemoryError`` are raised.
    """
    if not _AV:
        return "videos need the Python package av, which is not installed"
    name = container_format(read_at(0, min(size, 4 * _TS_PACKET)))
    if name is None:
        return "not a video container that is decoded"
    taken = _Taken(every, limit, beat or (lambda: None))
    try:
        duration = _pass(read_at, size, name, taken, keys_only=not dense)
        if not dense and len(taken.frames) < FEW and not taken.cut:
            again = _Taken(every, limit, taken.beat, most=FROM_START)
            _pass(read_at, size, name, again, keys_only=False)
            if len(again.frames) > len(taken.frames):
                taken = again
    except (MemoryError, OSError) as error:
        if isinstance(error, MemoryError) or not isinstance(error, av.error.FFmpegError):
            raise
        return f"the video cannot be decoded ({type(error).__name__})"
    except Exception as error:  # the binding raises many things on damaged data; damage is an answer here
        return f"the video cannot be decoded ({type(error).__name__})"
    if not taken.frames:
        nothing = "no frame of the video has enough in it to be compared" if taken.looked else "no frame of the video can be decoded"
        return taken.cut or nothing
    return VideoFrames(tuple(taken.frames), duration, taken.looked, taken.cut)


class _Taken:
    """Frames on their way: which are taken, and when it is enough."""

    def __init__(self, every: float, limit: int, beat: Callable[[], object], most: int = MAX_DECODED) -> None:
        self._every_ms, self._limit, self._most = round(every * 1000), limit, most
        self.beat = beat
        self.frames: list[Frame] = []
        self.looked = 0
        self.cut = ""
        self._next_ms = 0
        self._last = b""

    def add(self, frame: Any) -> bool:
        """Take a decoded frame if it is its turn; return whether more are wanted."""
        self.looked += 1
        if self.looked > self._most:
            self.cut = f"only the first {self._most:,} frames were decoded"
            return False
        at = _milliseconds(frame)
        if at is None or at < self._next_ms:
            return True
        self._next_ms = at - at % self._every_ms + self._every_ms if self._every_ms else at
        luma = _brightness(frame)
        if luma is None:
            return True
        found = hash_of(luma)
        own = found.pdq[:32]
        if found.quality < LEAST_QUALITY or (self._last and _differ(own, self._last) <= PRUNED):
            return True
        self._last = own
        self.frames.append(Frame(at, own, found.quality))
        if len(self.frames) >= self._limit:
            self.cut = f"only the first {self._limit:,} frames were taken"
            return False
        return True


def _pass(read_at: Callable[[int, int], bytes], size: int, name: str, taken: _Taken, *, keys_only: bool) -> int | None:
    """Decode a video once; return its duration in milliseconds."""
    view = FileView(read_at, size)
    with av.open(view, mode="r", format=name, metadata_errors="replace", io_open=_refuse, options={"enable_drefs": "0"}) as container:
        stream = next((s for s in container.streams.video if not _is_cover(s)), None)
        if stream is None:
            taken.cut = "the file has no video stream"
            return None
        context = stream.codec_context
        if context.width * context.height > MAX_PIXELS:
            taken.cut = f"its frames have more than {MAX_PIXELS:,} pixels"
            return None
        stream.thread_type = "NONE"
        context.thread_count = 1
        if keys_only:
            context.skip_frame = "NONKEY"
        for frame in _decoded(container, stream, taken):
            if frame.width * frame.height > MAX_PIXELS:
                taken.cut = f"its frames have more than {MAX_PIXELS:,} pixels"
                break
            if not taken.add(frame):
                break
        duration = container.duration
        return int(duration // 1000) if duration is not None and 0 <= duration < 1 << 60 else None


def _decoded(container: Any, stream: Any, taken: _Taken) -> Iterator[Any]:
    """Yield frames; what cannot be decoded is passed over a bounded number of times."""
    errors = packets = 0
    source = container.demux(stream)
    while True:
        taken.beat()
        try:
            packet = next(source, None)
            if packet is None:
                return
            packets += 1
            frames = packet.decode()
        except av.error.FFmpegError as error:
            if isinstance(error, av.error.EOFError):
                return
            errors += 1
            if errors >= _DAMAGE:
                taken.cut = "damaged: it was not decoded to its end"
                return
            continue
        if packets > MAX_PACKETS:
            taken.cut = f"only the first {MAX_PACKETS:,} packets were read"
            return
        yield from frames


def _refuse(*_: object, **__: object) -> Any:
    """Answer FFmpeg when a video names another file that is to be opened."""
    raise PermissionError("a video must not open other files")


def _is_cover(stream: Any) -> bool:
    return bool(int(getattr(stream, "disposition", 0) or 0) & 0x400)  # AV_DISPOSITION_ATTACHED_PIC


def _milliseconds(frame: Any) -> int | None:
    if frame.pts is None or frame.time_base is None:
        return None
    value = frame.pts * 1000 * frame.time_base.numerator // frame.time_base.denominator
    return int(value) if 0 <= value < 1 << 52 else None


def _brightness(frame: Any) -> NDArray[np.int64] | None:
    """Return a frame's brightness, reduced by whole factors; of 10 and more bits the high ones."""
    layout = frame.format.name
    if layout in _EIGHT_BITS:
        plane = frame.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
    elif layout.startswith("yuv") and layout.endswith(("10le", "12le")):
        plane = frame.planes[0]
        wide = np.frombuffer(plane, "<u2").reshape(-1, plane.line_size // 2)[: frame.height, : frame.width]
        rows = (wide >> (2 if "10" in layout else 4)).astype(np.uint8)
    else:
        rows = frame.reformat(format="gray").to_ndarray()
    factor = max(1, min(frame.width, frame.height) // _SIDE)
    height, width = rows.shape[0] // factor, rows.shape[1] // factor
    if not height or not width:
        return None
    blocks = rows[: height * factor, : width * factor].astype(np.int64).reshape(height, factor, width, factor)
    found: NDArray[np.int64] = (blocks.sum(axis=(1, 3)) + factor * factor // 2) // (factor * factor)
    return found


def _differ(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()
