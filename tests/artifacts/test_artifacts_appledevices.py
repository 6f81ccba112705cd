"""Apple's property lists of devices and backups, by the plugin that reads them: real ones of backups and Macs, made ones of iPhones."""

from __future__ import annotations

import plistlib
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, plaso_sample, problems, run

if TYPE_CHECKING:
    from triage.plugin import Finding

UDID = "1cb128eafa77c5be74283e9a3a2130af36a3c059"
BACKUP = f"vol1/Users/kim/AppData/Roaming/Apple Computer/MobileSync/Backup/{UDID}/Info.plist"
PREFERENCES = "vol1/private/var/mobile/Library/Preferences"
WHEN = datetime(2024, 5, 6, 7, 8, 9)  # noqa: DTZ001 - property lists keep UTC without saying so


def said(values: Any, path: str) -> list[Finding]:
    results = run("apple_system", item_of(values if isinstance(values, bytes) else plistlib.dumps(values), path))
    assert problems(results) == []
    return findings(results)


class TestRealSamples:
    pytestmark = needs_samples

    def test_a_backup_tells_of_its_device_and_programs(self) -> None:
        data = (ARTIFACTS / "mvt/ios_backup/Info.plist").read_bytes()
        device, *programs = said(data, BACKUP)
        assert device.title == "a device was backed up to this computer: iPhone (iPhone9,3, serial number F1234567890)"
        assert (device.data["time"], device.data["imei"], device.data["iccid"]) == ("2021-12-03T19:33:13Z", "42", "63847829383904849")
        assert [one.data["program"] for one in programs] == plistlib.loads(data)["Installed Applications"]
        assert len(said(data, f"vol1/copy/{UDID}/Info.plist")) == len(said(data, "vol1/00008101-001C348E2660001E/Info.plist")) == 7

    def test_languages(self) -> None:
        (one,) = said(
            (ARTIFACTS / "mvt/ios_backup/0d/0dc926a1810f7aee4e8f38793ed788701f93bf9d").read_bytes(),
            f"{PREFERENCES}/.GlobalPreferences.plist",
        )
        assert (one.title, one.data["languages"]) == ("the languages and region: en-FR, fr-FR (en_FR)", ["en-FR", "fr-FR"])

    def test_a_mac(self) -> None:
        home = "vol1/Users/kim/Library/Preferences"
        found = said(plaso_sample("com.apple.iPod.plist"), f"{home}/com.apple.iPod.plist")
        assert [(one.data["serial"], one.data["times"]) for one in found] == [
            ("A009A113Q00", 5), ("ADALTHING012", 18), ("RJUPNASALIR12", 7), ("526F676572", 1),
        ]  # fmt: skip
        assert (found[1].data["time"], found[1].data["imei"]) == ("2014-04-30T17:50:22Z", "005550123044440")
        name = "com.apple.airport.preferences.plist"
        found = said(plaso_sample(name), f"vol1/Library/Preferences/SystemConfiguration/{name}")
        assert [one.data["name"] for one in found] == ["europa", "CampusNet", "Bose SoundLink Air Network", "Boingo Hotspot"]
        assert (found[0].data["time"], found[0].data["bssid"]) == ("2013-07-30T00:29:26Z", "0:1d:d2:b8:6e:40")
        name = "com.apple.coreservices.appleidauthenticationinfo.ABC0ABC1-ABC0-ABC0-ABC0-ABC0ABC1ABC2.plist"
        (one,) = said(plaso_sample(name), f"{home}/{name}")
        assert (one.data["account"], one.data["created_time"]) == ("email@domain.com", "2013-06-24T20:46:42Z")
        (one,) = said(plaso_sample("user.plist"), "vol1/private/var/db/dslocal/nodes/Default/users/user.plist")
        assert one.data["password_time"] == "2013-12-28T04:35:47Z"
        found = said(plaso_sample("loginwindow.plist"), "vol1/Library/Preferences/com.apple.loginwindow.plist")
        assert [one.kind for one in found] == ["autostart"] * 3


def test_what_an_iphone_knows_of_itself() -> None:
    ark = {"-DeviceName": "Kim's", "-TimeZone": "Europe/Berlin", "com.apple.iTunes.backup-LastBackupComputerName": "DESK",
           "com.apple.mobile.backup-LastCloudBackupDate": 736_000_000, "-HostAttached": True}  # fmt: skip
    found = said(ark, "vol1/private/var/root/Library/Lockdown/data_ark.plist")
    assert [one.title for one in found] == [
        "the device is called: Kim's", "the time zone: Europe/Berlin", "the computer that it was last backed up to: DESK",
        "was last backed up to iCloud",
    ]  # fmt: skip
    assert found[3].data["time"] == "2024-04-28T12:26:40Z"
    (one,) = said({"SerialNumber": "F123"}, "vol1/device_values.plist")
    assert one.title == "the serial number: F123"


def test_when_it_was_set_up_and_backed_up() -> None:
    values = {"SetupLastExit": WHEN, "SetupState": "SetupUsingAssistant", "Language": "de-DE"}
    (one,) = said(values, f"{PREFERENCES}/com.apple.purplebuddy.plist")
    assert (one.title, one.data["time"], one.data["language"]) == ("was set up as a new device", "2024-05-06T07:08:09Z", "de-DE")
    (one,) = said(
        {"LastCloudBackupDate": 736_000_000, "LastCloudBackupTZ": "GMT+3", "WillEncrypt": 1},
        f"{PREFERENCES}/com.apple.mobile.ldbackup.plist",
    )
    assert (one.title, one.data["time_zone"], one.data["encrypted"]) == ("was last backed up to iCloud", "GMT+3", True)


def test_when_an_account_was_made() -> None:
    policy = plistlib.dumps({"creationTime": 1_700_000_000.5, "passwordLastSetTime": 1_700_000_100})
    (one,) = said({"name": ["kim"], "accountPolicyData": [policy]}, "vol1/var/db/dslocal/nodes/Default/users/kim.plist")
    assert (one.data["created_time"], one.data["password_time"]) == ("2023-11-14T22:13:20.500Z", "2023-11-14T22:15:00Z")


@pytest.mark.parametrize("name", ["data_ark", "com.apple.purplebuddy", "com.apple.mobile.ldbackup", "com.apple.iPod", ".GlobalPreferences",
                                  "com.apple.airport.preferences", "com.apple.coreservices.appleidauthenticationinfo.1"])  # fmt: skip
@pytest.mark.parametrize(
    "values", [{}, [], {"Devices": [1]}, {"Devices": {"a": 1}}, {"Accounts": 5}, {"RememberedNetworks": [3]}, {"SetupLastExit": "x"}]
)
def test_what_has_another_form_says_nothing(name: str, values: Any) -> None:
    assert said(values, f"{PREFERENCES}/{name}.plist") == []


def test_an_info_plist_of_a_program_says_nothing() -> None:
    assert said({"CFBundleIdentifier": "com.example"}, f"vol1/{UDID}/Info.plist") == []


def test_damage_never_breaks_it() -> None:
    values = {"Unique Identifier": "A", "Device Name": "B", "Last Backup Date": WHEN, "Installed Applications": ["c", "d"]}
    for mutant in mutants(plistlib.dumps(values, fmt=plistlib.FMT_BINARY), 150):
        never_fails("apple_system", item_of(mutant, BACKUP))
