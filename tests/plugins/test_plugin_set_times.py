"""Times that a tool has set, on a made table and on the tables of real volumes, where nobody has."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from real_samples import EVIDENCE, findings, item_of, mutants, needs_samples, never_fails, problems, run

from triage.artifacts.mft import record_size, records
from triage.evidence.opening import open_evidence
from triage.filesystem.describe import open_file_system
from triage.filesystem.image import tsk_image

if TYPE_CHECKING:
    from triage.plugin import Item

SECOND = 10_000_000
CAME = 133_500_000_123_456_789  # 2024-01-17T21:20:12Z
BEFORE = 126_000_000_000_000_000  # 2000-04-12T08:00:00Z


def attribute(kind: int, value: bytes) -> bytes:
    length = (24 + len(value) + 7) & ~7
    return struct.pack("<IIBBHHHIHH", kind, length, 0, 0, 24, 0, 0, len(value), 24, 0).ljust(24, b"\0") + value.ljust(length - 24, b"\0")


def record(name: str, parent: int, standard: tuple[int, ...], named: tuple[int, ...], *, flags: int = 1) -> bytes:
    text = name.encode("utf-16-le")
    body = attribute(0x10, struct.pack("<4Q", *standard) + bytes(16))
    body += attribute(0x30, struct.pack("<Q4Q", parent, *named) + bytes(24) + struct.pack("<BB", len(name), 1) + text)
    body += struct.pack("<I", 0xFFFFFFFF)
    head = b"FILE" + struct.pack("<HHQHHHHIIQHHI", 48, 3, 0, 1, 1, 56, flags, 56 + len(body), 1024, 0, 4, 0, 0)
    raw = bytearray((head.ljust(48, b"\0") + b"\7\0" + bytes(6) + body).ljust(1024, b"\0"))
    for number in (1, 2):
        raw[48 + 2 * number : 50 + 2 * number] = raw[number * 512 - 2 : number * 512]
        raw[number * 512 - 2 : number * 512] = b"\7\0"
    return bytes(raw)


def table() -> bytes:
    late, set_ = (CAME,) * 4, (BEFORE,) * 4
    return b"".join([
        record("$MFT", 5, late, late),
        record("Users", 5, late, late, flags=3),
        record("secret.jpg", 1, set_, late),
        record("honest.jpg", 1, late, late),
        record("copied.jpg", 1, (CAME, BEFORE, CAME, CAME), late),
        record("gone.jpg", 1, set_, late, flags=0),
    ])  # fmt: skip


def samples() -> list[Item]:
    return [item_of(table(), "vol1/$MFT")]


def test_a_file_whose_times_were_set_is_told_with_both() -> None:
    said = findings(run("set_times", item_of(table(), "vol1/$MFT")))
    assert [(f.data["path"], f.data["created"], f.data["created_by_its_name"], f.data["deleted"]) for f in said] == [
        ("Users/secret.jpg", "2000-04-12T08:00:00Z", "2024-01-17T21:20:12.345678900Z", False),
        ("Users/gone.jpg", "2000-04-12T08:00:00Z", "2024-01-17T21:20:12.345678900Z", True),
    ]
    assert said[0].ranges == ((2048, 1024),)


def test_what_is_no_table_says_nothing() -> None:
    assert run("set_times", item_of(b"x" * 8192, "vol1/$MFT")) == []


def test_a_record_that_was_half_written_is_passed_over() -> None:
    data = bytearray(table())
    data[2048 + 510] ^= 1
    assert [f.data["path"] for f in findings(run("set_times", item_of(bytes(data), "vol1/$MFT")))] == ["Users/gone.jpg"]


def test_damage_never_breaks_it() -> None:
    for data in mutants(table(), 400):
        never_fails("set_times", item_of(data, "vol1/$MFT"))


class TestRealSamples:
    pytestmark = needs_samples

    def test_the_files_of_a_real_volume_are_those_that_tsk_knows_and_nobody_has_set_their_times(self) -> None:
        evidence, medium, _ = open_evidence(EVIDENCE / "images" / "velociraptor" / "test.ntfs.dd.E01")
        fs = open_file_system(tsk_image(medium, evidence.paths), 0)
        file = fs.open_meta(0)
        data = file.read_random(0, int(file.info.meta.size))
        read_at = lambda offset, length: data[offset : offset + length]  # noqa: E731
        assert record_size(read_at) == 1024
        found = {one.number: one for one in records(read_at, len(data), 1024, 100_000)}
        assert len(found) >= 20
        for number, one in found.items():
            meta = fs.open_meta(number).info.meta
            assert (one.standard.modified - 116_444_736_000_000_000) // SECOND == int(meta.mtime)
            assert one.directory == (int(meta.type) == 2)
        assert run("set_times", item_of(data, "vol1/$MFT")) == []
        assert problems(run("set_times", item_of(data, "vol1/$MFT"))) == []
        medium.close()
