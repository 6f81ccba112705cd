"""What was thrown away on Windows: the name and folder it had, when, and how large it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import recycled, times
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.recycled import Recycled

_LARGEST = 64 << 20


class RecycleBin:
    """A finding ``recycled`` a file that lies, or lay, in the bin."""

    name = "recycle_bin"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(paths=("$I*", "INFO2*", "*/Recycled/INFO", "*/Recycler/**"), min_size=20, max_size=_LARGEST)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the file notes."""
        name = item.entry.name
        if name.upper().startswith("$I"):
            one = recycled.read_i(item.read(1 << 20))
            if one is not None:
                yield self._finding(item, one, "$R" + name[2:])
            elif name != "$I30":
                yield item.problem("a file called as the recycle bin's notes that is none of them, or breaks off")
            return
        found, why = recycled.read_info2(item.read(_LARGEST))
        for one in found:
            drive = one.path[:1].lower() if one.path[1:2] == ":" else "c"
            extension = one.path.rpartition(".")[2] if "." in one.path[-12:] else ""
            yield self._finding(item, one, f"D{drive}{one.number}{'.' + extension if extension else ''}")
        if why:
            yield item.problem(f"the recycle bin's list was not read whole: {why}")

    def _finding(self, item: Item, one: Recycled, kept_as: str) -> Finding:
        said: dict[str, Any] = {
            "path": one.path,
            "size": one.size,
            "time": times.iso(times.filetime(one.deleted)),
            "kept_as": kept_as,
            "index": one.number,
            "in_bin": not one.gone,
            "exact": one.exact,
        }
        kept = {key: value for key, value in said.items() if value not in (None, "")}
        return item.finding("recycled", f"thrown away: {one.path}", {**whose(item.entry.path), **kept}, [(one.offset, one.length)])


PLUGIN = RecycleBin
