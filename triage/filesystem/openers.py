"""Which volumes hold volumes, by their kind, and how each is opened: one name a kind, found by what lies at the volume's start."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from triage.evidence.bitlocker import describe_bitlocker, open_bitlocker
from triage.evidence.filevault import open_filevault
from triage.evidence.luks import open_luks
from triage.evidence.lvm import LvmError, open_group, read_physical
from triage.evidence.mdraid import describe_member, open_member, read_member
from triage.evidence.shadow import has_shadows, open_shadows
from triage.filesystem.describe import read_head
from triage.filesystem.signatures import identify_volume
from triage.filesystem.trees.apfs import open_container
from triage.model import Encryption, iso_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from triage.evidence.layers import LayeredMedium
    from triage.evidence.medium import Medium
    from triage.model import Volume

LUKS, BITLOCKER, TO_GO, FILEVAULT = "LUKS", "BitLocker", "BitLocker To Go", "CoreStorage (FileVault 2)"
LVM, APFS, SHADOWS, RAID = "LVM2 physical volume", "APFS", "shadow copies", "Linux software RAID member"


class View(NamedTuple):
    """What was found in a volume: its label, its bytes (``None``: it stays locked, or cannot be had), and what is to be said of it."""

    medium: Medium | None
    label: str = ""
    scheme: str = ""
    encrypted: bool = False
    said: tuple[str, ...] = ()


def kind_of(volume: Volume, medium: LayeredMedium) -> str:
    """Return what a volume holds volumes as; "" when it holds none."""
    if volume.number is None or volume.opened:
        return ""
    if volume.encryption is Encryption.LOCKED or volume.file_system in (LVM, APFS, RAID):
        if volume.block_size and volume.file_system == APFS:
            return ""  # a volume of a container
        mark = identify_volume(read_head(medium, volume.offset))
        return mark.name if mark is not None and (mark.name in _OPENERS or mark.name == LVM) else ""
    if volume.file_system == "NTFS" and has_shadows(medium.part(volume.offset, volume.size)):
        return SHADOWS
    return ""


class Ask(NamedTuple):
    """A volume that is to be opened, where it lies on the medium, and with what."""

    part: Medium
    offset: int
    passwords: Sequence[str] = ()
    beat: Callable[[], None] = lambda: None


def open_views(kind: str, ask: Ask) -> list[View]:
    """Return what a volume holds. Raises ``ValueError`` or ``OSError`` when it cannot be opened."""
    opener = _OPENERS.get(kind)
    return opener(ask) if opener is not None else []


def _luks(ask: Ask) -> list[View]:
    return [View(open_luks(ask.part, ask.passwords, ask.beat), encrypted=True)]


def _bitlocker(ask: Ask) -> list[View]:
    medium = open_bitlocker(ask.part, ask.passwords, ask.beat)
    how = describe_bitlocker(ask.part) if medium is None else ""
    return [View(medium, encrypted=True, said=(f"BitLocker, locked: {how}",) if how else ())]


def _filevault(ask: Ask) -> list[View]:
    found = []
    for name, medium in open_filevault(ask.part, ask.passwords, ask.beat):
        said = (f"the logical volume {name!r} stays locked: nothing in it was examined",) if medium is None else ()
        found.append(View(medium, name, encrypted=True, said=said))
    return found


def _apfs(ask: Ask) -> list[View]:
    found = []
    for one in open_container(ask.part, ask.offset, ask.passwords, ask.beat):
        if one.snapshot is not None:
            label = f"snapshot {one.snapshot.name} of {one.name} of {iso_time(one.snapshot.made)}"
            found.append(View(one.view, label, "APFS snapshot", encrypted=one.encrypted))
            continue
        locked = f"the APFS volume {one.name!r} is encrypted and locked: nothing in it was examined" if one.view is None else ""
        found.append(View(one.view, one.name, encrypted=one.encrypted, said=tuple(text for text in (one.said or locked,) if text)))
    return found


def _raid(ask: Ask) -> list[View]:
    member = read_member(ask.part)
    medium = open_member(ask.part, member)
    what = describe_member(member)
    if medium is None:
        return [View(None, said=(f"it is {what}: only the array as a whole can be read",))]
    return [View(medium, member.name, said=())]


def _shadows(ask: Ask) -> list[View]:
    found = []
    for one in open_shadows(ask.part):
        said = (
            (f"the shadow copy {one.id} of {iso_time(one.made)} keeps its data elsewhere: it was not read",) if one.medium is None else ()
        )
        found.append(View(one.medium, f"shadow copy of {iso_time(one.made)}", "shadow copy", said=said))
    return found


_OPENERS: dict[str, Callable[[Ask], list[View]]] = {
    LUKS: _luks,
    BITLOCKER: _bitlocker,
    TO_GO: _bitlocker,
    FILEVAULT: _filevault,
    APFS: _apfs,
    RAID: _raid,
    SHADOWS: _shadows,
}


def group_views(members: Sequence[tuple[Volume, Medium]]) -> Iterator[tuple[list[Volume], Callable[[], list[View]]]]:
    """Yield the LVM groups that physical volumes make up: their volumes, and a function that opens them; one without metadata alone."""
    physical: dict[str, Medium] = {}
    texts: dict[str, tuple[str, list[Volume]]] = {}
    for volume, medium in members:
        try:
            one = read_physical(medium)
        except (LvmError, OSError) as error:
            yield [volume], partial(_fail, str(error))
            continue
        physical[one.id] = medium
        text, volumes = texts.get(_group_id(one.text), ("", []))
        texts[_group_id(one.text)] = (max(text, one.text, key=_number), [*volumes, volume])
    for text, volumes in texts.values():
        yield volumes, partial(_group, text, physical)


def _fail(why: str) -> list[View]:
    raise LvmError(why)


def _group_id(text: str) -> str:
    """Return the identifier of the group that metadata is of: the first one that stands in it."""
    return text.partition('id = "')[2].partition('"')[0]


def _number(text: str) -> int:
    digits = text.partition("seqno = ")[2][:18].split()
    return int(digits[0]) if digits and digits[0].isdigit() else -1


def _group(text: str, physical: dict[str, Medium]) -> list[View]:
    name, volumes, missing = open_group(text, physical)
    said = (f"the volume group {name} lacks {', '.join(missing)}: what lies on them cannot be read",) if missing else ()
    found = []
    for one in volumes:
        why = (f"the logical volume {one.name} cannot be read{' in part' if one.medium else ''}: {one.why}",) if one.why else ()
        found.append(View(one.medium, one.name, said=(*said, *why)))
        said = ()
    return found or [View(None, said=(*said, f"the volume group {name} has no logical volumes"))]
