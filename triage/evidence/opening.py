"""From a path the operator named to an :class:`Evidence` record and its readable :class:`Medium`."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from triage.errors import EvidenceError
from triage.evidence import fingerprint
from triage.evidence.ad1 import Ad1Medium
from triage.evidence.aff4 import open_aff4
from triage.evidence.androidbackup import open_backup
from triage.evidence.ewf import EwfMedium, read_index, segment_number
from triage.evidence.ewf2 import Ewf2Medium
from triage.evidence.ewf_index import DamagedSetError, UnsupportedVariantError
from triage.evidence.ewf_salvage import SalvagedMedium
from triage.evidence.folder import FolderMedium
from triage.evidence.libewf import LibewfMedium
from triage.evidence.medium import FileMedium
from triage.evidence.packed import STREAMS, open_packed
from triage.evidence.segments import find_segments, number_by_name
from triage.evidence.sniff import AD1, AFF4, ANDROID, BUNDLE, EWF, EWF2, FOLDER, HEAD, L01, LOGICAL, LX01, RAW, TAIL, TAR, sniff
from triage.evidence.sparseimage import BundleMedium
from triage.evidence.virtual import KINDS, open_disk, surveyed
from triage.model import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from triage.evidence.ewf_index import EwfIndex
    from triage.evidence.medium import Medium
    from triage.evidence.sniff import Container


SALVAGED = "salvaged"
"""The fact of a record whose container is damaged; it says how, and how much of it could be recovered."""


class _Opened(NamedTuple):
    """A container's medium, what it says of the acquisition, the digests it stores, and what is wrong with it. ``kind``: see Evidence."""

    medium: Medium
    facts: dict[str, str]
    digests: dict[str, str]
    warnings: list[str]
    kind: str


def open_evidence(
    path: Path, *, exhibit: str = "", beat: Callable[[], None] = lambda: None, passwords: Sequence[str] = ()
) -> tuple[Evidence, Medium, list[str]]:
    """Open a medium read-only; return its record, its bytes and warnings about its container.

    A damaged E01 set is opened as far as its chunks can be proven right: then the record's facts say ``salvaged``, and all of it
    is read once here; so is what is compressed as a whole. ``beat`` is called while that goes on. Raises ``EvidenceError`` when the
    evidence is missing, empty, incomplete, damaged beyond use or of a kind that is not read, ``PasswordError`` when it is encrypted and no
    password opens it.
    """
    container, segments = find_segments(path)
    medium, facts, digests, warnings, kind = _open_container(container, segments, beat, passwords=passwords)
    try:
        if isinstance(medium, SalvagedMedium):
            medium.check(beat)
            facts = {**facts, SALVAGED: medium.verdict}
        if container.kind in KINDS:
            more, said = surveyed(medium, beat)
            facts, warnings = {**facts, **more}, warnings + said
        if medium.size < 512 and container not in LOGICAL:
            raise EvidenceError(  # noqa: TRY301 - the handler only closes the files
                f"{path} holds {medium.size} bytes, less than one sector", hint="it is not an image of a medium"
            )
        print_ = fingerprint.sampled(segments)
    except BaseException:
        medium.close()
        raise
    evidence = Evidence(
        id=hashlib.blake2b(f"{kind}:{medium.size}:{print_}".encode(), digest_size=8).hexdigest(),
        paths=tuple(str(s) for s in segments),
        kind=kind if len(segments) == 1 or container.kind in KINDS else f"split {kind}",
        size=medium.size,
        sector_size=medium.sector_size,
        facts=facts,
        stored_digests=digests,
        fingerprint=print_,
        exhibit=exhibit,
    )
    return evidence, medium, warnings


def _open_container(
    container: Container, segments: list[Path], beat: Callable[[], None], *, passwords: Sequence[str] = (), size: int | None = None
) -> _Opened:
    """Open a container. ``size``: of its medium, when an earlier look has found it."""
    kind = container.kind
    if container is EWF:
        try:
            try:
                index = read_index(segments)
            except DamagedSetError as reason:
                salvaged = SalvagedMedium(segments, reason, beat)
                return _Opened(salvaged, salvaged.index.facts, salvaged.index.digests, salvaged.index.warnings, kind)
        except UnsupportedVariantError as reason:
            other = LibewfMedium(segments)
            return _Opened(other, other.facts, other.stored_digests, [f"read by libewf: {reason}"], kind)
        return _Opened(EwfMedium(segments, index), index.facts, index.digests, index.warnings + _misnamed(segments), kind)
    if container is L01:
        index = read_index(segments)
        return _Opened(EwfMedium(segments, index), _noted(index), {}, index.warnings + _misnamed(segments), kind)
    if container in (EWF2, LX01):
        second = Ewf2Medium(segments, beat)
        logical = second.index.logical
        digests = {} if logical else second.index.digests
        return _Opened(second, _noted(second.index) if logical else second.index.facts, digests, second.index.warnings, kind)
    if kind in STREAMS:
        return _open_packed(kind, segments, size, beat)
    if container is ANDROID:
        medium, facts, warnings = open_backup(segments, passwords, size, beat)
        return _Opened(medium, facts, {}, warnings, kind)
    if container is AFF4:
        disk4 = open_aff4(segments)
        return _Opened(disk4, disk4.facts, disk4.stored_digests, disk4.warnings, kind)
    if container is AD1:
        return _Opened(Ad1Medium(segments), {}, {}, [], kind)
    if kind in KINDS:
        disk = open_disk(kind, segments[0])
        return _Opened(disk.medium, disk.facts, {}, disk.warnings, kind)
    if container is BUNDLE:
        bundle = BundleMedium(segments[0])
        return _Opened(bundle, {"virtual disk": f"sparse bundle, {bundle.stored} bands of {bundle.band} bytes"}, {}, [], kind)
    if container is FOLDER:
        return _Opened(FolderMedium(segments[0], beat), {}, {}, [], kind)
    warnings = _odd_parts(segments)
    if re.search(r"\.[es]01$", segments[0].name, re.IGNORECASE):
        warnings.append(f"{segments[0].name} is named like an Expert Witness file but does not begin like one: it was read as a raw image")
    return _Opened(FileMedium(segments), {}, {}, warnings, kind)


def _open_packed(kind: str, segments: list[Path], size: int | None, beat: Callable[[], None]) -> _Opened:
    """Open what is compressed as a whole: a disk's image, or an archive."""
    medium, warnings = open_packed(kind, segments, size, beat)
    try:
        head, tail = medium.read_at(0, HEAD), medium.read_at(max(0, medium.size - TAIL), TAIL)
    except OSError as error:
        medium.close()
        raise EvidenceError(f"{segments[0]} cannot be read: {error.strerror or error}", hint="get a whole copy") from error
    inner = sniff(head, tail, medium.size)
    if inner not in (RAW, TAR):
        medium.close()
        raise EvidenceError(f"{segments[0]} holds a {inner.title}, compressed as a whole", hint="unpack it and give what is inside")
    return _Opened(medium, {}, {}, warnings, f"{inner.kind}.{kind}")


def _noted(index: EwfIndex) -> dict[str, str]:
    """Return a logical image's facts, with its digests: writers differ in what these are of, so that nothing is held against them."""
    return {**index.facts, **{f"noted {name} (not compared)": value for name, value in index.digests.items()}}


def _misnamed(segments: list[Path]) -> list[str]:
    """Say which segments have another number in their header than their name says."""
    found = []
    for path in segments:
        named, number = number_by_name(path), segment_number(path)
        if named is not None and named != number:
            found.append(f"{path.name} is named like segment {named} and says that it is segment {number}: it was taken for that")
    return found


def _odd_parts(parts: list[Path]) -> list[str]:
    """Say which parts of a split raw image are not as long as the first: all but the last should be, and that one no longer."""
    sizes = [part.stat().st_size for part in parts] if len(parts) > 1 else []
    odd = [n for n, size in enumerate(sizes) if size > sizes[0] or (size < sizes[0] and n < len(sizes) - 1)]
    if not odd:
        return []
    more = f" (and {len(odd) - 1} more parts)" if len(odd) > 1 else ""
    return [
        f"{parts[odd[0]].name}{more} has {sizes[odd[0]]} bytes and {parts[0].name} has {sizes[0]}: "
        "a part may be cut, and what lies behind it in the wrong place"
    ]


def reopen(evidence: Evidence, beat: Callable[[], None] = lambda: None, passwords: Sequence[str] = ()) -> Medium:
    """Open the medium of a known record again, as workers do; raise ``EvidenceError`` when it is no longer the same size.

    A damaged E01 is not read whole again; only groups of chunks without a usable table are.
    """
    segments = [Path(p) for p in evidence.paths]
    container, found = find_segments(segments[0])
    if [p.name for p in found] != [p.name for p in segments]:
        raise EvidenceError(f"{segments[0]} is now a set of other files than when the run began")
    medium = _open_container(container, segments, beat, passwords=passwords, size=evidence.size).medium
    if medium.size != evidence.size:
        medium.close()
        raise EvidenceError(f"{segments[0]} has changed: {medium.size} bytes, not {evidence.size}")
    return medium
