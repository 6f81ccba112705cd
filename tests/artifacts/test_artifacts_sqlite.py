"""Databases from evidence: read from memory in both states, whatever their schema wants; the evidence stays as it was."""

from __future__ import annotations

import hashlib
import random
import shutil
import sqlite3
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.artifacts import sqlite
from triage.artifacts.sqlite import Row, open_database
from triage.artifacts.sqlitelog import Checksums, apply_journal, apply_wal, plain_checksum
from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


COUNTING = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {})"


def made(path: Path, *statements: str, page: int = 4096) -> bytes:
    """A database file out of SQL."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA page_size={page}")
    for statement in statements:
        connection.execute(statement)
    connection.close()
    return path.read_bytes()


def with_schema(path: Path, rows: Sequence[tuple[str, str, str, int, str]], *statements: str) -> bytes:
    """A database whose schema was written by hand, as an attacker does."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.execute("PRAGMA writable_schema=ON")
    for row in rows:
        connection.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", row)
    connection.close()
    return path.read_bytes()


def values(data: bytes, table: str, *columns: str, wal: bytes | None = None) -> list[tuple[object, ...]]:
    with open_database(data, wal) as database:
        return [row.values for row in database.rows(table, columns or None)]


@pytest.fixture
def logged(tmp_path: Path) -> tuple[bytes, bytes]:
    """A database and its write-ahead log: a row added, one changed, one deleted, a table made."""
    path = tmp_path / "logged.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT, data BLOB)")
    connection.execute("INSERT INTO t VALUES (1, 'same', x'01'), (2, 'old', NULL), (3, 'gone', NULL)")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("INSERT INTO t VALUES (4, 'only in the log', x'ff')")
    connection.execute("UPDATE t SET word = 'new' WHERE id = 2")
    connection.execute("DELETE FROM t WHERE id = 3")
    connection.execute("CREATE TABLE late (x)")
    connection.execute("INSERT INTO late VALUES (5)")
    pair = path.read_bytes(), path.with_name("logged.db-wal").read_bytes()
    connection.close()
    return pair


def test_rows_say_whether_they_stand_in_the_file_or_in_its_log(logged: tuple[bytes, bytes]) -> None:
    with open_database(*logged) as database:
        assert database.sources == ("main", "wal")
        assert list(database.rows("t")) == [
            Row(1, (1, "same", b"\1"), "main"),
            Row(2, (2, "new", None), "wal"),
            Row(4, (4, "only in the log", b"\xff"), "wal"),
            Row(2, (2, "old", None), "main", live=False),
            Row(3, (3, "gone", None), "main", live=False),
        ]
        assert list(database.rows("late")) == [Row(1, (5,), "wal")]
        assert database.tables() == {"t": ("id", "word", "data"), "late": ("x",)}
        assert not database.notes
    with open_database(logged[0]) as database:
        assert [row.values[1] for row in database.rows("t")] == ["same", "old", "gone"]


def test_what_sqlite_itself_reads_with_the_log_is_what_we_read(tmp_path: Path, logged: tuple[bytes, bytes]) -> None:
    for cut in (len(logged[1]), len(logged[1]) - 100, 32 + 2 * (24 + 4096), 32 + 4096, 40):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "x.db").write_bytes(logged[0])
        (folder / "x.db-wal").write_bytes(logged[1][:cut])
        with open_database(logged[0], logged[1][:cut]) as database:
            ours = {name: [row.values for row in database.rows(name) if row.live] for name in database.tables()}
        connection = sqlite3.connect(folder / "x.db")
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        theirs = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}
        connection.close()
        assert {name: rows for name, rows in ours.items() if name in theirs} == theirs


def test_uncommitted_left_over_and_damaged_frames_are_counted(logged: tuple[bytes, bytes]) -> None:
    main, wal = logged
    frame = 24 + 4096
    total = (len(wal) - 32) // frame
    unfinished = next(n for n in range(total) if not any(wal[32 + n * frame + 4 : 32 + n * frame + 8]))

    def other(at: int, by: int = 0xFF) -> bytes:
        return wal[:at] + bytes([wal[at] ^ by]) + wal[at + 1 :]

    for change, sentence in [
        (wal[: 32 + (unfinished + 1) * frame], "belongs to no finished transaction and was not used"),
        (other(32 + 24 + 10), f"behind a damaged one, and was not used ({total} times)"),
        (other(40), "is left over from before and was not used"),
        (wal + wal[32 : 32 + frame], "behind a damaged one"),
        (wal[:-5], "ends inside a frame"),
        (b"x" * 100, "no header that is known"),
        (other(10, 0x30), "another page size"),
        (other(20), "wrong checksum: none of it"),
    ]:
        notes = Notes()
        apply_wal(main, change, 1 << 30, notes)
        assert any(sentence in line for line in notes.lines()), (sentence, notes.lines())


@pytest.mark.parametrize("page", [512, 1024, 65536])
@pytest.mark.parametrize("little", [True, False])
def test_checksums_by_weights_are_those_of_the_specification(page: int, little: bool) -> None:
    data = random.Random(page).randbytes(24 + page)
    for start in ((0, 0), (0xFFFFFFFF, 0x12345678)):
        assert Checksums(page, little=little).of(start, data, 0) == plain_checksum(start, data[:8] + data[24:], little=little)


def test_a_database_that_is_all_in_its_log_is_read(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE t (a)")
    connection.execute("INSERT INTO t VALUES (1)")
    wal = (tmp_path / "x.db-wal").read_bytes()
    main = (tmp_path / "x.db").read_bytes()
    connection.close()
    for file in (main, b""):
        with open_database(file, wal) as database:
            assert list(database.rows("t")) == [Row(1, (1,), "wal")]


def test_an_unfinished_transaction_is_taken_back_and_both_states_are_there(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    made(path, "CREATE TABLE t (a)", "INSERT INTO t VALUES ('before')")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA cache_size=1")
    connection.execute("PRAGMA cache_spill=1")
    connection.execute("BEGIN")
    connection.execute("UPDATE t SET a = 'after'")
    connection.execute(f"CREATE TABLE big AS {COUNTING.format(3000)} SELECT i, hex(randomblob(50)) h FROM n")
    main, journal = path.read_bytes(), (tmp_path / "x.db-journal").read_bytes()
    connection.execute("ROLLBACK")
    connection.close()
    with open_database(main, None, journal) as database:
        assert database.sources == ("main", "journal")
        assert "the last transaction was not finished" in database.notes.lines()[0]
        rows = list(database.rows("t"))
    assert [row for row in rows if row.live] == [Row(1, ("before",), rows[0].source)]
    shutil.rmtree(tmp_path)
    zeroed = bytes(28) + journal[28:]
    with open_database(made_again := apply_journal(main, journal, 1 << 30, Notes()) or b"", None, zeroed) as database:
        assert database.notes.lines() == ("a rollback journal of a finished transaction was not used",)
    assert len(made_again) < len(main) or made_again != main


def test_a_record_of_a_journal_that_was_changed_is_not_used(tmp_path: Path) -> None:
    page = made(tmp_path / "x.db", "CREATE TABLE t (a)", page=512)[:512]
    nonce = 12345
    total = (nonce + sum(page[312:0:-200])) & 0xFFFFFFFF
    record = struct.pack(">I", 1) + page + struct.pack(">I", total)
    header = struct.pack(">8sIIIII", bytes.fromhex("d9d505f920a163d7"), 1, nonce, 2, 512, 512).ljust(512, b"\0")
    assert apply_journal(page * 2, header + record, 1 << 20, Notes()) is not None
    notes = Notes()
    assert apply_journal(page * 2, header + record[:-1] + b"\xee", 1 << 20, notes) is None
    assert "wrong checksum" in notes.lines()[0]


# -- schemas that want more than to be read ---------------------------------------------------------------------------------------


def test_views_triggers_virtual_tables_and_lying_types_are_not_touched(tmp_path: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS a FROM n"
    data = with_schema(
        tmp_path / "x.db",
        [("table", "lie", "lie", 2, f"CREATE VIEW lie AS {endless}"), ("table", "t2", "t2", 0, "CREATE VIRTUAL TABLE t2 USING fts5(x)")],
        "CREATE TABLE t (a)",
        "INSERT INTO t VALUES (1)",
        f"CREATE VIEW v AS {endless}",
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; END",
    )
    with open_database(data) as database:
        assert list(database.tables()) == ["t"]
        assert [row.values for row in database.rows("t")] == [(1,)]
        assert list(database.rows("v")) == []
        assert list(database.rows("lie", ["a"])) == []
        assert any("virtual table" in line for line in database.notes.lines())


def test_columns_that_would_be_computed_are_not_read(tmp_path: Path) -> None:
    data = made(
        tmp_path / "x.db",
        "CREATE TABLE t (a, big AS (hex(zeroblob(40000000))) VIRTUAL, kept AS (a * 2) STORED)",
        "INSERT INTO t (a) VALUES (21)",
    )
    with open_database(data) as database:
        assert database.tables() == {"t": ("a", "kept")}
        assert [row.values for row in database.rows("t")] == [(21, 42)]
        assert [row.values for row in database.rows("t", ["a", "big"])] == [(21, None)]
        assert "would be computed" in database.notes.lines()[0]


def test_the_rules_hold_against_our_own_connection(tmp_path: Path) -> None:
    """Were one of our queries to reach further one day, SQLite would refuse it."""
    data = made(tmp_path / "x.db", "CREATE TABLE t (a)", "CREATE TABLE other (a)", "CREATE VIEW v AS SELECT a FROM t")
    with open_database(data) as database:
        list(database.rows("t"))
        connection = database._states[0]._connection
        for statement in [
            "SELECT * FROM other",
            "SELECT * FROM v",
            "SELECT load_extension('x')",
            "SELECT hex(a) FROM t",
            "PRAGMA user_version",
            "ATTACH ':memory:' AS x",
            "INSERT INTO t VALUES (1)",
            "CREATE TABLE n (a)",
            "PRAGMA trusted_schema=ON",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
            "SELECT * FROM pragma_table_list",
        ]:
            with pytest.raises(sqlite3.DatabaseError):
                connection.execute(statement).fetchall()


def test_nothing_is_written_and_the_evidence_stays_as_it_was(tmp_path: Path, logged: tuple[bytes, bytes]) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    for name, data in zip(("x.db", "x.db-wal"), logged, strict=True):
        (folder / name).write_bytes(data)
    before = {p.name: (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns) for p in folder.iterdir()}
    with open_database((folder / "x.db").read_bytes(), (folder / "x.db-wal").read_bytes()) as database:
        assert len(list(database.rows("t"))) == 5
    assert {p.name: (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns) for p in folder.iterdir()} == before


def test_text_that_is_not_utf8_is_shown_and_counted(tmp_path: Path) -> None:
    data = made(tmp_path / "x.db", "CREATE TABLE t (a TEXT)", "INSERT INTO t VALUES (CAST(x'61ff62' AS TEXT)), ('fine'), (x'ff')")
    with open_database(data) as database:
        assert [row.values[0] for row in database.rows("t")] == ["a\\xffb", "fine", b"\xff"]
        assert database.notes.lines() == ("a text of a database is not UTF-8: its bytes are shown as \\xNN",)


def test_a_damaged_part_of_the_schema_costs_only_itself(tmp_path: Path) -> None:
    bad = ("table", "bad", "bad", 3, "CREATE TABLE bad (((")
    data = with_schema(tmp_path / "x.db", [bad], "CREATE TABLE t (a)", "INSERT INTO t VALUES (7)")
    with open_database(data) as database:
        assert [row.values for row in database.rows("t")] == [(7,)]
        assert "passed over" in database.notes.lines()[0]


def test_names_that_are_not_text_cost_only_themselves(tmp_path: Path) -> None:
    """Asked for by a name that only looks like it, a column would give that name as its value."""
    data = made(
        tmp_path / "x.db", "CREATE TABLE t (good, col_x)", "INSERT INTO t VALUES (1, 2)", "CREATE TABLE tab_x (a)", "CREATE TABLE u (b)"
    )
    with open_database(data.replace(b"col_x", b"col_\xff")) as database:
        assert database.tables() == {"t": ("good",), "tab_x": ("a",), "u": ("b",)}
        assert list(database.rows("t")) == [Row(1, (1,))]
        assert "not UTF-8" in database.notes.lines()[0]
    with open_database(data.replace(b"tab_x", b"tab_\xff")) as database:
        assert database.tables() == {"t": ("good", "col_x"), "u": ("b",)}


def test_an_error_that_quotes_bytes_of_the_evidence_is_an_error(tmp_path: Path) -> None:
    """Python decodes SQLite's message, and fails at ``malformed database schema (…)`` before there is an error of SQLite's."""
    data = made(tmp_path / "x.db", "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)", "CREATE TABLE tab_x (aaaa)")
    with open_database(data.replace(b"CREATE TABLE tab_x (", b"CREATE TABLE tab_\xff )").replace(b"tab_x", b"tab_\xff")) as database:
        assert list(database.rows("t")) == [Row(1, (1,))]
        assert "passed over" in database.notes.lines()[0]


def test_rows_behind_a_damaged_page_are_read_from_the_end(tmp_path: Path) -> None:
    data = bytearray(
        made(
            tmp_path / "x.db",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a)",
            "INSERT INTO t WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000) SELECT i, hex(zeroblob(100)) FROM n",
            page=1024,
        )
    )
    at = next(start for start in range(150 * 1024, len(data), 1024) if data[start] == 13)
    data[at] = 0xEE
    with open_database(bytes(data)) as database:
        rows = [row.rowid for row in database.rows("t")]
        lines = database.notes.lines()
    assert len(rows) > 1980
    assert len(set(rows)) == len(rows)
    assert 1 in rows
    assert 2000 in rows
    assert "cannot be read to its end (SQLITE_CORRUPT)" in lines[0]
    assert "read from the table's end" in lines[1]
    assert database.notes.lines()


def test_the_freelist_of_a_damaged_database_does_no_harm(tmp_path: Path) -> None:
    data = bytearray(made(tmp_path / "x.db", "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)", "CREATE TABLE u (a)", "DROP TABLE u"))
    data[32:40] = struct.pack(">II", 0x7FFFFFFF, 0xFFFFFFFF)
    with open_database(bytes(data)) as database:
        assert [row.values for row in database.rows("t")] == [(1,)]
        assert database.check()


def test_pages_that_lead_in_circles_end_in_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pointer of an interior page leads to one leaf: a file of 100 KiB that claims millions of rows."""
    data = bytearray(
        made(
            tmp_path / "x.db",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a)",
            "INSERT INTO t WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 4000) SELECT i, hex(zeroblob(8)) FROM n",
            page=512,
        )
    )
    for page in range(1, len(data) // 512):
        at = page * 512
        if data[at] == 5:
            cells = struct.unpack_from(">H", data, at + 3)[0]
            for cell in range(cells):
                place = at + struct.unpack_from(">H", data, at + 12 + 2 * cell)[0]
                struct.pack_into(">I", data, place, struct.unpack_from(">I", data, at + 8)[0])
    monkeypatch.setattr(sqlite, "MAX_ROWS", 20_000)
    with open_database(bytes(data)) as database:
        rows = sum(1 for _ in database.rows("t"))
        assert rows <= 20_001
        assert rows != 4000


def test_work_is_bounded_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = made(
        tmp_path / "x.db",
        "CREATE TABLE t (a)",
        "INSERT INTO t WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 50000) SELECT i FROM n",
    )
    monkeypatch.setattr(sqlite, "MAX_STEPS", 50_000)
    with open_database(data) as database:
        once = [row.rowid for row in database.rows("t")]
        lines = database.notes.lines()
    assert 1000 < len(once) < 50_000
    assert lines[0] == "a table of a database cannot be read to its end (SQLITE_INTERRUPT)"


def test_rows_without_rowid_and_columns_of_that_name(tmp_path: Path) -> None:
    data = made(
        tmp_path / "x.db",
        "CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID",
        "INSERT INTO w VALUES ('k', 1)",
        "CREATE TABLE r (rowid TEXT, _rowid_, oid)",
        "INSERT INTO r VALUES ('x', 2, 3)",
        'CREATE TABLE "odd "" name" (a)',
        'INSERT INTO "odd "" name" VALUES (9)',
    )
    with open_database(data) as database:
        assert list(database.rows("w")) == [Row(None, ("k", 1))]
        assert list(database.rows("r")) == [Row(None, ("x", 2, 3))]
        assert list(database.rows('odd " name', ["missing", "a"])) == [Row(1, (None, 9))]
        assert list(database.rows("no such table")) == []


def test_what_is_no_database_is_refused() -> None:
    for data in (b"", b"words", random.Random(1).randbytes(8192), sqlite.MAGIC + bytes(4000), b"SQLite format 3\0" + b"\x10\0" + bytes(82)):
        with pytest.raises(StructureError):
            open_database(data)


def test_a_database_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "MAX_BYTES", 5000)
    with pytest.raises(StructureError, match="more than 5,000 bytes"):
        open_database(bytes(4096), bytes(4096))


def test_a_database_cut_short_says_so(tmp_path: Path) -> None:
    data = made(tmp_path / "x.db", "CREATE TABLE t (a)", "INSERT INTO t VALUES (zeroblob(50000))", "INSERT INTO t VALUES (1)")
    with open_database(data[: 3 * 4096]) as database:
        list(database.rows("t"))
        assert "shorter than its header states" in database.notes.lines()[0]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutants_end_in_rows_notes_or_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "seed.db"
    if not path.exists():
        made(
            path,
            "CREATE TABLE t (a, b)",
            "CREATE INDEX i ON t (a)",
            "CREATE VIEW v AS SELECT a FROM t",
            "INSERT INTO t WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200) SELECT i, hex(randomblob(20)) FROM n",
            "INSERT INTO t VALUES (1, zeroblob(3000))",
            page=512,
        )
    mutant = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 10))):
        at = data.draw(st.integers(0, 700) | st.integers(0, len(mutant) - 1))
        mutant[at] = data.draw(st.sampled_from([0, 1, 5, 13, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    try:
        with open_database(bytes(mutant[: data.draw(st.integers(0, len(mutant)))])) as database:
            for name in database.tables():
                assert sum(1 for _ in database.rows(name)) <= sqlite.MAX_ROWS
    except StructureError:
        pass
