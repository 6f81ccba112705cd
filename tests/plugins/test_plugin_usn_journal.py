"""NTFS's change journal: a real one, every record; made ones of both versions, behind a long hole; damage."""

from __future__ import annotations

import struct
from collections import Counter
from typing import TYPE_CHECKING

from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run

from triage.artifacts.structure import Notes
from triage.artifacts.usnjrnl import CLOSED, CREATED, DELETED, RENAMED_FROM, RENAMED_TO, changes

if TYPE_CHECKING:
    from triage.plugin import Item

PATH = "vol2/$Extend/$UsnJrnl:$J"
WHEN = 133_444_736_000_000_000
"""2023-11-14T22:13:20Z in 100 ns since 1601."""


def record(name: str, reasons: int, file: int = 7, time: int = WHEN, version: int = 2, attributes: int = 32) -> bytes:
    raw = name.encode("utf-16-le")
    head = 60 if version == 2 else 76
    length = -(-(head + len(raw)) // 8) * 8
    numbers = struct.pack("<QQ", file, 5 | 9 << 48) if version == 2 else file.to_bytes(16, "little") + (5).to_bytes(16, "little")
    rest = struct.pack("<QQIIIIHH", 0, time, reasons, 0, 0, attributes, len(raw), head)
    return (struct.pack("<IHH", length, version, 0) + numbers + rest + raw).ljust(length, b"\0")


class TestRealSamples:
    pytestmark = needs_samples

    def test_every_record_is_read(self) -> None:
        data = (ARTIFACTS / "iped/test_UsnJrnl.bin").read_bytes()
        notes = Notes()
        found = list(changes(lambda at, many: data[at : at + many], 0, len(data), notes))
        assert (len(found), notes.lines()) == (3084, ())  # as a plain loop over lengths counts
        assert found[0].name == "$$DeleteMemskeyprotect.dllb24e8a7b604bd7012a000000104b5c2d"
        said = run("usn_journal", item_of(data, "vol1/test_UsnJrnl.bin"))
        assert Counter(f.kind for f in findings(said)) == {"file-deleted": 24, "file-renamed": 3, "system": 1}
        assert problems(said) == []
        one = next(f for f in findings(said) if f.data.get("old_name") == "OriginUpdate_10_5_99_47918.zip.part")
        assert (one.data["time"], one.data["folder"]) == ("2021-05-20T17:54:54.185813300Z", 174469)


def test_a_picture_that_was_made_renamed_and_deleted() -> None:
    data = (
        record("IMG.jpg", CREATED)
        + record("IMG.jpg", RENAMED_FROM | CREATED)
        + record("a.jpg", RENAMED_TO | CREATED | CLOSED, time=WHEN + 10**7)
        + record("a.jpg", DELETED | CLOSED, time=WHEN + 2 * 10**7)
    )
    renamed, deleted, total = findings(run("usn_journal", item_of(data, PATH)))
    assert (renamed.title, renamed.data["time"]) == ("IMG.jpg was renamed to a.jpg", "2023-11-14T22:13:21Z")
    assert deleted.data == {
        "time": "2023-11-14T22:13:22Z", "name": "a.jpg", "made_time": "2023-11-14T22:13:20Z", "folder": 5, "file": 7,
    }  # fmt: skip
    assert total.data == {"changes": 4}


def test_other_files_and_folders_are_only_counted() -> None:
    data = record("a.dll", DELETED | CLOSED) + record("pictures.zip", DELETED | CLOSED, attributes=16)
    assert [f.kind for f in findings(run("usn_journal", item_of(data, PATH)))] == ["system"]


def test_version_3_and_a_hole_before_it() -> None:
    data = bytes(9 << 20) + record("a.mp4", DELETED | CLOSED, version=3) + bytes(4096) + record("b.mp4", DELETED | CLOSED, file=8)
    found = findings(run("usn_journal", item_of(data, PATH)), "file-deleted")
    assert [f.data["name"] for f in found] == ["a.mp4", "b.mp4"]


def test_what_is_no_record_is_passed_over_and_said() -> None:
    data = record("a.jpg", DELETED | CLOSED) + b"\xee" * 64 + record("b.jpg", DELETED | CLOSED, file=9)
    said = run("usn_journal", item_of(data, PATH))
    assert len(findings(said, "file-deleted")) == 2
    assert problems(said)[0].message == "eight bytes of a change journal that are no record were passed over (8 times)"


def test_damage_never_breaks_it() -> None:
    data = b"".join(record(f"{n}.jpg", DELETED | CLOSED, file=n) for n in range(20))
    for mutant in mutants(data, 200):
        never_fails("usn_journal", item_of(mutant, PATH))


def samples() -> list[Item]:
    return [item_of(record("a.jpg", DELETED | CLOSED), PATH)]
