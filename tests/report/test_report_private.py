"""A report is given to others: it says nothing of the examiner's machine that nobody asked it to say, and shows no picture."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
LOGIN, HOME, MEDIA, HERE = "planted-login", "planted-home", "planted-media", "planted-cwd"


class Ran(NamedTuple):
    """A case, and what was printed while it was made."""

    case: Path
    printed: str


@pytest.fixture(scope="module")
def ran(image: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("private")
    home, media, here = (folder / name for name in (HOME, MEDIA, HERE))
    for each in (home, media, here):
        each.mkdir()
    shutil.copy(image("ntfs.E01"), media / "disk.E01")
    own = {k: v for k, v in os.environ.items() if k not in ("TRIAGE_DEBUG", "XDG_DATA_HOME", "TRIAGE_HASHSETS")}
    own |= {"HOME": str(home), "USERPROFILE": str(home), "USER": LOGIN, "LOGNAME": LOGIN, "USERNAME": LOGIN, "HOSTNAME": "planted-host",
            "COMPUTERNAME": "planted-host", "PYTHONPATH": str(ROOT)}
    printed = ""
    for words in (["run", str(media / "disk.E01"), "--case", "case", "--hashset", str(image("known-hashes.csv"))],
                  ["report", "case", "--format", "html,json,jsonl,csv"], ["queue", "case"], ["findings", "case"], ["files", "case"]):
        done = subprocess.run([sys.executable, "-m", "triage", *words], cwd=here, env=own, capture_output=True, timeout=120, check=True)
        printed += done.stdout.decode() + done.stderr.decode()
    return Ran(here / "case", printed)


def private_words() -> list[str]:
    """Return what is the machine's: planted words, its real names, and the folders of this test."""
    real = [socket.gethostname(), getpass.getuser(), str(Path.home()), str(ROOT), str(ROOT.parent)]
    return [LOGIN, HOME, MEDIA, HERE, "planted-host", *(word for word in real if len(word) > 4)]


def holding(text: str) -> list[str]:
    return [word for word in private_words() if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)]


def test_the_report_says_nothing_of_the_examiners_machine(ran: Ran) -> None:
    files = [p for p in (ran.case / "report").rglob("*") if p.is_file()]
    assert len(files) >= 14
    for path in [*files, ran.case / "findings.jsonl"]:
        assert holding(path.read_text("utf-8")) == [], path.name


def test_rows_that_are_printed_say_nothing_of_it_either(ran: Ran) -> None:
    assert holding(ran.printed) == []


def test_the_log_names_the_evidence_and_no_login_host_or_home(ran: Ran) -> None:
    log = (ran.case / "audit.jsonl").read_text("ascii")
    assert MEDIA in log, "where the evidence was is part of the record"
    assert not {LOGIN, HOME, "planted-host", socket.gethostname()} & set(holding(log))


def test_a_report_shows_no_picture_unless_asked(ran: Ran) -> None:
    for page in (ran.case / "report").rglob("*.html"):
        text = page.read_text("utf-8")
        assert "<img" not in text
        assert "data:image" not in text.replace("img-src data:", "")


def test_the_planted_words_would_be_found() -> None:
    assert holding(f"a /x/{MEDIA}/disk.E01 b") == [MEDIA]
    assert holding(f"{LOGIN}") == [LOGIN]
    assert holding("nothing") == []
