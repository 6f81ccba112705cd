"""Every built-in image, run through the main job, holds what its answer key says: names, states, digests, types, matches."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from triage.case.store import Case
from triage.cli import run
from triage.commands.progress import Silent
from triage.engine.run import RunOptions
from triage.engine.run import run as run_case
from triage.priority.profile import load_profile

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGES = Path(__file__).parent / "images"
# The two whose listing hangs inside TSK have tests of their own, with a short stall limit.
NAMES = sorted(p.name.removesuffix(".key.yaml") for p in IMAGES.glob("*.key.yaml") if not p.name.startswith("minhang"))
# FAT forgets where a deleted file went on: one that lay in pieces looks as if what lies between had covered it. It may be judged
# worse than it is, never better.
_NO_BETTER = {"intact": ("partly overwritten", "overwritten"), "partly overwritten": ("overwritten",)}


def _case(path: Path, folder: Path, *hashsets: str) -> Case:
    run_case(RunOptions(evidence=(path,), case=folder, profile=load_profile("full"), hashsets=hashsets), Silent())
    return Case.open(folder)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_holds_what_its_key_says(
    name: str, image: Callable[[str], Path], answer_key: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    key = answer_key(name)
    with _case(
        image(name.removesuffix(".gz")), tmp_path / "case", str(IMAGES / "known-hashes.csv"), f"{IMAGES / 'known-software.txt'}:ignorable"
    ) as case:
        rows: dict[str, list[dict[str, Any]]] = {}
        for row in case.files():
            rows.setdefault(row["path"], []).append(row)
        wrong = [text for entry in key["entries"] for text in _differences(entry, rows, key)]
        assert not wrong, "\n".join(wrong)
        found = {v["offset"]: v for v in case.volumes() if v["number"] is not None}
        assert {v["offset"] for v in key["volumes"]} <= set(found)
        for volume in key["volumes"]:  # a volume found by its signature is as long as its file system's whole clusters
            assert found[volume["offset"]]["size"] == volume["size"] or found[volume["offset"]]["found_by"] == "signature scan"
        locked = [v for v in key["volumes"] if v.get("encryption") not in (None, "none")]
        assert len(case.coverage()["locked_volumes"]) == len(locked)
        queue = {row["path"]: row for row in case.queue()}
        for must in key.get("must_find", []):
            assert must["path"] in rows, must
            if "notable" in must["what"]:
                assert queue[must["path"]]["score"] >= 100


def _differences(entry: dict[str, Any], rows: dict[str, list[dict[str, Any]]], key: dict[str, Any]) -> list[str]:
    """Return what is not as the key says; one of several entries with a path must be."""
    number = int(entry["path"].split("/")[0].removeprefix("vol"))
    file_system = next(v["file_system"] for v in key["volumes"] if v["number"] == number)
    candidates = rows.get(entry["path"], [])
    if not candidates:
        return [f"{entry['path']}: not listed"]
    return min((_compare(entry, row, file_system) for row in candidates), key=len)


def _compare(entry: dict[str, Any], row: dict[str, Any], file_system: str) -> list[str]:
    wrong = []
    for field in ("kind", "state", "size", "recoverability", "md5", "sha1", "sha256", "type", "extension_mismatch", "name_raw", "known"):
        if field not in entry or (field == "size" and entry["kind"] in ("directory", "link", "special")):
            continue
        wanted, found = entry[field], row[field]
        if field == "name_raw" and found is None:
            found = base64.b64encode(row["name"].encode()).decode()
        if field == "recoverability" and "fat" in file_system and found in _NO_BETTER.get(wanted, ()):
            continue
        if wanted != found:
            wrong.append(f"{entry['path']}: {field} is {found!r}, the key says {wanted!r}")
    return wrong


def test_the_demo_ends_with_the_queue_and_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--case", str(tmp_path / "demo")]) == 0
    out = capsys.readouterr().out
    assert "look at first:" in out
    assert "on notable lists: 5" in out
    assert (tmp_path / "demo" / "report" / "index.html").is_file()
    assert str(tmp_path / "demo" / "report" / "index.html") in out


@pytest.mark.skipif(not os.environ.get("TRIAGE_THOROUGH"), reason="for make test-thorough; test_filesystem_poison.py has it too")
def test_phantom_orphans_are_bounded_and_counted(image: Callable[[str], Path], tmp_path: Path) -> None:
    with _case(image("fat-orphans.raw"), tmp_path / "case") as case:
        orphans = sum(1 for row in case.files(where="state=orphan"))
        said = [p["message"] for p in case.problems() if "orphan" in p["message"]]
        assert said, "nothing was said about orphans"
        assert orphans <= 20_000
        assert any(row["path"] == "vol1/real picture.jpg" and row["md5"] for row in case.files())
