"""Logs beside databases: what stands only there, and what they took away."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from real_samples import findings, item_of, mutants, never_fails, run

if TYPE_CHECKING:
    from pathlib import Path


def history(folder: Path) -> tuple[bytes, bytes]:
    """Return a history and its write-ahead log, in which a visit was added, one changed and one deleted."""
    path = folder / "History"
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "PRAGMA journal_mode=WAL",
        "PRAGMA wal_autocheckpoint=0",
        "CREATE TABLE urls (id INTEGER PRIMARY KEY, url TEXT, title TEXT, visit_count INTEGER, typed_count INTEGER, last_visit_time)",
        "CREATE TABLE visits (id INTEGER PRIMARY KEY, url INTEGER, visit_time INTEGER, transition INTEGER)",
        "INSERT INTO urls VALUES (1, 'http://kept.example/', 'kept', 1, 0, 13000000000000000)",
        "INSERT INTO urls VALUES (2, 'http://gone.example/', 'gone', 1, 0, 13000000000000000)",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "INSERT INTO urls VALUES (3, 'http://new.example/', 'new', 1, 1, 13100000000000000)",
        "DELETE FROM urls WHERE id = 2",
    ):
        connection.execute(statement)
    found = path.read_bytes(), (folder / "History-wal").read_bytes()
    connection.close()
    return found


def test_what_the_log_added_and_took_away_is_said_with_its_state(tmp_path: Path) -> None:
    main, log = history(tmp_path)
    said = findings(run("app_database_logs", item_of(log, "vol1/Users/kim/History-wal", {"History": main})), "history-url")
    assert {(f.data["url"], f.data["state"]) for f in said} == {
        ("http://new.example/", "only in the wal"),
        ("http://gone.example/", "superseded by the wal"),
    }
    assert {f.data["user"] for f in said} == {"kim"}
    alone = findings(run("app_databases", item_of(main, "vol1/Users/kim/History")), "history-url")
    assert {f.data["url"] for f in alone} == {"http://kept.example/", "http://gone.example/"}


def test_a_log_without_its_database_says_nothing(tmp_path: Path) -> None:
    assert run("app_database_logs", item_of(history(tmp_path)[1], "vol1/History-wal")) == []


def test_damaged_logs_never_break_it(tmp_path: Path) -> None:
    main, log = history(tmp_path)
    for data in mutants(log, 60):
        never_fails("app_database_logs", item_of(data, "vol1/History-wal", {"History": main}))
    for data in mutants(main, 40):
        never_fails("app_database_logs", item_of(log, "vol1/History-wal", {"History": data}))
