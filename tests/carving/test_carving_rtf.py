"""RTF: the brace that closes the first, escapes, bytes of any kind, and what breaks off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from document_samples import html, rtf, words
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, asked, form, holds, mutants, samples, walk

from triage.carving.forms import Structure
from triage.carving.window import Window

if TYPE_CHECKING:
    from pathlib import Path

LONG = rtf(1 << 20)


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_real_ones_end_with_the_brace_that_closes_the_first(behind: bytes, evidence_root: Path) -> None:
    seen = 0
    for name, data in samples(evidence_root, "types/magika/*/rtf/*.rtf", "artifacts/rifiuti2_samples/dir-sample1/$R*.rtf"):
        walked = walk("rtf", data + bytes(-len(data) % 512) + behind)
        assert walked is not None, name
        assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data)), name
        seen += 1
    assert seen >= 4


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
@pytest.mark.parametrize("size", [200, 5000, 600_000])
def test_it_ends_with_the_brace_that_closes_the_first(size: int, behind: bytes) -> None:
    data = rtf(size)
    walked = walk("rtf", data + bytes(-len(data) % 512) + behind)
    assert walked is not None
    assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data))


@pytest.mark.parametrize("end", [b"}", b"}\n", b"}\r\n", b"}\r\n\r\n"])
def test_line_ends_behind_the_last_brace_are_its_own(end: bytes) -> None:
    data = rtf(end=end)
    for behind in (b"\1" * 512, NOISE[5:600].lstrip(b"\0\r\n\t ")):
        walked = walk("rtf", data + behind)
        assert walked is not None
        assert walked.length == len(data)


def test_the_zero_that_richedit_writes_is_its_own() -> None:
    data = rtf(end=b"\r\n}\r\n\0")
    walked = walk("rtf", data + bytes(512))
    assert walked is not None
    assert walked.length == len(data)


@pytest.mark.parametrize("padding", range(0, 70, 3))
def test_tokens_across_the_pieces_that_are_read_are_counted_once(padding: int) -> None:
    head = b"{\\rtf1\\ansi "
    data = head + b"x" * ((256 << 10) - 40 + padding - len(head)) + b"\\{\\}{\\b \\bin5 }{}{}\\\\}" + b"y" * 5000 + b"}"
    walked = walk("rtf", data + bytes(100))
    assert walked is not None
    assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data))


@pytest.mark.parametrize("behind", [NOISE[:9000], bytes(9000), html()], ids=["random", "zeros", "page"])
def test_one_cut_short_ends_where_its_text_does(behind: bytes) -> None:
    for cut in (512, 4096, 512 * 301):
        walked = walk("rtf", LONG[:cut] + behind)
        assert walked is not None
        assert walked.structure is Structure.TRUNCATED
        assert walked.length == cut or behind == html()
        assert walked.facts == {}


def test_one_that_was_walked_across_a_joint_is_proven_by_the_zeros_behind_its_last_brace() -> None:
    for behind, fine in ((bytes(-len(rtf()) % 512), True), (b"x" * 700, False)):
        data = rtf() + behind
        window = Window(lambda at, size, data=data: data[at : at + size], len(data), joints=lambda _a, _b: [1024])
        walked = form("rtf").walk(window)
        assert walked is not None
        found = form("rtf").rejoin(window, walked)
        assert (found is not None and found.checked and found.structure is Structure.FRAGMENTED) == fine
    window, walked = asked("rtf", rtf() + bytes(600))
    assert walked is not None
    assert form("rtf").rejoin(window, walked) is None, "there is no joint"


def test_bytes_that_go_on_past_the_space_are_cut_off() -> None:
    walked = walk("rtf", b"{\\rtf1\\ansi " + words(100) + b"{\\bin4000000000 " + NOISE[:3000])
    assert walked is not None
    assert walked.structure is Structure.TRUNCATED


@pytest.mark.parametrize(
    "data",
    [
        b"{\\rtf1" + NOISE[:5000],
        b"{\\rtf1\\ansi\\deff0" + NOISE[:5000],
        b"{\\rtf1 is how they begin, with a brace" + bytes(5000),
        b"{\\rtfx\\ansi }",
        b"{\\rt1\\ansi }",
        b"{\\rtf",
    ],
)
def test_what_only_looks_like_one_is_none(data: bytes) -> None:
    assert walk("rtf", data) is None


@pytest.mark.parametrize("piece", [b"{", b"\\bin0 ", b"\\{", b"{}", b"\\bin9999999999 "])
def test_endless_nesting_is_read_once(piece: bytes) -> None:
    data = b"{\\rtf1\\ansi " + piece * 300_000
    window, _ = asked("rtf", data)
    assert window.spent < 3 * len(data) + 10_000


@given(st.binary(max_size=800), st.integers(0, 6000))
def test_any_bytes_keep_within_bounds(behind: bytes, cut: int) -> None:
    holds("rtf", b"{\\rtf1\\ansi " + behind, allowance=8 << 20)
    data = rtf()
    holds("rtf", data[:cut] + behind + data[cut:], allowance=8 << 20)


def test_damaged_copies_keep_within_bounds() -> None:
    for changed in mutants(rtf(), 300):
        holds("rtf", changed, allowance=8 << 20)
