"""``run`` and the commands that read its case."""

from __future__ import annotations

import csv
import io
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from engine_support import digest
from rich.cells import cell_len

from triage.cli import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def rows(capsys: pytest.CaptureFixture[str], *words: str | Path) -> list[dict[str, Any]]:
    assert run([str(w) for w in words]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(scope="module")
def case(image: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The NTFS image examined with its lists."""
    folder = tmp_path_factory.mktemp("cli") / "case"
    assert run(["run", str(image("ntfs.E01")), "--case", str(folder), "--hashset", str(image("known-hashes.csv")), "--hashset",
                f"{image('known-software.txt')}:ignorable", "--exhibit", "A-1", "--examiner", "E. X.", "-q"]) == 0
    return folder


def test_every_file_of_the_answer_key_is_in_the_case(
    case: Path, answer_key: Callable[[str], dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows(capsys, "files", case):
        found.setdefault(row["path"], []).append(row)
    for entry in answer_key("ntfs.E01")["entries"]:
        matching = [r for r in found.get(entry["path"], []) if r["state"] == entry["state"] and r["kind"] == entry["kind"]]
        assert matching, entry["path"]
        if entry.get("sha256") and entry.get("recoverability", "intact") == "intact":
            assert entry["sha256"] in {r["sha256"] for r in matching}, entry["path"]


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_files_in_four_forms(form: str, case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["files", str(case), "--where", "known=notable", "--sort", "-size", "--limit", "3", "--format", form]) == 0
    out = capsys.readouterr().out
    if form == "table":
        assert max(map(cell_len, out.splitlines())) <= 80
        assert "notable" in out
        return
    if form == "csv":
        found: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(out)))
    else:
        found = json.loads(out) if form == "json" else [json.loads(line) for line in out.splitlines()]
    assert len(found) == 3
    assert {r["known"] for r in found} == {"notable"}
    sizes = [int(r["size"]) for r in found]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("command", ["files", "queue", "findings"])
def test_no_table_or_csv_can_harm_a_terminal_or_spreadsheet(command: str, case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("table", "csv"):
        assert run([command, str(case), "--format", form]) == 0
        out = capsys.readouterr().out
        assert len(out) > 200
        assert not [c for c in out if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or c in "\u202e\u202d\u2066"]
        if form == "table":
            assert max(map(cell_len, out.splitlines())) <= 80
        else:
            assert not [c for line in csv.reader(io.StringIO(out)) for c in line if c.startswith(("=", "@", "\t"))]


def test_the_queue_has_ranks_reasons_and_can_leave_out_the_known(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, "queue", case, "--limit", "0")
    assert [r["rank"] for r in found] == list(range(1, len(found) + 1))
    assert [r["score"] for r in found] == sorted((r["score"] for r in found), reverse=True)
    assert found[0]["known"] == "notable"
    assert all(r["reasons"] and r["score"] == sum(x["points"] for x in r["reasons"]) for r in found)
    assert len(rows(capsys, "queue", case, "--limit", "2")) == 2
    unknown = rows(capsys, "queue", case, "--limit", "0", "--unknown")
    assert unknown
    assert {r["known"] for r in unknown} == {None}


def test_findings_can_be_chosen_by_kind(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, "findings", case)
    kinds = {r["kind"] for r in found}
    assert {"hash-match", "download-origin"} <= kinds
    assert {r["kind"] for r in rows(capsys, "findings", case, "--kind", "download-origin")} == {"download-origin"}
    assert len(rows(capsys, "findings", case, "--kind", "hash-match", "--limit", "1")) == 1
    assert rows(capsys, "findings", case, "--kind", "none") == []
    lines = [json.loads(line) for line in (case / "findings.jsonl").read_text(encoding="ascii").splitlines()]
    assert lines == found


def test_status_says_what_was_not_looked_at(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", str(case), "--json", "--digest"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["finished"], answer["complete"]) == (True, answer["coverage"]["complete"])
    assert answer["coverage"]["not_done"]
    assert answer["digest"] == digest(case)
    assert answer["evidence"][0]["fingerprint_state"].startswith("unchanged")
    assert {s["name"]: s["meaning"] for s in answer["hashsets"]} == {"known-hashes.csv": "notable", "known-software.txt": "ignorable"}
    assert answer["run"]["examiner"] == "E. X."
    assert run(["status", str(case)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("finished")
    assert "not looked at:" in out


def test_the_audit_log_can_be_checked(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "verify", str(case)]) == 0
    assert "each follows" in capsys.readouterr().out
    copy = tmp_path / "case"
    copy.mkdir()
    lines = (case / "audit.jsonl").read_bytes().splitlines(keepends=True)
    (copy / "audit.jsonl").write_bytes(b"".join([lines[0].replace(b"E. X.", b"A. N."), *lines[1:]]))
    assert run(["audit", "verify", str(copy)]) == 4
    out, err = capsys.readouterr()
    assert "line 2 does not follow" in out
    assert err.startswith("triage: ")


def test_the_digest_that_a_run_prints_finds_a_cut_log(small_image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = tmp_path / "case"
    assert run(["run", str(small_image), "--case", str(case), "--no-report"]) == 0
    [line] = [x for x in capsys.readouterr().out.splitlines() if x.startswith("audit:")]
    noted = line.split()[1]
    assert run(["audit", "verify", str(case), "--noted", noted]) == 0
    log = case / "audit.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    assert run(["audit", "verify", str(case)]) == 0
    assert run(["audit", "verify", str(case), "--noted", noted]) == 4
    assert not (case / "report").exists()


def test_fail_on_ends_with_8_and_the_case_is_whole(
    case: Path, image: Callable[[str], Path], small_image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "case"
    shutil.copytree(case, copy)
    again = ["run", str(image("ntfs.E01")), "--case", str(copy), "-q", "--hashset", str(image("known-hashes.csv")), "--hashset",
             f"{image('known-software.txt')}:ignorable"]
    assert run([*again, "--fail-on", "notable"]) == 8
    assert "--fail-on notable: 5 found" in capsys.readouterr().err
    assert digest(copy) == digest(case)
    new = ["run", str(small_image), "--case", str(tmp_path / "new"), "-q"]
    assert run([*new, "--fail-on", "notable"]) == 0
    assert run([*new, "--fail-on", "problem"]) == 0


def test_fail_on_problem_ends_with_8(small_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_TEST_HOOK", "crash=FILE05")
    command = ["run", str(small_image), "--case", str(tmp_path / "case"), "-q"]
    assert run([*command, "--fail-on", "problem"]) == 8
    assert run(command) == 0


def test_quiet_is_quiet_and_else_a_summary_is_shown(small_image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["run", str(small_image), "--case", str(tmp_path / "case")]
    assert run([*command, "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    assert run(command) == 0
    out, err = capsys.readouterr()
    assert "look at first:" in out
    assert "(resumed)" in out
    assert str(tmp_path / "case" / "report" / "index.html") in out.replace("\n", "")
    assert err == ""


def test_a_run_that_had_no_time_says_so(small_image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["run", str(small_image), "--case", str(tmp_path / "case"), "--time-budget"]
    assert run([*command, "0s"]) == 0
    err = capsys.readouterr().err
    assert err.startswith("triage: not everything was reached: the time budget was used up")
    assert run(["status", str(tmp_path / "case")]) == 0
    assert "not finished" in capsys.readouterr().out
    assert run([*command, "1h"]) == 0
    assert run(["status", str(tmp_path / "case")]) == 0
    assert capsys.readouterr().out.splitlines()[-1]


def test_evidence_that_changes_during_a_run_ends_with_3(
    small_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from triage.engine import run as engine_run

    image = tmp_path / "disk.raw"
    shutil.copy(small_image, image)
    real = engine_run.score_case

    def write_to_it(*arguments: Any) -> None:
        with image.open("r+b") as file:
            file.seek(-1, 2)
            file.write(b"\1")
        real(*arguments)

    monkeypatch.setattr(engine_run, "score_case", write_to_it)
    assert run(["run", str(image), "--case", str(tmp_path / "case"), "-q"]) == 3
    assert "changed while it was examined" in capsys.readouterr().err
    assert run(["status", str(tmp_path / "case")]) == 0
    assert "CHANGED" in capsys.readouterr().out


def test_the_first_page_is_there_and_can_be_made_again(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (case / "report" / "index.html").is_file()
    first = (case / "report" / "report.json").read_bytes()
    assert run(["report", str(case), "--format", "json", "--out", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again" / "report.json").read_bytes() == first


def test_the_summary_names_a_volume_whose_names_may_be_missing(
    image: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound, damaged = image("ext2.raw"), tmp_path / "damaged.raw"
    data = bytearray(sound.read_bytes())
    root = data.index(b"lost+found") // 1024 * 1024
    data[root + 24 : root + 1024] = bytes(1000)  # all but the first two names
    damaged.write_bytes(data)
    assert run(["run", str(damaged), "--case", str(tmp_path / "case"), "--no-report"]) == 0
    assert "LISTED IN PART: vol1 (ext2): names may be missing" in capsys.readouterr().out
    assert run(["run", str(sound), "--case", str(tmp_path / "sound"), "--no-report"]) == 0
    assert "LISTED IN PART" not in capsys.readouterr().out


def test_a_notable_file_in_use_that_no_name_leads_to_is_a_hit(
    image: Callable[[str], Path], answer_key: Callable[[str], dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged, notable = tmp_path / "damaged.raw", tmp_path / "notable.txt"
    data = bytearray(image("ext2.raw").read_bytes())
    folder, name = next((e["path"].rsplit("/", 2)[1], e["path"].rsplit("/", 1)[1]) for e in answer_key("ext2.raw")["entries"]
                        if e["kind"] == "file" and e["state"] == "allocated" and e["size"] > 2000 and e["path"].count("/") > 1)
    key = next(e for e in answer_key("ext2.raw")["entries"] if e["path"].endswith(f"{folder}/{name}"))
    block = data.index(name.encode()) // 1024 * 1024
    data[block + 24 : block + 1024] = bytes(1000)
    damaged.write_bytes(data)
    notable.write_text(key["sha256"] + "\n", encoding="ascii")
    assert run(["run", str(damaged), "--case", str(tmp_path / "case"), "--hashset", str(notable), "-q", "--no-report"]) == 0
    (hit,) = rows(capsys, "files", tmp_path / "case", "--where", "known=notable")
    assert (hit["sha256"], hit["state"], hit["recoverability"]) == (key["sha256"], "orphan", "intact")
    assert rows(capsys, "queue", tmp_path / "case")[0]["id"] == hit["id"]
