"""VMware's virtual disks (VMDK), by libvmdk: in one file or several, sparse, flat, compressed as a stream, ESX's; chains of snapshots.

Source for the files of a set: libvmdk, "VMWare Virtual Disk (VMDK) format", section 2 (descriptor file).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from triage.evidence.yal import ERRORS, MediumFile, YalMedium, reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.evidence.medium import Medium

_LONGEST = 1 << 20
_EXTENT = re.compile(rb'^\s*(?:RW|RDONLY|NOACCESS)\s+\d+\s+(\w+)(?:\s+"([^"\r\n]{1,1000})")?', re.MULTILINE)
_PARENT = re.compile(rb'^\s*parentFileNameHint\s*=\s*"([^"\r\n]{1,1000})"', re.MULTILINE)
_KIND = re.compile(rb'^\s*createType\s*=\s*"([^"\r\n]{1,60})"', re.MULTILINE)


class VmdkError(ValueError):
    """A disk that libvmdk does not open."""


def descriptor(file: Medium) -> bytes:
    """Return the descriptor, the file's own or the one inside a sparse extent; empty when there is none."""
    head = file.read_at(0, 512)
    if head.startswith(b"KDMV") and len(head) == 512:
        place, length = (int.from_bytes(head[at : at + 8], "little") * 512 for at in (28, 36))
        return file.read_at(place, min(length, _LONGEST)).rstrip(b"\0") if place else b""
    return file.read_at(0, _LONGEST) if head.startswith(b"# Disk") else b""


def extents_of(text: bytes) -> list[str]:
    """Return the names of the files that a descriptor names, in order; of those that are zeros there is none."""
    return [name.decode("utf-8", "replace") for kind, name in _EXTENT.findall(text) if name and kind != b"ZERO"]


def parent_of(text: bytes) -> str:
    """Return the name of the disk that this one continues, "" when it stands alone."""
    match = _PARENT.search(text)
    return match[1].decode("utf-8", "replace") if match else ""


def kind_of(text: bytes) -> str:
    """Return the type of disk, as VMware calls it (``monolithicSparse`` …)."""
    match = _KIND.search(text)
    return match[1].decode("ascii", "replace") if match else ""


def open_vmdk(file: Medium, extents: Sequence[Medium], parent: YalMedium | None) -> YalMedium:
    """Return the disk; raise :class:`VmdkError`. ``extents``: the files of it, in order."""
    try:
        import pyvmdk  # noqa: PLC0415 - its absence must not stop other evidence
    except ImportError as error:
        raise VmdkError("libvmdk is not installed (pip install libvmdk-python)") from error
    handle: Any = pyvmdk.handle()
    main, others = MediumFile(file), [MediumFile(extent) for extent in extents]
    try:
        handle.open_file_object(main)
        handle.open_extent_data_files_as_file_objects(others)
        if parent is not None:
            handle.set_parent(parent.inner)
        size = int(handle.get_media_size())
    except ERRORS as error:
        raise VmdkError(reason(error)) from error
    return YalMedium(handle, size, file, (main, others, parent), closing=(*extents, *((parent,) if parent is not None else ())))
