"""exFAT's directory entry sets and their checksums.

Source: Microsoft, "exFAT file system specification", sections 6 and 7. TSK reads none of the checksums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SLOT = 32
BITMAP, UPCASE, LABEL, FILE, STREAM, NAME = 0x81, 0x82, 0x83, 0x85, 0xC0, 0xC1
_BENIGN = 0x20
_IN_USE, _SECONDARY = 0x80, 0x40
_DIRECTORY = 0x10


class Record(NamedTuple):
    """A file's entry set in use: its first entry, the others, and where the first lies, in bytes from the volume's start.

    ``behind``: it stands behind the end of its directory. ``wrong``: what does not fit within the set, "" if all does.
    """

    at: int
    primary: bytes
    others: tuple[bytes, ...]
    behind: bool
    wrong: str

    @property
    def directory(self) -> bool:
        """Whether it says that it is a directory."""
        return bool(self.primary[4] & _DIRECTORY)

    @property
    def stream(self) -> bytes:
        """The stream extension entry, empty where there is none."""
        return next((slot for slot in self.others if slot[0] == STREAM), b"")

    @property
    def name(self) -> bytes:
        """The name in UTF-8."""
        return self.units.decode("utf-16-le", "replace").encode()

    @property
    def units(self) -> bytes:
        """The name's UTF-16 code units."""
        stream = self.stream
        text = b"".join(slot[2:32] for slot in self.others if slot[0] == NAME)
        return text[: stream[3] * 2] if stream else text

    @property
    def size(self) -> int:
        """``DataLength``, in bytes."""
        return int.from_bytes(self.stream[24:32], "little")

    @property
    def valid(self) -> int:
        """``ValidDataLength``, in bytes."""
        return int.from_bytes(self.stream[8:16], "little")

    @property
    def cluster(self) -> int:
        """``FirstCluster``, 0 for none."""
        return int.from_bytes(self.stream[20:24], "little")

    @property
    def chained(self) -> bool:
        """Whether the FAT chains its clusters; else they follow each other."""
        return not (self.stream and self.stream[1] & 2)

    @property
    def name_hash(self) -> int:
        """``NameHash`` as it is stored."""
        return int.from_bytes(self.stream[4:6], "little")


class Special(NamedTuple):
    """An entry of the root directory that is no file: bitmap, up-case table, label."""

    at: int
    slot: bytes


class Odd(NamedTuple):
    """Something that is no entry in use, or not a whole one; ``kind`` is one of those below."""

    kind: str
    at: int


UNREADABLE, ORPHAN, DELETED = "unreadable", "orphan", "deleted"


def set_checksum(slots: Iterable[bytes], in_use: int = 0) -> int:
    """Return ``SetChecksum`` (6.3.3); ``in_use`` is set in each type byte: deleting clears it and leaves the checksum."""
    total = 0
    for number, slot in enumerate(slots):
        for at, byte in enumerate(slot):
            if number or at not in (2, 3):
                total = ((total & 1) << 15 | total >> 1) + (byte if at else byte | in_use) & 0xFFFF
    return total


def sum16(data: bytes) -> int:
    """Return the 16-bit sum that ``NameHash`` is (7.6.4), over upper-case UTF-16."""
    total = 0
    for byte in data:
        total = ((total & 1) << 15 | total >> 1) + byte & 0xFFFF
    return total


def sum32(data: bytes, skip: frozenset[int] = frozenset()) -> int:
    """Return the 32-bit sum of the boot region (3.4) and the up-case table (7.2.2), without the bytes at ``skip``."""
    total = 0
    for at, byte in enumerate(data):
        if at not in skip:
            total = ((total & 1) << 31 | total >> 1) + byte & 0xFFFFFFFF
    return total


def read_sets(pieces: Iterable[tuple[int, bytes]]) -> Iterator[Record | Special | Odd]:
    """Yield what a directory holds, also behind its end mark; ``pieces`` are ``(offset in the volume, bytes)`` of it."""
    ended = False
    begun: tuple[int, bytes] | None = None  # a set whose entries are not all seen
    others: list[bytes] = []
    for at, slot in _slots(pieces):
        kind = slot[0]
        mark = _IN_USE if begun is not None and begun[1][0] & _IN_USE else 0
        if begun is not None and kind & _SECONDARY and kind & _IN_USE == mark:
            others.append(slot)
            if len(others) == begun[1][1]:
                yield from _set(begun, others, ended)
                begun = None
            continue
        if begun is not None:
            yield from _set(begun, others, ended)
            begun = None
        if not kind:
            ended = True
        elif kind & 0x7F == FILE & 0x7F:
            begun, others = (at, slot), []
        elif not kind & _IN_USE:
            continue
        elif kind & _SECONDARY:
            yield Odd(ORPHAN, at)
        elif kind in (BITMAP, UPCASE, LABEL):
            yield Special(at, slot)
        elif not kind & _BENIGN:  # those that are benign may be passed over by whoever does not know them
            yield Odd(UNREADABLE, at)
    if begun is not None:
        yield from _set(begun, others, ended)


def _slots(pieces: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Yield each slot with where it lies, one that the end cuts filled with zeros; of the zeros at a piece's end only the first."""
    for offset, data in pieces:
        used = -(-len(data.rstrip(b"\0")) // SLOT) * SLOT
        for place in range(0, used, SLOT):
            yield offset + place, data[place : place + SLOT].ljust(SLOT, b"\0")
        if used + SLOT <= len(data):
            yield offset + used, bytes(SLOT)


def _set(begun: tuple[int, bytes], others: list[bytes], ended: bool) -> Iterator[Record | Odd]:
    at, primary = begun
    stored = int.from_bytes(primary[2:4], "little")
    if not primary[0] & _IN_USE:
        if others and (len(others) != primary[1] or set_checksum((primary, *others), _IN_USE) != stored):
            yield Odd(DELETED, at)
        return
    wrong = ""
    kinds = bytes(slot[0] for slot in others)
    names = -(-others[0][3] // 15) if others else 0
    if len(others) != primary[1] or len(others) < 2:
        wrong = f"{len(others)} of its {primary[1]} further entries are there"
    elif kinds[: 1 + names] != bytes([STREAM]) + bytes([NAME]) * names or kinds.count(NAME) != names or not names:
        wrong = "its entries are not those that a name of its length has"
    elif set_checksum((primary, *others)) != stored:
        wrong = "the checksum over its entries is wrong"
    yield Record(at, primary, tuple(others), ended, wrong)


def upcase(raw: bytes) -> list[int] | None:
    """Return an up-case table of 65,536 code units out of its compressed form (7.2.5.1); ``None`` if it is no table."""
    table = list(range(0x10000))
    at = unit = 0
    while at + 2 <= len(raw) and unit < 0x10000:
        value = int.from_bytes(raw[at : at + 2], "little")
        at += 2
        if value == 0xFFFF and at + 2 <= len(raw):
            unit += int.from_bytes(raw[at : at + 2], "little")
            at += 2
        else:
            table[unit] = value
            unit += 1
    return table if unit <= 0x10000 and table[0x61] == 0x41 else None


def name_hash(units: bytes, table: list[int]) -> int:
    """Return the ``NameHash`` of a name's code units."""
    upper = (table[int.from_bytes(units[at : at + 2], "little")] for at in range(0, len(units) - 1, 2))
    return sum16(b"".join(unit.to_bytes(2, "little") for unit in upper))


def tsk_takes(primary: bytes, stream: bytes, last: int, room: int) -> bool:
    """Whether TSK takes a set for one and finds its bytes (4.15, ``exfatfs_is_dentry``)."""
    if not 2 <= primary[1] <= 18 or not (primary[8:20] + primary[20:22]).strip(b"\0") or not stream:
        return False
    size, cluster = int.from_bytes(stream[24:32], "little"), int.from_bytes(stream[20:24], "little")
    return not size or (size <= room and 2 <= cluster <= last)
