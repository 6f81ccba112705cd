"""A case goes on where it ended, also with another profile, list or plugin; other evidence is refused, changed evidence said."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import pytest
from engine_support import Silent, coverage, digest, files, profile_with, run_case
from fat_image import make_fat

from triage.case.audit import verify
from triage.case.store import Case
from triage.engine import run as run_module
from triage.engine.run import RunOptions, run
from triage.errors import CaseError, EvidenceError, PluginError
from triage.priority.profile import load_profile

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN = '''
"""Counts the lines of texts."""

from triage.plugin import Accepts, Finding, Item, Problem


class Lines:
    name = "lines"
    version = "1"
    accepts = Accepts(types=("text",))

    def analyze(self, item):
        yield item.finding("lines", f"{item.read(1000).count(10)} lines", {})


PLUGIN = Lines
'''


@pytest.fixture(scope="module")
def full(small_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    case = tmp_path_factory.mktemp("full") / "case"
    run_case(small_image, case)
    return case


@pytest.fixture
def hashes(full: Path, tmp_path: Path) -> Path:
    """A list with two of the image's files on it."""
    path = tmp_path / "two.txt"
    rows = files(full)
    path.write_text("".join(rows[p]["sha256"] + "\n" for p in ("vol1/FILE02.TXT", "vol1/_ONE.TXT")), encoding="ascii")
    return path


@pytest.fixture
def lines_profile(tmp_path: Path) -> tuple[Path, Path]:
    plugin = tmp_path / "lines.py"
    plugin.write_text(PLUGIN, encoding="utf-8")
    profile = tmp_path / "with_lines.yaml"
    profile.write_text("schema: 1\nname: with-lines\nextends: full\nplugins:\n  lines: {}\n", encoding="ascii")
    return plugin, profile


def findings(case: Path) -> list[dict[str, object]]:
    with Case.open(case) as opened:
        return list(opened.findings())


def test_a_finished_case_is_not_worked_on_again(small_image: Path, full: Path, tmp_path: Path) -> None:
    case = tmp_path / "case"
    shutil.copytree(full, case)
    result = run_case(small_image, case)
    assert (result.resumed, result.complete) == (True, True)
    assert digest(case) == digest(full)
    assert verify(case / "audit.jsonl")[1] == []


@pytest.mark.parametrize("first", ["quick", "media"])
def test_another_profile_first_and_then_full_is_full(
    first: str, small_image: Path, full: Path, tmp_path: Path
) -> None:
    case = tmp_path / "case"
    run_case(small_image, case, profile=load_profile(first))
    assert (digest(case) != digest(full)) == (first == "media")
    assert run_case(small_image, case).resumed
    assert coverage(case)["items"] == coverage(full)["items"]
    assert digest(case) == digest(full)
    assert (case / "findings.jsonl").read_bytes() == (full / "findings.jsonl").read_bytes()


def test_a_list_that_comes_later_is_as_good_as_one_from_the_start(small_image: Path, full: Path, hashes: Path, tmp_path: Path) -> None:
    fresh, later = tmp_path / "fresh", tmp_path / "later"
    assert run_case(small_image, fresh, hashsets=(str(hashes),)).notable == 2
    run_case(small_image, later)
    assert run_case(small_image, later, hashsets=(str(hashes),)).notable == 2
    assert {p for p, r in files(later).items() if r["known"] == "notable"} == {"vol1/FILE02.TXT", "vol1/_ONE.TXT"}
    assert digest(later) == digest(fresh)
    assert (later / "findings.jsonl").read_bytes() == (fresh / "findings.jsonl").read_bytes()
    assert run_case(small_image, later).notable == 0
    assert digest(later) == digest(full)
    assert (later / "findings.jsonl").read_bytes() == (full / "findings.jsonl").read_bytes()


def test_the_meaning_of_a_list_may_change(small_image: Path, hashes: Path, tmp_path: Path) -> None:
    case = tmp_path / "case"
    run_case(small_image, case, hashsets=(f"{hashes}:ignorable",))
    assert files(case)["vol1/FILE02.TXT"]["known"] == "ignorable"
    assert not any(f["kind"] == "hash-match" for f in findings(case))
    run_case(small_image, case, hashsets=(str(hashes),))
    assert files(case)["vol1/FILE02.TXT"]["known"] == "notable"
    assert sum(f["kind"] == "hash-match" for f in findings(case)) == 2


def test_a_plugin_that_comes_later_is_as_good_as_one_from_the_start(
    small_image: Path, full: Path, lines_profile: tuple[Path, Path], tmp_path: Path
) -> None:
    plugin, path = lines_profile
    profile = load_profile(str(path))
    fresh, later = tmp_path / "fresh", tmp_path / "later"
    run_case(small_image, fresh, profile=profile, plugin_paths=(plugin,))
    assert sum(f["kind"] == "lines" for f in findings(fresh)) > 10
    run_case(small_image, later)
    run_case(small_image, later, profile=profile, plugin_paths=(plugin,))
    assert digest(later) == digest(fresh)
    assert (later / "findings.jsonl").read_bytes() == (fresh / "findings.jsonl").read_bytes()
    run_case(small_image, later)
    assert findings(later) == findings(full)
    assert digest(later) == digest(full)


def test_a_plugin_that_the_profile_names_must_be_there(small_image: Path, lines_profile: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="lines"):
        run_case(small_image, tmp_path / "case", profile=load_profile(str(lines_profile[1])))
    assert not (tmp_path / "case").exists()


def test_no_time_at_all_reaches_nothing_says_so_and_can_go_on(small_image: Path, full: Path, tmp_path: Path) -> None:
    case = tmp_path / "case"
    result = run_case(small_image, case, time_budget=0.0)
    assert not result.complete
    assert "time budget" in result.stopped
    said = coverage(case)
    assert not said["complete"]
    assert said["items"]["analysed"] == 0
    assert any("not" in sentence for sentence in said["not_done"])
    with Case.open(case) as opened:
        assert [v["state"] for v in opened.volumes()] == ["partly listed"]
        assert not opened.run_facts()["finished"]
    assert run_case(small_image, case).complete
    assert digest(case) == digest(full)


def test_what_the_time_did_not_allow_is_not_reached(many_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.engine.plan.BATCH_ITEMS", 10)
    monkeypatch.setenv("TRIAGE_TEST_HOOK", "hang=F00301")
    case = tmp_path / "case"
    result = run_case(many_image, case, profile=profile_with(stall_seconds=1), time_budget=1.5)
    items = coverage(case)["items"]
    assert not result.complete
    assert items["analysed"] > 0
    assert items["not_reached"] > 0
    assert items["seen"] == sum(n for name, n in items.items() if name != "seen")


def test_other_evidence_is_refused_and_the_case_stays_as_it_is(small_image: Path, full: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.raw"
    other.write_bytes(make_fat({"A.TXT": b"a"}, serial=99))
    before = digest(full)
    with pytest.raises(CaseError, match="belongs to other evidence") as caught:
        run_case(other, full)
    assert caught.value.exit_code == 4
    assert caught.value.hint
    with pytest.raises(CaseError):
        run(RunOptions(evidence=(small_image, other), case=full, profile=load_profile("full"), jobs=1), Silent())
    assert digest(full) == before


def test_evidence_that_changed_between_two_runs_is_other_evidence(small_image: Path, tmp_path: Path) -> None:
    image, case = tmp_path / "disk.raw", tmp_path / "case"
    shutil.copy(small_image, image)
    run_case(image, case)
    data = bytearray(image.read_bytes())
    data[600] ^= 1
    image.write_bytes(data)
    with pytest.raises(CaseError, match="other evidence"):
        run_case(image, case)


def test_evidence_that_changes_during_a_run_is_said(small_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image, case = tmp_path / "disk.raw", tmp_path / "case"
    shutil.copy(small_image, image)
    real = run_module.score_case

    def write_to_it(*arguments: object) -> None:
        with image.open("r+b") as file:
            file.seek(-1, 2)
            file.write(b"\1")
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(run_module, "score_case", write_to_it)
    result = run_case(image, case)
    assert result.changed == [str(image)]
    with Case.open(case) as opened:
        assert opened.evidence()[0]["fingerprint_state"] == "CHANGED"
        assert any("changed while" in p["message"] for p in opened.problems())


def test_a_moved_image_is_the_same_evidence(small_image: Path, full: Path, tmp_path: Path) -> None:
    case, image = tmp_path / "case", tmp_path / "elsewhere" / "renamed.dd"
    shutil.copytree(full, case)
    image.parent.mkdir()
    shutil.copy(small_image, image)
    assert run_case(image, case).resumed
    assert digest(case) == digest(full)


def test_the_same_medium_twice_is_refused(small_image: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.raw"
    shutil.copy(small_image, copy)
    with pytest.raises(EvidenceError, match="same evidence"):
        run(RunOptions(evidence=(small_image, copy), case=tmp_path / "case", profile=load_profile("full"), jobs=1), Silent())
    assert not (tmp_path / "case").exists()


def test_two_media_make_one_case(small_image: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.raw"
    other.write_bytes(make_fat({"A.TXT": b"alpha", "FILE03.TXT": b"beta"}, serial=99))
    options = RunOptions(evidence=(small_image, other), case=tmp_path / "case", profile=load_profile("full"), jobs=2)
    assert run(options, Silent()).complete
    with Case.open(tmp_path / "case") as opened:
        rows = [r for r in opened.files() if r["path"] == "vol1/FILE03.TXT"]
        assert len({r["evidence"] for r in rows}) == 2
        assert hashlib.md5(b"beta").hexdigest() in {r["md5"] for r in rows}


def test_the_evidence_is_not_written_to(small_image: Path, tmp_path: Path) -> None:
    before = (hashlib.sha256(small_image.read_bytes()).hexdigest(), small_image.stat().st_mtime_ns, list(small_image.parent.iterdir()))
    run_case(small_image, tmp_path / "case")
    after = (hashlib.sha256(small_image.read_bytes()).hexdigest(), small_image.stat().st_mtime_ns, list(small_image.parent.iterdir()))
    assert before == after
