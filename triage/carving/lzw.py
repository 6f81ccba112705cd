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


class Packed:
    """LZW as TIFF has it (TIFF 6.0, section 13), piece by piece: codes with their high bits first, that grow one code early.

    ``made``: bytes that come out. ``ended``: the end code was reached, ``used``: behind so many bytes. ``wrong``: a code came that cannot.
    """

    def __init__(self) -> None:
        self._lengths = [1] * 256 + [0] * (4096 - 256)
        self._width, self._free, self._before, self._held, self._have = 9, 258, 0, 0, 0
        self.made = 0
        self.used = 0
        self.ended = False
        self.wrong = False

    def copy(self) -> Packed:
        """Return another in the same state."""
        other = Packed()
        other._lengths = self._lengths[:]
        other._width, other._free, other._before = self._width, self._free, self._before
        other._held, other._have = self._held, self._have
        other.made, other.used, other.ended, other.wrong = self.made, self.used, self.ended, self.wrong
        return other

    def feed(self, data: bytes) -> None:
        """Follow the codes in ``data``, as long as they are right."""
        lengths, width, free, before = self._lengths, self._width, self._free, self._before
        held, have, made = self._held, self._have, self.made
        for byte in data:
            if self.ended or self.wrong:
                break
            self.used += 1
            held = (held << 8 | byte) & 0xFFFFFF
            have += 8
            if have < width:
                continue
            have -= width
            code = held >> have & ((1 << width) - 1)
            if code == 256:
                width, free, before = 9, 258, 0
                continue
            if code == 257:
                self.ended = True
                break
            if code > free or (code == free and not before) or (not before and code > 257):
                self.wrong = True
                break
            if before and free < 4096:
                lengths[free] = before + 1
                free += 1
                if free == (1 << width) - 1 and width < 12:
                    width += 1
            before = lengths[code] if code < 4096 else 0
            made += before
        self._width, self._free, self._before = width, free, before
        self._held, self._have, self.made = held, have, made
