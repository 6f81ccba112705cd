"""By which app pictures, films and sounds came, which way they went, and when, as their places and names say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.mediaplaces import place_of, stamp_of
from triage.artifacts.owner import user_of
from triage.plugin import Accepts, Finding, Item, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.plugin import Json

_WAYS = {
    "received": "received with {}", "sent": "sent with {}", "status": "a status seen with {}", "profile": "a profile picture of {}",
    "saved": "saved from {}", "kept": "kept by {}", "taken": "taken by {}", "screenshot": "a picture of the screen of {}",
    "downloaded": "downloaded by {}", "hidden": "hidden in {}", "trashed": "in the trash of {}",
}  # fmt: skip


class AppMedia:
    """A finding ``app-media`` on the file, with app, way and the time in its name; ``encrypted`` on what an app keeps locked."""

    name = "app_media"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(categories=("picture", "video", "audio", "unknown"), kinds=(Kind.FILE, Kind.DERIVED), min_size=16)

    def analyze(self, item: Item) -> Iterator[Finding]:
        """Yield what the place says."""
        path = item.entry.path
        place = place_of(path)
        if place is None:
            return
        data: Json = {"app": place.app, "user": user_of(path)}
        if item.type is None or item.type.category == "unknown":
            if place.encrypts:
                title = f"an attachment that {place.app} keeps encrypted"
                yield item.finding("encrypted", title, {name: value for name, value in data.items() if value})
            return
        data["direction"] = place.way
        stamp = stamp_of(item.entry.name)
        if stamp is not None:
            data["expires" if stamp.expires else "time"] = stamp.time
            data["time_basis"] = "local" if stamp.local else "utc"
        yield item.finding("app-media", _WAYS[place.way].format(place.app), {name: value for name, value in data.items() if value})


PLUGIN = AppMedia
