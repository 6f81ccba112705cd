"""How the bytes of a file inside a file are had: each step, one behind the other, and what damage makes of them."""

from __future__ import annotations

import base64
import bz2
import gzip
import lzma
import random
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.artifacts.recipe import check_recipe, follow, pack_recipe, unpack_recipe

DATA = b"some text that repeats. " * 200 + random.Random(1).randbytes(3000)


def read_of(data: bytes):
    return lambda offset, length: data[offset : offset + length]


def got(data: bytes, *steps) -> tuple[bytes, str]:
    read_at, size, why = follow(read_of(data), check_recipe(list(steps)))
    return b"".join(read_at(at, 777) for at in range(0, size, 777)), why


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": gzip.compress(DATA),
    "zlib": zlib.compress(DATA),
    "deflate": deflated(DATA),
    "bzip2": bz2.compress(DATA),
    "xz": lzma.compress(DATA),
    "brotli": brotli.compress(DATA),
    "zstd": zstandard.compress(DATA),
    "base64": base64.encodebytes(DATA),
}


@pytest.mark.parametrize("name", PACKED)
def test_what_was_packed_comes_out(name: str) -> None:
    packed = b"before" + PACKED[name] + b"behind"
    assert got(packed, ["cut", 6, len(PACKED[name])], ["undo", name, len(DATA)]) == (DATA, "")


@pytest.mark.parametrize("name", [name for name in PACKED if name not in ("base64", "deflate")])
def test_what_is_cut_off_gives_what_there_is_and_says_so(name: str) -> None:
    data, why = got(PACKED[name][: len(PACKED[name]) // 2], ["cut", 0, len(PACKED[name]) // 2], ["undo", name, len(DATA)])
    assert DATA.startswith(data)
    assert why


@pytest.mark.parametrize("name", PACKED)
def test_no_more_comes_out_than_was_asked_for(name: str) -> None:
    data, _ = got(PACKED[name], ["cut", 0, len(PACKED[name])], ["undo", name, 100])
    assert data == DATA[:100]


@pytest.mark.parametrize(("name", "packed"), [
    ("gzip", gzip.compress(bytes(400 << 20), 1)), ("brotli", brotli.compress(bytes(400 << 20), quality=1)),
    ("zstd", zstandard.compress(bytes(400 << 20))),
])  # fmt: skip
def test_a_bomb_is_cut(name: str, packed: bytes) -> None:
    read_at, size, why = follow(read_of(packed), check_recipe([["cut", 0, len(packed)], ["undo", name, 1 << 40]]))
    assert size <= 50 << 20
    assert "expands" in why
    assert read_at(0, 10) == bytes(10)


def test_stretches_are_read_as_one_string_and_steps_follow_each_other() -> None:
    packed = PACKED["gzip"]
    data = packed[50:] + b"gap" + packed[:50]
    outer = base64.b64encode(data)
    inner = [["cut", len(data) - 50, 50, 0, len(packed) - 50], ["undo", "gzip", len(DATA)]]
    assert got(outer, ["cut", 0, len(outer)], ["undo", "base64", len(data)], *inner) == (DATA, "")


def test_stretches_behind_the_end_give_nothing() -> None:
    assert got(b"short", ["cut", 2, 100])[0].rstrip(b"\0") == b"ort"
    assert got(b"short", ["cut", 100, 5])[0] == b""


def test_a_recipe_is_the_same_when_it_comes_back() -> None:
    steps = check_recipe([["cut", 1, 2, 3, 4], ["undo", "lzma:5d00000100", 9]])
    assert unpack_recipe(pack_recipe(steps)) == steps


@pytest.mark.parametrize("steps", [
    [], "cut", [["cut"]], [["cut", 1]], [["cut", -1, 2]], [["cut", 1, 1 << 63]], [["cut", True, 2]], [["undo", "gzip", 5]],
    [["cut", 0, 9], ["undo", "gzip"]], [["cut", 0, 9], ["undo", "rot13", 4]], [["cut", 0, 9], ["run", "sh", 4]], [["cut", 0, 9]] * 17,
    [["cut", 0, 9], ["undo", "lzma:zz", 4]], [["cut", 0.5, 9]], [None],
])  # fmt: skip
def test_what_is_no_recipe_is_refused(steps: object) -> None:
    with pytest.raises(ValueError, match=r"step|recipe|encoding"):
        check_recipe(steps)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(PACKED)), st.binary(max_size=600), st.integers(0, 600))
def test_any_bytes_are_undone_or_not_without_an_exception(name: str, data: bytes, cut: int) -> None:
    packed = PACKED[name][:cut] + data
    read_at, size, _ = follow(read_of(packed), check_recipe([["cut", 0, len(packed)], ["undo", name, 1 << 20]]))
    assert len(read_at(0, 2 << 20)) == size <= 1 << 20
