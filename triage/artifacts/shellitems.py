"""Shell items of Windows: how the Explorer notes a path, folder by folder, in the registry and in shortcuts.

Layout by libyal, "Windows Shell Item format" (little-endian): u16 size, u8 class, then by the class a known folder's GUID (0x1f), a drive
(0x2?), a file or folder (0x3?) with its size and FAT times, a network place (0x4?), an address (0x61). A block of signature 0xbeef0004 at
the end of a file's item holds its times of creation and last access and its long name. A list ends with a size of zero.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

_MOST, _LONGEST = 64, 520
_BEEF0004 = bytes.fromhex("0400efbe")
_NAME_SET = b"1SPS" + UUID("b725f130-47ef-101a-a5f1-02608c9eebac").bytes_le
_MTP_VOLUME, _MTP_FILE, _USER_FOLDER = 0x10312005, 0x07192006, 0x23FEBBEE

KNOWN_FOLDERS = {
    "20d04fe0-3aea-1069-a2d8-08002b30309d": "My Computer",
    "450d8fba-ad25-11d0-98a8-0800361b1103": "My Documents",
    "208d2c60-3aea-1069-a2d7-08002b30309d": "My Network Places",
    "f02c1a0d-be21-4350-88b0-7367fc96ef3c": "Network",
    "645ff040-5081-101b-9f08-00aa002f954e": "Recycle Bin",
    "871c5380-42a0-1069-a2ea-08002b30309d": "Internet Explorer",
    "21ec2020-3aea-1069-a2dd-08002b30309d": "Control Panel",
    "26ee0668-a00a-44d7-9371-beb064c98683": "Control Panel",
    "5399e694-6ce5-4d6c-8fce-1d8870fdcba0": "Control Panel",
    "031e4825-7b94-4dc3-b131-e946b44c8dd5": "Libraries",
    "59031a47-3f72-44a7-89c5-5595fe6b30ee": "Users' Files",
    "679f85cb-0220-4080-b29b-5540cc05aab6": "Quick access",
    "9343812e-1c37-4a49-a12e-4b2d810d956b": "Search Home",
    "4234d49b-0245-4df3-b780-3893943456e1": "Applications",
    "b4bfcc3a-db2c-424c-b029-7fe99a87c641": "Desktop",
    "fdd39ad0-238f-46af-adb4-6c85480369c7": "Documents",
    "d3162b92-9365-467a-956b-92703aca08af": "Documents",
    "a8cdff1c-4878-43be-b5fd-f8091c1c60d0": "Documents",
    "374de290-123f-4565-9164-39c4925e467b": "Downloads",
    "088e3905-0323-4b02-9826-5d99428e115f": "Downloads",
    "33e28130-4e1e-4676-835a-98395c3bc3bb": "Pictures",
    "24ad3ad4-a569-4530-98e1-ab02f9417aa8": "Pictures",
    "3add1653-eb32-4cb0-bbd7-dfa0abb5acca": "Pictures",
    "a990ae9f-a03b-4e80-94bc-9912d7504104": "Pictures Library",
    "7b0db17d-9cd2-4a93-9733-46cc89022e7c": "Documents Library",
    "4bd8d571-6d19-48d3-be97-422220080e43": "Music",
    "1cf1260c-4dd0-4ebb-811f-33c572699fde": "Music",
    "18989b1d-99b5-455b-841c-ab7c74e4ddfc": "Videos",
    "a0953c92-50dc-43bf-be83-3742fed03c9c": "Videos",
    "5e6c858f-0e22-4760-9afe-ea3317b67173": "User's Profile",
    "f3ce0f7c-4901-4acc-8648-d5d44b04ef8f": "User's Files",
    "018d5c66-4533-4307-9b53-224de2ed1fe6": "OneDrive",
    "1ac14e77-02e7-4e5d-b744-2eb1ae5198b7": "System32",
    "d65231b0-b2f1-4857-a4ce-a8e7c6ea7d27": "SysWOW64",
    "f38bf404-1d43-42f2-9305-67de0b28fc23": "Windows",
    "6d809377-6af0-444b-8957-a3773f02200e": "Program Files",
    "7c5a40ef-a0fb-4bfc-874a-c0f2e0b9fa8e": "Program Files (x86)",
    "905e63b6-c1bf-494e-b29c-65b732d3d21a": "Program Files",
    "0139d44e-6afe-49f2-8690-3dafcae6ffb8": "Common Programs",
    "a77f5d77-2e2b-44c3-a6a2-aba601054a51": "Programs",
    "9e3995ab-1f9c-4f13-b827-48b24b6c7174": "User Pinned",
}


class ShellItem(NamedTuple):
    """One part of a path. Times are ISO 8601 in UTC as the item has them, "" for none; ``what``: folder, file, drive, network, device."""

    name: str
    what: str
    size: int = 0
    modified: str = ""
    created: str = ""
    accessed: str = ""


def read_items(data: bytes) -> list[ShellItem]:
    """Return the items of a list, as far as it goes."""
    found: list[ShellItem] = []
    at = 0
    while len(found) < _MOST and at + 3 <= len(data):
        size = int.from_bytes(data[at : at + 2], "little")
        if size < 3 or at + size > len(data):
            break
        found.append(read_item(data[at : at + size]))
        at += size
    return found


def path_of(items: list[ShellItem]) -> str:
    """Return a path as Windows writes it. My Computer before a drive is left out."""
    names = [item.name for item in items if item.name]
    if len(names) > 1 and names[0] == "My Computer" and names[1][1:2] == ":":
        del names[0]
    return "\\".join(name.rstrip("\\") if len(names) > 1 else name for name in names)


def known(guid: str) -> str:
    """Return the name of a known folder (``{…}`` or bare), the GUID in braces if it is none."""
    bare = guid.strip("{}").lower()
    return KNOWN_FOLDERS.get(bare, f"{{{bare}}}")


def fat_time(raw: bytes) -> str:
    """Return FAT date and time (u16 each) as text, taken for UTC as shell items have it; "" for none."""
    date, time = struct.unpack("<HH", raw) if len(raw) == 4 else (0, 0)
    try:
        found = datetime(1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31) * 2, tzinfo=UTC)
    except ValueError:
        return ""
    return found.strftime("%Y-%m-%dT%H:%M:%SZ")


def _guid(raw: bytes) -> str:
    return known(str(UUID(bytes_le=raw))) if len(raw) == 16 else ""


def _narrow(raw: bytes) -> str:
    return raw[:_LONGEST].partition(b"\0")[0].decode("cp1252", "replace")


def _wide(raw: bytes) -> str:
    raw = raw[: 2 * _LONGEST]
    return raw[: len(raw) & ~1].decode("utf-16-le", "replace").partition("\0")[0]


def read_item(item: bytes) -> ShellItem:
    """Return what one item (its size first) says; one of an unknown class has the name ``?``."""
    kind = item[2] if len(item) > 2 else 0
    signature = int.from_bytes(item[6:10], "little")
    if signature == _MTP_FILE and len(item) > 78:
        chars = int.from_bytes(item[62:66], "little")
        return ShellItem(_wide(item[74 : 74 + 2 * min(chars, _LONGEST)]), "device folder")
    if signature == _MTP_VOLUME and len(item) > 58:
        return ShellItem(_wide(item[54:]), "device")
    if signature == _USER_FOLDER and len(item) >= 30:
        return ShellItem(_guid(item[14:30]), "folder")
    if kind == 0x1F and len(item) >= 20:
        return ShellItem(_guid(item[4:20]), "folder")
    if kind & 0x70 == 0x20:
        name = _guid(item[4:20]) if kind == 0x2E and len(item) >= 20 and item[4:5] not in b"\\/" and item[3] & 0x80 else _narrow(item[3:])
        return ShellItem(name or "?", "drive")
    if kind & 0x70 == 0x40 and len(item) > 6:
        return ShellItem(_narrow(item[5:]) or "?", "network")
    if kind == 0x61 and len(item) > 8:
        at = 6 + int.from_bytes(item[4:6], "little")
        return ShellItem((_wide(item[at:]) if item[3] & 0x80 else _narrow(item[at:])) or "?", "address")
    if kind == 0x71 and len(item) >= 30:
        return ShellItem(_guid(item[14:30]), "control panel")
    if kind & 0x70 == 0x30 and len(item) > 14:
        return _file(item, 0)
    if kind == 0x74 and item[6:10] == b"CFSF" and len(item) > 26:
        return _file(item, 10)
    return ShellItem(_property_name(item) or _file(item, None).name or "?", "folder")


def _file(item: bytes, start: int | None) -> ShellItem:
    """Read the item of a file: class at 2, size at 4, FAT time at 8, short name at 14, each behind ``start``; ``None``: the block alone."""
    kind, size, modified, name = 0, 0, "", ""
    if start is not None:
        kind = item[start + 2]
        size = int.from_bytes(item[start + 4 : start + 8], "little")
        modified = fat_time(item[start + 8 : start + 12])
        name = _wide(item[start + 14 :]) if kind & 4 else _narrow(item[start + 14 :])
    created = accessed = ""
    at = item.find(_BEEF0004) - 4
    if at >= 2:
        block = item[at:]
        version = int.from_bytes(block[2:4], "little")
        created, accessed = fat_time(block[8:12]), fat_time(block[12:16])
        place = 46 if version >= 9 else 42 if version == 8 else 38 if version == 7 else 20 if version >= 3 else 0
        name = (_wide(block[place:]) if place else "") or name
    what = "file" if kind & 3 == 2 else "folder"
    return ShellItem(name, what, size if what == "file" else 0, modified, created, accessed)


def _property_name(item: bytes) -> str:
    """Return the name to be shown out of a property store ([MS-PROPSTORE]: set b725f130-…, number 10, VT_LPWSTR)."""
    at = item.find(_NAME_SET)
    if at < 0:
        return ""
    at += 20
    for _ in range(_MOST):
        size, number = struct.unpack_from("<II", item[at : at + 8].ljust(8, b"\0"))
        if size < 13 or at + size > len(item):
            return ""
        if number == 10 and int.from_bytes(item[at + 9 : at + 11], "little") == 0x1F:
            return _wide(item[at + 17 : at + size])
        at += size
    return ""
