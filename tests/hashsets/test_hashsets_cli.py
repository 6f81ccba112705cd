"""``triage hashset`` as an examiner and a script use it, and the form of the rows."""

from __future__ import annotations

import csv
import hashlib
import io
import json

import pytest
from click.testing import CliRunner

from triage.commands.hashset import hashset
from triage.commands.output import emit
from triage.errors import HashsetError, UsageError

A = hashlib.md5(b"a", usedforsecurity=False).hexdigest()
B = hashlib.md5(b"b", usedforsecurity=False).hexdigest()


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIAGE_HASHSETS", str(tmp_path / "library"))

    def call(*words: object, stdin: str | None = None):
        return CliRunner().invoke(hashset, [str(word) for word in words], input=stdin)

    return call


@pytest.fixture
def imported(run, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(f"MD5,category\n{A},1\nbad,2\n")
    result = run("import", path, "--name", "cases", "--as", "notable")
    assert result.exit_code == 0
    return result


def test_import_reports_on_stdout_and_speaks_on_stderr(imported):
    report = json.loads(imported.stdout)
    assert (report["name"], report["records"], report["rejects"][0]["line"]) == ("cases", 1, 3)
    assert "line 3" in imported.stderr


def test_list_info_lookup_and_remove(run, imported):
    (row,) = map(json.loads, run("list").stdout.splitlines())
    assert (row["name"], row["meaning"], row["records"], row["state"]) == ("cases", "notable", 1, "ok")
    facts = json.loads(run("info", "cases", "--check").stdout)
    assert facts["checked"] is True
    rows = [json.loads(line) for line in run("lookup", "cases", A.upper(), B, "0" * 64).stdout.splitlines()]
    assert [(r["hit"], r["category"]) for r in rows] == [(True, "1"), (False, None), (False, None)]
    assert "sha256" in rows[2]["note"]
    assert run("remove", "cases").exit_code == 0
    assert run("list", "--format", "json").stdout == "[]\n"


def test_lookup_reads_standard_input(run, imported):
    result = run("lookup", "cases", "-", "--format", "csv", stdin=f"{A}\r\n\n{B}\n")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [(r["digest"], r["hit"]) for r in rows] == [(A, "true"), (B, "false")]


def test_damaged_set_is_listed_as_such(run, imported, tmp_path):
    next((tmp_path / "library").iterdir()).write_bytes(b"x" * 200)
    result = run("list")
    assert result.exit_code == 0
    assert "damaged" in json.loads(result.stdout)["state"]
    assert isinstance(run("info", "cases").exception, HashsetError)


def test_wrong_words_are_usage_errors(run, imported, tmp_path):
    for words in (
        ("import", "-", "--name", "x", "--as", "known"),
        ("import", tmp_path / "none", "--name", "x", "--as", "known"),
        ("import", tmp_path, "--name", "x", "--as", "known"),
        ("lookup", "cases", "12"),
        ("lookup", "../cases", A),
    ):
        assert isinstance(run(*words).exception, UsageError), words
    assert run("import", "x", "--name", "x", "--as", "good").exit_code == 2


def test_list_in_which_nothing_is_accepted_is_a_hashset_error(run, tmp_path):
    (tmp_path / "list").write_text("hello\nworld\n")
    result = run("import", tmp_path / "list", "--name", "x", "--as", "known", "--format", "plain")
    assert isinstance(result.exception, HashsetError)
    assert result.stdout == ""
    assert run("list").stdout == ""


def test_dry_run_adds_nothing(run, tmp_path):
    (tmp_path / "list").write_text(A)
    result = run("import", tmp_path / "list", "--name", "x", "--as", "known", "--dry-run")
    assert (json.loads(result.stdout)["dry_run"], run("list").stdout) == (True, "")


def test_every_command_shows_an_example(run):
    for command in ((), ("import",), ("list",), ("info",), ("lookup",), ("remove",)):
        assert "triage hashset" in run(*command, "--help").stdout


# output

HOSTILE = {"path": "vol1/\x1b[31mred\u202egpj.exe", "size": -5, "note": "=1+1", "list": [{"a": None}], "flag": True, "none": None}


def shown(fmt: str | None, rows: list[dict[str, object]] | None = None, columns: tuple[str, ...] = tuple(HOSTILE)) -> str:
    stream = io.StringIO()
    emit([HOSTILE] if rows is None else rows, columns, fmt, stream=stream)
    return stream.getvalue()


@pytest.mark.parametrize("fmt", ["table", "json", "jsonl", "csv", None])
def test_hostile_text_comes_out_inert(fmt):
    text = shown(fmt)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "gpj.exe" in text.replace("\n", "")


def test_json_lines_are_ascii_and_whole():
    (line,) = shown(None).splitlines()
    assert line.isascii()
    assert json.loads(line) == HOSTILE


@pytest.mark.parametrize("count", [0, 1, 3])
def test_json_is_one_array(count):
    assert json.loads(shown("json", [HOSTILE] * count)) == [HOSTILE] * count


def test_csv_cells_run_nothing_and_hold_nested_values_as_json():
    header, row = csv.reader(io.StringIO(shown("csv")))
    assert header == list(HOSTILE)
    assert row[1:] == ["-5", "'=1+1", '[{"a": null}]', "true", ""]


def test_table_folds_long_values_and_cuts_none():
    path = "vol1/" + "".join(f"{n:05d}" for n in range(60))
    text = shown("table", [{"path": path, "size": 1}], ("path", "size"))
    assert all(len(line) <= 80 for line in text.splitlines())
    assert path in "".join(line.split()[0] for line in text.splitlines()[2:] if line.strip())


def test_table_of_many_rows_has_them_all():
    text = shown("table", [{"n": n} for n in range(2500)], ("n",))
    assert [int(line) for line in text.splitlines() if line.strip().isdigit()] == list(range(2500))
