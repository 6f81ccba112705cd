"""Images of media inside evidence: disk images, virtual disks, encrypted volumes in files, other tools' packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_WHAT = {
    "e01": "an Expert Witness image (E01)",
    "ex01": "an Expert Witness image (Ex01)",
    "l01": "EnCase's logical evidence (L01)",
    "ad1": "a logical image of FTK (AD1)",
    "aff": "an AFF image",
    "qcow2": "a virtual disk (QCOW)",
    "vmdk": "a virtual disk (VMDK)",
    "vhd": "a virtual disk (VHD)",
    "vhdx": "a virtual disk (VHDX)",
    "vdi": "a virtual disk (VDI)",
    "dmg": "a disk image of macOS (DMG)",
    "iso9660": "an image of a disc (ISO)",
    "fs-image": "an image of a disk or a volume",
    "luks": "an encrypted volume in a file (LUKS)",
    "bitlocker": "an encrypted volume in a file (BitLocker)",
    "android-backup": "a backup of an Android phone (.ab)",
}
_PACKAGES = {
    ".aff4": "an AFF4 image",
    ".ufdr": "a report package of Cellebrite (UFDR)",
    ".clbx": "a phone's extraction by Cellebrite (CLBX)",
}
_FILES = frozenset({Kind.FILE, Kind.CARVED, Kind.DERIVED, Kind.STREAM})


class EvidenceInside:
    """Findings ``evidence-inside``: what could be examined as evidence of its own (``triage run --nested``)."""

    name = "evidence_inside"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=(*_WHAT, "zip"), min_size=512)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield at most one finding; of an image in several files, at the first."""
        kind = item.type.name if item.type is not None else ""
        what = _WHAT.get(kind, "")
        if kind == "zip":
            what = next((text for end, text in _PACKAGES.items() if item.entry.name.lower().endswith(end)), "")
        if not what or item.entry.kind not in _FILES:
            return
        if kind in ("e01", "ex01", "l01"):
            head = item.read_at(0, 16)
            second = head[3:5] == b"2\r"  # the format's second version has the segment's number elsewhere
            if int.from_bytes(head[12:16] if second else head[9:11], "little") != 1:
                return  # a further segment
        yield item.finding("evidence-inside", what, {"type": kind, "size": item.size, **whose(item.entry.path)})


PLUGIN = EvidenceInside
