"""Headers of TAR archives, one behind the other, with what extended headers say of the member that follows.

Formats: POSIX.1-2001 (pax) and ustar, GNU tar (long names, base-256 numbers) and the older form without a magic number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from triage.evidence.tarsparse import made, old_entries, old_size, pax_map

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.evidence.tarsparse import Sparse

BLOCK = 512
PIECE = 64 << 10
_OTHERS = frozenset((b"1", b"2", b"3", b"4", b"5", b"6", b"D", b"V", b"M"))
"""Types that are no file's: links, devices, folders, pipes, labels, parts of files that begin in another archive."""
_BORN = b"LIBARCHIVE.creationtime"
_MOST_META = 1 << 20  # bytes that a long name or a pax header may take
_MOST_RECORDS = 1000
_SEARCHED = 64 << 20  # bytes that are looked through for the next header, all damaged places together


class Told(Protocol):
    """Where it is told what is wrong."""

    def add(self, line: str, count: int = 1) -> None:
        """Tell one thing."""


class Source(Protocol):
    """Bytes in order."""

    def read(self, length: int) -> bytes:
        """Return the next bytes, fewer only at the end."""

    def skip(self, length: int) -> int:
        """Pass over bytes; return over how many."""

    def refusal(self) -> str:
        """Why there are no more bytes than there were; "" when it is the end."""


class FileSource:
    """An item's bytes: what is skipped is not read."""

    def __init__(self, read_at: Callable[[int, int], bytes], size: int, at: int = 0) -> None:
        self._read_at = read_at
        self._size = size
        self._at = at
        self._reason = ""

    def read(self, length: int) -> bytes:
        """Return the next bytes; nothing where the medium is damaged, and then the reason is kept."""
        pieces = []
        while length > 0:
            try:
                piece = self._read_at(self._at, min(length, self._size - self._at, PIECE))
            except OSError as error:
                self._reason, piece = f"cannot be read: {error.strerror or error}"[:200], b""
            if not piece:
                break
            pieces.append(piece)
            self._at += len(piece)
            length -= len(piece)
        return b"".join(pieces)

    def skip(self, length: int) -> int:
        """Pass over bytes, to the item's end at most."""
        length = max(0, min(length, self._size - self._at))
        self._at += length
        return length

    @property
    def position(self) -> int:
        """Where the next byte stands in the item."""
        return self._at

    def refusal(self) -> str:
        """Return why the last read gave nothing."""
        return self._reason


def is_header(block: bytes) -> bool:
    """Whether a block is a member's header: its checksum is right (POSIX, ustar Interchange Format)."""
    if len(block) < BLOCK:
        return False
    stored = _octal(block[148:156])
    if stored is None:
        return False
    total = sum(block[:148]) + 256 + sum(block[156:BLOCK])
    if stored == total:
        return True
    high = sum(byte >= 0x80 for byte in block) - sum(byte >= 0x80 for byte in block[148:156])
    return stored == total - 256 * high  # old tars took bytes as signed


_PAIRED = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")


class Header:
    """A header with what the extended headers before it say. ``stored``: bytes behind it; times in nanoseconds since 1970, UTC."""

    def __init__(self, block: bytes, pax: dict[bytes, bytes], long_name: bytes | None, long_link: bytes | None) -> None:
        self.type = block[156:157]
        name = block[:100].partition(b"\0")[0]
        if block[257:263] == b"ustar\0" and block[345] and self.type not in b"xgLK":
            name = block[345:500].partition(b"\0")[0] + b"/" + name
        self.name = pax.get(b"path") or long_name or name
        self.link = pax.get(b"linkpath") or long_link or block[157:257].partition(b"\0")[0]
        self.size = _decimal(pax.get(b"size")) if b"size" in pax else _number(block[124:136])
        self.mode = _number(block[100:108])
        self.mtime = _pax_time(pax[b"mtime"]) if b"mtime" in pax else _seconds(_number(block[136:148]))
        self.sparse = self.type == b"S" or any(key.startswith(b"GNU.sparse") for key in pax)
        if self.sparse:
            self.name = pax.get(b"GNU.sparse.name") or self.name
        self._pax = pax
        self._old = (old_size(block), old_entries(block, 386, 4)) if self.type == b"S" else None
        self.directory = self.type in (b"5", b"D") or (self.type in (b"0", b"\0") and self.name.endswith(b"/"))
        self.regular = not self.directory and self.type not in _OTHERS
        self.stored = (self.size or 0) if self.regular or self.type in b"DM" else 0
        self.atime, self.ctime = (_pax_time(pax[key]) if key in pax else None for key in (b"atime", b"ctime"))
        self.crtime = _pax_time(pax[_BORN]) if _BORN in pax else None
        self.uid = _decimal(pax[b"uid"]) if b"uid" in pax else _number(block[108:116])
        self.gid = _decimal(pax[b"gid"]) if b"gid" in pax else _number(block[116:124])


    def more_of_map(self, block: bytes) -> None:
        """Take a further block of an old GNU map."""
        if self._old is not None:
            self._old[1].extend(old_entries(block, 0, 21))

    def sparse_map(self, read_body: Callable[[int], bytes]) -> Sparse | None:
        """Return where the pieces of a sparse member belong; ``None`` when its map cannot be. ``read_body``: its first bytes."""
        if self._old is not None:
            return made(self._old[0], self._old[1], self.stored)
        return pax_map(self._pax, self.stored, read_body)


class HeaderReader:
    """Reads header after header of a source; whoever asks for the next one has passed over the bytes of the last."""

    def __init__(self, source: Source, notes: Told) -> None:
        self._source = source
        self._notes = notes
        self._searched = 0
        self._global: dict[bytes, bytes] = {}

    def next_header(self) -> Header | None:
        """Return the next member's header, ``None`` at the end."""
        pax: dict[bytes, bytes] = dict(self._global)
        long_name = long_link = None
        metas = 0
        while True:
            block = self._block()
            if block is None:
                if metas:
                    self._notes.add("a TAR archive ends behind a member's extended header")
                return None
            kind, size = block[156:157], _number(block[124:136])
            if kind not in (b"L", b"K", b"x", b"g", b"X"):
                header = Header(block, pax, long_name, long_link)
                if header.type == b"S" and block[482] and not self._read_map(header):
                    return None
                if header.size is None:
                    self._notes.add("a TAR header states no size that can be: what follows it is searched for")
                return header
            metas += 1
            if size is None or size > _MOST_META or metas > 100:
                self._notes.add("an extended TAR header is too large or has no size: it is passed over")
                self._source.skip(-(-(size or 0) // BLOCK) * BLOCK)
                continue
            body = self._source.read(-(-size // BLOCK) * BLOCK)[:size]
            if kind == b"L":
                long_name = body.partition(b"\0")[0]
            elif kind == b"K":
                long_link = body.partition(b"\0")[0]
            elif kind == b"g":
                self._global = _records(body, self._notes)
                pax = {**pax, **self._global}
            else:
                pax = {**pax, **_records(body, self._notes)}

    def _block(self) -> bytes | None:
        """Return the next header block; damaged places are searched for the next one."""
        block = self._source.read(BLOCK)
        lost = 0
        while True:
            if len(block) < BLOCK:
                if block or self._source.refusal():
                    self._notes.add("a TAR archive is cut off" + (f": {self._source.refusal()}" if self._source.refusal() else ""))
                elif lost:
                    self._notes.add("no further TAR header was found behind a damaged place")
                else:
                    self._notes.add("a TAR archive without an end mark")
                return None
            if not any(block):
                self._end()
                return None
            if (lost == 0 or block[257:262] == b"ustar") and is_header(block):
                return block
            if lost == 0:
                self._notes.add("a TAR header is damaged: the next one was searched for")
            lost += BLOCK
            self._searched += BLOCK
            if self._searched > _SEARCHED:
                self._notes.add("TAR headers were searched for in 64 MiB; what lies behind is left out")
                return None
            block = self._source.read(BLOCK)

    def _end(self) -> None:
        """Look whether members follow the end mark: archives are joined that way, and programs that unpack stop at it."""
        for _ in range(255):  # archives are padded to records, by custom of 20 blocks
            block = self._source.read(BLOCK)
            if len(block) < BLOCK:
                return
            if any(block):
                self._notes.add("a TAR archive has bytes behind its end mark, which are not looked at")
                return

    def _read_map(self, header: Header) -> bool:
        """Read the blocks that continue an old GNU sparse map."""
        for _ in range(10_000):
            block = self._source.read(BLOCK)
            if len(block) < BLOCK:
                self._notes.add("a TAR archive ends inside a sparse member's map")
                return False
            header.more_of_map(block)
            if not block[504]:
                return True
        self._notes.add("a sparse TAR member's map does not end")
        return False


def _records(body: bytes, notes: Told) -> dict[bytes, bytes]:
    """Return the records of a pax header: ``LENGTH KEY=VALUE\\n`` (POSIX, pax Extended Header)."""
    found: dict[bytes, bytes] = {}
    at = 0
    for _ in range(_MOST_RECORDS):
        if at >= len(body) or not body[at]:
            return found
        digits, space, _ = body[at : at + 10].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        record = body[at : at + length]
        key, equals, value = record[len(digits) + 1 :].partition(b"=")
        if not space or length < len(digits) + 4 or len(record) < length or not equals or record[-1:] != b"\n":
            notes.add("a pax header is damaged: its further records are left out")
            return found
        if key in _PAIRED:  # PAX format 0.0 has a record for each number: as one, it is 0.1
            found[b"GNU.sparse.map"] = found.get(b"GNU.sparse.map", b"") + value[:-1] + b","
        found[key] = value[:-1]
        at += length
    notes.add(f"a pax header has more than {_MOST_RECORDS:,} records: the rest is left out")
    return found


def _octal(field: bytes) -> int | None:
    text = field.strip(b" \0")
    if not text:
        return None
    return int(text, 8) if len(text) <= 12 and not text.translate(None, b"01234567") else None


def _number(field: bytes) -> int | None:
    """Return a number of a header: octal digits, or big-endian with the top bit set (GNU)."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    return (_octal(field) if field.strip(b" \0") else 0) if field[0] < 0x80 else None


def _decimal(text: bytes | None) -> int | None:
    return int(text) if text and len(text) <= 20 and text.isdigit() else None


def _seconds(value: int | None) -> int | None:
    return value * 10**9 if value is not None and value < 1 << 40 else None


def _pax_time(text: bytes) -> int | None:
    """Return nanoseconds from ``seconds[.fraction]`` (POSIX, pax Header Keywords)."""
    whole, _, fraction = text.partition(b".")
    digits = whole.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 12 or (fraction and not fraction.isdigit()):
        return None
    rest = int(fraction[:9].ljust(9, b"0")) if fraction else 0
    value = int(digits) * 10**9 + rest
    return -value if whole.startswith(b"-") else value
