"""Media made to cost: endless holes, many files on the same blocks, directories in circles, paths without end, chains in circles."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Any

import pytest
from engine_support import coverage, digest, files, problems, profile_with, run_case
from ext_image import ROOT, ExtImage
from fat_image import make_fat

from triage.engine.budget import ReadBudget
from triage.model import Entry, Kind

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30


def messages(case: Path, path: str | None = None) -> str:
    return "\n".join(p["message"] for p in problems(case) if path is None or p["path"] == path)


# ---- sizes that lie (T12) ----------------------------------------------------------------------------------------------------


def test_a_sparse_file_of_4_tib_is_listed_and_skipped_at_the_limit_and_that_is_said(tmp_path: Path) -> None:
    image = ExtImage(block=4096)
    image.file(b"monster", b"end of it", gap=5, size=4 << 40)
    image.file(b"note.txt", b"hello")
    (tmp_path / "m.raw").write_bytes(image.build(2048))
    began = time.monotonic()
    run_case(tmp_path / "m.raw", tmp_path / "case")
    assert time.monotonic() - began < 10
    row = files(tmp_path / "case")["vol1/monster"]
    assert (row["size"], row["outcome"], row["md5"]) == (4 << 40, "skipped", None)
    assert row["runs"], "where its bytes lie is known"
    assert "larger than the limit of" in row["outcome_reason"]
    assert "more than the whole medium has: 4096 of them lie on it" in messages(tmp_path / "case", "vol1/monster")
    assert files(tmp_path / "case")["vol1/note.txt"]["outcome"] == "done"


def monsters(path: Path, count: int, size: int) -> Path:
    image = ExtImage(block=4096)
    for n in range(count):
        image.file(b"m%03d" % n, b"%d" % n, gap=5, size=size)
    image.file(b"z.txt", b"the last and small")
    path.write_bytes(image.build(2048))
    return path


def test_holes_are_read_only_up_to_a_budget_and_what_was_left_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.engine.budget.FLOOR", GIB)
    budgeted = monsters(tmp_path / "small.raw", 40, 60 << 20)
    result = run_case(budgeted, tmp_path / "case")
    rows = files(tmp_path / "case")
    read = [r for r in rows.values() if r["outcome"] == "done"]
    left_out = [r for r in rows.values() if "more than 3 times the medium" in r["outcome_reason"]]
    assert len(left_out) == 40 - GIB // (60 << 20)
    assert sum(r["size"] for r in read) <= GIB
    assert rows["vol1/z.txt"]["outcome"] == "done", "what fits into the rest is read"
    assert not any(r["md5"] for r in left_out)
    assert f"{len(left_out)} files were not read ({len(left_out) * (60 << 20)} bytes by their sizes)" in messages(tmp_path / "case")
    assert coverage(tmp_path / "case")["skipped_why"]["the volume's contents add up to more than 3 times the medium"] == len(left_out)
    assert any("listed but not read (the volume's contents add up" in said for said in coverage(tmp_path / "case")["not_done"])
    assert result.complete


def test_the_budget_is_three_media_or_16_gib_and_begins_anew_with_a_walk() -> None:
    def entry(n: int, size: int, **other: Any) -> Entry:
        return Entry(id=str(n), evidence="e", volume=1, path=f"vol1/{n}", name=str(n), kind=Kind.FILE, size=size, meta_addr=n, **other)

    for medium, allowed in ((8 << 20, 16 * GIB), (100 * GIB, 300 * GIB)):
        budget = ReadBudget({"e": medium}, 8 * GIB)
        for _ in range(2):
            budget.begin("e", 1)
            admitted = [n for n in range(1000) if budget.reason(entry(n, 4 * GIB)) is None]
            assert admitted == list(range(allowed // (4 * GIB)))
            assert budget.reason(entry(2, 4 * GIB)) is None, "a further name of what was admitted"
            assert budget.reason(entry(999, 4 * GIB)) is not None, "a further name of what was not"
            assert budget.reason(entry(1001, 9 * GIB)) is None, "too large to be read at all: it costs nothing"
            assert budget.reason(entry(1002, 0)) is None


def test_many_files_on_the_same_blocks_are_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.engine.budget.FLOOR", 0)
    image = ExtImage(block=1024)
    first = image.file(b"first", bytes(range(256)) * 800)
    for n in range(20):
        image.name(ROOT, b"link%02d" % n, first)  # hard links are read once, and cost nothing
    for n in range(20):
        image.file(b"same%02d" % n, bytes([n]) * 204_800)
    raw = bytearray(image.build())
    size = len(raw)
    table = struct.unpack_from("<I", raw, 2048 + 8)[0] * 1024
    inode = raw[table + (first - 1) * 128 :][:128]
    for n in range(first, first + 21):
        raw[table + (n - 1) * 128 :][:128] = inode
        raw[table + (n - 1) * 128 : table + n * 128] = inode
    (tmp_path / "same.raw").write_bytes(raw)
    monkeypatch.setattr("triage.engine.budget.FACTOR", 0)
    monkeypatch.setattr("triage.engine.budget.FLOOR", size // 2)
    run_case(tmp_path / "same.raw", tmp_path / "case")
    rows = files(tmp_path / "case")
    assert all(rows[f"vol1/link{n:02}"]["outcome"] == "done" for n in range(20))
    done = [r for p, r in rows.items() if p.startswith("vol1/same") and r["outcome"] == "done"]
    assert 0 < len(done) < 20
    assert (len(done) + 1) * 204_800 <= size // 2


def test_a_killed_and_resumed_run_has_the_same_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.engine.budget.FLOOR", 200 << 20)
    path = monsters(tmp_path / "small.raw", 900, 1 << 20)
    run_case(path, tmp_path / "whole")
    monkeypatch.setenv("TRIAGE_TEST_HOOK", "crash=m005")
    for attempt in range(3):
        run_case(path, tmp_path / "cut", time_budget=0.3 * attempt)
    monkeypatch.delenv("TRIAGE_TEST_HOOK")
    run_case(path, tmp_path / "cut", retry_failed=True)
    assert digest(tmp_path / "cut") == digest(tmp_path / "whole")
    assert sum(r["outcome"] == "done" for r in files(tmp_path / "whole").values()) == 200


def test_another_profile_gets_its_own_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.engine.budget.FLOOR", 20 << 20)
    path = monsters(tmp_path / "small.raw", 40, 1 << 20)
    run_case(path, tmp_path / "case", profile=profile_with(item_bytes=1 << 19))
    assert {r["outcome"] for p, r in files(tmp_path / "case").items() if p.startswith("vol1/m")} == {"skipped"}
    run_case(path, tmp_path / "case", profile=profile_with(), retry_failed=True)
    left_out = sum("more than 3 times" in r["outcome_reason"] for r in files(tmp_path / "case").values())
    assert left_out == 40 + 1 - 24, "8 MiB of medium three times"
    assert f"{left_out} files were not read" in messages(tmp_path / "case")
    run_case(path, tmp_path / "fresh", profile=profile_with())
    same, fresh = files(tmp_path / "case"), files(tmp_path / "fresh")
    assert same.pop("vol1/z.txt")["outcome"] == "done", "it was read under the first profile"
    del fresh["vol1/z.txt"]
    assert same == fresh
    run_case(path, tmp_path / "case", profile=profile_with(item_bytes=1 << 19))
    assert "files were not read" not in messages(tmp_path / "case")


# ---- circles and depth (T10) ---------------------------------------------------------------------------------------------------


def test_directories_in_circles_are_visited_once(tmp_path: Path) -> None:
    image = ExtImage()
    upper = image.directory(b"upper")
    lower = image.directory(b"lower", upper)
    image.file(b"x.txt", b"here once", lower)
    image.name(lower, b"parent", upper)
    image.name(lower, b"itself", lower)
    image.name(upper, b"root", ROOT)
    (tmp_path / "loop.raw").write_bytes(image.build())
    run_case(tmp_path / "loop.raw", tmp_path / "case")
    found = files(tmp_path / "case")
    assert sorted(p for p in found if "$" not in p) == [
        "vol1/upper", "vol1/upper/lower", "vol1/upper/lower/itself", "vol1/upper/lower/parent", "vol1/upper/lower/x.txt",
        "vol1/upper/root"]
    circles = [p["path"] for p in problems(tmp_path / "case") if "its own ancestor" in p["message"]]
    assert sorted(circles) == ["vol1/upper/lower/itself", "vol1/upper/lower/parent", "vol1/upper/root"]


def test_ten_thousand_directories_deep_ends_at_the_bound_and_says_so(tmp_path: Path) -> None:
    image = ExtImage(block=2048)
    here = ROOT
    for _ in range(10_000):
        here = image.directory(b"d", here)
    image.file(b"deepest.txt", b"x", here)
    (tmp_path / "deep.raw").write_bytes(image.build())
    began = time.monotonic()
    run_case(tmp_path / "deep.raw", tmp_path / "case")
    assert time.monotonic() - began < 30
    found = files(tmp_path / "case")
    assert len(found) >= 1024
    assert "directories nest deeper than 1024: what lies below was not listed" in messages(tmp_path / "case")


def test_a_path_of_many_long_names_is_bounded_and_the_rest_still_listed(tmp_path: Path) -> None:
    """A thousand directories of 255 bytes each would make every name below cost a quarter of a megabyte."""
    image = ExtImage(block=4096)
    here = ROOT
    for _ in range(1000):
        here = image.directory(b"\x1b" * 255, here)
    for n in range(600):
        image.file(b"%05d" % n + b"x" * 200, b"", here)
    image.file(b"beside.txt", b"beside")
    (tmp_path / "bomb.raw").write_bytes(image.build())
    run_case(tmp_path / "bomb.raw", tmp_path / "case")
    found = files(tmp_path / "case")
    assert found["vol1/beside.txt"]["outcome"] == "done"
    assert max(map(len, found)) < 35_000
    assert "a path is longer than 32,768 characters: what lies below was not listed" in messages(tmp_path / "case")
    assert (tmp_path / "case" / "case.db").stat().st_size < 200 << 20


# ---- FAT chains (T10, T12) -----------------------------------------------------------------------------------------------------


def fat_with(change: str) -> bytes:
    """A FAT12 medium in which ``B.TXT`` or ``DIR`` has a chain that leads to itself, or sizes are lies."""
    raw = bytearray(make_fat({"A.TXT": b"hello " * 400, "B.TXT": b"hi" * 1000, "DIR/C.TXT": b"in dir", "DIR/D.TXT": b"x" * 700}))
    root = 512 + 2 * 12 * 512
    places = {bytes(raw[at : at + 11]).split()[0]: at for at in range(root, root + 512 * 32, 32) if raw[at]}

    def loop(name: bytes) -> None:
        cluster = struct.unpack_from("<H", raw, places[name] + 26)[0]
        for table in (512, 512 + 12 * 512):
            at = table + cluster * 3 // 2
            old = raw[at] | raw[at + 1] << 8
            new = (old & 0xF000) | cluster if cluster % 2 == 0 else (old & 0x000F) | cluster << 4
            raw[at], raw[at + 1] = new & 0xFF, new >> 8

    if change == "file":
        struct.pack_into("<I", raw, places[b"B"] + 28, 1 << 20)
        loop(b"B")
    elif change == "folder":
        loop(b"DIR")
    else:
        struct.pack_into("<I", raw, places[b"B"] + 28, 0xFFFFFFFF if change == "more than the medium" else 2_000_000)
    return bytes(raw)


@pytest.mark.parametrize(("change", "path"), [
    ("file", "vol1/B.TXT"), ("size", "vol1/B.TXT"), ("more than the medium", "vol1/B.TXT"), ("folder", None)])
def test_a_chain_of_clusters_that_bites_itself_or_a_size_that_lies_costs_that_file(change: str, path: str | None, tmp_path: Path) -> None:
    (tmp_path / "fat.raw").write_bytes(fat_with(change))
    began = time.monotonic()
    run_case(tmp_path / "fat.raw", tmp_path / "case")
    assert time.monotonic() - began < 10
    found = files(tmp_path / "case")
    assert found["vol1/A.TXT"]["outcome"] == "done"
    if path is None:
        assert {"vol1/DIR", "vol1/DIR/C.TXT", "vol1/DIR/D.TXT"} <= set(found)
    else:
        assert found[path]["outcome"] in ("failed", "partial")
        assert found[path]["md5"] is None
        assert "cannot be read" in found[path]["outcome_reason"]
        assert messages(tmp_path / "case", path)
