"""EMF: records one after the other, and a header that counts them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, asked, holds, mutants, walk

from triage.carving.forms import Structure


def record(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, 8 + len(data)) + data


def drawing(count: int, *, records: int = -1, length: int = -1) -> bytes:
    """A header of 108 bytes, so many records that draw lines, and the end."""
    body = b"".join(record(54, struct.pack("<ii", n, n)) for n in range(count)) + record(14, struct.pack("<III", 0, 16, 20))
    head = struct.pack("<8i", 0, 0, 99, 49, 0, 0, 1000, 500) + b" EMF" + struct.pack("<IIIHH", 0x10000, 0, 0, 1, 0)
    head = record(1, head + bytes(100 - len(head)))
    total = len(head) + len(body) if length < 0 else length
    counts = struct.pack("<II", total, count + 2 if records < 0 else records)
    return head[:48] + counts + head[56:] + body


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_one_ends_with_the_record_that_ends_it(behind: bytes) -> None:
    data = drawing(50)
    walked = walk("emf", data + behind)
    assert (walked.length, walked.structure, walked.checked) == (len(data), Structure.COMPLETE, True)
    assert walked.facts == {"width": 100, "height": 50}


def test_a_count_that_is_wrong_is_said() -> None:
    walked = walk("emf", drawing(50, records=60) + NOISE[:99])
    assert (walked.structure, walked.checked) == (Structure.COMPLETE, False)
    assert "60" in walked.why


@pytest.mark.parametrize("behind", [NOISE, bytes(9000), b""], ids=["noise", "zeros", "nothing"])
def test_one_that_breaks_off_says_how_many_records_there_are(behind: bytes) -> None:
    walked = walk("emf", drawing(100)[: 108 + 16 * 50] + behind)
    assert (walked.structure, walked.length, walked.facts["decoded"]) == (Structure.TRUNCATED, 108 + 16 * 50, "51 of 102 records")


@pytest.mark.parametrize(
    "data",
    [
        drawing(0)[:108] + NOISE,
        drawing(0)[:108] + bytes(9000),
        bytes(40) + b" EMF\0\0\1\0" + NOISE,
        drawing(3, length=7),
        drawing(3, records=0),
    ],
    ids=["noise", "zeros", "another type", "length", "count"],
)
def test_what_only_begins_like_one_is_none(data: bytes) -> None:
    assert walk("emf", data) is None


def test_countless_records_are_read_in_few_steps() -> None:
    data = drawing(200_000)
    window, walked = asked("emf", data)
    assert walked is not None
    assert walked.length == len(data)
    assert window.spent < 2 * len(data)


@given(st.binary(max_size=400), st.sampled_from([48, 60, 108, 300]))
def test_any_bytes_behind_a_header_are_borne(behind: bytes, kept: int) -> None:
    holds("emf", drawing(50)[:kept] + behind)


def test_damaged_copies_are_borne() -> None:
    for changed in mutants(drawing(100), 400):
        holds("emf", changed + NOISE[:3000])
