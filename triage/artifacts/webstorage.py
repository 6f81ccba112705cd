"""What web pages kept in Chromium's Local Storage, Session Storage and IndexedDB, record by record.

Keys: Chromium (BSD), ``components/services/storage/dom_storage`` (``local_storage_impl.cc``, ``session_storage_metadata.cc``) and
``content/browser/indexed_db/docs/leveldb_coding_scheme.md``. Each record is told, also those that a later one of the same file replaced.
"""

from __future__ import annotations

import json
import re
import struct
from typing import TYPE_CHECKING, Any

from triage.artifacts import times, web
from triage.artifacts.browsing import fact, short
from triage.artifacts.leveldb import varint
from triage.artifacts.v8values import read_value
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from triage.artifacts.browsing import Fact
    from triage.artifacts.leveldb import Record
    from triage.artifacts.structure import Notes

_LONGEST_KEY, _LONGEST = 1000, 4000
_FOLDER = re.compile(r"([a-z-]{2,30})_(.{0,300}?)_(\d{1,5})(?:@\d{1,3})?\.indexeddb\.leveldb", re.IGNORECASE)
_NAMESPACE = re.compile(rb"namespace-([0-9a-f_-]{36})-(.{1,4096})", re.DOTALL | re.IGNORECASE)
_MAP = re.compile(rb"map-(\d{1,19})-(.{0,65536})", re.DOTALL)

Told = tuple["Fact", "Record"]


def reader_of(path: str) -> Callable[[Sequence[Record], Notes], Iterator[Told]] | None:
    """Return what reads the records of a file by its folders, ``None`` for those of another store."""
    lowered = path.lower()
    if "/local storage/" in lowered:
        return local_storage
    if "/session storage/" in lowered:
        return session_storage
    if ".indexeddb.leveldb/" in lowered:
        origin = origin_of(path.split("/")[-2])
        return lambda records, notes: indexed_db(records, notes, origin)
    return None


def origin_of(folder: str) -> str:
    """Return the origin that the name of a folder of IndexedDB says: ``https_example.org_0.indexeddb.leveldb``; "" if it is none."""
    match = _FOLDER.fullmatch(folder)
    if match is None:
        return ""
    scheme, host, port = match.groups()
    return f"{scheme}://{host}" + (f":{port}" if int(port) else "")


def local_storage(records: Sequence[Record], notes: Notes) -> Iterator[Told]:
    """Yield what Local Storage holds: ``_origin``, a zero, the key; ``META:origin`` says when it was changed."""
    last = _last(records)
    for one in records:
        if one.key.startswith(b"_"):
            of, zero, key = one.key[1:].partition(b"\0")
            if zero:
                yield _told(one, last, "local storage", of.decode("utf-8", "replace"), _marked(key), _marked(one.value)), one
        elif one.key.startswith(b"META:") and not one.deleted and one.value[:1] == b"\x08":
            moment, at = varint(one.value, 1)
            size = varint(one.value, at + 1)[0] if one.value[at : at + 1] == b"\x10" else None
            origin = one.key[5:].decode("utf-8", "replace").partition("^")[0]
            when = times.webkit(moment)
            yield (
                fact(
                    "web-storage",
                    f"{short(origin)} changed what it keeps",
                    when,
                    url=web.shown_url(origin),
                    store="local storage",
                    size=size,
                ),
                one,
            )
        elif one.key != b"VERSION" and not one.key.startswith((b"META:", b"METAACCESS:")):
            notes.add("a record of Local Storage has a key of another form")


def session_storage(records: Sequence[Record], notes: Notes) -> Iterator[Told]:
    """Yield what Session Storage holds: ``map-number-key``; which page a map is of says ``namespace-…-page``."""
    pages: dict[bytes, str] = {}
    for one in records:
        if (match := _NAMESPACE.fullmatch(one.key)) and one.value:
            pages.setdefault(one.value, match[2].decode("utf-8", "replace").partition("^")[0])
    last = _last(records)
    for one in records:
        if match := _MAP.fullmatch(one.key):
            value = one.value.decode("utf-16-le", "replace")
            yield _told(one, last, "session storage", pages.get(match[1], ""), match[2].decode("utf-8", "replace"), value), one
        elif (match := _NAMESPACE.fullmatch(one.key)) and not one.deleted:
            url = web.shown_url(match[2].decode("utf-8", "replace").partition("^")[0])
            yield fact("web-storage", f"{short(url)} was open in a tab", None, url=url, store="session storage", sequence=one.sequence), one
        elif not one.key.startswith((b"version", b"next-map-id", b"namespace-")):
            notes.add("a record of Session Storage has a key of another form")


def indexed_db(records: Sequence[Record], notes: Notes, origin: str) -> Iterator[Told]:
    """Yield the objects of IndexedDB; databases and stores are named when the file itself names them."""
    databases: dict[int, str] = {}
    stores: dict[tuple[int, int], str] = {}
    placed: list[tuple[Record, int, int, bytes]] = []
    for one in records:
        prefix = _prefix(one.key)
        if prefix is None:
            notes.add("a record of IndexedDB has a key of another form")
            continue
        database, store, index, rest = prefix
        if (database, store, index) == (0, 0, 0) and rest[:1] == b"\xc9" and not one.deleted:
            _, at = _wide(rest, 1)
            name, _ = _wide(rest, at)
            number, _ = varint(one.value, 0)
            if number is not None and name:
                databases[number] = name
        elif database and (store, index) == (0, 0) and rest[:1] == b"2" and rest.endswith(b"\0") and not one.deleted:
            number, at = varint(rest, 1)
            if number is not None and at == len(rest) - 1:
                stores[database, number] = one.value.decode("utf-16-be", "replace")
        elif database and store and index == 1:
            placed.append((one, database, store, rest))
    last = _last(records)
    for one, database, store, rest in placed:
        key, _ = _key(rest, 0, 0)
        value = ""
        if not one.deleted:
            _, at = varint(one.value, 0)
            found, why = read_value(one.value[at:])
            value = json.dumps(found, ensure_ascii=False) if found is not None else ""
            if why:
                notes.add(f"of an object of IndexedDB not all is told: {why}")
        names = {
            "database": databases.get(database, f"number {database}"),
            "object_store": stores.get((database, store), f"number {store}"),
        }
        yield (
            _told(one, last, "IndexedDB", origin, key if isinstance(key, str) else json.dumps(key, ensure_ascii=False), value, **names),
            one,
        )


def _told(one: Record, last: dict[bytes, int], store: str, origin: str, key: str, value: str, **more: Any) -> Fact:
    origin, _, partition = origin.partition("^")
    what = "took out" if one.deleted else "keeps"
    return fact(
        "web-storage",
        f"{short(origin) or 'a page'} {what} {show(key[:100])}" + (f": {show(value[:150])}" if value else ""),
        None,
        url=web.shown_url(origin),
        store=store,
        key=key[:_LONGEST_KEY],
        value=value[:_LONGEST],
        size=len(one.value) or None,
        sequence=one.sequence,
        removed=one.deleted or None,
        replaced=last[one.key] > one.sequence or None,
        within=partition[:_LONGEST_KEY],
        **more,
    )


def _last(records: Sequence[Record]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for one in records:
        found[one.key] = max(found.get(one.key, 0), one.sequence)
    return found


def _marked(raw: bytes) -> str:
    """Return a text that begins with how it is kept: 0 in UTF-16, 1 in Latin-1."""
    if raw[:1] == b"\0":
        return raw[1:].decode("utf-16-le", "replace")
    return raw[1:].decode("latin-1") if raw[:1] == b"\x01" else raw.decode("utf-8", "replace")


def _prefix(key: bytes) -> tuple[int, int, int, bytes] | None:
    """Return database, store, index and what is behind them: a byte says how many bytes each number has."""
    if not key:
        return None
    widths = ((key[0] >> 5) + 1, (key[0] >> 2 & 7) + 1, (key[0] & 3) + 1)
    if 1 + sum(widths) > len(key):
        return None
    at, found = 1, []
    for width in widths:
        found.append(int.from_bytes(key[at : at + width], "little"))
        at += width
    return found[0], found[1], found[2], key[at:]


def _wide(raw: bytes, at: int) -> tuple[str, int]:
    """Return a text in UTF-16 (high byte first) with its length before it, and the place behind it."""
    count, at = varint(raw, at)
    if count is None or at + 2 * count > len(raw):
        return "", len(raw)
    return raw[at : at + 2 * count].decode("utf-16-be", "replace"), at + 2 * count


def _key(raw: bytes, at: int, depth: int) -> tuple[Any, int]:
    """Return a key of IndexedDB and the place behind it: text, number, time, bytes (in hexadecimal) or a list of those."""
    kind = raw[at] if at < len(raw) else 0
    at += 1
    if kind == 1:
        return _wide(raw, at)
    if kind in (2, 3) and at + 8 <= len(raw):
        number = float(struct.unpack_from("<d", raw, at)[0])
        if kind == 2:
            return times.iso(times.unix_ms(number)), at + 8
        return int(number) if number.is_integer() else str(number), at + 8
    if kind == 4 and depth < 10:
        count, at = varint(raw, at)
        found = []
        for _ in range(min(count or 0, 100, len(raw))):
            one, at = _key(raw, at, depth + 1)
            found.append(one)
        return found, at
    if kind == 6:
        count, at = varint(raw, at)
        end = min(len(raw), at + (count or 0))
        return raw[at:end].hex(), end
    return None, len(raw)
