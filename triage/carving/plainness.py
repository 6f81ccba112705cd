"""What cannot be the inside of coded pictures: stretches of text or of zeros. Coders leave neither, or not for long.

A picture of one colour can be coded as one byte again and again, so text must be of several letters.
"""

from __future__ import annotations

import numpy as np

STRETCH = 512
_LETTERS = 12
_TOP = np.uint64(0x8080808080808080)


def plain(data: bytes) -> bool:
    """Whether some stretch of 512 bytes, counted from the first, is all zero or text."""
    count = len(data) // STRETCH
    if not count:
        return False
    rows = np.frombuffer(data, np.uint64, count * (STRETCH // 8)).reshape(count, STRETCH // 8)
    joined = np.bitwise_or.reduce(rows, axis=1)
    for number in np.flatnonzero((joined & _TOP) == 0).tolist():
        if not joined[number] or len(set(data[number * STRETCH : (number + 1) * STRETCH])) >= _LETTERS:
            return True
    return False
