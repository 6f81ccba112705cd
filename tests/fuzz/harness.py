"""Runs targets over inputs in a process of their own, so that a hang or a crash in a library is found, named and survived.

The child writes the number of each input to a file before it touches it, and sets a timer that prints where it hangs and ends it. The
parent makes that input again from its number, keeps it, and lets another child go on behind it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mutation import make_input

if TYPE_CHECKING:
    from targets import Target

PATIENCE = 10.0
"""Seconds that one input may take."""
MEMORY = 4 << 30
"""Bytes of address space of a child; where the system has no such limit, there is none."""
MOST_FAILURES = 10
"""Different failures of one target after which it is given up."""


@dataclass(slots=True)
class Failure:
    """An input that ended otherwise than a target allows: an exception, a hang, a crash."""

    kind: str
    number: int
    detail: str


@dataclass(slots=True)
class Result:
    """What became of one target."""

    executions: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    slowest_input: int = 0
    failures: list[Failure] = field(default_factory=list)


def run_one(target: Target, data: bytes) -> Failure | None:
    """Run a target over one input; return what went wrong."""
    try:
        target.run(data)
    except target.allowed:
        return None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return Failure(_kind(error), -1, "".join(traceback.format_exception(error, limit=-12))[-4000:])
    return None


def _kind(error: BaseException) -> str:
    """Return the exception's class and its innermost place in the project: the same fault has the same name."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "triage" in Path(f.filename).parts or "plugins" in Path(f.filename).parts] or frames
    return f"{type(error).__name__} at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else type(error).__name__


# -- the child ----------------------------------------------------------------------------------------------------------------------


def child(target: Target, seed: int, first: int, seconds: float, folder: Path) -> None:
    """Run inputs from number ``first`` on for some seconds; write the outcome to ``folder/outcome.json``."""
    _limit_memory()
    seeds, tokens = target.seeds(), target.tokens
    failures: dict[str, Failure] = {}
    slowest, slowest_input, number = 0.0, first, first
    with (folder / "hang.txt").open("w") as hang, (folder / "number").open("wb", buffering=0) as announced:
        began = time.monotonic()
        while True:
            started = time.monotonic()
            if started - began >= seconds or len(failures) >= MOST_FAILURES:
                break
            announced.seek(0)
            announced.write(number.to_bytes(8, "little"))
            data = make_input(seeds, tokens, seed, number)
            faulthandler.dump_traceback_later(PATIENCE, exit=True, file=hang)
            failure = run_one(target, data)
            faulthandler.cancel_dump_traceback_later()
            if time.monotonic() - started > slowest:
                slowest, slowest_input = time.monotonic() - started, number
            if failure is not None:
                failure.number = number
                failures.setdefault(failure.kind, failure)
            number += 1
    outcome = {
        "next": number,
        "slowest": slowest,
        "slowest_input": slowest_input,
        "failures": [[f.kind, f.number, f.detail] for f in failures.values()],
    }
    (folder / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


# -- the parent ---------------------------------------------------------------------------------------------------------------------


def fuzz(target: Target, seed: int, seconds: float, keep: Path) -> Result:
    """Run a target for some seconds; inputs that fail are kept in ``keep/NAME``, each with a text that says how."""
    result, first = Result(), 0
    began = time.monotonic()
    while (left := seconds - (time.monotonic() - began)) > 0 and len(result.failures) < MOST_FAILURES:
        with tempfile.TemporaryDirectory(prefix="triage-fuzz-") as name:
            first = _turn(target, seed, first, left, Path(name), result)
    result.executions = first
    result.seconds = time.monotonic() - began
    for failure in result.failures:
        _keep(target, make_input(target.seeds(), target.tokens, seed, failure.number), failure, keep)
    return result


def _turn(target: Target, seed: int, first: int, seconds: float, folder: Path, result: Result) -> int:
    """Let one child run until its time is up or it dies; return the number of the next input."""
    command = [
        sys.executable,
        "-X",
        "faulthandler",
        str(Path(__file__).with_name("run.py")),
        "--child",
        target.name,
        str(seed),
        str(first),
        str(seconds),
        str(folder),
    ]
    environment = {**os.environ, "TMPDIR": str(folder), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    try:
        _, said = process.communicate(timeout=seconds + PATIENCE * 3 + 60)
    except subprocess.TimeoutExpired:  # the timer itself did not end it
        process.kill()
        _, said = process.communicate()
    outcome = folder / "outcome.json"
    if outcome.is_file():
        told = json.loads(outcome.read_text(encoding="utf-8"))
        if told["slowest"] > result.slowest:
            result.slowest, result.slowest_input = told["slowest"], told["slowest_input"]
        known = {failure.kind for failure in result.failures}
        result.failures += [Failure(*one) for one in told["failures"] if one[0] not in known]
        return int(told["next"])
    number = folder / "number"
    if not number.is_file() or not number.stat().st_size:
        raise RuntimeError(f"the target {target.name} does not start: {said.decode(errors='replace')[-2000:]}")
    lost = int.from_bytes(number.read_bytes(), "little")
    hang = (folder / "hang.txt").read_text(encoding="utf-8", errors="replace")
    detail = hang or said.decode(errors="replace")
    kind = f"hangs at {_innermost(hang)}" if hang else f"crash, exit {process.returncode}"
    if kind not in {failure.kind for failure in result.failures}:
        result.failures.append(Failure(kind, lost, detail[-4000:]))
    if hang:
        result.slowest, result.slowest_input = PATIENCE, lost
    return lost + 1


def _innermost(dump: str) -> str:
    """Return the function that faulthandler's dump shows innermost in the project."""
    lines = [line.strip() for line in dump.splitlines() if line.strip().startswith("File")]
    ours = [line for line in lines if "/triage/" in line or "\\triage\\" in line] or lines
    return ours[0].rpartition(" in ")[2] if ours else "an unknown place"


def _keep(target: Target, data: bytes, failure: Failure, keep: Path) -> None:
    folder = keep / target.name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(data).hexdigest()[:16]}.bin"
    path.write_bytes(data)
    path.with_suffix(".txt").write_text(f"{failure.kind}\ninput {failure.number}\n\n{failure.detail}", encoding="utf-8")
