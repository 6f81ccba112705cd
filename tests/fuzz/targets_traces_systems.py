"""Files of apps that are no databases, and of the systems of phones and computers."""

from __future__ import annotations

import base64
import contextlib
import json
import plistlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from targets import Target

from triage.artifacts.abx import MAGIC, parse_abx
from triage.artifacts.structure import StructureError
from triage.plugin import Child, Problem, run_plugin
from triage.registry import find_plugins

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
import test_plugin_android_system as android
import test_plugin_app_files as apps
import test_plugin_linux_system as linux
import test_plugin_setupapi as setup
from real_samples import item_of

if TYPE_CHECKING:
    from collections.abc import Callable


def _plugin(name: str, *paths: str) -> Callable[[bytes], None]:
    """Return what runs a plugin over bytes, under the path that their number chooses."""

    def run(data: bytes) -> None:
        info = find_plugins().plugins[name]
        item = item_of(data, paths[len(data) % len(paths)])
        for result in run_plugin(info.load(), info.key(), item):
            assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail
            assert not isinstance(result, Child) or result.size <= 1 << 28

    return run


def _answers() -> list[bytes]:
    bereal = {"object": [{"username": "a", "memoryDay": "b", "primary": {"url": "https://a.example"}, "phoneNumbers": ["1"]}]}
    burner = [{"messageType": 1, "direction": 1, "state": 5, "dateCreated": 1_700_000_000_000, "burnerIds": []}]
    return [json.dumps(one).encode() for one in ([apps.MESSAGE], bereal, burner)]


_BEREAL = ("ProfileRepository", "MemoriesRepository-subject-key", "RelationshipsContactsManager-contact", "BlockedUserManager")
_PACKAGES = ("com.whatsapp", "org.telegram.messenger", "a.b")


def _settings() -> list[bytes]:
    return [apps.preferences(user_email="a@b.example", ph="123", cc="49"), apps.preferences(user=base64.b64encode(bytes(64)).decode())]


def _abx(data: bytes) -> None:
    for form in (data, MAGIC + data):
        with contextlib.suppress(StructureError):
            parse_abx(form)


_ANDROID = (
    f"{android.SYSTEM}/packages.xml", f"{android.SYSTEM}/users/0.xml", f"{android.SYSTEM}/users/0/settings_secure.xml",
    f"{android.SYSTEM}/users/0/package-restrictions.xml", f"{android.SYSTEM}/sync/accounts.xml", f"{android.SYSTEM}/appops.xml",
    "vol1/data/misc/wifi/WifiConfigStore.xml", "vol1/data/misc/wifi/wpa_supplicant.conf", "vol1/data/misc/bluedroid/bt_config.conf",
    "vol1/data/misc/adb/adb_keys", "vol1/system/build.prop", "vol1/data/property/persistent_properties",
    "vol1/data/system_ce/0/recent_tasks/1_task.xml", f"{android.SYSTEM}/usagestats/usage-history.xml",
)  # fmt: skip
_USE = (f"{android.SYSTEM}/usagestats/0/daily/{android.BEGIN}", "vol1/data/system_ce/0/usagestats/mappings",
        f"{android.SYSTEM}/usagestats/globalcomponentusage")  # fmt: skip


def _android() -> list[bytes]:
    build = b"ro.product.model=Phone\nro.product.manufacturer=Maker\nro.build.date.utc=1700000000\n"
    network = b'network={\nssid="a"\n}\n[Adapter]\nAddress = 1\n[01:02:03:ab:cd:ea]\nName = Car\nTimestamp = 1700000000\n'
    return [android.TEXT.encode(), android.binary(), build, network]


_TEXTS = (
    "vol1/etc/passwd", "vol1/etc/shadow", "vol1/etc/group", "vol1/etc/os-release", "vol1/etc/hostname", "vol1/etc/localtime",
    "vol1/etc/fstab", "vol1/etc/crypttab", "vol1/etc/NetworkManager/system-connections/a", f"{linux.HOME}/.ssh/known_hosts",
    f"{linux.HOME}/.ssh/authorized_keys", "vol1/var/lib/bluetooth/a/b/info", "vol1/var/lib/dpkg/status", "vol1/var/log/dpkg.log",
    "vol1/var/log/apt/history.log", "vol1/var/log/pacman.log",
)  # fmt: skip
_TYPED = (".bash_history", ".zsh_history", ".config/fish_history", ".mysql_history", "PSReadLine/a_history.txt", ".viminfo", ".lesshst")


def _linux() -> list[bytes]:
    return [
        b"kim:x:1000:1000:Kim:/home/kim:/bin/sh\nroot:$6$a:19000:0:99999:7:::\nsudo:x:27:kim\n",
        b'PRETTY_NAME="x"\nUUID=1 / ext4 defaults\nnas:/a /b nfs4\n[connection]\nid=a\ntimestamp=1700000000\n[wifi]\nssid=72;\n',
        b"a,b ssh-rsa AAAAAAAAAAAAAAAAAAAAAAAA kim\n|1|a|b ssh-rsa AAAAAAAAAAAAAAAAAAAAAAAA\n[General]\nName=a\n",
        b"Package: a\nStatus: install ok installed\n\n2024-01-02 03:04:05 install a:b <none> 1\n"
        b"\nStart-Date: 2024-01-02  03:04:05\nInstall: a:b (1, automatic), c:d (2)\n\n[2024-01-02T03:04:05+0100] [ALPM] installed a (1)\n",
        b"TZif2" + bytes(40) + b"\nCET-1\n",
    ]


def _history() -> list[bytes]:
    return [
        b"#1700000000\nls\n: 1700000000:1;a\\\nb\n- cmd: a\\nb\n  when: 1700000000\n\x83\xe3",
        b'_HiStOrY_V2_\na\\040b\n|2,0,1700000000,,"a"\n> a\n\t*\t1700000000\t0\n.search\n"a\nb `\n',
    ]


_APPLE = (
    "vol1/MobileSync/Backup/1/Info.plist", "vol1/data_ark.plist", "vol1/com.apple.purplebuddy.plist", "vol1/com.apple.iPod.plist",
    "vol1/com.apple.mobile.ldbackup.plist", "vol1/com.apple.airport.preferences.plist", "vol1/.GlobalPreferences.plist",
    "vol1/com.apple.coreservices.appleidauthenticationinfo.1.plist", "vol1/com.apple.loginwindow.plist",
    "vol1/dslocal/nodes/Default/users/a.plist",
)  # fmt: skip


def _apple() -> list[bytes]:
    values = {
        "Unique Identifier": "1", "Last Backup Date": 1, "Installed Applications": ["a"], "-DeviceName": "a", "SetupLastExit": 700_000_000,
        "Devices": {"1": {"Serial Number": "a", "Use Count": 3}}, "RememberedNetworks": [{"SSIDString": "a", "LastConnected": 7e8}],
        "AppleLocale": "en", "Accounts": {"a": {"FirstName": "b"}}, "LoginHook": "a", "name": ["a"],
        "accountPolicyData": [plistlib.dumps({"creationTime": 1.7e9})],
    }  # fmt: skip
    return [plistlib.dumps(values, fmt=plistlib.FMT_BINARY), plistlib.dumps(values)]


TARGETS = [
    Target("apple-devices", _plugin("apple_system", *_APPLE), _apple, ("triage.artifacts.appledevices", "triage.plugins.apple_system")),
    Target(
        "linux-logins",
        _plugin("linux_system", linux.WTMP, "vol1/var/log/btmp", "vol1/var/log/lastlog"),
        lambda: [linux.LOGINS],
        ("triage.artifacts.utmp", "triage.plugins.linux_system"),
    ),
    Target(
        "linux-texts",
        _plugin("linux_system", *_TEXTS),
        _linux,
        ("triage.artifacts.linuxtexts", "triage.artifacts.linuxpackages", "triage.plugins.linux_system"),
    ),
    Target(
        "shell-histories",
        _plugin("linux_system", *(f"{linux.HOME}/{name}" for name in _TYPED)),
        _history,
        ("triage.artifacts.shellhistory", "triage.plugins.linux_system"),
    ),
    Target(
        "setup-log",
        _plugin("setupapi", setup.PATH),
        lambda: [setup.NEW.encode(), setup.OLD.encode()],
        ("triage.artifacts.setuplog", "triage.plugins.setupapi"),
    ),
    Target("abx", _abx, lambda: [android.binary()], ("triage.artifacts.abx",)),
    Target(
        "android-system",
        _plugin("android_system", *_ANDROID),
        _android,
        ("triage.artifacts.androidxml", "triage.artifacts.androidtexts", "triage.plugins.android_system"),
    ),
    Target(
        "android-use",
        _plugin("android_system", *_USE),
        lambda: [android.POOLED, android.NUMBERED, android.MAPPINGS, android.INTERVAL_XML.encode()],
        ("triage.artifacts.usagestats", "triage.plugins.android_system"),
    ),
    Target(
        "app-answers",
        _plugin("app_files", apps.DISCORD, apps.BURNER, *(apps.BEREAL.format(name) for name in _BEREAL)),
        _answers,
        ("triage.artifacts.appjson", "triage.plugins.app_files"),
    ),
    Target(
        "app-settings",
        _plugin("app_files", *(apps.PREFERENCES.format(name) for name in _PACKAGES)),
        _settings,
        ("triage.artifacts.appsettings", "triage.plugins.app_files"),
    ),
]
