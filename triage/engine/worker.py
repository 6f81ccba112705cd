"""What runs in a worker process: limits first, then one task after the other from its input until that ends."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from typing import TYPE_CHECKING

from triage.engine import frames
from triage.engine.confine import confine
from triage.engine.slot import Slot

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> None:
    """Run a worker: ``SLOT-HANDLE SETTINGS-JSON``."""
    slot = Slot(arguments[0])
    settings = json.loads(arguments[1])
    _same_everywhere()
    held = confine(int(settings.get("memory", 0)))
    if sys.platform == "linux" and os.getppid() != settings["parent"]:
        sys.exit(0)  # it died before this process could ask to die with it
    gc.set_threshold(100_000)  # batches are many small objects that die together; looking for cycles among them is in vain
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing but frames goes to the parent
    from triage.engine.tasks import Tasks  # noqa: PLC0415 - the limits hold before any parser is loaded

    settings["held"] = held
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


def _same_everywhere() -> None:
    """TSK turns FAT's local times into seconds with the process's zone: it must always be the same."""
    os.environ["TZ"] = "UTC"
    if hasattr(time, "tzset"):
        time.tzset()
