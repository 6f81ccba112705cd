"""Pictures in databases: real avatars, made ones of every size, and damage."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from real_samples import ARTIFACTS, bytes_of, children, item_of, mutants, needs_samples, never_fails, run

if TYPE_CHECKING:
    from pathlib import Path


def picture(size: int) -> bytes:
    return b"\xff\xd8\xff\xe0" + bytes((n * 7 + n // 251) % 256 for n in range(size))


def made(path: Path, page: int, sizes: list[int]) -> bytes:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size={page}")
        connection.execute("CREATE TABLE media (id INTEGER PRIMARY KEY, name TEXT, body BLOB)")
        for size in sizes:
            connection.execute("INSERT INTO media (name, body) VALUES ('x', ?)", (picture(size),))
        connection.execute("INSERT INTO media (name, body) VALUES ('y', ?)", (b"no picture" * 50,))
        connection.execute("INSERT INTO media (name, body) VALUES ('z', ?)", (b"\x01\x02" + picture(900),))
    return path.read_bytes()


@pytest.mark.parametrize("page", [512, 4096, 65536])
def test_pictures_of_every_size_are_cached_entries_with_their_bytes(page: int, tmp_path: Path) -> None:
    sizes = [200, 3000, 10_000, 300_000]
    one = item_of(made(tmp_path / "x.db", page, sizes), "vol1/home/kim/x.db")
    found = children(run("database_pictures", one))
    assert [bytes_of(one, child) for child in found] == [picture(size) for size in [*sizes, 900]]
    assert found[1].name == "media-2-body.jpg"
    assert found[0].findings[0].data == {"table": "media", "column": "body", "row": 1, "user": "kim"}


def test_damage_never_breaks_it(tmp_path: Path) -> None:
    for data in mutants(made(tmp_path / "x.db", 512, [200, 3000]), 80):
        never_fails("database_pictures", item_of(data, "vol1/x.db"))


class TestRealSamples:
    pytestmark = needs_samples

    @pytest.mark.parametrize(("sample", "count"), [("iped/test_skypeMain.db", 4), ("plaso_sqlite/skype_main.db", 2)])
    def test_real_avatars_are_found(self, sample: str, count: int) -> None:
        path = ARTIFACTS / sample
        one = item_of(path.read_bytes(), f"vol1/{sample}")
        found = {bytes_of(one, child) for child in children(run("database_pictures", one))}
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
            wanted = {
                row[0][row[0].index(b"\xff\xd8") :]
                for table in ("Accounts", "Contacts")
                for row in connection.execute(f"SELECT avatar_image FROM {table} WHERE avatar_image IS NOT NULL")
            }
        assert found == wanted
        assert len(found) <= count
