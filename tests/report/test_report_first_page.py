"""The first page tells, before anything else, what was found and what the result can be trusted for."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from report_fake_case import FakeCase, file_row, plain_parts, problem_row
from report_html_checks import Page

from triage.report.document import OTHER_MESSAGES, TOP, build
from triage.report.html import index
from triage.report.html_shell import shell


def page_of(case: FakeCase, **more: Any) -> tuple[Page, str]:
    document = build(case, **more)
    page = Page(shell(document, "Triage report", index(document)))
    assert page.strange == []
    return page, " ".join(" ".join(page.text).split())


def changed(**parts: dict[str, Any]) -> FakeCase:
    whole = plain_parts()
    for name, changes in parts.items():
        for target in whole[name][:1] if isinstance(whole[name], list) else [whole[name]]:
            target.update(changes)
    return FakeCase(**whole)


def test_a_good_run_raises_no_alarm() -> None:
    _, text = page_of(FakeCase())
    assert "Read this first" not in text
    assert "Coverage complete" in text
    assert "stored digest verified" in text
    assert "unchanged by the run" in text


def test_the_parts_come_in_the_order_in_which_they_are_needed() -> None:
    page, text = page_of(FakeCase())
    assert [i for i in page.ids if i != "content"] == ["examined", "queue", "counts", "hashsets", "problems", "coverage", "reproduce"]
    assert text.index("Notable hits") < text.index("What was examined")
    assert text.index("case 2024-0117") < text.index("examiner M. Okafor") < text.index("Notable hits")


@pytest.mark.parametrize(
    ("parts", "alarm"),
    [
        ({"evidence": {"fingerprint_state": "CHANGED"}}, "Evidence CHANGED while it was examined: AB/1 (laptop.E01)"),
        ({"evidence": {"verification": "mismatch"}}, "does not have the digest that was stored"),
        ({"run_facts": {"finished": False}}, "The run is NOT FINISHED"),
        ({"coverage": {"locked_volumes": ["vol3 (bitlocker)"], "complete": False}}, "Volume vol3 (bitlocker) is LOCKED"),
        ({"coverage": {"unreadable_volumes": ["vol4"], "complete": False}}, "Volume vol4 could NOT BE READ"),
        ({"coverage": {"partly_listed_volumes": ["vol5"], "complete": False}}, "Volume vol5 was listed IN PART"),
        ({"coverage": {"complete": False}}, "Coverage is NOT COMPLETE"),
    ],
)
def test_what_spoils_the_result_stands_above_everything(parts: dict[str, Any], alarm: str) -> None:
    _, text = page_of(changed(**parts))
    assert text.index("Read this first") < text.index(alarm) < text.index("What was examined")


def test_many_volumes_that_were_not_read_are_one_warning() -> None:
    names = [f"vol{n} (NTFS)" for n in range(1, 31)]
    _, text = page_of(changed(coverage={"partly_listed_volumes": names, "locked_volumes": names[:6], "complete": False}))
    assert "30 volumes were listed IN PART" in text
    assert "vol5 (NTFS) and 25 more." in text
    assert "6 volumes are LOCKED" in text
    assert "Volume vol1" not in text


def test_problems_that_differ_in_numbers_alone_are_one_row() -> None:
    def many() -> Any:
        for n in range(1000):
            yield problem_row(n, severity="error", stage="content", message=f"bytes {n} to {n + 512} cannot be read", count=1)

    _, text = page_of(FakeCase(problems=many))
    assert text.count("cannot be read") == 1
    assert "1,000" in text[text.index("bytes 0 to 512") :]


def test_an_unfinished_run_is_never_called_complete() -> None:
    _, text = page_of(changed(run_facts={"finished": False}))
    assert "NOT complete" in text
    assert "Complete." not in text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("no stored hash", "no stored digest, so nothing to verify against"),
        ("incomplete", "a part could not be read"),
        ("mismatch", "does NOT match"),
    ],
)
def test_evidence_that_was_not_verified_does_not_look_verified(state: str | None, words: str) -> None:
    _, text = page_of(changed(evidence={"verification": state, "stored_digests": {}}))
    assert words in text
    assert "digest verified" not in text
    assert "unchanged by the run" in text


@pytest.mark.parametrize(
    ("stored", "words"),
    [({"md5": "0" * 32}, "stored digest not verified"), ({}, "no stored digest, so nothing to verify against")],
)
def test_nothing_is_called_unverified_that_cannot_be_verified(stored: dict[str, str], words: str) -> None:
    _, text = page_of(changed(evidence={"verification": "not verified", "stored_digests": stored}))
    assert words in text
    assert "stored digest verified" not in text


@pytest.mark.parametrize(
    ("state", "words", "alarm"),
    [
        ("unchanged (SHA-256 of all bytes " + "0" * 64 + ")", "unchanged by the run", False),
        ("CHANGED", "CHANGED during the run", True),
        ("not checked", "fingerprint not checked after the run", False),
    ],
)
def test_the_fingerprint_is_told_with_how_it_was_checked(state: str, words: str, alarm: bool) -> None:
    _, text = page_of(changed(evidence={"fingerprint_state": state}))
    assert words in text
    assert state in text
    assert ("Read this first" in text) is alarm


def test_no_hit_without_a_list_is_not_shown_as_good_news() -> None:
    parts = plain_parts()
    parts["hashsets"] = []
    parts["counts"]["by_known"] = {}
    _, text = page_of(FakeCase(**parts))
    assert "Notable hits 0 no list of notable files was used" in text
    assert "no list was used" in text


def test_the_top_of_the_queue_says_why() -> None:
    _, text = page_of(FakeCase(files=lambda: [file_row(2)]))
    for part in (
        "+100 on a list of notable files",
        "+45 picture in a user's folder",
        "-5 smaller than 64 KiB",
        "zone unknown",
        "modified 2023-07-04 18:22",
        file_row(2)["sha256"],
        "2023-07-04 18:22:31.1234567",
    ):
        assert part in text


def test_only_the_head_of_a_long_queue_is_on_the_first_page() -> None:
    page, text = page_of(FakeCase(files=lambda: (file_row(n) for n in range(TOP + 20))))
    assert f"{TOP} of {TOP + 20} shown." in text
    assert "queue/0001.html" in page.links


def test_an_empty_case_is_a_page_too() -> None:
    parts = {**plain_parts(), "evidence": [], "volumes": [], "hashsets": [], "coverage": {}, "counts": {}, "run_facts": {}, "run_times": {}}
    _, text = page_of(FakeCase(files=list, findings=list, problems=list, **parts))
    assert "The queue is empty" in text
    assert "No evidence is recorded." in text
    assert "NOT FINISHED" in text


def test_a_name_that_was_escaped_says_so() -> None:
    _, text = page_of(FakeCase(files=lambda: [file_row(0, path="vol1/rtl\u202egpj.exe")]))
    assert "rtl\\u202egpj.exe" in text
    assert "name shown escaped" in text


def test_folders_of_the_examiners_disk_are_not_shown() -> None:
    _, text = page_of(FakeCase())
    assert "laptop.E01 and 1 more segment" in text
    assert "/srv/exhibits" not in text


def test_problems_are_grouped_without_their_numbers_and_the_worst_come_first() -> None:
    case = FakeCase(
        problems=lambda: [
            *(problem_row(0, severity="warning", message=f"chunk {n} is damaged", count=1) for n in range(5)),
            problem_row(0, severity="error", message="volume cannot be read", count=3),
        ]
    )
    groups = build(case).problem_groups
    assert [(g.severity, g.message, g.count) for g in groups] == [
        ("error", "volume cannot be read", 3),
        ("warning", "chunk 0 is damaged", 5),
    ]


def test_endlessly_different_problems_are_counted_without_being_kept() -> None:
    letters = "abcdefghijklmnopqrst"
    case = FakeCase(
        problems=lambda: (problem_row(0, message=a + b + c + d, count=1) for a in letters for b in letters for c in letters for d in "ab")
    )
    document = build(case)
    total = len(letters) ** 3 * 2
    assert document.totals.problems == document.totals.problems_by_severity["warning"] == total
    assert (document.problem_groups[0].message, document.problem_groups[0].count) == (OTHER_MESSAGES, total - 2000)


def test_the_policy_allows_this_style_and_nothing_that_runs_or_loads() -> None:
    page, _ = page_of(FakeCase())
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert page.policy == (f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'")
    assert "url(" not in page.style
    assert "@import" not in page.style


def test_pictures_are_shown_only_when_they_were_asked_for_and_are_jpegs() -> None:
    row = file_row(0)
    case = FakeCase(files=lambda: [row])
    assert "img" not in page_of(case)[0].elements
    jpeg = b"\xff\xd8\xff\xe0rest"
    page, text = page_of(case, thumbnails={row["id"]: jpeg}, pictures="grey and blurred")
    assert page.elements.count("img") == 1
    assert "grey and blurred" in text
    assert "img" not in page_of(case, thumbnails={row["id"]: b"<svg onload=alert(1)>"})[0].elements
