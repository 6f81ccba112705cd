"""Whatever evidence calls itself, a report shows it as text: in every field, in every format."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from payloads import FORMULAS, PAYLOADS
from report_fake_case import FakeCase, file_row, finding_row, plain_parts, problem_row
from report_html_checks import RAW_CONTROL, Page

from triage.escape import show
from triage.report.document import build
from triage.report.html import index
from triage.report.html_parts import Markup, join, path, table, tag
from triage.report.html_shell import shell
from triage.report.write import write_report

if TYPE_CHECKING:
    from pathlib import Path

FORMULA = re.compile(r"\s*[=+\-@＝＋－＠\t\r\n\0]")


def hostile_file(n: int, text: str) -> dict[str, Any]:
    return file_row(
        n,
        path=f"vol1/{text}",
        name=text,
        exhibit=text,
        name_raw=text,
        kind=text,
        state=text,
        recoverability=text,
        mtime=text,
        atime=text,
        ctime=text,
        crtime=text,
        time_basis=text,
        mime=text,
        type=text,
        category=text,
        md5=text,
        sha1=text,
        sha256=text,
        known=text,
        outcome=text,
        outcome_reason=text,
        link_target=text,
        parent=text,
        matches=[{"set": text, "meaning": text, "category": text, "how": text, "distance": text}],
        reasons=[{"rule": text, "points": text, "text": text}],
        runs=[[text, text]],
    )


def hostile_finding(n: int, text: str) -> dict[str, Any]:
    return finding_row(
        n, path=text, plugin=text, kind=text, title=text, data={text: text, "list": [text, {text: text}], "n": 1.5}, ranges=[[text, text]]
    )


def hostile_problem(n: int, text: str) -> dict[str, Any]:
    return problem_row(n, severity=text, stage=text, message=text, detail=text, path=text, plugin=text, evidence=text, volume=text)


def hostile_parts(text: str) -> dict[str, Any]:
    """Every text of the small facts is the payload; numbers, and the keys that the case itself makes, stay."""
    ours = {"case_number", "examiner", "exhibits", "profile"}

    def poison(value: Any, key: str = "") -> Any:
        if isinstance(value, str):
            return text
        if isinstance(value, list):
            return [poison(v) for v in value]
        if isinstance(value, dict):
            poisoned = {k: poison(v, k) for k, v in value.items()}
            if key in {"facts", "stored_digests", "versions", "skipped_why"} or key.startswith("by_"):
                poisoned[text] = next(iter(poisoned.values()), text)
            return poisoned
        return value

    parts = {key: poison(value, key) for key, value in plain_parts().items()}
    assert ours <= parts["run_facts"].keys()
    parts["coverage"]["locked_volumes"] = [text]
    parts["coverage"]["unreadable_volumes"] = [text]
    parts["evidence"][0]["fingerprint_state"] = "CHANGED"
    return parts


def report_of(case: FakeCase, out: Path, formats: tuple[str, ...] = ("html", "json", "jsonl", "csv")) -> Path:
    write_report(build(case), formats, out)
    return out


@pytest.fixture(scope="module")
def all_payloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in which each payload stands in every field of a files, queue, finding and problem row."""
    case = FakeCase(
        files=lambda: (hostile_file(n, text) for n, text in enumerate(PAYLOADS)),
        findings=lambda: (hostile_finding(n, text) for n, text in enumerate(PAYLOADS)),
        problems=lambda: (hostile_problem(n, text) for n, text in enumerate(PAYLOADS)),
    )
    return report_of(case, tmp_path_factory.mktemp("hostile") / "report")


def test_the_corpus_is_large_and_varied() -> None:
    assert len(set(PAYLOADS)) >= 200


def test_rows_of_hostile_text_add_nothing_to_any_page(all_payloads: Path) -> None:
    pages = sorted(all_payloads.rglob("*.html"))
    assert len(pages) == 5
    for page in pages:
        assert Page(page.read_text("utf-8")).strange == []


def test_rows_of_hostile_text_have_the_shape_of_rows_of_harmless_text(all_payloads: Path, tmp_path: Path) -> None:
    harmless = FakeCase(
        files=lambda: (hostile_file(n, f"harmless{n}") for n, _ in enumerate(PAYLOADS)),
        findings=lambda: (hostile_finding(n, f"harmless{n}") for n, _ in enumerate(PAYLOADS)),
        problems=lambda: (hostile_problem(n, f"harmless{n}") for n, _ in enumerate(PAYLOADS)),
    )
    plain = report_of(harmless, tmp_path / "plain", ("html",))
    for name in ("queue", "findings", "problems", "files"):
        hostile, other = (Page((folder / name / "0001.html").read_text("utf-8")).elements for folder in (all_payloads, plain))
        for element in ("tr", "td", "table", "a", "img", "h1", "details"):
            assert hostile.count(element) == other.count(element)


@pytest.mark.parametrize("text", PAYLOADS, ids=lambda t: repr(t[:24]).encode("ascii", "backslashreplace").decode())
def test_hostile_facts_add_nothing_to_the_first_page(text: str) -> None:
    case = FakeCase(
        files=lambda: iter([hostile_file(0, text)]),
        findings=lambda: iter([hostile_finding(0, text)]),
        problems=lambda: iter([hostile_problem(0, text)]),
        **hostile_parts(text),
    )
    document = build(case)
    page = Page(shell(document, "Triage report", index(document)))
    assert page.strange == []
    assert show(text)[:40] in "".join(page.text)


def test_every_payload_can_be_read_on_the_page_as_what_it_was(all_payloads: Path) -> None:
    page = "".join(Page((all_payloads / "findings" / "0001.html").read_text("utf-8")).text)
    missing = [text for text in PAYLOADS if show(text[:600]) not in page]
    assert missing == []


def test_csv_cells_are_inert(all_payloads: Path) -> None:
    for name in ("files", "queue", "findings", "problems"):
        raw = (all_payloads / f"{name}.csv").read_bytes()
        assert raw.startswith(b"\xef\xbb\xbf")
        content = raw.decode("utf-8-sig")
        assert RAW_CONTROL.search(content.replace("\r\n", "")) is None
        rows = list(csv.reader(io.StringIO(content, newline="")))
        assert len(rows) == len(PAYLOADS) + 1
        assert {len(row) for row in rows} == {len(rows[0])}
        numbers = {rows[0].index(c) for c in ("score", "size") if c in rows[0]}
        assert [c for row in rows for i, c in enumerate(row) if i not in numbers and c[:1] in tuple("=+-@\t\r\n\0＝＋－＠") and c] == []


def test_csv_split_at_semicolons_is_inert_too(all_payloads: Path) -> None:
    """Where the comma is the decimal sign, a spreadsheet splits these files at semicolons."""
    for line in (all_payloads / "findings.csv").read_text("utf-8-sig").splitlines():
        for part in re.split(r";", line)[1:]:
            assert not FORMULA.match(part.lstrip()), part


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_in_a_cell_is_marked_as_text(text: str, tmp_path: Path) -> None:
    out = report_of(FakeCase(findings=lambda: iter([finding_row(0, title=text)])), tmp_path / "r", ("csv",))
    _, row = csv.reader(io.StringIO((out / "findings.csv").read_text("utf-8-sig"), newline=""))
    title = row[5]
    assert not FORMULA.match(title) or title.startswith(("'", '"'))
    assert title.replace("'", "") == show(text).replace("'", "")


def test_json_holds_exactly_what_was_there(all_payloads: Path) -> None:
    document = json.loads((all_payloads / "report.json").read_bytes())
    assert [row["name"] for row in document["queue"]] == PAYLOADS
    assert [row["title"] for row in document["findings"]] == PAYLOADS
    assert [row["message"] for row in document["problems"]] == PAYLOADS
    for name, field in (("files", "name"), ("queue", "name"), ("findings", "title"), ("problems", "message")):
        lines = (all_payloads / f"{name}.jsonl").read_bytes().split(b"\n")
        assert lines.pop() == b""
        assert [json.loads(line)[field] for line in lines] == PAYLOADS
    assert (all_payloads / "report.json").read_bytes().isascii()


def test_plain_text_is_escaped_without_being_asked() -> None:
    assert tag("p", "<b>", id="a") == '<p id="a">&lt;b&gt;</p>'
    assert tag("p", alt='"><b>') == '<p alt="&quot;&gt;&lt;b&gt;"></p>'
    assert tag("p", tag("b", "x")) == "<p><b>x</b></p>"
    assert join(["<", tag("b")], ">") == "&lt;&gt;<b></b>"


def test_markup_added_to_text_is_text_again() -> None:
    forged = tag("b", "x") + "<i>"
    assert not isinstance(forged, Markup)
    assert "<i>" not in tag("p", forged)
    assert "<i>" not in table("t", [], [Markup(tag("tr", "<i>"))])


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("script", {}),
        ("iframe", {}),
        ("svg", {}),
        ("p", {"style": "x"}),
        ("p", {"onclick": "x"}),
        ("a", {"href": "javascript:1"}),
        ("a", {"href": "//x.example"}),
        ("a", {"href": "queue/0001.html\n"}),
        ("a", {"href": "../../x.html"}),
        ("a", {"href": ""}),
        ("img", {"src": "http://x.example"}),
        ("img", {"src": "data:image/svg+xml;base64,AAAA"}),
    ],
)
def test_what_is_not_ours_cannot_be_built(name: str, attributes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"list|links|pictures"):
        tag(name, **attributes)


def test_paths_wrap_behind_slashes_only_outside_of_entities() -> None:
    assert path("a/<b>/c'd") == '<bdi dir="ltr" class="path">a/<wbr>&lt;b&gt;/<wbr><b>c&#x27;d</b></bdi>'
