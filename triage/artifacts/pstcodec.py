"""How Outlook hides the bytes of its blocks ([MS-PST] 5.1, 5.2): letters exchanged, or shifted by the block's number; packed with zlib.

Neither is a lock: no key is needed but what stands in the file. Blocks of files with pages of 4 KiB may be packed; [MS-PST] does not know
of these, and that unpacking comes before the letters are exchanged is what libpff does.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

import numpy as np

from triage.artifacts.codec import Codec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from triage.artifacts.structure import ReadAt

NONE, PERMUTE, CYCLIC = 0, 1, 2
METHODS = {NONE: "n", PERMUTE: "p", CYCLIC: "c"}
LARGEST_BLOCK = 65_536
_PIECE = 1 << 20

_R = bytes.fromhex(
    "41361362a8216ebbf416cc047f64e85d1ef2cb2a74c55e35d295479e962d9a884c7d843fdbac31b6485ff6c4d8398be7233b388ec8c1df25b120a546604e9cfb"
    "aad35651457c550007c92b9d859b09a08fadb30f63ab894bd7a7155a716642bf264a6b98faea7753b270052cfd593a867ece06eb827857c78d43afb41cd45bcd"
    "e2e9274fc3087280cfb0eff5286dbe304d3492d50e3c2232e5e4f99fc2d10a8112e1ee918376e397e6618a1779a4b7dc907a5c8c02a6ca69de501a1193b95287"
    "58fced1d37491b6ae0293399bd6cd994f340546ff0c673b8d63e6518441fdd6710f10c19ecae03a1147ba90bfff8a3c0a201f72ebc2468750dfeba2fb5d0da3d"
)
_S = bytes.fromhex(
    "14530f56b3c87a9ceb65481716159f02cc547c83000d0c0ba262a876dbd9edc7c5a4dcac8574d6d0a79bae9a967166c36399b8dd73928e847da55ed15d93b157"
    "5150808952944f4e0a6bbc8d7f6e47464140440111cb033ff7f4e1a98f3c3af9fbf0193082092ec99da08649ee6f4d6dc42d813425871b88aafc06a11238fd4c"
    "4272641337246a757743ffe6b44b365ce4d8353d45b92cecb7312b290768a30e697b189e2139be281a5b78f523ca2ab0af3efe048ce7e5983295d3f64ae8a6ea"
    "e9f3d52f7020f21f0567ad5510cecde3273bdabad7c226d4911dd21c2233f8faf15aefcf90b68bb5bdc0bf08971e6ce261e0c6c159abbb58de5fdf60797eb28a"
)
_I = bytes(_R.index(n) for n in range(256))
_FIRST, _SECOND, _THIRD = (np.frombuffer(table, np.uint8) for table in (_R, _S, _I))


def decode(method: int, data: bytes, key: int) -> bytes:
    """Return the bytes of a block as they were before they were hidden. ``key``: the lower 32 bits of the block's number."""
    if method == PERMUTE:
        return data.translate(_I)
    if method != CYCLIC or not data:
        return data
    start = (key >> 16 ^ key) & 0xFFFF
    salt = (np.arange(len(data), dtype=np.uint32) + start).astype(np.uint16)
    low, high = (salt & 0xFF).astype(np.uint8), (salt >> 8).astype(np.uint8)
    letters: NDArray[np.uint8] = np.frombuffer(data, np.uint8)
    letters = _SECOND[_FIRST[letters + low] + high] - high
    return bytes((_THIRD[letters] - low).tobytes())


def unpack(data: bytes, size: int) -> bytes:
    """Return at most ``size`` bytes of a packed block; nothing of one that is damaged from the start."""
    for bits in (15, -15):
        engine = zlib.decompressobj(bits)
        try:
            found = engine.decompress(data, min(size, LARGEST_BLOCK))
        except zlib.error:
            continue
        if found:
            return found
    return b""


def step_of(method: int, blocks: Sequence[tuple[int, int, int]]) -> tuple[str, int] | None:
    """Return the name and size of the step that undoes blocks, one behind the other; ``None`` when there is nothing to undo.

    ``blocks``: stored size, key and size when unpacked of each.
    """
    size = sum(raw for _, _, raw in blocks)
    packed = any(stored != raw for stored, _, raw in blocks)
    if method == NONE and not packed:
        return None
    name = f"pst:{METHODS[method]}"
    if packed or method == CYCLIC:
        name += "".join(f",{stored}.{key:x}.{raw}" for stored, key, raw in blocks)
    return name, size


def _undo(read_at: ReadAt, size: int, parameters: str, limit: int) -> tuple[bytes, str]:
    letter, *listed = parameters.split(",")
    method = next(number for number, name in METHODS.items() if name == letter)
    found: list[bytes] = []
    there, at, why = 0, 0, ""
    if not listed:
        while at < size and there < limit:
            data = read_at(at, min(_PIECE, size - at))
            if not data:
                break
            found.append(decode(method, data, 0))
            at += len(data)
            there += len(data)
        return b"".join(found)[:limit], "" if at >= min(size, limit) else "its bytes are not all there"
    for one in listed:
        if there >= limit:
            break
        stored, key, raw = (int(text, base) for text, base in zip(one.split("."), (10, 16, 10), strict=True))
        data = read_at(at, min(stored, LARGEST_BLOCK, max(0, size - at)))
        at += stored
        if stored != raw:
            data = unpack(data, raw)
        data = decode(method, data, key)
        if len(data) < raw:
            why = "a block is not all there"
            data = data.ljust(min(raw, LARGEST_BLOCK), b"\0")  # what comes behind it stays in its place
        found.append(data)
        there += len(data)
    return b"".join(found)[:limit], why


CODEC = Codec(re.compile(r"[npc](?:,\d{1,5}\.[0-9a-f]{1,8}\.\d{1,5})*"), _undo)
