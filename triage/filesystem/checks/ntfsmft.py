"""NTFS structures read without TSK: boot sector, MFT records one by one, runlists.

Names and offsets are those of Microsoft's [MS-FSCC], its "Master File Table" pages (FILE_RECORD_SEGMENT_HEADER,
ATTRIBUTE_RECORD_HEADER, ATTRIBUTE_LIST_ENTRY, FILE_NAME, MULTI_SECTOR_HEADER) and of the NTFS documentation of the Linux-NTFS project.
Nothing that is read is believed: whatever does not fit gives ``None`` or a :class:`Broken`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from triage.filesystem.ntfsname import wide_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from triage.filesystem.checks import VolumeReader

STANDARD, ATTRIBUTE_LIST, FILE_NAME = 0x10, 0x20, 0x30
VOLUME_INFORMATION, DATA, INDEX_ROOT, INDEX_ALLOCATION, BITMAP = 0x70, 0x80, 0x90, 0xA0, 0xB0
LAST_TYPE, END = 0x100, 0xFFFFFFFF
IN_USE, IS_DIRECTORY, IS_VIEW = 1, 2, 8
"""FILE_RECORD_SEGMENT_HEADER.Flags; ``IS_VIEW``: an index of something else than names."""
DOS_NAME = 2
"""FILE_NAME.Flags: the 8.3 name that goes with a long one."""
RESERVED = 24
"""MFT records below this one are the file system's own; 12 to 23 have no name."""
PIECE = 4 << 20
MAX_LIST = 256 << 10
"""Bytes of an attribute list ([MS-FSCC] 2.3.13, ATTRIBUTE_LIST: at most 256 KiB)."""
MAX_EXTENTS = 4096


class Run(NamedTuple):
    """``length`` clusters at ``start`` (``None``: a hole). Both counted in clusters."""

    start: int | None
    length: int


@dataclass(frozen=True, slots=True)
class Boot:
    """The boot sector's geometry in bytes, ``clusters`` in clusters; ``record`` and ``index`` are sizes of MFT records and index blocks."""

    sector: int
    cluster: int
    clusters: int
    size: int
    mft: int
    mirror: int
    record: int
    index: int

    @property
    def backup(self) -> int:
        """Where the boot sector's copy lies, in bytes: right behind the sectors that the volume counts."""
        return self.size


def read_boot(data: bytes) -> Boot | None:
    """Return the geometry that a boot sector tells, ``None`` when it is none or cannot be."""
    if len(data) < 512 or data[3:11] != b"NTFS    ":
        return None
    sector, per_cluster = struct.unpack_from("<HB", data, 11)
    sectors, mft, mirror = struct.unpack_from("<QQQ", data, 40)
    record, index = struct.unpack_from("<b3xb", data, 64)
    if sector not in (256, 512, 1024, 2048, 4096):
        return None
    # Above 128 it is the power of two with its sign turned (clusters of more than 64 KiB, Windows 10 1709).
    cluster = sector * (per_cluster if per_cluster <= 128 else 1 << min(256 - per_cluster, 31))
    size, block = (each * cluster if each > 0 else 1 << min(-each, 31) for each in (record, index))
    if not cluster or cluster & (cluster - 1) or cluster > 2 << 20 or not 256 <= size <= 64 << 10 or size & (size - 1):
        return None
    if not 0 < sectors < 1 << 52 or mft >= 1 << 44 or mirror >= 1 << 44:
        return None
    return Boot(sector, cluster, sectors * sector // cluster, sectors * sector, mft * cluster, mirror * cluster, size, block)


def fixed_up(data: bytes, stride: int = 512) -> bytes | None:
    """Return a record or index block with its update sequence undone, ``None`` when a sector does not belong to it."""
    offset, count = struct.unpack_from("<HH", data, 4)
    if count != len(data) // stride + 1 or offset < 8 or offset + 2 * count > stride - 2:
        return None
    raw = bytearray(data)
    for number in range(1, count):
        if raw[number * stride - 2 : number * stride] != data[offset : offset + 2]:
            return None
        raw[number * stride - 2 : number * stride] = data[offset + 2 * number : offset + 2 * number + 2]
    return bytes(raw)


def runlist(data: bytes, clusters: int) -> list[Run] | None:
    """Decode mapping pairs; ``None`` when they break off or lead out of the volume."""
    runs: list[Run] = []
    at = start = 0
    while at < len(data) and data[at]:
        long, far = data[at] & 15, data[at] >> 4
        end = at + 1 + long + far
        if not 0 < long <= 8 or far > 8 or end > len(data):
            return None
        length = int.from_bytes(data[at + 1 : at + 1 + long], "little", signed=True)
        start += int.from_bytes(data[at + 1 + long : end], "little", signed=True)
        if length <= 0 or (far and not 0 <= start <= clusters - length):
            return None
        runs.append(Run(start if far else None, length))
        at = end
    return runs


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute. ``runs`` is ``None`` for a resident one, whose bytes are ``value``; sizes are bytes."""

    type: int
    id: int
    name: str
    value: bytes = b""
    runs: Sequence[Run] | None = None
    first: int = 0
    size: int = 0
    initialised: int = 0


@dataclass(slots=True)
class Record:
    """An MFT record. ``broken`` says why its attributes end early, empty when they do not."""

    number: int
    sequence: int
    links: int
    flags: int
    base: int
    attributes: list[Attribute] = field(default_factory=list)
    broken: str = ""

    def find(self, kind: int, name: str = "") -> Attribute | None:
        """Return the first attribute of a type and name."""
        return next((a for a in self.attributes if a.type == kind and a.name == name), None)


class FileName(NamedTuple):
    """A name of a file. ``parent`` is the directory's record number, ``sequence`` that record's number of uses then."""

    parent: int
    sequence: int
    namespace: int
    text: bytes


def file_name(value: bytes) -> FileName | None:
    """Decode a $FILE_NAME attribute (FILE_NAME); its text as WTF-8."""
    if len(value) < 66 or len(value) < 66 + 2 * value[64]:
        return None
    reference = int.from_bytes(value[:8], "little")
    return FileName(reference & (1 << 48) - 1, reference >> 48, value[65], wide_to_bytes(value[66 : 66 + 2 * value[64]]))


def parse_record(data: bytes, number: int, clusters: int) -> Record | None:
    """Return a record, ``None`` when it is none: no signature, or sectors that do not belong together."""
    if data[:4] != b"FILE":
        return None
    fixed = fixed_up(data)
    if fixed is None:
        return None
    sequence, links, at, flags, used = struct.unpack_from("<HHHHI", fixed, 16)
    record = Record(number, sequence, links, flags, struct.unpack_from("<Q", fixed, 32)[0])
    used = min(used, len(fixed))
    while True:
        if at + 8 > used:
            record.broken = "no end marker"
            return record
        kind, length = struct.unpack_from("<II", fixed, at)
        if kind == END:
            return record
        attribute = _attribute(fixed[at : at + length], clusters) if 24 <= length <= used - at and 0 < kind <= LAST_TYPE else None
        if attribute is None:
            record.broken = f"the attribute at byte {at} does not fit"
            return record
        record.attributes.append(attribute)
        at += length


def _attribute(data: bytes, clusters: int) -> Attribute | None:
    """Decode one attribute, ``None`` when it does not fit into itself."""
    kind, _, non_resident, letters, name_at, _, identity = struct.unpack_from("<IIBBHHH", data)
    if name_at + 2 * letters > len(data):
        return None
    name = data[name_at : name_at + 2 * letters].decode("utf-16-le", "replace")
    if not non_resident:
        size, value_at = struct.unpack_from("<IH", data, 16)
        if value_at + size > len(data):
            return None
        return Attribute(kind, identity, name, data[value_at : value_at + size], size=size, initialised=size)
    if len(data) < 64:
        return None
    first, _, pairs = struct.unpack_from("<QQH", data, 16)
    size, initialised = struct.unpack_from("<QQ", data, 48)
    runs = runlist(data[pairs:], clusters)
    return None if runs is None else Attribute(kind, identity, name, b"", runs, first, size, initialised)


class ListedAttribute(NamedTuple):
    """A row of an attribute list: where a file keeps a part of itself."""

    type: int
    first: int
    record: int
    sequence: int
    id: int


def attribute_list(data: bytes) -> list[ListedAttribute] | None:
    """Decode an $ATTRIBUTE_LIST (ATTRIBUTE_LIST_ENTRY), ``None`` when a row does not fit."""
    rows = []
    at = 0
    while at + 26 <= len(data):
        kind, length, _, _, first, reference, identity = struct.unpack_from("<IHBBQQH", data, at)
        if length < 26 or not 0 < kind <= LAST_TYPE:
            return None
        rows.append(ListedAttribute(kind, first, reference & (1 << 48) - 1, reference >> 48, identity))
        at += length
    return rows


def read_runs(reader: VolumeReader, runs: Sequence[Run], cluster: int, size: int, piece: int = PIECE) -> Iterator[bytes]:
    """Yield ``size`` bytes of what lies in runs, in pieces of exactly ``piece`` bytes but for the last; holes as zeros.

    What the medium does not hold is given as zeros too: ends with the runs.
    """
    kept = bytearray()
    left = size
    for run in runs:
        length = min(run.length * cluster, left)
        done = 0
        while done < length:
            ask = min(length - done, piece - len(kept))
            if run.start is None:
                kept += bytes(ask)
            else:
                kept += reader.read(run.start * cluster + done, ask).ljust(ask, b"\0")
            done += ask
            if len(kept) == piece:
                yield bytes(kept)
                kept.clear()
        left -= length
        if left <= 0:
            break
    if kept:
        yield bytes(kept)


def joined(extents: dict[int, Sequence[Run]]) -> list[Run]:
    """Return the runs of an attribute in several parts, given by their first cluster; ends where one is missing."""
    runs: list[Run] = []
    reached = 0
    for first in sorted(extents):
        if first != reached:
            break
        runs.extend(extents[first])
        reached += sum(run.length for run in extents[first])
    return runs


def record_offset(runs: Sequence[Run], cluster: int, position: int) -> int | None:
    """Return where byte ``position`` of what lies in runs is in the volume; ``None`` in holes and behind the end."""
    for run in runs:
        if position < run.length * cluster:
            return None if run.start is None else run.start * cluster + position
        position -= run.length * cluster
    return None


class Mft:
    """An MFT whose place is known: single records of it, and the attributes that lie in several."""

    def __init__(self, reader: VolumeReader, boot: Boot, first: Record) -> None:
        self.reader = reader
        self.boot = boot
        self.clusters = min(boot.clusters, -(-reader.size // boot.cluster))
        self.runs: Sequence[Run] = ()
        self.size = 0
        own = first.find(DATA)
        if own is None or own.runs is None:
            return
        self.runs, self.size = own.runs, own.initialised
        whole = self.whole(first, DATA)
        if whole is not None and whole.runs:
            self.runs = [run for run in whole.runs if run.start is not None]
        self.size = min(self.size, sum(run.length for run in self.runs) * boot.cluster)

    def record(self, number: int) -> Record | None:
        """Return a record, ``None`` when there is none or it is damaged."""
        place = record_offset(self.runs, self.boot.cluster, number * self.boot.record)
        if place is None:
            return None
        data = self.reader.read(place, self.boot.record)
        return parse_record(data, number, self.clusters) if len(data) == self.boot.record else None

    def content(self, attribute: Attribute, limit: int) -> bytes:
        """Return at most ``limit`` of an attribute's bytes."""
        if attribute.runs is None:
            return attribute.value[:limit]
        return b"".join(read_runs(self.reader, attribute.runs, self.boot.cluster, min(attribute.size, limit)))

    def parts(self, record: Record) -> list[ListedAttribute] | None:
        """Return where a record's attribute list says that its attributes are; nothing without one, ``None`` when it is damaged."""
        listed = record.find(ATTRIBUTE_LIST)
        return [] if listed is None else attribute_list(self.content(listed, MAX_LIST))

    def whole(self, record: Record, kind: int, name: str = "") -> Attribute | None:
        """Return an attribute with the runs of all its parts."""
        found = {a.first: a for a in record.attributes if a.type == kind and a.name == name}
        for row in (self.parts(record) or [])[:MAX_EXTENTS]:
            if row.type == kind and row.record != record.number and row.first not in found:
                part = self.record(row.record)
                for attribute in part.attributes if part is not None else ():
                    if (attribute.type, attribute.id, attribute.name) == (kind, row.id, name):
                        found[row.first] = attribute
                if record.number == 0 and kind == DATA:  # the next part of the MFT may tell where the ones after it are
                    self.runs = joined({first: a.runs for first, a in found.items() if a.runs is not None})
        first = found.get(0)
        if first is None or first.runs is None:
            return first
        runs = joined({start: a.runs for start, a in found.items() if a.runs is not None})
        return Attribute(kind, first.id, name, b"", runs, 0, first.size, first.initialised)
