"""What a case holds is its owner's alone, and stays in the case: nothing of one gets into another or lies about, not even after a kill."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import stat
import sys
from typing import TYPE_CHECKING

import pytest
from engine_support import children, is_running, until
from fat_image import make_fat

from triage.cli import run as triage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine_support import ForkServer

MARKER = b"PLANTED-MARKER-OF-CASE-A"
NAME = "MARKERAA.TXT"


@pytest.fixture
def open_to_all() -> Iterator[None]:
    old = os.umask(0)
    yield
    os.umask(old)


@pytest.mark.skipif(sys.platform == "win32", reason="no modes there")
@pytest.mark.usefixtures("open_to_all")
def test_every_file_of_a_run_is_its_owners_alone(small_image: Path, tmp_path: Path) -> None:
    case, out = tmp_path / "case", tmp_path / "out"
    known = tmp_path / "list.txt"
    known.write_text(hashlib.md5(b"this is file number 3\n" * 4).hexdigest() + "\n", encoding="ascii")
    words = ["run", str(small_image), "--case", str(case), "--jobs", "2", "-q", "--hashset", str(known)]
    key = tmp_path / "lab.pem"
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        pass
    else:
        key.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        words += ["--seal", str(key)]
    seen: dict[str, int] = {}
    for again in (words, words, ["report", str(case), "--format", "html,json,jsonl,csv"]):
        assert triage(again) == 0
        for path in [case, *case.rglob("*")]:
            mode = stat.S_IMODE(path.lstat().st_mode)
            assert mode == (0o700 if path.is_dir() else 0o600), f"{path.relative_to(tmp_path)}: {mode:o}"
            seen[path.name] = mode
    assert {"case.db", "audit.jsonl", "findings.jsonl", "index.html", "report.json", "files.csv", "queue.jsonl"} <= set(seen)
    assert any(name.endswith(".hset") for name in seen)
    assert triage(["extract", str(small_image), "vol1/FILE03.TXT", "vol1/DCIM", "--out", str(out)]) == 0
    copies = list(out.rglob("*"))
    assert len(copies) > 5
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.lstat().st_mode) for path in copies if path.is_file()} <= {0o400, 0o440, 0o600}


def marked(folder: Path) -> list[str]:
    """Return the files below a folder whose name or content has the marker of case A."""
    found = []
    for path in folder.rglob("*"):
        if NAME[:8] in path.name or (path.is_file() and (MARKER in path.read_bytes() or NAME.encode() in path.read_bytes())):
            found.append(str(path))
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs fork and /proc")
def test_nothing_of_one_case_gets_into_another_or_lies_about(fork_server: ForkServer, tmp_path: Path) -> None:
    media, temporary, home = tmp_path / "media", tmp_path / "tmp", tmp_path / "home"
    for folder in (media, temporary, home):
        folder.mkdir()
    known = media / "list.txt"
    known.write_text(hashlib.md5(MARKER * 20).hexdigest() + "\n", encoding="ascii")
    first, second = media / "a.raw", media / "b.raw"
    first.write_bytes(make_fat({NAME: MARKER * 20} | {f"F{n:04}.TXT": MARKER + b"%d" % n for n in range(300)}))
    second.write_bytes(make_fat({f"F{n:04}.TXT": b"harmless %d" % n for n in range(50)}, serial=5))
    environment = {"TMPDIR": str(temporary), "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "XDG_DATA_HOME": str(home / "data")}
    case = tmp_path / "case-a"
    killed = 0
    for goal in (1, 60, 200):
        pid = fork_server.start(["run", str(first), "--case", str(case), "--jobs", "2", "-q", "--hashset", str(known)], batch_items=20,
                                **environment)
        until(lambda goal=goal, pid=pid: read(case) >= goal or not is_running(pid))
        workers = children(pid)
        if is_running(pid):
            os.kill(pid, signal.SIGKILL)
        killed += fork_server.wait(pid) == -signal.SIGKILL
        assert until(lambda workers=workers: not any(is_running(w) for w in workers))
    assert killed >= 2
    assert fork_server.run(["run", str(second), "--case", str(tmp_path / "case-b"), "-q"], **environment) == 0
    assert marked(case)  # the search finds what is there
    for place in (tmp_path / "case-b", temporary, home):
        assert marked(place) == []
    assert list(temporary.iterdir()) == []


def read(case: Path) -> int:
    if not (case / "case.db").is_file():
        return 0
    connection = sqlite3.connect(f"file:{case / 'case.db'}?mode=ro", uri=True, timeout=0.1)
    try:
        return int(connection.execute("SELECT count(*) FROM content").fetchone()[0])
    except sqlite3.Error:
        return 0
    finally:
        connection.close()
