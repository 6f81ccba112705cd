"""An ext4 inode's times as they are stored: seconds before 1970 and after 2038, which TSK gives wrong.

TSK takes the 32 bits of seconds for a number without a sign and leaves out the two bits that count further epochs of 2**32 seconds:
1950 becomes 2086, and 2160 looks like 2024. No field that TSK gives shows the latter, so every inode is read here; inodes lie together,
and a piece of their table serves many.

Source: Linux kernel documentation, *ext4 data structures and algorithms*, "Inode Timestamps" and "Index Nodes".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.filesystem.extlayout import SUPERBLOCK, inode_at, parse_superblock, read_descriptors

if TYPE_CHECKING:
    from triage.evidence.medium import Medium
    from triage.filesystem.extlayout import ExtLayout, Groups
    from triage.model import Volume

NANOSECONDS = 1_000_000_000
_PIECE = 16 << 10
_PIECES = 64
"""Bytes of the inode table that are read at once, and how many such pieces are kept."""
_FIELDS = (("atime", 0x08, 0x8C), ("ctime", 0x0C, 0x84), ("mtime", 0x10, 0x88), ("crtime", 0x90, 0x94))
"""Where an inode keeps a time's seconds and what extends them."""
_ENCRYPTED = 0x800
"""EXT4_ENCRYPT_FL of an inode's flags."""


def decode_time(seconds: int, extra: int) -> tuple[int | None, str]:
    """Return nanoseconds since 1970, and what is wrong with the time: it is ``None`` then, or without a fraction.

    ``seconds`` are the 32 bits as stored, ``extra`` the 32 that extend them: two bits that count epochs, then 30 of nanoseconds.
    A time without seconds is none: so is one that was never set.
    """
    signed = seconds - (1 << 32 if seconds & 1 << 31 else 0)
    whole, fraction = signed + ((extra & 3) << 32), extra >> 2
    if not seconds and not extra & 3:
        return None, ""
    wrong = "" if fraction < NANOSECONDS else f"a fraction of {fraction} nanoseconds cannot be; it was left out"
    value = whole * NANOSECONDS + (0 if wrong else fraction)
    if not -(1 << 63) <= value < 1 << 63:
        return None, f"{whole} seconds since 1970 are past the year 2262"
    return value, wrong


def inode_times(inode: bytes) -> dict[str, Any]:
    """Return ``mtime``, ``atime``, ``ctime`` and ``crtime`` of an inode's bytes; ``encrypted`` is there when its contents are (fscrypt).

    ``wrong`` is there as well when one of them is outside of the years 1677 to 2262 or has an impossible fraction: what, and the
    numbers as they are stored.
    """
    times: dict[str, Any] = {}
    wrong = []
    reaches = 0x80 + int.from_bytes(inode[0x80:0x82], "little") if len(inode) > 0x80 else 0
    for name, place, more in _FIELDS:
        if name == "crtime" and reaches < place + 4:
            times[name] = None
            continue
        seconds = int.from_bytes(inode[place : place + 4], "little")
        extra = int.from_bytes(inode[more : more + 4], "little") if reaches >= more + 4 else 0
        times[name], fault = decode_time(seconds, extra)
        if fault:
            wrong.append(f"{name} {seconds:#010x} {extra:#010x}: {fault}")
    if int.from_bytes(inode[0x20:0x24], "little") & _ENCRYPTED:
        times["encrypted"] = True
    if wrong:
        times["wrong"] = "; ".join(wrong)
    return times


class ExtTimes:
    """Gives the times of an ext volume's inodes. What cannot be read leaves TSK's times as they are."""

    def __init__(self, medium: Medium, volume: Volume) -> None:
        self._medium = medium
        self._offset = volume.offset
        self._pieces: dict[int, bytes] = {}
        self._layout: ExtLayout | None = None
        self._groups: Groups | None = None
        try:
            self._layout = parse_superblock(self._read(SUPERBLOCK, SUPERBLOCK))
            if self._layout is not None:
                self._groups = read_descriptors(self._read, self._layout)
        except OSError:  # the medium remembers what could not be read
            self._layout = None

    def _read(self, offset: int, length: int) -> bytes:
        return self._medium.read_at(self._offset + offset, length)

    def of(self, address: int) -> dict[str, Any] | None:
        """Return an inode's times as :func:`inode_times` does, ``None`` where it cannot be read."""
        inode = self._inode(address)
        return None if inode is None else inode_times(inode)

    def _inode(self, address: int) -> bytes | None:
        layout, groups = self._layout, self._groups
        if layout is None or groups is None:
            return None
        place = inode_at(layout, groups, address)
        if place is None:
            return None
        number, within = divmod(place, _PIECE)
        piece = self._pieces.get(number)
        if piece is None:
            try:
                piece = self._read(number * _PIECE, _PIECE)
            except OSError:
                piece = b""
            if len(self._pieces) >= _PIECES:
                del self._pieces[next(iter(self._pieces))]
            self._pieces[number] = piece
        inode = piece[within : within + layout.inode_size]
        return inode if len(inode) == layout.inode_size else None
