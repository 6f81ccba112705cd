"""How many places of a medium must be read at random to see files of a set, if there are any, and what may be said afterwards.

Cells of 4,096 bytes are drawn without replacement. A block of a known file begins in exactly one cell, whatever the file system's
allocation unit, and the blocks of a file begin in different ones. If M of N cells hold the beginning of a block that the set knows, n cells
miss all of them with probability (N-M)! (N-n)! / (N! (N-M-n)!) (hypergeometric; Young, Foster, Garfinkel, Fairbanks, "Distinct Sector
Hashes for Target File Detection", 2012). Nothing is ever said to be clean.
"""

from __future__ import annotations

import hashlib
import math

CELL = 4096


def log_miss(cells: int, known: int, drawn: int) -> float:
    """Return the natural logarithm of the probability that ``drawn`` of ``cells`` miss all ``known`` ones."""
    if known <= 0 or drawn <= 0:
        return 0.0
    if drawn > cells - known:
        return -math.inf
    lgamma = math.lgamma
    return lgamma(cells - known + 1) - lgamma(cells - known - drawn + 1) - lgamma(cells + 1) + lgamma(cells - drawn + 1)


def draws_for(cells: int, known: int, confidence: float) -> int:
    """Return the fewest draws that miss ``known`` of ``cells`` with a probability of at most 1 - ``confidence``."""
    wanted = math.log1p(-confidence)
    low, high = 1, cells
    while low < high:
        middle = (low + high) // 2
        if log_miss(cells, known, middle) <= wanted:
            high = middle
        else:
            low = middle + 1
    return low


def confidence_of(cells: int, known: int, drawn: int) -> float:
    """Return the probability that ``drawn`` of ``cells`` meet one of the ``known`` ones."""
    return -math.expm1(log_miss(cells, known, drawn))


def drawn_cells(cells: int, count: int, seed: str) -> list[int]:
    """Return ``count`` different cells in order; the same seed draws the same ones on every machine."""
    if count >= cells:
        return list(range(cells))
    found: set[int] = set()
    number = 0
    # Of a range that is no power of two the first values would come a little more often: those above its largest multiple are passed over.
    end = (1 << 64) // cells * cells
    while len(found) < count:
        digest = hashlib.blake2b(f"{seed} {number}".encode(), digest_size=64).digest()
        number += 1
        for at in range(0, 64, 8):
            value = int.from_bytes(digest[at : at + 8], "big")
            if value < end and len(found) < count:
                found.add(value % cells)
    return sorted(found)
