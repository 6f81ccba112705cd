"""What matches make of an item: known or not, like something or not, and the findings that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.hashsets.likematch import TURN_WORDS
from triage.model import MAX_TITLE, Finding, Match, MatchTier, Meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from triage.hashsets.matching import Matcher

_PLUGIN = "hashsets"
_TIERS = (MatchTier.MATCH, MatchTier.LIKELY, MatchTier.WEAK)
_MOST_NAMED = 100_000
"""Files that one finding may name, at most: what a plugin may send bounds it long before."""
_MOST_URLS = 1000
URL_KEYS = ("url", "urls", "chain", "referrer", "referrer_url", "host_url", "trackers", "site_url", "tab_url")
"""The keys under which a finding's data has addresses."""
NAMED = "digests"
"""The key under which a finding's data lists files that are only named, each as ``{kind: digest in hexadecimal}``."""


def judge(entry: str, matches: Sequence[Match]) -> tuple[str | None, str | None, list[Finding]]:
    """Return what the matches make of a content (known, alike) and the findings about the notable ones."""
    notable = [m for m in matches if m.meaning is Meaning.NOTABLE]
    return known_of(matches), alike_of(matches), [match_finding(entry, match) for match in notable]


def known_of(matches: Iterable[Match]) -> str | None:
    """Return what the exact matches make of a content: notable before ignorable before known. A likeness makes nothing known."""
    meanings = {m.meaning for m in matches if m.tier is MatchTier.EXACT}
    return next((m.value for m in (Meaning.NOTABLE, Meaning.IGNORABLE, Meaning.KNOWN) if m in meanings), None)


def alike_of(matches: Iterable[Match]) -> str | None:
    """Return the best tier in which a content is like something on a notable list. A filter that can be wrong says nothing of likeness."""
    tiers = {m.tier for m in matches if m.meaning is Meaning.NOTABLE and m.how != "hint"}
    return next((tier.value for tier in _TIERS if tier in tiers), None)


def match_finding(entry: str, match: Match) -> Finding:
    """Return the finding that says that an entry is on a notable list, or like something on it."""
    category = f" ({match.label or match.category})" if match.label or match.category else ""
    where = f"on the list {match.set} as notable{category}"
    kind, title = {
        "pdq": ("similar-match", f"looks like a picture {where}: {_alike(match)}"),
        "frames": ("similar-match", f"shows frames of a video {where}: {_frames(match)}"),
        "photodna": ("similar-match", f"looks like a picture {where}, by PhotoDNA ({match.tier})"),
        "partial": ("partial-match", f"begins like a file {where}: its first 64 KiB are the same, the rest is not"),
        "hint": ("hint", f"may be known: a filter that can be wrong says so ({match.set})"),
    }.get(match.how, ("hash-match", where))
    return Finding(entry=entry, plugin=_PLUGIN, kind=kind, title=title[:MAX_TITLE], data=match.to_json())


def _alike(match: Match) -> str:
    turned = TURN_WORDS.get(str(match.detail.get("turned")))
    return f"{match.tier}, {match.distance} of 256 bits differ" + (f", {turned}" if turned else "")


def _frames(match: Match) -> str:
    detail: dict[str, Any] = match.detail
    return f"{match.tier}, {detail.get('frames')} of its {detail.get('of_file')} frames, {detail.get('of_known')} in the known one"


def named_findings(matcher: Matcher, findings: Sequence[Finding]) -> list[Finding]:
    """Return findings about files that other findings only name by their digests, where these stand on a notable list.

    The bytes may be gone: a database of downloads, a chat or a torrent still says what was there.
    """
    found = []
    for finding in findings:
        listed = finding.data.get(NAMED)
        if not isinstance(listed, list) or finding.plugin == _PLUGIN:
            continue
        files = [file for file in listed[:_MOST_NAMED] if isinstance(file, dict)]
        for file, matches in zip(files, matcher.match_named(files), strict=True):
            for match in matches:
                if match.meaning is Meaning.NOTABLE:
                    category = f" ({match.label or match.category})" if match.label or match.category else ""
                    data = {**match.to_json(), "named": {k: v for k, v in file.items() if isinstance(v, str)}, "by": finding.title}
                    title = f"names a file on the list {match.set} as notable{category}, by its {match.how}"
                    found.append(Finding(entry=finding.entry, plugin=_PLUGIN, kind="named-match", title=title[:MAX_TITLE], data=data))
    return found


def url_findings(matcher: Matcher, findings: Sequence[Finding]) -> list[Finding]:
    """Return findings about addresses that other findings name, where these stand on a list of notable ones."""
    found = []
    for finding in findings:
        if finding.plugin == _PLUGIN:
            continue
        urls = list(dict.fromkeys(_urls(finding.data)))[:_MOST_URLS]
        for url, matches in zip(urls, matcher.match_urls(urls) if urls else (), strict=True):
            for match in matches:
                if match.meaning is Meaning.NOTABLE:
                    category = f" ({match.label or match.category})" if match.label or match.category else ""
                    title = f"an address on the list {match.set} as notable{category}"
                    data = {**match.to_json(), "url": url, "by": finding.title}
                    found.append(Finding(entry=finding.entry, plugin=_PLUGIN, kind="url-match", title=title[:MAX_TITLE], data=data))
    return found


def _urls(data: dict[str, Any]) -> Iterable[str]:
    """Yield the addresses in a finding's data: texts, and lists of them, under the keys that plugins use for those."""
    for key in URL_KEYS:
        value = data.get(key)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str) and one:
                yield one
