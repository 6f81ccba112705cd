"""The recycle bin: every record of real bins of Windows 95 to 10, held against what rifiuti2 tells of them."""

from __future__ import annotations

import json
import re
import struct

import pytest
from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run

SAMPLES = ARTIFACTS / "rifiuti2_samples"


def note(path: str, size: int, deleted: int, version: int = 2) -> bytes:
    text = path.encode("utf-16-le") + b"\0\0"
    return struct.pack("<QQQ", version, size, deleted) + (
        struct.pack("<I", len(text) // 2) + text if version == 2 else text.ljust(520, b"\0")
    )


def info2(paths: list[str], gone: frozenset[int] = frozenset()) -> bytes:
    data = struct.pack("<5I", 5, 0, 0, 800, 0)
    for number, path in enumerate(paths):
        narrow = bytearray(path.encode("cp1252", "replace").ljust(260, b"\0"))
        if number in gone:
            narrow[0] = 0
        data += bytes(narrow) + struct.pack("<IIQI", number, 2, 133_500_000_000_000_000, 4096) + path.encode("utf-16-le").ljust(520, b"\0")
    return data


@pytest.mark.parametrize("version", [1, 2])
def test_a_note_says_what_was_thrown_away_when_and_by_whom(version: int) -> None:
    data = note("C:\\Users\\kim\\Pictures\\a.jpg", 4711, 133_500_000_000_000_000, version)
    (found,) = findings(run("recycle_bin", item_of(data, "vol1/$Recycle.Bin/S-1-5-21-1111111111-22-33-1001/$IAB12CD.jpg")))
    assert (found.kind, found.data["path"], found.data["size"], found.data["kept_as"]) == (
        "recycled", "C:\\Users\\kim\\Pictures\\a.jpg", 4711, "$RAB12CD.jpg",
    )  # fmt: skip
    assert (found.data["time"], found.data["user"]) == ("2024-01-17T21:20:00Z", "S-1-5-21-1111111111-22-33-1001")


def test_what_was_taken_out_of_the_bin_again_is_told_apart() -> None:
    said = findings(run("recycle_bin", item_of(info2(["C:\\a.jpg", "C:\\b.jpg"], frozenset({1})), "vol1/RECYCLER/S-1-5-21-1/INFO2")))
    assert [(f.data["path"], f.data["in_bin"], f.data["kept_as"]) for f in said] == [
        ("C:\\a.jpg", True, "Dc0.jpg"), ("C:\\b.jpg", False, "Dc1.jpg"),
    ]  # fmt: skip


def test_a_list_that_breaks_off_says_so() -> None:
    said = run("recycle_bin", item_of(info2(["C:\\a.jpg", "C:\\b.jpg"])[:-100], "vol1/RECYCLER/INFO2"))
    assert (len(findings(said)), len(problems(said))) == (1, 1)


def test_damage_never_breaks_it() -> None:
    for data in mutants(info2(["C:\\a.jpg", "D:\\b"]), 200):
        never_fails("recycle_bin", item_of(data, "vol1/RECYCLER/INFO2"))
    for data in mutants(note("C:\\a", 1, 2), 200):
        never_fails("recycle_bin", item_of(data, "vol1/$Recycle.Bin/$I123456"))


def told(name: str) -> list[dict[str, object]]:
    """Return what rifiuti2 tells; its JSON ends lists with a comma."""
    text = (SAMPLES / f"{name}.json").read_text(encoding="utf-8")
    return json.loads(re.sub(r",(\s*\])", r"\1", text))["records"]


class TestRealSamples:
    pytestmark = needs_samples

    @pytest.mark.parametrize("name", ["INFO2-sample1", "INFO2-sample2", "INFO-95-ja-1"])
    def test_every_record_of_a_real_list_is_found(self, name: str) -> None:
        truth = told(name)
        said = findings(run("recycle_bin", item_of((SAMPLES / name).read_bytes(), f"vol1/RECYCLER/{name.replace('INFO-', 'INFO2-')}")))
        got = [(f.data["index"], f.data["time"][:19] + "Z", f.data["size"], not f.data["in_bin"]) for f in said]
        assert got == [(r["index"], r["time"], r["size"], r["gone"]) for r in truth]
        for found, row in zip(said, truth, strict=True):
            if found.data["exact"] and not row["gone"]:
                assert found.data["path"] == row["path"]

    @pytest.mark.parametrize("name", ["dir-sample1", "dir-win10-01", "dir-2019-uncpath"])
    def test_every_note_of_a_real_bin_is_found(self, name: str) -> None:
        truth = {r["index"]: r for r in told(name)}
        got = {}
        for path in (SAMPLES / name).iterdir():
            if path.name.startswith("$I"):
                (found,) = findings(run("recycle_bin", item_of(path.read_bytes(), f"vol1/$Recycle.Bin/S-1/{path.name}")))
                got[path.name] = found.data
        assert set(got) == set(truth)
        for index, data in got.items():
            assert (data["path"], data["time"][:19] + "Z") == (truth[index]["path"], truth[index]["time"])
            assert data.get("size") == truth[index]["size"]
