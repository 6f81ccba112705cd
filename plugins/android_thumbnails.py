"""Thumbnails that Android's MediaStore kept of pictures and films (.thumbdata, the folders .thumbnails), with the pictures' numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from triage.artifacts import minithumbs, times
from triage.artifacts.web import whose
from triage.plugin import Accepts, Child, Finding, Item, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.plugin import Json

_MOST_SLOTS = 400_000
_DATA = re.compile(r"\.thumbdata(\d{1,2})?(?:-(-?\d{1,12}))?.*", re.IGNORECASE)
_NAME = re.compile(r"(\d{1,19})(?:_\w{1,40})?\.(?:jpe?g|png|webp)", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_OF_FILMS = re.compile(r"/movies/\.thumbnails/", re.IGNORECASE)


class AndroidThumbnails:
    """A cached entry a slot of ``.thumbdata``; a finding ``thumbnail`` on a picture in ``.thumbnails``; ``system``: whose they are."""

    name = "android_thumbnails"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(paths=("*/.thumbdata*", "*/.thumbnails/*"))

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield the thumbnails of a file of slots, or what the place of a single one says."""
        name = item.entry.name
        if match := _DATA.fullmatch(name):
            yield from _slots(item, match[1] or "", match[2] or "")
        elif name.lower() == ".database_uuid":
            found = _UUID.search(item.head(100).decode("latin-1"))
            if found is not None:
                title = "the thumbnails here are those of MediaStore's database of this number"
                yield item.finding("system", title, {"database_uuid": found[0].lower(), **whose(item.entry.path)})
        elif item.type is not None and item.type.category == "picture":
            yield item.finding("thumbnail", *_single(item))


def _single(item: Item) -> tuple[str, Json]:
    """Return what the name of a thumbnail says: MediaStore's number of the picture, or in old versions the time in milliseconds."""
    data: Json = dict(whose(item.entry.path))
    match = _NAME.fullmatch(item.entry.name)
    kind = "film" if _OF_FILMS.search(f"/{item.entry.path}") else "picture"
    if match is None:
        return f"a thumbnail of a {kind}", data
    number = int(match[1])
    when = times.iso(times.unix_ms(number)) if len(match[1]) == 13 else None
    if when is not None:
        return f"a thumbnail of a {kind}, made {when}", {**data, "time": when}
    return f"a thumbnail of the {kind} {number} of MediaStore", {**data, "media_id": number}


def _slots(item: Item, version: str, digest: str) -> Iterator[Problem | Child]:
    step = minithumbs.slot_size(item.read_at, item.size)
    if not step:
        return
    whole = item.size
    if item.size > step * _MOST_SLOTS:
        whole = step * _MOST_SLOTS
        yield item.problem(f"of a file of thumbnails only the first {_MOST_SLOTS:,} slots were read")
    kind = minithumbs.KINDS.get(digest, "")
    told = f"the {kind or 'picture'}"
    for mini in minithumbs.minis(item.read_at, whole, step):
        data: Json = {"slot": mini.slot, "magic": str(mini.magic), "in_use": mini.in_use, "of": kind, **whose(item.entry.path)}
        title = f"a thumbnail in slot {mini.slot}"
        if version in ("3", "4"):  # makers' version 5 numbers its slots otherwise
            data["media_id"] = mini.slot
            title = f"a thumbnail of {told} {mini.slot} of MediaStore"
        yield item.child(
            f"{mini.slot:06d}.jpg",
            [["cut", mini.offset, mini.length]],
            mini.length,
            kind=Kind.CACHED,
            deleted=not mini.in_use,
            findings=[("thumbnail", title, {name: value for name, value in data.items() if value != ""})],
        )


PLUGIN = AndroidThumbnails
