"""What Windows noted in its registry: programs run, files and folders opened, searches, addresses, devices, networks, accounts."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.hive import LARGEST, Hive
from triage.artifacts.registryfacts import read_facts
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST, _MOST_DELETED, _MOST_VALUES, _LONGEST = 25_000, 2000, 50, 300
_TELLING = 4
"""Characters that the text of a value has at least, to be told without its key."""
_LOG_FORMS = (1, 2, 6)


class WindowsRegistry:
    """A finding an entry of a known place, ``registry-deleted`` a key or value that was deleted from the hive."""

    name = "windows_registry"
    version = "2"
    tried_on = "real samples"
    accepts = Accepts(types=("registry",), min_size=4096, max_size=LARGEST)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the hive's known places say, then what was deleted from it."""
        if int.from_bytes(item.read_at(28, 4), "little") in _LOG_FORMS:
            return  # the log of a hive begins as a hive does
        try:
            hive = Hive(item.read(LARGEST))
        except StructureError as error:
            yield item.problem(f"a registry hive that cannot be read: {error}")
            return
        mine = whose(item.entry.path)
        facts = read_facts(hive)
        for one in islice(facts, _MOST):
            yield item.finding(one.kind, one.title, {**mine, **one.data})
        if next(facts, None) is not None:
            yield item.problem("a registry hive says more than 25,000 things; the rest was left out")
        yield from self._deleted(item, hive, mine)
        if hive.dirty:
            yield item.problem("a registry hive was not written to its end: its newest changes are in its logs, if these lie beside it")
        if hive.missing:
            yield item.problem("a registry hive breaks off", detail=f"{hive.missing} bytes are missing")
        for line in hive.notes.lines():
            yield item.problem(line)

    def _deleted(self, item: Item, hive: Hive, mine: dict[str, Any]) -> Iterator[Finding | Problem]:
        """Yield a finding a deleted key with its values, then those values whose key is gone and that say something, many in one."""
        kept: dict[tuple[str, int], dict[str, Any]] = {}
        orphans: list[dict[str, Any]] = []
        left = 0
        for one in hive.deleted():
            value = one.value
            text = value.text[:_LONGEST] if value is not None else ""
            shown = {"name": value.name[:_LONGEST], "value": text or f"{len(value.data)} bytes"} if value is not None else {}
            if not one.path:
                if len(text) >= _TELLING and not text.isdecimal():
                    orphans.append({**shown, "offset": one.offset})
                continue
            place = (one.path, one.written)
            if place not in kept and len(kept) >= _MOST_DELETED:
                left += 1
                continue
            said = kept.setdefault(place, {"key_written": times.iso(times.filetime(one.written)), "offset": one.offset, "values": []})
            if shown and len(said["values"]) < _MOST_VALUES:
                said["values"].append(shown)
        for (path, _), said in kept.items():
            data = {key: value for key, value in said.items() if value not in (None, [])}
            title = f"deleted from the registry: key {path[:200]}"
            yield item.finding("registry-deleted", title, {**mine, "registry_key": path[:_LONGEST], **data, "deleted": True})
        for at in range(0, min(len(orphans), _MOST_DELETED * _MOST_VALUES), _MOST_VALUES):
            some = orphans[at : at + _MOST_VALUES]
            title = f"deleted from the registry: {len(some)} value{'s' if len(some) > 1 else ''} whose key is gone"
            yield item.finding("registry-deleted", title, {**mine, "values": some, "deleted": True})
        if left:
            yield item.problem("a registry hive holds more deleted keys than are told", detail=f"{left} left out")


PLUGIN = WindowsRegistry
