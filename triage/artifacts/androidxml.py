"""What Android's system notes in XML, in text or binary form: programs, users, settings, networks, tasks, what programs used.

Names as AOSP (Apache-2.0) writes them: ``packages.xml`` (PackageManager's Settings), ``users/*.xml`` (UserManagerService),
``settings_*.xml`` (SettingsState), ``sync/accounts.xml`` (SyncStorageEngine), ``WifiConfigStore.xml`` (WifiConfigStore, XmlUtil),
``recent_tasks`` (Task), ``appops.xml`` (AppOpsService), ``usage-history.xml`` (UsageStatsService to 4.4). Times are milliseconds since
1970, in some files in hexadecimal digits.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from triage.artifacts import times
from triage.artifacts.browsing import fact, show
from triage.artifacts.web import shown_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.artifacts.browsing import Fact
    from triage.artifacts.xmlfile import Element

_SYSTEM_PLACES = ("/system/", "/vendor/", "/product/", "/system_ext/", "/odm/", "/apex/", "/oem/")
_SETTINGS = {
    "android_id": "the device's number for programs (android_id)",
    "device_name": "the device is called",
    "bluetooth_name": "its name for Bluetooth",
    "bluetooth_address": "its Bluetooth address",
    "lock_screen_owner_info": "the owner's note on the lock screen",
    "sms_default_application": "the program for text messages",
    "dialer_default_application": "the program for calls",
    "default_input_method": "the keyboard",
    "adb_enabled": "USB debugging",
    "adb_wifi_enabled": "debugging by wireless network",
    "development_settings_enabled": "the developer's settings",
    "install_non_market_apps": "programs from anywhere",
    "airplane_mode_on": "flight mode",
    "auto_time": "the clock set by the network",
    "auto_time_zone": "the time zone set by the network",
    "location_mode": "finding the place",
    "global_http_proxy_host": "the proxy",
    "http_proxy": "the proxy",
    "private_dns_specifier": "the private DNS",
    "always_on_vpn_app": "the VPN that is always on",
    "default_search_selected": "the search engine",
}
_SWITCHES = {"0": "off", "1": "on"}
_OPS = {
    "0": "the place (coarse)", "1": "the place", "4": "the contacts", "14": "text messages", "20": "sending of text messages",
    "26": "the camera", "27": "the microphone", "29": "the clipboard", "30": "the clipboard (writing)", "59": "the shared storage",
    "60": "the shared storage (writing)",
}  # fmt: skip
"""AppOpsManager's numbers of what a program may use."""


_STATES = (("inst", "false", "taken away"), ("hidden", "true", "hidden"), ("suspended", "true", "suspended"))


def _ms(value: str | None, base: int = 10) -> int | None:
    """Return a time that is written in digits."""
    if not value or not re.fullmatch(r"-?[0-9]{1,19}" if base == 10 else r"[0-9a-fA-F]{1,16}", value):
        return None
    return times.unix_ms(int(value, base))


def every(root: Element, name: str) -> Iterator[Element]:
    """Yield all elements of a name, in the order they stand."""
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if one.name == name:
            yield one
        waiting += reversed(one.children)


def packages(root: Element) -> Iterator[Fact]:
    """Yield the programs that are installed, and the builds of the system that the list was written by."""
    certificates: dict[str, str] = {}
    for one in every(root, "cert"):
        index, key = one.attributes.get("index", ""), one.attributes.get("key", "")
        if key:
            try:
                certificates[index] = hashlib.sha256(bytes.fromhex(key)).hexdigest()
            except ValueError:
                continue
    for one in root.children:
        given = one.attributes
        if one.name in ("version", "last-platform-version") and given.get("fingerprint", given.get("buildFingerprint")):
            build = given.get("fingerprint", given.get("buildFingerprint", ""))
            place = "internal memory" if not given.get("volumeUuid") else "a card"
            yield fact("system", f"the system's build: {show(build[:150])}", None, build=build, sdk=given.get("sdkVersion"), where=place)
        if one.name != "package" or not given.get("name"):
            continue
        name, path = given["name"], given.get("codePath", "")
        own = one.find("sigs", "cert")
        index = own.attributes.get("index", "") if own is not None else ""
        came = _ms(given.get("ft"), 16) or _ms(given.get("it"), 16)
        yield fact(
            "installed-program", f"installed: {show(name[:150])}", came, name=name, path=path, version=given.get("version"),
            installed_time=_ms(given.get("it"), 16), updated_time=_ms(given.get("ut"), 16), installed_by=given.get("installer"),
            asked_by=given.get("installInitiator"), user_id=given.get("userId") or given.get("sharedUserId"),
            certificate_sha256=certificates.get(index), system=True if path.startswith(_SYSTEM_PLACES) else None,
        )  # fmt: skip


def restrictions(root: Element) -> Iterator[Fact]:
    """Yield what ``package-restrictions.xml`` says of a user's programs: since when, taken away, hidden."""
    for one in every(root, "pkg"):
        given = one.attributes
        name, first = given.get("name", ""), _ms(given.get("first-install-time"), 16)
        states = [word for key, no, word in _STATES if given.get(key) == no]
        if name and states:
            yield fact("installed-program", f"{' and '.join(states)} for this user: {show(name[:150])}", first, name=name, states=states)
        elif name and first is not None:
            yield fact("installed-program", f"installed for this user: {show(name[:150])}", first, name=name)


def users(root: Element) -> Iterator[Fact]:
    """Yield a user of the device."""
    if root.name == "user" and root.attributes.get("id"):
        given, name = root.attributes, root.find("name")
        called = (name.text if name is not None else "")[:500]
        yield fact(
            "account", f"a user of the device: {show((called or given['id'])[:100])}", _ms(given.get("created")), name=called,
            number=given["id"], last_login_time=_ms(given.get("lastLoggedIn")), system_build=given.get("lastLoggedInFingerprint"),
        )  # fmt: skip


def settings(root: Element) -> Iterator[Fact]:
    """Yield what is known of the settings by name."""
    for one in every(root, "setting"):
        given = one.attributes
        name, value = given.get("name", ""), given.get("value", "")
        if not value and given.get("valueBase64"):
            try:
                value = base64.b64decode(given["valueBase64"], validate=True).decode("utf-8", "replace")
            except (binascii.Error, ValueError):
                value = ""
        if name in _SETTINGS and value and value != "null":
            shown = _SWITCHES.get(value, value) if name.endswith(("_on", "_enabled", "_apps", "_time", "_zone")) else value
            yield fact("system", f"{_SETTINGS[name]}: {show(shown[:150])}", None, setting=name, value=value)


def accounts(root: Element) -> Iterator[Fact]:
    """Yield the accounts that are kept in step (``sync/accounts.xml``), each once."""
    seen: set[tuple[str, str]] = set()
    for one in every(root, "authority"):
        account, kind = one.attributes.get("account", ""), one.attributes.get("type", "")
        if account and (account, kind) not in seen:
            seen.add((account, kind))
            yield fact("account", f"the account {show(account[:100])} ({show(kind[:60])})", None, account=account, type=kind)


def networks(root: Element) -> Iterator[Fact]:
    """Yield wireless networks and the device's own hotspot. Keys are left out."""
    for one in every(root, "WifiConfiguration"):
        given = {child.attributes.get("name", ""): child.attributes.get("value", child.text) for child in one.children}
        name, protected = _ssid(given.get("SSID", "")), given.get("ConfigKey", "").rpartition('"')[2] or given.get("KeyMgmt", "")
        if name:
            yield fact(
                "network", f"knows the wireless network {show(name[:100])}", None, name=name, protection=protected.strip("-"),
                created=given.get("CreationTime"), by=given.get("CreatorName"), bssid=_address(given.get("BSSID")),
                own_address=_address(given.get("RandomizedMacAddress")), router=_address(given.get("DefaultGwMacAddress")),
                connected=True if given.get("HasEverConnected") == "true" else None,
                hidden=True if given.get("HiddenSSID") == "true" else None,
            )  # fmt: skip
    for one in every(root, "SoftAp"):
        given = {child.attributes.get("name", ""): child.attributes.get("value", child.text) for child in one.children}
        name = _ssid(given.get("WifiSsid", "") or given.get("SSID", ""))
        if name:
            yield fact("network", f"its own hotspot is called {show(name[:100])}", None, name=name, hotspot=True)


def _ssid(text: str) -> str:
    """Return a network's name: text in quotation marks, or bytes in hexadecimal digits."""
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return text[1:-1]
    try:
        return bytes.fromhex(text).decode("utf-8", "replace") if len(text) <= 64 else text
    except ValueError:
        return text


def _address(text: str | None) -> str:
    return text if text and text not in ("any", "02:00:00:00:00:00", "null") else ""


def task(root: Element) -> Iterator[Fact]:
    """Yield a task of the list of those used last; a picture of its screen is ``snapshots/(its number).jpg``."""
    if root.name != "task":
        return
    given, intent = root.attributes, root.find("intent")
    what = given.get("real_activity") or given.get("affinity", "")
    if what:
        number, when = given.get("task_id", ""), _ms(given.get("last_time_moved") or given.get("last_active_time"))
        about = intent.attributes if intent is not None else {}
        yield fact(
            "program-run", f"{show(what[:150])} was among the tasks used last", when, program=what.partition("/")[0], activity=what,
            started_time=_ms(given.get("first_active_time")), by=given.get("calling_package"), action=about.get("action"),
            url=shown_url(about.get("data", "")), screen_picture=f"snapshots/{number}.jpg" if number.isdigit() else None,
        )  # fmt: skip


def operations(root: Element) -> Iterator[Fact]:
    """Yield when a program last used what shows a person's doing: camera, microphone, place, messages, contacts, storage."""
    for package in every(root, "pkg"):
        name = package.attributes.get("n", "")
        for one in every(package, "op"):
            what = _OPS.get(one.attributes.get("n", ""))
            if not name or what is None:
                continue
            states = [one.attributes, *(state.attributes for state in every(one, "st"))]
            used = max((when for state in states if (when := _ms(state.get("t"))) is not None), default=None)
            refused = max((when for state in states if (when := _ms(state.get("r"))) is not None), default=None)
            if used is not None:
                yield fact("activity", f"{show(name[:150])} last used {what}", used, program=name, what=what, refused_time=refused)
            elif refused is not None:
                yield fact("activity", f"{show(name[:150])} was last refused {what}", refused, program=name, what=what)


def usage_history(root: Element) -> Iterator[Fact]:
    """Yield when parts of programs were last resumed (Android 4)."""
    for package in every(root, "pkg"):
        name = package.attributes.get("name", "")
        for one in every(package, "comp"):
            activity, when = one.attributes.get("name", ""), _ms(one.attributes.get("lrt"))
            if name and when is not None:
                yield fact("program-run", f"{show(activity[:150])} was last shown", when, program=name, activity=activity)


READERS: tuple[tuple[str, Callable[[Element], Iterator[Fact]]], ...] = (
    ("system/packages.xml", packages),
    ("system/packages-backup.xml", packages),
    ("system/users/*/package-restrictions.xml", restrictions),
    ("system/users/*/settings_*.xml", settings),
    ("system/users/*.xml", users),
    ("sync/accounts.xml", accounts),
    ("WifiConfigStore*.xml", networks),
    ("recent_tasks/*_task.xml", task),
    ("system/appops.xml", operations),
    ("system/appops/*.xml", operations),
    ("usagestats/usage-history.xml", usage_history),
)
"""Files by their path, the more particular first."""
