"""A damaged E01 set: every chunk that can be proven right, all others as damaged ranges. Checksums decide; never a wrong chunk.

Two things must be proven of a chunk: that its bytes are right (its own checksum, looked at whenever it is read), and which chunk
of the medium it is (its number). The number comes from counting: the groups of chunks follow each other in the order of the
segments, a sound table says how many its group has, and the volume section how many there are in all. Behind a stretch that may
hold an unknown number of chunks, only what can be counted from the set's end has a number; the rest is said and left out.

Opening costs reading the sections' descriptors and tables; groups whose tables are beyond repair are walked, which inflates them
once. :meth:`SalvagedMedium.check` reads every chunk once, to say how many are right; opening again leaves that out.
"""

from __future__ import annotations

import os
import zlib
from bisect import bisect_right
from collections import Counter, OrderedDict
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from typing import TYPE_CHECKING

from triage.errors import EvidenceError
from triage.evidence.ewf import CACHE_BYTES, EwfMedium, check_last, incomplete, inflate
from triage.evidence.ewf_groups import Group, build_groups, frame, settle
from triage.evidence.ewf_index import (
    DESCRIPTOR,
    MAX_SMALL,
    VOLUME_BODY,
    EwfIndex,
    Measures,
    UnsupportedVariantError,
    checksum_fits,
    read_measures,
    read_small,
)
from triage.evidence.ewf_runs import Place, most_stored
from triage.evidence.ewf_scan import Section, find_sections
from triage.evidence.ewf_walk import USUAL, measure, prove, search_size
from triage.evidence.medium import DamagedRangeError, open_read_only, pread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_MOST_CHUNKS = 1 << 32
_AT_ONCE = 64
_SAMPLES, _TRIED = 16, 64
_LARGEST = 15
_DIGESTS = {"hash": 36, "digest": 80}


class SalvagedMedium(EwfMedium):
    """What can be proven of the medium inside a damaged E01 set. ``reason`` is what was wrong with it."""

    def __init__(self, paths: Sequence[Path], reason: EvidenceError, beat: Callable[[], None] = lambda: None) -> None:
        """Find the chunks. Raises ``reason`` when there is nothing to go by, ``EvidenceError`` for a set that is not whole."""
        self.reason = reason
        self.index = EwfIndex()
        self.damaged: dict[int, tuple[int, str]] = {}
        self._files = [open_read_only(path) for path in paths]
        self._places: dict[int, tuple[int, Place]] = {}
        self._spans: list[tuple[int, Group]] = []
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self.unplaced = 0
        self.recovered = 0
        self.recovered_bytes = 0
        try:
            self._build(paths, beat)
        except BaseException:
            self.close()
            raise

    def _build(self, paths: Sequence[Path], beat: Callable[[], None]) -> None:
        index, groups, copies, hints = self.index, list[Group](), list[Measures](), list[Measures]()
        for number, (path, file) in enumerate(zip(paths, self._files, strict=True)):
            size = os.lseek(file, 0, os.SEEK_END)
            sections = find_sections(file, size, beat)
            if sections:
                check_last(sections[-1].kind, path, final=number == len(paths) - 1)
            for section in sections:
                self._read_small(section, file, path.name, copies, hints)
            groups += build_groups(number, file, sections)
        self._measure(copies, hints, groups, beat)
        self._chunk = index.chunk_size
        self._cached_chunks = max(16, CACHE_BYTES // self._chunk)
        rest = (index.sectors * index.sector_size - 1) % self._chunk + 1 if index.sectors else 0
        final = len(paths) - 1
        notes = {settle(g, self._files[g.segment], self._chunk, rest, beat, last=g.segment == final) for g in groups} - {""}
        # The rest of the sum, where one group's is wanting, is one witness for how many it has; what is left of tables the other.
        wanting = [g for g in groups if g.count is None and not g.lost]
        if index.chunk_count and len(wanting) == 1:
            left = index.chunk_count - sum(g.count or 0 for g in groups)
            frame(wanting[0], self._files[wanting[0].segment], self._chunk, left, last=wanting[0].segment == final)
        index.warnings += sorted(notes)
        total = number_groups(groups, index.chunk_count or None)
        if total is None:
            have = sum(g.count or 0 for g in groups)
            raise incomplete(paths[0], have, index.chunk_count)
        self._place(groups, rest)
        if not index.sectors:
            self._deduce_size(total)
        self.size = index.sectors * index.sector_size
        self.sector_size = index.sector_size
        if not 0 < self.chunks <= _MOST_CHUNKS:
            raise self.reason

    # ---- what the small sections say ---------------------------------------------------------------------------------------

    def _read_small(self, section: Section, file: int, name: str, copies: list[Measures], hints: list[Measures]) -> None:
        body = section.at + DESCRIPTOR
        raw = pread(file, max(0, min(section.end - body, MAX_SMALL)), body)
        if section.kind in ("volume", "disk", "data"):
            if len(raw) < VOLUME_BODY:
                if len(raw) == 94 and section.kind == "volume":
                    raise UnsupportedVariantError("EWF-S01 volume section")
                return
            said = read_measures(raw)
            if not checksum_fits(raw[: VOLUME_BODY - 4], raw[VOLUME_BODY - 4 : VOLUME_BODY]):
                if said.possible and said.chunks == said.needed > 0:
                    hints.append(said)
                return
            if any(raw[64:80]):
                if self.index.set_id not in (b"", raw[64:80]):
                    raise EvidenceError("the segments belong to two different sets", hint="put those of one acquisition into one folder")
                self.index.set_id = bytes(raw[64:80])
            copies.append(said)
        elif section.kind in _DIGESTS:
            length = _DIGESTS[section.kind]
            if checksum_fits(raw[: length - 4], raw[length - 4 : length]):
                read_small(self.index, section.kind, raw, name)
            else:
                self.index.warnings.append(f"{name}: the {section.kind} section has a wrong checksum and was not used")
        elif section.kind in ("header", "header2", "error2"):
            read_small(self.index, section.kind, raw, name)

    def _measure(self, copies: list[Measures], hints: list[Measures], groups: list[Group], beat: Callable[[], None]) -> None:
        """Choose the medium's measures: those of a copy with a right checksum, else what the chunks themselves say."""
        index = self.index
        good = [m for m in copies if m.possible and m.sectors]
        if copies and not good:
            raise UnsupportedVariantError("the volume section says what no medium can be")
        if len(set(good)) > 1:
            index.warnings.append("the copies of the volume section differ: the first was used")
        if good:
            said = good[0]
        else:
            size = self._measured(groups, beat)
            if not size:
                raise self.reason
            # The fields of a damaged copy are believed where they agree with each other and with the chunks.
            agreed = {h for h in hints if h.per_chunk * h.sector == size}
            said = agreed.pop() if len(agreed) == 1 else Measures(0, size // 512, 512, 0)
            index.warnings.append(
                f"no volume section is whole: chunks of {size} bytes "
                + ("and the medium's size were taken from a damaged one whose numbers agree" if said.sectors else "were measured")
            )
        if said.sectors and said.needed > _MOST_CHUNKS:
            raise self.reason
        index.chunk_size, index.chunk_count = said.per_chunk * said.sector, said.needed
        index.sector_size, index.sectors = said.sector, said.sectors

    def _measured(self, groups: list[Group], beat: Callable[[], None]) -> int:
        """Return what most chunks at places where one should begin inflate to, or hold plain; 0 when there is none."""
        for power in (USUAL, _LARGEST):
            sizes: Counter[int] = Counter()
            for group in groups:
                for offset in _beginnings(group) if not group.lost else ():
                    if group.start <= offset < group.limit and sum(sizes.values()) - sizes[0] < _SAMPLES:
                        beat()
                        raw = pread(self._files[group.segment], min(group.limit - offset, most_stored(512 << power)), offset)
                        sizes[measure(raw, power)] += 1
            del sizes[0]
            if sizes:
                return max(sizes, key=lambda s: (sizes[s], s))
        for group in groups:  # nothing says where a chunk begins: the first that can be found anywhere
            beat()
            size = 0 if group.lost else search_size(self._files[group.segment], group.start, group.limit)
            if size:
                return size
        return 0

    # ---- which chunk is which ----------------------------------------------------------------------------------------------

    def _place(self, groups: list[Group], rest: int) -> None:
        total = self.index.chunk_count or (1 << 62)
        for group in groups:
            places = group.places(self._chunk, rest)
            if places is None:
                if group.base is not None:
                    self._spans.append((group.base, group))
                else:
                    self.unplaced += group.count or 0
            else:
                self._places.update({n: (group.segment, p) for n, p in places.items() if n < total})
                self.unplaced += max(0, group.walked.found - len(places))
        self._spans.sort(key=lambda span: span[0])

    def _deduce_size(self, total: int) -> None:
        """Set the medium's size from the chunks that have a number, when no section says it."""
        last = total - 1
        if last < 0:
            raise self.reason
        size = self._chunk
        self.index.chunk_count, self.index.sectors = total, total * size // 512
        found = self._find(last)
        if found is not None:
            segment, place = found
            end = next((g.end for first, g in self._spans if first + (g.count or 0) == total and g.end), 0)
            length = place.length or (end - place.offset if end else most_stored(size))
            size = measured_last(pread(self._files[segment], max(0, length), place.offset), size)
        self.index.sectors = (last * self._chunk + size) // 512
        self.index.warnings.append(
            f"nothing whole says how large the medium is: {self.index.sectors * 512} bytes are what its chunks come to"
        )

    def _find(self, number: int) -> tuple[int, Place] | None:
        found = self._places.get(number)
        if found is None:
            position = bisect_right(self._spans, number, key=lambda span: span[0]) - 1
            if position >= 0:
                first, group = self._spans[position]
                if number - first < (group.count or 0):
                    found = (group.segment, group.place(number - first, self._chunk))
        return found

    # ---- reading -----------------------------------------------------------------------------------------------------------

    def read_chunk(self, number: int) -> bytes:
        """Read, inflate and check one chunk, past the cache; raise :class:`DamagedRangeError` when it cannot be proven right."""
        start = number * self._chunk
        expected = min(self._chunk, self.size - start)
        found = self._find(number)
        if found is None:
            raise self._damage(start, expected, "an E01 chunk is lost: nothing says where it lies")
        segment, place = found
        raw = pread(self._files[segment], place.length or max(most_stored(self._chunk), self._chunk + 4), place.offset)
        data = _proven(raw, place, self._chunk, expected)
        if data is None:
            raise self._damage(start, expected, "an E01 chunk cannot be proven right")
        return data

    def check(self, beat: Callable[[], None]) -> None:
        """Read every chunk that has a place once and count those that are right. Raises ``reason`` when there is none."""
        numbers = chain(
            (n for n in sorted(self._places) if n < self.chunks),
            (
                n
                for first, group in self._spans
                for n in range(first, min(first + (group.count or 0), self.chunks))
                if n not in self._places
            ),
        )

        def read(batch: Sequence[int]) -> tuple[int, int]:
            count = length = 0
            for number in batch:
                try:
                    length += len(self.read_chunk(number))
                    count += 1
                except DamagedRangeError:
                    pass
            return count, length

        with ThreadPoolExecutor(max_workers=4) as pool:
            while batches := list(islice(iter(lambda: list(islice(numbers, _AT_ONCE)), []), 4)):
                beat()
                for count, length in pool.map(read, batches):
                    self.recovered += count
                    self.recovered_bytes += length
        if not self.recovered:
            raise self.reason

    @property
    def verdict(self) -> str:
        """One line for the operator, after :meth:`check`."""
        text = (
            f"the E01 is damaged: {self.reason.message.replace(' is damaged: ', ': ', 1)}; {self.recovered} of {self.chunks} chunks "
            f"({self.recovered_bytes} of {self.size} bytes) could be recovered and proven by their checksums"
        )
        if self.unplaced:
            text += f"; {self.unplaced} more may be right, but nothing says which part of the medium they are"
        return text


def _beginnings(group: Group) -> list[int]:
    """Return some places where a chunk may begin: the group's start, what its tables name all over, a plain chunk before its end."""
    offsets = [group.start]
    for table in group.tables:
        entries = table.entries[:: max(1, len(table.entries) // _TRIED)]
        for base in sorted({table.base or 0, table.said_base, 0}):
            if base < group.limit:
                offsets += [int(e & 0x7FFFFFFF) + base for e in entries]
    offsets += [end - (512 << power) - 4 for end in group.ends() for power in range(6, USUAL + 1)]
    return list(dict.fromkeys(offsets))


def _proven(raw: bytes, place: Place, size: int, expected: int) -> bytes | None:
    """Return a chunk's bytes if its checksum is right and it ends where it should. The medium's last may be padded to a chunk."""
    if not place.length:
        found = prove(raw, 0, size, expected)
        if found is None:
            return None
        raw, place = raw[: found.length], found
    for length in (expected, size):
        if len(raw) == length + 4 and checksum_fits(memoryview(raw)[:length], raw[length:]):
            return raw[:expected]
    data = inflate(raw, size)
    if data is None or len(data) not in (expected, size):
        return None
    # The stream's own checksum, big-endian, must be what the chunk's slot ends with: nothing may be left over (RFC 1950).
    if zlib.adler32(data).to_bytes(4, "big") != raw[-4:]:
        return None
    return data[:expected]


def measured_last(raw: bytes, size: int) -> int:
    """Return how many bytes the medium's last chunk holds; ``size`` when that cannot be told."""
    if len(raw) > 4 and len(raw) - 4 <= size and checksum_fits(memoryview(raw)[:-4], raw[-4:]):
        return len(raw) - 4
    data = inflate(raw, size)
    return len(data) if data and not len(data) % 512 else size


def number_groups(groups: list[Group], total: int | None) -> int | None:
    """Give each group the number of its first chunk (``base``) or the one behind its last (``after``), where they are certain.

    Return the number of chunks of the medium; ``None`` when the set is whole and yet holds too few.
    """
    for group in groups:
        if group.lost:
            group.count = None
    known = sum(g.count for g in groups if g.count is not None)
    unknown = [g for g in groups if g.count is None]
    if total is not None and known < total and not unknown:
        # What was taken for damaged small sections held chunks, all of them damaged.
        unknown = [g for g in groups if g.hidden]
        for group in unknown:
            group.count = None
        if not unknown:
            return None
    rooms = sum(g.room or 0 for g in unknown)
    if total is not None and known + rooms == total:
        for group in unknown:
            group.count = group.room or 0
    elif total is not None and known < total and len(unknown) == 1:
        unknown[0].count = total - known
    number = 0
    for group in groups:
        group.base = number
        if group.count is None:
            break
        number += group.count
    else:
        return number if total is None else total
    if total is not None and known > total:  # they do not fit: only what is counted from the start is left
        return total
    if total is None:  # as far as it can be counted
        first = next(g for g in groups if g.count is None)
        return number + max(first.walked.front(), default=-1) + 1
    number = total
    for group in reversed(groups):
        if group.count is None:
            group.after = number
            break
        number -= group.count
        group.base = number
    return total
