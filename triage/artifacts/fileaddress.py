"""Addresses of files (``file:///home/kim/a%20b.jpg``), as desktops note them, as paths."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from triage.escape import show

_LONGEST = 8192


def path_of(address: str) -> str:
    """Return the path that a ``file:`` address leads to (RFC 8089), as text that can be shown; "" for other addresses.

    ``file:///C:/a`` gives ``C:\\a``, ``file://server/share/a`` gives ``//server/share/a``.
    """
    if address[:7].lower() != "file://":
        return ""
    host, slash, path = address[7:_LONGEST].partition("/")
    if not slash:
        return ""
    text = unescaped(path)
    if host.lower() not in ("", "localhost"):
        return f"//{shown(host)}/{text}"
    return text.replace("/", "\\") if text[1:3] in (":", ":/") and text[:1].isalpha() else f"/{text}"


def unescaped(text: str) -> str:
    """Return text without percent signs; bytes that are no UTF-8 as ``\\xNN``."""
    return show(unquote_to_bytes(text[:_LONGEST].encode("utf-8", "surrogateescape")).decode("utf-8", "backslashreplace"))


def shown(text: str, longest: int = 1000) -> str:
    """Return text from evidence as it can be shown, cut."""
    return show(text[:longest].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))
