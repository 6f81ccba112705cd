"""A report is written whole or not at all, where it was asked for and nowhere else."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from report_fake_case import FakeCase, finding_row, plain_parts

from triage.errors import OutputError, UsageError
from triage.report.document import build
from triage.report.folder import Folder
from triage.report.jsonl import dump
from triage.report.write import FORMATS, write_report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and links of POSIX")


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_same_case_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_report(build(FakeCase()), list(FORMATS), tmp_path / name)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert len(contents(tmp_path / "a")) == 15


def test_times_and_places_of_a_run_change_only_the_pages_and_run_json(tmp_path: Path) -> None:
    later = plain_parts()
    later["run_times"] = {"started": "2031-01-01T00:00:00Z", "ended": None}
    later["evidence"][0]["paths"] = ["/elsewhere/laptop.E01", "/elsewhere/laptop.E02"]
    write_report(build(FakeCase()), list(FORMATS), tmp_path / "a")
    write_report(build(FakeCase(**later)), list(FORMATS), tmp_path / "b")
    one, two = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert {n for n in one if one[n] != two[n]} == {n for n in one if n.endswith(".html")} | {"run.json"}
    assert json.loads(two["run.json"])["evidence_files"] == {"ev-1": ["laptop.E01", "laptop.E02"]}


def test_report_json_is_one_canonical_document(tmp_path: Path) -> None:
    write_report(build(FakeCase()), ["json"], tmp_path)
    raw = (tmp_path / "report.json").read_bytes()
    document = json.loads(raw)
    assert raw.endswith(b"\n}\n")
    assert list(document) == sorted(document)
    assert len(document["queue"]) == document["totals"]["queue"] == 30
    assert document["findings"][3] == finding_row(3)
    assert document["alarms"] == []
    assert document["evidence"][0]["file_names"] == ["laptop.E01", "laptop.E02"]


def test_empty_lists_are_empty_arrays(tmp_path: Path) -> None:
    write_report(build(FakeCase(files=list, findings=list, problems=list)), ["json", "jsonl"], tmp_path)
    document = json.loads((tmp_path / "report.json").read_bytes())
    assert (document["queue"], document["findings"], document["problems"]) == ([], [], [])
    assert (tmp_path / "findings.jsonl").read_bytes() == b""


def test_numbers_that_json_does_not_know_become_text() -> None:
    assert (
        dump({"b": float("nan"), "a": [float("inf"), -float("inf"), 1.5, None, True]})
        == '{"a":["Infinity","-Infinity",1.5,null,true],"b":"NaN"}'
    )
    assert dump({1: b"x", "k": {2: (1,)}}) == '{"1":"b\'x\'","k":{"2":[1]}}'


def test_index_and_report_are_named_first(tmp_path: Path) -> None:
    written = write_report(build(FakeCase()), ["csv", "json", "html"], tmp_path)
    assert [p.name for p in written[:2]] == ["index.html", "report.json"]
    assert {p.relative_to(tmp_path).as_posix() for p in written} == set(contents(tmp_path))


@posix
def test_only_the_owner_can_read_a_report(tmp_path: Path) -> None:
    out = tmp_path / "new" / "report"
    write_report(build(FakeCase()), list(FORMATS), out)
    modes = {p.is_dir(): p.stat().st_mode & 0o777 for p in [out, *out.rglob("*")]}
    assert {p.stat().st_mode & 0o777 for p in [out, *out.rglob("*")] if p.is_dir()} == {0o700}
    assert {p.stat().st_mode & 0o777 for p in out.rglob("*") if p.is_file()} == {0o600}
    assert modes == {True: 0o700, False: 0o600}


@posix
@pytest.mark.parametrize("planted", [".", "index.html", "report.json", "findings", "findings/0001.html"])
def test_links_in_the_way_are_refused_and_nothing_is_written_through_them(planted: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("safe")
    out = tmp_path / "out"
    target = outside if planted in {".", "findings"} else outside / "victim"
    link = out / planted
    link.parent.mkdir(parents=True, exist_ok=True)
    if planted == ".":
        out.rmdir() if out.is_dir() else None
        out.symlink_to(target)
    else:
        link.symlink_to(target)
    with pytest.raises(OutputError, match="is a link"):
        write_report(build(FakeCase()), ["html", "json"], out)
    assert contents(outside) == {"victim": b"safe"}
    assert not [p for p in out.iterdir() if p.name.startswith(".report-")]


def test_a_failure_on_the_way_leaves_the_old_report_whole(tmp_path: Path) -> None:
    write_report(build(FakeCase()), ["html", "json"], tmp_path)
    before = contents(tmp_path)

    def failing() -> Iterator[dict[str, Any]]:
        yield finding_row(0)
        raise OSError(28, "No space left on device")

    document = dataclasses.replace(build(FakeCase()), findings=failing)
    with pytest.raises(OutputError, match="No space left on device") as caught:
        write_report(document, ["html", "json"], tmp_path)
    assert caught.value.hint
    assert contents(tmp_path) == before


def test_a_file_where_the_folder_should_be_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="in the way"):
        write_report(build(FakeCase()), ["json"], tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_a_folder_where_a_file_should_be_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(build(FakeCase()), ["json"], tmp_path)


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_an_output_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="Permission denied"):
            write_report(build(FakeCase()), ["json"], tmp_path / "out")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("formats", [["pdf"], ["html", "exe"], []])
def test_unknown_formats_are_a_usage_error_that_names_the_known(formats: list[str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="html, json, jsonl, csv"):
        write_report(build(FakeCase()), formats, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name", ["../x.html", "x.html", "queue/../index.html", "/etc/passwd", "queue/1.html", "index.html\n", "files/a.html"]
)
def test_only_names_of_ours_can_be_opened(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a file of a report"), Folder(tmp_path).text(name):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_into_the_case_and_prints_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = pytest.importorskip("triage.case.store")
    from triage.commands.report import report

    class Opened(FakeCase):
        def __enter__(self) -> Opened:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(store.Case, "open", lambda folder: Opened())
    result = CliRunner().invoke(report, [str(tmp_path), "--format", "html, jsonl"], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.output == f"{tmp_path / 'report' / 'index.html'}\n"
    assert (tmp_path / "report" / "files.jsonl").is_file()
