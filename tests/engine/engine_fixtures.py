"""Small media of known bytes, and a process that runs ``triage`` in children that may be killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from engine_support import ForkServer, killable
from fat_image import make_fat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000") + b"\x55" * 600 + b"\xff\xd9"


def small_files() -> dict[str, bytes]:
    found = {f"FILE{n:02}.TXT": f"this is file number {n}\n".encode() * (n + 1) for n in range(12)}
    found |= {f"DCIM/IMG{n:02}.JPG": JPEG + bytes([n]) * n for n in range(8)}
    found |= {"DCIM/NOTE.DOC": JPEG, "EMPTY.BIN": b"", "GONE.TXT": b"deleted but here\n" * 40, "BIG.BIN": bytes(range(256)) * 300}
    return found


@pytest.fixture(scope="session")
def small_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 names, one of them deleted, one folder."""
    path = tmp_path_factory.mktemp("media") / "small.raw"
    path.write_bytes(make_fat(small_files(), frozenset({"GONE.TXT"})))
    return path


@pytest.fixture(scope="session")
def many_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 names in three folders, a third of them deleted: more than one pack of a walk and many batches."""
    found = {f"DIR{n % 3}/F{n:05}.{'JPG' if n % 5 == 0 else 'TXT'}": (JPEG if n % 5 == 0 else b"") + f"content {n % 400}\n".encode() * 9
             for n in range(500)}
    path = tmp_path_factory.mktemp("media") / "many.raw"
    path.write_bytes(make_fat(found, frozenset(p for n, p in enumerate(found) if n % 3 == 0)))
    return path


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    if not killable():
        pytest.skip("needs fork and /proc")
    server = ForkServer()
    yield server
    server.close()
