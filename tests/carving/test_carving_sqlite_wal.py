"""SQLite's logs: frames and records as far as they go, those of before included."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from system_samples import NOISE, assert_whole, journal, logs, mutants, reads_little, survives, walk

from triage.carving.forms import Structure

if TYPE_CHECKING:
    from pathlib import Path

_, LOG = logs()
_, AGAIN = logs(again=True)
JOURNAL = journal()
STEP = 1024 + 24


def test_real_journals_are_found_to_their_last_byte(evidence_root: Path) -> None:
    paths = sorted((evidence_root / "artifacts" / "dfrws2011_fragments").rglob("*-journal*"))
    assert paths
    for path in paths:
        assert assert_whole("sqlite-journal", path.read_bytes()).facts["pages"] == 3


@pytest.mark.parametrize("page", [512, 1024, 4096, 65536])
def test_a_log_ends_with_its_last_frame(page: int) -> None:
    _, log = logs(page)
    found = assert_whole("sqlite-wal", log)
    assert found.facts["page_size"] == page
    assert found.facts["frames"] == (len(log) - 32) // (page + 24)
    assert found.facts["transactions"] == 31


def test_frames_of_before_belong_to_the_file() -> None:
    found = assert_whole("sqlite-wal", AGAIN)
    assert found.facts["older_frames"] > 50  # type: ignore[operator]
    assert found.facts["transactions"] == 6


def test_frames_of_another_log_do_not() -> None:
    _, other = logs()
    found = walk("sqlite-wal", LOG + other[32:])
    assert found is not None
    assert found.length == len(LOG)


def test_a_log_that_is_cut_says_so_when_the_space_ends() -> None:
    found = walk("sqlite-wal", LOG[: 32 + 5 * STEP + 100])
    assert found is not None
    assert (found.structure, found.valid, found.facts["frames"]) == (Structure.TRUNCATED, 32 + 5 * STEP, 5)


def test_an_overwritten_frame_is_noticed() -> None:
    at = 32 + 6 * STEP
    found = walk("sqlite-wal", LOG[:at] + NOISE[: 3 * STEP] + LOG[at + 3 * STEP :] + NOISE)
    assert found is not None
    assert (found.structure, found.length) == (Structure.DAMAGED, len(LOG))
    # One whose page alone was changed is not proven any more, and neither is what follows it.
    at += 200
    found = walk("sqlite-wal", LOG[:at] + b"\0\1\2\3" + LOG[at + 4 :] + NOISE)
    assert found is not None
    assert (found.length, found.checked, found.facts["frames"]) == (len(LOG), False, 6)


def test_headers_that_are_none_are_refused() -> None:
    assert walk("sqlite-wal", LOG[:32] + NOISE) is None
    assert walk("sqlite-wal", LOG[:20] + b"\1" + LOG[21:]) is None  # its checksum is wrong
    reads_little("sqlite-wal", LOG[:8] + NOISE, 200)
    assert walk("sqlite-journal", JOURNAL[:28] + NOISE) is None
    assert walk("sqlite-journal", JOURNAL[:8] + NOISE) is None


def test_a_journal_ends_with_the_last_record_whose_checksum_is_right() -> None:
    found = assert_whole("sqlite-journal", JOURNAL)
    assert found.facts["pages"] == 20


def test_a_journal_names_its_super_journal_at_the_end() -> None:
    name = b"/data/x-mj1234"
    behind = struct.pack(">I", 1) + name + struct.pack(">II", len(name), sum(name)) + JOURNAL[:8]
    found = walk("sqlite-journal", JOURNAL + behind + NOISE)
    assert found is not None
    assert found.length == len(JOURNAL) + len(behind)


def test_a_journal_that_is_cut_is_truncated() -> None:
    single = bytearray(JOURNAL[:512] + JOURNAL[512:1544])
    single[8:12] = struct.pack(">I", 3)
    found = walk("sqlite-journal", bytes(single) + NOISE)
    assert found is not None
    assert (found.structure, found.length, found.facts["pages"]) == (Structure.TRUNCATED, 1544, 1)


@given(
    st.binary(max_size=3000), st.sampled_from([8, 32, 56, 32 + STEP]), st.sampled_from([("sqlite-wal", LOG), ("sqlite-journal", JOURNAL)])
)
@settings(max_examples=100, deadline=None)
def test_any_bytes_behind_a_header_give_an_answer_that_fits(behind: bytes, keep: int, sample: tuple[str, bytes]) -> None:
    survives(sample[0], sample[1][:keep] + behind)


@pytest.mark.parametrize(("name", "data"), [("sqlite-wal", AGAIN), ("sqlite-journal", JOURNAL)])
def test_mutants_end_in_an_answer(name: str, data: bytes) -> None:
    answers = {found and found.structure for found in (survives(name, m) for m in mutants(data) if m.startswith(data[:8]))}
    assert len(answers) >= 2
