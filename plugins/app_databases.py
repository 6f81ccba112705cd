"""History, downloads, searches, messages, calls, contacts and accounts in the databases of known programs, whatever they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.sqlite import MAX_BYTES, VIRTUAL, open_database
from triage.artifacts.stores import read_stores
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator


class AppDatabases:
    """A finding a row: ``visit``, ``history-url``, ``search-term``, ``download``, ``message``, ``call``, ``contact``, ``account`` and more.

    Rows that were deleted and are still there say so (``state``: ``deleted row``). What stands in a write-ahead log beside the database is
    said of the log (``app_database_logs``).
    """

    name = "app_databases"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=("sqlite",), max_size=MAX_BYTES)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the tables of a known program say."""
        try:
            database = open_database(item.read(MAX_BYTES))
        except StructureError as error:
            yield item.problem(f"a database that cannot be read: {error}")
            return
        mine = whose(item.entry.path)
        with database:
            for store, trace in read_stores(database, deleted=True):
                program = {"application": store.program} if store.program else {}
                state = {"state": "deleted row"} if trace.source == "deleted" else {}
                title = f"{trace.title} (deleted row)" if state else trace.title
                yield item.finding(trace.kind, title, {"store": store.name, **program, **mine, **trace.data, **state})
            for line in database.notes.lines():
                if line.startswith(VIRTUAL):
                    continue
                yield item.problem(f"a database was not read whole: {line}")


PLUGIN = AppDatabases
