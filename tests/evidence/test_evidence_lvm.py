"""LVM2: logical volumes in one piece, in several, striped and mirrored; devices that are missing; damage."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from triage.evidence.lvm import LvmError, open_group, parse, read_physical
from triage.evidence.medium import DamagedRangeError

sys.path.append(str(Path(__file__).resolve().parents[1] / "filesystem"))
from evidence_bytes import Bytes
from lvm_maker import EXTENT, IDS, linear, metadata, mirrored, other, physical, striped

FIRST, SECOND = (random.Random(n).randbytes(12 * EXTENT) for n in (1, 2))


def extents(data: bytes, start: int, many: int) -> bytes:
    return data[start * EXTENT : (start + many) * EXTENT]


def opened(text: str, payloads: tuple[bytes, ...] = (FIRST,)) -> tuple[dict[str, bytes | str], list[str]]:
    """Return what each logical volume holds, or why it cannot be read."""
    media = {IDS[number]: Bytes(physical(text, payload, number)) for number, payload in enumerate(payloads)}
    for number, identifier in enumerate(IDS[: len(payloads)]):
        assert read_physical(media[identifier]).id == IDS[number]
    name, found, missing = open_group(read_physical(media[IDS[0]]).text, media)
    assert name == "vg0"
    return {one.name: one.medium.read_at(0, one.medium.size) if one.medium is not None else one.why for one in found}, missing


def test_linear_volumes_are_put_together_of_their_stretches() -> None:
    text = metadata({"root": linear((0, 0, 3), (0, 7, 2)), "home": linear((0, 3, 4))})
    assert opened(text) == (
        {"vg0/home": extents(FIRST, 3, 4), "vg0/root": extents(FIRST, 0, 3) + extents(FIRST, 7, 2)},
        [],
    )


def test_a_volume_over_two_devices() -> None:
    text = metadata({"root": linear((1, 1, 2), (0, 5, 2))}, devices=2)
    assert opened(text, (FIRST, SECOND))[0] == {"vg0/root": extents(SECOND, 1, 2) + extents(FIRST, 5, 2)}


def test_stripes_come_in_turn() -> None:
    step = 4096
    text = metadata({"fast": striped(4, step, (0, 1), (1, 3))}, devices=2)
    found = opened(text, (FIRST, SECOND))[0]["vg0/fast"]
    one, two = extents(FIRST, 1, 2), extents(SECOND, 3, 2)
    assert found == b"".join(one[at : at + step] + two[at : at + step] for at in range(0, len(one), step))


def test_a_mirror_is_read_by_a_leg_that_is_there() -> None:
    logical = {"twice": mirrored(2, "_leg1", "_leg0"), "_leg0": linear((0, 4, 2)), "_leg1": linear((1, 0, 2))}
    assert opened(metadata(logical, devices=2), (FIRST,)) == ({"vg0/twice": extents(FIRST, 4, 2)}, ["/dev/sdb"])


def test_what_lies_on_a_missing_device_cannot_be_read() -> None:
    text = metadata({"root": linear((0, 0, 1), (1, 0, 1))}, devices=2)
    medium = Bytes(physical(text, FIRST))
    _, (one,), missing = open_group(read_physical(medium).text, {IDS[0]: medium})
    assert missing == ["/dev/sdb"]
    assert one.why == f"{EXTENT} bytes of it lie on a device that is not there"
    assert one.medium is not None
    assert one.medium.read_at(100, 1000) == FIRST[100:1100]
    with pytest.raises(DamagedRangeError, match="device that is not there"):
        one.medium.read_at(EXTENT - 10, 20)
    assert one.medium.damaged == {EXTENT - 10: (20, "it lies on a device that is not there")}


@pytest.mark.parametrize("kind", ["thin-pool", "thin", "snapshot", "raid5_ls"])
def test_what_is_not_read_is_named(kind: str) -> None:
    assert opened(metadata({"odd": other(2, kind)}))[0] == {"vg0/odd": f"a segment of it is of the type {kind!r}, which is not read"}


def test_metadata_that_goes_round_its_area() -> None:
    text = metadata({"root": linear((0, 0, 2))})
    assert read_physical(Bytes(physical(text, FIRST, wrap=True))).text == text.rstrip("\n")


def test_what_is_no_metadata_is_refused() -> None:
    with pytest.raises(LvmError, match="no label"):
        read_physical(Bytes(bytes(4096)))
    with pytest.raises(LvmError, match="cannot be read"):
        read_physical(Bytes(physical("", b"")[:4096]))
    for text in ("a {", "a = [1, 2", 'a = "b', "} }", "a { b = } }", "x { " * 20):
        try:
            assert "physical_volumes" not in parse(text)
        except LvmError:
            continue


def test_damage_never_breaks_it() -> None:
    rng = random.Random(3)
    logical = {
        "root": linear((0, 0, 3), (0, 7, 2)),
        "fast": striped(4, 4096, (0, 1), (0, 5)),
        "twice": mirrored(2, "_leg"),
        "_leg": linear((0, 4, 2)),
    }
    data = physical(metadata(logical), FIRST)
    whole = 0
    for _ in range(400):
        mutant = bytearray(data)
        for _ in range(rng.choice((1, 4))):
            at = rng.choice((512, 4096, 5120)) + rng.randrange(rng.choice((64, 1600)))
            mutant[at : at + 3] = rng.choice((rng.randbytes(3), b"999", b"\xff\xff\xff", b"}{]"))
        medium = Bytes(bytes(mutant))
        try:
            one = read_physical(medium)
            _, found, _ = open_group(one.text, {one.id: medium})
        except LvmError:
            continue
        for volume in found:
            if volume.medium is not None:
                whole += 1
                for place in (0, volume.medium.size - 100):
                    try:
                        volume.medium.read_at(place, 200)
                    except DamagedRangeError:
                        continue
    assert whole > 100
