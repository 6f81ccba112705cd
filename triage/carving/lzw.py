"""LZW as GIF has it, without making the pixels: whether every code is one that can stand there, and how many pixels they give.

Source: GIF89a specification, Appendix F. What is overwritten gives a code that is not in the table yet, or another number of pixels.
"""

from __future__ import annotations


def measure(data: bytes, bits: int, most: int) -> tuple[int, bool, bool]:
    """Return how many pixels there are, whether the end code was reached, and whether nothing was wrong before.

    ``bits`` is the minimum code size, 2 to 8. Stops at ``most`` pixels; the first code of all has to be the one that clears the table,
    or a pixel. Takes half a second a megabyte.
    """
    clear, end = 1 << bits, (1 << bits) + 1
    lengths = [1] * clear + [0, 0] + [0] * (4096 - clear - 2)
    width, free = bits + 1, clear + 2
    mask, limit = (1 << width) - 1, 1 << width
    before, pixels, held, have = 0, 0, 0, 0
    at, size = 0, len(data)
    while True:
        while have < width:
            if at >= size:
                return pixels, False, True
            step = data[at : at + 6]
            held |= int.from_bytes(step, "little") << have
            have += 8 * len(step)
            at += 6
        code = held & mask
        held >>= width
        have -= width
        if code == clear:
            width, free, before = bits + 1, clear + 2, 0
            mask, limit = (1 << width) - 1, 1 << width
            continue
        if code == end:
            return pixels, True, True
        if code > free or (code == free and (not before or free == 4096)) or (not before and code > end):
            return pixels, False, False
        if before and free < 4096:
            lengths[free] = before + 1
            free += 1
            if free == limit and width < 12:
                width += 1
                mask, limit = (1 << width) - 1, 1 << width
        before = lengths[code]
        pixels += before
        if pixels > most:
            return pixels, False, False
