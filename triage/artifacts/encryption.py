"""Signs in a file's structure that its content is encrypted. Nothing is decrypted or decompressed.

Each reader looks at a bounded number of fields through ``read_at(offset, length)``, which may return less
than asked.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from triage.artifacts import zips
from triage.artifacts.ole import directory
from triage.artifacts.structure import Notes, ReadAt

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.model import Json

_MAX_MEMBERS = 5000
_MAX_NAME = 200
_EDGE = 64 << 10


@dataclass(frozen=True, slots=True)
class Encryption:
    """What is encrypted, in words, and details as JSON."""

    what: str
    details: Json = field(default_factory=dict)


def encryption_of(read_at: ReadAt, size: int, type_name: str) -> Encryption | None:
    """Return what the structure says of encryption; ``None`` when it says nothing.

    Not seen: the content of a 7z archive whose list of files is compressed, and PowerPoint 97-2003.
    ``read_at``'s ``OSError`` passes through; nothing else is raised, whatever the bytes.
    """
    reader = _READERS.get(type_name)
    try:
        return reader(read_at, size) if reader else None
    except (IndexError, struct.error):
        return None


# -- zip --------------------------------------------------------------------------------------------------------


def _zip(read_at: ReadAt, size: int) -> Encryption | None:
    members = zips.list_members(read_at, size, Notes(), _MAX_MEMBERS).entries
    encrypted = [entry for entry in members if entry.encrypted]
    if not encrypted:
        return None
    names = [entry.name[:_MAX_NAME].decode("utf-8", "replace") for entry in encrypted[:10]]
    aes = any(entry.method == 99 for entry in encrypted)
    return Encryption(
        "ZIP archive with encrypted members",
        {
            "members": len(members),
            "encrypted": len(encrypted),
            "names": names,
            "method": "AES" if aes else "ZipCrypto or other",
        },
    )


# -- rar, 7z --------------------------------------------------------------------------------------------

_RAR_BLOCKS = 64


def _rar4(read_at: ReadAt, _size: int) -> Encryption | None:
    at = 7
    for _ in range(_RAR_BLOCKS):
        head = read_at(at, 11)
        if len(head) < 7:
            return None
        kind, flags, length = struct.unpack_from("<BHH", head, 2)
        if kind == 0x73 and flags & 0x80:
            return Encryption("RAR archive, list of files encrypted", {"format": "RAR 4"})
        if kind == 0x74 and flags & 0x04:
            return Encryption("RAR archive with encrypted members", {"format": "RAR 4"})
        added = int.from_bytes(head[7:11], "little") if flags & 0x8000 or kind == 0x74 else 0
        at += max(length, 7) + added
    return None


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return a RAR 5 variable-length number and the place behind it; at most ten bytes."""
    value = 0
    for shift in range(0, 70, 7):
        value |= (data[at] & 0x7F) << shift
        at += 1
        if not data[at - 1] & 0x80:
            break
    return value, at


def _rar5(read_at: ReadAt, _size: int) -> Encryption | None:
    at = 8
    for _ in range(_RAR_BLOCKS):
        head = read_at(at, 4096)
        if len(head) < 7:
            return None
        length, start = _number(head, 4)
        kind, here = _number(head, start)
        flags, here = _number(head, here)
        if kind == 4:
            return Encryption("RAR archive, list of files encrypted", {"format": "RAR 5"})
        extra = data = 0
        if flags & 1:
            extra, here = _number(head, here)
        if flags & 2:
            data, here = _number(head, here)
        if kind == 2 and extra and _rar5_encrypted(head[: start + length][-extra:]):
            return Encryption("RAR archive with encrypted members", {"format": "RAR 5"})
        if kind == 5:
            return None
        at += start + length + data
    return None


def _rar5_encrypted(extra: bytes) -> bool:
    at = 0
    for _ in range(16):
        if at + 2 > len(extra):
            return False
        length, start = _number(extra, at)
        kind, _ = _number(extra, start)
        if kind == 1:
            return True
        at = start + length
    return False


_SEVEN_AES = b"\x06\xf1\x07\x01"


def _seven(read_at: ReadAt, size: int) -> Encryption | None:
    offset, length = struct.unpack_from("<QQ", read_at(0, 32), 12)
    if length > size or offset > size:
        return None
    header = read_at(32 + offset, min(length, _EDGE))
    at = header.find(_SEVEN_AES)
    if at < 1 or header[at - 1] & 0x0F != 4:  # the byte before says how long the method's id is
        return None
    hidden = header[:1] == b"\x17"
    return Encryption(
        "7z archive, list of files encrypted" if hidden else "7z archive with encrypted members",
        {"method": "AES-256"},
    )


# -- documents ------------------------------------------------------------------------------------------

_PDF_ENCRYPT = re.compile(rb"/Encrypt\s{0,20}(?:\d{1,10}\s{1,20}\d{1,5}\s{1,20}R|<<)")


def _pdf(read_at: ReadAt, size: int) -> Encryption | None:
    start = max(size - _EDGE, 0)
    if _PDF_ENCRYPT.search(read_at(start, size - start)) or (start and _PDF_ENCRYPT.search(read_at(0, min(_EDGE, start)))):
        return Encryption("PDF document with encryption")
    return None


def _office(read_at: ReadAt, _size: int) -> Encryption | None:
    if any(entry.name == "EncryptedPackage" for entry in directory(read_at)):
        return Encryption("Office document with a password", {"format": "OOXML in OLE"})
    return None


def _word(read_at: ReadAt, _size: int) -> Encryption | None:
    """[MS-DOC] 2.5.1: the flag fEncrypted of the file information block."""
    for entry in directory(read_at):
        if entry.name == "WordDocument" and entry.offset is not None:
            block = read_at(entry.offset, 12)
            if block[:2] == b"\xec\xa5" and block[11] & 1:
                return Encryption("Office document with a password", {"format": "Word 97-2003"})
    return None


def _excel(read_at: ReadAt, _size: int) -> Encryption | None:
    """[MS-XLS] 2.4.117: a FilePass record among the first of the workbook."""
    for entry in directory(read_at):
        if entry.name not in {"Workbook", "Book"} or entry.offset is None:
            continue
        records, at = read_at(entry.offset, 512), 0
        for _ in range(8):
            if at + 4 > len(records):
                break
            kind, length = struct.unpack_from("<HH", records, at)
            if kind == 0x2F:
                return Encryption("Office document with a password", {"format": "Excel 97-2003"})
            at += 4 + length
    return None


# -- what is encrypted by its nature --------------------------------------------------------------------


def _luks(read_at: ReadAt, _size: int) -> Encryption:
    head = read_at(0, 208)
    uuid = head[168:208].partition(b"\0")[0].decode("ascii", "replace")
    return Encryption("LUKS volume", {"version": int.from_bytes(head[6:8], "big"), "uuid": uuid})


def _openssl(read_at: ReadAt, _size: int) -> Encryption:
    head = read_at(0, 16)
    return Encryption("file encrypted with openssl enc", {"salt": head[8:16].hex()} if head.startswith(b"Salted__") else {})


def _android(read_at: ReadAt, _size: int) -> Encryption | None:
    lines = read_at(0, 64).split(b"\n")
    if len(lines) < 4 or lines[3] == b"none":
        return None
    return Encryption("Android backup with a password", {"method": lines[3][:20].decode("ascii", "replace")})


def _dmg(read_at: ReadAt, _size: int) -> Encryption | None:
    return Encryption("encrypted Apple disk image") if read_at(0, 8) == b"encrcdsa" else None


def _always(what: str) -> Callable[[ReadAt, int], Encryption]:
    return lambda _read_at, _size: Encryption(what)


_READERS: Final[dict[str, Callable[[ReadAt, int], Encryption | None]]] = {
    **dict.fromkeys(("zip", "jar", "apk", "docx", "xlsx", "pptx", "ooxml", "odt", "ods", "odp", "odf", "epub"), _zip),
    "rar": _rar4,
    "rar5": _rar5,
    "7z": _seven,
    "pdf": _pdf,
    "office-encrypted": _office,
    "ole": _office,
    "doc": _word,
    "xls": _excel,
    "luks": _luks,
    "openssl": _openssl,
    "android-backup": _android,
    "dmg": _dmg,
    "bitlocker": _always("BitLocker volume"),
    "keepass": _always("KeePass password database"),
    "pgp": _always("OpenPGP message"),
    "age": _always("file encrypted with age"),
    "axcrypt": _always("file encrypted with AxCrypt"),
}

TYPES: Final = tuple(_READERS)
"""The types that :func:`encryption_of` has something to say about."""
