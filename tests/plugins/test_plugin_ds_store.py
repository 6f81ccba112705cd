"""The Finder's notes of a folder: a real store on a disk image, made ones with inner nodes, left records and comments, damage."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from real_samples import EVIDENCE, findings, item_of, mutants, needs_samples, never_fails, problems, run

from triage.artifacts.dsstore import read_dsstore
from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from triage.plugin import Item

PATH = "vol1/Users/kim/Pictures/.DS_Store"
FILES = [("a.jpg", b"Iloc", b"\0" * 16), ("b.jpg", b"cmmt", "the best one"), ("b.jpg", b"Iloc", b"\0" * 16), ("ä.mov", b"vSrn", 1)]


def record(name: str, what: bytes, value: bytes | str | int) -> bytes:
    raw = name.encode("utf-16-be")
    data = struct.pack(">I", len(raw) // 2) + raw + what
    if isinstance(value, int):
        return data + b"long" + struct.pack(">I", value)
    if isinstance(value, str):
        return data + b"ustr" + struct.pack(">I", len(value)) + value.encode("utf-16-be")
    return data + b"blob" + struct.pack(">I", len(value)) + value


def made(files: list[tuple[str, bytes, bytes | str | int]], old: bytes = b"", inner: int | None = None) -> bytes:
    """A store whose blocks are 0 the root block, 1 the tree's head, 2 a leaf; ``inner``: how many records stand in leaf 3 below node 2."""
    first = [record(*one) for one in files]
    if inner is None:
        node, leaf = struct.pack(">II", 0, len(first)) + b"".join(first), b""
    else:  # leaf 3, a record, and leaf 4 on the right
        node = struct.pack(">III", 4, 1, 3) + first[inner]
        leaf = struct.pack(">II", 0, inner) + b"".join(first[:inner])
        right = struct.pack(">II", 0, len(first) - inner - 1) + b"".join(first[inner + 1 :])
    blocks = [0x800 | 11, 0x20 | 5, 0x1000 | 11]
    parts = {4 + 0x20: struct.pack(">5I", 2, 0, len(first), 1, 0x1000), 4 + 0x1000: (node + old)}
    if inner is not None:
        blocks += [0x1800 | 11, 0x2000 | 11]
        parts |= {4 + 0x1800: leaf, 4 + 0x2000: right}
    root = struct.pack(">II", len(blocks), 0) + b"".join(struct.pack(">I", b) for b in blocks).ljust(1024, b"\0")
    parts[4 + 0x800] = root + struct.pack(">IB4sI", 1, 4, b"DSDB", 1)
    data = bytearray(4 + 0x2800)
    data[:20] = b"\0\0\0\1Bud1" + struct.pack(">3I", 0x800, 0x800, 0x800)
    for at, part in parts.items():
        data[at : at + len(part)] = part
    return bytes(data)


def samples() -> list[Item]:
    return [item_of(made(FILES), PATH)]


def test_names_that_the_finder_showed_and_comments_are_told() -> None:
    said = run("ds_store", item_of(made(FILES), PATH))
    shown, note = findings(said)
    assert shown.kind == "folder-shown"
    assert shown.data["names"] == ["a.jpg", "b.jpg", "ä.mov"]
    assert (shown.data["folder"], shown.data["count"], shown.data["user"]) == ("/Users/kim/Pictures", 3, "kim")
    assert (note.kind, note.data["name"], note.data["text"]) == ("note", "b.jpg", "the best one")
    assert problems(said) == []


def test_a_tree_with_inner_nodes_gives_all_records() -> None:
    records, notes = read_dsstore(made(FILES, inner=1))
    assert sorted(r.name for r in records if not r.left) == sorted(f[0] for f in FILES)
    assert notes == ()


def test_records_no_longer_in_use_are_marked() -> None:
    said = run("ds_store", item_of(made(FILES, old=record("gone.jpg", b"Iloc", b"\0" * 16)), PATH))
    assert findings(said)[0].data["names_left"] == ["gone.jpg"]
    assert "1 more names" in findings(said)[0].title


def test_a_store_with_a_broken_tree_gives_what_is_left_and_says_so() -> None:
    data = bytearray(made(FILES))
    data[8:12] = b"\x7f\0\0\0"
    said = run("ds_store", item_of(bytes(data), PATH))
    assert findings(said, "folder-shown")[0].data["names_left"] == ["a.jpg", "b.jpg", "ä.mov"]
    assert "damaged" in problems(said)[0].message


def test_many_names_are_cut_and_that_is_said() -> None:
    text = b"".join(record(f"{n:05d}", b"vSrn", 1) for n in range(2100))
    said = run("ds_store", item_of(made([]) + text, PATH))
    assert len(findings(said)[0].data["names_left"]) == 2000
    assert "2,100 names" in problems(said)[0].message


def test_what_is_none_is_said() -> None:
    assert "cannot be read" in problems(run("ds_store", item_of(b"no store at all", PATH)))[0].message
    assert run("ds_store", item_of(b"\0" * 100, PATH)) == []
    with pytest.raises(StructureError):
        read_dsstore(b"")


def test_damage_never_breaks_it() -> None:
    for data in mutants(made(FILES, inner=2), 300):
        never_fails("ds_store", item_of(data, PATH))


class TestRealSamples:
    pytestmark = needs_samples

    def test_a_real_store_on_a_disk_image_is_read_whole(self) -> None:
        image = (EVIDENCE / "images" / "strelka" / "test.dmg").read_bytes()
        data = image[(at := image.index(b"\0\0\0\1Bud1")) : at + 16388]
        said = run("ds_store", item_of(data, PATH))
        assert problems(said) == []
        assert findings(said)[0].data["names"] == [".background.png", ".DS_Store", ".VolumeIcon.icns", "Install Flash Player"]
        records, _ = read_dsstore(data)
        assert [(r.name, r.what) for r in records] == [  # as ds_store 1.3 reads it
            (".", "bwsp"),
            (".", "icvp"),
            (".background.png", "Iloc"),
            (".DS_Store", "Iloc"),
            (".VolumeIcon.icns", "Iloc"),
            ("Install Flash Player", "Iloc"),
        ]

    def test_a_real_store_of_an_empty_folder_says_nothing(self) -> None:
        data = (EVIDENCE / "types" / "magika" / "mitra_candidates" / "DS_Store").read_bytes()
        assert run("ds_store", item_of(data, PATH)) == []
