"""NSURLCache: every body of real caches of iOS, those that only the log has among them, and damage."""

from __future__ import annotations

import plistlib
import sqlite3
import zipfile
from typing import TYPE_CHECKING

import pytest
from real_samples import ARTIFACTS, bytes_of, children, findings, item_of, mutants, never_fails, problems, run

if TYPE_CHECKING:
    from pathlib import Path

PATH = "vol1/private/var/mobile/Containers/Data/Application/1/Library/Caches/com.example.app/Cache.db"
LARGE = b"\x89PNG\r\n\x1a\n" + bytes(n * n % 251 for n in range(60_000))


def made(folder: Path) -> dict[str, bytes]:
    """Return a cache whose large picture lies in the log, a small page in the database, and one body in a file of its own."""
    connection = sqlite3.connect(folder / "Cache.db", isolation_level=None)
    answer = plistlib.dumps({"Array": ["x", 200, {"Content-Type": "image/png", "Date": "Thu"}]}, fmt=plistlib.FMT_BINARY)
    for statement in (
        "PRAGMA page_size=4096",
        "PRAGMA journal_mode=WAL",
        "PRAGMA wal_autocheckpoint=0",
        "CREATE TABLE cfurl_cache_response(entry_ID INTEGER PRIMARY KEY, version, hash_value, storage_policy, request_key, time_stamp)",
        "CREATE TABLE cfurl_cache_blob_data(entry_ID INTEGER PRIMARY KEY, response_object BLOB)",
        "CREATE TABLE cfurl_cache_receiver_data(entry_ID INTEGER PRIMARY KEY, isDataOnFS INTEGER, receiver_data BLOB)",
    ):
        connection.execute(statement)

    def put(number: int, url: str, on_disk: int, body: bytes | str | None) -> None:
        connection.execute("INSERT INTO cfurl_cache_response VALUES (?, 0, 0, 0, ?, '2024-01-18 05:20:00')", (number, url))
        connection.execute("INSERT INTO cfurl_cache_blob_data VALUES (?, ?)", (number, answer))
        connection.execute("INSERT INTO cfurl_cache_receiver_data VALUES (?, ?, ?)", (number, on_disk, body))

    put(1, "https://example.org/page", 0, b"<html>small</html>")
    put(2, "https://example.org/film.mp4", 1, "ABCD-EF")
    put(3, "https://example.org/lost.mp4", 1, "NONE")
    put(4, "https://example.org/nothing", 0, None)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    put(5, "https://example.org/photo.png", 0, LARGE)
    files = {name: (folder / name).read_bytes() for name in ("Cache.db", "Cache.db-wal")}
    connection.close()
    return files | {"fsCachedData/ABCD-EF": b"film" * 99}


def item(files: dict[str, bytes]):
    return item_of(files["Cache.db"], PATH, {name: data for name, data in files.items() if name != "Cache.db"})


def test_bodies_are_found_in_the_database_its_log_and_files_beside_it(tmp_path: Path) -> None:
    one = item(made(tmp_path))
    said = run("nsurl_cache", one)
    assert {child.name: bytes_of(one, child) for child in children(said)} == {
        "1-page.png": b"<html>small</html>", "2-film.mp4": b"film" * 99, "5-photo.png": LARGE,
    }  # fmt: skip
    data = {child.name: child.findings[0].data for child in children(said)}
    assert (data["5-photo.png"]["state"], data["5-photo.png"]["mime"], data["5-photo.png"]["time"]) == (
        "only in the log", "image/png", "2024-01-18T05:20:00Z",
    )  # fmt: skip
    assert data["1-page.png"]["application"] == "com.example.app"
    assert [f.data["url"] for f in findings(said, "cached-missing")] == ["https://example.org/lost.mp4"]
    assert [f.data["url"] for f in findings(said, "cached-nothing")] == ["https://example.org/nothing"]
    assert problems(said) == []


def test_without_its_log_a_cache_gives_what_it_has(tmp_path: Path) -> None:
    files = {name: data for name, data in made(tmp_path).items() if not name.endswith("-wal")}
    assert len(children(run("nsurl_cache", item(files)))) == 2


def test_damage_never_breaks_it(tmp_path: Path) -> None:
    files = made(tmp_path)
    for name in ("Cache.db", "Cache.db-wal"):
        for data in mutants(files[name], 40):
            never_fails("nsurl_cache", item(files | {name: data}))


SAMPLES = (
    "safariCache/testdata.safariCache.safariCache.mvs_ios_2023.zip",
    "safariCache/testdata.safariCache.safariCache.josh_ios17_ffs.zip",
    "burnerCache/testdata.burnerCache.burnerCache_messages.josh_ios15_ffs.zip",
)


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.skipif(not ARTIFACTS.is_dir(), reason="the shared evidence is not here")
@pytest.mark.evidence
def test_every_body_of_a_real_cache_is_found(sample: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(ARTIFACTS / "ileapp" / sample) as archive:
        contents = {i.filename: archive.read(i) for i in archive.infolist() if not i.is_dir()}
    main = next(name for name in contents if name.endswith("/Cache.db"))
    folder = main.rpartition("/")[0]
    files = {name[len(folder) + 1 :]: data for name, data in contents.items() if name.startswith(f"{folder}/")}
    one = item(files)
    said = run("nsurl_cache", one)
    for name in ("Cache.db", "Cache.db-wal"):
        (tmp_path / name).write_bytes(files[name])
    connection = sqlite3.connect(tmp_path / "Cache.db")
    wanted = {}
    for entry, on_disk, body in connection.execute("SELECT entry_ID, isDataOnFS, receiver_data FROM cfurl_cache_receiver_data"):
        raw = body.encode() if isinstance(body, str) else body
        data = files.get(f"fsCachedData/{raw.decode()}") if on_disk else raw
        if data:
            wanted[entry] = data
    connection.close()
    got = {
        int(child.name.partition("-")[0]): bytes_of(one, child)
        for child in children(said)
        if child.findings[0].data.get("state") != "superseded by the log"
    }
    assert got == wanted
    assert len(got) > 0


