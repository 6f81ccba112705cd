"""What volumes hold volumes as: the metadata of BitLocker and LVM2, startup keys."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from targets import Target

from triage.evidence.bitlocker import BitlockerError, describe_bitlocker, open_bitlocker, startup_key
from triage.evidence.lvm import LvmError, open_group, parse, read_physical
from triage.evidence.mdraid import MdError, describe_member, open_member, read_member
from triage.evidence.medium import DamagedRangeError

sys.path += [str(Path(__file__).resolve().parents[1] / folder) for folder in ("filesystem", "evidence")]
from bitlocker_maker import bitlocker, protector, startup_file
from evidence_bytes import Bytes
from lvm_maker import linear, metadata, mirrored, physical, striped
from md_maker import member


def _bitlocker(data: bytes) -> None:
    with contextlib.suppress(BitlockerError):
        describe_bitlocker(Bytes(data))
        found = open_bitlocker(Bytes(data), ["bek:AAAA"])
        if found is not None:
            found.read_at(0, 9000)
    with contextlib.suppress(ValueError):
        startup_key(data)


def _md(data: bytes) -> None:
    with contextlib.suppress(MdError):
        found = read_member(Bytes(data))
        describe_member(found)
        medium = open_member(Bytes(data), found)
        if medium is not None:
            assert len(medium.read_at(0, 5000)) <= 5000


def _lvm(data: bytes) -> None:
    with contextlib.suppress(LvmError):
        parse(data.decode("utf-8", "replace"))
    with contextlib.suppress(LvmError, DamagedRangeError):
        medium = Bytes(data)
        one = read_physical(medium)
        for volume in open_group(one.text, {one.id: medium})[1]:
            if volume.medium is not None:
                volume.medium.read_at(0, 5000)


LOGICAL = {
    "root": linear((0, 0, 1), (0, 3, 1)),
    "fast": striped(2, 4096, (0, 1), (0, 2)),
    "twice": mirrored(1, "_leg"),
    "_leg": linear((0, 0, 1)),
}

TARGETS = [
    Target("bitlocker", _bitlocker, lambda: [bitlocker(bytes(4096), protector("clear")), startup_file()],
           ("triage.evidence.bitlocker", "triage.evidence.bitlockersectors"), tokens=(b"-FVE-FS-",)),
    Target("md-raid", _md, lambda: [member(bytes(4096), data=16)], ("triage.evidence.mdraid",)),
    Target("lvm2", _lvm, lambda: [physical(metadata(LOGICAL), bytes(5 << 16)), metadata(LOGICAL).encode()],
           ("triage.evidence.lvm",), tokens=(b"LABELONE", b"stripes", b"segment1", b"{", b"}", b"[")),
]  # fmt: skip
