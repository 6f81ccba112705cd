"""Messages of Telegram, Facebook Messenger, Instagram, Snapchat, Line, TikTok and Google Messages, where they are not locked."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from triage.artifacts import times, web
from triage.artifacts.protobuf import text_at
from triage.artifacts.stores.said import call, contact, digits, inside, message, parsed, words
from triage.artifacts.stores.tables import Store, Tables, Trace, Values
from triage.artifacts.telegram import postbox_key, postbox_message, postbox_name, tl_author, tl_text
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator

_SNAPCHAT_TEXTS = ((4, 4, 2, 1), (2, 1))


def _raw(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _name(value: str) -> str:
    """Return a name of Telegram's, which has the user's name behind three semicolons."""
    name, _, user = value.partition(";;;")
    return f"{name} (@{user})" if name and user else name or user


def _telegram(tables: Tables) -> Iterator[Trace]:
    names: dict[Any, str] = {}
    for table in ("users", "chats"):
        for row in tables.rows(table):
            number = row["uid"] if table == "users" or not isinstance(row["uid"], int) else -row["uid"]
            names[number] = _name(row.text("name"))
    for row in tables.rows("users"):
        yield contact(row, _name(row.text("name")), id=row.text("uid"), seen_time=times.unix(row.number("status")))
    phones: dict[object, list[str]] = {}
    for row in tables.rows("user_phones_v7"):
        if row.text("phone"):
            phones.setdefault(row["key"], []).append(row.text("phone"))
    for row in tables.rows("user_contacts_v7"):
        name = f"{row.text('fname')} {row.text('sname')}".strip()
        yield contact(row, name, id=row.text("uid"), numbers=phones.get(row["key"], [])[:20])
    for row in tables.rows("messages_v2" if tables.has("messages_v2", ("data",)) else "messages"):
        data, date, sent = _raw(row["data"]), row.number("date") or 0, bool(row.number("out"))
        author = tl_author(data)
        conversation = names.get(row["uid"], "") or row.text("uid")
        person = conversation if sent else names.get(author, "") or conversation
        yield message(
            row,
            times.unix(date),
            tl_text(data, date),
            sent=sent,
            person=person,
            conversation=conversation,
            author=str(author) if author is not None else "",
            media=bool(row.number("media")) or None,
            seconds_to_live=row.number("ttl") or None,
        )


def _telegram_ios(tables: Tables) -> Iterator[Trace]:
    names: dict[Any, str] = {}
    for row in tables.rows("t2"):
        name = postbox_name(_raw(row["value"]))
        if name and isinstance(row["key"], int):
            names[row["key"]] = name
            yield contact(row, name, id=row.text("key"))
    for row in tables.rows("t7"):
        key, found = postbox_key(_raw(row["key"])), postbox_message(_raw(row["value"]))
        if key is None or found is None:
            continue
        conversation = names.get(key.peer, "") or str(key.peer)
        author = names.get(found.author, "") or (str(found.author) if found.author is not None else "")
        yield message(
            row,
            times.unix(key.time),
            found.text,
            sent=not found.incoming,
            person=author or conversation if found.incoming else conversation,
            conversation=conversation,
            author=author,
            forwarded_time=times.unix(found.forwarded),
        )


def _facebook_android(tables: Tables) -> Iterator[Trace]:
    """Old databases of Messenger for Android (``threads_db2``): people and attachments are JSON."""
    for row in tables.rows("thread_users"):
        name = " ".join(filter(None, (row.text("first_name"), row.text("last_name")))) or row.text("username")
        yield contact(row, name, id=row.text("user_key").rpartition(":")[2], account=row.text("username"))
    for row in tables.rows("messages"):
        sender, share, attachments = parsed(row["sender"]), parsed(row["shares"]), parsed(row["attachments"])
        event = parsed(row["generic_admin_message_extensible_data"])
        names = [words(one.get("filename")) for one in attachments[:50] if isinstance(one, dict)] if isinstance(attachments, list) else []
        who = words(inside(sender, "name")) or words(inside(sender, "user_key"))
        if inside(event, "call_duration") is not None or inside(event, "caller_id") is not None:
            yield call(
                row,
                times.unix_ms(row.number("timestamp_ms")),
                person=who,
                seconds=inside(event, "call_duration"),
                video=inside(event, "video") or None,
                caller=words(inside(event, "caller_id")),
                conversation=row.text("thread_key"),
            )
            continue
        yield message(
            row,
            times.unix_ms(row.number("timestamp_ms")),
            row.text("text", "snippet"),
            sent=None,
            person=who,
            sender=words(inside(sender, "user_key")),
            conversation=row.text("thread_key"),
            attachments=[name for name in names if name],
            url=web.shown_url(words(inside(share, 0, "href"))),
            subject=words(inside(share, 0, "name")),
        )


def _msys_contacts(tables: Tables) -> tuple[dict[Any, str], set[Any]]:
    names = {row["id"]: row.text("name", "username", "id") for row in tables.rows("contacts")}
    return names, {row["facebook_user_id"] for row in tables.rows("_user_info")}


def _msys(tables: Tables) -> Iterator[Trace]:
    """Messenger's newer databases: ``msys_database`` of Android, ``lightspeed-userDatabases`` of iOS."""
    names, own = _msys_contacts(tables)
    for row in tables.rows("contacts"):
        yield contact(
            row,
            row.text("name", "username", "id"),
            id=row.text("id"),
            account=row.text("username"),
            numbers=[n for n in [row.text("phone_number")] if n],
            emails=row.text("email_address"),
            url=web.shown_url(row.text("profile_picture_url")),
        )
    files: dict[object, list[Values]] = {}
    for table in ("attachments", "attachment_items"):
        for row in tables.rows(table):
            files.setdefault(row["message_id"], []).append(row)
    for table in ("messages", "thread_messages", "secure_messages"):
        for row in tables.rows(table):
            held = files.get(row["message_id"], []) if row["message_id"] is not None else []
            sender = row["sender_id"]
            sent = sender in own if own and sender is not None else None
            titles = [f for f in (" ".join(filter(None, (i.text("title_text"), i.text("subtitle_text")))) for i in held[:50]) if f]
            yield message(
                row,
                times.unix_ms(row.number("timestamp_ms")),
                row.text("text") or "; ".join(titles),
                sent=sent,
                person=row.text("thread_key") if sent else names.get(sender, "") or row.text("sender_id"),
                conversation=row.text("thread_key"),
                attachments=[name for name in (i.text("filename") for i in held[:50]) if name],
                url=web.shown_url(next((u for u in (i.text("playable_url", "preview_url") for i in held[:50]) if u), "")),
                secure=True if table == "secure_messages" else None,
            )
    for row in tables.rows("client_messages"):
        sender = row["sender_contact_pk"]
        sent = sender in own if own and sender is not None else None
        yield message(
            row,
            times.unix_ms(row.number("display_ts_ms")),
            row.text("text"),
            sent=sent,
            person=row.text("thread_pk") if sent else names.get(sender, "") or row.text("sender_contact_pk"),
            conversation=row.text("thread_pk"),
        )
    for row in tables.rows("call_log"):
        way = {1: "outgoing", 2: "incoming"}.get(row.number("call_direction") or 0, "")
        who = names.get(row["thread_key"], "") or row.text("thread_key")
        yield call(row, times.unix_ms(row.number("call_timestamp_ms")), person=who, direction=way, seconds=row.number("call_duration"))


def _instagram_android(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("messages"):
        whole = parsed(row["message"])
        url = inside(whole, "media", "image_versions2", "candidates", 0, "url") or inside(whole, "link", "link_context", "link_url")
        yield message(
            row,
            times.any_unix(row.number("timestamp")),
            row.text("text") or words(inside(whole, "video_call_event", "description")),
            sent=None,
            person=row.text("user_id") or words(inside(whole, "user_id")),
            conversation=row.text("thread_id"),
            what=row.text("message_type"),
            url=web.shown_url(words(url)),
        )
    for row in tables.rows("threads"):
        users = inside(parsed(row["thread_info"]), "recipients")
        for user in users[:100] if isinstance(users, list) else ():
            name = words(inside(user, "full_name")) or words(inside(user, "username"))
            if name:
                yield contact(row, name, account=words(inside(user, "username")), id=words(inside(user, "pk") or inside(user, "id")))


def _identity(value: object) -> str:
    """Return Snapchat's identity of a user or a conversation: sixteen bytes, or text already."""
    return str(uuid.UUID(bytes=value)) if isinstance(value, bytes) and len(value) == 16 else value if isinstance(value, str) else ""


def _arroyo(tables: Tables) -> Iterator[Trace]:
    """Snapchat's conversations; the text is in a protobuf at 4/4/2/1 where ``content_type`` is 1 (iLEAPP, ALEAPP)."""
    for row in tables.rows("conversation_message"):
        content = _raw(row["message_content"])
        kind = row.number("content_type")
        text = next((t for t in (text_at(content, *path) for path in _SNAPCHAT_TEXTS) if t), "") if kind in (1, None) else ""
        if kind is None and not text.isprintable():
            text = ""
        sender = _identity(row["sender_id"])
        yield message(
            row,
            times.unix_ms(row.number("creation_timestamp")),
            text,
            sent=None,
            person=sender,
            conversation=_identity(row["client_conversation_id"]),
            content_type=kind,
            read_time=times.unix_ms(row.number("read_timestamp")),
            saved=bool(row.number("is_saved")) or None,
        )


def _snapchat_friends(tables: Tables) -> Iterator[Trace]:
    names = {row["_id"]: row.text("displayname", "username", "userid") for row in tables.rows("friend")}
    for row in tables.rows("friend"):
        yield contact(
            row,
            row.text("displayname", "username", "userid"),
            when=times.unix_ms(row.number("addedtimestamp")),
            account=row.text("username"),
            id=row.text("userid"),
            numbers=[n for n in [row.text("phone")] if n],
            birthday=row.text("birthday"),
        )
    for row in tables.rows("message"):
        yield message(
            row,
            times.unix_ms(row.number("timestamp")),
            text_at(_raw(row["content"]), 4, 4, 2, 1) if isinstance(row["content"], bytes) else row.text("content"),
            sent=None,
            person=names.get(row["senderid"], "") or row.text("senderid"),
            what=row.text("type"),
            read_time=times.unix_ms(row.number("seentimestamp")),
        )


def _snapchat_files(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("cache_file_claim"):
        key = row.text("external_key", "cache_key")
        yield row.trace(
            "cached-file",
            f"Snapchat kept {show(key[-200:])}",
            times.unix_ms(row.number("creation_timestamp_millis")),
            name=row.text("cache_key"),
            key=key,
            deleted_time=times.unix_ms(row.number("deleted_timestamp_millis")),
        )


def _memories(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("memories_snap"):
        latitude, longitude = row["latitude"], row["longitude"]
        placed = bool(row.number("has_location")) and isinstance(latitude, int | float) and isinstance(longitude, int | float)
        yield row.trace(
            "media-file",
            f"a memory of Snapchat: {show(row.text('_id'))}",
            times.unix_ms(row.number("create_time")),
            name=row.text("_id"),
            media=row.text("media_id"),
            latitude=latitude if placed else None,
            longitude=longitude if placed else None,
            seconds=row.number("duration"),
        )


def _line_android(tables: Tables) -> Iterator[Trace]:
    names = {row["m_id"]: row.text("name", "server_name", "m_id") for row in tables.rows("contacts")}
    for row in tables.rows("contacts"):
        yield contact(row, row.text("name", "server_name", "m_id"), id=row.text("m_id"), status=row.text("status_msg"))
    for row in tables.rows("chat_history"):
        sent = {1: False}.get(row.number("status") or 0, not row.text("from_mid"))
        who = names.get(row["from_mid"], "") or row.text("from_mid", "chat_id")
        yield message(
            row,
            times.unix_ms(digits(row["created_time"])),
            row.text("content"),
            sent=sent,
            person=row.text("chat_id") if sent else who,
            conversation=row.text("chat_id"),
            attachments=[p for p in [row.text("attachement_local_uri")] if p],
        )


def _line_calls(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("call_history"):
        way = {"O": "outgoing", "I": "incoming"}.get(row.text("call_type")[-1:], "")
        start, end = times.unix_ms(digits(row["start_time"])), times.unix_ms(digits(row["end_time"]))
        yield call(row, start, person=row.text("caller_mid"), direction=way, end_time=end, video=row.text("voip_type") == "V" or None)


def _line_ios(tables: Tables) -> Iterator[Trace]:
    names = {row["z_pk"]: row.text("zname", "zmid") for row in tables.rows("zuser")}
    for row in tables.rows("zuser"):
        yield contact(row, row.text("zname", "zcustomname", "zmid"), id=row.text("zmid"))
    for row in tables.rows("zmessage"):
        sent = row["zsender"] is None
        yield message(
            row,
            times.unix_ms(row.number("ztimestamp")),
            row.text("ztext"),
            sent=sent,
            person="" if sent else names.get(row["zsender"], ""),
            conversation=row.text("zchat"),
        )


def _tiktok(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("timmessageorm" if tables.has("timmessageorm") else "msg"):
        content = parsed(row["content"])
        yield message(
            row,
            times.any_unix(row["localcreatedat"] if row["localcreatedat"] is not None else row["created_time"]),
            words(inside(content, "text")) or words(inside(content, "tips")) or words(inside(content, "display_name")),
            sent=None,
            person=row.text("sender"),
            conversation=row.text("belongingconversationidentifier", "conversation_id"),
            url=web.shown_url(words(inside(content, "url", "url_list", 0))),
        )


def _bugle(tables: Tables) -> Iterator[Trace]:
    """Google Messages: the texts and files of a message are rows of their own."""
    people = {row["_id"]: row for row in tables.rows("participants")}
    chats = {row["_id"]: row.text("name") for row in tables.rows("conversations")}
    parts: dict[object, list[Values]] = {}
    for row in tables.rows("parts"):
        parts.setdefault(row["message_id"], []).append(row)
    for row in tables.rows("messages"):
        sender = people.get(row["sender_id"])
        # The owner has the number of a SIM card, everybody else -2.
        sent = None if sender is None or sender["sub_id"] is None else sender.number("sub_id") != -2
        held = parts.get(row["_id"], [])[:50]
        conversation = chats.get(row["conversation_id"], "") or row.text("conversation_id")
        other = sender.text("display_destination", "normalized_destination", "full_name") if sender is not None else ""
        yield message(
            row,
            times.unix_ms(row.number("received_timestamp") or row.number("sent_timestamp")),
            " ".join(t for t in (part.text("text") for part in held) if t),
            sent=sent,
            person=conversation if sent else other or conversation,
            conversation=conversation,
            sent_time=times.unix_ms(row.number("sent_timestamp")),
            attachments=[p for p in (part.text("local_cache_path", "uri") for part in held) if p],
        )


STORES = (
    Store("telegram", "Telegram", {"messages_v2": ("mid", "uid", "date", "data", "out")}, _telegram),
    Store("telegram-old", "Telegram", {"messages": ("mid", "uid", "date", "data", "out", "read_state")}, _telegram),
    Store("telegram-ios", "Telegram", {"t2": ("key", "value"), "t7": ("key", "value")}, _telegram_ios),
    Store("messenger-old", "Messenger", {"messages": ("msg_id", "thread_key", "sender", "timestamp_ms")}, _facebook_android),
    Store("messenger", "Messenger", {"messages": ("message_id", "thread_key", "sender_id", "timestamp_ms")}, _msys),
    Store("messenger-ios", "Messenger", {"thread_messages": ("message_id", "thread_key", "sender_id", "timestamp_ms")}, _msys),
    Store("instagram", "Instagram", {"messages": ("thread_id", "message_type", "text", "message", "timestamp")}, _instagram_android),
    Store("snapchat", "Snapchat", {"conversation_message": ("client_conversation_id", "message_content")}, _arroyo),
    Store("snapchat-friends", "Snapchat", {"friend": ("_id", "username", "userid")}, _snapchat_friends),
    Store("snapchat-files", "Snapchat", {"cache_file_claim": ("cache_key", "external_key")}, _snapchat_files),
    Store("snapchat-memories", "Snapchat", {"memories_snap": ("_id", "media_id", "create_time")}, _memories),
    Store("line", "Line", {"chat_history": ("chat_id", "from_mid", "content", "created_time")}, _line_android),
    Store("line-calls", "Line", {"call_history": ("caller_mid", "start_time", "call_type")}, _line_calls),
    Store("line-ios", "Line", {"zmessage": ("ztext", "ztimestamp", "zsender", "zchat"), "zuser": ("zname",)}, _line_ios),
    Store("tiktok-ios", "TikTok", {"timmessageorm": ("content", "sender", "localcreatedat")}, _tiktok),
    Store("tiktok", "TikTok", {"msg": ("msg_uuid", "content", "sender", "created_time")}, _tiktok),
    Store(
        "google-messages",
        "Google Messages",
        {"messages": ("_id", "conversation_id", "sender_id", "received_timestamp"), "parts": ("message_id", "text")},
        _bugle,
    ),
)
