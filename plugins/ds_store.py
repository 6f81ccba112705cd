"""What a folder of macOS held when the Finder showed it (.DS_Store): names of files, also of gone ones, with comments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts.dsstore import MAX_BYTES, read_dsstore
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_NAMES, _MOST_SAID = 2000, 500


class DsStore:
    """A finding ``folder-shown`` with the names; ``note`` a comment on a file. Where thrown-away ones came from: see ``trash``."""

    name = "ds_store"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(paths=(".DS_Store",), kinds=(Kind.FILE, Kind.DERIVED))

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield the folder's names and what is said of single ones."""
        if not item.head(8).strip(b"\0"):
            return
        try:
            records, notes = read_dsstore(item.read(MAX_BYTES + 1))
        except StructureError as error:
            yield item.problem(f"a .DS_Store that cannot be read: {error}")
            return
        held = dict.fromkeys(one.name for one in records if not one.left and one.name != ".")
        left = dict.fromkeys(one.name for one in records if one.left and one.name != "." and one.name not in held)
        folder = item.entry.path.rpartition("/")[0].partition("/")[2]
        if held or left:
            data: dict[str, Any] = {
                **whose(item.entry.path),
                "folder": f"/{folder}",
                "names": list(held)[:_MOST_NAMES],
                "names_left": list(left)[:_MOST_NAMES],
                "count": len(held),
            }
            title = f"the Finder showed {len(held):,} files and folders here"
            if left:
                title += f"; {len(left):,} more names are left of records no longer in use"
            yield item.finding("folder-shown", title, {key: value for key, value in data.items() if value not in ("", [])})
        for names in (held, left):
            if len(names) > _MOST_NAMES:
                yield item.problem(f"of {len(names):,} names in a .DS_Store only the first {_MOST_NAMES:,} are listed")
        said = 0
        for one in records:
            if one.what != "cmmt" or not one.text:
                continue
            said += 1
            if said <= _MOST_SAID:
                told: dict[str, Any] = {**whose(item.entry.path), "name": one.name, "text": one.text[:4000], "exact": not one.left}
                yield item.finding("note", f"a comment in the Finder on {one.name}: {one.text[:200]}", told, [(one.offset, 4)])
        if said > _MOST_SAID:
            yield item.problem(f"of {said:,} comments in a .DS_Store only the first {_MOST_SAID} are told")
        for line in notes:
            yield item.problem(line)


PLUGIN = DsStore
