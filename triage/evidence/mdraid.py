"""Members of Linux's software RAID: what a superblock of version 1 says, and the whole of a mirror, which each member holds.

Source: Linux, include/uapi/linux/raid/md_p.h, ``struct mdp_superblock_1``. It lies 4 KiB into the member (version 1.2) or at its beginning
(1.1). Where it lies at the end (1.0, 0.90) a mirror's file system begins where the member does and needs no opening.
"""

from __future__ import annotations

import struct
import uuid
from typing import TYPE_CHECKING, NamedTuple

from triage.evidence.medium import PartMedium

if TYPE_CHECKING:
    from triage.evidence.medium import Medium

MAGIC = b"\xfc\x4e\x2b\xa9"
_PLACES = (4096, 0)
_LEVELS = {0: "RAID 0", 1: "RAID 1", 4: "RAID 4", 5: "RAID 5", 6: "RAID 6", 10: "RAID 10", 0xFFFFFFFF: "linear"}
_LARGEST, _MOST_ROLES = 1 << 50, 1000


class MdError(ValueError):
    """What is no superblock, or one that cannot be."""


class Member(NamedTuple):
    """What a member says: of the array, and where its own part of the data lies; places and sizes in bytes. ``role``: -1 for a spare."""

    name: str
    id: str
    level: int
    devices: int
    role: int
    start: int
    size: int
    changed: int

    @property
    def kind(self) -> str:
        """The level in words."""
        return _LEVELS.get(self.level, f"RAID of level {self.level}")

    @property
    def whole(self) -> bool:
        """Whether the member holds all of the array's data, as they are."""
        return (self.level == 1 or (self.devices == 1 and self.level in (0, 0xFFFFFFFF))) and self.role >= 0


def read_member(part: Medium) -> Member:
    """Return what a member's superblock says; raise :class:`MdError` or ``OSError``."""
    for at in _PLACES:
        raw = part.read_at(at, 256 + 2 * _MOST_ROLES)
        if len(raw) >= 256 and raw.startswith(MAGIC) and raw[4:8] == b"\1\0\0\0":
            return _member(raw, part.size)
    raise MdError("it has no superblock of a version that is read")


def _member(raw: bytes, size: int) -> Member:
    level, _, _, _, devices = struct.unpack_from("<IIQII", raw, 72)
    start, length = (512 * number for number in struct.unpack_from("<QQ", raw, 128))
    number, most, changed = *struct.unpack_from("<I", raw, 160), *struct.unpack_from("<I", raw, 220), *struct.unpack_from("<Q", raw, 200)
    if most > 1 << 16 or not 0 < devices <= 1 << 16 or start >= _LARGEST or length > _LARGEST:
        raise MdError("its superblock states what cannot be")
    words = bytearray(raw[: 256 + 2 * most])
    words[216:220] = bytes(4)
    if most <= _MOST_ROLES and int.from_bytes(raw[216:220], "little") != _checksum(bytes(words)):
        raise MdError("its superblock has a wrong checksum")
    if start >= size:
        raise MdError("its data would lie beyond its end")
    role = int.from_bytes(raw[256 + 2 * number : 258 + 2 * number], "little") if number < min(most, _MOST_ROLES) else 0xFFFF
    name = raw[32:64].split(b"\0")[0].decode("utf-8", "replace")
    return Member(name, str(uuid.UUID(bytes=raw[16:32])), level, devices, role if role < 0xFFF0 else -1, start, length, changed)


def _checksum(raw: bytes) -> int:
    """Return md's checksum: the sum of all words of 32 bits, with what overflows added."""
    total: int = sum(struct.unpack(f"<{len(raw) // 4}I", raw[: len(raw) // 4 * 4]))
    if len(raw) % 4:
        total += int.from_bytes(raw[len(raw) // 4 * 4 :][:2], "little")
    return ((total & 0xFFFFFFFF) + (total >> 32)) & 0xFFFFFFFF


def describe_member(member: Member) -> str:
    """Return what a member is, in words."""
    place = f"device {member.role + 1} of {member.devices}" if member.role >= 0 else f"a spare of {member.devices}"
    return f"{place} of the software RAID {member.name!r} ({member.kind}, {member.id})"


def open_member(part: Medium, member: Member) -> Medium | None:
    """Return the array's bytes where a member holds all of them, ``None`` where it does not."""
    if not member.whole:
        return None
    return PartMedium(part, member.start, member.size or None)
