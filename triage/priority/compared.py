"""What was not compared, and with which lists: the coverage statement's sentences about known hashes and likeness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_REASONS_SHOWN = 5
_UNCOMPARED = {
    "photodna": "PhotoDNA, for which no comparison is installed",
    "sha512": "SHA-512, which files are not given",
    "ed2k": "ed2k hashes, which are only compared with what traces name",
    "aich": "AICH hashes, which are only compared with what traces name",
    "btih": "BitTorrent hashes, which are only compared with what traces name",
    "tth": "TTH hashes, which are only compared with what traces name",
}


def not_compared(counts: dict[str, Any], compare: dict[str, Any] | None, hashsets: Sequence[dict[str, Any]]) -> list[str]:
    """Return plain sentences for what was not looked into or not compared.

    ``counts``: :func:`triage.case.matches.comparison_counts`; ``compare``: what the run could not do (``not_done``, sentences), ``None``
    when it has not come to that.
    """
    said: list[str] = []
    if count := counts.get("spared", 0):
        said.append(
            f"{count:,} item{'s' if count != 1 else ''} on an ignorable list ({counts['spared_bytes']:,} bytes) "
            f"{'were' if count != 1 else 'was'} hashed and not looked into further"
        )
    if compare is not None:
        said += compare["not_done"]
    without = counts.get("without", ())
    for category, what in (("picture", "by likeness"), ("video", "by their frames")):
        rows = [row for row in without if row["category"] == category]
        if total := sum(row["count"] for row in rows):
            why = ", ".join(f"{row['count']:,}: {row['reason']}" for row in rows[:_REASONS_SHOWN])
            more = f", and {len(rows) - _REASONS_SHOWN} more reasons" if len(rows) > _REASONS_SHOWN else ""
            said.append(f"{total:,} {category}{'s' if total != 1 else ''} could not be compared {what} ({why}{more})")
    if low := counts.get("low_quality", 0):
        plural, them = ("s", "them") if low != 1 else ("", "it")
        said.append(f"{low:,} picture{plural} with too little in {them} to be compared by likeness")
    if cut := counts.get("videos_cut", 0):
        said.append(f"of {cut:,} video{'s' if cut != 1 else ''} only a part of the frames was compared")
    for facts in hashsets:
        for kind, count in sorted((facts.get("uncompared") or {}).items()):
            if kind == "photodna" and compare is not None and compare.get("photodna"):
                continue  # a licensed comparison is installed
            only = _UNCOMPARED.get(kind, kind)
            said.append(f"the list {facts['name']} has {count:,} record{'s' if count != 1 else ''} with nothing but {only}")
    return said
