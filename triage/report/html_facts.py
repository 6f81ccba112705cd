"""The later parts of the first page: counts, hash sets, problems, coverage, and how to do it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.report.html_parts import Markup, facts, join, page_name, raw, row, table, tag, text
from triage.report.html_rows import meaning, severity
from triage.report.verdict import clock, number, plural, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triage.report.document import Document, Row

_BARS = 15
_COUNTS = (
    ("State", "by_state"),
    ("Category", "by_category"),
    ("Type", "by_type"),
    ("On lists", "by_known"),
    ("Kind of entry", "by_kind"),
    ("Deleted: can it be recovered", "by_recoverability"),
)
_ITEMS = (
    ("analysed", "analysed in full"),
    ("partial", "analysed in part"),
    ("skipped", "skipped"),
    ("failed", "failed"),
    ("timeout", "given up: took too long"),
    ("crashed", "given up: the reader crashed"),
    ("not_reached", "not reached"),
)
_BYTES = (
    ("medium", "on the medium"),
    ("volumes", "in volumes"),
    ("gaps", "in gaps between volumes"),
    ("content_read", "of content read"),
)
_LEDGER = (
    ("size", "on the medium"),
    ("owned", "owned by files that exist"),
    ("deleted_only", "claimed by deleted files alone"),
    ("unowned", "in listed volumes, owned by no listed file"),
    ("free", "of these free by the file systems' own books"),
    ("not_listed", "in volumes that were not listed"),
    ("outside_volumes", "outside of all volumes"),
    ("read", "read as content"),
    ("never_read", "never read as content"),
)


def counts(document: Document) -> Markup:
    """Return the numbers of entries by this and that."""
    cards = [_bars(title, document.counts.get(key) or {}) for title, key in _COUNTS]
    if document.totals.findings_by_kind:
        cards.append(_bars("Findings by kind", document.totals.findings_by_kind))
    return join(
        (
            tag("h2", f"Counts: {plural(document.totals.files, 'entry', 'entries')}", id="counts"),
            tag("div", *cards, class_="grid"),
        )
    )


def _bars(title: str, values: Mapping[str, object]) -> Markup:
    pairs = sorted(
        ((str(k or "not told"), v) for k, v in values.items() if isinstance(v, int)),
        key=lambda p: (-p[1], p[0]),
    )
    shown, rest = pairs[:_BARS], pairs[_BARS:]
    if not shown:
        return tag("section", tag("h3", title), tag("p", "none", class_="dim"), class_="card")
    top = max(1, shown[0][1])
    lines = [
        row(
            raw(name, 80),
            (number(n), "n"),
            (tag("meter", min=0, max=top, value=n, aria_label=number(n)), "m"),
        )
        for name, n in shown
    ]
    if rest:
        lines.append(row(f"{len(rest):,} others", (number(sum(n for _, n in rest)), "n"), ""))
    return tag(
        "section",
        tag("h3", title),
        tag("table", tag("caption", title), tag("tbody", *lines), class_="bars"),
        class_="card",
    )


def hashsets(document: Document) -> Markup:
    """Return the known-hash lists with what they hit."""
    heading = tag("h2", "Known-hash lists that were used", id="hashsets")
    if not document.hashsets:
        return join(
            (
                heading,
                tag("p", "None. That no file is on a list says nothing: no list was used.", class_="card"),
            )
        )
    head = (
        ("List", ""),
        ("Meaning", ""),
        ("Category", ""),
        ("Hits", "n"),
        ("Records", "n"),
        ("Source", ""),
        ("SHA-256 of the source", ""),
    )
    rows = [
        row(
            raw(item.get("name") or "", 120),
            meaning(item.get("meaning")),
            raw(item.get("category") or "", 120),
            (number(item.get("hits")), "n score"),
            (number(item.get("records")), "n"),
            raw(item.get("source") or "", 300),
            tag("code", text(item.get("source_sha256") or "", 80)),
        )
        for item in document.hashsets
    ]
    note = tag(
        "p",
        "“Known” means seen before, not good. “Notable” is what the list's keeper calls so.",
        class_="small dim",
    )
    return join((heading, table("Known-hash lists", head, rows), note))


def problems(document: Document) -> Markup:
    """Return the problems, grouped by what happened."""
    heading = tag("h2", "Problems", id="problems")
    if not document.problem_groups:
        return join((heading, tag("p", "None was met in what was looked at.", class_="card")))
    rows = [
        row(
            (severity(group.severity), "nb"),
            (raw(group.stage, 80), "nb"),
            raw(group.message, 500),
            (number(group.count), "n"),
        )
        for group in document.problem_groups
    ]
    left = document.problem_groups_left_out
    note = tag(
        "p",
        f"{plural(left, 'more group')} not shown here. " if left else None,
        tag("a", "Every problem with its place", href=f"problems/{page_name(1)}"),
        class_="small dim",
    )
    head = (("Severity", "nb"), ("Stage", "nb"), ("What happened", ""), ("Times", "n"))
    return join((heading, table("Problems by what happened", head, rows, tall=True), note))


def coverage(document: Document) -> Markup:
    """Return the coverage statement: what was looked at, what was not, and why."""
    stated = document.coverage
    items = stated.get("items") or {}
    seen = items.get("seen") or 0
    rows = [row(tag("b", "seen"), (number(seen), "n"), "")]
    rows += [
        row(
            label,
            (number(items.get(key) or 0), "n"),
            (
                tag(
                    "meter",
                    min=0,
                    max=max(1, seen),
                    value=items.get(key) or 0,
                    aria_label=f"{number(items.get(key) or 0)} of {number(seen)}",
                ),
                "m",
            ),
        )
        for key, label in _ITEMS
    ]
    skipped = stated.get("skipped_why") or {}
    amounts = stated.get("bytes") or {}
    not_done = [str(line) for line in stated.get("not_done") or ()]
    whole = stated.get("complete") and document.facts.get("finished")
    cards = [
        tag(
            "section",
            tag("h3", "Items whose content was to be read"),
            tag("table", tag("caption", "Items by outcome"), tag("tbody", *rows), class_="bars"),
            class_="card",
        ),
        _bars("Skipped, and why", skipped),
        tag(
            "section",
            tag("h3", "Bytes"),
            facts(
                (
                    label,
                    join(
                        (
                            size(amounts[key]),
                            tag("span", f"{number(amounts[key])} bytes", class_="line small dim nb"),
                        )
                    ),
                )
                for key, label in _BYTES
                if isinstance(amounts.get(key), int)
            ),
            class_="card",
        ),
        *(_ledger(one, len(stated["ledger"]) > 1) for one in stated.get("ledger") or ()),
        *_carving(stated.get("carving") or {}),
    ]
    return join(
        (
            tag("h2", "Coverage: what was looked at and what was not", id="coverage"),
            tag(
                "p",
                tag("strong", "Complete." if whole else "NOT complete."),
                " ",
                join(_sentences(document), " "),
            ),
            tag("div", *cards, class_="grid"),
            tag(
                "section",
                tag("h3", "What this run does not look at"),
                tag("ul", *(tag("li", text(line, 400)) for line in not_done), class_="plain")
                if not_done
                else tag("p", "Nothing is stated as left out."),
                class_="card",
            ),
        )
    )


_CARVED = (
    ("searched", "Bytes searched"),
    ("complete", "Whole, in one piece"),
    ("fragmented", "Whole, in pieces"),
    ("damaged", "Damaged in between"),
    ("truncated", "Cut short"),
    ("already_listed", "Of all these, listed by name already"),
    ("inside_others", "Inside of others, not counted"),
    ("cut", "Given up: following them took too long"),
    ("given_up", "Searches for the rest of a file that were ended"),
    ("unreadable", "Bytes that could not be read"),
)


def _carving(totals: Row) -> list[Markup]:
    """Return the card about files that were found by their content."""
    if not totals.get("searched"):
        return []
    numbers = {**totals, **(totals.get("found") or {})}
    pairs = ((label, number(numbers[key])) for key, label in _CARVED if isinstance(numbers.get(key), int))
    return [tag("section", tag("h3", "Files found by their content where no living file is"), facts(pairs), class_="card")]


def _ledger(one: Row, several: bool) -> Markup:
    """Return to whom a medium's bytes belong, and how many were read."""
    return tag(
        "section",
        tag("h3", "Every byte of the medium", f" ({one['evidence']})" if several else None),
        facts((label, f"{number(one[key])} bytes") for key, label in _LEDGER if isinstance(one.get(key), int)),
        class_="card",
    )


def _sentences(document: Document) -> list[str]:
    items = document.coverage.get("items") or {}
    done = [f"{number(items.get('analysed') or 0)} of {plural(items.get('seen') or 0, 'item')} were analysed in full."]
    told = (
        ("partial", "in part"),
        ("skipped", "skipped on purpose"),
        ("failed", "could not be read"),
        ("timeout", "took too long"),
        ("crashed", "crashed their reader"),
        ("not_reached", "were not reached"),
    )
    rest = [f"{items[key]:,} {words}" for key, words in told if isinstance(items.get(key), int) and items[key]]
    if rest:
        done.append("Of the others: " + ", ".join(rest) + ".")
    for key, words in (
        ("locked_volumes", "locked by encryption"),
        ("unreadable_volumes", "not readable"),
        ("partly_listed_volumes", "listed in part only"),
    ):
        many = len(document.coverage.get(key) or ())
        if many:
            done.append(f"{plural(many, 'volume')} {'was' if many == 1 else 'were'} {words}.")
    return done


def reproduce(document: Document) -> Markup:
    """Return what is needed to get the same result again: versions, profile, plugins, each with its digest."""
    run = document.facts
    versions = run.get("versions") or {}
    head = (("Plugin", ""), ("Version", ""), ("Origin", ""), ("SHA-256", ""))
    rows = [
        row(
            raw(item.get("name") or "", 80),
            raw(item.get("version") or "", 40),
            raw(item.get("origin") or "", 200),
            tag("code", text(item.get("sha256") or "", 80)),
        )
        for item in run.get("plugins") or ()
    ]
    profile = join(
        (
            raw(run.get("profile") or "", 120),
            tag("span", tag("code", text(run.get("profile_sha256") or "", 80)), class_="line"),
        )
    )
    times = document.times
    cards = tag(
        "div",
        tag("section", tag("h3", "Profile and its SHA-256"), profile, class_="card"),
        tag(
            "section",
            tag("h3", "Versions"),
            facts((text(k, 60), text(v, 80)) for k, v in sorted(versions.items())),
            class_="card",
        ),
        tag(
            "section",
            tag("h3", "Run"),
            facts(
                (
                    ("started", clock(times.get("started"))),
                    ("ended", clock(times.get("ended")) or "not ended"),
                )
            ),
            class_="card",
        ),
        class_="grid",
    )
    return join(
        (
            tag("h2", "How to get this result again", id="reproduce"),
            tag(
                "p",
                "Run the versions below with this profile, these plugins and these lists on the same evidence. Entries, digests, scores "
                "and findings come out the same; only the times of the run differ. The case folder's audit.jsonl holds the arguments.",
            ),
            cards,
            tag("h3", "Plugins", class_="gap") if rows else None,
            table("Plugins", head, rows) if rows else tag("p", "No plugin took part.", class_="card"),
        )
    )
