"""Quick Look's thumbnails: the old index by paths, the newer one by numbers, iCloud's, pixels that are not there, damage."""

from __future__ import annotations

import plistlib
import sqlite3
from functools import cache
from typing import TYPE_CHECKING

from real_samples import bytes_of, children, findings, item_of, mutants, never_fails, problems, run

if TYPE_CHECKING:
    from triage.plugin import Item

FOLDER = "vol1/private/var/folders/gh/abc/C/com.apple.QuickLook.thumbnailcache"
PIXELS = b"".join(bytes([10 * n, 0, 255 - n, 255]) for n in range(12))  # 2 wide, 3 high, rows of 16 bytes
HIT = 721_692_800.0
THUMBS = (
    "CREATE TABLE thumbnails (file_id INTEGER, size REAL, hit_count INTEGER, last_hit_date REAL, width INTEGER, height INTEGER, "
    "bitspercomponent INTEGER, bitsperpixel INTEGER, bytesperrow INTEGER, bitmapinfo INTEGER, bitmapdata_location INTEGER, "
    "bitmapdata_length INTEGER)"
)


def database(*statements: str, values: tuple[bytes, ...] = ()) -> bytes:
    connection = sqlite3.connect(":memory:")
    for statement in statements:
        connection.execute(statement, values[: statement.count("?")])
    connection.commit()
    return connection.serialize()


def thumb(number: int, at: int = 4, info: int = 0x2002) -> str:
    return f"INSERT INTO thumbnails VALUES ({number}, 64, 3, {HIT}, 2, 3, 8, 32, 16, {info}, {at}, 48)"


@cache
def old() -> bytes:
    version = plistlib.dumps({"size": 4711, "date": 721_692_000.0, "gen": "com.apple.x"}, fmt=plistlib.FMT_BINARY)
    return database(
        "CREATE TABLE files (folder TEXT, file_name TEXT, fs_id TEXT, version BLOB)", THUMBS,
        "INSERT INTO files VALUES ('/Volumes/STICK/pics', 'a.jpg', 'x', ?)", "INSERT INTO files VALUES ('/', 'b.mov', 'x', NULL)", thumb(1),
        values=(version,),
    )  # fmt: skip


def new(at: int = 4, info: int = 0x2002) -> bytes:
    objects = ["$null", {"m": plistlib.UID(2), "s": 99, "g": plistlib.UID(3)}, {"NS.time": 721_692_000.0}, "com.apple.qlgenerator"]
    version = plistlib.dumps(
        {"$archiver": "NSKeyedArchiver", "$top": {"root": plistlib.UID(1)}, "$objects": objects}, fmt=plistlib.FMT_BINARY
    )
    return database(
        "CREATE TABLE basic_files (fileId INTEGER PRIMARY KEY, fsid INTEGER, version BLOB)", THUMBS,
        "INSERT INTO basic_files VALUES (12885210013, 7, ?)", thumb(12885210013 - (1 << 63), at, info), values=(version,),
    )  # fmt: skip


STORE = {"thumbnails.data": b"head" + PIXELS}


def samples() -> list[Item]:
    return [item_of(old(), f"{FOLDER}/index.sqlite", STORE)]


def test_each_bitmap_is_a_picture_with_path_hits_and_times() -> None:
    item = item_of(old(), f"{FOLDER}/index.sqlite", STORE)
    said = run("quicklook", item)
    (child,) = children(said)
    ((kind, title, data),) = child.findings
    assert (kind, title) == ("thumbnail", "a thumbnail of /Volumes/STICK/pics/a.jpg")
    assert data == {
        "original": "/Volumes/STICK/pics/a.jpg",
        "original_size": 4711,
        "original_time": "2023-11-14T22:00:00Z",
        "made_by": "com.apple.x",
        "time": "2023-11-14T22:13:20Z",
        "hits": 3,
        "width": 2,
        "height": 3,
    }
    picture = bytes_of(item, child)
    assert picture[:2] == b"BM"
    assert len(picture) == child.size == 54 + 8 * 3
    assert picture[54 + 16 : 54 + 22] == PIXELS[0:3] + PIXELS[4:7]  # the last row of a BMP is the first of the picture
    (gone,) = findings(said)
    assert (gone.kind, gone.data["original"]) == ("thumbnail-missing", "/b.mov")


def test_the_newer_index_names_files_by_number() -> None:
    (child,) = children(run("quicklook", item_of(new(), f"{FOLDER}/index.sqlite", STORE)))
    data = child.findings[0][2]
    assert (data["file_id"], data["original_size"], data["made_by"]) == (12885210013, 99, "com.apple.qlgenerator")
    assert data["original_time"] == "2023-11-14T22:00:00Z"


def test_pixels_that_cannot_be_had_are_told() -> None:
    for index, beside, why in (
        (new(), {}, "is not there"),
        (new(at=5), STORE, "behind the end"),
        (new(info=1), STORE, "no known layout"),
    ):
        said = run("quicklook", item_of(index, f"{FOLDER}/index.sqlite", beside))
        assert children(said) == []
        assert findings(said)[0].kind == "thumbnail-missing"
        assert why in problems(said)[0].message


def test_files_in_the_cloud_are_told() -> None:
    data = database(
        "CREATE TABLE thumbnails (docid integer, vol_uuid blob, last_hit_date integer, last_seen_path text, size integer)",
        "INSERT INTO thumbnails VALUES (7, x'00', 1700000000, '/Users/kim/.a.jpg.icloud', 5)",
    )
    (found,) = findings(run("quicklook", item_of(data, f"{FOLDER}/cloudthumbnails.db")))
    assert found.data == {"original": "/Users/kim/.a.jpg.icloud", "time": "2023-11-14T22:13:20Z", "document": 7}


def test_other_databases_say_nothing_and_what_is_none_is_told() -> None:
    assert run("quicklook", item_of(database("CREATE TABLE x (a)"), f"{FOLDER}/index.sqlite")) == []
    assert "cannot be read" in problems(run("quicklook", item_of(b"none", f"{FOLDER}/index.sqlite")))[0].message


def test_damage_never_breaks_it() -> None:
    for data in mutants(old(), 60):
        never_fails("quicklook", item_of(data, f"{FOLDER}/index.sqlite", STORE))
