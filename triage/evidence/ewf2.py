"""Ex01 and Lx01, the second version of Expert Witness files: every chunk is checked, and what is damaged is told.

Why our own: libewf gives zeros for a chunk that fails its checksum, refuses a damaged set, and does not open many an Lx01.

Source: J. B. Metz, "Expert Witness Compression Format 2 (EWF2)" (libewf documentation). Tables number their chunks themselves: each that is
sound is used, whatever else of the set is lost.
"""

from __future__ import annotations

import bz2
import os
import struct
import zlib
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from triage.errors import EvidenceError
from triage.evidence import ewf2_sections as sections
from triage.evidence.ewf import CACHE_BYTES, EwfMedium, inflate
from triage.evidence.ewf2_walk import BZIP2, CHECKED, ENTRY, PACKED, PATTERN, ZLIB, walk
from triage.evidence.ewf_index import MAX_CHUNK, MAX_SMALL, EwfIndex, checksum_fits
from triage.evidence.ltree import total_bytes_in, unescape
from triage.evidence.medium import open_read_only, pread
from triage.model import iso_time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from triage.evidence.ewf2_sections import Section

_FACTS = {
    "nm": "description",
    "cn": "case number",
    "en": "evidence number",
    "ex": "examiner",
    "nt": "notes",
    "md": "model",
    "sn": "serial number",
    "lb": "device label",
    "av": "acquired with",
    "os": "acquired on",
    "tt": "acquired",
    "at": "system date",
}
_HEAD, _ENTRY = 32, ENTRY.size
"""Bytes of a table's head with its padding, and of an entry."""
_MOST_CHUNKS, _MOST_LOST = 1 << 32, 50_000_000
_LARGEST_LIST = 1 << 30


@dataclass(slots=True)
class Table:
    """A table: which chunks it names, and its entries, or where they stand in its segment: a terabyte has half a gigabyte of them."""

    segment: int
    first: int
    many: int
    place: int
    entries: bytes = b""

    @property
    def after(self) -> int:
        """The number behind its last chunk's."""
        return self.first + self.many

    def entry(self, number: int, file: int) -> tuple[int, int, int] | None:
        """Return a chunk's offset or pattern, its length as stored, and its flags; ``None`` when its segment has become shorter."""
        at = (number - self.first) * _ENTRY
        raw = self.entries[at : at + _ENTRY] or pread(file, _ENTRY, self.place + at)
        if len(raw) < _ENTRY:
            return None
        offset, length, flags = ENTRY.unpack(raw)
        return offset, length, flags

    def behind(self, number: int) -> Table:
        """Return what it names from a chunk on."""
        gone = number - self.first
        return Table(self.segment, number, max(0, self.many - gone), self.place + gone * _ENTRY, self.entries[gone * _ENTRY :])


class Ewf2Medium(EwfMedium):
    """The medium of an Ex01, or the bytes of an Lx01's files. Chunks are checked as they are read."""

    def __init__(self, paths: Sequence[Path], beat: Callable[[], None] = lambda: None) -> None:
        """Raise ``EvidenceError`` for a set that cannot be used."""
        self.index = EwfIndex()
        self.damaged: dict[int, tuple[int, str]] = {}
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._numbered: list[Table] = []
        self._methods: list[int] = []
        self._without: list[tuple[int, Section, int]] = []
        """Data whose table is damaged: the segment, the section, and the number of its first chunk if no other is missing."""
        self._list: tuple[int, Section] | None = None
        self._values: dict[str, str] = {}
        self._files = [open_read_only(path) for path in paths]
        try:
            for number, path in enumerate(paths):
                self._read_segment(number, path, beat, final=number == len(paths) - 1)
            self._measure(paths[0], beat)
        except BaseException:
            self.close()
            raise

    # ---- what the sections say ----------------------------------------------------------------------------------------------

    def _read_segment(self, number: int, path: Path, beat: Callable[[], None], *, final: bool) -> None:
        file, index = self._files[number], self.index
        head = sections.read_head(pread(file, sections.HEAD, 0))
        if head is None or head.number != number + 1 or (number and (head.logical, head.set_id) != (index.logical, index.set_id)):
            raise EvidenceError(f"{path.name} is damaged: its first bytes are not those of segment {number + 1}", hint="get a fresh copy")
        if head.version != 2 or head.method not in (0, ZLIB, BZIP2):
            raise EvidenceError(
                f"{path.name} is of version {head.version} of its format, packed by method {head.method}, which is not read",
                hint="convert it to E01 with the tool that made it",
            )
        index.logical, index.set_id = head.logical, head.set_id
        self._methods.append(head.method)
        found, broken = sections.find_sections(file, beat)
        for section in found:
            if section.encrypted or section.kind == sections.KEYS:
                raise EvidenceError(f"{path.name} is encrypted, which is not read", hint="export it unencrypted with the tool that made it")
        last = found[-1].kind if found else 0
        if not broken and last not in (sections.NEXT, sections.DONE):
            broken = [os.lseek(file, 0, os.SEEK_END)]
        if broken:
            index.warnings.append(
                f"{path.name} is damaged: its chain of sections breaks at byte {broken[-1]}: {len(found)} sections were found, "
                "and what their checksums prove was used"
            )
        elif final and last == sections.NEXT:
            raise EvidenceError(f"{path.name} is the last segment given but the set goes on", hint="put the missing segments beside it")
        elif not final and last == sections.DONE:
            raise EvidenceError(f"{path.name} ends the set but more segments follow", hint="two sets may be mixed up here")
        data: Section | None = None
        for section in found:
            if section.kind == sections.TABLE and self._take_table(section, number, path.name):
                data = None
            elif data is not None:
                self._without.append((number, data, self._numbered[-1].after if self._numbered else 0))
            data = section if section.kind == sections.SECTORS else None
            self._take(section, number, path.name)
        if data is not None:
            self._without.append((number, data, self._numbered[-1].after if self._numbered else 0))

    def _take_table(self, section: Section, number: int, name: str) -> bool:
        """Take a table; return False when it is damaged."""
        table, unproven = _read_table(section, number, self._files[number])
        if table is None:
            self.index.warnings.append(f"{name}: the chunk table before byte {section.end} is damaged")
        elif table.many:
            self._numbered.append(table)
        if unproven:
            self.index.warnings.append(f"{name}: {unproven} chunks have no checksum: that they are as they were acquired is not proven")
        return table is not None

    def _take(self, section: Section, number: int, name: str) -> None:
        file, index = self._files[number], self.index
        if section.kind in (sections.DEVICE, sections.CASE):
            raw = section.read(file, MAX_SMALL)
            values = read_values(_text(raw, self._methods[number]))
            if not section.fits(raw) or not values:
                what = "device information" if section.kind == sections.DEVICE else "case data"
                index.warnings.append(f"{name}: the section of {what} is damaged and was not used")
            else:  # each segment has a copy
                self._values = {**values, **self._values}
        elif section.kind in (sections.MD5, sections.SHA1):
            length = 16 if section.kind == sections.MD5 else 20
            raw = section.read(file, length + 4)
            if checksum_fits(raw[:length], raw[length:]):
                index.digests["md5" if section.kind == sections.MD5 else "sha1"] = raw[:length].hex()
            else:
                index.warnings.append(f"{name}: the section with the {'MD5' if length == 16 else 'SHA-1'} is damaged and was not used")
        elif section.kind == sections.ERRORS:
            raw = section.read(file, _HEAD)
            if len(raw) >= 20 and checksum_fits(raw[:16], raw[16:20]):
                count = int.from_bytes(raw[:4], "little")
                index.facts["acquisition errors"] = str(count)
                if count:
                    index.warnings.append(
                        f"the acquisition could not read {count} stretches of the medium: the image holds filler in their place"
                    )
            else:
                index.warnings.append(f"{name}: the list of what the acquisition could not read is damaged and was not used")
        elif section.kind == sections.FILES:
            if self._list is not None and section.digest != self._list[1].digest:
                index.warnings.append(f"{name}: it has another list of files than the segment before it: the last was used")
            self._list = (number, section)

    def _measure(self, path: Path, beat: Callable[[], None]) -> None:
        """Set the medium's size and what a chunk holds, and put the tables in order."""
        index = self.index
        sector, per_chunk = (_number(self._values.get(name, "")) for name in ("bp", "sb"))
        if not sector or not per_chunk:
            raise EvidenceError(f"{path.name} is damaged: it does not say how large its chunks are", hint="get a fresh copy")
        if sector > 65536 or per_chunk * sector > MAX_CHUNK:
            raise EvidenceError(f"{path.name} cannot be read: chunks of {per_chunk} sectors of {sector} bytes", hint="get a fresh copy")
        index.sector_size, index.chunk_size = sector, per_chunk * sector
        index.facts.update(_facts(self._values))
        self.sector_size, self._chunk = sector, index.chunk_size
        self._cached_chunks = max(16, CACHE_BYTES // self._chunk)
        self._order(path.name)
        if index.logical:
            stated = total_bytes_in(self.file_list(MAX_SMALL)[0])
            named = self._numbered[-1].after if self._numbered else 0
            self.size = named * self._chunk if stated is None else min(stated, (named + _MOST_LOST) * self._chunk)
            index.chunk_count = -(-self.size // self._chunk)
            self._walk(path.name, beat)
            self._count(path.name)
            return
        index.sectors = _number(self._values.get("ts", "")) or 0
        self.size = index.sectors * sector
        index.chunk_count = -(-self.size // self._chunk)
        self._walk(path.name, beat)
        if not 0 < index.chunk_count <= _MOST_CHUNKS:
            raise EvidenceError(f"{path.name} is damaged: it does not say how large its medium is", hint="get a fresh copy")
        have = self._count(path.name)
        if not have or index.chunk_count - have > _MOST_LOST:
            raise EvidenceError(f"{path.name}: the set holds {have} of {index.chunk_count} chunks", hint="get a whole copy")

    def _count(self, name: str) -> int:
        """Return of how many chunks it is known where they lie; say so when it is not all."""
        many = self.index.chunk_count
        have = sum(min(table.after, many) - table.first for table in self._numbered if table.first < many)
        if have < many:
            self.index.warnings.append(f"{name}: the set's tables name {have} of {many} chunks: the others are lost")
        return have

    def _order(self, name: str) -> None:
        """Put the tables in the order of their chunks. Where two name the same chunk, the first in the set counts."""
        self._numbered.sort(key=lambda table: table.first)
        kept: list[Table] = []
        for table in self._numbered:
            after = kept[-1].after if kept else 0
            if table.first < after:
                self.index.warnings.append(f"{name}: two chunk tables name chunk {table.first}: the first was used")
                table = table.behind(after)  # noqa: PLW2901
            if table.many:
                kept.append(table)
        self._numbered = kept
        self._firsts = [table.first for table in kept]

    def _walk(self, name: str, beat: Callable[[], None]) -> None:
        """Find the chunks that damaged tables named, where they are all there: then what number each has is certain."""
        rest = self.size % self._chunk or self._chunk
        for first, several in groupby(self._without, key=lambda one: one[2]):
            at = bisect_right(self._firsts, first)
            after = self._firsts[at] if at < len(self._firsts) else self.index.chunk_count
            walked: list[Table] = []
            number = first
            for segment, data, _ in several:
                entries = walk(self._files[segment], data, self._chunk, self._methods[segment], rest, beat)
                walked.append(Table(segment, number, len(entries) // _ENTRY, 0, entries))
                number = walked[-1].after
            if number == after and all(table.many for table in walked):
                self._numbered += walked
                self._order(name)

    def file_list(self, most: int = _LARGEST_LIST) -> tuple[str, str]:
        """Return the text of an Lx01's list of files and what is wrong with it; two empty ones when there is none."""
        if self._list is None:
            return "", ""
        number, section = self._list
        raw = section.read(self._files[number], most)
        whole = len(raw) == section.end - section.start
        return _text(raw, self._methods[number], most), "" if not whole or section.fits(raw) else "its digest is wrong"

    # ---- reading ------------------------------------------------------------------------------------------------------------

    def read_chunk(self, number: int) -> bytes:
        """Read, inflate and check one chunk, past the cache. Safe to call from several threads."""
        start = number * self._chunk
        expected = min(self._chunk, self.size - start)
        at = bisect_right(self._firsts, number) - 1
        if at < 0 or number >= self._numbered[at].after:
            raise self._damage(start, expected, "an Ex01 chunk is lost: no sound table says where it lies")
        table = self._numbered[at]
        entry = table.entry(number, self._files[table.segment])
        if entry is None:
            raise self._damage(start, expected, "the file became shorter while it was read")
        offset, length, flags = entry
        if flags & PACKED and flags & PATTERN:
            return (offset.to_bytes(8, "little") * (-(-self._chunk // 8)))[:expected]
        if offset >> 62:
            raise self._damage(start, expected, "an Ex01 chunk is said to lie where no file reaches")
        raw = pread(self._files[table.segment], min(length + 4, 2 * self._chunk + 4096), offset)
        data = self._unpacked(raw[:length], table.segment) if flags & PACKED else _plain(raw, length, (expected, self._chunk), flags)
        if data is None:
            raise self._damage(start, expected, "an Ex01 chunk is damaged: its checksum is wrong")
        if len(data) < expected:
            raise self._damage(start, expected, "an Ex01 chunk is too short")
        return data[:expected]

    def _unpacked(self, raw: bytes, segment: int) -> bytes | None:
        if self._methods[segment] != BZIP2:
            return inflate(raw, self._chunk)
        stream = bz2.BZ2Decompressor()
        try:
            data = stream.decompress(raw, self._chunk + 1)
        except (OSError, ValueError):
            return None
        return data if stream.eof and len(data) <= self._chunk else None


def _plain(raw: bytes, length: int, sizes: tuple[int, ...], flags: int) -> bytes | None:
    """Return a chunk that is stored as it is, ``None`` when the checksum behind it does not fit.

    The length of some includes the checksum, of others it does not.
    """
    if not flags & CHECKED:
        return raw[:length]
    for size in (length - 4, length, *sizes):
        if 0 < size <= max(sizes) and checksum_fits(raw[:size], raw[size : size + 4]):
            return raw[:size]
    return None


def _read_table(section: Section, number: int, file: int) -> tuple[Table | None, int]:
    """Return a section's table, ``None`` when a checksum is wrong, and how many of its chunks have no checksum."""
    head = section.read(file, _HEAD)
    if len(head) < _HEAD or not checksum_fits(head[:16], head[16:20]):
        return None, 0
    first, count = struct.unpack_from("<QI", head)
    length = count * _ENTRY
    if _HEAD + length + 4 > section.end - section.start or first + count > _MOST_CHUNKS:
        return None, 0
    raw = pread(file, length + 4, section.start + _HEAD)
    if len(raw) < length + 4 or not checksum_fits(memoryview(raw)[:length], raw[length:]):
        return None, 0
    flags = np.frombuffer(raw, "<u4", count * 4).reshape(-1, 4)[:, 3]
    return Table(number, first, count, section.start + _HEAD), int((flags & (PACKED | CHECKED) == 0).sum())


def _text(raw: bytes, method: int, most: int = MAX_SMALL) -> str:
    """Return a section's text: UTF-16 with a byte order mark, packed or as it is; "" when it does not unpack."""
    if raw[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        try:
            if method == BZIP2 and raw.startswith(b"BZh"):
                raw = bz2.BZ2Decompressor().decompress(raw, most)
            else:
                raw = zlib.decompressobj().decompress(raw, most)
        except (zlib.error, OSError, ValueError):
            return ""
    raw = raw[: len(raw) // 2 * 2]
    if raw.startswith(b"\xfe\xff"):
        return raw[2:].decode("utf-16-be", "surrogatepass")
    return raw.removeprefix(b"\xff\xfe").decode("utf-16-le", "surrogatepass")


def read_values(text: str) -> dict[str, str]:
    """Return the values of the object ``main``: its third line names them, its fourth has them."""
    lines = text.split("\n")
    main = next((number for number, line in enumerate(lines) if line.strip() == "main"), None)
    if main is None or main + 2 >= len(lines):
        return {}
    pairs = zip(lines[main + 1].split("\t"), lines[main + 2].split("\t"), strict=False)
    return {name: unescape(value).strip() for name, value in pairs if value.strip()}


def _facts(values: dict[str, str]) -> dict[str, str]:
    facts = {_FACTS[name]: value for name, value in values.items() if name in _FACTS}
    for name in ("acquired", "system date"):
        seconds = _number(facts.get(name, ""))
        if seconds is not None:
            facts[name] = iso_time(seconds * 1_000_000_000) or facts[name]
    return facts


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
