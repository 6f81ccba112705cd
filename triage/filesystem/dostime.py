"""Times of FAT and exFAT, read from the directory entry itself.

TSK 4.15 decodes them with ``mktime``: the 31st of February becomes a day in March, an hour past 23 becomes midnight, years from 2038
on become nothing, and exFAT's offsets from UTC are not looked at. Here a field either holds a moment that the calendar has, or no time.

Sources: Microsoft, "FAT: General Overview of On-Disk Format" 1.03, "Date and Time Formats"; Microsoft, "exFAT file system
specification" 7.4.5 to 7.4.10.
"""

from __future__ import annotations

import struct
from datetime import date as calendar_date
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.model import TimeBasis

if TYPE_CHECKING:
    from triage.evidence.medium import Medium
    from triage.model import Volume

_EPOCH_DAY = calendar_date(1970, 1, 1).toordinal()
_PIECE = 4096
_FIRST_ADDRESS = 3
"""The metadata address that TSK gives to the first 32 bytes behind the FATs; 2 is the root directory."""


@lru_cache(maxsize=4096)
def _day(date: int) -> int | None:
    """Return a date field as days since 1970, ``None`` for no day of the calendar. Dates repeat: asking once for each saves half."""
    try:
        return calendar_date(1980 + (date >> 9), date >> 5 & 15, date & 31).toordinal() - _EPOCH_DAY
    except ValueError:
        return None


class Stamp(NamedTuple):
    """One time as it is stored. ``tens`` counts 10 ms, 0 to 199; ``offset`` is exFAT's byte, 0 where there is none."""

    date: int
    time: int
    tens: int = 0
    offset: int = 0

    @property
    def nanoseconds(self) -> int | None:
        """The local time as nanoseconds since 1970, as if it were UTC; ``None`` for no time and for what no clock shows."""
        seconds = (self.time & 31) * 2
        minute, hour = self.time >> 5 & 63, self.time >> 11
        day = _day(self.date)
        if day is None or seconds > 58 or minute > 59 or hour > 23 or self.tens > 199:
            return None
        return ((day * 24 + hour) * 3600 + minute * 60 + seconds) * 1_000_000_000 + self.tens * 10_000_000

    @property
    def wrong(self) -> bool:
        """Whether something is stored that is no time."""
        return self.nanoseconds is None and bool(self.date or self.time or self.tens)

    @property
    def minutes_from_utc(self) -> int | None:
        """How far local time is ahead of UTC by exFAT's offset; ``None`` where it is said not to be known."""
        if not self.offset & 0x80:
            return None
        quarters = self.offset & 0x7F
        return (quarters - 128 if quarters & 0x40 else quarters) * 15

    @property
    def shown(self) -> str:
        """The raw fields, for a message."""
        text = f"date 0x{self.date:04x} time 0x{self.time:04x}"
        return f"{text} and {self.tens} x 10 ms" if self.tens else text


def fat_stamps(slot: bytes) -> dict[str, Stamp]:
    """Return the times of a FAT directory entry's 32 bytes, by the field of :class:`triage.model.Entry` that holds each."""
    tens, created, created_on, accessed_on, _, written, written_on = struct.unpack_from("<B6H", slot, 13)
    return {"mtime": Stamp(written_on, written), "atime": Stamp(accessed_on, 0), "crtime": Stamp(created_on, created, tens)}


def exfat_stamps(slot: bytes) -> dict[str, Stamp]:
    """Return the times of an exFAT file entry's 32 bytes."""
    created, created_on, written, written_on, accessed, accessed_on = struct.unpack_from("<6H", slot, 8)
    created_tens, written_tens, created_zone, written_zone, accessed_zone = struct.unpack_from("<5B", slot, 20)
    return {
        "mtime": Stamp(written_on, written, written_tens, written_zone),
        "atime": Stamp(accessed_on, accessed, 0, accessed_zone),
        "crtime": Stamp(created_on, created, created_tens, created_zone),
    }


def exfat_times(slot: bytes) -> dict[str, Any]:
    """Return an exFAT file entry's times: UTC where every one of them says how far from UTC it is, else all as they are stored."""
    stamps = exfat_stamps(slot)
    local = {name: stamp.nanoseconds for name, stamp in stamps.items()}
    there = [stamps[name].minutes_from_utc for name, value in local.items() if value is not None]
    if None in there:
        return {**local, "time_basis": TimeBasis.LOCAL}
    times = {
        name: value if value is None else value - (stamps[name].minutes_from_utc or 0) * 60_000_000_000 for name, value in local.items()
    }
    return {**times, "time_basis": TimeBasis.UTC}


class EntryTimes:
    """The times of one volume's entries by TSK's metadata address: on FAT and exFAT it is the place of a directory entry."""

    def __init__(self, fs: Any, medium: Medium, volume: Volume, *, exfat: bool) -> None:
        self._medium = medium
        self._exfat = exfat
        sector = int(fs.info.block_size)
        slots = sector // 32
        last, sectors = int(fs.info.last_inum), int(fs.info.last_block_act) + 1
        # TSK numbers the 32-byte slots behind the FATs, then the boot sector, each FAT (up to 8) and the orphans' directory.
        slots_after, fats = divmod(last - 4, slots)
        self._last = last - 2 - fats
        self._start = volume.offset + (sectors - slots_after) * sector
        self._end = volume.offset + sectors * sector
        self._piece_at, self._piece = -1, b""

    def of(self, address: int) -> dict[str, Any] | None:
        """Return ``mtime``, ``atime`` and ``crtime`` (and the ``time_basis`` of exFAT's); ``None`` for what is no file's entry."""
        slot = self.slots(address, 1)
        if len(slot) < 32:
            return None
        if self._exfat:
            return exfat_times(slot) if slot[0] & 0x7F == 0x05 else None
        if slot[11] & 0x0F == 0x0F:
            return None  # a part of a long name
        return {name: stamp.nanoseconds for name, stamp in fat_stamps(slot).items()}

    def slots(self, address: int, count: int) -> bytes:
        """Return the 32 bytes of each of ``count`` directory entries that lie together; fewer where there are no more."""
        if not _FIRST_ADDRESS <= address <= self._last:
            return b""
        at = self._start + (address - _FIRST_ADDRESS) * 32
        end = min(at + 32 * count, self._end)
        base = at & -_PIECE
        if base + _PIECE < end:
            try:
                return self._medium.read_at(at, end - at)
            except OSError:
                return b""
        if base != self._piece_at:
            try:
                self._piece = self._medium.read_at(base, _PIECE)
            except OSError:  # the medium remembers what could not be read
                self._piece = b""
            self._piece_at = base
        return self._piece[at - base : end - base] if end - at >= 32 else b""
