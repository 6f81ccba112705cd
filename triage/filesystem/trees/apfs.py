"""APFS, by libfsapfs: a container's volumes, each as a view of it, and their names as a tree. Snapshots are told by their number.

Source: Apple, "Apple File System Reference" (2020): container superblock (nx_superblock_t), volume superblock (apfs_superblock_t).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from triage.evidence.layers import LayeredMedium
from triage.evidence.medium import PartMedium
from triage.evidence.yal import ERRORS, MediumFile, reason
from triage.filesystem.trees.yaltree import YalTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from triage.evidence.medium import Medium
    from triage.filesystem.trees.tree import Fault, Named, ReadAt

_MOST_VOLUMES = 100
_HIDDEN = frozenset({"com.apple.fs.symlink", "com.apple.decmpfs", "purgeable-drecs-fixed", "com.apple.fs.firmlink"})


class ApfsError(ValueError):
    """A container that libfsapfs does not open."""


class ApfsView(PartMedium):
    """One volume of a container: the container's bytes, with what was opened of it."""

    def __init__(self, container: Medium, offset: int, volume: Any, held: tuple[Any, ...], *, encrypted: bool) -> None:
        super().__init__(container, 0)
        self.container_offset, self.volume, self.encrypted, self._held = offset, volume, encrypted, held


class ApfsVolume(NamedTuple):
    """A volume of a container: its name, its bytes or ``None`` when it stays locked, and whether it is encrypted."""

    name: str
    view: ApfsView | None
    encrypted: bool


def open_container(container: Medium, offset: int, passwords: Sequence[str], beat: Callable[[], None] = lambda: None) -> list[ApfsVolume]:
    """Return a container's volumes; ``offset``: where it lies on the medium. Raises :class:`ApfsError` or ``OSError``."""
    found = []
    handle, held = _container(container)
    try:
        many = min(int(handle.get_number_of_volumes()), _MOST_VOLUMES)
    except ERRORS as error:
        raise ApfsError(reason(error)) from error
    for number in range(many):
        name, volume = _volume(handle, number, None)
        encrypted = volume is None
        keep = (handle, held)
        for password in passwords if encrypted else ():
            beat()
            again, file = _container(container)
            _, volume = _volume(again, number, password)
            if volume is not None:
                keep = (again, file)
                break
        view = ApfsView(container, offset, volume, keep, encrypted=encrypted) if volume is not None else None
        found.append(ApfsVolume(name, view, encrypted))
    return found


def _container(container: Medium) -> tuple[Any, MediumFile]:
    try:
        import pyfsapfs  # noqa: PLC0415 - its absence must not stop other file systems
    except ImportError as error:
        raise ApfsError("libfsapfs is not installed (pip install libfsapfs-python)") from error
    handle, file = pyfsapfs.container(), MediumFile(container)
    try:
        handle.open_file_object(file)
    except ERRORS as error:
        raise ApfsError(reason(error)) from error
    return handle, file


def _volume(handle: Any, number: int, password: str | None) -> tuple[str, Any]:
    """Return a volume's name, and the volume if it is not locked, or no longer."""
    try:
        volume = handle.get_volume(number)
        name = str(volume.get_name() or "")
        if password is not None:
            volume.set_password(password)
            volume.set_recovery_password(password)
            volume.unlock()
        return name, None if volume.is_locked() else volume
    except ERRORS as error:
        if password is not None:
            return "", None  # a password of a form that it does not take is a wrong one
        raise ApfsError(f"volume {number + 1}: {reason(error)}") from error


class ApfsTree:
    """The names of one volume of a container."""

    def __init__(self, medium: Medium, offset: int, size: int, beat: Callable[[], None] = lambda: None) -> None:
        """Raise ``ValueError`` when no volume of a container was opened at this place."""
        view = medium.view_at(offset) if isinstance(medium, LayeredMedium) else None
        if not isinstance(view, ApfsView):
            raise ValueError("it is a container: its volumes are listed")  # noqa: TRY004 - the same as for what is damaged
        self.block_size = max(512, int.from_bytes(view.read_at(36, 4), "little"))
        self.size = min(view.size, size)
        self.checked = False
        try:
            self.label = str(view.volume.get_name() or "")
            root = view.volume.get_root_directory()
        except ERRORS as error:
            raise ValueError(reason(error)) from error
        self._tree = YalTree(
            view.container_offset, root, lambda entry: int(entry.get_identifier()), view.volume.get_file_entry_by_identifier,
            raw=not view.encrypted, hidden=_HIDDEN, beat=beat,
        )  # fmt: skip

    def names(self) -> Iterator[Named | Fault]:
        """Yield each name; see :class:`triage.filesystem.trees.tree.Tree`."""
        yield from self._tree.names()

    def open(self, address: int, sequence: int | None, attribute: tuple[int, int] | None) -> ReadAt:
        """Return ``read_at(offset, length)``; see :class:`triage.filesystem.trees.tree.Tree`."""
        return self._tree.open(address, sequence, attribute)
