"""FAT and exFAT names keep their bytes where TSK cuts them or has no letter for them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_support import Walked

from triage.evidence.opening import open_evidence
from triage.filesystem.dosname import DosNames

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

from fat_image import make_fat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def changed(source: Path, target: Path, changes: Mapping[str, str]) -> Walked:
    _, medium, _ = open_evidence(source)
    raw = bytearray(medium.read_at(0, medium.size))
    for old, new in changes.items():
        before, after = old.encode("utf-16-le"), new.encode("utf-16-le", "surrogatepass")
        assert len(before) == len(after)
        assert raw.count(before) == 1
        raw = raw.replace(before, after)
    target.write_bytes(raw)
    return Walked(target)


def names(walked: Walked, folder: str) -> dict[str, bytes | None]:
    return {e.path.removeprefix(folder): e.name_raw for e in walked.entries if e.path.startswith(folder)}


def test_exfat_names_with_nul_or_half_a_pair_are_whole_and_told_apart(image: Callable[[str], Path], tmp_path: Path) -> None:
    found = changed(image("exfat.raw"), tmp_path / "names.raw", {
        "IMG_0001.jpg": "IMG_\ud800001.jpg", "IMG_0002.png": "IMG_\x00002.png", "IMG_0003.jpg": "IMG_\x00003.jpg",
        "IMG_0004.jpg": "IMG_\udc00004.jpg", "table.xlsx": "ta^le.xlsx"})
    pictures = names(found, "vol1/DCIM/100DEMO/")
    assert pictures == {
        "IMG_\\ud800001.jpg": b"IMG_\xed\xa0\x80001.jpg", "IMG_\\x00002.png": b"IMG_\x00002.png", "IMG_\\x00003.jpg": b"IMG_\x00003.jpg",
        "IMG_\\udc00004.jpg": b"IMG_\xed\xb0\x80004.jpg"}
    assert names(found, "vol1/Documents/")["ta^le.xlsx"] is None
    usual = Walked(image("exfat.raw"))
    assert found.md5(found.at("vol1/DCIM/100DEMO/IMG_\\x00003.jpg")) == usual.md5(usual.at("vol1/DCIM/100DEMO/IMG_0003.jpg"))


def test_a_long_fat_name_with_half_a_pair_is_whole(image: Callable[[str], Path], tmp_path: Path) -> None:
    found = changed(image("fat32.E01"), tmp_path / "names.raw", {"a lon": "a \ud800on"})
    assert names(found, "vol1/Pictures/Autumn in the mountains/")["a \\ud800ong name of a picture.jpg"] == (
        b"a \xed\xa0\x80ong name of a picture.jpg")


def test_bytes_of_a_code_page_are_kept_and_shown_as_before(tmp_path: Path) -> None:
    raw = make_fat({"CAFX.TXT": b"one", "CAFY.TXT": b"two", "GONX.TXT": b"gone", "PLAIN.TXT": b"plain", "HAT^.TXT": b"hat"},
                   frozenset({"GONX.TXT"}))
    for old, new in ((b"CAFX", b"CAF\x82"), (b"CAFY", b"CAF\x8a"), (b"\xe5ONX", b"\xe5ON\xa4")):
        raw = raw.replace(old + b"    TXT", new + b"    TXT")
    (tmp_path / "fat.raw").write_bytes(raw)
    found = [(e.name, e.name_raw) for e in Walked(tmp_path / "fat.raw").entries if e.name.endswith(".TXT")]
    assert sorted(found, key=str) == sorted([
        ("CAF^.TXT", b"CAF\x82.TXT"), ("CAF^.TXT", b"CAF\x8a.TXT"), ("_ON^.TXT", b"_ON\xa4.TXT"), ("PLAIN.TXT", None), ("HAT^.TXT", None)],
        key=str)


@pytest.mark.parametrize("name", ["exfat.raw", "fat32.E01", "fat12.raw"])
def test_sound_images_have_the_names_that_they_had(name: str, image: Callable[[str], Path]) -> None:
    assert not [e.path for e in Walked(image(name)).entries if e.name_raw is not None and e.name_raw.isascii()]


class Slots:
    """Directory entries that are any bytes."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def slots(self, address: int, count: int) -> bytes:
        return self._raw[address * 32 : (address + count) * 32] if address >= 0 else b""


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=0, max_size=32 * 24), st.integers(0, 24), st.binary(max_size=12), st.booleans())
def test_any_entries_give_a_name(raw: bytes, address: int, text: bytes, exfat: bool) -> None:
    given_text = text.decode("utf-8", "ignore").encode() + b"^"
    stored, keep = DosNames(Slots(raw), exfat=exfat).exact(address, given_text)  # type: ignore[arg-type]
    assert isinstance(stored, bytes)
    assert len(stored) <= 3 * 260
    assert not keep or stored != given_text
