"""Mailboxes: messages one behind the other until the text ends, and lines that begin with From and are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from document_samples import html, mail, mailbox, words
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, asked, holds, mutants, samples, walk

from triage.carving.forms import Structure

if TYPE_CHECKING:
    from pathlib import Path

BEHIND = {**SURROUNDINGS, "page": html(9000), "pdf": b"%PDF-1.4\n" + NOISE[:5000]}
FROM = b"From a@example.org Mon Jan  5 10:00:00 2026\n"


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
def test_a_real_one_ends_where_its_text_does(behind: bytes, evidence_root: Path) -> None:
    ((name, data),) = samples(evidence_root, "artifacts/iped/*.mbox")
    walked = walk("mbox", data + bytes(-len(data) % 512) + behind)
    assert walked is not None, name
    assert (walked.structure, walked.length, walked.facts["messages"]) == (Structure.COMPLETE, len(data), 8)


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("count", [1, 2, 7, 300])
def test_its_messages_follow_on_each_other(count: int, behind: bytes) -> None:
    data = mailbox(count)
    walked = walk("mbox", data + bytes(-len(data) % 512) + behind)
    assert walked is not None
    assert (walked.structure, walked.length, walked.facts["messages"]) == (Structure.COMPLETE, len(data), count)


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
def test_one_that_fills_its_last_sector_ends_with_it(behind: bytes) -> None:
    data = mailbox(5)
    data += b"\n" * (-len(data) % 512)
    walked = walk("mbox", data + behind)
    assert walked is not None
    assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data))


def test_one_cut_short_says_so() -> None:
    data = mailbox(50)
    for cut in (1024, 8192):
        walked = walk("mbox", data[: cut - 1] + b"x" + NOISE[:5000])
        assert walked is not None
        assert (walked.structure, walked.length) == (Structure.TRUNCATED, cut)
        assert walked.facts["messages"] == data[: cut - 1].count(b"From a@")


def test_a_last_message_whose_parts_are_open_breaks_off_even_before_zeros() -> None:
    data = mailbox() + FROM + mail(parts=True).replace(b"\r\n", b"\n")
    walked = walk("mbox", data + bytes(1000))
    assert walked is not None
    assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data))
    walked = walk("mbox", data.replace(b"part_1--", b"") + bytes(1000))
    assert walked is not None
    assert walked.structure is Structure.TRUNCATED


@pytest.mark.parametrize(
    "line", [b"From - Mon Jan  5 10:00:00 2026\r\n", b"From ???@??? Mon Jan 05 10:00:00 2026\n", b"From x Mon, 5 Jan 2026 10:00:00\n"]
)
def test_lines_of_several_programs_are_known(line: bytes) -> None:
    data = (line + mail()) * 3
    walked = walk("mbox", data + bytes(600))
    assert walked is not None
    assert (walked.length, walked.facts["messages"]) == (len(data), 3)


@pytest.mark.parametrize(
    "data",
    [
        b"From here on Monday nothing is as it was\n" + words(500),
        b"From the log, Mon Jan 5 10:00:00 2026\n" + words(500),
        FROM + words(500),
        FROM + b"To: do\n\n" + words(500),
        FROM + NOISE[:3000],
        b"From " + bytes(3000),
        b"From " + NOISE[:3000],
        b"From ",
    ],
)
def test_what_only_looks_like_one_is_none(data: bytes) -> None:
    assert walk("mbox", data) is None


@pytest.mark.parametrize("piece", [FROM, b"From ", b"\nFrom x Mon ", b"\n", b"x" * 600])
def test_endless_mailboxes_are_read_a_few_times_at_most(piece: bytes) -> None:
    data = mailbox() + piece * (1_000_000 // len(piece))
    window, _ = asked("mbox", data)
    assert window.spent < 6 * len(data)


@given(st.binary(max_size=800), st.integers(0, 4000))
def test_any_bytes_keep_within_bounds(behind: bytes, cut: int) -> None:
    data = mailbox()
    holds("mbox", data[:400] + behind, allowance=8 << 20)
    holds("mbox", data[:cut] + behind + data[cut:], allowance=8 << 20)


def test_damaged_copies_keep_within_bounds() -> None:
    for changed in mutants(mailbox(), 250):
        holds("mbox", changed, allowance=8 << 20)
