"""One worker asked one thing at a time: for the commands that look at evidence without a case, and for opening it."""

from __future__ import annotations

import itertools
import queue
import re
import struct
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from triage import errors
from triage.engine.frames import MAX_FRAME
from triage.engine.items import small, unpack_problem
from triage.engine.process import Event, WorkerProcess
from triage.errors import EngineError, EvidenceError, TriageError
from triage.evidence.medium import VERDICTS
from triage.model import Evidence, Problem, Severity, Volume
from triage.priority.profile import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from triage.model import Json, Locator

_STARTING = 60.0
_DEVICE = 20.0
_FACT = 400
_RECORD = 16 << 20
"""Bytes of JSON that an evidence record may take: an E01 set may have thousands of segments."""
_VOLUMES = 100_000


class Sampled(NamedTuple):
    """Known blocks at some places: where on the medium, the set's record, the place in the known file; and places that cannot be read."""

    hits: list[tuple[int, int, int]]
    unreadable: int


class Session:
    """A worker that has opened evidence. A stall or crash in it is an ``EvidenceError``; damage is in the answers."""

    def __init__(
        self,
        limits: Limits | None = None,
        worker: WorkerProcess | None = None,
        events: queue.SimpleQueue[Event] | None = None,
        renew: Callable[[], WorkerProcess] | None = None,
        passwords: Sequence[str] = (),
    ) -> None:
        """Start a worker, or speak with one that an engine will use later.

        Then ``events`` is the engine's queue, and ``renew`` ends the worker and puts another in its place. ``passwords`` and keys for
        encrypted evidence go to the worker and nowhere else.
        """
        self._passwords = list(passwords)
        self.limits = limits or Limits()
        self._events: queue.SimpleQueue[Event] = events if events is not None else queue.SimpleQueue()
        self._worker = worker or WorkerProcess(self._events, {"memory": self.limits.memory})
        self._renew = renew
        self._opened: list[Evidence] = []
        self._lost = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def held(self) -> list[str]:
        """Return what the system holds workers to, in words for the operator; ask before evidence is opened."""
        answer, _ = self._ask({"do": "state"}, "starting", patience=_STARTING)
        with self._believing("starting"):
            return [str(line)[:200] for line in answer["held"]][:20]

    def open(self, path: Path, exhibit: str = "") -> tuple[Evidence, list[Volume], list[Problem]]:
        """Open evidence; raise ``EvidenceError`` when it cannot be."""
        command = {"do": "open", "path": str(path), "exhibit": exhibit, "passwords": self._passwords}
        answer, _ = self._ask(command, f"opening {path}", patience=_STARTING)
        with self._believing(f"opening {path}"):
            evidence = Evidence.from_json(small(answer["evidence"], _RECORD))
            if not evidence.id.isalnum() or any(Path(p).parent != path.parent for p in evidence.paths) or not evidence.paths:
                raise ValueError("files elsewhere")
            volumes = [Volume.from_json(small(v)) for v in answer["volumes"]]
            problems = [unpack_problem(p) for p in answer["problems"]]
            if any(v.evidence != evidence.id for v in volumes) or len(volumes) + len(problems) > _VOLUMES:
                raise ValueError("volumes of another medium, or too many")
        self._opened.append(evidence)
        return evidence, volumes, problems

    def device(self, evidence: Evidence, volumes: Sequence[Volume]) -> tuple[dict[str, str], list[Problem]]:
        """Return what evidence that was opened says of the device it is of, and what kept it from that."""
        command = {"do": "device", "evidence": evidence.id, "volumes": [v.to_json() for v in volumes]}
        what = "looking for what device it is of"
        try:
            answer, _ = self._ask(command, what, patience=_DEVICE)
            with self._believing(what):
                facts = {str(k)[:40]: str(v)[:_FACT] for k, v in small(answer["facts"], _RECORD).items()}
        except EvidenceError as error:
            message = f"what device it is of is not known: {error.message}"
            return {}, [Problem(severity=Severity.WARNING, stage="evidence", evidence=evidence.id, message=message)]
        return facts, []

    def attach(self, evidence: Sequence[Evidence]) -> None:
        """Open evidence whose record is known from a case."""
        self._opened = list(evidence)
        if not evidence:
            return
        command = {"do": "attach", "evidence": [e.to_json() for e in evidence], "passwords": self._passwords}
        self._ask(command, "opening the evidence", patience=_STARTING)

    def read(self, locator: Locator, length: int, offset: int = 0) -> Iterator[bytes]:
        """Yield an item's bytes; raise ``EvidenceError`` at the first that cannot be read."""
        if self._lost:
            self._revive()
        self._worker.send({"do": "read", "locator": locator.to_json(), "offset": offset, "length": length})
        while True:
            event = self._next("reading", self.limits.stall_seconds)
            if event.data is not None:
                length -= len(event.data)
                with self._believing("reading"):
                    if length < 0:
                        raise ValueError("more bytes than were asked for")
                yield event.data
            elif event.message is not None:
                self._raise(event.message)
                return

    def free_space(self, volume: Volume) -> tuple[list[tuple[int, int]], str] | None:
        """Return ``(start, end)`` on the medium of what a volume's own books call free, and what is wrong with those; ``None``: unknown."""
        what = f"reading what is free in {volume.name}"
        answer, data = self._ask({"do": "free", "volume": volume.to_json()}, what)
        with self._believing(what):
            if not answer["known"]:
                return None
            numbers = struct.unpack(f"<{len(data) // 8}Q", data)
            ranges = list(zip(numbers[::2], numbers[1::2], strict=True))
            end = volume.offset + volume.size
            if any(a >= b or b > end for a, b in ranges) or any(b > c for (_, b), (c, _) in itertools.pairwise(ranges)):
                raise ValueError("ranges that are none")
            return ranges, str(answer["note"])[:1000]

    def sample(self, evidence: Evidence, hashset: Path, places: Sequence[int], length: int) -> Sampled:
        """Read ``length`` bytes from each place on, in order, and hold the block that begins in the first 4,096 against a set's."""
        what = "reading random places"
        command = {"do": "sample", "evidence": evidence.id, "set": str(hashset.resolve()), "places": list(places), "length": length}
        answer, _ = self._ask(command, what)
        with self._believing(what):
            small(answer, _RECORD)
            hits = [(int(a), int(b), int(c)) for a, b, c in answer["hits"]]
            unreadable = int(answer["unreadable"])
            if not 0 <= unreadable <= len(places) or any(min(hit) < 0 for hit in hits):
                raise ValueError("places that were not asked for")
            return Sampled(hits, unreadable)

    def verify(self, evidence: Evidence, progress: Callable[[int], None]) -> Json:
        """Recompute the medium's digests and compare them with the stored ones."""
        answer, _ = self._ask({"do": "verify", "evidence": evidence.id}, "verifying", progress=progress)
        with self._believing("verifying"):
            small(answer)
            if answer["verdict"] not in VERDICTS or type(answer["size"]) is not int or type(answer["unread"]) is not int:
                raise ValueError("a verdict that there is not")
            for digests in (answer["stored"], answer["computed"]):
                if not all(type(d) is str and re.fullmatch("[0-9a-fA-F]{32,64}", d) for d in digests.values()):
                    raise ValueError("not a digest")
            answer["reasons"] = [str(r) for r in answer["reasons"]]
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
        if self._lost:
            self._revive()
        self._worker.send(command)
        data = b""
        while True:
            event = self._next(what, patience or self.limits.stall_seconds)
            with self._believing(what):
                if event.data is not None:
                    data += event.data
                    if len(data) > MAX_FRAME:
                        raise ValueError("more bytes than a frame holds")
                    continue
                message: Json = event.message or {}
                if "progress" in message:
                    if progress is not None:
                        progress(int(message["progress"]))
                    continue
                if message.get("done") != command["do"]:
                    raise ValueError("an answer to another question")
            self._raise(message)
            return message, data

    @contextmanager
    def _believing(self, what: str) -> Iterator[None]:
        """End the worker when what it says does not fit: it may be anybody's by then."""
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            self._lost = True
            self._worker.kill()
            raise EvidenceError(
                f"{what}: the worker process answered with what does not fit: {error}"[:500],
                hint="the evidence may be made to attack its readers; triage doctor checks the installation",
            ) from error

    def _next(self, what: str, patience: float) -> Event:
        """Wait for the worker's next word, as long as something moves."""
        while True:
            try:
                event = self._events.get(timeout=0.2)
            except queue.Empty:
                pass
            else:
                if event.worker is self._worker:
                    event.worker.taken(event)
                    break
                self._events.put(event)  # an idle worker of the engine has died: the engine will see to it
                time.sleep(0.01)
            if self._worker.silent_for() > patience:
                self._lost = True
                self._worker.kill()
                raise EvidenceError(
                    f"{what} stalled for more than {patience:g} s and was given up",
                    hint="the evidence may be damaged; triage run lists what can be listed",
                )
        if event.message is None and event.data is None:
            self._lost = True
            code = self._worker.ended()
            if not self._worker.slot.read().phase:
                raise EngineError(f"a worker process ended before it began (exit code {code})", hint="triage doctor shows what is wrong")
            raise EvidenceError(
                f"{what} ended the worker process ({event.fault or f'exit code {code}'})",
                hint="the evidence may be damaged; triage doctor checks the installation",
            )
        return event

    @property
    def lost(self) -> bool:
        """Whether its worker is gone and no other was needed yet."""
        return self._lost

    def _revive(self) -> None:
        """Put another worker in the place of one that was lost over an item: the next item is none the worse for it."""
        if self._renew is not None:
            self._worker = self._renew()
        else:
            self._worker.close()
            self._events = queue.SimpleQueue()
            self._worker = WorkerProcess(self._events, {"memory": self.limits.memory})
        self._lost = False
        self.attach(self._opened)

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
