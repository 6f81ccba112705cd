"""L01 and Lx01: files, folders, streams and times as libewf reads them; what is sparse, cut or damaged is said."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING

import pyewf
import pytest
from l01_maker import MADE, OLD_TYPES, TYPES, File, write_l01, write_lx01

from triage.case.store import Case
from triage.cli import run as triage
from triage.errors import EvidenceError
from triage.evidence.opening import open_evidence
from triage.filesystem.trees.tree import Fault, Named
from triage.logical.l01 import L01Error, L01Tree
from triage.model import Kind, TimeBasis

if TYPE_CHECKING:
    from pathlib import Path

    from triage.evidence.medium import Medium

NOISE = random.Random(2).randbytes(30_000)
STREAM, SPARSE, DELETED = str(0x2000), str(0x4000000), str(0x80)


def files() -> list[File]:
    users = [
        File("hello.txt", b"hello from here\n"),
        File("noise ü.bin", NOISE),
        File("empty"),
        File("hello.txt·Zone.Identifier", b"[ZoneTransfer]", values={"opr": STREAM}),
        File("gone.txt", b"deleted", values={"opr": DELETED}),
    ]
    return [File("C", folder=True, below=[File("Users", folder=True, below=users), File("last", b"the last one")])]


def listed(path: Path) -> tuple[dict[str, Named], list[Fault], Medium]:
    _, medium, _ = open_evidence(path)
    said = list(L01Tree(medium, 0, medium.size).names())
    names = {
        b"/".join(one.path).decode() + (f":{one.stream.decode()}" if one.stream else ""): one for one in said if isinstance(one, Named)
    }
    return names, [one for one in said if isinstance(one, Fault)], medium


def content(medium: Medium, one: Named) -> bytes:
    return b"".join(medium.read_at(at, length) if at is not None else bytes(length) for at, length in one.runs)


def of_libewf(*paths: Path) -> dict[str, bytes]:
    handle = pyewf.handle()
    handle.open([str(path) for path in paths])
    found: dict[str, bytes] = {}

    def walk(entry: pyewf.file_entry, above: str) -> None:
        for number in range(entry.get_number_of_sub_file_entries()):
            below = entry.get_sub_file_entry(number)
            name = f"{above}/{below.get_name()}".lstrip("/")
            found[name] = below.read_buffer(below.get_size()) if below.get_size() else b""
            walk(below, name)

    walk(handle.get_root_file_entry(), "")
    handle.close()
    return found


@pytest.mark.parametrize("types", [TYPES, OLD_TYPES], ids=["EnCase 7", "EnCase 5"])
def test_every_file_is_as_libewf_reads_it(types: list[str], tmp_path: Path) -> None:
    path = write_l01(tmp_path / "a.L01", files(), types=types)
    names, faults, medium = listed(path)
    assert faults == []
    ours = {name.replace(":", "·"): content(medium, one) for name, one in names.items()}
    assert ours == of_libewf(path)
    assert ours["C/Users/noise ü.bin"] == NOISE
    one = names["C/Users/hello.txt"]
    assert (one.crtime, one.atime, one.mtime) == (MADE * 10**9, (MADE + 1) * 10**9, (MADE + 2) * 10**9)
    assert names["C/Users/gone.txt"].deleted


@pytest.mark.parametrize("extensions", [("Lx01",), ("Lx01", "Lx02")])
def test_every_file_of_the_second_version_is_as_libewf_reads_it(extensions: tuple[str, ...], tmp_path: Path) -> None:
    path = write_lx01(tmp_path, files(), extensions=extensions)
    names, faults, medium = listed(path)
    assert faults == []
    ours = {name.replace(":", "·"): content(medium, one) for name, one in names.items()}
    assert ours == of_libewf(*sorted(tmp_path.glob("*.Lx0*")))
    assert ours["C/Users/noise ü.bin"] == NOISE
    assert names["C/Users/gone.txt"].deleted


@pytest.mark.parametrize("name", ["ewf-image.L01", "ewf-image-zlib.Lx01", "ewf-image-bzip2.Lx01", "ewf-image-split.Lx01"])
def test_images_that_others_wrote(name: str, request: pytest.FixtureRequest) -> None:
    """The Rust library ``ewf-image`` 0.2.0 wrote them; libewf 20260924 refuses them (no line feed ends the list, bzip2, two lists)."""
    names, faults, medium = listed(request.path.parent / name)
    assert faults == []
    found = {name: content(medium, one) for name, one in names.items() if one.kind is Kind.FILE}
    assert found == {
        "Users/note.txt": b"hello logical\n",
        "Users/zero.dat": b"",
        "Users/Ünï – ж/Pictures/noise.bin": random.Random(5).randbytes(3000),
        "text.txt": b"line of text\n" * 4000,
        "zeros.bin": bytes(70000),
    }
    assert {name for name, one in names.items() if one.kind is Kind.DIRECTORY} == {
        "Users", "Users/Ünï – ж", "Users/Ünï – ж/Pictures", "empty"
    }  # fmt: skip
    one = names["text.txt"]
    assert (one.mtime, one.time_basis) == (1_709_294_400 * 10**9, TimeBasis.UTC)
    assert (one.crtime, one.ctime) == ((1_600_000_000 + one.address + 1) * 10**9, (1_700_000_000 + one.address + 1) * 10**9)


def test_digests_that_are_not_compared_are_facts(request: pytest.FixtureRequest) -> None:
    for name in ("ewf-image.L01", "ewf-image-zlib.Lx01"):
        record, medium, warnings = open_evidence(request.path.parent / name)
        medium.close()
        assert (record.stored_digests, warnings) == ({}, [])
        assert record.facts["noted md5 (not compared)"] == "fc7dc8b420655bdb779f88afc2447569"


def test_one_of_the_second_version_that_is_cut_is_said(tmp_path: Path) -> None:
    path = write_lx01(tmp_path, files())
    data = path.read_bytes()
    path.write_bytes(data[: data.index("entry".encode("utf-16-le"))])
    record, medium, warnings = open_evidence(path)
    medium.close()
    assert any("its chain of sections breaks" in one for one in warnings)
    assert record.kind == "lx01"


def test_a_list_of_the_second_version_that_is_damaged_is_said(tmp_path: Path) -> None:
    path = write_lx01(tmp_path, files())
    data = bytearray(path.read_bytes())
    at = data.index("hello.txt".encode("utf-16-le"))
    data[at] ^= 1
    path.write_bytes(data)
    names, faults, _ = listed(path)
    assert [fault.message for fault in faults] == ["the list of files is damaged: its digest is wrong"]
    assert "C/Users/iello.txt" in names


def test_names_with_line_feeds_and_tabs_in_them(tmp_path: Path) -> None:
    names, _, _ = listed(write_lx01(tmp_path, [File("a\1b\3c.txt", b"x")]))
    assert list(names) == ["a\nb\tc.txt"]


def test_a_damaged_chunk_of_the_second_version_costs_the_files_in_it(tmp_path: Path) -> None:
    path = write_lx01(tmp_path, files())
    data = bytearray(path.read_bytes())
    at = data.index(NOISE[12_288:12_298])  # in the middle of it, in a chunk that is not packed
    data[at] ^= 1
    path.write_bytes(data)
    assert triage(["run", str(path), "--case", str(tmp_path / "case"), "-q"]) in (0, 1)
    with Case.open(tmp_path / "case") as case:
        rows = {row["path"]: row for row in case.files()}
    assert rows["vol1/C/Users/hello.txt"]["md5"]
    assert not rows["vol1/C/Users/noise ü.bin"]["md5"]


def test_a_run_reads_its_files(tmp_path: Path) -> None:
    path = write_l01(tmp_path / "a.L01", files())
    assert triage(["run", str(path), "--case", str(tmp_path / "case"), "-q"]) == 0
    with Case.open(tmp_path / "case") as case:
        rows = {row["path"]: row for row in case.files()}
        (volume,) = case.volumes()
        assert (volume["file_system"], case.evidence()[0]["kind"]) == ("L01 image", "l01")
        assert case.evidence()[0]["facts"]["examiner"] == "R. Examiner"
    assert (rows["vol1/C/last"]["size"], len(rows["vol1/C/last"]["md5"])) == (12, 32)
    assert rows["vol1/C/Users/hello.txt:Zone.Identifier"]["kind"] == "stream"
    assert rows["vol1/C/Users/gone.txt"]["state"] != "allocated"
    assert {row["state"] for row in rows.values()} == {"allocated", "deleted"}


def test_what_is_one_byte_over_and_over(tmp_path: Path) -> None:
    sparse = {"opr": SPARSE, "ls": "5000"}
    made = [
        File("zeros", b"\0", values=sparse),
        File("letters", b"x", values=sparse),
        File("other", b"\0", values={**sparse, "ls": "10", "du": "2"}),
        File("data", b"0123456789abcdef"),
    ]
    names, faults, medium = listed(write_l01(tmp_path / "a.L01", made))
    assert content(medium, names["zeros"]) == bytes(5000)
    assert names["letters"].readable is False
    assert [(f.path, f.message) for f in faults] == [
        ((b"letters",), "the bytes of a file cannot be had: it is one byte over and over, which is not read")
    ]
    assert content(medium, names["other"])[1:] == b"012345678"


def test_stretches_that_cannot_be_are_said(tmp_path: Path) -> None:
    bad = {"far": "1 ffffff 10", "none": "", "few": "1 0 1", "odd": "1 0", "words": "x y z"}
    made = [File(name, b"0123456789", values={"be": value}) for name, value in bad.items()]
    names, faults, _ = listed(write_l01(tmp_path / "a.L01", made))
    assert not any(one.readable for one in names.values())
    assert len(faults) == 5


def test_a_list_that_is_cut_gives_what_is_there_and_says_how_much_is_missing(tmp_path: Path) -> None:
    names, faults, _ = listed(write_l01(tmp_path / "a.L01", files(), cut=-900))
    assert "C/Users" in names
    assert any("breaks off" in fault.message for fault in faults)


def test_without_a_list_it_is_refused(tmp_path: Path) -> None:
    path = write_l01(tmp_path / "a.L01", files())
    data = bytearray(path.read_bytes())
    at = data.index("entry".encode("utf-16-le") + b"\n\0")
    data[at : at + 10] = "ENTRY".encode("utf-16-le")
    path.write_bytes(data)
    _, medium, _ = open_evidence(path)
    with pytest.raises(L01Error, match="its list of files is damaged: its digest is wrong"):
        L01Tree(medium, 0, medium.size)
    assert triage(["run", str(path), "--case", str(tmp_path / "case"), "-q"]) == 3


def test_damage_never_breaks_it(tmp_path: Path) -> None:
    data, rng, opened = write_l01(tmp_path / "a.L01", files()).read_bytes(), random.Random(5), 0
    for _ in range(300):
        mutant = bytearray(data)
        for _ in range(rng.choice((1, 4))):
            at = rng.randrange(len(data) - 4)
            mutant[at : at + 4] = rng.choice((rng.randbytes(4), b"\xff" * 4, bytes(4), b"9\0\t\0", b"\n\0\n\0"))
        (tmp_path / "b.L01").write_bytes(mutant)
        with suppress(EvidenceError, L01Error, OSError):
            if open_evidence(tmp_path / "b.L01")[0].kind != "l01":
                continue
            names, _, medium = listed(tmp_path / "b.L01")
            opened += 1
            for one in names.values():
                with suppress(OSError):
                    content(medium, one)
    assert opened > 50
