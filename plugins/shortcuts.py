"""Windows shortcuts and jump lists: which files and folders were opened, on which medium, when, and with which program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import shortcut, times
from triage.artifacts.compound import open_compound
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.shortcut import Listed, Shortcut

_LARGEST = 64 << 20
_MOST = 20_000


class Shortcuts:
    """A finding ``shortcut`` a shortcut, ``recent-file`` an entry of a jump list."""

    name = "shortcuts"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=("lnk", "jumplist"), max_size=_LARGEST)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the shortcut, or each one of a list, leads to."""
        head = item.read_at(0, 20)
        if head == shortcut.HEADER:
            yield from self._single(item)
        elif item.type is not None and item.type.name == "jumplist":
            yield from self._jump_list(item)

    def _single(self, item: Item) -> Iterator[Finding | Problem]:
        one = shortcut.read_shortcut(item.read(_LARGEST))
        if one is not None:
            yield self._finding(item, one, None, "shortcut")
            if one.cut:
                yield item.problem("a shortcut breaks off")

    def _jump_list(self, item: Item) -> Iterator[Finding | Problem]:
        try:
            compound = open_compound(item.read_at, item.size)
        except StructureError as error:
            yield item.problem(f"a jump list that cannot be read: {error}")
            return
        streams = {s.path[0].lower(): s for s in compound.streams if len(s.path) == 1}
        listed: dict[int, Listed] = {}
        if "destlist" in streams:
            listed = {one.number: one for one in shortcut.read_destlist(streams["destlist"].read(item.read_at, 32 << 20))}
        for name, stream in sorted(streams.items())[:_MOST]:
            if not name or not all(c in "0123456789abcdef" for c in name) or len(name) > 8:
                continue
            one = shortcut.read_shortcut(stream.read(item.read_at, 1 << 20))
            if one is not None:
                yield self._finding(item, one, listed.pop(int(name, 16), None), "recent-file")
        for entry in listed.values():  # their shortcuts are gone
            yield self._finding(item, shortcut.Shortcut(path=entry.path), entry, "recent-file")
        for line in compound.notes.lines():
            yield item.problem(line)

    def _finding(self, item: Item, one: Shortcut, entry: Listed | None, kind: str) -> Finding:
        path = one.path or (entry.path if entry is not None else "") or one.relative_path
        said: dict[str, Any] = {
            "path": path,
            "time": times.iso(times.filetime(entry.used)) if entry is not None else None,
            "target_created": times.iso(times.filetime(one.created)),
            "target_modified": times.iso(times.filetime(one.written)),
            "target_accessed": times.iso(times.filetime(one.accessed)),
            "size": one.size,
            "drive": one.drive,
            "volume_serial": f"{one.serial:08x}" if one.serial is not None else "",
            "volume_label": one.label,
            "share": one.share,
            "machine": one.machine or (entry.machine if entry is not None else ""),
            "mac": one.mac,
            "arguments": one.arguments,
            "working_folder": one.working_folder,
            "relative_path": one.relative_path,
            "description": one.description,
            "pinned": entry.pinned if entry is not None else None,
            "times_used": entry.times if entry is not None else None,
            "program_id": item.entry.name.partition(".")[0] if kind == "recent-file" else "",
        }
        kept = {key: value for key, value in said.items() if value not in (None, "", 0)}
        where = f" on a {one.drive} medium" if one.drive in ("removable", "optical", "network") else ""
        return item.finding(
            kind, f"{'was opened' if kind == 'recent-file' else 'a shortcut to'}: {path}{where}", {**whose(item.entry.path), **kept}
        )


PLUGIN = Shortcuts
