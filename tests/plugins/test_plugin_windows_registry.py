"""The registry: every key and value of real hives, what known places say, deleted keys, and damage."""

from __future__ import annotations

import codecs
import struct
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hive_maker import Tree, dword, hive, sz
from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run

from triage.artifacts.hive import Hive

if TYPE_CHECKING:
    from triage.plugin import Item

WHEN = 133_500_000_000_000_000  # 2024-01-17T21:20:00Z
USER = "vol1/Users/kim/NTUSER.DAT"
EXPLORER = ("Software", "Microsoft", "Windows", "CurrentVersion", "Explorer")


def nested(path: tuple[str, ...], tree: Tree) -> Tree:
    for name in reversed(path):
        tree = {name: tree}
    return tree


def user_assist(program: str, runs: int) -> Tree:
    data = struct.pack("<4I", 0, runs, 2, 3000).ljust(60, b"\0") + struct.pack("<QI", WHEN, 0)
    return {"{CEBFF5CD-ACE2-4F4F-9178-9926F41749EA}": {"Count": {f"={codecs.encode(program, 'rot13')}": (3, data)}}}


def user_hive() -> bytes:
    words = {"=0": (3, "lost dog".encode("utf-16-le") + b"\0\0"), "=MRUListEx": (3, struct.pack("<II", 0, 0xFFFFFFFF)), "@": WHEN}
    return hive(nested(EXPLORER, {
        "UserAssist": user_assist("C:\\Tools\\eraser.exe", 7),
        "WordWheelQuery": words,
        "TypedPaths": {"=url1": sz("E:\\private"), "@": WHEN},
    }))  # fmt: skip


def machine_hive() -> bytes:
    return hive({
        "Select": {"=Current": dword(1)},
        "ControlSet001": {
            "Control": {
                "ComputerName": {"ComputerName": {"=ComputerName": sz("KIMS-PC")}},
                "Windows": {"=ShutdownTime": (3, struct.pack("<Q", WHEN))},
            },
            "Enum": {"USBSTOR": {"Disk&Ven_Maker&Prod_Stick&Rev_1.0": {"0123456789AB&0": {"=FriendlyName": sz("Maker Stick USB Device")}}}},
        },
    })  # fmt: skip


def samples() -> list[Item]:
    return [item_of(user_hive(), USER), item_of(machine_hive(), "vol1/Windows/System32/config/SYSTEM")]


def test_what_a_user_ran_searched_and_typed() -> None:
    said = findings(run("windows_registry", item_of(user_hive(), USER)))
    (ran,) = [f for f in said if f.kind == "program-run"]
    assert (ran.data["path"], ran.data["times_used"], ran.data["time"], ran.data["user"]) == (
        "C:\\Tools\\eraser.exe", 7, "2024-01-17T21:20:00Z", "kim",
    )  # fmt: skip
    (word,) = [f for f in said if f.kind == "search-term"]
    assert (word.data["term"], word.data["time"]) == ("lost dog", "2024-01-17T21:20:00Z")
    assert "E:\\private" in [f.data.get("path") for f in said]


def test_which_machine_it_was_and_what_was_plugged_in() -> None:
    said = findings(run("windows_registry", item_of(machine_hive(), "vol1/Windows/System32/config/SYSTEM")))
    text = str([(f.kind, f.data) for f in said])
    assert "KIMS-PC" in text
    (device,) = [f for f in said if f.kind == "device"]
    assert (device.data["serial"], device.data["name"]) == ("0123456789AB", "Maker Stick USB Device")
    assert any(f.kind == "system" and "2024-01-17T21:20:00Z" in str(f.data) for f in said)


def shim_cache(paths: list[str]) -> bytes:
    data = struct.pack("<I", 0x34).ljust(0x34, b"\0")
    for path in paths:
        name = path.encode("utf-16-le")
        entry = struct.pack("<H", len(name)) + name + struct.pack("<QI", WHEN, 0)
        data += b"10ts" + struct.pack("<II", 0, len(entry)) + entry
    return data.ljust(200, b"\0")


def test_programs_that_windows_saw_and_apps_of_the_store_by_their_package() -> None:
    app = "00000009\t000a000047ba0000\t000a00003fab0000\t8664\tMaker.Vault\t8wekyb3d8bbwe\t"
    tree = nested(("Control", "Session Manager", "AppCompatCache"), {"=AppCompatCache": (3, shim_cache(["C:\\Tools\\wipe.exe", app]))})
    data = hive({"Select": {"=Current": dword(1)}, "ControlSet001": tree})
    path, package = findings(run("windows_registry", item_of(data, "vol1/Windows/System32/config/SYSTEM")), "program-seen")
    assert (path.data["path"], path.data["target_modified"]) == ("C:\\Tools\\wipe.exe", "2024-01-17T21:20:00Z")
    assert (package.data["package"], package.title) == ("Maker.Vault", "Windows saw the program Maker.Vault")
    assert "path" not in package.data


def test_a_deleted_key_is_told_with_its_values() -> None:
    tree = nested(("Software", "Secret"), {"=Folder": sz("D:\\hidden folder"), "@": WHEN})
    said = findings(run("windows_registry", item_of(hive(tree, ("Software\\Secret",)), USER)), "registry-deleted")
    assert [f.data["registry_key"] for f in said] == ["Software\\Secret"]
    assert said[0].data["deleted"] is True


def test_a_large_value_is_read_whole() -> None:
    data = bytes(range(256)) * 300
    key = Hive(hive({"a": {"=big": (3, data)}})).root.find("a")
    assert key is not None
    assert [value.data for value in key.values()] == [data]


def test_a_hive_that_was_not_written_to_its_end_says_so() -> None:
    data = bytearray(user_hive())
    data[4] += 1
    assert any("newest changes" in p.message for p in problems(run("windows_registry", item_of(bytes(data), USER))))


def test_a_hive_that_breaks_off_gives_what_there_is() -> None:
    data = user_hive()
    said = run("windows_registry", item_of(data[:-2048], USER))
    assert any("breaks off" in p.message for p in problems(said))
    assert findings(said)


def test_keys_that_hold_each_other_end() -> None:
    data = bytearray(hive({"a": {"b": {}}}))
    inner = Hive(bytes(data))
    a = inner.root.find("a")
    b = inner.root.find("a\\b")
    assert a is not None
    assert b is not None
    at = 4096 + a.subkeys[1] + 4 + 4
    struct.pack_into("<I", data, at, a.offset)  # a lists itself
    looped = Hive(bytes(data))
    assert len(list(looped.walk())) == 2
    assert looped.notes.lines()


def test_damage_never_breaks_it() -> None:
    for data in mutants(user_hive(), 150):
        never_fails("windows_registry", item_of(data, USER)) if data[:4] == b"regf" else None
    for data in mutants(machine_hive(), 150):
        never_fails("windows_registry", item_of(data, USER)) if data[:4] == b"regf" else None


class TestRealSamples:
    pytestmark = needs_samples

    # Counted by regipy 6.5 (MIT), which reads hives by a reader of its own.
    @pytest.mark.parametrize(
        ("name", "keys", "values"), [("test_ntuser.dat", 1807, 4088), ("test_sam", 69, 100), ("test_security", 100, 98)]
    )
    def test_every_key_and_value_is_read(self, name: str, keys: int, values: int) -> None:
        found = Hive((ARTIFACTS / "iped" / name).read_bytes())
        walked = list(found.walk())
        assert (len(walked), sum(len(list(key.values())) for key in walked)) == (keys, values)
        assert found.notes.lines() == ()

    def test_what_a_real_user_did(self) -> None:
        said = findings(run("windows_registry", item_of((ARTIFACTS / "iped" / "test_ntuser.dat").read_bytes(), USER)))
        kinds = Counter(f.kind for f in said)
        assert kinds["program-run"] + kinds["program-seen"] == 29
        assert (kinds["search-term"], kinds["typed-address"], kinds["autostart"]) == (6, 2, 1)
        assert {f.data["url"] for f in said if f.kind == "typed-address"} == {
            "http://199.73.28.114:53/", "http://go.microsoft.com/fwlink/?LinkId=69157",
        }  # fmt: skip
        assert "Undercover-Agents-List-For-United-Kingdom.xls" in {f.data.get("name") for f in said if f.kind == "recent-file"}

    def test_local_accounts(self) -> None:
        said = findings(run("windows_registry", item_of((ARTIFACTS / "iped" / "test_sam").read_bytes(), "vol1/SAM")), "account")
        assert {(f.data["name"], f.data["rid"]) for f in said} >= {("Administrador", 500), ("Convidado", 501)}
        assert len(said) == 6

    def test_damage_to_a_real_one_never_breaks_it(self) -> None:
        for data in mutants((ARTIFACTS / "iped" / "test_sam").read_bytes(), 60):
            if data[:4] == b"regf":
                never_fails("windows_registry", item_of(data, "vol1/SAM"))
