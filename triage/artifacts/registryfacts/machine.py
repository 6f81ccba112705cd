"""What a machine's hives (``SYSTEM``, ``SOFTWARE``, ``SAM``) say of itself, its media, networks and accounts."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.hive import MULTI, utf16
from triage.artifacts.registryfacts.common import Fact, Place, fact, text_of, when, when_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.hive import Key

_DEVICE_TIMES = "{83da6326-97a6-4088-9453-a1923f573b29}"
_NAMED_TIMES = (("first_installed", 0x64), ("installed", 0x65), ("last_connected", 0x66), ("last_removed", 0x67))
_NAMES = 0xCC
_TIED = {6: "wired", 23: "VPN", 71: "Wi-Fi"}


def _computer_name(key: Key) -> Iterator[Fact]:
    name = text_of(key, "ComputerName")
    if name:
        yield fact("system", f"the computer's name: {name}", key, name=name)


def _time_zone(key: Key) -> Iterator[Fact]:
    table = key.table()
    name = text_of(key, "TimeZoneKeyName", "StandardName")
    bias = table["activetimebias"].number if "activetimebias" in table else None
    minutes = None if bias is None else -(bias - (1 << 32) if bias >> 31 else bias)
    if name or minutes is not None:
        yield fact("system", f"the time zone: {name}", key, time_zone=name, minutes_from_utc=minutes)


def _shutdown(key: Key) -> Iterator[Fact]:
    value = key.table().get("shutdowntime")
    if value is not None and when_in(value.data):
        yield fact("system", "the computer was last shut down", key, time=when_in(value.data))


def _plain_name(text: str) -> str:
    return text.rpartition(";")[2] if text.startswith("@") else text


def _device_times(key: Key) -> dict[str, str | None]:
    """Return when a device was installed, connected and removed ([devpkey.h]: DEVPKEY_Device_*Date); Windows 7 has one key more between."""
    place = key.find(f"Properties\\{_DEVICE_TIMES}")
    found: dict[str, str | None] = {}
    for one in place.inner() if place is not None else ():
        for name, number in _NAMED_TIMES:
            if one.name.lower() in (f"{number:04x}", f"{number:08x}"):
                deep = one.find("00000000") or one
                value = next((value for value in deep.values() if value.name.lower() in ("", "data")), None)
                found[name] = when_in(value.data) if value is not None else None
    return found


def _devices(key: Key) -> Iterator[Fact]:
    """Devices of the USB, by what they are and their serial numbers; one whose second character is ``&`` was made up by Windows."""
    for kind in key.inner():
        if kind.name.upper().startswith("ROOT_HUB"):
            continue
        for one in kind.inner():
            serial = one.name.removesuffix("&0") if key.name.upper() == "USBSTOR" else one.name
            name = _plain_name(text_of(one, "FriendlyName")) or _plain_name(text_of(one, "DeviceDesc")) or kind.name
            stamps = _device_times(one)
            yield fact(
                "device", f"a USB {'storage ' if key.name.upper() == 'USBSTOR' else ''}device was connected: {name}", one,
                name=name, device=kind.name, serial="" if serial[1:2] == "&" else serial, instance=one.name,
                parent_id=text_of(one, "ParentIdPrefix"), time=stamps.get("last_connected") or when(one.written), **stamps,
            )  # fmt: skip


def _mounted(key: Key) -> Iterator[Fact]:
    """Letters and volumes: the device's path in UTF-16, or the disk's signature and the partition's place, or a GPT partition's GUID."""
    for value in key.values():
        data = value.data
        said: dict[str, Any] = {}
        if len(data) == 12:
            said = {"disk_signature": data[:4][::-1].hex(), "partition_offset": int.from_bytes(data[4:], "little")}
        elif data[:8] == b"DMIO:ID:":
            said = {"partition_id": data[8:24].hex()}
        elif data:
            said = {"device": utf16(data)}
        if said:
            name = value.name.removeprefix("\\DosDevices\\").removeprefix("\\??\\")
            yield fact("device", f"a volume was mounted: {name}", key, volume=name, **said)


def _interfaces(key: Key) -> Iterator[Fact]:
    for one in key.inner():
        table = one.table()
        address = text_of(one, "DhcpIPAddress", "IPAddress")
        if address and address.strip("0."):
            lease = table["leaseobtainedtime"].number if "leaseobtainedtime" in table else None
            yield fact(
                "network", f"a network address: {address}", one, address=address, time=times.iso(times.unix(lease)),
                gateway=text_of(one, "DhcpDefaultGateway", "DefaultGateway"), dhcp_server=text_of(one, "DhcpServer"),
                name_servers=text_of(one, "DhcpNameServer", "NameServer"), domain=text_of(one, "DhcpDomain", "Domain"),
            )  # fmt: skip


def _windows(key: Key) -> Iterator[Fact]:
    table = key.table()
    product = text_of(key, "ProductName")
    installed = table["installdate"].number if "installdate" in table else None
    if product:
        build = text_of(key, "CurrentBuild", "CurrentBuildNumber")
        yield fact(
            "system", f"{product}, build {build}", key, name=product, build=build, time=times.iso(times.unix(installed)),
            release=text_of(key, "DisplayVersion", "ReleaseId", "CSDVersion"), owner=text_of(key, "RegisteredOwner"),
            organization=text_of(key, "RegisteredOrganization"), product_id=text_of(key, "ProductId"),
        )  # fmt: skip


def _profiles(key: Key) -> Iterator[Fact]:
    for one in key.inner():
        path = text_of(one, "ProfileImagePath")
        if path:
            yield fact("account", f"a user's profile: {path}", one, sid=one.name, path=path, time=when(one.written))


def _system_time(data: bytes) -> str:
    """Return a SYSTEMTIME, which networks have in the machine's own time, without a zone."""
    if len(data) < 16:
        return ""
    year, month, _, day, hour, minute, second, _ = struct.unpack_from("<8H", data)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}" if 1970 <= year < 2200 and month <= 12 and day <= 31 else ""


def _networks(key: Key) -> Iterator[Fact]:
    for one in key.inner():
        table = one.table()
        name = text_of(one, "ProfileName")
        kind = table["nametype"].number if "nametype" in table else None
        if name:
            yield fact(
                "network", f"was connected to the network {name}", one, name=name, what=_TIED.get(kind or 0, ""),
                first_connected_local=_system_time(table["datecreated"].data) if "datecreated" in table else "",
                last_connected_local=_system_time(table["datelastconnected"].data) if "datelastconnected" in table else "",
            )  # fmt: skip


def _portable(key: Key) -> Iterator[Fact]:
    for one in key.inner():
        name = text_of(one, "FriendlyName")
        if name:
            yield fact("device", f"a portable device was connected: {name}", one, name=name, device=one.name, time=when(one.written))


def _accounts(key: Key) -> Iterator[Fact]:
    """Local accounts ([libyal] SAM keys): ``F`` times, number, counts; ``V`` places of names. Hashes of passwords are not touched."""
    for one in key.inner():
        table = one.table()
        if "f" not in table or "v" not in table or len(table["f"].data) < 68:
            continue
        fixed, names = table["f"].data, table["v"].data
        name, full, comment = (_account_text(names, at) for at in (12, 24, 36))
        flags, logins = int.from_bytes(fixed[56:58], "little"), int.from_bytes(fixed[66:68], "little")
        rid = int.from_bytes(fixed[48:52], "little")
        internet = utf16(table["internetusername"].data) if "internetusername" in table else ""
        yield fact(
            "account", f"a local account: {name}", one, name=name, rid=rid, full_name=full, comment=comment, online_account=internet,
            given_name=utf16(table["givenname"].data) if "givenname" in table else "",
            surname=utf16(table["surname"].data) if "surname" in table else "",
            time=when_in(fixed, 8), last_login=when_in(fixed, 8), password_changed=when_in(fixed, 24), last_failed_login=when_in(fixed, 40),
            logins=logins, disabled=bool(flags & 1) or None, no_password_needed=bool(flags & 4) or None,
        )  # fmt: skip


def _account_text(data: bytes, at: int) -> str:
    place, length = struct.unpack_from("<II", data[at : at + 8].ljust(8, b"\0"))
    return utf16(data[_NAMES + place : _NAMES + place + min(length, 2048)])


def _autostart(key: Key) -> Iterator[Fact]:
    for value in key.values():
        if value.text and value.kind != MULTI:
            yield fact("autostart", f"starts by itself: {value.name}", key, name=value.name, command=value.text, time=when(key.written))


_RUN = "Microsoft\\Windows\\CurrentVersion"
MACHINE: tuple[Place, ...] = (
    ("{control}\\Control\\ComputerName\\ComputerName", _computer_name),
    ("{control}\\Control\\TimeZoneInformation", _time_zone),
    ("{control}\\Control\\Windows", _shutdown),
    ("{control}\\Enum\\USBSTOR", _devices),
    ("{control}\\Enum\\USB", _devices),
    ("MountedDevices", _mounted),
    ("{control}\\Services\\Tcpip\\Parameters\\Interfaces", _interfaces),
    ("Microsoft\\Windows NT\\CurrentVersion", _windows),
    ("Microsoft\\Windows NT\\CurrentVersion\\ProfileList", _profiles),
    ("Microsoft\\Windows NT\\CurrentVersion\\NetworkList\\Profiles", _networks),
    ("Microsoft\\Windows Portable Devices\\Devices", _portable),
    ("SAM\\Domains\\Account\\Users", _accounts),
    *((f"{top}{_RUN}\\{name}", _autostart) for top in ("Software\\", "", "Wow6432Node\\") for name in ("Run", "RunOnce")),
)
