"""Files inside files in a run: entries like any other, read a generation at a time, the same whatever the workers and interruptions."""

from __future__ import annotations

import dataclasses
import hashlib
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from engine_support import coverage, digest, files, problems, run_case
from fat_image import make_fat

from triage.case.store import Case
from triage.cli import run as cli
from triage.engine import children
from triage.priority.profile import load_profile

if TYPE_CHECKING:
    from pathlib import Path

    from triage.priority.profile import Profile

# A format of this test: lines "NAME OFFSET LENGTH SIZE", SIZE with "z" for what is deflated; then "---" and the bytes.
PLUGIN = '''
"""Boxes, which only these tests have."""

from triage.plugin import Accepts, Kind


class Box:
    name = "box"
    version = "VERSION"
    accepts = Accepts(paths=("*.box", "REF?"), beside=("{name}2", "sub/*"))

    def analyze(self, item):
        head, _, _ = item.read(1 << 20).partition(b"---\\n")
        for line in head.splitlines():
            name, offset, length, size = line.split()
            if name == b"poison":
                raise ValueError("as it was told")
            steps = [["cut", int(offset), int(length)]]
            if size.startswith(b"z"):
                steps.append(["undo", "zlib", int(size[1:])])
            near = next((b for b in item.beside if b.name.lower().encode() == name.lower()), None)
            yield item.child(
                name, steps, int(size.strip(b"z")), kind=Kind.CACHED, mtime=10**18,
                beside=near.number if near else None, findings=[("boxed", f"in a box with {len(item.beside)} beside", {"url": "http://x"})],
            )


PLUGIN = Box
'''


def box(contents: dict[str, bytes], *, packed: bool = False) -> bytes:
    lengths = {name: zlib.compress(data) if packed else data for name, data in contents.items()}
    table = ""
    for _ in range(3):  # offsets depend on the table's length
        at, lines = len(table) + 4, ""
        for name, data in contents.items():
            lines += f"{name} {at} {len(lengths[name])} {'z' if packed else ''}{len(data)}\n"
            at += len(lengths[name])
        if len(lines) == len(table):
            break
        table = lines
    return lines.encode() + b"---\n" + b"".join(lengths.values())


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "plugins" / "box.py"
    path.parent.mkdir()
    path.write_text(PLUGIN.replace("VERSION", "1"))
    return path


def with_box(**compare: Any) -> Profile:
    full = load_profile("full")
    return dataclasses.replace(full, plugins={**full.plugins, "box": {}}, **compare)


def medium(path: Path, contents: dict[str, bytes], deleted: frozenset[str] = frozenset()) -> Path:
    path.write_bytes(make_fat(contents, deleted))
    return path


def test_what_is_inside_is_an_entry_with_its_bytes_and_what_is_said_of_it(plugin: Path, tmp_path: Path) -> None:
    inner = {"sub/a.txt": b"first file\n" * 50, "b.jpg": b"\xff\xd8\xff\xe0 no picture" * 9}
    gone = box({"c.txt": b"third\n" * 9})
    image = medium(tmp_path / "e.raw", {"TOP.BOX": box(inner, packed=True), "GONE.BOX": gone}, frozenset({"GONE.BOX"}))
    run_case(image, tmp_path / "case", profile=with_box(), plugin_paths=(plugin,))
    rows = files(tmp_path / "case")
    for name, data in inner.items():
        row = rows[f"vol1/TOP.BOX/{name}"]
        assert (row["sha256"], row["size"], row["kind"], row["state"]) == (hashlib.sha256(data).hexdigest(), len(data), "cached", "cached")
        assert row["parent"] == rows["vol1/TOP.BOX"]["id"]
        assert row["mtime"].startswith("2001-09-09")
    assert rows["vol1/_ONE.BOX/c.txt"]["recoverability"] == "intact"
    with Case.open(tmp_path / "case") as case:
        said = [f for f in case.findings() if f["kind"] == "boxed"]
    assert {f["path"] for f in said} == {"vol1/TOP.BOX/sub/a.txt", "vol1/TOP.BOX/b.jpg", "vol1/_ONE.BOX/c.txt"}
    out = tmp_path / "out"
    assert cli(["extract", str(image), "vol1/TOP.BOX/b.jpg", "--out", str(out), "--case", str(tmp_path / "case")]) in (0, 2)


def test_boxes_in_boxes_are_opened_down_to_the_bound(plugin: Path, tmp_path: Path) -> None:
    data = b"deep inside\n" * 20
    contents = {"a.txt": data}
    for depth in range(9):
        contents = {f"in{depth}.box": box(contents, packed=True)}
    image = medium(tmp_path / "e.raw", {"TOP.BOX": next(iter(contents.values()))})
    run_case(image, tmp_path / "case", profile=with_box(), plugin_paths=(plugin,))
    inside = [row for row in files(tmp_path / "case").values() if row["kind"] == "cached"]
    assert [row["outcome"] for row in sorted(inside, key=lambda r: len(r["path"]))] == ["done"] * children.DEEPEST + ["skipped"]
    assert any(children.TOO_DEEP in line for line in coverage(tmp_path / "case")["not_done"])


def test_of_very_many_files_inside_one_a_bounded_number_is_read_in_the_order_of_paths(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "MOST_INSIDE", 30)
    image = medium(tmp_path / "e.raw", {"TOP.BOX": box({f"n{n:03}.txt": b"%d" % n for n in range(50)}), "OTHER.BOX": box({"a.txt": b"a"})})
    for jobs in (1, 3):
        run_case(image, tmp_path / str(jobs), profile=with_box(), plugin_paths=(plugin,), jobs=jobs)
    read = {p.rpartition("/")[2] for p, row in files(tmp_path / "1").items() if row["kind"] == "cached" and row["outcome"] == "done"}
    assert read == {f"n{n:03}.txt" for n in range(30)} | {"a.txt"}
    assert digest(tmp_path / "1") == digest(tmp_path / "3")


def test_children_of_many_children_are_bounded(plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "MOST_INSIDE", 60)
    inner = box({f"n{n:02}.txt": b"%d" % n for n in range(40)})
    image = medium(tmp_path / "e.raw", {"TOP.BOX": box({f"b{n}.box": inner for n in range(3)})})
    run_case(image, tmp_path / "case", profile=with_box(), plugin_paths=(plugin,))
    deepest = [row for row in files(tmp_path / "case").values() if row["path"].endswith(".txt")]
    assert len(deepest) == 3 * children.FEWEST
    assert any("were left out: an item may have 20 here" in p["message"] for p in problems(tmp_path / "case"))


def test_a_run_that_was_stopped_goes_on_and_ends_the_same(plugin: Path, tmp_path: Path) -> None:
    inner = box({f"n{n:02}.txt": b"%d" % n * 50 for n in range(30)}, packed=True)
    image = medium(tmp_path / "e.raw", {f"B{n}.BOX": box({"in.box": inner, f"x{n}.txt": b"text"}) for n in range(4)})
    run_case(image, tmp_path / "whole", profile=with_box(), plugin_paths=(plugin,))
    for budget in (0.0, 0.05, 0.2, None):
        run_case(image, tmp_path / "case", profile=with_box(), plugin_paths=(plugin,), time_budget=budget)
    assert digest(tmp_path / "case") == digest(tmp_path / "whole")


def test_another_version_of_a_plugin_begins_anew(plugin: Path, tmp_path: Path) -> None:
    image = medium(tmp_path / "e.raw", {"TOP.BOX": box({"a.txt": b"a" * 99, "in.box": box({"b.txt": b"b" * 99})})})
    run_case(image, tmp_path / "case", profile=with_box(), plugin_paths=(plugin,))
    plugin.write_text(PLUGIN.replace("VERSION", "2").replace("kind=Kind.CACHED", "kind=Kind.DERIVED"))
    run_case(image, tmp_path / "case", profile=with_box(), plugin_paths=(plugin,))
    run_case(image, tmp_path / "once", profile=with_box(), plugin_paths=(plugin,))
    assert {row["kind"] for row in files(tmp_path / "case").values() if "BOX/" in row["path"]} == {"derived"}
    assert digest(tmp_path / "case") == digest(tmp_path / "once")


def test_another_profile_decides_anew_what_is_read(plugin: Path, tmp_path: Path) -> None:
    image = medium(tmp_path / "e.raw", {"TOP.BOX": box({"a.txt": b"a" * 99, "b.jpg": b"b" * 99})})
    profile = with_box()
    narrow = dataclasses.replace(profile, select=dataclasses.replace(profile.select, size=dataclasses.replace(profile.select.size, max=98)))
    run_case(image, tmp_path / "case", profile=profile, plugin_paths=(plugin,))
    run_case(image, tmp_path / "case", profile=narrow, plugin_paths=(plugin,))
    assert files(tmp_path / "case")["vol1/TOP.BOX/a.txt"]["outcome"] == "done"
    run_case(image, tmp_path / "narrow", profile=narrow, plugin_paths=(plugin,))
    assert "vol1/TOP.BOX/a.txt" not in files(tmp_path / "narrow")  # the box is larger, and not opened


def test_what_lies_beside_is_read_with_it_in_whatever_order_it_was_listed(plugin: Path, tmp_path: Path) -> None:
    image = medium(tmp_path / "e.raw", {
        "REFA": b"REFA2 2 5 5\nSUB/ONE 0 4 4\nSUB/NONE 0 3 3\n---\n", "REFA2": b"..bytes of the other..", "SUB/ONE": b"here",
        "REFB2": b"not of A", "SUB/TWO": b"also",
    })  # fmt: skip
    for jobs in (1, 3):
        run_case(image, tmp_path / str(jobs), profile=with_box(), plugin_paths=(plugin,), jobs=jobs)
    rows = files(tmp_path / "1")
    assert rows["vol1/REFA/REFA2"]["md5"] == hashlib.md5(b"bytes").hexdigest()
    assert rows["vol1/REFA/SUB/ONE"]["md5"] == hashlib.md5(b"here").hexdigest()
    assert rows["vol1/REFA/SUB/NONE"]["md5"] == hashlib.md5(b"REF").hexdigest()  # there is none: the item itself
    with Case.open(tmp_path / "1") as case:
        assert {f["title"] for f in case.findings() if f["kind"] == "boxed"} == {"in a box with 3 beside"}
    assert digest(tmp_path / "1") == digest(tmp_path / "3")


def test_lies_of_a_box_cost_its_children_only(plugin: Path, tmp_path: Path) -> None:
    image = medium(tmp_path / "e.raw", {
        "A.BOX": b"far 999999 50 50\nnone 0 0 0\nlong 0 99999999999 99999999999\nbad 0 10 z500\n---\n",
        "B.BOX": b"good 0 4 4\npoison 0 0 0\nlost 0 4 4\n---\n", "C.BOX": b"x y\n---\n", "D.TXT": b"text\n" * 20,
    })  # fmt: skip
    run_case(image, tmp_path / "case", profile=with_box(), plugin_paths=(plugin,))
    rows = files(tmp_path / "case")
    assert rows["vol1/B.BOX/good"]["outcome"] == "done"
    assert rows["vol1/A.BOX/far"]["outcome"] != "done"
    assert rows["vol1/A.BOX/bad"]["outcome"] != "done"
    assert rows["vol1/A.BOX/long"]["outcome"] in ("skipped", "partial", "failed")
    assert {p["message"] for p in problems(tmp_path / "case")} >= {"the plugin failed on this item"}
    assert rows["vol1/D.TXT"]["outcome"] == "done"


def test_the_names_of_children_are_shown_and_lead_nowhere(plugin: Path, tmp_path: Path) -> None:
    image = medium(tmp_path / "e.raw", {"A.BOX": b"../../etc/passwd 0 4 4\n\x1b[31mred 0 4 4\n\xff\xfe 0 4 4\n---\n"})
    run_case(image, tmp_path / "case", profile=with_box(), plugin_paths=(plugin,))
    paths = {path for path in files(tmp_path / "case") if path.startswith("vol1/A.BOX/")}
    assert paths == {"vol1/A.BOX/../../etc/passwd", "vol1/A.BOX/\\x1b[31mred", "vol1/A.BOX/\\xff\\xfe"}
