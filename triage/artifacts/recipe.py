"""How the bytes of a file inside a file are had again: a list of steps from the outer one's bytes to the inner one's.

A recipe is plain data and stands in a locator's ``member`` as JSON, so that any process can follow it, without the plugin that wrote it:

``["cut", offset, length, …]``     stretches of the bytes, one behind the other; each recipe begins so
``["undo", name, size]``           a compression or encoding undone, at most ``size`` bytes of what comes out; names: :data:`UNDONE`

Whatever is undone is held in memory and bounded as archives are (:mod:`triage.artifacts.expansion`): the same bytes are cut at the same
place each time. What is damaged gives as much as there is.
"""

from __future__ import annotations

import base64
import binascii
import json
import quopri
import re
from typing import TYPE_CHECKING, Any

from triage.artifacts import lzfu, pdffilters, pdfimages, pixels, pstcodec, rarcodec, sevencoders
from triage.artifacts.expansion import PIECE, Budget, Expansion, Limits
from triage.evidence import decoders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from triage.artifacts.codec import Codec
    from triage.artifacts.structure import ReadAt

Recipe = tuple[tuple[Any, ...], ...]

_DECODERS: dict[str, Callable[[], decoders.Decoder]] = {
    "gzip": decoders.gzip_decoder,
    "zlib": decoders.zlib_decoder,
    "deflate": decoders.deflate_decoder,
    "deflate64": decoders.deflate64_decoder,
    "bzip2": decoders.bzip2_decoder,
    "xz": decoders.xz_decoder,
    "brotli": decoders.brotli_decoder,
    "zstd": decoders.zstd_decoder,
}
_AGAIN = {"gzip": b"\x1f\x8b\x08", "bzip2": b"BZh", "xz": b"\xfd7zXZ\0"}
_TEXTS = ("base64", "quoted", "uu")
_MORE: dict[str, Codec] = {
    "7z": sevencoders.CODEC,
    "lzfu": lzfu.CODEC,
    "pdffilter": pdffilters.CODEC,
    "pdfimage": pdfimages.CODEC,
    "pixels": pixels.CODEC,
    "pst": pstcodec.CODEC,
    "rar": rarcodec.CODEC,
}
UNDONE = (*_DECODERS, *_TEXTS, "lzma", *_MORE)
"""Names of what can be undone. ``lzma`` has the five bytes of its properties behind a colon, in hexadecimal; the codecs that stand in
modules of their own have their parameters there."""
MOST_STEPS, MOST_CUTS = 16, 100_000
_LARGEST_TEXT = 128 << 20
_ENCODING = re.compile(rf"(?:{'|'.join((*_DECODERS, *_TEXTS))})|lzma:[0-9a-f]{{10}}")


def pack_recipe(steps: Recipe) -> str:
    """Return a recipe as it stands in a locator."""
    return json.dumps(steps, separators=(",", ":"), ensure_ascii=True)


def unpack_recipe(text: str) -> Recipe:
    """Return the recipe that :func:`pack_recipe` wrote; raise ``ValueError`` for what is none."""
    steps = json.loads(text)
    if type(steps) is not list:
        raise ValueError("no list of steps")
    return check_recipe(steps)


def check_recipe(steps: Any) -> Recipe:
    """Return steps as tuples; raise ``ValueError`` for those that cannot be followed."""
    if not isinstance(steps, list | tuple) or not 1 <= len(steps) <= MOST_STEPS:
        raise ValueError("no steps, or too many")
    found = []
    for step in steps:
        if not isinstance(step, list | tuple) or not step or type(step[0]) is not str or step[0] not in ("cut", "undo"):
            raise ValueError("a step that there is not")
        word, *rest = step
        if word == "cut":
            fits = bool(rest) and not len(rest) % 2 and len(rest) <= 2 * MOST_CUTS and all(_is_place(n) for n in rest)
        else:
            fits = len(rest) == 2 and type(rest[0]) is str and _is_encoding(rest[0]) and _is_place(rest[1])
        if not fits:
            raise ValueError("a step that lacks something")
        found.append((word, *rest))
    if found[0][0] != "cut":
        raise ValueError("a recipe that does not say which bytes it begins with")
    return tuple(found)


def _is_encoding(name: str) -> bool:
    if _ENCODING.fullmatch(name):
        return True
    kind, _, parameters = name.partition(":")
    codec = _MORE.get(kind)
    return codec is not None and codec.parameters.fullmatch(parameters) is not None


def _is_place(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 62


class Held:
    """What was undone last, for those who follow recipes that begin alike: the members of one compressed archive, say.

    ``most``: bytes that are kept; the oldest go first.
    """

    def __init__(self, most: int = 256 << 20) -> None:
        self._most = most
        self._size = 0
        self._found: dict[tuple[str, Recipe], tuple[bytes, str]] = {}

    def get(self, key: tuple[str, Recipe]) -> tuple[bytes, str] | None:
        """Return what was undone before, and why not all of it."""
        found = self._found.pop(key, None)
        if found is not None:
            self._found[key] = found
        return found

    def put(self, key: tuple[str, Recipe], found: tuple[bytes, str]) -> None:
        """Keep what was undone, if it is not more than may be kept."""
        if len(found[0]) > self._most:
            return
        while self._found and self._size + len(found[0]) > self._most:
            self._size -= len(self._found.pop(next(iter(self._found)))[0])
        self._found[key] = found
        self._size += len(found[0])


def follow(read_at: ReadAt, steps: Recipe, held: Held | None = None, base: str = "") -> tuple[ReadAt, int, str]:
    """Follow a recipe; return ``read_at`` over the inner bytes, how many there are, and why not all of them, "" if all.

    ``held`` keeps what is undone on the way to something further inside; ``base`` names the outer bytes there. Raises ``OSError`` when
    there is no way to them; ``read_at``'s ``OSError`` passes through.
    """
    size, why = 0, ""
    last = len(steps) - 1
    for number, (word, *rest) in enumerate(steps):
        if word == "cut":
            read_at, size = _cut(read_at, rest)
            continue
        key = (base, steps[: number + 1])
        found = held.get(key) if held is not None and number < last else None
        if found is None:
            found = undo(read_at, size, rest[0], rest[1])
            if held is not None and number < last:
                held.put(key, found)
        data, reason = found
        why = why or reason
        read_at, size = _of(data), len(data)
    return read_at, size, why


def _of(data: bytes) -> ReadAt:
    return lambda offset, length: data[offset : offset + length]


def _cut(read_at: ReadAt, places: Sequence[int]) -> tuple[ReadAt, int]:
    pieces = list(zip(places[::2], places[1::2], strict=True))
    if len(pieces) == 1:
        first, whole = pieces[0]
        return (lambda offset, length: read_at(first + offset, min(length, whole - offset)) if offset < whole else b""), whole

    def joined(offset: int, length: int) -> bytes:
        found, start = [], 0
        for place, size in pieces:
            skip = offset - start
            if 0 <= skip < size and length > 0:
                piece = read_at(place + skip, min(length, size - skip))
                found.append(piece)
                if len(piece) < min(length, size - skip):
                    break
                offset += len(piece)
                length -= len(piece)
            start += size
        return b"".join(found)

    return joined, sum(size for _, size in pieces)


def undo(read_at: ReadAt, size: int, name: str, limit: int) -> tuple[bytes, str]:
    """Return what ``size`` bytes are when an encoding is undone, at most ``limit`` bytes, and why not all of it, "" if all."""
    if name in _TEXTS:
        return _text(read_at(0, min(size, _LARGEST_TEXT)), name, limit)
    kind, _, parameters = name.partition(":")
    if kind in _MORE:
        return _MORE[kind].undo(read_at, size, parameters, limit)
    expanded = expand(read_at, size, name)
    if expanded is None:
        raise OSError("its compression cannot be undone")
    data = expanded.read(limit)
    return data, expanded.reason


def expand(read_at: ReadAt, size: int, name: str) -> Expansion | None:
    """Return the bytes that a compression hides, streamed; ``None`` for one that cannot be undone here."""
    kind, _, properties = name.partition(":")
    make = _DECODERS.get(kind)
    if kind == "lzma":
        raw = bytes.fromhex(properties)
        make = decoders.lzma1_decoders(raw) if len(raw) == 5 else None
    if make is None:
        return None
    return Expansion(_pieces(read_at, size), Budget(Limits()), make, again=_AGAIN.get(kind, b""), open_ended=kind in ("deflate", "lzma"))


def _pieces(read_at: ReadAt, size: int) -> Iterator[bytes]:
    offset = 0
    while offset < size:
        piece = read_at(offset, min(PIECE, size - offset))
        if not piece:
            return
        offset += len(piece)
        yield piece


def _text(data: bytes, name: str, limit: int) -> tuple[bytes, str]:
    if name == "quoted":
        return quopri.decodestring(data)[:limit], ""
    if name == "uu":
        return _uu(data, limit)
    letters = data.translate(None, b" \t\r\n")
    try:
        return base64.b64decode(letters, validate=True)[:limit], ""
    except binascii.Error:
        kept = bytes(c for c in letters if c in _BASE64)
        kept = kept[: len(kept) // 4 * 4]
        return base64.b64decode(kept)[:limit], "its Base64 is damaged"


def _uu(data: bytes, limit: int) -> tuple[bytes, str]:
    """Undo uuencoding: lines between ``begin`` and ``end``, each with its length before it."""
    found: list[bytes] = []
    size, why, inside = 0, "", False
    for line in data.splitlines():
        if not inside:
            inside = line.startswith(b"begin ")
        elif line.rstrip() == b"end":
            return b"".join(found)[:limit], why
        elif size <= limit:
            try:
                piece = binascii.a2b_uu(line)
            except binascii.Error:
                # Some programs count or pad a line otherwise than it is long: as many bytes as its length says.
                length = (line[0] - 32) & 63 if line else 0
                try:
                    piece = binascii.a2b_uu(line[: 1 + (length * 4 + 5) // 3].ljust(1 + (length + 2) // 3 * 4))
                except binascii.Error:
                    piece, why = b"", "its uuencoding is damaged"
            found.append(piece)
            size += len(piece)
    return b"".join(found)[:limit], why or "its uuencoding has no end"


_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
