"""LVM2: logical volumes put together of the stretches of physical volumes that a medium holds.

By lvm2's own text metadata (vgcfgbackup(8)) and libvslvm's "Logical Volume Manager (LVM) format": a label in one of the first four
sectors leads to areas of metadata, whose text names the volume group, its physical and its logical volumes. Linear
and striped segments are read, and mirrors by one of their legs; what else there is (thin pools, snapshots, RAID with parity) is named.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.evidence.medium import DamagedRangeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from triage.evidence.medium import Medium

SECTOR = 512
_LABEL, _KIND = b"LABELONE", b"LVM2 001"
_AREA = b" LVM2 x[5A%r0N*>"
_MOST_TEXT, _MOST_VOLUMES, _MOST_SEGMENTS, _MOST_STRIPES, _DEEPEST, _MOST_AREAS = 8 << 20, 1000, 100_000, 256, 8, 16
_TOKEN = re.compile(r'\s+|#[^\n]*|(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?[0-9.]+)|(?P<name>[A-Za-z0-9_.+-]+)|(?P<mark>[{}=\[\],])')
_Value = Any


class LvmError(ValueError):
    """Metadata that cannot be read."""


class PhysicalVolume(NamedTuple):
    """A physical volume: its identifier as 32 characters, and the text of the newest metadata that it keeps."""

    id: str
    text: str


class LogicalVolume(NamedTuple):
    """A logical volume as a medium, with ``group/name``; ``why``: why it cannot be read, or only in part."""

    name: str
    id: str
    medium: LogicalMedium | None
    why: str


class _Stripe(NamedTuple):
    """A stretch of a logical volume: ``size`` bytes at ``start``, in turn ``step`` bytes of each of ``places`` (medium or None, offset)."""

    start: int
    size: int
    step: int
    places: tuple[tuple[Medium | None, int], ...]


def read_physical(volume: Medium) -> PhysicalVolume:
    """Return what a physical volume says of itself and its group; raise :class:`LvmError` or ``OSError``."""
    for sector in range(4):
        label = volume.read_at(sector * SECTOR, SECTOR)
        if len(label) == SECTOR and label.startswith(_LABEL) and label[24:32] == _KIND:
            break
    else:
        raise LvmError("it has no label")
    at = min(max(int.from_bytes(label[20:24], "little"), 32), SECTOR - 40)
    found, where, kind = label[at : at + 32].decode("ascii", "replace"), at + 40, 0
    newest, text = -1, ""
    while where + 16 <= SECTOR and kind < 2:
        offset, size = struct.unpack_from("<QQ", label, where)
        where += 16
        if not offset:
            kind += 1
        elif kind:
            serial, candidate = _area(volume, offset, size)
            if serial > newest:
                newest, text = serial, candidate
    if not text:
        raise LvmError("its metadata cannot be read")
    return PhysicalVolume(found, text)


def _area(volume: Medium, offset: int, size: int) -> tuple[int, str]:
    """Return the number and text of the metadata in one area; (-1, "") when there is none."""
    try:
        head = volume.read_at(offset, SECTOR)
    except OSError:
        return -1, ""
    if len(head) < SECTOR or head[4:20] != _AREA:
        return -1, ""
    start, length = struct.unpack_from("<QQ", head, 40)
    if not SECTOR <= start < size or not 0 < length <= min(size, _MOST_TEXT):
        return -1, ""
    first = min(length, size - start)
    try:
        raw = volume.read_at(offset + start, first) + (volume.read_at(offset + SECTOR, length - first) if length > first else b"")
    except OSError:
        return -1, ""
    text = raw.rstrip(b"\0\n").decode("utf-8", "replace")
    match = re.search(r"\bseqno\s*=\s*(\d{1,18})", text[:4096])
    return (int(match[1]) if match else 0), text


def parse(text: str) -> dict[str, _Value]:
    """Return the metadata's sections and values as nested dictionaries; raise :class:`LvmError`."""
    tokens = _tokens(text)
    root: dict[str, _Value] = {}
    stack = [root]
    name = ""
    for kind, mark in tokens:
        if kind == "name":
            name = mark
        elif mark == "=" and name:
            stack[-1][name] = _value(tokens)
            name = ""
        elif mark == "{" and name:
            inner: dict[str, _Value] = {}
            stack[-1][name] = inner
            stack.append(inner)
            name = ""
            if len(stack) > _DEEPEST:
                raise LvmError("its metadata is too deep")
        elif mark == "}" and len(stack) > 1:
            stack.pop()
        else:
            raise LvmError(f"its metadata is damaged at {mark[:20]!r}")
    return root


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise LvmError(f"its metadata is damaged at character {at}")
        at = match.end()
        if match.lastgroup is not None:
            yield match.lastgroup, match[0]


def _value(tokens: Iterator[tuple[str, str]]) -> _Value:
    kind, mark = next(tokens, ("", ""))
    if mark == "[":
        found: list[_Value] = []
        for kind, mark in tokens:
            if mark == "]":
                return found
            if mark != ",":
                found.append(_plain(kind, mark))
        raise LvmError("a list in its metadata has no end")
    return _plain(kind, mark)


def _plain(kind: str, mark: str) -> str | int:
    if kind == "text":
        return mark[1:-1]
    if kind == "number" and mark.lstrip("-").isdigit() and len(mark) < 20:
        return int(mark)
    if kind == "number":
        return mark
    raise LvmError(f"a value in its metadata is damaged: {mark[:20]!r}")


def open_group(text: str, physical: Mapping[str, Medium]) -> tuple[str, list[LogicalVolume], list[str]]:
    """Return a volume group's name, its visible logical volumes in the order of their names, and the names of devices that are missing.

    ``physical``: the physical volumes that are there, by identifier. Raises :class:`LvmError`.
    """
    name, group = next(((k, v) for k, v in parse(text).items() if isinstance(v, dict) and "physical_volumes" in v), ("", {}))
    if not group:
        raise LvmError("its metadata names no volume group")
    reader = _Group(group, physical)
    logical = group.get("logical_volumes")
    found = []
    for one, record in sorted((logical if isinstance(logical, dict) else {}).items())[:_MOST_VOLUMES]:
        if isinstance(record, dict) and "VISIBLE" in _list(record.get("status")):
            found.append(reader.open(f"{name}/{one}", record))
    return name, found, sorted(reader.missing)


class _Group:
    """A volume group: what its physical volumes are called and where their extents begin."""

    def __init__(self, group: dict[str, _Value], physical: Mapping[str, Medium]) -> None:
        self.extent = _number(group.get("extent_size")) * SECTOR
        if not SECTOR <= self.extent <= 1 << 40:
            raise LvmError("the length of its extents cannot be")
        self.missing: set[str] = set()
        self._logical = group.get("logical_volumes")
        self._begins: dict[str, tuple[Medium | None, int]] = {}
        devices = group.get("physical_volumes")
        for name, record in (devices if isinstance(devices, dict) else {}).items():
            if isinstance(record, dict):
                medium = physical.get(str(record.get("id")).replace("-", ""))
                if medium is None:
                    self.missing.add(str(record.get("device") or name))
                self._begins[name] = (medium, _number(record.get("pe_start")) * SECTOR)

    def open(self, name: str, record: dict[str, _Value]) -> LogicalVolume:
        why = ""
        stripes: list[_Stripe] = []
        try:
            stripes = list(self._segments(record, 0))
        except LvmError as error:
            why = str(error)
        identifier = str(record.get("id") or "")[:40]
        if why or not stripes:
            return LogicalVolume(name, identifier, None, why or "it has no segment that can be read")
        gone = sum(s.size for s in stripes if any(place[0] is None for place in s.places))
        if gone:
            why = f"{gone} bytes of it lie on a device that is not there"
        return LogicalVolume(name, identifier, LogicalMedium(stripes), why)

    def _segments(self, record: dict[str, _Value], depth: int) -> Iterator[_Stripe]:
        many = _number(record.get("segment_count"))
        if not 0 < many <= _MOST_SEGMENTS or depth > 2:
            raise LvmError("it has no segment that can be read")
        for number in range(1, many + 1):
            segment = record.get(f"segment{number}")
            if not isinstance(segment, dict):
                raise LvmError(f"its segment {number} is missing")
            start, size = (_number(segment.get(k)) * self.extent for k in ("start_extent", "extent_count"))
            kind = str(segment.get("type"))
            if kind in ("raid1", "mirror"):
                yield from self._leg(segment, start, size, depth)
                continue
            if kind not in ("striped", "linear"):
                raise LvmError(f"a segment of it is of the type {kind[:20]!r}, which is not read")
            stripes, count = _list(segment.get("stripes")), _number(segment.get("stripe_count"))
            if not 0 < count <= _MOST_STRIPES or len(stripes) < 2 * count:
                raise LvmError(f"its segment {number} has no stripes")
            step = _number(segment.get("stripe_size")) * SECTOR if count > 1 else size
            if not 0 < step <= 1 << 46 or not 0 < size <= 1 << 60:
                raise LvmError(f"its segment {number} has a length that cannot be")
            places = []
            for device, extent in zip(stripes[0 : 2 * count : 2], stripes[1 : 2 * count : 2], strict=True):
                medium, begin = self._begins.get(str(device), (None, 0))
                places.append((medium, begin + _number(extent) * self.extent))
            yield _Stripe(start, size, step, tuple(places))

    def _leg(self, segment: dict[str, _Value], start: int, size: int, depth: int) -> Iterator[_Stripe]:
        """Yield the stretches of a mirror's first leg that is whole; of the first one when none is."""
        names = _list(segment.get("mirrors"))[::2] or _list(segment.get("raids"))[1::2]
        legs = []
        for name in names[:_MOST_STRIPES]:
            record = self._logical.get(str(name)) if isinstance(self._logical, dict) else None
            if isinstance(record, dict):
                legs.append([s for s in self._segments(record, depth + 1) if s.start < size])
        if not legs:
            raise LvmError("no leg of its mirror is known")
        whole = (leg for leg in legs if all(place[0] is not None for s in leg for place in s.places))
        for one in next(whole, legs[0]):
            yield one._replace(start=start + one.start, size=min(one.size, size - one.start))


class LogicalMedium:
    """The bytes of a logical volume. What lies on a device that is not there cannot be read."""

    def __init__(self, stripes: Sequence[_Stripe]) -> None:
        self._stripes = sorted(stripes, key=lambda s: s.start)
        self.size = max(s.start + s.size for s in self._stripes)
        self.sector_size = SECTOR
        self.damaged: dict[int, tuple[int, str]] = {}

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        length = max(0, min(length, self.size - offset))
        pieces, at, end = [], offset, offset + length
        while at < end:
            stripe = next((s for s in self._stripes if s.start <= at < s.start + s.size), None)
            if stripe is None:
                raise self._damage(offset, length, "no segment of the logical volume holds it")
            row, inside = divmod(at - stripe.start, stripe.step)
            medium, begin = stripe.places[row % len(stripe.places)]
            many = min(end - at, stripe.step - inside, stripe.start + stripe.size - at)
            if medium is None:
                raise self._damage(offset, length, "it lies on a device that is not there")
            piece = medium.read_at(begin + row // len(stripe.places) * stripe.step + inside, many)
            if len(piece) < many:
                raise self._damage(offset, length, "the physical volume ends before it")
            pieces.append(piece)
            at += many
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _damage(self, offset: int, length: int, why: str) -> DamagedRangeError:
        self.damaged[offset] = (length, why)
        return DamagedRangeError(offset, length, why)

    def close(self) -> None:
        """Leave the physical volumes open: others may lie on them."""


def _number(value: _Value) -> int:
    if not isinstance(value, int) or not 0 <= value < 1 << 52:
        raise LvmError("a number in its metadata is missing or cannot be")
    return value


def _list(value: _Value) -> list[_Value]:
    return value if isinstance(value, list) else []
