"""CSV of any make: any common delimiter, columns by header name in any order, else by the digests' length.

NSRL RDS v2, HashKeeper, iLook and INTERPOL ICSE lists are of this form. Lines are taken one at a time, so that a
stray quote spoils its own line and does not swallow those after it; a quoted field over several lines is
still read where that makes a proper row.
"""

from __future__ import annotations

import csv
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from triage.hashsets.formats.fields import is_digest, record_events, role_of
from triage.hashsets.records import (
    BY_LENGTH_NOTE,
    KEYS,
    LENGTHS,
    OTHER_HEX_LENGTH,
    HashRecord,
    Reject,
    Unkept,
    category_of,
    digest_by_length,
    is_hex,
    parse_digest,
    record_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.hashsets.records import Event
    from triage.hashsets.source import Source

_DELIMITERS = (",", ";", "\t", "|")
_ILOOK = {"v1hash": "md5", "v3hash": "md5", "v4hash": "md5"}
"""The first column of iLook's lists, by the version of their form."""
_MAX_JOINED = 50  # lines that one quoted field may run over
_MAX_JOINED_TEXT = 1 << 16  # characters
_HEADER_WITHIN = 10  # lines: a title may stand above the header


class _Layout(NamedTuple):
    """What stands in which column: ``digests`` holds (column, algorithm or ``None`` for by length).

    ``roles``: (column, role) of all columns (:mod:`triage.hashsets.formats.fields`) where the list tells more than digests and a category.
    """

    delimiter: str
    columns: int
    digests: tuple[tuple[int, str | None], ...]
    others: tuple[tuple[int, str], ...]
    category: int | None
    roles: tuple[tuple[int, str], ...] = ()


def looks_like(head: bytes) -> bool:
    """Say whether a header names digests, or most rows hold one among other things."""
    lines = _head_lines(head)
    if not lines:
        return False
    if any(_find_header(line) for line in lines[:_HEADER_WITHIN]):
        return True
    delimiter = _delimiter(lines)
    return sum(_has_digest(text_of(line), delimiter) for line in lines) * 2 > len(lines)


def read(source: Source) -> Iterator[Event]:
    """Yield one record a row."""
    pending: deque[tuple[int, bytes]] = deque()
    lines = source.lines()
    layout: _Layout | None = None
    told = False
    head = _head_lines(source.head)
    header_to_come = any(_find_header(line) for line in head[:_HEADER_WITHIN])
    while True:
        item = pending.popleft() if pending else next(lines, None)
        if item is None:
            return
        if isinstance(item, Reject):
            yield item
            continue
        number, line = item
        if not line.strip() or (layout is None and line.startswith((b"#", b"sep="))):
            continue
        if layout is None and header_to_come:
            layout = _find_header(line)
            if layout is None:
                yield Reject(number, "stands before the line that names the columns")
            continue
        if layout is None:
            layout = _Layout(_delimiter(head or [line]), 0, (), (), None)
        text = text_of(line)
        if '"' in text:
            cells, joined = _quoted(text, layout, lines, pending)
            yield from joined
        else:
            cells = text.split(layout.delimiter)
        for event in _events(number, cells, layout):
            if not layout.columns and not told and isinstance(event, HashRecord) and event.sha256:
                told = True
                yield BY_LENGTH_NOTE
            yield event


def _events(number: int, cells: list[str], layout: _Layout) -> Iterator[Event]:
    if not layout.columns:
        return _row_by_length(number, cells)
    if layout.roles:
        return record_events(number, [(role, _bare(cells[column])) for column, role in layout.roles if column < len(cells)])
    return _row(number, cells, layout)


def _row(number: int, cells: list[str], layout: _Layout) -> Iterator[Event]:
    record: dict[str, bytes] = {}
    refused = False
    for column, algorithm in layout.digests:
        token = _bare(cells[column]) if column < len(cells) else ""
        if not token:
            continue
        try:
            found = digest_by_length(token) if algorithm is None else (algorithm, parse_digest(token, algorithm))
        except ValueError as error:
            refused = True
            yield Reject(number, str(error))
            continue
        if found:
            record.setdefault(*found)
        else:
            refused = True
            yield Reject(number, f"no digest: {len(token)} characters")
    kinds: list[str] = []
    if layout.others:
        kinds = [kind for column, kind in layout.others if column < len(cells) and _bare(cells[column])]
        yield from map(Unkept, kinds)
    if record:
        category = layout.category
        yield record_of(record, category_of(cells[category]) if category is not None and category < len(cells) else "")
    elif kinds and not refused:
        yield Reject(number, f"only digests that are not kept: {', '.join(kinds)}")
    elif not refused:
        yield Reject(number, "no digest in this row")


def _row_by_length(number: int, cells: list[str]) -> Iterator[Event]:
    record: dict[str, bytes] = {}
    others = 0
    for cell in cells:
        token = _bare(cell)
        found = digest_by_length(token)
        if found:
            record.setdefault(*found)
        elif len(token) in OTHER_HEX_LENGTH and is_hex(token.encode()):
            others += 1
            yield Unkept(OTHER_HEX_LENGTH[len(token)])
    if record:
        yield record_of(record)
    else:
        yield Reject(number, "only digests that are not kept" if others else "no digest in this row")


def _bare(cell: str) -> str:
    return cell.strip(" \t\"'")


def _quoted(
    text: str, layout: _Layout, lines: Iterator[tuple[int, bytes] | Reject], pending: deque[tuple[int, bytes]]
) -> tuple[list[str], list[Reject]]:
    """Split a line with quotes, joined with those after it if that ends a quoted field and makes a row."""
    cells = _split(text, layout.delimiter, strict=True)
    if cells is not None:
        return cells, []
    rejects: list[Reject] = []
    if layout.columns and _open_quote(text, layout.delimiter):
        taken: list[tuple[int, bytes]] = []
        whole = text
        while len(taken) < _MAX_JOINED and len(whole) < _MAX_JOINED_TEXT:
            item = pending.popleft() if pending else next(lines, None)
            if item is None or isinstance(item, Reject):
                rejects += [item] if item else []
                break
            taken.append(item)
            whole += "\n" + text_of(item[1])
            cells = _split(whole, layout.delimiter, strict=True)
            if cells is not None:
                if len(cells) == layout.columns:
                    return cells, rejects
                break
        pending.extendleft(reversed(taken))
    return _split(text, layout.delimiter, strict=False) or [], rejects


def _open_quote(text: str, delimiter: str) -> bool:
    try:
        next(csv.reader([text], delimiter=delimiter, strict=True), None)
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def _split(text: str, delimiter: str, *, strict: bool) -> list[str] | None:
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=strict), [])
    except csv.Error:
        return None if strict else text.split(delimiter)


def _head_lines(head: bytes) -> list[bytes]:
    lines = (line for line in head.splitlines()[:50] if line.strip())
    return [line for line in lines if not line.startswith((b"#", b"sep="))]


def _find_header(line: bytes) -> _Layout | None:
    found = [layout for d in _DELIMITERS if (layout := _header(text_of(line), d))]
    return max(found, key=lambda layout: len(layout.digests) + len(layout.others), default=None)


def _header(text: str, delimiter: str) -> _Layout | None:
    names = _split(text, delimiter, strict=False) or []
    digests: list[tuple[int, str | None]] = []
    others: list[tuple[int, str]] = []
    category = None
    roles = [(column, role) for column, name in enumerate(names) if (role := role_of(_ILOOK.get(_bare(name).lower(), name)))]
    for column, role in roles:
        if role in LENGTHS:
            digests.append((column, role))
        elif role == "digest":
            digests.append((column, None))
        elif is_digest(role):
            others.append((column, role.removeprefix("unkept:")))
        elif role == "category" and category is None:
            category = column
    if not digests and not others:
        return None
    # Sizes and names say something only beside a hash of a part of the file: lists of millions of rows are read without them.
    kept = any(role in KEYS and role not in LENGTHS for _, role in roles) or any(role.startswith("fact:") for _, role in roles)
    return _Layout(delimiter, len(names), tuple(digests), tuple(others), category, tuple(roles) if kept else ())


def _delimiter(lines: list[bytes]) -> str:
    return max(_DELIMITERS, key=lambda d: sum(_has_digest(text_of(line), d) for line in lines))


def _has_digest(text: str, delimiter: str) -> bool:
    return any(digest_by_length(_bare(cell)) for cell in _split(text, delimiter, strict=False) or [])
