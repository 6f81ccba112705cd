"""Databases of known programs: every row that real samples hold, held against SQLite's own counts, and what is damaged."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from plugin_samples import deleted_rows
from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run

if TYPE_CHECKING:
    from pathlib import Path

# sample: how many findings of each kind, as a number or as the tables whose rows they are
SAMPLES = {
    "iped/test_historyChrome": {"history-url": 212, "visit": 73, "download": 2},
    "iped/test_historyEdge": {"history-url": 5, "visit": 9, "download": 7},
    "hindsight_profiles/01/History": {"history-url": "urls", "visit": "visits", "download": "downloads"},
    "hindsight_profiles/10/History": {"history-url": "urls", "visit": "visits", "download": "downloads"},
    "hindsight_profiles/20/History": {"history-url": "urls", "visit": "visits", "download": "downloads"},
    "hindsight_profiles/30/History": {"history-url": "urls", "visit": "visits", "download": "downloads"},
    "hindsight_profiles/60/History": {"history-url": "urls", "visit": "visits", "download": "downloads"},
    "plaso_chrome/History": {"history-url": "urls", "visit": "visits", "download": "downloads"},
    "plaso_chrome/History-57.0.2987.133": {"history-url": "urls", "visit": "visits", "download": "downloads"},
    "plaso_chrome/History-59_added-fake-column": {"history-url": "urls", "visit": "visits", "download": "downloads"},
    "plaso_chrome/Web Data": {"autofill": "autofill"},
    "plaso_firefox/places.sqlite": {"history-url": "moz_places", "visit": "moz_historyvisits"},
    "plaso_firefox/downloads.sqlite": {"download": "moz_downloads"},
    "plaso_safari/History.db": {"history-url": "history_items", "visit": "history_visits", "history-deleted": "history_tombstones"},
    "plaso_android/mmssms.db": {"message": "sms"},
    "plaso_android/contacts2.db": {"call": "calls"},
    "plaso_android/downloads.db": {"download": "downloads"},
    "plaso_android/viber_data": {"call": "calls", "contact": "phonebookcontact"},
    "plaso_android/burners.sqlite": {"message": "messages"},
    "plaso_android/babel.db": {"message": "messages"},
    "plaso_android/webview.db": {"autofill": "formdata"},
    "plaso_ios/kik.sqlite": {"message": "ZKIKMESSAGE", "contact": "ZKIKUSER"},
    "plaso_ios/IMODb2.sqlite": {"message": "ZIMOCHATMSG"},
    "plaso_ios/Accounts3.sqlite": {"account": "ZACCOUNT"},
    "plaso_sqlite/imessage_chat.db": {"message": "message", "attachment": "attachment"},
    "plaso_sqlite/quarantine.db": {"download": "LSQuarantineEvent"},
    "plaso_sqlite/dropbox_sync_history.db": {"cloud-file": "sync_history"},
    "plaso_sqlite/skype_main.db": {"call": "Calls", "contact": "Contacts", "transfer": "Transfers", "account": "Accounts"},
    "iped/test_skypeMain.db": {"message": "Messages", "contact": "Contacts", "transfer": "Transfers"},
    "iped/test_whatsApp.db": {"contact": "wa_contacts"},
    "iped/test_whatsAppMsgStore.db": {"message": 74},
    "iped/test_cloudGraph.db": {"cloud-file": "cloud_graph_entry"},
    "mvt/ios_backup/3d/3d0d7e5fb2ce288813306e4d4636395e047a3d28": {"message": "message"},
    "mvt/ios_backup/7c/7c7fba66680ef796b916b067077cc246adacf01d": {"message": "ZWAMESSAGE"},
}


def rows(path: Path, table: str) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


class TestRealSamples:
    pytestmark = needs_samples

    @pytest.mark.parametrize("sample", SAMPLES)
    def test_every_row_of_a_real_sample_is_a_finding(self, sample: str) -> None:
        path = ARTIFACTS / sample
        said = run("app_databases", item_of(path.read_bytes(), f"vol1/{sample}"))
        for kind, wanted in SAMPLES[sample].items():
            live = [f for f in findings(said, kind) if f.data.get("state") != "deleted row"]
            assert len(live) == (wanted if isinstance(wanted, int) else rows(path, wanted)), kind

    def test_a_history_says_where_when_and_in_whose_profile(self) -> None:
        data = (ARTIFACTS / "plaso_chrome" / "History").read_bytes()
        path = "vol2/Users/kim/AppData/Local/Google/Chrome/User Data/Profile 1/History"
        said = findings(run("app_databases", item_of(data, path)), "download")
        first = next(f for f in said if "funcats_scr" in str(f.data))
        assert first.data["url"] == "http://fatloss4idiotsx.com/download/funcats/funcats_scr.exe"
        assert first.data["time"].startswith("2011-05-23T08:35:30")
        assert (first.data["user"], first.data["application"], first.data["profile"]) == ("kim", "Chrome", "Profile 1")

    def test_messages_say_who_when_and_which_way(self) -> None:
        data = (ARTIFACTS / "plaso_sqlite" / "imessage_chat.db").read_bytes()
        said = findings(run("app_databases", item_of(data, "vol1/chat.db")), "message")
        first = next(f for f in said if f.data["text"].startswith("Hey Kenneth"))
        assert (first.data["direction"], first.data["time"]) == ("received", "2015-11-22T18:09:46Z")
        said = findings(run("app_databases", item_of((ARTIFACTS / "plaso_ios/kik.sqlite").read_bytes(), "vol1/kik.sqlite")), "message")
        assert {f.data["direction"] for f in said if f.data.get("text") == "Hello"} == {"sent"}

    @pytest.mark.parametrize("sample", ["plaso_chrome/History", "plaso_ios/kik.sqlite", "plaso_safari/History.db"])
    def test_a_damaged_database_yields_what_is_readable(self, sample: str) -> None:
        for data in mutants((ARTIFACTS / sample).read_bytes(), 25):
            never_fails("app_databases", item_of(data, "vol1/x"))


def test_a_database_of_no_known_program_says_nothing(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        connection.execute("CREATE TABLE urls (id, name)")
        connection.commit()
    assert run("app_databases", item_of((tmp_path / "x.db").read_bytes(), "vol1/x.db")) == []


def test_columns_may_hold_anything(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        connection.execute("CREATE TABLE urls (id, url, title, last_visit_time)")
        connection.execute("CREATE TABLE visits (id, url, visit_time, transition)")
        for value in (b"\xff\xfe", None, "text", -1, 2**62, 1e300, float("inf"), "\x1b[31m", "http://[::1"):
            connection.execute("INSERT INTO urls VALUES (?, ?, ?, ?)", (value, value, value, value))
            connection.execute("INSERT INTO visits VALUES (?, ?, ?, ?)", (value, value, value, value))
        connection.commit()
    said = run("app_databases", item_of((tmp_path / "x.db").read_bytes(), "vol1/x.db"))
    assert problems(said) == []
    assert len(findings(said, "visit")) == len(findings(said, "history-url")) == 9


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    item = item_of(b"SQLite format 3\0" + bytes(200), "vol1/x.db")
    assert [p.message.partition(":")[0] for p in problems(run("app_databases", item))] == ["a database that cannot be read"]


def test_deleted_rows_are_told_and_marked() -> None:
    said = findings(run("app_databases", item_of(deleted_rows(), "vol1/History")), "history-url")
    live = {f.data["url"] for f in said if "state" not in f.data}
    gone = {f.data["url"] for f in said if f.data.get("state") == "deleted row" and f.title.endswith("(deleted row)")}
    wanted = {n for n in range(60) if n % 3 == 0 or 20 <= n <= 40}
    assert live == {f"https://example.org/page/{n}" for n in range(60) if n not in wanted}
    assert gone <= {f"https://example.org/page/{n}" for n in wanted}
    still = {n for n in wanted if f"https://example.org/page/{n}a page".encode() in deleted_rows()}
    assert len(gone) >= 0.9 * len(still) > 15
