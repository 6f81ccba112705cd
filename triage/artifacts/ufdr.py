"""Cellebrite's reports (UFDR): what ``report.xml`` says of the device and of each file that stands in the archive under another name.

Its maker has published no description; what is known is what others read of it (DFIRScience's UFDR2DIR, UFEDLib): elements ``file``
with the original path, each with times in ``accessInfo`` and the member's name as the item ``Local Path``; items of the device in
``metadata``. The document may be larger than memory: it is read in pieces, and only what is told here is kept.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from xml.parsers import expat

from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MOST_FILES, _LONGEST_TEXT, _DEEPEST = 5_000_000, 4096, 200
_PROLOG = 4096
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\s{0,2}(Z|[+-]\d\d:?\d\d|\(?UTC[+-]?\d{0,2}:?\d{0,2}\)?)?")
_TIMES = {"CreationTime": "crtime", "ModifyTime": "mtime", "AccessTime": "atime", "ChangeTime": "ctime"}
DEVICE = {
    "DeviceInfoDetectedManufacturer": "manufacturer",
    "DeviceInfoSelectedManufacturer": "manufacturer",
    "DeviceInfoDetectedModel": "model",
    "DeviceInfoSelectedDeviceName": "model",
    "DeviceInfoDetectedPhoneModel": "model",
    "DeviceInfoSerial": "serial number",
    "DeviceInfoSerialNumber": "serial number",
    "DeviceInfoIMEI": "IMEI",
    "IMEI": "IMEI",
    "DeviceInfoICCID": "ICCID",
    "ICCID": "ICCID",
    "DeviceInfoMSISDN": "phone number",
    "MSISDN": "phone number",
    "DeviceInfoOSVersion": "system version",
    "DeviceInfoOwnerName": "owner",
    "DeviceInfoTimeZone": "time zone",
    "DeviceInfoAppleID": "account",
}
"""Items of the device, and what they are called here."""


class FileFact(NamedTuple):
    """What the report says of a file: the path it had, its file system, times in nanoseconds since 1970, and whether it was deleted."""

    path: str
    system: str
    times: dict[str, int]
    deleted: bool


class Report(NamedTuple):
    """What was kept: files by the names of their members (``/`` between folders, small letters), the device, and whether it is all."""

    files: dict[bytes, FileFact]
    device: dict[str, str]
    whole: bool


def is_report(head: bytes) -> bool:
    """Whether a document's first bytes are those of such a report."""
    return b"cellebrite.com/report" in head[:_PROLOG] or (b"<project" in head[:_PROLOG] and b"reportVersion" in head[:_PROLOG])


def read_report(pieces: Iterable[bytes], beat: Callable[[], None] = lambda: None) -> Report:
    """Read a report given in pieces. What is not well-formed ends it there. Raises :class:`StructureError` for one that may not be read."""
    reader = _Reader()
    first = True
    try:
        for piece in pieces:
            if first and b"<!DOCTYPE" in piece[: _PROLOG * 4]:
                raise StructureError("its report declares a document type, which is not read")
            first = False
            reader.parser.Parse(piece, False)
            beat()
        reader.parser.Parse(b"", True)
    except (expat.ExpatError, _StopError):
        reader.whole = False
    return Report(reader.files, reader.device, reader.whole)


class _StopError(Exception):
    """More than is kept."""


class _Reader:
    def __init__(self) -> None:
        self.files: dict[bytes, FileFact] = {}
        self.device: dict[str, str] = {}
        self.whole = True
        self.parser = expat.ParserCreate("utf-8")  # whatever it states: no codec is looked up by a name from evidence
        self.parser.buffer_text = True
        self.parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self._depth = 0
        self._file: dict[str, str] | None = None
        self._times: dict[str, int] = {}
        self._wanted = ""
        self._letters: list[str] = []
        self._many = 0

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _StopError
        tag = name.rpartition(":")[2]
        self._wanted = ""
        if tag == "file" and "path" in attributes:
            self._file, self._times = {key: attributes.get(key, "") for key in ("path", "fs", "deleted")}, {}
        elif tag == "timestamp" and self._file is not None:
            known = _TIMES.get(attributes.get("name", ""))
            if known:
                self._wanted = f"time {known}"
                self._time(known, attributes.get("formattedTimestamp", ""))
        elif tag == "item":
            key = attributes.get("name", "")
            if self._file is not None:
                self._wanted = "local" if key == "Local Path" else ""
            elif key in DEVICE:
                self._wanted = f"device {DEVICE[key]}"
        if self._wanted:
            self._letters, self._many = [], 0

    def _text(self, data: str) -> None:
        if self._wanted and self._many < _LONGEST_TEXT:
            self._letters.append(data[:_LONGEST_TEXT])
            self._many += len(data)

    def _end(self, name: str) -> None:
        self._depth -= 1
        wanted, text = self._wanted, "".join(self._letters).strip()[:_LONGEST_TEXT]
        self._wanted = ""
        if wanted.startswith("time "):
            self._time(wanted[5:], text)
        elif wanted == "local" and self._file is not None and text:
            self._file["local"] = text
        elif wanted.startswith("device ") and text:
            self.device.setdefault(wanted[7:], text[:200])
        if name.rpartition(":")[2] == "file" and self._file is not None:
            one, self._file = self._file, None
            if one.get("local") and one["path"]:
                if len(self.files) >= _MOST_FILES:
                    raise _StopError
                deleted = one["deleted"].lower() not in ("", "intact", "unknown")
                self.files.setdefault(
                    member_key(one["local"].encode()), FileFact(one["path"][:_LONGEST_TEXT], one["fs"][:200], self._times, deleted)
                )

    def _time(self, name: str, text: str) -> None:
        value = time_of(text)
        if value is not None:
            self._times.setdefault(name, value)


def member_key(name: bytes) -> bytes:
    """Return a member's name as both sides write it: ``/`` between folders, none in front, small letters."""
    return name.replace(b"\\", b"/").lstrip(b"./").lower()


def time_of(text: str) -> int | None:
    """Return a time with its offset from UTC in nanoseconds since 1970; ``None`` for none, and for one of which no offset is said."""
    match = _TIME.match(text.strip())
    if match is None or match[4] is None:
        return None
    zone = re.sub(r"[()UTCZ:]", "", match[4])
    sign = -1 if zone.startswith("-") else 1
    digits = zone.lstrip("+-")
    minutes = sign * (int(digits[:2] or 0) * 60 + int(digits[2:4] or 0))
    try:
        seconds = int(datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=UTC).timestamp()) - minutes * 60
    except ValueError:
        return None
    return seconds * 10**9 + int((match[3] or "").ljust(9, "0"))
