"""macOS's sparse images and bundles: bands in any order, those that are not there, damage, encrypted ones."""

from __future__ import annotations

import random
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from triage.cli import run as triage
from triage.errors import EvidenceError
from triage.evidence.opening import open_evidence, reopen

if TYPE_CHECKING:
    from pathlib import Path

    from triage.evidence.medium import Medium

BAND = 8192
DISK = b"".join(random.Random(n).randbytes(BAND) if n % 3 else bytes(BAND) for n in range(9)) + random.Random(99).randbytes(4096)
PLIST = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict><key>CFBundleInfoDictionaryVersion</key><string>6.0</string>
<key>band-size</key>
<integer>{band}</integer><key>bundle-backingstore-version</key><integer>1</integer>
<key>diskimage-bundle-type</key><string>com.apple.diskimage.sparsebundle</string>
<key>size</key><integer>{size}</integer></dict></plist>"""


def bands() -> dict[int, bytes]:
    cut = (DISK[at : at + BAND] for at in range(0, len(DISK), BAND))
    return {number: band for number, band in enumerate(cut) if any(band)}


def sparse(*, sectors: int = BAND // 512, size: int = len(DISK) // 512) -> bytes:
    """The bands in another order than on the disk."""
    order = sorted(bands(), key=lambda number: (number * 5) % 9)
    head = b"sprs" + struct.pack(">IIII", 3, sectors, 1, size) + bytes(44)
    head += struct.pack(f">{len(order)}I", *(number + 1 for number in order))
    return head.ljust(4096, b"\0") + b"".join(bands()[number].ljust(BAND, b"\0") for number in order)


def bundle(folder: Path, *, plist: str = PLIST, token: bytes = b"") -> Path:
    (folder / "bands").mkdir(parents=True)
    (folder / "Info.plist").write_text(plist.format(band=BAND, size=len(DISK)))
    (folder / "token").write_bytes(token)
    for number, band in bands().items():
        (folder / "bands" / f"{number:x}").write_bytes(band.rstrip(b"\0"))
    return folder


def whole(medium: Medium) -> bytes:
    return b"".join(medium.read_at(at, 5000) for at in range(0, medium.size, 5000))


def test_a_sparse_image_gives_its_disk(tmp_path: Path) -> None:
    (tmp_path / "a.dmg").write_bytes(sparse())
    evidence, medium, warnings = open_evidence(tmp_path / "a.dmg")
    assert (evidence.kind, medium.size, warnings) == ("sparseimage", len(DISK), [])
    assert whole(medium) == whole(reopen(evidence)) == DISK


def test_a_band_that_the_file_no_longer_has_is_a_read_error(tmp_path: Path) -> None:
    (tmp_path / "a.dmg").write_bytes(sparse()[: -BAND - 100])
    _, medium, warnings = open_evidence(tmp_path / "a.dmg")
    lost = 0
    for at in range(0, medium.size, BAND):
        try:
            assert medium.read_at(at, BAND) == DISK[at : at + BAND]
        except OSError:
            lost += 1
    assert lost == 2
    assert any("cannot be read" in line for line in warnings)


def test_more_bands_than_the_first_list_has_room_for_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.dmg").write_bytes(sparse(sectors=8, size=100_000) + bytes(5 << 20))
    with pytest.raises(EvidenceError, match="more than the first list"):
        open_evidence(tmp_path / "a.dmg")


def test_a_bundle_gives_its_disk(tmp_path: Path) -> None:
    evidence, medium, warnings = open_evidence(bundle(tmp_path / "a.sparsebundle"))
    assert (evidence.kind, medium.size, warnings) == ("sparsebundle", len(DISK), [])
    assert evidence.facts["virtual disk"] == f"sparse bundle, 7 bands of {BAND} bytes"
    assert whole(medium) == whole(reopen(evidence)) == DISK
    assert triage(["verify", str(tmp_path / "a.sparsebundle")]) == 0


def test_an_encrypted_bundle_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="encrypted sparse bundle"):
        open_evidence(bundle(tmp_path / "a.sparsebundle", token=b"encrcdsa" + bytes(500)))


@pytest.mark.parametrize(
    "plist", [PLIST.replace("{band}", "0"), PLIST.replace("{size}", "99999999999999999"), PLIST.replace("band-size", "x")]
)
def test_sizes_that_cannot_be_are_refused(plist: str, tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="sizes that cannot be"):
        open_evidence(bundle(tmp_path / "a.sparsebundle", plist=plist))


def test_a_folder_that_only_looks_like_one_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "Info.plist").write_text("<plist/>")
    assert open_evidence(tmp_path / "a")[0].kind == "folder"


def test_damage_never_breaks_it(tmp_path: Path) -> None:
    rng, opened = random.Random(8), 0
    for _ in range(200):
        mutant = bytearray(sparse())
        for _ in range(rng.choice((1, 4))):
            at = rng.randrange(160)
            mutant[at : at + 4] = rng.choice((rng.randbytes(4), b"\xff" * 4, bytes(4)))
        (tmp_path / "a.dmg").write_bytes(mutant if rng.randrange(3) else mutant[: rng.randrange(600, len(mutant))])
        with suppress(EvidenceError):
            evidence, medium, _ = open_evidence(tmp_path / "a.dmg")
            opened += evidence.kind == "sparseimage"
            for at in (0, medium.size // 2, medium.size - 100):
                with suppress(OSError):
                    assert len(medium.read_at(at, 9000)) <= 9000
    assert opened > 20
