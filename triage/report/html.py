"""The HTML report: ``index.html`` and the full lists as numbered pages beside it.

No script, nothing loaded, links to our own pages only; it opens from a USB stick and prints. See
``docs/reports.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.report import html_pages
from triage.report.html_examined import examined
from triage.report.html_facts import counts, coverage, hashsets, problems, reproduce
from triage.report.html_parts import Markup, join, page_name, table, tag, text
from triage.report.html_rows import queue_row
from triage.report.html_shell import shell
from triage.report.verdict import alarms, number, tiles

if TYPE_CHECKING:
    from triage.report.document import Document
    from triage.report.folder import Folder

_ALARMS_SHOWN = 12


def render(document: Document, folder: Folder) -> None:
    """Write ``index.html`` and the pages of every list."""
    html_pages.render(document, folder)
    with folder.text("index.html") as file:
        file.write(shell(document, "Triage report", index(document)))


def index(document: Document) -> Markup:
    """Return the body of the first page: the verdict, what was examined, the top of the queue, then the rest."""
    return join(
        (
            _verdict(document),
            examined(document),
            _queue(document),
            counts(document),
            hashsets(document),
            problems(document),
            coverage(document),
            reproduce(document),
        )
    )


def _verdict(document: Document) -> Markup:
    strip = tag(
        "ul",
        *(
            tag(
                "li",
                tag("span", tile.label, class_="label"),
                tag("span", tile.value, class_="value"),
                tag("span", tile.note, class_="note"),
                class_=tile.tone or None,
            )
            for tile in tiles(document)
        ),
        class_="strip",
        aria_label="Verdict",
    )
    found = alarms(document)
    if not found:
        return strip
    lines = [tag("li", text(line, 500)) for line in found[:_ALARMS_SHOWN]]
    if len(found) > _ALARMS_SHOWN:
        lines.append(tag("li", f"and {len(found) - _ALARMS_SHOWN:,} more; see volumes and coverage below"))
    box = tag(
        "section",
        tag("h2", "Read this first"),
        tag("ul", *lines),
        class_="alarm",
        aria_label="Warnings about this result",
    )
    return join((strip, box))


def _queue(document: Document) -> Markup:
    heading = tag("h2", "Top of the queue: what to look at first, and why", id="queue")
    if not document.top:
        return join((heading, tag("p", "The queue is empty: nothing was scored.", class_="card")))
    total, shown = document.totals.queue, len(document.top)
    several = len(document.evidence) > 1
    body = table(
        "Top of the review queue",
        html_pages.queue_head(document),
        (queue_row(row, document.thumbnails, exhibits=several) for row in document.top),
        class_="list",
        tall=True,
    )
    note = (
        tag(
            "p",
            f"{shown:,} of {number(total)} shown. ",
            tag("a", "The whole queue", href=f"queue/{page_name(1)}"),
            class_="small dim",
        )
        if total > shown
        else None
    )
    pictures = tag("p", text(document.pictures, 300), class_="small dim") if document.pictures else None
    return join((heading, pictures, body, note))
