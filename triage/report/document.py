"""What a report needs to know, taken once from a case: small facts as values, long lists as streams.

A :class:`Document` is all that a renderer sees: none opens the case or evidence. The lists (files, queue,
findings, problems) are callables that start a fresh stream each time, so that a case of millions of entries
never sits in memory.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Row = dict[str, Any]
Rows = Callable[[], Iterable[Row]]

TOP = 100
"""How many rows of the queue stand on the first page."""

_GROUPS_KEPT = 2000
_GROUPS_SHOWN = 40
_SEVERITIES = ("error", "warning", "info")
_DIGITS = re.compile(r"\d+")
OTHER_MESSAGES = "(other messages)"


class CaseReader(Protocol):
    """The part of a case that reports read. Each call of a list gives the same rows in the same order."""

    def files(self, *, where: str | None = None, sort: str | None = None, limit: int | None = None) -> Iterator[Row]:
        """Stream one row an entry."""

    def findings(self, limit: int | None = None) -> Iterator[Row]:
        """Stream one row a finding."""

    def queue(self, limit: int | None = None, unknown_only: bool = False) -> Iterator[Row]:
        """Stream the review queue, best first."""

    def problems(self) -> Iterator[Row]:
        """Stream one row a problem."""

    def evidence(self) -> list[Row]:
        """Return what was examined."""

    def volumes(self) -> list[Row]:
        """Return the volumes and gaps."""

    def hashsets(self) -> list[Row]:
        """Return the known-hash lists that were used."""

    def coverage(self) -> Row:
        """Return what was and was not looked at."""

    def counts(self) -> Row:
        """Return the numbers of entries by state, kind, type and so on; of queue rows, and of findings by kind."""

    def run_facts(self) -> Row:
        """Return what the run was: profile, versions, plugins; no clock values."""

    def run_times(self) -> Row:
        """Return when the run started and ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemGroup:
    """Problems with the same severity, stage and message, but for its numbers; ``message`` is that of the first."""

    severity: str
    stage: str
    message: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Rows in each list. ``findings_by_kind`` and ``problems_by_severity`` add up to theirs, repeats included."""

    files: int
    queue: int
    findings: int
    problems: int
    findings_by_kind: Mapping[str, int]
    problems_by_severity: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """All data of a report.

    ``facts``, ``times``, ``evidence`` … are as the case gives them. ``top`` is the head of the queue,
    ``thumbnails`` maps entry ids to JPEG bytes that were decoded and written again by ``content.pictures``;
    ``pictures`` says in words how they were made, or why there are none. ``all_files``: HTML pages list every entry too.
    """

    facts: Row
    times: Row
    evidence: tuple[Row, ...]
    volumes: tuple[Row, ...]
    hashsets: tuple[Row, ...]
    counts: Row
    coverage: Row
    totals: Totals
    top: tuple[Row, ...]
    problem_groups: tuple[ProblemGroup, ...]
    problem_groups_left_out: int
    files: Rows
    queue: Rows
    findings: Rows
    problems: Rows
    thumbnails: Mapping[str, bytes] = field(default_factory=dict)
    pictures: str = ""
    all_files: bool = True


def build(case: CaseReader, *, thumbnails: Mapping[str, bytes] | None = None, pictures: str = "", all_files: bool = True) -> Document:
    """Read from ``case`` what a report needs; problems are passed over once to group them.

    Memory stays flat: the first 2,000 different messages of problems are told apart, the rest are counted as
    one group a severity.
    """
    counts = case.counts()
    kinds = Counter({str(kind): int(n) for kind, n in (counts.get("findings") or {}).items()})
    groups, rows, by_severity = _grouped(case.problems())
    return Document(
        facts=case.run_facts(),
        times=case.run_times(),
        evidence=tuple(case.evidence()),
        volumes=tuple(case.volumes()),
        hashsets=tuple(case.hashsets()),
        counts=counts,
        coverage=case.coverage(),
        totals=Totals(
            files=int(counts.get("entries") or 0),
            queue=int(counts.get("queue") or 0),
            findings=kinds.total(),
            problems=rows,
            findings_by_kind=dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0]))),
            problems_by_severity=by_severity,
        ),
        top=tuple(case.queue(limit=TOP)),
        problem_groups=tuple(groups[:_GROUPS_SHOWN]),
        problem_groups_left_out=max(0, len(groups) - _GROUPS_SHOWN),
        files=case.files,
        queue=case.queue,
        findings=case.findings,
        problems=case.problems,
        thumbnails=thumbnails or {},
        pictures=pictures,
        all_files=all_files,
    )


def occurrences(problem: Row) -> int:
    """Return how often a problem row says it happened: at least once."""
    count = problem.get("count")
    return count if isinstance(count, int) and count > 0 else 1


def _grouped(problems: Iterable[Row]) -> tuple[list[ProblemGroup], int, dict[str, int]]:
    """Return the groups in order of weight, the number of rows, and the occurrences by severity."""
    counts: Counter[tuple[str, str, str]] = Counter()
    first: dict[tuple[str, str, str], str] = {}
    by_severity: Counter[str] = Counter()
    rows = 0
    for row in problems:
        rows += 1
        times = occurrences(row)
        severity, message = str(row.get("severity") or ""), str(row.get("message") or "")
        by_severity[severity] += times
        key = (severity, str(row.get("stage") or ""), _DIGITS.sub("#", message[:500]))
        if key not in counts and len(counts) >= _GROUPS_KEPT:
            key, message = (severity, "", OTHER_MESSAGES), OTHER_MESSAGES
        counts[key] += times
        first.setdefault(key, message)
    groups = [ProblemGroup(severity=k[0], stage=k[1], message=first[k], count=n) for k, n in counts.items()]
    groups.sort(key=lambda g: (_weight(g.severity), -g.count, g.stage, g.message))
    return groups, rows, {s: by_severity[s] for s in sorted(by_severity, key=lambda s: (_weight(s), s))}


def _weight(severity: str) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
