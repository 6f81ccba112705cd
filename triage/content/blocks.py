"""Which 4 KiB blocks of a file are its own: a file that is deleted and overwritten in part can be recognised by one of them.

Most blocks of pictures, videos and archives occur in no other file. Those that do are tables and fillings of programs; the rules against
them are Garfinkel's and McCarrin's ("Hash-based carving", DFRWS 2015; hashdb's labels): blocks in which one 4-byte value takes a quarter
(*histogram*), whose 4-byte values count upwards (*ramp*: tables of Office and of fonts), that are mostly white space; and blocks of low
entropy. What passes is kept once a file. A last block that the file does not fill is not taken: what follows it on a medium differs.

A block is known by 16 bytes (:func:`block_key`): 8 that are read straight off it, so that a scan of a medium need not digest each place
where a block could begin, and 8 of its MD5, which the few places that the first ones let through must agree with.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

SIZE = 4096
LEAST_ENTROPY = 7.0
"""Bits a byte. Random bytes have 7.95 in a block of this size, JPEG data 7.6 to 7.95; text, tables and programs less than 6.5."""
MOST = 4096
"""Blocks that are kept of a file, at most: 16 MiB. Of larger files they lie evenly over the whole of it."""
_WORDS = SIZE // 4
_AT_ONCE = 256
_WHITE = np.isin(np.arange(256), np.frombuffer(b" \t\r\n\0", np.uint8))


def distinctive(blocks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which blocks (rows of 4,096 bytes) tell something about where they come from."""
    good = _entropy(blocks) >= LEAST_ENTROPY
    at = np.flatnonzero(good)
    if len(at):
        some = blocks[at]
        words = some.view("<u4")
        in_order = np.sort(words, axis=1)
        # A value that takes a quarter stands at both ends of some quarter.
        step = _WORDS // 4
        common = (in_order[:, step:] == in_order[:, :-step]).any(axis=1)
        ramp = np.zeros(len(some), bool)
        for order in ("<u4", ">u4"):
            numbers = some.view(order).astype(np.int64)
            ramp |= (np.diff(numbers, axis=1) == 1).sum(axis=1) > _WORDS // 2
        white = _WHITE[some].sum(axis=1) > SIZE * 3 // 4
        good[at] = ~(common | ramp | white)
    return good


def samples(data: bytes | memoryview, step: int) -> NDArray[np.uint64]:
    """Return the first 8 bytes, as a big-endian number, of the key of the block that begins at each ``step`` bytes (a multiple of 8).

    They are bytes 0 to 7 of the block, exclusive or those from the middle on.
    """
    words = np.frombuffer(data, ">u8", len(data) // 8)
    places = np.arange(0, len(data) - SIZE + 1, step) // 8
    found: NDArray[np.uint64] = (words[places] ^ words[places + SIZE // 16]).astype(np.uint64)
    return found


def block_key(block: bytes | memoryview) -> bytes:
    """Return the 16 bytes by which a block is known."""
    sample = int.from_bytes(block[:8], "big") ^ int.from_bytes(block[SIZE // 2 : SIZE // 2 + 8], "big")
    return sample.to_bytes(8, "big") + hashlib.md5(block, usedforsecurity=False).digest()[:8]


def _entropy(blocks: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return each row's Shannon entropy in bits a byte."""
    rows = len(blocks)
    joined = blocks.astype(np.int64) + 256 * np.arange(rows)[:, None]
    counts = np.bincount(joined.ravel(), minlength=256 * rows).reshape(rows, 256)
    found: NDArray[np.float64] = np.log2(SIZE) - _TERMS[counts].sum(axis=1) / SIZE
    return found


_TERMS = np.concatenate([[0.0], np.arange(1, SIZE + 1) * np.log2(np.arange(1, SIZE + 1))])


def distinctive_blocks(chunks: Iterable[bytes], most: int = MOST) -> list[tuple[int, bytes]]:
    """Return number and key of a file's own blocks in their order. ``chunks``: its bytes, in order, in pieces of any size."""
    found: dict[bytes, int] = {}
    stride = 1
    repeated: set[bytes] = set()
    for first, blocks in _blocks(chunks):
        numbers = first + np.arange(len(blocks))
        wanted = np.flatnonzero(numbers % stride == 0)
        wanted = wanted[distinctive(blocks[wanted])] if len(wanted) else wanted
        for at in wanted.tolist():
            digest = block_key(blocks[at].tobytes())
            if digest in found:
                repeated.add(digest)
            else:
                found[digest] = int(numbers[at])
        while len(found) > 2 * most:
            stride *= 2
            found = {digest: number for digest, number in found.items() if number % stride == 0}
    own = sorted((number, digest) for digest, number in found.items() if digest not in repeated)
    if len(own) > most:
        own = [own[n * len(own) // most] for n in range(most)]
    return own


def _blocks(chunks: Iterable[bytes]) -> Iterator[tuple[int, Any]]:
    """Yield the number of a first block, and whole blocks as rows."""
    held, number = b"", 0
    for chunk in chunks:
        data = held + chunk if held else chunk
        for start in range(0, len(data) - SIZE + 1, SIZE * _AT_ONCE):
            piece = data[start : start + SIZE * _AT_ONCE]
            whole = len(piece) // SIZE
            if whole:
                yield number, np.frombuffer(piece, np.uint8, whole * SIZE).reshape(whole, SIZE)
                number += whole
        held = data[len(data) // SIZE * SIZE :]
