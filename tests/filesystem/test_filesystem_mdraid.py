"""Members of Linux's software RAID: a mirror's files are listed; what needs the other members is said; damage."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from md_maker import IDENTIFIER, member

from triage.case.store import Case
from triage.cli import run as triage
from triage.evidence.mdraid import MdError, describe_member, open_member, read_member

sys.path += [str(Path(__file__).resolve().parents[1] / folder) for folder in ("engine", "evidence")]
from evidence_bytes import Bytes
from fat_image import make_fat

NOTE = b"hello from the array\n"
FILES = make_fat({"NOTE.TXT": NOTE}, frozenset())
PAYLOAD = FILES + bytes(-len(FILES) % 512)


def examined(data: bytes, folder: Path) -> tuple[dict[str, dict[str, object]], list[str], int]:
    path = folder / "a.raw"
    path.write_bytes(data)
    code = triage(["run", str(path), "--case", str(folder / "case"), "-q"])
    with Case.open(folder / "case") as case:
        return {row["path"]: row for row in case.files()}, [p["message"] for p in case.problems()], code


@pytest.mark.parametrize("at", [0, 8], ids=["1.1", "1.2"])
def test_a_mirror_is_read_by_one_of_its_members(at: int, tmp_path: Path) -> None:
    rows, problems, code = examined(member(PAYLOAD, at=at), tmp_path)
    assert rows["vol1.1/NOTE.TXT"]["size"] == len(NOTE)
    assert (problems, code) == ([], 0)


@pytest.mark.parametrize(
    ("level", "words"), [(5, "RAID 5"), (0, "RAID 0"), (10, "RAID 10"), (0xFFFFFFFF, "linear"), (77, "RAID of level 77")]
)
def test_what_needs_the_others_is_said(level: int, words: str, tmp_path: Path) -> None:
    _, problems, code = examined(member(PAYLOAD, level, 3, 2), tmp_path)
    assert any(f"device 3 of 3 of the software RAID 'nas:0' ({words}, 00010203-0405" in p for p in problems)
    assert code == 3


def test_an_array_of_one_device_and_a_spare() -> None:
    alone = read_member(Bytes(member(PAYLOAD, 0, 1, 0)))
    medium = open_member(Bytes(member(PAYLOAD, 0, 1, 0)), alone)
    assert medium is not None
    assert medium.read_at(0, 512) == PAYLOAD[:512]
    spare = read_member(Bytes(member(PAYLOAD, 1, 2, 5)))
    assert open_member(Bytes(member(PAYLOAD, 1, 2, 5)), spare) is None
    assert describe_member(spare).startswith("a spare of 2 of the software RAID")


@pytest.mark.skipif(shutil.which("mdadm") is None, reason="mdadm is not installed")
def test_mdadm_reads_the_made_ones_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(member(PAYLOAD, 5, 3, 2))
    said = subprocess.run(["mdadm", "--examine", str(path)], capture_output=True, text=True, check=True).stdout
    for words in ("Version : 1.2", "raid5", "- correct", "Raid Devices : 3", "Active device 2", "nas:0"):
        assert words in said
    assert IDENTIFIER.hex()[:8] in said


def test_damage_is_told_and_never_breaks_it() -> None:
    data = bytearray(member(PAYLOAD))
    data[4096 + 130] ^= 1
    with pytest.raises(MdError, match="a wrong checksum"):
        read_member(Bytes(bytes(data)))
    rng, opened = random.Random(1), 0
    for _ in range(400):
        mutant = bytearray(member(PAYLOAD[:5120]))
        for _ in range(rng.choice((1, 3))):
            at = 4096 + rng.randrange(512)
            mutant[at : at + 4] = rng.choice((rng.randbytes(4), b"\xff" * 4, bytes(4)))
        with suppress(MdError):
            found = read_member(Bytes(bytes(mutant)))
            medium = open_member(Bytes(bytes(mutant)), found)
            opened += medium is not None and len(medium.read_at(0, 100)) <= 100
    assert opened
