"""$I files of the recycle bin: nothing but a possible size, a possible time and a path."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from system_samples import NOISE, assert_whole, formats, mutants, reads_little, recycled, survives, walk

if TYPE_CHECKING:
    from pathlib import Path

NEW = recycled()
OLD = recycled(version=1)


def test_real_files_are_found_to_their_last_byte(evidence_root: Path) -> None:
    folder = evidence_root / "artifacts" / "rifiuti2_samples"
    paths = [p for p in sorted(folder.rglob("$I*")) if "badfiles" not in str(p) and p.stat().st_size != 543]
    assert len(paths) > 20
    for path in paths:
        assert_whole("recycle-bin", path.read_bytes(), checked=False)


def test_a_file_ends_with_its_path_or_the_room_for_it() -> None:
    assert assert_whole("recycle-bin", NEW).facts == {"path": "C:\\Users\\x\\Desktop\\holiday.jpg", "size": 12345}
    assert_whole("recycle-bin", OLD, checked=False)
    assert_whole("recycle-bin", recycled("\\\\server\\share\\ü.txt"))


def test_what_is_not_quite_one_is_none() -> None:
    bad = {
        "a size that no file has": NEW[:8] + struct.pack("<Q", 1 << 60) + NEW[16:],
        "no time": NEW[:16] + bytes(8) + NEW[24:],
        "another time": NEW[:16] + b"\xff" * 8 + NEW[24:],
        "no drive": NEW[:28] + b"1" + NEW[29:],
        "a count that does not fit": NEW[:24] + struct.pack("<I", 20) + NEW[28:],
        "a character that no name has": NEW[:40] + b"\1\0" + NEW[42:],
        "a cut": NEW[:-4],
    }
    for why, data in bad.items():
        assert walk("recycle-bin", data) is None, why
    for version in (1, 2):
        head = struct.pack("<QQQ", version, 5, 132_000_000_000_000_000)
        assert walk("recycle-bin", head + NOISE) is None
        assert walk("recycle-bin", head + bytes(600)) is None
        reads_little("recycle-bin", struct.pack("<Q", version) + NOISE, 28)


def test_they_are_looked_for_at_sectors_only() -> None:
    assert all(h.fixed < 3 for h in formats()["recycle-bin"].headers)


@given(st.binary(max_size=600), st.integers(8, len(NEW)), st.sampled_from([NEW, OLD]))
@settings(max_examples=150, deadline=None)
def test_any_bytes_behind_a_header_give_an_answer_that_fits(behind: bytes, keep: int, sample: bytes) -> None:
    survives("recycle-bin", sample[:keep] + behind)


def test_mutants_end_in_an_answer() -> None:
    found = {survives("recycle-bin", m) is None for m in mutants(NEW, 200) if m.startswith(b"\2\0")}
    assert found == {True, False}
