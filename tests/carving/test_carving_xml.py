"""XML documents: the root's end tag, what may stand before the root, and which are others' to carve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from document_samples import html, mail, words
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, asked, form, holds, mutants, samples, walk

from triage.carving.forms import Structure

if TYPE_CHECKING:
    from pathlib import Path

BEHIND = {**SURROUNDINGS, "page": html(9000), "mail": mail(), "text": words(900)}


def document(root: bytes = b"gpx", size: int = 3000, before: bytes = b'<?xml version="1.0"?>\n', end: bytes = b"\n") -> bytes:
    points = b"".join(b"<wpt lat='%d'><name>%b</name></wpt>\n" % (n, words(5, n)) for n in range(size // 60))
    return before + b"<" + root + b" version='1.1'>\n" + points + b"</" + root + b">" + end


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
def test_real_ones_end_with_the_end_tag_of_their_root(behind: bytes, evidence_root: Path) -> None:
    seen = 0
    for name, data in samples(evidence_root, "artifacts/iped/*.svg", "artifacts/iped/*.xml", "artifacts/rifiuti2_samples/*.xml"):
        if not data.startswith(b"<?xml"):
            continue
        walked = walk("xml", data + bytes(-len(data) % 512) + behind)
        assert walked is not None, name
        assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data)), name
        seen += 1
    assert seen >= 10


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize(
    ("root", "extension"), [(b"gpx", "gpx"), (b"kml", "kml"), (b"svg", "svg"), (b"ns:svg", "svg"), (b"w:wordDocument", "xml")]
)
def test_kinds_are_told_by_their_root(root: bytes, extension: str, behind: bytes) -> None:
    data = document(root, 200_000)
    walked = walk("xml", data + bytes(-len(data) % 512) + behind)
    assert walked is not None
    assert (walked.structure, walked.length, walked.extension) == (Structure.COMPLETE, len(data), extension)


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"\xef\xbb\xbf<?xml version='1.0'?>",
        b"<?xml version='1.0'?><!-- <svg> in a comment -->\n<?x y?>",
        b"<?xml version='1.0'?>\n<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'x.dtd'>\n",
        b"<?xml version='1.0'?>\n<!DOCTYPE svg [ <!ENTITY a 'b'> <!ELEMENT svg ANY> ]>\n",
    ],
)
def test_what_may_stand_before_the_root_is_passed(before: bytes) -> None:
    data = document(b"svg", before=before)
    assert before.startswith(b"<?xml") or before == b"" or any(header.matches(data) for header in form("xml").headers)
    walked = walk("xml", data + bytes(512))
    assert walked is not None
    assert (walked.length, walked.facts) == (len(data), {"root": "svg"})


def test_elements_with_the_name_of_the_root_may_lie_in_it() -> None:
    inner = b"<svg x='1'><g/></svg><svg/><svgx></svgx>" * 50
    data = document(b"svg").replace(b"<wpt", inner + b"<wpt", 3)
    walked = walk("xml", data + NOISE[:600])
    assert walked is not None
    assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data))
    attributes = b"<svg " + b"a='%b' " % words(200) + b">"
    data = document(b"svg").replace(b"<svg version='1.1'>", attributes)
    walked = walk("xml", data + NOISE[:600])
    assert walked is not None
    assert (walked.structure, walked.length) == (Structure.COMPLETE, len(data))


@pytest.mark.parametrize("end", [b"", b"\n\n", b"\n<!-- made by us -->\n", b"\n<style>not allowed</style>\n"])
def test_comments_behind_the_root_belong_to_it(end: bytes) -> None:
    data = document(end=end)
    for behind in (bytes(-len(data) % 512 + 512), bytes(-len(data) % 512) + mail()):
        walked = walk("xml", data + behind)
        assert walked is not None
        assert walked.length == len(data)


def test_a_line_end_in_a_sector_of_its_own_belongs_to_it() -> None:
    data = document(end=b"")
    data = data.replace(b"<wpt", b"<wpt%b" % (b" " * (-len(data) % 512)), 1)
    for end in (b"", b"\n", b"\r\n"):
        for behind in (bytes(-len(end) % 512), bytes(-len(end) % 512) + NOISE[:700]):
            walked = walk("xml", data + end + behind)
            assert walked is not None
            assert walked.length == len(data + end)
    walked = walk("xml", data + b"\n\n" + words(200))
    assert walked is not None
    assert walked.length == len(data), "those lines are another file's"


def test_one_cut_at_a_sector_breaks_off_there() -> None:
    for cut in (1024, 65536):
        for behind in (NOISE[:5000], html()):
            walked = walk("xml", document(size=200_000)[:cut] + behind)
            assert walked is not None
            assert (walked.structure, walked.length) == (Structure.TRUNCATED, cut)


@pytest.mark.parametrize(
    "data",
    [
        document(b"html"),
        document(b"plist"),
        document(b"other", before=b""),
        b"<?xml version='1.0'?>" + NOISE[:3000],
        b"<?xml version='1.0'?>" + bytes(3000),
        b"<?xml version='1.0'?> is how they begin" + words(300),
        b"<?xml version='1.0'?><!-- " + words(300),
        b"<?xml version='1.0'?><!DOCTYPE x [ " + words(300),
        b"<svg short",
        b"<?xml ",
    ],
)
def test_what_only_looks_like_one_is_none(data: bytes) -> None:
    assert walk("xml", data) is None


@pytest.mark.parametrize("piece", [b"<gpx>", b"<!-- ", b"<", b"<gpx ", b"</gpx ", b"<?x?>", b"<!DOCTYPE a>"])
def test_endless_documents_are_read_a_few_times_at_most(piece: bytes) -> None:
    for data in (document(end=b""), b"<?xml version='1.0'?>"):
        endless = data.replace(b"</gpx>", b"") + piece * (1_000_000 // len(piece))
        window, _ = asked("xml", endless)
        assert window.spent < 4 * len(endless)


@given(st.binary(max_size=800), st.integers(0, 3000))
def test_any_bytes_keep_within_bounds(behind: bytes, cut: int) -> None:
    data = document()
    holds("xml", b"<?xml version='1.0'?><a>" + behind, allowance=8 << 20)
    holds("xml", data[:cut] + behind + data[cut:], allowance=8 << 20)


def test_damaged_copies_keep_within_bounds() -> None:
    for changed in mutants(document(), 300):
        holds("xml", changed, allowance=8 << 20)
