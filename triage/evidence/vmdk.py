"""VMware's virtual disks (VMDK): what a descriptor says, and the disk of its extents.

Source: VMware, *Virtual Disk Format 5.0* (descriptor, flat and sparse extents); for the names of ESX's extents, VMware's *Virtual Disk
Development Kit* documentation. Sizes of extents are in sectors of 512 bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from triage.evidence.blockmap import DiskError, JoinedMedium, Window
from triage.evidence.vmdk_sparse import MAGIC, SESPARSE, open_sparse, read_hosted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.evidence.medium import Medium

START = b"# Disk DescriptorFile"
LONGEST = 1 << 20
"""Bytes of the longest descriptor that is read."""
_MOST_EXTENTS = 4096
_EXTENT = re.compile(r'^[ \t]*(?:RW|RDONLY|NOACCESS)[ \t]+(\d{1,19})[ \t]+(\w{1,20})(?:[ \t]+"([^"\r\n]{1,1000})"(?:[ \t]+(\d{1,19}))?)?')
_KEY = re.compile(r'^[ \t]*([A-Za-z][\w.]{0,60})[ \t]*=[ \t]*"?([^"\r\n]{0,1000})')
_FLAT, _SPARSE = ("FLAT", "VMFS"), ("SPARSE", "VMFSSPARSE", "SESPARSE")
_ORPHAN = "ffffffff"


class Extent(NamedTuple):
    """A part of a disk: its sectors, kind and file; ``start``: the sector of that where a flat one begins."""

    sectors: int
    kind: str
    name: str
    start: int


class Descriptor(NamedTuple):
    """What a descriptor says: its extents in order, and its keys (lower case)."""

    extents: list[Extent]
    keys: dict[str, str]

    @property
    def below(self) -> str:
        """The name of the disk that this one continues, "" when it stands alone."""
        if self.keys.get("parentcid", _ORPHAN).lower() == _ORPHAN:
            return ""
        return self.keys.get("parentfilenamehint", "") or "a disk without a name"


def read_descriptor(file: Medium) -> Descriptor | None:
    """Return the descriptor that a file is or holds, ``None`` when it holds none; raise ``OSError``."""
    head = file.read_at(0, 512)
    if head.startswith(START):
        found = _parsed(file.read_at(0, LONGEST))
        if not found.extents:
            raise DiskError("is a VMware disk descriptor that names no extents")
        return found
    if not head.startswith(MAGIC):
        return None
    header = read_hosted(head)
    if not header.descriptor or header.descriptor * 512 >= file.size:
        return None
    found = _parsed(file.read_at(header.descriptor * 512, min(header.descriptor_sectors * 512, LONGEST)))
    return found if found.extents else None


def _parsed(raw: bytes) -> Descriptor:
    raw = raw.split(b"\0")[0]
    coded = re.search(rb'^encoding[ \t]*=[ \t]*"?([\w-]{1,20})', raw[:4096], re.MULTILINE | re.IGNORECASE)
    latin = coded is not None and coded[1].lower() in (b"windows-1252", b"iso-8859-1")
    text = raw.decode("cp1252" if latin else "utf-8", "replace")
    found = Descriptor([], {})
    for line in text.splitlines():
        match = _EXTENT.match(line)
        if match:
            if len(found.extents) >= _MOST_EXTENTS:
                raise DiskError(f"names more than {_MOST_EXTENTS} extents")
            found.extents.append(Extent(int(match[1]), match[2].upper(), match[3] or "", int(match[4] or 0)))
            continue
        match = _KEY.match(line)
        if match:
            found.keys.setdefault(match[1].lower(), match[2].strip())
    return found


def is_sparse(head: bytes) -> bool:
    """Whether a file's first bytes are those of a sparse extent, of whatever kind."""
    return head.startswith((MAGIC, b"COWD", SESPARSE))


def open_extents(descriptor: Descriptor, files: Sequence[Medium | None], below: Medium | None, missing: str) -> JoinedMedium:
    """Return the disk of extents; ``files``: that of each, ``None`` for zeros. Raise :class:`DiskError` or ``OSError``."""
    parts: list[tuple[int, Medium | None]] = []
    start = 0
    for extent, file in zip(descriptor.extents, files, strict=True):
        size = extent.sectors * 512
        part: Medium | None = None
        if extent.kind in _FLAT and file is not None:
            part = Window(file, extent.start * 512, size)
        elif extent.kind in _SPARSE and file is not None:
            part = open_sparse(file, Window(below, start, size) if below is not None else None, missing)
        elif extent.kind != "ZERO":
            raise DiskError(f"consists of a device or of something that is not read ({extent.kind})", "give an image of it")
        parts.append((size, part))
        start += size
    return JoinedMedium(parts)
