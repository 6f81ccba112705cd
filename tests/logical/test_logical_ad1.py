"""AccessData's logical images: real ones, whose files have the digests that FTK noted; made ones of several segments; damage."""

from __future__ import annotations

import hashlib
import random
import struct
import sys
import zlib
from pathlib import Path

import pytest

from triage.case.store import Case
from triage.cli import run as triage
from triage.errors import EvidenceError
from triage.evidence.ad1 import SEGMENT
from triage.evidence.opening import open_evidence
from triage.filesystem.trees.tree import Fault, Named
from triage.logical.ad1 import Ad1Error, Ad1Tree
from triage.model import Kind

sys.path.append(str(Path(__file__).resolve().parents[1] / "evidence"))
from evidence_bytes import Bytes

REAL = {
    "ad1_test.ad1": {"doc1.txt": "863aab5ccfc1f0d630edc81667f97f19", "doc2.txt": "f17e1fe542b99baec497d47e896dd4cd"},
    "ad1_test_compressed.ad1": {"doc1.txt": "863aab5ccfc1f0d630edc81667f97f19", "doc2.txt": "f17e1fe542b99baec497d47e896dd4cd"},
    "ad1_long.ad1": {
        "Een nog langere bestandsnaam met nog meer tekens en 12345.txt": "8b8878b091303d43c7383cbf6759243b",
        "een lange filenaam 1 met spaties.txt": "5d751956c379bf407749569bd801c19b",
    },
}
LONG = b"".join(b"%06d\n" % n for n in range(40_000))
GONE = b"deleted before it was imaged"


class Writer:
    """Writes an image's body: entries, attributes and pieces where they fall."""

    def __init__(self) -> None:
        self.data = bytearray(0x5C) + b"C:\\"
        self.piece = 65_536

    def put(self, raw: bytes) -> int:
        place = len(self.data)
        self.data += raw
        return place

    def attributes(self, values: dict[int, str]) -> int:
        following = 0
        for number, text in reversed(values.items()):
            raw = text.encode()
            following = self.put(struct.pack("<QIII", following, 5, number, len(raw)) + raw)
        return following

    def content(self, data: bytes) -> int:
        pieces = [zlib.compress(data[at : at + self.piece]) for at in range(0, len(data), self.piece)]
        at = len(self.data) + 8 * (len(pieces) + 2)
        table = [at + sum(map(len, pieces[:n])) for n in range(len(pieces) + 1)]
        return self.put(struct.pack(f"<Q{len(table)}Q", len(pieces), *table) + b"".join(pieces))

    def entry(
        self, name: str, *, beside: int = 0, child: int = 0, data: bytes = b"", kind: int = 0, values: dict[int, str] | None = None
    ) -> int:
        raw, attributes = name.encode(), self.attributes(values or {})
        content = self.content(data) if data else 0
        return self.put(struct.pack("<5QII", beside, child, attributes, content, len(data), kind, len(raw)) + raw + bytes(8))

    def image(self, first: int) -> bytes:
        head = b"ADLOGICALIMAGE\0\0" + struct.pack("<IIIQQI", 4, 1, self.piece, 0, first, 3)
        self.data[: len(head)] = head
        return bytes(self.data)


def body() -> bytes:
    made = Writer()
    gone = made.entry("gone.txt", data=GONE, values={0x1E: "false", 9: "20200101T000000"})
    empty = made.entry("empty", beside=gone)
    long = made.entry(
        "long.txt",
        beside=empty,
        data=LONG,
        values={7: "20200102T030405.5", 8: "20200101T000000.123456", 9: "20200103T000001", 0x2002: "501"},
    )
    deep = made.entry("deep", child=long, kind=5)
    return made.image(made.entry("C:\\Users\\kim", child=deep, kind=5))


def segmented(folder: Path, data: bytes, count: int = 1) -> Path:
    size = -(-len(data) // count)
    for number in range(count):
        head = (SEGMENT + struct.pack("<IIIIQI", 1, 2, number + 1, count, 1 << 30, 512)).ljust(512, b"\0")
        (folder / f"image.ad{number + 1}").write_bytes(head + data[number * size : (number + 1) * size])
    return folder / "image.ad1"


def listed(data: bytes) -> tuple[Ad1Tree, dict[str, Named], list[str]]:
    tree = Ad1Tree(Bytes(data), 0, len(data))
    said = list(tree.names())
    names = {b"/".join(one.path).decode("utf-8", "replace"): one for one in said if isinstance(one, Named)}
    return tree, names, [one.message for one in said if isinstance(one, Fault)]


@pytest.mark.parametrize(("name", "digests"), REAL.items(), ids=REAL)
def test_files_of_real_images_have_the_digests_that_were_noted(
    name: str, digests: dict[str, str], evidence_root: Path, tmp_path: Path
) -> None:
    image = evidence_root / "images/dissect.evidence" / name
    assert triage(["run", str(image), "--case", str(tmp_path / "case"), "-q"]) == 0
    with Case.open(tmp_path / "case") as case:
        rows = {row["path"].removeprefix("vol1/"): row for row in case.files() if row["kind"] == "file"}
        assert case.evidence()[0]["kind"] == "ad1"
    assert {path: row["md5"] for path, row in rows.items()} == digests
    raw = image.read_bytes()
    assert all(row["sha1"].encode() in raw for row in rows.values())  # which FTK noted, too
    if "doc1.txt" in rows:
        assert (rows["doc1.txt"]["mtime"], rows["doc1.txt"]["crtime"]) == ("2017-03-31T18:02:49.722616Z", "2017-03-31T18:02:31.189682Z")


def test_folders_times_and_deleted_files() -> None:
    tree, names, faults = listed(body())
    assert faults == []
    assert tree.checked
    assert list(names) == [
        "C:", "C:/Users", "C:/Users/kim", "C:/Users/kim/deep", "C:/Users/kim/deep/long.txt", "C:/Users/kim/deep/empty",
        "C:/Users/kim/deep/gone.txt",
    ]  # fmt: skip
    one = names["C:/Users/kim/deep/long.txt"]
    assert (one.mtime, one.atime, one.crtime) == (1578009601 * 10**9, 1577934245_500000000, 1577836800_123456000)
    assert one.uid == 501
    assert names["C:/Users/kim/deep"].kind is Kind.DIRECTORY
    assert names["C:/Users/kim/deep/gone.txt"].deleted
    assert tree.open(names["C:/Users/kim/deep/gone.txt"].address)(0, 999) == GONE
    assert tree.open(names["C:/Users/kim/deep/empty"].address)(0, 999) == b""


def test_bytes_at_any_place() -> None:
    tree, names, _ = listed(body())
    read_at = tree.open(names["C:/Users/kim/deep/long.txt"].address)
    for offset, length in ((0, len(LONG) + 9), (65_530, 12), (131_072, 1), (len(LONG) - 3, 99), (len(LONG), 5)):
        assert read_at(offset, length) == LONG[offset : offset + length]


def test_several_segments_are_one_image(tmp_path: Path) -> None:
    path = segmented(tmp_path, body(), 3)
    evidence, medium, _ = open_evidence(path)
    assert (evidence.kind, medium.size, len(evidence.paths)) == ("split ad1", len(body()), 3)
    assert triage(["run", str(tmp_path / "image.ad2"), "--case", str(tmp_path / "case"), "-q"]) == 0
    with Case.open(tmp_path / "case") as case:
        rows = {row["path"]: row["md5"] for row in case.files() if row["md5"]}
    assert rows["vol1/C:/Users/kim/deep/long.txt"] == hashlib.md5(LONG, usedforsecurity=False).hexdigest()
    (tmp_path / "image.ad2").unlink()
    with pytest.raises(EvidenceError, match=r"segment image\.ad2 of image\.ad1's set is missing"):
        open_evidence(path)


def test_what_is_encrypted_or_cut_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.ad1"
    path.write_bytes(b"ADCRYPT\0" + bytes(600))
    with pytest.raises(EvidenceError, match="encrypted AccessData image"):
        open_evidence(path)
    with pytest.raises(Ad1Error):
        Ad1Tree(Bytes(bytes(600)), 0, 600)
    data = body()
    tree, names, faults = listed(data[:-200])
    assert faults or len(names) < 7
    assert not tree.checked


def test_a_circle_ends() -> None:
    made = Writer()
    first = made.entry("a")
    second = made.entry("b", beside=first)
    made.data[first : first + 8] = struct.pack("<Q", second)
    _, names, faults = listed(made.image(second))
    assert set(names) == {"a", "b"}
    assert any("circle" in message for message in faults)


def test_damage_never_breaks_it() -> None:
    rng, data, read = random.Random(5), body(), 0
    for _ in range(300):
        mutant = bytearray(data)
        for _ in range(rng.choice((1, 4))):
            at = rng.choice((rng.randrange(0x60), rng.randrange(len(data) - 700, len(data) - 4), rng.randrange(len(data) - 4)))
            mutant[at : at + 4] = rng.choice((rng.randbytes(4), b"\xff" * 4, bytes(4)))
        try:
            tree, names, _ = listed(bytes(mutant))
        except Ad1Error:
            continue
        for one in names.values():
            if one.readable:
                try:
                    read += len(tree.open(one.address)(0, 70_000))
                except OSError:
                    continue
    assert read
