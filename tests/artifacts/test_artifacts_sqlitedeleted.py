"""Rows that were deleted: what is still in the file is found and told apart, and nothing is made up."""

from __future__ import annotations

import random
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from triage.artifacts import sqlitedeleted
from triage.artifacts.sqlite import open_database
from triage.artifacts.structure import StructureError

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from real_samples import ARTIFACTS, mutants, needs_samples

SCHEMAS = {
    "numbered": "CREATE TABLE messages (id INTEGER PRIMARY KEY, sender TEXT, body TEXT, sent INTEGER, seen INTEGER)",
    "unnumbered": "CREATE TABLE messages (sender TEXT, body TEXT, sent INTEGER, seen INTEGER)",
    "number last": "CREATE TABLE messages (sender TEXT, body TEXT, sent INTEGER, id INTEGER PRIMARY KEY)",
    "untyped": "CREATE TABLE messages (id, sender, body, sent)",
}
WORDS = [
    "the",
    "dog",
    "ran",
    "over",
    "a",
    "green",
    "hill",
    "and",
    "we",
    "saw",
    "from",
    "far",
    "away",
    "while",
    "rain",
    "fell",
    "on",
    "our",
    "tent",
]


def made(path: Path, schema: str, count: int, page: int = 4096, encoding: str = "UTF-8", seed: int = 1) -> tuple[list[tuple], list[tuple]]:
    """Fill a table and delete two of five rows, one by one and in stretches; return the rows that stayed and those that went."""
    rng = random.Random(seed)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in (f"PRAGMA page_size={page}", f"PRAGMA encoding='{encoding}'", "PRAGMA secure_delete=OFF", SCHEMAS[schema]):
            connection.execute(statement)
        width = SCHEMAS[schema].count(",") + 1
        for number in range(count):
            text = " ".join(rng.choices(WORDS, k=rng.randrange(3, 30)))
            row = {
                "id": number + 1,
                "sender": f"person {rng.randrange(50)}",
                "body": text,
                "sent": 1_700_000_000 + number,
                "seen": number % 2,
            }
            names = [one.split()[0] for one in SCHEMAS[schema].partition("(")[2].rstrip(")").split(", ")]
            connection.execute(f"INSERT INTO messages VALUES ({','.join('?' * width)})", [row[name] for name in names])
        everything = connection.execute("SELECT * FROM messages").fetchall()
        connection.execute("DELETE FROM messages WHERE sent % 5 = 0")
        connection.execute(f"DELETE FROM messages WHERE sent BETWEEN 1700000000 + {count // 4} AND 1700000000 + {count // 2}")
        stayed = connection.execute("SELECT * FROM messages").fetchall()
    return stayed, [row for row in everything if row not in stayed]


def deleted(data: bytes) -> list[tuple]:
    with open_database(data) as database:
        return [row.values for _, row in database.deleted()]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
@pytest.mark.parametrize("page", [512, 4096, 65536])
def test_rows_of_pages_given_free_and_of_gaps_are_found(tmp_path: Path, page: int, encoding: str) -> None:
    stayed, went = made(tmp_path / "x.db", "numbered", 2000, page, encoding)
    data = (tmp_path / "x.db").read_bytes()
    found = deleted(data)
    # A freeblock has lost its first four bytes: there the row's number may be gone, and nothing else.
    known = {row[1:] for row in went}
    wrong = [row for row in found if row[1:] not in known]
    # What was written over a row's end is no text in UTF-8; in UTF-16 nearly everything is.
    assert len(wrong) <= (0 if encoding == "UTF-8" else len(found) / 20), wrong
    still = {row[1:] for row in went if (row[1] + row[2]).encode(encoding.replace("UTF-16", "UTF-16-")) in data}
    share = len({row[1:] for row in found} & known) / len(still)
    assert share > 0.8, f"{share:.3f}"  # a page that was tidied up keeps parts of rows
    assert not {row[1:] for row in found} & {row[1:] for row in stayed}


@pytest.mark.parametrize("page", [512, 4096])
@pytest.mark.parametrize("schema", SCHEMAS)
def test_tables_of_several_makes_are_told(tmp_path: Path, schema: str, page: int) -> None:
    _, went = made(tmp_path / "x.db", schema, 2000, page)
    found = deleted((tmp_path / "x.db").read_bytes())
    known = {tuple(value for value in row if isinstance(value, str)) for row in went}
    got = [tuple(value for value in row if isinstance(value, str)) for row in found]
    # Columns without a type say nothing of what is in them: of such tables only rows are taken whose head is whole.
    assert len(known & set(got)) / len(known) > (0.45 if schema == "untyped" else 0.9)
    assert sum(row not in known for row in got) <= len(got) / 100


def test_nothing_is_found_where_deleting_wipes(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute(SCHEMAS["numbered"])
        for number in range(300):
            connection.execute("INSERT INTO messages VALUES (?, 'someone', 'a text of a few words', 1700000000, 1)", [number])
        connection.execute("DELETE FROM messages WHERE id % 2")
    assert deleted((tmp_path / "x.db").read_bytes()) == []


def test_nothing_is_found_where_nothing_was_deleted(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        connection.execute(SCHEMAS["numbered"])
        for number in random.Random(3).sample(range(3000), 3000):  # pages are split in the middle and leave copies behind
            connection.execute("INSERT INTO messages VALUES (?, 'someone', ?, 1700000000, 1)", [number, "word " * (number % 40)])
    assert deleted((tmp_path / "x.db").read_bytes()) == []


def test_what_a_row_once_said_is_found_when_it_was_changed(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete=OFF")
        connection.execute(SCHEMAS["numbered"])
        for number in range(20):
            connection.execute("INSERT INTO messages VALUES (?, 'someone', ?, 1700000000, 1)", [number, f"meet me at bridge {number}"])
        connection.execute("UPDATE messages SET body = 'this was changed to a text that is longer than what it was before' WHERE id = 7")
    (found,) = deleted((tmp_path / "x.db").read_bytes())
    assert found[1:3] == ("someone", "meet me at bridge 7")


def test_very_many_are_cut_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "x.db", "numbered", 2000)
    monkeypatch.setattr(sqlitedeleted, "MOST_ROWS", 100)
    with open_database((tmp_path / "x.db").read_bytes()) as database:
        assert len(list(database.deleted())) <= 100
        assert any("left out" in line for line in database.notes.lines())


def test_damage_never_breaks_it(tmp_path: Path) -> None:
    made(tmp_path / "x.db", "numbered", 300, 1024)
    for data in mutants((tmp_path / "x.db").read_bytes(), 150):
        try:
            deleted(data)
        except StructureError:
            continue


class TestRealSamples:
    pytestmark = needs_samples

    @pytest.mark.parametrize(
        ("sample", "table", "count"),
        [("iped/test_cloudGraph.db", "cloud_graph_entry", 15), ("iped/test_whatsApp.db", "wa_contacts", 16)],
    )
    def test_rows_of_real_databases_come_back(self, sample: str, table: str, count: int) -> None:
        with open_database((ARTIFACTS / sample).read_bytes()) as database:
            found = [row for name, row in database.deleted() if name == table]
            live = {row.values for row in database.rows(table)}
        assert len(found) == count
        assert not live & {row.values for row in found}

    def test_databases_of_many_tables_take_no_time(self) -> None:
        for sample in ("plaso_sqlite/imessage_chat.db", "iped/test_historyChrome", "plaso_sqlite/skype_main.db"):
            started = time.process_time()
            deleted((ARTIFACTS / sample).read_bytes())
            assert time.process_time() - started < 2, sample
