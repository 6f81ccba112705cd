"""What programs keep of the web: addresses, headers of answers, and the steps from a kept body to what was shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from triage.artifacts.owner import profile_of, program_of, user_of
from triage.artifacts.times import iso
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triage.model import Json

LONGEST_URL = 8192
_ENCODINGS = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "zlib", "br": "brotli", "zstd": "zstd"}
_EXTENSIONS = {
    "image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp", "image/avif": "avif", "image/svg+xml": "svg",
    "image/bmp": "bmp", "image/x-icon": "ico", "image/vnd.microsoft.icon": "ico", "video/mp4": "mp4", "video/webm": "webm",
    "video/mp2t": "ts", "audio/mpeg": "mp3", "audio/mp4": "m4a", "text/html": "html", "text/css": "css", "text/plain": "txt",
    "application/javascript": "js", "text/javascript": "js", "application/json": "json", "application/pdf": "pdf", "application/zip": "zip",
    "font/woff2": "woff2",
}  # fmt: skip
_ENGINES = (
    (re.compile(r"(?:^|\.)google\.[a-z.]{2,6}$"), ("q",), "Google"),
    (re.compile(r"(?:^|\.)bing\.com$"), ("q",), "Bing"),
    (re.compile(r"(?:^|\.)duckduckgo\.com$"), ("q",), "DuckDuckGo"),
    (re.compile(r"(?:^|\.)yahoo\.[a-z.]{2,6}$"), ("p",), "Yahoo"),
    (re.compile(r"(?:^|\.)yandex\.[a-z.]{2,6}$"), ("text",), "Yandex"),
    (re.compile(r"(?:^|\.)baidu\.com$"), ("wd", "word"), "Baidu"),
    (re.compile(r"(?:^|\.)youtube\.com$"), ("search_query",), "YouTube"),
    (re.compile(r"(?:^|\.)(?:ecosia|startpage|qwant|search\.brave)\.[a-z]{2,5}$"), ("q", "query"), "another search engine"),
)
_NAME = re.compile(r"[^A-Za-z0-9._~%+-]+")


def split_headers(raw: bytes, separator: bytes = b"\r\n") -> tuple[str, dict[str, str]]:
    """Return the first line of an answer's head and its fields by lower-case name; of several of one name the first."""
    lines = raw[: 256 << 10].split(separator)
    fields: dict[str, str] = {}
    for line in lines[1:500]:
        name, colon, value = line.partition(b":")
        if colon and 0 < len(name) < 100:
            fields.setdefault(name.strip().decode("latin-1").lower(), value.strip()[:4096].decode("latin-1"))
    return lines[0][:200].decode("latin-1"), fields


def undo_steps(headers: Mapping[str, str], size: int) -> list[list[Any]]:
    """Return the steps that undo a body's content encodings, the last that was put on first. ``size``: bytes at most of each."""
    names = [name.strip().lower() for name in headers.get("content-encoding", "").split(",") if name.strip()]
    steps = [["undo", _ENCODINGS[name], size] for name in reversed(names[:4]) if name in _ENCODINGS]
    return steps if len(steps) == len([n for n in names[:4] if n != "identity"]) else []


def mime_of(headers: Mapping[str, str]) -> str:
    """Return the media type that an answer states."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()[:100]


def file_name(url: str, mime: str = "") -> str:
    """Return a name for what lies at an address: its last part, with the extension of its media type when it has none."""
    try:
        last = unquote(urlsplit(url).path.rpartition("/")[2]) or urlsplit(url).hostname or "unnamed"
    except ValueError:
        last = "unnamed"
    name = _NAME.sub("_", last)[-80:].strip("._") or "unnamed"
    extension = _EXTENSIONS.get(mime, "")
    return f"{name}.{extension}" if extension and "." not in name[-6:] else name


def search_term(url: str) -> tuple[str, str] | None:
    """Return the words and the name of the engine when an address is a search."""
    try:
        parts = urlsplit(url[:LONGEST_URL])
        host, query = (parts.hostname or "").lower(), parts.query
    except ValueError:
        return None
    for pattern, fields, engine in _ENGINES:
        if query and pattern.search(host):
            try:
                values = parse_qs(query, max_num_fields=200)
            except ValueError:
                return None
            for name in fields:
                if values.get(name):
                    return values[name][0][:1000], engine
    return None


def shown_url(url: str | bytes) -> str:
    """Return an address as findings have it: text of at most 8,192 characters."""
    return (url.decode("utf-8", "replace") if isinstance(url, bytes) else url)[:LONGEST_URL]


def whose(path: str) -> Json:
    """Return what a path says of user, program and browser profile, without what it does not."""
    found = {"user": user_of(path), "application": program_of(path), "profile": profile_of(path)}
    return {name: value for name, value in found.items() if value}


def cached(path: str, url: str, time: int | None, mime: str = "", **more: Any) -> tuple[str, str, Json]:
    """Return the finding of a cached item: whence, when, by which program, in whose profile. ``more`` without empty values."""
    data: Json = {"url": shown_url(url), "time": iso(time), "mime": mime, **whose(path), **more}
    data = {name: value for name, value in data.items() if value not in (None, "", [])}
    program = data.get("application", "a program")
    return "cached", f"kept by {program} from {show(_host(url)) or 'an address'}", data


def _host(url: str) -> str:
    try:
        return (urlsplit(url[:LONGEST_URL]).hostname or "")[:100]
    except ValueError:
        return ""
