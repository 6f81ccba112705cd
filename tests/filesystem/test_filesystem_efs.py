"""Files that Windows encrypted (EFS) are told, and not read: what is there is ciphertext, and that must not pass for a reading."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from triage.case.store import Case
from triage.commands.progress import Silent
from triage.engine.run import RunOptions, run
from triage.evidence.ewf import EwfMedium
from triage.priority.profile import load_profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "vol1/Users/alex/Documents/disk.img"  # not resident, as encrypted files never are
ENCRYPTED = 0x4000  # ATTRIBUTE_FLAG_ENCRYPTED in an attribute's header


def _case(image: Path, folder: Path) -> Case:
    run(RunOptions(evidence=(image,), case=folder, profile=load_profile("full")), Silent())
    return Case.open(folder)


def test_an_efs_file_is_said_to_be_encrypted(image: Callable[[str], Path], tmp_path: Path) -> None:
    medium = EwfMedium([image("ntfs.E01")])
    raw = bytearray(medium.read_at(0, medium.size))
    medium.close()
    with _case(image("ntfs.E01"), tmp_path / "before") as case:
        volume = next(v for v in case.volumes() if v["name"] == "vol1")
        rows = {row["path"]: row for row in case.files()}
        assert not [p for p in case.problems() if "EFS" in p["message"]]
    table = rows["vol1/$MFT"]["runs"][0][0]
    clusters = struct.unpack_from("<b", raw, volume["offset"] + 0x40)[0]
    size = clusters * volume["block_size"] if clusters > 0 else 1 << -clusters
    record = table + rows[NAME]["meta_addr"] * size
    assert raw[record : record + 4] == b"FILE"
    at = record + struct.unpack_from("<H", raw, record + 20)[0]
    while struct.unpack_from("<I", raw, at)[0] != 0x80:  # to $DATA
        at += struct.unpack_from("<I", raw, at + 4)[0]
    struct.pack_into("<H", raw, at + 12, ENCRYPTED)
    changed = tmp_path / "efs.raw"
    changed.write_bytes(raw)
    with _case(changed, tmp_path / "after") as case:
        said = [p["path"] for p in case.problems() if "EFS" in p["message"]]
        row = next(row for row in case.files() if row["path"] == NAME)
    assert said == [NAME]
    assert (row["outcome"], row["outcome_reason"], row["sha256"]) == ("skipped", "encrypted, with a key that is not here", None)
