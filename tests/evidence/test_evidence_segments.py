"""Which files make one medium: sets that are whole, and every way in which they are not."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from ewf_writer import damage, sample, write_ewf
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.errors import EvidenceError
from triage.evidence.opening import SALVAGED, open_evidence, reopen
from triage.evidence.segments import find_segments, group, number_by_name, segment_extension
from triage.evidence.verify import verify

DATA = sample(6 * 4096)
THREE = ("E01", "E02", "E03")


def refused(path: Path) -> str:
    """The one line that the operator sees."""
    with pytest.raises(EvidenceError) as error:
        open_evidence(path)
    assert error.value.hint
    assert "\n" not in str(error.value)
    return str(error.value)


# ---- E01 -------------------------------------------------------------------------------------------------------------------


def test_any_segment_stands_for_its_set(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=THREE)
    for given_path in made.paths:
        assert find_segments(given_path)[1] == made.paths


def test_a_missing_middle_segment_is_named(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=THREE)
    made.paths[1].unlink()
    assert "image.E02" in refused(made.paths[0])
    assert "image.E02" in refused(made.paths[2])


def test_a_missing_first_segment_is_named(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=THREE)
    made.paths[0].unlink()
    assert "image.E01" in refused(made.paths[1])


def test_a_missing_last_segment_is_said(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=THREE)
    made.paths[2].unlink()
    assert "image.E02 is the last segment given but the set goes on" in refused(made.paths[0])


def test_many_missing_segments_are_one_line(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=THREE)
    damage(made.paths[2], 9, lambda _: 0xFF)  # says that it is segment 255
    damage(made.paths[2], 10, lambda _: 0xFF)  # ... 65535
    made.paths[2].rename(tmp_path / "image.E77")
    text = refused(made.paths[0])
    assert "and 69 more" in text
    assert len(text) < 300


def test_a_set_that_ends_before_its_last_file(tmp_path: Path) -> None:
    one = write_ewf(tmp_path, DATA)
    (tmp_path / "other").mkdir()
    other = write_ewf(tmp_path / "other", DATA, extensions=("E01", "E02"))
    shutil.copy(other.paths[1], tmp_path / "image.E02")
    assert "two sets may be mixed up" in refused(one.paths[0])


def test_two_sets_of_one_size_mixed_up_are_never_verified(tmp_path: Path) -> None:
    """Their numbers fit; only the stored digest can tell."""
    (tmp_path / "other").mkdir()
    one = write_ewf(tmp_path, DATA, extensions=("E01", "E02"))
    other = write_ewf(tmp_path / "other", sample(7 * 4096)[4096:], extensions=("E01", "E02"))
    shutil.copy(other.paths[1], one.paths[1])
    evidence, medium, _ = open_evidence(one.paths[0])
    assert verify(medium, evidence.stored_digests).verdict == "mismatch"
    medium.close()


def test_two_files_with_the_same_number_are_refused(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=THREE)
    shutil.copy(made.paths[1], tmp_path / "image.E04")
    text = refused(made.paths[0])
    assert "both segment 2" in text
    assert "image.E04" in text


def test_names_in_small_letters(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=("e01", "e02"))
    assert find_segments(made.paths[0])[1] == made.paths


def test_names_in_mixed_letters(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=("E01", "e02"))
    assert find_segments(made.paths[1])[1] == made.paths


def test_capital_and_small_twins_are_told_apart_or_refused(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA)
    twin = tmp_path / "image.e01"
    if twin.exists():
        pytest.skip("names on this file system do not differ by case")
    shutil.copy(made.paths[0], twin)
    assert "both segment 1" in refused(made.paths[0])


def test_the_same_file_by_two_names_is_no_conflict(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA)
    try:
        os.link(made.paths[0], tmp_path / "image.E77")
    except OSError:
        pytest.skip("no hard links here")
    assert len(find_segments(made.paths[0])[1]) == 1


@pytest.mark.parametrize("beside", ["image.iso", "image.log", "image.e99", "image.txt", "image.xml", "image.F01"])
def test_other_files_beside_a_set_do_no_harm(beside: str, tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA)
    (tmp_path / beside).write_bytes(b"not a segment" * 100)
    assert find_segments(made.paths[0])[1] == made.paths


def test_another_set_beside_it_does_no_harm(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=("E01", "E02"))
    write_ewf(tmp_path, DATA, name="image2", extensions=("E01",))
    write_ewf(tmp_path, DATA, name="im", extensions=("E01",))
    assert find_segments(made.paths[0])[1] == made.paths


def test_an_e01_with_another_name_is_opened_by_its_content(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=("bin-old",))
    evidence, medium, _ = open_evidence(made.paths[0])
    medium.close()
    assert evidence.kind == "ewf"


def test_a_later_segment_with_another_name_is_refused(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=("E01", "E02"))
    renamed = made.paths[1].rename(tmp_path / "second.bin-old")
    assert "not the first segment" in refused(renamed)


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("given_path", [0, 1, 2])
def test_a_segment_with_ruined_first_bytes_is_known_by_its_name(which: int, given_path: int, tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=THREE)
    raw = bytearray(made.paths[which].read_bytes())
    raw[:13] = b"no E01 at all"
    made.paths[which].write_bytes(raw)
    assert find_segments(made.paths[given_path])[1] == made.paths
    evidence, medium, _ = open_evidence(made.paths[given_path])
    assert f"the E01 is damaged: image.E0{which + 1}: its first bytes are not those of segment {which + 1}" in evidence.facts[SALVAGED]
    assert medium.read_at(0, len(DATA)) == DATA
    assert verify(medium, evidence.stored_digests).verdict == "verified"
    medium.close()


def test_a_segment_that_says_another_number_is_known_by_its_name_where_one_is_missing(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=THREE)
    damage(made.paths[1], 9, lambda _: 99)
    evidence, medium, _ = open_evidence(made.paths[0])
    assert "damaged: image.E02: its first bytes" in evidence.facts[SALVAGED]
    assert medium.read_at(0, len(DATA)) == DATA
    medium.close()


def test_an_empty_segment_is_refused(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=THREE)
    made.paths[1].write_bytes(b"")
    assert "image.E02 is empty" in refused(made.paths[0])


@pytest.mark.parametrize(("name", "number"), [("x.E01", 1), ("x.e99", 99), ("x.EAA", 100), ("x.EZZ", 775), ("x.faa", 776), ("x.S02", 2),
                                              ("x.E00", None), ("x.E1", None), ("x", None), ("x.é01", None), ("x.E0A", None)])
def test_numbers_by_name(name: str, number: int | None) -> None:
    assert number_by_name(Path(name)) == number


@given(number=st.integers(1, 9563))  # SAA, the next, is SMART's hundredth
def test_numbers_by_name_are_those_that_extensions_are_made_of(number: int) -> None:
    assert number_by_name(Path(f"x.{segment_extension('E', number)}")) == number


def test_a_raw_file_called_e01_is_read_as_raw_and_said(tmp_path: Path) -> None:
    path = tmp_path / "disk.E01"
    path.write_bytes(bytes(4096))
    evidence, medium, warnings = open_evidence(path)
    medium.close()
    assert evidence.kind == "raw"
    assert "named like an Expert Witness file" in warnings[0]


@pytest.mark.parametrize(("number", "extension"), [(1, "E01"), (9, "E09"), (99, "E99"), (100, "EAA"), (101, "EAB"), (125, "EAZ"),
                                                   (126, "EBA"), (775, "EZZ"), (776, "FAA"), (1451, "FZZ"), (1452, "GAA"), (14971, "ZZZ")])
def test_segment_extensions(number: int, extension: str) -> None:
    assert segment_extension("E", number) == extension
    assert segment_extension("e", number) == extension.lower()


@settings(max_examples=200, deadline=None)
@given(a=st.integers(1, 14971), b=st.integers(1, 14971))
def test_segment_extensions_are_all_different_and_in_order(a: int, b: int) -> None:
    one, other = segment_extension("E", a), segment_extension("E", b)
    assert re.fullmatch(r"E\d\d|[E-Z][A-Z]{2}", one)
    assert (one == other) == (a == b)
    assert (one < other) == (a < b)


def test_a_set_past_e99(tmp_path: Path) -> None:
    names = tuple(segment_extension("E", n) for n in range(1, 104))
    made = write_ewf(tmp_path, sample(103 * 512), chunk_sectors=1, extensions=names)
    evidence, medium, _ = open_evidence(made.paths[101])
    assert len(evidence.paths) == 103
    assert evidence.paths[-1].endswith("image.EAD")
    assert medium.read_at(0, medium.size) == made.data
    medium.close()
    made.paths[100].unlink()
    assert "image.EAB" in refused(made.paths[0])


# ---- raw parts -------------------------------------------------------------------------------------------------------------


def write_parts(folder: Path, names: list[str], size: int = 1024) -> bytes:
    for number, name in enumerate(names):
        (folder / name).write_bytes(bytes([0, number + 1]) * (size // 2))
    return b"".join((folder / n).read_bytes() for n in names)


@pytest.mark.parametrize("names", [["d.000", "d.001", "d.002"], ["d.001", "d.002", "d.003"], ["d.dd.0001", "d.dd.0002"],
                                   [f"d.{n:03d}" for n in range(1, 14)]])
def test_raw_parts_are_one_medium_whichever_is_given(names: list[str], tmp_path: Path) -> None:
    data = write_parts(tmp_path, names)
    for name in names:
        evidence, medium, _ = open_evidence(tmp_path / name)
        assert evidence.kind == "split raw"
        assert [p.rsplit("/", 1)[-1] for p in evidence.paths] == names
        assert medium.read_at(0, 1 << 20) == data
        assert medium.read_at(1020, 10) == data[1020:1030]
        medium.close()


@pytest.mark.parametrize(("cut", "said"), [("d.002", "d.002 has 512 bytes and d.001 has 1024"),
                                           ("d.001", "d.002 (and 1 more parts) has 1024"), ("d.003", "")])
def test_a_part_that_is_shorter_than_the_others_is_said_unless_it_is_the_last(cut: str, said: str, tmp_path: Path) -> None:
    write_parts(tmp_path, ["d.001", "d.002", "d.003"])
    (tmp_path / cut).write_bytes(bytes(512))
    _, medium, warnings = open_evidence(tmp_path / "d.001")
    medium.close()
    assert [said in w for w in warnings] == ([True] if said else [])


def test_a_gap_in_the_parts_is_named(tmp_path: Path) -> None:
    write_parts(tmp_path, ["d.001", "d.003", "d.004"])
    assert "d.002" in refused(tmp_path / "d.001")
    assert "d.002" in refused(tmp_path / "d.004")


def test_missing_first_parts_are_named(tmp_path: Path) -> None:
    write_parts(tmp_path, ["d.003"])
    assert "d.001" in refused(tmp_path / "d.003")
    write_parts(tmp_path, ["e.002", "e.003"])
    assert "e.001" in refused(tmp_path / "e.003")


def test_an_empty_part_is_named(tmp_path: Path) -> None:
    write_parts(tmp_path, ["d.001", "d.002", "d.003"])
    (tmp_path / "d.002").write_bytes(b"")
    assert "d.002 is empty" in refused(tmp_path / "d.001")


def test_a_single_first_part_is_a_raw_image(tmp_path: Path) -> None:
    write_parts(tmp_path, ["d.001"])
    evidence, medium, _ = open_evidence(tmp_path / "d.001")
    medium.close()
    assert evidence.kind == "raw"


def test_parts_with_other_widths_or_stems_are_not_of_the_set(tmp_path: Path) -> None:
    write_parts(tmp_path, ["d.001", "d.002", "d.0003", "e.003", "d.01"])
    assert [p.name for p in find_segments(tmp_path / "d.001")[1]] == ["d.001", "d.002"]


@pytest.mark.parametrize("start", [b"a text file that happens to begin here\n" * 40, b"\xff\xd8\xff\xe0" + bytes(1020),
                                   b"PK\x03\x04" + bytes(1020), b"EVF\x09\x0d\x0a\xff\x00" + bytes(1020)])
def test_a_later_part_may_begin_with_anything(start: bytes, tmp_path: Path) -> None:
    write_parts(tmp_path, ["d.001", "d.002", "d.003"])
    (tmp_path / "d.002").write_bytes(start)
    for name in ("d.001", "d.002", "d.003"):
        evidence, medium, _ = open_evidence(tmp_path / name)
        assert (evidence.kind, len(evidence.paths)) == ("split raw", 3)
        assert medium.read_at(1024, len(start)) == start
        medium.close()


# ---- several paths ---------------------------------------------------------------------------------------------------------


def test_a_shell_pattern_gives_each_medium_once(tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, extensions=THREE)
    write_parts(tmp_path, ["d.001", "d.002"])
    (tmp_path / "one.raw").write_bytes(bytes(1024))
    assert group(sorted(tmp_path.iterdir())) == [tmp_path / "d.001", made.paths[0], tmp_path / "one.raw"]
    assert group(reversed(made.paths)) == [made.paths[0]]


# ---- opened again ----------------------------------------------------------------------------------------------------------


def test_evidence_that_changed_its_size_is_not_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(bytes(4096))
    evidence, medium, _ = open_evidence(path)
    medium.close()
    reopen(evidence).close()
    path.write_bytes(bytes(8192))
    with pytest.raises(EvidenceError, match="has changed"):
        reopen(evidence)


def test_a_set_that_lost_or_gained_a_file_is_not_opened_again(tmp_path: Path) -> None:
    write_parts(tmp_path, ["d.001", "d.002"])
    evidence, medium, _ = open_evidence(tmp_path / "d.001")
    medium.close()
    write_parts(tmp_path, ["d.001", "d.002", "d.003"])
    with pytest.raises(EvidenceError, match="other files"):
        reopen(evidence)
