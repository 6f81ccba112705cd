"""Raw pixels become pictures: known colours in each layout, rows with bytes between, and what breaks off."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from triage.artifacts.pixels import LAYOUTS, raw_size, size_of, steps_of
from triage.artifacts.recipe import check_recipe, follow

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
COLOURS = np.array([[RED, GREEN, BLUE], [WHITE, BLUE, RED]], np.uint8)  # two rows of three pixels


def packed(layout: str) -> bytes:
    """Return the pixels of COLOURS in a layout, without anything between rows."""
    flat = [tuple(int(c) for c in pixel) for row in COLOURS for pixel in row]
    if layout.startswith("rgb5"):
        green = 6 if layout.startswith("rgb565") else 5
        numbers = [(r >> 3) << (5 + green) | (g >> (8 - green)) << 5 | b >> 3 for r, g, b in flat]
        return struct.pack(f"{'<' if layout.endswith('le') else '>'}6H", *numbers)
    places = {"r": 0, "g": 1, "b": 2}
    return b"".join(bytes(0x7F if c in "ax" else pixel[places[c]] for c in layout) for pixel in flat)


def picture(data: bytes, layout: str, width: int, height: int, stride: int = 0) -> tuple[np.ndarray, str]:
    steps = check_recipe([["cut", 0, len(data)], steps_of(layout, width, height, stride)])
    read_at, size, why = follow(lambda o, n: data[o : o + n], steps)
    assert size == size_of(width, height)
    return np.asarray(Image.open(io.BytesIO(read_at(0, size)))), why


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout not in ("grey", "i420")])
def test_colours_are_right_in_every_layout(layout: str) -> None:
    found, why = picture(packed(layout), layout, 3, 2)
    assert (found.tolist(), why) == (COLOURS.tolist(), "")


def test_grey_and_planes() -> None:
    assert picture(bytes([0, 128, 255, 9]), "grey", 2, 2)[0][:, :, 0].tolist() == [[0, 128], [255, 9]]
    # Luminance 76 with these two is red of BT.601, and so is every pixel of a square of four.
    found, why = picture(bytes([76] * 4 + [85] + [255]), "i420", 2, 2)
    assert why == ""
    assert np.abs(found.astype(int) - np.array([254, 0, 0])).max() <= 1


def test_bytes_between_rows_are_left_out() -> None:
    whole = packed("rgb565le")
    data = whole[:6] + b"??" + whole[6:] + b"??"
    assert picture(data, "rgb565le", 3, 2, 8)[0].tolist() == COLOURS.tolist()
    assert raw_size("rgb565le", 3, 2, 8) == 16


def test_what_breaks_off_is_black_and_said() -> None:
    found, why = picture(packed("rgb")[:9], "rgb", 3, 2)
    assert found.tolist() == [COLOURS[0].tolist(), [[0, 0, 0]] * 3]
    assert "break off" in why


@pytest.mark.parametrize("name", ["rgb,0,1,3", "rgb,1,1", "cmyk,1,1,4", "rgb,100000,1,300000", "", "rgb,1,1,3,4"])
def test_other_parameters_are_no_recipe(name: str) -> None:
    with pytest.raises(ValueError, match="lacks something"):
        check_recipe([["cut", 0, 9], ["undo", f"pixels:{name}", 100]])


@pytest.mark.parametrize("name", ["rgb,9,9,3", "rgb,99999,99999,300000"])
def test_numbers_that_do_not_fit_lead_nowhere(name: str) -> None:
    with pytest.raises(OSError, match="do not fit"):
        follow(lambda _o, n: bytes(n), check_recipe([["cut", 0, 9], ["undo", f"pixels:{name}", 100]]))
