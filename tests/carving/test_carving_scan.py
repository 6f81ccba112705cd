"""Headers are found where they stand, by the library and without it alike."""

from __future__ import annotations

import random

import pytest
from carving_media import walk_box
from hypothesis import given
from hypothesis import strategies as st

from triage.carving.catalog import known_formats
from triage.carving.forms import Format, Header
from triage.carving.scan import Headers


def _format(name: str, *headers: Header) -> Format:
    return Format(name=name, extension=name, headers=headers, walk=walk_box)


FORMATS = (
    _format("one", Header(b"\x00\x01\x02\x03")),
    _format("late", Header(b"ftyp", at=4)),
    _format("masked", Header(b"AB\x00D", mask=b"\xff\xff\x00\xff")),
    _format("short", Header(b"BM")),
    _format("loose", Header(b"\x0e\x00\x00\x00", mask=b"\xff\x00\xff\xff")),
)


@pytest.mark.parametrize("library", [True, False])
def test_a_header_at_any_byte_is_found(library: bool) -> None:
    headers = Headers(FORMATS, library=library)
    data = bytearray(random.Random(1).randbytes(5000).replace(b"B", b"."))
    data[77:81] = b"\x00\x01\x02\x03"
    data[1000:1008] = b"....ftyp"
    data[2001:2005] = b"ABxD"
    data[4996:5000] = b"ABCD"
    found = headers.anywhere(bytes(data), len(data))
    assert {77, 1000, 2001, 4996} <= set(found)
    assert [f.name for f in headers.formats_at(bytes(data), 1000)] == ["late"]


def test_a_nul_in_a_header_does_not_end_it() -> None:
    headers = Headers((FORMATS[0],))
    assert headers.anywhere(b"\x00" * 100 + b"\x00\x01\x02\x04" + b"\x00\x01\x02\x03", 108) == [104]


def test_a_header_of_two_bytes_is_looked_for_at_sectors_only() -> None:
    headers = Headers((FORMATS[3],))
    data = b"..BM".ljust(512, b".") + b"BM".ljust(512, b".")
    assert headers.anywhere(data, len(data)) == []
    assert headers.aligned(data, len(data)) == [512]


@given(st.binary(max_size=3000))
def test_both_ways_find_the_same(data: bytes) -> None:
    with_library, without = Headers(FORMATS), Headers(FORMATS, library=False)
    assert with_library.anywhere(data, len(data)) == without.anywhere(data, len(data))
    for offset in without.anywhere(data, len(data)):
        assert without.formats_at(data, offset)


@given(st.integers(0, 20), st.binary(min_size=0, max_size=700), st.sampled_from(FORMATS), st.data())
def test_no_header_at_a_sector_is_missed(sectors: int, rest: bytes, one: Format, draw: st.DataObject) -> None:
    header = one.headers[0]
    data = bytearray(random.Random(sectors).randbytes(512 * sectors) + rest)
    at = draw.draw(st.integers(0, sectors)) * 512
    magic = bytes(m if not header.mask or header.mask[i] else 7 for i, m in enumerate(header.magic))
    data[at + header.at : at + header.at + len(magic)] = magic
    headers = Headers(FORMATS)
    if at + header.at + len(magic) <= len(data):
        assert at in headers.aligned(bytes(data), len(data))
        assert one.name in [f.name for f in headers.formats_at(bytes(data), at)]


def test_every_header_of_every_format_is_found_at_a_sector() -> None:
    headers = Headers(known_formats())
    for one in known_formats():
        for header in one.headers:
            data = bytes(512) + bytes(header.at) + header.magic + bytes(1024)
            assert 512 in headers.aligned(data, 1024), (one.name, header)
            assert one in headers.formats_at(data, 512)
