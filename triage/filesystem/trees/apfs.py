"""APFS, by libfsapfs: a container's volumes and their snapshots, each as a view of it, and their names as a tree.

Of a snapshot the names are those that are not as they are in the state after it: the next snapshot, or the volume.

Source: Apple, "Apple File System Reference" (2020): container superblock (nx_superblock_t), volume superblock (apfs_superblock_t).
"""

from __future__ import annotations

import hashlib
import struct
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.evidence.layers import LayeredMedium
from triage.evidence.medium import PartMedium
from triage.evidence.yal import ERRORS, MediumFile, reason
from triage.filesystem.trees.apfssnapshots import Snapshot, SnapshotError, SnapshotReader
from triage.filesystem.trees.tree import Fault, Named
from triage.filesystem.trees.yaltree import YalTree
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from triage.evidence.medium import Medium
    from triage.filesystem.trees.tree import ReadAt

_MOST_VOLUMES = 100
_HIDDEN = frozenset({"com.apple.fs.symlink", "com.apple.decmpfs", "purgeable-drecs-fixed", "com.apple.fs.firmlink"})


class ApfsError(ValueError):
    """A container that libfsapfs does not open."""


class ApfsView(PartMedium):
    """One volume of a container, or a snapshot of one: the container's bytes, with what is opened of it when it is asked for.

    ``after``: the state that follows a snapshot.
    """

    def __init__(
        self, container: Medium, offset: int, opening: Callable[[], tuple[Any, tuple[Any, ...]]], *, encrypted: bool,
        after: ApfsView | None = None,
    ) -> None:  # fmt: skip
        super().__init__(container, 0)
        self.container_offset, self.encrypted, self.after = offset, encrypted, after
        self._opening = opening

    @cached_property
    def _opened(self) -> tuple[Any, tuple[Any, ...]]:
        return self._opening()

    @property
    def volume(self) -> Any:
        """The volume that libfsapfs opened. Raises :class:`ApfsError` or ``OSError`` when a snapshot cannot be opened."""
        return self._opened[0]


class ApfsVolume(NamedTuple):
    """A volume of a container, or a snapshot of one: its name, its bytes or ``None`` when it stays locked, whether it is encrypted.

    ``snapshot``: when and as what a snapshot was made; ``said``: what cannot be read of the container's snapshots.
    """

    name: str
    view: ApfsView | None
    encrypted: bool
    snapshot: Snapshot | None = None
    said: str = ""


def open_container(container: Medium, offset: int, passwords: Sequence[str], beat: Callable[[], None] = lambda: None) -> list[ApfsVolume]:
    """Return a container's volumes; ``offset``: where it lies on the medium. Raises :class:`ApfsError` or ``OSError``."""
    found: list[ApfsVolume] = []
    keys: list[str | None] = []
    handle, held = _container(container)
    try:
        many = min(int(handle.get_number_of_volumes()), _MOST_VOLUMES)
    except ERRORS as error:
        raise ApfsError(reason(error)) from error
    for number in range(many):
        name, volume = _volume(handle, number, None)
        encrypted = volume is None
        keep: tuple[Any, ...] = (handle, held)
        key = None
        for password in passwords if encrypted else ():
            beat()
            again, file = _container(container)
            _, volume = _volume(again, number, password)
            if volume is not None:
                keep, key = (again, file), password
                break
        opened = (volume, keep)
        view = ApfsView(container, offset, lambda opened=opened: opened, encrypted=encrypted) if volume is not None else None  # type: ignore[misc]
        found.append(ApfsVolume(name, view, encrypted))
        keys.append(key)
    return [*found, *_snapshots(container, offset, found, keys)]


def _snapshots(container: Medium, offset: int, volumes: list[ApfsVolume], keys: list[str | None]) -> list[ApfsVolume]:
    """Return the snapshots of a container's volumes, those of each the newest first."""
    found: list[ApfsVolume] = []
    try:
        reader = SnapshotReader(container)
        for number, one in enumerate(volumes):
            after = one.view
            for snapshot in reader.of(number):
                view = None
                if one.view is not None:
                    opening = partial(_at_snapshot, reader, number, snapshot, keys[number])
                    view = after = ApfsView(container, offset, opening, encrypted=one.encrypted, after=after)
                found.append(ApfsVolume(one.name, view, one.encrypted, snapshot))
    except (SnapshotError, OSError, struct.error) as error:
        found.append(ApfsVolume("", None, False, said=f"snapshots of its volumes cannot be looked for: {error}"))
    return found


def _at_snapshot(reader: SnapshotReader, number: int, snapshot: Snapshot, password: str | None) -> tuple[Any, tuple[Any, ...]]:
    try:
        handle, file = _container(reader.at(number, snapshot))
    except (SnapshotError, struct.error) as error:
        raise ApfsError(str(error)) from error
    _, volume = _volume(handle, number, password)
    if volume is None:
        raise ApfsError("a snapshot stays locked")
    return volume, (handle, file)


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
        self._view, self._beat = view, beat
        try:
            self.label = str(view.volume.get_name() or "")
        except ERRORS as error:
            raise ValueError(reason(error)) from error
        self._tree = _tree(view, beat)

    def names(self) -> Iterator[Named | Fault]:
        """Yield each name; see :class:`triage.filesystem.trees.tree.Tree`."""
        if self._view.after is None:
            yield from self._tree.names()
            return
        later = {_mark(one) for one in _tree(self._view.after, self._beat).names() if isinstance(one, Named)}
        same = 0
        for one in self._tree.names():
            if isinstance(one, Named) and _mark(one) in later:
                same += 1
            else:
                yield one
        yield Fault(Severity.INFO, f"{same} names are as in the state after it: they were not listed again")

    def open(self, address: int, sequence: int | None, attribute: tuple[int, int] | None) -> ReadAt:
        """Return ``read_at(offset, length)``; see :class:`triage.filesystem.trees.tree.Tree`."""
        return self._tree.open(address, sequence, attribute)


def _tree(view: ApfsView, beat: Callable[[], None]) -> YalTree:
    try:
        root = view.volume.get_root_directory()
    except ERRORS as error:
        raise ValueError(reason(error)) from error
    return YalTree(
        view.container_offset, root, lambda entry: int(entry.get_identifier()), view.volume.get_file_entry_by_identifier,
        raw=not view.encrypted, hidden=_HIDDEN, beat=beat,
    )  # fmt: skip


def _mark(one: Named) -> bytes:
    """Return what a name is known by in another state: its path, its file, and what a change of that would change."""
    facts = (one.path, one.stream, one.address, one.kind.value, one.size, one.mtime, one.ctime, one.mode, one.uid, one.gid)
    return hashlib.blake2b(repr(facts).encode(), digest_size=16).digest()
