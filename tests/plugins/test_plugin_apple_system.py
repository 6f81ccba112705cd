"""Property lists of iOS and macOS about the device: real ones, all they say; made ones of other systems; damage."""

from __future__ import annotations

import plistlib
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run

if TYPE_CHECKING:
    from triage.plugin import Finding, Item

FOLDER = "vol1/private/var/mobile/Library/Preferences"
# What plistlib counts in each: programs, people by service, networks.
REAL = {
    "com.apple.CarPlayApp.plist": {"program-run": 5},
    "com.apple.MobileBackup.plist": {"system": 1, "installed-program": 20},
    "com.apple.commcenter.data.plist": {"system": 1},
    "com.apple.identityservices.idstatuscache.plist": {"contact": 39},
    "com.apple.wifi.known-networks.plist": {"network": 1},
}


def said(name: str, values: Any, fmt: plistlib.PlistFormat = plistlib.FMT_BINARY, folder: str = FOLDER) -> list[Finding]:
    return findings(run("apple_system", item_of(plistlib.dumps(values, fmt=fmt), f"{folder}/{name}")))


class TestRealSamples:
    pytestmark = needs_samples

    @pytest.mark.parametrize(("name", "kinds"), REAL.items(), ids=REAL)
    def test_all_that_a_real_list_says_is_a_finding(self, name: str, kinds: dict[str, int]) -> None:
        data = (ARTIFACTS / "plaso_ios" / name).read_bytes()
        found = run("apple_system", item_of(data, f"{FOLDER}/{name}"))
        assert problems(found) == []
        assert Counter(f.kind for f in findings(found)) == kinds
        whole = plistlib.loads(data)
        if "contact" in kinds:
            people = [p for v in whole.values() if isinstance(v, dict) for p in v if p.startswith(("tel:", "mailto:"))]
            assert len(people) == kinds["contact"]
        if "installed-program" in kinds:
            assert sum(key.startswith("AppDomain-") for key in whole["PreflightSizing"]) == 20

    def test_a_network_has_its_times(self) -> None:
        data = (ARTIFACTS / "plaso_ios/com.apple.wifi.known-networks.plist").read_bytes()
        (one,) = findings(run("apple_system", item_of(data, f"{FOLDER}/com.apple.wifi.known-networks.plist")))
        assert one.data == {
            "time": "2023-04-15T13:53:47.472Z", "name": "Matt_Foley", "added_time": "2023-04-15T13:53:47.476Z",
            "joined_time": "2023-05-20T19:55:03.073Z", "bssid": "6a:22:32:98:f4:df",
            "left_time": "2023-05-20T15:52:55.726Z", "user": "mobile",
        }  # fmt: skip

    def test_people_have_the_service_and_time(self) -> None:
        name = "com.apple.identityservices.idstatuscache.plist"
        found = findings(run("apple_system", item_of((ARTIFACTS / "plaso_ios" / name).read_bytes(), f"{FOLDER}/{name}")))
        one = next(f for f in found if f.data["person"] == "+19198887386" and f.data["service"] == "iMessage")
        assert (one.title, one.data["time"][:19], one.data["known"]) == (
            "+19198887386 was looked up for iMessage",
            "2021-02-19T19:16:47",
            True,
        )


WHEN = datetime(2024, 5, 6, 7, 8, 9)  # noqa: DTZ001 - property lists keep UTC without saying so


def test_version_computer_and_users_of_a_mac() -> None:
    (system,) = said(
        "SystemVersion.plist", {"ProductName": "macOS", "ProductVersion": "14.1", "ProductBuildVersion": "23B74"}, plistlib.FMT_XML
    )
    assert (system.title, system.data["build"]) == ("the system is macOS 14.1", "23B74")
    (computer,) = said(
        "preferences.plist", {"System": {"System": {"ComputerName": "Kim's Mac"}}}, folder="vol1/Library/Preferences/SystemConfiguration"
    )
    assert computer.data == {"computer": "Kim's Mac"}
    folder = "vol1/private/var/db/dslocal/nodes/Default/users"
    (user,) = said("kim.plist", {"name": ["kim"], "realname": ["Kim"], "uid": ["501"], "ShadowHashData": [b"x"]}, folder=folder)
    assert (user.kind, user.data["account"], user.data["uid"]) == ("account", "kim", "501")
    assert "ShadowHashData" not in str(user.data)
    assert said("_www.plist", {"name": ["_www"], "realname": ["web"]}, folder=folder) == []
    (login,) = said("com.apple.loginwindow.plist", {"lastUserName": "kim"})
    assert login.data["account"] == "kim"


def test_telephone_programs_and_devices() -> None:
    (phone,) = said("com.apple.commcenter.plist", {"PhoneNumber": "+49301", "ICCID": "8949"})
    assert (phone.title, phone.data["iccid"]) == ("the telephone's number is +49301", "8949")
    (installed,) = said("InstallHistory.plist", [{"displayName": "Tool", "displayVersion": "2", "date": WHEN, "processName": "installer"}])
    assert (installed.title, installed.data["time"]) == ("Tool 2 was installed", "2024-05-06T07:08:09Z")
    (device,) = said("com.apple.MobileBluetooth.devices.plist", {"aa:bb": {"Name": "Car", "LastSeenTime": 1_700_000_000}, "cc": {}})
    assert (device.data["name"], device.data["time"]) == ("Car", "2023-11-14T22:13:20Z")
    info = {
        "itemName": "Chat",
        "com.apple.iTunesStore.downloadInfo": {"accountInfo": {"AppleID": "kim@mail.example"}, "purchaseDate": "2024-01-02"},
    }
    (bought,) = said("iTunesMetadata.plist", info)
    assert (bought.title, bought.data["account"]) == ("Chat was loaded by kim@mail.example", "kim@mail.example")
    (network,) = said("com.apple.wifi.plist", {"List of known networks": [{"SSID_STR": "Home", "lastJoined": WHEN}]})
    assert (network.data["name"], network.data["time"]) == ("Home", "2024-05-06T07:08:09Z")


@pytest.mark.parametrize(
    "values", [{}, [], {"System": 1}, {"name": [1]}, {"PersonalitySlots": {}}, {"CARRecentAppHistory": []}, {"a": {"b": 3}}]
)
@pytest.mark.parametrize("name", [*REAL, "InstallHistory.plist", "SystemVersion.plist", "iTunesMetadata.plist", "com.apple.wifi.plist"])
def test_what_has_another_form_says_nothing(name: str, values: Any) -> None:
    assert said(name, values) == []


def test_damage_never_breaks_it() -> None:
    data = plistlib.dumps({"PhoneNumber": "+49301", "PersonalitySlots": ["1", "2"]}, fmt=plistlib.FMT_BINARY)
    for mutant in mutants(data, 200):
        never_fails("apple_system", item_of(mutant, f"{FOLDER}/com.apple.commcenter.plist"))
    assert (
        "cannot be read" in problems(run("apple_system", item_of(b"bplist00" + b"\xff" * 60, f"{FOLDER}/com.apple.wifi.plist")))[0].message
    )


def samples() -> list[Item]:
    return [item_of(plistlib.dumps({"PhoneNumber": "+49301"}), f"{FOLDER}/com.apple.commcenter.plist")]
