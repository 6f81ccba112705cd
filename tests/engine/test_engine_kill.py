"""``kill -9`` at any moment, then the same command again: the case is that of a run that nothing disturbed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pytest
from engine_support import THOROUGH, children, digest, files, is_running, until

from triage.case.audit import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine_support import ForkServer

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="needs fork and /proc")]

BATCH = 20
"""Items of a batch here, so that there are some thirty batches to be killed between."""


class Left(NamedTuple):
    """What must be the same after every history of a case."""

    digest: str
    findings: bytes
    report: bytes


def command(image: Path, case: Path) -> list[str]:
    return ["run", str(image), "--case", str(case), "--jobs", "1", "--hashset", str(image.with_suffix(".txt")), "-q"]


def left(case: Path) -> Left:
    return Left(digest(case), (case / "findings.jsonl").read_bytes(), (case / "report" / "report.json").read_bytes())


def ask(case: Path, sql: str) -> int:
    """Return a number from a case that is being written; 0 while there is none to ask."""
    if not (case / "case.db").is_file():
        return 0
    connection = sqlite3.connect(f"file:{case / 'case.db'}?mode=ro", uri=True, timeout=0.1)
    try:
        row = connection.execute(sql).fetchone()
        return int(row[0] or 0) if row else 0
    except sqlite3.Error:
        return 0
    finally:
        connection.close()


def stage_of(case: Path) -> str:
    """Say how far a killed run had come."""
    if not ask(case, "SELECT count(*) FROM evidence"):
        return "opening"
    if (case / "report" / "report.json").is_file():
        return "over"
    if ask(case, "SELECT value = 'true' FROM meta WHERE key = 'finished'"):
        return "report"
    if ask(case, "SELECT count(*) FROM volume WHERE walk = 'pending'"):
        return "walk"
    return "scoring" if all_read(case) else "batches"


def all_read(case: Path) -> bool:
    """Whether all content work is done."""
    return bool(ask(case, "SELECT (SELECT count(*) FROM volume WHERE walk = 'pending') = 0 AND (SELECT count(*) FROM entry) > 0 AND "
                          "(SELECT count(*) FROM entry WHERE skip IS NULL AND content NOT IN (SELECT key FROM content)) = 0"))


@pytest.fixture(scope="module")
def listed_image(many_image: Path) -> Path:
    """The image with many names, and beside it a list that a few of its files are on."""
    many_image.with_suffix(".txt").write_text(
        "".join(f"{row['md5']}\n" for row in _some(many_image)), encoding="ascii")
    return many_image


def _some(image: Path) -> list[dict[str, str]]:
    import hashlib

    return [{"md5": hashlib.md5(f"content {n}\n".encode() * 9).hexdigest()} for n in range(0, 400, 11)]


@pytest.fixture(scope="module")
def undisturbed(listed_image: Path, fork_server: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Left:
    case = tmp_path_factory.mktemp("undisturbed") / "case"
    assert fork_server.run(command(listed_image, case), batch_items=BATCH) == 0
    assert (case / "findings.jsonl").read_bytes().count(b"\n") > 10
    return left(case)


def moments(dice: random.Random) -> list[tuple[str, Callable[[Path], bool], float]]:
    """Twenty moments: something to wait for, then a random while."""
    rows = "SELECT count(*) FROM entry"
    done = "SELECT count(*) FROM content"
    found: list[tuple[str, Callable[[Path], bool], float]] = [
        ("start", lambda case: True, dice.uniform(0, 0.3)), ("folder", lambda case: case.is_dir(), dice.uniform(0, 0.02)),
        ("database", lambda case: (case / "case.db").exists(), dice.uniform(0, 0.01)),
        ("database", lambda case: (case / "case.db").exists(), dice.uniform(0, 0.3))]
    found += [("evidence", lambda case: ask(case, "SELECT count(*) FROM evidence") > 0, dice.uniform(0, 0.01)) for _ in range(3)]
    found += [("names", lambda case: ask(case, rows) > 0, dice.uniform(0, 0.02)) for _ in range(2)]
    found += [("items", lambda case, n=n: ask(case, done) >= n, dice.uniform(0, 0.02)) for n in dice.sample(range(1, 380), 5)]
    found += [("read", all_read, dice.uniform(0, 0.01)) for _ in range(2)]
    found += [("scores", lambda case: ask(case, "SELECT count(*) FROM score") > 0, dice.uniform(0, 0.02))]
    found += [("end", lambda case: b'"event":"end"' in _log(case), dice.uniform(0, 0.01)),
              ("report", lambda case: any(case.glob("report*")), 0.0),
              ("report", lambda case: any(case.glob("report*")), dice.uniform(0, 0.02))]
    assert len(found) == 20
    return found


def _log(case: Path) -> bytes:
    try:
        return (case / "audit.jsonl").read_bytes()
    except OSError:
        return b""


def test_kills_at_random_moments_leave_the_same_case(
    listed_image: Path, undisturbed: Left, fork_server: ForkServer, tmp_path: Path
) -> None:
    killed: Counter[str] = Counter()
    dice = random.Random(20)
    tried = moments(dice) if THOROUGH else moments(dice)[::4]
    for number, (name, reached, delay) in enumerate(tried):
        case = tmp_path / f"case{number}"
        pid = fork_server.start(command(listed_image, case), batch_items=BATCH)
        assert until(lambda pid=pid, case=case, reached=reached: reached(case) or not is_running(pid)), name
        time.sleep(delay)
        workers = children(pid)
        if is_running(pid):
            os.kill(pid, signal.SIGKILL)
        if fork_server.wait(pid) == -signal.SIGKILL:
            killed[stage_of(case)] += 1
        assert until(lambda workers=workers: not any(is_running(w) for w in workers)), "workers outlive their parent"
        assert fork_server.run(command(listed_image, case), batch_items=BATCH) == 0
        assert left(case) == undisturbed, f"killed at {name} + {delay:.3f} s"
        assert verify(case / "audit.jsonl")[1] == []
        assert not list(case.glob("*.new")) + list(case.glob("*-wal")) + list(case.glob("*.partial"))
        shutil.rmtree(case)
    assert sum(killed.values()) - killed["over"] >= 0.6 * len(tried), killed
    assert killed["batches"] >= (2 if THOROUGH else 1), killed
    assert len(killed) >= (4 if THOROUGH else 2), killed


def test_a_case_that_is_killed_again_and_again_gets_there(
    listed_image: Path, undisturbed: Left, fork_server: ForkServer, tmp_path: Path
) -> None:
    case = tmp_path / "case"
    kills = 0
    for goal in (1, 60, 150, 240, 330):
        pid = fork_server.start(command(listed_image, case), batch_items=BATCH)
        until(lambda goal=goal, pid=pid: ask(case, "SELECT count(*) FROM content") >= goal or not is_running(pid))
        if is_running(pid):
            os.kill(pid, signal.SIGKILL)
        kills += fork_server.wait(pid) == -signal.SIGKILL
    assert kills >= 3
    assert fork_server.run(command(listed_image, case), batch_items=BATCH) == 0
    assert left(case) == undisturbed
    assert verify(case / "audit.jsonl")[1] == []
    lines = (case / "findings.jsonl").read_bytes().splitlines()
    assert len(lines) == len(set(lines))
    assert len(files(case)) == ask(case, "SELECT count(*) FROM entry")
    # A run can be killed before it notes that it started.
    assert 2 <= ask(case, "SELECT count(*) FROM run_time WHERE event = 'started'") <= kills + 1


def test_workers_die_with_their_parent(listed_image: Path, fork_server: ForkServer, tmp_path: Path) -> None:
    hook = {"TRIAGE_TEST_HOOK": "hang=F00001"}
    pid = fork_server.start([*command(listed_image, tmp_path / "case"), "--jobs", "3"], **hook)
    assert until(lambda: len(children(pid)) == 3)
    workers = children(pid)
    assert until(lambda: ask(tmp_path / "case", "SELECT count(*) FROM entry") > 0)
    os.kill(pid, signal.SIGKILL)
    assert fork_server.wait(pid) == -signal.SIGKILL
    assert until(lambda: not any(is_running(w) for w in workers), 5)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130)])
def test_an_interrupted_run_says_how_to_go_on_and_does(
    number: int, code: int, listed_image: Path, undisturbed: Left, fork_server: ForkServer, tmp_path: Path
) -> None:
    case = tmp_path / "case"
    pid = fork_server.start(command(listed_image, case), batch_items=5)
    assert until(lambda: ask(case, "SELECT count(*) FROM content") > 0)
    workers = children(pid)
    os.kill(pid, number)
    assert fork_server.wait(pid) == code
    assert until(lambda: not any(is_running(w) for w in workers), 5)
    assert fork_server.run(command(listed_image, case), batch_items=BATCH) == 0
    assert left(case) == undisturbed
