"""SQLite databases: every page that the header counts or that the trees lead to, and what an overwritten one does to the answer."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from system_samples import JPEG, NOISE, assert_whole, database, formats, mutants, reads_little, rows, survives, walk

from triage.carving.forms import Structure
from triage.carving.sqlitepages import cells_are_whole, read_header, varint
from triage.carving.window import window_of

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from triage.carving.forms import Walked

MAGIC = b"SQLite format 3\0"
DATABASE = database(fill=rows())
PAGE = 1024
ODD = {"test_historyChrome": 303_104, "Manifest.db": 3_284_992}
"""One has pages behind those its header counts, the other bytes that a decryption left."""


def real_databases(root: Path) -> list[Path]:
    found = [p for p in sorted((root / "artifacts").rglob("*")) if p.is_file() and "fragments" not in str(p)]
    return [p for p in found if p.read_bytes().startswith(MAGIC)]


def test_real_databases_are_found_to_their_last_byte(evidence_root: Path) -> None:
    proven = 0
    paths = real_databases(evidence_root)
    assert len(paths) > 50
    for path in paths:
        data = path.read_bytes()
        for space in (data, data + NOISE[: 64 << 10], data + bytes(64 << 10), data + JPEG[: 64 << 10]):
            found = walk("sqlite", space)
            assert found is not None, path
            assert found.structure is Structure.COMPLETE, (path, found.why)
            assert found.length == ODD.get(path.name, len(data)), path
        proven += found is not None and found.checked
    assert proven > len(paths) * 0.8  # not those whose last pages are free


def test_pieces_of_real_databases_are_cut_where_they_end(evidence_root: Path) -> None:
    pieces = sorted((evidence_root / "artifacts" / "dfrws2011_fragments").rglob("*.db.(*"))
    known = 0
    for path in pieces:
        data = path.read_bytes()
        if data.startswith(MAGIC):
            found = walk("sqlite", data + NOISE)
            assert found is not None
            assert found.structure is Structure.TRUNCATED
            assert len(data) - 2048 <= found.length <= len(data)
            assert found.facts["pages"] > found.facts["pages_found"] >= 4  # type: ignore[operator]
            known += 1
    assert known > 5


def big_values(connection: sqlite3.Connection) -> None:
    for number in range(6):
        connection.execute("INSERT INTO t VALUES (?, ?, ?)", (number + 1, f"n{number}", NOISE[number : number + 9000 + 3000 * number]))
    connection.execute("DELETE FROM t WHERE id IN (2, 5)")


@pytest.mark.parametrize(
    "data",
    [
        DATABASE,
        database(fill=rows(900), page_size=512),
        database(fill=rows(400, 200), page_size=4096, vacuum=1),
        database(fill=rows(3000), page_size=512, vacuum=2),
        database(fill=big_values),
        database(fill=big_values, vacuum=1),
        database(fill=big_values, page_size=65536),
        database("CREATE TABLE t (a TEXT PRIMARY KEY, b, c) WITHOUT ROWID", fill=rows(500)),
        database("PRAGMA encoding='UTF-16'", "CREATE TABLE t (id, name, content)", fill=rows(50)),
        database("CREATE TABLE t (a)"),
        database(*(f"CREATE TABLE t{n} (a, b, c{n})" for n in range(60)), "CREATE VIEW v AS SELECT 1", page_size=512),
    ],
    ids=["plain", "small", "vacuum", "incremental", "overflow", "overflow-vacuum", "large-pages", "rowid", "utf16", "empty", "schema"],
)
def test_a_database_ends_with_its_last_page(data: bytes) -> None:
    found = assert_whole("sqlite", data, checked="free_pages" not in walk("sqlite", data).facts, zeros=64 << 10)  # type: ignore[union-attr]
    assert found.facts["pages"] * found.facts["page_size"] == len(data)  # type: ignore[operator]


def test_the_schema_is_told() -> None:
    found = walk("sqlite", database("CREATE TABLE message (a)", "CREATE TABLE [chat\x1b list] (b)"))
    assert found is not None
    assert found.facts["tables"] == 2
    assert found.facts["table_names"] == "message"  # a name with a control character is not repeated


@pytest.mark.parametrize("data", [DATABASE, database(fill=big_values), database(fill=big_values, vacuum=1)])
def test_without_the_count_of_pages_the_trees_say_where_it_ends(data: bytes) -> None:
    old = data[:28] + bytes(4) + data[32:92] + bytes(8) + data[100:]
    found = assert_whole("sqlite", old, checked=False)
    assert "lead" in found.why


def test_a_database_that_is_cut_has_the_pages_that_are_there() -> None:
    for keep in (3, 10, len(DATABASE) // PAGE - 1):
        for behind in (NOISE, JPEG, bytes(1 << 18)):
            found = walk("sqlite", DATABASE[: keep * PAGE] + behind)
            assert found is not None
            assert (found.structure, found.length) == (Structure.TRUNCATED, keep * PAGE)
            assert found.facts["pages_found"] == keep
    found = walk("sqlite", DATABASE[: 5 * PAGE + 300])
    assert found is not None
    assert (found.structure, found.length) == (Structure.TRUNCATED, 5 * PAGE)


@pytest.mark.parametrize("data", [DATABASE, database(fill=big_values)])
def test_a_page_that_was_overwritten_is_noticed(data: bytes) -> None:
    noticed = 0
    pages = range(2, len(data) // PAGE - 1)
    free = int.from_bytes(data[36:40], "big")  # free pages may hold anything
    for page in pages:
        broken = data[: page * PAGE] + NOISE[:PAGE] + data[(page + 1) * PAGE :]
        found = walk("sqlite", broken + NOISE)
        assert found is not None
        if found.structure is not Structure.COMPLETE:
            noticed += 1
            assert found.length in (len(data), page * PAGE)
    assert noticed >= len(pages) - free


def test_free_pages_behind_the_last_other_one_leave_it_unproven() -> None:
    def emptied(connection: sqlite3.Connection) -> None:
        rows(200)(connection)
        connection.execute("DELETE FROM t WHERE id > 20")

    found = walk("sqlite", database(fill=emptied))
    assert found is not None
    assert (found.structure, found.checked) == (Structure.COMPLETE, False)


def test_a_pointer_map_that_was_overwritten_is_noticed() -> None:
    data = database(fill=rows(), vacuum=1)
    assert data[PAGE] in range(1, 6)  # page 2 is the map
    for other in (NOISE[:PAGE], b"\3" * PAGE):
        found = walk("sqlite", data[:PAGE] + other + data[2 * PAGE :] + NOISE)
        assert found is not None
        assert (found.structure, found.length) == (Structure.DAMAGED, len(data))


def test_cells_of_a_page_are_whole_or_not() -> None:
    data = database(fill=rows(), page_size=4096)
    for page in range(2, len(data) // 4096 + 1):
        raw = data[(page - 1) * 4096 : page * 4096]
        if raw[0] in (10, 13):
            assert cells_are_whole(raw, 4096)
            assert not cells_are_whole(raw[:2048] + NOISE[:2048], 4096)


def test_what_follows_a_bad_page_tells_damaged_from_cut() -> None:
    broken = DATABASE[: 8 * PAGE] + NOISE[: 2 * PAGE] + DATABASE[10 * PAGE :]
    found = walk("sqlite", broken + NOISE)
    assert found is not None
    assert (found.structure, found.length) == (Structure.DAMAGED, len(DATABASE))


def test_mozilla_databases_have_their_empty_pages() -> None:
    data = database("CREATE TABLE moz_cookies (a)", page_size=32768)
    grown = data.ljust(512 << 10, b"\0")
    found = walk("sqlite", grown + NOISE)
    assert found is not None
    assert found.length == 512 << 10
    found = walk("sqlite", data + NOISE)
    assert found is not None
    assert found.length == len(data)
    other = walk("sqlite", database("CREATE TABLE cookies (a)", page_size=32768).ljust(512 << 10, b"\0"))
    assert other is not None
    assert other.length == 2 * 32768


def test_headers_that_no_version_writes_are_refused() -> None:
    for at, value in (
        (16, b"\x03\xe8"),
        (16, b"\0\0"),
        (18, b"\0"),
        (20, b"\xff"),
        (21, b"\x41"),
        (44, b"\0\0\0\5"),
        (56, b"\0\0\0\4"),
        (75, b"\1"),
    ):
        data = DATABASE[:at] + value + DATABASE[at + len(value) :]
        assert walk("sqlite", data) is None, (at, value)
    assert read_header(DATABASE[:99]) is None


@pytest.mark.parametrize("behind", [NOISE, bytes(1 << 20), JPEG, b"text " * 20_000])
def test_a_lone_header_is_none(behind: bytes) -> None:
    assert walk("sqlite", DATABASE[:100] + behind) is None
    reads_little("sqlite", DATABASE[:100] + behind, 1 << 12)
    # So is a first page without any other.
    assert walk("sqlite", DATABASE[:PAGE] + behind) is None


def test_a_lying_count_of_pages_does_not_make_it_long() -> None:
    data = DATABASE[:28] + b"\0\xff\xff\xff" + DATABASE[32:]
    found = walk("sqlite", data + NOISE * 8)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert found.length == len(DATABASE)


def test_trees_that_lead_round_end() -> None:
    data = bytearray(DATABASE)
    # Every page an inner page whose children are page 2.
    for page in range(2, len(data) // PAGE):
        data[page * PAGE : page * PAGE + 12] = struct.pack(">BHHHBI", 5, 0, 20, 900, 0, 3)
        data[page * PAGE + 12 : page * PAGE + 52] = struct.pack(">20H", *range(900, 1000, 5))
    found = survives("sqlite", bytes(data))
    assert found is None or found.structure is not Structure.COMPLETE
    # A free list that leads round.
    loop = bytearray(database(fill=big_values))
    trunk = int.from_bytes(loop[32:36], "big")
    loop[(trunk - 1) * PAGE : (trunk - 1) * PAGE + 4] = trunk.to_bytes(4, "big")
    found = walk("sqlite", bytes(loop))
    assert found is not None
    assert found.structure is Structure.DAMAGED


def rejoined(space: bytes, block: int = 4096) -> Walked | None:
    """What is made of a database that lies at the beginning of the space and breaks off."""
    form = formats()["sqlite"]
    window = window_of(space, block=block)
    walked = form.walk(window)
    assert walked is not None
    assert form.rejoin is not None
    return form.rejoin(window, walked)


@pytest.mark.parametrize("vacuum", [0, 1])
@pytest.mark.parametrize(("page", "block"), [(1024, 4096), (4096, 4096), (4096, 512), (512, 4096)])
@pytest.mark.parametrize("behind", [NOISE, bytes(40_000), JPEG], ids=["noise", "zeros", "picture"])
def test_a_database_in_two_pieces_is_put_together(vacuum: int, page: int, block: int, behind: bytes) -> None:
    data = database(page_size=page, vacuum=vacuum, fill=rows(1200))
    assert len(data) > 100_000
    for cut, gap in ((16 << 10, 4096), (60 << 10, 20 << 10), (100 << 10, 64 << 10)):
        space = data[:cut] + behind[:gap].ljust(gap, b"\0") + data[cut:].ljust(-(-(len(data) - cut) // 4096) * 4096, b"\0") + NOISE
        found = rejoined(space, block)
        assert found is not None
        assert (found.structure, found.checked) == (Structure.FRAGMENTED, True)
        assert b"".join(space[at : at + length] for at, length in found.pieces) == data


def test_real_databases_in_two_pieces_are_put_together(evidence_root: Path) -> None:
    whole = asked = 0
    for path in real_databases(evidence_root):
        data = path.read_bytes()
        if len(data) < 100_000 or data[28:32] == bytes(4) or path.name in ODD:
            continue
        cut = len(data) // 3 // 4096 * 4096
        space = data[:cut] + NOISE[: 24 << 10] + data[cut:] + NOISE[:100_000]
        asked += 1
        found = rejoined(space)
        if found is not None:
            joined = b"".join(space[at : at + length] for at, length in found.pieces)
            assert joined == data or not found.checked
            whole += joined == data
    assert whole >= asked * 0.6, (whole, asked)


def test_pieces_that_are_not_there_or_of_another_database_are_not_joined() -> None:
    data = database(page_size=1024, fill=rows(1200))
    other = database(page_size=1024, fill=rows(1300, 70))
    cut = 60 << 10
    for rest in (NOISE, bytes(300_000), other[cut + 8192 :], data[cut + 40_960 :]):
        assert rejoined(data[:cut] + JPEG[:8192] + rest) is None
    broken = data[:cut] + NOISE[:4096] + data[cut + 4096 :]
    assert rejoined(broken + NOISE) is None  # overwritten, not moved


@given(st.binary(max_size=3000), st.sampled_from([100, 108, 512, 1024, 3000]))
@settings(max_examples=120, deadline=None)
def test_any_bytes_behind_a_header_give_an_answer_that_fits(behind: bytes, keep: int) -> None:
    survives("sqlite", DATABASE[:keep] + behind)


@given(st.binary(min_size=9, max_size=20))
def test_integers_of_variable_length_are_read_as_sqlite_writes_them(raw: bytes) -> None:
    value, end = varint(raw, 0)
    assert 1 <= end <= 9
    assert value >= 0
    stops = [n for n in range(8) if raw[n] < 0x80]
    assert end == (stops[0] + 1 if stops else 9)


def test_mutants_end_in_an_answer() -> None:
    answers = set()
    for data in mutants(database(fill=big_values)):
        found = survives("sqlite", data)
        answers.add(found and found.structure)
    assert len(answers) >= 3
