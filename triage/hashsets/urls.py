"""Addresses in the form in which lists and findings are held against each other.

A list names pages, folders and whole domains, or digests of addresses. An address of the case is asked about as it is and in more general
forms: without what only says how it was come by (scheme, port, fragment, ``www.``), without its query, each folder above it, its host and
the domains above that. So an entry with a path stands for that page or folder, one without for the domain and all below it.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

LONGEST = 8192
_MOST_FOLDERS = 12
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://")
_HOST = re.compile(r"[a-z0-9_.\-\[\]:\u0080-\U0010ffff]{1,255}")
_PUBLIC = 2
"""Labels of a domain below which nothing is asked: a list of ``com`` would be everything."""


class Address(NamedTuple):
    """An address: host without ``www.``, path without a closing slash, query."""

    host: str
    path: str
    query: str

    @property
    def whole(self) -> str:
        """The address as it is compared: host, path and query."""
        return self.host + self.path + (f"?{self.query}" if self.query else "")


def address_of(text: str) -> Address | None:
    """Return an address in parts, ``None`` for what is none."""
    text = text.strip()[:LONGEST]
    if not text or (any(c.isspace() for c in text) and not _SCHEME.match(text)):
        return None
    try:
        parts = urlsplit(text if _SCHEME.match(text) else f"http://{text}")
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        return None
    if not host or "." not in host or not _HOST.fullmatch(host) or parts.scheme.lower() in ("data", "javascript", "blob", "about"):
        return None
    host = host.removeprefix("www.") if host.count(".") > 1 else host
    return Address(host, unquote(parts.path).rstrip("/"), parts.query)


def forms(text: str) -> list[str]:
    """Return the forms in which an address of the case can stand on a list, the most particular first."""
    address = address_of(text)
    if address is None:
        return []
    found = [address.whole, address.host + address.path]
    folders = address.path.split("/")
    found += [address.host + "/".join(folders[:n]) for n in range(len(folders) - 1, 0, -1)][:_MOST_FOLDERS]
    labels = address.host.split(".")
    if not all(label.isdigit() for label in labels):
        found += [".".join(labels[n:]) for n in range(len(labels) - _PUBLIC + 1)]
    return list(dict.fromkeys(found))


def spellings(text: str) -> list[bytes]:
    """Return the spellings of an address of which a list's digests may be: as it stands, in small letters, without scheme, with a slash."""
    text = text.strip()[:LONGEST]
    bare = _SCHEME.sub("", text, count=1)
    found: list[str] = []
    for one in (text, bare, bare.removeprefix("www.")):
        short = one.rstrip("/")
        found += [one, one.lower(), short, short.lower(), f"{short}/", f"{short.lower()}/"]
    found += forms(text)
    return [one.encode("utf-8", "surrogatepass") for one in dict.fromkeys(found) if one]


def key_of(form: str) -> bytes:
    """Return the 32 bytes by which a form is known in a set."""
    return hashlib.sha256(form.encode("utf-8", "surrogatepass")).digest()
