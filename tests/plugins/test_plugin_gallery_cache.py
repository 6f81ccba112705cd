"""Caches of Android's gallery: one of a phone of 2011, made ones of the later form, and damage."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from real_samples import ARTIFACTS, bytes_of, children, findings, item_of, mutants, needs_samples, never_fails, problems, run

from triage.artifacts.androidpaths import original_of
from triage.artifacts.blobcache import blobs
from triage.artifacts.cooliris import key_of

if TYPE_CHECKING:
    from triage.plugin import Item

JPEG = b"\xff\xd8\xff\xe0\0\4ab" + b"\xff\xda\0\4ab" + b"x" * 200 + b"\xff\xd9"
CACHE = "vol1/Android/data/com.android.gallery3d/cache"
OLD = "vol1/Android/data/com.cooliris.media/cache"
PATH = "/storage/emulated/0/DCIM/Camera/IMG_1.jpg"


def imgcache(pictures: list[tuple[int, str, bytes]], *, forget: frozenset[int] = frozenset()) -> dict[str, bytes]:
    """Return data file and index of a cache: key, text and picture of each; ``forget``: places that the index does not have."""
    data, table = struct.pack("<I", 0xBD248510), b""
    for place, (key, text, picture) in enumerate(pictures):
        content = text.encode("utf-16-le") + picture
        if place not in forget:
            table += struct.pack("<QI", key, len(data))
        data += struct.pack("<QIII", key, zlib.adler32(content), len(data), len(content)) + content
    header = struct.pack("<7I", 0xB3273030, 8, 1 << 20, 0, len(pictures), len(data), 7)
    index = header + struct.pack("<I", zlib.adler32(header)) + table.ljust(96, b"\0") + bytes(96)
    return {"imgcache.0": data, "imgcache.idx": index}


FILES = imgcache([(1, f"{PATH}+1380000000+1", JPEG), (2, "/local/image/item/77+1380000000+2", JPEG), (3, "x", b"no picture")])


def item(files: dict[str, bytes], name: str = "imgcache.0", folder: str = CACHE) -> Item:
    rest = dict(files)
    return item_of(rest.pop(name), f"{folder}/{name}", rest)


def samples() -> list[Item]:
    return [item(FILES)]


def test_thumbnails_have_path_and_time_of_their_pictures() -> None:
    one = item(FILES)
    said = run("gallery_cache", one)
    first, second = children(said)
    assert bytes_of(one, first) == bytes_of(one, second) == JPEG
    data = first.findings[0].data
    assert first.name == "00000-IMG_1.jpg"
    assert (data["original"], data["original_time"], data["in_use"]) == ("/DCIM/Camera/IMG_1.jpg", "2013-09-24T05:20:00Z", True)
    assert ("original" in second.findings[0].data, second.findings[0].data["path"]) == (False, "/local/image/item/77")
    assert [p.message for p in problems(said)] == ["1 entries of a gallery's cache hold no picture"]


def test_what_the_index_has_no_more_is_a_deleted_thumbnail() -> None:
    files = imgcache([(1, f"{PATH}+1380000000+1", JPEG), (2, f"{PATH}+1380000001+1", JPEG)], forget=frozenset({0}))
    assert [c.deleted for c in children(run("gallery_cache", item(files)))] == [True, False]
    del files["imgcache.idx"]
    assert ["in_use" in c.findings[0].data for c in children(run("gallery_cache", item(files)))] == [False, False]


def test_damage_costs_only_what_is_damaged() -> None:
    files = imgcache([(n, f"{PATH}+1380000000+{n}", JPEG) for n in range(4)])
    data = bytearray(files["imgcache.0"])
    second = next(b for b in blobs(lambda o, n: bytes(data[o : o + n]), len(data)) if b.key == 1).offset
    data[second - 8 : second] = b"\xff" * 8  # its own offset, and its length
    data[-2] ^= 1
    said = children(run("gallery_cache", item({**files, "imgcache.0": bytes(data)})))
    assert [c.findings[0].data["thumbnail_kind"] for c in said] == [0, 2, 3]
    assert [c.findings[0].data.get("damaged") for c in said] == [None, None, "its checksum does not agree"]


def test_stated_paths_are_turned_into_paths_of_the_card() -> None:
    assert original_of("vol2/Android/data/x/cache/a", "/sdcard/DCIM/a.jpg") == "/DCIM/a.jpg"
    assert original_of("vol1/media/0/Android/data/x/cache/a", "/storage/emulated/0/DCIM/a.jpg") == "/media/0/DCIM/a.jpg"
    assert original_of("vol1/media/0/DCIM/.thumbnails/a", "/storage/emulated/0/Download/a.jpg") == "/media/0/Download/a.jpg"
    assert original_of("vol1/data/com.x/cache/a", "/storage/emulated/0/DCIM/a.jpg") == "/media/0/DCIM/a.jpg"
    assert original_of("vol1/data/user/10/com.x/cache/a", "/storage/emulated/10/DCIM/a.jpg") == "/data/media/10/DCIM/a.jpg"
    assert original_of("vol1/elsewhere/a", "/storage/emulated/0/DCIM/a.jpg") == ""
    assert original_of("vol1/Android/data/x/a", "/data/local/a.jpg") == ""


def test_other_files_of_that_name_are_quiet() -> None:
    assert run("gallery_cache", item_of(b"plain words" * 20, f"{CACHE}/imgcache.0")) == []
    assert run("gallery_cache", item_of(JPEG, f"{OLD}/hires-image-cache_x.cache")) == []


def album(path: str = "/sdcard/DCIM/a.jpg") -> bytes:
    """Return a list of one picture as the first gallery kept it."""
    text = path.encode()
    fields = struct.pack(">IddQBQQII", 0, 52.5, 13.4, 1_304_693_012_000, 0, 1_304_707_415, 1_304_707_414, 0, 90)
    return struct.pack(">IQQQ", 1, 0, 0, 2) + b"\0\1a\0\nimage/jpeg" + fields + struct.pack(">H", len(text)) + text


def test_the_first_gallerys_albums_name_pictures_with_places() -> None:
    (found,) = findings(run("gallery_cache", item({"local-album-cachechunk_0": album()}, "local-album-cachechunk_0", OLD)))
    assert (found.kind, found.data["path"], found.data["media_id"]) == ("media-file", "/sdcard/DCIM/a.jpg", 2)
    assert (found.data["latitude"], found.data["longitude"], found.data["modified"]) == (52.5, 13.4, "2011-05-06T18:43:34Z")


def test_without_the_index_thumbnails_are_named_by_the_pictures_number() -> None:
    files = {"local-image-thumbschunk_0": struct.pack(">QHH", 2, 1, 1) + JPEG, "local-album-cachechunk_0": album()}
    one = item(files, "local-image-thumbschunk_0", OLD)
    (child,) = children(run("gallery_cache", one))
    assert bytes_of(one, child) == JPEG
    assert (child.findings[0].data["original"], child.findings[0].data["named_by"]) == ("/DCIM/a.jpg", "id")


def test_damage_never_breaks_it() -> None:
    for name in FILES:
        for data in mutants(FILES[name], 100):
            never_fails("gallery_cache", item({**FILES, name: data}))
    files = {"local-image-thumbschunk_0": (struct.pack(">QHH", 2, 1, 1) + JPEG) * 2, "local-album-cachechunk_0": album()}
    for name, whole in files.items():
        for data in mutants(whole, 150):
            for asked in files:
                never_fails("gallery_cache", item({**files, name: data}, asked, OLD))


def test_thumbnails_that_all_break_off_do_not_take_long() -> None:
    data = (struct.pack(">QHH", 2, 1, 1) + b"\xff\xd8\xff\xda\0\2") * 60_000
    said = run("gallery_cache", item({"local-image-thumbschunk_0": data}, "local-image-thumbschunk_0", OLD))
    assert "thumbnails that break off" in problems(said)[0].message


class TestRealSamples:
    pytestmark = needs_samples

    def _run(self, name: str) -> tuple[Item, list]:
        folder = ARTIFACTS / "dfrws2011_sdcard" / "Android" / "data" / "com.cooliris.media" / "cache"
        one = item({path.name: path.read_bytes() for path in folder.iterdir()}, name, OLD)
        return one, run("gallery_cache", one)

    def test_all_thumbnails_of_a_real_card_are_found_named_by_path(self) -> None:
        one, said = self._run("local-image-thumbschunk_0")
        found = [(c.findings[0].data["original"], c.findings[0].data["named_by"], c.deleted, c.size) for c in children(said)]
        assert found == [
            ("/download/292048878.jpg", "key", False, 4031),
            ("/DCIM/Camera/2011-05-06 14.43.35.jpg", "id", True, 3186),
            ("/DCIM/Camera/2011-05-06 14.43.35.jpg", "key", False, 3186),
        ]
        assert all(bytes_of(one, c)[:2] + bytes_of(one, c)[-2:] == b"\xff\xd8\xff\xd9" for c in children(said))
        assert all((ARTIFACTS / "dfrws2011_sdcard" / original.lstrip("/")).is_file() for original, *_ in found)

    def test_a_large_one_is_named_by_its_key(self) -> None:
        (found,) = findings(self._run("hires-image-cache66588715174662715_1024.cache")[1])
        assert (found.data["original"], found.data["original_time"]) == ("/DCIM/Camera/2011-05-06 14.43.35.jpg", "2011-05-06T18:43:34Z")
        assert key_of("/sdcard/DCIM/Camera/2011-05-06 14.43.35.jpg") == 66588715174662715

    def test_the_albums_name_both_pictures_as_they_were_at_two_times(self) -> None:
        data = [f.data for f in findings(self._run("local-album-cachechunk_0")[1])]
        assert [(d["path"], d["added"], d.get("modified")) for d in data] == [
            ("/sdcard/download/292048878.jpg", "2011-05-06T18:28:55Z", None),
            ("/sdcard/DCIM/Camera/2011-05-06 14.43.35.jpg", "2011-05-06T18:43:35Z", None),
            ("/sdcard/DCIM/Camera/2011-05-06 14.43.35.jpg", "2011-05-06T18:43:35Z", "2011-05-06T18:43:34Z"),
            ("/sdcard/download/292048878.jpg", "2011-05-06T18:28:55Z", "2011-05-06T18:28:54Z"),
        ]
