"""Whether a volume that nothing is known of looks encrypted: VeraCrypt, TrueCrypt and plain dm-crypt leave no mark but that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.content.entropy import entropy

if TYPE_CHECKING:
    from triage.evidence.medium import Medium

SAMPLES, LENGTH = 64, 4096
LEAST, MOST = 7.93, 7.98
"""Bits a byte that each of the samples has. 4 KiB of random bytes have 7.95, less than 7.94 once in some thousand, and never 8, as tables
have; those of compressed pictures, films and archives mostly have less, and seldom all of them this."""


def looks_random(medium: Medium, offset: int, size: int) -> bool:
    """Whether samples all over a stretch of the medium look like random bytes, its beginning and end among them.

    Nothing that is shorter than all samples together, or cannot be read, does.
    """
    if size < SAMPLES * LENGTH:
        return False
    step = (size - LENGTH) // (SAMPLES - 1)
    for number in range(SAMPLES):
        try:
            piece = medium.read_at(offset + number * step // 512 * 512, LENGTH)
        except OSError:
            return False
        if len(piece) < LENGTH or not LEAST <= entropy(piece) <= MOST:
            return False
    return True
