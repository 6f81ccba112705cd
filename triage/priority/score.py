"""Explainable scores: rules of a profile, each hit so many points and a reason that a court can read.

A score is the sum of its reasons' points and nothing else. It depends on the one item only: neither on the
order in which items or rules come nor on a clock. Texts are filled from a fixed list of fields; nothing in a
profile is evaluated.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from triage.content.types import extension_of
from triage.hashsets.likematch import TURN_WORDS
from triage.model import Record
from triage.priority.globs import Globs
from triage.priority.records import NO_LIST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from triage.model import Match
    from triage.priority.records import Paths, Rule, When

    Test = Callable[["ScoreInput"], bool]

_FOLDER_SHOWN = 200
_LISTED = 3
_REMEMBERED = 4096
"""How many combinations of an item's plain properties have their rules kept ready."""


@dataclass(slots=True)
class ScoreInput:
    """What is known of an item when it is scored. ``known`` is ``None`` when it stands on no list.

    ``entropy`` is in bits a byte; ``mtime`` in nanoseconds since 1970; ``copies`` counts the entries with
    this content; ``near_notable``: another item of the same folder is on a notable list; ``alike``: the best tier in which it is
    like something on a notable list; ``alike_notable``: it looks like a picture of the case that is on one.
    """

    path: str
    name: str
    state: str = "allocated"
    kind: str = "file"
    size: int = 0
    category: str = "unknown"
    type: str = ""
    extension_mismatch: bool = False
    known: str | None = None
    matches: Sequence[Match] = ()
    finding_kinds: frozenset[str] = frozenset()
    recoverability: str = "unknown"
    copies: int = 1
    near_notable: bool = False
    entropy: float | None = None
    mtime: int | None = None
    alike: str | None = None
    alike_notable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason(Record):
    """One rule's share of a score."""

    rule: str
    points: int
    text: str


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A rule, ready to be asked. ``group`` holds the questions that many items answer alike."""

    group: tuple[tuple[int, frozenset[Any]], ...]
    test: Test | None
    places: _Places | None
    points: int
    reason: Callable[[ScoreInput], Reason]


class _Places:
    """Path patterns that several rules may share, so that an item answers them once."""

    __slots__ = ("_exclude", "_include")

    def __init__(self, paths: Paths) -> None:
        self._include = Globs(paths.include) if paths.include else None
        self._exclude = Globs(paths.exclude) if paths.exclude else None

    def fit(self, lowered: str) -> bool:
        if self._include is not None and not self._include.matches(lowered):
            return False
        return self._exclude is None or not self._exclude.matches(lowered)


class Scorer:
    """Compiled rules. Make one with :func:`compile_rules`."""

    __slots__ = ("_ready", "_rules")

    def __init__(self, rules: tuple[_Compiled, ...]) -> None:
        self._rules = rules
        self._ready: dict[tuple[Any, ...], tuple[_Compiled, ...]] = {}

    def score(self, row: ScoreInput) -> tuple[int, tuple[Reason, ...]]:
        """Return the sum of points and the reasons for it, most points first."""
        group = (
            row.known,
            row.category,
            row.kind,
            row.state,
            row.recoverability,
            row.extension_mismatch,
            row.near_notable,
            row.alike,
            row.alike_notable,
        )
        rules = self._ready.get(group)
        if rules is None:
            rules = self._narrow(group)
        total = 0
        reasons: list[Reason] = []
        lowered: str | None = None
        answers: dict[_Places, bool] = {}
        for rule in rules:
            if rule.test is not None and not rule.test(row):
                continue
            places = rule.places
            if places is not None:
                fits = answers.get(places)
                if fits is None:
                    if lowered is None:
                        lowered = row.path.lower()
                    fits = answers[places] = places.fit(lowered)
                if not fits:
                    continue
            total += rule.points
            reasons.append(rule.reason(row))
        return total, tuple(reasons)

    def _narrow(self, group: tuple[Any, ...]) -> tuple[_Compiled, ...]:
        """Return the rules that items with these properties can still hit."""
        rules = tuple(rule for rule in self._rules if all(group[at] in wanted for at, wanted in rule.group))
        if len(self._ready) < _REMEMBERED:
            self._ready[group] = rules
        return rules


def compile_rules(rules: Iterable[Rule]) -> Scorer:
    """Return the scorer for these rules; those of 0 points are left out."""
    shared: dict[Paths, _Places] = {}
    compiled = []
    for rule in sorted((rule for rule in rules if rule.points), key=lambda r: (-r.points, r.name)):
        paths = rule.when.paths
        places = shared.setdefault(paths, _Places(paths)) if paths.include or paths.exclude else None
        compiled.append(_Compiled(_group(rule.when), _test(rule.when), places, rule.points, _reason(rule)))
    return Scorer(tuple(compiled))


def _group(when: When) -> tuple[tuple[int, frozenset[Any]], ...]:
    """Return the conditions on :meth:`Scorer.score`'s ``group``: the place in it and the values wanted."""
    known, alike = (frozenset(None if word == NO_LIST else word for word in words) for words in (when.known, when.alike))
    wanted: tuple[Iterable[Any], ...] = (
        known,
        when.categories,
        when.kinds,
        when.states,
        when.recoverability,
        () if when.extension_mismatch is None else (when.extension_mismatch,),
        () if when.near_notable is None else (when.near_notable,),
        alike,
        () if when.alike_notable is None else (when.alike_notable,),
    )
    return tuple((at, frozenset(values)) for at, values in enumerate(wanted) if values)


def _test(when: When) -> Test | None:
    """Return the test for all that is neither in the group nor a place, the cheapest question first."""
    tests: list[Test] = []
    if when.size.min is not None or when.size.max is not None:
        least, most = when.size.min or 0, when.size.max if when.size.max is not None else float("inf")
        tests.append(lambda row: least <= row.size <= most)
    if when.findings:
        findings = frozenset(when.findings)
        tests.append(lambda row: bool(row.finding_kinds) and not findings.isdisjoint(row.finding_kinds))
    if when.types:
        types = frozenset(when.types)
        tests.append(lambda row: row.type in types)
    if when.copies.min is not None or when.copies.max is not None:
        fewest, many = _bounds(when.copies.min, when.copies.max)
        tests.append(lambda row: fewest <= row.copies <= many)
    if when.entropy.min is not None or when.entropy.max is not None:
        low, high = _bounds(when.entropy.min, when.entropy.max)
        tests.append(lambda row: row.entropy is not None and low <= row.entropy <= high)
    if when.after is not None:
        after = when.after
        tests.append(lambda row: row.mtime is not None and row.mtime >= after)
    if when.before is not None:
        before = when.before
        tests.append(lambda row: row.mtime is not None and row.mtime < before)
    if when.extensions:
        extensions = frozenset(when.extensions)
        tests.append(lambda row: extension_of(row.name) in extensions)
    if len(tests) < 2:
        return tests[0] if tests else None
    together = tuple(tests)

    def every(row: ScoreInput) -> bool:
        return all(test(row) for test in together)

    return every


def _bounds(least: float | None, most: float | None) -> tuple[float, float]:
    return least if least is not None else float("-inf"), most if most is not None else float("inf")


def _reason(rule: Rule) -> Callable[[ScoreInput], Reason]:
    """Return what writes a rule's reason: one for all items when its text names no field."""
    parts: list[tuple[str, Callable[[ScoreInput], str] | None]] = []
    for literal, name, _, _ in string.Formatter().parse(rule.text):
        parts.append((literal, None if name is None else _field(name, rule.when)))
    if all(field is None for _, field in parts):
        always = Reason(rule=rule.name, points=rule.points, text="".join(literal for literal, _ in parts))
        return lambda row: always  # noqa: ARG005  (every item's reason is the same one)

    def write(row: ScoreInput) -> Reason:
        text = "".join(literal + (field(row) if field is not None else "") for literal, field in parts)
        return Reason(rule=rule.name, points=rule.points, text=text)

    return write


def _field(name: str, when: When) -> Callable[[ScoreInput], str]:
    tiers = when.tiers()
    if name == "set" and tiers:
        return lambda row: _few({match.set for match in row.matches if match.tier in tiers}) or "an unnamed list"
    if name == "likeness":
        return lambda row: _few({_likeness(match) for match in row.matches if match.tier in tiers}) or "alike"
    if name == "set":
        return lambda row: _few({match.set for match in row.matches if match.meaning in when.known}) or "an unnamed list"
    if name == "category" and tiers:
        return lambda row: _few({m.label or m.category for m in row.matches if m.tier in tiers and m.category}) or "no category"
    if name == "category" and when.known and NO_LIST not in when.known:
        return lambda row: (
            _few({m.label or m.category for m in row.matches if m.meaning in when.known and m.category}) or "no category"
        )
    if name == "category":
        return lambda row: row.category
    if name == "type":
        return lambda row: row.type or "unknown type"
    if name == "extension":
        return lambda row: extension_of(row.name) or "no extension"
    if name == "folder":
        return _folder
    wanted = frozenset(when.findings)
    return lambda row: _few(wanted & row.finding_kinds)


def _likeness(match: Match) -> str:
    """Return how near a match is, in words."""
    if match.how == "frames":
        return f"{match.detail.get('frames')} of its {match.detail.get('of_file')} frames"
    if match.how == "partial":
        return "its first 64 KiB are equal"
    turned = TURN_WORDS.get(str(match.detail.get("turned")))
    return f"{match.distance} of 256 bits differ" + (f", {turned}" if turned else "")


def _few(words: Iterable[str]) -> str:
    """Return the first few of these words in order, and how many more there are."""
    ordered = sorted(words)
    more = f" and {len(ordered) - _LISTED} more" if len(ordered) > _LISTED else ""
    return ", ".join(ordered[:_LISTED]) + more


def _folder(row: ScoreInput) -> str:
    folder = row.path.rpartition("/")[0] or row.path
    return folder if len(folder) <= _FOLDER_SHOWN else "…" + folder[-_FOLDER_SHOWN:]
