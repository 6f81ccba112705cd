"""Lists of Ares Galaxy: ``ShareL.dat`` (the library), ``ShareH.dat`` (what is known of files), ``TorrentH.dat``, and its unfinished files.

Layout (Ares' sources: ``helper_library_db.pas``, ``thread_dht.pas``, ``helper_download_disk.pas``): a signature of 14 bytes, then
records: a head with the file's SHA-1 and the length of the details, and the details: type, 16-bit length and value of each. Head and
details are hidden, each with a key of its own: a byte is XORed with the key's upper byte, and the key then is (byte + key) * 23219 + 36126.
An unfinished file (``___ARESTRA___name``) has 4 KiB behind its bytes, in clear: signature, size, bytes that are there, gaps, details.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from triage.artifacts.structure import StructureError

LIBRARY, HISTORY = b"__ARESDB1.04L_", b"__ARESDB1.02H_"
_SIGNATURE = 14
_LONGEST_DETAILS = 4096  # Ares itself gives up behind 2,048
_MOST_RECORDS, _MOST_GAPS, _KEPT_GAPS = 500_000, 250, 100
TAIL = 4096
TYPES = {0: "other", 1: "audio", 2: "audio", 3: "software", 4: "audio", 5: "video", 6: "document", 7: "image"}
_FIELDS = {
    1: "path",
    2: "title",
    3: "artist",
    4: "album",
    5: "category",
    6: "year",
    7: "video_info",
    8: "language",
    9: "url",
    10: "comment",
}
_DATE, _CORRUPT, _PHASH = 11, 17, 18


@dataclass(slots=True)
class AresFile:
    """A file. ``facts``: texts by name; ``date``: seconds since 1970 in the computer's own time; ``shared``: ``None`` if it is not said."""

    sha1: str
    start: int
    end: int
    type: int | None = None
    size: int | None = None
    shared: bool | None = None
    corrupt: bool = False
    date: int = 0
    parts_sha1: str = ""
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class AresTorrent:
    """A torrent that was finished. ``time``: as ``date`` above; ``seeds`` as many as there were."""

    btih: str
    start: int
    end: int
    time: int
    type: int
    size: int
    seeds: int
    name: str = ""
    trackers: list[str] = field(default_factory=list)


@dataclass(slots=True)
class AresPart:
    """What the end of an unfinished file says of it. ``gaps``: ``(first, last)`` byte that were not there."""

    size: int
    loaded: int
    gaps: list[tuple[int, int]]
    type: int
    paused: bool
    sha1: str = ""
    date: int = 0
    facts: dict[str, str] = field(default_factory=dict)


def reveal(data: bytes, key: int) -> bytes:
    """Return bytes that were hidden with a key."""
    found = bytearray(len(data))
    for at, byte in enumerate(data):
        found[at] = byte ^ (key >> 8)
        key = ((byte + key) * 23219 + 36126) & 0xFFFF
    return bytes(found)


def read_files(data: bytes) -> tuple[list[AresFile], str]:
    """Return the files of ``ShareL.dat`` or ``ShareH.dat``, and why not all, "" if all. Raises :class:`StructureError` for another file."""
    library = data.startswith(LIBRARY)
    if not library and not data.startswith(HISTORY):
        raise StructureError("not a list of Ares")
    length = 47 if library else 23
    found: list[AresFile] = []
    at = _SIGNATURE
    while at < len(data):
        start, head = at, reveal(data[at : at + length], 13871)
        at += length
        size = int.from_bytes(head[-2:], "little")
        why = _fault(data, at, size, len(head) < length, len(found))
        if why:
            return found, why
        file = AresFile(head[:20].hex(), start, at + size)
        if library:
            file.type, file.size = head[20], int.from_bytes(head[25:33], "little")
        else:
            file.shared = head[20] == 1
        _describe(file, reveal(data[at : at + size], 13872))
        found.append(file)
        at += size
    return found, ""


def _fault(data: bytes, at: int, size: int, cut: bool, found: int) -> str:
    if cut or at + size > len(data):
        return f"it breaks off behind {found:,} records"
    if size > _LONGEST_DETAILS:
        return f"it is damaged behind {found:,} records"
    return f"it has more than {_MOST_RECORDS:,} records" if found >= _MOST_RECORDS else ""


def _details(data: bytes) -> list[tuple[int, bytes]]:
    """Return types and values; what breaks off ends them."""
    found, at = [], 0
    while at + 3 <= len(data):
        length = int.from_bytes(data[at + 1 : at + 3], "little")
        found.append((data[at], data[at + 3 : at + 3 + length]))
        at += 3 + length
    return found


def _words(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _describe(file: AresFile, details: bytes) -> None:
    for kind, value in _details(details):
        if kind in _FIELDS and value:
            file.facts.setdefault(_FIELDS[kind], _words(value))
        elif kind == _DATE and len(value) == 4:
            file.date = int.from_bytes(value, "little")
        elif kind == _CORRUPT:
            file.corrupt = True
        elif kind == _PHASH and len(value) == 20:
            file.parts_sha1 = value.hex()


def read_torrents(data: bytes) -> tuple[list[AresTorrent], str]:
    """Return the torrents of ``TorrentH.dat``, and why not all, "" if all. Raises :class:`StructureError` for another file."""
    if not data.startswith(HISTORY):
        raise StructureError("not a list of Ares")
    found: list[AresTorrent] = []
    at = _SIGNATURE
    while at < len(data):
        start, head = at, reveal(data[at : at + 39], 12971)
        at += 39
        size = int.from_bytes(head[37:39], "little")
        why = _fault(data, at, size, len(head) < 39, len(found))
        if why:
            return found, why
        time, total, seeds = (int.from_bytes(head[a:b], "little") for a, b in ((0, 4), (5, 13), (13, 17)))
        torrent = AresTorrent(head[17:37].hex(), start, at + size, time, head[4], total, seeds)
        for kind, value in _details(reveal(data[at : at + size], 13175)):
            if kind == 1:
                torrent.name = _words(value)
            elif kind == 2:
                torrent.trackers = [_words(one) for one in value.split(b"\0")[:50] if one]
        found.append(torrent)
        at += size
    return found, ""


def read_part(tail: bytes) -> AresPart:
    """Return what the last 4 KiB of an unfinished file say. Raises :class:`StructureError` when they say nothing."""
    signature = tail[:13]
    if len(tail) != TAIL or signature not in (b"___ARESTRA___", b"___ARESTRA__2", b"___ARESTRA__3"):
        raise StructureError("no description of an unfinished file of Ares")
    wide = 4 if signature == b"___ARESTRA___" else 8
    numbers = [int.from_bytes(tail[at : at + wide], "little") for at in range(13, TAIL - wide, wide)]
    gaps: list[tuple[int, int]] = []
    at = 2
    while at + 1 < len(numbers):
        first, last = (numbers[at + 1], numbers[at]) if wide == 4 else (numbers[at], numbers[at + 1])
        at += 2
        if not last:
            break
        if at > 2 * _MOST_GAPS:
            raise StructureError("a description of an unfinished file of Ares with more gaps than there can be")
        if len(gaps) < _KEPT_GAPS:
            gaps.append((first, last))
    place = 13 + wide * at
    part = AresPart(numbers[0], numbers[1], gaps, tail[place] if place < TAIL else 0, tail[place + 1 : place + 2] == b"\x01")
    place += 14
    size = int.from_bytes(tail[place : place + 2], "little")
    for kind, value in _details(tail[place + 2 : place + 2 + size]) if size != _NO_DETAILS else []:
        if kind == 15 and len(value) == 20:
            part.sha1 = value.hex()
        elif kind == 25 and len(value) == 4:
            part.date = int.from_bytes(value, "little")
        elif kind == 19 and value:
            part.facts["subfolder"] = _words(value)
        elif kind in _FIELDS and kind not in (1, 7) and value:
            part.facts.setdefault(_FIELDS[kind], _words(value))
    return part


_NO_DETAILS = 3500
