"""Apple's disk images (UDIF with packed blocks, sparse images), by libmodi."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.evidence.yal import ERRORS, MediumFile, YalMedium, reason

if TYPE_CHECKING:
    from triage.evidence.medium import Medium


class DmgError(ValueError):
    """An image that libmodi does not open."""


def open_dmg(file: Medium) -> YalMedium:
    """Return the disk that an image holds; raise :class:`DmgError`."""
    try:
        import pymodi  # noqa: PLC0415 - its absence must not stop other evidence
    except ImportError as error:
        raise DmgError("libmodi is not installed (pip install libmodi-python)") from error
    handle, main = pymodi.handle(), MediumFile(file)
    try:
        handle.open_file_object(main)
        size = int(handle.get_media_size())
    except ERRORS as error:
        raise DmgError(reason(error)) from error
    return YalMedium(handle, size, file, (main,))
