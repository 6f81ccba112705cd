"""Matroska and WebM: their ends, checksums and blocks, what is cut, overwritten or in pieces."""

from __future__ import annotations

import random
import zlib
from typing import TYPE_CHECKING

import pytest
from film_support import JPEG, NOISE, behind, checked_walk, joined, sample
from hypothesis import given
from hypothesis import strategies as st

from triage.carving.ebml import element_at, head_of, intact
from triage.carving.forms import Structure
from triage.carving.window import window_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from triage.carving.forms import Walked

    Walk = Callable[..., Walked | None]

CLUSTER = b"\x1f\x43\xb6\x75"
SIZED = {
    "film_checksums.mkv": ("mkv", "H.264"),
    "film_plain.mkv": ("mkv", "H.264"),
    "film_vp8.webm": ("webm", "VP8"),
    "film_vp9.webm": ("webm", "VP9"),
}
UNSIZED = {"film_live.mkv": ("mkv", "H.264"), "film_piped.mkv": ("mkv", "H.264")}


def element(identifier: bytes, content: bytes) -> bytes:
    return identifier + (1 << 28 | len(content)).to_bytes(4, "big") + content


def header(kind: bytes = b"matroska") -> bytes:
    return element(b"\x1a\x45\xdf\xa3", element(b"\x42\x82", kind))


def test_a_real_file_ends_where_it_does(evidence_root: Path, walk: Walk) -> None:
    data = (evidence_root / "types/magika/mitra/webm/webm.webm").read_bytes()
    for around in behind(data):
        found = walk("matroska", around)
        assert found is not None
        assert (found.length, found.structure, found.extension) == (len(data), Structure.COMPLETE, "webm")


@pytest.mark.parametrize("name", SIZED)
def test_a_film_is_whole_whatever_follows_it(walk: Walk, name: str) -> None:
    data = sample(name)
    for around in behind(data):
        found = walk("matroska", around)
        assert found is not None
        assert (found.length, found.structure) == (len(data), Structure.COMPLETE)
        assert (found.extension, found.facts["codec"]) == SIZED[name]
        assert (found.facts["width"], found.facts["height"]) == (64, 48)
        assert found.checked is (name != "film_vp8.webm")  # so few of its samples say nothing


@pytest.mark.parametrize("name", UNSIZED)
def test_a_film_that_tells_no_length_ends_behind_its_last_block(walk: Walk, name: str) -> None:
    data = sample(name)
    for around in behind(data):
        found = walk("matroska", around)
        assert found is not None
        assert (found.length, found.structure, found.checked) == (len(data), Structure.COMPLETE, False)
        assert (found.extension, found.facts["codec"]) == UNSIZED[name]


def test_clusters_that_tell_no_length_are_followed_block_by_block(walk: Walk) -> None:
    data = bytearray(sample("film_live.mkv"))
    for at in (data.find(CLUSTER), data.rfind(CLUSTER)):
        found = head_of(bytes(data[at : at + 12]))
        assert found is not None
        width = found[1] - 4
        data[at + 4 : at + 4 + width] = ((1 << 7 * width + 1) - 1).to_bytes(width, "big")
        assert head_of(bytes(data[at : at + 12])) == (found[0], found[1], -1)
    for around in behind(bytes(data)):
        walked = walk("matroska", around)
        assert walked is not None
        assert (walked.length, walked.structure) == (len(data), Structure.COMPLETE)


@pytest.mark.parametrize("rest", [b"", bytes(8192), NOISE[:8192]], ids=["nothing", "zeros", "noise"])
@pytest.mark.parametrize("name", [*SIZED, "film_piped.mkv"])
def test_a_film_that_was_cut_tells_how_much_of_it_plays(walk: Walk, name: str, rest: bytes) -> None:
    data = sample(name)
    cut = len(data) * 3 // 4
    found = walk("matroska", data[:cut] + rest)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert 0 < int(found.facts["plays_ms"]) < 1300
    assert found.length < cut + 1500


@pytest.mark.parametrize("name", ["film_checksums.mkv", "film_plain.mkv"])
@pytest.mark.parametrize("what", [bytes(300), NOISE[:300]], ids=["zeros", "noise"])
def test_a_middle_that_was_overwritten_is_noticed(walk: Walk, name: str, what: bytes) -> None:
    data = sample(name)
    middle = len(data) // 2
    found = walk("matroska", data[:middle] + what + data[middle + 300 :] + NOISE)
    assert found is not None
    assert (found.structure, found.length) == (Structure.DAMAGED, len(data))


def test_one_changed_bit_is_noticed_by_a_checksum(walk: Walk) -> None:
    data = bytearray(sample("film_checksums.mkv"))
    data[len(data) // 3] ^= 1
    found = walk("matroska", bytes(data))
    assert found is not None
    assert (found.structure, found.checked) == (Structure.DAMAGED, False)


@pytest.mark.parametrize("name", ["film_checksums.mkv", "film_plain.mkv", "film_vp8.webm", "film_vp9.webm", "film_piped.mkv"])
@pytest.mark.parametrize("cut", [1536, 2048, 2560])
def test_a_film_in_two_pieces_is_put_together(name: str, cut: int) -> None:
    data, gap = sample(name), JPEG + NOISE[: 4096 - len(JPEG)]
    found, content = joined("matroska", data[:cut] + gap + data[cut:] + NOISE[:5000])
    assert found is not None
    assert (found.structure, found.pieces) == (Structure.FRAGMENTED, ((0, cut), (cut + 4096, len(data) - cut)))
    assert content == data
    assert found.checked or name != "film_checksums.mkv"


def test_clusters_of_another_film_are_not_put_to_a_cut_one() -> None:
    data, other = sample("film_checksums.mkv"), sample("film_vp9.webm")
    found, _ = joined("matroska", data[:2048] + other + bytes(-len(other) % 512) + NOISE)
    assert found is None


def test_an_attached_picture_is_a_part(walk: Walk) -> None:
    data, picture = sample("film_live.mkv"), JPEG + NOISE[:500] + b"\xff\xd9"
    attached = element(b"\x61\xa7", element(b"\x46\x60", b"image/jpeg") + element(b"\x46\x5c", picture))
    at = data.find(CLUSTER)
    whole = data[:at] + element(b"\x19\x41\xa4\x69", attached) + data[at:]
    found = walk("matroska", whole + NOISE)
    assert found is not None
    assert found.length == len(whole)
    assert [(whole[p.offset : p.offset + p.length], p.extension) for p in found.parts] == [(picture, "jpg")]


@pytest.mark.parametrize(
    "data",
    [
        b"\x1a\x45\xdf\xa3" + NOISE[:8192],
        b"\x1a\x45\xdf\xa3" + bytes(8192),
        header() + NOISE[:8192],
        header(b"something") + element(b"\x18\x53\x80\x67", NOISE[:4096]),
        header() + element(b"\x18\x53\x80\x67", NOISE[:4096]) + NOISE,
        header() + element(b"\x18\x53\x80\x67", element(CLUSTER, NOISE[:4096])) + NOISE,
        header() + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" + element(CLUSTER, element(b"\xe7", b"\0") + NOISE[:4096]),
    ],
)
def test_what_only_begins_like_one_is_none_and_costs_little(walk: Walk, data: bytes) -> None:
    assert walk("matroska", data, allowance=8 << 20) is None


def test_countless_elements_and_blocks_end(walk: Walk) -> None:
    data = sample("film_live.mkv")
    at = data.find(CLUSTER)
    assert walk("matroska", data[:at] + b"\xec\x80" * 600_000, allowance=64 << 20) is None
    blocks = element(CLUSTER, element(b"\xe7", b"\0") + b"\xa3\x84\x81\0\0\0" * 400_000)
    found = walk("matroska", data[:at] + blocks + NOISE, allowance=64 << 20)
    assert found is not None
    assert not found.checked


def test_a_checksum_is_of_what_follows_it() -> None:
    content = b"\xec\x82ab"
    assert intact(b"\xbf\x84" + zlib.crc32(content).to_bytes(4, "little") + content) is True
    assert intact(b"\xbf\x84" + zlib.crc32(content).to_bytes(4, "big") + content) is False
    assert intact(content * 4) is None


@pytest.mark.parametrize("head", [b"", b"\0\x81", b"\xa3", b"\xa3\0", b"\x40", b"\x1f\x43\xb6\x75", b"\xa3\x40", b"\x08\x81abcde"])
def test_what_is_no_head_of_an_element_is_none(head: bytes) -> None:
    assert head_of(head) is None
    assert element_at(window_of(head), 0) is None


@given(st.binary(max_size=300))
def test_arbitrary_bytes_behind_a_header_keep_the_rules(rest: bytes) -> None:
    checked_walk("matroska", b"\x1a\x45\xdf\xa3" + rest)
    checked_walk("matroska", header() + element(b"\x18\x53\x80\x67", rest))
    data = sample("film_live.mkv")
    checked_walk("matroska", data[: data.find(CLUSTER)] + element(CLUSTER, rest) + rest)


@pytest.mark.parametrize("name", [*SIZED, *UNSIZED])
def test_mutants_keep_the_rules(name: str) -> None:
    data, chance = sample(name), random.Random(name)
    for _ in range(60):
        mutant = bytearray(data)
        for _ in range(chance.choice((1, 2, 5))):
            at = chance.randrange(len(mutant))
            how = chance.randrange(3)
            if how == 0:
                mutant[at] = chance.randrange(256)
            elif how == 1:
                del mutant[at : at + chance.randrange(1, 600)]
            else:
                mutant[at:at] = NOISE[: chance.choice((1, 4, 512))]
        found = checked_walk("matroska", bytes(mutant) + NOISE[:2000])
        assert found is None or found.length <= len(mutant) + 2000
