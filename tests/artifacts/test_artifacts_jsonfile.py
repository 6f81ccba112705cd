"""JSON is decoded within limits; what a number cannot hold stays text; there is no half of a document."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.artifacts import jsonfile
from triage.artifacts.jsonfile import parse_json
from triage.artifacts.structure import StructureError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(VALUES, st.booleans(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_values_come_back(value: Any, plain: bool, encoding: str) -> None:
    found = parse_json(json.dumps(value, ensure_ascii=plain).encode(encoding, "surrogatepass"))
    assert found.value == value or found.notes == ("a JSON document has bytes that are no characters: they are replaced by U+FFFD",)


def test_depth_is_the_same_on_every_python() -> None:
    assert parse_json(b"[" * 200 + b"]" * 200).value
    for text in (b"[" * 201 + b"]" * 201, b"[" * 1_000_000, b'{"a":' * 100_000, b"[{" * 5000):
        with pytest.raises(StructureError, match="nested more than 200 deep"):
            parse_json(text)
    assert parse_json(b'["' + b"[" * 500 + b'"]').value == ["[" * 500]
    assert parse_json(b'["\\"' + b"[" * 500 + b'"]').value == ['"' + "[" * 500]


def test_too_many_values_and_bytes_are_refused_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StructureError, match="more than 1,000,000 values"):
        parse_json(b"[" + b"[]," * 1_500_000 + b"1]")
    monkeypatch.setattr(jsonfile, "MAX_BYTES", 10)
    with pytest.raises(StructureError, match="more than 10 bytes"):
        parse_json(b"[" * 20)


def test_numbers_that_nothing_can_hold_stay_text() -> None:
    edges = b"18446744073709551615, 18446744073709551616, -9223372036854775808, 1e999, NaN, -Infinity, 1.5"
    found = parse_json(b"[" + b"9" * 10_000 + b", " + edges + b"]")
    assert found.value == ["9" * 10_000, 2**64 - 1, "18446744073709551616", -(2**63), "1e999", "NaN", "-Infinity", 1.5]
    assert found.notes == (
        "a number of a JSON document has more than 64 bits and is kept as text (2 times)",
        "a number of a JSON document is too large and is kept as text",
        "NaN or Infinity in a JSON document is kept as text (2 times)",
    )
    json.dumps(found.value, allow_nan=False)


def test_repeated_names_are_said() -> None:
    found = parse_json(b'{"a": 1, "a": 2, "b": 3}')
    assert found.value == {"a": 2, "b": 3}
    assert "stands more than once" in found.notes[0]


def test_bytes_that_are_no_characters_are_replaced_and_said() -> None:
    found = parse_json(b'["a\xff"]')
    assert found.value == ["a\ufffd"]
    assert "U+FFFD" in found.notes[0]


@pytest.mark.parametrize(
    "data", [b"", b" ", b"[", b"[1", b'{"a"}', b"[1] 2", b"words", b"[01]", b"'a'", b"[1,]", b"\xff\xfe", bytes(10), b'["\n"]']
)
def test_what_is_no_json_is_refused_with_a_place(data: bytes) -> None:
    with pytest.raises(StructureError, match=r"not JSON: line \d+, column \d+"):
        parse_json(data)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([*'[]{},:"\\', "1", "e9", "-", "true", "null", "NaN", "\\u12", "a", " ", "\n", "\0", "\u00e4"]), max_size=30)
)
def test_any_text_is_a_value_or_an_error_of_ours(parts: list[str]) -> None:
    data = "".join(parts).encode()
    try:
        found = parse_json(data)
    except StructureError:
        return
    json.loads(data)
    json.dumps(found.value, allow_nan=False)


def test_hostile_strings_take_no_time() -> None:
    for text in (b'"' + b"\\" * 2_000_000, b'["' + b'\\"' * 1_000_000, b'"' * 1_000_001, b'["' + b"a" * 4_000_000):
        with pytest.raises(StructureError):
            parse_json(text)
