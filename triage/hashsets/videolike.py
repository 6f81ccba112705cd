"""Hold videos against the frames of known ones: how many frames agree, and what share of either video that is.

As in vPDQ a video is a bag of frames. A copy that was cut shares most of its own frames, one in which a known video was put shares most of
the known one's; vPDQ's 80 % of either is a match. Less is for a person to decide, if at least :data:`FEWEST` different frames agree: a
title or a test card alone stands in many videos.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.model import MatchTier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from triage.content.comparable import Comparable
    from triage.hashsets.likematch import Thresholds
    from triage.hashsets.store import Hashset

SHARE = 0.8
"""Of the frames of either video so many must agree for a match (vPDQ's default)."""
LEAST_SHARE = 0.2
"""Below this share of both videos nothing is said: a scene that both quote."""
FEWEST = 3
"""Frames that must agree at least; of a video that has fewer, all."""


class LikeVideo(NamedTuple):
    """A known video that a file shares frames with: one of its rows, frames of the file that agree, frames of either, the tier.

    ``distance``: the median of the bits that differ.
    """

    row: int
    matched: int
    of_known: int
    of_case: int
    distance: int
    tier: MatchTier


def videos_like(hashset: Hashset, comparables: Mapping[int, Comparable], thresholds: Thresholds) -> dict[int, LikeVideo]:
    """Return the known video that each video is most like, by the videos' keys."""
    index = hashset.alike("frame")
    found: dict[int, LikeVideo] = {}
    if index is None:
        return found
    for key, one in comparables.items():
        frames = [frame.pdq for frame in one.frames if frame.quality >= thresholds.quality]
        if not frames:
            continue
        hits = index.search(np.frombuffer(b"".join(frames), np.uint8).reshape(-1, 32), thresholds.match)
        records = hashset.records("frame", hits.row)
        best: tuple[float, int, int, LikeVideo] | None = None
        for record in np.unique(records).tolist():
            mine = records == record
            of_known = max(hashset.about(record).frames, len(np.unique(hits.row[mine])))
            like = _judged(hits.query[mine], hits.row[mine], hits.distance[mine], of_known, len(frames))
            if like is not None:
                rank = (-max(like.matched / like.of_case, like.matched / like.of_known), like.distance, record, like)
                best = min(best, rank) if best is not None else rank
        if best is not None:
            found[key] = best[3]
    return found


def _judged(query: NDArray[np.int64], row: NDArray[np.int64], distance: NDArray[np.int16], of_known: int, of_case: int) -> LikeVideo | None:
    """Return what the frames that agree with one known video make of a file."""
    matched, known = len(np.unique(query)), len(np.unique(row))
    least = min(FEWEST, of_known, of_case)
    share = max(matched / of_case, known / of_known)
    if min(matched, known) < least or share < LEAST_SHARE:
        return None
    certain = share >= SHARE and min(of_known, of_case) >= FEWEST
    median = int(np.sort(distance)[len(distance) // 2])
    return LikeVideo(int(row.min()), matched, of_known, of_case, median, MatchTier.MATCH if certain else MatchTier.LIKELY)
