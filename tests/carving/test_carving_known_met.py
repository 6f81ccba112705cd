"""eMule's lists: records that are right to their last tag, since nothing else says that they are records."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from system_samples import JPEG, NOISE, assert_whole, formats, known, known_record, mutants, part, reads_little, survives, walk

from triage.carving.forms import Structure

if TYPE_CHECKING:
    from pathlib import Path

LIST = known("one.jpg", "two.mp3", "three.avi")
PART = part()


def test_real_lists_are_found_to_their_last_byte(evidence_root: Path) -> None:
    folder = evidence_root / "artifacts" / "iped"
    found = assert_whole("known-met", (folder / "test_known.met").read_bytes())
    assert found.facts == {"files": 2, "names": "Radiohead - High and Dry.mp3 | Michael Jackson - Bad.mp3"}
    found = assert_whole("part-met", (folder / "test_partMet.part.met").read_bytes())
    assert found.facts == {"name": "The Strokes - Last Nite.mp3", "size": 3_120_611, "ed2k": "baa73b1bb93704b0225e6fc2e4b8e16d"}


def test_a_list_ends_with_its_last_record() -> None:
    assert assert_whole("known-met", LIST).facts["names"] == "one.jpg | two.mp3 | three.avi"
    assert_whole("known-met", known(*(f"file {n}.jpg" for n in range(3000))))  # more than what is read at first
    assert assert_whole("part-met", PART).facts["name"] == "film.avi"


def test_a_list_that_is_cut_has_the_records_that_are_there() -> None:
    record = len(known_record("one.jpg"))
    for behind in (NOISE, JPEG, bytes(4096), b""):
        found = walk("known-met", LIST[: 5 + 2 * record + 30] + behind)
        assert found is not None
        assert (found.structure, found.length, found.facts["files"]) == (Structure.TRUNCATED, 5 + 2 * record, 2)
        # One record could be chance.
        assert walk("known-met", LIST[: 5 + record + 30] + behind) is None


def test_a_part_that_is_cut_is_none() -> None:
    assert walk("part-met", PART[:-3] + NOISE) is None
    assert walk("part-met", PART[:-3]) is None


def test_records_must_be_right() -> None:
    bad = {
        "no time": LIST[:5] + struct.pack("<I", 5) + LIST[9:],
        "no hash": LIST[:9] + bytes(16) + LIST[25:],
        "more parts than its size has": LIST[:25] + struct.pack("<H", 60_000) + LIST[27:],
        "no tags": LIST[:27] + bytes(4) + LIST[31:],
        "no count": LIST[:1] + bytes(4) + LIST[5:],
    }
    for why, data in bad.items():
        assert walk("known-met", data + NOISE) is None, why
    nameless = known_record("x").replace(b"\x82\x01\x01\0x", b"\x82\x04\x01\0x")
    assert walk("known-met", b"\x0e" + struct.pack("<I", 2) + nameless * 2) is None


def test_chance_does_not_make_a_list() -> None:
    for start in (b"\x0e\1\0\0\0", b"\x0f\1\0\0\0", b"\x0e\xff\xff\1\0"):
        for at in range(0, 60_000, 61):
            data = start + NOISE[at : at + 5000]
            if any(h.matches(data) for h in formats()["known-met"].headers):
                assert walk("known-met", data) is None
    for at in range(0, 60_000, 61):
        for start in (b"\xe0", b"\xe2"):
            assert walk("part-met", start + NOISE[at : at + 5000]) is None
    for text in (b"\0" * 5000, b"text " * 1000, b"\x0e" * 5000, b"\xe0" * 5000):
        reads_little("known-met", b"\x0e\1\0\0\0" + text, 70_000)
        reads_little("part-met", b"\xe0" + text, 70_000)


def test_lists_are_looked_for_at_sectors_only() -> None:
    assert all(h.fixed < 3 for name in ("known-met", "part-met") for h in formats()[name].headers)


@given(st.binary(max_size=600), st.integers(5, len(LIST)), st.sampled_from([("known-met", LIST), ("part-met", PART)]))
@settings(max_examples=200, deadline=None)
def test_any_bytes_behind_a_header_give_an_answer_that_fits(behind: bytes, keep: int, sample: tuple[str, bytes]) -> None:
    survives(sample[0], sample[1][:keep] + behind)


def test_mutants_end_in_an_answer() -> None:
    for name, data in (("known-met", LIST), ("part-met", PART)):
        heads = formats()[name].headers
        answers = {f and f.structure for f in (survives(name, m) for m in mutants(data, 200) if any(h.matches(m) for h in heads))}
        assert len(answers) >= 2
