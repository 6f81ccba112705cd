"""Web storage of Chromium: a real one's, made logs and tables, damage."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import chromium_real
import pytest
from real_samples import findings, item_of, mutants, never_fails, problems, run

if TYPE_CHECKING:
    from triage.plugin import Item

PROFILE = "vol1/home/kim/.config/discord"
LOCAL = f"{PROFILE}/Local Storage/leveldb"
INDEXED = f"{PROFILE}/IndexedDB/http_127.0.0.1_8765.indexeddb.leveldb/000003.log"
ORIGIN = b"_https://discord.com\0\x01"


def sized(raw: bytes) -> bytes:
    length, found = len(raw), b""
    while length > 127:
        found += bytes([length & 127 | 128])
        length >>= 7
    return found + bytes([length]) + raw


def batch(sequence: int, *pairs: tuple[bytes, bytes | None]) -> bytes:
    body = struct.pack("<QI", sequence, len(pairs))
    for key, value in pairs:
        body += b"\0" + sized(key) if value is None else b"\x01" + sized(key) + sized(value)
    return body


def log(*batches: bytes) -> bytes:
    """Return a log, with batches cut in pieces where a block of 32 KiB ends."""
    data = b""
    for body in batches:
        first, rest = True, body
        while True:
            left = 32768 - len(data) % 32768
            if left < 7:
                data += bytes(left)
                continue
            piece, rest = rest[: left - 7], rest[left - 7 :]
            kind = (1 if first else 4) if not rest else (2 if first else 3)
            data += bytes(4) + struct.pack("<HB", len(piece), kind) + piece
            first = False
            if not rest:
                break
    return data


MADE = log(
    batch(1, (ORIGIN + b"token", b"\x01first"), (ORIGIN + b"big", b"\x00" + ("ж" * 40_000).encode("utf-16-le"))),
    batch(3, (ORIGIN + b"token", b"\x01second")),
    batch(4, (ORIGIN + b"gone", None), (b"_https://ads.example.org^0https://example.org\0\x01k", b"\x01v")),
)


def samples() -> list[Item]:
    return [item_of(log(batch(1, (ORIGIN + b"token", b"\x01first"))), f"{LOCAL}/000003.log")]


def test_what_was_replaced_or_taken_out_is_told_apart() -> None:
    said = run("web_storage", item_of(MADE, f"{LOCAL}/000003.log"))
    assert [
        (f.data["key"], f.data.get("value", "")[:6], f.data.get("replaced"), f.data.get("removed"), f.data["url"]) for f in findings(said)
    ] == [
        ("token", "first", True, None, "https://discord.com"),
        ("big", "жжжжжж", None, None, "https://discord.com"),
        ("token", "second", None, None, "https://discord.com"),
        ("gone", "", None, True, "https://discord.com"),
        ("k", "v", None, None, "https://ads.example.org"),
    ]
    assert (findings(said)[1].data["size"], len(findings(said)[1].data["value"])) == (80_001, 4000)
    assert findings(said)[4].data["within"] == "0https://example.org"
    assert findings(said)[0].data["application"] == "Discord"
    assert problems(said) == []


def test_a_log_that_breaks_off_gives_what_is_whole_and_says_so() -> None:
    said = run("web_storage", item_of(MADE[:70_000], f"{LOCAL}/000003.log"))
    assert [f.data["value"] for f in findings(said)] == ["first"]
    assert [p.message for p in problems(said)] == ["a batch of a log breaks off"]
    said = run("web_storage", item_of(MADE[:-10], f"{LOCAL}/000003.log"))
    assert [f.data["key"] for f in findings(said)] == ["token", "big", "token", "gone"]
    assert [p.message for p in problems(said)] == ["a batch of a log breaks off"]


def test_a_damaged_block_does_not_hide_the_next_one() -> None:
    one = batch(1, (ORIGIN + b"a", b"\x01" + b"x" * 20_000))
    data = bytearray(log(one, one, batch(9, (ORIGIN + b"last", b"\x01here"))))
    data[4:7] = b"\xff\xff\xff"
    said = run("web_storage", item_of(bytes(data), f"{LOCAL}/000003.log"))
    assert [f.data["key"] for f in findings(said)] == ["last"]
    assert any("cannot be read" in p.message for p in problems(said))


def test_folders_of_other_stores_are_left_alone() -> None:
    for path in ("vol1/x/Sync Data/LevelDB/000003.log", "vol1/x/000003.log", "vol1/Local Storage/x.log"):
        with pytest.raises(AssertionError, match="does not want"):
            run("web_storage", item_of(MADE, path))


def test_damage_never_breaks_it() -> None:
    for data in mutants(chromium_real.LOCAL_TABLE, 60):
        never_fails("web_storage", item_of(data, f"{LOCAL}/000005.ldb"))
    for data in mutants(chromium_real.INDEXED_DB[:8000], 60, seed=2):
        never_fails("web_storage", item_of(data, INDEXED))
    for data in mutants(chromium_real.SESSION_STORAGE, 100, seed=3):
        never_fails("web_storage", item_of(data, f"{PROFILE}/Session Storage/000003.log"))


class TestRealSamples:
    """A real Chromium's (``chromium_real``): these need no evidence beside the tests."""

    pytestmark = pytest.mark.evidence

    def test_all_keys_of_local_storage_are_found(self) -> None:
        said = run("web_storage", item_of(chromium_real.LOCAL_TABLE, f"{LOCAL}/000005.ldb"))
        assert problems(said) == []
        kept = {f.data["key"]: f.data["value"] for f in findings(said) if "key" in f.data and "removed" not in f.data}
        assert kept == {"who": "kim", "umlaut": "Jörg 中", **{f"key{n}": f"value {n} " + "x" * 200 for n in range(100, 400)}}
        assert {f.data["key"] for f in findings(said) if f.data.get("removed")} == {f"key{n}" for n in range(100)}
        assert [f.data["time"] for f in findings(said) if "time" in f.data] == ["2026-11-27T06:36:28.007182Z"]

    def test_what_a_log_holds_is_found(self) -> None:
        first, second = findings(run("web_storage", item_of(chromium_real.LOCAL_LOG, f"{LOCAL}/000004.log")))
        assert (first.data["key"], first.data["value"], first.data["url"]) == ("d", "from tab two", "http://127.0.0.1:8765")
        assert second.data["size"] == 65_443

    def test_session_storage_names_its_page(self) -> None:
        first, second = findings(run("web_storage", item_of(chromium_real.SESSION_STORAGE, f"{PROFILE}/Session Storage/000003.log")))
        assert first.title == "http://127.0.0.1:8765/ was open in a tab"
        assert (second.data["key"], second.data["value"], second.data["url"]) == ("s1", "session value", "http://127.0.0.1:8765/")

    def test_all_objects_of_indexed_db_are_found(self) -> None:
        said = run("web_storage", item_of(chromium_real.INDEXED_DB, INDEXED))
        assert problems(said) == []
        assert [f.data["key"] for f in findings(said)] == [*map(str, range(50)), "1000"]
        assert {(f.data["database"], f.data["object_store"], f.data["url"]) for f in findings(said)} == {
            ("chat", "messages", "http://127.0.0.1:8765")
        }
        assert findings(said)[7].data["value"] == (
            '{"id": 7, "from": "kim", "text": "message number 7", "when": "2023-11-14T22:13:27Z", "n": [1, 2.5, true, null]}'
        )
        assert findings(said)[50].data["value"] == (
            '{"id": 1000, "from": "jö", "text": "中文", "blob": "(11 bytes: 89504e470d0a1a0a010203)"}'
        )
