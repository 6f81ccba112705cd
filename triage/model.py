"""The records that every stage hands to the next: plain, frozen values with a JSON form.

Terms are those of The Sleuth Kit (TSK), DFXML and CASE/UCO where they have one. Sizes and offsets are in bytes; an offset's
name says what it is relative to. Times are integer nanoseconds since 1970-01-01 UTC, ``None`` when absent or out of range.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, ClassVar, Self, get_args, get_origin, get_type_hints

Json = dict[str, Any]
MAX_FINDINGS, MAX_FINDING, MAX_TITLE = 30_000, 64 << 10, 300
"""What a plugin may say of one item: findings, bytes of one's data as JSON, characters of one's title."""
MAX_CHILDREN, MAX_PROBLEMS, MAX_SAID = 30_000, 1000, 24 << 20
"""Files inside one item that a plugin may name, problems that it may have with it, and bytes of all that it says of it."""


class Kind(StrEnum):
    """What an entry is, whatever became of it."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    SPECIAL = "special"
    STREAM = "stream"
    SLACK = "slack"
    UNALLOCATED = "unallocated"
    CARVED = "carved"
    CACHED = "cached"
    DERIVED = "derived"


class State(StrEnum):
    """How an entry was come by; derived from its kind and its two allocation flags."""

    ALLOCATED = "allocated"
    DELETED = "deleted"
    ORPHAN = "orphan"
    CARVED = "carved"
    CACHED = "cached"
    DERIVED = "derived"


class Recoverability(StrEnum):
    """How many of a deleted entry's blocks another, allocated file owns by now."""

    INTACT = "intact"
    PARTLY_OVERWRITTEN = "partly overwritten"
    OVERWRITTEN = "overwritten"
    UNKNOWN = "unknown"


class TimeBasis(StrEnum):
    """What an entry's times are counted from. FAT stores local time without a zone: it is kept as if it were UTC."""

    UTC = "utc"
    LOCAL = "local"
    UNKNOWN = "unknown"


class Encryption(StrEnum):
    """Whether a volume's bytes can be read as they are."""

    NONE = "none"
    LOCKED = "locked"
    UNLOCKED = "unlocked"


class Meaning(StrEnum):
    """What being on a hash list means. ``known`` says only that it has been seen: it can be good or bad."""

    NOTABLE = "notable"
    KNOWN = "known"
    IGNORABLE = "ignorable"


class Severity(StrEnum):
    """How much a problem takes away from the result."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Outcome(StrEnum):
    """In which of these states the work on one item ended. There is no other."""

    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    SKIPPED = "skipped"
    NOT_REACHED = "not reached"


@cache
def _names_of(record: Any) -> tuple[str, ...]:
    return tuple(f.name for f in fields(record))


def _names(record: Any) -> tuple[str, ...]:
    return _names_of(record)


@cache
def _classes(record: Any) -> tuple[tuple[str, tuple[type, ...]], ...]:
    """Return each field's name with the classes that its annotation allows (exactly: a bool is not a number)."""
    table = []
    for name, hint in get_type_hints(record).items():
        if name in _names(record):
            parts = get_args(hint) if isinstance(hint, UnionType) else (hint,)
            classes = tuple(get_origin(part) or part for part in parts)
            table.append((name, (*classes, int) if float in classes else classes))
    return tuple(table)


def _plain(value: Any) -> Any:
    """Return a record's field as JSON can hold it."""
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Base of the records: a JSON form that round-trips."""

    _decode: ClassVar[dict[str, Any]] = {}

    def to_json(self) -> Json:
        """Return the record as JSON values: enums as text, bytes as base64, tuples as lists."""
        return {name: _plain(getattr(self, name)) for name in _names(type(self))}

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values in some fields (a third of ``dataclasses.replace``'s time)."""
        values = {name: getattr(self, name) for name in _names(type(self))}
        values.update(changes)
        return type(self)(**values)

    @classmethod
    def from_json(cls, data: Json) -> Self:
        """Build the record from :meth:`to_json`'s form.

        Raises ``TypeError`` for unknown or missing names and ``ValueError`` for values that do not fit: the data may come
        from a worker that has just parsed hostile evidence.
        """
        if not isinstance(data, dict):
            raise TypeError(f"{cls.__name__} needs an object, got {type(data).__name__}")
        decode = cls._decode
        record = cls(**{k: decode[k](v) if k in decode and v is not None else v for k, v in data.items()})
        itself: Any = cls
        for name, classes in _classes(itself):
            if type(getattr(record, name)) not in classes:
                raise TypeError(f"{cls.__name__}.{name} cannot be {type(getattr(record, name)).__name__}")
        return record


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"a list is needed, not {type(value).__name__}")
    return list(value)


def _number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"a whole number is needed, not {type(value).__name__}")
    return value


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Record):
    """Bytes that lie together on the medium. ``image_offset`` is relative to the evidence; ``None`` when sparse."""

    image_offset: int | None
    length: int

    def to_json(self) -> Any:
        """Return ``[image_offset, length]``."""
        return [self.image_offset, self.length]


def _runs(value: list[tuple[int | None, int]]) -> tuple[Run, ...]:
    return tuple(Run(image_offset=offset if offset is None else _number(offset), length=_number(length)) for offset, length in _list(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Locator(Record):
    """Where bytes are: enough for any process to open them again.

    One of three forms: a file system attribute (``meta_addr`` with ``attr_type`` and ``attr_id``), byte ``runs`` of the
    medium, or a ``member`` path inside the bytes that the other fields name.
    """

    _decode: ClassVar[dict[str, Any]] = {"runs": _runs}

    evidence: str
    volume_offset: int = 0
    meta_addr: int | None = None
    meta_seq: int | None = None
    attr_type: int | None = None
    attr_id: int | None = None
    runs: tuple[Run, ...] = ()
    member: str | None = None

    @property
    def key(self) -> str:
        """A digest that is the same for the same bytes' place on every run and machine."""
        parts = (
            self.evidence,
            self.volume_offset,
            self.meta_addr,
            self.meta_seq,
            self.attr_type,
            self.attr_id,
            tuple((r.image_offset, r.length) for r in self.runs),
            self.member,
        )
        return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(Record):
    """An acquired medium. ``id`` depends on its bytes and size, not on its path."""

    _decode: ClassVar[dict[str, Any]] = {"paths": lambda v: tuple(_list(v))}

    id: str
    paths: tuple[str, ...]
    kind: str
    size: int
    sector_size: int = 512
    facts: dict[str, str] = field(default_factory=dict)
    stored_digests: dict[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    exhibit: str = ""


INSIDE = 10_000
SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Record):
    """A stretch of the medium: a partition, an unpartitioned gap (``number`` is ``None``), or the whole of it.

    What was opened (unlocked, put together, a shadow copy) lies in no stretch of the medium as it is: such volumes are places behind its
    end (:mod:`triage.evidence.layers`), and their number is :data:`INSIDE` times that of the volume they were in, and their own there.
    """

    _decode: ClassVar[dict[str, Any]] = {"encryption": Encryption}

    evidence: str
    number: int | None
    offset: int
    size: int
    scheme: str
    type: str = ""
    label: str = ""
    file_system: str = ""
    block_size: int = 0
    encryption: Encryption = Encryption.NONE
    found_by: str = "table"
    opened: bool = False
    """Whether what it holds was found as volumes of their own: it was unlocked, or is a container of volumes."""

    @property
    def name(self) -> str:
        """``vol1``, ``vol2`` … as paths are prefixed with, ``vol2.1`` in what was opened; ``gap@OFFSET``: space without a partition."""
        if self.number is None:
            return f"gap@{self.offset}"
        parts, number = [], self.number
        while number >= INSIDE:
            number, inner = divmod(number, INSIDE)
            parts.append(inner)
        return ".".join([f"vol{number}", *map(str, reversed(parts))])

    @property
    def is_snapshot(self) -> bool:
        """Whether it is an earlier state of another volume, of which only what differs is listed."""
        return self.found_by == SNAPSHOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Record):
    """One name and what it stands for. Two hard links are two entries with one locator.

    ``path`` is for display: absolute inside the evidence, prefixed by the volume's name, control characters and bytes
    that are not UTF-8 shown as ``\\xNN``. ``name_raw`` holds the name's bytes when the display form is not exact.
    """

    _decode: ClassVar[dict[str, Any]] = {
        "kind": Kind,
        "recoverability": Recoverability,
        "time_basis": TimeBasis,
        "name_raw": _bytes,
        "runs": _runs,
        "locator": Locator.from_json,
    }

    id: str
    evidence: str
    volume: int | None
    path: str
    name: str
    name_raw: bytes | None = None
    kind: Kind
    name_allocated: bool = True
    meta_allocated: bool = True
    orphan: bool = False
    recoverability: Recoverability = Recoverability.UNKNOWN
    size: int = 0
    mtime: int | None = None
    atime: int | None = None
    ctime: int | None = None
    crtime: int | None = None
    time_basis: TimeBasis = TimeBasis.UNKNOWN
    meta_addr: int | None = None
    meta_seq: int | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    nlink: int | None = None
    link_target: str | None = None
    runs: tuple[Run, ...] = ()
    resident: bool = False
    encrypted: bool = False
    """Whether its bytes are made of the file's with a key that is not here, so that nothing can be read in them."""
    parent: str | None = None
    depth: int = 0
    locator: Locator | None = None

    @property
    def state(self) -> State:
        """Allocated, deleted, orphan, or how it was made out of other bytes."""
        if self.kind in _MADE:
            return State(self.kind.value)
        if self.orphan:
            return State.ORPHAN
        return State.ALLOCATED if self.name_allocated and self.meta_allocated else State.DELETED

    def pack(self) -> list[Any]:
        """Return the fields in order as JSON values: a third of :meth:`to_json`'s size and time, for pipes between processes."""
        values: list[Any] = [getattr(self, name) for name in _names(Entry)]
        if self.name_raw is not None:
            values[_NAME_RAW] = base64.b64encode(self.name_raw).decode("ascii")
        values[_RUNS] = [(r.image_offset, r.length) for r in self.runs]
        place = self.locator
        if place is not None:
            values[_LOCATOR] = (
                [place.volume_offset, place.meta_addr, place.meta_seq, place.attr_type, place.attr_id]
                if not place.runs and place.member is None
                else place.to_json()
            )
        return values

    @classmethod
    def unpack(cls, values: list[Any]) -> Self:
        """Build the entry from :meth:`pack`'s form; raise ``TypeError`` or ``ValueError`` for what does not fit."""
        names = _names(Entry)
        if not isinstance(values, list):
            raise TypeError("not a packed entry")
        # A million rows have a few dozen different sequences of types: each is checked field by field once.
        types = tuple(map(type, values))
        if types not in _seen_types:
            _check_types(names, types)
        data = dict(zip(names, values, strict=True))
        if data["name_raw"] is not None:
            data["name_raw"] = _bytes(data["name_raw"])
        data["runs"] = _runs(data["runs"])
        place = data["locator"]
        if isinstance(place, dict):
            data["locator"] = Locator.from_json(place)
        elif place is not None:
            volume_offset, meta_addr, meta_seq, attr_type, attr_id = place
            if tuple(map(type, place)) not in _PLACES:
                raise TypeError("a locator is made of whole numbers")
            data["locator"] = Locator(
                evidence=data["evidence"],
                volume_offset=volume_offset,
                meta_addr=meta_addr,
                meta_seq=meta_seq,
                attr_type=attr_type,
                attr_id=attr_id,
            )
        for name in ("kind", "recoverability", "time_basis"):
            member = _ENUMS[name].get(data[name])
            if member is None:
                raise ValueError(f"{name} cannot be {data[name]!r:.50}")
            data[name] = member
        return cls(**data)


def _check_types(names: tuple[str, ...], types: tuple[type, ...]) -> None:
    if len(types) != len(names):
        raise ValueError("not a packed entry")
    for name, given in zip(names, types, strict=True):
        if not issubclass(given, _PACKED[name]) or (given is bool and bool is not _PACKED[name]):
            raise TypeError(f"{name} cannot be {given.__name__}")
    if len(_seen_types) < 10_000:
        _seen_types.add(types)


_seen_types: set[tuple[type, ...]] = set()
"""A cache, not state: sequences of types that :func:`_check_types` has passed."""
_NAME_RAW, _RUNS, _LOCATOR = (_names(Entry).index(n) for n in ("name_raw", "runs", "locator"))
_ENUMS: dict[str, dict[str, Any]] = {
    "kind": {m.value: m for m in Kind},
    "recoverability": {m.value: m for m in Recoverability},
    "time_basis": {m.value: m for m in TimeBasis},
}
_OPTIONAL_NUMBER = (int, type(None))
_PLACES = frozenset((int, *types) for types in itertools.product(_OPTIONAL_NUMBER, repeat=4))
"""The types that the numbers of a packed locator may have."""
_OPTIONAL_TEXT = (str, type(None))
_PACKED: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "evidence": str,
    "volume": _OPTIONAL_NUMBER,
    "path": str,
    "name": str,
    "name_raw": _OPTIONAL_TEXT,
    "kind": str,
    "name_allocated": bool,
    "meta_allocated": bool,
    "orphan": bool,
    "recoverability": str,
    "size": int,
    "mtime": _OPTIONAL_NUMBER,
    "atime": _OPTIONAL_NUMBER,
    "ctime": _OPTIONAL_NUMBER,
    "crtime": _OPTIONAL_NUMBER,
    "time_basis": str,
    "meta_addr": _OPTIONAL_NUMBER,
    "meta_seq": _OPTIONAL_NUMBER,
    "mode": _OPTIONAL_NUMBER,
    "uid": _OPTIONAL_NUMBER,
    "gid": _OPTIONAL_NUMBER,
    "nlink": _OPTIONAL_NUMBER,
    "link_target": _OPTIONAL_TEXT,
    "runs": list,
    "resident": bool,
    "encrypted": bool,
    "parent": _OPTIONAL_TEXT,
    "depth": int,
    "locator": (list, dict, type(None)),
}

_MADE = frozenset({Kind.CARVED, Kind.CACHED, Kind.DERIVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Content(Record):
    """What the bytes behind one locator are. ``size`` is how many were read; digests are ``None`` unless all were.

    ``md5_512`` and ``md5_64k`` are of the first 512 bytes and 64 KiB of what is longer. ``spared``: it stands on an ignorable list and
    on no notable one, and was not looked into further.
    """

    _decode: ClassVar[dict[str, Any]] = {"outcome": Outcome}

    key: str
    size: int
    md5: str | None = None
    sha1: str | None = None
    sha256: str | None = None
    mime: str = ""
    type: str = ""
    entropy: float | None = None
    outcome: Outcome = Outcome.DONE
    reason: str = ""
    md5_512: str | None = None
    md5_64k: str | None = None
    spared: bool = False


class MatchTier(StrEnum):
    """How much a match says. Only ``exact`` makes a file known; the others are an examiner's to confirm.

    ``weak`` is a likeness that only counts because a second signal supports it, or a part that files which differ may share.
    """

    EXACT = "exact"
    MATCH = "match"
    LIKELY = "likely"
    WEAK = "weak"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match(Record):
    """Something of a file that stands on a list.

    ``how`` names the digest, or what was compared (``pdq``, ``frames``, ``partial``, ``hint``); ``distance`` is 0 for exact ones, else
    bits that differ. ``label`` is what the lab calls the category. ``detail``: what the list says of the record, how the picture is
    turned, how many frames agree.
    """

    _decode: ClassVar[dict[str, Any]] = {"meaning": Meaning, "tier": MatchTier}

    set: str
    meaning: Meaning
    category: str = ""
    how: str = "md5"
    distance: int = 0
    tier: MatchTier = MatchTier.EXACT
    label: str = ""
    detail: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Record):
    """Something that a plugin saw in an entry. ``ranges`` are ``(offset, length)`` in the entry's bytes."""

    _decode: ClassVar[dict[str, Any]] = {"ranges": lambda v: tuple((_number(a), _number(b)) for a, b in _list(v))}

    entry: str
    plugin: str
    kind: str
    title: str
    data: Json = field(default_factory=dict)
    ranges: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem(Record):
    """What could not be read, was skipped or cut, where and why. ``stage`` is the room that met it."""

    _decode: ClassVar[dict[str, Any]] = {"severity": Severity}

    severity: Severity
    stage: str
    message: str
    evidence: str = ""
    volume: int | None = None
    entry: str | None = None
    path: str = ""
    plugin: str = ""
    detail: str = ""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso_time(nanoseconds: int | None) -> str | None:
    """Return ISO 8601 in UTC with as many digits as the time has (0, 3, 6 or 9); ``None`` outside the years 1 to 9999."""
    if nanoseconds is None:
        return None
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    try:
        text = (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]
    except OverflowError:
        return None
    if rest:
        digits = f"{rest:09d}"
        while digits.endswith("000"):
            digits = digits[:-3]
        text += "." + digits
    return text + "Z"
