"""Places, programs that ran, pictures, cookies and notes of phones and browsers: every row of the real samples, made ones for the rest."""

from __future__ import annotations

import gzip

import pytest
from store_makers import COCOA, NOW, count, database, mutants, needs_samples, nested, of_kind, places, said, sample, unzipped

from triage.artifacts.structure import StructureError

TEXTS = {
    ("iOS 14 Note", "This is a note created for iOS 14.  It is created on iPhone."),
    ("iOS 15 Note", "Here is the test iOS 15 note."),
    ("My First Note", "This is my first note.  Nothing special."),
    ("iOS 16 Note", "Here is my first iOS 16 note. \n\nThis is DFIR Two. I wrote this sentence."),
    ("My iOS 17 Note", "Test note 1"),
    ("Shared iOS 17 Note", "My shared iOS 17 note"),
}


class TestRealSamples:
    pytestmark = needs_samples

    @pytest.mark.parametrize(
        ("name", "store", "kind", "query"),
        [
            ("plaso_ios/DataUsage.sqlite", "ios-network-use", "program-run", "ZPROCESS"),
            ("plaso_ios/netusage.sqlite", "ios-network-use", "program-run", "ZPROCESS"),
            ("plaso_ios/netusage.sqlite", "ios-network-use", "network", "ZNETWORKATTACHMENT"),
            ("plaso_android/turbo.db", "android-battery", "device-state", "battery_event"),
            ("plaso_sqlite/zeitgeist_activity.sqlite", "zeitgeist", "", "event"),
            ("plaso_firefox/firefox_10_cookies.sqlite", "firefox-cookies", "cookie", "moz_cookies"),
            ("plaso_firefox/firefox_2_cookies.sqlite", "firefox-cookies", "cookie", "moz_cookies"),
            ("plaso_chrome/Cookies-68.0.3440.106", "chromium-cookies", "cookie", "cookies"),
            ("plaso_chrome/cookies.db", "chromium-cookies", "cookie", "cookies"),
            ("plaso_ios/NoteStore.sqlite", "notes", "note", "ZICNOTEDATA"),
        ],
    )
    def test_every_row_is_told(self, name: str, store: str, kind: str, query: str) -> None:
        data = sample(name)
        told = said(data, store)
        assert len([one for one in told if kind in ("", one.kind)]) == count(data, f"SELECT count(*) FROM {query}") > 0

    def test_what_a_program_received_and_sent_is_the_sum_of_its_uses(self) -> None:
        data = sample("plaso_ios/netusage.sqlite")
        told = of_kind(said(data, "ios-network-use"), "program-run")
        received = count(
            data,
            "SELECT cast(sum(ZWIFIIN) + sum(ZWWANIN) + sum(ZWIREDIN) AS int) FROM ZLIVEUSAGE JOIN ZPROCESS p ON ZHASPROCESS = p.Z_PK",
        )
        assert sum(one.get("received", 0) for one in told) == received
        first = next(one for one in told if one["name"] == "configd")
        assert (first["first_time"][:19], first["time"][:19]) == ("2021-01-17T19:23:37", "2021-02-20T01:00:34")

    def test_the_text_of_every_note_that_is_not_locked(self) -> None:
        told = of_kind(said(unzipped("ileapp/notes/testdata.notes.notes.josh_ios17_ffs.zip", "NoteStore.sqlite"), "notes"), "note")
        # The truth: the samples' bodies unzipped by hand.
        assert {(one["title"], one["text"].split("\n", 1)[-1].strip()) for one in told if one.get("text")} == TEXTS
        locked = {one["title"] for one in told if one.get("locked")}
        assert {"Secure iOS 15 Note", "iOS 14 Locked Note", "My Super Secret Note", "My Secret Note"} <= locked
        assert not any(one.get("text") for one in told if one.get("locked"))

    def test_the_log_of_the_notes_is_read_with_them(self) -> None:
        name = "ileapp/notes/testdata.notes.notes.josh_ios17_ffs.zip"
        main, log = unzipped(name, "NoteStore.sqlite"), unzipped(name, "-wal")
        live = [one for one in said(main, "notes", log) if one.live]
        assert len(live) == 14
        assert sum(bool(one.data.get("locked")) for one in live) == 6

    def test_cookies_say_host_name_and_when(self) -> None:
        told = of_kind(said(sample("plaso_chrome/cookies.db"), "chromium-cookies"), "cookie")
        assert all(one["host"] and one["name"] and one["created_time"] and one["accessed_time"] for one in told)
        first = told[0]
        assert (first["host"], first["name"], first["created_time"][:19]) == (".tools.google.com", "__utma", "2011-08-15T14:19:42")

    def test_what_was_opened_in_gnome(self) -> None:
        told = said(sample("plaso_sqlite/zeitgeist_activity.sqlite"), "zeitgeist")
        assert [(kind, sum(one.kind == kind for one in told)) for kind in ("program-run", "recent-file")] == [
            ("program-run", 26),
            ("recent-file", 18),
        ]
        assert all(one.data["time"].startswith("2013-10-22") for one in told)


class TestMade:
    def test_places(self) -> None:
        told = of_kind(said(places()), "location")
        spots = [(one["latitude"], one["longitude"]) for one in told]
        assert spots == [(48.5, 9.25), (1.0, 2.0), (1.0, 2.0), (1.5, -2.5), (48.5, 9.25)]
        assert told[-1]["address"] == "A 1"
        assert told[2]["exit_time"] == "2023-11-14T22:14:20Z"
        assert all(one["time"] == "2023-11-14T22:13:20Z" for one in told)

    def test_knowledge(self) -> None:
        told = said(places(), "knowledge")
        assert [(one.kind, one.data.get("name")) for one in told] == [
            ("program-run", "com.example.app"),
            ("program-installed", "com.example.new"),
            ("device-state", None),
        ]
        assert told[0].data["seconds"] == 90

    def test_networks_near(self) -> None:
        data = database(wifilocation=[{"mac": "a:b", "timestamp": COCOA, "latitude": 1.5, "longitude": 2.5}])
        assert of_kind(said(data), "location")[0]["mac"] == "a:b"

    def test_interactions(self) -> None:
        data = database(
            zinteractions=[{"zbundleid": "com.apple.sms", "zstartdate": COCOA, "zsender": 1, "zdirection": 0}],
            zcontacts=[{"z_pk": 1, "zdisplayname": "Ann", "zidentifier": "+49"}],
        )
        told = of_kind(said(data), "interaction")[0]
        assert (told["person"], told["identifier"], told["zdirection"]) == ("Ann", "+49", 0)

    def test_installed_programs(self) -> None:
        data = database(
            frosting=[{"pk": "com.a", "apk_path": "/data/app/a", "last_updated": NOW * 1000}],
            appstate=[{"package_name": "com.b", "first_download_ms": NOW * 1000, "account": "ann@x.example"}],
            ownership=[{"account": "ann@x.example", "doc_id": "com.c", "purchase_time": NOW * 1000}],
        )
        assert [(one.kind, one.data["name"]) for one in said(data)] == [
            ("program-installed", "com.a"),
            ("program-installed", "com.b"),
            ("program-acquired", "com.c"),
        ]

    @pytest.mark.parametrize("table", ["zasset", "zgenericasset"])
    def test_photos(self, table: str) -> None:
        asset = {
            "z_pk": 1, "zfilename": "IMG_1.HEIC", "zdirectory": "DCIM/100APPLE", "zdatecreated": COCOA, "zaddeddate": COCOA + 1,
            "ztrashedstate": 1, "ztrasheddate": COCOA + 2, "zhidden": 1, "zkind": 0, "zlatitude": 48.5, "zlongitude": 9.25,
        }  # fmt: skip
        extra = {"zasset": 1, "zoriginalfilename": "holiday.heic", "zoriginalfilesize": 99, "zcreatorbundleid": "com.apple.camera"}
        other = {**asset, "z_pk": 2, "ztrashedstate": 0, "zhidden": 0, "zlatitude": -180.0, "zlongitude": -180.0}
        told = said(database(**{table: [asset, other], "zadditionalassetattributes": [extra]}))
        first, second = told[0].data, told[1].data
        assert told[0].title == "a file of the gallery, in the trash and hidden: DCIM/100APPLE/IMG_1.HEIC"
        assert (first["original_name"], first["size"], first["latitude"]) == ("holiday.heic", 99, 48.5)
        assert (first["time"], first["trashed_time"]) == ("2023-11-14T22:13:20Z", "2023-11-14T22:13:22Z")
        assert not {"trashed", "hidden", "latitude"} & set(second)

    def test_media_store_and_trash(self) -> None:
        data = database(
            files=[
                {"_data": "/storage/emulated/0/DCIM/.trashed-1-a.jpg", "_size": 4, "date_added": NOW, "media_type": 1, "is_trashed": 1,
                 "owner_package_name": "com.camera", "date_expires": NOW + 60}
            ],
            trashes=[{"original_path": "/a.jpg", "date_deleted": NOW * 1000, "_data": "/.Trash/1"}],
            trash=[{"__originpath": "/b.jpg", "__deletetime": NOW * 1000, "__abspath": "/.Trash/2"}],
        )  # fmt: skip
        told = said(data)
        assert told[0].data["trashed"]
        assert told[0].data["application"] == "com.camera"
        assert [one["path"] for one in of_kind(told, "recycled")] == ["/a.jpg", "/b.jpg"]

    def test_a_note_that_does_not_unzip_has_no_text(self) -> None:
        whole = gzip.compress(nested("Title\nbody", 2, 3, 2))
        bomb = gzip.compress(bytes(64 << 20))
        rows = [{"znote": 1, "zdata": data} for data in (whole, whole[:-9], whole[:12], b"\x1f\x8bx", bomb)]
        told = of_kind(
            said(database(zicnotedata=rows, ziccloudsyncingobject=[{"z_pk": 1, "ztitle1": "T", "zmodificationdate1": COCOA}])), "note"
        )
        assert [one.get("text", "") for one in told] == ["Title\nbody", "Title\nbody", "", "", ""]

    def test_columns_may_hold_anything(self) -> None:
        values = (b"\xff\xfe", None, "text", -1, 2**62, 1e300, float("inf"), "\x1b[31m")
        for data in mutants(places(), 60):
            try:
                said(data)
            except StructureError:
                continue
        for value in values:
            row = dict.fromkeys(("zlatitude", "zlongitude", "ztimestamp", "zhorizontalaccuracy", "zspeed"), value)
            assert len(said(database(zrtcllocationmo=[row]))) == (value == -1)
