"""How large the pictures of a video stream are: MPEG-1 and MPEG-2 (ISO/IEC 13818-2, 6.2.2.1), H.264 (ISO/IEC 14496-10, 7.3.2.1.1)."""

from __future__ import annotations

_SEQUENCE = b"\0\0\1\xb3"
_HIGH = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
_LONGEST = 400
_MOST = 1 << 14


def picture_size(data: bytes) -> tuple[int, int]:
    """Return width and height in pixels by the first header in a piece of a stream that says them; (0, 0) when none does."""
    at = data.find(_SEQUENCE)
    if at >= 0 and at + 7 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 7], "big")
        return size >> 12, size & 0xFFF
    at = data.find(b"\0\0\1")
    while at >= 0:
        if data[at + 3 : at + 4] and data[at + 3] & 0x9F == 7:
            return _by_parameters(data[at + 4 : at + 4 + _LONGEST])
        at = data.find(b"\0\0\1", at + 3)
    return 0, 0


class _Bits:
    """Bits from the highest on. Past the end ``ValueError`` is raised."""

    def __init__(self, data: bytes) -> None:
        self._text = bin(int.from_bytes(b"\1" + data, "big"))[3:]
        self._at = 0

    def take(self, count: int) -> int:
        found = self._text[self._at : self._at + count]
        self._at += count
        return int(found, 2) if count else 0

    def golomb(self) -> int:
        """Return an unsigned number in Exp-Golomb code (9.1)."""
        zeros = self._text.index("1", self._at) - self._at
        self._at += zeros
        return self.take(zeros + 1) - 1 if zeros < 32 else 0

    def signed(self) -> int:
        """Return a signed one (9.1.1)."""
        number = self.golomb()
        return (number + 1) // 2 if number & 1 else -(number // 2)


def _by_parameters(data: bytes) -> tuple[int, int]:
    """Read a sequence parameter set, from its profile on."""
    try:
        return _read(data[0], _Bits(data.replace(b"\0\0\3", b"\0\0")[3:]))
    except (ValueError, IndexError):
        return 0, 0


def _read(profile: int, bits: _Bits) -> tuple[int, int]:
    bits.golomb()
    chroma = 1
    if profile in _HIGH:
        chroma = bits.golomb()
        if chroma == 3:
            bits.take(1)
        bits.golomb()
        bits.golomb()
        bits.take(1)
        if bits.take(1):
            for number in range(8 if chroma != 3 else 12):
                if bits.take(1):
                    _scaling_list(bits, 16 if number < 6 else 64)
    bits.golomb()
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1)
        bits.golomb()
        bits.golomb()
        for _ in range(min(bits.golomb(), 255)):
            bits.golomb()
    bits.golomb()
    bits.take(1)
    width, height = (bits.golomb() + 1) * 16, (bits.golomb() + 1) * 16
    frames = bits.take(1)
    height *= 2 - frames
    if not frames:
        bits.take(1)
    bits.take(1)
    if bits.take(1):  # cropped
        across, down = (2 if chroma in (1, 2) else 1), (2 if chroma == 1 else 1) * (2 - frames)
        left, right, top, bottom = (bits.golomb() for _ in range(4))
        width, height = width - (left + right) * across, height - (top + bottom) * down
    return (width, height) if 0 < width <= _MOST and 0 < height <= _MOST else (0, 0)


def _scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last
