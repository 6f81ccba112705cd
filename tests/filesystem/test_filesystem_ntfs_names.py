"""NTFS names that TSK cuts at a NUL or at half a surrogate pair are told apart and kept whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_support import Walked

from triage.evidence.opening import open_evidence
from triage.filesystem.ntfsname import is_whole, may_look_like, units, wide_to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from triage.model import Entry

HOLIDAY = "vol1/Users/alex/Pictures/Holiday/"


def renamed(source: Path, target: Path, changes: Mapping[str, str]) -> Path:
    """Write the medium with names of the same length in the MFT and in the indexes."""
    _, medium, _ = open_evidence(source)
    raw = bytearray(medium.read_at(0, medium.size))
    for old, new in changes.items():
        before, after = old.encode("utf-16-le"), new.encode("utf-16-le", "surrogatepass")
        assert len(before) == len(after)
        assert raw.count(before) >= 2
        raw = raw.replace(before, after)
    target.write_bytes(raw)
    return target


@pytest.fixture(scope="module")
def hostile(image: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Walked:
    changes = {
        "IMG_0002.jpg": "IMG_\x00002.jpg", "IMG_0003.jpg": "IMG_\x00003.jpg", "IMG_0004.jpg": "IMG_\ud800004.jpg",
        "IMG_0005.jpg": "IMG_\udc00005.jpg", "notes.txt": "note^.txt", "report.pdf": "\U0001f600port.pdf",
        "photo.jpg": "\ud800\U00010400to.jpg"}
    return Walked(renamed(image("ntfs.E01"), tmp_path_factory.mktemp("names") / "names.raw", changes))


def names(entries: list[Entry], folder: str) -> dict[str, bytes | None]:
    return {e.path.removeprefix(folder): e.name_raw for e in entries if e.path.startswith(folder)}


def test_two_names_that_are_cut_alike_are_two_names(hostile: Walked) -> None:
    found = names(hostile.entries, HOLIDAY)
    assert found["IMG_\\x00002.jpg"] == b"IMG_\x00002.jpg"
    assert found["IMG_\\x00003.jpg"] == b"IMG_\x00003.jpg"
    assert "IMG_" not in found
    same = [e for e in hostile.entries if e.path.startswith(f"{HOLIDAY}IMG_\\x00")]
    assert len({e.id for e in same}) == len({e.meta_addr for e in same}) == 2


def test_half_a_pair_is_kept_as_three_bytes_and_shown_as_an_escape(hostile: Walked) -> None:
    found = names(hostile.entries, HOLIDAY)
    assert found["IMG_\\ud800004.jpg"] == b"IMG_\xed\xa0\x80004.jpg"
    assert found["IMG_\\udc00005.jpg"] == b"IMG_\xed\xb0\x80005.jpg", "a deleted one"
    documents = names(hostile.entries, "vol1/Users/alex/Documents/")
    assert documents["\\ud800\U00010400to.jpg"] == b"\xed\xa0\x80\xf0\x90\x90\x80to.jpg"


def test_what_only_looks_like_it_stays_as_it_is(hostile: Walked) -> None:
    documents = names(hostile.entries, "vol1/Users/alex/Documents/")
    assert documents["note^.txt"] is None
    assert documents["\U0001f600port.pdf"] is None


def test_the_content_is_the_files_own(hostile: Walked, image: Callable[[str], Path]) -> None:
    usual = Walked(image("ntfs.E01"))
    for old, new in (("IMG_0002.jpg", "IMG_\\x00002.jpg"), ("IMG_0003.jpg", "IMG_\\x00003.jpg")):
        assert hostile.md5(hostile.at(HOLIDAY + new)) == usual.md5(usual.at(HOLIDAY + old))


def test_every_other_name_is_what_it_was(hostile: Walked, image: Callable[[str], Path]) -> None:
    usual = Walked(image("ntfs.E01"))
    renamed_ones = {f"{HOLIDAY}IMG_000{n}.jpg" for n in (2, 3, 4, 5)}
    renamed_ones |= {f"vol1/Users/alex/Documents/{n}" for n in ("notes.txt", "report.pdf", "photo.jpg")}
    assert {e.path for e in usual.entries} - {e.path for e in hostile.entries} == renamed_ones
    assert len(usual.entries) == len(hostile.entries)
    assert not [p.message for p in hostile.problems if "another name" in p.message]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=40))
def test_any_utf_16_comes_back_from_its_bytes(code_units: list[int]) -> None:
    raw = b"".join(u.to_bytes(2, "little") for u in code_units)
    text = wide_to_bytes(raw)
    assert text.decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass") == raw
    text_has_what_tsk_lacks = any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text.decode("utf-8", "surrogatepass"))
    if not text_has_what_tsk_lacks:
        assert units(text) == len(code_units)
        assert is_whole(text, {66 + 2 * len(code_units)}) == (b"^" not in text)
        assert not may_look_like(text, text)
    else:
        cut = text.decode("utf-8", "surrogatepass").partition("\0")[0]
        if not any("\ud800" <= c <= "\udfff" for c in cut):
            assert may_look_like(text, cut.encode())
            assert not is_whole(cut.encode(), {66 + 2 * len(code_units)})
