"""The index of Windows Search, made in the forms of Windows 7, 8 to 10 and 11 (no real one is at hand), and damaged."""

from __future__ import annotations

import sqlite3
import struct
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ese_maker import BINARY, I32, I64, LONG_BINARY, LONG_TEXT, Made, database
from real_samples import bytes_of, children, findings, item_of, mutants, never_fails, problems, run
from test_plugin_index_dat import TIME, TIME_TEXT
from test_plugin_thumbcache import JPEG
from test_plugin_thumbcache import PATH as THUMBNAILS
from test_plugin_thumbcache import cache as thumbnails

if TYPE_CHECKING:
    from triage.plugin import Item

PATH = "vol1/ProgramData/Microsoft/Search/Data/Applications/Windows/Windows.edb"
NEWER = "vol1/ProgramData/Microsoft/Search/Data/Applications/Windows/Windows.db"
CACHE_ID = 1 << 40  # of the first picture that test_plugin_thumbcache makes
SID = "S-1-5-21-1-2-3-1001"
ITEMS: list[dict[str, Any]] = [
    {
        "System_ItemPathDisplay": "C:\\Users\\kim\\notes.txt", "System_ItemUrl": "file:C:/Users/kim/notes.txt", "System_Kind": "document",
        "System_Size": 12, "System_DateModified": TIME, "System_Search_AutoSummary": "Buy milk",
    },
    {
        "System_ItemPathDisplay": "E:\\DCIM\\a.jpg", "System_ItemUrl": "file:E:/DCIM/a.jpg", "System_Kind": "picture", "System_Size": 4711,
        "System_DateModified": TIME, "System_DateCreated": TIME, "System_Search_GatherTime": TIME, "System_ThumbnailCacheId": CACHE_ID,
        "System_ComputerName": "PC-1",
    },
    {
        "System_ItemUrl": f"iehistory://{{{SID}}}/http://www.bing.com/search?q=red+car", "System_Title": "a page",
        "System_DateModified": TIME,
    },
    {
        "System_ItemUrl": f"mapi16://{{{SID}}}/x", "System_Subject": "hello", "System_Message_FromAddress": "lee@example.org",
        "System_Message_ToAddress": "kim@example.org", "System_Message_DateReceived": TIME,
    },
    {
        "System_ItemUrl": f"winrt://{{{SID}}}/a", "System_ActivityHistory_AppId": "app", "System_Activity_DisplayText": "b.docx",
        "System_ActivityHistory_StartTime": TIME,
    },
]  # fmt: skip
TIMES = [name for one in ITEMS for name, value in one.items() if value == TIME]


def edb(items: list[dict[str, Any]] = ITEMS, *, seven: bool = False, gone: frozenset[int] = frozenset(), **form: Any) -> bytes:
    """Return an index of Windows 7 (numbers the highest byte first) or of 8 to 10 (numbers before the names)."""
    names = sorted({name for one in items for name in one})
    columns = [(1, "DocID", I32), (2, "__SDID", BINARY)] if seven else [(1, "WorkID", I32)]
    number = 256
    known = {}
    for name in names:
        isnumber = name in TIMES or name in ("System_Size", "System_ThumbnailCacheId")
        kind = (I64 if seven and name == "System_Size" else LONG_BINARY) if isnumber else LONG_TEXT
        known[name] = (name if seven else f"{number}{'F' if isnumber else ''}-{name}", kind)
        columns.append((number, *known[name]))
        number += 1
    order = ">" if seven else "<"
    rows = []
    for place, one in enumerate(items, 1):
        row: dict[str, Any] = {columns[0][1]: place}
        for name, value in one.items():
            raw = struct.pack(f"{order}Q", value) if isinstance(value, int) else value
            row[known[name][0]] = struct.unpack("<q", raw)[0] if known[name][1] == I64 else raw
        rows.append(row)
    return database([Made("SystemIndex_0A" if seven else "SystemIndex_PropertyStore", columns, rows, gone)], **form)


@cache
def windows_db() -> tuple[bytes, bytes]:
    """Return an index of Windows 11 whose last item stands in the log alone, and the log."""
    names = sorted({name for one in ITEMS for name in one})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Windows.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute(
                "CREATE TABLE SystemIndex_1_PropertyStore_Metadata (Id INTEGER PRIMARY KEY, PropertyId TEXT, UniqueKey TEXT)"
            )
            connection.execute(
                "CREATE TABLE SystemIndex_1_PropertyStore (WorkId INTEGER, ColumnId INTEGER, Value BLOB, PRIMARY KEY (WorkId, ColumnId)) "
                "WITHOUT ROWID"
            )
            listed = [(n, name.replace("_", "."), f"{n}-{name}") for n, name in enumerate(names, 40)]
            connection.executemany("INSERT INTO SystemIndex_1_PropertyStore_Metadata VALUES (?, ?, ?)", listed)
            for work, one in enumerate(ITEMS, 1):
                if work == len(ITEMS):
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                for name, value in one.items():
                    raw = struct.pack("<Q", value) if isinstance(value, int) else value
                    connection.execute("INSERT INTO SystemIndex_1_PropertyStore VALUES (?, ?, ?)", (work, names.index(name) + 40, raw))
            return path.read_bytes(), (Path(folder) / "Windows.db-wal").read_bytes()


def samples() -> list[Item]:
    main, log = windows_db()
    return [item_of(edb(page_size=4096), PATH), item_of(main, NEWER, {"Windows.db-wal": log})]


def forms() -> list[Item]:
    main, log = windows_db()
    return [
        item_of(edb(), PATH),
        item_of(edb(page_size=4096), PATH),
        item_of(edb(seven=True), PATH),
        item_of(main, NEWER, {"Windows.db-wal": log}),
    ]


@pytest.mark.parametrize("form", range(4), ids=["8 to 10", "small pages", "7", "11"])
def test_what_is_known_of_each_item_is_said_the_telling_ones_first(form: int) -> None:
    said = run("windows_search", forms()[form])
    assert not problems(said)
    assert [f.kind for f in findings(said)] == ["thumbnail-name", "visit", "search-term", "mail", "activity", "indexed-file"]
    thumbnail, visit, term, mail, activity, file = (f.data for f in findings(said))
    assert (thumbnail["path"], thumbnail["size"], thumbnail["cache_id"]) == ("E:\\DCIM\\a.jpg", 4711, f"{CACHE_ID:016x}")
    assert [thumbnail[key] for key in ("time", "created", "indexed", "computer")] == [TIME_TEXT] * 3 + ["PC-1"]
    assert (visit["url"], visit["user"], visit["title"]) == ("http://www.bing.com/search?q=red+car", SID, "a page")
    assert (term["term"], term["time"]) == ("red car", TIME_TEXT)
    assert (mail["from"], mail["to"], mail["subject"], mail["time"]) == ("lee@example.org", "kim@example.org", "hello", TIME_TEXT)
    assert (activity["name"], activity["program"], activity["time"]) == ("b.docx", "app", TIME_TEXT)
    assert (file["path"], file["user"], file["text"], file["size"]) == ("C:\\Users\\kim\\notes.txt", "kim", "Buy milk", 12)


def test_a_name_and_its_thumbnail_have_the_same_number() -> None:
    one = item_of(thumbnails([JPEG]), THUMBNAILS)
    (thumbnail,) = children(run("thumbcache", one))
    assert bytes_of(one, thumbnail) == JPEG
    (name,) = findings(run("windows_search", samples()[0]), "thumbnail-name")
    assert thumbnail.findings[0].data["cache_id"] == name.data["cache_id"]


def test_without_its_log_the_newest_items_are_not_seen() -> None:
    said = findings(run("windows_search", item_of(windows_db()[0], NEWER)))
    assert [f.kind for f in said] == ["thumbnail-name", "visit", "search-term", "mail", "indexed-file"]


def test_a_row_that_was_deleted_says_so() -> None:
    said = findings(run("windows_search", item_of(edb(gone=frozenset({1}), page_size=4096), PATH)), "thumbnail-name")
    assert [(f.data["state"], f.title.endswith("(deleted row)")) for f in said] == [("deleted row", True)]


def test_the_index_of_one_user_on_a_server_is_read() -> None:
    path = f"vol1/Users/kim/AppData/Roaming/Microsoft/Search/Data/Applications/{SID}/{SID}.edb"
    (name,) = findings(run("windows_search", item_of(edb(page_size=4096), path)), "thumbnail-name")
    assert name.data["user"] == "kim"


def test_an_index_that_was_not_closed_says_so() -> None:
    said = run("windows_search", item_of(edb(state=2, page_size=4096), PATH))
    assert len(findings(said)) == 6
    assert ["not closed" in p.message for p in problems(said)] == [True]


def test_names_that_windows_vista_packed_are_counted() -> None:
    columns = [(1, "DocID", I32), (2, "__SDID", I32), (256, "System_ItemPathDisplay", LONG_BINARY)]
    rows = [{"DocID": n, "System_ItemPathDisplay": b"\x9a\x01"} for n in range(3)]
    said = run("windows_search", item_of(database([Made("SystemIndex_0A", columns, rows)]), PATH))
    assert [p.message for p in problems(said)] == ["3 items of the index have names packed as Windows Vista did, which are not read"]


@pytest.mark.parametrize(
    "data", [bytes(9000), database([Made("t", [(1, "Id", I32)], [{"Id": 1}])], page_size=4096)], ids=["zeros", "another"]
)
def test_what_is_no_index_says_so(data: bytes) -> None:
    said = run("windows_search", item_of(data, PATH))
    assert (len(findings(said)), len(problems(said))) == (0, 1)


def test_more_items_than_there_is_room_for_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    from triage.plugins import windows_search

    monkeypatch.setattr(windows_search, "_MOST", 3)
    said = list(windows_search._all(item_of(b"x", PATH), lambda: iter(_entries()), _notes()))
    assert len(findings(said)) == 3
    assert "2 items" in problems(said)[0].message


def _entries() -> list[Any]:
    from triage.artifacts.searchindex import Entry

    return [Entry({"System_ItemPathDisplay": f"C:\\{n}.jpg"}, {}, deleted=False) for n in range(5)]


def _notes() -> Any:
    from triage.artifacts.structure import Notes

    return Notes()


def test_damage_never_breaks_it() -> None:
    whole, (main, log) = edb(page_size=4096), windows_db()
    for data in mutants(whole[8192:], 150):
        never_fails("windows_search", item_of(whole[:8192] + data, PATH))
    for data in mutants(main, 60):
        never_fails("windows_search", item_of(data.ljust(4096, b"\0"), NEWER, {"Windows.db-wal": log}))
