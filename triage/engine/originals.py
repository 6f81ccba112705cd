"""Say of each thumbnail whether the picture it was made of is still there, was deleted, or is not on the medium."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from triage.model import MAX_TITLE, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from triage.case.work import Original, Seen
    from triage.case.writer import CaseWriter

PLUGIN = "originals"
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_LISTS = re.compile(r"/(?:eh)?thumbs(?:_vista)?\.db(?=/|$)", re.IGNORECASE)
_CACHE = re.compile(r"(?P<home>(?:[^/]{1,255}/)?)\.(?:cache/)?thumbnails/.*")
_HOME = re.compile(r"/home/(?P<user>[^/]{1,255})/(?P<rest>.+)")


class _Place(NamedTuple):
    """A picture's place: in one volume, or (``None``) in any of the medium; its path there in small letters."""

    evidence: str
    volume: int | None
    path: str


def note_originals(writer: CaseWriter) -> None:
    """Store a finding ``original-there``, ``original-deleted`` or ``original-gone`` for each thumbnail whose picture's place is known.

    A thumbnail that a search index names has a finding ``thumbnail-named`` besides.
    """
    writer.replace_findings(PLUGIN, originals_of(writer.work.originals(), writer.work.places))


def originals_of(thumbnails: Iterable[Original], places: Callable[[], Iterable[Seen]]) -> list[tuple[Finding, str]]:
    """Return the findings, each with its entry's path, in the order of the thumbnails. ``places`` gives what there is on the media."""
    asked = [(one, _place_of(one)) for one in thumbnails]
    wanted = {place for _, place in asked if place is not None}
    there: dict[_Place, str] = {}
    for seen in places() if wanted else ():
        inner = _inner(seen.path)
        for here in (_Place(seen.evidence, seen.volume, inner), _Place(seen.evidence, None, inner)):
            if here in wanted and there.get(here) != "allocated":
                there[here] = seen.state
    found = []
    for one, place in asked:
        if one.named_by:
            title = f"the search index names the picture of this thumbnail: {one.original}"[:MAX_TITLE]
            data = {"original": one.original, "index": one.named_by}
            found.append((Finding(entry=one.entry, plugin=PLUGIN, kind="thumbnail-named", title=title, data=data), one.path))
        if place is None:
            continue
        state = there.get(place)
        kind = {"allocated": "original-there", None: "original-gone"}.get(state, "original-deleted")
        told = {"original-there": "is there", "original-gone": "is not on this medium"}.get(kind, "was deleted")
        title = f"the picture of this thumbnail {told}: {one.original}"[:MAX_TITLE]
        data = {"original": one.original, "state": state or "not found"}
        found.append((Finding(entry=one.entry, plugin=PLUGIN, kind=kind, title=title, data=data), one.path))
    return found


def _place_of(one: Original) -> _Place | None:
    """Return where the picture was: in the folder of ``Thumbs.db``, or at a path of its own; ``None`` when that is not known."""
    name = one.original.replace("\\", "/")
    if _DRIVE.match(one.original):
        # The letter says nothing of which volume it was.
        return _Place(one.evidence, None, name[3:].lower())
    if name.startswith("/"):
        return _of_home(one, name) or _Place(one.evidence, None, name.lstrip("/").lower())
    lists = _LISTS.search(one.path)
    if "/" in name or lists is None:
        return None
    return _Place(one.evidence, one.volume, f"{_inner(one.path[: lists.start()])}/{name.lower()}".lstrip("/"))


def _of_home(one: Original, name: str) -> _Place | None:
    """Return where a picture below ``/home`` was, when the folder of homes, or one home, is a volume of its own.

    The thumbnail lies in the same home: what its path there lacks of ``home/USER`` stands before the volume.
    """
    cache, own = _CACHE.fullmatch(_inner(one.path)), _HOME.fullmatch(name)
    if cache is None or own is None:
        return None
    user, rest = own["user"].lower(), own["rest"].lower()
    home = cache["home"].rstrip("/")
    if home == user:
        return _Place(one.evidence, one.volume, f"{user}/{rest}")
    return _Place(one.evidence, one.volume, rest) if not home else None


def _inner(path: str) -> str:
    """Return a path without its volume, in small letters."""
    return path.partition("/")[2].lower()
