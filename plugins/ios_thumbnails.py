"""Thumbnails that iPhones and iPods kept of photos (.ithmb as raw pixels, PhotoData/Thumbnails), and photos that were edited there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from triage.artifacts import ithmb, pixels, times
from triage.artifacts.plist import parse_plist
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Child, Finding, Item, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.plugin import Json

_MOST, _LARGEST_NOTE = 30_000, 4 << 20
_KEPT = re.compile(r"^(.*?)/?PhotoData/Thumbnails/V2/(.+)/[^/]+$", re.IGNORECASE)
_EDITED = re.compile(r"^(.*?)/?PhotoData/Mutations/(.+)/Adjustments/[^/]+$", re.IGNORECASE)


class IosThumbnails:
    """A derived picture for each of an ``.ithmb``; ``thumbnail`` with the photo's path on a file of its own; ``edited``."""

    name = "ios_thumbnails"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(paths=("*.ithmb", "*/PhotoData/Thumbnails/V2/**", "*/PhotoData/Mutations/**"), min_size=16)

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield what the place says of a picture, or the pictures of a file of pixels."""
        shown = item.type is not None and item.type.category in ("picture", "video")
        path = item.entry.path
        if match := _EDITED.match(path):
            yield from _edited(item, match[2], shown=shown)
        elif shown and (match := _KEPT.match(path)):
            inner = match[1].partition("/")[2]
            original = f"/{inner}/{match[2]}" if inner else f"/{match[2]}"
            data: Json = {"original": original, "format": item.entry.name.partition(".")[0], **whose(path)}
            yield item.finding("thumbnail", f"a thumbnail of {match[2]}", data)
        elif path.lower().endswith(".ithmb"):
            if shown:
                yield item.finding("thumbnail", "a thumbnail whose picture has no name here", dict(whose(path)))
            else:
                yield from _pixels(item)


def _pixels(item: Item) -> Iterator[Problem | Child]:
    form = ithmb.form_of(item.entry.name, item.read_at, item.size)
    if form is None:
        yield item.problem("thumbnails as raw pixels whose size and form cannot be told")
        return
    count, rest = divmod(item.size, form.record)
    length = pixels.raw_size(form.layout, form.width, form.height, form.stride)
    if rest and count < _MOST:
        yield item.problem(f"{rest:,} bytes behind the last whole thumbnail were not read")
    if count > _MOST:
        yield item.problem(f"of {count:,} thumbnails the first {_MOST:,} were read")
    for number in range(min(count, _MOST)):
        at = number * form.record
        if not item.read_at(at, length).strip(b"\0"):
            continue  # a place that holds none
        behind = item.read_at(at + length, min(form.record - length, 64)).rstrip(b"\0")
        data: Json = {
            "number": number, "width": form.width, "height": form.height, "layout": form.layout, "layout_by": form.by,
            "behind": behind.hex(), **whose(item.entry.path),
        }  # fmt: skip
        yield item.child(
            f"{number:05d}.bmp",
            [["cut", at, length], pixels.steps_of(form.layout, form.width, form.height, form.stride)],
            pixels.size_of(form.width, form.height),
            kind=Kind.CACHED,
            findings=[
                ("thumbnail", "a thumbnail whose picture has no name here", {key: value for key, value in data.items() if value != ""})
            ],
        )


def _edited(item: Item, photo: str, *, shown: bool) -> Iterator[Finding | Problem]:
    """Yield what is said of an edited photo: by the picture that came of it, or by the note of how."""
    data: Json = {"photo": photo, **whose(item.entry.path)}
    if shown:
        yield item.finding("edited", f"an edited form of {photo}", data)
        return
    if not item.entry.name.lower().endswith(".plist"):
        return
    try:
        value = parse_plist(item.read(_LARGEST_NOTE)).value
    except StructureError as error:
        yield item.problem(f"a note of how a photo was edited cannot be read: {error}")
        return
    note: dict[str, Any] = value if isinstance(value, dict) else {}
    said = {"program": note.get("adjustmentEditorBundleID"), "format": note.get("adjustmentFormatIdentifier")}
    data |= {name: text[:300] for name, text in said.items() if isinstance(text, str) and text}
    when = _time(note.get("adjustmentTimestamp"))
    if when:
        data["time"] = when
    yield item.finding("edited", f"{photo} was edited by {data.get('program', 'a program')}", data)


def _time(value: object) -> str | None:
    nanoseconds = getattr(value, "nanoseconds", None)
    return times.iso(nanoseconds if isinstance(nanoseconds, int) else times.cocoa(value))


PLUGIN = IosThumbnails
