"""A volume's first bytes: every mark is known at its place, and no bytes are too odd to look at."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from triage.filesystem.signatures import _MARKS, PROBE, VolumeSignature, identify_volume
from triage.model import Encryption


@pytest.mark.parametrize(("offset", "magic", "signature"), _MARKS, ids=lambda v: v.name if isinstance(v, VolumeSignature) else None)
def test_each_mark(offset: int, magic: bytes, signature: VolumeSignature) -> None:
    head = (bytes(offset) + magic).ljust(PROBE, b"\0")
    assert identify_volume(head) is signature
    assert offset + len(magic) <= PROBE, "what is looked for must be within what is read"
    assert identify_volume(head[: offset + len(magic) - 1]) is not signature


@pytest.mark.parametrize(("name", "encrypted"), [("BitLocker", True), ("LUKS", True), ("CoreStorage (FileVault 2)", True), ("APFS", False)])
def test_locked_volumes_are_said_to_be_locked(name: str, encrypted: bool) -> None:
    signature = next(s for _, _, s in _MARKS if s.name == name)
    assert (signature.encryption is Encryption.LOCKED) == encrypted
    assert not signature.readable


def fat(**changes: int) -> bytes:
    head = bytearray(PROBE)
    head[0:3] = b"\xeb\x3c\x90"
    head[11:13] = changes.get("sector", 512).to_bytes(2, "little")
    head[13] = changes.get("cluster", 4)
    head[14:16] = changes.get("reserved", 1).to_bytes(2, "little")
    head[16] = changes.get("fats", 2)
    head[21] = changes.get("media", 0xF8)
    head[510:512] = b"\x55\xaa"
    return bytes(head)


def test_fat_is_known_by_its_parameters() -> None:
    found = identify_volume(fat())
    assert found is not None
    assert (found.name, found.readable) == ("FAT", True)


@pytest.mark.parametrize("changes", [{"sector": 0}, {"sector": 511}, {"cluster": 3}, {"cluster": 0}, {"reserved": 0}, {"fats": 0},
                                     {"fats": 3}, {"media": 0x12}])
def test_a_boot_sector_with_other_parameters_is_not_fat(changes: dict[str, int]) -> None:
    assert identify_volume(fat(**changes)) is None


def test_ext_and_zeros() -> None:
    head = bytearray(PROBE)
    assert identify_volume(bytes(head)) == VolumeSignature("nothing but zeros")
    head[1080:1082] = b"\x53\xef"
    assert identify_volume(bytes(head)) == VolumeSignature("ext2/3/4", readable=True)
    assert identify_volume(b"") is None


def test_a_bridge_disc_is_iso_9660() -> None:
    head = bytearray(PROBE)
    head[0x8001:0x8006] = b"CD001"
    head[0x8801:0x8805] = b"NSR0"
    assert identify_volume(bytes(head)) == VolumeSignature("ISO 9660", readable=True)


@settings(max_examples=200, deadline=None)
@given(head=st.one_of(st.binary(max_size=2100), st.tuples(st.sampled_from(_MARKS), st.integers(-2, 2), st.binary(max_size=40)).map(
    lambda t: (bytes(max(0, t[0][0] + t[1])) + t[0][1] + t[2]))))
@example(head=b"\x55\xaa")
@example(head=bytes(510) + b"\x55\xaa")
def test_identifying_never_raises(head: bytes) -> None:
    found = identify_volume(head)
    assert found is None or isinstance(found, VolumeSignature)
