"""Whether the evidence is what it was: held against the start of the run at its end, and against the last run of the same case.

What a writer cannot help changing is a file's times (on Windows only that of the last modification, which a writer can put back). They
are compared always; all bytes are where that is quick, was asked for, or is the only way to tell a copy from a change.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from triage.errors import EvidenceError
from triage.evidence import fingerprint
from triage.model import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from triage.case.writer import CaseWriter
    from triage.model import Evidence, Json

SMALL = 16 << 20
"""Files up to so many bytes together are compared whole in any case: it takes hundredths of a second."""
MOST = 64 << 30
"""And up to so many when their times differ from those of the last run, which had read all of them."""
STAGE = "fingerprint"
"""The stage of problems that say how the evidence's files lay on the examiner's disk: no result of the evidence itself."""
CHANGED = "CHANGED"
_FINE, _COARSE = 50_000_000, 2_100_000_000
_BLKROGET = 0x125E


@dataclass(frozen=True, slots=True)
class Before:
    """What was known of an evidence's files before anything was read: their facts, and a SHA-256 of all bytes or nothing.

    ``full``: that digest was asked for, and stands in the verdict.
    """

    files: list[dict[str, int]]
    whole: str = ""
    full: bool = False

    def to_json(self) -> Json:
        """Return what the case keeps for the next run."""
        return {"files": self.files, "whole": self.whole}


def note(paths: Sequence[Path], *, full: bool) -> Before:
    """Take note of evidence before it is opened; ``full`` reads all of it. Raises ``EvidenceError``."""
    files = fingerprint.stat_facts(paths)
    # A file system's clock ticks: what is written within the tick of this look has the same time afterwards.
    latest = max(max(f["ctime_ns"], f["mtime_ns"]) for f in files)
    grain = _COARSE if latest % 1_000_000_000 == 0 else _FINE
    left = latest + grain - time.time_ns()
    if 0 < left <= grain:
        time.sleep(left / 1e9)
        files = fingerprint.stat_facts(paths)
    small = all(stat.S_ISREG(p.stat().st_mode) or p.is_dir() for p in paths) and sum(f["size"] for f in files) <= SMALL
    return Before(files, fingerprint.whole(paths) if full or small else "", full)


def advice(paths: Sequence[Path]) -> list[Problem]:
    """Return a warning for each block device that this machine could write to; Linux says so."""
    found = []
    for path in paths:
        if sys.platform == "linux" and stat.S_ISBLK(path.stat().st_mode) and not _is_locked(path):
            message = f"{path.name} is a device that this machine can write to: it is only read, but no write blocker holds it"
            found.append(Problem(severity=Severity.WARNING, stage=STAGE, message=message))
    return found


def _is_locked(path: Path) -> bool:
    """Whether the kernel refuses to write to a block device (linux/fs.h, BLKROGET)."""
    import fcntl  # noqa: PLC0415 - POSIX only

    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return fcntl.ioctl(descriptor, _BLKROGET, b"\0" * 4) != b"\0" * 4
    finally:
        os.close(descriptor)


def compare_with_last_run(writer: CaseWriter, evidence: Sequence[Evidence], before: dict[str, Before]) -> None:
    """Hold the evidence of a resumed case against what its last run began with; store what this one begins with.

    Raises ``EvidenceError`` when its bytes are others. Where only its files' times are, and nobody has read all bytes before, that
    is said in a problem: they may have been copied, or written to.
    """
    known: Json = writer.fact("files") or {}
    for one in evidence:
        old, now = known.get(one.id), before[one.id]
        if old is None or old["files"] == now.files:
            continue
        name = Path(one.paths[0]).name
        read = ""
        if old["whole"]:
            read = now.whole or (fingerprint.whole(_paths(one)) if sum(f["size"] for f in now.files) <= MOST else "")
        writer.audit.record("files differ", {"evidence": one.id, "last": old, "now": {**now.to_json(), "whole": read}})
        if read and read != old["whole"]:
            raise EvidenceError(
                f"{one.paths[0]} has changed since the last run of this case: its bytes are not those that were examined",
                hint="find out what wrote to it, make a fresh copy, and start a new case",
            )
        if not read:
            message = (
                f"{name}: its files' times are not those of this case's last run, and their content was not compared in full: "
                "they were moved or copied, or written to; triage verify compares the stored digests"
            )
            writer.add_problems([Problem(severity=Severity.WARNING, stage=STAGE, evidence=one.id, message=message)])
        before[one.id] = Before(now.files, now.whole or read, now.full)
    writer.set_fact("files", {**known, **{one.id: before[one.id].to_json() for one in evidence}})


def compare_with_start(
    writer: CaseWriter, evidence: Sequence[Evidence], before: dict[str, Before], stage: Callable[[str], None]
) -> list[str]:
    """Hold the evidence against what it was at the start; store the verdict, and return the first path of each that has changed."""
    changed: list[str] = []
    earlier = set(writer.fact("changed") or ())
    for one in evidence:
        then = before[one.id]
        paths = _paths(one)
        same, how = _still(one, paths, then, stage)
        state = CHANGED if not same else f"{CHANGED} in an earlier run" if one.id in earlier else how
        writer.set_evidence_state(one.id, fingerprint=state)
        writer.audit.record("fingerprint", {"evidence": one.id, "state": state})
        if not same:
            message = "the evidence changed while it was examined: do not rely on this run"
            writer.add_problems([Problem(severity=Severity.ERROR, stage="evidence", evidence=one.id, message=message)])
            earlier.add(one.id)
        if one.id in earlier:
            changed.append(one.paths[0])
    writer.set_fact("changed", sorted(earlier))
    return changed


def _still(one: Evidence, paths: Sequence[Path], then: Before, stage: Callable[[str], None]) -> tuple[bool, str]:
    """Return whether evidence is what it was, and how that is known."""
    try:
        if fingerprint.stat_facts(paths) != then.files or fingerprint.sampled(paths) != one.fingerprint:
            return False, ""
        if then.whole:
            stage("comparing the evidence with what it was")
            if fingerprint.whole(paths) != then.whole:
                return False, ""
            if then.full:
                return True, f"unchanged (SHA-256 of all bytes {then.whole})"
        if any(stat.S_ISBLK(p.stat().st_mode) for p in paths):
            return True, "unchanged (sampled digest; a device has no times to compare)"
    except (OSError, EvidenceError):  # it is gone, or cannot be read any more
        return False, ""
    return True, "unchanged (size, times and sampled digest)"


def _paths(one: Evidence) -> list[Path]:
    return [Path(p) for p in one.paths]
