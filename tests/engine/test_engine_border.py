"""The parent believes no worker: what does not fit its question, or its types, costs the worker its life and the work is done again."""

from __future__ import annotations

import copy
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from engine_support import Silent, digest, files, problems, profile_with, run_case

from triage.case.audit import verify
from triage.case.writer import CaseWriter
from triage.engine import frames, process
from triage.engine.budget import ReadBudget
from triage.engine.local import LocalEngine, _Batch, _Seat, _Walk
from triage.engine.plan import Plan
from triage.engine.sink import CaseSink
from triage.errors import EngineError
from triage.hashsets.library import HashsetLibrary
from triage.hashsets.matching import open_matcher
from triage.priority.profile import load_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FINDING = {"entry": "x", "plugin": "p@1", "kind": "k", "title": "t", "data": {}, "ranges": []}
PROBLEM = {"severity": "error", "stage": "content", "message": "m"}


def of_result(position: int, value: Any) -> Callable[[dict[str, Any]], Any]:
    """Change one field of a content."""
    return lambda message: message["results"][0]["content"].__setitem__(position, value)


def of_batch(name: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda message: message.__setitem__(name, value)


def of_item(name: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda message: message["results"][0].__setitem__(name, value)


def of_entry(position: int, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda message: message["entries"][0].__setitem__(position, value)


LIES_ABOUT_CONTENT: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another batch": of_batch("batch", 999),
    "no batch": lambda message: message.pop("batch"),
    "no results": lambda message: message.pop("results"),
    "results are a number": of_batch("results", 5),
    "one result too few": lambda message: message["results"].pop(),
    "one result too many": lambda message: message["results"].append(message["results"][0]),
    "a result is text": lambda message: message["results"].__setitem__(0, "text"),
    "a category that there is not": of_item("category", "trust me"),
    "a category that is a list": of_item("category", []),
    "size is text": of_result(0, "5"),
    "size is negative": of_result(0, -1),
    "size is past 64 bits": of_result(0, 1 << 70),
    "size is a flag": of_result(0, True),
    "a digest of the wrong length": of_result(1, "ab"),
    "a digest that is no digest": of_result(3, "z" * 64),
    "mime is a number": of_result(4, 1),
    "mime is half a character": of_result(4, "\ud800"),
    "an outcome that there is not": of_result(7, "perfect"),
    "an outcome that is a list": of_result(7, []),
    "entropy is text": of_result(6, "high"),
    "content is short": lambda message: message["results"][0]["content"].pop(),
    "findings are a number": of_item("findings", 7),
    "a finding is text": of_item("findings", ["text"]),
    "a finding without a title": of_item("findings", [{k: v for k, v in FINDING.items() if k != "title"}]),
    "a finding whose title is null": of_item("findings", [{**FINDING, "title": None}]),
    "a finding whose title is a number": of_item("findings", [{**FINDING, "title": 5}]),
    "a finding whose data is a list": of_item("findings", [{**FINDING, "data": [1]}]),
    "a finding with half a character": of_item("findings", [{**FINDING, "title": "\ud800"}]),
    "a finding with a field of its own": of_item("findings", [{**FINDING, "trust": 1}]),
    "a finding whose ranges are text": of_item("findings", [{**FINDING, "ranges": "all"}]),
    "a finding that says that it is a list's": of_item("findings", [{**FINDING, "plugin": "hashsets", "kind": "hash-match"}]),
    "a problem of a severity that there is not": of_item("problems", [{**PROBLEM, "severity": "fine"}]),
    "a problem whose message is null": of_item("problems", [{**PROBLEM, "message": None}]),
    "a problem whose detail is an object": of_item("problems", [{**PROBLEM, "detail": {}}]),
}
LIES_ABOUT_NAMES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "of another evidence": of_entry(1, "0" * 16),
    "of another volume": of_entry(2, 7),
    "a path that is a number": of_entry(3, 5),
    "a path with half a character": of_entry(3, "\ud800"),
    "a kind that there is not": of_entry(6, "trustworthy"),
    "a size that is text": of_entry(11, "big"),
    "a size past 64 bits": of_entry(11, 1 << 70),
    "a time past 64 bits": of_entry(12, 1 << 70),
    "runs that are no pairs": of_entry(24, [5]),
    "a locator of three": of_entry(28, [1, 2, 3]),
    "an entry is text": lambda message: message["entries"].__setitem__(0, "text"),
    "an entry is short": lambda message: message["entries"][0].pop(),
    "entries are null": lambda message: message.__setitem__("entries", None),
    "a problem is text": lambda message: message["problems"].append("text"),
    "a problem whose message is a number": lambda message: message["problems"].append({**PROBLEM, "message": 5}),
    "totals are a number": lambda message: message.__setitem__("totals", 5),
    "content in place of names": lambda message: message.__setitem__("done", "analyze") or message.pop("entries"),
}


class Told(NamedTuple):
    """What an honest worker answered, and to which job."""

    case: Path
    walk: tuple[_Walk, dict[str, Any]]
    batch: tuple[_Batch, dict[str, Any]]


@pytest.fixture(scope="module")
def told(small_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    case = tmp_path_factory.mktemp("honest") / "case"
    heard: dict[str, tuple[Any, dict[str, Any]]] = {}
    real = LocalEngine._answer

    def listen(engine: LocalEngine, seat: _Seat, message: dict[str, Any]) -> None:
        if message.get("done") != "attach" and seat.job is None:
            heard[message["done"]] = (copy.deepcopy(seat.walk or seat.batches[0]), copy.deepcopy(message))
        real(engine, seat, message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalEngine, "_answer", listen)
        run_case(small_image, case)
    return Told(case, heard["walk"], heard["analyze"])


@pytest.fixture(scope="module")
def honest(told: Told) -> Path:
    return told.case


@pytest.fixture
def engine(told: Told, tmp_path: Path) -> Iterator[LocalEngine]:
    """An engine without workers over a copy of the case."""
    shutil.copytree(told.case, tmp_path / "case")
    writer = CaseWriter.create(tmp_path / "case")
    profile = load_profile("full")
    with open_matcher((), HashsetLibrary(), tmp_path) as matcher:
        found = LocalEngine(profile.limits, {}, 0)
        found.attach([], CaseSink(writer, profile, matcher, Plan(), ["p@1"], Silent(), ReadBudget({}, profile.limits.item_bytes)))
        yield found
    writer.close()


class Liar:
    """Stands between the workers' pipes and the parent and changes what the first few answers to a task say."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, task: str, change: Callable[[dict[str, Any]], Any], times: int) -> None:
        self.left = times
        self.told = 0
        real = frames.parse_json

        def parse(payload: bytes) -> dict[str, Any]:
            message = real(payload)
            if message.get("done") == task and not message.get("error") and self.left:
                self.left -= 1
                self.told += 1
                change(message)
            return message

        monkeypatch.setattr(process.frames, "parse_json", parse)


NOT_TAKEN = (LookupError, TypeError, ValueError, AttributeError)


def answer(engine: LocalEngine, job: _Walk | _Batch, message: dict[str, Any]) -> None:
    seat = _Seat(worker=None, ready=True)  # type: ignore[arg-type]
    if isinstance(job, _Walk):
        seat.walk = job
    else:
        seat.batches.append(job)
    engine._answer(seat, message)


def test_what_an_honest_worker_says_is_taken(engine: LocalEngine, told: Told, tmp_path: Path) -> None:
    answer(engine, *copy.deepcopy(told.walk))
    answer(engine, *copy.deepcopy(told.batch))
    assert digest(tmp_path / "case") == digest(told.case)
    of_item("findings", [FINDING])(told.batch[1])
    with_finding = copy.deepcopy(told.batch[1])
    told.batch[1]["results"][0]["findings"] = []
    answer(engine, told.batch[0], with_finding)
    assert digest(tmp_path / "case") != digest(told.case)


@pytest.mark.parametrize("lie", LIES_ABOUT_CONTENT)
def test_a_lie_about_content_is_not_taken_and_leaves_nothing(lie: str, engine: LocalEngine, told: Told, tmp_path: Path) -> None:
    job, message = copy.deepcopy(told.batch)
    LIES_ABOUT_CONTENT[lie](message)
    with pytest.raises(NOT_TAKEN):
        answer(engine, job, message)
    answer(engine, *told.batch)  # and the case can still be written
    assert digest(tmp_path / "case") == digest(told.case)


@pytest.mark.parametrize("lie", LIES_ABOUT_NAMES)
def test_a_lie_about_names_is_not_taken_and_leaves_nothing(lie: str, engine: LocalEngine, told: Told, tmp_path: Path) -> None:
    job, message = copy.deepcopy(told.walk)
    LIES_ABOUT_NAMES[lie](message)
    with pytest.raises(NOT_TAKEN):
        answer(engine, job, message)
    answer(engine, *told.walk)
    assert digest(tmp_path / "case") == digest(told.case)


@pytest.mark.parametrize(("task", "lie"), [
    ("analyze", of_result(0, 1 << 70)), ("analyze", of_batch("batch", 999)), ("walk", of_entry(3, "\ud800")), ("walk", of_entry(2, 7)),
])
def test_who_lies_is_ended_and_the_work_is_done_again(
    task: str, lie: Callable[[dict[str, Any]], Any], small_image: Path, honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    liar = Liar(monkeypatch, task, lie, 1)
    case = tmp_path / "case"
    assert run_case(small_image, case).complete
    assert liar.told == 1
    assert '"worker lost"' in (case / "audit.jsonl").read_text(encoding="ascii")
    assert digest(case) == digest(honest)
    assert verify(case / "audit.jsonl")[1] == []


def test_who_always_lies_about_one_item_costs_that_item(
    small_image: Path, honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = files(honest)["vol1/FILE05.TXT"]

    def lie(message: dict[str, Any]) -> None:
        for result in message["results"]:
            if result["content"][1] == wanted["md5"]:
                result["category"] = "x" * 5000

    Liar(monkeypatch, "analyze", lie, 1000)
    case = tmp_path / "case"
    assert run_case(small_image, case).complete
    rows, true = files(case), files(honest)
    assert rows["vol1/FILE05.TXT"]["outcome"] == "crashed"
    [problem] = problems(case)
    assert problem["path"] == "vol1/FILE05.TXT"
    assert "does not fit" in problem["message"]
    assert len(problem["message"]) < 600
    assert {p: r for p, r in rows.items() if "FILE05" not in p} == {p: r for p, r in true.items() if "FILE05" not in p}


def test_a_volume_that_is_only_lied_about_is_given_up_and_said(small_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Liar(monkeypatch, "walk", of_entry(2, 7), 1000)
    case = tmp_path / "case"
    run_case(small_image, case, profile=profile_with(restarts=20))
    assert any("names may be missing" in p["message"] for p in problems(case))


def test_a_message_that_takes_too_much_memory_ends_the_worker_and_is_said(
    small_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grow(message: dict[str, Any]) -> None:
        raise MemoryError

    Liar(monkeypatch, "analyze", grow, 1)
    case = tmp_path / "case"
    assert run_case(small_image, case).complete
    # The worker may have begun the next batch by then: no item is blamed for it in that case, but the log knows.
    assert all("MemoryError" in p["message"] for p in problems(case)), problems(case)
    assert "MemoryError" in (case / "audit.jsonl").read_text()


def test_workers_that_cannot_open_the_evidence_end_the_run(small_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_START", "raise SystemExit(3)")
    with pytest.raises(EngineError) as caught:
        run_case(small_image, tmp_path / "case")
    assert caught.value.hint
