"""The part of the first page that says what was examined: evidence with its checks, volumes with their states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.evidence.layers import is_view
from triage.report.html_parts import Markup, badge, facts, join, raw, row, table, tag, text
from triage.report.verdict import evidence_name, file_names, number, plural, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triage.report.document import Document, Row

_VERIFIED = {
    "verified": ("stored digest verified", "good"),
    "mismatch": ("stored digest does NOT match", "bad"),
    "no stored hash": ("no stored digest, so nothing to verify against", "quiet"),
    "incomplete": ("a part could not be read, so the stored digest cannot be verified", "bad"),
    "not verified": ("stored digest not verified", "warn"),
}
_FINGERPRINT = {
    "unchanged": ("unchanged by the run", "good"),
    "CHANGED": ("CHANGED during the run", "bad"),
    "not checked": ("fingerprint not checked after the run", "warn"),
}
_VOLUME_HEAD = (
    ("Volume", "nb"),
    ("File system", ""),
    ("State", ""),
    ("Encryption", ""),
    ("Entries", "n"),
    ("Size", "n"),
    ("Offset", "n"),
)
_STATE_TONE = {"listed": "good", "partly listed": "warn", "not listed": "bad", "gap": "quiet"}


def examined(document: Document) -> Markup:
    """Return evidence and volumes side by side."""
    evidence = [_evidence(item) for item in document.evidence] or [tag("p", "No evidence is recorded.", class_="card")]
    owners = {str(item.get("id") or ""): str(item.get("exhibit") or evidence_name(item)) for item in document.evidence}
    rows = [_volume(item, owners) for item in document.volumes]
    volumes = table("Volumes", _VOLUME_HEAD, rows) if rows else tag("p", "No volume was found.", class_="card")
    return join(
        (
            tag("h2", "What was examined", id="examined"),
            tag(
                "div",
                tag("div", *evidence, class_="short", role="region", aria_label="Evidence", tabindex=0),
                tag("div", volumes, class_="short", role="region", aria_label="Volumes found", tabindex=0),
                class_="cols",
            ),
        )
    )


def _evidence(item: Row) -> Markup:
    names = file_names(item)
    title = raw(names[0] if names else item.get("id") or "", 200)
    if len(names) > 1:
        title = join((title, f" and {plural(len(names) - 1, 'more segment')}"))
    exhibit = str(item.get("exhibit") or "")
    stored = item.get("stored_digests") or {}
    acquired = item.get("facts") or {}
    checks = join((_verification(item), " ", _fingerprint(item)))
    brief = join(
        (
            tag("b", raw(exhibit, 200)) if exhibit else None,
            " " if exhibit else None,
            title,
            ", ",
            raw(item.get("kind") or "unknown kind", 80),
            f", {size(item.get('size'))}",
        )
    )
    more = facts(
        (
            *((join(("stored ", text(name, 40))), tag("code", text(value, 160))) for name, value in sorted(stored.items())),
            (
                "stored digest",
                None if stored else "none: the container holds no digest, so it cannot be told whether the data is as acquired",
            ),
            ("size in bytes", text(number(item.get("size")))),
            ("sector size", text(item.get("sector_size") or "")),
            ("fingerprint", text(item.get("fingerprint_state") or "", 200)),
            (
                "fingerprint before",
                tag("code", text(item["fingerprint"], 160)) if item.get("fingerprint") else None,
            ),
            (
                "fingerprint after",
                tag("code", text(item["fingerprint_after"], 160)) if item.get("fingerprint_after") else None,
            ),
            *((raw(name, 60), raw(value, 400)) for name, value in sorted(acquired.items())),
            ("evidence id", tag("code", text(item.get("id") or "", 80))),
        )
    )
    return tag(
        "div",
        tag("p", brief),
        tag("p", checks),
        tag("details", tag("summary", "stored digests, fingerprint, acquisition facts"), more),
        class_="card",
    )


def _verification(item: Row) -> Markup:
    """What became of the digests that were stored at acquisition; without any there is nothing to verify against."""
    state = str(item.get("verification") or "not verified")
    if state == "not verified" and not item.get("stored_digests"):
        state = "no stored hash"
    label, tone = _VERIFIED.get(state, (state, "warn"))
    return badge(label, tone)


def _fingerprint(item: Row) -> Markup:
    """Whether the evidence's files were the same after the run; the state may go on with how that was checked."""
    state = str(item.get("fingerprint_state") or "not checked")
    word = next((word for word in _FINGERPRINT if state.startswith(word)), None)
    label, tone = _FINGERPRINT[word] if word else (state, "warn")
    return badge(label, tone)


def _volume(item: Row, owners: Mapping[str, str]) -> Markup:
    owner = owners.get(str(item.get("evidence") or "")) if len(owners) > 1 else None
    name = join(
        (
            raw(item.get("name") or "", 60),
            tag("span", " ", raw(owner, 60), class_="small dim") if owner else None,
        )
    )
    label = item.get("label") or item.get("type")
    state = str(item.get("state") or "")
    encryption = str(item.get("encryption") or "none")
    opened = state == "opened"  # its files stand under the volumes that were found in it
    inside = is_view(int(item.get("offset") or 0))
    locked = badge("LOCKED", "bad") if encryption == "locked" else badge(encryption, "warn" if encryption == "unlocked" else "quiet")
    return row(
        name,
        join(
            (
                raw(item.get("file_system") or ("" if item.get("state") == "gap" else "none known"), 60),
                tag("span", " ", raw(label, 120), class_="small dim") if label else None,
            )
        ),
        badge("listed inside", "good") if opened else badge(state, _STATE_TONE.get(state, "warn")),
        locked,
        (text(number(item.get("entries"))), "n"),
        (size(item.get("size")), "n"),
        (text(str(item.get("scheme") or "") if inside else number(item.get("offset"))), "n"),
    )
