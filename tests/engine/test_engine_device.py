"""What device evidence is of: Android, iOS and Linux, in folders, archives and volumes; what only looks so; what stalls."""

from __future__ import annotations

import json
import plistlib
import sqlite3
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from triage.case.store import Case
from triage.cli import run as triage
from triage.engine import device

if TYPE_CHECKING:
    from pathlib import Path

BUILD = b"""# begin build properties
ro.product.model=Pixel 4
ro.product.manufacturer=Google
ro.build.version.release=11
ro.build.version.security_patch=2021-05-05
ro.build.display.id=RQ2A.210505.003
ro.serialno=9A1B
"""
ARK = {"-DeviceName": "Kim's phone", "-ProductType": "iPhone12,1", "-SerialNumber": "F17", "-TimeZone": "Europe/Berlin"}
VERSION = {"ProductName": "iPhone OS", "ProductVersion": "14.3", "ProductBuildVersion": "18C66"}


def database(path: Path, *statements: str) -> bytes:
    with closing(sqlite3.connect(path)) as made:
        for statement in statements:
            made.execute(statement)
        made.commit()
    return path.read_bytes()


def facts_of(evidence: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    assert triage(["info", str(evidence), "--format", "json"]) == 0
    facts: dict[str, str] = json.loads(capsys.readouterr().out)[0]["facts"]
    return facts


def android(tmp_path: Path) -> dict[str, bytes]:
    accounts = database(
        tmp_path / "a.db",
        "CREATE TABLE accounts (_id, name TEXT, type TEXT)",
        "INSERT INTO accounts VALUES (1, 'kim@mail.example', 'com.google')",
    )
    sims = database(
        tmp_path / "s.db", "CREATE TABLE siminfo (_id, icc_id, number)", "INSERT INTO siminfo VALUES (1, '8949', '+49301'), (2, '8949', '')"
    )
    return {
        "system/build.prop": BUILD,
        "data/system_ce/0/accounts_ce.db": accounts,
        "data/user_de/0/com.android.providers.telephony/databases/telephony.db": sims,
        "data/app/some.game/files/a/copy/of/system/build.prop": b"ro.product.model=Other\n",
        "system/app/x.apk": b"PK",
    }


ANDROID = {
    "manufacturer": "Google", "model": "Pixel 4", "system version": "Android 11", "security patch": "2021-05-05",
    "system build": "RQ2A.210505.003", "serial number": "9A1B", "accounts": "kim@mail.example (com.google)", "phone number": "+49301",
    "ICCID": "8949",
}  # fmt: skip


def test_an_android_phone_by_its_extraction(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = android(tmp_path)
    with zipfile.ZipFile(tmp_path / "phone.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(f"Dump/{name}", data)
    assert facts_of(tmp_path / "phone.zip", capsys) == ANDROID
    folder = tmp_path / "folder"
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    assert facts_of(folder, capsys) == ANDROID


def test_an_iphone_by_its_file_system(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accounts = database(
        tmp_path / "a.sqlite", "CREATE TABLE ZACCOUNT (ZUSERNAME)", "INSERT INTO ZACCOUNT VALUES ('kim@mail.example'), (NULL)"
    )
    with zipfile.ZipFile(tmp_path / "phone.zip", "w") as archive:
        archive.writestr("System/Library/CoreServices/SystemVersion.plist", plistlib.dumps(VERSION))
        archive.writestr("private/var/root/Library/Lockdown/data_ark.plist", plistlib.dumps(ARK, fmt=plistlib.FMT_BINARY))
        archive.writestr("private/var/wireless/Library/Preferences/com.apple.commcenter.plist", plistlib.dumps({"PhoneNumber": "+49302"}))
        archive.writestr("private/var/mobile/Library/Accounts/Accounts3.sqlite", accounts)
    assert facts_of(tmp_path / "phone.zip", capsys) == {
        "device name": "Kim's phone", "model": "iPhone12,1", "serial number": "F17", "time zone": "Europe/Berlin",
        "system version": "iPhone OS 14.3", "system build": "18C66", "phone number": "+49302", "accounts": "kim@mail.example",
    }  # fmt: skip


def test_the_report_has_it_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "phone.zip", "w") as archive:
        archive.writestr("system/build.prop", BUILD.replace(b"Pixel 4", b"<b>Pixel\x1b[31m 4"))
    assert triage(["run", str(tmp_path / "phone.zip"), "--case", str(tmp_path / "case"), "-q"]) == 0
    with Case.open(tmp_path / "case") as case:
        assert case.evidence()[0]["facts"]["model"] == "<b>Pixel\\x1b[31m 4"
    shown = (tmp_path / "case" / "report" / "index.html").read_text()
    assert "9A1B" in shown
    assert "<b>Pixel" not in shown


class _Tsk:
    """A file system that has one file, as Sleuth Kit gives it."""

    def __init__(self, path: str, data: bytes) -> None:
        self.path, self.data = path, data

    def open(self, path: str) -> _Tsk:
        if path != self.path:
            raise OSError("no such file")
        return self

    @property
    def info(self) -> _Tsk:
        return self

    meta = info

    @property
    def size(self) -> int:
        return len(self.data)

    def read_random(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]


@pytest.mark.parametrize("path", ["/build.prop", "/system/build.prop", "/system/system/build.prop"])
def test_partitions_are_the_roots_of_different_folders(path: str) -> None:
    assert device._gathered([device._by_path(_Tsk(path, BUILD), lambda: None)])["model"] == "Pixel 4"


def test_what_getprop_prints() -> None:
    text = b"[ro.product.model]: [Pixel 4]\r\n[ro.build.version.release]: [11]\r\n"
    assert device._getprop(text) == {**dict.fromkeys(device._getprop(b""), ""), "model": "Pixel 4", "system version": "Android 11"}


@pytest.mark.parametrize("source", device.SOURCES, ids=lambda source: source.path)
@pytest.mark.parametrize("data", [b"\xff" * 300, b"bplist00" + b"\xff" * 99, b"SQLite format 3\0" + b"\1" * 900, b"=" * 200, b"[]: []\n"])
def test_damage_never_breaks_it(source: device._Source, data: bytes) -> None:
    assert all(isinstance(value, str) for value in source.read(data).values())


@pytest.mark.parametrize("how", ["hang", "crash", "garbage"])
def test_a_reader_that_is_lost_over_it_keeps_nothing_closed(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.engine.session._DEVICE", 1.0)
    monkeypatch.setenv("TRIAGE_TEST_HOOK", f"device-{how}=phone")
    with zipfile.ZipFile(tmp_path / "phone.zip", "w") as archive:
        archive.writestr("system/build.prop", BUILD)
    assert triage(["run", str(tmp_path / "phone.zip"), "--case", str(tmp_path / "case"), "-q"]) == 0
    with Case.open(tmp_path / "case") as case:
        said = [problem["message"] for problem in case.problems()]
        assert any(row["path"].endswith("build.prop") and row["md5"] for row in case.files())
    assert any(message.startswith("what device it is of is not known: ") for message in said)
