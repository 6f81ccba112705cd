"""The audit chain: append-only JSON lines, each holding the SHA-256 of the line before it.

An edit, a removal or a new order shows at the next line. A chain does not stop someone from writing the whole of it anew: the
last line's digest is printed at the end of a run so that it can be noted elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from triage.case.database import append, open_private
from triage.errors import CaseError, OutputError

if TYPE_CHECKING:
    from pathlib import Path

FIRST = "0" * 64
NAME = "audit.jsonl"
TORN = "is not a whole record"
_HINT = "make room, or choose a folder that you may write to, then run the same command again"


class AuditLog:
    """The open log. It is locked while it is open: one run a case."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = open_private(path)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror or error}", hint=_HINT) from error
        try:
            _lock(self._file.fileno(), path)
        except CaseError:
            self._file.close()
            raise
        self._file.seek(0)
        self._number = 0
        self.head = FIRST
        torn = False
        for line in self._file:
            self._number += 1
            self.head = hashlib.sha256(line.rstrip(b"\n")).hexdigest()
            torn = not line.endswith(b"\n")
        if torn:
            # The run was ended while it wrote this line. The log is append-only: the torn line stays and is closed.
            self._write(b"\n")

    def record(self, event: str, data: dict[str, Any]) -> None:
        """Append one event and flush it to the disk; the time is the machine's, in UTC."""
        self._number += 1
        line = json.dumps(
            {"n": self._number, "at": datetime.now(UTC).isoformat(timespec="seconds"), "event": event, "data": data, "prev": self.head},
            sort_keys=True,
            separators=(",", ":"),
        ).encode()
        self._write(line + b"\n")
        self.head = hashlib.sha256(line).hexdigest()

    def _write(self, line: bytes) -> None:
        try:
            append(self._file, line)
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(f"{self._path} cannot be written: {error.strerror or error}", hint=_HINT) from error

    def close(self) -> None:
        """Close the log and let go of the lock."""
        self._file.close()


def verify(path: Path, noted: str = "") -> tuple[int, list[str]]:
    """Check a chain; return how many lines it has and what is wrong with it, one sentence a break.

    ``noted`` is the beginning of the digest that a run printed at its end: without it nothing shows that the last lines are
    missing, or the last one changed.
    """
    number, faults, _ = follow(path, noted)
    return number, faults


def follow(path: Path, noted: str = "") -> tuple[int, list[str], str]:
    """Do what :func:`verify` does; return the last line's digest as well."""
    faults: list[str] = []
    previous, number = FIRST, 0
    seen, line = not noted, b"\n"
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            text = line.rstrip(b"\n")
            try:
                record = json.loads(text)
                if record["prev"] != previous:
                    faults.append(f"line {number} does not follow from line {number - 1}")
                if record["n"] != number:
                    faults.append(f"line {number} says that it is line {record['n']}")
            except (ValueError, TypeError, KeyError, RecursionError):
                faults.append(f"line {number} {TORN}")
            previous = hashlib.sha256(text).hexdigest()
            seen = seen or previous.startswith(noted.lower())
    if not line.endswith(b"\n"):
        faults.append(f"line {number} is cut short")
    if not seen:
        faults.append(f"no line has the noted digest {noted}: the line that had it was changed or removed")
    return number, faults, previous


def digest_of_line(path: Path, number: int) -> str:
    """Return the digest of a line, counted from 1; empty when there is none."""
    with path.open("rb") as file:
        line = next(islice(file, number - 1, number), None) if number > 0 else None
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest() if line is not None else ""


def _lock(descriptor: int, path: Path) -> None:
    """Take the lock or say who may hold it; the system lets go of it however the process ends."""
    message = f"the case {path.parent} is in use by another run"
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415

        try:
            # A byte far past the end, so that the lock does not hinder readers.
            os.lseek(descriptor, 1 << 40, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise CaseError(message, hint="wait for it, or end it") from error
    else:
        import fcntl  # noqa: PLC0415

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CaseError(message, hint="wait for it, or end it") from error
