"""An item that ends, hangs or bloats its worker costs that item a problem, and nothing else changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from engine_support import coverage, digest, files, problems, profile_with, run_case

from triage.case.audit import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

POISONED = "vol1/FILE05.TXT"
ABOUT_CONTENT = ("md5", "sha1", "sha256", "mime", "type", "category", "entropy", "extension_mismatch", "outcome", "outcome_reason",
                 "problems", "known", "matches")


@pytest.fixture(scope="module")
def undisturbed(small_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    case = tmp_path_factory.mktemp("undisturbed") / "case"
    run_case(small_image, case)
    return case


def others(case: Path, *poisoned: str) -> dict[str, dict[str, Any]]:
    return {path: row for path, row in files(case).items() if path not in poisoned}


@pytest.mark.parametrize(("hook", "outcome", "limits", "said"), [
    ("crash", "crashed", {}, "ended the worker"),
    ("abort", "crashed", {}, "ended the worker"),
    ("garbage", "crashed", {}, "not a frame"),
    ("hang", "timeout", {"stall_seconds": 1}, "stalled for more than 1 s"),
    ("memory", "failed", {"memory": 1 << 30}, "memory limit"),
])
def test_one_poisoned_item_costs_itself_only(
    hook: str, outcome: str, limits: dict[str, int], said: str, small_image: Path, undisturbed: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRIAGE_TEST_HOOK", f"{hook}=FILE05")
    case = tmp_path / "case"
    result = run_case(small_image, case, profile=profile_with(**limits))
    assert result.complete
    assert result.problems == 1
    row = files(case)[POISONED]
    assert (row["outcome"], row["md5"], row["problems"]) == (outcome, None, 1)
    assert said in row["outcome_reason"]
    [problem] = problems(case)
    assert (problem["path"], problem["entry"], problem["severity"]) == (POISONED, row["id"], "error")
    assert said in problem["message"]
    assert others(case, POISONED) == others(undisturbed, POISONED)
    assert coverage(case)["items"][outcome] == 1
    assert verify(case / "audit.jsonl")[1] == []


@pytest.mark.parametrize("name", ["minhang_ext2.raw", "minhang_ext2_4k.raw"])
def test_a_medium_that_hangs_its_reader_is_finished_with_all_its_other_names(
    name: str, image: Callable[[str], Path], answer_key: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    case = tmp_path / "case"
    assert run_case(image(name), case, profile=profile_with(stall_seconds=1, orphan_seconds=2), jobs=2).complete
    found = files(case)
    for entry in answer_key(name)["entries"]:
        assert entry["path"] in found
        if entry.get("sha256"):
            assert found[entry["path"]]["sha256"] == entry["sha256"]
    assert any(p["path"] == "vol1/poison.bin" or "poison" in p["message"] for p in problems(case))


def test_two_poisoned_items_cost_two(small_image: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_TEST_HOOK", "crash=FILE03.TXT;abort=IMG04")
    case = tmp_path / "case"
    assert run_case(small_image, case, jobs=2).complete
    lost = ("vol1/FILE03.TXT", "vol1/DCIM/IMG04.JPG")
    assert sorted(p["path"] for p in problems(case)) == sorted(lost)
    assert {files(case)[p]["outcome"] for p in lost} == {"crashed"}
    assert others(case, *lost) == others(undisturbed, *lost)
    lines = (case / "audit.jsonl").read_text(encoding="ascii")
    assert lines.count('"worker lost"') == 2


def test_retry_brings_back_what_the_poison_cost(
    small_image: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = tmp_path / "case"
    monkeypatch.setenv("TRIAGE_TEST_HOOK", "crash=FILE03.TXT;memory=FILE07.TXT")
    run_case(small_image, case, profile=profile_with(memory=1 << 30))
    monkeypatch.delenv("TRIAGE_TEST_HOOK")
    assert run_case(small_image, case).resumed
    assert {files(case)[f"vol1/FILE0{n}.TXT"]["outcome"] for n in (3, 7)} == {"crashed", "failed"}
    run_case(small_image, case, retry_failed=True)
    assert problems(case) == []
    assert digest(case) == digest(undisturbed)


def test_too_many_lost_workers_end_the_work_and_a_later_run_goes_on(
    small_image: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = tmp_path / "case"
    monkeypatch.setenv("TRIAGE_TEST_HOOK", "crash=FILE")
    result = run_case(small_image, case, profile=profile_with(restarts=2))
    assert not result.complete
    assert "lost 3 times" in result.stopped
    items = coverage(case)["items"]
    assert items["crashed"] == 3
    assert items["not_reached"] > 0
    assert not coverage(case)["complete"]
    assert any("not reached" in p["message"] for p in problems(case))
    monkeypatch.delenv("TRIAGE_TEST_HOOK")
    assert run_case(small_image, case, retry_failed=True).complete
    assert coverage(case)["items"]["not_reached"] == 0
    assert problems(case) == []
    assert digest(case) == digest(undisturbed)
