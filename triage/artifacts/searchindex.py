"""The index of Windows Search: what is known of each item, from Windows.edb (XP to 11) or Windows.db (Windows 11 from 22H2 on).

The source is the description "Windows Search" of libyal's esedb-kb. Properties are columns of a table, ``System_ItemPathDisplay`` up to
Windows 7, ``4447-System_ItemPathDisplay`` from 8 on; in Windows.db each is a row, with the number of its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.ese import Column, Ese, Table
    from triage.artifacts.sqlite import Database

TABLES = ("SystemIndex_PropertyStore", "SystemIndex_0A")
STORE, NAMES = "SystemIndex_1_PropertyStore", "SystemIndex_1_PropertyStore_Metadata"
_BINARY, _CURRENCY = (9, 11), 5
_LONGEST, _MOST_PROPERTIES = 4096, 5000
TEXTS = frozenset((
    "System_ItemPathDisplay", "System_ItemUrl", "System_ItemNameDisplay", "System_ItemFolderPathDisplay", "System_Kind", "System_FileOwner",
    "System_ComputerName", "System_Search_AutoSummary", "System_ItemType", "System_MIMEType", "System_Title", "System_Subject",
    "System_Message_FromAddress", "System_Message_FromName", "System_Message_ToAddress", "System_Message_ToName", "System_Link_TargetUrl",
    "System_Link_TargetParsingPath", "System_Activity_AppDisplayName", "System_Activity_DisplayText", "System_Activity_ContentUri",
    "System_ActivityHistory_AppId", "System_History_UrlHash",
))  # fmt: skip
NUMBERS = frozenset((
    "System_ThumbnailCacheId", "System_Size", "System_DateModified", "System_DateCreated", "System_DateAccessed",
    "System_Search_GatherTime", "System_Message_DateReceived", "System_Message_DateSent",
    "System_ActivityHistory_StartTime", "System_ActivityHistory_EndTime",
    "System_Link_DateVisited",
))  # fmt: skip
_WANTED = TEXTS | NUMBERS


class Entry(NamedTuple):
    """What the index says of an item: texts and numbers by property. ``deleted``: its row is no longer in use."""

    texts: dict[str, str]
    numbers: dict[str, int]
    deleted: bool
    packed: bool = False
    """Its texts are packed as Windows Vista does, and not read."""


def table_of(database: Ese) -> Table:
    """Return the table of properties. Raise ``StructureError`` for a database that has none."""
    for name in TABLES:
        if name in database.tables:
            return database.tables[name]
    raise StructureError("it has no table of properties")


def entries_of_ese(database: Ese) -> Iterator[Entry]:
    """Yield what a Windows.edb says of each item. Raise ``StructureError`` for another database."""
    table = table_of(database)
    columns = {c.name: (_property(c.name), c) for c in table.columns if _property(c.name) in _WANTED}
    big = any(c.name == "__SDID" and c.kind in _BINARY for c in table.columns)  # XP and 7; Vista's is a number, 8's is none
    for row in database.rows(table, frozenset(columns)):
        texts: dict[str, str] = {}
        numbers: dict[str, int] = {}
        packed = False
        for column, value in row.values.items():
            name, told = columns[column]
            if name in NUMBERS:
                number = _number(value, told, big=big)
                if number:
                    numbers[name] = number
            elif isinstance(value, bytes):
                packed = packed or name in ("System_ItemPathDisplay", "System_ItemUrl")
            else:
                texts[name] = _text(value)
        yield Entry(texts, numbers, row.deleted, packed)


def entries_of_sqlite(database: Database) -> Iterator[Entry]:
    """Yield what a Windows.db says of each item, in the order in which they first come. Raise ``StructureError`` for another database."""
    if not {STORE, NAMES} <= database.tables().keys():
        raise StructureError("it has no table of properties")
    names: dict[object, str] = {}
    for row in database.rows(NAMES, ("Id", "UniqueKey", "Name", "PropertyId")):
        key = next((str(value) for value in row.values[1:] if isinstance(value, str) and value), "")
        if _property(key) in _WANTED and len(names) < _MOST_PROPERTIES:
            names[row.values[0]] = _property(key)
    found: dict[object, Entry] = {}
    for row in database.rows(STORE, ("WorkId", "ColumnId", "Value")):
        item, column, value = row.values
        name = names.get(column)
        if name is None or value is None or not row.live:
            continue
        entry = found.setdefault(item, Entry({}, {}, deleted=False))
        if name in TEXTS:
            text = value.decode("utf-16-le", "replace") if isinstance(value, bytes) and value[1:2] == b"\0" else value
            entry.texts.setdefault(name, _text(text.decode("utf-8", "replace") if isinstance(text, bytes) else text))
        elif isinstance(value, int):
            entry.numbers.setdefault(name, value & 0xFFFF_FFFF_FFFF_FFFF)
        elif isinstance(value, bytes) and 0 < len(value) <= 8:
            entry.numbers.setdefault(name, int.from_bytes(value, "little"))
    yield from found.values()


def _property(name: str) -> str:
    """Return a property's name without the number before it, with ``_`` for ``.``."""
    number, dash, rest = name.partition("-")
    return (rest if dash and number.rstrip("F").isdigit() else name).replace(".", "_")


def _number(value: object, column: Column, *, big: bool) -> int:
    if isinstance(value, bytes):
        return int.from_bytes(value, "big" if big else "little") if len(value) == 8 else 0
    if isinstance(value, int):
        raw = (value & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(8, "little")
        return int.from_bytes(raw, "big" if big and column.kind == _CURRENCY else "little")
    return 0


def _text(value: object) -> str:
    """Return text; of several values they are joined."""
    if isinstance(value, list):
        return "; ".join(_text(one) for one in value[:50])[:_LONGEST]
    return value.rstrip("\0")[:_LONGEST] if isinstance(value, str) else ""
