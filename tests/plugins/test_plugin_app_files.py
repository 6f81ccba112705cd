"""Files of apps that are no databases: real caches of BeReal and Burner, real settings of WhatsApp and Telegram; made ones; damage."""

from __future__ import annotations

import base64
import json
import plistlib
import zipfile
from collections import Counter
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

import pytest
from real_samples import ARTIFACTS, bytes_of, children, findings, item_of, mutants, needs_samples, never_fails, problems, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.plugin import Finding, Item

DISCORD = "vol1/private/var/mobile/Containers/Data/Application/1/Library/Caches/com.hammerandchisel.discord/fsCachedData/1"
BURNER = "vol1/private/var/mobile/Containers/Data/Application/1/Library/Caches/com.adhoclabs.burner/fsCachedData/1"
BEREAL = "vol1/private/var/mobile/Containers/Data/Application/1/Library/Caches/disk-bereal-{}/1"
PREFERENCES = "vol1/data/data/{}/shared_prefs/a.xml"


def said(value: Any, path: str) -> list[Finding]:
    return findings(run("app_files", item_of(json.dumps(value).encode(), path)))


def preferences(**values: object) -> bytes:
    """Return a file of Android's settings."""
    rows = [
        f"<string name={quoteattr(name)}>{value}</string>" if isinstance(value, str) else f"<long name={quoteattr(name)} value='{value}' />"
        for name, value in values.items()
    ]
    return f"<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\n<map>\n{''.join(rows)}</map>\n".encode()


def members(folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a folder's archives once each: path and bytes."""
    seen = set()
    for path in sorted((ARTIFACTS / "ileapp" / folder).glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name not in seen:
                    seen.add(name)
                    yield f"vol1/private/var/{name.partition('/')[2]}", archive.read(name)


class TestRealSamples:
    pytestmark = needs_samples

    def test_bereal(self) -> None:
        found = []
        for path, data in members("BeReal"):
            results = run("app_files", item_of(data, path))
            assert problems(results) == []
            found += findings(results)
        assert Counter(f.kind for f in found) == {"contact": 5, "post": 3, "account": 2}
        account = next(f for f in found if f.kind == "account" and "number" in f.data)
        assert (account.title, account.data["time"][:19], account.data["birth_time"], account.data["devices"]) == (
            "BeReal: the account thisisdfir (+19195794674)", "2022-12-02T15:33:12", "1980-09-01T00:00:00Z", ["iPhone 8 15.3.1"],
        )  # fmt: skip
        contacts = {f.data["name"]: f.data for f in found if f.kind == "contact"}
        assert contacts["Josh Hickman"]["numbers"] == ["+19195790479", "+19193912507"]
        assert contacts["DFIRTwo"]["state"] == "accepted"
        posts = [f.data for f in found if f.kind == "post"]
        assert [post["day"] for post in posts] == ["2023-01-07", "2022-12-04", "2022-12-01"]
        assert all(len(post["urls"]) == 3 for post in posts)

    def test_burner_in_files_and_in_what_its_cache_holds(self) -> None:
        files = dict(members("burnerCache"))
        path = next(name for name in files if name.endswith("/fsCachedData/34A0C948-4FFD-4FA3-B5DC-5DB8ADBD8B0D"))
        rows = json.loads(files[path])
        found = findings(run("app_files", item_of(files[path], path)))
        assert len(found) == len(rows) == 17
        assert [f.data["id"] for f in found] == [row["id"] for row in rows]
        assert [f.data.get("text", "") for f in found if f.kind == "message"] == [r["message"] for r in rows if r["messageType"] == 2]
        assert Counter(f.data.get("outcome") for f in found if f.kind == "call") == {"missed": 2, "voicemail": 1, "completed": 1}
        assert found[0].title == "Burner: incoming call +19198887386 (voicemail)"
        cache = path.partition("fsCachedData")[0]
        beside = {name.removeprefix(cache): data for name, data in files.items() if name.startswith(cache)}
        main = item_of(beside.pop("Cache.db"), f"{cache}Cache.db", beside)
        inner: list[Finding] = []
        for child in children(run("nsurl_cache", main)):
            inner += findings(run("app_files", item_of(bytes_of(main, child), f"{cache}Cache.db/{child.name}")))
        numbers = {f.data["number"]: f.title for f in inner if f.kind == "account"}
        assert numbers == {
            "+19195794674": "Burner: the account's own number: +19195794674",
            "+18285205789": "Burner: a hired number: +18285205789",
        }
        assert {f.data["name"] for f in inner if f.kind == "contact"} == {"This Is DFIR Two", "Josh Hickman"}
        assert {f.data["id"] for f in inner if f.kind in ("message", "call")} == {row["id"] for row in rows}

    def test_settings_of_messengers(self) -> None:
        whatsapp = (ARTIFACTS / "iped/test_whatsAppPreferences.xml").read_bytes()
        (one,) = findings(run("app_files", item_of(whatsapp, PREFERENCES.format("com.whatsapp"))))
        assert (one.title, one.data["about"]) == ("WhatsApp: the account 554499887766 (Mr. Roboto)", "Domo arigato!")
        telegram = (ARTIFACTS / "iped/test_telegramUserConfing.xml").read_bytes()
        (one,) = findings(run("app_files", item_of(telegram, PREFERENCES.format("org.telegram.messenger"))))
        assert one.data == {
            "application": "Telegram", "time": "2021-06-09T18:57:08Z", "number": "+5561986143035", "name": "Guilherme Andreúce",
            "account": "guileb", "id": "140478504",
        }  # fmt: skip
        # Support's address and telephone in WhatsApp's settings are nobody's account.
        assert (
            findings(run("app_files", item_of(whatsapp, PREFERENCES.format("com.example"))))
            == []
            == findings(run("app_files", item_of(telegram, PREFERENCES.format("com.example"))))
        )


MESSAGE = {
    "id": "9", "channel_id": "5", "content": "hello", "timestamp": "2024-01-02T03:04:05.250000+00:00", "edited_timestamp": None,
    "author": {"id": "7", "username": "kim", "global_name": "Kim"},
    "attachments": [{"filename": "a.jpg", "url": "https://cdn.example/a.jpg"}],
}  # fmt: skip


def test_discord() -> None:
    (one,) = said([MESSAGE], DISCORD)
    assert one.title == "Discord: message by Kim: hello"
    assert one.data == {
        "user": "mobile", "application": "Discord", "time": "2024-01-02T03:04:05.250Z", "text": "hello", "person": "Kim", "account": "kim",
        "sender": "7", "conversation": "5", "id": "9", "files": ["a.jpg"], "urls": ["https://cdn.example/a.jpg"],
    }  # fmt: skip
    # The form of a search, in a cache of the program for Windows.
    windows = "vol1/Users/kim/AppData/Roaming/discord/Cache/Cache_Data/data_1/12-messages.json"
    assert [f.data["text"] for f in said({"total_results": 1, "messages": [[MESSAGE]]}, windows)] == ["hello"]
    (account,) = said({"id": "7", "username": "kim", "email": "kim@mail.example", "phone": "+491", "mfa_enabled": False}, DISCORD)
    assert (account.kind, account.data["emails"], account.data["number"]) == ("account", "kim@mail.example", "+491")
    (friend,) = said([{"id": "8", "type": 2, "nickname": None, "user": {"id": "8", "username": "lee"}}], DISCORD)
    assert (friend.title, friend.data["state"]) == ("Discord: contact lee", "blocked")


def test_newer_messages_of_burner_and_people_of_bereal() -> None:
    row = {"id": "1", "messageType": "Voice", "direction": "Inbound", "state": "Voicemail", "conversation": {"conversationId": "+1"},
           "dateCreated": 1_700_000_000_000, "voicemail": {"audioUrl": "https://a.example/v.wav"}}  # fmt: skip
    (call,) = said([row], BURNER)
    assert (call.title, call.data["url"], call.data["time"]) == (
        "Burner: incoming call +1 (voicemail)", "https://a.example/v.wav", "2023-11-14T22:13:20Z",
    )  # fmt: skip
    for folder, state in (
        ("BlockedUserManager", "blocked"),
        ("RelationshipsRequestSentListManager", "asked by the owner"),
        ("RelationshipsRequestReceivedListManager", "asked the owner"),
    ):
        (one,) = said({"object": [{"username": "lee"}]}, BEREAL.format(folder))
        assert one.data["state"] == state


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("user_email", "kim@mail.example", "emails"),
        ("kUserEmail", "kim@mail.example", "emails"),
        ("pref_phone_number", "+49 30 1234567", "number"),
        ("currentUsername", "kim", "account"),
        ("msisdn", 4930123456, "number"),
    ],
)
def test_settings_of_any_app_that_name_an_account(name: str, value: object, key: str) -> None:
    (one,) = findings(run("app_files", item_of(preferences(**{name: value, "colour": "red"}), PREFERENCES.format("com.example.app"))))
    assert one.title == f"com.example.app: its settings name an account: {value}"
    assert (one.data[key], one.data["setting"], one.data["application"]) == (str(value), name, "com.example.app")


@pytest.mark.parametrize(
    "values", [{"support_email": "a@b.example"}, {"user_email": "none"}, {"phone": "12"}, {"username": "null"}, {"email_count": 3}, {}]
)
def test_other_settings_say_nothing(values: dict[str, object]) -> None:
    assert run("app_files", item_of(preferences(**values), PREFERENCES.format("com.example.app"))) == []


def test_property_lists_of_ios() -> None:
    data = plistlib.dumps({"OwnJabberID": "4930123456@s.whatsapp.net", "FullUserName": "Kim"})
    group = "vol1/private/var/mobile/Containers/Shared/AppGroup/1/Library/Preferences"
    (one,) = findings(run("app_files", item_of(data, f"{group}/group.net.whatsapp.WhatsApp.shared.plist")))
    assert one.title == "WhatsApp: the account 4930123456 (Kim)"
    (one,) = findings(run("app_files", item_of(plistlib.dumps({"loginName": "kim", "n": [1]}), f"{group}/com.example.chat.plist")))
    assert one.title == "com.example.chat: its settings name an account: kim"
    friends = plistlib.dumps({"userId": "7", "currentFriends": {"8": "Lee"}})
    assert [f.title for f in findings(run("app_files", item_of(friends, f"{group}/group.BeReal.plist")))] == [
        "BeReal: the account 7",
        "BeReal: contact Lee",
    ]


def _tl(text: str) -> bytes:
    raw = bytes([len(text)]) + text.encode()
    return raw + bytes(-len(raw) % 4)


@pytest.mark.parametrize(("head", "width"), [(b"", 4), (bytes(4), 8), (b"", 8)], ids=["old", "new", "between"])
def test_telegram_of_several_layers(head: bytes, width: int) -> None:
    user = bytes(4) + (0b11111).to_bytes(4, "little") + head + (77).to_bytes(width, "little") + bytes(8)
    user += _tl("Kim") + _tl("Lee") + _tl("kimlee") + _tl("4930123")
    data = preferences(user=base64.encodebytes(user).decode(), loginTime=1_700_000_000)
    (one,) = findings(run("app_files", item_of(data, PREFERENCES.format("org.telegram.messenger"))))
    assert (one.data["id"], one.data["name"], one.data["number"], one.data["account"]) == ("77", "Kim Lee", "+4930123", "kimlee")


def test_what_is_no_answer_says_nothing_and_what_is_broken_says_so() -> None:
    assert run("app_files", item_of(b"\xff\xd8\xff\xe0 a picture", DISCORD)) == []
    for value in ({"a": 1}, [], [1, "b", None], {"messages": 3}, [{"author": 3, "channel_id": "5", "content": ""}], {"user": []}):
        for path in (DISCORD, BURNER, BEREAL.format("ProfileRepository"), BEREAL.format("MemoriesRepository-subject-key")):
            assert said(value, path) == []
    assert "cannot be read" in problems(run("app_files", item_of(b'[{"a": 1', DISCORD)))[0].message
    assert "cannot be read" in problems(run("app_files", item_of(b"\0\1\2", PREFERENCES.format("a.b"))))[0].message


def test_damage_never_breaks_it() -> None:
    profile = {"object": [{"username": "a", "createdAt": 6e8, "devices": [{"device": "x"}]}]}
    for data, path in (
        (json.dumps([MESSAGE, {**MESSAGE, "call": {"ended_timestamp": "x"}}]).encode(), DISCORD),
        (json.dumps(profile).encode(), BEREAL.format("ProfileRepository")),
        (preferences(user=base64.b64encode(bytes(range(64))).decode()), PREFERENCES.format("org.telegram.messenger")),
    ):  # fmt: skip
        for mutant in mutants(data, 150):
            never_fails("app_files", item_of(mutant, path))


def samples() -> list[Item]:
    return [
        item_of(json.dumps([MESSAGE]).encode(), DISCORD),
        item_of(preferences(user_email="kim@mail.example"), PREFERENCES.format("a.b")),
    ]
