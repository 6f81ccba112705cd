"""Media for the tests of the filesystem room: out of memory, walked whole, and damaged sector by sector as a seed says."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Any

from triage.evidence.medium import DamagedRangeError
from triage.evidence.opening import open_evidence
from triage.filesystem.checks import VolumeReader
from triage.filesystem.image import MediumImage, tsk_image
from triage.filesystem.overlay import volume_image
from triage.filesystem.tsk import Avoid, Walker
from triage.filesystem.volumes import is_listed, list_volumes, open_file_system
from triage.model import Entry, Problem, Severity, Volume

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from triage.filesystem.checks import Check, Fault, Found, Missed
    from triage.filesystem.listed import Listed

    Damage = Callable[[bytearray, int, random.Random, Sequence[int]], None]
    """Changes the sector at a byte offset; the sectors that may be damaged are known to it."""

START = 64  # sectors


# ---- out of memory ---------------------------------------------------------------------------------------------------------


class Bytes:
    """A medium out of memory, parts of which may be unreadable."""

    sector_size = 512

    def __init__(self, data: bytes, bad: tuple[int, int] = (0, 0)) -> None:
        self.data, self.size, self.bad = data, len(data), bad
        self.damaged: dict[int, tuple[int, str]] = {}

    def read_at(self, offset: int, length: int) -> bytes:
        if offset < self.bad[1] and self.bad[0] < offset + length:
            raise DamagedRangeError(offset, length, "planted")
        return self.data[offset : offset + length]

    def close(self) -> None: ...


def mbr(*rows: tuple[int, int, int]) -> bytes:
    """A table of ``(type, first sector, sectors)``."""
    table = b"".join(struct.pack("<B3xB3xII", 0, kind, start, count) for kind, start, count in rows)
    return bytes(446) + table.ljust(64, b"\0") + b"\x55\xaa"


def volumes_of(medium: Any) -> tuple[list[Volume], list[Problem]]:
    return list_volumes(MediumImage(medium), medium, "e")


def reader_of(data: bytes) -> VolumeReader:
    """One volume that fills a medium, as a self-check reads it."""
    return VolumeReader(Bytes(data), Volume(evidence="e", number=1, offset=0, size=len(data), scheme="none"), lambda: None)


# ---- walked ----------------------------------------------------------------------------------------------------------------


class Walked:
    """What a walk of an image gave, with its file systems still open for reading content.

    ``kind``: only volumes whose file system's name begins so. ``listed``: what each volume's self-check is given.
    """

    def __init__(self, path: Path, avoid: Avoid | None = None, max_entries: int = 100_000, *, kind: str = "") -> None:
        evidence, self.medium, _ = open_evidence(path)
        image = tsk_image(self.medium, evidence.paths)
        volumes, self.unlisted = list_volumes(image, self.medium, evidence.id)
        self.entries: list[Entry] = []
        self.problems: list[Problem] = []
        self.announced: list[tuple[int, int, int]] = []
        self.listed: list[tuple[VolumeReader, Listed]] = []
        self._open = {}
        self.totals = []
        for volume in volumes:
            if not is_listed(volume) or not volume.file_system.startswith(kind):
                continue
            medium, own = volume_image(self.medium, image, volume.offset, volume.found_by)
            self._open[volume.offset] = open_file_system(own, volume.offset)
            walker = Walker(own, volume, lambda *what: self.announced.append(what), avoid=avoid or Avoid(),
                            max_entries=max_entries, max_orphans=1000, medium=medium)
            for row in walker.walk():
                (self.entries if isinstance(row, Entry) else self.problems).append(row)
            self.listed.append((VolumeReader(medium, volume, lambda: None), walker._listed))
            self.totals.append(walker.totals)

    @property
    def names(self) -> set[tuple[str, str, str]]:
        return {(e.path, e.kind.value, e.state.value) for e in self.entries}

    @property
    def said(self) -> str:
        return "\n".join(f"{p.severity} {p.path}: {p.message}" for p in self.problems)

    @property
    def told(self) -> list[tuple[Severity, str, str]]:
        return [(p.severity, p.message, p.detail) for p in self.problems]

    def the(self, words: str) -> tuple[Severity, str, str]:
        """Return the one problem that says so."""
        (problem,) = [p for p in self.told if words in p[1]]
        return problem

    def check(self, check: Check) -> list[Fault | Missed | Found]:
        """Return what a self-check yields on all volumes, held against a walk that left it out (``Avoid.checks``)."""
        assert self.listed, "no volume of this kind"
        return [row for reader, listed in self.listed for row in check(reader, listed)]

    def at(self, path: str) -> Entry:
        (entry,) = (e for e in self.entries if e.path == path and e.state.value != "deleted")
        return entry

    def content(self, entry: Entry) -> bytes:
        place = entry.locator
        assert place is not None
        file = self._open[place.volume_offset].open_meta(place.meta_addr)
        attribute = () if place.attr_type is None else (place.attr_type, place.attr_id)
        return file.read_random(0, entry.size, *attribute) if entry.size else b""

    def md5(self, entry: Entry) -> str:
        return hashlib.md5(self.content(entry), usedforsecurity=False).hexdigest()


# ---- damaged ---------------------------------------------------------------------------------------------------------------


def flip(raw: bytearray, at: int, chance: random.Random, sectors: Sequence[int]) -> None:
    raw[at + chance.randrange(512)] ^= 1 << chance.randrange(8)


def clear(raw: bytearray, at: int, chance: random.Random, sectors: Sequence[int]) -> None:
    raw[at : at + 512] = bytes(512)


def scramble(raw: bytearray, at: int, chance: random.Random, sectors: Sequence[int]) -> None:
    raw[at : at + 512] = chance.randbytes(512)


def wipe(raw: bytearray, at: int, chance: random.Random, sectors: Sequence[int]) -> None:
    raw[at : at + 512] = chance.choice([bytes(512), chance.randbytes(512)])


def misplace(raw: bytearray, at: int, chance: random.Random, sectors: Sequence[int]) -> None:
    """Put another sector in its place."""
    other = chance.choice(sectors) * 512
    raw[at : at + 512] = raw[other : other + 512]


def exaggerate(raw: bytearray, at: int, chance: random.Random, sectors: Sequence[int]) -> None:
    """Write the least or the largest number over four bytes."""
    place = at + chance.randrange(508)
    raw[place : place + 4] = chance.choice((b"\0", b"\xff", b"\x7f")) * 4


def exaggerate_aligned(raw: bytearray, at: int, chance: random.Random, sectors: Sequence[int]) -> None:
    """Write the least or the largest number over a field of one, two, four or eight bytes."""
    width = chance.choice([1, 2, 4, 8])
    place = at + chance.randrange(512 // width) * width
    raw[place : place + width] = chance.choice([b"\0", b"\xff", b"\x7f", b"\x80"]) * width


def mutated(
    data: bytes, sectors: Sequence[int], chance: random.Random, kinds: Sequence[Damage], times: Sequence[int] = (1, 2, 4, 16)
) -> bytearray:
    """Damage some of the sectors, each in one of the ways."""
    raw = bytearray(data)
    for _ in range(chance.choice(times)):
        at = chance.choice(sectors) * 512
        chance.choice(kinds)(raw, at, chance, sectors)
    return raw
