"""Files in pieces: what broke off is walked once more over the space that is left when the whole files are taken out of it.

Most of what lies between the pieces of a file is other files. Without them its rest often follows at once; where something else is left
in between, the format's own search (``Format.rejoin``) looks for where it goes on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from triage.carving.carved import MISTAKES, MOST_PIECES, MOST_RUNS, Carved, carved_of, checked_walk
from triage.carving.forms import Format, Structure, Walked
from triage.carving.space import SECTOR, Area, Space, SpaceReader
from triage.carving.window import Window, WindowSpentError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REACH = 256 << 20
"""Bytes behind a file's beginning in which its rest is looked for."""
_ALLOWANCE = 64 << 20
"""Bytes that the search for one file's rest may read, or what else it does may cost."""
_TOGETHER = 1 << 30
"""And all searches of a unit."""
_SURE = 80
_SIZES, _ENOUGH = tuple(1 << n for n in range(16, 9, -1)), 8
"""Blocks that files may have been written in, and whole files that must be there to tell which."""


class Broken(NamedTuple):
    """A file that broke off, or whose pieces are not proven to belong together, with what its walk said."""

    found: Carved
    format: Format
    walked: Walked


class Rejoiner:
    """Looks for the rest of what broke off in one unit. ``given_up``: searches that were ended because they read too much."""

    def __init__(self, reader: SpaceReader, area: Area, announce: Callable[[int], None]) -> None:
        self._reader = reader
        self._area = area
        self._announce = announce
        self._spent = 0
        self.given_up = 0
        self._block, self._residue = area.block, 0

    def rejoin(self, found: Sequence[Carved], broken: Sequence[Broken]) -> list[Carved]:
        """Return a unit's files with those in pieces put together, in order."""
        again = {b.found.offset for b in broken}
        sure = [one for one in found if one.offset not in again and one.confidence >= _SURE]
        self._block, self._residue = self._grid(sure)
        taken = self._taken(sure)
        whole: dict[int, Carved] = {}
        for one in broken:
            self._announce(one.found.offset)
            better = self._better(one, taken)
            if better is None and taken and one.format.holds_files:  # what was taken out may have been part of it
                better = self._better(one, [])
            if better is not None and not _cuts(better, taken):
                whole[better.offset] = better
                taken += self._taken([better])
        claimed = sorted(p for one in whole.values() for p in one.pieces[1:])
        kept = [whole.get(one.offset, one) for one in found]
        return [one for one in kept if one.offset in whole or not _inside(one.offset, claimed)]

    def _taken(self, files: Sequence[Carved]) -> list[tuple[int, int]]:
        """Return what files cover, to the ends of their last blocks: what lies behind a file's end there is not another one's."""
        found = []
        for one in files:
            unit = self._block_at(one.offset)
            for offset, length in one.pieces[:-1]:
                found.append((offset, length))
            offset, length = one.pieces[-1]
            found.append((offset, -(-length // unit) * unit if self._area.aligned else length))
        return found

    def _grid(self, files: Sequence[Carved]) -> tuple[int, int]:
        """Return the size of the blocks that files were written in, and where on the medium those begin, modulo that.

        Where no file system tells, the beginnings of the whole files do: the largest power of two in which nearly all agree.
        """
        places = [self._reader.space.place(one.offset) for one in files]
        known = self._area.block
        sizes = [known] if known > SECTOR or len(places) < _ENOUGH else _SIZES
        for size in sizes:
            residue, agree = Counter(p % size for p in places).most_common(1)[0] if places else (0, 0)
            if size == known or agree * 10 >= len(places) * 9:
                return size, residue
        return SECTOR, 0

    def _block_at(self, offset: int) -> int:
        return self._block if self._reader.space.place(offset) % self._block == self._residue else SECTOR

    def _better(self, one: Broken, taken: Sequence[tuple[int, int]]) -> Carved | None:
        space, offset = self._reader.space, one.found.offset
        if self._overwritten(one):
            return None
        end = min(offset + min(REACH, one.format.largest), space.size if self._area.joined else space.stretch_end(offset))
        left = Space([(a, b - a) for a, b in _left(taken, offset, end)])
        if not left.size:
            return None
        window = self._window(left, self._block_at(offset), min(_ALLOWANCE, _TOGETHER - self._spent))
        try:
            walked: Walked | None = one.walked
            if left.joints(0, left.size):  # something was taken out
                walked = one.format.walk(window)
                if walked is not None and walked.structure is Structure.COMPLETE and walked.checked:
                    return self._carved(one.format, replace(walked, structure=Structure.FRAGMENTED), left, window)
            if walked is not None and one.format.rejoin is not None:
                walked = one.format.rejoin(window, walked)
                if walked is not None and walked.checked:
                    return self._carved(one.format, walked, left, window)
        except WindowSpentError:
            self.given_up += 1
        except MISTAKES:
            pass  # what the evidence led astray has no rest
        finally:
            self._spent += window.spent
        return None

    def _overwritten(self, one: Broken) -> bool:
        """Whether a file breaks off where the medium goes on elsewhere: its rest then lay where a living file lies now.

        Had the file been written around that one, it would have gone on behind it, and the walk would have followed it there.
        """
        valid, block = one.walked.valid, self._area.block
        if one.walked.structure is not Structure.TRUNCATED or valid is None:
            return False
        at = one.found.offset + valid
        return bool(self._reader.space.joints(max(0, at - block), at + block + 1))

    def _window(self, left: Space, block: int, allowance: int) -> Window:
        reader = self._reader

        def read(offset: int, length: int) -> bytes:
            return b"".join(reader.read(place, size) for place, size in left.pieces(offset, length))

        def joints(start: int, end: int) -> list[int]:
            found, at = [], start
            for place, size in left.pieces(start, end - start):
                if at > start:
                    found.append(at)
                found += [at + j - place for j in reader.space.joints(place, place + size)]
                at += size
            return found

        return Window(read, left.size, block=block, allowance=max(0, allowance), joints=joints, beat=reader.beat)

    def _carved(self, one: Format, walked: Walked, left: Space, window: Window) -> Carved:
        walked = checked_walk(walked, window.size)
        pieces: list[tuple[int, int]] = []
        for at, size in walked.pieces or ((0, walked.length),):
            for place, length in left.pieces(at, size):
                if pieces and sum(pieces[-1]) == place:
                    pieces[-1] = (pieces[-1][0], pieces[-1][1] + length)
                else:
                    pieces.append((place, length))
        if len(pieces) > MOST_PIECES or len(self._reader.space.runs(pieces)) > MOST_RUNS:
            raise ValueError("too many pieces")
        return carved_of(walked, one, pieces, self._area, jumps=False)


def _left(taken: Sequence[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    """Return what of a stretch no whole file covers."""
    left, at = [], start
    for a, length in sorted(taken):
        if a >= end:
            break
        if a > at:
            left.append((at, a))
        at = max(at, a + length)
    if at < end:
        left.append((at, end))
    return left


def _cuts(one: Carved, taken: Sequence[tuple[int, int]]) -> bool:
    """Whether a later piece of a file is part of a whole one: what another file owns proves nothing, however well it fits."""
    for start, length in one.pieces[1:]:
        end = start + length
        if any(a < end and start < a + n and (a < start or end < a + n) for a, n in taken):
            return True
    return False


def _inside(offset: int, claimed: Sequence[tuple[int, int]]) -> bool:
    return any(a <= offset < a + length for a, length in claimed)
