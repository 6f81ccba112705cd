"""FAT and exFAT names as they are stored, where TSK writes ``^`` or ends them at a NUL.

It does so for half a surrogate pair of a long name, and for bytes of a short name whose letter depends on a code page. The bytes
stand in the directory entries: Microsoft, "FAT: General Overview of On-Disk Format" 1.03, "Long directory entries"; Microsoft,
"exFAT file system specification" 7.6 and 7.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.filesystem.ntfsname import may_look_like, units, wide_to_bytes

if TYPE_CHECKING:
    from triage.filesystem.dostime import EntryTimes

_SLOT = 32
_LONG = 0x0F
_MOST = 20
"""Slots of a FAT long name, 13 units each; an exFAT name has at most 17 of 15."""


class DosNames:
    """Exact names of one volume by TSK's metadata address. ``slots`` gives the directory entries' bytes."""

    def __init__(self, slots: EntryTimes, *, exfat: bool) -> None:
        self._slots = slots
        self._exfat = exfat

    def exact(self, address: int, text: bytes) -> tuple[bytes, bool]:
        """Return the stored name behind TSK's ``text``, and whether ``text`` is still what to show: so for short names."""
        if self._exfat:
            stored = self._of_exfat(address, text)
        elif b"^" not in text:
            return text, False
        else:
            stored = self._long_of_fat(address)
        if stored and stored != text and may_look_like(stored, text):
            return stored, False
        short = b"" if self._exfat or stored == text else self._short_of_fat(address)
        if bytes(c if c < 0x80 else 0x5E for c in short) == text:
            return short, True
        return text, False

    def _of_exfat(self, address: int, text: bytes) -> bytes:
        """Return a file's name by its stream and name entries; empty when it is TSK's, or when they do not follow each other."""
        stream = self._slots.slots(address + 1, 1)
        if len(stream) < _SLOT or stream[0] & 0x7F != 0x40 or (b"^" not in text and units(text) == stream[3]):
            return b""
        pieces = self._slots.slots(address + 2, -(-stream[3] // 15))
        parts = [pieces[at + 2 : at + _SLOT] for at in range(0, len(pieces), _SLOT) if pieces[at] & 0x7F == 0x41]
        name = b"".join(parts)[: 2 * stream[3]]
        return wide_to_bytes(name) if len(name) == 2 * stream[3] else b""

    def _long_of_fat(self, address: int) -> bytes:
        """Return the long name before a short one, as its checksum says that it belongs to it; a deleted one's by its place."""
        short = self._slots.slots(address, 1)
        deleted = short[:1] == b"\xe5"
        total = 0
        for byte in short[:11]:
            total = ((total >> 1) + (total << 7) + byte) & 0xFF
        name = b""
        for number in range(1, _MOST + 1):
            slot = self._slots.slots(address - number, 1)
            if len(slot) < _SLOT or slot[11] & 0x3F != _LONG or (not deleted and (slot[13] != total or slot[0] & 0x3F != number)):
                break
            name += slot[1:11] + slot[14:26] + slot[28:32]
            if slot[0] & 0x40 and not deleted:
                break
        whole = [name[at : at + 2] for at in range(0, len(name), 2)]
        end = next((n for n, unit in enumerate(whole) if unit in (b"\0\0", b"\xff\xff")), len(whole))
        return wide_to_bytes(b"".join(whole[:end]))

    def _short_of_fat(self, address: int) -> bytes:
        """Return a short name's bytes, in small letters where the entry says so and as TSK begins a deleted one."""
        slot = self._slots.slots(address, 1)
        if len(slot) < _SLOT:
            return b""
        stem, extension = slot[:8].rstrip(b" "), slot[8:11].rstrip(b" ")
        stem = {0xE5: b"_", 0x05: b"\xe5"}.get(slot[0], slot[:1]) + stem[1:]
        stem = stem.lower() if slot[12] & 0x08 else stem
        extension = extension.lower() if slot[12] & 0x10 else extension
        return stem + b"." + extension if extension else stem
