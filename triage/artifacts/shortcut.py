"""Windows shortcuts: what they lead to, on which medium and machine that was ([MS-SHLLINK]), and the lists of programs' last files.

A jump list (``*.automaticDestinations-ms``) is a compound file of shortcuts, with a stream ``DestList`` that says when each was last used
(libyal, "Jump lists format"): a header of 32 bytes with the version; an entry of 114 bytes, from version 2 on 130, and a path in UTF-16.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = bytes.fromhex("4c0000000114020000000000c000000000000046")
_DRIVES = ("", "", "removable", "fixed", "network", "optical", "memory")
_STRINGS = ((0x4, "description"), (0x8, "relative_path"), (0x10, "working_folder"), (0x20, "arguments"), (0x40, "icon"))
_TRACKER = 0xA0000003
_LONGEST, _MOST_BLOCKS, _MOST_ENTRIES = 4096, 50, 50_000


@dataclass(slots=True)
class Shortcut:
    """A shortcut. Times are FILETIMEs of the target as it was; ``end``: where the shortcut ends in the bytes."""

    created: int = 0
    accessed: int = 0
    written: int = 0
    size: int = 0
    folder: bool = False
    path: str = ""
    share: str = ""
    drive: str = ""
    serial: int | None = None
    label: str = ""
    machine: str = ""
    mac: str = ""
    description: str = ""
    relative_path: str = ""
    working_folder: str = ""
    arguments: str = ""
    icon: str = ""
    end: int = 0
    cut: bool = False


def read_shortcut(data: bytes, start: int = 0) -> Shortcut | None:
    """Return the shortcut that begins at a place, ``None`` for what is none."""
    if data[start : start + 20] != HEADER or len(data) < start + 76:
        return None
    flags, attributes, created, accessed, written, size = struct.unpack_from("<IIQQQI", data, start + 20)
    found = Shortcut(created, accessed, written, size, folder=bool(attributes & 0x10))
    at = start + 76
    if flags & 0x1:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    if flags & 0x2:
        length = int.from_bytes(data[at : at + 4], "little")
        _link_info(found, data[at : at + min(length, 1 << 16)])
        at += max(length, 4)
    for flag, name in _STRINGS:
        if flags & flag:
            count = int.from_bytes(data[at : at + 2], "little")
            width = 2 if flags & 0x80 else 1
            raw = data[at + 2 : at + 2 + count * width]
            setattr(found, name, (raw.decode("utf-16-le", "replace") if width == 2 else raw.decode("cp1252", "replace"))[:_LONGEST])
            at += 2 + count * width
    for _ in range(_MOST_BLOCKS):
        length = int.from_bytes(data[at : at + 4], "little")
        if length < 4 or at + 4 > len(data):
            at += 4
            break
        if length >= 96 and int.from_bytes(data[at + 4 : at + 8], "little") == _TRACKER:
            _tracker(found, data[at : at + 96])
        at += length
    found.cut = at > len(data)
    found.end = min(at, len(data))
    return found


def _text(data: bytes, at: int, *, wide: bool = False) -> str:
    if at <= 0 or at >= len(data):
        return ""
    if wide:
        return data[at : at + 2 * _LONGEST].decode("utf-16-le", "replace").partition("\0")[0]
    return data[at : at + _LONGEST].partition(b"\0")[0].decode("cp1252", "replace")


def _link_info(found: Shortcut, info: bytes) -> None:
    """Take what 2.3 (LinkInfo) says: the medium, the path on it, the share."""
    if len(info) < 28:
        return
    _, header, flags, volume, base, network, suffix = struct.unpack_from("<7I", info)
    wide_base = int.from_bytes(info[28:32], "little") if header >= 36 else 0
    wide_suffix = int.from_bytes(info[32:36], "little") if header >= 36 else 0
    tail = _text(info, wide_suffix, wide=True) or _text(info, suffix)
    if flags & 1:
        found.path = (_text(info, wide_base, wide=True) or _text(info, base)) + tail
        kind, serial, label = (int.from_bytes(info[volume + n : volume + n + 4], "little") for n in (4, 8, 12))
        found.drive = _DRIVES[kind] if kind < len(_DRIVES) else ""
        found.serial = serial or None
        found.label = _text(info, volume + label) if label != 0x14 else ""
    if flags & 2 and 0 < network < len(info) - 20:
        name = int.from_bytes(info[network + 8 : network + 12], "little")
        found.share = _text(info, network + name)
        found.path = found.path or f"{found.share}\\{tail}"


def _tracker(found: Shortcut, block: bytes) -> None:
    """Take what 2.5.10 (TrackerDataBlock) says: the machine's name, and its network address out of the file's number."""
    found.machine = block[16:32].partition(b"\0")[0].decode("cp1252", "replace")
    droid = block[48:64]  # of the file: a UUID; those of version 1 end in the machine's address
    if len(droid) == 16 and droid[7] >> 4 == 1 and any(droid[10:16]):
        found.mac = droid[10:16].hex(":")


class Listed(NamedTuple):
    """An entry of a jump list's DestList. ``number``: the name of its stream; ``used``: FILETIME."""

    number: int
    path: str
    used: int
    pinned: bool
    times: int | None
    machine: str


def read_destlist(data: bytes) -> Iterator[Listed]:
    """Yield the entries of a DestList, as far as they are whole."""
    if len(data) < 32:
        return
    version = int.from_bytes(data[:4], "little")
    if not 1 <= version <= 6:
        return
    fixed, at = (114 if version == 1 else 130), 32
    for _ in range(_MOST_ENTRIES):
        if at + fixed > len(data):
            return
        number = int.from_bytes(data[at + 88 : at + 92], "little")
        used, pin = struct.unpack_from("<Qi", data, at + 100)
        times = None if version == 1 else int.from_bytes(data[at + 116 : at + 120], "little")
        length = int.from_bytes(data[at + fixed - 2 : at + fixed], "little") * 2
        path = data[at + fixed : at + fixed + length]
        if len(path) < length:
            return
        machine = data[at + 72 : at + 88].partition(b"\0")[0].decode("cp1252", "replace")
        yield Listed(number, path.decode("utf-16-le", "replace"), used, pin >= 0, times, machine)
        at += fixed + length + (0 if version == 1 else 4)
