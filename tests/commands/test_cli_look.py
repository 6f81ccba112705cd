"""Looking into evidence without a case: ``info``, ``ls``, ``cat``, ``extract``, ``verify``."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import stat
import sys
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len

from triage.cli import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOME = "vol1/home/sam"


def rows(capsys: pytest.CaptureFixture[str], *words: str | Path, code: int = 0) -> list[dict[str, Any]]:
    assert run([str(w) for w in words]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def key_entries(key: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {e["path"]: e for e in key["entries"]}


def test_ls_lists_roots_folders_files_and_the_deleted(small_image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = {r["path"] for r in rows(capsys, "ls", small_image)}
    assert {"vol1/DCIM", "vol1/FILE00.TXT", "vol1/_ONE.TXT"} <= root
    assert not any(p.startswith("vol1/DCIM/") for p in root)
    assert {r["path"] for r in rows(capsys, "ls", small_image, "vol1")} == root
    inside = {r["path"] for r in rows(capsys, "ls", small_image, "vol1/DCIM/")}
    assert inside == {f"vol1/DCIM/IMG{n:02}.JPG" for n in range(8)} | {"vol1/DCIM/NOTE.DOC"}
    assert {r["path"] for r in rows(capsys, "ls", small_image, "-r")} == root | inside
    assert [r["path"] for r in rows(capsys, "ls", small_image, "-r", "--deleted")] == ["vol1/_ONE.TXT"]
    [one] = rows(capsys, "ls", small_image, "vol1/FILE03.TXT")
    assert (one["size"], one["state"], one["kind"], one["mtime"]) == (88, "allocated", "file", "2024-05-17T13:30:00Z")
    assert rows(capsys, "ls", small_image, one["id"]) == [one]


def test_ls_names_what_the_answer_key_names(
    image: Callable[[str], Path], answer_key: Callable[[str], dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    found = {r["path"]: r for r in rows(capsys, "ls", image("ext4.raw"), "-r")}
    for path, entry in key_entries(answer_key("ext4.raw")).items():
        assert path in found
        assert found[path]["kind"] == entry["kind"]


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_hostile_names_come_out_inert_in_every_form(form: str, image: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ls", str(image("ext4.raw")), "-r", "--format", form]) == 0
    out = capsys.readouterr().out
    assert not [c for c in out if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or c in "\u202e\u202d\u2066"]
    assert "red.txt" in out.replace("\n", "")
    if form == "table":
        assert max(map(cell_len, out.splitlines())) <= 80
    elif form == "json":
        assert isinstance(json.loads(out), list)
    elif form == "csv":
        cells = [cell for row in csv.reader(io.StringIO(out)) for cell in row]
        assert not [c for c in cells if c.startswith(("=", "+", "@"))]
    else:
        assert all(isinstance(json.loads(line), dict) for line in out.splitlines())


def test_cat_gives_the_bytes(small_image: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["cat", str(small_image), "vol1/BIG.BIN"]) == 0
    assert capfdbinary.readouterr().out == bytes(range(256)) * 300
    assert run(["cat", str(small_image), "vol1/_ONE.TXT", "--limit", "7"]) == 0
    assert capfdbinary.readouterr().out == b"deleted"
    assert run(["cat", str(small_image), "vol1/EMPTY.BIN"]) == 0
    assert capfdbinary.readouterr().out == b""


def test_cat_reads_streams(
    image: Callable[[str], Path], answer_key: Callable[[str], dict[str, Any]], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = "vol1/Users/alex/Downloads/list.txt:hidden.jpg"
    assert run(["cat", str(image("ntfs.E01")), path]) == 0
    assert hashlib.md5(capfdbinary.readouterr().out).hexdigest() == key_entries(answer_key("ntfs.E01"))[path]["md5"]


def test_extract_names_copies_itself_and_says_which_is_which(
    image: Callable[[str], Path], answer_key: Callable[[str], dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "out"
    shown = rows(capsys, "extract", image("ext4.raw"), HOME, "--out", out)
    listed = [json.loads(line) for line in (out / "extracted.jsonl").read_text(encoding="ascii").splitlines()]
    key = {p: e for p, e in key_entries(answer_key("ext4.raw")).items()
           if p.startswith(HOME + "/") and e["kind"] == "file" and e.get("sha256") and e["state"] == "allocated"}
    by_path = {row["path"]: row for row in listed}
    assert len(key) > 10
    assert set(key) <= set(by_path)
    assert {r["path"] for r in shown} == set(by_path)
    for path, entry in key.items():
        assert by_path[path]["sha256"] == entry["sha256"], path
    for row in listed:
        copy = out / row["file"]
        assert copy.stat().st_size == row["size"]
        assert copy.name.startswith(hashlib.sha256(copy.read_bytes()).hexdigest())
        assert row["kind"] in ("file", "stream")
        assert {"id", "path", "sha256", "problem", "state", "mtime"} <= set(row)
        if sys.platform != "win32":
            assert stat.S_IMODE(copy.stat().st_mode) == 0o440
    assert {p.name for p in out.iterdir()} == {r["file"] for r in listed} | {"extracted.jsonl"}
    assert {p.name for p in tmp_path.rglob("*")} == {"deep", "out", "extracted.jsonl"} | {r["file"] for r in listed}
    assert not any(p.is_symlink() for p in out.iterdir())
    assert any("evil" in p for p in by_path), "the hostile name is not among them"


def test_extract_does_not_follow_links(image: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rows(capsys, "extract", image("ext4.raw"), f"{HOME}/long link", "--out", tmp_path / "out") == []
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["extracted.jsonl"]


def test_extract_takes_deleted_entries_by_id_and_several_at_once(
    small_image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [gone] = rows(capsys, "ls", small_image, "-r", "--deleted")
    found = rows(capsys, "extract", small_image, gone["id"], "vol1/FILE01.TXT", "vol1/FILE01.TXT", "--out", tmp_path / "out")
    assert sorted(r["path"] for r in found) == ["vol1/FILE01.TXT", "vol1/_ONE.TXT"]
    copies = {(tmp_path / "out" / r["file"]).read_bytes() for r in found}
    assert copies == {b"deleted but here\n" * 40, b"this is file number 1\n" * 2}


def test_extract_does_not_write_into_what_is_there(small_image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["extract", str(small_image), "vol1/FILE01.TXT", "--out", str(tmp_path / "out")]) == 0
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}
    assert run(["extract", str(small_image), "vol1/FILE02.TXT", "--out", str(tmp_path / "out")]) == 7
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()} == before


def test_info_shows_container_and_volumes(
    image: Callable[[str], Path], answer_key: Callable[[str], dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    [row] = rows(capsys, "info", image("ntfs.E01"))
    key = answer_key("ntfs.E01")
    assert row["size"] == key["media"]["size"]
    assert {k: row["stored_digests"][k] for k in key["stored_digests"]} == {k: key["media"][k] for k in key["stored_digests"]}
    numbered = [v for v in row["volumes"] if v["number"] is not None]
    assert [(v["offset"], v["file_system"].lower()) for v in numbered] == [(v["offset"], v["file_system"]) for v in key["volumes"]]
    assert run(["info", str(image("ntfs.E01")), "--format", "table"]) == 0
    out = capsys.readouterr().out
    assert "DEMO-2024-001" in out
    assert "<script>alert(1)</script>" in out.replace("\n", "")
    assert max(map(cell_len, out.splitlines())) <= 80


def test_verify_knows_three_verdicts(image: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [row] = rows(capsys, "verify", image("ntfs.E01"), "-q")
    assert (row["verdict"], row["md5"]) == ("verified", row["stored_md5"])
    [row] = rows(capsys, "verify", image("fat12.raw"), "-q")
    assert row["verdict"] == "no stored hash"
    assert row["sha256"] == hashlib.sha256(image("fat12.raw").read_bytes()).hexdigest()
    bad = tmp_path / "bad.E01"
    data = bytearray(image("ntfs.E01").read_bytes())
    data[len(data) // 2] ^= 0xFF
    bad.write_bytes(data)
    [row] = rows(capsys, "verify", bad, "-q", code=3)
    assert row["verdict"] in ("mismatch", "incomplete")


def test_a_split_set_is_one_medium(image: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("split.001", "split.002", "split.003"):
        shutil.copy(image(name), tmp_path)
    [row] = rows(capsys, "info", *(tmp_path / f"split.00{n}" for n in (1, 2, 3)))
    assert len(row["paths"]) == 3
    assert row["size"] == sum((tmp_path / f"split.00{n}").stat().st_size for n in (1, 2, 3))


def test_doctor_finds_a_working_installation(capsys: pytest.CaptureFixture[str]) -> None:
    found = {r["check"]: r for r in rows(capsys, "doctor")}
    assert found["worker process"]["state"] == "ok"
    assert found["pytsk3"]["state"] == "ok"
    assert found["plugin exif"]["state"] == "ok"


def test_plugins_are_listed_shown_and_broken_ones_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.py").write_text("this is no python")
    found = {r["name"]: r for r in rows(capsys, "plugin", "list", "--plugin-path", tmp_path)}
    assert found["exif"]["state"] == "ok"
    assert len(found["exif"]["sha256"]) == 64
    assert found["broken"]["state"].startswith("broken: SyntaxError")
    [shown] = rows(capsys, "plugin", "show", "exif", "--format", "jsonl")
    assert shown["name"] == "exif"
    assert run(["plugin", "show", "exif", "--format", "table"]) == 0
