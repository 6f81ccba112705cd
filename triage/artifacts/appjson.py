"""What apps keep as JSON of their servers' answers: BeReal, Burner, Discord.

The forms are those of the servers: Discord's as documented (discord.com/developers/docs: Message, User, Relationship Objects), BeReal's and
Burner's as their files show them. What the answer is, is told by the names in it, since the files' own names say little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import times, web
from triage.artifacts.browsing import fact, show
from triage.artifacts.stores.said import inside, iso_time, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.browsing import Fact

_BURNER_CALL = {3: "completed", 4: "missed", 5: "voicemail", "CallCompleted": "completed", "CallMissed": "missed", "Voicemail": "voicemail"}
_BURNER_WAYS = {1: "received", 2: "sent", "Inbound": "received", "Outbound": "sent"}
_FRIENDS = {1: "friend", 2: "blocked", 3: "asked the owner", 4: "asked by the owner"}


def dicts(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list, those of lists inside it too, or the one object; nothing for anything else."""
    if isinstance(value, dict):
        return [value]
    found: list[dict[str, Any]] = []
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict):
            found.append(one)
        elif isinstance(one, list):
            found += [inner for inner in one if isinstance(inner, dict)]
    return found


def _texts(value: Any) -> list[str]:
    return [text for one in (value if isinstance(value, list) else ()) if (text := words(one))]


def _said(when: int | None, text: str, direction: str, person: str, **more: Any) -> Fact:
    way = {"sent": "sent to", "received": "received from", "by": "by"}.get(direction, "with")
    title = f"message {way} {show(person[:100]) or 'somebody'}"
    title = f"{title}: {show(text[:150])}" if text else title
    return fact("message", title, when, text=text, direction="" if direction == "by" else direction, person=person, **more)


def bereal(folder: str, value: Any) -> Iterator[Fact]:
    """Yield what a file of BeReal's caches (``disk-bereal-…``, the name of its folder in small letters) says; dates are Apple's."""
    rows = dicts(inside(value, "object"))
    if "profilerepository" in folder:
        for row in rows:
            yield from _bereal_profile(row)
    elif "contactsmanager" in folder:
        for row in rows:
            name = " ".join(filter(None, (words(row.get(key)) for key in ("givenName", "middleName", "familyName"))))
            numbers = _texts(row.get("phoneNumbers"))
            if name or numbers:
                more = {"nickname": words(row.get("nickName")), "organization": words(row.get("organizationName"))}
                yield fact("contact", f"contact {show((name or numbers[0])[:150])}", None, name=name, numbers=numbers, **more)
    elif "friendslistmanager" in folder or "request" in folder or "blockeduser" in folder:
        state = "blocked" if "blocked" in folder else "asked the owner" if "received" in folder else "asked by the owner"
        for row in rows:
            account = words(row.get("username"))
            name = words(row.get("fullname")) or account
            told = words(row.get("status")) if "friendslist" in folder else state
            if name:
                yield fact("contact", f"contact {show(name[:150])}", None, name=name, account=account, id=words(row.get("id")), state=told)
    elif "memories" in folder or "post" in folder:
        for row in rows:
            yield from _bereal_post(row)


def _bereal_profile(row: dict[str, Any]) -> Iterator[Fact]:
    account = words(row.get("username"))
    if not account:
        return
    devices = dicts(row.get("devices"))
    number, name = words(row.get("phoneNumber")), words(row.get("fullname"))
    yield fact(
        "account", f"the account {show(account[:100])} ({show((number or name)[:60])})", times.cocoa(row.get("createdAt")),
        account=account, name=name, number=number, id=words(row.get("id")), birth_time=_long_ago(row.get("birthDate")),
        country=words(row.get("countryCode")), about=words(row.get("biography")), place=words(row.get("location")),
        devices=[text for one in devices if (text := words(one.get("device")))],
        time_zones=sorted({text for one in devices if (text := words(one.get("timezone")))}),
        url=web.shown_url(words(inside(row, "profilePicture", "url"))),
    )  # fmt: skip


def _long_ago(value: Any) -> int | None:
    """Return Apple's seconds since 2001 as a time; a birthday may be before 1970, where no other time is."""
    seconds = value if isinstance(value, int | float) and abs(value) < 1e10 else None
    return None if seconds is None else round((seconds + 978_307_200) * 10**9)


def _bereal_post(row: dict[str, Any]) -> Iterator[Fact]:
    urls = [url for key in ("primary", "secondary", "thumbnail") if (url := web.shown_url(words(inside(row, key, "url"))))]
    day = words(row.get("memoryDay"))
    if urls:
        yield fact(
            "post", f"a post of the owner{f' of {show(day[:20])}' if day else ''}", times.cocoa(row.get("memoryDate")), urls=urls, day=day,
            id=words(row.get("id")), late=row.get("isLate") is True or None, text=words(row.get("caption")),
        )  # fmt: skip


def burner(value: Any) -> Iterator[Fact]:
    """Yield what an answer of Burner's server says: messages and calls, the account, its numbers, contacts. Times are in milliseconds."""
    if isinstance(value, dict) and isinstance(value.get("user"), dict):
        value = value["user"]
    for row in dicts(value):
        if "messageType" in row and "direction" in row:
            yield _burner_message(row)
        elif "burnerIds" in row or ("muted" in row and "phoneNumber" in row):
            name, number = words(row.get("name")), words(row.get("phoneNumber"))
            yield fact(
                "contact", f"contact {show((name or number)[:150])}", times.unix_ms(row.get("dateCreated")), name=name,
                numbers=[number] if number else [], blocked=row.get("blocked") is True or None,
            )  # fmt: skip
        elif "totalNumberBurners" in row or "expirationDate" in row:
            number = words(row.get("phoneNumber"))
            if number:
                hired = "expirationDate" in row
                title = f"a hired number: {show(number)}" if hired else f"the account's own number: {show(number)}"
                yield fact(
                    "account", title, times.unix_ms(row.get("dateCreated")), number=number, account=words(row.get("id")),
                    name=words(inside(row, "settings", "name")), carrier=words(row.get("carrierName")),
                    country=words(row.get("countryCode")), expires_time=times.unix_ms(row.get("expirationDate")),
                )  # fmt: skip


def _burner_message(row: dict[str, Any]) -> Fact:
    way, state = row.get("direction"), row.get("state")
    direction = _BURNER_WAYS.get(way, "") if isinstance(way, int | str) else ""
    person = words(row.get("contactPhoneNumber")) or words(inside(row, "conversation", "conversationId"))
    when, read = times.unix_ms(row.get("dateCreated")), row.get("read") is True or None
    url = web.shown_url(words(row.get("assetUrl")) or words(row.get("mediaUrl")) or words(row.get("voiceUrl")))
    url = url or web.shown_url(words(inside(row, "voicemail", "audioUrl")))
    same = {"id": words(row.get("id")), "line": words(row.get("burnerId")), "read": read, "url": url}
    if row.get("messageType") in (1, "Voice"):
        outcome = _BURNER_CALL.get(state, "") if isinstance(state, int | str) else ""
        kind = {"received": "incoming", "sent": "outgoing"}.get(direction, "")
        lasted = [n for key in ("messageDuration", "duration") if isinstance(n := row.get(key), int | float) and n > 0]
        title = f"{kind or 'a'} call {show(person[:100])}{f' ({outcome})' if outcome else ''}"
        return fact("call", title, when, person=person, direction=kind, outcome=outcome, seconds=lasted[0] if lasted else None, **same)
    return _said(when, words(row.get("message")) or words(row.get("text")), direction, person, **same)


def discord(value: Any) -> Iterator[Fact]:
    """Yield what an answer of Discord's server says: messages, the account, friends. Times are ISO 8601."""
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        value = value["messages"]  # of a search
    for row in dicts(value):
        author = row.get("author")
        if isinstance(author, dict) and "channel_id" in row and "content" in row:
            yield _discord_message(row, author)
        elif isinstance(value, dict) and "username" in row and ("email" in row or "mfa_enabled" in row):
            account = words(row.get("username"))
            mail, number = words(row.get("email")), words(row.get("phone"))
            yield fact(
                "account", f"the account {show(account[:100])} ({show((mail or number)[:100])})", None, account=account, emails=mail,
                number=number, id=words(row.get("id")), name=words(row.get("global_name")), about=words(row.get("bio")),
            )  # fmt: skip
        elif isinstance(row.get("user"), dict) and "type" in row and "nickname" in row:
            user, state = row["user"], row["type"]
            account = words(user.get("username"))
            name = words(row.get("nickname")) or words(user.get("global_name")) or account
            if name:
                told = _FRIENDS.get(state, "") if isinstance(state, int) else ""
                when = _moment(row.get("since"))
                yield fact("contact", f"contact {show(name[:150])}", when, name=name, account=account, id=words(user.get("id")), state=told)


def _discord_message(row: dict[str, Any], author: dict[str, Any]) -> Fact:
    account = words(author.get("username"))
    name = words(author.get("global_name")) or account
    files = dicts(row.get("attachments"))
    call = row.get("call")
    return _said(
        _moment(row.get("timestamp")), words(row.get("content")), "by", name, account=account, sender=words(author.get("id")),
        conversation=words(row.get("channel_id")), id=words(row.get("id")), edited_time=_moment(row.get("edited_timestamp")),
        files=[text for one in files if (text := words(one.get("filename")))],
        urls=[web.shown_url(text) for one in files if (text := words(one.get("url")))],
        bot=author.get("bot") is True or None, call_ended_time=_moment(inside(call, "ended_timestamp")),
    )  # fmt: skip


def _moment(value: Any) -> int | None:
    return iso_time(value.removesuffix("+00:00")) if isinstance(value, str) else None
