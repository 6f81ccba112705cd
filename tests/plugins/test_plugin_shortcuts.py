"""Shortcuts and jump lists: real shortcuts, made ones of every part, and damage."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run

sys.path.append(str(Path(__file__).resolve().parents[1] / "carving"))
from document_samples import ole

from triage.artifacts.shortcut import HEADER

TIME = 133_500_000_000_000_000


def shortcut(path: str = "E:\\Films\\a.mp4", *, label: str = "STICK", kind: int = 2) -> bytes:
    """Return a shortcut to a file on a medium, with working folder, arguments and the machine's block."""
    data = HEADER + struct.pack("<IIQQQIIIHHII", 0x1 | 0x2 | 0x10 | 0x20 | 0x80, 0x20, TIME, TIME, TIME, 4711, 0, 1, 0, 0, 0, 0)
    data += struct.pack("<H", 2) + b"\0\0"
    volume = struct.pack("<4I", 16 + len(label) + 1, kind, 0xCAFE1234, 16) + label.encode() + b"\0"
    base = path.encode("cp1252") + b"\0"
    suffix = 28 + len(volume) + len(base)
    info = struct.pack("<7I", suffix + 1, 28, 1, 28, 28 + len(volume), 0, suffix) + volume + base + b"\0"
    data += info
    for text in ("E:\\Films", "-full"):
        data += struct.pack("<H", len(text)) + text.encode("utf-16-le")
    droid = bytes(16) + bytes.fromhex("001122334455e011a1b2") + bytes.fromhex("a0b0c0d0e0f0")
    tracker = struct.pack("<4I", 96, 0xA0000003, 88, 0) + b"desk-1".ljust(16, b"\0") + droid + droid
    return data + tracker + bytes(4)


def jump_list(paths: list[str], gone: frozenset[int] = frozenset(), version: int = 3) -> bytes:
    entries = b""
    for number, path in enumerate(paths, 1):
        raw = bytes(72) + b"desk-1".ljust(16, b"\0") + struct.pack("<IIfQi", number, 0, 1.0, TIME, -1)
        raw += struct.pack("<iIQ", -1, 5, 0) if version > 1 else b""
        entries += raw + struct.pack("<H", len(path)) + path.encode("utf-16-le") + (bytes(4) if version > 1 else b"")
    head = struct.pack("<4I", version, len(paths), 0, 0) + bytes(16)
    return ole({"DestList": head + entries} | {f"{n:x}": shortcut(p) for n, p in enumerate(paths, 1) if n not in gone})


def test_a_shortcut_says_where_it_leads_and_on_which_medium() -> None:
    (found,) = findings(run("shortcuts", item_of(shortcut(), "vol1/Users/kim/AppData/Roaming/Microsoft/Windows/Recent/a.lnk")))
    assert found.title == "a shortcut to: E:\\Films\\a.mp4 on a removable medium"
    data = found.data
    assert (data["path"], data["volume_serial"], data["volume_label"], data["size"]) == ("E:\\Films\\a.mp4", "cafe1234", "STICK", 4711)
    assert (data["machine"], data["mac"], data["user"]) == ("desk-1", "a0:b0:c0:d0:e0:f0", "kim")
    assert (data["arguments"], data["working_folder"], data["target_created"]) == ("-full", "E:\\Films", "2024-01-17T21:20:00Z")


def test_a_jump_list_says_when_each_file_was_last_used() -> None:
    name = "1b4dd67f29cb1962.automaticDestinations-ms"
    said = run("shortcuts", item_of(jump_list(["C:\\a.jpg", "C:\\b.jpg"], frozenset({2})), f"vol1/{name}"))
    assert [(f.kind, f.data["path"], f.data["time"][:19], f.data["times_used"], f.data["program_id"]) for f in findings(said)] == [
        ("recent-file", "C:\\a.jpg", "2024-01-17T21:20:00", 5, "1b4dd67f29cb1962"),
        ("recent-file", "C:\\b.jpg", "2024-01-17T21:20:00", 5, "1b4dd67f29cb1962"),
    ]


def test_a_jump_list_of_windows_7_is_read() -> None:
    said = run("shortcuts", item_of(jump_list(["C:\\a.jpg"], version=1), "vol1/1.automaticDestinations-ms"))
    assert [f.data["path"] for f in findings(said)] == ["C:\\a.jpg"]


def test_a_shortcut_that_breaks_off_is_said() -> None:
    said = run("shortcuts", item_of(shortcut()[:-120], "vol1/a.lnk"))
    assert (len(findings(said)), len(problems(said))) == (1, 1)


def test_damage_never_breaks_it() -> None:
    for data in mutants(shortcut(), 300):
        one = item_of(data, "vol1/a.lnk")
        if one.type is not None and one.type.name in ("lnk", "jumplist"):
            never_fails("shortcuts", one)
    for data in mutants(jump_list(["C:\\a.jpg", "C:\\b.jpg"]), 200):
        one = item_of(data, "vol1/1.automaticDestinations-ms")
        if one.type is not None and one.type.name in ("lnk", "jumplist"):
            never_fails("shortcuts", one)


class TestRealSamples:
    pytestmark = needs_samples

    def test_real_shortcuts_are_read(self) -> None:
        (one,) = findings(run("shortcuts", item_of((ARTIFACTS / "iped" / "test_lnk.lnk").read_bytes(), "vol1/a.lnk")))
        assert one.data["path"] == "C:\\Users\\guilh\\AppData\\Roaming\\Telegram Desktop\\Telegram.exe"
        assert (one.data["size"], one.data["machine"], one.data["drive"]) == (68653160, "desktop-n59q4j5", "fixed")
        (other,) = findings(run("shortcuts", item_of((ARTIFACTS / "iped" / "test_lnkLinkTracker.lnk").read_bytes(), "vol1/b.lnk")))
        assert (other.data["path"], other.data["machine"]) == ("C:\\Program Files (x86)\\PokerStars\\PokerStarsUpdate.exe", "g_3lb")
