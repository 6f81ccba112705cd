"""What eMule and aMule keep beside their lists of files: who they are, with whom they exchanged how much, what was searched and cancelled.

Layouts (little-endian; eMule's sources: ``Preferences.h``, ``ClientCredits.h``, ``Friend.cpp``, ``KnownFileList.cpp``, ``SearchList.cpp``,
``SearchParams.h``, ``ServerList.cpp``, ``packets.cpp``, ``kademlia/``; aMule's: ``CanceledFileList.cpp``, ``Statistics.cpp``).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from triage.artifacts.structure import StructureError

_MOST, _MOST_TAGS, _LONGEST = 200_000, 500, 4096
_WIDTHS = {0x03: 4, 0x05: 1, 0x08: 2, 0x09: 1, 0x0B: 8}
NAME, SIZE, SIZE_HIGH, AICH, TYPE = 0x01, 0x02, 0x3A, 0x27, 0x03
DESCRIPTION = 0x0B
Tags = dict[int | str, int | str | float]


@dataclass(slots=True)
class Peer:
    """Somebody with whom bytes were exchanged. ``seen``: seconds since 1970."""

    user: str
    uploaded: int
    downloaded: int
    seen: int
    start: int
    end: int = 0
    address: str = ""
    port: int = 0
    chatted: int = 0
    name: str = ""


@dataclass(slots=True)
class Found:
    """A file that a search found."""

    ed2k: str
    address: str
    port: int
    tags: Tags
    start: int
    end: int

    @property
    def size(self) -> int | None:
        """Its size in bytes."""
        low, high = self.tags.get(SIZE), self.tags.get(SIZE_HIGH, 0)
        return low + ((high if isinstance(high, int) else 0) << 32) if isinstance(low, int) else None


@dataclass(slots=True)
class StoredSearch:
    """A search that was open. ``title``: the program's own, of lists of what one peer shares."""

    words: str
    title: str
    type: str
    of_peer: bool
    start: int
    end: int = 0
    found: list[Found] = field(default_factory=list)


class _Reader:
    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def take(self, length: int) -> bytes:
        piece = self.data[self.at : self.at + length]
        if len(piece) < length:
            raise StructureError("it breaks off")
        self.at += length
        return piece

    def number(self, length: int) -> int:
        return int.from_bytes(self.take(length), "little")

    def text(self) -> str:
        return self.take(self.number(2))[:_LONGEST].decode("utf-8", "replace")

    def tags(self, count: int) -> Tags:
        if count > _MOST_TAGS:
            raise StructureError("it has more tags than there can be")
        found: Tags = {}
        for _ in range(count):
            kind = self.number(1)
            name: int | str
            if kind & 0x80:
                kind, name = kind & 0x7F, self.number(1)
            else:
                raw = self.take(self.number(2))
                name = raw[0] if len(raw) == 1 else raw[:_LONGEST].decode("utf-8", "replace")
            value = self._value(kind)
            if value is not None:
                found.setdefault(name, value)
        return found

    def _value(self, kind: int) -> int | str | float | None:
        if kind == 0x02:
            return self.text()
        if 0x11 <= kind <= 0x26:
            return self.take(kind - 0x10).decode("utf-8", "replace")
        if kind in _WIDTHS:
            return self.number(_WIDTHS[kind])
        if kind == 0x01:
            return self.take(16).hex()
        if kind == 0x04:
            value = float(struct.unpack("<f", self.take(4))[0])
            return value if abs(value) < 1e30 else None
        if kind in (0x06, 0x07, 0x0A):
            length = self.number({0x06: 2, 0x07: 4, 0x0A: 1}[kind])
            self.take(length // 8 + 1 if kind == 0x06 else length)
            return None
        raise StructureError(f"it has a tag of type {kind}")


def address_of(raw: bytes) -> str:
    """Return four bytes as an address, "" for 0.0.0.0."""
    return ".".join(str(part) for part in raw) if any(raw) else ""


def user_hash(data: bytes) -> tuple[str, tuple[int, int, int, int] | None]:
    """Return the user's hash of ``preferences.dat`` and where the window was (left, top, right, bottom), ``None`` if that is not there.

    Raises :class:`StructureError` when this is no such file: bytes 5 and 14 of the hash are 14 and 111 for eMule and its kin.
    """
    if len(data) < 17 or data[0] != 0x14 or data[6] != 14 or data[15] != 111:
        raise StructureError("no preferences.dat of eMule")
    place = struct.unpack("<4i", data[45:61]) if len(data) == 61 and data[17:21] == b"\x2c\0\0\0" else None
    return data[1:17].hex(), place


def kad_identity(data: bytes) -> tuple[str, str]:
    """Return the address that others saw last and the Kademlia ID, of ``preferencesKad.dat``. Raises :class:`StructureError`."""
    if not 22 <= len(data) <= 64 or data[4:6] != b"\0\0" or not any(data[6:22]):
        raise StructureError("no preferencesKad.dat")
    words = [data[at : at + 4][::-1] for at in range(6, 22, 4)]
    return address_of(data[:4][::-1]), b"".join(words).hex()


def read_clients(data: bytes) -> tuple[list[Peer], str]:
    """Return the peers of ``clients.met``, and why not all, "" if all. Raises :class:`StructureError` for another file."""
    if len(data) < 5 or data[0] not in (0x11, 0x12):
        raise StructureError("no clients.met")
    length = 38 if data[0] == 0x11 else 119
    count, found = int.from_bytes(data[1:5], "little"), []
    for number in range(min(count, _MOST, (len(data) - 5) // length)):
        start = 5 + number * length
        low_up, low_down, seen, high_up, high_down = struct.unpack("<5I", data[start + 16 : start + 36])
        user = data[start : start + 16].hex()
        found.append(Peer(user, low_up + (high_up << 32), low_down + (high_down << 32), seen, start, start + length))
    return found, "" if len(found) == count else f"{len(found):,} of {count:,} records"


def read_friends(data: bytes) -> tuple[list[Peer], str]:
    """Return the friends of ``emfriends.met``, and why not all, "" if all. Raises :class:`StructureError` for another file."""
    if len(data) < 5 or data[0] != 0x0E:
        raise StructureError("no emfriends.met")
    reader, found = _Reader(data, 1), list[Peer]()
    count = reader.number(4)
    try:
        while len(found) < min(count, _MOST):
            start = reader.at
            user, raw, port, seen, chatted = reader.take(16), reader.take(4), reader.number(2), reader.number(4), reader.number(4)
            name = reader.tags(reader.number(4)).get(NAME, "")
            peer = Peer(user.hex(), 0, 0, seen, start, reader.at, address_of(raw), port, chatted, str(name))
            found.append(peer)
    except StructureError as error:
        return found, f"{error} behind {len(found):,} of {count:,} records"
    return found, "" if len(found) == count else f"{len(found):,} of {count:,} records"


def read_cancelled(data: bytes) -> tuple[list[str], bool, str]:
    """Return hashes of downloads that were cancelled, whether they are the files' own, and why not all, "" if all.

    eMule since 0.49 keeps MD5 of a random number and the hash (``cancelled.met``, 0x0F), older ones and aMule (0x21) the hash itself.
    Raises :class:`StructureError` for another file.
    """
    if len(data) < 5 or data[0] not in (0x0E, 0x0F, 0x21):
        raise StructureError("no cancelled.met")
    reader, found = _Reader(data, 1), list[str]()
    if data[0] == 0x0F:
        if reader.number(1) > 1:
            raise StructureError("a version of cancelled.met that is not read")
        reader.take(4)
    count = reader.number(4)
    try:
        while len(found) < min(count, _MOST):
            ed2k = reader.take(16).hex()
            if data[0] != 0x21:
                reader.tags(reader.number(1))
            found.append(ed2k)
    except StructureError as error:
        return found, data[0] != 0x0F, f"{error} behind {len(found):,} of {count:,} records"
    return found, data[0] != 0x0F, "" if len(found) == count else f"{len(found):,} of {count:,} records"


def read_servers(data: bytes) -> tuple[list[tuple[str, int, Tags]], str]:
    """Return address, port and tags of the servers of ``server.met``, and why not all, "" if all. Raises :class:`StructureError`."""
    if len(data) < 5 or data[0] not in (0x0E, 0xE0):
        raise StructureError("no server.met")
    reader, found = _Reader(data, 1), list[tuple[str, int, Tags]]()
    count = reader.number(4)
    try:
        while len(found) < min(count, 10_000):
            raw, port, tags = reader.take(4), reader.number(2), reader.number(4)
            found.append((address_of(raw), port, reader.tags(tags)))
    except StructureError as error:
        return found, f"{error} behind {len(found):,} of {count:,} records"
    return found, "" if len(found) == count else f"{len(found):,} of {count:,} records"


def count_nodes(data: bytes, size: int) -> int:
    """Return how many contacts a ``nodes.dat`` has, of its first bytes and its size. Raises :class:`StructureError` for another file."""
    first, version, third, fourth = (int.from_bytes(data[at : at + 4], "little") for at in (0, 4, 8, 12))
    if first:
        forms = [(first, 4 + 25 * first)]
    elif version == 3 and third == 1:
        forms = [(fourth, 16 + 25 * fourth)]
    else:
        forms = [(third, 12 + (25 if version == 1 else 34) * third)] if version in (1, 2) else []
        forms += [(fourth, 16 + 34 * fourth)] if version == 3 else []
    for count, length in forms:
        if count and length == size:
            return count
    raise StructureError("no nodes.dat of Kademlia")


def read_stored(data: bytes) -> tuple[list[StoredSearch], str]:
    """Return the searches of ``StoredSearches.met``, and why not all, "" if all. Raises :class:`StructureError` for another file."""
    if len(data) < 4 or data[0] != 0x0F:
        raise StructureError("no StoredSearches.met")
    if data[1] > 1:
        raise StructureError(f"a version of StoredSearches.met that is not read ({data[1]})")
    reader, found, total = _Reader(data, 2), list[StoredSearch](), 0
    count = reader.number(2)
    try:
        for _ in range(count):
            start = reader.at
            reader.take(5)
            of_peer, title, words, kind = reader.number(1) > 0, reader.text(), reader.text(), reader.text()
            search = StoredSearch(words, title, kind, of_peer, start, reader.at)
            found.append(search)
            for _ in range(reader.number(4)):
                start = reader.at
                ed2k, raw, port = reader.take(16).hex(), reader.take(4), reader.number(2)
                tags = reader.tags(reader.number(4))
                search.found.append(Found(ed2k, address_of(raw), port, tags, start, reader.at))
                total += 1
                if total >= _MOST:
                    return found, f"it has more than {_MOST:,} results"
    except StructureError as error:
        return found, f"{error} behind {len(found):,} of {count:,} searches"
    return found, ""
