"""The incremental JSON reader agrees with the standard library's, whatever the size of its blocks."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.hashsets.jsonstream import JsonDamage, JsonStream, TooLarge

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def stream(text: str | bytes, block: int = 7, max_value: int = 1 << 20) -> JsonStream:
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return JsonStream(io.BytesIO(data), block=block, max_value=max_value)


def oracle(text: str) -> object:
    return json.loads(text, parse_int=str, parse_float=str)


@settings(max_examples=150, deadline=None)
@given(st.lists(VALUES, max_size=5), st.integers(1, 40), st.sampled_from([None, 1]), st.booleans())
def test_items_of_a_list_are_those_of_the_standard_library(values, block, indent, plain):
    text = json.dumps(values, indent=indent, ensure_ascii=plain)
    json_stream = stream(text, block)
    assert [json_stream.value() for _ in json_stream.items()] == oracle(text)
    assert json_stream.peek() == ""


@settings(max_examples=150, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=5), st.integers(1, 40), st.data())
def test_skipping_lands_where_decoding_does(values, block, data):
    text = json.dumps(values, indent=data.draw(st.sampled_from([None, 2])))
    json_stream = stream(text, block)
    kept = []
    for index, _ in enumerate(json_stream.items()):
        if data.draw(st.booleans()):
            json_stream.skip()
        else:
            kept.append((index, json_stream.value()))
    whole = oracle(text)
    assert kept == [(index, whole[index]) for index, _ in kept]
    assert json_stream.peek() == ""


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(), VALUES, max_size=5), st.integers(1, 40))
def test_members_of_an_object_come_in_order(values, block):
    json_stream = stream(json.dumps(values), block)
    assert [(key, json_stream.value()) for key in json_stream.members()] == list(oracle(json.dumps(values)).items())


def test_lines_are_counted():
    json_stream = stream('[\n1,\n\n{"a":\n2},\n3]', 3)
    lines = []
    for _ in json_stream.items():
        json_stream.peek()
        lines.append(json_stream.line)
        json_stream.value()
    assert lines == [2, 4, 6]


def test_value_over_the_limit_is_not_held_and_can_be_skipped_or_stepped_into():
    text = '[["' + "x" * 50_000 + '"], 5]'
    json_stream = stream(text, 1000, max_value=10_000)
    items = json_stream.items()
    next(items)
    with pytest.raises(TooLarge):
        json_stream.value()
    json_stream.skip()
    next(items)
    assert json_stream.value() == "5"


@pytest.mark.parametrize("text", ["", "[", "[1", '["a', '[{"a": ', "[1 2]", "{1: 2}", '{"a" 1}', "[tru]", "[01x]", '[{"a": "b" "c"}]'])
def test_what_is_not_json_is_damage_with_a_line(text):
    json_stream = stream("\n" + text)

    def walk() -> None:
        if json_stream.peek() == "{":
            for _ in json_stream.members():
                json_stream.value()
        else:
            for _ in json_stream.items():
                json_stream.value()

    with pytest.raises(JsonDamage) as caught:
        walk()
    assert caught.value.line == 2


def test_deep_nesting_is_damage_not_a_crash():
    with pytest.raises(JsonDamage, match="deep"):
        stream("[" * 200_000, 1 << 20).value()


def test_numbers_stay_as_they_are_written():
    assert stream("[007.10e1]".replace("007", "7")).value() == ["7.10e1"]
    assert stream("9" * 10_000, 1 << 20).value() == "9" * 10_000


def test_bytes_that_are_not_utf8_do_not_stop_the_reader():
    assert stream(b'["\xff\xfe", "ok"]').value()[1] == "ok"
