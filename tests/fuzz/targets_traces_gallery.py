"""Targets of caches and thumbnails that phones and old browsers kept: Firefox's first cache, Android's and Apple's galleries, apps."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from targets import Target, reads

from triage.artifacts import blobcache, cache1, cooliris, disklru, ithmb, mediaplaces, minithumbs, volley
from triage.artifacts.androidpaths import original_of
from triage.artifacts.cache1left import leftover
from triage.artifacts.embedded import embedded
from triage.artifacts.pixels import CODEC, LAYOUTS
from triage.artifacts.structure import Notes
from triage.plugin import Beside, Item, Problem, run_plugin
from triage.registry import find_plugins

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from real_samples import item_of
from test_plugin_android_thumbnails import slots
from test_plugin_appended import FORMATS, picture
from test_plugin_cached_files import PATH as VOLLEY
from test_plugin_cached_files import volley as volley_file
from test_plugin_disk_cache import FOLDER, PHOTO, head, journal, key_of
from test_plugin_embedded_pictures import FILM, blob
from test_plugin_embedded_pictures import PATH as UNKNOWN
from test_plugin_firefox_old_cache import FILES, cache
from test_plugin_gallery_cache import FILES as GALLERY
from test_plugin_gallery_cache import album
from test_plugin_ios_thumbnails import JPEG, MEDIA, NOTE, raw, scene

_OLD = "vol1/Android/data/com.cooliris.media/cache"


def _run(name: str, item: Item) -> None:
    info = find_plugins().plugins[name]
    for result in run_plugin(info.load(), info.key(), item):
        assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail


def _firefox(data: bytes) -> None:
    cache1.parse_map(data)
    found = list(cache1.entries(reads(data), len(data)))
    for entry in found:
        cache1.url_of(entry.key)
        assert entry.offset + entry.length <= len(data)
    block = Beside("_CACHE_001_", len(data), reads(data), 0)
    given, left = leftover({1: block}, {1: 16384}, [(entry, 1, None) for entry in found])
    assert all(one.offset + one.length <= len(data) for one in (*given.values(), *left))
    files = cache(FILES)
    for name in ("_CACHE_MAP_", "_CACHE_001_"):
        beside = {**files, name: data}
        _run("firefox_old_cache", item_of(beside.pop(name), f"vol1/Cache/{name}", beside))
    _run("firefox_old_cache", item_of(data, "vol1/Cache/_CACHE_001_", {"_CACHE_002_": data}))


def _gallery(data: bytes) -> None:
    for one in blobcache.blobs(reads(data), len(data)):
        assert one.offset + one.length <= len(data)
    blobcache.indexed(data, 1)
    blobcache.picture_of(data)
    cooliris.parse_index(data)
    for known in cooliris.known_in(data):
        cooliris.key_of(known.path)
        original_of("vol1/Android/data/x", known.path)
    original_of(data.decode("utf-8", "replace"), data.decode("latin-1"))
    _run("gallery_cache", item_of(data, "vol1/x/imgcache.0", {"imgcache.idx": data}))
    beside = {"local-image-thumbsindex": data, "local-album-cachechunk_0": data}
    _run("gallery_cache", item_of(data, f"{_OLD}/local-image-thumbschunk_0", beside))
    _run("gallery_cache", item_of(data, f"{_OLD}/local-album-cachechunk_0"))


def _slots(data: bytes) -> None:
    for step in minithumbs.SLOTS:
        for one in minithumbs.minis(reads(data), len(data), step):
            assert one.offset + one.length <= len(data)
    _run("android_thumbnails", item_of(data, "vol1/DCIM/.thumbnails/.thumbdata3--1967290299"))
    _run("android_thumbnails", item_of(data, "vol1/DCIM/.thumbnails/.database_uuid"))


def _apps(data: bytes) -> None:
    disklru.parse_journal(data)
    disklru.parse_answer(data)
    found = volley.parse_volley(data)
    assert found is None or found.body <= len(data)
    beside = {f"{key_of(PHOTO)}.0": data, f"{key_of(PHOTO)}.1": data}
    _run("disk_cache", item_of(data, f"{FOLDER}/journal", beside))
    _run("disk_cache", item_of(journal(), f"{FOLDER}/journal", beside))
    _run("disk_cache_entries", item_of(data, f"{FOLDER}/{key_of(PHOTO)}.0"))
    _run("cached_files", item_of(data, VOLLEY))


def _embedded(data: bytes) -> None:
    for one in embedded(reads(data), len(data), 100, Notes()):
        assert 0 <= one.offset <= one.offset + one.length <= len(data)
    _run("embedded_pictures", item_of(data, UNKNOWN))


def _pixels(data: bytes) -> None:
    text = data[:40].decode("latin-1")
    for parameters in (text, *(f"{layout},{data[0] % 40 + 1 if data else 1},9,{data[-1] + 1 if data else 9}" for layout in LAYOUTS)):
        if CODEC.parameters.fullmatch(parameters):
            with contextlib.suppress(OSError):
                assert len(CODEC.undo(reads(data), len(data), parameters, 10_000)[0]) <= 10_000
    for name in ("3303.ithmb", "F1067_1.ithmb", "32x32.ithmb", text):
        form = ithmb.form_of(name, reads(data), len(data))
        assert form is None or form.record > 0
        _run("ios_thumbnails", item_of(data, f"vol1/{name}.ithmb"))
    _run("ios_thumbnails", item_of(data, f"{MEDIA}/PhotoData/Mutations/DCIM/IMG/Adjustments/Adjustments.plist"))


def _places(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    mediaplaces.place_of(text)
    mediaplaces.stamp_of(text)
    _run("app_media", item_of(JPEG, f"vol1/{text}"))


TARGETS = [
    Target("firefox-old-cache", _firefox, lambda: list(cache(FILES[:2]).values()),
           ("triage.artifacts.cache1", "triage.artifacts.cache1left", "triage.plugins.firefox_old_cache"),
           tokens=(b"\0\1\0\x13", b"HTTP:", b"\x1f\x8b\x08", b"\x90\0\0\0")),
    Target("android-gallery", _gallery, lambda: [*GALLERY.values(), album(), b"\0\0\0\0\0\0\0\2\0\1\0\1" + JPEG],
           ("triage.artifacts.blobcache", "triage.artifacts.cooliris", "triage.artifacts.androidpaths", "triage.plugins.gallery_cache"),
           tokens=(b"\x10\x85\x24\xbd", b"\xff\xd8\xff", b"\0\nimage/jpeg", b"/sdcard/", b"\0\0\xca\xfe")),
    Target("android-thumbnails", _slots, lambda: [slots({0: JPEG, 1: JPEG})],
           ("triage.artifacts.minithumbs", "triage.plugins.android_thumbnails"), tokens=(b"\1", b"\xff\xd8\xff")),
    Target("app-caches", _apps, lambda: [head(PHOTO), journal("CLEAN abc 1 2"), volley_file("https://example.org/a", JPEG, {"A": "b"})],
           ("triage.artifacts.disklru", "triage.artifacts.volley", "triage.plugins.disk_cache", "triage.plugins.disk_cache_entries",
            "triage.plugins.cached_files"), tokens=(b"libcore.io.DiskLruCache", b"CLEAN ", b"\6\3\x15\x20", b"HTTP/1.1 200")),
    Target("embedded-pictures", _embedded, lambda: [blob([picture(form), FILM]) for form in FORMATS],
           ("triage.artifacts.embedded", "triage.plugins.embedded_pictures"),
           tokens=(b"ftypisom", b"GIF89a", b"WEBPVP8 ", b"\xff\xda\0\2")),
    Target("raw-thumbnails", _pixels, lambda: [raw(scene(32, 32)) * 2, NOTE, b"rgb565le,3,3,6"],
           ("triage.artifacts.pixels", "triage.artifacts.ithmb", "triage.plugins.ios_thumbnails"),
           tokens=(b"rgb,", b"i420,", b"x32.ithmb")),
    Target("media-places", _places, lambda: [b"WhatsApp/Media/WhatsApp Images/Sent/IMG-20230101-WA0001.jpg", b"PXL_20230102_030405678.jpg"],
           ("triage.artifacts.mediaplaces", "triage.plugins.app_media"),
           tokens=(b"/micromsg/", b"/library/mail/v1/", b"1577836800000", b"-WA")),
]  # fmt: skip
