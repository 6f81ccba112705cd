"""Android Binary XML: every kind of value, texts that come again, Java's UTF-8, several roots; limits and damage."""

from __future__ import annotations

import contextlib
import random
import sys
from pathlib import Path

import pytest

from triage.artifacts.abx import parse_abx, read_xml
from triage.artifacts.structure import StructureError

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from android_maker import Abx, Again, Hex


def test_values_of_every_kind_are_the_text_that_xml_would_have() -> None:
    values = {"a": "text", "b": Again("packages"), "c": True, "d": False, "e": -5, "f": Hex(0x18B0A1B2C3D), "g": b"\x01\xff", "h": 1.5}
    root = parse_abx(Abx().element("packages", values, ("inner", {"b": Again("text")}, "words", ("deeper", {}))).done()).root
    assert root.attributes == {
        "a": "text", "b": "packages", "c": "true", "d": "false", "e": "-5", "f": "18b0a1b2c3d", "g": "01ff", "h": "1.5",
    }  # fmt: skip
    assert (root.children[0].name, root.children[0].text, root.children[0].children[0].name) == ("inner", "words", "deeper")


def test_both_forms_are_read() -> None:
    assert read_xml(b"<a b='1'/>").root.attributes == read_xml(Abx().element("a", {"b": 1}).done()).root.attributes == {"b": "1"}


def test_base64_null_entities_and_what_stands_aside() -> None:
    data = b"ABX\0\x10\x32\xff\xff\0\1a" + b"\x5f\xff\xff\0\1b\0\1\xff" + b"\x1f\xff\xff\0\1c"
    data += b"\x26\0\2lt" + b"\x26\0\4#128" + b"\x29\0\2no" + b"\x25\0\3two" + b"\x26\0\4what" + b"\x33\0\0\x11"
    root = parse_abx(data).root
    assert (root.attributes, root.text) == ({"b": "/w==", "c": ""}, "<\x80two&what;")


def test_java_writes_zero_and_far_characters_its_own_way() -> None:
    data = b"ABX\0\x32\xff\xff\0\1a\x24\0\x09" + b"x\xc0\x80" + b"\xed\xa0\xbd\xed\xb8\x80" + b"\x33\0\0"
    assert parse_abx(data).root.text == "x\0\N{GRINNING FACE}"
    assert parse_abx(b"ABX\0\x32\xff\xff\0\1a\x24\0\2\xff\xfe\x33\0\0").root.text == "\ufffd\ufffd"


def test_several_roots_become_one() -> None:
    root = parse_abx(Abx().element("a", {}).element("b", {}).done()).root
    assert (root.name, [one.name for one in root.children]) == ("", ["a", "b"])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<a/>", "no Android Binary XML"),
        (b"ABX\0", "no element"),
        (b"ABX\0\x10\x11", "no element"),
        (b"ABX\0\x32\x00\x07", "did not come before"),
        (b"ABX\0\x0e", "no known kind"),
        (b"ABX\0\x2f\xff\xff\0\1a\0\1b", "no element"),
    ],
)
def test_what_is_none_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(StructureError, match=reason):
        parse_abx(data)


def test_what_breaks_off_keeps_what_came_before() -> None:
    data = Abx().element("a", {"x": "1"}, ("b", {"y": "2"}), ("c", {"z": "3"})).done()
    for end in range(len(data) - 2, 12, -1):
        found = parse_abx(data[:end])
        assert found.root.name == "a"
        assert found.notes, end


def test_depth_is_bounded() -> None:
    found = parse_abx(b"ABX\0\x32\xff\xff\0\1a" + b"\x32\0\0" * 5000)
    assert "nested more than 200 deep" in found.notes[0]


def test_a_text_that_comes_again_and_again_is_bounded() -> None:
    long = b"x" * 0xFFFF
    data = b"ABX\0\x32\xff\xff\xff\xff" + long + b"\x34\0\0" * 3000
    assert any("characters of text" in line for line in parse_abx(data).notes)


def test_damage_never_breaks_it() -> None:
    data = Abx().element("a", {"x": "1", "n": Hex(5), "f": 1.5}, "text", ("b", {"y": Again("a")})).done()
    rng = random.Random(3)
    for _ in range(2000):
        mutant = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            mutant[rng.randrange(4, len(mutant))] = rng.randrange(256)
        with contextlib.suppress(StructureError):
            parse_abx(bytes(mutant[: rng.randrange(4, len(mutant) + 1)]))
