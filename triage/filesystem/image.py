"""The border to TSK: a :class:`~triage.evidence.medium.Medium` as pytsk3 wants it, and its errors made ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytsk3

from triage.evidence.layers import extent_of
from triage.evidence.medium import DamagedRangeError, FileMedium

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.evidence.medium import Medium

_FRAME = re.compile(r"^\w+: \(tsk3\.cpp:\d+\) (?:(?:Read error|Error opening \w+)[^:]*: )?")


class MediumImage(pytsk3.Img_Info):  # type: ignore[misc]
    """A medium that TSK reads through us. It must not be shared between threads."""

    def __init__(self, medium: Medium) -> None:
        self._medium = medium
        super().__init__(url="", type=pytsk3.TSK_IMG_TYPE_EXTERNAL)

    def close(self) -> None:
        """Leave the medium open: whoever opened it closes it."""

    def get_size(self) -> int:
        """Return the medium's size in bytes."""
        return extent_of(self._medium)

    def read(self, offset: int, size: int) -> bytes:
        """Return at most ``size`` bytes: more would overrun TSK's buffer. None where the medium is damaged.

        An exception would not do: the binding turns it into a ``RuntimeError`` of whatever call came to need the bytes, also
        when TSK, which reads ahead, can do without them. A short read is an error to TSK, and to those who read content.
        """
        try:
            return self._medium.read_at(offset, size)[:size]
        except DamagedRangeError:
            return b""  # the medium remembers the range and the reason


def tsk_image(medium: Medium, paths: Sequence[str]) -> Any:
    """Return an image object for TSK: its own raw reader for one raw file (a tenth faster), ours for all else."""
    if isinstance(medium, FileMedium) and len(paths) == 1 and not paths[0][-1:].isdigit():
        return pytsk3.Img_Info(paths[0], pytsk3.TSK_IMG_TYPE_RAW)
    return MediumImage(medium)


def tsk_reason(error: BaseException) -> str:
    """Return TSK's own words without the binding's frame around them; the first line, at most 300 characters."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return _FRAME.sub("", text)[:300]
