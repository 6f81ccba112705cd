"""What runs in a worker process: limits first, then one task after the other from its input until that ends."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from triage.engine import frames
from triage.engine.slot import Slot

if TYPE_CHECKING:
    from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str]) -> None:
    """Run a worker: ``SLOT-HANDLE SETTINGS-JSON``."""
    slot = Slot(arguments[0])
    settings = json.loads(arguments[1])
    _confine(int(settings.get("memory", 0)))
    gc.set_threshold(100_000)  # batches are many small objects that die together; looking for cycles among them is in vain
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing but frames goes to the parent
    from triage.engine.tasks import Tasks  # noqa: PLC0415 - the limits hold before any parser is loaded

    tasks = Tasks(slot, settings, lambda value: frames.write_json(stdout, value), lambda data: frames.write_frame(stdout, data))
    while (frame := frames.read_frame(stdin)) is not None:
        command = frames.parse_json(frame[1])
        try:
            tasks.run(command)
        except MemoryError:
            frames.write_json(stdout, {"done": command.get("do"), "error": "memory", "message": "the memory limit was reached"})
        except Exception as error:
            frames.write_json(
                stdout,
                {
                    "done": command.get("do"),
                    "error": _kind(error),
                    "message": str(getattr(error, "message", error))[:2000],
                    "hint": str(getattr(error, "hint", None) or ""),
                },
            )


def _kind(error: Exception) -> str:
    from triage.errors import TriageError  # noqa: PLC0415

    return type(error).__name__ if isinstance(error, TriageError) else f"bug: {type(error).__name__}"


def _confine(memory: int) -> None:
    """Bound what a parser that went wrong can take, and die with the parent."""
    os.environ["TZ"] = "UTC"
    if hasattr(time, "tzset"):
        time.tzset()  # TSK turns FAT's local times into seconds with the process's zone: it must always be the same
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - POSIX only

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))  # workers write nothing; the slot is one page
    if memory and sys.platform != "darwin":  # macOS does not hold RLIMIT_AS
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    if sys.platform == "linux":
        try:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        except (OSError, AttributeError):  # pragma: no cover - another C library
            return
        if os.getppid() == 1:
            sys.exit(0)
