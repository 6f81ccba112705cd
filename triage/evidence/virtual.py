"""Virtual disks as evidence: which files make one up (parts, and the disks that it continues), and the disk that they hold.

Parts and parents are looked for beside the file that was named, by the last part of the names that it has for them: other folders than
this one are none of its business. One that is missing is an error, as a missing segment is: what it lacks would look like zeros.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from triage.errors import EvidenceError
from triage.escape import show
from triage.evidence import qcow, vdi, vhd, vmdk
from triage.evidence.dmg import open_dmg
from triage.evidence.medium import FileMedium

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from triage.evidence.medium import Medium
    from triage.evidence.yal import YalMedium

KINDS = ("qcow", "vmdk", "vhd", "vhdx", "vdi", "dmg")
_MOST_PARENTS, _MOST_EXTENTS = 64, 4096


class Disk(NamedTuple):
    """A virtual disk: its bytes, what is said of it, and what is wrong with it."""

    medium: Medium
    facts: dict[str, str]
    warnings: list[str]


def files_of(kind: str, path: Path) -> list[Path]:
    """Return the files of a disk: the one that was named, its parts, then the same of the disks that it continues.

    Raises ``EvidenceError`` when one is missing.
    """
    found = [path]
    current, seen = path, {path.name}
    for _ in range(_MOST_PARENTS):
        with _reading(current), _opened(current) as file:
            parts = dict.fromkeys(part for part in _parts(kind, current, file) if part.name not in seen)
            name = _parent(kind, file)
        found += parts
        seen.update(part.name for part in parts)
        if not name:
            return found
        current = _beside(path, name, "continues", "which is not beside it: without it, what it did not change would be missing")
        if current.name in seen:
            raise EvidenceError(f"{path.name} continues itself", hint="the image is damaged")
        seen.add(current.name)
        found.append(current)
    raise EvidenceError(f"{path.name} continues more than {_MOST_PARENTS} disks", hint="convert it: qemu-img convert -O raw")


def _parts(kind: str, path: Path, file: Medium) -> list[Path]:
    if kind != "vmdk":
        return []
    text = vmdk.descriptor(file)
    names = [name for name in vmdk.extents_of(text) if _last(name).lower() != path.name.lower()][:_MOST_EXTENTS]
    if not text:
        raise EvidenceError(f"{path.name} is a part of a virtual disk", hint="give the disk's descriptor, the .vmdk without a number")
    return [_beside(path, name, "consists of", "which is not beside it") for name in names]


def _parent(kind: str, file: Medium) -> str:
    if kind == "qcow":
        raw = file.read_at(0, 4) != qcow.MAGIC  # others continue it, and it continues nothing
        return "" if raw else qcow.read_header(file).backing.removeprefix("file:")
    if kind == "vmdk":
        return vmdk.parent_of(vmdk.descriptor(file))
    return vhd.parent_of(file) if kind in ("vhd", "vhdx") else ""


def _last(name: str) -> str:
    return re.split(r"[/\\]", name)[-1]


def _beside(path: Path, name: str, verb: str, missing: str) -> Path:
    wanted = _last(name)
    found = path.with_name(wanted) if wanted not in ("", ".", "..") and "\0" not in wanted else path
    if found != path and found.is_file():
        return found
    for other in sorted(path.parent.iterdir()):
        if other.name.lower() == wanted.lower() and other != path and other.is_file():
            return other
    raise EvidenceError(f"{path.name} {verb} {show(wanted)}, {missing}", hint="put it there under this name")


@contextmanager
def _opened(path: Path) -> Iterator[FileMedium]:
    file = FileMedium([path])
    try:
        yield file
    finally:
        file.close()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what the readers say into one line."""
    try:
        yield
    except OSError as error:
        raise EvidenceError(f"{path.name} cannot be read: {error.strerror or error}", hint="get a whole copy") from error
    except ValueError as error:
        hint = "get a whole copy, or convert it: qemu-img convert -O raw"
        raise EvidenceError(f"{path.name} cannot be opened: {error}", hint=hint) from error


def open_disk(kind: str, paths: list[Path]) -> Disk:
    """Open a disk by its files, as :func:`files_of` gave them. Raises ``EvidenceError``."""
    with _reading(paths[0]):
        return _OPENERS[kind](paths)


def _qcow(paths: list[Path]) -> Disk:
    medium: Medium | None = None
    facts: dict[str, str] = {}
    warnings: list[str] = []
    for path in reversed(paths):
        file = FileMedium([path])
        if file.read_at(0, 4) != qcow.MAGIC:
            medium = file  # a raw image that others continue
            continue
        header = qcow.read_header(file)
        warnings += [f"{path.name}: {line}" for line in qcow.warnings_of(header)]
        names = ", ".join(show(name) for name in qcow.snapshot_names(file, header))
        facts = {"virtual disk": f"QCOW version {header.version}", "snapshots inside": names}
        medium = qcow.QcowMedium(file, header, medium)
    if medium is None:
        raise qcow.QcowError("it has no file")
    return Disk(medium, _kept(facts, paths), warnings)


def _vmdk(paths: list[Path]) -> Disk:
    parent: YalMedium | None = None
    facts: dict[str, str] = {}
    disks = _grouped(paths)
    for path, parts in reversed(disks):
        file = FileMedium([path])
        text = vmdk.descriptor(file)
        facts = {"virtual disk": vmdk.kind_of(text)}
        named = {_last(name).lower() for name in vmdk.extents_of(text)}
        own = [path] if path.name.lower() in named else []
        order = {_last(name).lower(): number for number, name in enumerate(vmdk.extents_of(text))}
        extents = sorted((*own, *parts), key=lambda p: order.get(p.name.lower(), len(order)))
        parent = vmdk.open_vmdk(file, [FileMedium([extent]) for extent in extents], parent)
    if parent is None:
        raise vmdk.VmdkError("it has no file")
    return Disk(parent, _kept(facts, [path for path, _ in disks]), [])


def _grouped(paths: list[Path]) -> list[tuple[Path, list[Path]]]:
    """Return each disk of a chain with its parts."""
    disks: list[tuple[Path, list[Path]]] = []
    rest = list(paths)
    while rest:
        path = rest.pop(0)
        with _opened(path) as file:
            names = {_last(name).lower() for name in vmdk.extents_of(vmdk.descriptor(file))} - {path.name.lower()}
        parts = []
        while rest and rest[0].name.lower() in names:
            parts.append(rest.pop(0))
        disks.append((path, parts))
    return disks


def _vhd(paths: list[Path]) -> Disk:
    parent: YalMedium | None = None
    facts: dict[str, str] = {}
    warnings: list[str] = []
    for path in reversed(paths):
        parent, facts, said = vhd.open_vhd(FileMedium([path]), parent)
        warnings += [f"{path.name}: {line}" for line in said]
    if parent is None:
        raise vhd.VhdError("it has no file")
    return Disk(parent, _kept(facts, paths), warnings)


def _vdi(paths: list[Path]) -> Disk:
    file = FileMedium(paths[:1])
    header = vdi.read_header(file)
    facts = {"virtual disk": f"VDI, {vdi.kind_name(header)}", "made by": show(header.created), "disk identifier": header.identifier}
    return Disk(vdi.VdiMedium(file, header), _kept(facts, paths), [])


def _dmg(paths: list[Path]) -> Disk:
    return Disk(open_dmg(FileMedium(paths[:1])), {}, [])


_OPENERS: dict[str, Callable[[list[Path]], Disk]] = {"qcow": _qcow, "vmdk": _vmdk, "vhd": _vhd, "vhdx": _vhd, "vdi": _vdi, "dmg": _dmg}


def _kept(facts: dict[str, str], chain: list[Path]) -> dict[str, str]:
    found = {key: value for key, value in facts.items() if value}
    return {**found, "continues": ", ".join(show(path.name) for path in chain[1:])} if len(chain) > 1 else found
