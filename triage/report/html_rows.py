"""Table rows of the HTML report: a queue or files row, a finding, a problem."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from triage.escape import show
from triage.report.document import occurrences
from triage.report.html_parts import Markup, badge, facts, join, path, picture, raw, row, tag, text
from triage.report.verdict import number, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from triage.report.document import Row

QUEUE_HEAD = (
    ("Rank", "c-rank n"),
    ("Score", "c-score n"),
    ("File", "c-file"),
    ("State, type, size", "c-state"),
    ("Why", "c-why"),
    ("Times", "c-time"),
    ("Details", "c-more"),
)
PICTURE_HEAD = ("Picture", "c-pic")
FILES_HEAD = (
    ("File", "c-file"),
    ("State, type, size", "c-state"),
    ("On lists", "c-lists"),
    ("Score", "c-score n"),
    ("Times", "c-time"),
    ("Details", "c-more"),
)
FINDINGS_HEAD = (("Kind", "c-kind"), ("What", "c-what"), ("Where", "c-where"), ("Data", "c-data"))
PROBLEMS_HEAD = (
    ("Severity", "c-sev"),
    ("Stage", "c-stage"),
    ("What happened", "c-what"),
    ("Where", "c-where"),
    ("Times", "c-count n"),
)

_BASIS = {"utc": "UTC", "local": "local, zone unknown", "unknown": "zone unknown"}
_MEANING_TONE = {"notable": "bad", "known": "", "ignorable": "quiet"}
_SEVERITY_TONE = {"error": "bad", "warning": "warn", "info": "quiet"}
_STATE_TONE = {"deleted": "warn", "orphan": "warn", "carved": "warn"}
_RECOVERABLE_TONE = {"intact": "good", "partly overwritten": "warn", "overwritten": "bad"}
_TIMES = (("modified", "mtime"), ("created", "crtime"), ("accessed", "atime"), ("changed", "ctime"))
_RUNS_SHOWN = 6
_REASONS_SHOWN = 8
_MATCHES_SHOWN = 6
_DATA_SHOWN = 24


def queue_row(item: Row, thumbnails: Mapping[str, bytes], *, exhibits: bool = True) -> Markup:
    """Return a row of the queue; with a cell for the picture when there are ``thumbnails``, and with the exhibit if told to."""
    cells: list[tuple[Markup | str | None, str]] = [
        (text(number(item.get("rank"))), "n"),
        (text(number(item.get("score"))), "n score"),
        (_file(item, exhibits), ""),
        (_state(item), ""),
        (_why(item), "small"),
        (_times(item), "small"),
        (_more(item), "small"),
    ]
    if thumbnails:
        cells.insert(2, (picture(thumbnails.get(str(item.get("id"))), "preview"), ""))
    return row(*cells)


def files_row(item: Row, *, exhibits: bool = True) -> Markup:
    """Return a row of the list of all files, with the exhibit if told to."""
    return row(
        _file(item, exhibits),
        _state(item),
        (_matches(item), "small"),
        (text(number(item.get("score"))), "n"),
        (_times(item), "small"),
        (_more(item), "small"),
    )


def findings_row(item: Row) -> Markup:
    """Return a row of the findings: kind and plugin, title, place, data."""
    ranges = [f"{r[0]}+{r[1]}" for r in item.get("ranges") or () if isinstance(r, list | tuple) and len(r) == 2]
    where = join(
        (
            path(item.get("path")),
            tag("span", raw(_some(ranges), 200), class_="line small dim") if ranges else None,
        )
    )
    kind = join(
        (
            raw(item.get("kind") or "", 80),
            tag("span", raw(item.get("plugin") or "", 80), class_="line small dim"),
        )
    )
    return row(kind, raw(item.get("title") or ""), where, _data(item.get("data")))


def problems_row(item: Row, owners: Mapping[str, str]) -> Markup:
    """Return a row of the problems. ``owners``: what to call each piece of evidence, empty where there is one only."""
    what = join(
        (
            raw(item.get("message") or "", 1000),
            tag("span", raw(item.get("detail"), 1000), class_="line small dim") if item.get("detail") else None,
        )
    )
    volume = item.get("volume")
    evidence = str(item.get("evidence") or "")
    place = " ".join(part for part in (owners.get(evidence, evidence), "" if volume is None else f"vol{volume}") if part)
    where = join(
        (
            path(item["path"]) if item.get("path") else None,
            tag("span", raw(place, 200), class_="line small dim") if place else None,
        )
    )
    stage = join(
        (
            raw(item.get("stage") or "", 80),
            tag("span", raw(item["plugin"], 80), class_="line small dim") if item.get("plugin") else None,
        )
    )
    return row(severity(item.get("severity")), stage, what, where, (text(number(occurrences(item))), "n"))


def severity(value: object) -> Markup:
    """Return a problem's severity as a badge."""
    return badge("note" if value == "info" else value or "", _SEVERITY_TONE.get(str(value), ""))


def meaning(value: object) -> Markup:
    """Return what being on a list means, as a badge."""
    return badge(value or "", _MEANING_TONE.get(str(value), ""))


def when(value: object) -> str:
    """Return an ISO time as people read it, without the ``Z`` that only UTC times deserve."""
    return str(value)[:40].replace("T", " ").removesuffix("Z")


def compact(value: object) -> str:
    """Return JSON data as one line of text with every character kept, for reading."""
    try:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return str(type(value).__name__)


def _some(values: list[str]) -> str:
    rest = len(values) - _RUNS_SHOWN
    return ", ".join(values[:_RUNS_SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")


def _file(item: Row, exhibits: bool) -> Markup:
    shown = str(item.get("path") or item.get("name") or "")
    notes = []
    if item.get("name_raw") or show(shown) != shown:
        notes.append(badge("name shown escaped", "warn"))
    copies = item.get("copies")
    if isinstance(copies, int) and copies > 1:
        notes.append(badge(f"{copies:,} copies", "quiet"))
    kind = item.get("kind")
    if kind not in {None, "file", "directory"}:
        notes.append(badge(kind, "quiet"))
    exhibit = item.get("exhibit")
    if exhibit and exhibits:
        notes.append(tag("small", raw(exhibit, 80), class_="dim"))
    return join((path(shown), tag("span", join(notes, " "), class_="line") if notes else None))


def _state(item: Row) -> Markup:
    """State and recoverability, type and size, and what went wrong with the content."""
    state, recoverability = str(item.get("state") or ""), item.get("recoverability")
    badges = [badge(state, _STATE_TONE.get(state, ""))]
    if recoverability and state != "allocated":
        badges.append(badge(recoverability, _RECOVERABLE_TONE.get(str(recoverability), "quiet")))
    named = item.get("type") or item.get("mime") or ("directory" if item.get("kind") == "directory" else "type unknown")
    outcome = item.get("outcome")
    failed = (
        tag(
            "span",
            badge(outcome, "quiet" if outcome == "skipped" else "bad"),
            " ",
            raw(item.get("outcome_reason") or "", 160),
            class_="line small",
        )
        if outcome and outcome != "done"
        else None
    )
    return join(
        (
            tag("span", join(badges, " "), class_="line"),
            tag("span", raw(named, 60), ", ", tag("span", size(item.get("size")), class_="nb"), class_="line"),
            badge("wrong extension", "warn") if item.get("extension_mismatch") else None,
            failed,
        )
    )


def _signed(points: object) -> str:
    return f"{points:+d}" if isinstance(points, int) else str(points if points is not None else "")


def _listed(lines: Iterable[Markup], left_out: int) -> Markup:
    items = [tag("li", line) for line in lines]
    if left_out > 0:
        items.append(tag("li", tag("span", f"and {left_out:,} more", class_="cut")))
    return tag("ul", *items, class_="why") if items else Markup("")


def _dicts(value: object) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list | tuple) else []


def _why(item: Row) -> Markup:
    reasons = _dicts(item.get("reasons"))
    lines = [
        join(
            (
                tag("span", text(_signed(r.get("points")), 12), class_="pts"),
                tag("span", raw(r.get("text") or r.get("rule") or "", 300), class_="txt"),
            )
        )
        for r in reasons[:_REASONS_SHOWN]
    ]
    return join((_listed(lines, len(reasons) - _REASONS_SHOWN), _matches(item)))


def _matches(item: Row) -> Markup:
    matches = _dicts(item.get("matches"))
    lines = []
    for match in matches[:_MATCHES_SHOWN]:
        how = str(match.get("how") or "")
        if match.get("tier") not in (None, "exact"):
            how += f" {match['tier']}"
        if match.get("distance"):
            how += f", distance {match['distance']}"
        about = match.get("detail")
        facts = [f"{name.replace('_', ' ')}: {value}" for name, value in sorted(about.items())] if isinstance(about, dict) else []
        detail = ", ".join(str(part) for part in (match.get("label") or match.get("category") or "", how, *facts) if part)
        lines.append(
            tag(
                "span",
                meaning(match.get("meaning")),
                " ",
                raw(match.get("set") or "", 120),
                join((" (", raw(detail, 120), ")")) if detail else None,
                class_="txt",
            )
        )
    if not lines and item.get("known"):
        return meaning(item["known"])
    return _listed(lines, len(matches) - _MATCHES_SHOWN)


def _times(item: Row) -> Markup:
    shown = [(label, item[key]) for label, key in _TIMES[:2] if item.get(key)]
    if not shown:
        return tag("span", "no times" if not any(item.get(k) for _, k in _TIMES) else "see details", class_="dim")
    parts = [tag("span", tag("span", label, class_="dim"), " ", when(value)[:16], class_="line nb") for label, value in shown]
    parts.append(tag("span", _basis(item), class_="line dim"))
    return join(parts)


def _basis(item: Row) -> Markup:
    basis = str(item.get("time_basis") or "unknown")
    return text(_BASIS.get(basis, basis), 60)


def _more(item: Row) -> Markup:
    digest = next(
        (f"{name} {item[name][:10]}…" for name in ("sha256", "sha1", "md5") if isinstance(item.get(name), str)),
        "",
    )
    runs = [f"{r[0]}+{r[1]}" for r in item.get("runs") or () if isinstance(r, list | tuple) and len(r) == 2]
    pairs = [(label, tag("span", when(item[key]))) for label, key in _TIMES if item.get(key)]
    details = facts(
        (
            *((name.upper(), tag("code", text(item[name], 64))) for name in ("md5", "sha1", "sha256") if item.get(name)),
            *pairs,
            ("times in", _basis(item) if pairs else None),
            ("metadata address", None if item.get("meta_addr") is None else text(item["meta_addr"], 40)),
            ("bytes at", raw(_some(runs), 400) if runs else None),
            ("name bytes", tag("code", text(item["name_raw"], 400)) if item.get("name_raw") else None),
            ("entry", tag("code", text(item.get("id") or "", 80))),
        ),
        "kv",
    )
    return tag(
        "details",
        tag("summary", text(digest or ("details" if item.get("outcome") is None else "not read"), 40)),
        details,
    )


def _data(data: object) -> Markup:
    if not isinstance(data, dict):
        return raw(compact(data)) if data else Markup("")
    keys = sorted(data, key=str)
    pairs = [(raw(key, 80), raw(compact(data[key]), 400)) for key in keys[:_DATA_SHOWN]]
    more = tag("span", f"and {len(keys) - _DATA_SHOWN:,} more", class_="cut") if len(keys) > _DATA_SHOWN else None
    return join((facts(pairs, "facts data"), more))
