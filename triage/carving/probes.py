"""Whether the samples of a film are where its tables say: a bounded number of them is looked at, spread over the file.

Samples of codecs of which nothing certain is known are left out. One sample of a codec whose test other bytes pass now and then says
little; eight in a row do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from triage.carving.samples import codec_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.carving.bmff import Numbers, Track
    from triage.carving.samples import Codec
    from triage.carving.window import Window

MOST = 1024
"""Probes of one file, besides those around joints and at both ends."""
DENSE = 8 << 20
"""Bytes of samples up to which each is read whole."""
_GROUP = 8
_LARGEST_GAP = 16
"""What is taken for proven has no stretch without a probe longer than this part of it, or 1 MiB."""


_SHALLOW = 256 << 10
"""The same in bytes for samples of which only the beginning tells something."""


@dataclass(slots=True)
class Probes:
    """Probes in the order of their places: bytes ``starts`` to ``ends``; ``owners`` and ``firsts``: track and unit of each."""

    starts: Numbers
    ends: Numbers
    owners: Numbers
    firsts: Numbers
    tracks: Sequence[Track]
    codecs: Sequence[Codec | None]
    deep: bool = False

    def __len__(self) -> int:
        """Return their number."""
        return len(self.starts)

    def good(self, window: Window, index: int, shift: int = 0) -> bool:
        """Whether the bytes of a probe, ``shift`` bytes behind where they should be, are what they should be."""
        track, codec, first = self.tracks[self.owners[index]], self.codecs[self.owners[index]], int(self.firsts[index])
        if codec is None:
            return False
        if codec.strong:
            return bool(codec.test(window, int(track.offsets[first]) + shift, int(track.sizes[first]), self.deep))
        last = min(first + _GROUP, len(track.offsets))
        return all(
            codec.test(window, offset + shift, size, self.deep)
            for offset, size in zip(track.offsets[first:last].tolist(), track.sizes[first:last].tolist(), strict=True)
        )

    def strong(self, index: int) -> bool:
        """Whether one of them alone says much."""
        codec = self.codecs[self.owners[index]]
        return codec is not None and bool(codec.strong)

    def most(self, index: int) -> int:
        """Return what the first four bytes of a probe's sample are at most as a number; 0 for whatever."""
        codec = self.codecs[self.owners[index]]
        return int(self.ends[index] - self.starts[index]) - 4 if codec is not None and codec.prefix == 4 else 0

    def only(self, keep: Numbers) -> Probes:
        """Return some of them."""
        return Probes(self.starts[keep], self.ends[keep], self.owners[keep], self.firsts[keep], self.tracks, self.codecs, self.deep)


def probes_of(tracks: Sequence[Track]) -> Probes:
    """Return what can be probed of some tracks."""
    codecs = [codec_of(track.codec, track.config) for track in tracks]
    starts, ends, owners, firsts = [], [], [], []
    for number, (track, codec) in enumerate(zip(tracks, codecs, strict=True)):
        if codec is None or not len(track.offsets):
            continue
        first = np.arange(0, len(track.offsets), 1 if codec.strong else _GROUP, dtype=np.int64)
        if not codec.strong:
            if len(track.offsets) < _GROUP:
                continue
            first = np.minimum(first, len(track.offsets) - _GROUP)
        last = first if codec.strong else first + _GROUP - 1
        starts.append(track.offsets[first])
        ends.append(track.offsets[last] + track.sizes[last])
        owners.append(np.full(len(first), number, np.int64))
        firsts.append(first)
    if not starts:
        none = np.zeros(0, np.int64)
        return Probes(none, none, none, none, tracks, codecs)
    columns = [np.concatenate(column) for column in (starts, ends, owners, firsts)]
    found = Probes(columns[0], columns[1], columns[2], columns[3], tracks, codecs)
    found.deep = int((found.ends - found.starts).sum()) <= DENSE
    return found.only(np.argsort(found.starts, kind="stable"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What probes said. ``tried``, ``bad``: how many; of those behind which nothing is good, none is counted.

    ``until``: end of the last good one, if only bad ones follow it; 0 if none is good, -1 if none of that kind follows. ``beyond``:
    where the first of them begins. ``last``: where that last good one does; the change may lie in it, unseen. ``proven``: all were
    good, and there is no long stretch of the file without one.
    """

    tried: int
    bad: int
    until: int = -1
    beyond: int = -1
    last: int = 0
    proven: bool = False


def judge(window: Window, probes: Probes, start: int, end: int) -> Verdict:
    """Probe what lies between two offsets."""
    if len(probes):
        probes = probes.only(np.flatnonzero((probes.starts >= start) & (probes.ends <= end)))
    if not len(probes):
        return Verdict(0, 0)
    chosen = _chosen(window, probes)
    results = [probes.good(window, i) for i in chosen]
    owners = [int(probes.owners[i]) for i in chosen]
    if misread := _misread(owners, results):
        keep = np.flatnonzero(~np.isin(probes.owners, misread))
        return judge(window, probes.only(keep), start, end)
    bad = results.count(False)
    if not bad:
        longest = max(np.diff(np.append(probes.starts[chosen], probes.ends.max())).tolist())
        codecs = [probes.codecs[owner] for owner in set(owners)]
        deep = all(codec is not None and (codec.deep or not codec.strong) for codec in codecs)
        most = max(1 << 20, (end - start) // _LARGEST_GAP) if deep else _SHALLOW
        return Verdict(len(chosen), 0, proven=longest <= most)
    # Where it stops being right is told by those that say much alone, if there are any.
    sure = [(i, good) for i, good in zip(chosen, results, strict=True) if probes.strong(i)]
    sure = sure or list(zip(chosen, results, strict=True))
    tail = next((n for n, (_, good) in enumerate(reversed(sure)) if good), len(sure))
    if not tail:
        return Verdict(len(chosen), bad)
    low, high = sure[-tail - 1][0] if tail < len(sure) else -1, sure[-tail][0]
    between = [i for i in range(low + 1, high) if probes.strong(i) == probes.strong(high)]
    left, right = 0, len(between)
    while left < right:
        middle = (left + right) // 2
        if probes.good(window, between[middle]):
            low, left = between[middle], middle + 1
        else:
            high, right = between[middle], middle
    until = int(probes.ends[low]) if low >= 0 else 0
    wrong = sum(1 for i, good in zip(chosen, results, strict=True) if not good and i < high)
    return Verdict(len(chosen), wrong, until, int(probes.starts[high]), int(probes.starts[low]) if low >= 0 else 0)


def _chosen(window: Window, probes: Probes) -> list[int]:
    """Return which probes are looked at: all of few; else spread evenly, and all near both ends and near joints."""
    count = len(probes)
    if count <= MOST:
        return list(range(count))
    chosen = set(np.linspace(0, count - 1, MOST).astype(np.int64).tolist()) | set(range(8)) | set(range(count - 8, count))
    for joint in window.joints(int(probes.starts[0]), int(probes.ends[-1]))[:MOST]:
        near = int(np.searchsorted(probes.starts, joint))
        chosen |= set(range(max(near - 3, 0), min(near + 2, count)))
    return sorted(chosen)


def _misread(owners: list[int], results: list[bool]) -> list[int]:
    """Return tracks none of whose probes is good although all others' are: encrypted, or of a codec that is not what it says."""
    good = {owner for owner, result in zip(owners, results, strict=True) if result}
    bad = {owner for owner, result in zip(owners, results, strict=True) if not result}
    return sorted(bad) if good and bad and not good & bad and results.count(True) >= 8 else []
