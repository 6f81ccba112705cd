"""MP3, and MP2: frames of MPEG audio (ISO/IEC 11172-3, 2.4; 13818-3), with tags before and behind them.

Two bytes of a frame's header are all that a file without a tag begins with: what is believed is a chain of frames of one version, layer
and sampling rate. A Xing, Info or VBRI header in the first frame says how many there should be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Part, Structure, Walked
from triage.carving.mpegaudio import Chain, Sound, Told, follow, frame_lengths, sound_of, told
from triage.carving.mpegtags import ID3_HEADERS, TRAILING, behind_tags, doubt, id3_length, is_cut, next_tag, pictures, trailers
from triage.carving.places import places
from triage.content.frames import frame_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.carving.window import Window

_LONGEST = 2900
"""More than a frame has (layer II at 384 kbit/s and 32 kHz, layer III of MPEG-2.5 at 160 kbit/s and 8 kHz)."""
_FRAMES, _FRAMES_TOLD, _FRAMES_RESUMED = 16, 4, 6
"""Frames that are believed: without anything else, behind a tag or a header that tells of them, and behind a break."""
_SECTOR = 512
_GAP, _GAP_UNTOLD = 16 << 20, 64 << 10
"""How far behind a break frames are looked for: in a file that says how long it is, and in any other."""
_GAP_REJOINED = 64 << 20
"""How far behind a break the rest of a file is looked for at the beginnings of blocks."""
_GAPS = 64
_PARTS = 1000


def _walk(window: Window) -> Walked | None:
    head = window.at(0, _LONGEST)
    start = 0
    if head[:3] == b"ID3":
        start = behind_tags(window)
        head = window.at(start, _LONGEST) if start else b""
    first = frame_length(head, 0)
    if not first or head[first : first + 1] != b"\xff":
        return None
    sound = sound_of(head[:4])
    if sound is None or sound.layer == 1:
        return None
    lengths = frame_lengths(head)
    if head[lengths[head[:3]] :][:3] not in lengths:
        return None
    account = told(head)
    enough = _FRAMES_TOLD if start or account else _FRAMES
    chain = follow(window, start, lengths, most=enough)
    if chain.count < enough and not (chain.count >= _FRAMES_TOLD and TRAILING.match(window.at(chain.end, 16))):
        return None
    parts = pictures(window, min(start, id3_length(window.at(0, 10)))) if start else ()
    return _ended(window, start, lengths, sound, account, parts)


def _ended(
    window: Window, start: int, lengths: dict[bytes, int], sound: Sound, account: Told | None, parts: tuple[Part, ...]
) -> Walked | None:
    """Follow the frames to their end and tell what kind of end it is."""
    chain = follow(window, start, lengths)
    frames = chain.count - (account is not None)
    told_size = start + account.size if account and account.size else 0
    told_frames = account.frames if account else 0
    end, how = _behind(window, chain)
    if told_size and chain.end > told_size and not told_size % _SECTOR and told_frames == _frames_until(window, start, lengths, told_size):
        # The next file happens to begin just where this one ends, with a frame of the same kind.
        chain = follow(window, start, lengths, most=told_frames + 1)
        frames, end, how = told_frames, chain.end, ""
    for _ in range(_PARTS):  # files that were put one behind the other, tags and all
        if not end % _SECTOR or chain.restart or not id3_length(window.at(end, 10)):
            break
        again = behind_tags(window, end)
        if window.at(again, 3) not in lengths:
            break
        chain = follow(window, again, lengths)
        if chain.count < _FRAMES_TOLD:
            break
        frames += chain.count
        end, how = _behind(window, chain)
    facts = _facts(sound, frames)
    extension = "mp2" if sound.layer == 2 else "mp3"
    exact = bool(told_size) and chain.end == told_size and told_frames in (frames, frames + 1)
    missing = told_frames - frames
    # Some writers count the first frame as well.
    if missing > (0 if chain.end < told_size else 1) and (not told_size or chain.end < told_size):
        rest = _damaged(window, chain, lengths, told_size)
        if rest:
            why = f"its frames break off at byte {chain.end} and go on behind; they end where its first frame says"
            length = trailers(window, told_size)
            return Walked(
                length=length, structure=Structure.DAMAGED, why=why, valid=chain.last, parts=parts, facts=facts, extension=extension
            )
        why = f"its first frame tells of {told_frames} frames, {frames} are there"
        return _cut(window, chain, why, parts, facts, extension)
    if chain.end > window.size and not how:
        return _cut(window, chain, "the space ends inside it", parts, facts, extension)
    if not exact and not how and window.joints(chain.last, chain.end):
        return _cut(window, chain, f"its last whole frame ends at byte {chain.last}, at the edge of free space", parts, facts, extension)
    if not exact and not how and not chain.restart:
        if is_cut(window, chain.last, chain.end):
            return _cut(window, chain, f"its frames break off at byte {chain.end}", parts, facts, extension)
        until = next_tag(window, chain.end, chain.end + _GAP_UNTOLD)
        resumed = _resumed(window, window.at(chain.last, 2), chain.end, until, lengths)
        if resumed % _SECTOR and resumed > 0:
            why = f"its frames break off at byte {chain.end}, and frames like them go on at byte {resumed}"
            return _cut(window, chain, why, parts, facts, extension)
    why = f"its {frames} frames end at byte {chain.end}" + (", as its first one says" if exact else "") + how
    if not exact and not how and not chain.restart:
        why += doubt(window, chain.last, chain.end)
    return Walked(length=end, structure=Structure.COMPLETE, why=why, checked=exact, parts=parts, facts=facts, extension=extension)


def _facts(sound: Sound, frames: int) -> Facts:
    return {
        "codec": sound.name,
        "duration_ms": frames * sound.samples * 1000 // sound.hertz,
        "sample_rate": sound.hertz,
        "channels": sound.channels,
        "frames": frames,
    }


def _frames_until(window: Window, start: int, lengths: dict[bytes, int], end: int) -> int:
    """Return how many frames there are behind the first up to ``end``; -1 when none begins there."""
    count = follow(window.spliced([(0, end)]), start, lengths)
    return count.count - 1 if count.end == end else -1


def _cut(window: Window, chain: Chain, why: str, parts: tuple[Part, ...], facts: Facts, extension: str) -> Walked:
    length = min(chain.end, window.size)
    return Walked(
        length=length, structure=Structure.TRUNCATED, why=why, valid=min(chain.last, length), parts=parts, facts=facts, extension=extension
    )


def _behind(window: Window, chain: Chain) -> tuple[int, str]:
    """Return where the tags behind the frames end and words for them. A last frame may be cut by the tag."""
    if chain.restart:
        return chain.end, ""
    end = trailers(window, chain.end)
    if end > chain.end:
        return end, ", then come tags"
    last = window.at(chain.last + 4, chain.end - chain.last + 12)
    for found in TRAILING.finditer(last):
        start = chain.last + 4 + found.start()
        end = trailers(window, start) if start < chain.end else start
        if end > start:
            return end, f", the last one cut by the tags at byte {start}"
    return min(chain.end, window.size), ""


def _damaged(window: Window, chain: Chain, lengths: dict[bytes, int], end: int) -> bool:
    """Whether the frames go on behind the break, up to exactly where the first one says that the file ends."""
    if not end or end > window.size:
        return False
    offset = chain.end
    start = window.at(chain.last, 2)
    for _ in range(_GAPS):
        found = _resumed(window, start, offset, min(offset + _GAP, end), lengths)
        if found < 0:
            return False
        again = follow(window, found, lengths)
        if again.end >= end:
            return again.end == end
        offset = again.end
    return False


def _rejoin(window: Window, _walked: Walked) -> Walked | None:
    """Put the file together out of two pieces when the first frame says how many frames and bytes there are, and just those are found."""
    start = behind_tags(window)
    head = window.at(start, _LONGEST)
    sound, account = sound_of(head[:4]), told(head)
    if sound is None or account is None or account.size < _LONGEST or account.frames < _FRAMES:
        return None
    lengths, goal, block = frame_lengths(head), start + account.size, window.block
    chain = follow(window, start, lengths)
    if chain.end >= goal or chain.count < _FRAMES_TOLD:
        return None
    for cut in range(-(-(chain.last + 1) // block) * block, chain.end + 1, block):
        for onward in _onward(window, cut, chain.end, lengths):
            rest = window.size - onward
            whole = window.spliced([(0, cut), (onward, rest)])
            again = follow(whole, chain.last, lengths)
            if again.end < goal or follow(whole, start, lengths, most=account.frames + 1).end != goal:
                continue
            end = trailers(whole, goal)
            if cut < end <= whole.size:
                parts = pictures(window, id3_length(window.at(0, 10))) if start and cut >= start else ()
                why = f"put together out of 2 pieces: they have the {account.frames} frames and the bytes that its first one tells of"
                facts = _facts(sound, account.frames)
                extension = "mp2" if sound.layer == 2 else "mp3"
                pieces = ((0, cut), (onward, end - cut))
                return Walked(
                    length=end,
                    structure=Structure.FRAGMENTED,
                    why=why,
                    checked=True,
                    pieces=pieces,
                    parts=parts,
                    facts=facts,
                    extension=extension,
                )
    return None


def _onward(window: Window, cut: int, end: int, lengths: dict[bytes, int]) -> Iterator[int]:
    """Yield the places behind a gap at which the file may go on that breaks at ``cut`` and has its next frame ``end - cut`` further on."""
    phase, block = end - cut, window.block
    for offset, data in window.chunks(cut + block, cut + block + _GAP_REJOINED):
        skip = (phase - (offset - cut)) % block
        marks = data[skip::block]
        at = marks.find(b"\xff")
        while at >= 0:
            place = offset + skip + at * block
            if window.at(place, 3) in lengths and follow(window, place, lengths, most=_FRAMES_RESUMED).count == _FRAMES_RESUMED:
                yield place - phase
            at = marks.find(b"\xff", at + 1)


def _resumed(window: Window, start: bytes, offset: int, end: int, lengths: dict[bytes, int]) -> int:
    """Return where between two offsets frames go on; -1 for nowhere."""
    for place in places(window, start, offset, end):
        if window.at(place, 3) in lengths and follow(window, place, lengths, most=_FRAMES_RESUMED).count == _FRAMES_RESUMED:
            return place
    return -1


_STARTS = tuple(Header(bytes((0xFF, second))) for second in (0xFB, 0xFA, 0xF3, 0xF2, 0xE3, 0xE2, 0xFD, 0xFC, 0xF5, 0xF4))
FORMATS = (Format(name="mp3", extension="mp3", headers=(*ID3_HEADERS, *_STARTS), walk=_walk, rejoin=_rejoin, largest=1 << 32),)
