"""Targets of what Windows keeps of the web and of files: index.dat, ESE databases, the web cache and the search index."""

from __future__ import annotations

import contextlib
import sys
from functools import cache
from pathlib import Path

from targets import Target, reads

from triage.artifacts import esevalue, msiecf, searchindex
from triage.artifacts.ese import open_ese
from triage.artifacts.sqlite import open_database
from triage.artifacts.structure import Notes, StructureError
from triage.plugin import Problem, run_plugin
from triage.registry import PluginInfo, find_plugins

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from ese_maker import seven_bits
from real_samples import item_of
from test_plugin_index_dat import DOWNLOAD, INDEX, VISIT_VALUES, url_record
from test_plugin_webcache import SMALL, database, many
from test_plugin_windows_search import edb, windows_db

# The bitmap is long and nearly empty: mutants would hit nothing else.
FILES = INDEX[:0x300] + INDEX[0x4000:0x4040] + INDEX[0x5000:]


def _index(data: bytes) -> None:
    whole = data[:0x300].ljust(0x4000, b"\0") + data[0x300:0x340].ljust(4096, b"\3\0\0\0"[:1]) + data[0x340:]
    msiecf.read_download(data)
    msiecf.visit_values(data)
    msiecf.cached_user(data)
    with contextlib.suppress(StructureError):
        header, length = msiecf.read_header(whole), 0
        for record in msiecf.records(whole, header, Notes()):
            msiecf.place_of(record.location)
            length += record.length
        assert length <= 2 * len(whole)


def _ese(data: bytes) -> None:
    database = open_ese(reads(data), len(data))
    for table in list(database.tables.values())[:50]:
        for row in database.rows(table):
            assert 0 <= row.offset < len(data)
    assert len(database.notes.lines()) < 50


def _values(data: bytes) -> None:
    for kind in range(20):
        esevalue.decoded(kind, 1200, data)
    assert len(esevalue.lzxpress(data, 70_000)) <= 70_000
    esevalue.unpacked(data)


def _search(data: bytes) -> None:
    if data.startswith(b"SQLite"):
        with open_database(data) as database:
            list(searchindex.entries_of_sqlite(database))
    else:
        list(searchindex.entries_of_ese(open_ese(reads(data), len(data))))


@cache
def _known() -> dict[str, PluginInfo]:
    return find_plugins().plugins


def _plugins(data: bytes) -> None:
    for name, path in (("index_dat", "vol1/index.dat"), ("webcache", "vol1/WebCacheV01.dat"), ("windows_search", "vol1/Windows.edb")):
        info = _known()[name]
        for result in run_plugin(info.load(), info.key(), item_of(data, path)):
            assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail


TARGETS = [
    Target("index-dat", _index, lambda: [FILES, VISIT_VALUES, bytes(DOWNLOAD), FILES + url_record(b"Visited: a@file:///C:/b")],
           ("triage.artifacts.msiecf",), tokens=(b"URL \1\0\0\0", b"REDR", b"LEAK", b"HASH\x20\0\0\0", b"Visited: a@", b"~U:")),
    Target("ese", _ese, lambda: [SMALL, database(many(80), page_size=4096), database(many(5))], ("triage.artifacts.ese",),
           allowed=(StructureError,), tokens=(b"\xff\x7f", b"\0\x40", b"\xff\xff\xff\xff", b"\x18\xff\xff")),
    Target("ese-values", _values, lambda: [bytes(seven_bits("text of seven bits")), b"\x18\x2c\x01\xff\xff\xff\x1fabc\x17\0\x0f\xff&\x01"],
           ("triage.artifacts.esevalue",), allowed=(StructureError,), tokens=(b"\xff\xff", b"\x18\xff\xff", b"\x08", b"\x10")),
    Target("search-index", _search, lambda: [edb(page_size=4096), windows_db()[0]], ("triage.artifacts.searchindex",),
           allowed=(StructureError,)),
    Target("ese-plugins", _plugins, lambda: [INDEX[:0x6000], SMALL, edb(page_size=4096), windows_db()[0]],
           ("triage.plugins.index_dat", "triage.plugins.webcache", "triage.plugins.windows_search")),
]  # fmt: skip
