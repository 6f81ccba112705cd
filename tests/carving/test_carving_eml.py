"""Mail messages: what a header block of mail is, closing boundaries, text that ends, and what only looks like mail."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from document_samples import html, mail, mailbox, words
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, asked, form, holds, mutants, samples, together, walk

from triage.carving.forms import Structure
from triage.carving.mailtext import parse_headers
from triage.carving.window import Window

if TYPE_CHECKING:
    from pathlib import Path

BEHIND = {**SURROUNDINGS, "page": html(9000), "mail": mail(seed=2), "mailbox": mailbox()}


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
def test_real_ones_end_where_they_do(behind: bytes, evidence_root: Path) -> None:
    seen = 0
    for name, data in samples(evidence_root, "artifacts/eml/*.eml", "artifacts/iped/test_rfc822*", "types/magika/basic/eml/*.eml"):
        if name == "test_rfc822LimitedHeaders":  # a quotation's, without a date or a way
            assert walk("eml", data) is None
            continue
        assert any(header.matches(data) for header in form("eml").headers), name
        walked = walk("eml", padded(data) + behind)
        assert walked is not None, name
        assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data)), (name, walked.why)
        assert walked.extension == ("mht" if name == "test_rfc822OddFrom" else "eml")
        assert walked.facts["from"]
        seen += 1
    assert seen >= 60


@pytest.mark.parametrize("parts", [False, True], ids=["plain", "parts"])
@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("size", [300, 3000, 300_000])
def test_a_message_ends_where_its_text_or_its_last_part_does(size: int, behind: bytes, parts: bool) -> None:
    data = mail(size, parts=parts)
    walked = walk("eml", padded(data) + behind)
    assert walked is not None
    assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data)), walked.why
    assert walked.facts == {"subject": "about 1", "from": "A <a@example.org>", "date": "Mon, 5 Jan 2026 10:00:00 +0100"}


@pytest.mark.parametrize("parts", [False, True], ids=["plain", "parts"])
@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
def test_a_message_that_fills_its_last_sector_ends_with_it(parts: bool, behind: bytes) -> None:
    data = mail(2000, parts=parts)
    data = data.replace(b"To: b@", b"To: %b@" % (b"b" * (-len(data) % 512 + 1)))
    assert len(data) % 512 == 0
    walked = walk("eml", data + behind)
    assert walked is not None
    assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data))


def test_what_a_list_writes_behind_the_parts_belongs_to_it() -> None:
    for note in (b"", b"\r\n\r\n", b"\r\n_____\r\nto leave this list write to us\r\n"):
        data = mail(parts=True) + note
        walked = walk("eml", padded(data + b"\0") + bytes(512))
        assert walked is not None
        assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data))


def test_the_outermost_boundary_closes_it() -> None:
    inner = mail(parts=True, seed=7)
    data = mail(parts=True).replace(
        b"\r\n--=_part_1--", b"\r\n--=_part_1\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--=_part_1--"
    )
    walked = walk("eml", data + NOISE[:500])
    assert walked is not None
    assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data))


@pytest.mark.parametrize("behind", [NOISE[:5000], mail(seed=3), html()], ids=["random", "mail", "page"])
@pytest.mark.parametrize("parts", [False, True], ids=["plain", "parts"])
def test_one_cut_at_a_sector_breaks_off_there(parts: bool, behind: bytes) -> None:
    data = mail(30_000, parts=parts)
    for cut in (1024, 8192):
        data = data[: cut - 2] + b"xx" + data[cut:]
        walked = walk("eml", data[:cut] + behind)
        assert walked is not None
        assert (walked.structure, walked.length) == (Structure.TRUNCATED, cut), walked.why


def test_a_header_block_that_breaks_off_is_kept() -> None:
    data = mail().replace(b"To: b@", b"To: %b@" % b", ".join(b"x%d@example.org" % n for n in range(200)))
    walked = walk("eml", data[:1024] + NOISE[:5000])
    assert walked is not None
    assert (walked.structure, walked.length) == (Structure.TRUNCATED, 1024)


def with_attachment(size: int, line: int = 76) -> bytes:
    """A message with something in base64."""
    code = base64.b64encode(NOISE[:size])
    lines = b"\r\n".join(code[at : at + line] for at in range(0, len(code), line))
    part = b"--=_part_number_1\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines + b"\r\n"
    return mail(600, parts=True).replace(b"=_part_1", b"=_part_number_1").replace(b"--=_part_number_1--", part + b"--=_part_number_1--")


@pytest.mark.parametrize("line", [60, 72, 76])
@pytest.mark.parametrize("between", [NOISE[-8192:], bytes(8192)], ids=["random", "zeros"])
def test_a_message_in_two_pieces_is_put_together_by_its_boundary_and_its_lines(between: bytes, line: int) -> None:
    data = with_attachment(40_000, line)
    joined = 0
    for cut in range(4096, len(data), 4096):
        space = data[:cut] + between + data[cut:] + bytes(-len(data) % 512) + NOISE[:3000]
        window, walked = asked("eml", space, block=4096)
        assert walked is not None
        if walked.structure is Structure.TRUNCATED and walked.length == cut:
            found = form("eml").rejoin(window, walked)
            assert found is not None, cut
            assert (found.structure, found.checked) == (Structure.FRAGMENTED, True)
            assert together(space, found) == data, cut
            joined += 1
    assert joined >= len(data) // 4096 - 1


def test_a_message_that_was_walked_across_a_joint_is_proven_by_its_lines() -> None:
    data = padded(with_attachment(20_000))
    for joint, fine in ((8192, True), (8192 + 33, True)):
        window = Window(lambda at, size: data[at : at + size], len(data), joints=lambda _a, _b, joint=joint: [joint])
        walked = form("eml").walk(window)
        assert walked is not None
        found = form("eml").rejoin(window, walked)
        assert (found is not None and found.checked) == fine
    broken = data[:8192] + data[8210:]
    window = Window(lambda at, size: broken[at : at + size], len(broken), joints=lambda _a, _b: [8192])
    walked = form("eml").walk(window)
    assert walked is not None
    assert walked.structure is Structure.COMPLETE
    assert form("eml").rejoin(window, walked) is None, "the line across the joint is too short"


def test_nothing_is_put_together_that_nothing_proves() -> None:
    data = mail(30_000)
    window, walked = asked("eml", data[:4096] + NOISE[:4096] + data[4096:], block=4096)
    assert walked is not None
    assert form("eml").rejoin(window, walked) is None
    data = with_attachment(30_000)
    window, walked = asked("eml", data[:8192] + NOISE[:4096] + data[8192 + 4096 + 11 :], block=4096)
    assert walked is not None
    assert form("eml").rejoin(window, walked) is None


def test_japanese_mail_has_escapes() -> None:
    data = mail(3000).replace(b" a", b" \x1b$B$3$s\x1b(B")
    walked = walk("eml", data + bytes(512))
    assert walked is not None
    assert walked.length == len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"Date: Mon, 5 Jan 2026 10:00:00 GMT\r\nServer: x\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello",
        b"From: me\nto you: nothing\n\n" + words(300),
        b"Subject: a list\nAuthor: me\nDate: today\n\n" + words(300),
        b"X-Powered-By: PHP\r\nContent-Type: text/html\r\nDate: today\r\n\r\n<html>",
        b"From: a@example.org\r\n" + NOISE[:3000],
        b"Received: " + words(3000),
        b"To: do\n\n- buy milk\n",
        b"From: " + bytes(3000),
        b"Message-ID: ",
        b"Package: x\nVersion: 1\nDepends: y\n\n",
        b"From: a@example.org\nTo: b@example.org\nSubject: short\nDate: now\n\nx\x00\x01\x02\x03" + NOISE[:600],
    ],
)
def test_what_only_looks_like_one_is_none(data: bytes) -> None:
    assert walk("eml", data) is None


def test_header_blocks_are_read_line_by_line() -> None:
    found = parse_headers(b"A: 1\r\nb:2\r\n 3\r\nA: 4\r\n\r\nbody")
    assert (found.whole, found.count, found.end) == (True, 3, 23)
    assert found.fields == {b"a": b"1", b"b": b"2\r\n 3"}
    assert not parse_headers(b"A: 1\r\nno header\r\n\r\n").whole
    assert not parse_headers(b"").whole


@pytest.mark.parametrize(
    "piece", [b"X: y\r\n", b" folded\r\n", b"\r\n--=_part_1", b"\r\n", b"From: a\r\nDate: b\r\nTo: c\r\n\r\n", b"a" * 99]
)
def test_endless_messages_are_read_a_few_times_at_most(piece: bytes) -> None:
    for parts in (False, True):
        for data in (mail(parts=parts), mail(parts=parts).partition(b"\r\n\r\n")[0] + b"\r\n"):
            endless = data.replace(b"--=_part_1--", b"") + piece * (1_000_000 // len(piece))
            window, _ = asked("eml", endless)
            assert window.spent < 8 * len(endless)


@given(st.binary(max_size=800), st.integers(0, 2000))
def test_any_bytes_keep_within_bounds(behind: bytes, cut: int) -> None:
    data = mail(parts=True)
    holds("eml", mail()[:300] + behind, allowance=8 << 20)
    holds("eml", data[:cut] + behind + data[cut:], allowance=8 << 20)


def test_damaged_copies_keep_within_bounds() -> None:
    for data in (mail(), mail(parts=True)):
        for changed in mutants(data, 200):
            holds("eml", changed, allowance=8 << 20)
