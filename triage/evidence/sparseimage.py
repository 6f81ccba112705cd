"""macOS's sparse images: one file (``.sparseimage``), or a folder of bands (``.sparsebundle``).

Source: libmodi's documentation, "Mac OS disk image types", sections on the sparse disk image and the sparse bundle.
"""

from __future__ import annotations

import os
import re
import struct
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from triage.errors import EvidenceError
from triage.evidence.blockmap import LARGEST, LOST_PLACE, ZERO, DiskError, MappedMedium
from triage.evidence.medium import DamagedRangeError, open_read_only, pread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from triage.evidence.blockmap import Places
    from triage.evidence.medium import Medium

SIGNATURE = b"sprs"
_HEAD, _TABLE = 4096, 64
_MOST_BANDS = (_HEAD - _TABLE) // 4
_PLIST, _BAND_SIZE, _SIZE = "Info.plist", "band-size", "size"
_LARGEST_PLIST, _OPEN_BANDS = 1 << 20, 64
_TYPE = b"com.apple.diskimage.sparsebundle"


class SparseMedium(MappedMedium):
    """The disk of a ``.sparseimage``."""

    def __init__(self, file: Medium) -> None:
        """Raise :class:`DiskError` or ``OSError``."""
        head = file.read_at(0, _HEAD)
        if len(head) < _HEAD or not head.startswith(SIGNATURE):
            raise DiskError("cannot be opened: it has no header of a sparse image")
        sectors, _, size = struct.unpack_from(">III", head, 8)
        if not 8 <= sectors <= 1 << 20:
            raise DiskError(f"cannot be opened: it states bands of {sectors} sectors")
        super().__init__(file, size * 512, sectors * 512)
        stored = -(-(file.size - _HEAD) // self.unit)
        if stored > _MOST_BANDS:
            raise DiskError(
                f"keeps {stored} bands, more than the first list of them has room for: how it goes on is not known",
                "convert it on a Mac: hdiutil convert -format UDRO",
            )
        self._bands: dict[int, int] = {}
        for number, band in enumerate(struct.unpack_from(f">{_MOST_BANDS}I", head, _TABLE)):
            if band and number < stored:
                self._bands.setdefault(band - 1, _HEAD + number * self.unit)
            elif band:
                self._bands.setdefault(band - 1, LOST_PLACE)

    def places(self, first: int, count: int) -> Places:
        """Return where blocks lie; see :class:`triage.evidence.blockmap.MappedMedium`."""
        return np.array([self._bands.get(number, ZERO) for number in range(first, first + count)], np.int64)

    def tables(self) -> Iterator[tuple[int, int]]:
        """Yield the blocks that are there."""
        yield from ((number, 1) for number in sorted(self._bands))


def is_bundle(folder: Path) -> bool:
    """Whether a folder is a sparse bundle, by its property list."""
    try:
        with (folder / _PLIST).open("rb") as file:
            return _TYPE in file.read(_LARGEST_PLIST)
    except OSError:
        return False


class BundleMedium:
    """The disk of a ``.sparsebundle``. Bands that are not there are zeros, as is what a band is too short for."""

    def __init__(self, folder: Path) -> None:
        """Raise ``EvidenceError``."""
        try:
            text = (folder / _PLIST).read_bytes()[:_LARGEST_PLIST]
            token = folder / "token"
            locked = token.is_file() and token.stat().st_size > 0 and b"encrcdsa" in token.read_bytes()[:4096]
            there = {int(name, 16) for name in os.listdir(folder / "bands") if re.fullmatch(r"[0-9a-f]{1,12}", name)}  # noqa: PTH208 - names alone
        except OSError as error:
            raise EvidenceError(f"{folder.name} cannot be read: {error.strerror or error}", hint="get a whole copy") from error
        if locked:
            raise EvidenceError(
                f"{folder.name} is an encrypted sparse bundle, which is not read", hint="convert it on a Mac: hdiutil convert"
            )
        self.band, self.size = _number(text, _BAND_SIZE), _number(text, _SIZE)
        if not 4096 <= self.band <= 1 << 32 or not 0 < self.size <= LARGEST:
            raise EvidenceError(f"{folder.name} cannot be opened: its property list states sizes that cannot be", hint="get a whole copy")
        self.sector_size = 512
        self.damaged: dict[int, tuple[int, str]] = {}
        self.stored = len(there)
        self._folder, self._there = folder / "bands", there
        self._open: OrderedDict[int, int] = OrderedDict()

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        at, end = offset, offset + max(0, min(length, self.size - offset))
        pieces = []
        while at < end:
            number, inside = divmod(at, self.band)
            many = min(end - at, self.band - inside)
            if number in self._there:
                try:
                    piece = pread(self._descriptor(number), many, inside)
                except OSError as error:
                    self.damaged[at] = (many, error.strerror or str(error))
                    raise DamagedRangeError(at, many, error.strerror or str(error)) from error
                pieces.append(piece.ljust(many, b"\0"))
            else:
                pieces.append(bytes(many))
            at += many
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _descriptor(self, number: int) -> int:
        found = self._open.pop(number, None)
        if found is None:
            if len(self._open) >= _OPEN_BANDS:
                os.close(self._open.popitem(last=False)[1])
            found = open_read_only(self._folder / f"{number:x}")
        self._open[number] = found
        return found

    def close(self) -> None:
        """Close the files."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()


def _number(text: bytes, key: str) -> int:
    match = re.search(rb"<key>" + key.encode() + rb"</key>\s{0,100}<(?:integer|string)>([0-9]{1,18})<", text)
    return int(match[1]) if match is not None else 0
