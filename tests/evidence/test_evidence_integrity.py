"""Evidence is only read, and a change of it is seen: fingerprints, stat facts, identity, how files are opened."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ewf_writer import damage, sample, write_ewf
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.errors import EvidenceError
from triage.evidence import fingerprint
from triage.evidence.fingerprint import EDGE, SAMPLES
from triage.evidence.medium import DamagedRangeError, FileMedium, open_read_only
from triage.evidence.opening import open_evidence
from triage.evidence.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

BIG = 2 * EDGE + SAMPLES * 4096 + 300_000
"""Bytes of a file that is sampled, not taken whole."""


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fingerprint") / "big.raw"
    path.write_bytes(sample(BIG))
    return path


def changed(path: Path, folder: Path, change: Callable[[bytearray], None]) -> Path:
    raw = bytearray(path.read_bytes())
    change(raw)
    other = folder / "changed.raw"
    other.write_bytes(raw)
    return other


# ---- sampled and whole -----------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(where=st.one_of(st.integers(0, EDGE - 1), st.integers(BIG - EDGE, BIG - 1),
                       st.tuples(st.integers(0, SAMPLES - 1), st.integers(0, 4095)).map(
                           lambda at: EDGE + at[0] * ((BIG - 2 * EDGE) // SAMPLES) + at[1])))
def test_any_change_of_the_ends_or_a_sampled_block_is_seen(where: int, big: Path) -> None:
    def change(raw: bytearray) -> None:
        raw[where] ^= 1

    assert fingerprint.sampled([changed(big, big.parent, change)]) != fingerprint.sampled([big])


@settings(max_examples=25, deadline=None)
@given(where=st.integers(0, BIG - 1))
def test_the_whole_digest_sees_any_change(where: int, big: Path) -> None:
    def change(raw: bytearray) -> None:
        raw[where] ^= 1

    assert fingerprint.whole([changed(big, big.parent, change)]) != fingerprint.whole([big])


@pytest.mark.parametrize("size", [1, 511, 512, 4096, 2 * EDGE, 2 * EDGE + SAMPLES * 4096])
def test_small_files_are_taken_whole(size: int, tmp_path: Path) -> None:
    path = tmp_path / "small.raw"
    data = sample(size)
    path.write_bytes(data)
    expected = hashlib.sha256(b"%d;" % size + data).hexdigest()
    assert fingerprint.sampled([path]) == expected


@pytest.mark.parametrize("change", [lambda raw: raw.append(0), lambda raw: raw.pop(), lambda raw: raw.insert(BIG // 2, 7),
                                    lambda raw: raw.__delitem__(slice(BIG // 2, BIG // 2 + 512))])
def test_a_change_of_size_is_seen(change: Callable[[bytearray], None], big: Path, tmp_path: Path) -> None:
    assert fingerprint.sampled([changed(big, tmp_path, change)]) != fingerprint.sampled([big])


def test_a_border_between_parts_that_moved_is_seen(tmp_path: Path) -> None:
    data = sample(4096)
    names = [tmp_path / n for n in "abcd"]
    for path, piece in zip(names, (data[:1024], data[1024:], data[:2048], data[2048:]), strict=True):
        path.write_bytes(piece)
    assert fingerprint.sampled(names[:2]) != fingerprint.sampled(names[2:])
    assert fingerprint.sampled(names[:2]) != fingerprint.sampled([names[1], names[0]])


def test_the_whole_digest_is_that_of_the_files_bytes(big: Path) -> None:
    told: list[int] = []
    assert fingerprint.whole([big, big], told.append) == hashlib.sha256(big.read_bytes() * 2).hexdigest()
    assert sum(told) == 2 * BIG


def test_stat_facts_change_with_a_write_that_keeps_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(bytes(4096))
    before = fingerprint.stat_facts([path])
    assert before[0]["size"] == 4096
    info = path.stat()
    damage(path, 100)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    after = fingerprint.stat_facts([path])
    assert after[0]["mtime_ns"] == before[0]["mtime_ns"]
    assert after != before, "the change time cannot be set back"


def test_a_file_that_is_gone_is_an_evidence_error(tmp_path: Path) -> None:
    for look in (fingerprint.sampled, fingerprint.whole, fingerprint.stat_facts):
        with pytest.raises(EvidenceError, match="cannot be read"):
            look([tmp_path / "gone.raw"])


# ---- identity --------------------------------------------------------------------------------------------------------------


def test_the_id_depends_on_the_bytes_and_not_on_the_path(tmp_path: Path) -> None:
    def identity(path: Path, exhibit: str = "") -> str:
        evidence, medium, _ = open_evidence(path, exhibit=exhibit)
        medium.close()
        return evidence.id

    first = tmp_path / "a.raw"
    first.write_bytes(sample(8192))
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    copy = folder / "quite another name.dd"
    shutil.copy(first, copy)
    os.utime(copy, (1, 1))
    assert identity(first) == identity(copy) == identity(first, exhibit="EX-1")
    damage(copy, 5000)
    assert identity(first) != identity(copy)
    made = write_ewf(tmp_path, sample(8192), extensions=("E01", "E02"))
    moved = folder / "renamed.E01"
    shutil.copy(made.paths[0], moved)
    shutil.copy(made.paths[1], folder / "renamed.E02")
    assert identity(made.paths[0]) == identity(moved)


# ---- read only -------------------------------------------------------------------------------------------------------------


def flags_of(path: Path) -> list[int]:
    """The flags of every descriptor that this process has open on a file."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            if entry.readlink() != path:
                continue
            text = Path("/proc/self/fdinfo", entry.name).read_text()
        except OSError:
            continue
        found.append(int(next(line.split()[1] for line in text.splitlines() if line.startswith("flags:")), 8))
    return found


@pytest.mark.skipif(not Path("/proc/self/fdinfo").is_dir(), reason="needs Linux's /proc")
def test_evidence_is_opened_for_reading_only(tmp_path: Path) -> None:
    raw = tmp_path.resolve() / "disk.raw"
    raw.write_bytes(sample(8192))
    ewf = write_ewf(tmp_path.resolve(), sample(8192), extensions=("E01", "E02")).paths
    for paths in ([raw], ewf):
        _, medium, _ = open_evidence(paths[0])
        medium.read_at(0, 8192)
        for path in paths:
            flags = flags_of(path)
            assert flags, "the medium keeps its files open"
            for flag in flags:
                assert flag & os.O_ACCMODE == os.O_RDONLY
                assert flag & os.O_CLOEXEC, "plugins and helpers must not inherit it"
        medium.close()
        assert not any(flags_of(path) for path in paths), "closed means closed"


def test_the_access_time_stays_where_the_system_allows(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(sample(8192))
    os.utime(path, (1_000_000_000, 2_000_000_000))
    descriptor = open_read_only(path)
    os.read(descriptor, 100)
    os.close(descriptor)
    if hasattr(os, "O_NOATIME") and path.owner() and path.stat().st_uid == os.geteuid():
        assert path.stat().st_atime == 1_000_000_000
    assert path.stat().st_mtime == 2_000_000_000


def test_no_byte_and_no_time_of_the_files_changes(tmp_path: Path) -> None:
    raw = tmp_path / "disk.raw"
    raw.write_bytes(sample(40960))
    paths = [raw, *write_ewf(tmp_path, sample(40960), extensions=("E01", "E02")).paths]
    for path in paths:
        path.chmod(0o444)

    def state() -> list[tuple[str, int, int]]:
        return [(hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns, p.stat().st_ctime_ns) for p in paths]

    before = state()
    listing = sorted(tmp_path.iterdir())
    for path in paths[:2]:
        evidence, medium, _ = open_evidence(path)
        verify(medium, evidence.stored_digests)
        medium.close()
        fingerprint.sampled([path])
        fingerprint.whole([path])
    assert state() == before
    assert sorted(tmp_path.iterdir()) == listing, "nothing is left beside the evidence"


# ---- raw media -------------------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(parts=st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=6), offset=st.integers(0, 400), length=st.integers(0, 400))
def test_parts_are_read_as_one(parts: list[bytes], offset: int, length: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "parts"
    folder.mkdir(exist_ok=True)
    paths = [folder / str(number) for number in range(len(parts))]
    for path, data in zip(paths, parts, strict=True):
        path.write_bytes(data)
    medium = FileMedium(paths)
    assert medium.size == sum(map(len, parts))
    assert medium.read_at(offset, length) == b"".join(parts)[offset : offset + length]
    medium.close()


def test_a_file_that_shrinks_while_it_is_read_is_a_damaged_range(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(bytes(8192))
    medium = FileMedium([path])
    os.truncate(path, 4096)
    assert medium.read_at(0, 4096) == bytes(4096)
    with pytest.raises(DamagedRangeError, match="shorter") as found:
        medium.read_at(0, 8192)
    assert (found.value.offset, found.value.length) == (4096, 4096)
    assert verify(medium, {}).verdict == "incomplete"
    medium.close()
