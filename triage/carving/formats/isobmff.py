"""ISO base media files (ISO/IEC 14496-12) and QuickTime: MP4, MOV, 3GP, M4A, HEIC, AVIF, CR3, whole or in fragments.

The end is where no box follows. Whether the media are there is asked of the samples themselves: all must lie in media data boxes,
and of those whose codec can be told from other bytes, up to 1024 spread over the file (all of few) are looked at. ``checked`` means:
every one of them was right, with no stretch longer than a sixteenth of the file, or 1 MiB, without one (256 KiB where only the
beginning of a sample can be told from other bytes), and that fragments end with an index or where one says that they do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.carving.bmffgap import rejoined
from triage.carving.bmffitems import pictures_in, preview_in
from triage.carving.bmfflayout import KNOWN, Layout, lying_in, read_layout
from triage.carving.forms import Facts, Format, Header, Part, Structure, Walked
from triage.carving.mediascan import scan
from triage.carving.probes import judge, probes_of
from triage.carving.samples import name_of
from triage.content.containers import isobmff_type

if TYPE_CHECKING:
    from triage.carving.bmff import Track
    from triage.carving.window import Window

_MOST_PARTS = 64
_LEAST, _LEAST_UNTYPED = 3, 8
"""Units that must follow each other to be media, where a file says what it is, and where it does not."""
_MOST_INDEX, _MOST_BOXES = 1 << 26, 1000
"""Bytes and boxes of an index that cannot be read."""


def _plausible(window: Window) -> bool:
    """Whether the first boxes can be a file's: most that only look like one end here."""
    head = window.at(0, 32)
    size, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if kind == b"ftyp":
        if not 16 <= size <= 1024 or size % 4 or not all(32 <= byte < 127 or byte == 0xA9 for byte in head[8:12]):
            return False
    elif kind == b"moov":
        return 100 < size <= 1 << 25 and head[12:16] in {b"mvhd", b"cmov", b"udta", b"trak", b"iods"}
    elif kind == b"mdat":
        return size == 1 or size > 8
    elif (kind == b"wide" and size != 8) or (kind == b"pnot" and size != 20) or not 8 <= size <= 1 << 20:
        return False
    following = window.at(size, 8)
    if kind == b"ftyp":
        return following[4:] in KNOWN or (following[4:].isalnum() and len(following) == 8)
    return following[4:] in {b"mdat", b"moov", b"free", b"skip", b"wide", b"PICT", b"pict", b"udta"}


def _walk(window: Window) -> Walked | None:
    if not _plausible(window):
        return None
    layout = read_layout(window)
    typed = layout.boxes[:1] and layout.boxes[0].kind == b"ftyp"
    if layout.movie is None and layout.items is None:
        found = _without_index(window, layout, _LEAST if typed else _LEAST_UNTYPED)
        return found or (_with_unread_index(window, layout) if typed else None)
    if layout.movie is not None and not layout.movie.whole and layout.items is None:
        found = _with_broken_index(window, layout) if typed or layout.boxes[0].kind != b"moov" else None
        return found or (_with_unread_index(window, layout) if typed else None)
    tracks, media = layout.tracks, layout.media(window.size)
    inside, total = lying_in(tracks, media)
    if not total:
        return _with_unread_index(window, layout) if typed else None
    end = _whole_end(window, layout)
    walked = _looked_at(window, layout, end, inside, total)
    if walked is None:
        return None
    extension = _extension(window, layout)
    parts = tuple(part for part in _parts(window, layout) if part.offset + part.length <= walked.length)
    return Walked(
        length=walked.length,
        structure=walked.structure,
        why=walked.why,
        extension=extension,
        checked=walked.checked,
        valid=walked.valid,
        parts=parts,
        facts=walked.facts,
    )


def _with_broken_index(window: Window, layout: Layout) -> Walked | None:
    """Say what can be said of a film whose index goes over into something else: that may be its other piece's place."""
    movie, box = layout.movie, layout.movie_box
    if movie is None or box is None or not movie.duration:
        return None
    until = box.start + movie.stops
    why = f"its index (moov) breaks off at byte {until}: it cannot be played as it is"
    facts: Facts = {"duration_ms": movie.duration * 1000 // movie.scale}
    track = _main(movie.tracks) or (movie.tracks[0] if movie.tracks else None)
    if track is not None:
        facts["codec"] = name_of(track.codec, track.config)
        if track.width:
            facts.update(width=track.width, height=track.height)
    return Walked(length=until, structure=Structure.TRUNCATED, why=why, extension=_extension(window, layout), facts=facts)


def _with_unread_index(window: Window, layout: Layout) -> Walked | None:
    """Say of a film whose boxes are all there, one behind the other, that its index has no track that can be read."""
    kinds = [box.kind for box in layout.boxes]
    end = layout.end
    if b"moov" not in kinds and layout.cut is None:
        end = _boxes_of_index(window, end)
    elif layout.cut is not None or kinds[-1] not in {b"moov", b"mdat", b"free", b"udta"}:
        return None
    if not end or b"mdat" not in kinds:
        return None
    why = "its last box ends there, but its index (moov) has no track that can be read"
    return Walked(length=end, structure=Structure.DAMAGED, why=why, extension=_extension(window, layout), valid=end)


def _boxes_of_index(window: Window, offset: int) -> int:
    """Return where a ``moov`` box ends that begins at an offset and is made of boxes to its end, ``mvhd`` first; 0 if there is none."""
    head = window.at(offset, 16)
    end = offset + int.from_bytes(head[:4], "big")
    if head[4:8] != b"moov" or head[12:16] != b"mvhd" or not offset + 16 < end <= min(window.size, offset + _MOST_INDEX):
        return 0
    at = offset + 8
    for _ in range(_MOST_BOXES):
        size = int.from_bytes(window.at(at, 4), "big")
        if size < 8:
            return 0
        at += size
        if at >= end:
            break
    return end if at == end else 0


def _whole_end(window: Window, layout: Layout) -> int:
    """Return where the file ends if all of it is there; -1 if it is known to go on."""
    if layout.cut is None:
        return layout.end if not layout.promised or layout.end >= layout.promised else -1
    if layout.cut.end < 0:
        reach = layout.reach()
        return reach if layout.cut.start <= reach <= window.size else -1
    return -1


def _looked_at(window: Window, layout: Layout, end: int, inside: int, total: int) -> Walked | None:
    """Say what the samples say."""
    there = min(layout.cut.end if layout.cut and layout.cut.end > 0 else layout.end, window.size)
    there = max(there, end)
    if layout.cut is not None and layout.cut.end < 0 and end < 0:
        there = window.size
    probes = probes_of(layout.tracks)
    verdict = judge(window, probes, 0, there)
    movie = layout.movie
    if verdict.until >= 0:  # nothing behind it is right
        if not verdict.until and layout.movie_box is None:
            return None
        until = verdict.until or min((start for start, _ in layout.media(window.size)), default=layout.end)
        if layout.movie_box is not None:
            if not verdict.until and layout.movie_box.offset > until:
                return None  # an index, and nothing of what it tells of
            if layout.movie_box.offset > until:
                why = f"its index is whole, but what lies from byte {until} to the end of its media is not its own"
                facts = _facts(layout, until)
                return Walked(length=layout.end, structure=Structure.DAMAGED, why=why, facts=facts, valid=until)
        why = f"what lies behind byte {until} is not its own" if verdict.until else "its media are not behind its index"
        valid = min(max(verdict.last, layout.movie_box.end if layout.movie_box else 1), until)  # the last good one may go over into another
        return Walked(length=until, structure=Structure.TRUNCATED, why=why, facts=_facts(layout, until), valid=valid)
    if inside < total:
        until = there
        if layout.reach() <= there and inside * 2 < total:
            return None
        if layout.reach() > there:
            why = "the space ends inside it" if there == window.size else f"what follows byte {there} is no part of it"
            return Walked(length=there, structure=Structure.TRUNCATED, why=why, facts=_facts(layout, until), valid=min(there, layout.end))
    facts = _facts(layout, there)
    if end < 0:
        valid = there if verdict.tried else min(there, layout.end)
        why = "the space ends inside it" if layout.cut is not None else f"its index of segments goes on to byte {layout.promised}"
        return Walked(length=there, structure=Structure.TRUNCATED, why=why, facts=facts, valid=valid)
    if movie is not None and movie.promised and layout.fragments and _played(layout.tracks) * 10 < movie.promised * 9000 // movie.scale:
        why = "its fragments end before the duration that it tells"
        return Walked(length=end, structure=Structure.TRUNCATED, why=why, facts=facts)
    if verdict.bad:
        facts["samples_wrong"] = verdict.bad
        why = f"{verdict.bad} of {verdict.tried} samples that were looked at are not what they should be"
        return Walked(length=end, structure=Structure.DAMAGED, why=why, facts=facts)
    if inside < total:
        why = f"{total - inside} of {total} samples do not lie in its media"
        return Walked(length=end, structure=Structure.DAMAGED, why=why, facts=facts)
    why = f"its last box ends there; {verdict.tried} samples were looked at and are right" if verdict.tried else "its last box ends there"
    ended = not layout.fragments or layout.ended or layout.promised or (movie is not None and movie.promised)
    if not ended:
        why = f"no fragment follows its last; {verdict.tried} samples were looked at and are right"
    return Walked(length=end, structure=Structure.COMPLETE, why=why, checked=verdict.proven and bool(ended), facts=facts)


def _without_index(window: Window, layout: Layout, least: int) -> Walked | None:
    """Say what can be said of media without ``moov``: of use when they are media."""
    media = layout.media(window.size)
    if not media:
        return None
    start, end = media[0]
    found = scan(window, start, end, least)
    why = "its index (moov) is missing: it cannot be played as it is"
    if found is None:
        # Of other codecs nothing can be said without an index; but that may lie behind a gap.
        begun = Walked(length=layout.end, structure=Structure.TRUNCATED, why=why)
        joined = rejoined(window, begun, _walk) if least < _LEAST_UNTYPED else None
        if joined is None:
            return None
        first = joined.pieces[0][1]
        joined.facts.pop("samples_present", None)
        return Walked(length=first, structure=Structure.TRUNCATED, why=why, extension=joined.extension, facts=joined.facts)
    name, until, count = found
    whole = layout.cut is None and end - until < 1 << 16
    facts: Facts = {"codec": name, "units": count}
    extension = _extension(window, layout)
    length = layout.end if whole else until
    return Walked(length=length, structure=Structure.TRUNCATED, why=why, extension=extension, valid=until, facts=facts)


def _main(tracks: list[Track]) -> Track | None:
    """Return the track that a person would call the file's."""
    for handler in (b"vide", b"soun", b"pict"):
        found = [track for track in tracks if track.handler == handler and len(track.offsets)]
        if found:
            return max(found, key=lambda track: int(track.sizes.sum()))
    return tracks[0] if tracks else None


def _played(tracks: list[Track]) -> int:
    """Return for how many milliseconds the longest track plays."""
    found = [int(t.times[-1]) * 1000 // t.scale for t in tracks if t.scale and len(t.times)]
    return max(found, default=0)


def _facts(layout: Layout, until: int) -> Facts:
    """Return what a person wants to know; ``until``: bytes that are there."""
    facts: Facts = {}
    movie, items = layout.movie, layout.items
    if items is not None:
        if items.width:
            facts.update(width=items.width, height=items.height)
        count = sum(len(track.offsets) for track in items.tracks)
        facts.update(items=count, items_present=sum(int((t.offsets + t.sizes <= until).sum()) for t in items.tracks))
    track = _main(layout.tracks)
    if track is None:
        return facts
    facts["codec"] = name_of(track.codec, track.config)
    if movie is None or track.handler == b"pict":
        return facts
    if track.width and "width" not in facts:
        facts.update(width=track.width, height=track.height)
    duration = movie.duration * 1000 // movie.scale
    if layout.fragments:
        duration = max(duration, track.ended * 1000 // max(track.scale, 1), movie.promised * 1000 // movie.scale)
    facts["duration_ms"] = duration
    missing = np.flatnonzero(track.offsets + track.sizes > until)
    present = len(track.offsets) - len(missing)
    facts["samples"] = track.samples
    facts["samples_present"] = track.samples if not len(missing) else min(present, track.samples)
    if len(missing):
        facts["plays_ms"] = min(int(track.times[missing[0]]) * 1000 // max(track.scale, 1), duration)
    return facts


def _extension(window: Window, layout: Layout) -> str:
    """Return the extension by brand and tracks."""
    head = window.at(0, 512)
    brand, length = head[8:12], min(int.from_bytes(head[:4], "big"), 512)
    if head[4:8] != b"ftyp":
        return "mov"
    if brand[:3] == b"3g2":
        return "3g2"
    if brand == b"f4v ":
        return "f4v"
    found = isobmff_type(head, window.size)
    if found == "heic" and brand[:3] not in {b"hei", b"hev"} and b"hei" not in head[16:length]:
        return "heif"
    if found == "mp4" and layout.movie is not None and layout.tracks:
        sound = {track.handler for track in layout.tracks} & {b"soun", b"vide"}
        return "m4a" if sound == {b"soun"} else "mp4"
    return found


def _parts(window: Window, layout: Layout) -> list[Part]:
    """Return pictures and films that lie inside as files of their own."""
    found = list(layout.items.parts) if layout.items is not None else []
    if layout.movie_box is not None:
        box = layout.movie_box
        found += pictures_in(window.at(box.start, box.end - box.start), box.start)
    for track in layout.tracks:
        if track.codec == b"CRAW" and b"JPEG" in track.config:
            places = zip(track.offsets.tolist(), track.sizes.tolist(), strict=True)
            found += [Part(offset=o, length=s, extension="jpg", name="picture") for o, s in places][:_MOST_PARTS]
    for box in layout.boxes[:_MOST_PARTS]:
        if box.kind == b"mpvd":
            found.append(Part(offset=box.start, length=box.end - box.start, extension="mp4", name="motion"))
        elif box.kind == b"uuid":
            preview = preview_in(window, box)
            found += [preview] if preview else []
    starts = {"jpg": b"\xff\xd8\xff", "png": b"\x89PN"}
    return [part for part in found[:_MOST_PARTS] if window.at(part.offset, 3) == starts.get(part.extension, b"\0\0\0")]


def _rejoin(window: Window, walked: Walked) -> Walked | None:
    return rejoined(window, walked, _walk)


FORMATS = (
    Format(
        name="isobmff",
        extension="mp4",
        headers=tuple(Header(kind, at=4) for kind in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")),
        walk=_walk,
        rejoin=_rejoin,
        holds_files=True,
    ),
)
