"""Databases of programs, made as their programs make them: what the tests of the stores and the fuzz target share."""

from __future__ import annotations

import sqlite3
import struct
import sys
import zipfile
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from real_samples import ARTIFACTS, mutants, needs_samples  # noqa: F401 - the tests beside take them from here

from triage.artifacts.sqlite import open_database
from triage.artifacts.stores import read_stores

if TYPE_CHECKING:
    from triage.artifacts.stores.tables import Trace


Rows = list[dict[str, Any]]


def database(**tables: Rows) -> bytes:
    """Return a database with these tables: columns are those of all rows, values may have any type."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for name, rows in tables.items():
            columns = list(dict.fromkeys(column for row in rows for column in row))
            connection.execute(f'CREATE TABLE "{name}" ({", ".join(columns)})')
            for row in rows:
                connection.execute(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(columns))})', [row.get(c) for c in columns])
        connection.commit()
        return connection.serialize()


def said(data: bytes, store: str = "", wal: bytes | None = None) -> list[Trace]:
    """Return what a store says of a database, or what all do."""
    with open_database(data, wal) as opened:
        return [trace for one, trace in read_stores(opened) if store in ("", one.name)]


def of_kind(traces: list[Trace], kind: str) -> list[dict[str, Any]]:
    return [trace.data for trace in traces if trace.kind == kind]


def count(data: bytes, query: str) -> int:
    """Return the one number that SQLite itself answers."""
    with closing(sqlite3.connect(":memory:")) as connection:
        # In memory there is no log: the header says "rollback journal" instead.
        connection.deserialize(data[:18] + b"\x01\x01" + data[20:])
        return connection.execute(query).fetchone()[0]


@cache
def sample(name: str) -> bytes:
    return (ARTIFACTS / name).read_bytes()


@cache
def unzipped(name: str, ending: str) -> bytes:
    """Return the first file of a real sample's ZIP that ends so."""
    with zipfile.ZipFile(ARTIFACTS / name) as archive:
        return archive.read(next(n for n in archive.namelist() if n.endswith(ending)))


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def field(number: int, value: int | bytes) -> bytes:
    """Return a field of a protobuf message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def nested(text: str, *path: int) -> bytes:
    value = text.encode()
    for number in reversed(path):
        value = field(number, value)
    return value


def tl_string(text: str) -> bytes:
    raw = text.encode()
    head = bytes([len(raw)]) if len(raw) < 254 else b"\xfe" + len(raw).to_bytes(3, "little")
    return head + raw + bytes(-(len(head) + len(raw)) % 4)


def tl_message(text: str, date: int, author: int = 7, *, forwarded: int = 0) -> bytes:
    """Return a message of Telegram for Android as layer 158 has it: flags, number, author, conversation, perhaps a forward, date, text."""
    head = struct.pack("<IIi", 0x38116EE0, 0x100 | (4 if forwarded else 0), 12) + struct.pack("<IqIq", 0x59511722, author, 0x59511722, 99)
    forward = struct.pack("<IIi", 0x5F777DCE, 0, forwarded) if forwarded else b""
    return head + forward + struct.pack("<i", date) + tl_string(text)


def postbox_message(text: str, author: int | None, *, incoming: bool, forwarded: int = 0) -> bytes:
    """Return a message of Telegram for iOS, with two of the optional fields before the flags."""
    head = struct.pack("<bIIBqI", 0, 1, 2, 0b0011, 5, 6) + struct.pack("<II", 4 if incoming else 0, 0)
    forward = struct.pack("<bqii", 32, 77, forwarded, 1) if forwarded else b"\0"
    who = struct.pack("<bq", 1, author) if author is not None else b"\0"
    return head + forward + who + struct.pack("<i", len(text.encode())) + text.encode() + struct.pack("<iii", 0, 0, 0)


def postbox_key(peer: int, time: int, number: int) -> bytes:
    return struct.pack(">qiii", peer, 0, time, number)


def postbox_text(key: str, text: str) -> bytes:
    return bytes([len(key)]) + key.encode() + b"\x04" + struct.pack("<i", len(text.encode())) + text.encode()


NOW = 1_700_000_000
"""2023-11-14T22:13:20Z."""
COCOA = NOW - 978_307_200


def telegram() -> bytes:
    return database(
        users=[{"uid": 7, "name": "ann example;;;annie", "status": NOW}, {"uid": 8, "name": "bob", "status": -1}],
        chats=[{"uid": 55, "name": "club"}],
        user_contacts_v7=[{"key": "k", "uid": 7, "fname": "Ann", "sname": "Example"}],
        user_phones_v7=[{"key": "k", "phone": "+4912345"}],
        messages_v2=[
            {"mid": 1, "uid": 7, "date": NOW, "data": tl_message("hello there", NOW), "out": 0, "media": 0, "ttl": 0},
            {"mid": 2, "uid": 7, "date": NOW + 1, "data": tl_message("ä" * 200, NOW + 1), "out": 1, "media": 0, "ttl": 0},
            {"mid": 3, "uid": -55, "date": NOW, "data": tl_message("passed on", NOW, 8, forwarded=NOW), "out": 0, "media": 1, "ttl": 5},
            {
                "mid": 4,
                "uid": 7,
                "date": NOW,
                "data": struct.pack("<IIiiI", 0x2B085862, 0, 4, NOW, 0xB5A1CE5A),
                "out": 0,
                "media": 0,
                "ttl": 0,
            },
        ],
    )


def telegram_ios() -> bytes:
    return database(
        t2=[
            {"key": 7, "value": postbox_text("fn", "Ann") + postbox_text("ln", "Example") + postbox_text("un", "annie")},
            {"key": 55, "value": postbox_text("t", "club")},
        ],
        t7=[
            {"key": postbox_key(7, NOW, 1), "value": postbox_message("hello", 7, incoming=True)},
            {"key": postbox_key(55, NOW + 1, 2), "value": postbox_message("answer", None, incoming=False, forwarded=NOW - 9)},
            {"key": b"index", "value": b"\x01"},
        ],
    )


def snapchat() -> bytes:
    person, chat = bytes(range(16)), "0f0e0d0c-0b0a-0908-0706-050403020100"
    return database(
        conversation_message=[
            {"client_conversation_id": chat, "client_message_id": 1, "message_content": nested("meet at 5", 4, 4, 2, 1),
             "sender_id": person, "content_type": 1, "creation_timestamp": NOW * 1000, "read_timestamp": NOW * 1000 + 1, "is_saved": 1},
            {"client_conversation_id": chat, "client_message_id": 2, "message_content": nested("key", 4, 4, 2, 1), "sender_id": "abc",
             "content_type": 2, "creation_timestamp": NOW * 1000},
        ],
    )  # fmt: skip


def places() -> bytes:
    spot = {"zlatitude": 48.5, "zlongitude": 9.25, "zhorizontalaccuracy": 5.0, "zspeed": 1.0}
    return database(
        zrtcllocationmo=[{"ztimestamp": COCOA, **spot}, {"ztimestamp": COCOA, "zlatitude": -180.0, "zlongitude": -180.0}],
        zrtvehicleeventmo=[{"zdate": COCOA, "zloclatitude": 1.5, "zloclongitude": -2.5}],
        zrtlearnedlocationofinterestmo=[{"z_pk": 1, "zcreationdate": COCOA, "zlocationlatitude": 1.0, "zlocationlongitude": 2.0}],
        zrtlearnedlocationofinterestvisitmo=[{"zlocationofinterest": 1, "zentrydate": COCOA, "zexitdate": COCOA + 60}],
        destination_history=[
            {"time": NOW * 1000, "source_lat": 0, "source_lng": 0, "dest_lat": 48_500_000, "dest_lng": 9_250_000,
             "dest_title": "Home", "dest_address": "A 1"}
        ],
        zobject=[
            {"zstreamname": "/app/inFocus", "zvaluestring": "com.example.app", "zstartdate": COCOA, "zenddate": COCOA + 90},
            {"zstreamname": "/app/install", "zvaluestring": "com.example.new", "zstartdate": COCOA, "zenddate": COCOA},
            {"zstreamname": "/device/isLocked", "zvalueinteger": 1, "zstartdate": COCOA, "zenddate": COCOA + 5},
        ],
    )  # fmt: skip


def clouds() -> bytes:
    return database(
        od_clientfolder_records=[
            {"resourceid": "a", "parentresourceid": "b", "foldername": "2023"},
            {"resourceid": "b", "parentresourceid": "a", "foldername": "Pictures"},
        ],
        od_clientfile_records=[
            {"resourceid": "f", "parentresourceid": "a", "filename": "x.jpg", "size": 5, "lastchange": NOW, "localhashdigest": bytes(20)},
            {"resourceid": "g", "parentresourceid": "?", "filename": "y.jpg", "size": 6, "lastchange": NOW, "localhashdigest": "AB" * 20},
        ],
        items_moved_to_recycle_bin=[{"itemname": "gone.jpg", "notificationtime": NOW}],
        filter_delete_info=[{"path": "\\a\\b.txt", "notificationtime": NOW, "process": "explorer.exe"}],
        mirror_item=[
            {"local_stable_id": 1, "parent_local_stable_id": None, "local_filename": "root", "cloud_filename": "root"},
            {"local_stable_id": 2, "parent_local_stable_id": 1, "local_filename": "a.png", "cloud_filename": "a.png", "local_size": 4,
             "local_md5_checksum": "0" * 32, "cloud_md5_checksum": "1" * 32, "local_mtime_ms": NOW * 1000},
        ],
        nodes=[
            {"nodehandle": 1, "parenthandle": None, "name": "Cloud", "type": 2, "node": b"x", "ctime": NOW},
            {"nodehandle": 2, "parenthandle": 1, "name": "m.zip", "type": 0, "node": b"x", "ctime": NOW, "size": 9},
            {"nodehandle": 3, "parenthandle": 1, "name": None, "type": 0, "node": b"x"},
        ],
    )  # fmt: skip
