"""Property lists of both forms become plain values; loops, bombs and lies end in notes."""

from __future__ import annotations

import contextlib
import datetime
import math
import plistlib
import random
import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.artifacts import plist
from triage.artifacts.plist import Date, Uid, parse_plist
from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from pathlib import Path

EPOCH = datetime.datetime(1970, 1, 1)  # noqa: DTZ001 - as plistlib has dates
VALUE = {
    "text": "t\u00e4xt \U0001f600",
    "number": 5,
    "negative": -7,
    "large": 2**63 + 1,
    "real": 1.5,
    "yes": True,
    "no": False,
    "data": b"\0\xff",
    "when": datetime.datetime(2024, 5, 1, 12, 30),  # noqa: DTZ001
    "list": [1, [2, {"three": 3}]],
    "empty": {},
    "long": "x" * 300,
}


def plain(value: Any) -> Any:
    """What plistlib reads, as our reader says it."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, datetime.datetime):
        return Date(round((value - EPOCH).total_seconds()) * 10**9)
    return Uid(value.data) if isinstance(value, plistlib.UID) else value


def binary(objects: list[bytes], top: int = 0, ref_size: int = 1) -> bytes:
    """A binary property list out of encoded objects."""
    body, offsets = b"bplist00", []
    for one in objects:
        offsets.append(len(body))
        body += one
    table = b"".join(struct.pack(">I", offset) for offset in offsets)
    return body + table + struct.pack(">6xBBQQQ", 4, ref_size, len(objects), top, len(body))


@pytest.mark.parametrize("form", [plistlib.FMT_XML, plistlib.FMT_BINARY])
def test_values_are_those_of_the_standard_library(form: plistlib.PlistFormat) -> None:
    found = parse_plist(plistlib.dumps(VALUE, fmt=form))
    assert found.value == plain(VALUE)
    assert found.notes == ()


def test_keyed_archives_keep_their_references() -> None:
    assert parse_plist(plistlib.dumps({"root": plistlib.UID(70_000)}, fmt=plistlib.FMT_BINARY)).value == {"root": Uid(70_000)}


def test_an_array_that_holds_itself_is_cut_there() -> None:
    found = parse_plist(binary([b"\xa2\x00\x01", b"\x10\x05"]))
    assert found.value == [None, 5]
    assert found.notes == ("a value of a property list holds itself: it was left out there",)
    assert parse_plist(binary([b"\xa1\x01", b"\xa1\x00"])).value == [[None]]
    assert parse_plist(binary([b"\xd1\x01\x00", b"\x51k"])).value == {"k": None}


def test_shared_references_do_not_multiply_without_end() -> None:
    levels = [b"\xaa" + bytes([n + 1] * 10) for n in range(12)]  # 10^12 values in 400 bytes
    found = parse_plist(binary([*levels, b"\x10\x01"]))
    assert any("expands to more than may be read" in line for line in found.notes)


def test_large_texts_behind_many_references_count_each_time() -> None:
    text = b"\x5f\x12" + struct.pack(">I", 1 << 20) + b"x" * (1 << 20)
    found = parse_plist(binary([b"\xaf\x11" + struct.pack(">H", 500) + bytes([1]) * 500, text]))
    assert any("expands to more" in line for line in found.notes)


def test_nesting_is_cut() -> None:
    deep = parse_plist(b"<plist>" + b"<array>" * 150 + b"</array>" * 150 + b"</plist>")
    assert "nests more than 100 deep" in deep.notes[0]
    objects = [b"\xa1" + bytes([n + 1]) for n in range(200)]
    assert "nests more than 100 deep" in parse_plist(binary([*objects, b"\x09"])).notes[0]
    with pytest.raises(StructureError, match="not a property list"):
        parse_plist(b"<array>" * 1000)


@pytest.mark.parametrize(
    ("broken", "value"),
    [
        (b"\x1f", None),
        (b"\x20\x00", None),
        (b"\x5f\x10\xff", None),
        (b"\xaf\x13" + b"\xff" * 8, None),
        (b"\xff", None),
        (b"\x07", None),
        (b"\x6f\x12\x7f\xff\xff\xff", None),
        (b"\xa1\x63", [None]),
    ],
)
def test_an_object_that_lies_is_left_out(broken: bytes, value: object) -> None:
    found = parse_plist(binary([broken]))
    assert found.value == value
    assert found.notes == ("a value of a property list cannot be read and was left out",)


def test_dates_and_numbers_that_cannot_be_are_no_dates() -> None:
    for number in (math.inf, math.nan, 1e300, -1e12):
        assert parse_plist(binary([b"\x33" + struct.pack(">d", number)])).value == Date(None)
    assert parse_plist(b"<plist><date>2024-13-45T99:99:99Z</date></plist>").value == Date(None)
    for text in (b"<integer>9999999999999999999999</integer>", b"<integer>x</integer>", b"<real>one</real>", b"<data>!!</data>", b"<set/>"):
        found = parse_plist(b"<plist>" + text + b"</plist>")
        assert found.value is None
        assert "cannot be read" in found.notes[0]


def test_keys_without_values_and_repeated_ones_are_said() -> None:
    found = parse_plist(b"<plist><dict><key>a</key><key>b</key><true/><false/><key>b</key><integer>0x1F</integer></dict><true/></plist>")
    assert found.value == {"b": True}
    assert found.notes == (
        "a key of a property list has no value",
        "a value of a property list has no key and was left out",
        "a key of a property list stands twice: the first value was kept",
        "a value of a property list stands beside the first one and was left out",
    )
    assert "is not text" in parse_plist(binary([b"\xd1\x01\x01", b"\x10\x05"])).notes[0]


def test_what_is_no_property_list_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for data in (b"", b"bplist00", b"bplist00" + bytes(40), b"<plist/>", b"<a><b/></a>", b"words", b"bplist00" + b"\xff" * 60):
        with pytest.raises(StructureError):
            parse_plist(data)
    monkeypatch.setattr(plist, "MAX_BYTES", 10)
    with pytest.raises(StructureError, match="more than 10 bytes"):
        parse_plist(b"bplist00" + bytes(40))


def test_real_property_lists_are_read_as_the_standard_library_does(evidence_root: Path) -> None:
    seen = 0
    for path in sorted(evidence_root.rglob("*.plist")):
        data = path.read_bytes()
        try:
            theirs = plistlib.loads(data)
        except Exception:  # plistlib raises much
            continue
        found = parse_plist(data)
        assert repr(_seconds(found.value)) == repr(_seconds(plain(theirs))), path
        assert not found.notes, path
        seen += 1
    assert seen > 3


def _seconds(value: Any) -> Any:
    """plistlib drops what is below a second in some versions."""
    if isinstance(value, dict):
        return {k: _seconds(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_seconds(v) for v in value]
    return Date((value.nanoseconds + 5 * 10**8) // 10**9) if isinstance(value, Date) and value.nanoseconds is not None else value


VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=5),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_binary_values_come_back(value: Any) -> None:
    assert parse_plist(plistlib.dumps(value, fmt=plistlib.FMT_BINARY)).value == value


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([plistlib.FMT_XML, plistlib.FMT_BINARY]), st.integers(0, 2**32))
def test_mutants_are_a_value_or_an_error_of_ours(form: plistlib.PlistFormat, seed: int) -> None:
    chance = random.Random(seed)
    mutant = bytearray(plistlib.dumps(VALUE, fmt=form))
    for _ in range(chance.randint(1, 8)):
        mutant[chance.randrange(len(mutant))] = chance.choice([0, 1, 0x0F, 0xA1, 0xD1, 0xFF, chance.randrange(256)])
    with contextlib.suppress(StructureError):
        assert isinstance(parse_plist(bytes(mutant)).notes, tuple)
