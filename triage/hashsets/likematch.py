"""Hold pictures against the hashes of a list that are alike, not equal: PDQ by the bits that differ, a 64-bit pHash as second signal.

A picture is asked about in its eight orientations and as a negative. Two hashes of at most ``match`` bits apart are the same picture
edited (PDQ's own recommendation: 31 of 256); up to ``likely`` a person decides; up to ``weak`` it only counts when the pHash agrees, which
crops and borders change less. Measured: ``bench/pictures.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.content.pdq import ORIENTATIONS
from triage.model import MatchTier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from triage.content.comparable import Comparable
    from triage.hashsets.store import Hashset

NEGATIVE = "negative"
TURNS = (*ORIENTATIONS, NEGATIVE)
"""How a picture was turned to be alike, by the number of the query."""
TURN_WORDS = {
    "r90": "turned by a quarter",
    "r180": "turned by a half",
    "r270": "turned by a quarter",
    "flipx": "mirrored top to bottom",
    "flipy": "mirrored left to right",
    "fplus": "turned and mirrored",
    "fminus": "turned and mirrored",
    NEGATIVE: "a negative",
}
_RANK = {MatchTier.MATCH: 0, MatchTier.LIKELY: 1, MatchTier.WEAK: 2}


class Thresholds(NamedTuple):
    """From when on pictures are alike: bits of PDQ that may differ in each tier, bits of pHash, least quality (0 to 100)."""

    match: int = 31
    likely: int = 60
    weak: int = 70
    phash: int = 10
    quality: int = 50


class Like(NamedTuple):
    """What a picture is like: a row of the list, how many bits of PDQ differ, how it was turned, and in which tier that is."""

    row: int
    distance: int
    turn: str
    tier: MatchTier


def pictures_like(hashset: Hashset, comparables: Mapping[int, Comparable], thresholds: Thresholds) -> dict[int, Like]:
    """Return what each picture is most like, by the pictures' keys; those that are like nothing are left out."""
    index = hashset.alike("pdq")
    keys = [key for key, one in comparables.items() if one.pdq and one.quality >= thresholds.quality]
    if index is None or not keys:
        return {}
    turned = np.frombuffer(b"".join(comparables[k].pdq for k in keys), np.uint8).reshape(len(keys), len(ORIENTATIONS), 32)
    queries = np.concatenate([turned, ~turned[:, :1]], axis=1).reshape(-1, 32)
    hits = index.search(queries, thresholds.weak)
    best: dict[int, tuple[int, int, int, int]] = {}
    for query, row, distance in zip(hits.query.tolist(), hits.row.tolist(), hits.distance.tolist(), strict=True):
        at, turn = divmod(query, len(TURNS))
        tier = _tier(hashset, comparables[keys[at]], turn, row, distance, thresholds)
        if tier is not None:
            found = (_RANK[tier], distance, turn, row)
            best[at] = min(best.get(at, found), found)
    tiers = list(_RANK)
    return {keys[at]: Like(row, distance, TURNS[turn], tiers[rank]) for at, (rank, distance, turn, row) in sorted(best.items())}


def _tier(hashset: Hashset, picture: Comparable, turn: int, row: int, distance: int, thresholds: Thresholds) -> MatchTier | None:
    if distance <= thresholds.match:
        return MatchTier.MATCH
    if distance <= thresholds.likely:
        return MatchTier.LIKELY
    more = bytes(hashset.more("pdq", np.array([row]))[0])
    if not more[0]:
        return None
    own = picture.phash[:8] if TURNS[turn] == NEGATIVE else picture.phash[8 * turn : 8 * turn + 8]
    differ = int.from_bytes(own, "big") ^ int.from_bytes(more[1:], "big")
    if TURNS[turn] == NEGATIVE:
        differ ^= (1 << 64) - 1
    return MatchTier.WEAK if differ.bit_count() <= thresholds.phash else None


def not_exhaustive(hashsets: Sequence[Hashset], thresholds: Thresholds) -> list[str]:
    """Return which sets are so large that likeness is not found in full beyond some distance, and say it."""
    said = []
    for hashset in hashsets:
        index = hashset.alike("pdq")
        if index is not None and (radius := index.exact_radius()) < thresholds.weak:
            said.append(
                f"{hashset.facts.name}: of pictures that differ in more than {radius} of 256 bits, only a part is found among its "
                f"{hashset.count('pdq'):,} hashes"
            )
    return said
