"""What web pages and Electron programs (Discord, Slack, Teams) kept: Local Storage, Session Storage and IndexedDB of Chromium."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from triage.artifacts.leveldb import records
from triage.artifacts.structure import Notes, StructureError
from triage.artifacts.web import whose
from triage.artifacts.webstorage import reader_of
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST = 32 << 20
_MOST = 1_000_000


class WebStorage:
    """A finding ``web-storage`` a record: of which page, key and value, also those that were replaced or taken out."""

    name = "web_storage"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(
        paths=(
            "Local Storage/leveldb/*.log", "Local Storage/leveldb/*.ldb", "Local Storage/leveldb/*.sst", "Session Storage/*.log",
            "Session Storage/*.ldb", "Session Storage/*.sst", "*.indexeddb.leveldb/*.log", "*.indexeddb.leveldb/*.ldb",
            "*.indexeddb.leveldb/*.sst",
        ),
        min_size=8,
    )  # fmt: skip

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield the records."""
        reader = reader_of(f"/{item.entry.path}")
        if reader is None:
            return
        if item.size > _LARGEST:
            yield item.problem(f"of a store of {item.size:,} bytes only the first {_LARGEST:,} were read")
        notes = Notes()
        mine = whose(item.entry.path)
        try:
            found = list(islice(records(item.read(_LARGEST), notes), _MOST + 1))
        except StructureError as error:
            yield item.problem(f"a store of web pages that cannot be read: {error}")
            return
        if len(found) > _MOST:
            found.pop()
            notes.add(f"a store has more than {_MOST:,} records: the rest was left out")
        for one, record in reader(found, notes):
            yield item.finding(one.kind, one.title, {**mine, **one.data}, [(record.start, record.size)])
        for line in notes.lines():
            yield item.problem(line)


PLUGIN = WebStorage
