"""APFS: a real container, its volume's names, streams and bytes; what is no container; damage."""

from __future__ import annotations

import hashlib
import io
import lzma
import random
import sys
from pathlib import Path

import pytest
from PIL import Image

from triage.case.store import Case
from triage.cli import run as triage
from triage.errors import EvidenceError
from triage.evidence.layers import FIRST
from triage.filesystem.image import MediumImage
from triage.filesystem.inside import open_again, open_inside
from triage.filesystem.trees.catalog import tree_named
from triage.filesystem.trees.tree import Named
from triage.filesystem.volumes import list_volumes
from triage.model import Kind

sys.path.append(str(Path(__file__).resolve().parents[1] / "evidence"))
from evidence_bytes import Bytes


def test_a_container_is_opened_and_its_volume_listed(evidence_root: Path) -> None:
    medium = Bytes((evidence_root / "images/dfvfs/apfs.raw").read_bytes())
    volumes, problems = list_volumes(MediumImage(medium), medium, "e")
    opened = open_inside(medium, volumes, problems, [], lambda: None)
    assert opened.problems == []
    assert [(v.name, v.file_system, v.label, v.opened) for v in opened.volumes] == [
        ("vol1", "APFS", "", True),
        ("vol1.1", "APFS", "apfs_test", False),
    ]
    assert opened.facts == {"vol1 opened": "APFS at byte 0, 4153344 bytes"}
    again = open_again(medium, opened.facts, [], lambda: None)
    tree = tree_named("APFS", again, FIRST, medium.size)
    assert tree is not None
    names = {
        b"/".join(one.path).decode() + (f":{one.stream.decode()}" if one.stream else ""): one
        for one in tree.names()
        if isinstance(one, Named)
    }
    assert sorted(names) == [
        ".fseventsd", ".fseventsd/000000001714941a", ".fseventsd/000000001714941b", ".fseventsd/fseventsd-uuid", "a_directory",
        "a_directory/a_file", "a_directory/a_file:myxattr", "a_directory/a_resourcefork",
        "a_directory/a_resourcefork:com.apple.ResourceFork",        "a_directory/another_file", "a_link", "passwords.txt",
    ]  # fmt: skip
    assert names["a_link"].link_target == b"a_directory/another_file"
    assert names["a_link"].kind is Kind.LINK
    assert names["passwords.txt"].mtime == 1642144781213333494
    for name in ("passwords.txt", "a_directory/a_file:myxattr", "a_directory/a_resourcefork:com.apple.ResourceFork"):
        one = names[name]
        assert len(tree.open(one.address, one.sequence, one.attribute)(0, 1000)) == one.size > 10
    ((place, _),) = names["passwords.txt"].runs
    assert place is not None
    text = tree.open(names["passwords.txt"].address, None, None)(0, 1000)
    assert medium.data[place : place + 116] == text


def test_a_run_reads_its_files_and_carves_what_none_owns(evidence_root: Path, tmp_path: Path) -> None:
    path = evidence_root / "images/dfvfs/apfs.raw"
    assert triage(["run", str(path), "--case", str(tmp_path / "case"), "-q"]) == 0
    with Case.open(tmp_path / "case") as case:
        rows = {row["path"]: row for row in case.files()}
        states = [(v["name"], v["state"]) for v in case.volumes()]
        unreadable = case.coverage()["unreadable_volumes"]
    assert rows["vol1.1/a_directory/another_file"]["md5"] == hashlib.md5(b"This is another file.\n", usedforsecurity=False).hexdigest()
    assert states == [("vol1", "opened"), ("vol1.1", "listed")]
    assert unreadable == []


def encrypted(folder: Path) -> Path:
    """Return a real volume that ``diskutil apfs encryptVolume`` encrypted: ``testdata/cli/encrypted.img.gz`` of go-apfs-v2.

    (MIT, Copyright (c) 2024 Deployment Theory.)
    """
    image = folder / "encrypted.img"
    image.write_bytes(lzma.decompress((Path(__file__).parent / "apfs_encrypted.img.xz").read_bytes()))
    return image


def test_an_encrypted_volume_is_locked_and_opens_with_its_password(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = encrypted(tmp_path)
    run = ["run", str(image), "--case", str(tmp_path / "late")]
    assert triage(run) == 3
    said = capsys.readouterr()
    assert "LOCKED: vol1 (APFS): nothing in it was examined" in said.out
    assert "vol1 is APFS and locked; nothing in it was examined" in said.err
    with Case.open(tmp_path / "late") as case:
        assert case.coverage()["locked_volumes"] == ["vol1 (APFS)"]
        assert case.coverage()["unreadable_volumes"] == []
        (problem,) = case.problems()
        assert problem["message"] == "vol1: the APFS volume 'Enc' is encrypted and locked: nothing in it was examined"
    assert triage([*run, "--password", "not-the-password"]) == 3
    with Case.open(tmp_path / "late") as case:
        assert "vol1 (APFS): no password that was given opens it" in [p["message"] for p in case.problems()]
    assert triage([*run, "--password", "hunter2hunter2"]) == 0
    assert triage(["run", str(image), "--case", str(tmp_path / "once"), "-q", "--password", "hunter2hunter2"]) == 0
    with Case.open(tmp_path / "late") as late, Case.open(tmp_path / "once") as once:
        assert late.digest() == once.digest()
        assert list(late.problems()) == []
        found = {row["path"]: row["md5"] for row in once.files(where="kind=file")}
    for name, text in (("secret.txt", b"secret content for the encrypted volume\n"), ("dir/nested.txt", b"nested secret\n")):
        assert found[f"vol1.1/{name}"] == hashlib.md5(text, usedforsecurity=False).hexdigest()


def test_a_place_that_is_no_view_is_a_container() -> None:
    with pytest.raises(ValueError, match="container"):
        tree_named("APFS", Bytes(bytes(8192)), 0, 8192)


def test_damage_never_breaks_it(evidence_root: Path) -> None:
    data = (evidence_root / "images/dfvfs/apfs.raw").read_bytes()
    rng = random.Random(4)
    used = [at for at in range(0, len(data), 4096) if any(data[at : at + 4096])]
    opened_often = 0
    for _ in range(60):
        mutant = bytearray(data)
        for _ in range(rng.choice((1, 4))):
            at = rng.choice(used) + rng.randrange(4090)
            mutant[at : at + 4] = rng.choice((rng.randbytes(4), b"\xff" * 4, bytes(4)))
        medium = Bytes(bytes(mutant))
        volumes, problems = list_volumes(MediumImage(medium), medium, "e")
        opened = open_inside(medium, volumes, problems, ["x"], lambda: None)
        for volume in opened.volumes:
            if volume.offset < FIRST or not volume.block_size:
                assert opened.problems or opened.facts or volume.file_system != "APFS"
                continue
            try:
                tree = tree_named("APFS", opened.medium, volume.offset, volume.size)
            except (ValueError, OSError, EvidenceError):
                continue
            assert tree is not None
            opened_often += 1
            for one in tree.names():
                if isinstance(one, Named) and one.readable:
                    try:
                        tree.open(one.address, one.sequence, one.attribute)(0, 10_000)
                    except OSError:
                        continue
    assert opened_often > 20


def test_what_no_volume_of_a_container_owns_is_searched(evidence_root: Path, tmp_path: Path) -> None:
    """A picture that was put into free blocks; and none of the files that are there is found a second time."""
    data = bytearray((evidence_root / "images/dfvfs/apfs.raw").read_bytes())
    photo = io.BytesIO()
    Image.effect_noise((200, 200), 90).convert("RGB").save(photo, "JPEG")
    place = next(at for at in range(len(data) - (64 << 10), 0, -4096) if not any(data[at : at + (64 << 10)]))
    data[place : place + len(photo.getvalue())] = photo.getvalue()
    path = tmp_path / "mac.raw"
    path.write_bytes(data)
    assert triage(["run", str(path), "--case", str(tmp_path / "case"), "-q"]) == 0
    with Case.open(tmp_path / "case") as case:
        carved = [(row["path"].partition("/")[0], row["type"], row["size"]) for row in case.files() if row["kind"] == "carved"]
        (ledger,) = case.coverage()["ledger"]
    assert carved == [("vol1", "jpeg", len(photo.getvalue()))]
    assert (ledger["not_listed"], ledger["size"]) == (0, len(data))
    assert ledger["owned"] >= 6 * 4096
