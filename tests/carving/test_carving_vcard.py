"""Contacts and calendars: one behind the other, closed by their own lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from document_samples import html, mail, words
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, holds, mutants, samples

from triage.carving.formats.vcard import FORMATS
from triage.carving.forms import Structure, Walked
from triage.carving.window import window_of

if TYPE_CHECKING:
    from pathlib import Path

BEHIND = {**SURROUNDINGS, "page": html(9000), "mail": mail()}


def walk(name: str, data: bytes) -> Walked | None:
    return next(form for form in FORMATS if form.name == name).walk(window_of(data))


def cards(count: int, end: bytes = b"\r\n") -> bytes:
    card = b"BEGIN:VCARD\r\nVERSION:3.0\r\nN:%b;;;\r\nFN:A  %d\r\nTEL:%d\r\nEND:VCARD"
    return b"\r\n".join(card % (words(2, n).replace(b" ", b";"), n, n) for n in range(count)) + end


def calendar(count: int) -> bytes:
    event = b"BEGIN:VEVENT\r\nSUMMARY:%b\r\nEND:VEVENT\r\n"
    return b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + b"".join(event % words(4, n) for n in range(count)) + b"END:VCALENDAR\r\n"


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
def test_real_ones_end_with_their_last_card(behind: bytes, evidence_root: Path) -> None:
    seen = 0
    for name, data in samples(evidence_root, "artifacts/iped/*.vcf"):
        walked = walk("vcard", data + bytes(-len(data) % 512) + behind)
        assert walked is not None, name
        assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data)), name
        seen += 1
    assert seen >= 5


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("count", [1, 3, 4000])
@pytest.mark.parametrize("end", [b"", b"\r\n", b"\r\n\r\n"])
def test_cards_follow_on_each_other(count: int, end: bytes, behind: bytes) -> None:
    data = cards(count, end)
    walked = walk("vcard", data + bytes(-len(data) % 512) + behind)
    assert walked is not None
    assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data))
    assert walked.facts["cards"] == count


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("count", [1, 3000])
def test_calendars_end_with_their_own_line(count: int, behind: bytes) -> None:
    data = calendar(count)
    walked = walk("ical", data + bytes(-len(data) % 512) + behind)
    assert walked is not None
    assert (walked.structure, walked.length, walked.facts["calendars"]) == (Structure.COMPLETE, len(data), 1)


def test_text_of_another_kind_ends_them() -> None:
    data = cards(3)
    for behind in (words(50) + b"\r\n" + cards(1), b"x" + NOISE[:700], b"\1\2\3" * 9):
        walked = walk("vcard", data + behind)
        assert walked is not None
        assert (walked.structure, walked.length, walked.facts["cards"]) == (Structure.COMPLETE, len(data), 3)


def test_one_cut_at_a_sector_says_how_many_are_whole() -> None:
    data = cards(200)
    for cut in (1024, 4096):
        walked = walk("vcard", data[:cut] + NOISE[:3000])
        assert walked is not None
        assert (walked.structure, walked.length) == (Structure.TRUNCATED, cut)
        assert walked.facts["cards"] == data[:cut].count(b"END:VCARD\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"BEGIN:VCARD" + NOISE[:900],
        b"BEGIN:VCARD\r\n" + bytes(900),
        b"BEGIN:VCARDS\r\nN:x",
        b"BEGIN:VCARD is how\r\nthey begin",
        b"BEGIN:VCARD\r\nN:",
    ],
)
def test_what_only_looks_like_one_is_none(data: bytes) -> None:
    assert walk("vcard", data) is None
    assert walk("ical", data.replace(b"VCARD", b"VCALENDAR")) is None


@given(st.binary(max_size=600), st.integers(0, 900))
def test_any_bytes_keep_within_bounds(behind: bytes, cut: int) -> None:
    data = cards(8)
    holds("vcard", b"BEGIN:VCARD\r\nN:" + behind, allowance=8 << 20)
    holds("vcard", data[:cut] + behind + data[cut:], allowance=8 << 20)


def test_damaged_copies_keep_within_bounds() -> None:
    for changed in mutants(cards(9), 300):
        holds("vcard", changed, allowance=8 << 20)
