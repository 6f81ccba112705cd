"""Virtual disks as evidence: which files make one up, and the disk that they hold.

Parts and the disks that one continues are looked for beside it, by the last part of the names that it has for them: its other folders
are none of our business. A part that is missing is an error, as a missing segment is. A disk that is missing below is told: what lies
in it cannot be read, and is not taken for zeros.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from triage.errors import EvidenceError
from triage.escape import show
from triage.evidence.blockmap import DiskError, JoinedMedium, MappedMedium
from triage.evidence.dmg import DmgMedium
from triage.evidence.medium import FileMedium
from triage.evidence.sniff import HEAD, TAIL, sniff
from triage.evidence.virtualkinds import OPENERS, WANTS, Disk, Layer, Wants, last_of, whole_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from triage.evidence.medium import Medium

KINDS = ("qcow", "vmdk", "vhd", "vhdx", "vdi", "dmg", "sparseimage")
_MOST_BELOW = 64


def files_of(kind: str, path: Path) -> list[Path]:
    """Return all files of a disk, the named one first; raise ``EvidenceError`` when a part is missing, or nothing can be made of it."""
    try:
        return _layers(kind, path).files()
    except (OSError, DiskError) as error:
        raise _refused(path, error) from error


def open_disk(kind: str, path: Path) -> Disk:
    """Open a disk and what it continues; raise ``EvidenceError``."""
    try:
        return _open(_layers(kind, path))
    except (OSError, DiskError) as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError | DiskError) -> EvidenceError:
    if isinstance(error, DiskError):
        return EvidenceError(f"{path.name} {error}", hint=error.hint)
    return EvidenceError(f"{path.name} cannot be read: {error.strerror or error}", hint="get a whole copy")


def _layers(kind: str, path: Path) -> Layer:
    path = whole_of(path) if kind == "vmdk" else path
    top = layer = Layer(path, kind)
    seen = [path]
    for _ in range(_MOST_BELOW):
        if layer.kind not in KINDS:
            return top
        try:
            wants = _wants(layer)
        except (OSError, DiskError) as error:
            if layer is top:
                raise
            layer.problem = _refused(layer.path, error).message
            return top
        if not wants.below:
            return top
        found = wants.found or beside(layer.path, wants.below)
        if found is None:
            layer.missing = wants.below
            return top
        if any(found.samefile(one) for one in seen):
            raise DiskError("continues itself", "get a whole copy: it is damaged")
        seen.append(found)
        layer.below = Layer(found, "raw" if wants.raw else _kind_of(found))
        layer = layer.below
    raise DiskError(f"continues more than {_MOST_BELOW} disks", "convert it with the tool that made it")


def _wants(layer: Layer) -> Wants:
    """Return what a disk names, its parts found."""
    file = FileMedium([layer.path])
    try:
        wants = WANTS[layer.kind](layer.path, file)
    finally:
        file.close()
    layer.parts = [_part(layer.path, name) for name in wants.parts]
    return wants


def _part(path: Path, name: str) -> Path | None:
    if not name:
        return None
    if last_of(name).casefold() == path.name.casefold():
        return path
    found = beside(path, name)
    if found is None:
        raise DiskError(f"consists of {show(last_of(name))} as well, which is not beside it", "put it there under this name")
    return found


def _kind_of(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(HEAD)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL))
        return sniff(head, file.read(TAIL), size).kind


def beside(path: Path, name: str) -> Path | None:
    """Return the file of a name in a file's folder, in any case of letters; ``None`` when there is none, or it is that file."""
    wanted = last_of(name)
    if wanted in ("", ".", "..") or "\0" in wanted or len(wanted) > 255:
        return None
    exact = path.with_name(wanted)
    if exact.is_file() and not exact.samefile(path):
        return exact
    folded = wanted.casefold()
    for other in sorted(path.parent.iterdir()):
        if other.name.casefold() == folded and other.is_file() and not other.samefile(path):
            return other
    return None


def _open(layer: Layer) -> Disk:
    """Open a disk and those below it, from the lowest up."""
    chain = [layer]
    while chain[-1].below is not None:
        chain.append(chain[-1].below)
    disk: Disk | None = None
    missing = ""
    said: list[str] = []
    for one in reversed(chain):
        if one.missing:
            missing = show(last_of(one.missing) or one.missing)
            said.append(f"{one.path.name} continues {missing}, which is not beside it: what lies in that cannot be read")
        try:
            disk = _open_one(one, disk, missing)
        except (OSError, DiskError) as error:
            if disk is not None:
                disk.medium.close()
            if one is layer:
                raise
            disk, missing = None, show(one.path.name)
            said.append((one.problem or _refused(one.path, error).message) + ": what lies in it cannot be read")
            continue
        said += [f"{one.path.name}: {line}" for line in disk.warnings]
        missing = ""
    if disk is None:
        raise DiskError("cannot be opened")
    facts = disk.facts
    if len(chain) > 1:
        facts = {**facts, "continues": ", ".join(show(one.path.name) for one in chain[1:])}
    return Disk(disk.medium, facts, said)


def _open_one(layer: Layer, below: Disk | None, missing: str) -> Disk:
    if layer.problem:
        raise DiskError(layer.problem)
    if layer.kind in OPENERS:
        return OPENERS[layer.kind](layer, below, missing)
    if layer.kind not in ("raw", "text"):
        raise DiskError(f"is of a kind that is not read below another disk ({layer.kind})")
    return Disk(FileMedium([layer.path]), {"virtual disk": "raw"}, [])


def surveyed(medium: Medium, beat: Callable[[], None]) -> tuple[dict[str, str], list[str]]:
    """Look through all tables of a disk; return how much of it is stored, as a fact, and warnings of what cannot be read."""
    if not isinstance(medium, MappedMedium | JoinedMedium | DmgMedium):
        return {}, []
    found = medium.survey(beat)
    said = [f"the virtual disk: {line}" for line in medium.notes()]
    said += [f"{size} bytes of the virtual disk cannot be read: {why}" for why, size in found.lost.items() if size]
    if not found.whole:
        said.append("the tables of the virtual disk are larger than what is looked through: damage in the rest shows when it is read")
    return {"stored": f"{found.stored} of {medium.size} bytes"}, said
