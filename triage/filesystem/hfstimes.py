"""HFS+ times before 1970, for which TSK gives 0: read from the catalog as they are stored.

TN1150, "HFS Plus Dates": 32 bits of seconds since 1904, in UTC; 0 is no time. The catalog is searched by the file's ID for its folder,
and of the folder all files with such a time are kept, so that each folder is read once.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from triage.filesystem.checks.hfsformat import CATALOG, FIRST_USER, ROOT
from triage.filesystem.hfsrecords import Records

if TYPE_CHECKING:
    from collections.abc import Iterator

_SINCE_1904 = 2_082_844_800
_FIELDS = (("crtime", 12), ("mtime", 16), ("ctime", 20), ("atime", 24))
"""Where a file's or folder's record keeps its times: createDate, contentModDate, attributeModDate, accessDate."""


class HfsTimes:
    """Gives the times before 1970 of a volume that TSK opened. What cannot be read leaves TSK's times as they are."""

    def __init__(self, fs: Any) -> None:
        self._catalog = Records(fs, CATALOG)
        self._early: dict[int, dict[str, Any]] = {}
        self._folders: set[int] = set()

    def of(self, address: int) -> dict[str, Any] | None:
        """Return the times before 1970 of a file or folder by name, ``None`` when it has none."""
        if not self._catalog.readable or (address < FIRST_USER and address != ROOT):
            return None
        if address not in self._early:
            folder = self._folder(address)
            if folder is not None and folder not in self._folders:
                self._folders.add(folder)
                self._early.update(self._in_folder(folder))
        found = self._early.get(address)
        return dict(found) if found is not None else None

    def _folder(self, address: int) -> int | None:
        """Return the folder of a file or folder by its thread record."""
        for record in self._catalog.of(address):
            if record.letters or len(record.body) < 10:
                return None
            kind, _, parent = struct.unpack_from(">HHI", record.body)
            return int(parent) if kind in (3, 4) else None
        return None

    def _in_folder(self, folder: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield what lies in a folder and has a time before 1970, with these times."""
        for record in self._catalog.of(folder):
            if len(record.body) < 88 or record.body[:2] not in (b"\0\1", b"\0\2"):
                continue
            stored = {name: struct.unpack_from(">I", record.body, at)[0] for name, at in _FIELDS}
            times = {name: (value - _SINCE_1904) * 1_000_000_000 for name, value in stored.items() if 0 < value <= _SINCE_1904}
            if times:
                yield struct.unpack_from(">I", record.body, 8)[0], times
