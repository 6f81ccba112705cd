"""Property lists: a binary one ends behind the trailer that fits it, one in XML with its closing element."""

from __future__ import annotations

import plistlib
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from system_samples import JPEG, NOISE, assert_whole, mutants, survives, walk

from triage.carving.forms import Structure

if TYPE_CHECKING:
    from pathlib import Path

VALUE = {
    "name": "holiday",
    "count": 12,
    "large": 1 << 40,
    "ratio": 1.5,
    "yes": True,
    "raw": NOISE[:300],
    "list": [f"item {n}" for n in range(40)],
    "ünï": "ünïcödé",
    "inner": plistlib.dumps({"a": [1, 2, 3]}, fmt=plistlib.FMT_BINARY),
}
BINARY = plistlib.dumps(VALUE, fmt=plistlib.FMT_BINARY)
XML = plistlib.dumps(VALUE)


def test_real_lists_are_found_to_their_last_byte(evidence_root: Path) -> None:
    binary = xml = 0
    for path in sorted((evidence_root / "artifacts").rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if data.startswith(b"bplist0"):
            assert_whole("plist", data)
            binary += 1
        elif data.startswith(b"<?xml ") and b"<plist" in data[:400] and data.rstrip().endswith(b"</plist>"):
            assert_whole("plist-xml", data)
            xml += 1
    assert binary >= 10


@pytest.mark.parametrize(
    "value",
    [VALUE, [], {}, "text", 7, [{"a": n, "b": str(n)} for n in range(700)], {"raw": NOISE[: 200 << 10]}, list(range(70_000))],
    ids=["mixed", "array", "dictionary", "text", "number", "two-byte-references", "large", "three-byte-offsets"],
)
def test_a_binary_list_ends_with_its_trailer(value: object) -> None:
    data = plistlib.dumps(value, fmt=plistlib.FMT_BINARY)
    assert_whole("plist", data, zeros=64 << 10)


def test_a_list_in_another_does_not_end_it() -> None:
    found = walk("plist", BINARY + BINARY)
    assert found is not None
    assert found.length == len(BINARY)


def test_a_binary_list_that_is_cut_or_has_no_objects_is_none() -> None:
    assert walk("plist", BINARY[:-20] + NOISE) is None
    assert walk("plist", BINARY[:-20]) is None
    assert walk("plist", b"bplist00" + NOISE) is None
    assert walk("plist", b"bplist00" + bytes(1 << 20)) is None
    # A trailer alone that says that one offset stands in front of it.
    assert (
        walk("plist", b"bplist00" + bytes(200) + b"\xff" + bytes(6) + b"\1\1" + b"\0" * 7 + b"\1" + bytes(8) + b"\0" * 7 + b"\xd0") is None
    )


def test_objects_that_were_overwritten_are_noticed() -> None:
    data = bytearray(plistlib.dumps([f"some longer text {n}" for n in range(60)], fmt=plistlib.FMT_BINARY))
    data[300:700] = b"\xee" * 400
    found = walk("plist", bytes(data) + NOISE)
    assert found is not None
    assert (found.structure, found.length) == (Structure.DAMAGED, len(data))
    # An object that is as long as before but not of the same kind leaves a gap.
    data = bytearray(plistlib.dumps(["first text", "second text"], fmt=plistlib.FMT_BINARY))
    at = data.find(b"first text") - 1
    data[at : at + 11] = NOISE[:11]
    found = walk("plist", bytes(data))
    assert found is None or not found.checked


def test_a_false_header_costs_little() -> None:
    started = time.process_time()
    for data in (b"bplist00\xd1" + bytes(32 << 20), b"bplist00\xd1" + b"\1\1\0\0\0\0" * (5 << 20), b"bplist00\xd1" + NOISE * 32):
        assert walk("plist", data) is None
    assert time.process_time() - started < 2


def test_a_list_in_xml_ends_with_its_closing_element_and_the_line() -> None:
    assert_whole("plist-xml", XML)
    assert_whole("plist-xml", b"\xef\xbb\xbf" + XML)
    assert_whole("plist-xml", XML.rstrip(b"\n"))
    assert_whole("plist-xml", XML.replace(b"\n", b"\r\n"))
    found = walk("plist-xml", XML)
    assert found is not None
    assert "count" in str(found.facts["keys"])


def test_other_xml_is_none() -> None:
    for data in (b'<?xml version="1.0"?><svg></svg>', b"<?xml " + NOISE, b'<?xml version="1.0"?>' + b" " * 5000 + b"<plist></plist>"):
        assert walk("plist-xml", data) is None


def test_a_list_in_xml_that_stops_being_text_is_cut() -> None:
    long = plistlib.dumps([{"key": "a value of some length", "number": n} for n in range(400)])
    keep = 8192
    for behind in (NOISE, bytes(4096), JPEG):
        found = walk("plist-xml", long[:keep] + behind)
        assert found is not None
        assert found.structure is Structure.TRUNCATED
        assert keep - 60 < found.length <= keep + 60
    found = walk("plist-xml", long[:keep] + XML)
    assert found is not None
    assert (found.structure, found.why) == (Structure.TRUNCATED, "another document begins there")


def test_a_list_in_xml_that_other_text_was_written_into_is_damaged() -> None:
    long = plistlib.dumps([{"key": "a value of some length", "number": n} for n in range(400)])
    start, end = long.find(b"</string>", 8192), long.find(b"</key>", 12_800)
    for first, last in ((start, end), (start + 9, end + 6), (long.find(b"<dict>", 8192) + 6, long.find(b"</dict>", 12_800))):
        found = walk("plist-xml", long[:first] + b"nothing of it is here, " * 200 + long[last:])
        assert found is not None
        assert found.structure is Structure.DAMAGED


@given(st.binary(max_size=2000), st.integers(8, 300), st.sampled_from([("plist", BINARY), ("plist-xml", XML)]))
@settings(max_examples=120, deadline=None)
def test_any_bytes_behind_a_header_give_an_answer_that_fits(behind: bytes, keep: int, sample: tuple[str, bytes]) -> None:
    survives(sample[0], sample[1][:keep] + behind)


values = st.recursive(
    st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False) | st.text(max_size=20) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=8), inner, max_size=8),
    max_leaves=30,
)


@given(values, st.binary(max_size=64))
@settings(max_examples=120, deadline=None)
def test_whatever_a_list_holds_its_end_is_found(value: object, behind: bytes) -> None:
    data = plistlib.dumps(value, fmt=plistlib.FMT_BINARY)
    found = walk("plist", data + behind)
    assert found is not None
    assert (found.length, found.structure, found.checked) == (len(data), Structure.COMPLETE, True)


@pytest.mark.parametrize(("name", "data"), [("plist", BINARY), ("plist-xml", XML)])
def test_mutants_end_in_an_answer(name: str, data: bytes) -> None:
    answers = {found and found.structure for found in (survives(name, m) for m in mutants(data) if m.startswith(data[:7]))}
    assert len(answers) >= 2
