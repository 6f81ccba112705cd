"""Volume shadow copies of Windows: the states of an NTFS volume that it keeps, each as a medium, by libvshadow.

Source: libvshadow, "Volume Shadow Snapshot (VSS) format": a header at byte 7,680 of the volume leads to a catalog of the copies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from triage.evidence.yal import ERRORS, MediumFile, YalMedium, reason

if TYPE_CHECKING:
    from triage.evidence.medium import Medium

_PLACE = 0x1E00
_MARK = bytes.fromhex("6b87083876c1484eb7ae04046e6cc752")
_EPOCH = 116_444_736_000_000_000
MOST_COPIES = 512


class ShadowError(ValueError):
    """Copies that libvshadow does not open."""


class Shadow(NamedTuple):
    """A shadow copy: its identifier, when it was made (nanoseconds since 1970), its bytes (``None``: they are not on the volume)."""

    id: str
    made: int
    medium: Medium | None


def has_shadows(volume: Medium) -> bool:
    """Whether the volume has a catalog of shadow copies. It may be empty."""
    try:
        head = volume.read_at(_PLACE, 56)
    except OSError:
        return False
    return head.startswith(_MARK) and len(head) == 56 and any(head[48:56])


def open_shadows(volume: Medium) -> list[Shadow]:
    """Return the shadow copies, the oldest first. Raises :class:`ShadowError`."""
    try:
        import pyvshadow  # noqa: PLC0415 - rarely needed, and its absence must not stop the volume itself
    except ImportError as error:
        raise ShadowError("libvshadow is not installed (pip install libvshadow-python)") from error
    handle, file = pyvshadow.volume(), MediumFile(volume)
    found = []
    try:
        handle.open_file_object(file)
        for number in range(min(int(handle.number_of_stores), MOST_COPIES)):
            store = handle.get_store(number)
            made = (int(store.get_creation_time_as_integer()) - _EPOCH) * 100
            size = min(int(store.volume_size), volume.size) if store.has_in_volume_data() else 0
            medium = YalMedium(store, size, volume, (handle, file)) if size else None
            found.append(Shadow(str(store.identifier), made, medium))
    except ERRORS as error:
        raise ShadowError(reason(error)) from error
    return sorted(found, key=lambda s: (s.made, s.id))
