"""Runs of small cases for the tests of engine, case and commands: in this process, or in one that may be killed."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triage.case.store import Case
from triage.engine.run import RunOptions, RunResult, run
from triage.priority.profile import load_profile
from triage.report.document import build
from triage.report.write import write_report

if TYPE_CHECKING:
    from triage.priority.profile import Profile

THOROUGH = bool(os.environ.get("TRIAGE_THOROUGH"))
"""Whether to try every moment of an experiment, as ``make test-thorough`` does, and not some of them."""


class Silent:
    """An observer that notes only the names of the stages."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def progress(self, **_: int) -> None:
        pass

    def notable(self, path: str, text: str) -> None:
        pass


def profile_with(name: str = "full", **limits: Any) -> Profile:
    profile = load_profile(name)
    return dataclasses.replace(profile, limits=dataclasses.replace(profile.limits, **limits))


def run_case(image: Path, case: Path, *, profile: Profile | None = None, report: bool = False, **options: Any) -> RunResult:
    """Examine one image into a case, one worker unless told."""
    options.setdefault("jobs", 1)
    result = run(RunOptions(evidence=(image,), case=case, profile=profile or load_profile("full"), **options), Silent())
    if report:
        with Case.open(case) as opened:
            write_report(build(opened), ("html", "json"), case / "report")
    return result


def digest(case: Path) -> str:
    with Case.open(case) as opened:
        return opened.digest()


def files(case: Path, **how: Any) -> dict[str, dict[str, Any]]:
    with Case.open(case) as opened:
        return {row["path"]: row for row in opened.files(**how)}


def problems(case: Path) -> list[dict[str, Any]]:
    with Case.open(case) as opened:
        return list(opened.problems())


def coverage(case: Path) -> dict[str, Any]:
    with Case.open(case) as opened:
        return opened.coverage()


class ForkServer:
    """A process that has imported triage and forks a run for each request: it starts in milliseconds and may be killed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("fork_server.py")), str(Path(__file__).resolve().parents[2])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _ask(self, request: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(self, arguments: list[str], *, batch_items: int = 200, **environment: str) -> int:
        """Begin ``triage ARGUMENTS``; return its process id."""
        return self._ask({"arguments": arguments, "environment": environment, "batch_items": batch_items})

    def wait(self, pid: int) -> int:
        """Return the exit code, negative for a signal."""
        return self._ask({"wait": pid})

    def run(self, arguments: list[str], **how: Any) -> int:
        return self.wait(self.start(arguments, **how))

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


def children(pid: int) -> list[int]:
    """Return the processes that a process has started (Linux)."""
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie (Linux)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def until(condition: Any, seconds: float = 20.0) -> bool:
    """Wait for something; return whether it came."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.002)
    return False


def killable() -> bool:
    return hasattr(os, "fork") and Path("/proc/self/task").is_dir()
