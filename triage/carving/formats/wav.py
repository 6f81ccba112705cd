"""WAV (Multimedia Programming Interface and Data Specifications 1.0, 1991), and RF64 for large ones (EBU Tech 3306; ITU-R BS.2088).

Sound that is not compressed has no structure to follow: its lengths must agree, and of 16-bit samples it is told when some of their sectors
are noise at full volume and others are not, as when something else is written over them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.riff import Chunk, walk_chunks

if TYPE_CHECKING:
    from triage.carving.window import Window

_UNKNOWN = 0xFFFFFFFF
_CHUNKS = 10_000
_CODECS = {1: "PCM", 2: "MS ADPCM", 3: "PCM float", 6: "A-law", 7: "mu-law", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x50: "MPEG", 0x55: "MP3"}
_EXTENSIBLE = 0xFFFE
_WRONG = 8
"""Bytes by which the length at the start may be wrong: some writers count their own eight, or not the padding."""
_SECTOR = 512
_STEP = 4096
"""Of so many bytes the first sector is looked at: files are written over in whole clusters."""
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class _Sound:
    """What ``fmt`` says: ``rate`` in bytes a second, ``frame`` bytes of one sample of all channels."""

    codec: int
    channels: int
    hertz: int
    rate: int
    frame: int
    bits: int


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 12)
    wide = head[:4] == b"RF64" or head[:4] == b"BW64"
    size, data_size = int.from_bytes(head[4:8], "little"), -1
    end = 8 + size
    if head[8:12] != b"WAVE":
        return None
    if wide:
        sizes = window.at(12, 24)
        if sizes[:4] != b"ds64" or len(sizes) < 24:
            return None
        end, data_size = 8 + int.from_bytes(sizes[8:16], "little"), int.from_bytes(sizes[16:24], "little")
    open_end = size in (0, _UNKNOWN) and not wide
    sound, data, last = None, None, None
    for chunk in walk_chunks(window, 12, window.size if open_end else min(end, window.size), most=_CHUNKS):
        last = chunk
        if chunk.name == b"data":
            data = chunk
            if wide or open_end or chunk.size == _UNKNOWN:
                break
        elif chunk.name == b"fmt ":
            sound = _format(window.at(chunk.start, min(chunk.size, 40)))
            if sound is None:
                return None
        elif data is None and chunk.end > window.size:
            return None
    if sound is None or data is None or last is None:
        return None
    return _told(window, sound, data, last, end, data_size, open_end=open_end)


def _format(body: bytes) -> _Sound | None:
    """Read ``fmt``; ``None`` when its numbers do not agree."""
    if len(body) < 16:
        return None
    codec, channels, hertz, rate, frame, bits = (
        int.from_bytes(body[a:b], "little") for a, b in ((0, 2), (2, 4), (4, 8), (8, 12), (12, 14), (14, 16))
    )
    if codec == _EXTENSIBLE and len(body) >= 26:
        codec = int.from_bytes(body[24:26], "little")
    if not codec or not 1 <= channels <= 64 or not 1000 <= hertz <= 1_536_000 or not frame or not rate or bits > 64:
        return None
    if codec in (1, 3) and (frame != channels * ((bits + 7) // 8) or rate != hertz * frame):
        return None
    return _Sound(codec, channels, hertz, rate, frame, bits)


def _told(window: Window, sound: _Sound, data: Chunk, last: Chunk, end: int, data_size: int, *, open_end: bool) -> Walked | None:
    size = data_size if data_size >= 0 else data.size
    behind = last.end
    if data_size >= 0:  # RF64: what stands behind the data is found by its true size
        behind = data.start + size + (size & 1)
        for chunk in walk_chunks(window, behind, min(end, window.size), most=_CHUNKS):
            behind = chunk.end
    there = max(min(data.start + size, window.size) - data.start, 0)
    facts: Facts = {
        "codec": _CODECS.get(sound.codec, f"format {sound.codec}"),
        "duration_ms": there * 1000 // sound.rate,
        "sample_rate": sound.hertz,
        "channels": sound.channels,
    }
    if sound.bits:
        facts["bits"] = sound.bits
    if there < sound.frame and size:
        return None
    valid = min(data.start, window.size)
    if open_end or (size == _UNKNOWN and data_size < 0):
        why = "its recording was not ended: its header does not say how long it is"
        return Walked(length=window.size, structure=Structure.TRUNCATED, why=why, valid=valid, facts=facts)
    if end > window.size or data.start + size > window.size:
        return Walked(length=window.size, structure=Structure.TRUNCATED, why="the space ends inside it", valid=valid, facts=facts)
    slack = end - behind
    if not -_WRONG <= slack <= _WRONG:
        # What follows the sound is no chunk: it is written over, or one of the lengths is wrong.
        why = f"what follows byte {behind} is no chunk of it" if slack > 0 else f"its sound should have {size} bytes, more than the file"
        return Walked(length=end, structure=Structure.DAMAGED, why=why, valid=valid, facts=facts)
    if size & 1 and last is data and slack == -1:
        behind = end  # the padding is left out
    if behind > window.size:
        return Walked(length=window.size, structure=Structure.TRUNCATED, why="the space ends inside it", valid=valid, facts=facts)
    odd = _noise(window, data.start, data.start + size, sound)
    if 0 < int(odd.sum()) * 2 < len(odd) or (odd.any() and not odd[: len(odd) // 4].any()):
        first = int(np.argmax(odd))
        place = -(-data.start // _STEP) * _STEP + first * _STEP
        if odd[first:].all():
            why = f"its sound is noise at full volume from byte {place} on: something else stands there"
            return Walked(length=behind, structure=Structure.TRUNCATED, why=why, valid=place, facts=facts)
        why = f"{int(odd.sum())} of {len(odd)} places in its sound are noise at full volume, the first at byte {place}"
        return Walked(length=behind, structure=Structure.DAMAGED, why=why, valid=place, facts=facts)
    why = f"its chunks end at byte {behind}" + (", as its header says" if slack in (0, -1) else f", {abs(slack)} off what its header says")
    return Walked(length=behind, structure=Structure.COMPLETE, why=why, facts=facts)


def _noise(window: Window, start: int, end: int, sound: _Sound) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Tell of one sector of every 4096 bytes whether its 16-bit samples are noise at full volume.

    Bytes without order (compressed ones) have, as such samples, a mean size of 16384 and differ from the next by 21845 on average; those of
    sound that is so loud differ much less.
    """
    found = [np.zeros(0, dtype=bool)]
    if sound.codec != 1 or sound.bits != 16:
        return found[0]
    lag = min(sound.channels, 8)  # a sample and the next one of the same channel
    offset = -(-start // _STEP) * _STEP
    while offset + _SECTOR <= end:
        data = window.at(offset, min(_PIECE, end - offset))
        count = (len(data) + _STEP - _SECTOR) // _STEP
        samples = np.stack([np.frombuffer(data, dtype="<i2", count=_SECTOR // 2, offset=n * _STEP) for n in range(count)]).astype(
            np.float32
        )
        size = np.abs(samples).mean(axis=1)
        step = np.abs(samples[:, lag:] - samples[:, :-lag]).mean(axis=1)
        found.append((np.abs(size - 16384) < 3000) & (np.abs(step - 21845) < 4000))
        offset += _PIECE
    return np.concatenate(found)


FORMATS = (
    Format(
        name="wav",
        extension="wav",
        headers=tuple(Header(magic + bytes(4) + b"WAVE", mask=b"\1" * 4 + bytes(4) + b"\1" * 4) for magic in (b"RIFF", b"RF64", b"BW64")),
        walk=_walk,
    ),
)
