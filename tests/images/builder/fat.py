"""The FAT images, written by mtools."""

from __future__ import annotations

import os
import re
import shutil
import struct
from typing import TYPE_CHECKING

from builder import material
from builder.key import Key
from builder.material import Thing
from builder.tools import EPOCH, FACTS, acquire, blank, run

if TYPE_CHECKING:
    from pathlib import Path

LOST = "_"
"""What Sleuth Kit shows for a short name's first letter, which deletion overwrites; a long name survives."""


class Fat:
    """A FAT volume in a file, handled by mtools."""

    def __init__(self, path: Path, sectors: int, bits: int, label: str, *, start: int = 0, cluster: int = 1) -> None:
        self.path = blank(path, sectors * 512)
        self.minutes = 0
        self.bits = bits
        run(
            "mkfs.fat",
            "-F",
            str(bits),
            "-s",
            str(cluster),
            "-n",
            label,
            "-i",
            "7EA6E00F",
            "-h",
            str(start),
            "--invariant",
            self.path,
        )

    def folder(self, name: str) -> None:
        """Make a folder."""
        run("mmd", "-i", self.path, f"::/{name}")

    def put(self, name: str, thing: Thing) -> list[int]:
        """Write a file and return the clusters that it got; each is a minute younger than the one before."""
        self.minutes += 1
        source = self.path.with_name("source")
        source.write_bytes(thing.data)
        os.utime(source, (EPOCH - 86_400 + 60 * self.minutes,) * 2)
        run("mcopy", "-m", "-i", self.path, source, f"::/{name}")
        return self.clusters(name)

    def clusters(self, name: str) -> list[int]:
        """Return a file's clusters, as mtools tells them."""
        said = run("mshowfat", "-i", self.path, f"::/{name}")
        found: list[int] = []
        for first, last in re.findall(r"<(\d+)(?:-(\d+))?>", said):
            found += range(int(first), int(last or first) + 1)
        return found

    def delete(self, name: str) -> None:
        """Delete a file."""
        run("mdel", "-i", self.path, f"::/{name}")

    def delete_folder(self, name: str) -> None:
        """Delete a folder with all that is in it."""
        run("mdeltree", "-i", self.path, f"::/{name}")

    def next_cluster(self, cluster: int) -> None:
        """Set where a FAT32 volume gives out clusters next."""
        with self.path.open("r+b") as f:
            f.seek(512 + 492)
            f.write(struct.pack("<I", cluster - 1))


def camera(work: Path, sectors: int, start: int, key: Key, prefix: str) -> Path:
    """Make a camera's card: FAT12, three pictures, one of them deleted, and a text."""
    volume = Fat(work / "camera.volume", sectors, 12, "CAMERA", start=start)
    for folder in ("DCIM", "DCIM/100DEMO"):
        volume.folder(folder)
        key.add(f"{prefix}/{folder}", kind="directory")
    for number in (1, 2, 3):
        thing = material.picture(200 + number)
        volume.put(f"DCIM/100DEMO/DSC0000{number}.JPG", thing)
        if number == 2:
            key.add(f"{prefix}/DCIM/100DEMO/{LOST}SC00002.JPG", thing, state="deleted", was="DSC00002.JPG")
        else:
            key.add(f"{prefix}/DCIM/100DEMO/DSC0000{number}.JPG", thing)
    note = material.text("A card of a camera.\n")
    volume.put("read me first.txt", note)
    key.add(f"{prefix}/read me first.txt", note)
    volume.delete("DCIM/100DEMO/DSC00002.JPG")
    return volume.path


def fat32(work: Path, out: Path) -> None:
    """Build ``fat32.E01``: long names, a deleted folder with children, an overwritten start."""
    key = Key(
        "fat32.E01",
        "mkfs.fat, mtools, ewfacquire",
        "FAT keeps no chain of a deleted file: what is fragmented cannot be put together again.",
        "A short name's first letter is lost with deletion; Sleuth Kit shows _ for it. The label's entry is not listed.",
    )
    sectors = 67_600
    volume = Fat(work / "fat32.volume", sectors, 32, "DEMOFAT32")
    for folder in (
        "Pictures",
        "Pictures/Autumn in the mountains",
        "Music",
        "Old pictures",
        "Old pictures/inner",
    ):
        volume.folder(folder)
        if not folder.startswith("Old"):
            key.add(f"vol1/{folder}", kind="directory")
    for name, thing, lie in (
        ("Pictures/Autumn in the mountains/a long name of a picture.jpg", material.picture(401), False),
        ("Pictures/Autumn in the mountains/b.png", material.picture(402, "png", (80, 60)), False),
        ("Pictures/Grüße.jpg", material.picture(403), False),
        ("Pictures/写真.jpg", material.picture(404), False),
        ("Pictures/UPPER.JPG", material.picture(405), False),
        ("README.TXT", material.text("A stick.\n"), False),
        ("Music/holiday.mp3", material.archive({"a.jpg": material.picture(406).data}), True),
        ("=1+1;'calc'!A0.txt", material.text("a name that a spreadsheet would run\n"), False),
        ("empty.dat", material.EMPTY, False),
        ("noise.bin", material.noise(407, 20_000), False),
    ):
        volume.put(name, thing)
        key.add(f"vol1/{name}", thing, extension_mismatch=lie)
    gone = {
        "Pictures/deleted picture.jpg": material.picture(410),
        "GONE.TXT": material.text("deleted\n"),
        "Old pictures/first old one.jpg": material.picture(411),
        "Old pictures/inner/second old one.jpg": material.picture(412),
    }
    lost = {
        "start overwritten.bmp": material.picture(413, "bmp", (96, 64)),
        "middle overwritten.bmp": material.picture(414, "bmp", (96, 64)),
        "all overwritten.jpg": material.picture(415),
    }
    places = {name: volume.put(name, thing) for name, thing in (gone | lost).items()}
    _fragmented(volume, key)
    for name in ("Pictures/deleted picture.jpg", "GONE.TXT", *lost):
        volume.delete(name)
    volume.delete_folder("Old pictures")
    for name, thing in gone.items():
        shown = name.replace("GONE", "_ONE").replace("/inner/", "/_nner/")
        key.add(f"vol1/{shown}", thing, state="deleted", **({"was": name} if shown != name else {}))
    key.add("vol1/Old pictures", kind="directory", state="deleted")
    key.add("vol1/Old pictures/_nner", kind="directory", state="deleted", was="Old pictures/inner")
    for name, first, count, state in (
        ("start overwritten.bmp", 0, 3, "partly overwritten"),
        ("middle overwritten.bmp", 10, 4, "partly overwritten"),
        ("all overwritten.jpg", 0, 0, "overwritten"),
    ):
        taken = places[name][first : first + count] if count else places[name]
        _take(volume, key, f"Music/over {name[:3]}.log", taken)
        key.add(
            f"vol1/{name}",
            lost[name],
            state="deleted",
            recoverability=state,
            also_right=["unknown"],
            first_cluster=places[name][0],
            taken=[taken[0], taken[-1]],
        )
    key.find("vol1/Pictures/deleted picture.jpg", "a deleted picture that is whole")
    key.find("vol1/Old pictures/_nner/second old one.jpg", "a picture in a deleted folder of a deleted folder")
    key.find("vol1/Music/holiday.mp3", "an archive that wears a sound file's extension")
    key.volume(1, 0, sectors * 512, "fat32", "DEMOFAT32")
    acquire(volume.path, out / "fat32.E01")
    key.write(
        out,
        {"kind": "ewf", "segments": ["fat32.E01"]},
        volume.path.read_bytes(),
        scheme="none",
        acquisition=FACTS,
        stored_digests=["md5", "sha1"],
    )


def _take(volume: Fat, key: Key, name: str, clusters: list[int]) -> None:
    """Write a file into clusters that a deleted one had."""
    volume.next_cluster(clusters[0])
    thing = material.log(clusters[0], 512 * len(clusters) - 50)
    if volume.put(name, thing) != clusters:
        raise RuntimeError(f"{name} did not get {clusters}")
    key.add(f"vol1/{name}", thing)


def _fragmented(volume: Fat, key: Key) -> None:
    """Write a file round another one, and delete it: there is no chain to say where it goes on."""
    block = material.noise(420, 512 * 6)
    first = volume.put("gap.bin", Thing(block.data[:1024], None))
    wall = volume.put("wall.bin", material.noise(421, 1024))
    volume.delete("gap.bin")
    volume.next_cluster(first[0])
    if volume.put("in two parts.bin", block)[:3] != [*first, wall[-1] + 1]:
        raise RuntimeError("the file is not in two parts")
    volume.delete("in two parts.bin")
    key.add("vol1/wall.bin", material.noise(421, 1024))
    key.add(
        "vol1/_ap.bin",
        Thing(block.data[:1024], None),
        state="deleted",
        was="gap.bin",
        note="its clusters went to the file in two parts, which starts with the same bytes",
    )
    key.add(
        "vol1/in two parts.bin",
        block,
        state="deleted",
        also_right=["partly overwritten", "unknown"],
        note="in two parts with an allocated file between: a reader that skips allocated clusters gets it right",
    )


def fat12(work: Path, out: Path) -> None:
    """Build ``fat12.raw``: a small floppy with deleted files."""
    key = Key(
        "fat12.raw",
        "mkfs.fat, mtools",
        "A short name's first letter is lost with deletion; Sleuth Kit shows _ for it.",
    )
    volume = floppy(work / "fat12.volume", key, 360)
    gone = {
        "long deleted name.png": material.picture(434, "png", (64, 48)),
        "LETTER.TXT": material.text("Dear Sam,\n"),
    }
    for name, thing in gone.items():
        volume.put(name, thing)
    for name, thing in gone.items():
        volume.delete(name)
        shown = "_ETTER.TXT" if name == "LETTER.TXT" else name
        key.add(f"vol1/{shown}", thing, state="deleted", **({"was": name} if shown != name else {}))
    shutil.copyfile(volume.path, out / "fat12.raw")
    key.write(out, {"kind": "raw", "segments": ["fat12.raw"]}, volume.path.read_bytes(), scheme="none")


def floppy(path: Path, key: Key, sectors: int, *, start: int = 0) -> Fat:
    """Make a small FAT12 volume with a few files."""
    volume = Fat(path, sectors, 12, "DEMOFAT12", start=start)
    volume.folder("Papers")
    key.add("vol1/Papers", kind="directory")
    for name, thing in {
        "Papers/plan.pdf": material.pdf("Test material"),
        "Papers/picture of a plan.jpg": material.picture(431),
        "NOTES.TXT": material.text("Floppy.\n"),
        "noise.bin": material.noise(432, 30_000),
    }.items():
        volume.put(name, thing)
        key.add(f"vol1/{name}", thing)
    key.volume(1, 0, sectors * 512, "fat12", "DEMOFAT12")
    return volume
