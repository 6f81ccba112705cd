"""What RAR does to data before it packs them, so that they pack better, undone: programs' jumps, sounds, pictures, columns of numbers."""

from __future__ import annotations

import re
from itertools import accumulate

_CALL = re.compile(rb"\xe8.{4}", re.DOTALL)
_CALL_JUMP = re.compile(rb"[\xe8\xe9].{4}", re.DOTALL)
_16M, _SIGN, _ALL = 1 << 24, 1 << 31, 0xFFFFFFFF
_BUNDLES = (4, 4, 6, 6, 0, 0, 7, 7, 4, 4, 0, 0, 4, 4, 0, 0)  # which of the three instructions of an Itanium bundle may branch


def delta(data: bytes, channels: int) -> bytes:
    """Undo differences: ``channels`` runs, each of the differences of every so many-th byte."""
    out = bytearray(len(data))
    at = 0
    for channel in range(min(channels, len(data))):
        count = (len(data) - channel + channels - 1) // channels
        out[channel::channels] = bytes([-total & 255 for total in accumulate(data[at : at + count])])
        at += count
    return bytes(out)


def x86(data: bytes, offset: int, *, jumps: bool, wraps: bool) -> bytes:
    """Make absolute addresses relative again, behind E8 and, with ``jumps``, E9. ``offset``: of the data in the file."""
    out = bytearray(data)
    for found in (_CALL_JUMP if jumps else _CALL).finditer(data):
        at = found.start() + 1
        place = (offset + at) % _16M if wraps else offset + at
        address = int.from_bytes(data[at : at + 4], "little")
        if address & _SIGN:
            if not (address + place) & _SIGN:
                out[at : at + 4] = ((address + _16M) & _ALL).to_bytes(4, "little")
        elif address < _16M:
            out[at : at + 4] = ((address - place) & _ALL).to_bytes(4, "little")
    return bytes(out)


def arm(data: bytes, offset: int) -> bytes:
    """Make absolute addresses relative again in ARM's BL instructions."""
    out = bytearray(data)
    tops = data[3::4]
    number = tops.find(0xEB)
    while number >= 0:
        at = 4 * number
        address = int.from_bytes(data[at : at + 3], "little") - (offset + at) // 4
        out[at : at + 3] = (address % _16M).to_bytes(3, "little")
        number = tops.find(0xEB, number + 1)
    return bytes(out)


def itanium(data: bytes, offset: int) -> bytes:
    """Make absolute addresses relative again in Itanium's branches: bundles of 16 bytes, three instructions of 41 bits each."""
    out = bytearray(data)
    place = (offset & _ALL) >> 4
    for at in range(0, len(data) - 21, 16):
        branches = _BUNDLES[(out[at] & 31) - 16] if out[at] & 31 >= 16 else 0
        bundle = int.from_bytes(out[at : at + 16], "little") if branches else 0
        for slot in range(3):
            start = 41 * slot + 18
            if branches >> slot & 1 and bundle >> (start + 24) & 15 == 5:
                target = bundle >> start & 0xFFFFF
                bundle ^= (target ^ ((target - place) & 0xFFFFF)) << start
        if branches:
            out[at : at + 16] = bundle.to_bytes(16, "little")
        place += 1
    return bytes(out)


def rgb(data: bytes, width: int, red: int) -> bytes:
    """Undo the prediction of pixels of three bytes from those left, above, and left above; ``width`` of a row in bytes."""
    size = len(data)
    out = bytearray(size)
    if width < 0 or red < 0:
        return data
    at = 0
    for channel in range(3):
        left = 0
        for place in range(channel, size, 3):
            above = place - width
            if above >= 3:
                up, corner = out[above], out[above - 3]
                guess = left + up - corner
                by_left, by_up, by_corner = abs(guess - left), abs(guess - up), abs(guess - corner)
                upper = up if by_up <= by_corner else corner
                guess = left if by_left <= by_up and by_left <= by_corner else upper
            else:
                guess = left
            left = (guess - data[at]) & 255
            out[place] = left
            at += 1
    for place in range(red, size - 2, 3):
        green = out[place + 1]
        out[place] = (out[place] + green) & 255
        out[place + 2] = (out[place + 2] + green) & 255
    return bytes(out)


def audio(data: bytes, channels: int) -> bytes:
    """Undo the prediction of sound samples, whose weights adapt every 32 of them."""
    size = len(data)
    out = bytearray(size)
    at = 0
    for channel in range(min(channels, size)):
        last = d0 = d1 = d2 = k0 = k1 = k2 = 0
        sums = [0] * 7
        for count, place in enumerate(range(channel, size, channels)):
            guess = ((8 * last + k0 * d0 + k1 * d1 + k2 * d2) >> 3) & 255
            now = data[at]
            at += 1
            signed = now - 256 if now > 127 else now
            value = (guess - now) & 255
            out[place] = value
            eight = signed << 3
            sums[0] += abs(eight)
            sums[1] += abs(eight - d0)
            sums[2] += abs(eight + d0)
            sums[3] += abs(eight - d1)
            sums[4] += abs(eight + d1)
            sums[5] += abs(eight - d2)
            sums[6] += abs(eight + d2)
            step = (value - last) & 255
            step = step - 256 if step > 127 else step
            last = value
            d2, d1, d0 = d1, step - d0, step
            if not count & 31:
                best = sums.index(min(sums))
                sums = [0] * 7
                ks = [k0, k1, k2]
                if best:
                    weight = ks[(best - 1) // 2]
                    ks[(best - 1) // 2] = (weight - 1 if weight >= -16 else weight) if best & 1 else (weight + 1 if weight < 16 else weight)
                k0, k1, k2 = ks
    return bytes(out)
