"""Targets of browsers' and address books' files that are no databases."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from targets import Target

from triage.artifacts.lz4block import undo_block, undo_mozilla
from triage.artifacts.macbookmark import read_bookmark
from triage.artifacts.snappy import undo_snappy
from triage.artifacts.v8values import read_value
from triage.plugin import Child, Problem, run_plugin
from triage.registry import find_plugins

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
import chromium_real
from real_samples import item_of
from test_plugin_binary_cookies import TWO
from test_plugin_chromium_session import BOOKMARKS as CHROMIUM
from test_plugin_chromium_session import CLOSED, LOCAL, OPEN, PREFERENCES
from test_plugin_firefox_session import BOOKMARKS, ENGINES, SESSION, packed
from test_plugin_mac_mail import emlx
from test_plugin_safari import SESSION as SAFARI
from test_plugin_safari import bookmark, plist
from test_plugin_vcards import ICS, V3, V4, V21
from test_plugin_web_storage import INDEXED, MADE, PROFILE
from test_plugin_web_storage import LOCAL as STORED

if TYPE_CHECKING:
    from collections.abc import Callable


def _plugin(name: str, path: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        info = find_plugins().plugins[name]
        for result in run_plugin(info.load(), info.key(), item_of(data, path)):
            assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail
            assert not isinstance(result, Child) or result.size <= 1 << 28

    return run


def _packed(data: bytes) -> None:
    assert len(undo_snappy(data, 70_000)[0]) <= 70_000


def _v8(data: bytes) -> None:
    json.dumps(read_value(data)[0], allow_nan=False)


def _lz4(data: bytes) -> None:
    for undo in (undo_block, undo_mozilla):
        assert len(undo(data, 70_000)[0]) <= 70_000


TARGETS = [
    Target("safari", _plugin("safari", "vol1/Library/Safari/LastSession.plist"),
           lambda: [plist(SAFARI), plist({"DownloadHistory": [{"DownloadEntryURL": "https://example.org/"}]})],
           ("triage.plugins.safari", "triage.artifacts.safariplists"), tokens=(b"TabURL", b"SessionState", b"\xd1", b"\xa1")),
    Target("binary-cookies", _plugin("binary_cookies", "vol1/Library/Cookies/Cookies.binarycookies"), lambda: [TWO],
           ("triage.plugins.binary_cookies", "triage.artifacts.binarycookies"), tokens=(b"cook", b"\0\0\1\0", b"\xff" * 4)),
    Target("vcards", _plugin("vcards", "vol1/a.vcf"), lambda: [V3, V21, V4, ICS],
           ("triage.plugins.vcards", "triage.artifacts.contentlines"),
           tokens=(b"BEGIN:VCARD\n", b"END:VCARD\n", b"\r\n ", b"ENCODING=b:", b"QUOTED-PRINTABLE:=\n", b'"', b";;;")),
    Target("chromium-open", _plugin("chromium_session", "vol1/p/Current Session"), lambda: [OPEN],
           ("triage.plugins.chromium_session", "triage.artifacts.snss"), tokens=(b"SNSS\3\0\0\0", b"\x0d\0\x18", b"\xff" * 4)),
    Target("chromium-closed", _plugin("chromium_session", "vol1/p/Current Tabs"), lambda: [CLOSED], ("triage.artifacts.snss",),
           tokens=(b"SNSS\1\0\0\0", b"\x05\0\x02", b"\xff" * 4)),
    Target("chromium-json", _plugin("chromium_session", "vol1/p/Preferences"),
           lambda: [json.dumps(value).encode() for value in (CHROMIUM, PREFERENCES, LOCAL)], ("triage.artifacts.chromiumjson",),
           tokens=(b"null", b"{}", b"[]", b'"roots":')),
    Target("mac-mail", _plugin("mac_mail", "vol1/1.emlx"), lambda: [emlx(b"From: a\n\nb\n")], ("triage.plugins.mac_mail",),
           tokens=(b"10\n", b"<integer>", b"flags")),
    Target("web-storage-log", _plugin("web_storage", f"{STORED}/000003.log"), lambda: [MADE[:4000], chromium_real.LOCAL_LOG],
           ("triage.plugins.web_storage", "triage.artifacts.leveldb", "triage.artifacts.webstorage"),
           tokens=(b"META:", b"_https://a\0\1", b"\0" * 7, b"\x01\x0c")),
    Target("web-storage-table", _plugin("web_storage", f"{STORED}/000005.ldb"), lambda: [chromium_real.LOCAL_TABLE],
           ("triage.artifacts.leveldb",),
           tokens=(b"\x57\xfb\x80\x8b\x24\x75\x47\xdb", b"\xff" * 5)),
    Target("web-storage-objects", _plugin("web_storage", INDEXED), lambda: [chromium_real.INDEXED_DB[:9000]],
           ("triage.artifacts.webstorage",),
           tokens=(b"\0\1\1\1", b"o{A;", b"\xff\x11\x02")),
    Target("web-storage-tabs", _plugin("web_storage", f"{PROFILE}/Session Storage/000003.log"), lambda: [chromium_real.SESSION_STORAGE],
           ("triage.artifacts.webstorage",), tokens=(b"map-", b"namespace-")),
    Target("snappy", _packed, lambda: [b"\x08\x04ab\x16\x02\x00", b"\x07\x00a\x09\x01"], ("triage.artifacts.snappy",),
           tokens=(b"\xff" * 4, b"\xf0")),
    Target("v8-values", _v8, lambda: [b'\xff\x0fo"\x01aI\x02"\x01bA\x01D' + bytes(8) + b"$\0\1{\2"], ("triage.artifacts.v8values",),
           tokens=(b"o", b"{\1", b"A\5", b"B\2", b"V", b"Z\xff\xff", b"N" + b"\xff" * 8, b"\\i")),
    Target("mac-bookmark", read_bookmark, lambda: [bookmark("private", "a.jpg")], ("triage.artifacts.macbookmark",),
           tokens=(b"\xfe\xff\xff\xff", b"\x04\x10\0\0", b"\x01\x06\0\0")),
    Target("lz4-block", _lz4, lambda: [b"\x12a\x01\x00\x50tail!", packed(SESSION)], ("triage.artifacts.lz4block",),
           tokens=(b"\xff" * 8, b"\xf0")),
    Target("firefox-session", _plugin("firefox_session", "vol1/p/sessionstore.jsonlz4"),
           lambda: [json.dumps(SESSION).encode(), packed(BOOKMARKS), packed(ENGINES)],
           ("triage.plugins.firefox_session", "triage.artifacts.mozsession", "triage.artifacts.browsing"),
           tokens=(b'"windows":', b'"tabs":[', b'"entries":[', b"null", b"{}", b"[]")),
]  # fmt: skip
