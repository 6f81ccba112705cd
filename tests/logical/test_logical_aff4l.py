"""AFF4's logical images: a real one of pyaff4, made ones with streams; what is missing, damaged or lies."""

from __future__ import annotations

import contextlib
import hashlib
import io
import random
import sys
import zipfile
from pathlib import Path

import pytest
from test_logical_archives import Bytes, contents, listed

from triage.case.store import Case
from triage.cli import run as triage
from triage.evidence.aff4 import Aff4Error
from triage.filesystem.trees.tree import Fault, Named
from triage.logical.aff4l import Aff4LogicalTree, looks_logical
from triage.model import Kind, TimeBasis

sys.path.append(str(Path(__file__).resolve().parents[1] / "evidence"))
from aff4_maker import DISK, stream_of

REAL = Path(__file__).parent / "dream.aff4"  # of pyaff4 (Apache-2.0), test_images/AFF4-L
TEXT = "@prefix aff4: <http://aff4.org/Schema#> .\n@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n\n"
SMALL, LARGE = b"hello\n" * 40, random.Random(3).randbytes(40_000) + bytes(9000)


def image(
    files: dict[str, bytes], *, streams: dict[str, bytes] | None = None, more: str = "", digest: str = "", how: str = "zlib"
) -> bytes:
    """Return an image of files as members, and of others as streams, each with its times and digests."""
    members: dict[str, bytes] = {"container.description": DISK.encode(), "version.txt": b"major=1\nminor=1\ntool=tests 1\n"}
    text = TEXT
    for name, data in files.items():
        members[f"/{name}"] = data
        text += (
            f'<{DISK}//{name}> a aff4:FileImage, aff4:Image, aff4:zip_segment ;\n aff4:originalFileName "./{name}"^^xsd:string ;\n'
            f' aff4:hash "{digest or hashlib.sha1(data).hexdigest()}"^^aff4:SHA1 ;\n'
            f' aff4:lastWritten "2024-05-06T09:08:10+02:00"^^xsd:datetime ;\n'
            f" aff4:size {len(data)} ;\n aff4:stored <{DISK}> .\n\n"
        )
    for name, data in (streams or {}).items():
        shown = name.replace("\\", r"\\")
        url = f"{DISK}//{name}".replace("\\", "/")
        text += stream_of(members, url, data, how, 4096, 4, before=False)
        text += f'<{url}> a aff4:FileImage ; aff4:originalFileName "C:\\\\{shown}"^^xsd:string ; aff4:stored <{DISK}> .\n\n'
    members["information.turtle"] = (text + more).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.comment = DISK.encode()
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def tree_of(data: bytes) -> Aff4LogicalTree:
    return Aff4LogicalTree(Bytes(data), 0, len(data))  # type: ignore[arg-type]


def test_a_real_image_is_listed_by_its_description(tmp_path: Path) -> None:
    assert triage(["run", str(REAL), "--case", str(tmp_path / "case"), "-q"]) == 0
    with Case.open(tmp_path / "case") as case:
        assert [v["file_system"] for v in case.volumes()] == ["AFF4 logical image"]
        (row,) = case.files(where="kind=file")
        assert list(case.problems()) == []
    assert (row["path"], row["size"], row["md5"]) == ("vol1/test_images/AFF4-L/dream.txt", 8688, "75d83773f8d431a3ca91bfb8859e486d")
    assert (row["mtime"], row["atime"], row["crtime"]) == ("2018-09-17T03:42:20Z", "2018-10-23T01:08:19Z", "2018-09-17T03:42:20Z")


@pytest.mark.parametrize("how", ["snappy", "lz4", "zlib", "deflate", "stored"])
def test_files_are_members_or_streams(how: str) -> None:
    tree = tree_of(image({"a/small.txt": SMALL, "ü.txt": b"x"}, streams={"Users\\large.bin": LARGE}, how=how))
    assert contents(tree) == {"a/small.txt": SMALL, "ü.txt": b"x", "C:/Users/large.bin": LARGE}
    names, faults = listed(tree)
    assert faults == []
    assert tree.checked
    assert names["a/small.txt"].mtime == 1_714_979_290_000_000_000
    assert names["C:/Users/large.bin"].time_basis is TimeBasis.UNKNOWN
    read = tree.open(names["C:/Users/large.bin"].address, None, names["C:/Users/large.bin"].attribute)
    assert read(39_990, 100) == LARGE[39_990:40_090]


def test_what_its_description_does_not_name_is_listed_too_and_what_is_not_there_is_said() -> None:
    more = f'<{DISK}//gone> a aff4:FileImage, aff4:Map ; aff4:originalFileName "gone" ; aff4:size 99 .\n'
    more += f'<{DISK}//f> a aff4:Folder ; aff4:originalFileName "folder" ; aff4:lastWritten "2024-05-06T07:08:10Z" .\n'
    data = image({"a": SMALL}, more=more)
    out = io.BytesIO(data)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("extra/b", b"more")
    tree = tree_of(out.getvalue())
    names, faults = listed(tree)
    assert sorted(names) == ["a", "extra", "extra/b", "folder", "gone"]
    assert not names["gone"].readable
    assert (names["folder"].kind, names["folder"].mtime) == (Kind.DIRECTORY, 1_714_979_290_000_000_000)
    assert faults == ["1 files of the image are kept in a way that is not read, or are missing in it"]
    assert not tree.checked


def test_a_digest_that_is_wrong_is_an_error_at_the_end() -> None:
    with pytest.raises(OSError, match="its SHA1 is not the one that the image has of it"):
        contents(tree_of(image({"a": SMALL}, digest="0" * 40)))


def test_one_whose_description_is_damaged_is_listed_as_the_archive_has_it_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.aff4").write_bytes(image({"a": SMALL}, more="<cut"))
    assert triage(["run", str(tmp_path / "x.aff4"), "--case", str(tmp_path / "case"), "-q"]) == 0
    with Case.open(tmp_path / "case") as case:
        assert [v["file_system"] for v in case.volumes()] == ["ZIP archive"]
        (said,) = [p["message"] for p in case.problems()]
    assert said.startswith("it is no AFF4 image that can be used as one (")
    assert said.endswith("): its files are listed as the archive has them")


def test_other_archives_are_none() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", b"aff4")
    assert not looks_logical(Bytes(bytes(600) + out.getvalue() + bytes(2000)))  # type: ignore[arg-type]
    with pytest.raises(Aff4Error):
        tree_of(out.getvalue())
    with pytest.raises(Aff4Error, match="describes no files"):
        tree_of(image({}))


@pytest.mark.parametrize("seed", range(60))
def test_damage_never_breaks_it(seed: int) -> None:
    rng = random.Random(seed)
    data = bytearray(image({"a/small.txt": SMALL}, streams={"large.bin": LARGE[:9000]}))
    for _ in range(rng.choice((1, 4, 20))):
        at = rng.randrange(len(data))
        data[at : at + rng.choice((1, 4))] = rng.randbytes(rng.choice((1, 4)))
    with contextlib.suppress(Aff4Error):
        tree = tree_of(bytes(data))
        for one in tree.names():
            assert isinstance(one, Named | Fault)
            if isinstance(one, Named) and one.readable and one.kind is Kind.FILE:
                with contextlib.suppress(OSError):
                    assert len(tree.open(one.address, one.sequence, one.attribute)(0, min(one.size, 1 << 20))) <= 1 << 20
