"""What hives say of programs: installed ones, and those that Windows looked at or started (``bam``, ShimCache, ``Amcache.hve``)."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.hive import utf16
from triage.artifacts.registryfacts.common import Fact, Place, fact, text_of, when, when_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.hive import Key, Value

_SHA1 = re.compile(r"^0000([0-9a-f]{40})$")
_HEX = re.compile(r"[0-9A-Fa-f]+")
_MOST = 10_000


def _installed(key: Key) -> Iterator[Fact]:
    for one in key.inner():
        name = text_of(one, "DisplayName")
        if name:
            yield fact(
                "installed-program", f"installed: {name}", one, name=name, version=text_of(one, "DisplayVersion"),
                publisher=text_of(one, "Publisher"), path=text_of(one, "InstallLocation"), install_date_local=text_of(one, "InstallDate"),
                installed_from=text_of(one, "InstallSource"), time=when(one.written),
            )  # fmt: skip


def _bam(key: Key) -> Iterator[Fact]:
    """Programs last run, by user's SID: a FILETIME, and what it was to the Background Activity Moderator."""
    for user in key.inner():
        for value in user.values():
            if value.name not in ("Version", "SequenceNumber") and len(value.data) >= 8:
                yield fact("program-run", f"{value.name} ran", user, path=value.name, time=when_in(value.data), sid=user.name)


def _shim_cache(key: Key) -> Iterator[Fact]:
    """Programs that the compatibility cache has seen, newest first. It has the file's time of change; that a program ran is not said."""
    value = key.table().get("appcompatcache")
    for order, (path, changed) in enumerate(_cached(value.data if value is not None else b""), 1):
        # Apps of the Store stand there as numbers in hexadecimal, then the package and its publisher, between tabs.
        package = next((part for part in path.split("\t") if part and not _HEX.fullmatch(part)), "") if "\t" in path else ""
        shown = package or path
        name = {"package": package} if package else {"path": path}
        yield fact("program-seen", f"Windows saw the program {shown}", key, **name, target_modified=when(changed), order=order)


def _cached(data: bytes) -> Iterator[tuple[str, int]]:
    """Yield path and FILETIME of each entry.

    Windows 8 and later: entries begin ``00ts`` or ``10ts``; Windows 7: 0xbadc0fee, then entries of 32 or 48 bytes.
    """
    if len(data) < 136:
        return
    first = int.from_bytes(data[:4], "little")
    if first == 0xBADC0FEE:
        yield from _cached_seven(data)
        return
    at = first if first in (0x30, 0x34) else 0x80
    newest = at != 0x80
    for _ in range(_MOST):
        sign, size = data[at : at + 4], int.from_bytes(data[at + 8 : at + 12], "little")
        if sign not in (b"00ts", b"10ts") or size < 12:
            return
        entry = data[at + 12 : at + 12 + size]
        length = int.from_bytes(entry[:2], "little")
        rest = 2 + length
        if not newest:
            rest += (2 + int.from_bytes(entry[rest : rest + 2], "little") if sign == b"10ts" else 0) + 8
        path = entry[2 : 2 + (length & ~1)].decode("utf-16-le", "replace")
        if path and len(entry) == size:
            yield path, int.from_bytes(entry[rest : rest + 8], "little")
        at += 12 + size


def _cached_seven(data: bytes) -> Iterator[tuple[str, int]]:
    count = int.from_bytes(data[4:8], "little")
    length, longest = struct.unpack_from("<HH", data, 128)
    wide = int.from_bytes(data[132:136], "little") == 0 and longest - length == 2
    step, form = (48, "<HH4xQQ") if wide else (32, "<HHIQ")
    for at in range(128, min(len(data) - step + 1, 128 + step * min(count, _MOST)), step):
        size, _, place, changed = struct.unpack_from(form, data, at)
        path = data[place : place + (size & ~1)].decode("utf-16-le", "replace")
        if path:
            yield path, changed


def _digests(text: str) -> list[dict[str, str]]:
    match = _SHA1.match(text.lower())
    return [{"sha1": match[1]}] if match else []


def _amcache(key: Key, names: dict[str, str], path: str, digest: str, table: dict[str, Value], **more: Any) -> Fact:
    said = {field: table[name].text for field, name in names.items() if name in table}
    digests = _digests(table[digest].text if digest in table else "")
    shown = table[path].text if path in table else said.get("name", "a program without a path")
    return fact(
        "program-seen", f"Windows saw the program {shown}", key, path=shown, digests=digests, time=when(key.written), **said, **more
    )


def _inventory_files(key: Key) -> Iterator[Fact]:
    names = {
        "name": "name",
        "publisher": "publisher",
        "version": "version",
        "product": "productname",
        "program_id": "programid",
        "linked": "linkdate",
    }
    for one in key.inner():
        table = one.table()
        size = table["size"].number if "size" in table else None
        yield _amcache(one, names, "lowercaselongpath", "fileid", table, size=size)


def _inventory_programs(key: Key) -> Iterator[Fact]:
    for one in key.inner():
        name = text_of(one, "Name")
        if name:
            yield fact(
                "installed-program", f"installed: {name}", one, name=name, version=text_of(one, "Version"),
                publisher=text_of(one, "Publisher"),
                path=text_of(one, "RootDirPath"), install_date_local=text_of(one, "InstallDate"), time=when(one.written),
            )  # fmt: skip


def _old_files(key: Key) -> Iterator[Fact]:
    """Windows 8: by volume, values named by hexadecimal numbers.

    15 is the path, 101 ``0000`` and the SHA-1, 6 the size, 0 the product, 1 its maker.
    """
    names = {"product": "0", "publisher": "1", "version": "5", "program_id": "100"}
    for volume in key.inner():
        for one in volume.inner():
            table = one.table()
            size = table["6"].number if "6" in table else None
            changed = table["11"].number if "11" in table else None
            created = table["12"].number if "12" in table else None
            yield _amcache(
                one, names, "15", "101", table, size=size, volume=volume.name,
                target_modified=when(changed or 0), target_created=when(created or 0),
            )  # fmt: skip


def _old_programs(key: Key) -> Iterator[Fact]:
    for one in key.inner():
        table = one.table()
        name = table["0"].text if "0" in table else ""
        number = table["a"].number if "a" in table else None
        if name:
            yield fact(
                "installed-program", f"installed: {name}", one, name=name, version=table["1"].text if "1" in table else "",
                publisher=table["2"].text if "2" in table else "", time=times.iso(times.unix(number)) or when(one.written),
            )  # fmt: skip


def _cache_of_names(key: Key) -> Iterator[Fact]:
    """Programs whose name the Explorer looked up: ``MuiCache``."""
    for value in key.values():
        path = value.name.removesuffix(".FriendlyAppName")
        if value.text and path[1:3] == ":\\" and not path.endswith(".ApplicationCompany"):
            yield fact("program-seen", f"the Explorer saw the program {path}", key, path=path, name=utf16(value.data))


_UNINSTALL = "Microsoft\\Windows\\CurrentVersion\\Uninstall"
PROGRAMS: tuple[Place, ...] = (
    *((f"{top}{_UNINSTALL}", _installed) for top in ("Software\\", "", "Wow6432Node\\")),
    *((f"{{control}}\\Services\\{name}{state}\\UserSettings", _bam) for name in ("bam", "dam") for state in ("", "\\State")),
    ("{control}\\Control\\Session Manager\\AppCompatCache", _shim_cache),
    ("{control}\\Control\\Session Manager\\AppCompatibility", _shim_cache),
    ("Root\\InventoryApplicationFile", _inventory_files),
    ("Root\\InventoryApplication", _inventory_programs),
    ("Root\\File", _old_files),
    ("Root\\Programs", _old_programs),
    ("Local Settings\\Software\\Microsoft\\Windows\\Shell\\MuiCache", _cache_of_names),
    ("Software\\Microsoft\\Windows\\ShellNoRoam\\MUICache", _cache_of_names),
)
