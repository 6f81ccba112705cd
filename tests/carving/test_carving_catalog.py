"""All formats together: their names cross to the parent and into file names, and the page on carving lists them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from carving_media import Memory, area, box, padded

from triage.carving.carver import Carver
from triage.carving.catalog import known_formats
from triage.carving.entries import entries_of, pack, unpack
from triage.carving.forms import Format, Header, Structure, Walked
from triage.carving.window import window_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "carving.md"


@pytest.mark.parametrize("one", known_formats(), ids=lambda f: f.name)
def test_names_and_extensions_are_taken_by_the_parent(one: Format) -> None:
    def walk(_: object) -> Walked:
        return Walked(length=44, structure=Structure.COMPLETE, why="so")

    data = padded(box(b""))
    carver = Carver(Memory(data), area((0, len(data))), formats=(replace(one, headers=(Header(b"BOX!"),), walk=walk),))
    (found,) = carver.unit(0, len(data))
    taken = unpack(pack(found), len(data))
    assert (taken.format, taken.extension) == (one.name, one.extension)
    name = entries_of(area((0, len(data))), carver.space, taken)[0].name
    assert name == f"000000000000.{one.extension}"
    assert re.fullmatch(r"[0-9]{12}(\.[a-z0-9-]+)+", name)


@pytest.mark.parametrize("extension", ["../x", "a/b", ".", "", "a" * 17, "A", "a..b", "x\0", "jpg "])
def test_an_extension_that_is_no_word_of_ours_becomes_bin(extension: str) -> None:
    def walk(_: object) -> Walked:
        return Walked(length=44, structure=Structure.COMPLETE, why="so", extension=extension)

    data = padded(box(b""))
    one = Format(name="x", extension="bin", headers=(Header(b"BOX!"),), walk=walk)
    (found,) = Carver(Memory(data), area((0, len(data))), formats=(one,)).unit(0, len(data))
    assert unpack(pack(found), len(data)).extension == "bin"


@pytest.mark.parametrize("one", known_formats(), ids=lambda f: f.name)
def test_a_lone_header_is_no_file(one: Format) -> None:
    """A billion of them must cost little and give nothing."""
    for header in one.headers:
        for rest in (bytes(4096), b"\xff" * 4096, b"lorem ipsum " * 400):
            data = bytes(header.at) + header.magic + rest
            window = window_of(data, allowance=1 << 26)
            found = one.walk(window)
            assert found is None or found.structure is not Structure.COMPLETE or found.length <= header.at + len(header.magic) + 64, header
            assert window.spent < 1 << 24


def test_the_page_lists_every_format_and_no_other() -> None:
    text = PAGE.read_text(encoding="utf-8").split("## Formats")[1].split("\n## ")[0]
    assert set(re.findall(r"`([a-z0-9_-]+)`", text)) == {f.name for f in known_formats()} | {"checked"}
