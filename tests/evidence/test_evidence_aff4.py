"""AFF4: disks in every packing, striped, with gaps; what was not acquired is a read error and said; damage."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from aff4_maker import DISK, METHODS, STREAM, Point, container

from triage.case.store import Case
from triage.cli import run as triage
from triage.errors import EvidenceError
from triage.evidence.aff4turtle import TurtleError, parse_turtle
from triage.evidence.medium import DamagedRangeError
from triage.evidence.opening import open_evidence, reopen
from triage.evidence.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

    from triage.evidence.medium import Medium

SECOND = "aff4://00000004-0000-0000-0000-000000000000"
DATA = random.Random(1).randbytes(20_000) + b"text that packs well " * 3000 + bytes(9000)
SIZE = 200_000
POINTS: list[Point] = [(0, 50_000, 0, STREAM), (60_000, 30_000, 50_000, STREAM), (90_000, 10_000, 0, "SymbolicStreamFF")]
WANTED = (DATA[:50_000] + bytes(10_000) + DATA[50_000:80_000] + b"\xff" * 10_000).ljust(SIZE, b"\0")


def put(folder: Path, data: bytes, name: str = "a.aff4") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def whole(medium: Medium) -> bytes:
    return b"".join(medium.read_at(at, 7000) for at in range(0, medium.size, 7000))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("how", METHODS)
def test_every_packing_gives_the_disk(how: str, packed: bool, tmp_path: Path) -> None:
    evidence, medium, warnings = open_evidence(put(tmp_path, container({STREAM: DATA}, POINTS, SIZE, how=how, packed=packed)))
    assert (evidence.kind, medium.size, warnings) == ("aff4", SIZE, [])
    assert whole(medium) == WANTED
    assert whole(reopen(evidence)) == WANTED
    rng = random.Random(how)
    for _ in range(100):
        at, many = rng.randrange(SIZE), rng.randrange(30_000)
        assert medium.read_at(at, many) == WANTED[at : at + many]


def test_one_from_before_the_standard_is_read(tmp_path: Path) -> None:
    evidence, medium, _ = open_evidence(put(tmp_path, container({STREAM: DATA}, POINTS, SIZE, before=True), "a.af4"))
    assert whole(medium) == WANTED
    assert evidence.kind == "aff4"


def test_its_digests_are_of_what_is_stored_and_are_verified(tmp_path: Path) -> None:
    path = put(tmp_path, container({STREAM: DATA}, POINTS, SIZE))
    evidence, medium, _ = open_evidence(path)
    assert set(evidence.stored_digests) == {"md5 of stream", "sha1 of stream"}
    found = verify(medium, evidence.stored_digests)
    assert found.verdict == "verified"
    assert len(found.computed["sha256"]) == 64
    lied = {**evidence.stored_digests, "sha1 of stream": "0" * 40}
    assert verify(medium, lied).verdict == "mismatch"


def test_what_it_says_of_case_and_disk(tmp_path: Path) -> None:
    more = '<aff4://9> a aff4:CaseNotes ; aff4:caseNumber "7 \\"b\\"" ; aff4:examiner "Ann" ; aff4:notes """two\nlines""" .\n'
    evidence, _, _ = open_evidence(put(tmp_path, container({STREAM: DATA}, POINTS, SIZE, more=more)))
    assert evidence.facts == {"case number": '7 "b"', "examiner": "Ann", "notes": "two\nlines", "model": "ST-506"}


def test_stripes_are_put_together_by_what_they_hold(tmp_path: Path) -> None:
    points: list[Point] = [(0, 40_000, 0, STREAM), (40_000, 40_000, 0, SECOND)]
    other = f"<{SECOND}> a aff4:ImageStream .\n"
    path = put(tmp_path, container({STREAM: DATA[:40_000]}, points, 80_000, more=other), "one.aff4")
    with pytest.raises(EvidenceError, match=r"1 part of one.aff4's container missing"):
        open_evidence(path)
    put(tmp_path, container({f"{SECOND}5": DATA}, [], 512), "aaa.aff4")
    put(tmp_path, b"no archive", "bbb.aff4")
    put(tmp_path, container({SECOND: DATA[40_000:80_000]}, points, 80_000), "two.aff4")
    evidence, medium, _ = open_evidence(path)
    assert [p.rpartition("/")[2] for p in evidence.paths] == ["one.aff4", "two.aff4"]
    assert evidence.kind == "split aff4"
    assert whole(medium) == DATA[:80_000]
    assert set(evidence.stored_digests) == {f"{kind} of stream {n}" for kind in ("md5", "sha1") for n in (1, 2)}
    assert verify(medium, evidence.stored_digests).verdict == "verified"


@pytest.mark.parametrize(
    ("name", "words"), [("UnknownData", "were not acquired"), ("UnreadableData", "could not be read when it was acquired")]
)
def test_what_was_not_acquired_is_a_read_error_and_counted(name: str, words: str, tmp_path: Path) -> None:
    points: list[Point] = [(0, 20_000, 0, STREAM), (20_000, 5000, 0, name), (25_000, 5000, 0, name), (30_000, 20_000, 30_000, STREAM)]
    evidence, medium, warnings = open_evidence(put(tmp_path, container({STREAM: DATA}, points, 50_000)))
    assert warnings == [f"10,000 bytes of the medium {words}"]
    assert medium.read_at(0, 20_000) == DATA[:20_000]
    with pytest.raises(DamagedRangeError, match="acquired") as caught:
        medium.read_at(10_000, 30_000)
    assert (caught.value.offset, caught.value.length) == (20_000, 10_000)
    assert medium.read_at(30_000, 20_000) == DATA[30_000:50_000]
    found = verify(medium, evidence.stored_digests)
    assert (found.verdict, found.unread) == ("incomplete", 10_000)


def test_a_gap_of_the_map_is_what_the_map_says_it_is(tmp_path: Path) -> None:
    _, medium, _ = open_evidence(put(tmp_path, container({STREAM: DATA}, POINTS, SIZE, gap="UnknownData")))
    with pytest.raises(DamagedRangeError, match="not acquired"):
        medium.read_at(50_000, 10)
    assert medium.read_at(60_000, 100) == DATA[50_000:50_100]


def test_a_damaged_chunk_costs_that_chunk(tmp_path: Path) -> None:
    data = bytearray(container({STREAM: DATA}, POINTS, SIZE, how="zlib"))
    at = data.index(b"\x78\x9c")  # the first chunk that packs
    data[at + 2 : at + 9] = b"\xff" * 7
    _, medium, _ = open_evidence(put(tmp_path, bytes(data)))
    lost = 0
    for place in range(0, SIZE, 4096):
        try:
            assert medium.read_at(place, 4096) == WANTED[place : place + 4096]
        except DamagedRangeError as error:
            lost += error.length
    assert 0 < lost <= 8192


def test_a_container_of_files_alone_is_an_archive(tmp_path: Path) -> None:
    text = b"@prefix aff4: <http://aff4.org/Schema#> .\n<aff4://1/a> a aff4:FileImage , aff4:Image ; aff4:size 3 .\n"
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.comment = b"aff4://1"
        archive.writestr(zipfile.ZipInfo("container.description"), "aff4://1")
        archive.writestr(zipfile.ZipInfo("information.turtle"), text)
        archive.writestr(zipfile.ZipInfo("a"), "abc")
    assert open_evidence(put(tmp_path, out.getvalue()))[0].kind == "zip"


def test_a_run_examines_it_and_says_what_is_missing(tmp_path: Path) -> None:
    points: list[Point] = [(0, 80_000, 0, STREAM), (80_000, 20_000, 0, "UnreadableData")]
    path = put(tmp_path, container({STREAM: DATA}, points, 100_352))
    assert triage(["run", str(path), "--case", str(tmp_path / "case"), "-q"]) == 3  # no file system in it: that is said, too
    with Case.open(tmp_path / "case") as case:
        assert any("20,000 bytes of the medium could not be read when it was acquired" in p["message"] for p in case.problems())
    assert triage(["verify", str(path)]) == 3


@pytest.mark.parametrize("size", [1 << 51, 1 << 63])
def test_a_size_that_cannot_be_is_refused(size: int, tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="a size that cannot be"):
        open_evidence(put(tmp_path, container({STREAM: DATA}, POINTS, size)))


def test_turtle_is_read_as_far_as_containers_use_it() -> None:
    text = (
        '@prefix a: <x#> .\n@prefix : <aff4://v> .\n# a note\n: a a:B , a:C ; a:d "e\\u0041\\n" ; a:n 5 .\n'
        '<s> a:hash "1"^^a:MD5 , "2"^^a:SHA1 ; a:t "z"@en .'
    )
    assert parse_turtle(text) == {
        "aff4://v": {"a": ["x#B", "x#C"], "d": ["eA\n"], "n": ["5"]},
        "s": {"hash": ["1", "2"], "hash:MD5": ["1"], "hash:SHA1": ["2"], "t": ["z"]},
    }
    for bad in ('<a> <b> "c', "<a> <b> <c>", "<a <b> ."):
        with pytest.raises(TurtleError):
            parse_turtle(bad)


def test_damage_never_breaks_it(tmp_path: Path) -> None:
    rng, opened = random.Random(4), 0
    for how in ("snappy", "lz4", "deflate"):
        data = container({STREAM: DATA}, POINTS, SIZE, how=how)
        tail = len(data) - 3000
        for _ in range(120):
            mutant = bytearray(data)
            for _ in range(rng.choice((1, 4))):
                at = rng.choice((rng.randrange(len(data)), tail + rng.randrange(3000)))
                mutant[at : at + 4] = rng.choice((rng.randbytes(4), b"\xff" * 4, bytes(4)))
            try:
                evidence, medium, _ = open_evidence(put(tmp_path, bytes(mutant)))
            except EvidenceError:
                continue
            opened += evidence.kind == "aff4"
            for at in (0, 45_000, 88_000, SIZE - 10):
                with suppress(OSError):
                    assert len(medium.read_at(at, 9000)) <= 9000
            medium.close()
    assert opened > 100
    assert DISK.startswith("aff4")
