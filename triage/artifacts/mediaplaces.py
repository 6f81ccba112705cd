"""What the place and name of a picture, film or sound say: the app it came by, which way it went, and when.

A table of rules for paths, the first that fits counts; and one of names that hold a time. Folders as the apps make them on Android, iOS and
computers; times in names are those of the device's clock, without a zone, but where they count milliseconds or say UTC (Pixel cameras).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

from triage.artifacts import times

_HASH = r"[0-9a-f]{32}"
# App, way, path in small letters with a slash before it. ``received`` and ``sent`` are ways of messages; ``kept`` says nothing of the way.
_RULES: tuple[tuple[str, str, str], ...] = (
    ("MediaStore", "trashed", r"/\.trashed-\d{1,12}-[^/]+$"),
    ("Samsung's gallery", "trashed", r"/com\.sec\.android\.gallery3d/files/\.trash/"),
    ("Xiaomi's gallery", "trashed", r"/miui/gallery/cloud/\.trashbin/"),
    ("Secure Folder", "hidden", r"/media/150/|/storage/emulated/150/"),
    ("Keepsafe", "hidden", r"/com\.kii\.safe/|/\.keepsafe"),
    ("Gallery Vault", "hidden", r"/com\.thinkyeah\.galleryvault/|/\.galleryvault"),
    ("Vaulty", "hidden", r"/com\.theronrogers\.vaulty\w{0,10}/|/\.?vaulty/"),
    ("Calculator Vault", "hidden", r"/com\.hld\.anzenbokusu\w{0,10}/|/\.privacy_safe/"),
    ("WhatsApp", "status", r"/\.statuses/"),
    ("WhatsApp", "profile", r"/whatsapp(?: business)? profile (?:photos|pictures)/"),
    ("WhatsApp", "profile", r"/com\.whatsapp(?:\.w4b)?/(?:files/avatars|cache/profile pictures)/"),
    ("WhatsApp", "profile", r"/group\.net\.whatsapp\.whatsapp[^/]{0,20}/media/profile/"),
    ("WhatsApp", "sent", r"/whatsapp(?: business)? [a-z ]{4,20}/sent/|/whatsapp/\.shared/|/com\.whatsapp(?:\.w4b)?/cache/share/"),
    ("WhatsApp", "received", r"/whatsapp(?: business)? (?:images|video|audio|voice notes|animated gifs|documents|stickers|video notes)/"),
    ("WhatsApp", "kept", r"/group\.net\.whatsapp\.whatsapp[^/]{0,20}/|/com\.whatsapp(?:\.w4b)?/|/net\.whatsapp\.|\.whatsappdesktop_"),
    ("Telegram", "kept", r"/org\.telegram\.[a-z.]{4,30}/|/org\.thunderdog\.challegram/|/telegram-data/|/ph\.telegra\.telegraph/"),
    ("Telegram", "kept", r"/telegram-cloud-(?:photo-size|document)-[^/]+$"),
    ("Telegram", "kept", r"/telegram/telegram (?:images|video|audio|documents|stories|files)/"),
    ("Telegram", "received", r"/telegram desktop/"),
    ("Signal", "saved", r"/signal-20\d\d-\d\d-\d\d-[^/]+$|/(?:pictures|movies)/signal/"),
    ("Signal", "kept", r"/org\.thoughtcrime\.securesms/|/signal(?: beta)?/attachments\.noindex/|/group\.org\.whispersystems\.signal"),
    ("Session", "kept", r"/network\.loki\.messenger/|/com\.loki-project\.loki-messenger/|/session/attachments\.noindex/"),
    ("Snapchat", "received", r"/received_(?:image|video)_snaps?/"),
    ("Snapchat", "saved", r"/(?:dcim|pictures|movies)/snapchat/|/snapchat-\d{4,20}\.[a-z0-9]{3,4}$"),
    ("Snapchat", "kept", r"/com\.snapchat\.android/|/com\.toyopagroup\.picaboo/|/[^/]{0,40}sccontent[^/]{0,40}/"),
    ("Discord", "kept", r"/com\.discord/|/com\.hammerandchisel\.discord/|/discord(?:ptb|canary)?/(?:cache|attachments)/"),
    ("Facebook Messenger", "received", r"/received_\d{6,25}\.[a-z0-9]{3,4}$"),
    ("Facebook Messenger", "saved", r"/(?:pictures|movies|dcim)/messenger/"),
    ("Facebook Messenger", "kept", r"/com\.facebook\.(?:orca|mlite)/|/com\.facebook\.messenger/"),
    ("Facebook", "saved", r"/fb_img_\d{13}\.[a-z]{3,4}$|/(?:dcim|pictures|movies)/facebook/"),
    ("Facebook", "kept", r"/com\.facebook\.(?:katana|lite|facebook)/"),
    ("Instagram", "saved", r"/(?:pictures|movies|dcim)/instagram/"),
    ("Instagram", "kept", r"/com\.instagram\.(?:android|lite)/|/com\.burbn\.instagram/"),
    ("Viber", "kept", r"/com\.viber\.voip/|/viber/media/|/viberdownloads/|/com\.viber/"),
    ("Viber", "saved", r"/(?:pictures|movies)/viber/"),
    ("Kik", "kept", r"/kik\.android/|/com\.kik\.chat/|/(?:pictures|dcim|movies)/kik/"),
    ("LINE", "saved", r"/(?:pictures|movies|dcim)/line(?:_movie)?/"),
    ("LINE", "kept", r"/jp\.naver\.line(?:\.android)?/|/group\.com\.linecorp\.line/|/naver/line_backup/"),
    ("WeChat", "sent", rf"/micromsg/{_HASH}/video/[^/]*_sent"),
    ("WeChat", "profile", rf"/micromsg/{_HASH}/avatar/"),
    ("WeChat", "kept", rf"/micromsg/{_HASH}/|/com\.tencent\.(?:mm|xin)/|/wechat files/[^/]{{1,60}}/filestorage/|/xwechat_files/"),
    ("WeChat", "saved", r"/tencent/micromsg/wei?xin/|/(?:pictures|dcim)/wei?xin/|/mmexport\d{13}\.[a-z0-9]{3,4}$"),
    ("QQ", "kept", r"/com\.tencent\.(?:mobileqq|mqq)/|/tencent/(?:mobileqq|qq_images|qqfile_recv)/|/tencent files/\d{5,12}/"),
    ("TikTok", "kept", r"/com\.zhiliaoapp\.musically(?:\.go)?/|/com\.ss\.android\.ugc\.(?:trill|aweme)/"),
    ("Threema", "saved", r"/(?:pictures|movies)/threema/|/threema-\d{8}-[^/]+$"),
    ("Threema", "kept", r"/ch\.threema\.(?:app|iapp)[a-z.]{0,20}/"),
    ("Wickr", "kept", r"/com\.(?:mywickr\.wickr2?|wickr\.[a-z.]{2,20})/"),
    ("Wire", "kept", r"/com\.wire(?:\.[a-z]{2,20})?/|/com\.wearezeta\.zclient\.ios/"),
    ("Element", "kept", r"/im\.vector\.(?:app|alpha)/|/io\.element\.[a-z.]{2,20}/"),
    ("imo", "kept", r"/com\.imo\.android\.imoim[a-z]{0,6}/"),
    ("Grindr", "kept", r"/com\.grindrapp\.android/|/com\.grindrguy\.grindrx/"),
    ("Tinder", "kept", r"/com\.tinder/|/com\.cardify\.tinder/"),
    ("X", "kept", r"/com\.twitter\.android/|/com\.atebits\.tweetie2/|/(?:pictures|movies)/twitter/"),
    ("Reddit", "kept", r"/com\.reddit\.frontpage/|/(?:pictures|movies)/reddit/"),
    ("iMessage", "kept", r"/library/(?:sms|messages)/(?:part\d{1,4}/)?attachments/"),
    ("MMS", "kept", r"/com\.android\.providers\.telephony/app_parts/|/com\.(?:google\.android\.apps|samsung\.android)\.messaging/"),
    ("Skype", "received", r"/my skype received files/"),
    ("Skype", "kept", r"/media_messaging/|/com\.skype\.(?:raider|skype)/|/microsoft\.skypeapp_"),
    ("Teams", "kept", r"/microsoft teams chat files/|/com\.microsoft\.teams/|/com\.microsoft\.skype\.teams/"),
    ("Outlook", "received", r"/content\.outlook/|/com\.microsoft\.office\.outlook/"),
    ("Mail", "received", r"/mail downloads/|/com\.apple\.(?:mail|mobilemail)/|/library/mail/v\d{1,2}/.{1,300}/attachments/"),
    ("Gmail", "received", r"/com\.google\.android\.gm/|/com\.google\.gmail/"),
    ("Android's mail", "received", r"/com\.(?:android\.email|samsung\.android\.email\.provider|fsck\.k9)/"),
    ("Bluetooth", "received", r"/bluetooth/"),
    ("Quick Share", "received", r"/(?:nearby share|quick share)/"),
    ("SHAREit", "received", r"/shareit/(?:pictures|photos|videos|audios|files)/"),
    ("Xender", "received", r"/xender/(?:image|video|audio|other)/"),
    ("the device", "screenshot", r"/screenshots?/|/(?:screen ?shot|bildschirmfoto|screen ?recording)[ _-][^/]+$|/screen ?recordings?/"),
    ("the camera", "taken", r"/dcim/(?:camera|\d{3}[a-z0-9_]{5})/"),
    ("a browser or the device", "downloaded", r"/downloads?/"),
)  # fmt: skip
_COMPILED = tuple((app, way, re.compile(pattern)) for app, way, pattern in _RULES)
# Apps that encrypt what they keep there: a file of no known type is that.
_ENCRYPTS = {
    "Signal": r"/app_parts/|/attachments\.noindex/",
    "Session": r"/app_parts/|/attachments\.noindex/",
    "Wickr": "/",
    "Threema": r"/files/",
}
_LOCKED = {app: re.compile(pattern) for app, pattern in _ENCRYPTS.items()}

_SHOTS = "WhatsApp|Viber|Screenshot|Screen Shot|Screen Recording|Bildschirmfoto"
_DAY = r"(20\d\d)-?_?(0[1-9]|1[0-2])-?_?(0[1-9]|[12]\d|3[01])"
_HOUR = r"([01]\d|2[0-3])[-._h]?([0-5]\d)[-._m]?([0-5]\d)"
_NAMES = tuple(
    (re.compile(pattern, re.IGNORECASE), how)
    for pattern, how in (
        (rf"PXL_{_DAY}_{_HOUR}\d{{0,3}}\b.*", "utc"),
        (rf"(?:IMG|VID|AUD|PTT|STK|DOC)-{_DAY}-WA\d{{4,5}}.*", "day"),
        (
            rf"(?:{_SHOTS})[ _][a-z ]{{0,24}}{_DAY}(?: at | um | , |, |_| ){_HOUR}.*",
            "local",
        ),
        (rf"signal-{_DAY}-{_HOUR}.*", "local"),
        (rf"(?:photo|video|audio|animation)_{_DAY}_{_HOUR}.*", "local"),
        (
            rf"(?:IMG|VID|MOV|Burst|PANO|Screenshot|Screen_Recording|viber_image|threema|Screenrecorder|SVID)?[_-]?{_DAY}[-_ ]{_HOUR}.*",
            "local",
        ),
        (r"(?:FB_IMG_|LINE_|mmexport|wx_camera_|microMsg\.|facebook_|Snapchat-|image-|video-|IMG_)?(1[2-9]\d{11})(?!\d).*", "ms"),
        (r"\.trashed-(1\d{9}|2\d{9})-.*", "expires"),
    )
)


class Place(NamedTuple):
    """What a place says. ``way``: received, sent, status, profile, saved, kept, taken, screenshot, downloaded, hidden, trashed."""

    app: str
    way: str
    encrypts: bool


class Stamp(NamedTuple):
    """A time in a name: ISO 8601; a ``local`` one has no zone. ``expires``: it is when a thing in the trash is to be deleted."""

    time: str
    local: bool
    expires: bool = False


def place_of(path: str) -> Place | None:
    """Return what a path says of the app by which a file came there, ``None`` when it is no place of any that is known."""
    lowered = f"/{path.lower()}"[-4096:]
    for app, way, pattern in _COMPILED:
        if pattern.search(lowered):
            locked = _LOCKED.get(app)
            return Place(app, way, locked is not None and locked.search(lowered) is not None)
    return None


def stamp_of(name: str) -> Stamp | None:
    """Return the time that a file's name holds, if it is one of the forms that apps and cameras use."""
    for pattern, how in _NAMES:
        match = pattern.fullmatch(name[:300])
        if match is None:
            continue
        if how in ("ms", "expires"):
            when = times.iso(times.unix_ms(int(match[1])) if how == "ms" else times.unix(int(match[1])))
            return Stamp(when, local=False, expires=how == "expires") if when is not None else None
        year, month, day, hour, minute, second = (*map(int, match.groups()), 0, 0, 0)[:6]
        try:
            moment = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the device's clock, whose zone nobody says
        except ValueError:
            return None
        if how == "day":
            return Stamp(moment.date().isoformat(), local=True)
        return Stamp(moment.isoformat() + ("Z" if how == "utc" else ""), local=how != "utc")
    return None
