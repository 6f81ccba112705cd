"""The databases of programs that are known, told by their tables: a store a program, one file a field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.stores import browsers, clouds, messengers, notes, people, photos, places, social, system
from triage.artifacts.stores.tables import Store, Tables, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.sqlite import Database

__all__ = ["STORES", "Store", "Trace", "read_stores"]

STORES: tuple[Store, ...] = (
    *browsers.STORES,
    *people.STORES,
    *system.STORES,
    *messengers.STORES,
    *social.STORES,
    *photos.STORES,
    *places.STORES,
    *clouds.STORES,
    *notes.STORES,
)


def read_stores(database: Database, *, deleted: bool = False) -> Iterator[tuple[Store, Trace]]:
    """Yield what each store that a database holds says; ``deleted``: of rows that were deleted, too."""
    if deleted and not any(_holds(Tables(database), store) for store in STORES):
        return
    tables = Tables(database, deleted=deleted)
    for store in STORES:
        if _holds(tables, store):
            for trace in store.read(tables):
                yield store, trace


def _holds(tables: Tables, store: Store) -> bool:
    return all(tables.has(table, columns) for table, columns in store.needs.items())
