"""Hints that a tool has set the times of a file on NTFS: whole seconds, and created earlier than its own name says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts import times
from triage.artifacts.mft import Folders, record_size, records
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.mft import Record

_MOST, _TOLD = 4_000_000, 5000
_SECOND = 10_000_000
_APART = 60 * _SECOND


class SetTimes:
    """A finding ``times-set`` a file: by the table of the volume, which keeps each file's times twice and lets programs set only one.

    The kernel alone writes the times beside the name. Where those that programs can set are whole seconds, which a clock hits once in ten
    million, and lie before, a tool seems to have set them: to hide when the file came, or by unpacking an archive or copying from a medium
    that keeps whole seconds. Which of these it was is not told by the times.
    """

    name = "set_times"
    version = "2"
    tried_on = "real samples"
    accepts = Accepts(paths=("*$MFT",), min_size=4096)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield the files whose times were set."""
        step = record_size(item.read_at)
        if step is None:
            return
        folders = Folders(_MOST)
        found: list[Record] = []
        more = 0
        for record in records(item.read_at, item.size, step, _MOST):
            folders.note(record)
            if _was_set(record):
                if len(found) < _TOLD:
                    found.append(record)
                else:
                    more += 1
        for record in found:
            created, named = (times.iso(times.filetime(value)) for value in (record.standard.created, record.named.created))
            path = folders.path_of(record)
            data = {
                "path": path,
                "created": created,
                "modified": times.iso(times.filetime(record.standard.modified)),
                "created_by_its_name": named,
                "record": record.number,
                "deleted": not record.used,
            }
            title = f"the times of {path[-200:]} look set by a tool: created {created}, by its name {named}"
            place = record.number * step
            yield item.finding("times-set", title, {name: value for name, value in data.items() if value is not None}, [(place, step)])
        if more:
            yield item.problem("the times of more than 5,000 files look set by a tool: the others are not told", detail=f"{more} left out")
        if item.size > _MOST * step:
            yield item.problem(f"only the first {_MOST:,} records of a volume's table were looked at for times that a tool may have set")


def _was_set(record: Record) -> bool:
    standard, named = record.standard, record.named
    if record.directory or not standard.created or not named.created:
        return False
    whole = not standard.created % _SECOND and not standard.modified % _SECOND
    return whole and standard.created + _APART < named.created and named.created % _SECOND != 0


PLUGIN = SetTimes
