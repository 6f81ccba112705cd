"""Microsoft Teams, Instagram and Twitter on phones, and Tango: the databases whose rows are archives, feeds or profiles."""

from __future__ import annotations

import base64
import binascii
import html
import re
from typing import TYPE_CHECKING, Any

from triage.artifacts import times, web
from triage.artifacts.keyedarchive import KeyedArchive
from triage.artifacts.stores.said import call, contact, digits, inside, iso_time, message, parsed, place, words
from triage.artifacts.stores.tables import Store, Tables, Trace, Values
from triage.artifacts.structure import StructureError
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKUP = re.compile(r"<[^<>]{0,2000}>")
_SOURCE = re.compile(r'<img[^<>]{0,500}? src="([^"<>]{1,2000})"', re.IGNORECASE)
_MAP = re.compile(r"pos\.(-?[0-9]{1,3}\.[0-9]{1,20})_(-?[0-9]{1,3}\.[0-9]{1,20})")
_CONTENT = "IGDirectPublishedMessageContent*content"
_METADATA = "IGDirectPublishedMessageMetadata*metadata"
_PHOTO = ("IGDirectPublishedMessageMedia*media", "IGDirectPublishedMessagePermanentMedia*permanentMedia", "IGPhoto*photo")
_ACTIVITY = "IGDirectThreadActivityAnnouncement*threadActivity"


def _archive(value: object) -> KeyedArchive | None:
    if not isinstance(value, bytes) or not value:
        return None
    try:
        return KeyedArchive(value)
    except StructureError:
        return None


def _instagram_ios(tables: Tables) -> Iterator[Trace]:
    names: dict[str, str] = {}
    own: dict[object, str] = {}
    others: dict[object, list[str]] = {}
    for row in tables.rows("threads"):
        own[row["thread_id"]] = row.text("viewer_id")
        archive = _archive(row["metadata"])
        if archive is None:
            continue
        there = [archive.text("pk", of=user) for user in archive.items(archive.get("NSArray<IGUser *>*users")) if user is not None]
        others[row["thread_id"]] = [number for number in there if number]
        for user in [archive.get("IGUser*inviter"), *archive.items(archive.get("NSArray<IGUser *>*users"))]:
            number = archive.text("pk", of=user) if user is not None else ""
            if not number or number in names:
                continue
            name = archive.text("fullName", of=user) or archive.text("userName", of=user) or archive.text("username", of=user)
            names[number] = name
            picture = web.shown_url(archive.text("profilePicUrl", of=user))
            yield contact(row, name or number, id=number, account=archive.text("userName", of=user), url=picture)
    for row in tables.rows("messages"):
        archive = _archive(row["archive"])
        if archive is None:
            yield message(row, None, "", sent=None, person="", conversation=row.text("thread_id"), unread="the archive cannot be read")
            continue
        sender = archive.text(_METADATA, "NSString*senderPk")
        when = archive.time(_METADATA, "NSDate*serverTimestamp")
        viewer = own.get(row["thread_id"], "")
        call_id = archive.text(_CONTENT, _ACTIVITY, "NSString*videoCallId")
        activity = archive.text(_CONTENT, _ACTIVITY, "NSString*voipTitle") or archive.text(_CONTENT, _ACTIVITY, "NSString*actionLogTitle")
        photo = archive.get(_CONTENT, *_PHOTO)
        sent = sender == viewer if viewer and sender else None
        people = others.get(row["thread_id"], [])[:20]
        version = next(archive.items(archive.get("imageVersions", of=photo)), None) if photo is not None else None
        yield message(
            row,
            when,
            archive.text(_CONTENT, "NSString*string") or activity,
            sent=sent,
            person=", ".join(names.get(one, "") or one for one in (people if sent else [sender])),
            sender=sender,
            conversation=row.text("thread_id"),
            what=archive.text(_CONTENT, "codedSubtype").removeprefix("SUBTYPE_").lower(),
            call=call_id,
            media=archive.text("kIGPhotoMediaID", of=photo) if photo is not None else "",
            url=web.shown_url(archive.text("url", of=version)) if version is not None else "",
        )


def _plain(text: str) -> str:
    return " ".join(html.unescape(_MARKUP.sub(" ", text)).split())


def _teams_properties(row: Values) -> Iterator[tuple[str, Any]]:
    """Yield the properties of a message that tell of a call or a place: JSON, or a dictionary of an archive with its plain values."""
    archive = _archive(row["zproperties"])
    if archive is None:
        return
    for key, value in archive.pairs(archive.root):
        if isinstance(value, str):
            yield key, value
        elif isinstance(value, dict):
            yield key, {name: one for name, one in archive.pairs(value) if isinstance(one, str | int | float)}


def _teams(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("zuser"):
        yield contact(
            row,
            row.text("zdisplayname", "ztsid"),
            id=row.text("ztsid"),
            account=row.text("zuserprincipalname"),
            emails=row.text("zmail"),
            numbers=[n for n in (row.text("ztelephonenumber"), row.text("zmobile")) if n],
        )
    for row in tables.rows("zdevicecontacthash"):
        yield contact(row, row.text("zdisplayname"), emails=row.text("zemail"), numbers=[n for n in [row.text("zphonenumber")] if n])
    for row in tables.rows("zscontact"):
        yield contact(row, row.text("zdisplayname"), emails=row.text("zemail"), numbers=[n for n in [row.text("zphone")] if n])
    names = {row["ztsid"]: row.text("zdisplayname") for row in tables.rows("zuser")}
    topics = {row["ztsid"]: row.text("zthreadtopic") for row in tables.rows("zthread")}
    for row in tables.rows("zsmessage"):
        sent = bool(row.number("zts_issentbyme"))
        content = row.text("zcontent")
        source = _SOURCE.search(content)
        author = row.text("zimdisplayname") or names.get(row["zfrom"], "") or row.text("zfrom")
        conversation = topics.get(row["zthreadid"], "") or row.text("zthreadid")
        yield message(
            row,
            times.cocoa(row["zarrivaltime"]) or times.unix_ms(row.number("zts_numericarrivaltime")),
            _plain(content),
            sent=sent,
            person=conversation if sent else author,
            author=author,
            conversation=conversation,
            what=row.text("zmessagetype"),
            url=web.shown_url(html.unescape(source[1])) if source else "",
            edited_time=times.unix_ms(row.number("zedittime")),
            removed_time=times.unix_ms(digits(row["zdeletetime"])),
        )
    for row in tables.rows("zmessageproperties"):
        when = times.unix_ms(row.number("ztsid"))
        for key, value in _teams_properties(row):
            if key == "call-log" and isinstance(value, dict):
                yield _teams_call(row, names, value)
            elif isinstance(value, dict) and "latitude" in value:
                found = place(row, when, value["latitude"], value.get("longitude"), "shared a place", address=words(value.get("address")))
                if found is not None:
                    yield found
            elif isinstance(value, str) and key == "cards":
                yield from _teams_card(row, when, value)
    for row in tables.rows("zuserlocation"):
        who = names.get(row["zusermri"], "") or row.text("zusermri")
        yield row.trace(
            "location-shared",
            f"shared a place, kept encrypted: {show(who)}",
            times.cocoa(row["zlastupdateddate"]),
            person=who,
            conversation=row.text("zthreadid"),
        )


def _teams_call(row: Values, names: dict[Any, str], value: dict[str, Any]) -> Trace:
    direction = words(value.get("callDirection"))
    other = words(value.get("target" if direction == "outgoing" else "originator"))
    start, end = iso_time(value.get("startTime")), iso_time(value.get("endTime"))
    connected = iso_time(value.get("connectTime"))
    return call(
        row,
        start or times.unix_ms(row.number("ztsid")),
        person=names.get(other, "") or other,
        direction=direction,
        seconds=(end - connected) // 10**9 if end is not None and connected is not None else None,
        outcome=words(value.get("callState")),
        end_time=end,
        conversation=row.text("zthreadid"),
    )


def _teams_card(row: Values, when: int | None, text: str) -> Iterator[Trace]:
    """Yield the places of a card that shares one: they stand in the address of its map."""
    body = inside(parsed(text), 0, "content", "body")
    blocks = body if isinstance(body, list) else []
    titles = [words(inside(block, "text")) for block in blocks[:20] if inside(block, "type") == "TextBlock"]
    for block in blocks[:20]:
        url = words(inside(block, "selectAction", "url"))
        spot = _MAP.search(url)
        if spot:
            address = ", ".join(dict.fromkeys(t for t in titles if t))
            found = place(row, when, float(spot[1]), float(spot[2]), "shared a place", address=address, conversation=row.text("zthreadid"))
            if found is not None:
                yield found


def _twitter_text(data: object) -> str:
    """Return the text of a direct message: the longest string of its record, each a byte ``j``, its length in a byte, and UTF-8."""
    best = b""
    if isinstance(data, bytes):
        at = data.find(b"j")
        while 0 <= at < len(data) - 1:
            length = data[at + 1]
            raw = data[at + 2 : at + 2 + length]
            if len(raw) == length > len(best) and not any(byte < 9 for byte in raw):
                best = raw
            at = data.find(b"j", at + 1)
    try:
        return best.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def _twitter_android(tables: Tables) -> Iterator[Trace]:
    names = {row["user_id"]: row.text("username", "name") for row in tables.rows("users")}
    for row in tables.rows("users"):
        yield _profile(row, row.text("username"), row.text("name"), times.unix_ms(row.number("profile_created")), row.text("user_id"),
                       location=row.text("location"), about=row.text("description"), url=web.shown_url(row.text("image_url")))  # fmt: skip
    for row in tables.rows("statuses"):
        latitude, longitude = row["latitude"], row["longitude"]
        yield _post(
            row,
            times.unix_ms(row.number("created")),
            row.text("content", "r_content"),
            names.get(row["author_id"], "") or row.text("author_id"),
            latitude=latitude if isinstance(latitude, float) and -90 <= latitude <= 90 else None,
            longitude=longitude if isinstance(longitude, float) and -180 <= longitude <= 180 else None,
            favorite=bool(row.number("favorited")) or None,
            reposted=bool(row.number("retweeted")) or None,
        )
    for row in tables.rows("search_queries"):
        term = row.text("query", "name")
        yield row.trace(
            "search-term", f"searched Twitter for: {show(term[:200])}", times.unix_ms(row.number("time")), term=term, engine="Twitter"
        )
    for row in tables.rows("conversation_entries"):
        yield message(
            row,
            times.unix_ms(row.number("created")),
            _twitter_text(row["data"]),
            sent=None,
            person=names.get(row["user_id"], "") or row.text("user_id"),
            conversation=row.text("conversation_id"),
        )
    for row in tables.rows("notifications"):
        text = row.text("notif_txt")
        yield row.trace("notification", f"notification: {show(text[:200])}", None, text=text, person=row.text("source_user_name", "s_name"))


def _twitter_ios(tables: Tables) -> Iterator[Trace]:
    names = {row["id"]: row.text("screenname", "name") for row in tables.rows("users")}
    for row in tables.rows("users"):
        yield _profile(row, row.text("screenname"), row.text("name"), times.unix(row["createddate"]), row.text("id"),
                       location=row.text("location"), about=row.text("description"),
                       url=web.shown_url(row.text("profileimageurl")))  # fmt: skip
    for row in tables.rows("statuses"):
        yield _post(
            row,
            times.unix(row["date"]),
            row.text("text"),
            names.get(row["userid"], "") or row.text("userid"),
            favorite=bool(row.number("favorited")) or None,
        )


def _profile(row: Values, account: str, name: str, created: int | None, number: str, **more: Any) -> Trace:
    return row.trace(
        "profile", f"a profile that was shown: {show((name or account)[:150])}", None,
        name=name, account=account, id=number, created_time=created, **more,
    )  # fmt: skip


def _post(row: Values, when: int | None, text: str, person: str, **more: Any) -> Trace:
    return row.trace("post", f"a post of {show(person[:100])}: {show(text[:150])}", when, text=text, person=person, **more)


def _base64(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return text


def _tango(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("profiletable"):
        name = " ".join(filter(None, (_base64(row.text("itemfirstname")), _base64(row.text("itemlastname")))))
        yield contact(
            row,
            name or row.text("itemuserid"),
            when=times.unix_ms(row.number("itemlastlocalaccesstime")),
            id=row.text("itemuserid"),
            friend=bool(row.number("itemisfriend")) or None,
            blocked=bool(row.number("itemisblocked")) or None,
            request=_base64(row.text("itemfriendrequestmessage")),
            requested_time=times.unix_ms(row.number("itemfriendrequesttime")),
            seen_time=times.unix_ms(row.number("itemlastactivetime")),
            gender=row.text("itemgender"),
            birthday=row.text("itembirthday"),
            url=web.shown_url(row.text("itemavatarurl")),
        )


STORES = (
    Store("instagram-ios", "Instagram", {"messages": ("message_id", "thread_id", "archive", "class_name")}, _instagram_ios),
    Store("teams-ios", "Microsoft Teams", {"zsmessage": ("zcontent", "zthreadid", "zts_issentbyme")}, _teams),
    Store("twitter", "Twitter", {"statuses": ("status_id", "author_id", "content"), "users": ("user_id", "username")}, _twitter_android),
    Store("twitter-ios", "Twitter", {"statuses": ("id", "text", "userid"), "users": ("id", "screenname")}, _twitter_ios),
    Store("tango", "Tango", {"profiletable": ("itemuserid", "itemfirstname")}, _tango),
)
