from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.priority.units import MAX_SIZE, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("64 MiB", 64 << 20),
        ("2 GB", 2 * 10**9),
        ("4096", 4096),
        (4096, 4096),
        ("1.5 KiB", 1536),
        ("7b", 7),
        ("0", 0),
        (" 8 gib ", 8 << 30),
        ("3kB", 3000),
        ("12 bytes", 12),
    ],
)
def test_a_size_is_read_in_bytes(written, size):
    assert parse_size(written) == size


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("64M", "'64M' is ambiguous: write 64 MiB (1024s) or 64 MB (1000s)"),
        ("12 parsecs", "'12 parsecs' has no unit of size"),
        ("lots", "'lots' is not a size: write a number and a unit, such as 64 MiB, 2 GB or 4096"),
        ("-5", "is not a size"),
        ("", "is not a size"),
        ("٣ MiB", "is not a size"),
        ("1_000", "is not a size"),
        ("9999999999 PiB", "out of range"),
        (-1, "out of range"),
    ],
)
def test_what_is_no_size_says_why(written, said):
    with pytest.raises(ValueError) as caught:
        parse_size(written)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("15m", 900),
        ("90s", 90),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("500ms", 0.5),
        ("45", 45),
        (45, 45),
        ("1.5h", 5400),
        ("2d", 172800),
        (0.25, 0.25),
        ("1m30s500ms", 90.5),
    ],
)
def test_a_duration_is_read_in_seconds(written, seconds):
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written", ["1:30", "5 minutes", "", "s", "5s2h", "5m5m", "-3s", "soon", "1h30", "1e3", "nan"]
)
def test_what_is_no_duration_says_what_would_be_one(written):
    with pytest.raises(ValueError) as caught:
        parse_duration(written)
    assert str(caught.value) == (
        f"'{written}' is not a duration: write a number and a unit, such as 15m, 90s, 1h30m or 500ms"
    )


def test_a_duration_of_more_than_a_year_is_refused():
    with pytest.raises(ValueError, match="at most 366 days"):
        parse_duration("367d")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, MAX_SIZE))
def test_a_formatted_size_reads_back_exactly(size):
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    ("size", "shown"),
    [(256 << 20, "256 MiB"), (2 * 10**9, "2 GB"), (1, "1 byte"), (0, "0 bytes"), (4095, "4095 bytes")],
)
def test_sizes_are_shown_in_their_own_unit(size, shown):
    assert format_size(size) == shown


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_value_or_a_value_error(text):
    for parse in (parse_size, parse_duration):
        with contextlib.suppress(ValueError):
            assert parse(text) >= 0
