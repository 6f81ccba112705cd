"""What messengers keep: every row of the real samples, held against SQLite's own counts; made ones for the rest."""

from __future__ import annotations

import struct

import pytest
from store_makers import (
    NOW,
    count,
    database,
    field,
    mutants,
    needs_samples,
    nested,
    of_kind,
    postbox_message,
    said,
    sample,
    snapchat,
    telegram,
    telegram_ios,
    tl_message,
    unzipped,
)

from triage.artifacts import telegram as format_of_telegram
from triage.artifacts.keyedarchive import KeyedArchive
from triage.artifacts.protobuf import fields, text_at, values_at
from triage.artifacts.structure import StructureError

TEAMS = ("ileapp/teams/testdata.teams.teamsUser.josh_ios15_ffs.zip", ".sqlite")
INSTAGRAM, TWITTER, TWITTER_IOS = "plaso_ios/9368974384.db", "plaso_android/twitter.db", "plaso_ios/twitter.db"


class TestRealSamples:
    pytestmark = needs_samples

    @pytest.mark.parametrize(
        ("name", "store", "kind", "table"),
        [
            (INSTAGRAM, "instagram-ios", "message", "messages"),
            (TWITTER, "twitter", "post", "statuses"),
            (TWITTER, "twitter", "profile", "users"),
            (TWITTER, "twitter", "search-term", "search_queries"),
            (TWITTER, "twitter", "message", "conversation_entries"),
            (TWITTER, "twitter", "notification", "notifications"),
            (TWITTER_IOS, "twitter-ios", "post", "Statuses"),
            (TWITTER_IOS, "twitter-ios", "profile", "Users"),
            ("plaso_android/tango_profile.db", "tango", "contact", "profiletable"),
            ("plaso_android/files_master_database", "files-by-google", "media-file", "files_master_table"),
        ],
    )
    def test_every_row_is_told(self, name: str, store: str, kind: str, table: str) -> None:
        data = sample(name)
        assert len(of_kind(said(data, store), kind)) == count(data, f"SELECT count(*) FROM {table}") > 0

    def test_instagram_has_every_text_and_call_with_who_and_when(self) -> None:
        told = of_kind(said(sample(INSTAGRAM), "instagram-ios"), "message")
        assert all(one["time"].startswith(("2020-", "2021-", "2022-", "2023-")) and one["direction"] and one["person"] for one in told)
        # Counted in the archives with plistlib, by their codedSubtype.
        assert [sum(one["what"] == what for one in told) for what in ("text", "media", "thread_activity")] == [41, 8, 26]
        assert sum(bool(one.get("text")) for one in told) == 41 + 26
        assert sum(bool(one.get("url")) and bool(one.get("media")) for one in told) == 8
        first = next(one for one in told if one.get("text", "").startswith("Clicked over to Threads"))
        assert (first["time"][:19], first["direction"], first["sender"]) == ("2020-03-25T01:41:17", "received", "22824420")

    def test_teams_has_every_message_call_contact_and_place(self) -> None:
        data = unzipped(*TEAMS)
        told = said(data, "teams-ios")
        assert len(of_kind(told, "message")) == count(data, "SELECT count(*) FROM ZSMESSAGE") == 81
        people = "SELECT (SELECT count(*) FROM ZUSER) + (SELECT count(*) FROM ZDEVICECONTACTHASH) + (SELECT count(*) FROM ZSCONTACT)"
        assert len(of_kind(told, "contact")) == count(data, people) == 21
        # By plistlib: five properties "call-log", twelve "cards" and two "cards:shareLocationInternal".
        assert len(of_kind(told, "call")) == 5
        assert len(of_kind(told, "location")) == 14
        assert len(of_kind(told, "location-shared")) == count(data, "SELECT count(*) FROM ZUSERLOCATION")
        call = next(one for one in of_kind(told, "call") if one["time"].startswith("2023-04-28T14:28:36"))
        assert (call["person"], call["direction"], call["seconds"]) == ("ThisIs DfirTwo", "incoming", 91)
        sent = count(data, "SELECT count(*) FROM ZSMESSAGE WHERE ZTS_ISSENTBYME = 1")
        assert sum(one["direction"] == "sent" for one in of_kind(told, "message")) == sent
        assert sum("removed_time" in one for one in of_kind(told, "message")) == 3

    def test_twitters_posts_have_their_text_time_and_author(self) -> None:
        told = of_kind(said(sample(TWITTER), "twitter"), "post")
        assert all(one["text"] and one["time"] and one["person"] for one in told)
        direct = of_kind(said(sample(TWITTER), "twitter"), "message")[0]
        assert direct["text"].startswith("Hey! Thnx for the follow.")
        assert direct["person"] == "ManuelS_SANS"

    def test_tangos_names_are_decoded(self) -> None:
        names = [one["name"] for one in of_kind(said(sample("plaso_android/tango_profile.db"), "tango"), "contact")]
        assert "Hank Fresh" in names
        assert not any(name.endswith("=") for name in names)


class TestTelegram:
    def test_texts_are_found_by_their_date(self) -> None:
        told = of_kind(said(telegram()), "message")
        assert [one.get("text", "") for one in told] == ["hello there", "ä" * 200, "passed on", ""]
        assert [one["direction"] for one in told] == ["received", "sent", "received", "received"]
        assert [one["person"] for one in told] == ["ann example (@annie)", "ann example (@annie)", "bob", "ann example (@annie)"]
        assert told[2]["conversation"] == "club"
        assert told[0]["time"] == "2023-11-14T22:13:20Z"

    def test_contacts_have_their_numbers(self) -> None:
        assert {"name": "Ann Example", "id": "7", "numbers": ["+4912345"]} in of_kind(said(telegram()), "contact")

    @pytest.mark.parametrize("data", [b"", b"\0" * 40, struct.pack("<ii", 0, 0) + struct.pack("<i", NOW) + b"\x05ab"])
    def test_what_is_no_text_is_none(self, data: bytes) -> None:
        assert format_of_telegram.tl_text(data, NOW) == ""
        assert format_of_telegram.tl_text(tl_message("x", NOW), 0) == ""

    def test_a_string_with_padding_that_is_not_zero_is_no_text(self) -> None:
        whole = bytearray(tl_message("ab", NOW))
        whole[-1] = 1
        assert format_of_telegram.tl_text(bytes(whole), NOW) == ""

    def test_a_message_of_many_dates_takes_no_time(self) -> None:
        assert format_of_telegram.tl_text(struct.pack("<i", NOW) * 200_000, NOW) == ""

    def test_ios_postbox(self) -> None:
        told = of_kind(said(telegram_ios()), "message")
        assert [(one["text"], one["direction"], one["person"]) for one in told] == [
            ("hello", "received", "Ann Example (@annie)"),
            ("answer", "sent", "club"),
        ]
        assert told[1]["forwarded_time"] == "2023-11-14T22:13:11Z"

    def test_a_cut_message_of_ios_is_none(self) -> None:
        whole = postbox_message("hello", 7, incoming=True)
        end = whole.index(b"hello") + 5
        assert format_of_telegram.postbox_message(whole[:end]) is not None
        assert all(format_of_telegram.postbox_message(whole[:n]) is None for n in range(end))


class TestOthers:
    def test_snapchat(self) -> None:
        first, second = of_kind(said(snapchat()), "message")
        assert (first["text"], first["person"], first["content_type"]) == ("meet at 5", "00010203-0405-0607-0809-0a0b0c0d0e0f", 1)
        assert first["saved"]
        assert "text" not in second
        friends = database(friend=[{"_id": 1, "username": "ann", "userid": "u", "displayname": "Ann", "addedtimestamp": NOW * 1000}])
        assert of_kind(said(friends), "contact") == [{"time": "2023-11-14T22:13:20Z", "name": "Ann", "account": "ann", "id": "u"}]

    def test_messenger(self) -> None:
        rows = {"message_id": "m", "thread_key": 5, "sender_id": 5, "timestamp_ms": NOW * 1000, "text": "hi"}
        data = database(
            messages=[rows, {**rows, "message_id": "n", "sender_id": 1, "text": None}],
            contacts=[{"id": 5, "name": "Ann", "username": "ann"}, {"id": 1, "name": "Me"}],
            _user_info=[{"facebook_user_id": 1}],
            attachments=[{"message_id": "n", "filename": "a.jpg", "title_text": "Photo", "playable_url": "https://x.example/a"}],
        )
        first, second = of_kind(said(data), "message")
        assert (first["direction"], first["person"], first["text"]) == ("received", "Ann", "hi")
        assert (second["direction"], second["attachments"], second["url"]) == ("sent", ["a.jpg"], "https://x.example/a")

    def test_old_messenger(self) -> None:
        row = {"msg_id": "1", "thread_key": "ONE:1:2", "timestamp_ms": NOW * 1000, "sender": '{"name":"Ann","user_key":"FACEBOOK:5"}'}
        event = '{"call_duration": 60, "caller_id": "5", "video": true}'
        data = database(
            messages=[
                {**row, "text": "hi", "shares": '[{"href":"https://x.example/"}]', "attachments": '[{"filename":"a.jpg"}]'},
                {**row, "generic_admin_message_extensible_data": event},
                {**row, "sender": "{broken", "attachments": "[[[["},
            ],
            thread_users=[{"user_key": "FACEBOOK:5", "first_name": "Ann", "last_name": "E"}],
        )
        told = of_kind(said(data), "message")
        assert (told[0]["person"], told[0]["url"], told[0]["attachments"]) == ("Ann", "https://x.example/", ["a.jpg"])
        assert of_kind(said(data), "call")[0]["seconds"] == 60
        assert len(told) == 2

    def test_google_messages_line_tiktok_and_instagram_on_android(self) -> None:
        bugle = database(
            messages=[{"_id": 1, "conversation_id": 2, "sender_id": 3, "received_timestamp": NOW * 1000, "sent_timestamp": 0}],
            parts=[{"message_id": 1, "text": "one"}, {"message_id": 1, "text": "two", "local_cache_path": "/p.jpg"}],
            participants=[{"_id": 3, "sub_id": -2, "display_destination": "+49"}],
            conversations=[{"_id": 2, "name": "Ann"}],
        )
        told = of_kind(said(bugle), "message")[0]
        assert (told["text"], told["direction"], told["person"], told["attachments"]) == ("one two", "received", "+49", ["/p.jpg"])
        line = {"chat_id": "c", "from_mid": "m", "content": "hi", "created_time": str(NOW * 1000), "status": 1}
        told = of_kind(said(database(chat_history=[line], contacts=[{"m_id": "m", "name": "Ann"}])), "message")[0]
        assert (told["person"], told["direction"], told["time"]) == ("Ann", "received", "2023-11-14T22:13:20Z")
        tiktok = {"msg_uuid": "u", "sender": 5, "created_time": NOW * 1000, "content": '{"text":"hi"}'}
        assert of_kind(said(database(msg=[tiktok])), "message")[0]["text"] == "hi"
        direct = {"thread_id": "t", "message_type": "text", "text": "hi", "message": "{}", "timestamp": NOW * 10**6, "user_id": "9"}
        assert of_kind(said(database(messages=[direct])), "message")[0]["time"] == "2023-11-14T22:13:20Z"


class TestProtobuf:
    def test_fields(self) -> None:
        message = field(1, 300) + field(2, b"ab") + b"\x1d\x01\x00\x00\x00" + b"\x21" + bytes(8)
        assert list(fields(message)) == [(1, 300), (2, b"ab"), (3, 1), (4, 0)]
        assert text_at(nested("x", 2, 3, 2), 2, 3, 2) == "x"
        assert list(values_at(field(1, 5) + field(1, 6), 1)) == [5, 6]

    @pytest.mark.parametrize("data", [b"\x08", b"\x00\x01", b"\x0a\x05a", b"\x0b", b"\xff" * 20, b"\x09" + bytes(7)])
    def test_what_is_no_message(self, data: bytes) -> None:
        with pytest.raises(StructureError):
            list(fields(data))
        assert list(values_at(data, 1)) == []


class TestDamage:
    @pytest.mark.parametrize("maker", [telegram, telegram_ios, snapchat])
    def test_columns_may_hold_anything(self, maker) -> None:  # type: ignore[no-untyped-def]
        for data in mutants(maker(), 60):
            try:
                said(data)
            except StructureError:
                continue

    def test_a_keyed_archive_may_refer_to_itself(self) -> None:
        import plistlib

        loop = {"$archiver": "NSKeyedArchiver", "$top": {"root": plistlib.UID(1)}, "$objects": ["$null", {"a": plistlib.UID(1), "b": "x"}]}
        archive = KeyedArchive(plistlib.dumps(loop, fmt=plistlib.FMT_BINARY))
        assert archive.text(*["a"] * 50, "b") == "x"
        assert archive.get("a", "c") is None
        with pytest.raises(StructureError):
            KeyedArchive(plistlib.dumps(["x"], fmt=plistlib.FMT_BINARY))
