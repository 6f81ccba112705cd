"""What makes up each kind of virtual disk, and how it is opened: readers' answers put into words."""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from triage.escape import show
from triage.evidence import dmg, qcow, vdi, vhd, vhdx, vmdk
from triage.evidence.blockmap import DiskError, JoinedMedium, Window
from triage.evidence.medium import FileMedium
from triage.evidence.sparseimage import SparseMedium
from triage.evidence.vhdxlog import ReplayedMedium, read_log
from triage.evidence.vmdk_sparse import open_sparse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from triage.evidence.medium import Medium

_MOST_SIBLINGS = 1000


class Disk(NamedTuple):
    """A virtual disk: its bytes, what is said of it, what is wrong with it, and by what a disk that continues it knows it."""

    medium: Medium
    facts: dict[str, str]
    warnings: list[str]
    identity: str = ""


@dataclass(slots=True)
class Layer:
    """One disk of a chain: its file, its parts in other files, and the disk that it continues. ``missing``: that one's name.

    ``problem``: why it cannot be opened, when that is known.
    """

    path: Path
    kind: str
    parts: list[Path | None] = field(default_factory=list)
    below: Layer | None = None
    missing: str = ""
    problem: str = ""

    def files(self) -> list[Path]:
        """Return its file, its parts, then those of the disks below; each once."""
        found: dict[Path, None] = {}
        layer: Layer | None = self
        while layer is not None:
            found.update(dict.fromkeys(one for one in (layer.path, *layer.parts) if one is not None))
            layer = layer.below
        return list(found)


class Wants(NamedTuple):
    """What a disk names: its parts ("" for those without a file), and what it continues.

    ``raw``: that one's bytes are the disk's, whatever they look like. ``found``: it was found otherwise than by its name.
    """

    parts: Sequence[str] = ()
    below: str = ""
    raw: bool = False
    found: Path | None = None


def last_of(name: str) -> str:
    """Return the last part of a path of any system."""
    return re.split(r"[/\\]", name)[-1]


def _date(seconds: int) -> str:
    """Return a time since 1970 as ISO text; "" when there is none."""
    if not 0 < seconds < 1 << 34:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def _closing(*media: Medium | None) -> Iterator[None]:
    """Close the files when what is done with them goes wrong."""
    try:
        yield
    except BaseException:
        for medium in media:
            if medium is not None:
                medium.close()
        raise


def _kept(facts: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in facts.items() if value}


def _medium(disk: Disk | None) -> Medium | None:
    return disk.medium if disk is not None else None


def _qcow_wants(_: Path, file: Medium) -> Wants:
    header = qcow.read_header(file)
    return Wants([header.data_file] if header.data_file else [], header.backing, header.backing_format == "raw")


def _open_qcow(layer: Layer, below: Disk | None, missing: str) -> Disk:
    file = FileMedium([layer.path])
    data = FileMedium([one for one in layer.parts if one is not None]) if layer.parts else None
    with _closing(file, data):
        header = qcow.read_header(file)
        snapshots, whole = qcow.read_snapshots(file, header)
        medium = qcow.QcowMedium(file, header, _medium(below), missing, data)
    facts = {
        "virtual disk": f"QCOW version {header.version}, clusters of {1 << header.cluster_bits} bytes",
        "snapshots inside": ", ".join(" ".join(filter(None, (show(one.name), _date(one.made)))) for one in snapshots),
    }
    warnings = qcow.warnings_of(header)
    if not whole:
        warnings.append(f"it says that it holds {header.snapshots[1]} snapshots: {len(snapshots)} of them could be read by name")
    return Disk(medium, _kept(facts), warnings)


def whole_of(path: Path) -> Path:
    """Return the descriptor that names an extent as its part, where one is beside it; else the path itself."""
    file = FileMedium([path])
    try:
        if vmdk.read_descriptor(file) is not None:
            return path
    finally:
        file.close()
    siblings = [one for one in sorted(path.parent.iterdir()) if one.suffix.lower() == ".vmdk" and one != path and one.is_file()]
    for one in siblings[:_MOST_SIBLINGS]:
        file = FileMedium([one])
        try:
            found = vmdk.read_descriptor(file) if file.read_at(0, len(vmdk.START)) == vmdk.START else None
        except (OSError, DiskError):
            found = None
        finally:
            file.close()
        if found is not None and any(last_of(extent.name).casefold() == path.name.casefold() for extent in found.extents):
            return one
    return path


def _vmdk_wants(path: Path, file: Medium) -> Wants:
    found = vmdk.read_descriptor(file)
    if found is None:
        return Wants()
    names = [extent.name if extent.kind != "ZERO" else "" for extent in found.extents]
    if len(found.extents) == 1 and vmdk.is_sparse(file.read_at(0, 16)):
        names = [path.name]  # the descriptor lies in the extent, which may have been given another name since
    return Wants(names, found.below)


def _open_vmdk(layer: Layer, below: Disk | None, missing: str) -> Disk:
    file = FileMedium([layer.path])
    warnings: list[str] = []
    with _closing(file):
        found = vmdk.read_descriptor(file)
        if found is None:
            warnings.append("it is one part of a virtual disk, whose descriptor is not beside it: only this part is read")
            medium: Medium = open_sparse(file, None)
            return Disk(medium, {"virtual disk": "VMDK, one extent"}, warnings)
    file.close()
    with ExitStack() as stack:
        files: list[Medium | None] = []
        for part in layer.parts:
            files.append(FileMedium([part]) if part is not None else None)
            if files[-1] is not None:
                stack.callback(files[-1].close)
        medium = vmdk.open_extents(found, files, _medium(below), missing)
        stack.pop_all()
    keys = found.keys
    if below is not None and below.identity and below.identity != keys.get("parentcid", "").lower():
        warnings.append("the disk that it continues was changed since: what lies in that may not be what it was")
    facts = {
        "virtual disk": f"VMDK {keys.get('createtype', '')}, in {len(found.extents)} part{'s' if len(found.extents) != 1 else ''}",
        "disk identifier": keys.get("ddb.uuid", "") or keys.get("ddb.longcontentid", ""),
        "made by": f"VMware hardware version {keys['ddb.virtualhwversion']}" if keys.get("ddb.virtualhwversion") else "",
    }
    return Disk(medium, {key: show(value) for key, value in _kept(facts).items()}, warnings, keys.get("cid", "").lower())


def _vhd_wants(_: Path, file: Medium) -> Wants:
    footer = vhd.read_footer(file)
    if footer.kind != vhd.DIFFERENCING:
        return Wants()
    return Wants(below=vhd.read_header(file, footer).parent_name or "a disk without a name")


def _open_vhd(layer: Layer, below: Disk | None, missing: str) -> Disk:
    file = FileMedium([layer.path])
    warnings: list[str] = []
    with _closing(file):
        footer = vhd.read_footer(file)
        if footer.kind == vhd.FIXED:
            medium: Medium = JoinedMedium([(footer.size, Window(file, 0, file.size - (0 if footer.copy else 512)))])
        elif footer.kind in (vhd.DYNAMIC, vhd.DIFFERENCING):
            header = vhd.read_header(file, footer)
            medium = vhd.VhdMedium(file, footer, header, _medium(below), missing)
            if not header.whole:
                warnings.append("the checksum of its second header is wrong")
            if below is not None and footer.kind == vhd.DIFFERENCING and below.identity != header.parent:
                warnings.append("the disk that was found for it has another identifier than the one it continues")
        else:
            raise DiskError(f"is a VHD of a kind that is not known ({footer.kind})", "convert it with the tool that made it")
    if not footer.whole:
        warnings.append("the checksum of its footer is wrong")
    if footer.copy:
        warnings.append("its footer is damaged or missing: the copy at its head was taken")
    if footer.saved:
        warnings.append("it belongs to a machine in saved state: what that had in memory is not on the disk")
    facts = {
        "virtual disk": f"VHD, {vhd.KINDS[footer.kind]}",
        "disk identifier": footer.identifier,
        "made by": show(footer.creator),
        "made": _date(footer.made),
    }
    return Disk(medium, _kept(facts), warnings, footer.identifier)


def _vhdx(file: Medium) -> tuple[Medium, vhdx.Header, vhdx.Disk, list[str]]:
    """Put in what the log has, and read what the metadata say."""
    header = vhdx.read_header(file)
    warnings = [] if header.both else ["one of its two headers is damaged: the other was taken"]
    if any(header.log_identifier):
        log = read_log(file, *header.log, header.log_identifier)
        if log.whole:
            warnings.append(f"it was not closed: {len(log.pages) + len(log.zeros)} writes that stood in its log were put in, in memory")
            file = ReplayedMedium(file, log)
        else:
            warnings.append("it was not closed, and its log is damaged: what stood in that is missing")
    return file, header, vhdx.read_disk(file), warnings


def _vhdx_wants(_: Path, file: Medium) -> Wants:
    return Wants(below=vhdx.parent_name(_vhdx(file)[2]))


def _open_vhdx(layer: Layer, below: Disk | None, missing: str) -> Disk:
    file = FileMedium([layer.path])
    with _closing(file):
        replayed, header, disk, warnings = _vhdx(file)
        medium = vhdx.VhdxMedium(replayed, disk, _medium(below), missing)
    linked = {disk.parent.get(key, "").strip("{}").lower() for key in ("parent_linkage", "parent_linkage2")} - {""}
    if below is not None and disk.differs and linked and below.identity not in linked:
        warnings.append("the disk that it continues was changed since: what lies in that may not be what it was")
    kind = "differencing" if disk.differs else "fixed" if disk.fixed else "dynamic"
    facts = {
        "virtual disk": f"VHDX, {kind}, blocks of {disk.block} bytes",
        "disk identifier": disk.identifier,
        "made by": show(header.creator),
    }
    return Disk(medium, _kept(facts), warnings, header.data_write)


def _vdi_wants(path: Path, file: Medium) -> Wants:
    header = vdi.read_header(file)
    if header.kind != 4:
        return Wants()
    for other in [one for one in sorted(path.parent.iterdir()) if one != path and one.is_file()][:_MOST_SIBLINGS]:
        sibling = FileMedium([other])
        try:
            if header.parent and vdi.disk_of(sibling) == header.parent:
                return Wants(below=other.name, found=other)
        finally:
            sibling.close()
    return Wants(below=f"the disk {header.parent}")


def _open_vdi(layer: Layer, below: Disk | None, missing: str) -> Disk:
    file = FileMedium([layer.path])
    with _closing(file):
        header = vdi.read_header(file)
        medium = vdi.VdiMedium(file, header, _medium(below), missing)
    warnings = []
    if below is not None and header.parent_changed and below.identity != header.parent_changed:
        warnings.append("the disk that it continues was changed since: what lies in that may not be what it was")
    facts = {
        "virtual disk": f"VDI, {vdi.KINDS[header.kind]}",
        "disk identifier": header.identifier,
        "made by": show(header.creator),
        "description": show(header.comment),
    }
    return Disk(medium, _kept(facts), warnings, header.changed)


def _dmg_wants(_: Path, file: Medium) -> Wants:
    dmg.read_trailer(file)
    return Wants()


def _open_dmg(layer: Layer, _: Disk | None, __: str) -> Disk:
    file = FileMedium([layer.path])
    with _closing(file):
        trailer = dmg.read_trailer(file)
        medium = dmg.DmgMedium(file, trailer)
    facts = {
        "virtual disk": f"Apple disk image (UDIF), packed with {medium.packers() or 'nothing'}",
        "disk identifier": trailer.identifier,
        "partitions": ", ".join(show(one.name) for one in medium.partitions if one.name),
    }
    return Disk(medium, _kept(facts), [])


def _sparse_wants(_: Path, __: Medium) -> Wants:
    return Wants()


def _open_sparse(layer: Layer, _: Disk | None, __: str) -> Disk:
    file = FileMedium([layer.path])
    with _closing(file):
        medium = SparseMedium(file)
    return Disk(medium, {"virtual disk": f"Apple sparse image, bands of {medium.unit} bytes"}, [])


WANTS: dict[str, Callable[[Path, Medium], Wants]] = {
    "qcow": _qcow_wants,
    "vmdk": _vmdk_wants,
    "vhd": _vhd_wants,
    "vhdx": _vhdx_wants,
    "vdi": _vdi_wants,
    "dmg": _dmg_wants,
    "sparseimage": _sparse_wants,
}
OPENERS: dict[str, Callable[[Layer, Disk | None, str], Disk]] = {
    "qcow": _open_qcow,
    "vmdk": _open_vmdk,
    "vhd": _open_vhd,
    "vhdx": _open_vhdx,
    "vdi": _open_vdi,
    "dmg": _open_dmg,
    "sparseimage": _open_sparse,
}
