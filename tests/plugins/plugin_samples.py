"""An item of each built-in plugin's kind, for the rules that all of them keep."""

from __future__ import annotations

import importlib
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from cache_makers import PACKED, PACKED_PAGE, blockfile, cache2, simple
from real_samples import item_of
from test_plugin_bittorrent import TORRENT
from test_plugin_emule import known, tag
from test_plugin_mail import MAIL
from test_plugin_recycle_bin import info2, note
from test_plugin_shortcuts import shortcut

if TYPE_CHECKING:
    from triage.plugin import Item

HERE = Path(__file__).parent
CHROME = "vol1/Users/kim/AppData/Local/Google/Chrome/User Data/Default"


@cache
def history() -> tuple[bytes, bytes]:
    """Return a browser's history and its log."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "History"
        connection = sqlite3.connect(path, isolation_level=None)
        for statement in (
            "PRAGMA journal_mode=WAL",
            "PRAGMA wal_autocheckpoint=0",
            "CREATE TABLE urls (id INTEGER PRIMARY KEY, url, title, last_visit_time)",
            "CREATE TABLE visits (id, url, visit_time, transition)",
            "INSERT INTO urls VALUES (1, 'https://www.google.com/search?q=lost+dog', 't', 13350000000000000)",
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "INSERT INTO visits VALUES (1, 1, 13350000000000000, 1)",
        ):
            connection.execute(statement)
        found = path.read_bytes(), (Path(folder) / "History-wal").read_bytes()
        connection.close()
    return found


@cache
def deleted_rows() -> bytes:
    """Return a history whose addresses were partly deleted."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "History"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in (
                "PRAGMA page_size=512",
                "PRAGMA secure_delete=OFF",
                "CREATE TABLE urls (id INTEGER PRIMARY KEY, url LONGVARCHAR, title LONGVARCHAR, last_visit_time INTEGER)",
                "CREATE TABLE visits (id INTEGER PRIMARY KEY, url INTEGER, visit_time INTEGER, transition INTEGER)",
            ):
                connection.execute(statement)
            for number in range(60):
                url = f"https://example.org/page/{number}"
                connection.execute("INSERT INTO urls VALUES (?, ?, 'a page', 13350000000000000)", [number, url])
            connection.execute("DELETE FROM urls WHERE id % 3 = 0 OR id BETWEEN 20 AND 40")
        return path.read_bytes()


def made() -> list[Item]:
    """Return the items: those below, and ``samples()`` of each plugin's test."""
    from test_plugin_archives import FILES, tar_of, zip_of
    from test_plugin_database_pictures import made as database
    from test_plugin_nsurl_cache import made as nsurl
    from test_plugin_thumbcache import JPEG, cache
    from test_plugin_thumbs_db import thumbs

    with tempfile.TemporaryDirectory() as folder:
        safari = nsurl(Path(folder))
        pictures = database(Path(folder) / "x.db", 512, [200])
    files = blockfile([("https://example.org/page", PACKED, PACKED_PAGE), ("https://example.org/none", {}, b"")])
    main, log = history()
    return [
        item_of(files.pop("data_1"), f"{CHROME}/Cache/Cache_Data/data_1", files),
        item_of(simple("https://example.org/page", PACKED, PACKED_PAGE), "vol1/home/kim/.cache/chromium/Default/Cache/0123456789abcdef_0"),
        item_of(cache2("https://example.org/page", PACKED, PACKED_PAGE), "vol1/x/cache2/entries/0123456789ABCDEF0123456789ABCDEF01234567"),
        item_of(main, f"{CHROME}/History"),
        item_of(deleted_rows(), f"{CHROME}/History"),
        item_of(log, f"{CHROME}/History-wal", {"History": main}),
        item_of(known([[tag(1, "one"), tag(2, 1)]]), "vol1/eMule/config/known.met"),
        item_of(TORRENT, "vol1/x.torrent"),
        item_of(MAIL, "vol1/1.eml"),
        item_of(safari.pop("Cache.db"), "vol1/Library/Caches/com.example.app/Cache.db", safari),
        item_of(pictures, "vol1/x.db"),
        item_of(thumbs(["a.jpg"]), "vol1/Thumbs.db"),
        item_of(cache([JPEG]), "vol1/thumbcache_96.db"),
        item_of(shortcut(), "vol1/a.lnk"),
        item_of(zip_of(FILES), "vol1/x.zip"),
        item_of(tar_of(FILES), "vol1/x.tar"),
        item_of(info2(["C:\\a.jpg"]), "vol1/RECYCLER/INFO2"),
        item_of(note("C:\\a.jpg", 1, 133_500_000_000_000_000), "vol1/$Recycle.Bin/S-1/$I123456.jpg"),
        *(one for path in sorted(HERE.glob("test_plugin_*.py")) for one in getattr(importlib.import_module(path.stem), "samples", list)()),
    ]
