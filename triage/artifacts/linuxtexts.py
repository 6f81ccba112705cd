"""What Linux's settings say of the system, its users, the networks it knows and the media it mounts.

Formats: passwd(5), shadow(5), group(5), os-release(5), machine-id(5), fstab(5), crypttab(5), tzfile(5), nm-settings-keyfile(5), sshd(8)
(``known_hosts``, ``authorized_keys``), BlueZ's storage. Hashes of passwords and keys of networks are left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from triage.artifacts import times
from triage.artifacts.browsing import fact, show
from triage.artifacts.inifile import lines_of, read_ini

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.artifacts.browsing import Fact

_NO_LOGIN = ("nologin", "false", "sync", "halt", "shutdown")
_ROOTS = ("sudo", "wheel", "admin", "root", "docker", "lxd")
_PSEUDO = ("proc", "sysfs", "tmpfs", "devpts", "devtmpfs", "cgroup", "cgroup2", "debugfs", "swap", "none", "ignore", "auto")
_REMOTE = ("nfs", "nfs4", "cifs", "smbfs", "smb3", "fuse.sshfs", "sshfs", "davfs", "glusterfs", "ceph")
_DAY = 86_400


def passwd(data: bytes) -> Iterator[Fact]:
    """Yield the accounts; those of the system itself, which nobody logs in with, say so."""
    for line in lines_of(data):
        parts = line.split(":")
        if len(parts) < 7 or not parts[2].isdigit():
            continue
        name, uid, full, home, shell = parts[0], parts[2], parts[4].rstrip(","), parts[5], parts[6]
        own = (len(uid) < 4 and name != "root") or shell.rpartition("/")[2] in _NO_LOGIN
        told = f" ({show(full[:100])})" if full else ""
        title = f"the account {show(name[:100])}{told}"
        yield fact("account", title, None, account=name, full_name=full, uid=uid, home=home, login_program=shell, system=own or None)


def shadow(data: bytes) -> Iterator[Fact]:
    """Yield when passwords were set, and which accounts have none or are locked; nothing of the hashes."""
    for line in lines_of(data):
        parts = line.split(":")
        if len(parts) < 8 or not parts[0]:
            continue
        name, secret, day = parts[0], parts[1], parts[2]
        if secret.startswith(("*", "!")) and len(secret) < 3:
            continue  # nobody can log in with it
        state = "locked" if secret.startswith("!") else "" if secret else "none"
        set_on = times.unix(int(day) * _DAY) if day.isascii() and day.isdigit() and len(day) < 7 else None
        what = {"none": "has no password", "locked": "has a password and is locked"}.get(state, "has a password")
        yield fact("account", f"the account {show(name[:100])} {what}", set_on, account=name, password=state)


def group(data: bytes) -> Iterator[Fact]:
    """Yield who is in groups that may do what root may."""
    for line in lines_of(data):
        parts = line.split(":")
        if len(parts) == 4 and parts[0] in _ROOTS and parts[3]:
            members = [name for name in parts[3].split(",") if name]
            title = f"may act as the administrator ({parts[0]}): {show(', '.join(members)[:150])}"
            yield fact("account", title, None, group=parts[0], members=members)


def os_release(data: bytes) -> Iterator[Fact]:
    """Yield which Linux it is."""
    given = {key.strip(): value.strip().strip("\"'") for key, _, value in (line.partition("=") for line in lines_of(data))}
    name = given.get("PRETTY_NAME") or f"{given.get('NAME', '')} {given.get('VERSION', '')}".strip()
    if name:
        yield fact("system", f"the system is {show(name[:150])}", None, system=name, id=given.get("ID"), version=given.get("VERSION_ID"))


def _one_line(title: str, key: str) -> Callable[[bytes], Iterator[Fact]]:
    def read(data: bytes) -> Iterator[Fact]:
        for line in lines_of(data)[:1]:
            yield fact("system", f"{title}: {show(line[:150])}", None, **{key: line[:500]})

    return read


def timezone_rules(data: bytes) -> Iterator[Fact]:
    """Yield the rule of the local time: the last line of a file of ``/usr/share/zoneinfo``, if the link to one was copied as a file."""
    if data.startswith(b"TZif"):
        rule = data.rstrip(b"\n").rpartition(b"\n")[2]
        if 0 < len(rule) < 100 and rule.isascii() and b"\0" not in rule:
            yield fact("system", f"the time zone's rule: {show(rule.decode('ascii'))}", None, time_zone_rule=rule.decode("ascii"))


def fstab(data: bytes) -> Iterator[Fact]:
    """Yield what is mounted where."""
    for line in lines_of(data):
        parts = line.split()
        if line.startswith("#") or len(parts) < 3 or parts[2] in _PSEUDO or parts[1] in ("none", "swap"):
            continue
        source, place, form = parts[0], parts[1], parts[2]
        kind = "network" if form in _REMOTE else "device"
        title = f"mounts {show(source[:100])} at {show(place[:100])}"
        yield fact(kind, title, None, source=source, place=place, form=form)


def crypttab(data: bytes) -> Iterator[Fact]:
    """Yield which encrypted volumes are opened at the start."""
    for line in lines_of(data):
        parts = line.split()
        if not line.startswith("#") and len(parts) > 1:
            key = parts[2] if len(parts) > 2 and parts[2] not in ("none", "-") else ""
            title = f"an encrypted volume is opened at the start: {show(parts[1][:100])} as {show(parts[0][:100])}"
            yield fact("encrypted", title, None, name=parts[0], source=parts[1], key_file=key)


def connection(data: bytes) -> Iterator[Fact]:
    """Yield a connection of NetworkManager, without its secrets."""
    ini = read_ini(data)
    about = ini.get("connection", {})
    if not about.get("id"):
        return
    wireless = ini.get("wifi") or ini.get("802-11-wireless") or {}
    security = ini.get("wifi-security") or ini.get("802-11-wireless-security") or {}
    vpn, enterprise = ini.get("vpn", {}), ini.get("802-1x", {})
    name, stamp = _ssid(wireless.get("ssid", "")), about.get("timestamp", "")
    last = times.unix(int(stamp)) if stamp.isascii() and stamp.isdigit() and len(stamp) < 12 else None
    kind = about.get("type", "")
    title = (
        f"knows the wireless network {show(name[:100])}" if name else f"has the connection {show(about['id'][:100])} ({show(kind[:40])})"
    )
    yield fact(
        "network", title, last, name=name or about["id"], type=kind, protection=security.get("key-mgmt"), bssid=wireless.get("bssid"),
        gateway=vpn.get("gateway") or vpn.get("remote") or vpn.get("address"), account=vpn.get("user") or vpn.get("username"),
        identity=enterprise.get("identity"), interface=about.get("interface-name"), permissions=about.get("permissions"),
    )  # fmt: skip


def _ssid(text: str) -> str:
    """Return a network's name: text, or bytes in decimal digits with semicolons."""
    if re.fullmatch(r"(?:[0-9]{1,3};){1,32}", text):
        numbers = [int(one) for one in text.split(";") if one]
        if all(number < 256 for number in numbers):
            return bytes(numbers).decode("utf-8", "replace")
    return text


def known_hosts(data: bytes) -> Iterator[Fact]:
    """Yield the computers that SSH was used to; of those whose names are hashed, how many."""
    seen: set[str] = set()
    hashed = 0
    for line in lines_of(data):
        parts = line.split()
        if line.startswith("#") or len(parts) < 3:
            continue
        names = parts[1] if parts[0].startswith("@") else parts[0]
        if names.startswith("|1|"):
            hashed += 1
        elif names not in seen:
            seen.add(names)
            yield fact("network", f"knows the computer {show(names[:150])} by SSH", None, host=names)
    if hashed:
        yield fact("network", f"knows {hashed:,} computers by SSH whose names are hashed (one a key)", None, hashed=hashed)


def authorized_keys(data: bytes) -> Iterator[Fact]:
    """Yield whose keys may log in."""
    for line in lines_of(data):
        found = re.search(
            r"(?:^|[ \t])(ssh-[a-z0-9-]{2,30}|ecdsa-[a-z0-9-]{2,40}|sk-[a-z0-9@.-]{2,60}) ([A-Za-z0-9+/=]{20,20000})(?:[ \t]+(.{1,200}))?",
            line,
        )
        if found and not line.startswith("#"):
            who = found[3] or f"…{found[2][-12:]}"
            yield fact("account", f"whoever has the key of {show(who[:100])} may log in", None, key_of=found[3], key_type=found[1])


def bluetooth(data: bytes) -> Iterator[Fact]:
    """Yield a device that BlueZ knows (``info``); its address is the name of the folder."""
    ini = read_ini(data)
    about = ini.get("General", {})
    name = about.get("Name") or about.get("Alias", "")
    if name:
        paired = "LinkKey" in ini or "LongTermKey" in ini
        title = f"a Bluetooth device was {'paired' if paired else 'met'}: {show(name[:100])}"
        yield fact("device", title, None, name=name, device_class=about.get("Class"), paired=paired or None)


READERS: tuple[tuple[str, Callable[[bytes], Iterator[Fact]]], ...] = (
    ("etc/passwd", passwd),
    ("etc/passwd-", passwd),
    ("etc/shadow", shadow),
    ("etc/shadow-", shadow),
    ("etc/group", group),
    ("etc/os-release", os_release),
    ("usr/lib/os-release", os_release),
    ("etc/hostname", _one_line("the computer is called", "computer")),
    ("etc/timezone", _one_line("the time zone", "time_zone")),
    ("etc/machine-id", _one_line("the system's number (machine-id)", "machine_id")),
    ("etc/localtime", timezone_rules),
    ("etc/fstab", fstab),
    ("etc/crypttab", crypttab),
    ("NetworkManager/system-connections/*", connection),
    (".ssh/known_hosts", known_hosts),
    (".ssh/known_hosts.old", known_hosts),
    ("ssh/ssh_known_hosts", known_hosts),
    (".ssh/authorized_keys", authorized_keys),
    ("var/lib/bluetooth/*/*/info", bluetooth),
)
"""Files by their path."""
