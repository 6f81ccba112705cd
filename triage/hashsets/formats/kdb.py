"""The hash databases of The Sleuth Kit and Autopsy (``.kdb``): SQLite, digests as raw bytes (TSK, ``sqlite_hdb.cpp``, schema 1).

Whether the set is of notable or of known files does not stand in it: Autopsy keeps that in its settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.hashsets.formats import sqlitefile
from triage.hashsets.records import KEYS, LENGTHS, HashRecord, Note, Reject, digest_kind

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from triage.hashsets.records import Event
    from triage.hashsets.source import Source

_ASK = Note("whether the list is of notable or known files does not stand in a .kdb: it is what you said at the import")


def looks_like(head: bytes) -> bool:
    """Say whether this is an SQLite database with the tables of a ``.kdb``."""
    return sqlitefile.looks_like(head) and b"db_properties" in head and b"hashes" in head


def read(source: Source) -> Iterator[Event]:
    """Yield one record a row of the table ``hashes``. Raise ``HashsetError`` if there is none or it is damaged."""
    yield _ASK
    yield from sqlitefile.read_database(source, _read)


def _read(source: Source, database: sqlite3.Connection) -> Iterator[Event]:
    columns = [name for name in sqlitefile.columns_of(database, "hashes") if digest_kind(name)]
    kinds = [str(digest_kind(name)) for name in columns]
    sqlitefile.lock(database)
    if not columns:
        yield Reject(0, "the table hashes has no column of digests")
        return
    chosen = ", ".join(f'"{name}"' for name in columns)
    for number, row in enumerate(database.execute(f'SELECT {chosen} FROM "hashes"'), 1):
        source.position = number
        record: dict[str, bytes] = {}
        refused = False
        for kind, value in zip(kinds, row, strict=True):
            if value is None or value == b"":
                continue
            if isinstance(value, bytes) and len(value) == LENGTHS[kind]:
                record[kind] = value
            elif isinstance(value, bytes) and len(value) == 2 * KEYS[kind] and (raw := _hexadecimal(value)):
                record[kind] = raw
            else:
                refused = True
                yield Reject(number, f"{kind}: not the {LENGTHS[kind]} bytes of a digest")
        if record:
            yield HashRecord(record.get("md5"), record.get("sha1"), record.get("sha256"))
        elif not refused:
            yield Reject(number, "no digest in this row")


def _hexadecimal(value: bytes) -> bytes:
    try:
        return bytes.fromhex(value.decode("ascii"))
    except ValueError:
        return b""
