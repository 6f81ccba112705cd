"""One worker asked one thing at a time: for the commands that look at evidence without a case, and for opening it."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any, Self

from triage import errors
from triage.engine.local import LocalEngine
from triage.engine.plan import Plan
from triage.engine.process import Event, WorkerProcess
from triage.errors import EngineError, EvidenceError, TriageError
from triage.filesystem.volumes import is_listed
from triage.model import Entry, Evidence, Problem, Volume
from triage.priority.profile import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from triage.case.items import WorkItem
    from triage.engine.plan import Pending
    from triage.model import Json, Locator

_STARTING = 60.0


class Session:
    """A worker that has opened evidence. A stall or crash in it is an ``EvidenceError``; damage is in the answers."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._worker = WorkerProcess(self._events, {"memory": self.limits.memory})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, path: Path, exhibit: str = "") -> tuple[Evidence, list[Volume], list[Problem]]:
        """Open evidence; raise ``EvidenceError`` when it cannot be."""
        answer, _ = self._ask({"do": "open", "path": str(path), "exhibit": exhibit}, f"opening {path}", patience=_STARTING)
        return (Evidence.from_json(answer["evidence"]), [Volume.from_json(v) for v in answer["volumes"]],
                [Problem.from_json(p) for p in answer["problems"]])

    def attach(self, evidence: Sequence[Evidence]) -> None:
        """Open evidence whose record is known from a case."""
        self._ask({"do": "attach", "evidence": [e.to_json() for e in evidence]}, "opening the evidence", patience=_STARTING)

    def read(self, locator: Locator, length: int, offset: int = 0) -> Iterator[bytes]:
        """Yield an item's bytes; raise ``EvidenceError`` at the first that cannot be read."""
        self._worker.send({"do": "read", "locator": locator.to_json(), "offset": offset, "length": length})
        while True:
            event = self._next("reading", self.limits.stall_seconds)
            if event.data is not None:
                yield event.data
            elif event.message is not None:
                self._raise(event.message)
                return

    def verify(self, evidence: Evidence, progress: Callable[[int], None]) -> Json:
        """Recompute the medium's digests and compare them with the stored ones."""
        answer, _ = self._ask({"do": "verify", "evidence": evidence.id}, "verifying", progress=progress)
        return answer

    def thumbnail(self, locator: Locator, length: int, *, blurred: bool) -> bytes | str:
        """Return a small picture of an item, or why there is none."""
        try:
            _, data = self._ask({"do": "thumbnail", "locator": locator.to_json(), "length": length, "blurred": blurred}, "decoding")
        except TriageError as error:
            return error.message
        return data

    def _ask(
        self, command: Json, what: str, *, patience: float | None = None, progress: Callable[[int], None] | None = None
    ) -> tuple[Json, bytes]:
        self._worker.send(command)
        data = b""
        while True:
            event = self._next(what, patience or self.limits.stall_seconds)
            if event.data is not None:
                data += event.data
                continue
            message: Json = event.message or {}
            if "progress" in message:
                if progress is not None:
                    progress(int(message["progress"]))
                continue
            self._raise(message)
            return message, data

    def _next(self, what: str, patience: float) -> Event:
        """Wait for the worker's next word, as long as something moves."""
        while True:
            try:
                event = self._events.get(timeout=0.2)
            except queue.Empty:
                if self._worker.silent_for() > patience:
                    self._worker.kill()
                    raise EvidenceError(f"{what} stalled for more than {patience:g} s and was given up",
                                        hint="the evidence may be damaged; triage run lists what can be listed") from None
                continue
            if event.message is None and event.data is None:
                code = self._worker.ended()
                raise EvidenceError(f"{what} ended the worker process ({event.fault or f'exit code {code}'})",
                                    hint="the evidence may be damaged; triage doctor checks the installation")
            return event

    @staticmethod
    def _raise(message: Json) -> None:
        if not message.get("error"):
            return
        kind = getattr(errors, str(message["error"]), None)
        if not (isinstance(kind, type) and issubclass(kind, TriageError)):
            if str(message["error"]).startswith("bug"):
                raise TriageError(f"{message['error']}: {message.get('message', '')}")
            kind = EvidenceError
        raise kind(str(message.get("message", "")), hint=str(message.get("hint") or "") or None)

    def close(self) -> None:
        """End the worker."""
        self._worker.kill()
        self._worker.close()


class _Listing:
    """A sink for walks without a case."""

    def __init__(self, take: Callable[[Volume, Sequence[Entry], Sequence[Problem]], Any]) -> None:
        self._take = take

    def rows(self, volume: Volume, entries: Sequence[Entry], packed: Sequence[list[Any]], problems: Sequence[Problem]) -> None:
        self._take(volume, entries, problems)

    def walked(self, volume: Volume, totals: Json) -> None:
        """Nothing is kept of a walk without a case."""

    def items(self, pending: Sequence[Pending]) -> list[WorkItem]:
        raise EngineError("a listing has no content work")

    def results(self, items: Sequence[WorkItem], results: Sequence[Json]) -> None:
        raise EngineError("a listing has no content work")

    def problem(self, problem: Problem) -> None:
        """Problems of the engine itself show as missing names, which the walk says."""

    def event(self, name: str, data: Json) -> None:
        """There is no audit log."""


def list_entries(
    evidence: Evidence, volumes: Sequence[Volume], limits: Limits,
    take: Callable[[Volume, Sequence[Entry], Sequence[Problem]], Any],
) -> None:
    """Walk the volumes that can be listed, past whatever hangs or crashes, giving each pack of rows to ``take``.

    A volume that is walked again after a worker was lost brings its first rows again.
    """
    engine = LocalEngine(limits, {"memory": limits.memory}, [evidence], 1, _Listing(take))
    try:
        engine.start()
        engine.run([v for v in volumes if is_listed(v)], Plan())
    finally:
        engine.close()
