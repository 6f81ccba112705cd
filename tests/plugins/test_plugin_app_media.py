"""Media of apps by place and name: paths as the apps make them, and others that only look like them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from real_samples import ARTIFACTS, findings, item_of, needs_samples, run

from triage.artifacts.mediaplaces import place_of, stamp_of
from triage.registry import find_plugins

if TYPE_CHECKING:
    from triage.plugin import Item

JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + b"x" * 200 + b"\xff\xd9"
CARD = "vol1/media/0"
APPS = "vol1/data/data"
IOS = "vol1/private/var/mobile"


def samples() -> list[Item]:
    return [item_of(JPEG, f"{CARD}/WhatsApp/Media/WhatsApp Images/IMG-20230101-WA0001.jpg")]


PLACES = {
    f"{CARD}/WhatsApp/Media/WhatsApp Images/IMG-20230101-WA0001.jpg": ("WhatsApp", "received"),
    f"{CARD}/Android/media/com.whatsapp/WhatsApp/Media/WhatsApp Images/Sent/IMG-20230101-WA0001.jpg": ("WhatsApp", "sent"),
    f"{CARD}/Android/media/com.whatsapp/WhatsApp/Media/.Statuses/0123abcd.jpg": ("WhatsApp", "status"),
    f"{CARD}/WhatsApp/Media/WhatsApp Voice Notes/202301/PTT-20230101-WA0000.opus": ("WhatsApp", "received"),
    f"{CARD}/WhatsApp Business/Media/WhatsApp Business Video/VID-20230101-WA0001.mp4": ("WhatsApp", "received"),
    f"{CARD}/WhatsApp/Media/WhatsApp Profile Photos/a.jpg": ("WhatsApp", "profile"),
    f"{APPS}/com.whatsapp/files/Avatars/4912345@s.whatsapp.net.j": ("WhatsApp", "profile"),
    f"{IOS}/Containers/Shared/AppGroup/X/group.net.whatsapp.WhatsApp.shared/Message/Media/a/b/c.jpg": ("WhatsApp", "kept"),
    f"{CARD}/Telegram/Telegram Images/1234567890.jpg": ("Telegram", "kept"),
    f"{CARD}/Android/data/org.telegram.messenger/cache/-6201_12.jpg": ("Telegram", "kept"),
    "vol1/Users/kim/Downloads/Telegram Desktop/photo_2023-01-02_03-04-05.jpg": ("Telegram", "received"),
    f"{IOS}/Containers/Shared/AppGroup/X/telegram-data/account-1/postbox/media/telegram-cloud-photo-size-2-5-y": ("Telegram", "kept"),
    f"{CARD}/Pictures/Signal/signal-2023-01-02-03-04-05-678.jpg": ("Signal", "saved"),
    f"{APPS}/com.snapchat.android/files/file_manager/chat_snap/a.chunk": ("Snapchat", "kept"),
    f"{APPS}/com.snapchat.android/cache/received_image_snaps/h1.jpg.nomedia": ("Snapchat", "received"),
    f"{CARD}/DCIM/Snapchat/Snapchat-1234567890.jpg": ("Snapchat", "saved"),
    f"{IOS}/Containers/Data/Application/X/Documents/com.snap.file_manager_3_SCContent_1/ab": ("Snapchat", "kept"),
    f"{APPS}/com.discord/cache/http-cache/a.0": ("Discord", "kept"),
    f"{CARD}/Pictures/Messenger/received_123456789012345.jpeg": ("Facebook Messenger", "received"),
    f"{APPS}/com.facebook.orca/cache/fb_temp/a.jpg": ("Facebook Messenger", "kept"),
    f"{CARD}/DCIM/Facebook/FB_IMG_1577836800000.jpg": ("Facebook", "saved"),
    f"{CARD}/Pictures/Instagram/IMG_20230102_030405_678.jpg": ("Instagram", "saved"),
    f"{APPS}/com.instagram.android/cache/images/a.clean": ("Instagram", "kept"),
    f"{CARD}/viber/media/Viber Images/IMG-a-V.jpg": ("Viber", "kept"),
    f"{APPS}/kik.android/cache/chatPicsBig/a": ("Kik", "kept"),
    f"{CARD}/Pictures/LINE/LINE_1577836800000.jpg": ("LINE", "saved"),
    f"{CARD}/tencent/MicroMsg/{'a1' * 16}/image2/ab/cd/th_abcd": ("WeChat", "kept"),
    f"{CARD}/tencent/MicroMsg/WeiXin/mmexport1577836800000.jpg": ("WeChat", "saved"),
    f"{APPS}/com.zhiliaoapp.musically/cache/video/a.mp4": ("TikTok", "kept"),
    f"{APPS}/ch.threema.app/files/.a.jpg": ("Threema", "kept"),
    f"{APPS}/com.mywickr.wickr2/files/a": ("Wickr", "kept"),
    f"{IOS}/Library/SMS/Attachments/0a/10/AT_0_x/IMG_0001.HEIC": ("iMessage", "kept"),
    "vol1/Users/kim/Library/Messages/Attachments/0a/10/x/IMG_0001.HEIC": ("iMessage", "kept"),
    f"{APPS}/com.android.providers.telephony/app_parts/PART_1577836800000": ("MMS", "kept"),
    f"{CARD}/bluetooth/a.jpg": ("Bluetooth", "received"),
    f"{CARD}/Download/Quick Share/a.jpg": ("Quick Share", "received"),
    f"{CARD}/Pictures/Screenshots/Screenshot_20230102-030405.png": ("the device", "screenshot"),
    "vol1/Users/kim/Desktop/Bildschirmfoto 2023-01-02 um 03.04.05.png": ("the device", "screenshot"),
    f"{CARD}/DCIM/Camera/IMG_20230102_030405.jpg": ("the camera", "taken"),
    f"{IOS}/Media/DCIM/100APPLE/IMG_0001.HEIC": ("the camera", "taken"),
    "vol1/Users/kim/Downloads/a.jpg": ("a browser or the device", "downloaded"),
    "vol1/Users/kim/Documents/My Skype Received Files/a.jpg": ("Skype", "received"),
    "vol1/Users/kim/AppData/Roaming/Skype/kim.k/media_messaging/media_cache_v3/^a.jpg": ("Skype", "kept"),
    "vol1/Users/kim/AppData/Local/Microsoft/Windows/INetCache/Content.Outlook/ABCD1234/a.jpg": ("Outlook", "received"),
    "vol1/media/150/DCIM/Camera/20230102_030405.jpg": ("Secure Folder", "hidden"),
    f"{APPS}/com.kii.safe/files/a.jpg": ("Keepsafe", "hidden"),
    f"{CARD}/DCIM/Camera/.trashed-1700000000-IMG_1.jpg": ("MediaStore", "trashed"),
}


@pytest.mark.parametrize("path", PLACES)
def test_places_of_apps_are_known(path: str) -> None:
    place = place_of(path)
    assert place is not None
    assert (place.app, place.way) == PLACES[path]


@pytest.mark.parametrize(
    "path",
    [
        "vol1/Users/kim/Pictures/holiday.jpg", "vol1/books/telegram.jpg", f"{CARD}/DCIM/.thumbnails/1.jpg", "vol1/WhatsAppened/a.jpg",
        "vol1/Windows/Web/Wallpaper/img0.jpg", "vol1/Pictures/line drawings/a.jpg", "vol1/com.discordant/a.jpg", "",
    ],
)  # fmt: skip
def test_other_places_are_quiet(path: str) -> None:
    assert place_of(path) is None


@pytest.mark.parametrize(
    ("name", "time", "local"),
    [
        ("IMG-20230102-WA0001.jpg", "2023-01-02", True),
        ("WhatsApp Image 2023-01-02 at 03.04.05.jpeg", "2023-01-02T03:04:05", True),
        ("IMG_20230102_030405.jpg", "2023-01-02T03:04:05", True),
        ("20230102_030405.jpg", "2023-01-02T03:04:05", True),
        ("PXL_20230102_030405678.jpg", "2023-01-02T03:04:05Z", False),
        ("PXL_20230102_030405678.MP.jpg", "2023-01-02T03:04:05Z", False),
        ("Screenshot_20230102-030405_Signal.jpg", "2023-01-02T03:04:05", True),
        ("Screenshot_2023-01-02-03-04-05-678_com.whatsapp.jpg", "2023-01-02T03:04:05", True),
        ("Bildschirmfoto 2023-01-02 um 03.04.05.png", "2023-01-02T03:04:05", True),
        ("signal-2023-01-02-03-04-05-678.jpg", "2023-01-02T03:04:05", True),
        ("signal-2023-01-02-030405.jpg", "2023-01-02T03:04:05", True),
        ("photo_2023-01-02_03-04-05.jpg", "2023-01-02T03:04:05", True),
        ("viber_image_2023-01-02_03-04-05-678.jpg", "2023-01-02T03:04:05", True),
        ("Viber image 2023-01-02 , 03.04.05.jpg", "2023-01-02T03:04:05", True),
        ("FB_IMG_1577836800000.jpg", "2020-01-01T00:00:00Z", False),
        ("mmexport1577836800000.jpg", "2020-01-01T00:00:00Z", False),
        ("1577836800000.jpg", "2020-01-01T00:00:00Z", False),
        (".trashed-1700000000-IMG_1.jpg", "2023-11-14T22:13:20Z", False),
    ],
)
def test_names_hold_times(name: str, time: str, local: bool) -> None:
    stamp = stamp_of(name)
    assert stamp is not None
    assert (stamp.time, stamp.local) == (time, local)


@pytest.mark.parametrize(
    "name", ["IMG_0001.JPG", "IMG_20231302_030405.jpg", "IMG_20230231_030405.jpg", "holiday 2023.jpg", "12345678901234567.jpg", ""]
)
def test_names_without_a_time_hold_none(name: str) -> None:
    assert stamp_of(name) is None


def test_a_picture_says_app_way_and_time() -> None:
    (found,) = findings(run("app_media", samples()[0]))
    assert (found.kind, found.title) == ("app-media", "received with WhatsApp")
    assert found.data == {"app": "WhatsApp", "direction": "received", "time": "2023-01-01", "time_basis": "local"}
    (found,) = findings(run("app_media", item_of(JPEG, f"{CARD}/DCIM/Camera/.trashed-1700000000-IMG_1.jpg")))
    assert (found.data["expires"], "time" in found.data) == ("2023-11-14T22:13:20Z", False)


def test_what_an_app_keeps_encrypted_is_said_to_be() -> None:
    secret = bytes((n * n * 7 + n // 251) % 256 for n in range(5000))
    (found,) = findings(run("app_media", item_of(secret, f"{APPS}/org.thoughtcrime.securesms/app_parts/part123.mms")))
    assert (found.kind, found.data["app"]) == ("encrypted", "Signal")
    assert run("app_media", item_of(secret, f"{APPS}/com.whatsapp/files/key")) == []


def test_other_kinds_of_files_are_not_asked() -> None:
    accepts = find_plugins().plugins["app_media"].accepts
    one = item_of(b"plain words\n" * 20, f"{CARD}/WhatsApp/Media/WhatsApp Documents/a.txt")
    assert not accepts.matches(one.entry, one.type)


class TestRealSamples:
    pytestmark = needs_samples

    def test_pictures_of_a_real_card(self) -> None:
        folder = ARTIFACTS / "dfrws2011_sdcard"
        found = {}
        for path in sorted(folder.rglob("*.jpg")):
            (one,) = findings(run("app_media", item_of(path.read_bytes(), f"vol1/{path.relative_to(folder)}")))
            found[path.name] = (one.data["app"], one.data["direction"], one.data.get("time"))
        assert found == {
            "2011-05-06 14.43.35.jpg": ("the camera", "taken", "2011-05-06T14:43:35"),
            "292048878.jpg": ("a browser or the device", "downloaded", None),
        }
