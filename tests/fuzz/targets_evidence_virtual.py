"""Targets of virtual disks: QCOW, VMDK, VHD, VHDX, VDI, DMG, alone and beside a disk that they continue."""

from __future__ import annotations

import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from targets import Target

from triage.errors import EvidenceError
from triage.evidence.adc import adc
from triage.evidence.lzfse import LzfseError, lzfse
from triage.evidence.opening import open_evidence

sys.path.append(str(Path(__file__).resolve().parents[1] / "evidence"))
from test_evidence_dmg import literals
from test_evidence_lzfse import SAMPLES
from test_evidence_sparseimage import sparse
from virtual_makers import SECTOR, cowd, disk, dmg, hosted, qcow2, readable, sesparse, summed, vdi, vhd, vhdx, vmdk_descriptor

if TYPE_CHECKING:
    from collections.abc import Callable

_SMALL = disk(1 << 18)
_OTHER = uuid.UUID(int=99)
_LINE = 'RW 512 SPARSE "a.vmdk"'


def _opened(
    name: str, beside: dict[str, Callable[[], bytes]], mend: Callable[[bytes], bytes] = lambda data: data
) -> Callable[[bytes], None]:
    """Every other input gets its checksums put right: what lies behind them is to be met as well."""

    def run(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for other, make in beside.items():
                (Path(folder) / other).write_bytes(make())
            (Path(folder) / name).write_bytes(mend(data) if data and data[-1] & 1 else data)
            _, medium, warnings = open_evidence(Path(folder) / name)
            try:
                readable(medium, 65536, 40)
                assert all(warnings)
            finally:
                medium.close()

    return run


def _mended(data: bytes) -> bytes:
    """Put the checksums of a VHDX's headers, regions and first entry of its log right."""
    raw = bytearray(data)
    for at, length in ((64 << 10, 4096), (128 << 10, 4096), (192 << 10, 64 << 10), (256 << 10, 64 << 10), (1 << 20, 2 * SECTOR)):
        if len(raw) >= at + length:
            raw[at : at + length] = summed(bytes(raw[at : at + length]), length)
    return bytes(raw)


def _dirty() -> bytes:
    page = vhdx(_SMALL)[3 << 20 : (3 << 20) + SECTOR]
    return vhdx(_SMALL, log=lambda at: [(at, page)])


def _adc(data: bytes) -> None:
    assert len(adc(data, 4096)) <= 4096


_SHARED = ("triage.evidence.blockmap", "triage.evidence.virtual", "triage.evidence.virtualkinds")
TARGETS = [
    Target(
        "qcow",
        _opened("a", {"base": lambda: qcow2(_SMALL, bits=12)}),
        lambda: [
            qcow2(_SMALL, bits=12),
            qcow2(_SMALL, bits=12, packed=True),
            qcow2(bytes(1 << 18), bits=12, backing="base"),
            qcow2(_SMALL, bits=9, features=16),
        ],
        ("triage.evidence.qcow", *_SHARED),
        (EvidenceError,),
        (b"QFI\xfb",),
    ),
    Target(
        "vmdk",
        _opened("a.vmdk", {"b.vmdk": lambda: hosted(_SMALL, descriptor=vmdk_descriptor([_LINE])), "c": lambda: _SMALL}),
        lambda: [
            hosted(_SMALL, descriptor=vmdk_descriptor([_LINE])),
            hosted(_SMALL, descriptor=vmdk_descriptor([_LINE]), packed=True, footer=True),
            hosted(_SMALL, descriptor=vmdk_descriptor([_LINE], parent="b.vmdk", parent_cid="abcd1234")),
            vmdk_descriptor(['RW 100 FLAT "c" 3', 'RW 512 SPARSE "b.vmdk"', "RW 9 ZERO"], parent="b.vmdk", parent_cid="0"),
            cowd(_SMALL),
            sesparse(_SMALL),
        ],
        ("triage.evidence.vmdk", "triage.evidence.vmdk_sparse"),
        (EvidenceError,),
        (b"KDMV", b"COWD", b"RW ", b" SPARSE ", b" FLAT ", b'"b.vmdk"', b"parentCID="),
    ),
    Target(
        "vhd",
        _opened("a", {"base.vhd": lambda: vhd(_SMALL, identifier=_OTHER)}),
        lambda: [vhd(_SMALL, block=1 << 14), vhd(_SMALL, block=1 << 14, parent=("base.vhd", _OTHER, bytes(1 << 18)))],
        ("triage.evidence.vhd",),
        (EvidenceError,),
        (b"conectix", b"cxsparse"),
    ),
    Target(
        "vhdx",
        _opened("a", {"base": lambda: vhdx(_SMALL, data_write=_OTHER)}, _mended),
        lambda: [_dirty(), vhdx(_SMALL, parent=("base", _OTHER, bytes(1 << 18)))],
        ("triage.evidence.vhdx", "triage.evidence.vhdxlog"),
        (EvidenceError,),
        (b"vhdxfile", b"loge", b"desc", b"zero", b"data"),
    ),
    Target(
        "vdi",
        _opened("a", {"base": lambda: vdi(_SMALL, block=1 << 14, identifier=50)}),
        lambda: [vdi(_SMALL, block=1 << 14), vdi(_SMALL, block=1 << 14, kind=4, parent=(50, 6, bytes(1 << 18)))],
        ("triage.evidence.vdi",),
        (EvidenceError,),
    ),
    Target(
        "dmg",
        _opened("a", {}),
        lambda: [dmg(_SMALL, (0x80000004, 0x80000005, 1, 0x80000006, 0x80000007, 0x80000008), adc=literals)],
        ("triage.evidence.dmg",),
        (EvidenceError,),
        (b"koly", b"mish", b"<data>", b"</array>"),
    ),
    Target("sparseimage", _opened("a", {}), lambda: [sparse()], ("triage.evidence.sparseimage",), (EvidenceError,), (b"sprs",)),
    Target(
        "lzfse",
        lambda data: lzfse(data, 1 << 16),
        lambda: [raw for raw, _, _ in SAMPLES[:4]],
        ("triage.evidence.lzfse",),
        (LzfseError,),
        (b"bvx2", b"bvxn", b"bvx-", b"bvx$"),
    ),
    Target("adc", _adc, lambda: [literals(_SMALL[:3000]), b"\x80a\x46\0\0\x08\2"], ("triage.evidence.adc",), (ValueError,)),
]
