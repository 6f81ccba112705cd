"""Pictures and videos are compared by likeness: with lists while they are read, with each other when all are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.content import pictures, videoframes
from triage.hashsets.alike import group
from triage.hashsets.likematch import not_exhaustive

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from triage.case.writer import CaseWriter
    from triage.hashsets.matching import Matcher
    from triage.hashsets.photodna import Comparer
    from triage.priority.records import Compare

_PICTURES, _VIDEOS = "compare-pictures@1", "compare-videos@1"


def comparing_keys(compare: Compare, comparer: Comparer | None) -> list[str]:
    """Return the keys of the work that comparing asks for, as plugins have theirs: what ended without them is work again.

    What cannot be done here, for want of a library, is not asked for.
    """
    keys = [_PICTURES] if compare.pictures and pictures.available() else []
    if keys and comparer is not None:
        keys.append(f"photodna-{comparer.name}@{comparer.version}")
    return keys + ([_VIDEOS] if compare.videos and videoframes.available() else [])


def missing(compare: Compare) -> list[str]:
    """Return, in sentences, what was to be compared and cannot be."""
    said = []
    if compare.pictures and not pictures.available():
        said.append("pictures were not compared by likeness: the Python package Pillow is not installed")
    if compare.videos and not videoframes.available():
        said.append("videos were not compared by their frames: the Python package av is not installed")
    return said


def compare_in_case(writer: CaseWriter, compare: Compare, matcher: Matcher, comparer: Comparer | None) -> None:
    """Put the pictures of a case that look alike into groups, over all its evidence, and note what could not be compared."""
    if compare.pictures:
        writer.group(compare.quality, lambda hashes: _groups(hashes, compare.match))
    not_done = missing(compare)
    if not compare.pictures:
        not_done.append("pictures were not compared by likeness (profile)")
    if not compare.videos:
        not_done.append("videos were not compared by their frames (profile)")
    not_done += not_exhaustive(matcher.hashsets, matcher.thresholds)
    writer.set_fact("compare", {"not_done": not_done, "photodna": f"{comparer.name} {comparer.version}" if comparer is not None else ""})


def _groups(hashes: NDArray[np.uint8], radius: int) -> Iterable[list[int]]:
    """Return the positions of pictures in each group of two or more."""
    labels = group(hashes, radius)
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.concatenate(([True], labels[order][1:] != labels[order][:-1])))
    for piece in np.split(order, starts[1:]):
        if len(piece) > 1:
            yield [int(at) for at in piece]
