"""Camera, software, time and place of films, from what MP4, QuickTime and 3GP files note."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.filmnotes import read_film
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator


class FilmOrigin:
    """Findings ``camera`` (which one, when), ``edited`` (by which program, when no camera is named) and ``location`` (degrees, WGS 84)."""

    name = "film_origin"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=("mp4", "mov", "3gp", "m4a"), min_size=100)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield a camera or a program, and a place."""
        found = read_film(item.read_at, item.size)
        if found is None:
            return
        said: dict[str, Any] = dict(sorted(found.said.items()))
        if found.created is not None:
            said["time"] = times.iso(found.created)
        if said:
            device = " ".join(said[name] for name in ("make", "model") if name in said)
            by = said.get("software", "")
            if device:
                yield item.finding("camera", f"film of {device}", said)
            else:
                yield item.finding("edited", f"was made or edited with {by}" if by else "has notes of its making", said)
        if found.latitude is not None and found.longitude is not None:
            place = {"latitude": found.latitude, "longitude": found.longitude}
            if found.altitude is not None:
                place["altitude"] = found.altitude
            yield item.finding("location", f"filmed at {found.latitude}, {found.longitude}", place)
        if not found.whole:
            yield item.problem("a film holds more notes than are read")


PLUGIN = FilmOrigin
