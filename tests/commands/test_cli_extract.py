"""``triage extract`` writes into its own folder, under names of ours, whatever evidence or whoever shares the folder tries."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from typing import TYPE_CHECKING, Any

import pytest
from ext_image import ROOT, ExtImage

from triage.cli import run
from triage.commands.extract import LIST

if TYPE_CHECKING:
    from pathlib import Path

ODD = [b"../../../../tmp/evil", b"..\\..\\evil", b"/var/evil", b"C:\\evil", b"C:evil", b"CON", b"aux.txt", b"NUL", b"LPT1.log", b"COM9",
       b"trail.", b"trail ", b"a:b", b"a.txt::$DATA", b"Readme.txt", b"README.TXT", b"readme.TXT", b".partial", LIST.encode(), b"-rf",
       b"\xff\xfe", b"\xc0\xaf", "e\u0301".encode(), "\u00e9".encode(), "\U0001f600".encode() * 63, b"x" * 255, b"*", b"?", b"~", b"$(id)",
       b"a\nb", b"\x1b[2J", "\u202e".encode(), b"|", b"> evil", b"\\\\x.example\\share", b"\\\\.\\PhysicalDrive0"]


def listed(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / LIST).read_text(encoding="ascii").splitlines()]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = ExtImage(block=4096)
    folder = image.directory(b"odd")
    for number, name in enumerate(ODD):
        image.file(name, b"content %d" % number, folder)
    image.file(b"same1", b"the same bytes", folder)
    image.file(b"same2", b"the same bytes", folder)
    image.link(b"link", b"/etc/passwd", folder)
    image.link(b"link to a folder", b"../../../../etc", folder)
    image.special(b"disk", 0o060666, folder)
    image.special(b"tty", 0o020666, folder)
    image.special(b"pipe", 0o010666, folder)
    image.special(b"socket", 0o140666, folder)
    path = tmp_path_factory.mktemp("odd") / "odd.raw"
    path.write_bytes(image.build())
    return path


def test_every_odd_name_is_copied_under_a_name_of_ours(odd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert run(["extract", str(odd), "vol1/odd", "--out", str(tmp_path / "a" / "out")]) == 0
    out = tmp_path / "a" / "out"
    rows = listed(out)
    assert len(rows) == len(ODD) + 2
    assert {hashlib.sha256(b"content %d" % n).hexdigest() for n in range(len(ODD))} <= {r["sha256"] for r in rows}
    assert {p.name for p in out.iterdir()} == {r["file"] for r in rows} | {LIST}
    assert len({p.name.lower() for p in out.iterdir()}) == len(ODD) + 2, "two with the same bytes are one file"
    assert all(stat.S_ISREG(p.lstat().st_mode) and p.lstat().st_nlink == 1 for p in out.iterdir())
    assert sorted(tmp_path.iterdir()) == [*before, tmp_path / "a"]
    said = capsys.readouterr().err
    assert "6 links, devices and the like were not made" in said


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_copies_are_read_only_and_their_folder_private(odd: Path, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        assert run(["extract", str(odd), "vol1/odd", "--out", str(tmp_path / "out")]) == 0
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "out").iterdir()}
    assert modes.pop(LIST) == 0o600
    assert set(modes.values()) == {0o440}


@pytest.mark.parametrize("plant", ["link to a file", "link to a folder", "file", "folder is a link", "folder is a file"])
def test_what_was_planted_in_the_way_is_refused_and_untouched(
    plant: str, odd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    victim, elsewhere, out = tmp_path / "victim", tmp_path / "elsewhere", tmp_path / "out"
    victim.write_text("precious")
    elsewhere.mkdir()
    if plant == "folder is a link":
        out.symlink_to(elsewhere)
    elif plant == "folder is a file":
        out.write_text("precious")
    else:
        out.mkdir()
        if plant == "file":
            (out / "mine").write_text("x")
        else:
            (out / LIST).symlink_to(victim if plant == "link to a file" else elsewhere)
    assert run(["extract", str(odd), "vol1/odd", "--out", str(out)]) == 7
    assert capsys.readouterr().err.count("\n") == 1
    assert victim.read_text() == "precious"
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(os.open not in os.supports_dir_fd, reason="the folder is held by its path alone on this system")
@pytest.mark.parametrize("name", [LIST, ".partial"])
def test_a_link_that_is_planted_while_copies_are_made_is_not_followed(
    name: str, odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from triage.commands import extract

    victim, out = tmp_path / "victim", tmp_path / "out"
    victim.write_text("precious")
    ours = extract._copy

    def plant(*arguments: Any) -> Any:
        (out / name).symlink_to(victim)
        return ours(*arguments)

    monkeypatch.setattr(extract, "_copy", plant)
    assert run(["extract", str(odd), "vol1/odd", "--out", str(out)]) == 7
    assert "cannot be written" in capsys.readouterr().err
    assert victim.read_text() == "precious"


@pytest.mark.skipif(os.open not in os.supports_dir_fd, reason="the folder is held by its path alone on this system")
def test_copies_stay_in_the_folder_that_was_opened_when_another_takes_its_place(
    odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from triage.commands import extract

    out, moved, other = tmp_path / "out", tmp_path / "moved", tmp_path / "other"
    other.mkdir()
    ours = extract._copy

    def swap(*arguments: Any) -> Any:
        out.rename(moved)
        out.symlink_to(other)
        return ours(*arguments)

    monkeypatch.setattr(extract, "_copy", swap)
    assert run(["extract", str(odd), "vol1/odd", "--out", str(out)]) == 0
    assert list(other.iterdir()) == []
    assert len(list(moved.iterdir())) > len(ODD)


def test_terabytes_of_holes_take_neither_hours_nor_room(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = ExtImage(block=4096)
    image.file(b"monster", b"x", ROOT, gap=5, size=4 << 40)
    image.file(b"hole", b"the end", ROOT, gap=25_000, size=25_000 * 4096 + 7)
    (tmp_path / "m.raw").write_bytes(image.build(2048))
    assert run(["extract", str(tmp_path / "m.raw"), "vol1/monster", "vol1/hole", "--out", str(tmp_path / "out")]) == 3
    rows = {r["path"]: r for r in listed(tmp_path / "out")}
    assert rows["vol1/monster"]["file"] is None
    assert "3 times the medium" in rows["vol1/monster"]["problem"]
    copy = tmp_path / "out" / rows["vol1/hole"]["file"]
    assert copy.stat().st_size == 25_000 * 4096 + 7
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == rows["vol1/hole"]["sha256"]
    assert copy.read_bytes().endswith(b"\0the end")
    if sys.platform == "linux":
        assert copy.stat().st_blocks * 512 < 4 << 20
    assert "1 of 2 entries could not be read whole" in capsys.readouterr().err
