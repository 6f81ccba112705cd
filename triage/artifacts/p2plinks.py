"""Links to files in networks of people who exchange them: ``ed2k://`` and ``magnet:``, wherever they stand in a text.

``ed2k://|file|NAME|SIZE|HASH|h=AICH|p=…|/`` (eDonkey; bars and name may be percent-encoded);
``magnet:?xt=urn:KIND:DIGEST&dn=NAME&xl=SIZE&tr=…`` (the magnet URI scheme; BEP 9 for ``btih`` and ``btmh``). Digests are hexadecimal or
Base32.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import unquote

from triage.artifacts.p2p import hex_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_BARS = r"(?:\||%7C|&#124;)"
_ED2K = re.compile(
    rf"ed2k:(?://|%2F%2F){_BARS}file{_BARS}((?:[^|%&\r\n<>\"\x00]|%(?!7C)|&(?!#124;)){{1,1000}}+){_BARS}(\d{{1,19}}){_BARS}([0-9a-f]{{32}}){_BARS}"
    rf"((?:[hps]=[^|%&\s\"'<>\x00]{{0,1000}}+{_BARS}){{0,5}}+/?)",
    re.IGNORECASE,
)
_MAGNET = re.compile(r"""magnet:\?[^\s"'<>\x00]{1,8000}""", re.IGNORECASE)
_AICH = re.compile(r"h=([A-Z2-7]{32})", re.IGNORECASE)
_AND = re.compile(r"&amp;|&#38;|\\u0026|&", re.IGNORECASE)
_BEHIND = ").,;]}\\"
"""What may stand right behind a link without being of it."""
_NAMES = {
    "btih": "btih",
    "sha1": "sha1",
    "ed2k": "ed2k",
    "ed2khash": "ed2k",
    "tree:tiger": "tth",
    "ttroot": "tth",
    "md5": "md5",
    "aich": "aich",
}
_OTHER = ("btmh", "crc32", "kzhash", "sha256")


@dataclass(slots=True)
class Link:
    """A link. ``digests``: hexadecimal, by kind; ``other``: digests of kinds that lists of hashes do not have."""

    text: str
    offset: int
    name: str = ""
    size: int | None = None
    digests: dict[str, str] = field(default_factory=dict)
    other: dict[str, str] = field(default_factory=dict)
    urls: list[str] = field(default_factory=list)


def has_links(data: bytes) -> bool:
    """Whether bytes may have such links in them, in a text of one or two bytes a character: a quick look."""
    plain = data.replace(b"\0", b"").lower() if b"\0" in data[:64] else data.lower()
    return b"magnet:?" in plain or b"ed2k:" in plain


def find_links(text: str) -> Iterator[Link]:
    """Yield the links of a text that name a file by a digest, in the order they stand; ``offset`` is in characters."""
    links = [_ed2k(match) for match in _ED2K.finditer(text)] + [_magnet(match) for match in _MAGNET.finditer(text)]
    for link in sorted(links, key=lambda one: one.offset):
        if link.digests or link.other:
            yield link


def _ed2k(match: re.Match[str]) -> Link:
    link = Link(match[0], match.start(), unquote(unescape(match[1]))[:1000], int(match[2]), {"ed2k": match[3].lower()})
    if aich := _AICH.search(match[4]):
        link.digests["aich"] = hex_of("aich", aich[1])
    return link


def _magnet(match: re.Match[str]) -> Link:
    link = Link(match[0].rstrip(_BEHIND), match.start())
    for pair in _AND.split(link.text[8:])[:200]:
        key, _, value = pair.partition("=")
        name, value = key.lower().partition(".")[0], unquote(value)
        if name == "xt":
            _take_digest(link, value)
        elif name == "dn":
            link.name = link.name or value.replace("+", " ")[:1000]
        elif name == "xl" and value.isdecimal() and value.isascii() and len(value) < 20:
            link.size = int(value)
        elif name in ("tr", "as", "xs", "ws") and value:
            link.urls.append(value[:1000])
    return link


def _take_digest(link: Link, text: str) -> None:
    kind, colon, value = text.removeprefix("urn:").rpartition(":")
    kind = kind.lower()
    if not colon:
        return
    if kind == "bitprint":
        sha1, _, tiger = value.partition(".")
        for name, part in (("sha1", sha1), ("tth", tiger)):
            if found := hex_of(name, part):
                link.digests.setdefault(name, found)
    elif kind in _NAMES:
        if found := hex_of(_NAMES[kind], value):
            link.digests.setdefault(_NAMES[kind], found)
    elif kind in _OTHER and value.isalnum():
        link.other.setdefault(kind, value[:200].lower())
