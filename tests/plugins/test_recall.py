"""Recall and precision by source: what each real sample holds by other readers' word, and what is found. ``make recall`` prints the table.

What a sample holds is told by a truth file, by SQLite itself (the rows of its tables, their times reckoned here), by Python's ``email``, or
by what other programs tell (rifiuti2, IPED's answer key, libmsiecf). Rows that were deleted are no part of it: no other reader has them.
"""

from __future__ import annotations

import csv
import email
import email.policy
import hashlib
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from real_samples import ARTIFACTS, TRUTH, bytes_of, children, findings, item_of, needs_samples, run
from test_plugin_index_dat import TestRealSamples as IndexDat
from test_plugin_recycle_bin import SAMPLES, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from triage.plugin import Finding

    Row = tuple[object, ...]
    Look = Callable[[], Iterable[Row]]

pytestmark = needs_samples
CHROME = "vol1/Users/kim/AppData/Local/Google/Chrome/User Data/Default/History"
EPOCH_1601, EPOCH_2001 = 11_644_473_600, 978_307_200


class Source(NamedTuple):
    """A sample: its name, what it holds and what is found in it, each as rows that are compared."""

    name: str
    held: Look
    found: Look


def second(data: dict[str, Any], key: str = "time") -> int | None:
    """Return a finding's time in whole seconds since 1970."""
    text = data.get(key)
    return int(datetime.fromisoformat(text[:19]).replace(tzinfo=UTC).timestamp()) if isinstance(text, str) else None


def query(sample: str, sql: str) -> Look:
    def ask() -> Iterable[Row]:
        with closing(sqlite3.connect(f"file:{ARTIFACTS / sample}?immutable=1", uri=True)) as base:
            return [tuple(row) for row in base.execute(sql)]

    return ask


def store(sample: str, path: str, kind: str, row: Callable[[dict[str, Any]], Row]) -> Look:
    def look() -> Iterable[Row]:
        said = findings(run("app_databases", item_of((ARTIFACTS / sample).read_bytes(), path)), kind)
        return [row(one.data) for one in said if not one.data.get("deleted")]

    return look


def history(name: str, sample: str) -> list[Source]:
    visits = f"SELECT u.url, v.visit_time / 1000000 - {EPOCH_1601} FROM visits v JOIN urls u ON u.id = v.url"
    return [
        Source(f"{name}: visits", query(sample, visits), store(sample, CHROME, "visit", lambda data: (data["url"], second(data)))),
        Source(f"{name}: addresses", query(sample, "SELECT url, visit_count FROM urls"),
               store(sample, CHROME, "history-url", lambda data: (data["url"], data.get("visits", 0)))),
    ]  # fmt: skip


def one_table(name: str, sample: str, path: str, kind: str, sql: str, row: Callable[[dict[str, Any]], Row]) -> Source:
    return Source(name, query(sample, sql), store(sample, path, kind, row))


def chrome_cache() -> Iterable[Row]:
    folder = ARTIFACTS / "chrome_cache"
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    one = item_of(files.pop("data_1"), "vol1/Users/kim/AppData/Local/Google/Chrome/User Data/Default/Cache/data_1", files)
    for child in children(run("chromium_cache", one)):
        yield child.findings[0].data["url"], hashlib.md5(bytes_of(one, child, steps=1)).hexdigest()


def chrome_cache_truth() -> Iterable[Row]:
    rows = csv.DictReader((TRUTH / "plaso_chrome_cache.tsv").read_text(encoding="utf-8").splitlines(), delimiter="\t")
    return [(row["url"], row["md5"]) for row in rows if row["md5"]]


def mails() -> Iterable[Row]:
    for path in sorted((ARTIFACTS / "eml").rglob("*.eml")):
        for one in findings(run("mail", item_of(path.read_bytes(), f"vol1/mail/{path.name}")), "mail"):
            yield path.name, str(one.data.get("message_id", "")).strip("<>")


def mails_truth() -> Iterable[Row]:
    for path in sorted((ARTIFACTS / "eml").rglob("*.eml")):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.compat32)
        yield path.name, str(message.get("Message-ID", "")).strip().strip("<>")


def bins() -> Iterable[Row]:
    for name in ("INFO2-sample1", "INFO2-sample2", "INFO-95-ja-1"):
        path = f"vol1/RECYCLER/{name.replace('INFO-', 'INFO2-')}"
        for one in findings(run("recycle_bin", item_of((SAMPLES / name).read_bytes(), path))):
            yield name, one.data["index"], one.data["time"][:19] + "Z", one.data["size"]
    for name in ("dir-sample1", "dir-win10-01", "dir-2019-uncpath"):
        for path in sorted((SAMPLES / name).glob("$I*")):
            for one in findings(run("recycle_bin", item_of(path.read_bytes(), f"vol1/$Recycle.Bin/S-1/{path.name}"))):
                yield name, path.name, one.data["time"][:19] + "Z", one.data.get("size")


def bins_truth() -> Iterable[Row]:
    for name in ("INFO2-sample1", "INFO2-sample2", "INFO-95-ja-1", "dir-sample1", "dir-win10-01", "dir-2019-uncpath"):
        for row in told(name):
            yield name, row["index"], row["time"], row["size"]


def index_dat() -> Iterable[Row]:
    for name, _, _ in IndexDat.TRUTH:
        said = findings(run("index_dat", item_of((ARTIFACTS / name).read_bytes(), f"vol1/{name}")))
        yield from ((name, number) for number, _ in enumerate(one for one in said if one.kind != "search-term"))


def named(plugin: str, sample: str, path: str, row: Callable[[Finding], Row | None]) -> Look:
    def look() -> Iterable[Row]:
        return [made for one in findings(run(plugin, item_of((ARTIFACTS / sample).read_bytes(), path))) if (made := row(one)) is not None]

    return look


def loaded(one: Finding) -> Row | None:
    if one.kind != "loading-file":
        return None
    return one.data["name"], *(one.data["digests"][0].get(kind) for kind in ("sha1", "md5", "ed2k"))


def torrent() -> Iterable[Row]:
    item = item_of((ARTIFACTS / "iped" / "test_torrentMultiple.torrent").read_bytes(), "vol1/a.torrent")
    return [(file["path"], file["size"]) for one in findings(run("bittorrent", item)) for file in one.data["files"]]


# IPED's answer key (truth/iped_answer_key.txt).
KNOWN_MET = [
    ("Radiohead - High and Dry.mp3", "77481ddd95730681cba7686a8fa7e613"),
    ("Michael Jackson - Bad.mp3", "2b871d30675d0815d2a4dfb995ad7220"),
]
SHAREAZA = [
    ("Komodor - Electrize.mp3", "6fc0e7f66c3b8059b2c3b485710fa4b09baa4f86", "2a092d1bc6ec61272b2af858b67feaa0",
     "46a856ac472cc0b238258afcb9612a83"),
]  # fmt: skip
ARES = [("Undisclosed Desires", "8a199330e3882ff26a4b02e8285f5a9dc20d1ef1")]
RESUMED = [(f"{name}.torrent",) for name in ("Sintel", "Tears of Steel", "NovaROFull_19112020.exe", "Cosmos Laundromat", "Big Buck Bunny")]
TORRENT = [("Big Buck Bunny.en.srt", 140), ("Big Buck Bunny.mp4", 276_134_947), ("poster.jpg", 310_380)]

SOURCES = [
    Source("Chrome's cache (block files)", chrome_cache_truth, chrome_cache),
    *history("Chrome 1 to 20", "plaso_chrome/History"),
    *history("Chrome 59", "plaso_chrome/History-59.0.3071.86"),
    *(one for version in ("01", "10", "20", "30", "60") for one in history(f"Chrome {version}", f"hindsight_profiles/{version}/History")),
    *history("Chrome (IPED)", "iped/test_historyChrome"),
    *history("Edge", "iped/test_historyEdge"),
    one_table("Firefox: visits", "plaso_firefox/places.sqlite", "vol1/Firefox/Profiles/a/places.sqlite", "visit",
              "SELECT p.url, v.visit_date / 1000000 FROM moz_historyvisits v JOIN moz_places p ON p.id = v.place_id",
              lambda data: (data["url"], second(data))),
    one_table("Safari: visits", "plaso_safari/History.db", "vol1/Users/kim/Library/Safari/History.db", "visit",
              f"SELECT i.url, CAST(v.visit_time + {EPOCH_2001} AS INTEGER) FROM history_visits v "
              "JOIN history_items i ON i.id = v.history_item",
              lambda data: (data["url"], second(data))),
    one_table("Android: text messages", "plaso_android/mmssms.db", "vol1/data/data/com.android.providers.telephony/databases/mmssms.db",
              "message", "SELECT body, date / 1000 FROM sms", lambda data: (data["text"], second(data))),
    one_table("Android: calls", "plaso_android/contacts2.db", "vol1/data/data/com.android.providers.contacts/databases/contacts2.db",
              "call", "SELECT number, date / 1000 FROM calls", lambda data: (data["person"], second(data))),
    one_table("macOS: messages", "plaso_sqlite/imessage_chat.db", "vol1/Users/kim/Library/Messages/chat.db", "message",
              f"SELECT text, date + {EPOCH_2001} FROM message", lambda data: (data["text"], second(data))),
    one_table("macOS: quarantine", "plaso_sqlite/quarantine.db",
              "vol1/Users/kim/Library/Preferences/com.apple.LaunchServices.QuarantineEventsV2", "download",
              f"SELECT LSQuarantineDataURLString, CAST(LSQuarantineTimeStamp + {EPOCH_2001} AS INTEGER) FROM LSQuarantineEvent",
              lambda data: (data["url"], second(data))),
    one_table("Kik: messages", "plaso_ios/kik.sqlite", "vol1/kik.sqlite", "message",
              f"SELECT ZBODY, CAST(ZRECEIVEDTIMESTAMP + {EPOCH_2001} AS INTEGER) FROM ZKIKMESSAGE",
              lambda data: (data.get("text"), second(data))),
    one_table("WhatsApp: messages", "iped/test_whatsAppMsgStore.db", "vol1/data/data/com.whatsapp/databases/msgstore.db", "message",
              "SELECT data, timestamp / 1000 FROM messages WHERE key_remote_jid != '-1'", lambda data: (data.get("text"), second(data))),
    Source("recycle bins of Windows 95 to 10", bins_truth, bins),
    Source("index.dat", lambda: [(name, number) for name, count, _ in IndexDat.TRUTH for number in range(count)], index_dat),
    Source("e-mails", mails_truth, mails),
    Source("eMule: known.met", lambda: KNOWN_MET,
           named("emule", "iped/test_known.met", "vol1/known.met", lambda one: (one.data["name"], one.data["ed2k"]))),
    Source("Shareaza: file being loaded", lambda: SHAREAZA,
           named("shareaza", "iped/test_shareazaDownload.sd", "vol1/Shareaza/a.sd", loaded)),
    Source("Ares: shared files", lambda: ARES,
           named("ares", "iped/test_shareH.dat", "vol1/Ares/Data/ShareH.dat", lambda one: (one.data["title"], one.data["sha1"]))),
    Source("uTorrent: resume.dat", lambda: RESUMED,
           named("bittorrent", "iped/test_resume.dat", "vol1/uTorrent/resume.dat", lambda one: (one.data["torrent"],))),
    Source("torrents: files", lambda: TORRENT, torrent),
]  # fmt: skip

def measured(source: Source) -> tuple[int, int, int]:
    """Return how many rows a sample holds, how many are found, and how many of these it holds."""
    held, found = Counter(source.held()), Counter(source.found())
    return held.total(), found.total(), (held & found).total()


@pytest.mark.parametrize("source", SOURCES, ids=lambda one: one.name)
def test_all_that_a_sample_holds_is_found_and_nothing_else(source: Source) -> None:
    held, found, both = measured(source)
    recall, precision = both / held if held else 1.0, both / found if found else 1.0
    sys.stdout.write(f"{source.name:36} {held:6,} held {found:6,} found   recall {recall:7.2%}   precision {precision:7.2%}\n")
    assert (recall, precision) == (1.0, 1.0), (Counter(source.held()) - Counter(source.found())).most_common(3)
