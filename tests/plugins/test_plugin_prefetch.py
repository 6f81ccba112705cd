"""Prefetch: a real packed file of Windows 10, made ones of each version, and damage."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

import pytest
from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run

from triage.artifacts.prefetch import read_prefetch, unpacked
from triage.artifacts.structure import StructureError
from triage.artifacts.xpress import decode

if TYPE_CHECKING:
    from triage.plugin import Item

WHEN = 133_500_000_000_000_000  # 2024-01-17T21:20:00Z
FILES = ["\\VOLUME{1}\\WINDOWS\\NTDLL.DLL", "\\VOLUME{1}\\TOOLS\\ERASER.EXE"]
PLACES = {17: (120, 144, 40), 23: (128, 152, 104), 26: (128, 208, 104), 30: (128, 208, 96), 31: (128, 200, 96)}


def made(version: int, count: int = 5) -> bytes:
    """Return a prefetch file of a version, not packed."""
    at, counted, wide = PLACES[version]
    names = "".join(f"{name}\0" for name in FILES).encode("utf-16-le")
    path = "\\VOLUME{1}".encode("utf-16-le")
    volume = struct.pack("<IIQIIIII", wide, 10, WHEN, 0xCAFE, 0, 0, 0, 0).ljust(wide, b"\0") + path + b"\0\0"
    head = bytearray(304 if version > 23 else 240)
    struct.pack_into("<I4sII", head, 0, version, b"SCCA", 17, len(head) + len(names) + len(volume))
    head[16:36] = "ERASER.EXE".encode("utf-16-le")
    struct.pack_into("<I", head, 76, 0xABCD)
    struct.pack_into("<I", head, 84, 304 if version in (26, 30) else 296)
    struct.pack_into("<4I", head, 100, len(head), len(names), len(head) + len(names), 1)
    struct.pack_into("<Q", head, at, WHEN)
    struct.pack_into("<I", head, counted, count)
    return bytes(head) + names + volume


def packed(data: bytes) -> bytes:
    """Return bytes in Xpress Huffman without repetitions: each has a code of eight bits and stands for itself, in turned pairs."""
    out = b"MAM\x04" + struct.pack("<I", len(data))
    for start in range(0, len(data), 65536):
        piece = data[start : start + 65536]
        table = b"\x88" * 128 + bytes(128)
        piece += bytes(len(piece) % 2)
        out += table + b"".join(piece[at + 1 : at + 2] + piece[at : at + 1] for at in range(0, len(piece), 2)) + bytes(4)
    return out


def samples() -> list[Item]:
    return [item_of(made(30), "vol1/Windows/Prefetch/ERASER.EXE-0000ABCD.pf")]


@pytest.mark.parametrize("version", PLACES)
def test_what_ran_how_often_and_when(version: int) -> None:
    (found,) = findings(run("prefetch", item_of(made(version), "vol1/Windows/Prefetch/ERASER.EXE-0000ABCD.pf")))
    data = found.data
    assert (found.kind, data["name"], data["times_used"], data["time"]) == ("program-run", "ERASER.EXE", 5, "2024-01-17T21:20:00Z")
    assert (data["path"], data["files"], data["path_hash"]) == (FILES[1], FILES, "0000abcd")
    assert data["volumes"] == [{"path": "\\VOLUME{1}", "serial": "0000cafe", "created": "2024-01-17T21:20:00Z"}]


def test_packed_ones_are_unpacked() -> None:
    assert unpacked(packed(made(31))) == made(31)
    assert read_prefetch(packed(made(31))).count == 5


def test_a_repetition_is_bounded_by_the_size_that_is_stated() -> None:
    rng = random.Random(1)
    for _ in range(300):
        data = rng.randbytes(rng.randrange(256, 600))
        try:
            assert len(decode(data, 5000)) <= 5000
        except StructureError:
            continue


def test_one_that_breaks_off_says_so() -> None:
    said = run("prefetch", item_of(made(30)[:-60], "vol1/a.pf"))
    assert findings(said)
    assert ["breaks off" in p.message for p in problems(said)] == [True]


def test_damage_never_breaks_it() -> None:
    for sample in (made(30), packed(made(31))):
        for data in mutants(sample, 150):
            if data[4:8] == b"SCCA" or data[:3] == b"MAM":
                item = item_of(data, "vol1/a.pf")
                if item.type is not None and item.type.name == "prefetch":
                    never_fails("prefetch", item)


class TestRealSamples:
    pytestmark = needs_samples

    def test_a_real_one_of_windows_10(self) -> None:
        (found,) = findings(run("prefetch", item_of((ARTIFACTS / "iped" / "test_prefetch.pf").read_bytes(), "vol1/TEAMS.EXE.pf")))
        assert (found.data["name"], found.data["times_used"], len(found.data["runs"])) == ("TEAMS.EXE", 37, 8)
        assert found.data["path"].endswith("\\TEAMS\\CURRENT\\TEAMS.EXE")

    def test_damage_to_a_real_one_never_breaks_it(self) -> None:
        for data in mutants((ARTIFACTS / "iped" / "test_prefetch.pf").read_bytes(), 60):
            item = item_of(data, "vol1/a.pf")
            if item.type is not None and item.type.name == "prefetch":
                never_fails("prefetch", item)
