"""Putting a ZIP file in two pieces together.

Its end record says how long the file is before it: one that stands some blocks further back tells the length of the gap at once, and the
directory before it names the members, their places and their checksums. What is left to find is the block at which the first piece ends.
It lies in the record at which the walk stopped. A deflated member is inflated up to where it breaks, the decoder kept at the last
boundaries of blocks, and carried on from each of them behind the gap; a stored one is compared at all of them in one pass
(:mod:`triage.carving.crc`). The whole file is walked once more at the end, and must be complete and checked.
"""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING

from triage.artifacts.zips import END
from triage.carving.crc import Seam
from triage.carving.forms import Structure, Walked
from triage.carving.zipinflate import Budget, Ending, carry_on, states
from triage.carving.zipparts import End, Listed, State, local_header, read_directory, read_member
from triage.carving.zipwalk import hopped_end, related_ends, trail_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from triage.carving.window import Window
    from triage.carving.zipwalk import Trail

_KEPT = 64
"""Decoders that are kept at once, 40 KiB each."""
_CARRIED = 64 << 20
"""Bytes that all tries to carry on one member may expand to, besides what its input earns and some times its own size."""
_MOST_ENDS = 16
_REACH = 16 << 20
_WHOLE_WALKS = 8
_FURTHEST = 16 << 20
_MOST_STORED = 256 << 20


def rejoin(window: Window, walked: Walked) -> Walked | None:
    """Return the whole file when its rest is found behind one gap; ``None`` otherwise."""
    if walked.structure is not Structure.TRUNCATED:
        return None
    trail = trail_of(window)
    if not trail.members or (trail.directory is not None and trail.directory.end is not None):
        return None
    for end in itertools.islice(_ends(window, trail), _MOST_ENDS):
        if not end.gap:
            return None
        for split in _splits(window, trail, end):
            if (found := _joined(window, split, end.gap, end.end)) is not None:
                return found
    for split, gap, stop in _cut_ends(window, trail):
        if (found := _joined(window, split, gap, stop)) is not None:
            return found
    return None


def _ends(window: Window, trail: Trail) -> Iterator[End]:
    """Yield end records that may be the file's: the one that the headers behind a gap lead to, however far, then those that lie near."""
    hopped = hopped_end(window, trail)
    if hopped is not None:
        yield hopped
    for end in related_ends(window, trail, _REACH):
        if end != hopped:
            yield end


def _joined(window: Window, split: int, gap: int, stop: int) -> Walked | None:
    """Return the file whose first piece is that long and whose second one lies behind the gap and ends at ``stop``, if it is whole."""
    if stop > window.size:
        return None
    pieces = ((0, split), (split + gap, stop - split - gap))
    found = walk(window.spliced(pieces))
    if found is None or found.structure is not Structure.COMPLETE or not found.checked:
        return None
    return Walked(
        length=found.length,
        structure=Structure.FRAGMENTED,
        why=f"its first {split} bytes go on {gap} bytes further back, where {found.why}",
        extension=found.extension,
        checked=True,
        pieces=pieces,
        facts=found.facts,
    )


def _cut_ends(window: Window, trail: Trail) -> Iterator[tuple[int, int, int]]:
    """Yield split, gap and stop for a cut in the end record itself: what it should say is known by then."""
    directory = trail.directory
    if directory is None or trail.broken or directory.end is not None:
        return
    count = len(directory.entries)
    split = (directory.stop // window.block + 1) * window.block
    if split - directory.stop > 14 or count > 0xFFFE or directory.start > 0xFFFFFFFE:
        return
    record = struct.pack("<4sHHHHII", END, 0, 0, count, count, directory.stop - directory.start, directory.start)
    if window.at(directory.stop, split - directory.stop) != record[: split - directory.stop]:
        return
    rest = record[split - directory.stop :]
    at = split
    for _ in range(_MOST_ENDS):
        at = window.find(rest, at + 1, split + _FURTHEST)
        if at < 0:
            return
        if (at - split) % window.block == 0:
            comment = int.from_bytes(window.at(at + len(rest), 2), "little")
            yield split, at - split, at + len(rest) + 2 + comment


def _splits(window: Window, trail: Trail, end: End) -> Iterator[int]:
    """Yield the lengths that the first piece may have, few and likely ones."""
    block = window.block
    if end.offset == trail.stop:  # every member is whole: the cut lies in the directory or behind it
        stop = read_directory(window, trail.stop).stop
        last = min(stop + 0x2000, end.offset + end.size + 76)
        yield from _latest(_boundaries(trail.stop - 1, last, block))
        return
    if trail.stop % block == 0:
        yield trail.stop
    entries = read_directory(window, end.offset + end.gap).entries
    entry = next((e for e in entries if e.offset == trail.stop), None)
    if entry is None:
        # What stopped the walk is no member: bytes that nothing accounts for, as in an APK, up to the next one.
        following = min((e.offset for e in entries if e.offset > trail.stop), default=end.offset)
        yield from _latest(_boundaries(trail.stop, min(following, trail.stop + 0x10000) + 1, block))
        return
    header = local_header(window, trail.stop)
    for split in _boundaries(trail.stop, trail.stop + 31 + len(entry.name) + 0x1000, block):
        if end.end > window.size:
            return
        spliced = window.spliced(((0, split), (split + end.gap, end.end - split - end.gap)))
        joined = local_header(spliced, trail.stop)
        if joined is not None and joined.data >= split and _whole(spliced, entry):
            yield split
    if header is None or header.name != entry.name:
        return
    start, stop = header.data, header.data + entry.packed
    if entry.method == 8:
        yield from _deflated(window, entry, start, stop, end.gap)
    elif entry.method == 0 and entry.packed <= _MOST_STORED and stop + end.gap <= window.size:
        yield from Seam(window, start, stop, block).breaks(end.gap, entry.crc)
    # The member may be whole, and only what says so behind it be cut.
    yield from _boundaries(stop - 1, stop + 25, block)


def _boundaries(after: int, before: int, block: int) -> range:
    """Return the multiples of the block between two offsets, neither of them included."""
    return range((after // block + 1) * block, before, block)


def _latest(splits: range) -> Iterable[int]:
    return list(reversed(splits))[:_WHOLE_WALKS]


def _whole(spliced: Window, entry: Listed) -> bool:
    member = read_member(spliced, entry.offset, Budget(), entry)
    return member is not None and member.state is State.WHOLE


def _deflated(window: Window, entry: Listed, start: int, end: int, gap: int) -> Iterator[int]:
    """Yield the boundary from which a deflated member goes on behind the gap to its end and has its checksum."""
    allowed, reading, stop = Budget(_CARRIED + 4 * min(entry.size, _CARRIED)), Budget(), end
    while start < stop and allowed.left > 0:
        kept = states(window, start, stop, reading, keep=_KEPT)
        for saved in reversed(kept):
            at = saved.at
            found = carry_on(window, saved, at + gap, end + gap, allowed)
            if found.ending is Ending.ENDED and found.consumed == end - at and (found.crc, found.size) == (entry.crc, entry.size):
                yield at
            if allowed.left <= 0:
                return
        if len(kept) < _KEPT:
            return
        stop = kept[0].at  # codes of deflate fall into step again: garbage may pass for sound far beyond the cut
