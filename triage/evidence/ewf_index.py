"""What the sections of an E01 set say, chunks aside: the medium's measures, acquisition facts, digests, and whether they agree.

Source: Joachim Metz, *Expert Witness Compression Format specification* (libewf documentation), section 3. ``volume``, ``disk`` and
``data`` are copies of one another, ``header2`` of ``header``, and ``digest`` repeats the MD5 of ``hash``: what is there twice is
held against each other.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from triage.errors import EvidenceError
from triage.escape import show
from triage.model import iso_time

if TYPE_CHECKING:
    from array import array

DESCRIPTOR = 76
"""Bytes of a section's descriptor."""
VOLUME_BODY = 1052
"""Bytes of a volume section's body in E01; SMART has 94."""
MAX_CHUNK = 64 << 20
MAX_SMALL = 1 << 20
"""How many bytes of a section without chunks are looked at."""

_FACTS = {  # header identifiers, section 3.2 of the specification
    "a": "description",
    "c": "case number",
    "n": "evidence number",
    "e": "examiner",
    "t": "notes",
    "md": "model",
    "sn": "serial number",
    "l": "device label",
    "av": "acquired with",
    "ov": "acquired on",
    "m": "acquired",
    "u": "system date",
}
_IN_BOTH_HEADERS = ("case number", "evidence number", "examiner")
_VOLUMES = ("volume", "disk", "data")


class UnsupportedVariantError(Exception):
    """Not damage: a variant that libewf may read."""


class DamagedSetError(EvidenceError):
    """The set's files are there but damaged: :mod:`triage.evidence.ewf_salvage` may give what can be proven right."""


class Measures(NamedTuple):
    """What a volume section or a copy of it says."""

    chunks: int
    per_chunk: int
    sector: int
    sectors: int

    @property
    def possible(self) -> bool:
        """Whether a medium can be like that: nothing that would make us allocate or count without end."""
        return 0 < self.sector <= 65536 and 0 < self.per_chunk * self.sector <= MAX_CHUNK and self.sectors * self.sector < 1 << 62

    @property
    def needed(self) -> int:
        """How many chunks the sectors take."""
        return -(-self.sectors // self.per_chunk)


@dataclass(slots=True)
class Table:
    """One table: where the chunks that it names are stored in its segment file.

    ``entries`` are its values as they are stored, four bytes a chunk: a terabyte in chunks of 32 KiB has 30 million of them.
    ``end`` is where the last chunk ends. From entry ``wide`` on, all 32 bits are the offset (:func:`triage.evidence.ewf.first_wide`).
    """

    segment: int
    entries: array[int]
    base: int
    end: int
    wide: int
    chunk_size: int

    def __len__(self) -> int:
        """How many chunks it names."""
        return len(self.entries)

    def place(self, number: int) -> tuple[int, int, bool]:
        """Return a chunk's offset, its length as stored, and whether it is deflated."""
        stored = self.entries[number]
        offset = self._offset(number)
        end = self._offset(number + 1) if number + 1 < len(self.entries) else self.end
        # The last chunk's end is the sectors section's: a larger gap there is harmless.
        length = min(end - offset, self.chunk_size * 2 + 4096)
        if number < self.wide:
            return offset, length, stored >= 1 << 31
        if number + 1 == len(self.entries):  # what its length would say is not known
            return offset, length, True
        return offset, length, length != self.chunk_size + 4

    def _offset(self, number: int) -> int:
        stored = self.entries[number]
        return self.base + (stored & 0x7FFFFFFF if number < self.wide else stored)


@dataclass(slots=True)
class EwfIndex:
    """What the section chains say, before any chunk is inflated. ``sound`` names digests whose section's checksum is right."""

    chunk_size: int = 0
    chunk_count: int = 0
    sector_size: int = 512
    sectors: int = 0
    tables: list[Table] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    sound: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    logical: bool = False
    """Whether it holds files (L01): then the sectors of its volume section say nothing of how long it is."""
    ltree: tuple[int, int, int] | None = None
    """Where the list of files is: segment, begin and end there."""
    set_id: bytes = b""
    header: dict[str, str] = field(default_factory=dict)


def checksum_fits(data: bytes | memoryview, stored: bytes | memoryview) -> bool:
    """Whether ``stored`` (4 bytes, little-endian) is the Adler-32 of ``data``."""
    return len(stored) == 4 and zlib.adler32(data) == int.from_bytes(stored, "little")


def read_measures(body: bytes) -> Measures:
    """Read the measures out of a volume section's body of at least 24 bytes."""
    count, per_chunk, sector = struct.unpack_from("<III", body, 4)
    return Measures(count, per_chunk, sector, struct.unpack_from("<Q", body, 16)[0])


def read_small(index: EwfIndex, kind: str, body: bytes, name: str) -> None:
    """Take what a section other than chunks and tables says, and whether it agrees with what was read before.

    Raises :class:`DamagedSetError` when the first volume section is damaged, ``EvidenceError`` when sets are mixed up,
    :class:`UnsupportedVariantError` for what libewf should try. ``name`` is the segment's, for messages.
    """
    if kind in _VOLUMES:
        _read_volume(index, kind, body, name)
    elif kind in ("header", "header2"):
        _read_header(index, kind, body, name)
    elif kind == "hash":
        _take_digests(index, kind, body, 32, {"md5": body[:16]}, name)
    elif kind == "digest":
        _take_digests(index, kind, body, 76, {"md5": body[:16], "sha1": body[16:36]}, name)
    elif kind == "error2" and len(body) >= 4:
        (count,) = struct.unpack_from("<I", body)
        index.facts["acquisition errors"] = str(count)
        if count:
            index.warnings.append(f"the acquisition could not read {count} stretches of the medium: the image holds filler in their place")


def _read_volume(index: EwfIndex, kind: str, body: bytes, name: str) -> None:
    if len(body) < 24:
        if not index.chunk_size:
            raise DamagedSetError(f"{name} is damaged: its {kind} section is too short", hint="get a fresh copy")
        return
    if len(body) < VOLUME_BODY:  # SMART keeps its chunks inside the tables
        if not index.chunk_size:
            raise UnsupportedVariantError("EWF-S01 volume section")
        return
    if not checksum_fits(body[: VOLUME_BODY - 4], body[VOLUME_BODY - 4 : VOLUME_BODY]):
        if not index.chunk_size:
            raise DamagedSetError(f"{name} is damaged: its {kind} section has a wrong checksum", hint="get a fresh copy")
        index.warnings.append(f"{name}: the {kind} section, a copy of the volume section, has a wrong checksum")
        return
    if any(body[64:80]):  # the set's identifier; every segment has a copy
        if index.set_id and index.set_id != body[64:80]:
            raise EvidenceError("the segments belong to two different sets", hint="put those of one acquisition into one folder")
        index.set_id = bytes(body[64:80])
    said = read_measures(body)
    if not index.chunk_size:
        if not said.possible:
            raise UnsupportedVariantError(f"{said.per_chunk} sectors of {said.sector} bytes a chunk")
        index.chunk_size, index.chunk_count = said.per_chunk * said.sector, said.chunks
        index.sector_size, index.sectors = said.sector, said.sectors
        if said.chunks != said.needed and not index.logical:
            index.warnings.append(f"{name}: {said.sectors} sectors take {said.needed} chunks and the {kind} section says {said.chunks}")
    elif said != Measures(index.chunk_count, index.chunk_size // index.sector_size, index.sector_size, index.sectors):
        index.warnings.append(f"{name}: the {kind} section says other sizes than the set's first: those of the first are used")


def _take_digests(index: EwfIndex, kind: str, body: bytes, length: int, found: dict[str, bytes], name: str) -> None:
    """Take stored digests. Those of a section whose checksum is wrong only count where there is no other."""
    sound = checksum_fits(body[:length], body[length : length + 4])
    if not sound and len(body) >= length:
        index.warnings.append(f"{name}: the {kind} section has a wrong checksum: the digest it stores may be wrong")
    for algorithm, raw in found.items():
        if len(raw) < (16 if algorithm == "md5" else 20) or not any(raw):
            continue
        known = index.digests.get(algorithm)
        if known is not None and known != raw.hex() and sound and algorithm in index.sound:
            index.warnings.append(f"{name}: the {kind} section stores another {algorithm.upper()} than the section before it")
        if known is None or (sound and algorithm not in index.sound):
            index.digests[algorithm] = raw.hex()
        if sound:
            index.sound.add(algorithm)


def _read_header(index: EwfIndex, kind: str, body: bytes, name: str) -> None:
    found = read_facts(body, kind)
    if not found and body and not _inflates(body):
        index.warnings.append(f"{name}: the {kind} section does not inflate")
    if kind == "header2" or not index.facts:
        index.facts.update(found)
    other, index.header = index.header, found or index.header
    for fact in _IN_BOTH_HEADERS:
        # header holds code-page text, header2 UTF-16: only what both can say is held against each other.
        one, two = other.get(fact, ""), found.get(fact, "")
        if one and two and one != two and one.isascii() and two.isascii():
            index.warnings.append(f"{name}: the headers differ about the {fact}: {show(one)[:80]} and {show(two)[:80]}")


def _inflates(body: bytes) -> bool:
    try:
        zlib.decompressobj().decompress(body, MAX_SMALL)
    except zlib.error:
        return False
    return True


def read_facts(body: bytes, kind: str) -> dict[str, str]:
    """Read the acquisition facts: deflated, tab-separated, UTF-16 in ``header2``; the third line names the columns."""
    try:
        text = zlib.decompressobj().decompress(body, MAX_SMALL)
    except zlib.error:
        return {}
    # Not splitlines(): it breaks at U+2028 and the like, too, and a note could push the values after it out of their places.
    lines = text.decode("utf-16" if kind == "header2" else "cp1252", "replace").replace("\r", "\n").split("\n")
    lines = [line for line in lines if line]
    main = next((number for number, line in enumerate(lines) if line.strip() == "main"), None)
    if main is None or main + 2 >= len(lines):
        return {}
    names, values = lines[main + 1].split("\t"), lines[main + 2].split("\t")
    facts = {_FACTS[n]: v.strip() for n, v in zip(names, values, strict=False) if n in _FACTS and v.strip()}
    for name in ("acquired", "system date"):  # header2 holds seconds since 1970, header a date without a zone
        if facts.get(name, "").isdecimal() and len(facts[name]) <= 11:
            facts[name] = iso_time(int(facts[name]) * 1_000_000_000) or facts[name]
    return facts
