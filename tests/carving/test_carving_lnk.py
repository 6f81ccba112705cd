"""Windows shortcuts: every part measured, up to the terminal block."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from system_samples import NOISE, assert_whole, link, mutants, reads_little, survives, walk

from triage.carving.forms import Structure

if TYPE_CHECKING:
    from pathlib import Path

LINK = link()


def test_real_shortcuts_are_found_to_their_last_byte(evidence_root: Path) -> None:
    paths = sorted((evidence_root / "artifacts" / "iped").glob("*.lnk"))
    assert len(paths) >= 2
    for path in paths:
        assert_whole("lnk", path.read_bytes())


def test_a_shortcut_ends_with_its_terminal_block_and_tells_its_target() -> None:
    assert assert_whole("lnk", LINK).facts == {"target": "C:\\Users\\x\\secret.jpg"}
    assert_whole("lnk", link(blocks=0))
    assert_whole("lnk", link(blocks=60))  # more than what is read at first
    assert assert_whole("lnk", link(target=b"D:\\a\x1b[2Jb")).facts["target"] == "D:\\a\\x1b[2Jb"


def test_a_shortcut_whose_end_is_gone_is_cut_where_it_stops() -> None:
    for keep in (len(LINK) - 4, len(LINK) - 50):
        found = walk("lnk", LINK[:keep] + NOISE)
        assert found is not None
        assert found.structure is Structure.TRUNCATED
        assert found.length == len(LINK) - 4
        assert found.facts["target"] == "C:\\Users\\x\\secret.jpg"


def test_a_lone_header_is_none() -> None:
    for keep in (20, 76, 90):
        for behind in (NOISE, bytes(5000), b"\xff" * 5000):
            assert walk("lnk", LINK[:keep] + behind) is None
    reads_little("lnk", LINK[:76] + NOISE, 5000)
    assert walk("lnk", LINK[:24] + b"\xff" + LINK[25:66] + b"\1" + LINK[67:]) is None  # what is reserved is not


def test_endless_blocks_and_lying_sizes_end() -> None:
    block = struct.pack("<II", 8, 0xA0000001)
    found = walk("lnk", LINK[:-4] + block * 100_000, allowance=4 << 20)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    at = 76
    for value in (b"\xff\xff", b"\0\0", b"\1\0"):
        assert walk("lnk", LINK[:at] + value + LINK[at + 2 :] + NOISE) is None


@given(st.binary(max_size=600), st.integers(20, len(LINK)))
@settings(max_examples=150, deadline=None)
def test_any_bytes_behind_a_header_give_an_answer_that_fits(behind: bytes, keep: int) -> None:
    survives("lnk", LINK[:keep] + behind)


def test_mutants_end_in_an_answer() -> None:
    answers = {found and found.structure for found in (survives("lnk", m) for m in mutants(LINK, 300) if m.startswith(LINK[:20]))}
    assert len(answers) >= 2
