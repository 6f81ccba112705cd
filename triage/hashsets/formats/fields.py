"""Named values to records: what CSV columns, JSON members and table columns of all makes have in common."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from triage.hashsets.records import (
    FACTS,
    LENGTHS,
    MAX_FACT,
    HashRecord,
    Reject,
    Unkept,
    category_of,
    digest_by_length,
    digest_kind,
    kept_kind,
    other_kind,
    parse_digest,
    parse_kept,
    pdq_row,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from triage.hashsets.records import Event

LEAST_QUALITY = 50
_CATEGORY = frozenset({"category", "cat", "categoryid", "categoryname", "hashcategory", "viccategory", "caidcategory", "baseline"})
_SIZE = frozenset({"filesize", "mediasize", "size", "filelength", "bytes", "length"})
_NAME = frozenset({"filename", "name", "file"})
_ANY_DIGEST = frozenset({"hash", "filehash", "hashvalue", "digest"})
_FACT = {
    "victimidentified": "victim_identified",
    "offenderidentified": "offender_identified",
    "isdistributed": "distributed",
    "distributed": "distributed",
    "issuspected": "suspected",
    "suspected": "suspected",
    "selfgenerated": "self_generated",
    "isselfgenerated": "self_generated",
    "series": "series",
    "seriesname": "series",
    "tags": "tags",
}
_FLAGS = frozenset(FACTS) - {"series", "tags"}
_YES, _NO = frozenset({"true", "yes", "y", "t", "1"}), frozenset({"false", "no", "n", "f", "0"})
ROLES = ("category", "size", "name", "quality", "phash", "digest")
"""What a column can be besides a digest of some kind or a fact."""


@lru_cache(maxsize=512)  # a list has the same few names in every entry
def role_of(name: str) -> str | None:
    """Return what a value of this name is: a kind of digest, ``unkept:KIND``, ``fact:NAME``, or one of :data:`ROLES`; ``None``: nothing."""
    plain = "".join(c for c in name[:64].lower() if c.isalnum())
    if plain in ("phash", "phash64"):
        return "phash"
    kind = digest_kind(name) or kept_kind(name)
    if kind:
        return kind
    if other := other_kind(name):
        return f"unkept:{other}"
    if plain in _FACT:
        return f"fact:{_FACT[plain]}"
    for role, names in (("category", _CATEGORY), ("size", _SIZE), ("name", _NAME), ("digest", _ANY_DIGEST)):
        if plain in names:
            return role
    return "quality" if plain in ("pdqquality", "quality") else None


def is_digest(role: str | None) -> bool:
    """Whether a role is that of a digest, kept or not."""
    return bool(role) and role is not None and role != "phash" and role not in ROLES[:5] and not role.startswith("fact:")


def flag_of(value: object) -> str:
    """Return ``yes``, ``no`` or nothing for a flag that came as a flag, a number or a word."""
    if value is None:
        return ""
    word = str(value).strip().lower()
    return "yes" if word in _YES else "no" if word in _NO else ""


def record_events(number: int, values: Iterable[tuple[str, object]], where: str = "") -> Iterator[Event]:
    """Yield what a row or entry holds: its record, or why there is none, and what of it was not used.

    ``values``: (role, value). ``number``: the line, ``where`` goes before reasons.
    """
    digests: dict[str, bytes] = {}
    facts: dict[str, str] = {}
    others: list[str] = []
    category = name = ""
    size = quality = None
    phash = b""
    refused = False
    for role, value in values:
        if value is None or value in ("", []):
            continue
        if role == "category":
            category = category or category_of(value)
        elif role == "size":
            size = _whole(value)
        elif role == "quality":
            quality = _whole(value)
        elif role == "name":
            name = str(value)[:MAX_FACT]
        elif role == "phash":
            phash = _phash(value)
        elif role.startswith("fact:"):
            _take_fact(facts, role[5:], value)
        elif role.startswith("unkept:"):
            others.append(role[7:])
            yield Unkept(role[7:])
        else:
            try:
                kind, digest = _digest(role, str(value).strip())
            except ValueError as error:
                refused = True
                yield Reject(number, f"{where}{error}")
            else:
                digests.setdefault(kind, digest)
    if "pdq" in digests:
        if quality is not None and quality < LEAST_QUALITY:
            refused = True
            del digests["pdq"]
            yield Reject(number, f"{where}pdq: of quality {quality}: pictures with so little in them are like too many others")
        elif phash:
            digests["pdq"] = pdq_row(digests["pdq"], phash)
    if digests:
        more = tuple((kind, digest) for kind, digest in digests.items() if kind not in LENGTHS)
        told = tuple(sorted(facts.items()))
        yield HashRecord(digests.get("md5"), digests.get("sha1"), digests.get("sha256"), category, more, told, size, name)
    elif not refused:
        only = "only digests that are not kept: " + ", ".join(others)
        yield Reject(number, where + (only if others else "no digest in this row" if not where else "no digest"))


def _digest(role: str, text: str) -> tuple[str, bytes]:
    if role == "digest":
        found = digest_by_length(text)
        if found is None:
            raise ValueError(f"no digest: {len(text)} characters")
        return found
    return role, parse_digest(text, role) if role in LENGTHS else parse_kept(text, role)


def _take_fact(facts: dict[str, str], name: str, value: object) -> None:
    if name in _FLAGS:
        text = flag_of(value)
    elif isinstance(value, list):
        text = ", ".join(str(one) for one in value if isinstance(one, str | int))
    else:
        text = "" if isinstance(value, dict) else str(value).strip()
    if text:
        facts[name] = text[:MAX_FACT]


def _whole(value: object) -> int | None:
    """Return a number that came as a number or as text, ``None`` for what is none that can be."""
    text = str(value).strip()
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or len(text) > 18:
        return None
    return int(text)


def _phash(value: object) -> bytes:
    text = str(value).strip()
    try:
        return bytes.fromhex(text) if len(text) == 16 else b""
    except ValueError:
        return b""
