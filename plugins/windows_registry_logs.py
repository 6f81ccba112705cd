"""What the logs beside a registry hive add: the newest things that Windows noted, when it was not shut down, and what they replaced."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING

from triage.artifacts.hive import LARGEST, Hive
from triage.artifacts.hivelog import replay
from triage.artifacts.registryfacts import read_facts
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.registryfacts.common import Fact

_MOST = 25_000
_LARGEST_LOG = 64 << 20
_ENDS = (".log1", ".log2", ".log")


class WindowsRegistryLogs:
    """The findings of ``windows_registry`` for what stands in the logs only, and for what of the hive they supersede."""

    name = "windows_registry_logs"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(
        types=("registry",),
        paths=("*.LOG1", "*.LOG2", "*.LOG"),
        min_size=1024,
        beside=("{name.LOG1}", "{name.LOG2}", "{name.LOG}", "{name.LOG1}.LOG2", "{name.LOG2}.LOG1"),
    )

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the logs make of the hive beside them; of two logs the first speaks for both."""
        name = item.entry.name.lower()
        stem, end = next(((name.removesuffix(end), end) for end in _ENDS if name.endswith(end)), ("", ""))
        near = {one.name.lower(): one for one in item.beside}
        main = near.get(stem)
        first = near.get(f"{stem}.log1")
        if main is None or (end == ".log2" and first is not None and first.size >= 1024):
            return
        other = near.get(f"{stem}.log2") if end == ".log1" else None
        if main.size > LARGEST or max(item.size, other.size if other else 0) > _LARGEST_LOG:
            yield item.problem("a registry hive and its logs are too large to be put together")
            return
        logs = [item.read(_LARGEST_LOG)] + ([other.read(_LARGEST_LOG)] if other else [])
        before = main.read(LARGEST)
        after = replay(before, logs)
        if after.why:
            yield item.problem(f"the logs of a registry hive were not put in whole: {after.why}")
        if not after.entries:
            return
        old, new = _facts(before), _facts(after.data)
        mine = whose(item.entry.path)
        for key, one in new.items():
            if key not in old:
                yield item.finding(one.kind, one.title, {**mine, **one.data, "state": "only in the log"})
        for key, one in old.items():
            if key not in new:
                yield item.finding(one.kind, one.title, {**mine, **one.data, "state": "superseded by the log"})


def _facts(data: bytes) -> dict[str, Fact]:
    """Return what a hive says, by its words. A hive whose own root is damaged says nothing, and all that its log says is new."""
    try:
        hive = Hive(data)
    except StructureError:
        return {}
    return {json.dumps([one.kind, one.title, one.data], sort_keys=True): one for one in islice(read_facts(hive), _MOST)}


PLUGIN = WindowsRegistryLogs
