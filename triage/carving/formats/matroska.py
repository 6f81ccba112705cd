"""Matroska and WebM (RFC 9559 over EBML, RFC 8794): an EBML header, then one segment of clusters and what describes them.

The end is that of the segment or, where it tells no length, of the last element that can be one of it. In each cluster (all of few,
64 of many) the blocks must follow each other to its end, checksums must be right where there are any, and samples must look like
their codec's. ``checked`` means: all that, and either every cluster that was looked at has a checksum or the samples prove it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from triage.carving.bmffgap import borders_of, likeliest, pieces_of
from triage.carving.crc import Seam
from triage.carving.ebml import CRC32, LONGEST_HEAD, VOID, element_at, elements, head_of, intact, number
from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.matroskatracks import Heads, read_attachments, read_cues, read_info, read_places, read_tracks
from triage.carving.probes import Verdict, judge, probes_of
from triage.carving.samples import name_of
from triage.carving.strides import widths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.carving.window import Window

_SEGMENT, _CLUSTER, _CUES, _TAGS = 0x18538067, 0x1F43B675, 0x1C53BB6B, 0x1254C367
_SEEK, _INFO, _TRACKS, _CHAPTERS, _ATTACHED = 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1043A770, 0x1941A469
_TOP = frozenset({_CLUSTER, _CUES, _TAGS, _SEEK, _INFO, _TRACKS, _CHAPTERS, _ATTACHED, VOID, CRC32})
_TIME, _SIMPLE, _GROUP, _BLOCK = 0xE7, 0xA3, 0xA0, 0xA1
_IN_CLUSTER = frozenset({_TIME, _SIMPLE, _GROUP, 0xA7, 0xAB, 0x5854, 0xAF, VOID, CRC32})
_MOST_TOP = 1 << 16
_MOST_BLOCKS = 1 << 18
"""Blocks of one file that are looked at."""
_MOST_CLUSTERS = 64
_ALL = 16 << 20
"""Clusters, and about how many bytes of them, that are looked into, besides those around joints and at the end; all of less."""
_WHOLE = 8 << 20
"""Bytes of a cluster that is read in one go; other elements are read up to here as well."""
_MOST_WIDTHS = 64
_RESUMES = 16 << 20


@dataclass(slots=True)
class _Cluster:
    """``end``: by its own length, or where its last block ends; ``until``: where its last good block does; ``time``: of that, in ticks.

    ``recent``: where the last few elements in it begin.
    """

    offset: int
    start: int
    end: int
    until: int = 0
    time: int = 0
    blocks: int = 0
    recent: tuple[int, ...] = ()
    whole: bool = False
    unsized: bool = False
    sealed: bool | None = None


@dataclass(slots=True)
class _Segment:
    start: int
    end: int
    heads: Heads = field(default_factory=Heads)
    clusters: list[_Cluster] = field(default_factory=list)
    frames: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    reached: int = 0
    wrong: int = 0
    blocks: int = 0
    broken: int = -1
    """Where no element followed and none further on could be found, in a segment that should go on; the space's end included."""


def _document(window: Window) -> tuple[str, int] | None:
    """Return the type of the document, and where its header ends (RFC 8794, 11.2)."""
    head = window.at(0, 256)
    found = head_of(head)
    if found is None or not 8 <= found[2] <= 200:
        return None
    end = found[1] + found[2]
    for kind, start, stop in elements(head, found[1], end):
        if kind == 0x4282:
            name = head[start:stop].rstrip(b"\0")
            return (name.decode("ascii"), end) if name in {b"webm", b"matroska"} else None
    return None


def _walk(window: Window) -> Walked | None:
    found = _document(window)
    if found is None:
        return None
    name, offset = found
    top = element_at(window, offset)
    if top is None or top[0] != _SEGMENT:
        return None
    segment = _Segment(top[1], top[2])
    _follow(window, segment)
    if not segment.clusters or not segment.heads.tracks:
        return None
    chosen = _chosen(window, segment)
    for count, cluster in enumerate(chosen):
        if segment.blocks >= _MOST_BLOCKS // 2 and cluster is not chosen[-1]:
            chosen = [*chosen[:count], chosen[-1]]
            _look_into(window, segment, chosen[-1])
            break
        _look_into(window, segment, cluster)
    chosen = _narrowed(window, segment, chosen)
    walked = _said(window, segment, chosen)
    if walked is None:
        return None
    kinds = {track.handler for track in segment.heads.tracks.values()}
    extension = "webm" if name == "webm" else "mka" if b"soun" in kinds and b"vide" not in kinds else "mkv"
    parts = tuple(part for part in segment.heads.parts if part.offset + part.length <= walked.length)
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


def _follow(window: Window, segment: _Segment) -> None:
    """Follow the elements of the segment to its end, or to where nothing of it follows."""
    at = segment.start
    for _ in range(_MOST_TOP):
        segment.reached = at
        if segment.end >= 0 and at == segment.end:
            return
        found = element_at(window, at)
        limit = segment.end if segment.end >= 0 else 1 << 62
        if found is None or found[0] not in _TOP or found[2] > limit or (found[2] < 0 and found[0] != _CLUSTER):
            at = _resumed(window, segment, at) if segment.end >= 0 else -1
            if at < 0:
                segment.broken = segment.reached if segment.end >= 0 else -1
                return
            segment.wrong += 1
            continue
        kind, start, end = found
        if kind == _CLUSTER:
            cluster = _Cluster(at, start, end, unsized=end < 0)
            if end < 0:
                _look_into(window, segment, cluster)
                cluster.end = end = cluster.until
            segment.clusters.append(cluster)
        if end > window.size:
            segment.broken = window.size
            return
        if kind not in {_CLUSTER, VOID}:
            _described(window, segment, kind, start, end)
        at = end
    segment.reached = segment.broken = at


def _described(window: Window, segment: _Segment, kind: int, start: int, end: int) -> None:
    """Read what is no cluster."""
    heads = segment.heads
    if kind == _ATTACHED:
        read_attachments(heads, window, start, end)
        return
    data = window.at(start, min(end - start, _WHOLE))
    if end - start <= _WHOLE and intact(data) is False:
        segment.wrong += 1
    if kind == _INFO:
        read_info(heads, data)
    elif kind == _TRACKS and not heads.tracks:
        read_tracks(heads, data)
    elif kind == _SEEK:
        read_places(heads, data, segment.start)
    elif kind == _CUES:
        read_cues(heads, data, segment.start)


def _resumed(window: Window, segment: _Segment, at: int) -> int:
    """Return where the segment goes on behind something that is none of it; -1 for nowhere."""
    limit = min(segment.end, window.size, at + _RESUMES)
    place = at
    for _ in range(64):
        place = window.find(_CLUSTER.to_bytes(4, "big"), place + 1, limit)
        if place < 0:
            break
        found = element_at(window, place)
        if found is not None and found[2] <= segment.end and window.at(found[1], 1) in {b"\xe7", b"\xbf"}:
            return place
    for kind, place in sorted(segment.heads.places.items(), key=lambda item: item[1]):
        if at < place < segment.end and window.at(place, 4) == kind.to_bytes(4, "big") and kind in _TOP:
            return place
    return -1


def _chosen(window: Window, segment: _Segment) -> list[_Cluster]:
    """Return which clusters are looked into: all of few; else some spread evenly, and those around joints and at the end."""
    clusters = segment.clusters
    total = sum(c.end - c.start for c in clusters)
    if total <= _ALL or len(clusters) <= 4:
        return clusters
    most = max(min(_ALL * len(clusters) // total, _MOST_CLUSTERS), 4)
    numbers = set(np.linspace(0, len(clusters) - 1, min(most, len(clusters))).astype(np.int64).tolist()) | {len(clusters) - 2}
    starts = [c.offset for c in clusters]
    for joint in window.joints(0, clusters[-1].end)[:1024]:
        number_ = int(np.searchsorted(starts, joint))
        numbers |= set(range(max(number_ - 2, 0), min(number_ + 1, len(clusters))))
    return [clusters[n] for n in sorted(numbers)]


def _narrowed(window: Window, segment: _Segment, chosen: list[_Cluster]) -> list[_Cluster]:
    """Return what was looked into and, where that goes over from right to wrong, the clusters that tell just where."""
    wrong = next((n for n, cluster in enumerate(chosen) if not cluster.whole and not cluster.unsized), 0)
    if not wrong or len(chosen) == len(segment.clusters):
        return chosen
    low, high = segment.clusters.index(chosen[wrong - 1]), segment.clusters.index(chosen[wrong])
    looked = {low: chosen[wrong - 1], high: chosen[wrong]}
    while high - low > 1:
        middle = (low + high) // 2
        cluster = looked[middle] = segment.clusters[middle]
        _look_into(window, segment, cluster)
        low, high = (middle, high) if cluster.whole else (low, middle)
    return [*chosen[: wrong - 1], *(looked[number_] for number_ in sorted(looked)), *chosen[wrong + 1 :]]


def _look_into(window: Window, segment: _Segment, cluster: _Cluster, begin: int = 0) -> None:
    """Follow the blocks of a cluster (RFC 9559, 5.1.3); ``begin``: from the one that begins there on, without its checksum."""
    if cluster.until:
        return
    known = cluster.end >= 0
    end = min(cluster.end, window.size) if known else window.size
    data = window.at(cluster.start, end - cluster.start) if known and not begin and end - cluster.start <= _WHOLE else b""
    at, base = begin or cluster.start, 0
    cluster.until = at
    cluster.sealed = intact(data) if data and end == cluster.end else None
    while at < end and segment.blocks < _MOST_BLOCKS:
        head = data[at - cluster.start : at - cluster.start + 24] if data else window.at(at, 24)
        found = head_of(head)
        if found is None or found[0] not in _IN_CLUSTER or found[2] < 0 or at + found[1] + found[2] > end:
            break
        kind, start, stop = found[0], at + found[1], at + found[1] + found[2]
        if kind == _TIME:
            base = number(head, found[1], found[1] + found[2])
        elif kind in {_SIMPLE, _GROUP}:
            if kind == _GROUP:
                inner = _grouped(data[start - cluster.start : stop - cluster.start] if data else window.at(start, min(stop - start, 65536)))
                head, begin, finish = (window.at(start + inner[0], 12), start + inner[0], start + inner[1]) if inner else (b"", 0, 0)
            else:
                head, begin, finish = head[found[1] :], start, stop
            if not _block(segment, head, begin, finish):
                break
            cluster.blocks += 1
            segment.blocks += 1
            cluster.time = max(cluster.time, base + int.from_bytes(head[1:3], "big", signed=True))
        cluster.recent = (*cluster.recent[-3:], at)
        at = cluster.until = stop
    cluster.whole = known and at == cluster.end and cluster.sealed is not False


def _grouped(data: bytes) -> tuple[int, int] | None:
    """Return where the block of a block group lies in it; its length may go past what was read."""
    at = 0
    for _ in range(16):
        found = head_of(data, at)
        if found is None or found[2] < 0:
            return None
        if found[0] == _BLOCK:
            return at + found[1], at + found[1] + found[2]
        at += found[1] + found[2]
    return None


def _block(segment: _Segment, head: bytes, start: int, end: int) -> bool:
    """Note a block's frame; whether its track is one of the file's (10.1 to 10.3)."""
    if len(head) < 4 or not head[0] & 0x80 or (head[0] & 0x7F) not in segment.heads.tracks or end - start < 4:
        return bool(head[:1]) and head[0] >> 6 == 1  # tracks above 126 are not probed
    if not head[3] & 6 and end - start > 4:
        segment.frames.setdefault(head[0] & 0x7F, []).append((start + 4, end - start - 4, 0))
    return True


def _said(window: Window, segment: _Segment, chosen: list[_Cluster]) -> Walked | None:
    """Say what became of the clusters."""
    good = [c.whole or (c.unsized and c.blocks > 0) for c in chosen]
    if not any(c.blocks for c in chosen):
        return None
    last = max(n for n, c in enumerate(chosen) if c.blocks)
    closed = segment.end >= 0 and segment.broken < 0
    if not closed and (segment.broken >= 0 or not any(good[last:])):
        # Its end was not found, so what comes behind the first thing that is wrong may be another's.
        first = good.index(False) if False in good else len(chosen) - 1
        until = chosen[first].until if False in good else segment.reached
        there = [cluster for cluster in chosen[: first + 1] if cluster.blocks]
        if not there:
            return None
        why = "the space ends inside it" if until + LONGEST_HEAD > window.size else f"what follows byte {until} is no part of it"
        if segment.broken == window.size and not segment.wrong and good.count(False) < 2:
            why = "the space ends inside it"
        recent = chosen[first].recent
        valid = recent[-1] if recent and recent[-1] < until else until  # the last block may go over into another file
        return Walked(length=until, structure=Structure.TRUNCATED, why=why, valid=valid, facts=_facts(segment, there))
    if closed and not any(good[last:]):
        until = chosen[last].until
        why = f"its segment is whole, but nothing of its media behind byte {until} is right"
        return Walked(length=segment.end, structure=Structure.DAMAGED, why=why, valid=until, facts=_facts(segment, chosen[: last + 1]))
    end, facts = segment.reached, _facts(segment, [])
    sealed = all(c.sealed for c in chosen)
    verdict = Verdict(0, 0) if sealed else _probed(window, segment, end)
    bad = good.count(False) + segment.wrong
    if bad or verdict.bad or verdict.until >= 0:
        why = f"{bad} of its elements are not what they should be" if bad else "samples of it are not what they should be"
        facts["wrong"] = bad or verdict.bad
        return Walked(length=end, structure=Structure.DAMAGED, why=why, facts=facts)
    lost = set(segment.heads.cues) - {c.offset for c in segment.clusters}
    if lost:
        why = f"{len(lost)} clusters are not where its cues tell"
        return Walked(length=end, structure=Structure.DAMAGED, why=why, facts=facts)
    checked = segment.end >= 0 and (sealed or verdict.proven)
    why = "its segment ends there" if segment.end >= 0 else "its segment tells no length: its last block ends there"
    return Walked(length=end, structure=Structure.COMPLETE, why=why, checked=checked, facts=facts)


def _probed(window: Window, segment: _Segment, end: int) -> Verdict:
    """Look at the samples of blocks."""
    tracks = []
    for identifier, frames in sorted(segment.frames.items()):
        track = segment.heads.tracks[identifier]
        rows = np.array(frames, np.int64).reshape(-1, 3)
        track.offsets, track.sizes, track.times = rows[:, 0], rows[:, 1], rows[:, 2]
        tracks.append(track)
    return judge(window, probes_of(tracks), 0, end)


def _facts(segment: _Segment, until: list[_Cluster]) -> Facts:
    """Return what a person wants to know; ``until``: clusters that are there, when not all are."""
    facts: Facts = {}
    tracks = sorted(segment.heads.tracks.values(), key=lambda track: (track.handler != b"vide", track.handler != b"soun", track.number))
    facts["codec"] = name_of(tracks[0].codec, tracks[0].config)
    if tracks[0].width:
        facts.update(width=tracks[0].width, height=tracks[0].height)
    ended = max((c.time for c in until or segment.clusters), default=0) * segment.heads.scale // 1_000_000
    facts["duration_ms"] = segment.heads.duration or ended
    facts["clusters"] = len(segment.clusters)
    if until:
        facts["plays_ms"] = ended
    return facts


def _rejoin(window: Window, walked: Walked) -> Walked | None:
    """Look for the rest behind a gap: the element that should follow the last cluster lies whole blocks further on."""
    found = _document(window)
    top = element_at(window, found[1]) if found is not None else None
    if walked.structure is not Structure.TRUNCATED or top is None:
        return None
    segment = _Segment(top[1], top[2])
    _follow(window, segment)
    if not segment.clusters:
        return None
    last = next((c for c in segment.clusters if c.offset < walked.length <= c.end), segment.clusters[-1])
    _look_into(window, segment, last)
    if not last.recent or element_at(window, last.offset) != (_CLUSTER, last.start, last.end):
        return None  # it tells no length
    head = window.at(last.start, 6)
    seam = Seam(window, last.start + 6, last.end, window.block) if head[:2] == b"\xbf\x84" and last.end - last.start <= _WHOLE else None
    # The block that lies across begins last, or what followed it looked like something by chance.
    borders = borders_of(window, last.recent[0] + 1, min(last.until + LONGEST_HEAD, last.end), last.until - last.recent[0] + 64)
    for width in _widths(window, segment, last):
        if seam is not None:
            fitting = list(seam.breaks(width, int.from_bytes(head[2:], "little")))
        else:
            fitting = [border for border in borders if _fits(window, segment, last, border, width)]
        likely = likeliest(window, fitting, width)
        if likely is None:
            continue
        border, certain = likely
        whole = window.spliced(((0, border), (border + width, window.size - border - width)))
        joined = _walk(whole)
        if joined is None or joined.structure is not Structure.COMPLETE or joined.length <= border:
            continue
        unsure = "" if certain else "; where in the last block before the gap the piece ends is the likeliest of several places"
        return Walked(
            length=joined.length,
            structure=Structure.FRAGMENTED,
            why=f"2 pieces fit together: blocks before and behind the gap are right{unsure}",
            extension=joined.extension,
            checked=joined.checked and certain,
            pieces=pieces_of(((0, joined.length),), border, width),
            facts=joined.facts,
        )
    return None


def _widths(window: Window, segment: _Segment, last: _Cluster) -> Iterator[int]:
    """Yield how wide a gap can be behind which the next element lies."""
    names = [name.to_bytes(4, "big") for name in (_CLUSTER, _CUES, _TAGS)]
    if segment.end < 0 or last.end < segment.end:
        for count, width in enumerate(widths(window, last.end, names)):
            if count >= _MOST_WIDTHS:
                break
            yield width


def _fits(window: Window, segment: _Segment, last: _Cluster, border: int, width: int) -> bool:
    """Whether what is behind the last good blocks of a cluster is right with a gap there."""
    whole = window.spliced(((0, border), (border + width, window.size - border - width)))
    trial, own = _Cluster(last.offset, last.start, last.end), _Segment(segment.start, segment.end, heads=segment.heads)
    _look_into(whole, own, trial, last.recent[0])
    if not trial.whole:
        return False
    verdict = _probed(whole, own, trial.end)
    return not (verdict.bad or verdict.until >= 0)


FORMATS = (Format(name="matroska", extension="mkv", headers=(Header(b"\x1a\x45\xdf\xa3"),), walk=_walk, rejoin=_rejoin, holds_files=True),)
