"""FAT's directory entries: short names, the long names in front of them, and what does not fit together.

Source: Microsoft, "FAT: General Overview of On-Disk Format" 1.03, "FAT Directory Structure" and "FAT Long Directory Entries". TSK takes
whatever stands in front of an entry for its long name; here its checksum and its order are asked.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

from triage.filesystem.dostime import fat_stamps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SLOT = 32
DIRECTORY, LABEL = 0x10, 0x08
_LONG = 0x0F
_DELETED = 0xE5
_LAST_LONG = 0x40
_BAD_IN_LONG = re.compile('["*/:<>?\\\\|\x00-\x1f\ufffd]')
_BAD_IN_SHORT = bytes(range(0x20)) + b'"*+,./:;<=>?[\\]|'


class Record(NamedTuple):
    """An entry in use. ``name`` is UTF-8, of a label as it stands; ``at`` where its slot lies, in bytes from the volume's start.

    ``behind``: it stands behind the end of its directory. ``long``: what is wrong with its long name, "" if nothing is; ``hint``: what
    is odd about it and may be right all the same.
    """

    at: int
    slot: bytes
    name: bytes
    behind: bool
    long: str = ""
    hint: str = ""

    @property
    def attributes(self) -> int:
        """The attribute byte."""
        return self.slot[11]

    @property
    def directory(self) -> bool:
        """Whether it says that it is a directory."""
        return self.slot[11] & (DIRECTORY | LABEL) == DIRECTORY

    @property
    def size(self) -> int:
        """The size field, in bytes; 0 for directories."""
        return int.from_bytes(self.slot[28:32], "little")

    def cluster(self, bits: int) -> int:
        """Return the first cluster; its upper half counts on FAT32 only."""
        low, high = int.from_bytes(self.slot[26:28], "little"), int.from_bytes(self.slot[20:22], "little")
        return (low | high << 16) & 0x0FFFFFFF if bits == 32 else low


class Odd(NamedTuple):
    """Something in a directory that is no entry in use, or that does not belong there; ``kind`` is one of those below."""

    kind: str
    at: int
    text: str = ""


UNREADABLE, ZEROED, ORPHAN_LONG, DELETED_LONG = "unreadable", "zeroed", "orphan long name", "deleted long name"


class _Part(NamedTuple):
    order: int
    checksum: int
    text: bytes
    deleted: bool


def checksum(short: bytes) -> int:
    """Return the checksum of a short name's eleven bytes that each part of its long name holds."""
    total = 0
    for byte in short:
        total = ((total & 1) << 7 | total >> 1) + byte & 0xFF
    return total


def short_text(slot: bytes) -> bytes:
    """Return a short name as TSK shows it: lower case where the entry says so, ``^`` for what is not ASCII."""
    base, extension, flags = slot[:8], slot[8:11], slot[12]
    if flags & 0x08:
        base = base.lower()
    if flags & 0x10:
        extension = extension.lower()
    text = base.rstrip(b" ") + (b"." + extension.rstrip(b" ") if extension != b"   " else b"")
    if text.isascii() and b"\x7f" not in text:
        return text
    return bytes(b if b <= 0x7E else 0x5E for b in text)


def is_short_name(short: bytes) -> bool:
    """Whether eleven bytes can be a short name: nothing that is forbidden, no space at the start (letters' case is not asked)."""
    if short[0] == 0x05:  # stands for 0xE5, which would mean deleted
        short = short[1:]
    return short[:1] != b" " and short.translate(None, _BAD_IN_SHORT) == short


def _nearly(slot: bytes) -> bool:
    """Whether an entry that cannot be one is one with a damaged name: two bytes at most, the other fields sound."""
    bad = sum(byte in _BAD_IN_SHORT for byte in slot[:11]) + (slot[0] == 0x20)
    return bad <= 2 and not slot[11] & 0xC8 and fat_stamps(slot)["mtime"].nanoseconds is not None


def read_slots(pieces: Iterable[tuple[int, bytes]]) -> Iterator[Record | Odd]:
    """Yield what a directory holds, also behind its end mark; ``pieces`` are ``(offset in the volume, bytes)`` of it."""
    parts: list[_Part] = []
    ended = False
    at = 0
    for offset, data in pieces:
        used = len(data.rstrip(b"\0"))
        for place in range(0, len(data) - SLOT + 1, SLOT):
            slot = data[place : place + SLOT]
            at = offset + place
            if not slot[0]:
                yield from _leftover(parts, at)
                parts = []
                ended = True
                if place >= used:
                    break  # nothing but zeros follows in this piece
                if slot.strip(b"\0"):
                    yield Odd(ZEROED, at)
            elif slot[11] & 0x3F == _LONG:
                part = _part(slot)
                if part is None:
                    yield Odd(UNREADABLE, at)
                    continue
                if part.order & _LAST_LONG and not part.deleted and any(not p.deleted for p in parts):
                    yield from _leftover(parts, at)
                    parts = []
                parts.append(part)
            elif slot[0] == _DELETED:
                yield from _deleted(parts, slot, at)
                parts = []
            elif slot[11] & LABEL and not slot[11] & DIRECTORY:
                yield from _leftover(parts, at)
                parts = []
                yield Record(at, slot, slot[:11], ended)
            elif not is_short_name(slot[:11]) and slot[:2] not in (b". ", b".."):
                yield from _leftover(parts, at)
                parts = []
                if _nearly(slot):
                    yield Record(at, slot, short_text(slot), ended, "its name holds what no name can")
                else:
                    yield Odd(UNREADABLE, at)
            else:
                name, wrong = _long_name(parts, slot)
                hint = _hint(parts, name.decode(), slot) if name and not wrong else ""
                parts = []
                yield Record(at, slot, name or short_text(slot), ended, wrong, hint)
    yield from _leftover(parts, at)


def _part(slot: bytes) -> _Part | None:
    deleted = slot[0] == _DELETED
    if slot[12] or slot[26:28] != b"\0\0" or not (deleted or (1 <= slot[0] & 0x3F <= 20 and slot[0] < 0x80)):
        return None
    return _Part(slot[0], slot[13], slot[1:11] + slot[14:26] + slot[28:32], deleted)


def _joined(parts: list[_Part]) -> bytes:
    return _text(parts).partition("\0")[0].encode()


def _text(parts: list[_Part]) -> str:
    return b"".join([part.text for part in reversed(parts)]).decode("utf-16-le", "replace")


def _hint(parts: list[_Part], name: str, slot: bytes) -> str:
    """Return what is odd about a long name whose checksum is right: that is the short name's, not its own."""
    padding = _text(parts).partition("\0")[2]
    if len(padding) > 12 or padding.strip("\uffff"):
        return "the name goes on behind its end"
    if _BAD_IN_LONG.search(name):
        return "it holds what no name can"
    if not short_fits(name, slot[:11]):
        return "its short name would be another one"
    if not name.isascii() and _stray(name):
        return "one letter is of another script than the others: a damaged byte, or meant to deceive"
    return ""


def _stray(name: str) -> bool:
    """Whether just one letter among Latin ones is of another script, and would be Latin without its upper byte."""
    others = [character for character in name if not character.isascii()]
    if len(others) != 1 or sum(character.isalpha() and character.isascii() for character in name.rpartition(".")[0]) < 5:
        return False
    code = ord(others[0])
    low = chr(code & 0x7F)
    return 0x250 <= code <= 0xFFFF and not code & 0x80 and others[0].isalpha() and (low.isalnum() or low == " ")


def short_fits(name: str, short: bytes) -> bool:
    """Whether a short name can have been made of a long one (FAT specification, "Basis-Name Generation" and "Numeric-Tail Generation").

    Systems put four hexadecimal digits in front of the tail once there are many alike. What is not ASCII stands for anything.
    """
    base, dot, extension = "".join(name.split(" ")).lstrip(".").upper().rpartition(".")
    base, extension = (base.replace(".", ""), extension) if dot else (extension, "")
    have, have_extension = short[:8].rstrip(b" ").decode("latin-1"), short[8:].rstrip(b" ").decode("latin-1")
    if not _begins(extension, have_extension) or (extension.isascii() and len(have_extension) != min(3, len(extension))):
        return False
    head, tail, _ = have.rpartition("~")
    if not tail:
        return _begins(base, have) and (len(have) == 8 or len(have) == len(base) or not base.isascii())
    return _begins(base, head) or (not head[-4:].strip("0123456789ABCDEF") and len(head) >= 4 and _begins(base, head[:-4]))


def _begins(text: str, head: str) -> bool:
    if text.startswith(head):
        return True
    for wanted, there in zip(text, head, strict=False):
        if not wanted.isascii():
            return True  # code pages differ from here on, also in how many bytes they take
        if there not in (wanted, "_"):
            return False
    return len(head) <= len(text)


def _long_name(parts: list[_Part], slot: bytes) -> tuple[bytes, str]:
    """Return the long name of a short entry in use, and what is wrong with it."""
    total = checksum(slot[:11])
    if not parts:
        return b"", ""
    if all(part.deleted for part in parts):
        if parts[-1].checksum == total:
            return _joined(parts), "its long name is marked deleted"
        return b"", "what is left of a deleted entry's long name stands in front of it, and Sleuth Kit shows that as its name"
    orders = [part.order for part in parts]
    wanted = [len(parts) | _LAST_LONG, *range(len(parts) - 1, 0, -1)]
    if any(part.checksum != total for part in parts):
        return b"", "the long name in front of it is not its own, by the checksum"
    if orders != wanted:
        return b"", "parts of its long name are missing or out of order"
    return _joined(parts), ""


def _leftover(parts: list[_Part], at: int) -> Iterator[Odd]:
    """Yield parts of a long name in use that no entry follows."""
    if any(not part.deleted for part in parts):
        yield Odd(ORPHAN_LONG, at, _joined([p for p in parts if not p.deleted]).decode("utf-8", "replace"))


def _deleted(parts: list[_Part], slot: bytes, at: int) -> Iterator[Odd]:
    """Weigh a deleted entry's long name: all its parts hold one checksum, which gives the byte that was overwritten."""
    if not parts:
        return
    if any(not part.deleted for part in parts):
        yield from _leftover(parts, at)
        return
    first = next(b for b in range(256) if checksum(bytes([b]) + slot[1:11]) == parts[-1].checksum)
    text = parts[-1].text[:2]
    letter = text[0] if text[1] == 0 else 0
    fits = first not in _BAD_IN_SHORT and first != 0x20
    if 0x30 <= letter <= 0x39 or 0x41 <= letter & 0xDF <= 0x5A:
        fits = first == (letter & 0xDF if letter > 0x39 else letter)
    if not fits or any(part.checksum != parts[-1].checksum for part in parts):
        yield Odd(DELETED_LONG, at, _joined(parts).decode("utf-8", "replace"))


def fields_odd(slot: bytes, bits: int) -> str:
    """Return which of an entry's fields holds what nothing writes there, "" if none does."""
    attributes = slot[11]
    if attributes & 0xC0:
        return f"attributes 0x{attributes:02x}"
    if attributes & LABEL and attributes & DIRECTORY:
        return f"attributes 0x{attributes:02x}"
    if bits != 32 and slot[20:22] != b"\0\0" and not attributes & LABEL:
        return ""  # OS/2 keeps extended attributes there
    if attributes & LABEL and (slot[26:28] != b"\0\0" or slot[28:32] != b"\0\0\0\0"):
        return "a label with content"
    if not attributes & LABEL and slot[:11] != slot[:11].upper():
        return "small letters in a short name"
    return ""


def is_chance(slot: bytes, bits: int, last: int, room: int) -> bool:
    """Whether what looks like an entry is chance: two or more of its fields hold what none can.

    Damage makes one field wrong; other bytes than a directory's make several so.
    """
    record = Record(0, slot, b"", False)
    wrong = bool(fields_odd(slot, bits)) + (not slot[11] & LABEL and not is_short_name(slot[:11]))
    wrong += record.size > room or (record.directory and record.size != 0)
    wrong += record.cluster(bits) > last or record.cluster(bits) == 1
    if wrong:  # times alone can be wrong on a device without a clock
        wrong += sum(stamp.wrong for stamp in fat_stamps(slot).values())
    return wrong >= 2


def tsk_takes(slot: bytes, bits: int, last: int, room: int) -> bool:
    """Whether TSK takes an entry for one (4.15, ``fatxxfs_is_dentry``): what it does not, it neither lists nor opens."""
    size = int.from_bytes(slot[28:32], "little")
    low, high = struct.unpack_from("<H", slot, 26)[0], struct.unpack_from("<H", slot, 20)[0]
    cluster = low | (high << 16 if bits == 32 else 0)
    if (cluster > last and cluster < (1 << min(bits, 28)) - 8) or size > room or (size and not cluster):
        return False
    short = slot[:8], slot[8:11]
    if any(part[n] == 0x20 and part[n + 1] != 0x20 for part in short for n in range(1, len(part) - 1)):
        return False
    return bool(size or cluster or slot[14:20].strip(b"\0") or slot[22:26].strip(b"\0"))
