"""One worker process as its parent sees it: started, spoken to in frames, watched, killed."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from triage.engine import frames
from triage.engine.slot import Announcement, Slot
from triage.errors import EngineError

_START = "import sys; sys.path.insert(0, sys.argv[1]); from triage.engine.worker import main; main(sys.argv[2:])"
_ROOT = str(Path(__file__).resolve().parents[2])
_UNREAD = 8
"""Answers that wait to be looked at at most: a worker that floods its parent waits, it does not fill the memory."""
_LARGE = 4 << 20
"""Bytes from which on an answer takes all the places: one of those is enough."""
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_ENVIRONMENT = {
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "HOME": "/nonexistent",  # without one, Python asks the system's name services for it, over a socket
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "33554432",  # glibc asks the system for every larger block anew: carving 500 MB, a tenth of the time
    "MALLOC_TRIM_THRESHOLD_": "67108864",
}
_HANDED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TRIAGE_TEST_HOOK", *(("SYSTEMROOT", "PATH") if sys.platform == "win32" else ()))
"""What a worker's environment holds besides, where it is set: how its libraries are found."""


class Event(NamedTuple):
    """What a worker did: sent an object (``message``) or bytes (``data``), or ended (both ``None``)."""

    worker: WorkerProcess
    message: dict[str, Any] | None
    data: bytes | None = None
    fault: str = ""
    weight: int = 1


class WorkerProcess:
    """A worker. It opens evidence itself, inherits nothing but its pipes and slot, and dies with its parent."""

    def __init__(self, events: queue.SimpleQueue[Event], settings: dict[str, Any]) -> None:
        self._events = events
        try:
            self.slot = Slot()
        except OSError as error:
            raise EngineError(f"a worker process cannot be started: {error.strerror or error}") from error
        command = [sys.executable, "-I", "-B", "-c", _START, _ROOT, self.slot.handle, json.dumps({**settings, "parent": os.getpid()})]
        environment = dict(_ENVIRONMENT)
        for name in _HANDED_ON:
            if name in os.environ:
                environment[name] = os.environ[name]
        try:
            self._process = (
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                    pass_fds=self.slot.descriptors,
                    close_fds=True,
                )
                if sys.platform != "win32"
                else subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                )
            )
        except OSError as error:
            raise EngineError(f"a worker process cannot be started: {error.strerror or error}") from error
        self._last: Announcement | None = None
        self._moved = time.monotonic()
        self._room = threading.Semaphore(_UNREAD)
        self._closing = False
        self._outbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._reader.start()
        self._writer.start()

    def _read(self) -> None:
        stdout = self._process.stdout
        fault = ""
        try:
            while stdout is not None:
                if not self._wait_for_room(1) or (frame := frames.read_frame(stdout)) is None:
                    break
                kind, payload = frame
                weight = 1 if len(payload) < _LARGE else _UNREAD
                if not self._wait_for_room(weight - 1):
                    break
                if kind == frames.JSON:
                    self._events.put(Event(self, frames.parse_json(payload), weight=weight))
                else:
                    self._events.put(Event(self, None, payload, weight=weight))
        except Exception as error:  # whatever it was: without the event below the parent would wait for ever
            fault = str(error) or type(error).__name__
            self._process.kill()
        self._events.put(Event(self, None, None, fault))

    def _wait_for_room(self, places: int) -> bool:
        """Wait until so many more answers may lie in the queue; return whether anybody still wants them."""
        for _ in range(places):
            self._room.acquire()
        return not self._closing

    def _write(self) -> None:
        """Write what is sent: a pipe that is full because the worker is busy must not hold up the parent."""
        stdin = self._process.stdin
        while stdin is not None and (message := self._outbox.get()) is not None:
            with contextlib.suppress(OSError, ValueError):  # a worker that has died is noticed by its last event
                frames.write_json(stdin, message)
        if stdin is not None:
            with contextlib.suppress(OSError, ValueError):
                stdin.close()

    def send(self, message: dict[str, Any]) -> None:
        """Give the worker something to do, after what it was given before."""
        self._moved = time.monotonic()
        self._outbox.put(message)

    def taken(self, event: Event) -> None:
        """Note that one of this worker's events was taken out of the queue: the next may come in."""
        self._moved = time.monotonic()
        self._room.release(event.weight)

    def silent_for(self) -> float:
        """Return for how many seconds nothing has moved: no announcement, no beat, no message to it, nothing that waits for us."""
        now = time.monotonic()
        seen = self.slot.read()
        waits = not self._room.acquire(blocking=False)
        if not waits:
            self._room.release()
        if seen != self._last or waits:
            self._last = seen
            self._moved = now
        return now - self._moved

    def resident(self) -> int:
        """Return how many bytes of memory the process has; 0 where the system does not say."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_bytes().split()[1]) * _PAGE
        except (OSError, IndexError, ValueError):
            return 0

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def ended(self) -> int | None:
        """Wait for the end; return the exit code, negative for a signal."""
        try:
            return self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:  # it closed its pipe and stays
            self._process.kill()
            return self._process.wait()

    @property
    def pid(self) -> int:
        """The process id, for the audit log and tests."""
        return self._process.pid

    def close(self) -> None:
        """Let the worker go: it ends when its input does, and is killed if it does not."""
        self._outbox.put(None)
        self._closing = True
        self._room.release(2 * _UNREAD)
        try:
            self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout=5)
        self._writer.join(timeout=5)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self.slot.close()
