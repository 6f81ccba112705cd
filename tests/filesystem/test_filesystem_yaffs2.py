"""YAFFS2 of old Android phones: a NAND dump that YAFFS's own code wrote (``bench/yaffs2.sh``), with what it deleted and renamed."""

from __future__ import annotations

import hashlib
import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.case.store import Case
from triage.commands.progress import Silent
from triage.engine.run import RunOptions, run
from triage.filesystem.yaffsname import YaffsNames
from triage.priority.profile import load_profile


def written(size: int, seed: int) -> bytes:
    """Return the bytes that the maker of the image wrote."""
    return b"".join(bytes([ord("a") + (seed + number) % 26]) * 4096 for number in range(-(-size // 4096)))[:size]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("yaffs2")
    image = folder / "mtd5.bin"
    image.write_bytes(lzma.decompress((Path(__file__).parent / "yaffs2.img.xz").read_bytes()))
    run(RunOptions(evidence=(image,), case=folder / "case", profile=load_profile("full")), Silent())
    return folder / "case"


def test_files_have_the_bytes_that_were_written_last(case: Path) -> None:
    with Case.open(case) as opened:
        assert [v["file_system"] for v in opened.volumes()] == ["YAFFS2"]
        found = {row["path"]: row["md5"] for row in opened.files(where="kind=file and state=allocated")}
        links = [(row["path"], row["link_target"]) for row in opened.files(where="kind=link")]
    assert found == {
        f"vol1/data/{name}": hashlib.md5(written(size, seed)).hexdigest()
        for name, size, seed in (
            ("one.txt", 10, 0),
            ("again.txt", 5000, 3),
            ("new name.jpg", 20000, 9),
            ("pictures/two.jpg", 50000, 1),
        )
    }
    assert links == [("vol1/data/link", "pictures/two.jpg")]


def test_what_was_deleted_and_renamed_is_found_by_its_own_name(case: Path) -> None:
    with Case.open(case) as opened:
        gone = list(opened.files(where="kind=file and state=deleted"))
    assert sorted((row["path"], row["size"]) for row in gone) == [
        ("vol1/data/pictures/gone.jpg", 0),
        ("vol1/data/pictures/gone.jpg", 30000),
        ("vol1/data/pictures/old.jpg", 0),
    ]
    (whole,) = [row for row in gone if row["size"]]
    assert (whole["recoverability"], whole["md5"]) == ("intact", hashlib.md5(written(30000, 5)).hexdigest())
    assert len({row["id"] for row in gone}) == 3


@given(st.binary(min_size=1, max_size=30), st.integers(1, (1 << 18) - 1), st.integers(0, 100))
def test_only_the_mark_of_the_object_itself_is_taken_off(name: bytes, number: int, version: int) -> None:
    names = YaffsNames()
    _, dot, extension = name.rpartition(b".")
    marked = name + b"#%d,%d" % (number, version) + dot + extension * bool(dot)
    assert names.exact(version << 18 | number, marked) == (name, False)
    assert names.exact(version << 18 | number + 1, marked) == (marked, True)
    assert names.exact(version << 18 | number, b"plain.jpg") == (b"plain.jpg", True)
