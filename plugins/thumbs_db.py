"""Thumbnails that Windows kept in a folder (Thumbs.db): pictures that were there, though they may be gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.compound import open_compound
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Child, Finding, Item, Kind, Problem, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.compound import Stream

_HEAD = 128
_LARGEST_CATALOG = 16 << 20


class ThumbsDb:
    """A cached entry a thumbnail, with the name and time of the picture that it shows."""

    name = "thumbs_db"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=("thumbs", "ole"))

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield each thumbnail, and the names of pictures whose thumbnails are gone."""
        try:
            compound = open_compound(item.read_at, item.size)
        except StructureError as error:
            if item.type is not None and item.type.name == "thumbs":
                yield item.problem(f"a store of thumbnails that cannot be read: {error}")
            return
        streams = {s.path[0]: s for s in compound.streams if len(s.path) == 1}
        catalog = streams.pop("Catalog", None)
        if catalog is None and not any(_is_hashed(name) for name in streams):
            return
        names = _catalog(catalog.read(item.read_at, _LARGEST_CATALOG)) if catalog is not None else {}
        shown = set()
        for name, stream in sorted(streams.items()):
            number = int(name[::-1]) if name.isdigit() and len(name) < 9 else -1
            if number < 0 and not _is_hashed(name):
                continue
            original, changed = names.get(number, ("", None))
            child = self._thumbnail(item, stream, name, original, changed)
            if child is not None:
                shown.add(number)
                yield child
        for number, (original, changed) in sorted(names.items()):
            if number not in shown:
                data = {"original": original, "original_time": times.iso(times.filetime(changed)), **whose(item.entry.path)}
                yield item.finding("thumbnail-missing", f"a thumbnail of {original} was kept and is gone", data)
        for line in compound.notes.lines():
            yield item.problem(line)

    def _thumbnail(self, item: Item, stream: Stream, name: str, original: str, changed: int | None) -> Child | None:
        head = stream.read(item.read_at, _HEAD)
        at = min((n for n in (head.find(b"\xff\xd8"), head.find(b"\x89PNG")) if n >= 0), default=-1)
        if at < 0 or stream.size <= at:
            return None
        when = times.filetime(changed)
        said: dict[str, Any] = {"original": original, "original_time": times.iso(when), "number": name, **whose(item.entry.path)}
        title = f"a thumbnail of {original}" if original else "a thumbnail whose picture has no name here"
        kept = {key: value for key, value in said.items() if value not in (None, "")}
        ending = ".jpg" if head[at : at + 2] == b"\xff\xd8" else ".png"
        label = f"{name}-{original}" if original else name
        steps: list[list[Any]] = [stream.cut(), ["cut", at, stream.size - at]]
        return item.child(
            label if label.lower().endswith((".jpg", ".jpeg", ".png")) else label + ending,
            steps,
            stream.size - at,
            kind=Kind.CACHED,
            mtime=when,
            time_basis=TimeBasis.UTC if when is not None else TimeBasis.UNKNOWN,
            findings=[("thumbnail", title, kept)],
        )


def _is_hashed(name: str) -> bool:
    """Whether it is a stream of Vista and later: ``256_`` and a hash of 16 digits."""
    size, _, digest = name.partition("_")
    return size.isdigit() and len(digest) == 16 and all(c in "0123456789abcdefABCDEF" for c in digest)


def _catalog(data: bytes) -> dict[int, tuple[str, int]]:
    """Return names and FILETIMEs by number: u32 length of the entry, u32 number, u64 time, the name in UTF-16."""
    found: dict[int, tuple[str, int]] = {}
    at = int.from_bytes(data[:2], "little")
    while 8 <= at <= len(data) - 16 and len(found) < 100_000:
        length, number = int.from_bytes(data[at : at + 4], "little"), int.from_bytes(data[at + 4 : at + 8], "little")
        if length < 18 or at + length > len(data):
            break
        name = data[at + 16 : at + length].decode("utf-16-le", "replace").partition("\0")[0]
        found[number] = (name, int.from_bytes(data[at + 8 : at + 16], "little"))
        at += length
    return found


PLUGIN = ThumbsDb
