"""Files that eMule or aMule shared or loaded, by their own lists: names, sizes, times and the hashes that hash lists know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import emule, times
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST = 128 << 20


class Emule:
    """A finding ``shared-file`` or ``loading-file`` a file, matched with hash lists by its ed2k hash though the file may be gone."""

    name = "emule"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(paths=("*known.met*", "*known2.met*", "*.part.met*"), min_size=25, max_size=_LARGEST)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield the files of the list."""
        data = item.read(_LARGEST)
        loading = data[:1] and data[0] in emule.PART
        files, why = emule.read_known(data)
        mine = whose(item.entry.path)
        for file in files:
            said: dict[str, Any] = {
                "name": file.name,
                "size": file.size,
                "time": times.iso(times.unix(file.time)),
                "ed2k": file.ed2k,
                "aich": file.aich,
                **file.said(),
                "program": "eMule or aMule",
                "digests": [{"ed2k": file.ed2k, **({"aich": file.aich} if file.aich else {})}],
            }
            kind, verb = ("loading-file", "was being loaded") if loading else ("shared-file", "was shared")
            title = f"{file.name or 'a file without a name'} {verb} by eMule or aMule"
            kept = {name: value for name, value in said.items() if value not in (None, "")}
            yield item.finding(kind, title, {**mine, **kept}, [(file.start, file.end - file.start)])
        if why:
            yield item.problem(f"a list of eMule was not read whole: {why}")


PLUGIN = Emule
