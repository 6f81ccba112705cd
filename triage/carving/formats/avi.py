"""AVI (AVI RIFF File Reference, Microsoft; OpenDML AVI File Format Extensions 1.02): RIFF with a header, frames, and an index of them.

Large ones go on in further RIFFs of the kind ``AVIX``. Of one that is cut, the frames that are there are counted: they play.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.riff import Chunk, walk_chunks

if TYPE_CHECKING:
    from triage.carving.window import Window

_UNKNOWN = (0, 0xFFFFFFFF)
_IN_MOVI = re.compile(rb"[0-9A-Fa-f]{2}(?:d[bc]|wb|tx|pc|iv|sb|__)|ix[0-9A-Fa-f]{2}|JUNK|LIST|idx1")
_TOP = (b"LIST", b"JUNK", b"idx1", b"INFO", b"IDIT", b"ISFT", b"JUNQ", b"DISP", b"strn", b"vprp", b"strd", b"PAD ", b"_PMX")
_HEADER_CHUNKS = 2000
_SEGMENTS = 10_000
_INDEX = 64 << 20
_CODECS = {1: "PCM", 2: "MS ADPCM", 0x11: "IMA ADPCM", 0x50: "MP2", 0x55: "MP3", 0xFF: "AAC", 0x2000: "AC-3", 0x161: "WMA 2", 7: "mu-law"}


@dataclass(slots=True)
class _Film:
    """What was read. ``micros``: per frame. ``end``: of the last right chunk; ``wrong``: what stands there is none, the file should go on.

    ``places``: of the frames' chunks; ``indexed``, ``found``: entries of indexes, and those of them that lead to a chunk.
    """

    facts: Facts = field(default_factory=dict)
    micros: int = 0
    total: int = 0
    codecs: list[str] = field(default_factory=list)
    frames: int = 0
    places: array[int] = field(default_factory=lambda: array("q"))
    indexed: int = 0
    found: int = 0
    end: int = 0
    goal: int = 0
    wrong: bool = False
    open_end: bool = False


def _walk(window: Window) -> Walked | None:
    film = _Film()
    start = 0
    for number in range(_SEGMENTS):
        head = window.at(start, 12)
        if head[:4] != b"RIFF" or head[8:12] != (b"AVIX" if number else b"AVI "):
            break
        size = int.from_bytes(head[4:8], "little")
        film.open_end = size in _UNKNOWN
        film.goal = window.size if film.open_end else start + 8 + size + (size & 1)
        _segment(window, film, start + 12, min(film.goal, window.size))
        if number == 0 and not film.micros:
            return None
        if film.wrong or film.open_end or film.end not in (film.goal, film.goal - 1):
            break
        start = film.end
    if not film.places:
        return None
    return _told(window, film)


def _told(window: Window, film: _Film) -> Walked:
    facts = film.facts | {"frames": film.frames, "duration_ms": film.frames * film.micros // 1000}
    if film.codecs:
        facts["codec"] = ", ".join(film.codecs)
    of = f" of {film.total}" if film.total > film.frames else ""
    if film.open_end:
        why = f"its recording was not ended; {film.frames} frames are there"
        length = min(film.end, window.size)
        return Walked(length=length, structure=Structure.TRUNCATED, why=why, valid=length, facts=facts)
    if film.end > window.size or (film.goal > window.size and not film.wrong):
        why = f"the space ends inside it; {film.frames}{of} frames are there"
        length = window.size
        return Walked(length=length, structure=Structure.TRUNCATED, why=why, valid=min(film.places[-1], length), facts=facts)
    if film.wrong or film.end not in (film.goal, film.goal - 1):
        why = f"what stands at byte {film.end} is no chunk; {film.frames}{of} frames are there before it"
        if film.goal <= window.size and _index_stands(window, film):
            why += ", and its index behind it"
            return Walked(length=film.goal, structure=Structure.DAMAGED, why=why, valid=film.places[-1], facts=facts)
        return Walked(length=film.end, structure=Structure.TRUNCATED, why=why, valid=film.places[-1], facts=facts)
    if film.found < film.indexed:
        why = f"{film.indexed - film.found} of {film.indexed} entries of its index do not lead to a frame"
        return Walked(length=film.end, structure=Structure.DAMAGED, why=why, facts=facts)
    checked = bool(film.indexed)
    why = f"its chunks end at byte {film.end}" + (f", and {film.indexed} entries of its index lead to them" if checked else "")
    return Walked(length=film.end, structure=Structure.COMPLETE, why=why, checked=checked, facts=facts)


def _segment(window: Window, film: _Film, start: int, end: int) -> None:
    """Read one RIFF: the header, the frames, and their index."""
    film.end = start
    first = 0
    for chunk in walk_chunks(window, start, end, most=_HEADER_CHUNKS):
        if chunk.name not in _TOP and not (chunk.name.isalnum() and chunk.end <= end):
            film.wrong = True
            return
        if chunk.name == b"LIST":
            kind = window.at(chunk.start, 4)
            if kind == b"hdrl":
                _header(window, film, chunk.start + 4, min(chunk.end, end), 0)
            elif kind == b"movi":
                first = len(film.places)
                if film.open_end or chunk.size in _UNKNOWN:
                    film.open_end = True
                    _frames(window, film, chunk.start + 4, window.size)
                    return
                _frames(window, film, chunk.start + 4, min(chunk.end, end))
                if film.end not in (chunk.end, chunk.end - 1):
                    film.wrong = film.end < end
                    return
        elif chunk.name == b"idx1" and chunk.end <= end:
            _index(window, film, chunk, film.places[first:])
        film.end = chunk.end
    if film.end > end:
        film.end = end + 1 if end == window.size < film.goal else film.end


def _header(window: Window, film: _Film, start: int, end: int, depth: int) -> None:
    """Read ``hdrl`` and the ``strl`` in it."""
    kind = b""
    for chunk in walk_chunks(window, start, end, most=_HEADER_CHUNKS):
        if chunk.name == b"avih":
            body = window.at(chunk.start, 40)
            if len(body) == 40:
                film.micros, film.total = int.from_bytes(body[:4], "little"), int.from_bytes(body[16:20], "little")
                width, height = int.from_bytes(body[32:36], "little"), int.from_bytes(body[36:40], "little")
                if 0 < width < 1 << 16 and 0 < height < 1 << 16:
                    film.facts |= {"width": width, "height": height}
        elif chunk.name == b"strh":
            kind = window.at(chunk.start, 4)
            if kind == b"vids" and not film.micros:  # some writers leave the header's own number at 0
                body = window.at(chunk.start, 28)
                scale, rate = int.from_bytes(body[20:24], "little"), int.from_bytes(body[24:28], "little")
                film.micros = min(scale * 1_000_000 // rate, 0xFFFFFFFF) if rate else 0
        elif chunk.name == b"strf":
            body = window.at(chunk.start, 20)
            letters = body[16:20]
            if kind == b"vids" and letters.isalnum() and letters.isascii():
                film.codecs.append(letters.decode("ascii"))
            elif kind == b"auds":
                film.codecs.append(_CODECS.get(int.from_bytes(body[:2], "little"), "sound"))
        elif chunk.name == b"dmlh":
            film.total = max(film.total, int.from_bytes(window.at(chunk.start, 4), "little"))
        elif chunk.name == b"LIST" and depth < 2 and window.at(chunk.start, 4) in (b"strl", b"odml"):
            _header(window, film, chunk.start + 4, min(chunk.end, end), depth + 1)


def _frames(window: Window, film: _Film, start: int, end: int) -> None:
    """Read the chunks of ``movi``, some of which stand in lists ``rec `` of their own."""
    film.end = start
    matches = _IN_MOVI.fullmatch
    for chunk in walk_chunks(window, start, end):
        name = chunk.name
        if not matches(name) or name == b"idx1":
            return
        if name == b"LIST":
            if window.at(chunk.start, 4) != b"rec ":
                return
            for inner in walk_chunks(window, chunk.start + 4, min(chunk.end, end)):
                if not matches(inner.name):
                    return
                film.end = inner.end
                film.places.append(inner.offset)
                film.frames += inner.name[2:] in (b"dc", b"db")
            if film.end not in (chunk.end, chunk.end - 1):
                return
        elif chunk.end > end + 1:
            film.end = window.size + 1 if end == window.size else chunk.offset
            return
        elif name[:2] != b"ix" and name != b"JUNK":
            film.places.append(chunk.offset)
            film.frames += name[2:] in (b"dc", b"db")
        film.end = chunk.end


def _index(window: Window, film: _Film, chunk: Chunk, places: array[int]) -> None:
    """Count the entries of ``idx1`` that lead to a chunk of the frames. Their offsets are the file's, or begin at ``movi``."""
    data = window.at(chunk.start, min(chunk.size, _INDEX))
    rows = np.frombuffer(data, dtype="<u4", count=len(data) // 16 * 4).reshape(-1, 4)
    rows = rows[rows[:, 0] != int.from_bytes(b"rec ", "little")]
    if not len(rows) or not places:
        return
    offsets = rows[:, 2].astype(np.int64)
    offsets += places[0] - int(offsets[0])
    film.indexed += len(rows)
    there = np.frombuffer(places, dtype=np.int64)  # in order, as they were read
    nearest = np.minimum(np.searchsorted(there, offsets), len(there) - 1)
    film.found += int(np.count_nonzero(there[nearest] == offsets))


def _index_stands(window: Window, film: _Film) -> bool:
    """Whether the index, or the next RIFF, stands where the broken one says."""
    for chunk in walk_chunks(window, 12, min(film.goal, window.size), most=_HEADER_CHUNKS):
        if chunk.offset >= film.end and chunk.name == b"idx1" and chunk.end in (film.goal, film.goal + 1):
            return True
    return window.at(film.goal, 4) == b"RIFF" and window.at(film.goal + 8, 4) == b"AVIX"


def _rejoin(_window: Window, _walked: Walked) -> None:
    """Find nothing more: it is walked again where the whole files in between are taken out, and its index prove what that finds."""
    return


FORMATS = (
    Format(
        name="avi",
        extension="avi",
        headers=(Header(b"RIFF\0\0\0\0AVI ", mask=b"\1" * 4 + bytes(4) + b"\1" * 4),),
        walk=_walk,
        rejoin=_rejoin,
    ),
)
