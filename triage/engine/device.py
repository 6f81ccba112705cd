"""What device a system's files are of: model, serial number, version, telephone number and accounts, by a few files known by their path.

Only files whose place is known are opened, so that ``triage info`` stays quick: of volumes that Sleuth Kit reads by their path, of
archives, folders and backups by their list. What plugins find in a whole run stands beside it as findings.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.artifacts.plist import parse_plist
from triage.artifacts.sqlite import open_database
from triage.artifacts.structure import StructureError
from triage.escape import show
from triage.filesystem.describe import is_listed
from triage.filesystem.trees.tree import Named
from triage.model import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from triage.filesystem.trees.tree import Tree
    from triage.model import Volume

Facts = dict[str, str]
LARGEST = 16 << 20
_LONGEST, _MOST_ACCOUNTS = 200, 20
_PLACES = ("", "system/", "data/", "private/var/", "system/system/", "root/", "private/", "var/")
"""Under which folders of a volume the paths below may stand: partitions are mounted at other places than they are the root of."""


class _Source(NamedTuple):
    """A file by the end of its path, and what reads it."""

    path: str
    read: Callable[[bytes], Facts]


def _properties(data: bytes) -> Facts:
    """Read Android's ``build.prop``."""
    lines = (line.partition("=") for line in data[: 1 << 20].decode("utf-8", "replace").splitlines() if not line.startswith("#"))
    values = {key.strip(): value.strip() for key, _, value in lines if value}

    def first(name: str, kinds: Sequence[str] = ("product", "product.system", "product.vendor", "product.odm", "product.product")) -> str:
        return next((found for kind in kinds if (found := values.get(f"ro.{kind}.{name}", ""))), "")

    release = values.get("ro.build.version.release", "") or values.get("ro.system.build.version.release", "")
    return {
        "manufacturer": first("manufacturer"),
        "model": first("model"),
        "serial number": values.get("ro.serialno", "") or values.get("ro.boot.serialno", ""),
        "system version": f"Android {release}" if release else "",
        "system build": values.get("ro.build.display.id", "") or values.get("ro.system.build.id", ""),
        "security patch": values.get("ro.build.version.security_patch", ""),
        "time zone": values.get("persist.sys.timezone", ""),
    }


def _getprop(data: bytes) -> Facts:
    """Read what Android's ``getprop`` prints: a line ``[name]: [value]`` each."""
    return _properties(re.sub(rb"^\[([^\]\r\n]{1,200})\]: \[([^\r\n]{0,500})\]\r?$", rb"\1=\2", data[: 1 << 20], flags=re.MULTILINE))


def _plist(data: bytes) -> Mapping[str, Any]:
    try:
        value = parse_plist(data).value
    except StructureError:
        return {}
    return value if isinstance(value, dict) else {}


def _text(values: Mapping[str, Any], *keys: str) -> str:
    return next((str(values[key]) for key in keys if isinstance(values.get(key), str | int) and values[key] != ""), "")


def _version(data: bytes) -> Facts:
    """Read Apple's ``SystemVersion.plist``."""
    values = _plist(data)
    name, version = _text(values, "ProductName"), _text(values, "ProductUserVisibleVersion", "ProductVersion")
    return {"system version": f"{name} {version}".strip(), "system build": _text(values, "ProductBuildVersion")}


def _ark(data: bytes) -> Facts:
    """Read the lock-down service's ``data_ark.plist`` of iPhones."""
    values = _plist(data)
    return {
        "device name": _text(values, "-DeviceName", "DeviceName"),
        "model": _text(values, "-ProductType", "ProductType"),
        "serial number": _text(values, "-SerialNumber", "SerialNumber"),
        "IMEI": _text(values, "-InternationalMobileEquipmentIdentity", "InternationalMobileEquipmentIdentity"),
        "time zone": _text(values, "-TimeZone", "TimeZone"),
        "accounts": _text(values, "com.apple.mobile.iTunes.store-AppleID", "com.apple.mobile.iTunes-AppleID"),
    }


def _commcenter(data: bytes) -> Facts:
    """Read the telephony service's settings of iPhones."""
    values = _plist(data)
    return {"phone number": _text(values, "PhoneNumber", "SIMPhoneNumber"), "ICCID": _text(values, "ICCID", "LastKnownICCID")}


def _release(data: bytes) -> Facts:
    """Read ``os-release`` of Linux (freedesktop.org, os-release(5))."""
    match = re.search(rb"^PRETTY_NAME=[\"']?([^\"'\n]{1,100})", data[: 1 << 16], re.MULTILINE)
    return {"system version": match[1].decode("utf-8", "replace")} if match else {}


def _hostname(data: bytes) -> Facts:
    return {"device name": data[:100].decode("utf-8", "replace").strip().partition("\n")[0]}


def _rows(data: bytes, table: str, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    try:
        with open_database(data) as database:
            found = database.tables().get(table)
            there = [c for c in columns if found is not None and c in found]
            for row in database.rows(table, there) if there else ():
                yield dict(zip(there, row.values, strict=False))
    except StructureError:
        return


def _android_accounts(data: bytes) -> Facts:
    """Read ``accounts_ce.db`` or ``accounts.db`` of Android."""
    named = (f"{row.get('name')} ({row.get('type')})" for row in _rows(data, "accounts", ("name", "type")) if row.get("name"))
    return {"accounts": _joined(named)}


def _apple_accounts(data: bytes) -> Facts:
    """Read ``Accounts3.sqlite`` or ``Accounts4.sqlite`` of iOS and macOS."""
    return {"accounts": _joined(str(row["ZUSERNAME"]) for row in _rows(data, "ZACCOUNT", ("ZUSERNAME",)) if row.get("ZUSERNAME"))}


def _sims(data: bytes) -> Facts:
    """Read the list of SIM cards in Android's ``telephony.db``."""
    rows = list(_rows(data, "siminfo", ("number", "icc_id", "carrier_name", "imei")))
    return {
        "phone number": _joined(str(row["number"]) for row in rows if row.get("number")),
        "ICCID": _joined(str(row["icc_id"]) for row in rows if row.get("icc_id")),
        "IMEI": _joined(str(row["imei"]) for row in rows if row.get("imei")),
    }


def _joined(values: Iterable[str]) -> str:
    unique = list(dict.fromkeys(value for value in values if value))
    more = f" and {len(unique) - _MOST_ACCOUNTS} more" if len(unique) > _MOST_ACCOUNTS else ""
    return ", ".join(unique[:_MOST_ACCOUNTS]) + more


SOURCES = (
    _Source("build.prop", _properties),
    _Source("getprop.txt", _getprop),
    _Source("vendor/build.prop", _properties),
    _Source("product/build.prop", _properties),
    _Source("property/persist.sys.timezone", lambda data: {"time zone": data[:60].decode("utf-8", "replace").strip("\0\n ")}),
    _Source("System/Library/CoreServices/SystemVersion.plist", _version),
    _Source("Library/Lockdown/data_ark.plist", _ark),
    _Source("root/Library/Lockdown/data_ark.plist", _ark),
    _Source("wireless/Library/Preferences/com.apple.commcenter.plist", _commcenter),
    _Source("system_ce/0/accounts_ce.db", _android_accounts),
    _Source("system/users/0/accounts.db", _android_accounts),
    _Source("user_de/0/com.android.providers.telephony/databases/telephony.db", _sims),
    _Source("mobile/Library/Accounts/Accounts3.sqlite", _apple_accounts),
    _Source("Library/Accounts/Accounts4.sqlite", _apple_accounts),
    _Source("etc/os-release", _release),
    _Source("usr/lib/os-release", _release),
    _Source("etc/hostname", _hostname),
)
_NAMES = frozenset(source.path.rpartition("/")[2].lower() for source in SOURCES)


def facts_of_tree(tree: Tree, beat: Callable[[], None]) -> Facts:
    """Return what the files of an archive, a folder or a backup say of their device."""
    found: dict[str, Named] = {}
    for one in tree.names():
        if isinstance(one, Named) and one.path and one.path[-1].lower().decode("latin-1") in _NAMES and not one.deleted and not one.stream:
            if one.kind is Kind.FILE and one.size <= LARGEST:
                found["/" + b"/".join(one.path).decode("utf-8", "replace").lower()] = one
            beat()

    def read(path: str) -> bytes | None:
        end = f"/{path.lower()}"
        # The shallowest is the system's own; deeper ones are other systems' copies.
        name = min((n for n in found if n.endswith(end)), key=lambda n: (n.count("/"), n), default=None)
        if name is None:
            return None
        one = found[name]
        try:
            return tree.open(one.address, one.sequence, one.attribute)(0, one.size)
        except OSError:
            return None

    return _gathered([read])


def facts_of_volumes(volumes: Sequence[Volume], open_at: Callable[[int], Any], beat: Callable[[], None]) -> Facts:
    """Return what the files on volumes that Sleuth Kit opens say of their device. ``open_at``: opens the file system at a place."""
    readers = []
    for volume in volumes:
        if is_listed(volume) and not volume.is_snapshot and volume.file_system in _WITH_SYSTEMS:
            try:
                readers.append(_by_path(open_at(volume.offset), beat))
            except OSError:
                continue
    return _gathered(readers)


_WITH_SYSTEMS = frozenset({"ext2", "ext3", "ext4", "HFS+"})


def _by_path(fs: Any, beat: Callable[[], None]) -> Callable[[str], bytes | None]:
    def read(path: str) -> bytes | None:
        for folder in _PLACES:
            beat()
            try:
                file = fs.open(f"/{folder}{path}")
                size = int(file.info.meta.size)
                return bytes(file.read_random(0, size)) if 0 < size <= LARGEST else None
            except (OSError, AttributeError):
                continue
        return None

    return read


def _gathered(readers: Sequence[Callable[[str], bytes | None]]) -> Facts:
    """Return the facts; of two that say the same thing the first file in the order of :data:`SOURCES`, and the first volume."""
    facts: Facts = {}
    for source in SOURCES:
        for read in readers:
            data = read(source.path)
            if not data:
                continue
            for name, value in source.read(data).items():
                if value and name not in facts:
                    facts[name] = show(value)[:_LONGEST]
    return facts
