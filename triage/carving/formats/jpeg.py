"""JPEG: segments and scans from SOI to EOI (ITU-T T.81, annex B), and what cameras put behind it.

A picture in whose data nothing looks foreign is taken for whole as its markers say. Only where something does, or where the medium jumps
inside it, is it decoded: that costs a hundred times more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.carving.forms import Facts, Format, Header, Part, Structure, Walked
from triage.carving.jpegjoin import MOST_CODES, check, follows, rejoin
from triage.carving.jpegmeta import behind, exif
from triage.carving.jpegparts import FEWEST_HIGH, MOST_HIGH, high_bits, leading_segments, read_picture
from triage.content import jpegcheck

if TYPE_CHECKING:
    from triage.carving.jpegparts import Picture
    from triage.carving.window import Window

_LEAST_ROWS = 8
"""Rows of a cut picture that make it worth showing: one of blocks."""
_LEAST_UNITS = 32
"""Units of the first row that do as well: bytes that are no picture's rarely make sense for more than ten."""
_ODD = 1 << 18
"""Bytes of a picture whose codes are read because some of its sectors look foreign. Longer ones are only decoded: mostly that is sky."""
_LOOKED_AT = 1 << 22
_PLAIN_VALUES = 24
"""Values of bytes in a sector that is a plain part of a picture, at most."""
_SECTOR = 512
_MOST_DECODED, _NEAR_JOINT, _MOST_JOINTS = 16 << 20, 1 << 17, 8
"""Bytes of a picture that are decoded to see whether it was cut at a joint, how far behind that it must look strange at the latest, and
joints that are looked at."""
EOI_BYTES = b"\xff\xd9"


def _walk(window: Window) -> Walked | None:
    picture = read_picture(window)
    if picture is None:
        return _only_thumbnail(window)
    known, thumbnails = exif(window, picture.segments)
    facts: Facts = {"width": picture.frame.width, "height": picture.frame.height, **known}
    if picture.stop:
        return _broken(window, picture, facts, thumbnails)
    end, parts, names = behind(window, picture)
    parts = [*thumbnails, *parts]
    why = "its end marker was reached" + (f", behind it {' and '.join(names)}" if names else "")
    jumps = bool(window.joints(0, end))
    if not picture.odd and not jumps:
        return Walked(length=end, structure=Structure.COMPLETE, why=why, parts=tuple(parts), facts=facts)
    sound, complaint = check(window, picture, codes=jumps or (bool(picture.foreign) and picture.end <= _ODD))
    if sound is False:
        return _broken(window, picture, facts, thumbnails)
    for part in parts:
        if sound and part.offset >= picture.end and part.extension == "jpg":
            inner = window.spliced(((part.offset, part.length),))
            other = read_picture(inner)
            if other is None or check(inner, other)[0] is False:
                why += f"; the picture at byte {part.offset} is damaged"
                return Walked(length=end, structure=Structure.DAMAGED, why=why, valid=part.offset, parts=tuple(parts), facts=facts)
    if not sound:
        return Walked(length=end, structure=Structure.COMPLETE, why=f"{why}; {complaint}", parts=tuple(parts), facts=facts)
    why += "; it decodes without a complaint"
    checked = not any(part.extension != "jpg" for part in parts)
    return Walked(length=end, structure=Structure.COMPLETE, why=why, checked=checked, parts=tuple(parts), facts=facts)


def _only_thumbnail(window: Window) -> Walked | None:
    """Say that of a picture that was cut before its data began, the thumbnail is there."""
    facts, thumbnails = exif(window, leading_segments(window))
    for part in thumbnails:
        inside = window.spliced(((part.offset, part.length),))
        picture = read_picture(inside)
        if picture is not None and picture.end == part.length and check(inside, picture)[0]:
            end = part.offset + part.length
            why = "it was cut before its picture begins, but its thumbnail is there"
            return Walked(length=end, structure=Structure.TRUNCATED, why=why, parts=thumbnails, facts={**facts, "rows_shown": 0})
    return None


def _broken(window: Window, picture: Picture, facts: Facts, thumbnails: tuple[Part, ...]) -> Walked | None:
    """Say how much of a picture there is that does not come to its end as it should."""
    cut = _cut_at_joint(window, picture)
    if cut is not None:
        valid, at, rows = cut
        inside = tuple(part for part in thumbnails if part.offset + part.length <= valid)
        if rows < min(_LEAST_ROWS, picture.frame.height or _LEAST_ROWS) and not inside:
            return None
        why = f"its data make sense as far as byte {at}, where the medium goes on elsewhere: {rows} of {picture.frame.height} rows"
        facts = {**facts, "rows_shown": rows}
        return Walked(length=at, structure=Structure.TRUNCATED, why=why, valid=valid, parts=inside, facts=facts)
    start, followed = picture.scans[0].start, follows(window, picture)
    memo = (picture, followed)
    if followed is None:
        if not picture.stop:
            why = f"its end marker was reached, but it does not decode ({', '.join(picture.odd)})"
            return Walked(length=picture.end, structure=Structure.DAMAGED, why=why, valid=start, parts=thumbnails, facts=facts, memo=memo)
        if picture.end - start < window.block:
            return None
        why = picture.stop
        return Walked(length=picture.end, structure=Structure.TRUNCATED, why=why, valid=start, parts=thumbnails, facts=facts, memo=memo)
    scan = picture.scans[followed.index]
    broke = min(scan.start + followed.trace.at, _foreign(window, picture, scan.start))
    if broke % window.block == window.block - 1 and broke < window.size:
        broke += 1  # the last byte before the boundary seems to begin a marker together with what follows
    units, rows = followed.shown(broke - scan.start)
    valid = max(start, broke - broke % window.block)
    inside = tuple(part for part in thumbnails if part.offset + part.length <= valid)
    facts["rows_shown"] = rows
    single = not picture.frame.progressive and len(scan.selected) == len(picture.frame.components)
    if followed.trace.verdict == "whole" or (followed.trace.unit == followed.reader.total and single):
        if picture.stop:
            why = "all of the picture is there, but its end marker is not"
            return Walked(length=broke, structure=Structure.TRUNCATED, why=why, valid=valid, parts=thumbnails, facts=facts, memo=memo)
    elif rows < min(_LEAST_ROWS, picture.frame.height or _LEAST_ROWS) and units < _LEAST_UNITS and not inside:
        return None
    if not picture.stop and _resumes(window, broke, picture.end):
        why = f"its end marker was reached, but from about byte {broke} on its data make no sense"
        return Walked(length=picture.end, structure=Structure.DAMAGED, why=why, valid=valid, parts=inside, facts=facts, memo=memo)
    why = f"its data make sense as far as byte {broke}: {rows} of {picture.frame.height} rows"
    if broke == start + MOST_CODES:
        why, broke = f"it is broken somewhere behind byte {broke}", picture.end
    return Walked(length=broke, structure=Structure.TRUNCATED, why=why, valid=valid, parts=inside, facts=facts, memo=memo)


def _cut_at_joint(window: Window, picture: Picture) -> tuple[int, int, int] | None:
    """Return the joint at which a picture was cut, as far as its data seem to go on, and how many rows of it show.

    Most deleted pictures that break off were overwritten by a file that lives: the medium jumps there. The decoder says in a thousandth
    of a second that all before the joint makes sense, and reading every code would say no more. ``None``: it was not cut at a joint.
    """
    start = picture.scans[0].start
    if not picture.stop or picture.frame.arithmetic or picture.frame.lossless:
        return None
    strange = next((at for at in picture.foreign if at > start), picture.end)
    joints = list(window.joints(start, strange + 1))[:_MOST_JOINTS]
    if not joints or joints[0] > _MOST_DECODED or strange - joints[-1] > _NEAR_JOINT or not _sound_until(window, joints[0]):
        return None
    sound = joints[0]
    for joint in joints[1:]:  # behind the first the medium may go on with the picture, or with another that seems to fit
        if not _sound_until(window, joint):
            break
        sound = joint
    rows = jpegcheck.shown_rows(window.at(0, sound) + EOI_BYTES)
    return (joints[0], sound, rows) if rows is not None else None


def _sound_until(window: Window, end: int) -> bool:
    window.spend(2 * end)
    return jpegcheck.ENDS_EARLY in jpegcheck.check(window.at(0, end) + EOI_BYTES)[1]


def _resumes(window: Window, broke: int, end: int) -> bool:
    """Whether most of what lies between a break and the end marker may be a picture's: then a part was overwritten, else it is cut."""
    data = window.at(broke, min(end - broke, _LOOKED_AT) // _SECTOR * _SECTOR)
    high = high_bits(np.frombuffer(data, np.uint8))
    return not len(high) or int(np.count_nonzero((high >= FEWEST_HIGH) & (high <= MOST_HIGH))) * 2 >= len(high)


def _foreign(window: Window, picture: Picture, start: int) -> int:
    """Return where foreign data begin in a broken picture's scan, as far as sectors tell, or where its data end.

    The codes are too lenient for some: zeros, of which erased blocks are made, are a flat grey in many pictures, text may be one for
    kilobytes, and refining scans take almost anything. A plain sky looks foreign, too: the same few bytes over and over.
    """
    for at in picture.foreign:
        value = window.at(at, _SECTOR)
        distinct = len(set(value))
        if at > start and distinct == 1:
            before = window.at(max(start, at - _SECTOR), min(at - start, _SECTOR))
            return at - len(before) + len(before.rstrip(value[:1]))
        if at > start and (picture.frame.progressive or distinct > _PLAIN_VALUES):
            return at
    return picture.end


FORMATS = (Format(name="jpeg", extension="jpg", headers=(Header(b"\xff\xd8\xff"),), walk=_walk, rejoin=rejoin, largest=1 << 30),)
