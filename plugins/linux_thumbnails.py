"""Thumbnails that Linux desktops kept (~/.cache/thumbnails): the picture's address, time and size, as they note them."""

from __future__ import annotations

import re
import zlib
from hashlib import md5
from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.fileaddress import path_of, shown
from triage.artifacts.web import shown_url, whose
from triage.plugin import Accepts, Finding, Item, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MOST_CHUNKS, _LONGEST = 200, 64 << 10
_NAME = re.compile(r"([0-9a-f]{32})\.png", re.IGNORECASE)
_FOLDERS = ("normal", "large", "x-large", "xx-large", "fail", "fail/*")
_PLACE = re.compile(r"/(fail(?:/[^/]{1,100})?|[^/]{1,20})/[^/]+$")


class LinuxThumbnails:
    """A finding ``thumbnail`` with the place of the picture (``original``), or that none could be made."""

    name = "linux_thumbnails"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(
        types=("png",),
        paths=tuple(f"{root}/{folder}/*.png" for root in ("thumbnails", ".thumbnails", ".sh_thumbnails") for folder in _FOLDERS),
        kinds=(Kind.FILE, Kind.DERIVED),
        max_size=64 << 20,
    )

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the thumbnail's texts say (freedesktop.org, Thumbnail Managing Standard 0.9: keys ``Thumb::``)."""
        said, whole = _texts(item)
        uri = said.get("Thumb::URI", "")
        if not uri:
            if _NAME.fullmatch(item.entry.name):
                yield item.problem("a thumbnail of a Linux desktop without the address of its picture")
            return
        original = path_of(uri)
        place = _PLACE.search(f"/{item.entry.path}")
        failed = place is not None and place[1].startswith("fail")
        match = _NAME.fullmatch(item.entry.name)
        fits = match is not None and md5(uri.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest() == match[1].lower()
        data: dict[str, Any] = {
            **whose(item.entry.path),
            "original": original,
            "url": shown_url(uri) if not original else "",
            "original_time": times.iso(times.unix(_number(said.get("Thumb::MTime", "")))),
            "original_size": _whole(said.get("Thumb::Size", "")),
            "mime": shown(said.get("Thumb::Mimetype", ""), 200),
            "width": _whole(said.get("Thumb::Image::Width", "")),
            "height": _whole(said.get("Thumb::Image::Height", "")),
            "length_seconds": _whole(said.get("Thumb::Movie::Length", "")),
            "made_by": shown(said.get("Software", ""), 200),
            "failed": failed or None,
            "name_fits": fits,
        }
        title = f"no thumbnail could be made of {original or data['url']}" if failed else f"a thumbnail of {original or data['url']}"
        yield item.finding("thumbnail", title, {key: value for key, value in data.items() if value not in (None, "")})
        if not fits:
            yield item.problem("a thumbnail whose name is not the MD5 of the address that it states: renamed, or changed")
        if not whole:
            yield item.problem("a thumbnail that breaks off, or has more parts than are read")


def _texts(item: Item) -> tuple[dict[str, str], bool]:
    """Return the texts of a PNG by key (W3C PNG, 11.3.3: tEXt, zTXt, iTXt), and whether its chunks were read to their end."""
    found: dict[str, str] = {}
    at = len(_SIGNATURE)
    if item.head(at) != _SIGNATURE:
        return found, False
    for _ in range(_MOST_CHUNKS):
        head = item.read_at(at, 8)
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if len(head) < 8 or length > item.size - at - 8:
            return found, False
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            key, _, rest = item.read_at(at + 8, min(length, _LONGEST)).partition(b"\0")
            value = _value(kind, rest)
            if value is not None:
                found.setdefault(key[:79].decode("latin-1"), value)
        elif kind == b"IEND":
            return found, True
        at += 12 + length
    return found, False


def _value(kind: bytes, rest: bytes) -> str | None:
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    elif packed:
        rest = rest[1:]
    if packed:
        try:
            rest = zlib.decompressobj().decompress(rest, _LONGEST)
        except zlib.error:
            return None
    return rest.decode("utf-8", "surrogateescape")


def _number(text: str) -> float | None:
    """Return a number of seconds; some programs write a fraction."""
    return float(text) if re.fullmatch(r"\d{1,11}(?:\.\d{1,9})?", text) else None


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,18}", text) else None


PLUGIN = LinuxThumbnails
