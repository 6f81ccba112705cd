"""ISO 9660 as it lies on the disc: volume descriptors, path tables, directory records, Rock Ridge; read without TSK.

Sections are ECMA-119 (third edition), IEEE P1281 (SUSP 1.12) and P1282 (Rock Ridge 1.12), and the Joliet specification. All numbers of
the format stand there twice, little-endian and big-endian. Nothing that is read is believed: every loop ends at a bound of ours.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.filesystem.checks import VolumeReader

SECTOR = 2048
MAX_DESCRIPTORS = 64
MAX_DIRECTORY = 64 << 20
MAX_PATH_TABLE = 16 << 20
MAX_CONTINUATIONS = 32
HEADER = 33
"""Bytes of a directory record in front of its name (9.1)."""
DIRECTORY, ASSOCIATED, MORE = 0x02, 0x04, 0x80
"""File flags (9.1.6); ``MORE``: not the final record of a file in several extents."""
_RAW = 2352
_JOLIET = (b"%/@", b"%/C", b"%/E")


class Tally:
    """Counts what is odd by kind, and keeps the first places of each."""

    KEPT = 20

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.places: dict[str, list[str]] = {}

    def add(self, kind: str, place: str) -> None:
        """Count one; keep its place if it is among the first."""
        self.counts[kind] += 1
        kept = self.places.setdefault(kind, [])
        if len(kept) < self.KEPT:
            kept.append(place)


class Disc:
    """A volume's sectors of 2048 bytes, also where they lie in raw ones of 2352 with 16 or 24 bytes in front. Offsets are logical."""

    def __init__(self, reader: VolumeReader) -> None:
        self._reader = reader
        self.framed = False
        self._skip = 0
        self.size = reader.size
        if reader.read(16 * SECTOR + 1, 5) != b"CD001":
            for skip in (16, 24):
                if reader.read(16 * _RAW + skip + 1, 5) == b"CD001":
                    self.framed, self._skip, self.size = True, skip, reader.size // _RAW * SECTOR

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes, fewer at the end; at most 8 MiB are given at once."""
        length = min(length, 8 << 20, self.size - offset)
        if length <= 0 or offset < 0:
            return b""
        if not self.framed:
            return self._reader.read(offset, length)
        first, last = offset // SECTOR, -(-(offset + length) // SECTOR)
        raw = self._reader.read(first * _RAW, (last - first) * _RAW)
        whole = np.frombuffer(raw, np.uint8, len(raw) // _RAW * _RAW).reshape(-1, _RAW)[:, self._skip : self._skip + SECTOR]
        at = offset - first * SECTOR
        return whole.tobytes()[at : at + length]


class Pair(NamedTuple):
    """A number in both byte orders."""

    little: int
    big: int

    @property
    def agree(self) -> bool:
        """Whether both say the same."""
        return self.little == self.big


def pair(data: bytes, at: int, size: int) -> Pair:
    """Return the number of ``size`` bytes (2 or 4) that stands at ``at``, then again in the other order (7.2.3, 7.3.3)."""
    return Pair(int.from_bytes(data[at : at + size], "little"), int.from_bytes(data[at + size : at + 2 * size], "big"))


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A primary, supplementary or enhanced volume descriptor (8.4 to 8.6)."""

    sector: int
    primary: bool
    wide: bool  # names are UTF-16, big-endian
    known: bool  # the character set is one that we know
    space: Pair
    block: Pair
    path_size: Pair
    little_tables: tuple[int, int]
    big_tables: tuple[int, int]
    root: bytes
    sets: tuple[Pair, Pair]

    @property
    def name(self) -> str:
        """What people call its tree."""
        return "primary" if self.primary else "Joliet" if self.wide else "supplementary"

    def block_size(self) -> int:
        """Return the logical block's size, 2048 where no byte order has one that can be."""
        return next((size for size in self.block if size in (512, 1024, 2048)), SECTOR)


def read_descriptors(disc: Disc, odd: Tally) -> list[Descriptor]:
    """Return the descriptors up to the terminator; what is wrong with the sequence goes to ``odd``."""
    found: list[Descriptor] = []
    for number in range(16, 16 + MAX_DESCRIPTORS):
        data = disc.read(number * SECTOR, SECTOR)
        place = f"sector {number}"
        if len(data) < SECTOR or data[1:6] != b"CD001":
            odd.add("descriptor", f"{place} should hold a volume descriptor and does not")
            return found
        kind, version = data[0], data[6]
        if kind == 255:
            if version != 1 or data[7:].strip(b"\0"):
                odd.add("descriptor", f"the terminator in {place} holds what it should not")
            return found
        if version != 1 and not (kind == 2 and version == 2):
            odd.add("descriptor", f"{place} has version {version}")
        if kind in (1, 2):
            found.append(_descriptor(data, number))
        elif kind not in (0, 3):
            odd.add("descriptor", f"{place} is of type {kind}, which is reserved")
    odd.add("descriptor", f"there is no terminator among the first {MAX_DESCRIPTORS} descriptors")
    return found


def _descriptor(data: bytes, sector: int) -> Descriptor:
    primary, escape = data[0] == 1, data[88:91]
    enhanced = data[0] == 2 and data[6] == 2
    known = primary or enhanced or escape in _JOLIET
    # With an unknown escape sequence the tree may still be Joliet's: its volume identifier shows it (spaces are 00 20 there).
    wide = not primary and not enhanced and (escape in _JOLIET or data[40:72:2].count(0) > 8)
    return Descriptor(
        sector=sector,
        primary=primary,
        wide=wide,
        known=known,
        space=pair(data, 80, 4),
        block=pair(data, 128, 2),
        path_size=pair(data, 132, 4),
        little_tables=struct.unpack_from("<II", data, 140),
        big_tables=struct.unpack_from(">II", data, 148),
        root=data[156:190],
        sets=(pair(data, 120, 2), pair(data, 124, 2)),
    )


class TableRow(NamedTuple):
    """A path table record (9.4): a directory by its place and the number of its parent."""

    name: bytes
    extent: int
    parent: int


def read_path_table(disc: Disc, offset: int, size: int, order: str) -> tuple[list[TableRow], bool]:
    """Return a path table's rows (``order`` is ``little`` or ``big``), and whether they fill it exactly."""
    data = b"".join(disc.read(offset + at, min(4 << 20, size - at)) for at in range(0, min(size, MAX_PATH_TABLE), 4 << 20))
    rows, at = [], 0
    unpack = struct.Struct("<IH" if order == "little" else ">IH").unpack_from
    while at + 8 < len(data) and data[at]:
        extent, parent = unpack(data, at + 2)
        rows.append(TableRow(data[at + 8 : at + 8 + data[at]], extent, parent))
        at += 8 + data[at] + data[at] % 2
    return rows, at in (size, size + 1) and len(data) == size


class Record(NamedTuple):
    """A directory record (9.1). ``at`` is its byte offset on the disc; ``use`` the system use area."""

    at: int
    extent: Pair
    size: Pair
    sequence: Pair
    attribute_blocks: int
    time: bytes
    flags: int
    interleave: tuple[int, int]
    name: bytes
    use: bytes

    @property
    def agree(self) -> bool:
        """Whether every number says the same in both orders."""
        return self.extent.agree and self.size.agree and self.sequence.agree


def parse_record(data: bytes, at: int, base: int) -> Record:
    """Return the record at ``at`` of a directory's sector that begins at ``base``; its length must have been looked at."""
    length, name = data[at], data[at + 32]
    end = at + HEADER + name
    use = data[end + (1 - name % 2) : at + length]
    return Record(
        at=base + at,
        extent=pair(data, at + 2, 4),
        size=pair(data, at + 10, 4),
        sequence=pair(data, at + 28, 2),
        attribute_blocks=data[at + 1],
        time=data[at + 18 : at + 25],
        flags=data[at + 25],
        interleave=(data[at + 26], data[at + 27]),
        name=data[at + HEADER : end],
        use=use,
    )


def _fits(data: bytes, at: int) -> bool:
    """Whether a record can begin here: its length and name lie within the sector."""
    length = data[at]
    return HEADER < length <= SECTOR - at and length % 2 == 0 and 0 < data[at + 32] <= length - HEADER


def _sound(data: bytes, at: int) -> bool:
    """Whether a record that begins here is one beyond doubt: its numbers say the same twice."""
    return _fits(data, at) and parse_record(data, at, 0).agree and not data[at + 25] & 0x60


def read_records(disc: Disc, offset: int, size: int, odd: Tally, place: str) -> Iterator[Record]:
    """Yield a directory's records. Where one cannot be, the sector is searched for the next: nothing behind damage is given up."""
    for base in range(offset, offset + min(size, MAX_DIRECTORY), SECTOR):
        data = disc.read(base, SECTOR)
        if len(data) < SECTOR:
            odd.add("short directory", place)
            return
        at = 0
        while at < SECTOR:
            if not data[at]:
                if not data[at:].strip(b"\0"):
                    break
                odd.add("hidden records", place)
            elif _fits(data, at):
                yield parse_record(data, at, base)
                at += data[at]
                continue
            else:
                odd.add("broken records", place)
            at = next((n for n in range(at + 2, SECTOR - HEADER, 2) if _sound(data, n)), SECTOR)
        if not at:
            odd.add("empty sector", place)


@dataclass(slots=True)
class Rock:
    """What Rock Ridge says of a record. ``name`` is empty where it says none; ``child`` is where a moved directory lies."""

    name: bytes = b""
    mode: int | None = None
    link: bool = False
    child: int | None = None
    moved: bool = False
    sparse: bool = False
    odd: bool = False
    marks: set[bytes] = field(default_factory=set)


def read_rock(disc: Disc, use: bytes, block: int) -> Rock:
    """Read a system use area with its continuations (SUSP 4 and 5.1; RRIP 4.1)."""
    rock = Rock()
    areas, hops = [use], 0
    while areas:
        area, at, following = areas.pop(), 0, None
        while at + 4 <= len(area):
            mark, length = area[at : at + 2], area[at + 2]
            if not mark.strip(b"\0"):
                break
            if length < 4 or at + length > len(area) or not mark.isalnum():
                rock.odd = True
                break
            following = _rock_field(rock, mark, area[at : at + length]) or following
            if mark == b"ST":
                break
            at += length
        if following is not None:
            hops += 1
            start, skip, length = following
            if hops > MAX_CONTINUATIONS or length > 64 << 10 or start * block + skip + length > disc.size:
                rock.odd = True
            else:
                areas.append(disc.read(start * block + skip, length))
    return rock


def _rock_field(rock: Rock, mark: bytes, data: bytes) -> tuple[int, int, int] | None:
    """Take in one field; return where the area goes on: block, offset and length."""
    rock.marks.add(mark)
    if mark == b"CE" and len(data) >= 28:
        numbers = [pair(data, at, 4) for at in (4, 12, 20)]
        rock.odd |= not all(n.agree for n in numbers)
        return numbers[0].little, numbers[1].little, numbers[2].little
    if mark == b"NM" and len(data) >= 5 and not data[4] & 6 and len(rock.name) < 4096:
        rock.name += data[5:]
    elif mark == b"PX" and len(data) >= 36:
        numbers = [pair(data, at, 4) for at in range(4, 36, 8)]
        rock.odd |= not all(n.agree for n in numbers)
        rock.mode = numbers[0].little
    elif mark == b"SL":
        rock.link = True
    elif mark == b"CL" and len(data) >= 12:
        child = pair(data, 4, 4)
        rock.odd |= not child.agree
        rock.child = child.little
    elif mark == b"RE":
        rock.moved = True
    elif mark == b"SF":
        rock.sparse = True
    return None
