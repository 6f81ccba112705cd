"""LUKS volumes: opened with their password, examined like any other, carved too; told when they stay locked; damage."""

from __future__ import annotations

import hashlib
import io
import json
import random
import struct
import sys
from pathlib import Path

import pytest
from bitlocker_maker import bitlocker, protector, startup_file
from luks_maker import PASSWORD, luks1, luks2
from lvm_maker import EXTENT, linear, metadata, physical
from PIL import Image

from triage.case.store import Case
from triage.cli import run as triage
from triage.errors import PasswordError
from triage.evidence.luks import LuksError, open_luks
from triage.filesystem.image import MediumImage
from triage.filesystem.inside import open_again, open_inside
from triage.filesystem.volumes import list_volumes

sys.path.append(str(Path(__file__).resolve().parents[1] / "engine"))
from fat_image import make_fat

NOTE = b"hello inside\n"
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(256)) * 9
PAYLOAD = make_fat({"NOTE.TXT": NOTE, "GONE.JPG": JPEG}, frozenset({"GONE.JPG"}))
VOLUMES = {
    "luks1 xts": luks1(PAYLOAD),
    "luks1 cbc-essiv": luks1(PAYLOAD, "cbc-essiv:sha256"),
    "luks2 pbkdf2": luks2(PAYLOAD),
    "luks2 argon2id, sectors of 4096": luks2(PAYLOAD.ljust(-(-len(PAYLOAD) // 4096) * 4096, b"\0"), argon=True, sector=4096),
}


class Bytes:
    """A medium in memory."""

    def __init__(self, data: bytes) -> None:
        self.data, self.size, self.sector_size = data, len(data), 512
        self.damaged: dict[int, tuple[int, str]] = {}

    def read_at(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + max(0, length)]

    def close(self) -> None:
        pass


@pytest.mark.parametrize("data", VOLUMES.values(), ids=VOLUMES)
def test_the_payload_is_read_at_any_place(data: bytes) -> None:
    found = open_luks(Bytes(data), ["wrong", PASSWORD])
    assert found is not None
    assert found.read_at(0, len(PAYLOAD)) == PAYLOAD
    for offset, length in ((1, 1), (511, 2), (700, 5000), (len(PAYLOAD) - 5, 5)):
        assert found.read_at(offset, length) == PAYLOAD[offset : offset + length]
    assert open_luks(Bytes(data), ["wrong"]) is None


def test_the_second_header_of_luks2_will_do() -> None:
    data = bytearray(luks2(PAYLOAD))
    data[5000:5100] = bytes(100)
    found = open_luks(Bytes(bytes(data)), [PASSWORD])
    assert found is not None
    assert found.read_at(0, 512) == PAYLOAD[:512]


@pytest.mark.parametrize("data", VOLUMES.values(), ids=VOLUMES)
def test_damage_never_breaks_it(data: bytes) -> None:
    rng = random.Random(4)
    for _ in range(60):
        mutant = bytearray(data)
        for _ in range(rng.choice((1, 3))):
            at = rng.randrange(min(len(mutant), 9000))
            mutant[at : at + 4] = rng.choice((rng.randbytes(4), b"\xff" * 4, bytes(4)))
        try:
            found = open_luks(Bytes(bytes(mutant)), [PASSWORD])
        except LuksError:
            continue
        if found is not None:
            found.read_at(0, 4096)


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("name", ["luks1 xts", "luks2 argon2id, sectors of 4096"])
def test_an_unlocked_volume_is_examined_like_any_other(name: str, tmp_path: Path) -> None:
    image = tmp_path / "disk.raw"
    image.write_bytes(VOLUMES[name])
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD)
    assert triage(["run", str(image), "--case", str(tmp_path / "case"), "-q", "--password-file", str(secret), "--jobs", "2"]) == 0
    with Case.open(tmp_path / "case") as opened:
        rows = {row["path"]: row for row in opened.files()}
        status = opened.coverage()
        volumes = opened.volumes()
    assert rows["vol1.1/NOTE.TXT"]["md5"] == md5(NOTE)
    gone = next(row for path, row in rows.items() if path.endswith("ONE.JPG") and row["kind"] == "file")
    assert (gone["state"], gone["md5"]) == ("deleted", md5(JPEG))
    states = [(v["number"], v["encryption"], v["state"]) for v in volumes if v["number"]]
    assert states == [(1, "unlocked", "opened"), (10_001, "unlocked", "listed")]
    shown = (tmp_path / "case" / "report" / "index.html").read_text()
    assert "listed inside" in shown
    assert "LUKS in vol1" in shown  # and no place past the medium's end
    assert status["locked_volumes"] == []
    assert status["unreadable_volumes"] == []
    assert PASSWORD.encode() not in b"".join(p.read_bytes() for p in (tmp_path / "case").rglob("*") if p.is_file())


def test_without_its_password_it_is_locked_and_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "disk.raw"
    image.write_bytes(VOLUMES["luks1 xts"])
    assert triage(["run", str(image), "--case", str(tmp_path / "a"), "-q"]) == 3
    assert "LUKS and locked" in capsys.readouterr().err
    assert triage(["run", str(image), "--case", str(tmp_path / "b"), "-q", "--password", "not this one"]) == 3
    assert "not this one" not in capsys.readouterr().err
    with Case.open(tmp_path / "b") as opened:
        assert any("no password that was given opens it" in problem["message"] for problem in opened.problems())
        assert opened.coverage()["locked_volumes"] == ["vol1 (LUKS)"]


def test_a_password_that_comes_later_gives_the_same_case(tmp_path: Path) -> None:
    image = tmp_path / "disk.raw"
    image.write_bytes(VOLUMES["luks1 xts"])
    run = ["run", str(image), "-q", "--case"]
    assert triage([*run, str(tmp_path / "late")]) == 3
    assert triage([*run, str(tmp_path / "late"), "--password", "wrong"]) == 3
    assert triage([*run, str(tmp_path / "late"), "--password", PASSWORD]) == 0
    assert triage([*run, str(tmp_path / "once"), "--password", PASSWORD]) == 0
    with Case.open(tmp_path / "late") as late, Case.open(tmp_path / "once") as once:
        assert late.digest() == once.digest()
        assert list(late.problems()) == list(once.problems()) == []
        assert late.coverage()["complete"]


def test_what_was_unlocked_is_not_called_locked_when_the_password_is_missing_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "disk.raw"
    image.write_bytes(VOLUMES["luks1 xts"])
    run = ["run", str(image), "-q", "--case", str(tmp_path / "case")]
    assert triage([*run, "--password", PASSWORD]) == 0
    with Case.open(tmp_path / "case") as opened:
        before = opened.digest()
    assert triage(run) == 3
    assert "had unlocked vol1" in capsys.readouterr().err
    with Case.open(tmp_path / "case") as opened:
        assert opened.digest() == before
    assert triage([*run, "--password", PASSWORD]) == 0


def test_pictures_of_it_are_shown_with_the_password(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = Image.effect_noise((120, 120), 90).convert("RGB")
    data = io.BytesIO()
    photo.save(data, "JPEG")
    image = tmp_path / "disk.raw"
    image.write_bytes(luks1(make_fat({"DCIM/PHOTO.JPG": data.getvalue()})))
    assert triage(["run", str(image), "-q", "--case", str(tmp_path / "case"), "--password", PASSWORD]) == 0
    report = ["report", str(tmp_path / "case"), "--pictures", "plain", "--out"]
    assert triage([*report, str(tmp_path / "a")]) == 3
    assert "give its password again" in capsys.readouterr().err
    assert triage([*report, str(tmp_path / "b"), "--password", PASSWORD]) == 0
    assert "data:image/jpeg" in (tmp_path / "b" / "index.html").read_text()


def test_volumes_inside_have_places_and_names_of_their_own() -> None:
    """A table with a second, locked volume: its place and name do not depend on what else was unlocked."""
    lone = luks1(PAYLOAD)
    size = -(-len(lone) // 512)
    table = bytearray(512)
    for number, start in enumerate((1, 1 + size)):
        struct.pack_into("<BBHBBHII", table, 446 + 16 * number, 0, 0, 0, 0x83, 0, 0, start, size)
    table[510:512] = b"\x55\xaa"
    data = bytes(table) + lone.ljust(size * 512, b"\0") + luks1(PAYLOAD, password="second").ljust(size * 512, b"\0")
    medium = Bytes(data)
    volumes, problems = list_volumes(MediumImage(medium), medium, "e")
    places = {}
    for passwords in ([PASSWORD, "second"], ["second"], [PASSWORD]):
        found = open_inside(medium, volumes, problems, passwords, lambda: None)
        for volume in found.volumes:
            if "." in volume.name:
                assert places.setdefault(volume.name, volume.offset) == volume.offset
                assert found.medium.read_at(volume.offset, 512) == PAYLOAD[:512]
        again = open_again(medium, found.facts, passwords, lambda: None)
        assert all(again.read_at(v.offset, 512) == PAYLOAD[:512] for v in found.volumes if "." in v.name)
    assert set(places) == {"vol1.1", "vol2.1"}
    with pytest.raises(PasswordError, match="vol1 had been unlocked"):
        open_again(medium, {"vol1 unlocked": f"LUKS at byte 512, {size * 512} bytes"}, ["wrong"], lambda: None)


def test_cat_reads_out_of_it(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    image = tmp_path / "disk.raw"
    image.write_bytes(VOLUMES["luks2 pbkdf2"])
    assert triage(["cat", str(image), "vol1.1/NOTE.TXT", "--password", PASSWORD]) == 0
    assert capfdbinary.readouterr().out == NOTE


def lvm_of(payload: bytes) -> bytes:
    many = -(-len(payload) // EXTENT)
    return physical(
        metadata({"root": linear((0, 1, many)), "swap": linear((0, 0, 1))}), bytes(EXTENT) + payload.ljust(many * EXTENT, b"\0")
    )


def test_a_group_of_volumes_inside_an_unlocked_one_is_opened_too(tmp_path: Path) -> None:
    image = tmp_path / "laptop.raw"
    image.write_bytes(luks2(lvm_of(PAYLOAD)))
    assert triage(["run", str(image), "--case", str(tmp_path / "case"), "-q", "--password", PASSWORD]) == 0
    with Case.open(tmp_path / "case") as opened:
        rows = {row["path"]: row for row in opened.files()}
        volumes = [(v["name"], v["state"], v["encryption"], v["scheme"]) for v in opened.volumes() if v["number"]]
        facts = opened.evidence()[0]["facts"]
        coverage = opened.coverage()
    assert rows["vol1.1.1/NOTE.TXT"]["md5"] == md5(NOTE)
    assert volumes == [
        ("vol1", "opened", "unlocked", "none"),
        ("vol1.1", "opened", "unlocked", "LUKS in vol1"),
        ("vol1.1.1", "listed", "unlocked", "LVM2 physical volume in vol1.1"),
        ("vol1.1.2", "not listed", "unlocked", "LVM2 physical volume in vol1.1"),
    ]
    assert facts["vol1.1 opened"].startswith("LVM2 physical volume at byte ")
    assert facts["vol1.1 opened"].endswith(", views 1024 1025")
    assert (coverage["locked_volumes"], coverage["unreadable_volumes"]) == ([], [])


def test_a_group_over_two_partitions_is_put_together(tmp_path: Path) -> None:
    half = (len(PAYLOAD) // 2 // EXTENT) * EXTENT
    rest = len(PAYLOAD[half:].ljust(-(-len(PAYLOAD[half:]) // EXTENT) * EXTENT, b"\0")) // EXTENT
    text = metadata({"root": linear((0, 0, half // EXTENT), (1, 0, rest))}, devices=2)
    parts = [physical(text, PAYLOAD[:half], 0), physical(text, PAYLOAD[half:].ljust(rest * EXTENT, b"\0"), 1)]
    image = tmp_path / "two.raw"
    image.write_bytes(mbr(parts))
    assert triage(["run", str(image), "--case", str(tmp_path / "case"), "-q"]) == 0
    with Case.open(tmp_path / "case") as opened:
        rows = {row["path"]: row for row in opened.files()}
        states = [(v["name"], v["state"]) for v in opened.volumes() if v["number"]]
        assert list(opened.problems()) == []
    assert rows["vol1.1/NOTE.TXT"]["md5"] == md5(NOTE)
    assert states == [("vol1", "opened"), ("vol2", "opened"), ("vol1.1", "listed")]


def mbr(parts: list[bytes]) -> bytes:
    """A disk whose partitions lie behind each other from the first MiB on."""
    table, body, at = b"", b"", 1 << 20
    for part in parts:
        size = -(-len(part) // 512) * 512
        table += struct.pack("<B3sB3sII", 0, b"\xfe\xff\xff", 0x8E, b"\xfe\xff\xff", at // 512, size // 512)
        body += part.ljust(size, b"\0")
        at += size
    return bytes(446) + table.ljust(64, b"\0") + b"\x55\xaa" + bytes((1 << 20) - 512) + body


def test_bitlocker_is_told_by_what_opens_it_and_opened_by_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "windows.raw"
    image.write_bytes(bitlocker(PAYLOAD, protector("tpm"), protector("startup")))
    assert triage(["info", str(image), "--format", "json"]) == 0
    said = [problem["message"] for problem in json.loads(capsys.readouterr().out)[0]["problems"]]
    assert any("opened by TPM 11111111-1111" in message and "startup key 03020100-0504" in message for message in said)
    key = tmp_path / "KEY.BEK"
    key.write_bytes(startup_file())
    assert triage(["ls", str(image), "--startup-key", str(key), "--recursive", "--format", "csv"]) == 0
    assert "vol1.1/NOTE.TXT" in capsys.readouterr().out
    key.write_bytes(b"no key")
    assert triage(["ls", str(image), "--startup-key", str(key)]) == 2
    assert "it is no BitLocker startup key" in capsys.readouterr().err
    assert triage(["ls", str(image), "--startup-key", str(tmp_path / "gone.BEK")]) == 2
    assert "cannot be read: No such file" in capsys.readouterr().err


def test_a_suspended_bitlocker_volume_needs_no_password(tmp_path: Path) -> None:
    image = tmp_path / "windows.raw"
    image.write_bytes(bitlocker(PAYLOAD, protector("clear")))
    assert triage(["run", str(image), "--case", str(tmp_path / "case"), "-q"]) == 0
    with Case.open(tmp_path / "case") as opened:
        assert any(row["path"] == "vol1.1/NOTE.TXT" for row in opened.files())


def test_of_real_shadow_copies_only_what_differs_is_listed(evidence_root: Path, tmp_path: Path) -> None:
    """Two copies of a volume: in the first a file that was deleted later; what was in the second is as it is now."""
    image = evidence_root / "images/plaso/vsstest.qcow2"
    assert triage(["run", str(image), "--case", str(tmp_path / "case"), "-q"]) == 0
    with Case.open(tmp_path / "case") as opened:
        rows = {row["path"]: row for row in opened.files()}
        volumes = [(v["name"], v["label"], v["scheme"]) for v in opened.volumes() if v["number"]]
        said = [p["message"] for p in opened.problems() if "state after it" in p["message"]]
    assert volumes == [
        ("vol1", "vsstest", "none"),
        ("vol1.1", "shadow copy of 2013-12-03T06:35:09.736378700Z", "shadow copy"),
        ("vol1.2", "shadow copy of 2013-12-03T06:37:48.919058300Z", "shadow copy"),
    ]
    listed = sorted(path for path in rows if path.startswith("vol1.") and "$Extend" not in path)
    assert listed == ["vol1.1/System Volume Information", "vol1.1/syslog"]
    assert rows["vol1.1/syslog"]["size"] == 1247
    assert rows["vol1.1/syslog"]["sha256"]
    assert len(said) == 2
    assert all(message.startswith("2") and "nor " in message for message in said)
