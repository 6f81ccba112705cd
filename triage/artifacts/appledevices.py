"""What Apple's property lists say of devices and backups: on the device itself, and on the computers that it was connected to.

Keys as the files have them: ``Info.plist`` of a backup by iTunes or the Finder, ``data_ark.plist`` (lockdownd: domain, hyphen, name),
``com.apple.mobile.ldbackup.plist``, ``com.apple.purplebuddy.plist`` (the assistant of the first start), ``com.apple.iPod.plist`` (devices
that a computer met), ``com.apple.airport.preferences.plist`` to macOS 10.15, ``.GlobalPreferences.plist``, and the Apple IDs that a Mac
has signed in with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.browsing import fact, show
from triage.artifacts.plist import Date, parse_plist
from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.artifacts.browsing import Fact

Values = dict[str, Any]
_ARK = {
    "-DeviceName": "the device is called",
    "-TimeZone": "the time zone",
    "-SerialNumber": "the serial number",
    "-UniqueDeviceID": "the device's number (UDID)",
    "-InternationalMobileEquipmentIdentity": "the IMEI",
    "-PhoneNumber": "the telephone's number",
    "-ActivationState": "whether it is activated",
    "com.apple.iTunes.backup-LastBackupComputerName": "the computer that it was last backed up to",
    "com.apple.iTunes.backup-LastBackupComputerType": "what kind of computer it was last backed up to",
    "com.apple.international-Language": "the language",
    "com.apple.international-Locale": "the region",
}
_ARK_TIMES = {
    "com.apple.mobile.backup-LastiTunesBackupDate": "was last backed up to a computer",
    "com.apple.mobile.backup-LastCloudBackupDate": "was last backed up to iCloud",
}
_SET_UP = {
    "SetupUsingAssistant": "as a new device",
    "RestoredFromiCloudBackup": "from a backup in iCloud",
    "RestoredFromiTunesBackup": "from a backup on a computer",
    "MigratedFromSource": "from another device",
}


def when(value: Any) -> int | None:
    """Return a date, or seconds since 2001."""
    if isinstance(value, Date):
        return value.nanoseconds
    return times.cocoa(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def text(values: Values, *keys: str) -> str:
    """Return the first of some values that is text or a number."""
    return next((str(values[key])[:500] for key in keys if isinstance(values.get(key), str | int) and str(values[key])), "")


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def backup(values: Values) -> Iterator[Fact]:
    """Yield whose backup it is, and the programs of the device."""
    number = text(values, "Unique Identifier", "Target Identifier")
    if not number:
        return
    name, last = text(values, "Device Name", "Display Name"), when(values.get("Last Backup Date"))
    told = {
        "name": name,
        "model": text(values, "Product Type"),
        "system": text(values, "Product Version"),
        "serial": text(values, "Serial Number"),
        "imei": text(values, "IMEI"),
        "iccid": text(values, "ICCID"),
        "number": text(values, "Phone Number"),
        "udid": number,
        "itunes": text(values, "iTunes Version"),
    }
    what = f"{show(name[:100])} ({show(told['model'][:40])}, serial number {show(told['serial'][:40])})"
    yield fact("device", f"a device was backed up to this computer: {what}", last, **told)
    for program in _texts(values.get("Installed Applications")):
        yield fact("installed-program", f"{show(program[:150])} was installed on {show(name[:60]) or 'the device'}", last, program=program)


def data_ark(values: Values) -> Iterator[Fact]:
    """Yield what the device knows of itself and of where it was backed up to."""
    for key, title in _ARK.items():
        if value := text(values, key):
            yield fact("system", f"{title}: {show(value[:150])}", None, setting=key, value=value)
    for key, title in _ARK_TIMES.items():
        if (moment := when(values.get(key))) is not None:
            yield fact("system", title, moment, setting=key)


def device_values(values: Values) -> Iterator[Fact]:
    """Yield the same of a list that an acquisition made, where the names have no domain before them."""
    yield from data_ark({**{f"-{key}": value for key, value in values.items() if isinstance(key, str)}, **values})


def local_backup(values: Values) -> Iterator[Fact]:
    """Yield when the device was backed up last."""
    encrypted = values.get("WillEncrypt") in (True, 1) or values.get("RequiresEncryption") in (True, 1) or None
    for key, zone, where in (
        ("LastCloudBackupDate", "LastCloudBackupTZ", "iCloud"), ("LastiTunesBackupDate", "LastiTunesBackupTZ", "a computer"),
    ):  # fmt: skip
        if (moment := when(values.get(key))) is not None:
            yield fact("system", f"was last backed up to {where}", moment, time_zone=text(values, zone), encrypted=encrypted)


def first_start(values: Values) -> Iterator[Fact]:
    """Yield when the device was set up, and as what."""
    moment = when(values.get("SetupLastExit"))
    if moment is not None:
        state = text(values, "SetupState")
        way = f" {_SET_UP[state]}" if state in _SET_UP else ""
        yield fact("system", f"was set up{way}", moment, state=state, language=text(values, "Language"), region=text(values, "Locale"))


def met_devices(values: Values) -> Iterator[Fact]:
    """Yield the iPhones, iPads and iPods that were connected to a computer."""
    devices = values.get("Devices")
    for number, one in devices.items() if isinstance(devices, dict) else ():
        if isinstance(one, dict):
            kind, serial = text(one, "Device Class"), text(one, "Serial Number")
            count = used if isinstance(used := one.get("Use Count"), int) else None
            title = f"a device was connected: {show((kind or 'iPod')[:40])} with the serial number {show(serial[:40])}"
            yield fact(
                "device", title, when(one.get("Connected")), name=kind, serial=serial, imei=text(one, "IMEI"),
                system=text(one, "Firmware Version String"), region=text(one, "Region Info"), times=count,
                id=str(number)[:100],
            )  # fmt: skip


def remembered_networks(values: Values) -> Iterator[Fact]:
    """Yield the wireless networks that a Mac knows, in both forms that the list has had."""
    held = values.get("RememberedNetworks", values.get("KnownNetworks"))
    rows = list(held.values()) if isinstance(held, dict) else held if isinstance(held, list) else []
    for one in rows:
        if not isinstance(one, dict):
            continue
        name = text(one, "SSIDString", "SSID_STR")
        if name:
            scan = one.get("CachedScanRecord")
            bssid = text(one, "BSSID") or (text(scan, "BSSID") if isinstance(scan, dict) else "")
            joined = when(one.get("LastConnected")) or when(one.get("lastJoined"))
            yield fact(
                "network", f"knows the wireless network {show(name[:100])}", joined, name=name, bssid=bssid,
                protection=text(one, "SecurityType"), hidden=one.get("Closed") is True or None,
            )  # fmt: skip


def region(values: Values) -> Iterator[Fact]:
    """Yield language and region."""
    languages, place = _texts(values.get("AppleLanguages")), text(values, "AppleLocale")
    city = values.get("com.apple.TimeZonePref.Last_Selected_City")
    if languages or place:
        title = f"the languages and region: {show(', '.join(languages)[:100])} ({show(place[:40])})"
        cities = [one for one in _texts(city) if any(letter.isalpha() for letter in one)]
        yield fact("system", title, None, languages=languages, region=place, city=cities)


def apple_ids(values: Values) -> Iterator[Fact]:
    """Yield the Apple IDs that a Mac has signed in with."""
    accounts = values.get("Accounts")
    for name, one in accounts.items() if isinstance(accounts, dict) else ():
        if isinstance(one, dict):
            account = text(one, "AppleID") or str(name)[:500]
            full = f"{text(one, 'FirstName')} {text(one, 'LastName')}".strip()
            title, last = f"the Apple ID {show(account[:100])} ({show(full[:100])})", when(one.get("LastSuccessfulConnect"))
            emails, made = _texts(one.get("ValidatedEmail")), when(one.get("CreationDate"))
            yield fact("account", title, last, account=account, full_name=full, emails=emails, created_time=made)


def log_in(values: Values) -> Iterator[Fact]:
    """Yield what is run when somebody logs in to a Mac, or logs out."""
    for key, moment in (("LoginHook", "log-in"), ("LogoutHook", "log-out")):
        if path := text(values, key):
            yield fact("autostart", f"is run at each {moment}: {show(path[:150])}", None, path=path)
    held = values.get("AutoLaunchedApplicationDictionary")
    for one in held if isinstance(held, list) else ():
        if isinstance(one, dict) and (path := text(one, "Path")):
            yield fact(
                "autostart", f"is started at the log-in: {show(path[:150])}", None, path=path, hidden=one.get("Hide") is True or None
            )


def account_times(values: Values) -> dict[str, int | None]:
    """Return when an account of a Mac was made and its password was set: a property list inside of the account's."""
    found: dict[str, int | None] = {}
    for key, names in (
        ("accountPolicyData", {"creationTime": "created_time", "passwordLastSetTime": "password_time"}),
        ("passwordpolicyoptions", {"passwordLastSetTime": "password_time"}),
    ):
        held = values.get(key)
        raw = held[0] if isinstance(held, list) and held else None
        try:
            inner = parse_plist(raw).value if isinstance(raw, bytes) else None
        except StructureError:
            continue
        for name, to in names.items() if isinstance(inner, dict) else ():
            value = inner.get(name) if isinstance(inner, dict) else None
            found.setdefault(to, value.nanoseconds if isinstance(value, Date) else times.unix(value))
    return found


SOURCES: dict[str, Callable[[Any], Iterator[Fact]]] = {
    "MobileSync/Backup/*/Info.plist": backup,
    f"{'?' * 40}/Info.plist": backup,
    f"{'?' * 8}-{'?' * 16}/Info.plist": backup,
    "data_ark.plist": data_ark,
    "device_values.plist": device_values,
    "com.apple.mobile.ldbackup.plist": local_backup,
    "com.apple.purplebuddy.plist": first_start,
    "com.apple.iPod.plist": met_devices,
    "com.apple.airport.preferences.plist": remembered_networks,
    ".GlobalPreferences.plist": region,
    "com.apple.coreservices.appleidauthenticationinfo.*.plist": apple_ids,
}
"""Readers by where their files lie."""
