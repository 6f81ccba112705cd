"""libewf, for the Expert Witness variants that our own reader leaves alone (SMART and other odd ones)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.errors import EvidenceError
from triage.evidence.medium import DamagedRangeError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_HEADER_NAMES = {
    "case_number": "case number",
    "description": "description",
    "evidence_number": "evidence number",
    "examiner_name": "examiner",
    "notes": "notes",
    "model": "model",
    "serial_number": "serial number",
    "acquiry_software_version": "acquired with",
    "acquiry_operating_system": "acquired on",
    "acquiry_date": "acquired",
    "system_date": "system date",
}


class LibewfMedium:
    """The medium inside an Expert Witness set as libewf reads it. Not safe for several threads."""

    def __init__(self, paths: Sequence[Path]) -> None:
        try:
            import pyewf  # noqa: PLC0415 - rarely needed, and its absence must not stop the common variants
        except ImportError as error:
            raise EvidenceError(f"{paths[0].name} needs libewf, which is not installed", hint="pip install libewf-python") from error
        self._handle = pyewf.handle()
        try:
            self._handle.open([str(path) for path in paths])
            self.size = int(self._handle.get_media_size())
            self.sector_size = int(self._handle.get_bytes_per_sector()) or 512
        except (OSError, ValueError) as error:  # of a set without a usable segment, "ValueError: invalid number of files"
            raise EvidenceError(f"{paths[0].name} cannot be opened by libewf: {_reason(error)}", hint="get a whole copy") from error
        self.damaged: dict[int, tuple[int, str]] = {}

    @property
    def facts(self) -> dict[str, str]:
        """The acquisition facts, under the same names as :class:`triage.evidence.ewf.EwfIndex` gives."""
        values: dict[str, str] = self._handle.get_header_values() or {}
        return {_HEADER_NAMES[k]: str(v).strip() for k, v in values.items() if k in _HEADER_NAMES and v}

    @property
    def stored_digests(self) -> dict[str, str]:
        """The digests stored by the acquisition, lower case."""
        values: dict[str, str] = self._handle.get_hash_values() or {}
        return {k.lower(): str(v).lower() for k, v in values.items() if k.lower() in ("md5", "sha1")}

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        length = max(0, min(length, self.size - offset))
        if not length:
            return b""
        try:
            data: bytes = self._handle.read_buffer_at_offset(length, offset)
        except OSError as error:
            self.damaged[offset] = (length, "libewf cannot read it")
            raise DamagedRangeError(offset, length, _reason(error)) from error
        if len(data) != length:
            self.damaged[offset] = (length, "libewf gave fewer bytes")
            raise DamagedRangeError(offset, length, "libewf gave fewer bytes")
        return data

    def close(self) -> None:
        """Close the set."""
        self._handle.close()


def _reason(error: Exception) -> str:
    """Return the last, plainest clause of libewf's nested message."""
    return str(error).rsplit(".", 2)[-2].strip() if str(error).count(".") >= 2 else str(error)
