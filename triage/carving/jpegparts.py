"""The parts of a JPEG as they stand in bytes: marker segments, scans of entropy-coded data, the end (ITU-T T.81, annex B).

The data of a scan are searched for the next marker at memory speed, and looked at on the way: what bytes of another file in the middle
of them give away is put down in ``odd``, for somebody to decode the picture and see.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from triage.carving.window import Window

SOI, EOI, SOS, DHT, DQT, DRI, DNL, DAC, COM, APP1, APP2 = 0xD8, 0xD9, 0xDA, 0xC4, 0xDB, 0xDD, 0xDC, 0xCC, 0xFE, 0xE1, 0xE2
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {DHT, 0xC8, DAC})
_NAMED = frozenset({DHT, DQT, DRI, DAC, COM, *range(0xE0, 0xF0)})
"""Segments that may stand anywhere before a scan (B.2.4)."""
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_FIRST = 4096
_SEGMENTS = 20_000
_LEADING = 16
_SECTOR = 512

# A sector of entropy-coded data has the top bit set in about half of its bytes: between 140 and 330 of 512 in 103 of 105 pictures of
# cameras and programs, and between 80 and 380 in 99 of 100 among 1500 others; zeros and text have fewer, Cyrillic or Greek in UTF-8 more.
FEWEST_HIGH, MOST_HIGH = 80, 380
_MOST_FOREIGN = 8
"""Stretches noted in a piece of data."""
_PLAIN = 32768
"""Bytes of a scan without one of FF, on which one in about 200 falls. Very plain pictures have as many: it only makes them be decoded."""
_INTERVALS, _UNEVEN = 8, 5
"""Restart intervals to compare, at least, and by how much one may be longer than they are on average without being remarkable."""
_HEADS = frozenset(
    (
        b"PK\x03\x04",
        b"%PDF",
        b"\x89PNG",
        b"GIF8",
        b"RIFF",
        b"\xd0\xcf\x11\xe0",
        b"7z\xbc\xaf",
        b"Rar!",
        b"SQLi",
        b"\x7fELF",
        b"{\\rt",
        b"FILE",
    )
)
"""How other files begin, at the beginning of a sector."""


@dataclass(frozen=True, slots=True)
class Component:
    """One of a frame (B.2.2): its identifier, blocks across and down in a minimum coded unit, number of its quantisation table."""

    number: int
    across: int
    down: int
    table: int


@dataclass(frozen=True, slots=True)
class Frame:
    """What SOFn says. ``process`` is the marker's second byte. ``height`` is 0 as long as only DNL will tell it."""

    process: int
    precision: int
    height: int
    width: int
    components: tuple[Component, ...]

    @property
    def progressive(self) -> bool:
        """Whether its picture comes in several scans of growing detail."""
        return self.process in _PROGRESSIVE

    @property
    def lossless(self) -> bool:
        """Whether it is not made of cosine transforms."""
        return self.process in _LOSSLESS

    @property
    def arithmetic(self) -> bool:
        """Whether its data are coded with the arithmetic coder rather than by Huffman."""
        return self.process > 0xC8

    def unit(self) -> tuple[int, int]:
        """Return the width and height in pixels of a minimum coded unit of all components."""
        side = 1 if self.lossless else 8
        return side * max(c.across for c in self.components), side * max(c.down for c in self.components)

    def units(self, selected: tuple[int, ...]) -> tuple[int, int]:
        """Return how many units of a scan of these components there are across and down (A.2)."""
        width, height = self.unit()
        if len(selected) > 1:
            return -(-self.width // width), -(-self.height // height)
        one, side = self.components[selected[0]], 1 if self.lossless else 8
        across, down = -(-self.width * one.across * side // width), -(-self.height * one.down * side // height)
        return -(-across // side), -(-down // side)


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan (B.2.3): its data from ``start`` to the marker at ``end``; ``-1``: there is none, the bytes end before.

    ``selected`` are indexes of the frame's components, ``dc`` and ``ac`` the contents of their Huffman tables at that time (empty when
    there is none), ``first`` to ``last`` the coefficients, ``high`` and ``low`` the bits. ``restart``: units between restart markers.
    """

    start: int
    end: int
    selected: tuple[int, ...]
    dc: tuple[bytes, ...]
    ac: tuple[bytes, ...]
    first: int
    last: int
    high: int
    low: int
    restart: int
    restarts: int = 0


@dataclass(slots=True)
class Picture:
    """What was found. ``stop`` is empty when the end, at ``end``, was reached by the rules; otherwise why it goes on no further than that.

    ``segments``: marker, and where its content begins and ends, of APPn. ``odd``: what speaks against it in the scans' data.
    ``foreign``: where stretches begin whose sectors do not look like a picture's data. ``steps``: the quantisation step of the mean of a
    block, by table.
    """

    frame: Frame
    scans: list[Scan] = field(default_factory=list)
    end: int = 0
    stop: str = ""
    odd: list[str] = field(default_factory=list)
    foreign: list[int] = field(default_factory=list)
    segments: list[tuple[int, int, int]] = field(default_factory=list)
    steps: dict[int, int] = field(default_factory=dict)


class _Reader:
    """The segments one after the other, out of few reads."""

    def __init__(self, window: Window) -> None:
        self.window, self.base = window, 0
        self.data = window.at(0, _FIRST)

    def at(self, offset: int, length: int) -> bytes:
        """Return the bytes, or fewer where the window ends."""
        inner = offset - self.base
        if inner < 0 or inner + length > len(self.data):
            self.base, self.data, inner = offset, self.window.at(offset, max(length, 512)), 0
        return self.data[inner : inner + length]


def read_picture(window: Window) -> Picture | None:
    """Read the JPEG at the window's first byte; ``None`` when there is no frame and scan that would be one."""
    reader = _Reader(window)
    head = reader.at(0, 4)
    if len(head) < 4 or head[:3] != b"\xff\xd8\xff" or not (head[3] in _NAMED or head[3] in _FRAMES or head[3] == 0xFF):
        return None
    offset, restart = 2, 0
    picture: Picture | None = None
    tables: dict[int, bytes] = {}
    segments: list[tuple[int, int, int]] = []
    steps: dict[int, int] = {}
    sent: dict[int, list[int]] = {}
    for _ in range(_SEGMENTS):
        start = reader.at(offset, 4)
        while start[:2] == b"\xff\xff" and offset < _FIRST:  # fill bytes (B.1.1.2)
            offset += 1
            start = reader.at(offset, 4)
        scanned = picture is not None and bool(picture.scans)
        if picture is not None and scanned and start[:2] == b"\xff\xd9":
            picture.end = offset + 2
            return picture
        marker = start[1] if len(start) == 4 and start[0] == 0xFF else 0
        length = int.from_bytes(start[2:4], "big")
        content = offset + 4, offset + 2 + length
        if picture is not None and scanned and not _goes_on(picture, marker):
            picture.stop, picture.end = f"at byte {offset}, where its end should be, stands something else", offset
            break
        body = reader.at(offset + 4, length - 2) if length >= 2 and not 0xE0 <= marker <= COM else b""
        why = ""
        if not marker or length < 2 or content[1] > window.size:
            why = "no marker segment follows"
        elif 0xE0 <= marker < 0xF0:
            segments.append((marker, *content))
        elif marker == COM:
            pass
        elif marker == DHT:
            why = "" if _huffman(body, tables) else "a Huffman table is none"
        elif marker == DQT:
            why = "" if _quantisation(body, steps) else "a quantisation table is none"
        elif marker == DRI and length == 4:
            restart = int.from_bytes(body, "big")
        elif marker == DNL and length == 4 and picture is not None and scanned:
            if not picture.frame.height:
                picture.frame = _taller(picture.frame, int.from_bytes(body, "big"))
        elif marker == DAC:
            pass
        elif marker in _FRAMES and picture is None:
            frame = _frame(marker, body)
            if frame is None:
                return None
            picture = Picture(frame, segments=segments, steps=steps)
        elif marker == SOS and picture is not None:
            scan = _scan(picture.frame, body, tables, content[1], restart)
            if scan is None:
                why = "a scan's header is none"
            elif picture.frame.progressive and not _in_turn(scan, sent):
                why = "scans do not follow each other as they should"
            else:
                _run(window, scan, picture)
                if picture.scans[-1].end < 0:
                    picture.stop, picture.end = "its data end without a marker", window.size
                    break
                offset = picture.scans[-1].end
                continue
        else:
            why = f"a marker stands there that has no place there ({marker:#04x})"
        if why:
            if picture is None or not scanned:
                return None
            picture.stop, picture.end = f"at byte {offset} {why}", offset
            break
        offset = content[1]
    if picture is None or not picture.scans:
        return None
    if not picture.stop:
        picture.stop, picture.end = f"it has more than {_SEGMENTS} segments", offset
    return picture


def leading_segments(window: Window) -> list[tuple[int, int, int]]:
    """Return the segments of applications that a file begins with, whatever follows them."""
    found: list[tuple[int, int, int]] = []
    offset = 2
    head = window.at(0, 6)
    for _ in range(_LEADING):
        length = int.from_bytes(head[-2:], "big")
        if len(head) < 4 or head[-4] != 0xFF or not 0xE0 <= head[-3] < 0xF0 or length < 2 or offset + 2 + length > window.size:
            break
        found.append((head[-3], offset + 4, offset + 2 + length))
        offset += 2 + length
        head = window.at(offset, 4)
    return found


def _goes_on(picture: Picture, marker: int) -> bool:
    """Whether a segment may follow the scans there are: all components in one sequential scan are the whole picture."""
    if marker == DNL:
        return len(picture.scans) == 1
    if not picture.frame.progressive:
        seen = {one for scan in picture.scans for one in scan.selected}
        if len(seen) == len(picture.frame.components):
            return False
    return marker in _NAMED or marker == SOS


def _taller(frame: Frame, height: int) -> Frame:
    return Frame(frame.process, frame.precision, height, frame.width, frame.components)


def _huffman(body: bytes, tables: dict[int, bytes]) -> bool:
    """Take in the tables of a DHT segment (B.2.4.2) by class and number; ``False`` when they are none."""
    at = 0
    while at < len(body):
        number, counts = body[at], body[at + 1 : at + 17]
        size = sum(counts)
        if number & 0xEC or len(counts) < 16 or not 0 < size <= 256 or at + 17 + size > len(body):
            return False
        room = 1 << 16
        for bits, count in enumerate(counts, 1):
            room -= count << (16 - bits)
        if room < 0:
            return False  # more codes than there can be (annex C)
        tables[number] = body[at + 1 : at + 17 + size]
        at += 17 + size
    return at > 0


def _quantisation(body: bytes, steps: dict[int, int]) -> bool:
    """Take in the first step of each table of a DQT segment (B.2.4.1)."""
    at = 0
    while at < len(body):
        wide = body[at] >> 4
        if body[at] & 0xEC or at + 65 + 64 * wide > len(body):
            return False
        steps[body[at] & 3] = int.from_bytes(body[at + 1 : at + 2 + wide], "big")
        at += 65 + 64 * wide
    return at > 0


def _frame(marker: int, body: bytes) -> Frame | None:
    if len(body) < 9 or len(body) != 6 + 3 * body[5] or not 1 <= body[5] <= 4:
        return None
    lossless = marker in _LOSSLESS
    if not (2 <= body[0] <= 16 if lossless else body[0] == 8 or (body[0] == 12 and marker != 0xC0)):
        return None
    parts = tuple(Component(body[at], body[at + 1] >> 4, body[at + 1] & 15, body[at + 2]) for at in range(6, len(body), 3))
    if any(not 1 <= c.across <= 4 or not 1 <= c.down <= 4 or c.table > 3 for c in parts) or len({c.number for c in parts}) < len(parts):
        return None
    width = int.from_bytes(body[3:5], "big")
    return Frame(marker, body[0], int.from_bytes(body[1:3], "big"), width, parts) if width else None


def _scan(frame: Frame, body: bytes, tables: dict[int, bytes], start: int, restart: int) -> Scan | None:
    count = body[0] if body else 0
    if not 1 <= count <= len(frame.components) or len(body) != 4 + 2 * count:
        return None
    by_number = {c.number: at for at, c in enumerate(frame.components)}
    selected = tuple(by_number.get(body[1 + 2 * at], -1) for at in range(count))
    first, last, bits = body[-3:]
    if -1 in selected or len(set(selected)) < count:
        return None
    if not frame.lossless and not (first <= last < 64 and bits >> 4 <= 13 and bits & 15 <= 13):
        return None
    if frame.progressive and first and count > 1:
        return None
    dc = tuple(tables.get(body[2 + 2 * at] >> 4, b"") for at in range(count))
    ac = tuple(tables.get(0x10 | body[2 + 2 * at] & 15, b"") for at in range(count))
    if not frame.arithmetic:
        needs_dc = frame.lossless or (not first and not (frame.progressive and bits >> 4))
        needs_ac = not frame.lossless and last > 0
        # A picture without tables is one frame of a film (Motion JPEG in AVI), which is no file.
        if (needs_dc and b"" in dc) or (needs_ac and b"" in ac):
            return None
    return Scan(start, -1, selected, dc, ac, first, last, bits >> 4, bits & 15, restart)


def _in_turn(scan: Scan, sent: dict[int, list[int]]) -> bool:
    """Whether a progressive scan gives the next bits of its coefficients (G.1.1.1). ``sent``: down to which bit there are any."""
    for one in scan.selected:
        bits = sent.setdefault(one, [-1] * 64)
        band = bits[scan.first : scan.last + 1]
        if any(bit != scan.high for bit in band) if scan.high else any(bit >= 0 for bit in band):
            return False
        if scan.high and scan.low != scan.high - 1:
            return False
        bits[scan.first : scan.last + 1] = [scan.low] * len(band)
    return True


def _run(window: Window, scan: Scan, picture: Picture) -> None:
    """Find the end of a scan's data, and append it with what is odd about them.

    In them, FF is followed by 0 (a byte of FF), by a restart marker, or by FF and a marker (B.1.1.2, B.1.1.5).
    """
    base = scan.start // _SECTOR * _SECTOR  # so that sectors of the file lie side by side in the arrays
    last, carry, count, longest, end = scan.start, False, 0, 0, -1
    odd: list[str] = []
    for offset, data in window.chunks(base):
        skip = max(scan.start - offset, 0)
        array = np.frombuffer(data, np.uint8)
        places = np.flatnonzero(array[:-1] == 0xFF)
        if skip:
            places = places[np.searchsorted(places, skip) :]
        after = array[places + 1]
        if carry:
            places, after = np.insert(places, 0, -1), np.insert(after, 0, array[0])
        stops = np.flatnonzero((after != 0) & ((after & 0xF8) != 0xD0))
        stop = _stop(data, places, after, stops)
        if stop >= 0:
            end = offset + int(places[stop])
            places, after = places[:stop], after[:stop]
        if len(places):
            gap = max(int(np.max(np.diff(places), initial=0)), offset + int(places[0]) - last)
            longest, last = max(longest, gap), offset + int(places[-1])
        marked = (after & 0xF8) == 0xD0
        marks = after[marked]
        if len(marks):
            if len(marks) >= _INTERVALS and _uneven(places[marked]):
                odd.append("one restart interval is far longer than the others")
            if np.any((marks - np.arange(count, count + len(marks), dtype=np.uint64)) & 7):
                odd.append("restart markers are out of order")
            count += len(marks)
        picture.foreign += [offset + at for at in _sectors(array, skip, len(data) if end < 0 else end - offset, odd)]
        if end >= 0:
            break
        carry = data[-1] == 0xFF
    longest = max(longest, (window.size if end < 0 else end) - last)
    if longest > _PLAIN:
        odd.append(f"{longest} bytes of its data have none of FF")
    units = picture.frame.units(scan.selected)
    total = units[0] * units[1]
    if end >= 0 and total and count != (-(-total // scan.restart) - 1 if scan.restart else 0):
        odd.append("it does not have the restart markers that it should")
    if end >= 0 and not picture.frame.progressive and (end - scan.start) * 8 < 2 * total:
        odd.append("its data are fewer than the picture needs")
    picture.scans.append(replace(scan, end=end, restarts=count))
    picture.odd += [one for one in dict.fromkeys(odd) if one not in picture.odd]


def _uneven(marks: NDArray[np.int64]) -> bool:
    """Whether an interval is so long that something may have come into it."""
    lengths = np.diff(marks)
    return bool(lengths.max() > max(_SECTOR, _UNEVEN * float(lengths.mean())))


def _stop(data: bytes, places: NDArray[np.int64], after: NDArray[np.uint8], stops: NDArray[np.int64]) -> int:
    """Return the index of the first place that is a marker's; FF before FF is fill, unless there is no end of it: erased flash."""
    for stop in stops[:64].tolist():
        if after[stop] != 0xFF or data[int(places[stop]) + 2 : int(places[stop]) + 18] == b"\xff" * 16:
            return int(stop)
    return int(stops[64]) if len(stops) > 64 else -1


def high_bits(array: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Return in how many bytes of each sector the top bit is set. The length is a multiple of the sector's."""
    bits = np.bitwise_count(array.view(np.uint64) & np.uint64(0x8080808080808080))
    counts: NDArray[np.uint16] = bits.reshape(-1, _SECTOR // 8).sum(axis=1, dtype=np.uint16)
    return counts


def _sectors(array: NDArray[np.uint8], start: int, end: int, odd: list[str]) -> list[int]:
    """Add what tells that whole sectors between two places hold something else; return where stretches of them begin."""
    first, behind = -(-start // _SECTOR), end // _SECTOR
    if first >= behind:
        return []
    inner = array[first * _SECTOR : behind * _SECTOR]
    high = high_bits(inner)
    wrong = (high < FEWEST_HIGH) | (high > MOST_HIGH)
    for at in np.flatnonzero(_MAY_BEGIN[inner[::_SECTOR], inner[1::_SECTOR]]).tolist():
        wrong[at] |= inner[at * _SECTOR : at * _SECTOR + 4].tobytes() in _HEADS
    if not wrong.any():
        return []
    odd.append("not all sectors of its data look like a picture's")
    begins = np.flatnonzero(wrong & ~np.concatenate(([False], wrong[:-1])))
    return [(first + at) * _SECTOR for at in begins[:_MOST_FOREIGN].tolist()]


_MAY_BEGIN = np.zeros((256, 256), np.bool_)
for _head in _HEADS:
    _MAY_BEGIN[_head[0], _head[1]] = True
