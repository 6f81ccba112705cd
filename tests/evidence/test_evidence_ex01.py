"""Ex01, the second version of Expert Witness files, as others write it: libewf's ``ewfacquire`` 20260924 (deflate) and the Rust library
``ewf-image`` 0.2.0 (bzip2, chunks of zeros as patterns) wrote the built-in fat12.raw."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import TYPE_CHECKING

import pytest

from triage.case.store import Case
from triage.cli import run as triage
from triage.errors import EvidenceError
from triage.evidence.opening import open_evidence
from triage.evidence.segments import find_segments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def ex01(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "disk.Ex01"
    path.write_bytes((request.path.parent / "fat12.Ex01").read_bytes())
    return path


def test_one_packed_by_bzip2_gives_the_same_bytes(request: pytest.FixtureRequest, image: Callable[[str], Path]) -> None:
    record, medium, warnings = open_evidence(request.path.parent / "fat12-bzip2.Ex01")
    plain = image("fat12.raw").read_bytes()
    assert (medium.read_at(0, medium.size), warnings) == (plain, [])
    assert record.stored_digests["md5"] == hashlib.md5(plain).hexdigest()
    medium.close()


def test_its_bytes_are_the_mediums_and_its_facts_are_told(ex01: Path, image: Callable[[str], Path]) -> None:
    record, medium, warnings = open_evidence(ex01)
    plain = image("fat12.raw").read_bytes()
    assert medium.read_at(0, medium.size) == plain
    assert record.kind == "ewf2"
    assert record.stored_digests == {"md5": hashlib.md5(plain).hexdigest(), "sha1": hashlib.sha1(plain).hexdigest()}
    assert (record.facts["case number"], record.facts["examiner"]) == ("2026-17", "tester")
    assert warnings == []
    medium.close()


def test_a_run_gives_what_the_raw_image_gives(ex01: Path, image: Callable[[str], Path], tmp_path: Path) -> None:
    found = []
    for number, path in enumerate((ex01, image("fat12.raw"))):
        assert triage(["run", str(path), "--case", str(tmp_path / str(number)), "-q"]) == 0
        with Case.open(tmp_path / str(number)) as case:
            found.append([(row["path"], row["state"], row["sha256"]) for row in case.files()])
    assert found[0] == found[1]
    assert len(found[0]) > 10


def test_changed_bytes_are_told_where_they_are_and_cost_one_chunk(ex01: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert triage(["verify", str(ex01)]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "verified"
    data = bytearray(ex01.read_bytes())
    data[len(data) // 2] ^= 1
    ex01.write_bytes(data)
    assert triage(["verify", str(ex01)]) == 3
    said = json.loads(capsys.readouterr().out)
    assert (said["verdict"], said["unread"]) == ("incomplete", 32768)
    assert "an Ex01 chunk is damaged: its checksum is wrong" in said["reasons"][0]
    triage(["run", str(ex01), "--case", str(tmp_path / "case"), "-q"])
    with Case.open(tmp_path / "case") as case:
        assert [row["message"] for row in case.problems()] == ["a directory cannot be listed"]


def test_one_that_is_cut_before_its_tables_is_refused(ex01: Path) -> None:
    ex01.write_bytes(ex01.read_bytes()[:5000])
    with pytest.raises(EvidenceError, match=r"disk\.Ex01: the set holds 0 of 6 chunks \(get a whole copy\)"):
        open_evidence(ex01)


def test_a_later_version_of_the_format_is_refused(ex01: Path) -> None:
    data = bytearray(ex01.read_bytes())
    data[8] = 3
    ex01.write_bytes(data)
    with pytest.raises(EvidenceError, match="is of version 3 of its format, packed by method 1, which is not read"):
        open_evidence(ex01)


def head(number: int, mark: bytes = b"s" * 16) -> bytes:
    return b"EVF2\r\n\x81\0" + struct.pack("<BBHI", 2, 1, 1, number) + mark + bytes(100)


def test_a_set_is_told_by_its_headers_and_the_missing_one_is_named(tmp_path: Path) -> None:
    for name, data in (("a.Ex01", head(1)), ("a.Ex02", head(2)), ("renamed.bin", head(3)), ("other.Ex01", head(1, b"o" * 16)), ("x", b"")):
        (tmp_path / name).write_bytes(data)
    whole = [tmp_path / name for name in ("a.Ex01", "a.Ex02", "renamed.bin")]
    assert find_segments(tmp_path / "a.Ex01")[1] == whole
    assert find_segments(tmp_path / "renamed.bin")[1] == whole
    (tmp_path / "copy of a.Ex02").write_bytes(head(2))
    assert [path.name for path in find_segments(tmp_path / "a.Ex02")[1]] == ["a.Ex01", "a.Ex02", "renamed.bin"]
    (tmp_path / "a.Ex02").unlink()
    (tmp_path / "copy of a.Ex02").unlink()
    with pytest.raises(EvidenceError, match=r"segment 2 of a\.Ex01's set is missing"):
        find_segments(tmp_path / "a.Ex01")


def test_a_header_with_a_number_that_cannot_be_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "a.Ex01").write_bytes(head(0xFFFFFFFF))
    with pytest.raises(EvidenceError, match=r"segment 1, 2, 3, 4, 5 and 4294967289 more of a\.Ex01's set is missing"):
        find_segments(tmp_path / "a.Ex01")
