"""Whether the picture of a thumbnail is there, was deleted, or is gone."""

from __future__ import annotations

import sys
from pathlib import Path

from engine_support import run_case
from fat_image import make_fat

from triage.case.store import Case
from triage.case.work import Original, Seen
from triage.engine.originals import originals_of

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from test_plugin_archives import tar_of
from test_plugin_thumbcache import JPEG, cache
from test_plugin_thumbs_db import thumbs
from test_plugin_windows_search import CACHE_ID, edb


def seen(path: str, state: str = "allocated", volume: int = 1, evidence: str = "e") -> Seen:
    return Seen(path, evidence, volume, path, state, None)


def thumbnail(original: str, path: str = "vol1/Pictures/Thumbs.db/1-x.jpg") -> Original:
    return Original("t", "e", 1, path, original)


def said(original: str, *places: Seen, path: str = "vol1/Pictures/Thumbs.db/1-x.jpg") -> list[str]:
    return [found.kind for found, _ in originals_of([thumbnail(original, path)], lambda: places)]


def test_a_picture_is_looked_for_in_the_folder_of_the_list() -> None:
    assert said("Dog.JPG", seen("vol1/Pictures/DOG.jpg")) == ["original-there"]
    assert said("Dog.JPG", seen("vol1/Pictures/dog.jpg", "deleted")) == ["original-deleted"]
    assert said("Dog.JPG", seen("vol1/Other/dog.jpg")) == ["original-gone"]
    assert said("Dog.JPG", seen("vol1/Pictures/dog.jpg", volume=2), seen("vol1/Pictures/dog.jpg", evidence="f")) == ["original-gone"]
    assert said("a.jpg", seen("vol1/a.jpg"), path="vol1/Thumbs.db") == ["original-there"]


def test_one_that_is_there_twice_is_there() -> None:
    assert said("a.jpg", seen("vol1/Pictures/a.jpg"), seen("vol1/Pictures/a.jpg", "deleted")) == ["original-there"]
    assert said("a.jpg", seen("vol1/Pictures/a.jpg", "deleted"), seen("vol1/Pictures/a.jpg")) == ["original-there"]


def test_a_whole_path_is_looked_for_in_every_volume() -> None:
    assert said("C:\\Users\\kim\\a.jpg", seen("vol2/Users/Kim/A.jpg", volume=2)) == ["original-there"]
    assert said("/home/kim/a.jpg", seen("vol3/home/kim/a.jpg", "orphan", volume=3)) == ["original-deleted"]
    assert said("/home/kim/a.jpg") == ["original-gone"]


def test_homes_may_be_a_volume_of_their_own() -> None:
    thumb = ".cache/thumbnails/normal/0a.png"
    assert said("/home/kim/a/b.jpg", seen("vol1/kim/a/b.jpg"), path=f"vol1/kim/{thumb}") == ["original-there"]
    assert said("/home/kim/a/b.jpg", seen("vol1/a/b.jpg", "deleted"), path=f"vol1/{thumb}") == ["original-deleted"]
    assert said("/home/kim/b.jpg", seen("vol1/home/kim/b.jpg"), path=f"vol1/home/kim/{thumb}") == ["original-there"]
    assert said("/home/kim/b.jpg", seen("vol2/kim/b.jpg", volume=2), path=f"vol1/kim/{thumb}") == ["original-gone"]
    assert said("/home/lee/b.jpg", seen("vol1/kim/b.jpg"), path=f"vol1/kim/{thumb}") == ["original-gone"]
    assert said("/media/kim/b.jpg", seen("vol2/media/kim/b.jpg", volume=2), path=f"vol1/kim/{thumb}") == ["original-there"]


def test_nothing_is_said_where_the_place_is_not_known() -> None:
    assert said("a.jpg", seen("vol1/a.jpg"), path="vol1/$CarvedFiles/1.ole/1-a.jpg") == []
    assert said("folder/a.jpg", seen("vol1/a.jpg")) == []


def test_a_thumbnail_under_a_number_has_the_name_that_the_search_index_gives_it(tmp_path: Path) -> None:
    shown = [{"System_ItemPathDisplay": "C:\\PICS\\HERE.JPG", "System_Kind": "picture", "System_ThumbnailCacheId": CACHE_ID}]
    folder = tar_of({"thumbcache_96.db": cache([JPEG]), "Windows.edb": edb(shown)})  # the disk's own names are short ones
    image = tmp_path / "e.raw"
    image.write_bytes(make_fat({"PICS/HERE.JPG": b"\xff\xd8\xff\xe0" + bytes(900), "A.TAR": folder}))
    run_case(image, tmp_path / "case")
    with Case.open(tmp_path / "case") as opened:
        said = [(row["kind"], row["data"]["original"], row["path"]) for row in opened.findings() if row["plugin"] == "originals"]
    assert [(kind, original) for kind, original, _ in said] == [
        ("original-there", "C:\\PICS\\HERE.JPG"),
        ("thumbnail-named", "C:\\PICS\\HERE.JPG"),
    ]
    assert all("thumbcache_96.db/" in path for _, _, path in said)


def test_a_name_of_the_search_index_is_told_though_its_place_is_not_known() -> None:
    one = Original("t", "e", 1, "vol1/thumbcache_96.db/1.jpg", "a.jpg", "vol1/Windows.edb")
    assert [found.kind for found, _ in originals_of([one], list)] == ["thumbnail-named"]


def test_a_run_says_it_and_ranks_by_it(tmp_path: Path) -> None:
    image = tmp_path / "e.raw"
    image.write_bytes(make_fat({"PICS/THUMBS.DB": thumbs(["HERE.JPG", "GONE.JPG"]), "PICS/HERE.JPG": b"\xff\xd8\xff\xe0" + bytes(900)}))
    run_case(image, tmp_path / "case")
    with Case.open(tmp_path / "case") as opened:
        kinds = {row["data"]["original"]: row["kind"] for row in opened.findings() if row["kind"].startswith("original-")}
        rules = {row["name"]: {one["rule"] for one in row["reasons"]} for row in opened.queue()}
    assert kinds == {"HERE.JPG": "original-there", "GONE.JPG": "original-gone"}
    assert "original-gone" in next(found for name, found in rules.items() if "GONE" in name)
    assert not any("original-gone" in found for name, found in rules.items() if "HERE" in name)
