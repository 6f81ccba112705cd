"""What every page of the HTML report has around it: head with the policy and the style, title, ways to the lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.report.html_parts import Markup, join, page_name, tag, text
from triage.report.style import POLICY, STYLE
from triage.report.verdict import clock, evidence_name, number

if TYPE_CHECKING:
    from triage.report.document import Document

_LISTS = (("queue", "queue"), ("findings", "findings"), ("problems", "problems"), ("files", "all files"))
_PARTS = (
    ("examined", "examined"),
    ("queue", "top of the queue"),
    ("counts", "counts"),
    ("hashsets", "hash sets"),
    ("problems", "problems"),
    ("coverage", "coverage"),
    ("reproduce", "reproduce"),
)


def subject(document: Document) -> str:
    """Return what the report is about: the exhibits, or else the names of the evidence."""
    exhibits = [str(name) for name in document.facts.get("exhibits") or () if name]
    return ", ".join(exhibits or [evidence_name(row) for row in document.evidence]) or "no evidence"


def shell(document: Document, title: str, body: Markup, place: str = "") -> str:
    """Return a whole page. ``place`` is the list that it belongs to; empty on the first page."""
    about = subject(document)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", text(f"{title} · {about}" if place else f"Triage report · {about}", 200)),
        tag("style", Markup(STYLE)),
    )
    heading = text(title if place else about, 600)
    header = tag(
        "header",
        tag("a", "Skip to content", href="#content", class_="skip"),
        tag("h1", heading),
        _line(document, place),
        _ways(document, place),
    )
    footer = tag(
        "footer",
        "Made by triage ",
        text((document.facts.get("versions") or {}).get("triage") or "", 40),
        ". Text that comes from evidence is shown with control and direction characters written out, as in ",
        tag("code", "\\u202e"),
        ". This page holds no script and loads nothing.",
    )
    page = tag("html", head, tag("body", header, tag("main", body, id="content"), footer), lang="en")
    return "<!DOCTYPE html>\n" + page + "\n"


def _line(document: Document, place: str) -> Markup:
    facts, times = document.facts, document.times
    parts = [text(subject(document), 300)] if place else ["Triage report"]
    parts += [
        join((label, " ", tag("bdi", text(facts[key], 200), dir="ltr")))
        for label, key in (("case", "case_number"), ("examiner", "examiner"), ("profile", "profile"))
        if facts.get(key)
    ]
    if times.get("started"):
        parts.append(
            join(
                (
                    "run ",
                    text(clock(times["started"])[:16]),
                    " to ",
                    text(clock(times.get("ended"))[:16] or "(not ended)"),
                    " UTC",
                )
            )
        )
    return tag("p", *(tag("span", part) for part in parts), class_="sub")


def _ways(document: Document, place: str) -> Markup:
    up = "../" if place else ""
    totals = {
        "queue": document.totals.queue,
        "findings": document.totals.findings,
        "problems": document.totals.problems,
        "files": document.totals.files,
    }
    lists = [
        tag(
            "a",
            f"{label} ({number(totals[name])})",
            href=f"{up}{name}/{page_name(1)}",
            aria_current="true" if name == place else None,
        )
        for name, label in _LISTS
        if name != "files" or document.all_files
    ]
    if not document.all_files:
        lists.append(tag("span", f"all files ({number(totals['files'])}): triage files, or triage report --all-files"))
    if place:
        return tag(
            "nav",
            tag("a", "first page of the report", href="../index.html"),
            tag("strong", "Full lists"),
            *lists,
            aria_label="Report",
        )
    parts = [tag("a", label, href=f"#{name}") for name, label in _PARTS]
    return tag("nav", tag("strong", "On this page"), *parts, tag("strong", "Full lists"), *lists, aria_label="Report")
