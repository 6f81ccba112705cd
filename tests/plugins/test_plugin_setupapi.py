"""Logs of the installation of devices: real ones of Windows 10 with a USB stick; made ones of Windows 10 and XP; damage."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from real_samples import findings, item_of, mutants, never_fails, plaso_sample, run

if TYPE_CHECKING:
    from triage.plugin import Finding, Item

PATH = "vol1/Windows/INF/setupapi.dev.log"


def said(data: str | bytes, path: str = PATH) -> list[Finding]:
    return findings(run("setupapi", item_of(data.encode() if isinstance(data, str) else data, path)))


class TestRealSamples:
    def test_a_stick_is_told_with_its_serial_number(self) -> None:
        (one,) = said(plaso_sample("setupapi.dev.log"))
        assert one.title == "a portable device or volume (Generic Flash Disk) was connected for the first time that this log knows"
        assert one.data == {
            "time": "2016-11-22T23:50:30.938", "time_basis": "local", "name": "Generic Flash Disk",
            "device": "Disk&Ven_Generic&Prod_Flash_Disk&Rev_8.07", "serial": "99E2116A",
            "instance": "SWD\\WPDBUSENUM\\_??_USBSTOR#Disk&Ven_Generic&Prod_Flash_Disk&Rev_8.07#99E2116A&0#"
                        "{53f56307-b6bf-11d0-94f2-00a0c91efb8b}",
        }  # fmt: skip

    def test_what_was_there_at_first(self) -> None:
        found = said(plaso_sample("setupapi.setup.log"), "vol1/Windows/INF/setupapi.setup.log")
        assert [f.title for f in found] == [
            "a disk (VBOX CD-ROM) was there when Windows was set up",
            "a USB device was there when Windows was set up",
            "a disk (VBOX HARDDISK) was there when Windows was set up",
        ]
        assert {f.data["time"] for f in found} == {"2015-11-22T17:53:29.305"}


STICK = "USBSTOR\\Disk&Ven_SanDisk&Prod_Cruzer_Mini&Rev_0.2\\20041100531DADC77F5B&0"


def section(what: str, when: str, status: str = "SUCCESS") -> str:
    return (
        f">>>  [{what}]\n>>>  Section start {when}.123\n     dvi: HardwareID - USBSTOR\\x\n"
        f"<<<  Section end {when}.999\n<<<  [Exit status: {status}]\n\n"
    )


NEW = "[Device Install Log]\n     OS Version = 10.0.19041\n[BeginLog]\n[Boot Session: 2024/05/01 08:00:00.500]\n\n" + "".join(
    (
        section(f"Device Install (Hardware initiated) - {STICK}", "2024/05/02 09:10:11"),
        section(f"Device Install (Hardware initiated) - {STICK.lower()}", "2024/06/02 09:10:11"),
        section(f"Delete Device - {STICK.upper()}", "2024/07/02 09:10:11"),
        section(
            "Device Install (Hardware initiated) - USB\\VID_0781&PID_5151\\6&1e3a8971&0&1", "2024/05/02 09:10:10", "FAILURE(0xe0000203)"
        ),
        section("Device Install (Hardware initiated) - PCI\\VEN_8086\\3&267a", "2024/05/02 09:10:10"),
        section("Device Install (DiInstallDriver) - C:\\USBSTOR\\x.inf", "2024/05/02 09:10:10"),
    )
)
OLD = f"""[SetupAPI Log]
OS Version = 5.1.2600 Service Pack 2
[2003/05/22 16:35:47 336.12 Driver Install]
#-019 Searching for hardware ID(s): usbstor\\disksandisk
#I123 Doing full install of "{STICK}".
#I121 Device install of "{STICK}" finished successfully.
[2003/05/23 16:35:47 336.12 Driver Install]
#I123 Doing full install of "PCI\\VEN_1".
"""


def test_first_last_and_forgotten() -> None:
    stick, other = said(NEW)
    assert stick.title == "a USB storage device (SanDisk Cruzer Mini) was connected for the first time that this log knows"
    assert stick.data == {
        "time": "2024-05-02T09:10:11.123", "time_basis": "local", "name": "SanDisk Cruzer Mini",
        "device": "Disk&Ven_SanDisk&Prod_Cruzer_Mini&Rev_0.2", "serial": "20041100531DADC77F5B", "instance": STICK,
        "last_connected": "2024-06-02T09:10:11.123", "set_up": 2, "forgotten": ["2024-07-02T09:10:11.123"],
    }  # fmt: skip
    assert (other.data["device"], other.data["failed"]) == ("VID_0781&PID_5151", "FAILURE(0xe0000203)")
    assert "serial" not in other.data  # made up by Windows
    (gone,) = said(section(f"Device Uninstall - {STICK}", "2024/07/02 09:10:11"))
    assert gone.title == "a USB storage device (SanDisk Cruzer Mini) was taken off the list of devices"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_windows_xp(encoding: str) -> None:
    (one,) = said(OLD.replace("\n", "\r\n").encode(encoding), "vol1/WINDOWS/setupapi.log")
    assert (one.data["time"], one.data["serial"]) == ("2003-05-22T16:35:47", "20041100531DADC77F5B")


def test_a_log_that_breaks_off_in_a_section_gives_it() -> None:
    (one,) = said(NEW[: NEW.index("     dvi")])
    assert one.data["time"] == "2024-05-02T09:10:11.123"


@pytest.mark.parametrize(
    "data", ["[Device Install Log]\n", "text\n", section("Device Install (Hardware initiated) - PCI\\A\\1", "2024/05/02 09:10:11")]
)
def test_other_logs_say_nothing(data: str) -> None:
    assert run("setupapi", item_of(data.encode(), PATH)) == []


def test_damage_never_breaks_it() -> None:
    for data in (NEW.encode(), OLD.encode()):
        for mutant in mutants(data, 150):
            never_fails("setupapi", item_of(mutant, PATH))


@pytest.mark.parametrize("line", [b">>>  [" + b"a - " * 250, b"[" * 500, b"#I123 " + b"x" * 99 + b"\n", b">>>  [Device Install - A\\b]\n"])
def test_long_logs_take_time_that_grows_with_them_alone(line: bytes) -> None:
    began = time.process_time()
    run("setupapi", item_of(line * (1_000_000 // len(line)), PATH))
    assert time.process_time() - began < 2


def samples() -> list[Item]:
    return [item_of(NEW.encode(), PATH)]
