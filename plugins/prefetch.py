"""Programs that ran on Windows, by its prefetch files: how often, the last eight times, from where, and the files they opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.prefetch import LARGEST, read_prefetch
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.prefetch import Prefetch

_MOST_BYTES = 48 << 10
"""Of names in one finding: it holds 64 KiB."""


class Prefetched:
    """A finding ``program-run`` a prefetch file."""

    name = "prefetch"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=("prefetch",), max_size=LARGEST)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield the program, its runs, the volumes and the files it opened."""
        try:
            found = read_prefetch(item.read(LARGEST))
        except StructureError as error:
            yield item.problem(f"a prefetch file that cannot be read: {error}")
            return
        data, left = self._data(found)
        runs = f"{found.count:,} time{'' if found.count == 1 else 's'}"
        yield item.finding("program-run", f"{found.program} ran {runs}", {**whose(item.entry.path), **data})
        if found.cut:
            yield item.problem("a prefetch file breaks off")
        if left:
            yield item.problem("a prefetch file names more files than a finding holds", detail=f"{left} names left out")

    def _data(self, found: Prefetch) -> tuple[dict[str, Any], int]:
        runs = [shown for time in found.runs if (shown := times.iso(times.filetime(time)))]
        volumes = [
            {"path": one.path, "serial": f"{one.serial:08x}", "created": times.iso(times.filetime(one.created))} for one in found.volumes
        ]
        own = f"\\{found.program.lower()}"
        path = next((name for name in found.files if name.lower().endswith(own)), "")
        files, room = [], _MOST_BYTES
        for name in found.files:
            room -= len(name.encode("utf-8", "replace")) + 4
            if room < 0:
                break
            files.append(name)
        said: dict[str, Any] = {
            "name": found.program,
            "path": path,
            "time": runs[0] if runs else None,
            "runs": runs,
            "times_used": found.count,
            "path_hash": f"{found.hash:08x}",
            "volumes": volumes,
            "files": files,
        }
        return {key: value for key, value in said.items() if value not in (None, "", [])}, len(found.files) - len(files)


PLUGIN = Prefetched
