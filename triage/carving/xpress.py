"""Xpress-Huffman, decoded in Python: what Windows compresses its Prefetch files with.

Format: [MS-XCA] 2.2. Blocks of 64 KiB, each with its own table of 512 code lengths. A table whose codes do not fill the code space is not
one, so that bytes which are something else are refused at once.
"""

from __future__ import annotations

import numpy as np

_BLOCK = 65536
_TABLE = 256
_BITS = 15
_WORD = 0xFFFFFFFF
_END = 256


def _codes(table: bytes) -> tuple[list[int], list[int]]:
    """Return, by the next 15 bits, the symbol and its length. Raises ``ValueError`` for what is no table."""
    raw = np.frombuffer(table, np.uint8)
    lengths = np.empty(512, np.int64)
    lengths[0::2], lengths[1::2] = raw & 15, raw >> 4
    used = np.flatnonzero(lengths)
    order = used[np.argsort(lengths[used], kind="stable")]
    repeats = 1 << (_BITS - lengths[order])
    if len(raw) < _TABLE or int(repeats.sum()) != 1 << _BITS:
        raise ValueError("no table of code lengths")
    symbols = np.repeat(order, repeats)
    return symbols.tolist(), np.repeat(lengths[order], repeats).tolist()


def decode(data: bytes, at: int, size: int, stop: int | None = None) -> tuple[bytes, int]:
    """Return the ``size`` bytes that are compressed from ``at`` on, and the offset behind them. Raises ``ValueError``, ``IndexError``.

    ``stop``: bytes that are enough; there may be more, and the offset is then nowhere in particular.
    """
    stop = size if stop is None else stop
    out = bytearray()
    symbols: list[int] = []
    lengths: list[int] = []
    bits = extra = 0
    while len(out) < stop:
        symbols, lengths = _codes(data[at : at + _TABLE])
        at += _TABLE
        bits = int.from_bytes(data[at : at + 2], "little") << 16 | int.from_bytes(data[at + 2 : at + 4], "little")
        at += 4
        extra = 16
        end = min(len(out) + _BLOCK, stop)
        while len(out) < end:
            code = bits >> 17
            symbol, length = symbols[code], lengths[code]
            bits = bits << length & _WORD
            extra -= length
            if extra < 0:
                bits |= (data[at] | data[at + 1] << 8) << -extra
                extra += 16
                at += 2
            if symbol < 256:
                out.append(symbol)
                continue
            symbol -= 256
            count, width = symbol & 15, symbol >> 4
            if count == 15:
                count = data[at]
                at += 1
                if count == 255:
                    count = data[at] | data[at + 1] << 8
                    at += 2
                    if count < 15:
                        raise ValueError("a length that is written longer than it is")
                    count -= 15
                count += 15
            count += 3
            back = (bits >> (32 - width) if width else 0) + (1 << width)
            bits = bits << width & _WORD
            extra -= width
            if extra < 0:
                bits |= (data[at] | data[at + 1] << 8) << -extra
                extra += 16
                at += 2
            if back > len(out) or len(out) + count > size:
                raise ValueError("a match that leads out of the data")
            start = len(out) - back
            if back >= count:
                out += out[start : start + count]
            else:
                piece = bytes(out[start:])
                out += (piece * (count // back + 1))[:count]
    # Behind the last byte stands a match of length and distance 0, which ends the data; it may take one more word.
    if stop and symbols[bits >> 17] == _END and lengths[bits >> 17] > extra:
        at += 2
    return bytes(out), at
