"""What write-ahead logs and rollback journals beside the databases of known programs add, and what they took away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.sqlite import MAX_BYTES, VIRTUAL, open_database
from triage.artifacts.stores import read_stores
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator


class AppDatabaseLogs:
    """The findings of ``app_databases`` for rows that stand in the log only, and for rows of the database that it supersedes."""

    name = "app_database_logs"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(paths=("*-wal", "*-journal"), min_size=32, max_size=MAX_BYTES, beside=("{name-wal}", "{name-journal}"))

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the log makes of the database beside it."""
        kind = "wal" if item.entry.name.lower().endswith("-wal") else "journal"
        main = next((b for b in item.beside if f"{b.name}-{kind}".lower() == item.entry.name.lower()), None)
        if main is None:
            return
        if main.size + item.size > MAX_BYTES:
            yield item.problem(f"a database and its log of together more than {MAX_BYTES >> 20} MiB were not read")
            return
        data = {kind: item.read(MAX_BYTES)}
        try:
            database = open_database(main.read(MAX_BYTES), **data)
        except StructureError as error:
            yield item.problem(f"a database and its log cannot be read: {error}")
            return
        mine = whose(item.entry.path)
        with database:
            for store, trace in read_stores(database):
                if trace.source == "main" and trace.live:
                    continue
                program = {"application": store.program} if store.program else {}
                more = {"state": f"only in the {kind}" if trace.live else f"superseded by the {kind}"}
                yield item.finding(trace.kind, trace.title, {"store": store.name, **program, **mine, **trace.data, **more})
            for line in database.notes.lines():
                if line.startswith(VIRTUAL):
                    continue
                yield item.problem(f"a database with its log was not read whole: {line}")


PLUGIN = AppDatabaseLogs
