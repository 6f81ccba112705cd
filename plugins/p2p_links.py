"""Links to files in peer-to-peer networks (ed2k, magnet) in texts and pages: names, sizes and the hashes that hash lists know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts import p2p
from triage.artifacts.p2plinks import find_links, has_links
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST = 4 << 20
_MOST = 2000
_TOLD = (".fastresume", ".resume", "/torrents.state", "/torrents.state.bak")
"""Lists whose torrents another plugin tells of, with the links that they came by."""


class P2pLinks:
    """A finding ``p2p-link`` a file that is linked to, once an item."""

    name = "p2p_links"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(categories=("text",), min_size=30, max_size=_LARGEST)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield the links."""
        data = item.read(_LARGEST)
        if item.entry.path.lower().endswith(_TOLD) or not has_links(data):
            return
        text, width = _decoded(data)
        mine, seen, left = whose(item.entry.path), set[tuple[tuple[str, str], ...]](), 0
        for link in find_links(text):
            key = tuple(sorted((link.digests or link.other).items()))
            if key in seen:
                continue
            if len(seen) >= _MOST:
                left += 1
                continue
            seen.add(key)
            network = (
                "eDonkey" if link.text[:4].lower() == "ed2k" else "BitTorrent" if {"btih", "btmh"} & {*link.digests, *link.other} else ""
            )
            said = p2p.said({
                **mine, "name": link.name, "size": link.size, "network": network, "link": link.text, **link.digests, **link.other,
                "urls": p2p.fitting(dict.fromkeys(link.urls), 8000), "digests": [link.digests] if link.digests else [],
            })  # fmt: skip
            # Where a character may take several bytes its place in the item is not known.
            place = [(link.offset * width, len(link.text) * width)] if width else []
            yield item.finding("p2p-link", f"a link to {link.name or 'a file without a name'}", said, place)
        if left:
            yield item.problem(f"{left:,} links to files in peer-to-peer networks were left out: an item may have {_MOST:,}")


def _decoded(data: bytes) -> tuple[str, int]:
    """Return a text and how many bytes each character takes, 0 if that differs."""
    if data.startswith(b"\xfe\xff") or data[:1] == b"\0":
        encoding = "utf-16-be"
    elif data.startswith(b"\xff\xfe") or b"\0" in data[:64]:
        encoding = "utf-16-le"
    else:
        return data.decode("utf-8", "replace"), 1 if data.isascii() else 0
    text = data.decode(encoding, "replace")
    return text, 2 if len(text) * 2 == len(data) else 0


PLUGIN = P2pLinks
