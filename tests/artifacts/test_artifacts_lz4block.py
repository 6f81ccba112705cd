"""Blocks of LZ4: matches that overlap, long counts, limits, damage."""

from __future__ import annotations

import pytest

from triage.artifacts.lz4block import undo_block, undo_mozilla


@pytest.mark.parametrize(
    ("block", "plain"),
    [
        (b"\x50hello", b"hello"),
        (b"\x12a\x01\x00\x50tail!", b"a" + b"a" * 6 + b"tail!"),
        (b"\x20ab\x02\x00\x10c", b"ab" + b"abab" + b"c"),
        (b"\x1fa\x01\x00\xff\x05\x10z", b"a" + b"a" * (4 + 15 + 255 + 5) + b"z"),
        (b"", b""),
    ],
)
def test_a_block_is_undone(block: bytes, plain: bytes) -> None:
    assert undo_block(block, 1000) == (plain, "")


def test_no_more_than_the_limit_comes_out() -> None:
    bomb = b"\x1fa\x01\x00" + b"\xff" * 100_000 + b"\x00"
    found, why = undo_block(bomb, 1000)
    assert found == b"a" * 1000
    assert "larger" in why


@pytest.mark.parametrize("block", [b"\x50he", b"\x10a\x02\x00", b"\x10a\x00\x00", b"\x10a\x01", b"\xf0\xff"])
def test_damage_is_said_and_what_was_there_before_is_given(block: bytes) -> None:
    found, why = undo_block(block, 1000)
    assert why
    assert found in (b"", b"a", b"he")


def test_the_size_that_mozilla_states_bounds_what_comes_out() -> None:
    assert undo_mozilla(b"mozLz40\0\x05\0\0\0\x50hello", 100) == (b"hello", "")
    assert undo_mozilla(b"mozLz40\0\x04\0\0\0\x50hello", 100)[0] == b"hell"
    assert "size" in undo_mozilla(b"mozLz40\0\x06\0\0\0\x50hello", 100)[1]
    assert undo_mozilla(b"something", 100) == (b"", "not a file of Mozilla's LZ4")
