"""Files in which others lie: which of their bytes are searched, and in what order."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from system_samples import JPEG, NOISE, database, mutants, thumbcache

from triage.carving.containers import Container, container_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

CHANCE = random.Random(23)
BLOBS = [b"\xff\xd8\xff\xe0" + CHANCE.randbytes(9000 + 1777 * n) + b"\xff\xd9" for n in range(9)]


def ask(name: str, data: bytes, kind: str = "") -> Container | None:
    found = container_of(name, kind, lambda offset, length: data[offset : offset + length], len(data))
    if found is not None:
        assert all(at >= 0 and length > 0 and at + length <= len(data) for at, length in found.ranges)
    return found


def searched(data: bytes, name: str = "a.db", kind: str = "sqlite") -> bytes:
    """The bytes that are searched, one behind the other."""
    found = ask(name, data, kind)
    assert found is not None
    return b"".join(data[at : at + length] for at, length in found.ranges)


def fill(*then: str) -> Callable[[sqlite3.Connection], None]:
    def run(connection: sqlite3.Connection) -> None:
        for number, blob in enumerate(BLOBS):
            connection.execute("INSERT INTO t VALUES (?, ?, ?)", (number, f"picture {number}", blob))
        for statement in then:
            connection.execute(statement)

    return run


@pytest.mark.parametrize("name", ["pagefile.sys", "PAGEFILE.SYS", "swapfile.sys", "hiberfil.sys"])
def test_page_and_hibernation_files_are_searched_whole(name: str) -> None:
    found = ask(name, NOISE[:5000])
    assert found is not None
    assert found.ranges == ((0, 5000),)
    assert ("compressed" in found.note) == (name == "hiberfil.sys")


@pytest.mark.parametrize("name", [".thumbdata3--1967290299", ".thumbdata4-1", "imgcache.0", "imgcache", "iconcache_48.db", "IconCache.db"])
def test_stores_that_only_their_names_tell_are_searched_whole(name: str) -> None:
    found = ask(name, NOISE[:5000])
    assert found is not None
    assert (found.kind, found.ranges) == ("thumbnail store", ((0, 5000),))


@pytest.mark.parametrize("name", ["pagefile.sys.txt", "thumbdata", "photo.jpg", "imgcached", "mypagefile.sys", "thumbs.db"])
def test_other_files_hold_none(name: str) -> None:
    assert ask(name, NOISE[:5000]) is None
    assert ask(name, b"") is None


def test_thumbnail_caches_are_searched_behind_their_header() -> None:
    data = thumbcache()
    found = ask("thumbcache_256.db", data, "thumbcache")
    assert found is not None
    assert found.ranges == ((24, len(data) - 24),)


def test_a_real_thumbs_db_is_searched_stream_by_stream(evidence_root: Path) -> None:
    data = (evidence_root / "artifacts" / "thumbs" / "Thumbs.db").read_bytes()
    found = ask("Thumbs.db", data, "thumbs")
    assert found is not None
    joined = searched(data, "Thumbs.db", "thumbs")
    assert 0 < len(joined) < len(data)
    assert joined.count(b"\x89PNG") == joined.count(b"IEND") == 3
    first = found.ranges[0]
    assert data[first[0] :].startswith(b"\x18\0\0\0")  # a stream before anything else
    # What is in no stream any more is searched as well.
    deleted = data + b"\xff\xd8\xff" + NOISE[:1021]
    assert b"\xff\xd8\xff" in searched(deleted, "Thumbs.db", "thumbs")
    # What its tables do not tell any more is searched as it lies.
    broken = data[:76] + b"\xff\xff\xff\x7f" + data[80:]
    found = ask("Thumbs.db", broken, "thumbs")
    assert found is not None
    assert found.ranges == ((0, len(data)),)


@pytest.mark.parametrize("page", [512, 1024, 4096, 32768])
@pytest.mark.parametrize("vacuum", [0, 2])
@pytest.mark.parametrize("how", ["DELETE FROM t", "DROP TABLE t", "DELETE FROM t WHERE id % 2 = 1"])
def test_pictures_in_deleted_rows_come_out_in_one_piece(how: str, page: int, vacuum: int) -> None:
    data = database(page_size=page, vacuum=vacuum, fill=fill(how))
    gone = BLOBS[1::2] if "%" in how else BLOBS
    joined = searched(data)
    # The pages that became the free list itself lost their beginnings, and with them what they were part of.
    lost = 3 if page < 4096 else 2
    assert sum(blob[500:] in joined for blob in gone) >= len(gone) - lost
    # The beginning stands in a page of the tree: it is gone when small pages are merged because little is left in them.
    if not (page == 512 and "%" in how):
        assert sum(blob in joined for blob in gone) >= len(gone) - lost
    if page < 4096:  # in larger ones rows are moved as a whole, and where they were is free room
        assert not any(blob in joined for blob in BLOBS if blob not in gone)


def test_no_byte_of_a_database_is_searched_twice() -> None:
    for data in (database(fill=fill("DELETE FROM t WHERE id > 2")), database(page_size=4096, vacuum=1, fill=fill("DROP TABLE t"))):
        found = ask("a.db", data)
        if found is None:
            continue
        spans = sorted(found.ranges)
        assert all(a + n <= b for (a, n), (b, _) in pairwise(spans))


def test_a_database_in_which_nothing_was_deleted_holds_none() -> None:
    def packed(connection: sqlite3.Connection) -> None:
        for number in range(200):
            connection.execute("INSERT INTO t VALUES (?, ?, ?)", (number, "x", NOISE[number : number + 100]))

    assert ask("a.db", database(page_size=1024, fill=packed)) is None


def test_room_in_a_page_that_is_in_use_is_searched() -> None:
    def small(connection: sqlite3.Connection) -> None:
        for number in range(40):
            connection.execute("INSERT INTO t VALUES (?, ?, ?)", (number, "x", JPEG[:700]))
        connection.execute("DELETE FROM t WHERE id % 5 = 0")

    data = database(page_size=8192, fill=small)
    assert searched(data).count(JPEG[40:690]) == 8


def test_what_only_looks_like_a_database_holds_none() -> None:
    assert ask("a.db", b"SQLite format 3\0" + NOISE, "sqlite") is None
    assert ask("a.db", b"SQLite format 3\0", "sqlite") is None


@given(st.binary(max_size=4000), st.sampled_from([16, 100, 1024, 5000]), st.sampled_from(["a.db", "Thumbs.db", "x"]))
@settings(max_examples=80, deadline=None)
def test_any_bytes_give_ranges_that_fit(behind: bytes, keep: int, name: str) -> None:
    data = database(fill=fill("DELETE FROM t"))[:keep] + behind
    first, second = ask(name, data, "sqlite"), ask(name, data, "sqlite")
    assert first == second


def test_mutants_end_in_ranges_that_fit() -> None:
    for data in mutants(database(fill=fill("DELETE FROM t WHERE id > 3")), 100):
        ask("a.db", data, "sqlite")


def test_free_lists_and_chains_that_lead_round_end() -> None:
    data = bytearray(database(fill=fill("DELETE FROM t")))
    pages = len(data) // 1024
    for page in range(2, pages):
        data[page * 1024 : page * 1024 + 4] = (page % pages + 1).to_bytes(4, "big")
    found = ask("a.db", bytes(data))
    assert found is None or sum(length for _, length in found.ranges) <= len(data)
