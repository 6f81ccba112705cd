"""A worker that was taken over, as a real process: whatever it sends, the parent takes no harm and the others do its work."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from engine_support import digest, files, problems, profile_with, run_case, until

from triage.case.audit import verify
from triage.engine import process
from triage.engine.session import Session
from triage.errors import EvidenceError, TriageError

if TYPE_CHECKING:
    from pathlib import Path

# The first worker of a test is the attacker's: ATTACK says what it does in place of its first answer to TASK. The others are ours.
START = """
import sys
sys.path.insert(0, sys.argv[1])
import json, os, time
from triage.engine import frames
real = frames.write_json
def raw(kind, length, data):
    out.write(kind + length.to_bytes(4, "little") + data)
    out.flush()
def text(data):
    raw(b"J", len(data), data)
def evil(stream, value):
    global out
    out = stream
    if value.get("done") != TASK and not ("entries" in value and TASK == "walk"):
        return real(stream, value)
    ATTACK
try:
    os.close(os.open(MARK, os.O_CREAT | os.O_EXCL))
    frames.write_json = evil
except FileExistsError:
    pass
from triage.engine.worker import main
main(sys.argv[2:])
"""
LONG = 'x = "A" * (60 << 20)\n    '
FINDING = '{"entry": "x", "plugin": "exif@1#", "kind": "k", "title": "t", "data": {}, "ranges": []}'
# Those that are no answer at all cost the item that was announced, the others nothing.
GARBAGE = {
    "pickle": 'out.write(b"\\x80\\x04cos\\nsystem\\n(S\'touch owned\'\\ntR."); out.flush(); time.sleep(60)',
    "four gigabytes": 'raw(b"J", (1 << 32) - 1, b"x"); time.sleep(60)',
    "deep": 'text(b"[" * 5_000_000); time.sleep(60)',
    "deep object": 'text(b\'{"a":\' * 1_000_000 + b"1" + b"}" * 1_000_000); time.sleep(60)',
    "million digits": 'text(b\'{"done":"analyze","batch":\' + b"9" * 1_000_000 + b"}"); time.sleep(60)',
    "not a number": 'text(b\'{"done":"analyze","batch":NaN}\'); time.sleep(60)',
    "many values": 'text(b\'{"done":"analyze","batch":[\' + b"0," * 20_000_000 + b"0]}"); time.sleep(60)',
    "a list": 'text(b"[1]"); time.sleep(60)',
    "bytes": "frames.write_frame(out, b'bytes'); time.sleep(60)",
    "silence": "os.close(1); time.sleep(60)",
}
ANSWERS = {
    "no content": 'value["results"] = [{}] * len(value["results"]); real(out, value)',
    "infinite entropy": 'value["results"][0]["content"][6] = 1; '
                        "text(json.dumps(value).replace(', 1, \"done\"', ', 1e999, \"done\"').encode())",
    "number past 64 bits": 'value["results"][0]["content"][0] = 1 << 80; real(out, value)',
    "another batch": 'value["batch"] += 1; real(out, value)',
    "duplicate": 'value["batch"] -= 1; real(out, value)',
    "60 MiB type": LONG + 'value["results"][0]["content"][5] = x; real(out, value)',
    "60 MiB reason": LONG + 'value["results"][0]["content"][8] = x; real(out, value)',
    "60 MiB problem": LONG + 'value["results"][0]["problems"] = [{"severity": "error", "stage": "content", "message": x}]; '
                      "real(out, value)",
    "a hundred thousand problems": 'value["results"][0]["problems"] = [{"severity": "error", "stage": "content", "message": str(n)} '
                                   "for n in range(100_000)]; real(out, value)",
    "a hundred thousand findings": f'value["results"][0]["findings"] = [{FINDING}] * 100_000; real(out, value)',
    "unasked": 'real(out, {"done": "thumbnail"})',
    "attached again": 'for _ in range(10_000): real(out, {"done": "attach"})',
}
ROWS = '{"entries": [[f"{n + m}x", *row[1:3], f"vol1/invented{n + m}", *row[4:]] for m in range(400)], "problems": []}'
WALKS = {
    "endless rows": f'row = value["entries"][0]\n    for n in range(0, 1 << 30, 400): real(out, {ROWS})',
    "endless problems": 'while True: real(out, {"entries": [], "problems": [{"severity": "error", "stage": "filesystem", '
                        '"message": str(time.time_ns() + n)} for n in range(400)]})',
    "endless nothing": 'while True: real(out, {"entries": [], "problems": []})',
    "60 MiB name": LONG + 'value["entries"][0][4] = x; real(out, value)',
    "60 MiB path": LONG + 'value["entries"][0][3] = x; real(out, value)',
    "60 MiB totals": LONG + 'value["totals"]["orphan_reasons"] = {x: 1}; real(out, value)',
    "infinite totals": 'value["totals"]["names"] = 5; text(json.dumps(value).replace(\'"names": 5\', \'"names": 1e999\').encode())',
}
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="other processes, other slots")


def attack(monkeypatch: pytest.MonkeyPatch, task: str, what: str, mark: Path) -> None:
    start = START.replace("TASK", repr(task)).replace("ATTACK", what).replace("MARK", repr(str(mark)))
    compile(start, "start", "exec")
    monkeypatch.setattr(process, "_START", start)


@pytest.fixture(scope="module")
def honest(small_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    case = tmp_path_factory.mktemp("honest") / "case"
    run_case(small_image, case)
    return case


def lost(case: Path) -> list[str]:
    lines = [json.loads(line) for line in (case / "audit.jsonl").read_bytes().splitlines()]
    return [line["data"]["how"] for line in lines if line["event"] == "worker lost"]


@pytest.mark.parametrize("what", GARBAGE)
def test_what_is_no_answer_costs_one_item(
    what: str, small_image: Path, honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack(monkeypatch, "analyze", GARBAGE[what], tmp_path / "mark")
    case = tmp_path / "case"
    assert run_case(small_image, case).complete
    assert len(lost(case)) == 1
    rows, true = files(case), files(honest)
    other = [path for path in true if rows[path] != true[path]]
    assert len(other) <= 1
    assert all(rows[path]["outcome"] == "crashed" for path in other)
    assert set(rows) == set(true)
    assert verify(case / "audit.jsonl")[1] == []


@pytest.mark.parametrize("what", ANSWERS)
def test_an_answer_that_does_not_fit_costs_nothing(
    what: str, small_image: Path, honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack(monkeypatch, "analyze", ANSWERS[what], tmp_path / "mark")
    case = tmp_path / "case"
    assert run_case(small_image, case).complete
    [how] = lost(case)
    assert "does not fit" in how
    assert len(how) < 400
    assert digest(case) == digest(honest)
    assert verify(case / "audit.jsonl")[1] == []


@pytest.mark.parametrize("what", WALKS)
def test_a_flood_of_names_ends_and_is_said(
    what: str, small_image: Path, honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triage.engine.local._SPARE", 2_000)
    attack(monkeypatch, "walk", WALKS[what], tmp_path / "mark")
    case = tmp_path / "case"
    assert run_case(small_image, case, profile=profile_with(entries_per_volume=2_000, orphans_per_volume=100)).complete
    [how] = lost(case)
    assert "does not fit" in how
    rows, true = files(case), files(honest)
    assert {path: rows[path] for path in true} == true
    assert len(rows) < 6_000
    if what == "endless rows":
        assert any("may be invented" in p["message"] for p in problems(case))


def test_a_flood_waits_in_the_pipe_and_not_in_our_memory(small_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attack(monkeypatch, "state", 'while True: real(out, {"done": "state", "held": ["x" * 100_000]})', tmp_path / "mark")
    with Session() as session:
        session.held()
        assert until(lambda: session._worker.silent_for() < 0.01 and session._events.qsize() >= process._UNREAD - 1)
        assert session._events.qsize() <= process._UNREAD
        with pytest.raises(EvidenceError, match="does not fit"):
            session.open(small_image)


def test_of_large_answers_one_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = 'while True: real(out, {"done": "state", "held": ["x" * 8_000_000]})'
    attack(monkeypatch, "state", large, tmp_path / "mark")
    with Session() as session:
        session.held()
        assert until(lambda: session._events.qsize() == 1)
        assert not until(lambda: session._events.qsize() > 1, 0.5)


OPENED = {
    "files elsewhere": 'value["evidence"]["paths"] = ["/etc/shadow"]; real(out, value)',
    "no files": 'value["evidence"]["paths"] = []; real(out, value)',
    "a device": 'value["evidence"]["paths"].append("/dev/zero"); real(out, value)',
    "an id that is a path": 'value["evidence"]["id"] = "../../x"; real(out, value)',
    "volumes of another": 'value["volumes"][0]["evidence"] = "0" * 16; real(out, value)',
    "a million volumes": 'value["volumes"] *= 200_000; real(out, value)',
    "a record that is text": 'value["evidence"] = "text"; real(out, value)',
    "facts without end": LONG + 'value["evidence"]["facts"] = {"examiner": x}; real(out, value)',
    "another answer": 'value["done"] = "attach"; real(out, value)',
    "an error that there is not": 'real(out, {"done": "open", "error": "SystemExit", "message": "x" * 100})',
    "bytes without end": "while True: frames.write_frame(out, bytes(1 << 20))",
    "nothing": "real(out, {})",
}


@pytest.mark.parametrize("what", OPENED)
def test_a_lie_about_what_was_opened_is_refused_in_one_line(
    what: str, small_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "disk.raw"
    shutil.copy(small_image, image)
    attack(monkeypatch, "open", OPENED[what], tmp_path / "mark")
    with pytest.raises(TriageError) as caught:
        run_case(image, tmp_path / "case")
    assert isinstance(caught.value, EvidenceError)
    assert len(str(caught.value)) < 800
    assert not (tmp_path / "case").exists()


def test_more_bytes_than_were_asked_for_are_refused(small_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attack(monkeypatch, "read", "while True: frames.write_frame(out, bytes(1 << 20))", tmp_path / "mark")
    with Session() as session:
        evidence, _, _ = session.open(small_image)
        from triage.model import Locator, Run

        place = Locator(evidence=evidence.id, runs=(Run(image_offset=0, length=1000),))
        with pytest.raises(EvidenceError, match="more bytes"):
            list(session.read(place, 1000))
        assert b"".join(session.read(place, 1000)) == small_image.read_bytes()[:1000]
