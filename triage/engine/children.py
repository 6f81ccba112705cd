"""Files inside files: what workers say of them becomes entries, and which of those are read is decided a generation at a time.

An archive may hold ten thousand archives of ten thousand members each. Children wait until all that could bring some of their generation
is done; then those of each generation are admitted in the order of their paths, within a number for all that is inside of one file and
within the volume's budget of bytes. So neither the number of workers nor an interruption changes which they are.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts.recipe import Recipe, check_recipe, pack_recipe, unpack_recipe
from triage.case.items import Work
from triage.engine.budget import ReadBudget
from triage.engine.classify import classify
from triage.model import MAX_CHILDREN, MAX_FINDING, MAX_TITLE, Entry, Finding, Kind, Run, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from triage.case.items import WorkItem
    from triage.case.writer import CaseWriter
    from triage.engine.local import LocalEngine
    from triage.engine.plan import Plan
    from triage.engine.sink import CaseSink
    from triage.model import Json
    from triage.priority.profile import Profile

DEEPEST = 6
"""Files inside of files inside of …: deeper ones are listed and not read."""
MOST_INSIDE = 100_000
"""Children that are read of all that is inside of one file, in each generation."""
FEWEST = 20
TOO_DEEP = f"more than {DEEPEST} files inside of each other"
TOO_MANY = f"more than {MOST_INSIDE:,} files inside of one file"
_LONGEST, _TEXT = 4 << 10, 16 << 10
_TIME = 1 << 62
_MOST_RUNS = 1000


class Inside(NamedTuple):
    """A child: its entry, the key of the plugin that found it, the file that all of them are inside of, and how deep in that it is."""

    entry: Entry
    plugin: str
    root: str
    level: int


def unpack_children(item: WorkItem, values: Sequence[Json], plugins: Collection[str]) -> tuple[list[Inside], list[tuple[Finding, str]]]:
    """Build an item's children from a worker's answer, with what is said of them.

    Raises ``TypeError``, ``LookupError`` or ``ValueError`` for what does not fit.
    """
    if len(values) > MAX_CHILDREN * max(1, len(plugins)):
        raise ValueError("more files inside than an item can have")
    found: dict[str, Inside] = {}
    findings: list[tuple[Finding, str]] = []
    parent = Work(item.columns).entry() if values else None
    for value in values:
        if parent is None or value["plugin"] not in plugins:
            raise ValueError("a child of a plugin that is not used")
        entry = _entry(parent, item, value)
        if entry.id in found:
            continue
        found[entry.id] = Inside(entry, value["plugin"], item.root, item.level + 1)
        for kind, title, data in value["findings"]:
            if type(kind) is not str or type(title) is not str or type(data) is not dict or max(len(kind), len(title)) > MAX_TITLE:
                raise TypeError("what is said of a child is of the wrong types")
            if len(json.dumps(data, allow_nan=False)) > MAX_FINDING:
                raise ValueError("a finding's data are too large")
            findings.append((Finding(entry=entry.id, plugin=value["plugin"], kind=kind, title=title, data=data), entry.path))
    return list(found.values()), findings


def _entry(parent: Entry, item: WorkItem, value: Json) -> Entry:
    name, size, raw = value["name"], value["size"], value["raw"]
    if type(name) is not str or not 0 < len(name) <= _LONGEST or type(size) is not int or not 0 <= size < _TIME:
        raise ValueError("a child's name or size is none")
    if raw is not None and (type(raw) is not str or len(raw) > _TEXT):
        raise ValueError("a child's name is none")
    kind = Kind(value["kind"])
    if kind not in (Kind.CACHED, Kind.DERIVED) or type(value["deleted"]) is not bool:
        raise ValueError("a child of a kind that there is not")
    times = value["times"]
    if len(times) != 4 or not all(t is None or (type(t) is int and -_TIME < t < _TIME) for t in times):
        raise ValueError("a child's times are none")
    beside = value["beside"]
    if beside is not None and (type(beside) is not int or not 0 <= beside < len(item.beside)):
        raise ValueError("a child in a file that is not beside its parent")
    steps = check_recipe(value["steps"])
    base = parent.locator if beside is None else item.beside[beside].locator
    if base is None:
        raise ValueError("a child of what has no bytes")
    outer, whole = (parent.runs, parent.size) if beside is None else (item.beside[beside].runs, item.beside[beside].size)
    runs = _runs(outer, steps)
    if steps == (("cut", 0, whole),) and whole == size and beside is not None:
        locator = base  # all of a file: its content is read once, whatever it is called
    else:
        locator = base.replace(member=pack_recipe(joined(unpack_recipe(base.member), steps) if base.member is not None else steps))
    named = repr((parent.id, locator.key, name))
    return Entry(
        id=hashlib.blake2b(named.encode(), digest_size=12).hexdigest(),
        evidence=parent.evidence,
        volume=parent.volume,
        path=f"{parent.path}/{name}",
        name=name.rpartition("/")[2],
        name_raw=bytes.fromhex(raw) if raw is not None else None,
        kind=kind,
        name_allocated=parent.name_allocated and not value["deleted"],
        meta_allocated=parent.meta_allocated and not value["deleted"],
        recoverability=parent.recoverability,
        size=size,
        mtime=times[0],
        atime=times[1],
        ctime=times[2],
        crtime=times[3],
        time_basis=TimeBasis(value["time_basis"]),
        parent=parent.id,
        runs=runs if sum(run.length for run in runs) == size else (),
        depth=parent.depth + 1,
        locator=locator,
    )


def _runs(runs: tuple[Run, ...], steps: Recipe) -> tuple[Run, ...]:
    """Return where on the medium the bytes are that a recipe cuts out of a file of these runs; nothing when anything is undone."""
    for word, *rest in steps:
        if word != "cut" or len(rest) > 2 * _MOST_RUNS:
            return ()
        runs = tuple(piece for offset, length in zip(rest[::2], rest[1::2], strict=True) for piece in _within(runs, offset, length))
    return runs if len(runs) <= _MOST_RUNS else ()


def _within(runs: tuple[Run, ...], offset: int, length: int) -> list[Run]:
    found, start = [], 0
    for run in runs:
        skip = offset - start
        if 0 <= skip < run.length and length > 0:
            take = min(length, run.length - skip)
            found.append(Run(image_offset=None if run.image_offset is None else run.image_offset + skip, length=take))
            offset += take
            length -= take
        start += run.length
    return found


def joined(outer: Recipe, inner: Recipe) -> Recipe:
    """Return one recipe behind another."""
    return check_recipe([*outer, *inner])


def read_inside(
    engine: LocalEngine,
    writer: CaseWriter,
    sink: CaseSink,
    profile: Profile,
    plan: Plan,
    media: Mapping[str, int],
    *,
    deadline: float | None,
    tick: Callable[[], None],
) -> bool:
    """Read what is inside of all that was read, a generation after the other; return whether all of it was done."""
    while (level := writer.inside.waiting()) is not None:
        children = writer.inside.generation(level)
        roots: dict[str, int] = {}
        budget = ReadBudget(media, profile.limits.item_bytes)
        decided = list(admit([(entry, root) for _, entry, root in children], level, profile, budget, roots))
        writer.decide_inside(
            [(skip, tier, room(roots.get(root, 0)), row) for (row, _, root), (skip, tier) in zip(children, decided, strict=True)]
        )
        sink.plan_inside([(row, entry, tier) for (row, entry, _), (skip, tier) in zip(children, decided, strict=True) if skip is None])
        if not engine.run([], plan, deadline=deadline, tick=tick):
            return False
    return True


def admit(
    children: Iterable[tuple[Entry, str]], level: int, profile: Profile, budget: ReadBudget, roots: dict[str, int]
) -> Iterable[tuple[str | None, int]]:
    """Yield for each child of a generation, in its order, why it is not read and its tier. ``roots`` counts what is inside of each."""
    for entry, root in children:
        _, skip, tier = classify(entry, profile)
        if skip is None and level > DEEPEST:
            skip = TOO_DEEP
        if skip is None and roots.get(root, 0) >= MOST_INSIDE:
            skip = TOO_MANY
        if skip is None:
            skip = budget.reason(entry)
        if skip is None:
            roots[root] = roots.get(root, 0) + 1
        yield skip, tier


def room(inside: int) -> int:
    """Return how many children each item may have where so many others are inside of the same file."""
    return MAX_CHILDREN if inside <= 1 else max(FEWEST, min(MAX_CHILDREN, MOST_INSIDE // inside))
