"""Whatever is given to a command that cannot be used: one line that says what and what to do, and the exit code of the interface."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest
from engine_support import digest, run_case
from fat_image import make_fat

from triage.cli import COMMANDS, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_HASHSETS", str(tmp_path / "library"))
    monkeypatch.delenv("TRIAGE_DEBUG", raising=False)


class World(NamedTuple):
    """What the commands of the tables are given."""

    folder: Path
    image: Path
    case: Path

    def path(self, word: str) -> str:
        """Return a word of the table with its places filled in, the file made that it names."""
        return word.format(image=self.image, case=self.case, new=self.folder / "new", folder=self.folder, here=self.folder)


@pytest.fixture(scope="module")
def finished(small_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    case = tmp_path_factory.mktemp("finished") / "case"
    run_case(small_image, case, report=True)
    return case


@pytest.fixture
def world(small_image: Path, finished: Path, image: Callable[[str], Path], tmp_path: Path) -> World:
    whole = image("ntfs.E01").read_bytes()
    (tmp_path / "truncated.E01").write_bytes(whole[:500])
    shutil.copy(image("split-ewf.E01"), tmp_path / "first.E01")
    (tmp_path / "part.001").write_bytes(bytes(1 << 20))
    (tmp_path / "part.003").write_bytes(bytes(1 << 20))
    (tmp_path / "zero.raw").write_bytes(b"")
    (tmp_path / "tiny.raw").write_bytes(b"abc")
    (tmp_path / "directory").mkdir()
    (tmp_path / "letter.txt").write_text("Dear Sir,\n" * 200)
    (tmp_path / "locked.raw").write_bytes(b"\xeb\x58\x90-FVE-FS-".ljust(512, b"\0") + bytes((1 << 20) - 512))
    (tmp_path / "nothing.raw").write_bytes(bytes(1 << 20))
    (tmp_path / "other.raw").write_bytes(make_fat({"A.TXT": b"a"}, serial=5))
    (tmp_path / "bad.yaml").write_text("schema: 1\nname: bad\nselekt: {}\n")
    (tmp_path / "broken.py").write_text("this is no python")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    return World(tmp_path, small_image, finished)


RUN = ("--case", "{new}")
TABLE: list[tuple[str, int, str]] = [
    ("run {here}/first.E01 --case {new}", 3, "missing segment"),
    ("run {here}/part.001 --case {new}", 3, "part"),
    ("run {here}/truncated.E01 --case {new}", 3, "truncated"),
    ("run {here}/zero.raw --case {new}", 3, "0 bytes"),
    ("run {here}/tiny.raw --case {new}", 3, "3 bytes|text"),
    ("run {here}/directory --case {new}", 3, "directory"),
    ("run {here}/letter.txt --case {new}", 3, "text"),
    ("run {here}/none.raw --case {new}", 3, "does not exist"),
    ("run {image} {here}/none.raw --case {new}", 3, "does not exist"),
    ("run {here}/nothing.raw --case {new} -q", 3, "no volume|no partition table"),
    ("run {image} --case {here}/zero.raw/case", 7, "cannot be written"),
    ("run {image} --case {here}/zero.raw", 7, "cannot be written"),
    ("run {image} --case {here}/full", 7, "not empty"),
    ("run {here}/other.raw --case {case}", 4, "other evidence"),
    ("run {image} --case {new} --profile nonsense", 2, "nonsense"),
    ("run {image} --case {new} --profile {here}/bad.yaml", 2, "selekt"),
    ("run {image} --case {new} --hashset nonsense", 5, "no hash"),
    ("run {image} --case {new} --hashset {here}/zero.raw", 5, "zero.raw"),
    ("run {image} --case {new} --plugin-path {here}/none.py", 5, "no plugin file"),
    ("run {image} --case {new} --plugin-path {here}/full", 5, "no plugins in"),
    ("run {image} --case {new} --time-budget soon", 2, "not a duration"),
    ("run {image} --case {new} --jobs 0", 2, "--jobs"),
    ("run {image} --case {new} --fail-on weather", 2, "weather"),
    ("run {image}", 2, "--case"),
    ("run --case {new}", 2, "EVIDENCE"),
    ("run {image} --case {new} --nonsense", 2, "--nonsense"),
    ("nonsense", 2, "nonsense"),
    ("quue {case}", 2, "did you mean 'queue'"),
    ("info {here}/none.raw", 3, "does not exist"),
    ("info {here}/truncated.E01", 3, "truncated"),
    ("verify {here}/none.raw", 3, "does not exist"),
    ("verify {here}/first.E01", 3, "missing segment"),
    ("ls {here}/zero.raw", 3, "0 bytes"),
    ("ls {image} vol9", 2, "no entry"),
    ("ls {image} vol1/NONE", 2, "no entry"),
    ("cat {image} vol1/file03.txt", 2, "did you mean vol1/FILE03.TXT"),
    ("cat {image} vol1/DCIM", 2, "no bytes of its own"),
    ("extract {image} vol1/NONE --out {new}", 2, "no entry"),
    ("extract {here}/none.raw vol1 --out {new}", 3, "does not exist"),
    ("extract {image} vol1/DCIM --out {here}/full", 7, "not empty"),
    ("extract {image} vol1/DCIM --out {here}/zero.raw/x", 7, "cannot be written"),
    ("files {here}/directory", 4, "not a case folder"),
    ("files {here}/none", 4, "not a case folder"),
    ("files {case} --where size>>5", 2, "--where"),
    ("files {case} --where sise>5", 2, "did you mean 'size'"),
    ("files {case} --sort colour", 2, "--sort"),
    ("files {case} --limit -1", 2, "--limit"),
    ("files {case} --format xml", 2, "xml"),
    ("queue {here}/none", 4, "not a case folder"),
    ("findings {here}/none", 4, "not a case folder"),
    ("status {here}/none", 4, "not a case folder"),
    ("report {here}/none", 4, "not a case folder"),
    ("audit verify {here}/none", 4, "cannot be read"),
    ("audit verify {case} --noted xyz", 2, "hexadecimal"),
    ("profile show nonsense", 2, "nonsense"),
    ("plugin show nonsense", 5, "nonsense"),
    ("plugin list --plugin-path {here}/none.py", 5, "no plugin file"),
    ("hashset import {here}/none.txt --name n --as notable", 2, "none.txt"),
]


@pytest.mark.parametrize(("words", "code", "said"), TABLE, ids=[t[0] for t in TABLE])
def test_one_line_says_what_and_what_to_do(
    words: str, code: int, said: str, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before, tree = digest(world.case), sorted(world.folder.rglob("*"))
    assert run([world.path(word) for word in words.split()]) == code
    out, err = capsys.readouterr()
    last = err.splitlines()[-1]
    assert last.startswith("triage: ")
    assert last.endswith(")") or "plugin" in words, "it does not say what to do"
    assert re.search(said, err), err
    assert "Traceback" not in out + err
    assert "a bug" not in err
    if code != 3 or "nothing.raw" not in words:
        assert len(err.splitlines()) == 1, err
        assert [p for p in sorted(world.folder.rglob("*")) if "library" not in p.parts] == tree, "something was left behind"
    assert digest(world.case) == before


def test_a_locked_volume_is_a_case_that_says_so_and_code_3(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    case = world.folder / "case"
    assert run(["run", str(world.folder / "locked.raw"), "--case", str(case), "-q"]) == 3
    err = capsys.readouterr().err
    assert "BitLocker and locked" in err
    assert "Traceback" not in err
    assert (case / "report" / "index.html").is_file()
    assert run(["status", str(case)]) == 0
    assert "LOCKED" in capsys.readouterr().out
    assert run(["ls", str(world.folder / "locked.raw")]) == 0
    assert "locked" in capsys.readouterr().err


def test_a_damaged_e01_is_examined_as_far_as_it_can_be_proven_and_ends_with_code_3(
    image: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = image("ntfs.E01").read_bytes()
    disk = tmp_path / "cut.E01"
    disk.write_bytes(whole[: len(whole) // 2])
    case = tmp_path / "case"
    assert run(["run", str(disk), "--case", str(case), "-q"]) == 3
    err = capsys.readouterr().err
    assert re.search(r"error: the E01 is damaged: cut\.E01 is truncated: .* of 240 chunks", err)
    assert "the case is kept" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert (case / "report" / "index.html").is_file()
    assert "cut.E01 is truncated" in (case / "report" / "report.json").read_text(encoding="utf-8")
    assert run(["files", str(case), "--format", "jsonl"]) == 0
    assert "vol1/$MFT" in capsys.readouterr().out
    for words, code, said in (
        (["info", str(disk)], 0, "240 chunks"),
        (["ls", str(disk)], 0, "vol1"),
        (["cat", str(disk), "vol1/$MFT", "--limit", "4"], 0, "FILE"),
        (["extract", str(disk), "vol1/$Bitmap", "--out", str(tmp_path / "out")], 0, "Bitmap"),
        (["verify", str(disk)], 3, "incomplete"),
    ):
        assert run(words) == code
        out, err = capsys.readouterr()
        assert said in out + err
        assert "the E01 is damaged" in out + err


def test_a_damaged_e01_of_which_every_byte_is_there_is_verified_and_said_to_be_salvaged(
    image: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = bytearray(image("ntfs.E01").read_bytes())
    for name in (b"volume\0", b"table\0"):
        raw[raw.find(name) : raw.find(name) + 40] = b"x" * 40
    disk = tmp_path / "disk.E01"
    disk.write_bytes(raw)
    assert run(["verify", str(disk), "--format", "json"]) == 0
    out, err = capsys.readouterr()
    row = json.loads(out)[0]
    assert row["verdict"] == "verified"
    assert "240 of 240 chunks" in row["salvaged"]
    assert "error: the E01 is damaged" in err


def test_a_damaged_partition_table_is_worked_around_and_said(
    image: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = image("damaged-mbr.raw")
    assert run(["run", str(disk), "--case", str(tmp_path / "case"), "-q"]) == 0
    capsys.readouterr()
    assert run(["status", str(tmp_path / "case"), "--json"]) == 0
    assert '"by_state"' in capsys.readouterr().out
    assert run(["info", str(disk), "--format", "table"]) == 0
    assert "partition table" in capsys.readouterr().err


def test_a_bug_of_ours_is_one_line_too(monkeypatch: pytest.MonkeyPatch, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("two\nlines \x1b[31m")

    monkeypatch.setattr("triage.case.store.Case.open", broken)
    assert run(["files", str(world.case)]) == 1
    err = capsys.readouterr().err
    assert err == ("triage: a bug: RuntimeError: two lines \\x1b[31m (set TRIAGE_DEBUG=1 for the traceback, and report it)\n")
    monkeypatch.setenv("TRIAGE_DEBUG", "1")
    with pytest.raises(RuntimeError):
        run(["files", str(world.case)])


def test_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("triage.commands.run.run_case", stop)
    assert run(["run", str(world.image), "--case", str(world.folder / "new")]) == 130
    assert capsys.readouterr().err.strip() == "triage: interrupted (run the same command again: a case goes on where it stopped)"


def every_command() -> list[list[str]]:
    import click

    from triage.cli import cli

    context = click.Context(cli)
    found: list[list[str]] = [[]]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        found.append([name])
        if isinstance(command, click.Group):
            found += [[name, sub] for sub in sorted(command.commands)]
    return found


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_command_has_help_with_an_example(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--help"]) == 0
    out, err = capsys.readouterr()
    assert "Example:" in out
    assert f"triage {' '.join(words)}".strip() in out.partition("Example:")[2]
    assert err == ""
    assert run([*words, "-h"]) == 0


@pytest.mark.parametrize("words", [[], ["audit"], ["plugin"], ["hashset"], ["profile"]], ids=" ".join)
def test_a_group_alone_shows_its_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    out, err = capsys.readouterr()
    assert "Commands:" in out + err
    assert len((out + err).splitlines()) > 5


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("triage")
