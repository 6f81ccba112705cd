"""Databases that are encrypted: known ones are told by name, others by their looks; readable ones are not told."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, run

if TYPE_CHECKING:
    from triage.plugin import Item

SIGNAL = "vol1/data/data/org.thoughtcrime.securesms/databases/signal.db"
PLAIN = ("plaso_chrome/History", "plaso_ios/kik.sqlite", "plaso_chrome/cookies.db", "plaso_sqlite/imessage_chat.db")


def locked(size: int = 4096 * 4) -> bytes:
    return random.Random(5).randbytes(size)


def samples() -> list[Item]:
    return [item_of(locked(), SIGNAL), item_of(locked(8192), "vol1/Users/kim/x/unknown.sqlite")]


class TestRealSamples:
    pytestmark = needs_samples

    @pytest.mark.parametrize("name", PLAIN)
    def test_a_readable_database_is_not_told(self, name: str) -> None:
        data = (ARTIFACTS / name).read_bytes()
        assert run("locked_databases", item_of(data, SIGNAL)) == []


def test_signal_is_told_with_whose_it_is() -> None:
    found = findings(run("locked_databases", item_of(locked(), SIGNAL)), "locked-database")
    assert [one.title for one in found] == ["an encrypted database of Signal"]
    assert found[0].data["application"] == "Signal"
    assert found[0].data["size"] == 4096 * 4
    desktop = "vol1/Users/kim/AppData/Roaming/Signal/sql/db.sqlite"
    assert findings(run("locked_databases", item_of(locked(), desktop)))[0].data["user"] == "kim"


def test_signal_on_ios_leaves_the_first_bytes_plain() -> None:
    head = b"SQLite format 3\0" + bytes.fromhex("1000010150402020") + bytes(8)
    found = findings(run("locked_databases", item_of(head + locked()[32:], "vol1/AppGroup/X/grdb/signal.sqlite")))
    assert (found[0].data["application"], found[0].data["plain_head"]) == ("Signal", 32)


@pytest.mark.parametrize(
    ("path", "program"),
    [
        ("vol1/data/data/com.tencent.mm/MicroMsg/0/EnMicroMsg.db", "WeChat"),
        ("vol1/telegram-data/account-1/postbox/db/db_sqlite", "Telegram"),
        ("vol1/data/data/ch.threema.app/databases/threema4.db", "Threema"),
        ("vol1/sdcard/WhatsApp/Databases/msgstore.db.crypt14", "WhatsApp"),
    ],
)
def test_others_that_are_known(path: str, program: str) -> None:
    size = 9001 if "crypt" in path else 8192
    found = findings(run("locked_databases", item_of(locked(size), path)))
    assert [one.data["application"] for one in found] == [program]


def test_one_of_no_known_name_is_told_with_care() -> None:
    found = findings(run("locked_databases", item_of(locked(8192), "vol1/x/unknown.db")))
    assert [one.title for one in found] == ["a database that looks encrypted"]
    assert run("locked_databases", item_of(locked(8192 + 1024), "vol1/x/unknown.db")) == []


def test_what_is_no_database_or_a_readable_one_is_quiet() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE a (b)")
        connection.executemany("INSERT INTO a VALUES (?)", [(f"text {n}",) for n in range(500)])
        connection.commit()
        plain = connection.serialize()
    for data in (plain, bytes(8192), b"words and words " * 512, b"\xff\xd8\xff\xe0\x00\x10JFIF" + locked()[10:]):
        assert run("locked_databases", item_of(data, SIGNAL)) == []


def test_damage_never_fails() -> None:
    for data in mutants(locked(), 100):
        if len(data) >= 1024:
            never_fails("locked_databases", item_of(data, SIGNAL))
