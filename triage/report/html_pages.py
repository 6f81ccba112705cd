"""The long lists as numbered static pages: a page at a time, so that memory does not grow with the list."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from triage.report.html_parts import Markup, join, page_name, table, tag
from triage.report.html_rows import (
    FILES_HEAD,
    FINDINGS_HEAD,
    PICTURE_HEAD,
    PROBLEMS_HEAD,
    QUEUE_HEAD,
    files_row,
    findings_row,
    problems_row,
    queue_row,
)
from triage.report.html_shell import shell
from triage.report.verdict import evidence_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from triage.report.document import Document, Row
    from triage.report.folder import Folder

PAGE_ROWS = 500
TITLES = {"queue": "Review queue", "findings": "Findings", "problems": "Problems", "files": "All files"}


def render(document: Document, folder: Folder) -> dict[str, int]:
    """Write the pages of every list and return how many rows each has. An empty list has one page, which says so."""
    heads, rows = _heads(document), _rows(document)
    return {name: _list(document, folder, name, heads[name], rows[name]) for name in TITLES if name != "files" or document.all_files}


def queue_head(document: Document) -> Sequence[tuple[str, str]]:
    """Return the columns of the queue: with one for pictures when there are any."""
    return (*QUEUE_HEAD[:2], PICTURE_HEAD, *QUEUE_HEAD[2:]) if document.thumbnails else QUEUE_HEAD


def _heads(document: Document) -> dict[str, Sequence[tuple[str, str]]]:
    return {
        "queue": queue_head(document),
        "findings": FINDINGS_HEAD,
        "problems": PROBLEMS_HEAD,
        "files": FILES_HEAD,
    }


def _rows(document: Document) -> dict[str, Callable[[Row], Markup]]:
    several = len(document.evidence) > 1
    owners = {str(row.get("id") or ""): evidence_name(row) if several else "" for row in document.evidence}
    return {
        "queue": lambda row: queue_row(row, document.thumbnails, exhibits=several),
        "findings": findings_row,
        "problems": lambda row: problems_row(row, owners),
        "files": lambda row: files_row(row, exhibits=several),
    }


def _list(
    document: Document,
    folder: Folder,
    name: str,
    head: Sequence[tuple[str, str]],
    to_row: Callable[[Row], Markup],
) -> int:
    """Write one list and return its rows.

    Every page names the last one, so the number of rows must be known before. It is taken from the document's
    totals; should the stream turn out to be of another length, it is written once more with what was counted.
    """
    expected: int = getattr(document.totals, name)
    counted = _pass(document, folder, name, head, to_row, expected)
    if _pages(counted) != _pages(expected):
        for page in range(_pages(counted) + 1, _pages(expected) + 1):
            if f"{name}/{page_name(page)}" in folder.written:
                folder.discard(f"{name}/{page_name(page)}")
        _pass(document, folder, name, head, to_row, counted, limit=counted)
    return counted


def _pages(rows: int) -> int:
    return max(1, -(-rows // PAGE_ROWS))


def _pass(
    document: Document,
    folder: Folder,
    name: str,
    head: Sequence[tuple[str, str]],
    to_row: Callable[[Row], Markup],
    expected: int,
    limit: int | None = None,
) -> int:
    rows = islice(getattr(document, name)(), limit)
    last, counted, page = _pages(expected), 0, 0
    while True:
        lines = [to_row(row) for row in islice(rows, PAGE_ROWS)]
        if not lines and page:
            return counted
        page += 1
        first, counted = counted + 1, counted + len(lines)
        body = (
            table(TITLES[name], head, lines, class_="list", tall=True)
            if lines
            else tag("p", "This list is empty: ", _EMPTY[name], class_="card")
        )
        where = f"Rows {first:,} to {counted:,}, page {page:,} of {last:,}" if lines else "No rows"
        with folder.text(f"{name}/{page_name(page)}", replace=True) as file:
            file.write(
                shell(
                    document,
                    TITLES[name],
                    join((_turner(page, last, where), body, _turner(page, last, where))),
                    name,
                )
            )
        if len(lines) < PAGE_ROWS:
            return counted


_EMPTY = {
    "queue": "nothing was scored.",
    "findings": "no analyzer found anything in what was looked at.",
    "problems": "nothing went wrong in what was looked at.",
    "files": "no entry was listed.",
}


def _turner(page: int, last: int, where: str) -> Markup:
    """Return the links between pages; one that would lead to where the reader is stands as plain text."""
    links = (
        ("first", 1, page > 1),
        ("previous", page - 1, page > 1),
        ("next", page + 1, page < last),
        ("last", last, page < last),
    )
    return tag(
        "nav",
        tag("span", where),
        *(tag("a", label, href=page_name(target)) if there else tag("span", label, class_="off") for label, target, there in links),
        class_="pages",
        aria_label="Pages",
    )
