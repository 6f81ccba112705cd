"""One poisoned medium among fifty: the other forty-nine give what they give without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from engine_support import Silent, digest, profile_with
from fat_image import make_fat

from triage.case.store import Case
from triage.cli import run as triage
from triage.engine.run import RunOptions, RunResult, run
from triage.errors import CaseError, EvidenceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

MEDIA = 50
BAD = 17


def run_all(images: Sequence[Path], case: Path, **how: Any) -> RunResult:
    profile = profile_with(stall_seconds=1, orphan_seconds=2)
    return run(RunOptions(evidence=tuple(images), case=case, profile=profile, jobs=how.pop("jobs", 2), **how), Silent())


def rows(case: Path) -> dict[str, list[dict[str, Any]]]:
    """All rows and findings of a case by the name of their medium's file."""
    with Case.open(case) as opened:
        names = {e.id: e.paths[0].rpartition("/")[2] for e in opened.evidence_records()}
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in names.values()}
        for row in opened.files():
            found[names[row["evidence"]]].append(row)
    return found


def said(case: Path) -> list[dict[str, Any]]:
    with Case.open(case) as opened:
        return list(opened.problems())


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("batch")
    images = [folder / f"disk{n:02}.raw" for n in range(MEDIA)]
    for n, image in enumerate(images):
        content = {"A.TXT": b"alpha\n" * n, f"DIR/N{n}.TXT": f"number {n}\n".encode() * 20, "GONE.TXT": b"gone\n" * 9}
        image.write_bytes(make_fat(content, frozenset({"GONE.TXT"}), serial=7000 + n))
    return images


@pytest.fixture(scope="module")
def others(media: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What forty-nine give without the one in their midst."""
    case = tmp_path_factory.mktemp("others") / "case"
    assert run_all([m for n, m in enumerate(media) if n != BAD], case).complete
    found = rows(case)
    assert len(found) == MEDIA - 1
    assert all(len(r) >= 4 for r in found.values())
    return found


@pytest.mark.slow
def test_a_medium_that_hangs_its_reader_costs_the_others_nothing(
    media: list[Path], others: dict[str, list[dict[str, Any]]], image: Callable[[str], Path], tmp_path: Path
) -> None:
    poison = image("minhang_ext2.raw")
    batch = [*media[:BAD], poison, *media[BAD + 1 :]]
    assert run_all(batch, tmp_path / "case").complete
    found = rows(tmp_path / "case")
    assert found.pop(poison.name)
    assert found == others
    assert any("poison" in p["path"] + p["message"] for p in said(tmp_path / "case"))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["crash", "hang", "abort", "garbage"])
def test_a_medium_that_cannot_be_opened_costs_the_others_nothing(
    how: str, media: list[Path], others: dict[str, list[dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("triage.engine.session._STARTING", 5.0)
    monkeypatch.setenv("TRIAGE_TEST_HOOK", f"open-{how}={media[BAD].name}")
    case = tmp_path / "case"
    result = run_all(media, case)
    assert result.complete
    [line] = result.unreadable
    assert str(media[BAD]) in line
    assert rows(case) == others
    [problem] = [p for p in said(case) if p["stage"] == "engine"]
    assert (problem["severity"], problem["evidence"], problem["entry"]) == ("error", "", None)
    assert f"{media[BAD].name} could not be opened" in problem["message"]
    assert str(media[BAD].parent) not in problem["message"]
    if how == "crash":  # and again: the same, with the same code; then it can be opened, and the case is as if nothing had been
        capsys.readouterr()
        words = ["run", *map(str, media), "--case", str(case), "--jobs", "1", "-q", "--no-report"]
        assert triage(words) == 3
        assert media[BAD].name in capsys.readouterr().err
        monkeypatch.delenv("TRIAGE_TEST_HOOK")
        assert run_all(media, case).unreadable == []
        run_all(media, tmp_path / "fresh")
        assert said(case) == []
        assert digest(case) == digest(tmp_path / "fresh")


@pytest.mark.slow
def test_media_alone_give_what_they_give_together(
    media: list[Path], others: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    for number in range(0, MEDIA, 7):
        if number != BAD:
            case = tmp_path / f"case{number}"
            assert run_all([media[number]], case, jobs=1).complete
            [(name, found)] = rows(case).items()
            fields = [{k: v for k, v in row.items() if k not in ("score", "reasons")} for row in found]
            assert fields == [{k: v for k, v in row.items() if k not in ("score", "reasons")} for row in others[name]]


def test_a_medium_alone_that_cannot_be_opened_ends_the_run(media: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_TEST_HOOK", "open-crash=disk")
    for several in (media[:1], media[:2]):
        with pytest.raises(EvidenceError, match="ended the worker"):
            run_all(several, tmp_path / "case")
        assert not (tmp_path / "case").exists()


def test_a_medium_that_cannot_be_opened_again_leaves_its_results(
    media: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = tmp_path / "case"
    run_all(media[:3], case)
    before = rows(case)
    monkeypatch.setenv("TRIAGE_TEST_HOOK", f"open-crash={media[1].name}")
    assert len(run_all(media[:3], case).unreadable) == 1
    assert rows(case) == before
    monkeypatch.delenv("TRIAGE_TEST_HOOK")
    with pytest.raises(CaseError, match="other evidence"):
        run_all(media[:4], case)
    with pytest.raises(CaseError, match="other evidence"):
        run_all(media[:2], case)


@pytest.mark.parametrize("mistake", ["missing", "folder", "empty", "archive"])
def test_an_operators_mistake_is_refused_before_anything_begins(mistake: str, media: list[Path], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.raw"
    if mistake == "folder":
        wrong.mkdir()
    elif mistake != "missing":
        wrong.write_bytes(b"" if mistake == "empty" else b"7z\xbc\xaf\x27\x1c" + bytes(2000))
    with pytest.raises(EvidenceError):
        run_all([*media[:2], wrong], tmp_path / "case")
    assert not (tmp_path / "case").exists()
