"""``triage hashset build``, ``export``, changes of a set, and ``triage sample``: what is typed, and what is said to mistakes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fat_image import make_fat

from triage.cli import run

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., tuple[int, str, str]]

KNOWN = random.Random(5).randbytes(64 * 4096)
IMAGES = Path(__file__).resolve().parents[1] / "images"


@pytest.fixture
def triage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("TRIAGE_HASHSETS", str(tmp_path / "library"))

    def call(*words: object) -> tuple[int, str, str]:
        code = run([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def own(tmp_path: Path, triage: Run) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "known.bin").write_bytes(KNOWN)
    (folder / "note.txt").write_bytes(b"text\n" * 100)
    assert triage("hashset", "build", folder, "--name", "own", "--as", "notable", "--jobs", 1)[0] == 0
    return folder


def medium(path: Path, *, holds: bool) -> Path:
    """2 MB of which one eighth are blocks of the known file, of which no name is left."""
    data = bytearray(make_fat({"A.TXT": b"a\n" * 50}))
    if holds:
        data[200 * 4096 + 512 : 200 * 4096 + 512 + len(KNOWN)] = KNOWN
    path.write_bytes(data)
    return path


def is_refused(said: tuple[int, str, str], code: int, words: str) -> bool:
    """Whether it ended with the code and one line that has the words, and no traceback."""
    lines = [line for line in said[2].splitlines() if line.strip()]
    return said[0] == code and len(lines) == 1 and words in lines[0] and not said[1]


def test_a_set_is_built_and_says_what_it_holds(triage: Run, own: Path) -> None:
    code, out, err = triage("hashset", "build", own, "--name", "again", "--as", "known", "--category", "7", "--jobs", 1)
    report = json.loads(out)
    assert (code, report["records"], report["counts"]["blocks"]) == (0, 2, 64)
    assert "64 blocks" in err
    code, out, _ = triage("hashset", "info", "again", "--check", "--format", "json")
    (facts,) = json.loads(out)
    assert (code, facts["meaning"], facts["format"], facts["checked"]) == (0, "known", "files", True)


def test_a_dry_run_of_build_keeps_nothing(triage: Run, own: Path) -> None:
    assert triage("hashset", "build", own, "--name", "try", "--as", "known", "--jobs", 1, "--dry-run")[0] == 0
    assert [json.loads(line)["name"] for line in triage("hashset", "list", "--format", "jsonl")[1].splitlines()] == ["own"]


def test_records_are_added_and_removed(triage: Run, own: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.txt"
    more.write_text("".join(f"{n:032x}\n" for n in range(1, 11)))
    assert triage("hashset", "import", more, "--name", "own", "--add")[0] == 0
    assert json.loads(triage("hashset", "info", "own", "--format", "jsonl")[1])["records"] == 12
    less = tmp_path / "less.txt"
    less.write_text("".join(f"{n:032x}\n" for n in range(6, 16)))
    code, _, err = triage("hashset", "import", less, "--name", "own", "--remove")
    assert (code, "5 records go, 5 digests are not there" in err) == (0, True)
    facts = json.loads(triage("hashset", "info", "own", "--format", "jsonl")[1])
    assert facts["records"] == 7
    assert (len(facts["history"]), facts["digests"]["block"]) == (3, 64)
    found = triage("hashset", "lookup", "own", f"{5:032x}", f"{6:032x}", "--format", "jsonl")[1]
    assert [json.loads(line)["hit"] for line in found.splitlines()] == [True, False]


def test_an_exported_set_is_imported_again(triage: Run, own: Path, tmp_path: Path) -> None:
    for fmt in ("jsonl", "csv", "vics", "kdb"):
        out = tmp_path / f"list.{fmt}"
        assert triage("hashset", "export", "own", "--format", fmt, "--out", out)[0] == 0
        code, text, _ = triage("hashset", "import", out, "--name", fmt, "--as", "notable")
        assert (code, json.loads(text)["records"]) == (0, 2)
    assert is_refused(triage("hashset", "export", "own", "--format", "csv", "--out", tmp_path / "list.csv"), 2, "exists already")


def test_mistakes_are_one_line(triage: Run, own: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{1:032x}\n")
    assert is_refused(triage("hashset", "build", tmp_path / "none", "--name", "x", "--as", "known"), 2, "not a folder")
    assert is_refused(triage("hashset", "import", tmp_path / "list", "--name", "x", "--add"), 5, "no hash set")
    assert is_refused(triage("hashset", "import", tmp_path / "list", "--name", "x"), 2, "--as")
    assert is_refused(triage("hashset", "export", "own", "--format", "kdb"), 2, "--out")
    assert is_refused(triage("hashset", "export", "none", "--format", "csv"), 5, "none")


def test_a_sample_meets_blocks_of_known_files_and_says_where(triage: Run, own: Path, tmp_path: Path) -> None:
    path = medium(tmp_path / "exhibit.raw", holds=True)
    before = path.read_bytes()
    code, out, err = triage("sample", path, "--hashset", "own", "--target", "128KiB", "--quiet", "--format", "json")
    (row,) = json.loads(out)
    assert code == 0
    assert row["hits"] >= 1
    assert row["files"][0]["file"] == "known.bin"
    offset, position = row["files"][0]["places"][0]
    assert before[offset : offset + 4096] == KNOWN[position : position + 4096]
    assert "Examine the medium in full" in err
    assert row["read"] < row["cells"]
    assert triage("sample", path, "--hashset", "own", "--target", "128KiB", "--quiet", "--format", "json")[1] == out
    assert path.read_bytes() == before


def test_a_sample_without_hits_says_the_odds_and_never_that_it_is_clean(triage: Run, own: Path, tmp_path: Path) -> None:
    path = medium(tmp_path / "exhibit.raw", holds=False)
    code, out, err = triage("sample", path, "--hashset", "own", "--target", "256KiB", "--confidence", "95%", "--quiet", "--format", "jsonl")
    row = json.loads(out)
    assert (code, row["hits"], row["files"]) == (0, 0, [])
    assert row["confidence"] >= 0.95
    assert f"seed {row['seed']}" in row["statement"]
    assert "does not say that nothing is there" in row["statement"]
    assert "clean" not in (row["statement"] + err).lower()


def test_a_sample_that_cannot_be_is_refused(triage: Run, own: Path, tmp_path: Path) -> None:
    path = medium(tmp_path / "exhibit.raw", holds=False)
    (tmp_path / "plain").write_text(f"{1:032x}\n")
    assert triage("hashset", "import", tmp_path / "plain", "--name", "plain", "--as", "notable")[0] == 0
    for words, code, said in (
        (("--hashset", "plain"), 5, "no blocks"),
        (("--hashset", "own", "--target", "1GiB"), 2, "more than there is"),
        (("--hashset", "own", "--target", "12"), 2, "less than one block"),
        (("--hashset", "own", "--target", "many"), 2, "--target"),
        (("--hashset", "own", "--confidence", "100%"), 2, "--confidence"),
        (("--hashset", "own", "--target", "128KiB", "--volume", "vol9"), 2, "no volume"),
        (("--hashset", "none"), 5, "none"),
    ):
        assert is_refused(triage("sample", path, *words, "--quiet"), code, said), words


def test_an_encrypted_volume_is_not_sampled(triage: Run, own: Path, tmp_path: Path) -> None:
    path = tmp_path / "luks.raw"
    path.write_bytes(b"LUKS\xba\xbe\x00\x01aes\x00".ljust(64, b"\0") + random.Random(1).randbytes(4 << 20))
    said = triage("sample", path, "--hashset", "own", "--target", "128KiB", "--quiet")
    assert is_refused(said, 3, "encrypted and locked")
