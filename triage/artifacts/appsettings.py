"""What the settings of apps say of their accounts: Android's shared preferences (XML), and property lists of iOS.

A preferences file is a ``map`` of typed values by name (AOSP, ``com.android.internal.util.XmlUtils``, Apache-2.0): ``string`` has its value
as text, ``int``, ``long``, ``float`` and ``boolean`` in ``value``, ``set`` holds strings.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.browsing import fact, show
from triage.artifacts.jsonfile import parse_json
from triage.artifacts.stores.said import words
from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.browsing import Fact
    from triage.artifacts.xmlfile import Element

Settings = dict[str, str | int | float | bool]
_MAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6}")
_NUMBER = re.compile(r"\+?[0-9][0-9 ()./-]{5,20}")
_TELLING = re.compile(
    r"(?:pref|prefs|key|saved|last|current|my|user|account|login|logged_in|signed_in|active|own)?_?"
    r"(?P<what>e?mail(?:_?address)?|username|user_?name|screen_?name|nick_?name|login_?name|account_?name|phone(?:_?number)?|msisdn)"
)
"""Names of settings, in small letters and with ``_`` for other marks, that hold whose the app is."""
_WHAT = (("mail", "emails"), ("phone", "number"), ("msisdn", "number"), ("", "account"))


def preferences(root: Element) -> Settings | None:
    """Return the values by name of a preferences file's root; ``None`` if it is none. Sets are left out."""
    if root.name != "map":
        return None
    found: Settings = {}
    for one in root.children:
        name, value = one.attributes.get("name", ""), one.attributes.get("value", "")
        if one.name == "string":
            found[name] = one.text
        elif one.name in ("int", "long") and re.fullmatch(r"-?[0-9]{1,19}", value):
            found[name] = int(value)
        elif one.name == "boolean":
            found[name] = value == "true"
        elif one.name == "float" and re.fullmatch(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[Ee]-?[0-9]{1,3})?", value):
            found[name] = float(value)
    return found


def _text(settings: Settings, *names: str) -> str:
    return next((str(settings[name])[:500] for name in names if name in settings and str(settings[name])), "")


def whatsapp(settings: Settings) -> Iterator[Fact]:
    """Yield the account of WhatsApp's preferences (``com.whatsapp_preferences_light.xml``, ``RegisterPhone.xml``)."""
    country = _text(settings, "cc", "com.whatsapp.RegisterPhone.country_code")
    rest = _text(settings, "ph", "com.whatsapp.RegisterPhone.phone_number")
    number = _text(settings, "registration_jid") or (f"{country}{rest}" if rest else "")
    if number:
        name = _text(settings, "push_name")
        told = f"{show(number[:40])} ({show(name[:100])})" if name else show(number[:40])
        about = _text(settings, "my_current_status")
        yield fact(
            "account", f"the account {told}", None, number=number, name=name, about=about, entered=rest if rest not in number else ""
        )


def whatsapp_ios(values: dict[str, Any]) -> Iterator[Fact]:
    """Yield the account of WhatsApp's property list (``group.net.whatsapp.WhatsApp.shared.plist``, ``net.whatsapp.WhatsApp.plist``)."""
    number = words(values.get("OwnJabberID")) or words(values.get("LastOwnJabberID")) or words(values.get("OwnPhoneNumber"))
    number, name = number.partition("@")[0][:100], words(values.get("FullUserName"))
    if number:
        told = f"{show(number)} ({show(name[:100])})" if name else show(number)
        yield fact("account", f"the account {told}", None, number=number, name=name, about=words(values.get("CurrentStatusText")))


def telegram(settings: Settings) -> Iterator[Fact]:
    """Yield the account of Telegram's ``userconfing.xml`` (its own spelling): a user as a TL object in base64."""
    try:
        raw = base64.b64decode(re.sub(r"\s", "", _text_whole(settings, "user")), validate=True)
    except (binascii.Error, ValueError):
        return
    if len(raw) < 32:
        return
    user = _telegram_user(raw)
    if user is None:
        return
    number, first, last, account, phone = user
    name, phone = f"{first} {last}".strip(), f"+{phone}" if phone else ""
    title = f"the account {show((phone or account or str(number))[:60])} ({show(name[:100])})"
    locked = True if settings.get("appLocked") is True else None
    when = times.unix(settings.get("loginTime"))
    yield fact("account", title, when, number=phone, name=name, account=account, id=str(number), locked=locked)


def _text_whole(settings: Settings, name: str) -> str:
    value = settings.get(name)
    return value if isinstance(value, str) and len(value) < 1 << 20 else ""


def _telegram_user(raw: bytes) -> tuple[int, str, str, str, str] | None:
    """Return number, first and last name, account and telephone of a user.

    After the object's kind come flags, in newer layers a second word of them, then the number (4 bytes to layer 132, 8 from then on), what
    gives access (flag 0), first name (1), last name (2), account (3) and telephone (4) as TL strings (core.telegram.org/constructor/user).
    Which form it is, is told by which of them leads to strings that are text.
    """
    (flags,) = struct.unpack_from("<I", raw, 4)
    for words_of_flags, width in ((1, 4), (2, 8), (1, 8)):
        at = 4 + 4 * words_of_flags
        if at + width > len(raw):
            continue
        number = int.from_bytes(raw[at : at + width], "little")
        at += width + (8 if flags & 1 else 0)
        texts: list[str] = []
        for bit in (1, 2, 3, 4):
            if not flags & 1 << bit:
                texts.append("")
                continue
            found = _tl_string(raw, at)
            if found is None:
                break
            text, at = found
            texts.append(text)
        if len(texts) == 4 and number and (texts[3].isdigit() if texts[3] else bool(texts[0])):
            return number, texts[0], texts[1], texts[2], texts[3]
    return None


def _tl_string(raw: bytes, at: int) -> tuple[str, int] | None:
    """Return a TL string that is text, and the place behind it (core.telegram.org/mtproto/serialize): length, bytes, zeros up to four."""
    if at >= len(raw) or raw[at] >= 254:
        return None
    end = at + 1 + raw[at]
    if end > len(raw):
        return None
    try:
        text = raw[at + 1 : end].decode("utf-8")
    except UnicodeDecodeError:
        return None
    return (text, end + -end % 4) if text.isprintable() else None


def any_app(settings: Settings) -> Iterator[Fact]:
    """Yield accounts by settings whose name says that they hold an address, a number or a user's name, once for each value."""
    seen: set[str] = set()
    for name, value in settings.items():
        told = _TELLING.fullmatch(re.sub(r"[^a-z0-9]+", "_", _small(name)).strip("_"))
        text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if told is None or not text or text in seen:
            continue
        what = next(to for part, to in _WHAT if part in told["what"])
        fits = _MAIL if what == "emails" else _NUMBER if what == "number" else None
        if len(text) > 200 or text in ("null", "0", "-1", "true", "false") or (fits is not None and not fits.fullmatch(text)):
            continue
        seen.add(text)
        yield fact("account", f"its settings name an account: {show(text[:150])}", None, setting=name[:200], **{what: text})


def _small(name: str) -> str:
    """Return a setting's name in small letters, words apart: ``userName`` and ``kUserName`` are ``user_name``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:100]).removeprefix("k_").lower()


def bereal_group(values: dict[str, Any]) -> Iterator[Fact]:
    """Yield whose BeReal is by ``group.BeReal.plist``, and the last call to post."""
    number = next((words(values[key]) for key in ("bereal-user-id", "userId", "myUserID") if words(values.get(key))), "")
    if number:
        accounts = values.get("myAccount")
        mine = accounts.get(number) if isinstance(accounts, dict) else None
        account = words(mine.get("username")) if isinstance(mine, dict) else ""
        raw = values.get("lastPushMomentData")
        try:
            push = parse_json(raw).value if isinstance(raw, bytes) else None
        except StructureError:
            push = None
        called = times.cocoa(push.get("creationDate")) if isinstance(push, dict) else None
        yield fact("account", f"the account {show(account[:100] or number[:60])}", None, account=account, id=number, last_call_time=called)
    friends = values.get("currentFriends")
    for one, name in friends.items() if isinstance(friends, dict) else ():
        if words(name):
            yield fact("contact", f"contact {show(words(name)[:150])}", None, name=words(name), id=str(one), state="friend")
