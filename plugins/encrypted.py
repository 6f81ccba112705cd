"""Encrypted archives, documents, volumes and messages; files of no known type that look random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.artifacts.encryption import TYPES, encryption_of
from triage.plugin import Accepts, Finding, Item, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEFTOVERS = frozenset({Kind.SLACK, Kind.UNALLOCATED})


class Encrypted:
    """Findings ``encrypted`` (the structure says so) and ``high-entropy`` (it only looks so)."""

    name = "encrypted"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=TYPES, categories=("unknown",), min_size=8)

    @dataclass(frozen=True)
    class Options:
        """What ``high-entropy`` takes at least: bytes, and bits a byte."""

        min_size: int = 64 << 10
        min_entropy: float = 7.95

    def __init__(self, options: Options) -> None:
        self._options = options

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield at most one finding."""
        if item.type is not None and item.type.category != "unknown":
            found = encryption_of(item.read_at, item.size, item.type.name)
            if found is not None:
                yield item.finding("encrypted", found.what, {"type": item.type.name, **found.details})
            return
        entropy, options = item.content.entropy, self._options
        if entropy is None or entropy < options.min_entropy or item.size < options.min_size or item.type is not None:
            return
        if item.entry.kind in _LEFTOVERS:
            return
        yield item.finding(
            "high-entropy",
            f"no known type, looks random ({entropy:.2f} bits a byte)",
            {"entropy": entropy, "size": item.size, "whole_sectors": item.size % 512 == 0},
        )


PLUGIN = Encrypted
