"""Files in which others lie: workers say which of their bytes are worth searching, and those become areas of their own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from triage.carving.space import SECTOR, Area
from triage.engine.areas import CONTAINER
from triage.engine.jobs import Job
from triage.engine.plan import Plan
from triage.model import Problem, Run, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.case.writer import CaseWriter
    from triage.engine.local import LocalEngine
    from triage.engine.slot import Announcement
    from triage.model import Evidence, Json

TYPES = ("sqlite", "thumbcache", "thumbs")
NAMES = ("pagefile.sys", "swapfile.sys", "hiberfil.sys", "thumbs.db", "thumbcache%.db", "iconcache%.db", ".thumbdata%", "imgcache%")
"""What is asked about: types, and names in small letters as SQL's LIKE has them. :mod:`triage.carving.containers` decides."""
_RANGES = 1_000_000


@dataclass(slots=True)
class _Container(Job):
    row: Any
    evidence: str = ""


class _Containers:
    """Asks workers about one file after the other."""

    def __init__(self, writer: CaseWriter, evidence: Sequence[Evidence]) -> None:
        self._writer = writer
        self._waiting: list[_Container] = []
        self.found: dict[str, Area] = {}
        self._order: list[str] = []
        self._out = 0
        for one in evidence:
            offsets = {v.number: v.offset for v in writer.carving.volumes(one.id)}
            for row in writer.carving.containers(one.id, TYPES, NAMES):
                item = {"name": row["name"], "type": row["type"], "size": row["size"], "locator": _locator(row["locator"], one.id)}
                job = _Container([{"do": "contain", **item}], {**row, "offset": offsets.get(row["volume"], 0)}, one.id)
                self._waiting.append(job)
                self._order.append(row["id"])

    def areas(self) -> list[Area]:
        """Return what was found, in the order of the files."""
        return [self.found[i] for i in self._order if i in self.found]

    def take(self, worker: int) -> Job | None:
        """Return the next file to ask about."""
        if not self._waiting:
            return None
        self._out += 1
        return self._waiting.pop(0)

    def left(self) -> bool:
        """Whether any file was not asked about."""
        return bool(self._waiting or self._out)

    def data(self, job: Job, data: bytes) -> None:
        """No bytes are asked for."""
        raise ValueError("bytes that nobody asked for")

    def lost(self, job: Job, slot: Announcement, how: str) -> None:
        """Say that a file could not be looked into."""
        if isinstance(job, _Container):
            self._out -= 1
            self._say(job, Severity.ERROR, "it could not be searched for other files: a worker was lost over it", how)

    def answer(self, job: Job, message: Json) -> bool:
        """Take which of a file's bytes are to be searched."""
        if not isinstance(job, _Container):
            raise ValueError("an answer to nothing")  # noqa: TRY004 - it is the worker's mistake
        if message.get("error"):
            self._out -= 1
            self._say(job, Severity.ERROR, "it could not be searched for other files", str(message.get("message", ""))[:200])
            return True
        if message.get("done") != "contain":
            raise ValueError("an answer to another question")
        ranges = [(int(a), int(b)) for a, b in message["ranges"]]
        size = job.row["size"]
        if len(ranges) > _RANGES or any(a < 0 or b <= 0 or a + b > size for a, b in ranges) or type(message["note"]) is not str:
            raise ValueError("ranges outside of the file")
        self._out -= 1
        if ranges:
            self._keep(job, ranges, message["note"][:300])
        return True

    def _keep(self, job: _Container, ranges: Sequence[tuple[int, int]], note: str) -> None:
        runs = [Run(image_offset=a, length=n) for a, n in json.loads(job.row["runs"])]
        if any(r.image_offset is None for r in runs) or sum(r.length for r in runs) < job.row["size"]:
            text = "it was not searched for other files: it is compressed, sparse or cut, its bytes are not on the medium as they are"
            self._say(job, Severity.WARNING, text, "")
            return
        if note:
            self._say(job, Severity.INFO, note, "")
        self.found[job.row["id"]] = Area(
            evidence=job.evidence,
            volume=job.row["volume"],
            volume_offset=job.row["offset"],
            kind=CONTAINER,
            name=job.row["path"],
            stretches=tuple(piece for offset, length in ranges for piece in _pieces(runs, offset, length)),
            block=SECTOR,
            joined=True,
            aligned=False,
            source=job.row["id"],
        )

    def _say(self, job: _Container, severity: Severity, message: str, detail: str) -> None:
        row = job.row
        problem = Problem(
            severity=severity,
            stage="carving",
            evidence=job.evidence,
            volume=row["volume"],
            entry=row["id"],
            path=row["path"],
            message=message,
            detail=detail,
        )
        self._writer.add_problems([problem])


def _locator(text: str, evidence: str) -> Json:
    """Return a locator's JSON form of how the case keeps it."""
    place = json.loads(text)
    if type(place) is list:
        names = ("volume_offset", "meta_addr", "meta_seq", "attr_type", "attr_id")
        return {"evidence": evidence, **dict(zip(names, place, strict=True))}
    return dict(place)


def _pieces(runs: Sequence[Run], offset: int, length: int) -> list[tuple[int, int]]:
    """Return where on the medium a stretch of a file is."""
    found, start = [], 0
    for run in runs:
        skip = offset - start
        if 0 <= skip < run.length and length > 0:
            take = min(length, run.length - skip)
            found.append(((run.image_offset or 0) + skip, take))
            offset += take
            length -= take
        start += run.length
    return found


def container_areas(engine: LocalEngine, writer: CaseWriter, evidence: Sequence[Evidence]) -> list[Area]:
    """Return an area for each file that others can lie in."""
    asked = _Containers(writer, evidence)
    engine.run([], Plan(), jobs=asked)
    return asked.areas()
