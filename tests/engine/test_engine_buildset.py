"""A set of an agency's own files: what it gets of each, and what a file costs that ends or stalls its worker."""

from __future__ import annotations

import hashlib
import os
import random
from typing import TYPE_CHECKING

import pytest
from picturing import encoded, scene

from triage.engine.buildset import build_records
from triage.errors import UsageError
from triage.hashsets.facts import SetFacts
from triage.hashsets.library import HashsetLibrary
from triage.model import Meaning
from triage.priority.profile import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from triage.engine.buildset import Built
    from triage.hashsets.store import Hashset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "own"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "picture.jpg").write_bytes(encoded(scene(1, (400, 300))))
    (root / "deep" / "random.bin").write_bytes(random.Random(1).randbytes(100_000))
    (root / "deep" / "er" / "text.txt").write_bytes(b"a line of text\n" * 2000)
    (root / "empty").write_bytes(b"")
    (root / "damaged.jpg").write_bytes(encoded(scene(2, (400, 300)))[:400])
    (root / "link").symlink_to(root / "picture.jpg")
    return root


def compiled(built: Built, root: Path, name: str = "own") -> Hashset:
    library = HashsetLibrary(root)
    facts = SetFacts(name=name, meaning=Meaning.NOTABLE, category="", source="own", source_sha256=built.digest, format="files")
    library.build(built.records, facts)
    return library.open(name)


def test_each_file_gets_what_it_can_be_found_by(folder: Path, tmp_path: Path) -> None:
    built = build_records(folder, jobs=1)
    with compiled(built, tmp_path / "sets") as found:
        assert {kind: found.count(kind) for kind in ("md5", "sha1", "sha256", "pdq")} == {"md5": 4, "sha1": 4, "sha256": 4, "pdq": 1}
        assert found.find("md5_64k", hashlib.md5((folder / "deep" / "random.bin").read_bytes()[: 64 << 10]).digest())[0] >= 0
        names = {found.about(number).name: found.about(number) for number in found.known_records()}
        assert set(names) == {"picture.jpg", "damaged.jpg", "deep/random.bin", "deep/er/text.txt"}
        assert (names["deep/random.bin"].size, names["deep/random.bin"].blocks) == (100_000, 24)
        assert names["deep/er/text.txt"].blocks == 0
        assert found.count("block") == 24 + names["picture.jpg"].blocks
    assert sorted(built.skipped) == [("empty", "it is empty"), ("link", "it is a link or no regular file")]
    assert built.counts["pictures"] == 1
    assert sum(built.uncompared.values()) == 1  # the damaged one


def test_what_is_not_wanted_is_left_out(folder: Path, tmp_path: Path) -> None:
    built = build_records(folder, blocks=False, pictures=False, videos=False, jobs=1)
    with compiled(built, tmp_path / "sets") as found:
        assert not found.count("block")
        assert not found.count("pdq")
        assert found.count("sha256") == 4


def test_no_content_of_a_file_is_kept(folder: Path, tmp_path: Path) -> None:
    with compiled(build_records(folder, jobs=1), tmp_path / "sets") as found:
        stored = found.path.read_bytes()
    for path in (p for p in folder.rglob("*") if p.is_file() and p.stat().st_size):
        data = path.read_bytes()
        assert not any(data[at : at + 24] in stored for at in range(0, len(data) - 24, 997))


def test_workers_change_nothing(folder: Path, tmp_path: Path) -> None:
    for number in range(120):
        (folder / f"more{number}.txt").write_text(f"number {number}\n" * 9)
    sets = [compiled(build_records(folder, jobs=jobs), tmp_path / str(jobs)) for jobs in (1, 3)]
    assert sets[0].facts.integrity == sets[1].facts.integrity
    assert sets[0].facts.records == 124


@pytest.mark.parametrize("how", ["crash", "hang", "memory"])
def test_a_file_that_ends_its_worker_costs_itself_only(how: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_TEST_HOOK", f"hash-{how}=random.bin")
    built = build_records(folder, jobs=1, limits=Limits(stall_seconds=1.0, memory=1 << 30))
    with compiled(built, tmp_path / "sets") as found:
        assert found.count("sha256") == 3
    ((path, reason),) = [row for row in built.skipped if row[0] not in ("empty", "link")]
    assert path == "deep/random.bin"
    assert reason


def test_a_name_that_is_no_text_is_shown_escaped(tmp_path: Path) -> None:
    root = tmp_path / "own"
    root.mkdir()
    (root / os.fsdecode(b"a\xff\x1b[31m.bin")).write_bytes(b"content")
    with compiled(build_records(root, jobs=1), tmp_path / "sets") as found:
        name = found.about(0).name
    assert "\x1b" not in name
    assert name.isprintable()


def test_what_is_no_folder_of_files_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "bare").mkdir()
    for path in (tmp_path / "file", tmp_path / "none", tmp_path / "bare"):
        with pytest.raises(UsageError):
            build_records(path)
