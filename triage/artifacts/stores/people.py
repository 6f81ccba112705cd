"""Messages, calls, contacts and accounts in the databases of phones and messengers."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.stores.tables import Store, Tables, Trace, Values
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKUP = re.compile(r"<[^<>]{0,500}>")
_SMS_KINDS = {1: "received", 2: "sent", 3: "draft", 4: "outbox", 5: "failed", 6: "queued"}
_CALLS = {1: "incoming", 2: "outgoing", 3: "missed", 4: "voicemail", 5: "rejected", 6: "blocked"}
_SKYPE_TEXT = (61, 68, 201, 202)


def _message(row: Values, when: int | None, text: str, *, sent: bool | None, person: str, **more: Any) -> Trace:
    direction = "" if sent is None else "sent" if sent else "received"
    title = (
        f"message {direction}{' to ' if sent else ' from ' if sent is not None else ' with '}{show(person[:100]) or 'somebody'}".replace(
            "  ", " "
        )
    )
    return row.trace(
        "message", f"{title}: {show(text[:150])}" if text else title, when, text=text, direction=direction, person=person, **more
    )


def _contact(row: Values, name: str, **more: Any) -> Trace:
    return row.trace("contact", f"contact {show(name[:150])}", None, name=name, **more)


def _android_sms(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("sms"):
        kind = row.number("type") or 0
        yield _message(
            row,
            times.unix_ms(row.number("date")),
            row.text("body"),
            sent=kind != 1 if kind else None,
            person=row.text("address"),
            box=_SMS_KINDS.get(kind, ""),
            sent_time=times.unix_ms(row.number("date_sent")),
            read=bool(row.number("read")),
        )
    parts: dict[object, list[str]] = {}
    for row in tables.rows("part"):
        if row.text("text"):
            parts.setdefault(row["mid"], []).append(row.text("text"))
    people: dict[object, list[str]] = {}
    for row in tables.rows("addr"):
        people.setdefault(row["msg_id"], []).append(row.text("address"))
    for row in tables.rows("pdu"):
        box = row.number("msg_box") or 0
        yield _message(
            row,
            times.unix(row.number("date")),
            " ".join(parts.get(row["_id"], [])),
            sent=box != 1 if box else None,
            person=", ".join(people.get(row["_id"], [])[:20]),
            subject=row.text("sub"),
            mms=True,
        )


def _android_calls(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("calls"):
        who = row.text("number", "canonized_number")
        kind = _CALLS.get(row.number("type") or 0, "")
        yield row.trace(
            "call",
            f"{kind or 'a'} call {show(who)}".strip(),
            times.any_unix(row.number("date")),
            person=who,
            name=row.text("name"),
            direction=kind,
            seconds=row.number("duration"),
            place=row.text("geocoded_location"),
        )


def _android_contacts(tables: Tables) -> Iterator[Trace]:
    mimes = {row["_id"]: row.text("mimetype") for row in tables.rows("mimetypes")}
    details: dict[object, dict[str, list[str]]] = {}
    for row in tables.rows("data"):
        kind = mimes.get(row["mimetype_id"], "").rpartition("/")[2]
        if value := row.text("data1"):
            details.setdefault(row["raw_contact_id"], {}).setdefault(kind, []).append(value)
    for row in tables.rows("raw_contacts"):
        found = details.get(row["_id"], {})
        name = row.text("display_name") or ", ".join(found.get("name", []))
        yield _contact(
            row,
            name,
            numbers=found.get("phone_v2", [])[:20],
            emails=found.get("email_v2", [])[:20],
            deleted=bool(row.number("deleted")) or None,
        )


def _viber_contacts(tables: Tables) -> Iterator[Trace]:
    numbers: dict[object, list[str]] = {}
    for row in tables.rows("phonebookdata"):
        if value := row.text("data2", "data1"):
            numbers.setdefault(row["contact_id"], []).append(value)
    for row in tables.rows("phonebookcontact"):
        yield _contact(row, row.text("display_name"), numbers=numbers.get(row["_id"], [])[:20])


def _android_downloads(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("downloads"):
        path, url = row.text("_data", "hint", "title"), row.text("uri")[:8192]
        yield row.trace(
            "download",
            f"downloaded {show(path[-200:] or url[:200])}",
            times.unix_ms(row.number("lastmod")),
            url=url,
            path=path,
            referrer=row.text("referer"),
            size=row.number("total_bytes"),
            mime=row.text("mimetype"),
            application=row.text("notificationpackage"),
        )


def _burner(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("messages"):
        kind = row.number("direction")
        yield _message(
            row,
            times.unix_ms(row.number("date_created")),
            row.text("message"),
            sent=kind == 2 if kind in (1, 2) else None,
            person=row.text("contact_phone_number"),
            url=row.text("asset_url", "voice_url"),
        )


def _hangouts(tables: Tables) -> Iterator[Trace]:
    names = {row["gaia_id"]: row.text("full_name", "fallback_name") for row in tables.rows("participants")}
    for row in tables.rows("messages"):
        who = names.get(row["author_gaia_id"], "") or row.text("author_chat_id")
        yield _message(
            row,
            times.unix_us(row.number("timestamp")),
            row.text("text"),
            sent=None,
            person=who,
            url=row.text("remote_url"),
            conversation=row.text("conversation_id"),
        )


def _ios_sms(tables: Tables) -> Iterator[Trace]:
    handles = {number: row.text("id") for number, row in tables.by("handle", "rowid").items()}
    files = tables.by("attachment", "rowid")
    joined: dict[object, list[str]] = {}
    for row in tables.rows("message_attachment_join"):
        file = files.get(row["attachment_id"])
        if file is not None:
            joined.setdefault(row["message_id"], []).append(file.text("filename", "transfer_name"))
    for row in tables.rows("message"):
        number = row.rowid if row["rowid"] is None else row["rowid"]
        text = row.text("text") or _attributed(row["attributedbody"])
        yield _message(
            row,
            times.cocoa(row["date"]),
            text,
            sent=bool(row.number("is_from_me")),
            person=handles.get(row["handle_id"], ""),
            service=row.text("service"),
            account=row.text("account"),
            attachments=joined.get(number, [])[:50],
            read_time=times.cocoa(row["date_read"]),
        )
    for row in tables.rows("attachment"):
        path = row.text("filename", "transfer_name")
        yield row.trace(
            "attachment",
            f"attachment {show(path[-200:])}",
            times.cocoa(row["created_date"]),
            path=path,
            mime=row.text("mime_type"),
            size=row.number("total_bytes"),
            direction="sent" if row.number("is_outgoing") else "received",
        )


def _attributed(value: object) -> str:
    """Return the text of an archived NSAttributedString, which newer systems keep instead of the column ``text``."""
    if not isinstance(value, bytes):
        return ""
    at = value.find(b"NSString")
    plus = value.find(b"+", at) if at >= 0 else -1
    if plus < 0 or plus + 2 >= len(value):
        return ""
    length, start = value[plus + 1], plus + 2
    if length == 0x81:
        length, start = int.from_bytes(value[start : start + 2], "little"), start + 2
    elif length == 0x82:
        length, start = int.from_bytes(value[start : start + 4], "little"), start + 4
    return value[start : start + min(length, 64 << 10)].decode("utf-8", "replace")


def _ios_calls(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("zcallrecord"):
        who = row.text("zaddress", "zname")
        direction = "outgoing" if row.number("zoriginated") else "incoming" if row.number("zanswered") else "missed"
        yield row.trace(
            "call",
            f"{direction} call {show(who)}",
            times.cocoa(row["zdate"]),
            person=who,
            direction=direction,
            seconds=row.number("zduration"),
            service=row.text("zservice_provider"),
        )


def _ios_contacts(tables: Tables) -> Iterator[Trace]:
    values: dict[object, list[str]] = {}
    for row in tables.rows("abmultivalue"):
        if row.text("value"):
            values.setdefault(row["record_id"], []).append(row.text("value"))
    for row in tables.rows("abperson"):
        name = " ".join(part for part in (row.text("first"), row.text("last")) if part) or row.text("organization")
        number = row.rowid if row["rowid"] is None else row["rowid"]
        yield _contact(row, name, values=values.get(number, [])[:20], organization=row.text("organization"))


def _ios_accounts(tables: Tables) -> Iterator[Trace]:
    kinds = {row["z_pk"]: row.text("zaccounttypedescription", "zidentifier") for row in tables.rows("zaccounttype")}
    for row in tables.rows("zaccount"):
        user = row.text("zusername", "zaccountdescription", "zidentifier")
        kind = kinds.get(row["zaccounttype"], "")
        yield row.trace(
            "account",
            f"account {show(user[:100])} ({show(kind)})",
            times.cocoa(row["zdate"]),
            account=user,
            service=kind,
            application=row.text("zowningbundleid"),
        )


def _ios_whatsapp(tables: Tables) -> Iterator[Trace]:
    chats = {row["z_pk"]: row.text("zpartnername", "zcontactjid") for row in tables.rows("zwachatsession")}
    media = {row["zmessage"]: row for row in tables.rows("zwamediaitem")}
    for row in tables.rows("zwamessage"):
        sent = bool(row.number("zisfromme"))
        item = media.get(row["z_pk"])
        yield _message(
            row,
            times.cocoa(row["zmessagedate"]),
            row.text("ztext"),
            sent=sent,
            person=row.text("ztojid" if sent else "zfromjid"),
            conversation=chats.get(row["zchatsession"], ""),
            attachments=[item.text("zmedialocalpath")] if item is not None and item.text("zmedialocalpath") else [],
            url=item.text("zmediaurl") if item is not None else "",
        )


def _whatsapp_contacts_ios(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("zwaaddressbookcontact"):
        yield _contact(
            row, row.text("zfullname", "zgivenname"), numbers=[n for n in [row.text("zphonenumber")] if n], id=row.text("zwhatsappid")
        )


def _kik(tables: Tables) -> Iterator[Trace]:
    users = tables.by("zkikuser", "z_pk")
    for row in tables.rows("zkikuser"):
        yield _contact(
            row, row.text("zdisplayname", "zusername"), id=row.text("zjid"), account=row.text("zusername"), url=row.text("zppurl")
        )
    for row in tables.rows("zkikmessage"):
        kind = row.number("ztype")
        who = users.get(row["zuser"])
        yield _message(
            row,
            times.cocoa(row["zreceivedtimestamp"] or row["ztimestamp"]),
            row.text("zbody"),
            sent=kind == 2 if kind in (1, 2) else None,
            person=who.text("zusername", "zdisplayname") if who is not None else "",
            sent_time=times.cocoa(row["ztimestamp"]),
        )


def _imo(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("zimochatmsg"):
        yield _message(
            row, times.any_unix(row.number("zts")), row.text("ztext"), sent=bool(row.number("zissent")), person=row.text("zalias", "zbuid")
        )


def _whatsapp(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("messages"):
        if row.text("key_remote_jid") in ("", "-1"):
            continue
        sent = bool(row.number("key_from_me"))
        yield _message(
            row,
            times.unix_ms(row.number("timestamp")),
            row.text("data", "media_caption"),
            sent=sent,
            person=row.text("key_remote_jid") if sent else row.text("remote_resource", "key_remote_jid"),
            conversation=row.text("key_remote_jid"),
            url=row.text("media_url"),
            mime=row.text("media_mime_type"),
            attachments=[row.text("media_name")] if row.text("media_name") else [],
            size=row.number("media_size") or None,
            latitude=row["latitude"] or None,
            longitude=row["longitude"] or None,
            received_time=times.unix_ms(row.number("received_timestamp")),
            sha256=_sha256(row.text("media_hash")),
        )


def _sha256(text: str) -> str:
    """Return a Base64 SHA-256 in hexadecimal, as lists have it."""
    import base64  # noqa: PLC0415 - only this
    import binascii  # noqa: PLC0415

    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return raw.hex() if len(raw) == 32 else ""


def _whatsapp_new(tables: Tables) -> Iterator[Trace]:
    jids = {row["_id"]: row.text("raw_string", "user") for row in tables.rows("jid")}
    chats = {row["_id"]: row for row in tables.rows("chat")}
    media = {row["message_row_id"]: row for row in tables.rows("message_media")}
    for row in tables.rows("message"):
        chat = chats.get(row["chat_row_id"])
        if chat is None:
            continue
        sent, item = bool(row.number("from_me")), media.get(row["_id"])
        partner = jids.get(chat["jid_row_id"], "")
        yield _message(
            row,
            times.unix_ms(row.number("timestamp")),
            row.text("text_data"),
            sent=sent,
            person=partner if sent else jids.get(row["sender_jid_row_id"], "") or partner,
            conversation=chat.text("subject") or partner,
            attachments=[item.text("file_path")] if item is not None and item.text("file_path") else [],
            mime=item.text("mime_type") if item is not None else "",
            url=item.text("message_url") if item is not None else "",
            sha256=_sha256(item.text("file_hash")) if item is not None else "",
        )


def _whatsapp_contacts(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("wa_contacts"):
        yield _contact(
            row,
            row.text("display_name", "wa_name", "jid"),
            id=row.text("jid"),
            numbers=[n for n in [row.text("number")] if n],
            status=row.text("status"),
        )


def _skype(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("accounts"):
        yield row.trace(
            "account",
            f"Skype account {show(row.text('skypename'))}",
            None,
            account=row.text("skypename"),
            service="Skype",
            name=row.text("fullname"),
            emails=row.text("emails"),
            city=row.text("city"),
        )
    own = {row.text("skypename") for row in tables.rows("accounts")}
    for row in tables.rows("contacts"):
        yield _contact(
            row,
            row.text("fullname", "displayname", "skypename"),
            id=row.text("skypename"),
            emails=row.text("emails"),
            numbers=[n for n in (row.text("phone_mobile"), row.text("pstnnumber")) if n],
        )
    for row in tables.rows("messages"):
        text = html.unescape(_MARKUP.sub("", row.text("body_xml")))
        author = row.text("author")
        sent = author in own if author else None
        kind = row.number("type")
        yield _message(
            row,
            times.unix(row.number("timestamp")),
            text,
            sent=sent,
            person=row.text("dialog_partner", "chatname") if sent else author,
            conversation=row.text("chatname"),
            name=row.text("from_dispname"),
            event=None if kind in _SKYPE_TEXT else kind,
        )
    for row in tables.rows("smses"):
        yield _message(
            row, times.unix(row.number("timestamp")), row.text("body"), sent=True, person=row.text("target_numbers"), service="SMS"
        )
    for row in tables.rows("calls"):
        who = row.text("host_identity", "topic", "current_video_audience")
        yield row.trace(
            "call",
            f"Skype call {show(who)}",
            times.unix(row.number("begin_timestamp")),
            person=who,
            seconds=row.number("duration"),
            direction="incoming" if row.number("is_incoming") else "outgoing",
        )
    for row in tables.rows("transfers"):
        name = row.text("filepath", "filename")
        yield row.trace(
            "transfer",
            f"Skype transfer of {show(name[-200:])}",
            times.unix(row.number("starttime")),
            path=name,
            size=row.number("filesize"),
            person=row.text("partner_handle"),
            direction={1: "received", 2: "sent"}.get(row.number("type") or 0, ""),
        )


STORES = (
    Store("android-sms", "Android messages", {"sms": ("address", "body", "date")}, _android_sms),
    Store("android-calls", "Android telephone", {"calls": ("number", "date", "duration", "type")}, _android_calls),
    Store("android-contacts", "Android contacts", {"raw_contacts": ("_id",), "data": ("raw_contact_id", "mimetype_id")}, _android_contacts),
    Store("android-downloads", "Android downloads", {"downloads": ("uri", "_data", "notificationpackage")}, _android_downloads),
    Store("viber-contacts", "Viber", {"phonebookcontact": ("display_name",), "phonebookdata": ("contact_id",)}, _viber_contacts),
    Store("burner", "Burner", {"messages": ("contact_phone_number", "message", "burner_id")}, _burner),
    Store("hangouts", "Hangouts", {"messages": ("author_gaia_id", "text", "timestamp"), "participants": ("gaia_id",)}, _hangouts),
    Store("ios-messages", "Messages", {"message": ("guid", "handle_id", "is_from_me", "date"), "handle": ("id",)}, _ios_sms),
    Store("ios-calls", "Telephone", {"zcallrecord": ("zaddress", "zdate")}, _ios_calls),
    Store("ios-contacts", "Contacts", {"abperson": ("first", "last")}, _ios_contacts),
    Store("ios-accounts", "", {"zaccount": ("zusername", "zaccounttype")}, _ios_accounts),
    Store("ios-whatsapp", "WhatsApp", {"zwamessage": ("ztext", "zmessagedate", "zisfromme")}, _ios_whatsapp),
    Store("ios-whatsapp-contacts", "WhatsApp", {"zwaaddressbookcontact": ("zfullname", "zwhatsappid")}, _whatsapp_contacts_ios),
    Store("kik", "Kik", {"zkikmessage": ("zbody", "zuser"), "zkikuser": ("zusername",)}, _kik),
    Store("imo", "imo", {"zimochatmsg": ("ztext", "zts", "zissent")}, _imo),
    Store("whatsapp-old", "WhatsApp", {"messages": ("key_remote_jid", "key_from_me", "data", "timestamp")}, _whatsapp),
    Store("whatsapp", "WhatsApp", {"message": ("chat_row_id", "from_me", "text_data"), "chat": ("jid_row_id",), "jid": ()}, _whatsapp_new),
    Store("whatsapp-contacts", "WhatsApp", {"wa_contacts": ("jid", "display_name")}, _whatsapp_contacts),
    Store("skype", "Skype", {"messages": ("body_xml", "author", "chatname"), "accounts": ("skypename",)}, _skype),
)
