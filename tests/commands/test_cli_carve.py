"""``triage carve``: files, their list and DFXML, without a case; and one clear line for whatever is wrong."""

from __future__ import annotations

import hashlib
import json
import stat
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from triage.cli import run

sys.path.append(str(Path(__file__).resolve().parents[1] / "engine"))
import carved_media


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, bytes]]:
    path = tmp_path_factory.mktemp("carve") / "medium.raw"
    return path, carved_media.build(path)


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "carved.jsonl").read_text(encoding="ascii").splitlines()]


@pytest.fixture(scope="module")
def carved(medium: tuple[Path, dict[int, bytes]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "new" / "folder"
    assert run(["carve", str(medium[0]), "--out", str(out), "--quiet"]) == 0
    return out


def test_every_file_is_there_under_the_name_of_its_place(medium: tuple[Path, dict[int, bytes]], carved: Path) -> None:
    found = {int(p.stem): p.read_bytes() for p in (carved / "complete").iterdir()}
    assert found == medium[1]
    assert sorted(p.name for p in carved.iterdir()) == ["carved.dfxml", "carved.jsonl", "complete", "inside", "partial"]
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o440 for p in (carved / "complete").iterdir())


def test_the_list_says_where_bytes_lie_and_what_they_are(medium: tuple[Path, dict[int, bytes]], carved: Path) -> None:
    listed = rows(carved)
    assert [r["runs"][0][0] for r in listed] == sorted(medium[1])
    for row in listed:
        data = medium[1][row["runs"][0][0]]
        assert row["runs"] == [[row["runs"][0][0], len(data)]]
        assert (row["sha256"], row["md5"]) == (hashlib.sha256(data).hexdigest(), hashlib.md5(data).hexdigest())
        assert row["file"] == f"complete/{row['path'].rpartition('/')[2]}"
        assert (row["structure"], row["area"], row["problem"]) == ("complete", "volume", "")
        assert row["confidence"] >= 80
        assert row["why"]


def test_dfxml_has_the_same_runs_and_digests(carved: Path) -> None:
    space = {"d": "http://www.forensicswiki.org/wiki/Category:Digital_Forensics_XML"}
    root = ET.parse(carved / "carved.dfxml").getroot()
    objects = root.findall("d:fileobject", space)
    listed = rows(carved)
    assert len(objects) == len(listed)
    for one, row in zip(objects, listed, strict=True):
        assert one.findtext("d:filename", namespaces=space) == row["file"]
        assert int(one.findtext("d:filesize", "0", space)) == row["size"]
        runs = one.findall("d:byte_runs/d:byte_run", space)
        assert [[int(r.get("img_offset", "")), int(r.get("len", ""))] for r in runs] == row["runs"]
        assert {h.get("type"): h.text for h in one.findall("d:hashdigest", space)} == {k: row[k] for k in ("md5", "sha1", "sha256")}


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_the_number_of_workers_changes_nothing(jobs: str, medium: tuple[Path, dict[int, bytes]], carved: Path, tmp_path: Path) -> None:
    assert run(["carve", str(medium[0]), "--out", str(tmp_path / "out"), "--jobs", jobs, "--quiet"]) == 0
    for name in ("carved.jsonl", "carved.dfxml"):
        assert (tmp_path / "out" / name).read_bytes() == (carved / name).read_bytes()


def test_one_format_can_be_asked_for(medium: tuple[Path, dict[int, bytes]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["carve", str(medium[0]), "--out", str(tmp_path / "out"), "--type", "gif", "--format", "json"]) == 0
    (counted,) = json.loads(capsys.readouterr().out)
    gifs = [data for data in medium[1].values() if data.startswith(b"GIF8")]
    assert counted == {
        "extension": "gif",
        "complete": len(gifs),
        "fragmented": 0,
        "damaged": 0,
        "truncated": 0,
        "bytes": sum(map(len, gifs)),
    }


def test_what_is_not_sure_enough_is_listed_and_not_written(medium: tuple[Path, dict[int, bytes]], tmp_path: Path) -> None:
    assert run(["carve", str(medium[0]), "--out", str(tmp_path / "out"), "--confidence", "95", "--quiet"]) == 0
    listed = rows(tmp_path / "out")
    assert len(listed) == len(medium[1])
    assert {r["confidence"] >= 95 for r in listed if r["file"] is None} <= {False}
    assert len(list((tmp_path / "out" / "complete").iterdir())) == sum(r["confidence"] >= 95 for r in listed) > 0


def test_pieces_around_a_living_file_are_one_file(tmp_path: Path) -> None:
    """The whole medium is one string here; in two gaps around a file system the file would be read across it."""
    data = carved_media.picture(7)
    path = tmp_path / "medium.raw"
    path.write_bytes(bytes(4096) + data[:4096] + bytes(8192) + data[4096:] + bytes(9000))
    assert run(["carve", str(path), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    (row,) = rows(tmp_path / "out")
    assert (row["structure"], row["sha256"]) == ("fragmented", hashlib.sha256(data).hexdigest())
    assert row["runs"] == [[4096, 4096], [16384, len(data) - 4096]]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--type", "jpge"], 2, "no carved format is called 'jpge' (known: "),
        (["--slack", "--whole"], 2, "exclude each other"),
        (["--confidence", "101"], 2, "101"),
    ],
)
def test_a_wrong_argument_is_one_line_and_leaves_nothing(
    arguments: list[str], code: int, said: str, medium: tuple[Path, dict[int, bytes]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["carve", str(medium[0]), "--out", str(tmp_path / "out"), *arguments]) == code
    err = capsys.readouterr().err
    assert said in err
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_is_refused(
    medium: tuple[Path, dict[int, bytes]], carved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["carve", str(medium[0]), "--out", str(carved)]) == 7
    assert "is not empty" in capsys.readouterr().err


def test_evidence_that_is_not_there_leaves_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["carve", str(tmp_path / "no.raw"), "--out", str(tmp_path / "out")]) == 3
    assert not (tmp_path / "out").exists()
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_slack_is_searched_at_every_byte_when_asked(image: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, more in enumerate(([], ["--slack"])):
        assert run(["carve", str(image("ntfs.E01")), "--out", str(tmp_path / str(number)), *more, "--format", "json"]) == 0
    assert "1 area" not in capsys.readouterr().err
    assert len(rows(tmp_path / "1")) >= len(rows(tmp_path / "0"))


def test_a_worker_that_is_lost_over_a_candidate_costs_that_one(
    medium: tuple[Path, dict[int, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = sorted(medium[1])[3]
    monkeypatch.setenv("TRIAGE_TEST_HOOK", f"carve-crash=0:{victim}")
    assert run(["carve", str(medium[0]), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    assert {r["runs"][0][0] for r in rows(tmp_path / "out")} == set(medium[1]) - {victim}
    assert f"what begins at byte {victim} could not be searched" in capsys.readouterr().err


def test_evidence_is_not_changed(medium: tuple[Path, dict[int, bytes]], tmp_path: Path) -> None:
    before = (medium[0].stat().st_mtime_ns, hashlib.sha256(medium[0].read_bytes()).hexdigest(), sorted(medium[0].parent.iterdir()))
    assert run(["carve", str(medium[0]), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    assert before == (medium[0].stat().st_mtime_ns, hashlib.sha256(medium[0].read_bytes()).hexdigest(), sorted(medium[0].parent.iterdir()))


def test_the_search_for_pieces_can_be_left_out(tmp_path: Path) -> None:
    data = carved_media.picture(7)
    path = tmp_path / "medium.raw"
    path.write_bytes(bytes(4096) + data[:4096] + bytes(8192) + data[4096:] + bytes(9000))
    assert run(["carve", str(path), "--out", str(tmp_path / "out"), "--no-join", "--quiet"]) == 0
    assert [(r["structure"], r["file"]) for r in rows(tmp_path / "out")] == [("truncated", "partial/000000004096.png")]


def test_what_a_damaged_container_cannot_give_is_said(image: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(image("ntfs.E01").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(b ^ 0x55 for b in data[middle : middle + 4000])
    path = tmp_path / "damaged.E01"
    path.write_bytes(data)
    assert run(["carve", str(path), "--out", str(tmp_path / "out"), "--whole", "--quiet"]) == 0
    assert "bytes cannot be read: what lay there was not found" in capsys.readouterr().err
