"""From a path the operator named to an :class:`Evidence` record and its readable :class:`Medium`."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from triage.errors import EvidenceError
from triage.evidence import fingerprint
from triage.evidence.ewf import EwfMedium, UnsupportedVariantError, read_index
from triage.evidence.libewf import LibewfMedium
from triage.evidence.medium import FileMedium
from triage.evidence.segments import find_segments
from triage.evidence.sniff import EWF, EWF2
from triage.model import Evidence

if TYPE_CHECKING:
    from triage.evidence.medium import Medium
    from triage.evidence.sniff import Container


def open_evidence(path: Path, *, exhibit: str = "") -> tuple[Evidence, Medium, list[str]]:
    """Open a medium read-only; return its record, its bytes and warnings about its container.

    Raises ``EvidenceError`` when it is missing, empty, incomplete, truncated or of a kind that is not read.
    """
    container, segments = find_segments(path)
    medium, facts, digests, warnings = _open_container(container, segments)
    if medium.size < 512:
        medium.close()
        raise EvidenceError(f"{path} holds {medium.size} bytes, less than one sector", hint="it is not an image of a medium")
    print_ = fingerprint.sampled(segments)
    evidence = Evidence(
        id=hashlib.blake2b(f"{container.kind}:{medium.size}:{print_}".encode(), digest_size=8).hexdigest(),
        paths=tuple(str(s) for s in segments),
        kind=container.kind if len(segments) == 1 else f"split {container.kind}",
        size=medium.size,
        sector_size=medium.sector_size,
        facts=facts,
        stored_digests=digests,
        fingerprint=print_,
        exhibit=exhibit,
    )
    return evidence, medium, warnings


def _open_container(container: Container, segments: list[Path]) -> tuple[Medium, dict[str, str], dict[str, str], list[str]]:
    if container is EWF:
        try:
            index = read_index(segments)
        except UnsupportedVariantError as reason:
            other = LibewfMedium(segments)
            return other, other.facts, other.stored_digests, [f"read by libewf: {reason}"]
        return EwfMedium(segments, index), index.facts, index.digests, index.warnings
    if container is EWF2:
        other = LibewfMedium(segments)
        return other, other.facts, other.stored_digests, []
    warnings = []
    if re.search(r"\.[es]01$", segments[0].name, re.IGNORECASE):
        warnings.append(f"{segments[0].name} is named like an Expert Witness file but does not begin like one: it was read as a raw image")
    return FileMedium(segments), {}, {}, warnings


def reopen(evidence: Evidence) -> Medium:
    """Open the medium of a known record again, as workers do; raise ``EvidenceError`` when it is no longer the same size."""
    segments = [Path(p) for p in evidence.paths]
    container, found = find_segments(segments[0])
    if [p.name for p in found] != [p.name for p in segments]:
        raise EvidenceError(f"{segments[0]} is now a set of other files than when the run began")
    medium, _, _, _ = _open_container(container, segments)
    if medium.size != evidence.size:
        medium.close()
        raise EvidenceError(f"{segments[0]} has changed: {medium.size} bytes, not {evidence.size}")
    return medium
