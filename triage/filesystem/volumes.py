"""What lies on a medium: partitions, the gaps between them, and file systems that no table knows of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.filesystem.describe import describe, file_system_name, is_listed, is_recognised, open_file_system, read_head
from triage.filesystem.image import MediumImage
from triage.filesystem.overlay import MENDED, found_by, is_overlaid, mended_disc, overlay_of
from triage.filesystem.randomness import looks_random
from triage.filesystem.scan import MAX_CANDIDATES, Scan
from triage.filesystem.signatures import identify_volume
from triage.filesystem.tables import Table, overlaps, read_table
from triage.model import Encryption, Problem, Severity, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.evidence.medium import Medium
    from triage.filesystem.headers import Header
    from triage.filesystem.overlay import Overlay
    from triage.filesystem.tables import Part

__all__ = ["MAX_VOLUMES", "file_system_name", "is_listed", "list_volumes", "open_file_system"]

MAX_VOLUMES = 1024


def list_volumes(
    image: Any, medium: Medium, evidence: str, beat: Callable[[], None] = lambda: None
) -> tuple[list[Volume], list[Problem]]:
    """Return every volume and gap of a medium in the order of their offsets, and what is wrong with them.

    A medium without a partition table is one volume, ``vol1``. What no known volume covers is searched for file systems by their
    signatures (``found_by`` is then ``signature scan``); they are numbered behind the table's partitions. A volume whose header is gone
    is opened through the copy of it that the format keeps: see :mod:`triage.filesystem.overlay`. ``beat`` is called now and then.
    """
    return _Listing(image, medium, evidence, beat).look()

_NO_FILES = (
    "Apple_partition_map", "Apple_Partition_Map", "Apple_Driver", "Apple_FWDriver", "Apple_Patches", "Apple_Free", "Apple_Void",
    "Apple_Scratch", "Apple_Extra",
)  # fmt: skip


class _Listing:
    """One medium, being listed."""

    def __init__(self, image: Any, medium: Medium, evidence: str, beat: Callable[[], None]) -> None:
        self._image = image
        self._medium = medium
        self._evidence = evidence
        self._beat = beat
        self._volumes: list[Volume] = []
        self._sizes: dict[int, int] = {}  # of the file systems that were opened, by offset
        self._found: list[Volume] = []
        self._problems: list[Problem] = []

    def look(self) -> tuple[list[Volume], list[Problem]]:
        """Look at the table, at what it leads to, and at the rest."""
        medium = self._medium
        table = read_table(self._image, medium, self._known)
        if table.doubtful and self._known(0):
            table = Table()  # a boot sector's code, read as a table
        parts = table.parts[:MAX_VOLUMES]
        self._volumes = [self._describe(n, p.start, p.size, table.scheme, p.kind) for n, p in enumerate(parts, 1)]
        if not any(map(is_recognised, self._volumes)):
            # No table, or one that leads nowhere: a boot sector's code can look like one.
            whole = self._describe(1, 0, medium.size, "none", "whole medium")
            if is_recognised(whole):
                table, self._volumes = Table(), [whole]
            elif table.doubtful or not parts:
                table, self._volumes = Table(faults=table.faults), [whole]
        scan = Scan(medium, self._beat)
        self._search(scan)
        if table.scheme == "none" and self._found and not any(map(is_recognised, self._volumes)):
            self._volumes = []
        self._say_of_table(table, parts)
        self._number_found(table)
        self._say_of_scan(scan)
        volumes = [v.replace(number=None) if _holds_no_files(v) else v for v in self._volumes] + self._found
        if table.scheme != "none" or self._found:
            volumes += self._gaps(volumes, table.scheme)
        volumes.sort(key=lambda v: (v.offset, v.number or 0))
        if len(volumes) >= MAX_VOLUMES:
            volumes = volumes[:MAX_VOLUMES]
            self._problem(Severity.ERROR, f"there are {MAX_VOLUMES} volumes and gaps or more: those behind that were not looked at")
        for volume in volumes:
            self._problems.extend(_check(volume, medium))
        return volumes, self._problems

    def _known(self, offset: int) -> bool:
        """Whether something is recognised at an offset by its mark; cheap."""
        signature = identify_volume(read_head(self._medium, offset)) if offset < self._medium.size else None
        return signature is not None and signature.name != "nothing but zeros"

    def _describe(self, number: int, offset: int, size: int, scheme: str, kind: str) -> Volume:
        self._beat()
        volume, length = describe(self._image, self._medium, self._evidence, number, offset, size, scheme, kind)
        if length:
            self._sizes[offset] = length
        return volume

    # ---- the search --------------------------------------------------------------------------------------------------------

    def _search(self, scan: Scan) -> None:
        """Look for file systems in what no recognised volume covers."""
        for start, end in _complement(self._covered(), self._medium.size):
            at = start
            while at < end and len(self._found) < MAX_VOLUMES:
                taken = next((v for h in scan.area(at, end) if (v := self._take(h)) is not None), None)
                if taken is None:
                    break
                at = max(at + 512, taken.offset + (self._sizes.get(taken.offset) or 512))

    def _covered(self) -> list[tuple[int, int]]:
        """Return what the recognised volumes cover: to the file system's end, and the whole partition where that is not known."""
        return [(v.offset, v.offset + (self._sizes.get(v.offset) or v.size)) for v in self._volumes if is_recognised(v)]

    def _take(self, header: Header) -> Volume | None:
        """Open what a header leads to and keep it, unless it is a volume that is known or would lie over one."""
        known = [v for v in self._volumes + self._found if is_recognised(v)]
        if any(v.offset == header.start for v in known):
            return None
        over = [v for v in known if v.offset < header.start + (header.size or 1) and header.start < v.offset + v.size]
        if over and (header.copy is not None or (not header.start and header.name != "ISO 9660")):
            if header.copy is None:
                message = f"the medium also begins like a {header.name} volume that would lie over {over[0].name}: it was not listed"
                self._problem(Severity.WARNING, message)
            return None
        opened = self._open(header)
        if opened is None:
            return None
        volume, length = opened
        self._sizes[header.start] = length or header.size
        if length:
            volume = volume.replace(size=min(max(length, header.size), self._medium.size - header.start))
        here = [n for n, v in enumerate(self._volumes) if v.offset == header.start]
        if here:  # the table knows where it is: it keeps its place there
            kept = {k: getattr(self._volumes[here[0]], k) for k in ("number", "size", "scheme", "type")}
            volume = volume.replace(**kept)
            self._volumes[here[0]] = volume
        else:
            self._found.append(volume)
        return volume

    def _open(self, header: Header) -> tuple[Volume, int] | None:
        """Describe what a header leads to; return the length of the file system as well. None of it unless TSK opens what it should."""
        ways: list[tuple[str, Overlay | None]] = [("signature scan", None)]
        if header.copy is not None:
            ways = [(found_by(header), overlay_of(self._medium, header))]
        elif header.name == "ISO 9660" and (mended := mended_disc(self._medium, header.start)) is not None:
            ways.append((MENDED, mended))
        size = min(header.size or self._medium.size, self._medium.size - header.start)
        for found, overlay in ways:
            medium, image = (self._medium, self._image) if overlay is None else (overlay, MediumImage(overlay))
            self._beat()
            volume, length = describe(image, medium, self._evidence, 1, header.start, size, "none", "found by signature")
            if length or (not header.readable and is_recognised(volume)):
                return volume.replace(found_by=found), length
        return None

    def _number_found(self, table: Table) -> None:
        """Number what was found behind the table's partitions, and end those that do not know their size where the next begins."""
        self._found.sort(key=lambda v: v.offset)
        starts = sorted(v.offset for v in self._volumes + self._found)
        first = max((v.number or 0 for v in self._volumes), default=0) + 1
        for position, volume in enumerate(self._found):
            size = volume.size
            if not self._sizes.get(volume.offset):
                size = min([s for s in starts if s > volume.offset] + [volume.offset + size]) - volume.offset
            self._found[position] = volume.replace(number=first + position, size=size, scheme=table.scheme)

    def _gaps(self, volumes: list[Volume], scheme: str) -> list[Volume]:
        covered = [(v.offset, v.offset + v.size) for v in volumes]
        base: dict[str, Any] = {"evidence": self._evidence, "number": None, "scheme": scheme, "type": "unallocated"}
        return [Volume(**base, offset=start, size=end - start) for start, end in _complement(covered, self._medium.size)]

    # ---- what is said ------------------------------------------------------------------------------------------------------

    def _problem(self, severity: Severity, message: str, volume: int | None = None) -> None:
        self._problems.append(_problem(self._evidence, volume, severity, message))

    def _say_of_table(self, table: Table, parts: list[Part]) -> None:
        for severity, message in table.faults:
            self._problem(severity, message)
        if table.scheme == "none":
            return
        for one, other in overlaps(parts):
            message = f"vol{one + 1} and vol{other + 1} overlap: the partition table is wrong, or it lists the same bytes twice"
            self._problem(Severity.WARNING, message, other + 1)
        for volume, part in zip(self._volumes, parts, strict=True):
            if not is_recognised(volume):
                continue
            if part.unused:
                message = f"the entry of {volume.name} says that it is unused, but a {volume.file_system} volume is there: it is hidden"
                self._problem(Severity.WARNING, message, volume.number)
            beyond = self._sizes.get(volume.offset, 0) - part.size
            if beyond > 0:
                message = f"the file system of {volume.name} is {beyond} bytes longer than its partition: one of the two is wrong"
                self._problem(Severity.WARNING, message, volume.number)

    def _say_of_scan(self, scan: Scan) -> None:
        reach = "every sector was looked at"
        if scan.sparse:
            every = "each MiB" if scan.step == 1 << 20 else f"every {scan.step >> 20} MiB"
            reach = f"of {scan.sparse} bytes only the beginning of {every} was looked at, of the rest every sector"
        if self._found and not any(map(is_recognised, self._volumes)):
            self._problem(
                Severity.WARNING,
                f"no usable partition table: file systems were found by their signatures, their borders are not certain; {reach}",
            )
        else:
            for volume in self._found:
                message = (
                    f"{volume.name} ({volume.file_system}) stands in no partition table: it was found by its signature at byte "
                    f"{volume.offset}; it is hidden or deleted, or the table is damaged; its borders are not certain"
                )
                self._problem(Severity.WARNING, message, volume.number)
            if scan.sparse:
                message = f"outside of known volumes, {reach}: a file system that begins elsewhere would be missed"
                self._problem(Severity.INFO, message)
        for volume in self._volumes + self._found:
            if is_overlaid(volume):
                message = f"the header of {volume.name} ({volume.file_system}) is damaged: it was opened through the {volume.found_by}"
                self._problem(Severity.WARNING, message, volume.number)
        if scan.unread:
            message = f"{scan.unread} bytes outside of known volumes cannot be read: file systems that begin there would be missed"
            self._problem(Severity.WARNING, message)
        if scan.candidates >= MAX_CANDIDATES:
            message = f"more than {MAX_CANDIDATES} places look like the beginning of a file system: those behind that were not looked at"
            self._problem(Severity.ERROR, message)


def _complement(covered: list[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """Return what ranges leave of a medium, in order."""
    left, at = [], 0
    for start, end in sorted(covered):
        if start > at:
            left.append((at, min(start, size)))
        at = max(at, end)
    left.append((at, size))
    return [(start, end) for start, end in left if start < end]


def _check(volume: Volume, medium: Medium) -> Iterator[Problem]:
    """Say what is wrong with a volume, or why it will not be listed."""
    if volume.offset >= medium.size:
        yield _problem(
            volume.evidence,
            volume.number,
            Severity.ERROR,
            f"{volume.name} begins at byte {volume.offset}, past the medium's end ({medium.size} bytes): "
            "the image is cut short or the table is wrong",
        )
    elif volume.number is not None and volume.offset + volume.size > medium.size:
        yield _problem(
            volume.evidence,
            volume.number,
            Severity.ERROR,
            f"{volume.name} ends {volume.offset + volume.size - medium.size} bytes past the medium's end: "
            "the image is cut short or the table is wrong",
        )
    if volume.number is not None and is_listed(volume) and volume.encryption is Encryption.LOCKED:
        yield _problem(
            volume.evidence,
            volume.number,
            Severity.ERROR,
            f"{volume.name} is BitLocker To Go, locked: only the {volume.file_system} files that lead to it were "
            "examined, not what it holds",
        )
    if volume.number is None or is_listed(volume) or volume.offset >= medium.size:
        return
    if volume.encryption is Encryption.LOCKED:
        yield _problem(
            volume.evidence, volume.number, Severity.ERROR, f"{volume.name} is {volume.file_system}, locked: nothing in it was examined"
        )
    elif volume.file_system:
        yield _problem(
            volume.evidence,
            volume.number,
            Severity.ERROR,
            f"{volume.name} is {volume.file_system}, which is not read: nothing in it was listed",
        )
    else:
        message = f"{volume.name} holds no file system that is known ({volume.type}): nothing in it was listed"
        if looks_random(medium, volume.offset, min(volume.size, medium.size - volume.offset)):
            message += "; all of it looks random: it may be encrypted as a whole (VeraCrypt, plain dm-crypt), or wiped: both look the same"
        yield _problem(volume.evidence, volume.number, Severity.ERROR, message)


def _holds_no_files(volume: Volume) -> bool:
    """Whether an entry of an Apple partition map is for the map itself, drivers or nothing (Inside Macintosh: Devices, 3, pmParType)."""
    return volume.scheme == "Mac" and not is_recognised(volume) and volume.type.startswith(_NO_FILES)


def _problem(evidence: str, volume: int | None, severity: Severity, message: str) -> Problem:
    return Problem(severity=severity, stage="volumes", evidence=evidence, volume=volume, message=message)
