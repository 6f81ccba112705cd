"""Backups of iPhones: files under their paths on the phone, encrypted ones with their password, and what is missing or damaged."""

from __future__ import annotations

import contextlib
import os
import random
from collections import Counter
from pathlib import Path

import pytest
from backup_maker import FILES, PASSWORD, WHEN, make_backup, make_old_backup

from triage.errors import PasswordError
from triage.evidence.folder import FolderMedium
from triage.filesystem.trees.tree import Fault, Named
from triage.logical.backupdomains import place_of
from triage.logical.itunes import BackupTree, is_backup
from triage.logical.mbdb import read_mbdb
from triage.model import Kind

EVIDENCE = Path(os.environ.get("TRIAGE_EVIDENCE") or Path(__file__).resolve().parents[3] / "shared" / "evidence")
REAL = EVIDENCE / "artifacts" / "mvt" / "ios_backup"


def tree_of(folder: Path, *passwords: str) -> BackupTree:
    medium = FolderMedium(folder)
    return BackupTree(medium, 0, medium.size, passwords=passwords)


def listed(tree: BackupTree) -> tuple[dict[str, Named], list[str]]:
    said = list(tree.names())
    return (
        {b"/".join(one.path).decode(): one for one in said if isinstance(one, Named)},
        [one.message for one in said if isinstance(one, Fault)],
    )


def contents(tree: BackupTree) -> dict[str, bytes]:
    names, _ = listed(tree)
    return {
        path: tree.open(one.address, None, one.attribute)(0, one.size)
        for path, one in names.items()
        if one.readable and one.kind is Kind.FILE and not path.startswith("$")
    }


WANTED = {b"/".join(place_of(domain, path)).decode(): data for (domain, path), data in FILES.items()}


@pytest.mark.parametrize("newer", [True, False], ids=["iOS 10.2 and later", "before"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_files_come_out_under_their_paths_on_the_phone(*, encrypted: bool, newer: bool, tmp_path: Path) -> None:
    tree = tree_of(make_backup(tmp_path / "b", encrypted=encrypted, newer=newer), "wrong", PASSWORD)
    assert contents(tree) == WANTED
    names, faults = listed(tree)
    one = names["private/var/mobile/Library/SMS/sms.db"]
    assert (one.mtime, one.ctime, one.crtime, one.uid) == (WHEN * 10**9, (WHEN + 1) * 10**9, (WHEN - 1) * 10**9, 501)
    assert names["private/var/mobile/Library/SMS"].kind is Kind.DIRECTORY
    assert faults == ["1 files that the backup's list names are not in it"]
    assert (names["private/var/mobile/Library/gone.db"].readable, names["private/var/mobile/Library/gone.db"].size) == (False, 77)


def test_any_stretch_of_an_encrypted_file_can_be_read(tmp_path: Path) -> None:
    tree = tree_of(make_backup(tmp_path / "b", encrypted=True), PASSWORD)
    one = listed(tree)[0]["private/var/mobile/Library/SMS/sms.db"]
    read_at = tree.open(one.address, None, one.attribute)
    data = FILES["HomeDomain", "Library/SMS/sms.db"]
    for offset, length in ((0, 1), (15, 2), (16, 16), (7990, 100), (4001, 999), (9000, 5)):
        assert read_at(offset, length) == data[offset : offset + length]


def test_without_its_password_it_is_locked(tmp_path: Path) -> None:
    folder = make_backup(tmp_path / "b", encrypted=True)
    with pytest.raises(PasswordError, match="encrypted with a password"):
        tree_of(folder)
    with pytest.raises(PasswordError, match="no password that was given") as refused:
        tree_of(folder, "wrong-one")
    assert "wrong-one" not in str(refused.value)


def test_one_of_before_ios_10_is_read(tmp_path: Path) -> None:
    tree = tree_of(make_old_backup(tmp_path / "b"))
    assert contents(tree) == WANTED
    assert listed(tree)[0]["private/var/mobile/Library/SMS/sms.db"].mtime == WHEN * 10**9


def test_what_stands_in_no_list_is_listed_apart_and_said(tmp_path: Path) -> None:
    folder = make_backup(tmp_path / "b")
    (folder / "ab").mkdir(exist_ok=True)
    (folder / "ab" / "abcdef").write_bytes(b"left over")
    names, faults = listed(tree_of(folder))
    assert "$NotInList/ab/abcdef" in names
    assert "$Backup/Manifest.db" in names
    assert any("stand in no list" in fault for fault in faults)


def test_what_it_says_of_the_phone(tmp_path: Path) -> None:
    facts = tree_of(make_backup(tmp_path / "b", encrypted=True), PASSWORD).facts()
    assert facts == {
        "device name": "Kim's iPhone",
        "model": "iPhone12,1",
        "phone number": "+49 30 1234567",
        "IMEI": "350000000000006",
        "last backup": "2024-05-06T07:08:09Z",
    }


def test_a_list_that_breaks_off_gives_what_is_whole_and_says_so(tmp_path: Path) -> None:
    data = (make_old_backup(tmp_path / "b") / "Manifest.mbdb").read_bytes()
    found, why = read_mbdb(data[:-5])
    assert len(found) == len(FILES) - 1
    assert "breaks off" in why


def test_a_folder_of_other_files_is_no_backup(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.txt").write_bytes(b"a")
    assert not is_backup(FolderMedium(tmp_path / "x"))


def test_damage_never_breaks_it(tmp_path: Path) -> None:
    rng = random.Random(11)
    folder = make_backup(tmp_path / "b", encrypted=True)
    for name in ("Manifest.plist", "Manifest.db"):
        good = (folder / name).read_bytes()
        for _ in range(60):
            data = bytearray(good)
            for _ in range(rng.choice((1, 2, 20))):
                data[rng.randrange(len(data))] = rng.randrange(256)
            (folder / name).write_bytes(data[: rng.choice((len(data), len(data), len(data) // 2))])
            try:
                tree = tree_of(folder, PASSWORD)
            except (ValueError, PasswordError, OSError):
                continue
            for one in tree.names():
                if isinstance(one, Named) and one.readable:
                    with contextlib.suppress(OSError):
                        tree.open(one.address, None, one.attribute)(0, min(one.size, 1 << 20))
        (folder / name).write_bytes(good)


@pytest.mark.evidence
@pytest.mark.skipif(not REAL.is_dir(), reason="the shared evidence is not here")
def test_a_real_backup_is_listed_whole() -> None:
    """It is one of which all but a few files were taken out, and that a tool has decrypted."""
    tree = tree_of(REAL)
    names, faults = listed(tree)
    kinds = Counter(one.kind for one in names.values() if one.mtime is not None)
    assert names["private/var/wireless/Library/Databases/DataUsage.sqlite"].size == 90112
    assert tree.open(names["private/var/wireless/Library/Databases/DataUsage.sqlite"].address, None, None)(0, 15) == b"SQLite format 3"
    assert kinds[Kind.FILE] > 500
    assert any("are not in it" in fault for fault in faults)
    assert "7 files are shorter than the backup's list says" in faults
