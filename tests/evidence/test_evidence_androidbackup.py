"""Android backups: real ones, plain, compressed and encrypted; wrong passwords; damage."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from triage.errors import EvidenceError, PasswordError
from triage.evidence.androidbackup import open_backup, read_head
from triage.evidence.medium import DamagedRangeError
from triage.evidence.opening import open_evidence, reopen

SAMPLES = Path(os.environ.get("TRIAGE_EVIDENCE") or Path(__file__).resolve().parents[3] / "shared" / "evidence") / "artifacts" / "mvt"
pytestmark = [pytest.mark.evidence, pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared evidence is not here")]
PLAIN, PACKED = SAMPLES / "android_backup" / "backup.ab", SAMPLES / "android_backup" / "backup3.ab"
LOCKED = (SAMPLES / "android_backup" / "backup2.ab", SAMPLES / "androidqf_encrypted" / "backup.ab")
PASSWORD = "123456"


@pytest.mark.parametrize("path", [PLAIN, PACKED])
def test_plain_and_compressed_ones_open(path: Path) -> None:
    evidence, medium, warnings = open_evidence(path)
    assert (evidence.kind, warnings, evidence.facts["encryption"]) == ("ab", [], "none")
    assert medium.read_at(257, 5) == b"ustar"
    medium.close()


@pytest.mark.parametrize("path", LOCKED)
def test_encrypted_ones_open_with_their_password(path: Path) -> None:
    evidence, medium, warnings = open_evidence(path, passwords=["another", PASSWORD])
    assert (warnings, evidence.facts["encryption"]) == ([], "AES-256")
    assert medium.read_at(257, 5) == b"ustar"
    medium.close()
    again = reopen(evidence, passwords=[PASSWORD])
    assert again.read_at(257, 5) == b"ustar"
    again.close()
    assert PASSWORD not in str(evidence.to_json())


@pytest.mark.parametrize("path", LOCKED)
def test_without_the_password_they_are_refused_in_one_line_that_does_not_repeat_it(path: Path) -> None:
    with pytest.raises(PasswordError, match="encrypted with a password") as refused:
        open_evidence(path)
    assert refused.value.exit_code == 3
    with pytest.raises(PasswordError, match="no password that was given") as refused:
        open_evidence(path, passwords=["not-this-one"])
    assert "not-this-one" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_cut_one_gives_what_there_is_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "cut.ab"
    path.write_bytes(PACKED.read_bytes()[:-300])
    evidence, medium, warnings = open_evidence(path)
    medium.close()
    assert 0 < evidence.size < 5120
    assert "damaged or cut" in warnings[0]


@pytest.mark.parametrize("data", [b"", b"ANDROID BACKUP\n", b"ANDROID BACKUP\nx\n1\nnone\n", b"ANDROID BACKUP\n5\n1\nAES-256\nAA\nBB\n"])
def test_a_head_that_is_none_is_told(data: bytes) -> None:
    with pytest.raises(ValueError, match="head is"):
        read_head(data)


def test_damage_never_breaks_it(tmp_path: Path) -> None:
    rng = random.Random(5)
    for source, count in ((PACKED, 100), (LOCKED[0], 40)):
        good = source.read_bytes()
        for number in range(count):
            data = bytearray(good)
            for _ in range(rng.randrange(1, 4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            path = tmp_path / f"{number}.ab"
            path.write_bytes(data)
            try:
                medium, _, _ = open_backup([path], [PASSWORD], None, lambda: None)
            except EvidenceError:
                continue
            try:
                medium.read_at(0, medium.size)
            except DamagedRangeError:
                pass
            finally:
                medium.close()
