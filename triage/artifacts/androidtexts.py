"""What Android's system notes in texts: properties of the device, networks, paired devices, computers that may debug it.

``build.prop``: a property a line; ``persistent_properties``: a Protocol Buffers message of records with name (1) and value (2)
(``system/core/init/persistent_properties.proto``); ``bt_config.conf``: sections as Bluetooth's storage writes them; ``adb_keys``: a key and
who it is of a line (AOSP, Apache-2.0); ``wpa_supplicant.conf``: blocks of networks (w1.fi).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from triage.artifacts import times
from triage.artifacts.browsing import fact, show
from triage.artifacts.inifile import lines_of, read_ini
from triage.artifacts.protobuf import fields, text_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.artifacts.browsing import Fact

_PRODUCT = re.compile(r"ro\.product\.(?:[a-z_]{1,20}\.)?(model|brand|manufacturer|device|name)")
_BUILD = {
    "ro.build.version.release": "release", "ro.build.version.sdk": "sdk", "ro.build.version.security_patch": "security_patch",
    "ro.build.fingerprint": "build", "ro.build.id": "build_id", "ro.serialno": "serial", "ro.boot.serialno": "serial",
}  # fmt: skip
_PERSISTENT = {
    "persist.sys.timezone": "the time zone",
    "persist.sys.locale": "the language",
    "persist.sys.language": "the language",
    "persist.sys.country": "the country",
    "persist.sys.usb.config": "how it answers by USB",
    "persist.sys.device_name": "the device is called",
    "persist.radio.imei": "the IMEI",
}
_DEVICE = re.compile(r"(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")


def build_properties(data: bytes) -> Iterator[Fact]:
    """Yield what device it is and which Android it has."""
    found: dict[str, str] = {}
    built = None
    for line in lines_of(data):
        key, _, value = line.partition("=")
        key, value = key.strip(), value.strip()[:500]
        product = _PRODUCT.fullmatch(key)
        if value and product:
            found.setdefault(product[1], value)
        elif value and key in _BUILD:
            found.setdefault(_BUILD[key], value)
        elif key == "ro.build.date.utc" and value.isascii() and value.isdigit() and len(value) < 12:
            built = times.unix(int(value))
    if "model" in found or "build" in found:
        maker, model = found.get("manufacturer", found.get("brand", "")), found.get("model", "")
        what = model if model.lower().startswith(maker.lower()) else f"{maker} {model}".strip()
        release = f", Android {found['release']}" if "release" in found else ""
        yield fact("system", f"the device is {show((what or found['build'])[:150])}{show(release[:40])}", None, built_time=built, **found)


def persistent(data: bytes) -> Iterator[Fact]:
    """Yield what is known of the properties that outlive a restart. Raises :class:`StructureError` where the file is damaged."""
    for number, record in fields(data):
        if number == 1 and isinstance(record, bytes):
            name, value = text_at(record, 1), text_at(record, 2)
            if name in _PERSISTENT and value:
                yield fact("system", f"{_PERSISTENT[name]}: {show(value[:150])}", None, setting=name, value=value)


def one_property(name: str, data: bytes) -> Iterator[Fact]:
    """Yield what a property says that has a file of its own (to Android 8)."""
    value = data[:200].decode("utf-8", "replace").strip("\0\r\n ")
    if name in _PERSISTENT and value:
        yield fact("system", f"{_PERSISTENT[name]}: {show(value[:150])}", None, setting=name, value=value)


def bluetooth(data: bytes) -> Iterator[Fact]:
    """Yield the device's own address and the devices that it was paired with or met."""
    for section, values in read_ini(data).items():
        given = {key.lower(): value for key, value in values.items()}
        if section in ("Adapter", "Local"):
            if given.get("address"):
                name = given.get("name", "")
                yield fact("system", f"its Bluetooth address: {show(given['address'][:40])}", None, address=given["address"], name=name)
        elif _DEVICE.fullmatch(section):
            stamp = given.get("timestamp", "")
            when = times.unix(int(stamp)) if stamp.isascii() and stamp.isdigit() and len(stamp) < 12 else None
            paired = any(key in given for key in ("linkkey", "le_key_penc", "le_key_pid", "le_key_lenc"))
            name = given.get("name") or given.get("aliase", "")
            way = "was paired" if paired else "was met"
            yield fact("device", f"a Bluetooth device {way}: {show((name or section)[:100])}", when, name=name, address=section,
                       paired=paired or None, maker=given.get("manufacturer"))  # fmt: skip


def supplicant(data: bytes) -> Iterator[Fact]:
    """Yield the networks of ``wpa_supplicant.conf``. Keys are left out."""
    inside: dict[str, str] | None = None
    for line in lines_of(data):
        if re.fullmatch(r"network\s{0,20}=\s{0,20}\{", line):
            inside = {}
        elif line == "}" and inside is not None:
            name = _unquoted(inside.get("ssid", ""))
            if name:
                disabled = True if inside.get("disabled") == "1" else None
                bssid, protection = inside.get("bssid", ""), inside.get("key_mgmt", "")
                title = f"knows the wireless network {show(name[:100])}"
                yield fact("network", title, None, name=name, protection=protection, bssid=bssid, disabled=disabled,
                           identity=_unquoted(inside.get("identity", "")))  # fmt: skip
            inside = None
        elif inside is not None:
            key, _, value = line.partition("=")
            inside.setdefault(key.strip(), value.strip()[:1000])


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    try:
        return bytes.fromhex(value).decode("utf-8", "replace")
    except ValueError:
        return value


def debuggers(data: bytes) -> Iterator[Fact]:
    """Yield the computers that were allowed to debug the device."""
    for line in lines_of(data):
        key, _, who = line.partition(" ")
        if len(key) > 200 and who.strip():
            yield fact("device", f"a computer was allowed to debug it: {show(who.strip()[:150])}", None, name=who.strip()[:500])


READERS: tuple[tuple[str, Callable[[bytes], Iterator[Fact]]], ...] = (
    ("build.prop", build_properties),
    ("property/persistent_properties", persistent),
    ("bt_config.conf", bluetooth),
    ("bt_config.bak", bluetooth),
    ("wpa_supplicant.conf", supplicant),
    ("misc/adb/adb_keys", debuggers),
)
PROPERTY = "property/persist.*"
