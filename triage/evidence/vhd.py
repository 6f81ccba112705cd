"""Virtual disks of Virtual PC and Hyper-V (VHD, VHDX), by libvhdi: fixed, dynamic and differencing ones with what they continue.

Source for what is said beside: Microsoft, "Virtual Hard Disk Image Format Specification" (2006); [MS-VHDX], section 2.2 (headers, log).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.evidence.yal import ERRORS, MediumFile, YalMedium, reason

if TYPE_CHECKING:
    from triage.evidence.medium import Medium

_KINDS = {2: "fixed", 3: "dynamic", 4: "differencing"}
_HEADERS = (64 << 10, 128 << 10)
_WINDOWS = "\\"


class VhdError(ValueError):
    """A disk that libvhdi does not open."""


def _handle(file: Medium) -> tuple[Any, MediumFile]:
    try:
        import pyvhdi  # noqa: PLC0415 - its absence must not stop other evidence
    except ImportError as error:
        raise VhdError("libvhdi is not installed (pip install libvhdi-python)") from error
    handle, main = pyvhdi.file(), MediumFile(file)
    try:
        handle.open_file_object(main)
    except ERRORS as error:
        raise VhdError(reason(error)) from error
    return handle, main


def parent_of(file: Medium) -> str:
    """Return the name of the disk that this one continues, "" when it stands alone. Raises :class:`VhdError`."""
    handle, _ = _handle(file)
    try:
        name = str(handle.get_parent_filename() or "") if int(handle.get_disk_type()) not in (2, 3) else ""
    except ERRORS as error:
        raise VhdError(reason(error)) from error
    return name.rpartition(_WINDOWS)[2]


def open_vhd(file: Medium, parent: YalMedium | None) -> tuple[YalMedium, dict[str, str], list[str]]:
    """Return the disk, what is said of it, and warnings. Raises :class:`VhdError`."""
    handle, main = _handle(file)
    try:
        if parent is not None:
            handle.set_parent(parent.inner)
        size, sector = int(handle.get_media_size()), int(handle.get_bytes_per_sector() or 512)
        kind = int(handle.get_disk_type())
        facts = {"disk": _KINDS.get(kind, str(kind)), "disk identifier": str(handle.get_identifier() or "")}
    except ERRORS as error:
        raise VhdError(reason(error)) from error
    medium = YalMedium(handle, size, file, (main, parent), closing=(parent,) if parent is not None else ())
    medium.sector_size = sector if sector in (512, 1024, 2048, 4096) else 512
    warnings = []
    if file.read_at(0, 8) == b"vhdxfile" and _has_log(file):
        warnings.append("the virtual disk was not closed: what stands in its log was not put in, and what was written last may be missing")
    return medium, {key: value for key, value in facts.items() if value}, warnings


def _has_log(file: Medium) -> bool:
    """Whether the newer of a VHDX's two headers names a log that is to be replayed."""
    heads = [file.read_at(at, 80) for at in _HEADERS]
    newest = max((h for h in heads if len(h) == 80 and h.startswith(b"head")), key=lambda h: int.from_bytes(h[8:16], "little"), default=b"")
    return any(newest[48:64])
