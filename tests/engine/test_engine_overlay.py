"""Content of volumes that are opened through an overlay, and of entries that only their place on the medium names."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from triage.case.store import Case
from triage.engine.run import RunOptions, run
from triage.priority.profile import load_profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Quiet:
    """An observer that nobody watches."""

    def stage(self, name: str) -> None: ...

    def progress(self, **_: int) -> None: ...

    def notable(self, path: str, text: str) -> None: ...


def digests(data: bytes, folder: Path) -> tuple[dict[str, str], list[str]]:
    """Run the main job; return path → SHA-256 of what was read, and what was said."""
    folder.mkdir()
    image = folder / "disk.raw"
    image.write_bytes(data)
    run(RunOptions(evidence=(image,), case=folder / "case", profile=load_profile("full"), jobs=1), Quiet())
    with Case.open(folder / "case") as case:
        found = {row["path"]: row["sha256"] for row in case.files() if row["sha256"] and row["state"] == "allocated"}
        return found, [p["message"] for p in case.problems()]


@pytest.mark.parametrize(("name", "start", "length"), [("ntfs", 0, 512), ("ext4", 1024, 1024)])
def test_content_is_read_through_the_copy_of_the_header(
    name: str, start: int, length: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    data = bytearray(gzip.decompress((request.config.rootpath / "bench" / "seeds" / f"{name}.raw.gz").read_bytes()))
    sound, _ = digests(bytes(data), tmp_path / "sound")
    data[start : start + length] = bytes(length)
    damaged, said = digests(bytes(data), tmp_path / "damaged")
    users = {path: digest for path, digest in sound.items() if "$" not in path}
    assert len(users) > 50
    assert {path: damaged.get(path) for path in users} == users
    assert any("opened through the copy of its header" in message for message in said)


def test_content_of_files_that_sleuth_kit_lost_is_read(image: Callable[[str], Path], tmp_path: Path) -> None:
    data = bytearray(image("iso9660.raw").read_bytes())
    sound, _ = digests(bytes(data), tmp_path / "sound")
    data[26 * 2048 + 12 : 26 * 2048 + 16] = b"\0\0\0\5"  # Joliet's big-endian path table: where papers/ lies
    damaged, said = digests(bytes(data), tmp_path / "damaged")
    assert damaged == sound
    assert any("found by our own reading" in message for message in said)
