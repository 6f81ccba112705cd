"""What a run does with what workers bring: names and results into the case, new content work into the plan."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from triage.case.inside import WAITING
from triage.case.matches import Looked
from triage.content.catalog import CATEGORIES
from triage.content.comparable import Comparable
from triage.engine.children import Inside, unpack_children
from triage.engine.classify import classify, key_of
from triage.engine.hits import judge, named_findings, url_findings
from triage.engine.items import check_counts, unpack_content, unpack_finding, unpack_problem
from triage.engine.plan import Pending, Plan
from triage.model import Content, Entry, Finding, MatchTier, Meaning, Outcome, Problem, Volume

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from triage.case.items import WorkItem
    from triage.case.writer import CaseWriter
    from triage.engine.budget import ReadBudget
    from triage.engine.observer import Observer
    from triage.hashsets.matching import Matcher
    from triage.model import Json, Match
    from triage.plugin import Accepts
    from triage.priority.profile import Profile

RETRIED = (Outcome.FAILED.value, Outcome.TIMEOUT.value, Outcome.CRASHED.value, Outcome.PARTIAL.value)
_CATEGORIES = frozenset(CATEGORIES)
Row = tuple[list[Any], str, str | None, str | None, int]
"""A packed entry, its state, content key, reason not to read it, and tier."""
Fresh = tuple[str, int, Entry, int]
"""New work: its content key, the position of its row among those that come with it, its entry, and tier."""


class CaseSink:
    """Takes what workers find into the case, and content work into the plan."""

    def __init__(
        self,
        writer: CaseWriter,
        profile: Profile,
        matcher: Matcher,
        plan: Plan,
        plugin_keys: Sequence[str],
        observer: Observer,
        allowed: ReadBudget,
        wanting: Sequence[Accepts] = (),
    ) -> None:
        """``wanting``: of the plugins that read what lies beside an item, what they accept."""
        self._writer = writer
        self._profile = profile
        self._matcher = matcher
        self._plan = plan
        self._plugin_keys = list(plugin_keys)
        self._observer = observer
        self._budget = allowed
        self._planned: set[str] = set()
        self._wanting = list(wanting)
        self._held: list[Pending] | None = []  # what waits for its neighbours to be listed; None once all are
        self.names = 0
        self.items_done = 0
        self.bytes_done = 0

    def rows(self, volume: Volume, entries: Sequence[Entry], packed: Sequence[list[Any]], problems: Sequence[Problem]) -> None:
        """Store a pack of names; plan the content work of those seen for the first time."""
        rows, fresh = self.admit(entries, packed)
        self.plan(fresh, self._writer.add_entries(rows, problems))
        self.names += len(entries)

    def admit(self, entries: Sequence[Entry], packed: Sequence[list[Any]]) -> tuple[list[Row], list[Fresh]]:
        """Return the rows that entries become, and what the plan needs of those whose content is new work."""
        rows: list[Row] = []
        fresh: dict[str, Fresh] = {}
        for position, (entry, values) in enumerate(zip(entries, packed, strict=True)):
            key, skip, tier = classify(entry, self._profile)
            if key is not None and skip is None:
                skip = self._budget.reason(entry)
            rows.append((values, entry.state.value, key, skip, tier))
            if key is not None and skip is None and key not in self._planned and key not in fresh:
                fresh[key] = (key, position, entry, tier)
        return rows, list(fresh.values())

    def plan(self, fresh: Sequence[Fresh], numbers: Sequence[int]) -> None:
        """Put stored entries' contents into the plan."""
        for key, position, entry, tier in fresh:
            self._planned.add(key)
            first = next((r.image_offset for r in entry.runs if r.image_offset is not None), 0)
            self._add(Pending(tier, first, numbers[position], entry.size, entry.evidence), entry.path)

    def _add(self, pending: Pending, path: str) -> None:
        if self._held is not None and any(accepts.fits_path(path) for accepts in self._wanting):
            self._held.append(pending)
        else:
            self._plan.add(pending)

    def listed(self) -> None:
        """All names are listed: what lies beside an item is known now, and what waited for that goes into the plan."""
        held, self._held = self._held or [], None
        if self._wanting:
            self._writer.index_paths()
        for pending in held:
            self._plan.add(pending)

    def plan_inside(self, children: Sequence[tuple[int, Entry, int]]) -> None:
        """Put the contents of admitted children, ``(row, entry, tier)``, into the plan."""
        for row, entry, tier in children:
            key = entry.locator.key if entry.locator is not None else ""
            if key not in self._planned:
                self._planned.add(key)
                self._plan.add(Pending(tier, 0, row, entry.size, entry.evidence))

    def plan_pending(self, *, retry: bool, walking: frozenset[tuple[str, int | None]], there: Collection[str]) -> None:
        """Plan what an earlier run left in the evidence that is there. What lies in volumes that are listed again comes with their rows."""
        if retry:
            self._writer.retry(RETRIED)
        for left in self._writer.work.pending(self._plugin_keys):
            if (left.evidence, left.volume) not in walking and left.evidence in there:
                self._planned.add(left.key)
                self._add(Pending(left.tier, left.offset, left.row, left.size, left.evidence), left.path)
        self._planned.update(self._writer.work.ended_keys(self._plugin_keys))

    def walking(self, volume: Volume) -> None:
        """Begin a volume: what it may make the run read is counted from the start."""
        self._budget.begin(volume.evidence, volume.number)

    def walked(self, volume: Volume, totals: Json) -> None:
        """Mark a volume as listed."""
        self._writer.walked(volume, totals)
        self._writer.audit.record("listed", {"evidence": volume.evidence, "volume": volume.name, "totals": totals})

    def items(self, pending: Sequence[Pending]) -> list[WorkItem]:
        """Return what workers need of pending work."""
        items = self._writer.work.items_at([p.row for p in pending])
        if self._held is not None or not self._wanting:
            return items
        return [self._with_beside(item) for item in items]

    def _with_beside(self, item: WorkItem) -> WorkItem:
        folder, _, name = item.path.rpartition("/")
        fits = [accepts.reads_beside(name) for accepts in self._wanting if accepts.fits_path(item.path)]
        if not fits:
            return item
        found = self._writer.work.beside(item.evidence, item.volume, folder)
        return dataclasses.replace(item, beside=tuple(n for n in found if any(fit(n.name) for fit in fits)))

    def results(self, items: Sequence[WorkItem], results: Sequence[Json]) -> None:
        """Check, match and store a batch's results."""
        contents: list[Content] = []
        findings: list[tuple[Finding, str]] = []
        problems: list[Problem] = []
        inside: list[Inside] = []
        for item, result in zip(items, results, strict=True):
            if result["category"] not in _CATEGORIES:
                raise ValueError("a category that there is not")
            check_counts(result, self._plugin_keys)
            contents.append(unpack_content(item.key, result["content"]))
            findings += [(unpack_finding(item, f, self._plugin_keys), item.path) for f in result["findings"]]
            children, said = unpack_children(item, result["inside"], self._plugin_keys)
            inside += children
            findings += said
            problems += [
                unpack_problem(p, entry=item.id, path=item.path, evidence=item.evidence, volume=item.volume) for p in result["problems"]
            ]
        comparables = [Comparable.unpack(r["alike"]) if r["alike"] is not None else None for r in results]
        matches: Sequence[tuple[Match, ...]] = self._matcher.match(contents, comparables) if self._matcher.sets else [()] * len(contents)
        rows = []
        for content, result, hits, comparable, item in zip(contents, results, matches, comparables, items, strict=True):
            known, alike, seen = judge(item.id, hits)
            rows.append(Looked(content, result["category"], known, alike, hits, comparable))
            if item.recoverability != "overwritten":
                findings += [(finding, item.path) for finding in seen]
                for hit in hits:
                    if hit.meaning is Meaning.NOTABLE and hit.tier in (MatchTier.EXACT, MatchTier.MATCH):
                        self._observer.notable(item.path, f"{hit.set} {hit.category}".strip())
            self.bytes_done += content.size
        if self._matcher.sets:
            paths = {item.id: item.path for item in items} | {finding.entry: path for finding, path in findings}
            seen = [finding for finding, _ in findings]
            findings += [(f, paths[f.entry]) for f in (*named_findings(self._matcher, seen), *url_findings(self._matcher, seen))]
        self.items_done += len(items)
        below = [
            ((one.entry.pack(), one.entry.state.value, key_of(one.entry), WAITING, 0), (one.plugin, one.root, one.level)) for one in inside
        ]
        self._writer.add_results(rows, findings, problems, self._plugin_keys, below)
        self.names += len(inside)

    def problem(self, problem: Problem) -> None:
        """Store a problem of the run itself."""
        self._writer.add_problems([problem])

    def event(self, name: str, data: Json) -> None:
        """Append to the audit log."""
        self._writer.audit.record(name, data)
