"""Files of Android's system: a real history of use; made files of each kind in text and binary form; damage."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from android_maker import Abx, Again, Hex, message
from real_samples import findings, item_of, mutants, never_fails, plaso_sample, problems, run

if TYPE_CHECKING:
    from triage.plugin import Finding, Item

SYSTEM = "vol1/data/system"


def said(data: bytes | str, path: str) -> list[Finding]:
    results = run("android_system", item_of(data.encode() if isinstance(data, str) else data, path))
    assert problems(results) == []
    return findings(results)


class TestRealSamples:
    def test_a_history_of_use(self) -> None:
        data = plaso_sample("usage-history.xml")
        found = said(data, f"{SYSTEM}/usagestats/usage-history.xml")
        assert len(found) == data.count(b"<comp ") == 28
        assert found[0].data == {
            "time": "2013-09-27T19:46:14.491Z", "program": "com.google.android.setupwizard",
            "activity": "com.google.android.setupwizard.NoAccountTosActivity",
        }  # fmt: skip


CERTIFICATE = bytes(range(40))
TEXT = f"""<?xml version='1.0' encoding='utf-8' standalone='yes' ?>
<packages>
<version sdkVersion="29" databaseVersion="3" fingerprint="maker/phone/10" />
<package name="com.example.app" codePath="/data/app/com.example.app-1" ft="18b0a1b2c00" it="18b0a1b2c3d" ut="18b0a1b9999" version="7"
 userId="10123" installer="com.android.vending"><sigs count="1"><cert index="0" key="{CERTIFICATE.hex()}" /></sigs></package>
<package name="android" codePath="/system/framework" ft="1" it="1" ut="1"><sigs count="1"><cert index="0" /></sigs></package>
<package codePath="/data/app/nameless" /><shared-user name="android.uid.system" userId="1000" />
</packages>"""


def binary() -> bytes:
    cert = ("sigs", {"count": 1}, ("cert", {"index": 0, "key": CERTIFICATE}))
    app = {
        "name": "com.example.app", "codePath": "/data/app/com.example.app-1", "ft": Hex(0x18B0A1B2C00), "it": Hex(0x18B0A1B2C3D),
        "ut": Hex(0x18B0A1B9999), "version": 7, "userId": 10123, "installer": Again("com.android.vending"),
    }  # fmt: skip
    system = {"name": "android", "codePath": "/system/framework", "ft": Hex(1), "it": Hex(1), "ut": Hex(1)}
    abx = Abx().element(
        "packages",
        {},
        ("version", {"sdkVersion": 29, "databaseVersion": 3, "fingerprint": "maker/phone/10"}),
        ("package", app, cert),
        ("package", system, ("sigs", {"count": 1}, ("cert", {"index": 0}))),
    )
    return abx.done()


@pytest.mark.parametrize("data", [TEXT.encode(), binary()], ids=["text", "binary"])
def test_programs_of_either_form(data: bytes) -> None:
    build, app, system = said(data, f"{SYSTEM}/packages.xml")
    assert build.title == "the system's build: maker/phone/10"
    assert app.title == "installed: com.example.app"
    assert app.data == {
        "time": "2023-10-07T12:27:14.816Z", "name": "com.example.app", "path": "/data/app/com.example.app-1", "version": "7",
        "installed_time": "2023-10-07T12:27:14.877Z", "updated_time": "2023-10-07T12:27:42.873Z", "installed_by": "com.android.vending",
        "user_id": "10123", "certificate_sha256": sha256(CERTIFICATE).hexdigest(),
    }  # fmt: skip
    assert (system.data["system"], system.data["certificate_sha256"]) == (True, app.data["certificate_sha256"])
    assert "time" not in system.data  # a clock that was never set


def test_users_and_what_they_have_of_programs() -> None:
    data = '<user id="10" created="1700000000000" lastLoggedIn="1700000100000" flags="1"><name>Kim</name></user>'
    (user,) = said(data, f"{SYSTEM}/users/10.xml")
    assert (user.title, user.data["time"], user.data["last_login_time"]) == (
        "a user of the device: Kim", "2023-11-14T22:13:20Z", "2023-11-14T22:15:00Z",
    )  # fmt: skip
    first = Hex(1_700_000_000_000)
    gone, stopped, there = {"name": "a.b", "inst": False}, {"name": "c.d", "stopped": True}, {"name": "e.f", "first-install-time": first}
    data = Abx().element("package-restrictions", {}, ("pkg", gone), ("pkg", stopped), ("pkg", there))
    found = said(data.done(), f"{SYSTEM}/users/0/package-restrictions.xml")
    assert [f.title for f in found] == ["taken away for this user: a.b", "installed for this user: e.f"]


def test_settings_and_accounts() -> None:
    data = """<settings version="170"><setting id="1" name="android_id" value="63" package="android" />
    <setting id="2" name="adb_enabled" value="1" /><setting id="3" name="device_name" valueBase64="S2lt" /><setting name="x" value="y" />
    <setting name="http_proxy" value="null" /></settings>"""
    assert [f.title for f in said(data, f"{SYSTEM}/users/0/settings_secure.xml")] == [
        "the device's number for programs (android_id): 63",
        "USB debugging: on",
        "the device is called: Kim",
    ]
    data = """<accounts version="3"><authority id="0" account="kim@mail.example" type="com.example" authority="mail" />
    <authority id="1" account="kim@mail.example" type="com.example" authority="calendar" /><listenForTickles /></accounts>"""
    assert [f.data for f in said(data, f"{SYSTEM}/sync/accounts.xml")] == [{"account": "kim@mail.example", "type": "com.example"}]


def test_networks_without_their_keys() -> None:
    data = """<WifiConfigStoreData><NetworkList><Network><WifiConfiguration>
    <string name="ConfigKey">&quot;Home&quot;WPA_PSK</string><string name="SSID">&quot;Home&quot;</string>
    <string name="PreSharedKey">&quot;secret99&quot;</string><boolean name="HiddenSSID" value="true" />
    <string name="CreationTime">time=06-29 12:34:56.789</string><string name="DefaultGwMacAddress">aa:bb:cc:00:11:22</string>
    </WifiConfiguration></Network><Network><WifiConfiguration><string name="SSID">4361666520c3a9</string></WifiConfiguration></Network>
    </NetworkList><SoftAp><string name="WifiSsid">&quot;Kim's&quot;</string><string name="Passphrase">secret99</string></SoftAp>
    </WifiConfigStoreData>"""
    home, other, own = said(data, "vol1/data/misc/apexdata/com.android.wifi/WifiConfigStore.xml")
    assert home.data == {
        "name": "Home", "protection": "WPA_PSK", "created": "time=06-29 12:34:56.789", "router": "aa:bb:cc:00:11:22", "hidden": True,
    }  # fmt: skip
    assert (other.data["name"], own.title) == ("Cafe é", "its own hotspot is called Kim's")
    data = 'ctrl_interface=x\nnetwork={\n\tssid="Home"\n\tpsk="secret99"\n\tkey_mgmt=WPA-PSK\n}\nnetwork={\n ssid=4361\n}\n'
    found = said(data, "vol1/data/misc/wifi/wpa_supplicant.conf")
    assert [f.data for f in found] == [{"name": "Home", "protection": "WPA-PSK"}, {"name": "Ca"}]
    assert "secret99" not in str([home, other, own, *found])


def test_tasks_and_what_programs_used() -> None:
    task = {"task_id": 42, "real_activity": "com.example/.Main", "last_time_moved": "1700000000000"}
    data = Abx().element("task", task, ("intent", {"action": "VIEW", "data": "https://a.example/x"})).done()
    (one,) = said(data, "vol1/data/system_ce/0/recent_tasks/42_task.xml")
    assert one.data == {
        "time": "2023-11-14T22:13:20Z", "program": "com.example", "activity": "com.example/.Main", "action": "VIEW",
        "url": "https://a.example/x", "screen_picture": "snapshots/42.jpg", "user": "0",
    }  # fmt: skip
    data = """<app-ops v="1"><pkg n="com.example"><uid n="10001"><op n="26"><a><st n="1" t="1700000000000" />
    <st n="2" t="1700000005000" /></a></op><op n="27" r="1700000000000" /><op n="63" t="1700000000000" /></uid></pkg></app-ops>"""
    used, refused = said(data, f"{SYSTEM}/appops.xml")
    assert (used.title, used.data["time"]) == ("com.example last used the camera", "2023-11-14T22:13:25Z")
    assert refused.title == "com.example was last refused the microphone"


def test_what_device_it_is() -> None:
    data = (
        "# begin\nro.product.system.model=mainline\nro.product.model=Pixel 3\nro.product.manufacturer=Google\n"
        "ro.build.version.release=12\nro.build.date.utc=1700000000\nro.build.fingerprint=google/x:12\n"
    )
    (one,) = said(data.replace("ro.product.system.model=mainline\n", ""), "vol1/system/build.prop")
    assert (one.title, one.data["built_time"], one.data["build"]) == (
        "the device is Google Pixel 3, Android 12", "2023-11-14T22:13:20Z", "google/x:12",
    )  # fmt: skip
    data = message((1, message((1, "persist.sys.timezone"), (2, "Europe/Berlin"))), (1, message((1, "persist.other"), (2, "x"))))
    assert [f.title for f in said(data, "vol1/data/property/persistent_properties")] == ["the time zone: Europe/Berlin"]
    assert [f.title for f in said("Europe/Berlin", "vol1/data/property/persist.sys.timezone")] == ["the time zone: Europe/Berlin"]
    assert said(b"\x12\x34", f"{SYSTEM}/gesture.key")[0].title == "a screen lock was set: a pattern"


def test_paired_devices_and_computers() -> None:
    data = (
        "[Info]\nFileSource = Empty\n[Adapter]\nAddress = 01:02:03:ab:cd:ef\nName = Phone\n[01:02:03:ab:cd:ea]\nName = Car\n"
        "Timestamp = 1700000000\nLinkKey = 00ff00ff\n[01:02:03:ab:cd:eb]\nDevType = 2\n"
    )
    own, car, met = said(data, "vol1/data/misc/bluedroid/bt_config.conf")
    assert (own.data["address"], car.title, car.data["time"]) == (
        "01:02:03:ab:cd:ef", "a Bluetooth device was paired: Car", "2023-11-14T22:13:20Z",
    )  # fmt: skip
    assert met.title == "a Bluetooth device was met: 01:02:03:ab:cd:eb"
    assert "00ff00ff" not in str(car)
    data = f"{'QUFB' * 120} kim@desk\n"
    assert [f.title for f in said(data, "vol1/data/misc/adb/adb_keys")] == ["a computer was allowed to debug it: kim@desk"]


BEGIN = 1_700_000_000_000
POOLED = message(
    (1, 5000),
    (2, message((1, 2), (2, "com.example"), (2, "com.other"))),
    (20, message((2, 1), (3, 60_000), (4, 5000), (6, 3))),
    (20, message((2, 2), (3, -90_000_000_000))),
    (22, message((2, 1), (5, 1000), (7, 27))),
)
NUMBERED = message((1, 5000), (2, 1), (20, message((1, 1), (3, 60_000), (4, 5000))), (20, message((1, 9), (4, 5000))),
                   (22, message((1, 1), (3, 1000), (5, 26))))  # fmt: skip
MAPPINGS = message((1, 3), (2, message((1, 1), (2, "com.example"), (2, "Main"))))
INTERVAL_XML = f"""<?xml version='1.0' encoding='utf-8' standalone='yes' ?><usagestats version="1" endTime="5000"><packages>
<package lastTimeActive="60000" package="com.example" timeActive="5000" lastEvent="2" />
<package lastTimeActive="-{BEGIN}" package="com.other" timeActive="0" /></packages>
<event-log><event time="1000" package="android" type="27" /></event-log></usagestats>"""


@pytest.mark.parametrize("data", [POOLED, INTERVAL_XML.encode()], ids=["messages", "xml"])
def test_use_by_intervals(data: bytes) -> None:
    used, started = said(data, f"{SYSTEM}/usagestats/0/daily/{BEGIN}")
    assert used.title == "com.example was used (daily statistics)"
    assert (used.data["time"], used.data["from_time"], used.data["seconds"]) == ("2023-11-14T22:14:20Z", "2023-11-14T22:13:20Z", 5)
    assert (started.kind, started.title, started.data["time"]) == ("device-state", "the device was started", "2023-11-14T22:13:21Z")


def test_use_by_numbers_is_said_with_the_names() -> None:
    path = "vol1/data/system_ce/0/usagestats"
    assert said(NUMBERED, f"{path}/daily/{BEGIN}") == []
    item = item_of(MAPPINGS, f"{path}/mappings", {f"daily/{BEGIN}": NUMBERED, "daily/other": NUMBERED, f"weekly/{BEGIN}": POOLED})
    used, nameless, off = findings(run("android_system", item))
    assert (used.title, used.data["time"]) == ("com.example was used (daily statistics)", "2023-11-14T22:14:20Z")
    assert nameless.title == "program 9 was used (daily statistics)"
    assert "time" not in nameless.data
    assert off.title == "the device was shut down"
    broken = item_of(MAPPINGS, f"{path}/mappings", {f"daily/{BEGIN}": NUMBERED[:-3]})
    assert "not read whole" in problems(run("android_system", broken))[0].message
    (one,) = said(message((24, message((1, "com.example"), (2, BEGIN)))), f"{SYSTEM}/usagestats/globalcomponentusage")
    assert (one.title, one.data["time"]) == ("com.example was last used", "2023-11-14T22:13:20Z")


QUIET = [
    ("<packages/>", f"{SYSTEM}/packages.xml"), ("<a/>", f"{SYSTEM}/users/0.xml"), ("<a/>", "vol1/data/system_ce/0/recent_tasks/1_task.xml"),
    ("x=y\n", "vol1/system/build.prop"), ("", f"{SYSTEM}/usagestats/0/daily/version"), ("1", f"{SYSTEM}/usagestats/0/daily/version"),
    ("[x]\n", "vol1/data/misc/bluedroid/bt_config.conf"), ("network={\n", "vol1/data/misc/wifi/wpa_supplicant.conf"),
    ("no key\n", "vol1/data/misc/adb/adb_keys"), ("x", "vol1/data/property/persist.other"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "path"), [q for q in QUIET if q[0]], ids=lambda value: value[-30:])
def test_files_that_say_nothing(data: str, path: str) -> None:
    assert run("android_system", item_of(data.encode(), path)) == []


def test_what_is_broken_says_so() -> None:
    for data, path in (
        (b"\0\1\2", f"{SYSTEM}/packages.xml"),
        (binary()[:-40], f"{SYSTEM}/packages.xml"),
        (b"\x0a\x7fab", "vol1/data/property/persistent_properties"),
        (b"\x0a\x7fab", f"{SYSTEM}/usagestats/0/daily/{BEGIN}"),
    ):
        assert "not read whole" in problems(run("android_system", item_of(data, path)))[0].message


DAMAGED = [
    (TEXT.encode(), f"{SYSTEM}/packages.xml"), (binary(), f"{SYSTEM}/packages.xml"), (POOLED, f"{SYSTEM}/usagestats/0/daily/{BEGIN}"),
    (INTERVAL_XML.encode(), f"{SYSTEM}/usagestats/0/weekly/{BEGIN}"), (b"[Adapter]\nAddress = 1\nTimestamp = 5\n", "vol1/bt_config.conf"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "path"), DAMAGED, ids=["text", "binary", "messages", "xml", "sections"])
def test_damage_never_breaks_it(data: bytes, path: str) -> None:
    for mutant in mutants(data, 100):
        never_fails("android_system", item_of(mutant, path))
        never_fails("android_system", item_of(mutant, "vol1/data/system_ce/0/usagestats/mappings", {f"daily/{BEGIN}": mutant}))


def samples() -> list[Item]:
    return [item_of(binary(), f"{SYSTEM}/packages.xml"), item_of(POOLED, f"{SYSTEM}/usagestats/0/daily/{BEGIN}")]
