"""What property lists of iOS and macOS say of the device: version, networks, telephone, backups, people that were looked up, programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import appledevices, times
from triage.artifacts.browsing import fact, show
from triage.artifacts.plist import Date, parse_plist
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.artifacts.browsing import Fact

_LARGEST = 32 << 20
_MOST = 5000
_SERVICES = {"com.apple.madrid": "iMessage", "com.apple.ess": "FaceTime", "com.apple.private.ac": "FaceTime calls"}
Values = dict[str, Any]


def _when(value: Any) -> int | None:
    """Return a date, or seconds since 2001."""
    if isinstance(value, Date):
        return value.nanoseconds
    return times.cocoa(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(values: Values, *keys: str) -> str:
    return next((str(values[key])[:500] for key in keys if isinstance(values.get(key), str | int) and str(values[key])), "")


def _dicts(values: Any) -> Iterator[tuple[str, Values]]:
    if isinstance(values, dict):
        for key, value in list(values.items())[:_MOST]:
            if isinstance(value, dict):
                yield str(key), value


def _version(values: Values) -> Iterator[Fact]:
    name = f"{_text(values, 'ProductName')} {_text(values, 'ProductVersion')}".strip()
    if name:
        yield fact("system", f"the system is {show(name)}", None, system=name, build=_text(values, "ProductBuildVersion"))


def _networks(values: Values) -> Iterator[Fact]:
    """``com.apple.wifi.known-networks.plist`` (iOS 16 and macOS 11 on)."""
    for key, one in _dicts(values):
        if not key.startswith("wifi.network."):
            continue
        raw = one.get("SSID")
        name = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else key.removeprefix("wifi.network.ssid.")
        own = one.get("__OSSpecific__")
        more = own if isinstance(own, dict) else {}
        yield fact(
            "network", f"knows the wireless network {show(name[:100])}", _when(one.get("JoinedByUserAt") or one.get("JoinedBySystemAt")),
            name=name, added_time=_when(one.get("AddedAt")), joined_time=_when(one.get("JoinedBySystemAt")), bssid=_text(more, "BSSID"),
            left_time=_when(more.get("prevJoined")), hidden=one.get("Hidden") is True or None,
        )  # fmt: skip


def _old_networks(values: Values) -> Iterator[Fact]:
    """``com.apple.wifi.plist`` and ``com.apple.airport.preferences.plist``, older systems."""
    for given in (values.get("List of known networks"), values.get("KnownNetworks")):
        rows = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else [one for _, one in _dicts(given)]
        for one in rows[:_MOST]:
            name = _text(one, "SSID_STR", "SSIDString")
            joined = _when(one.get("lastJoined") or one.get("LastConnected"))
            if name:
                yield fact("network", f"knows the wireless network {show(name[:100])}", joined, name=name, bssid=_text(one, "BSSID"))


def _telephone(values: Values) -> Iterator[Fact]:
    number, card = _text(values, "PhoneNumber", "SIMPhoneNumber"), _text(values, "ICCID", "LastKnownICCID")
    slots = values.get("PersonalitySlots")
    cards = [str(one) for one in slots if isinstance(one, str) and one][:8] if isinstance(slots, list) else []
    if number or card or cards:
        title = f"the telephone's number is {show(number)}" if number else f"a SIM card was in it: {show(card or cards[0])}"
        yield fact("system", title, None, number=number, iccid=card or cards[0] if card or cards else "", further=cards[1:])


def _cloud_backup(values: Values) -> Iterator[Fact]:
    state = values.get("BackupStateInfo")
    last = _when(state.get("date")) if isinstance(state, dict) else None
    enabled = _when(values.get("AccountEnabledDate"))
    if last is not None or enabled is not None:
        cloud = isinstance(state, dict) and state.get("isCloud") is True
        yield fact("system", f"is backed up{' to iCloud' if cloud else ''}", last, enabled_time=enabled, cloud=cloud or None)
    for domain in sorted(values["PreflightSizing"])[:_MOST] if isinstance(values.get("PreflightSizing"), dict) else ():
        kind, _, package = str(domain).partition("-")
        if kind == "AppDomain" and package:
            yield fact("installed-program", f"{show(package[:150])} was installed when it was backed up", last, program=package)


def _looked_up(values: Values) -> Iterator[Fact]:
    """``com.apple.identityservices.idstatuscache.plist``: whom the device asked Apple about, for which service."""
    for service, people in _dicts(values):
        for person, one in _dicts(people):
            way, _, address = person.partition(":")
            if way in ("tel", "mailto") and address:
                what = _SERVICES.get(service) or service.removeprefix("com.apple.private.alloy.").removeprefix("com.apple.")
                title = f"{show(address[:100])} was looked up for {show(what[:60])}"
                yield fact(
                    "contact", title, _when(one.get("LookupDate")), person=address, service=what, known=one.get("IDStatus") == 1 or None
                )


def _car(values: Values) -> Iterator[Fact]:
    recent = values.get("CARRecentAppHistory")
    for program, when in list(recent.items())[:_MOST] if isinstance(recent, dict) else ():
        # Seconds since 1970 here, unlike most of Apple's.
        yield fact("program-run", f"{show(str(program)[:150])} was used in a car (CarPlay)", times.unix(when), program=str(program))


def _bluetooth(values: Values) -> Iterator[Fact]:
    for address, one in _dicts(values.get("DeviceCache") if "DeviceCache" in values else values):
        name = _text(one, "Name", "DefaultName", "UserNameKey")
        if name:
            seen = one.get("LastSeenTime")
            when = _when(seen) if isinstance(seen, Date) else times.unix(seen)
            yield fact("device", f"a Bluetooth device was paired: {show(name[:100])}", when, name=name, address=address)


def _user(values: Values) -> Iterator[Fact]:
    """A user of macOS (``dslocal/nodes/Default/users``); each value is a list of one."""

    def first(key: str) -> str:
        given = values.get(key)
        return str(given[0])[:500] if isinstance(given, list) and given and isinstance(given[0], str) else ""

    name = first("name")
    if name and not name.startswith("_"):
        title = f"the account {show(name[:100])} ({show(first('realname')[:100])})"
        values_told = {"uid": first("uid"), "home": first("home"), "login_program": first("shell"), **appledevices.account_times(values)}
        yield fact("account", title, None, account=name, full_name=first("realname"), **values_told)


def _login(values: Values) -> Iterator[Fact]:
    if name := _text(values, "lastUserName"):
        yield fact("account", f"{show(name[:100])} was the last to log in", None, account=name, automatic=_text(values, "autoLoginUser"))
    yield from appledevices.log_in(values)


def _computer(values: Values) -> Iterator[Fact]:
    system = values.get("System")
    inner = system.get("System") if isinstance(system, dict) else None
    if isinstance(inner, dict) and (name := _text(inner, "ComputerName", "HostName")):
        yield fact("system", f"the computer is called {show(name[:100])}", None, computer=name)


def _installed(values: Any) -> Iterator[Fact]:
    for one in values[:_MOST] if isinstance(values, list) else ():
        if isinstance(one, dict) and (name := _text(one, "displayName")):
            version = _text(one, "displayVersion")
            yield fact(
                "installed-program", f"{show(name[:150])} {show(version[:30])} was installed".replace("  ", " "), _when(one.get("date")),
                program=name, version=version, by=_text(one, "processName"),
            )  # fmt: skip


def _bought(values: Values) -> Iterator[Fact]:
    """``iTunesMetadata.plist`` beside a program of iOS: what it is, and whose Apple ID loaded it when."""
    download = values.get("com.apple.iTunesStore.downloadInfo")
    info = download if isinstance(download, dict) else {}
    account = info.get("accountInfo")
    who = _text(account, "AppleID") if isinstance(account, dict) else ""
    if name := _text(values, "itemName", "bundleDisplayName", "softwareVersionBundleId"):
        by = f" by {show(who[:100])}" if who else ""
        yield fact(
            "installed-program", f"{show(name[:150])} was loaded{by}", None, program=name, account=who,
            bundle=_text(values, "softwareVersionBundleId"), seller=_text(values, "artistName"), bought=_text(info, "purchaseDate"),
        )  # fmt: skip


_SOURCES: dict[str, Callable[[Any], Iterator[Fact]]] = {
    "SystemVersion.plist": _version,
    "com.apple.wifi.known-networks.plist": _networks,
    "com.apple.wifi.plist": _old_networks,
    "com.apple.commcenter.plist": _telephone,
    "com.apple.commcenter.data.plist": _telephone,
    "com.apple.MobileBackup.plist": _cloud_backup,
    "com.apple.identityservices.idstatuscache.plist": _looked_up,
    "com.apple.CarPlayApp.plist": _car,
    "com.apple.MobileBluetooth.devices.plist": _bluetooth,
    "com.apple.Bluetooth.plist": _bluetooth,
    "com.apple.loginwindow.plist": _login,
    "SystemConfiguration/preferences.plist": _computer,
    "InstallHistory.plist": _installed,
    "iTunesMetadata.plist": _bought,
    **appledevices.SOURCES,
    "dslocal/nodes/Default/users/*.plist": _user,
}


class AppleSystem:
    """Findings ``system``, ``network``, ``device``, ``account``, ``contact``, ``installed-program`` and ``program-run``."""

    name = "apple_system"
    version = "2"
    tried_on = "real samples"
    accepts = Accepts(paths=tuple(f"**/{path}" for path in _SOURCES), max_size=_LARGEST)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the list says."""
        try:
            found = parse_plist(item.read_at(0, item.size))
        except StructureError as error:
            yield item.problem(f"a property list of the system cannot be read: {error}")
            return
        reads = [read for path, read in _SOURCES.items() if Accepts(paths=(f"**/{path}",)).fits_path(item.entry.path)]
        # The history of installations alone is a list at its root.
        fits = isinstance(found.value, list if reads[:1] == [_installed] else dict)
        for kind, title, data in reads[0](found.value) if reads and fits else ():
            yield item.finding(kind, title, {**data, **whose(item.entry.path)})
        for line in found.notes:
            yield item.problem(line)


PLUGIN = AppleSystem
