"""The coders of 7z archives one behind the other, undone within bounded memory: what a recipe's ``7z`` means.

Parameters name the coders in the order in which they are undone, ``+`` between them: a name, ``=`` and the coder's properties in
hexadecimal if it has any, ``@`` and how many bytes come out of it (``lzma=5d00001000@70000+bcj@70000``). ``>`` and a number behind the
last one: so many bytes are passed over first, since what was packed together may be larger than memory.

Coders and their properties: 7zFormat.txt and Methods.txt of the LZMA SDK (public domain). Filters for machine code (x86, PowerPC, IA-64,
ARM, Thumb, SPARC) and delta are liblzma's, to which the bytes are handed as LZMA2 chunks that are not compressed; that for ARM64 is here.
PPMd (variant H) is slow: some hundred KiB a second.
"""

from __future__ import annotations

import io
import lzma
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import zstandard

from triage.artifacts.codec import Codec
from triage.artifacts.expansion import PIECE, Budget, Expansion, Limits
from triage.artifacts.ppmd import Ppmd
from triage.artifacts.structure import StructureError
from triage.evidence import decoders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.artifacts.structure import ReadAt

MOST_DICTIONARY = 256 << 20
"""Bytes of a dictionary that are held at most; none is larger than what comes out."""
MOST_CODERS = 8
DEEPEST = 4 << 30
"""Bytes that are undone of one folder, those that are passed over among them."""
_FILTERS = {
    "bcj": lzma.FILTER_X86,
    "ppc": lzma.FILTER_POWERPC,
    "ia64": lzma.FILTER_IA64,
    "arm": lzma.FILTER_ARM,
    "armt": lzma.FILTER_ARMTHUMB,
    "sparc": lzma.FILTER_SPARC,
}
MOST_BY_PPMD = 16 << 20
"""Bytes that come out of PPMd at most: that takes minutes."""
_PPMD_BITE = 1 << 12
_ZSTD_WINDOW, _ZSTD_BITE = 128 << 20, 1 << 10
_STREAMS: dict[str, Callable[[], decoders.Decoder]] = {
    "deflate": decoders.deflate_decoder,
    "deflate64": decoders.deflate64_decoder,
    "bzip2": decoders.bzip2_decoder,
}
NAMES = ("copy", "lzma", "lzma2", "ppmd", "zstd", "delta", "arm64", *_FILTERS, *_STREAMS)
"""Coders that are undone."""
_CODER = rf"(?:{'|'.join(NAMES)})(?:=(?:[0-9a-f]{{2}}){{1,16}})?@[0-9]{{1,18}}"


@dataclass(frozen=True, slots=True)
class Step:
    """One coder. ``size``: bytes that come out of it."""

    name: str
    properties: bytes
    size: int

    def text(self) -> str:
        """Return it as it stands in a recipe."""
        return f"{self.name}{'=' if self.properties else ''}{self.properties.hex()}@{self.size}"


def pack_steps(steps: list[Step], skip: int = 0) -> str:
    """Return coders as a recipe has them. ``skip``: bytes that are passed over."""
    return "7z:" + "+".join(step.text() for step in steps) + (f">{skip}" if skip else "")


def refusal(steps: list[Step]) -> str:
    """Return why these coders cannot be undone, "" if they can."""
    if not 1 <= len(steps) <= MOST_CODERS:
        return f"more than {MOST_CODERS} coders one behind the other"
    for step in steps:
        why = _unfit(step)
        if why:
            return why
    return ""


def _unfit(step: Step) -> str:
    lengths = {"lzma": (5,), "lzma2": (1,), "ppmd": (5,), "delta": (1,), "copy": (0,), "arm64": (0, 4), **dict.fromkeys(_FILTERS, (0, 4))}
    if step.name in lengths and len(step.properties) not in lengths[step.name]:
        return f"its properties of {step.name} cannot be"
    if step.name == "lzma":
        lc, lp = step.properties[0] % 9, step.properties[0] // 9 % 5
        if step.properties[0] >= 225 or lc + lp > 4:
            return "its properties of lzma are not ones that are read"
    if step.name == "lzma2" and step.properties[0] > 40:
        return "its properties of lzma2 cannot be"
    if step.name in ("lzma", "lzma2") and _dictionary(step) > MOST_DICTIONARY:
        return f"its dictionary is larger than {MOST_DICTIONARY >> 20} MiB"
    if step.name == "ppmd":
        order, memory = step.properties[0], int.from_bytes(step.properties[1:], "little")
        if not (2 <= order <= 64 and 1 << 11 <= memory <= MOST_DICTIONARY):
            return "its properties of ppmd are not ones that are read"
        if step.size > MOST_BY_PPMD:
            return f"more than {MOST_BY_PPMD >> 20} MiB that PPMd packed"
    return ""


def _dictionary(step: Step, most: int | None = None) -> int:
    """Return the bytes of dictionary that a coder needs: as stated, or as many as come out when those are fewer."""
    if step.name == "lzma":
        stated = int.from_bytes(step.properties[1:5], "little")
    else:
        half = step.properties[0]
        stated = 0xFFFFFFFF if half == 40 else (2 | half & 1) << (half // 2 + 11)
    return max(4096, min(stated, step.size if most is None else min(most, step.size)))


def undo(read_at: ReadAt, size: int, parameters: str, limit: int) -> tuple[bytes, str]:
    """Return at most ``limit`` bytes of what ``size`` packed bytes are, behind those that are passed over, and why not all of it.

    Raises ``OSError`` for coders that cannot be undone here.
    """
    chain, _, skipped = parameters.partition(">")
    steps, skip = [_step(text) for text in chain.split("+")], int(skipped or 0)
    why = refusal(steps)
    if not why and skip + limit > DEEPEST:
        why = f"it lies more than {DEEPEST:,} bytes deep in what was packed together"
    if why:
        raise OSError(why)
    end = min(skip + limit, steps[-1].size)
    source = _Source(read_at, size)
    stages: list[_Stage] = []
    pieces: Iterator[bytes] = iter(source)
    for number, step in enumerate(steps):
        # A byte that is read of what is packed is the sign that a slow coder gets on.
        stages.append(_Stage(step, pieces, end if number == len(steps) - 1 else None, lambda: read_at(0, 1)))
        pieces = iter(stages[-1])
    kept, passed, most = io.BytesIO(), 0, Limits()
    for piece in pieces:
        taken = piece[max(0, skip - passed) : end - passed] if passed + len(piece) > skip else b""
        kept.write(taken)
        passed += len(piece)
        if passed > most.ratio_free and passed > most.ratio * max(source.consumed, 1):
            stages[0].reason = stages[0].reason or f"expands more than {most.ratio} times"
            break
        if passed >= end:
            break
    reason = next((stage.reason for stage in stages if stage.reason), "")
    if not reason and passed < end:
        reason = "ends before its packed bytes do"
    return kept.getvalue(), reason


def _step(text: str) -> Step:
    head, _, size = text.partition("@")
    name, _, properties = head.partition("=")
    return Step(name, bytes.fromhex(properties), int(size))


class _Source:
    """The packed bytes, counted as they are taken."""

    def __init__(self, read_at: ReadAt, size: int) -> None:
        self._read_at = read_at
        self._size = size
        self.consumed = 0

    def __iter__(self) -> Iterator[bytes]:
        while self.consumed < self._size:
            piece = self._read_at(self.consumed, min(PIECE, self._size - self.consumed))
            if not piece:
                return
            self.consumed += len(piece)
            yield piece


class _Stage:
    """What comes out of one coder, at most its size; ``reason`` says afterwards why not all of it.

    ``wanted``: as much is asked for; ``alive`` is called as it gets on, if it is slow.
    """

    def __init__(self, step: Step, source: Iterator[bytes], wanted: int | None, alive: Callable[[], object]) -> None:
        self._step = step
        self._source = source
        self._wanted = wanted
        self._alive = alive
        self.reason = ""

    def __iter__(self) -> Iterator[bytes]:
        left = self._step.size
        if not left:
            return
        expansion = self._expansion()
        for piece in expansion if expansion is not None else self._filtered():
            yield piece[:left]
            left -= len(piece)
            if left <= 0:
                return
        if expansion is not None:
            self.reason = expansion.reason
        self.reason = self.reason or "its packed bytes end too early"

    def _expansion(self) -> Expansion | None:
        """Return the bytes of a compression; ``None`` for a filter, and for what stands in many frames."""
        step = self._step
        if step.name not in ("copy", "lzma", "lzma2", *_STREAMS):
            return None
        make = _STREAMS.get(step.name)
        if step.name == "lzma":
            first = step.properties[0]
            raw = {"id": lzma.FILTER_LZMA1, "lc": first % 9, "lp": first // 9 % 5, "pb": first // 45}
            raw["dict_size"] = _dictionary(step, self._wanted)
            make = _maker([raw])
        elif step.name == "lzma2":
            make = _maker([{"id": lzma.FILTER_LZMA2, "dict_size": _dictionary(step, self._wanted)}])
        limits = Limits(member=DEEPEST, total=DEEPEST)
        return Expansion(self._source, Budget(limits), make, again=b"BZh" if step.name == "bzip2" else b"", open_ended=True)

    def _filtered(self) -> Iterator[bytes]:
        step = self._step
        start = int.from_bytes(step.properties, "little") if step.name != "delta" else 0
        if step.name == "arm64":
            yield from _arm64(self._cut(), start)
            return
        if step.name in ("ppmd", "zstd"):
            yield from self._ppmd() if step.name == "ppmd" else self._zstd()
            return
        form: dict[str, int] = {"id": lzma.FILTER_DELTA, "dist": step.properties[0] + 1} if step.name == "delta" else {}
        if step.name != "delta":
            form = {"id": _FILTERS[step.name], **({"start_offset": start} if start else {})}
        try:
            decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[form, {"id": lzma.FILTER_LZMA2, "dict_size": 2 * PIECE}])
            control = b"\1"
            for piece in self._cut():
                yield decoder.decompress(control + (len(piece) - 1).to_bytes(2, "big") + piece)
                control = b"\2"
            if control == b"\2":
                yield decoder.decompress(b"\0")  # the end: gives what the filter held back
        except lzma.LZMAError:  # a start that its machine cannot have
            self.reason = f"its {step.name} filter cannot be undone"

    def _ppmd(self) -> Iterator[bytes]:
        size = self._step.size if self._wanted is None else min(self._step.size, self._wanted)
        packed = bytearray()
        for piece in self._source:
            packed += piece
            if len(packed) > 2 * self._step.size + PIECE:  # nothing grows so much by being packed
                break
        model = Ppmd(self._step.properties[0], int.from_bytes(self._step.properties[1:], "little"), seven=True)
        model.start(bytes(packed), 0)
        out, done = bytearray(), 0
        while done < size:
            try:
                model.run(out, -1, min(len(out) + _PPMD_BITE, size))
            except StructureError as error:
                self.reason = str(error)
            yield bytes(out[done:])
            done = len(out)
            if self.reason:
                return
            self._alive()

    def _zstd(self) -> Iterator[bytes]:
        """Undo frames that follow each other, those that hold nothing but notes among them (RFC 8878), in little bites."""
        decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj(read_across_frames=True)
        try:
            for piece in self._source:
                for at in range(0, len(piece), _ZSTD_BITE):
                    yield decoder.decompress(piece[at : at + _ZSTD_BITE])
        except zstandard.ZstdError:
            self.reason = "its compressed data are damaged"

    def _cut(self) -> Iterator[bytes]:
        """Yield what goes into the filter, in pieces of at most 64 KiB, no more than comes out of it."""
        left = self._step.size
        for piece in self._source:
            for at in range(0, min(len(piece), left), PIECE):
                yield piece[at : min(at + PIECE, left)]
            left -= len(piece)
            if left <= 0:
                return


def _maker(filters: list[dict[str, int]]) -> Callable[[], decoders.Decoder]:
    return lambda: lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)


def _arm64(pieces: Iterator[bytes], start: int) -> Iterator[bytes]:
    """Undo the filter for ARM64: places in BL and ADRP instructions count from the instruction again (The .xz File Format 1.2.0, 5.3.4)."""
    held, place = b"", start
    for piece in pieces:
        data = held + piece
        whole = len(data) & ~3
        yield _arm64_words(data[:whole], place)
        held, place = data[whole:], place + whole
    yield held


def _arm64_words(data: bytes, place: int) -> bytes:
    words = np.frombuffer(data, "<u4").astype(np.uint32)
    places = (np.arange(len(words), dtype=np.uint64) * np.uint64(4) + np.uint64(place)).astype(np.uint32)
    calls = (words >> 26) == 0x25
    aim = (words - (places >> np.uint32(2))) & np.uint32(0x03FFFFFF)
    pages = (words & np.uint32(0x9F000000)) == 0x90000000
    page = ((words >> np.uint32(29)) & np.uint32(3)) | ((words >> np.uint32(3)) & np.uint32(0x001FFFFC))
    pages &= ((page + np.uint32(0x00020000)) & np.uint32(0x001C0000)) == 0  # others are too far away to be converted
    page -= places >> np.uint32(12)
    back = words & np.uint32(0x9000001F)
    back |= (page & np.uint32(3)) << np.uint32(29)
    back |= (page & np.uint32(0x0003FFFC)) << np.uint32(3)
    back |= (np.uint32(0) - (page & np.uint32(0x00020000))) & np.uint32(0x00E00000)
    out = np.where(calls, aim | np.uint32(0x94000000), np.where(pages, back, words))
    return out.astype("<u4").tobytes()


CODEC = Codec(re.compile(rf"{_CODER}(?:\+{_CODER}){{0,{MOST_CODERS - 1}}}(?:>[0-9]{{1,18}})?"), undo)
