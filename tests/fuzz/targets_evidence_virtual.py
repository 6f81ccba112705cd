"""Virtual disks: headers, tables and descriptors of every kind."""

from __future__ import annotations

import contextlib
import io
import sys
import tarfile
import tempfile
from pathlib import Path

from targets import Target

from triage.errors import EvidenceError
from triage.evidence import qcow, vdi, vmdk
from triage.evidence.opening import open_evidence

sys.path += [str(Path(__file__).resolve().parents[1] / "evidence")]
from evidence_bytes import Bytes

_DISKS = Path(__file__).resolve().parents[1] / "evidence" / "virtual_disks.tar.xz"


def _seeds(*names: str) -> list[bytes]:
    with tarfile.open(fileobj=io.BytesIO(_DISKS.read_bytes()), mode="r:xz") as archive:
        return [file.read() for name in names if (file := archive.extractfile(f"./{name}")) is not None]


def _qcow(data: bytes) -> None:
    with contextlib.suppress(ValueError, OSError):
        header = qcow.read_header(Bytes(data))
        qcow.snapshot_names(Bytes(data), header)
        medium = qcow.QcowMedium(Bytes(data), header, None)
        medium.read_at(0, 100_000)
        medium.read_at(medium.size - 100, 100)


def _vdi(data: bytes) -> None:
    with contextlib.suppress(ValueError, OSError):
        medium = vdi.VdiMedium(Bytes(data), vdi.read_header(Bytes(data)))
        medium.read_at(0, 100_000)


def _others(data: bytes) -> None:
    vmdk.extents_of(data)
    vmdk.parent_of(data)
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(EvidenceError, OSError):
        path = Path(folder) / "disk"
        path.write_bytes(data)
        _, medium, _ = open_evidence(path)
        with contextlib.suppress(OSError):
            medium.read_at(0, 100_000)
        medium.close()


TARGETS = [
    Target("qcow", _qcow, lambda: _seeds("zstd.qcow2", "subclusters.qcow2", "firstpacked.qcow", "old.qcow2"), ("triage.evidence.qcow",)),
    Target("vdi", _vdi, lambda: [seed[:5000] for seed in _seeds("dynamic.vdi")], ("triage.evidence.vdi",)),
    Target("virtual-disks", _others, lambda: _seeds("monolithicSparse.vmdk", "streamOptimized.vmdk", "dynamic.vhd", "monolithicFlat.vmdk"),
           ("triage.evidence.virtual", "triage.evidence.vmdk", "triage.evidence.vhd", "triage.evidence.dmg")),
]  # fmt: skip
