"""Backups of iPhones in a computer's folders: a real one, encrypted and old ones, and what only has their name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from real_samples import ARTIFACTS, findings, item_of, mutants, never_fails, run

if TYPE_CHECKING:
    from triage.plugin import Item

BACKUP = "vol1/Users/ann/AppData/Roaming/Apple Computer/MobileSync/Backup/00008020-001122AA"
OLD = b"mbdb\5\0" + bytes(100)


@pytest.mark.evidence
@pytest.mark.skipif(not ARTIFACTS.is_dir(), reason="the shared evidence is not here")
def test_a_real_backup() -> None:
    data = (ARTIFACTS / "mvt/ios_backup/Manifest.db").read_bytes()
    (found,) = findings(run("phone_backups", item_of(data, f"{BACKUP}/Manifest.db")))
    assert (found.data["backup"], found.data["user"]) == ("00008020-001122AA", "ann")


def test_an_encrypted_list_is_a_backup_too_and_an_old_one() -> None:
    assert findings(run("phone_backups", item_of(bytes(range(256)) * 4, f"{BACKUP}/Manifest.db")))
    assert findings(run("phone_backups", item_of(OLD, f"{BACKUP}/Manifest.mbdb")))
    assert not findings(run("phone_backups", item_of(b"something else" * 9, f"{BACKUP}/Manifest.mbdb")))


def test_damage_never_breaks_it() -> None:
    for data in mutants(OLD, 50):
        never_fails("phone_backups", item_of(data, f"{BACKUP}/Manifest.mbdb"))


def samples() -> list[Item]:
    return [item_of(OLD, f"{BACKUP}/Manifest.mbdb")]
