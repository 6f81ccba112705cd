"""Long lists come as pages that open, lead to each other, and cost no memory to write."""

from __future__ import annotations

import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from report_fake_case import FakeCase, file_row, finding_row, plain_parts, problem_row
from report_html_checks import Page

from triage.report.document import build
from triage.report.write import write_report

if TYPE_CHECKING:
    from pathlib import Path


def parsed(path: Path) -> Page:
    page = Page(path.read_text("utf-8"))
    assert page.strange == []
    return page


def findings_case(many: int) -> FakeCase:
    return FakeCase(files=lambda: (file_row(n) for n in range(3)), findings=lambda: (finding_row(n) for n in range(many)))


@pytest.mark.parametrize(("rows", "pages"), [(0, 1), (1, 1), (499, 1), (500, 1), (501, 2), (1000, 2), (1001, 3)])
def test_pages_hold_all_rows_once(rows: int, pages: int, tmp_path: Path) -> None:
    write_report(build(findings_case(rows)), ["html"], tmp_path / "r")
    found = sorted(p.name for p in (tmp_path / "r" / "findings").iterdir())
    assert found == [f"{n:04d}.html" for n in range(1, pages + 1)]
    text = "".join("".join(parsed(tmp_path / "r" / "findings" / name).text) for name in found)
    assert text.count("Taken with a Canon") == rows


def test_problems_name_the_exhibit_where_there_are_several(tmp_path: Path) -> None:
    one = plain_parts()["evidence"][0]
    for number, evidence in enumerate(([one], [one, {**one, "id": "ev-2", "exhibit": "AB/2"}])):
        case = FakeCase(problems=lambda: iter([problem_row(0, evidence="ev-1"), problem_row(1, evidence="ev-2")]), evidence=evidence)
        write_report(build(case), ["html"], tmp_path / str(number))
        text = "".join(parsed(tmp_path / str(number) / "problems" / "0001.html").text)
        assert "ev-1" not in text
        assert ("AB/2 (laptop.E01) vol2" in text) == (number == 1)


def test_every_link_leads_to_a_page_that_is_there(tmp_path: Path) -> None:
    out = tmp_path / "r"
    write_report(build(findings_case(1200)), ["html"], out)
    for path in out.rglob("*.html"):
        page = parsed(path)
        assert page.links
        for link in page.links:
            name, _, fragment = link.partition("#")
            target = (path.parent / name) if name else path
            assert target.resolve().is_file(), (path, link)
            assert not fragment or fragment in parsed(target).ids


def test_pages_lead_back_and_forth(tmp_path: Path) -> None:
    write_report(build(findings_case(1200)), ["html"], tmp_path / "r")
    turners = [[link for link in parsed(tmp_path / "r" / "findings" / f"000{n}.html").links if link[0] == "0"] for n in (1, 2, 3)]
    assert turners == [
        ["0002.html", "0003.html"] * 2,
        ["0001.html", "0001.html", "0003.html", "0003.html"] * 2,
        ["0001.html", "0002.html"] * 2,
    ]


@pytest.mark.parametrize("told", [0, 30, 600, 5000])
def test_pages_are_right_when_the_case_counted_otherwise(told: int, tmp_path: Path) -> None:
    """A run that is still going on adds rows between the count and the list."""
    parts = plain_parts()
    parts["counts"]["entries"] = told
    case = FakeCase(files=lambda: (file_row(n) for n in range(1100)), **parts)
    write_report(build(case), ["html"], tmp_path / "r")
    names = sorted(p.name for p in (tmp_path / "r" / "files").iterdir())
    assert names == ["0001.html", "0002.html", "0003.html"]
    assert "0003.html" in parsed(tmp_path / "r" / "files" / "0001.html").links


def test_pages_of_an_earlier_longer_report_are_gone_and_other_files_stay(tmp_path: Path) -> None:
    out = tmp_path / "r"
    write_report(build(findings_case(1200)), ["html"], out)
    (out / "findings" / "notes.txt").write_text("mine")
    (out / "keep.me").write_text("mine")
    write_report(build(findings_case(10)), ["html"], out)
    assert sorted(p.name for p in (out / "findings").iterdir()) == ["0001.html", "notes.txt"]
    assert (out / "keep.me").read_text() == "mine"


def test_many_findings_are_written_in_seconds(tmp_path: Path) -> None:
    started = time.monotonic()
    write_report(build(findings_case(20_000)), ["html", "json"], tmp_path / "r")
    assert time.monotonic() - started < 20
    assert len(list((tmp_path / "r" / "findings").iterdir())) == 40
    assert (tmp_path / "r" / "index.html").stat().st_size < 100_000
    assert max(p.stat().st_size for p in (tmp_path / "r" / "findings").iterdir()) < 1_000_000


def test_memory_does_not_grow_with_the_list(tmp_path: Path) -> None:
    def peak(many: int) -> int:
        tracemalloc.start()
        try:
            write_report(build(findings_case(many)), ["html", "json", "jsonl", "csv"], tmp_path / str(many))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(1800) < peak(700) + 500_000
