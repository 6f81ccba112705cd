"""RAF: a table that leads to a preview, settings, and what the sensor saw."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, holds, mutants, noise_picture, saved, walk

from triage.carving.forms import Structure

PREVIEW = saved(noise_picture(64, 48), "JPEG")
SETTINGS = struct.pack(">I", 2) + struct.pack(">HHHH", 0x100, 4, 50, 70) + struct.pack(">HHHH", 0x121, 4, 48, 64)
DATA = NOISE[:9000]


def raw(*, second: bool = False) -> bytes:
    start = 148 if second else 108
    stretches, at = [], start
    for data in (PREVIEW, SETTINGS, DATA, *((SETTINGS, DATA) if second else ())):
        stretches.append((at, len(data)))
        at += len(data)
    head = b"FUJIFILMCCD-RAW 0201FF392201" + b"FinePix One".ljust(32, b"\0") + b"0106" + bytes(20)
    head += b"".join(struct.pack(">II", *pair) for pair in stretches[:3])
    if second:
        head = head.ljust(120, b"\0") + b"".join(struct.pack(">II", *pair) for pair in stretches[3:])
    return head.ljust(start, b"\0") + PREVIEW + SETTINGS + DATA + (SETTINGS + DATA if second else b"")


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
@pytest.mark.parametrize("second", [False, True], ids=["one", "two"])
def test_one_ends_where_the_last_that_its_table_leads_to_does(second: bool, behind: bytes) -> None:
    data = raw(second=second)
    walked = walk("raf", data + behind)
    assert (walked.length, walked.structure, walked.checked) == (len(data), Structure.COMPLETE, True)
    assert walked.facts == {"camera": "FinePix One", "width": 64, "height": 48}
    (part,) = walked.parts
    assert data[part.offset : part.offset + part.length] == PREVIEW


def test_one_that_the_space_cuts_off_keeps_its_preview() -> None:
    walked = walk("raf", raw()[:-1000])
    assert (walked.structure, walked.length) == (Structure.TRUNCATED, len(raw()) - 1000)
    assert len(walked.parts) == 1
    assert walk("raf", raw()[:1000]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"FUJIFILMCCD-RAW " + NOISE,
        b"FUJIFILMCCD-RAW 0201" + bytes(9000),
        raw()[:108] + NOISE,
        raw()[: 108 + len(PREVIEW)] + NOISE,
        raw()[:84] + struct.pack(">II", 4, 9) + raw()[92:],
        raw()[:100] + struct.pack(">II", 200, 9000) + raw()[108:],
    ],
    ids=["noise", "zeros", "no preview", "no settings", "inside the table", "one over the other"],
)
def test_what_only_begins_like_one_is_none(data: bytes) -> None:
    assert walk("raf", data + NOISE[:9000]) is None


@given(st.binary(max_size=400), st.sampled_from([16, 60, 84, 108, 148]))
def test_any_bytes_behind_a_header_are_borne(behind: bytes, kept: int) -> None:
    holds("raf", raw()[:kept] + behind)


def test_damaged_copies_are_borne() -> None:
    for changed in mutants(raw(second=True), 400):
        holds("raf", changed + NOISE[:3000])
