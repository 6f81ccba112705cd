"""The databases of programs that are known, told by their tables: a store a program, one file a field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.stores import browsers, people, system
from triage.artifacts.stores.tables import Store, Tables, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.sqlite import Database

__all__ = ["STORES", "Store", "Trace", "read_stores"]

STORES: tuple[Store, ...] = (*browsers.STORES, *people.STORES, *system.STORES)


def read_stores(database: Database) -> Iterator[tuple[Store, Trace]]:
    """Yield what each store that a database holds says."""
    tables = Tables(database)
    for store in STORES:
        if all(tables.has(table, columns) for table, columns in store.needs.items()):
            for trace in store.read(tables):
                yield store, trace
