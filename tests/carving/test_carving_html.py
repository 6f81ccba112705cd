"""Web pages: where their text ends, in each encoding, with what servers write behind them, and what is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from document_samples import html, mail, rtf, words
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, asked, form, holds, mutants, samples, walk

from triage.carving.forms import Structure

if TYPE_CHECKING:
    from pathlib import Path

BEHIND = {**SURROUNDINGS, "page": html(9000), "mail": mail(), "rtf": rtf()}


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
def test_real_ones_end_where_their_text_does(behind: bytes, evidence_root: Path) -> None:
    seen = 0
    for name, data in samples(evidence_root, "types/magika/basic/html/*.html"):
        walked = walk("html", padded(data) + behind)
        assert walked is not None, name
        assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data)), name
        assert walked.facts["title"]
        seen += 1
    assert seen


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("size", [100, 1000, 3000, 300_000])
def test_a_page_ends_where_its_text_does(size: int, behind: bytes) -> None:
    data = html(size)
    walked = walk("html", padded(data) + behind)
    assert walked is not None
    assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data))
    assert walked.facts == {"title": "A page of ours"}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
def test_a_page_that_fills_its_last_sector_ends_with_it(behind: bytes) -> None:
    for size in range(2000, 2600, 37):
        data = html(size)
        data += b"\n" * (-len(data) % 512)
        walked = walk("html", data + behind)
        assert walked is not None
        assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data))


@pytest.mark.parametrize(
    "end",
    [
        b"</html>",
        b"</HTML>\r\n",
        b"</html >\n\n",
        b"</html>\n<!-- made in 3 ms -->\n",
        b"</html><script>x()</script>",
        b"</body>\n",
        b"<br>",
    ],
)
def test_what_servers_write_behind_belongs_to_it_and_what_they_leave_out_is_not_missed(end: bytes) -> None:
    data = html(3000, end)
    walked = walk("html", data + bytes(512 + -len(data) % 512))
    assert walked is not None
    assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data))


@pytest.mark.parametrize(
    "data", [html(), html().replace(b"</html>", b"</HTML>"), b"\xef\xbb\xbf" + html(), b"\r\n" + html(), b"\n" + html()]
)
def test_beginnings_are_known(data: bytes) -> None:
    walked = walk("html", data + bytes(512))
    assert walked is not None
    assert walked.length == len(data)
    assert any(header.matches(data) for header in form("html").headers)


@pytest.mark.parametrize(
    "begins",
    [b"<html>", b"<HTML>", b"<html lang='en'>", b"<!doctype html><html>", b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "x">\n<html>'],
)
def test_tags_may_be_written_as_one_likes(begins: bytes) -> None:
    data = html().replace(b"<!DOCTYPE html>\n<html>", begins)
    assert any(header.matches(data) for header in form("html").headers)
    walked = walk("html", data + bytes(512))
    assert walked is not None
    assert walked.length == len(data)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
def test_pages_in_utf16_end_at_their_zero(encoding: str, behind: bytes) -> None:
    text = html(4000).decode("ascii").replace("title>A", "title>\u0416\u0100")
    data = ("\ufeff" + text).encode(encoding)
    assert any(header.matches(data) for header in form("html").headers)
    walked = walk("html", data + bytes(-len(data) % 512 or 512) + behind)
    assert walked is not None
    assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data))


@pytest.mark.parametrize("behind", [NOISE[:9000], b"%PDF-1.4\n" + NOISE[:9000], mail()], ids=["random", "pdf", "mail"])
def test_a_page_cut_at_a_sector_breaks_off_there(behind: bytes) -> None:
    for cut in (1024, 4096, 65536):
        walked = walk("html", html(200_000)[:cut] + behind)
        assert walked is not None
        assert (walked.structure, walked.length) == (Structure.TRUNCATED, cut)


def test_text_in_any_old_encoding_is_text() -> None:
    data = html(3000).replace(b" a", b" \xe4\xf6\xfc\x80")
    walked = walk("html", data + bytes(512))
    assert walked is not None
    assert walked.length == len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"<html>" + NOISE[:5000],
        b"<!DOCTYPE html>\n" + NOISE[:5000],
        b"<!DOCTYPE html>" + bytes(5000),
        b"<html>is a tag that programs write</p>" + bytes(100),
        b"<!DOCTYPE svg>\n<svg><title>x</title></svg>",
        b"<htmlx><head></head>",
        b"<?xml version='1.0'?>\n<kml><title>x</title></kml>",
        b"\xff\xfe<\0h\0" + NOISE[:5000],
        b"\xfe\xff\0<\0!" + bytes(5000),
        b"<html><head>" + b"\1\2\3" * 300,
    ],
)
def test_what_only_looks_like_one_is_none(data: bytes) -> None:
    assert walk("html", data) is None


@pytest.mark.parametrize("piece", [b"</html>", b"<title>", b" \n", b"<!--", b"\1abcdefghijklmnopqrstuvwxyz" * 5])
def test_endless_pages_are_read_a_few_times_at_most(piece: bytes) -> None:
    data = html(end=b"") + piece * (2_000_000 // len(piece))
    window, _ = asked("html", data)
    assert window.spent < 4 * len(data)


@given(st.binary(max_size=800), st.integers(0, 5000))
def test_any_bytes_keep_within_bounds(behind: bytes, cut: int) -> None:
    for begins in (b"<html><head>", b"\xff\xfe<\0h\0t\0m\0l\0>\0<\0p\0>\0"):
        holds("html", begins + behind, allowance=8 << 20)
    data = html()
    holds("html", data[:cut] + behind + data[cut:], allowance=8 << 20)


def test_damaged_copies_keep_within_bounds() -> None:
    for data in (html(), ("\ufeff" + html().decode("ascii")).encode("utf-16-le"), html(end=words(20))):
        for changed in mutants(data, 150):
            holds("html", changed, allowance=8 << 20)
