"""Targets of what plugins read of programs: caches, lists of files, mail, the recycle bin, databases of known programs."""

from __future__ import annotations

import contextlib
import sys
from functools import cache
from pathlib import Path

from targets import Target, reads

from triage.artifacts import bencode, blockfile, cache2, emule, mime, recycled, simplecache, thumbcache, web
from triage.artifacts.blobplace import place_of, source_of
from triage.artifacts.child import child_of
from triage.artifacts.compound import open_compound
from triage.artifacts.owner import program_of, user_of
from triage.artifacts.recipe import follow, unpack_recipe
from triage.artifacts.shortcut import read_destlist, read_shortcut
from triage.artifacts.sqlite import open_database
from triage.artifacts.stores import read_stores
from triage.artifacts.structure import StructureError
from triage.plugin import Problem, run_plugin
from triage.registry import PluginInfo, find_plugins

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from cache_makers import PACKED, PACKED_PAGE, chromium_head
from cache_makers import blockfile as made_blockfile
from cache_makers import cache2 as made_cache2
from cache_makers import simple as made_simple
from plugin_samples import deleted_rows, history
from real_samples import item_of
from test_plugin_bittorrent import TORRENT
from test_plugin_emule import known, tag
from test_plugin_mail import MAIL
from test_plugin_recycle_bin import info2, note
from test_plugin_shortcuts import shortcut
from test_plugin_thumbcache import JPEG
from test_plugin_thumbcache import cache as thumbnails
from test_plugin_thumbs_db import thumbs

FILES = made_blockfile([("https://example.org/page", PACKED, PACKED_PAGE), ("https://example.org/none", {}, b"")])


def _blockfile(data: bytes) -> None:
    found = {entry.address: entry for entry in blockfile.entries(reads(data), len(data), 1)}
    for entry in found.values():
        blockfile.key_hash(entry.key)
    blockfile.reachable(data, found)
    web.split_headers(blockfile.answer_head(data)[1], b"\0")


def _lists(data: bytes) -> None:
    for file in emule.read_known(data)[0]:
        assert file.end <= len(data)
        file.said()
    found = read_shortcut(data)
    assert found is None or found.end <= len(data)
    list(read_destlist(data))
    recycled.read_i(data)
    recycled.read_info2(data)
    with contextlib.suppress(StructureError):
        bencode.Bencoded(data)


def _mail(data: bytes) -> None:
    for start, end in mime.mails_of(data):
        assert 0 <= start <= end <= len(data)
        for part in mime.parts_of(data, start, end):
            assert part.start <= part.end <= end
            mime.text_of(data[part.start : part.end], part)
            mime.date_of(part.headers.get("date", ""))
            mime.decoded(part.headers.get("subject", ""))


def _stores(data: bytes) -> None:
    with contextlib.suppress(StructureError), open_database(data) as database:
        for _, trace in read_stores(database, deleted=True):
            assert trace.title


def _recipe(data: bytes) -> None:
    head, _, rest = data.partition(b"\n")
    with contextlib.suppress(ValueError, OSError):
        steps = unpack_recipe(head.decode("latin-1"))
        read_at, size, _ = follow(reads(rest), steps)
        assert len(read_at(0, 1 << 20)) <= max(size, 0)


def _thumbnails(data: bytes) -> None:
    with contextlib.suppress(StructureError):
        for stream in open_compound(reads(data), len(data)).streams:
            assert len(stream.read(reads(data), 1 << 20)) <= stream.size
    for version in (20, 32):
        for entry in thumbcache.entries(reads(data), len(data), version):
            assert sum(entry.data) <= len(data)
    value = data[100:9000]
    place = place_of(value, [source_of(data)])
    if place is not None:
        cut = place[1]
        assert b"".join(data[at : at + n] for at, n in zip(cut[::2], cut[1::2], strict=True)) == value


def _text(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    user_of(text)
    program_of(text)
    web.search_term(text)
    web.file_name(text, "image/png")
    web.cached("vol1/x", text, None)
    assert "\x1b" not in child_of(data, [["cut", 0, 1]], 1).name


def _plugins(data: bytes) -> None:
    """Run each plugin over the same bytes as if they were what it looks for; what lies beside is whole."""
    for name, path, beside in PLUGINS:
        info = find_plugins_once()[name]
        item = item_of(data, path, beside)
        for result in run_plugin(info.load(), info.key(), item):
            assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail


@cache
def find_plugins_once() -> dict[str, PluginInfo]:
    return find_plugins().plugins


MAIN, LOG = history()
PLUGINS = [
    ("chromium_cache", "vol1/Cache/data_1", {name: data for name, data in FILES.items() if name != "data_1"}),
    ("chromium_simple_cache", "vol1/Cache/0123456789abcdef_0", {}),
    ("firefox_cache", "vol1/cache2/entries/0123456789ABCDEF0123456789ABCDEF01234567", {}),
    ("app_databases", "vol1/History", {}),
    ("app_database_logs", "vol1/History-wal", {"History": MAIN}),
    ("emule", "vol1/known.met", {}),
    ("bittorrent", "vol1/x.torrent", {}),
    ("mail", "vol1/1.eml", {}),
    ("archives", "vol1/x.zip", {}),
    ("recycle_bin", "vol1/$I123456", {}),
    ("shortcuts", "vol1/a.lnk", {}),
    ("thumbs_db", "vol1/Thumbs.db", {}),
    ("thumbcache", "vol1/thumbcache_96.db", {}),
    ("database_pictures", "vol1/x.db", {}),
    ("nsurl_cache", "vol1/Cache.db", {"Cache.db-wal": LOG}),
    ("recycle_bin", "vol1/INFO2", {}),
]

TARGETS = [
    Target("blockfile", _blockfile, lambda: [FILES["data_1"], FILES["index"][:2000], chromium_head(PACKED)],
           ("triage.artifacts.blockfile",), tokens=(b"HTTP/1.1 200\0",)),
    Target("browser-caches", lambda data: (simplecache.parse_simple(reads(data), len(data)), cache2.parse_cache2(reads(data), len(data))),
           lambda: [made_simple("https://example.org/", PACKED, PACKED_PAGE), made_cache2("https://example.org/", PACKED, PACKED_PAGE)],
           ("triage.artifacts.simplecache", "triage.artifacts.cache2")),
    Target("file-lists", _lists,
           lambda: [known([[tag(1, "one"), tag(2, 1)]] * 3), TORRENT, info2(["C:\\a", "D:\\b"]), note("C:\\a", 1, 2), shortcut()],
           ("triage.artifacts.shortcut", "triage.artifacts.emule", "triage.artifacts.bencode", "triage.artifacts.recycled"),
           tokens=(b"d1:a", b"l", b"i9e", b"\xff" * 4)),
    Target("mail", _mail, lambda: [MAIL, b"From x 10:00\n" + MAIL + b"\n\nFrom y 10:00\n" + MAIL], ("triage.artifacts.mime",),
           tokens=(b"--=_x\r\n", b"Content-Type: multipart/mixed; boundary=a\n", b"=?utf-8?b?", b"filename*0*=", b"\n\n")),
    Target("stores", _stores, lambda: [history()[0], deleted_rows()],
           ("triage.artifacts.stores*", "triage.artifacts.sqlitedeleted", "triage.artifacts.times")),
    Target("recipes", _recipe,
           lambda: [b'[["cut",0,50],["undo","gzip",99]]\n' + PACKED_PAGE, b'[["cut",0,9,4,5],["undo","base64",9]]\nQUJD'],
           ("triage.artifacts.recipe",), tokens=(b'["undo","zstd",9]', b'["undo","brotli",9]', b'["undo","uu",9]', b"]")),
    Target("thumbnails", _thumbnails, lambda: [thumbs(["a.jpg", "b.jpg"]), thumbnails([JPEG, JPEG]), MAIN],
           ("triage.artifacts.compound", "triage.artifacts.thumbcache", "triage.artifacts.blobplace")),
    Target("traces-text", _text,
           lambda: [b"vol1/Users/kim/AppData/Local/Google/Chrome/User Data/Default/Cache/x", b"https://www.google.com/search?q=a+b"],
           ("triage.artifacts.owner", "triage.artifacts.web", "triage.artifacts.child"), tokens=(b"../", b"%00", b"?q=", b"[::1")),
    Target("trace-plugins", _plugins, lambda: [FILES["data_1"][:12000], thumbs(["a.jpg"]), thumbnails([JPEG]),
                                               made_simple("https://x.example/", PACKED, PACKED_PAGE), LOG[:9000],
                                               known([[tag(1, "one")]] * 2), TORRENT, MAIL, info2(["C:\\a"]), note("C:\\a", 1, 2)],
           tuple(f"triage.plugins.{name}" for name in sorted({name for name, _, _ in PLUGINS}))),
]  # fmt: skip
