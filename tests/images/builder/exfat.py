"""``exfat.raw``: a camera's or a telephone's card, written by exfat-fuse."""

from __future__ import annotations

import os
import shutil
import struct
from typing import TYPE_CHECKING

from builder import material
from builder.key import Key
from builder.material import NOTABLE, Thing
from builder.tools import EPOCH, blank, loop_device, mounted, run

if TYPE_CHECKING:
    from pathlib import Path

_SECTORS = 2000
_FUSE = ["mount.exfat-fuse", "-d", "-o", "noatime"]


class Volume:
    """The exFAT volume in a file. Its driver gives out the first free cluster and directory slot."""

    def __init__(self, path: Path, key: Key) -> None:
        self.path = blank(path, _SECTORS * 512)
        self.key = key
        self.minutes = 0
        run("mkfs.exfat", "-L", "DEMOEXFAT", "-c", "1K", "-b", "32K", self.path)

    def work(self) -> Mount:
        """Return a mount to work in."""
        return Mount(self)

    def clusters(self, needle: bytes) -> int:
        """Return the first cluster of the directory entry set whose name is ``needle``, deleted or not."""
        data = self.path.read_bytes()
        wide = needle.decode().encode("utf-16-le")[:30]
        place = data.find(wide)
        while place >= 0:
            entry = place - 2
            if entry % 32 == 0 and data[entry] in {0xC1, 0x41} and data[entry - 32] in {0xC0, 0x40}:
                return int(struct.unpack_from("<I", data, entry - 32 + 20)[0])
            place = data.find(wide, place + 1)
        raise RuntimeError(f"no entry for {needle!r}")


class Mount:
    """A mount of the volume, with ``put`` and ``delete`` on it."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self.device = loop_device(volume.path)
        self.where = volume.path.with_name("mnt")

    def __enter__(self) -> Mount:
        self.mount = mounted(_FUSE, self.device.__enter__(), self.where)
        self.mount.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.mount.__exit__(None, None, None)
        self.device.__exit__(None, None, None)

    def put(self, name: str, thing: Thing) -> None:
        """Write a file and its time."""
        target = self.where / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(thing.data)
        self.volume.minutes += 1
        os.utime(target, (EPOCH - 86_400 + 60 * self.volume.minutes,) * 2)

    def delete(self, *names: str) -> None:
        """Delete files and empty folders."""
        for name in names:
            target = self.where / name
            target.rmdir() if target.is_dir() else target.unlink()


def build(work: Path, out: Path) -> None:
    """Build the image and its key."""
    key = Key(
        "exfat.raw",
        "mkfs.exfat, exfat-fuse",
        "exFAT leaves the names and places of deleted files whole, but of a fragmented one the chain is gone.",
        "The label's entry, the allocation bitmap and the upcase table are not listed.",
    )
    volume = Volume(work / "exfat.volume", key)
    stay = {
        "DCIM/100DEMO/IMG_0001.jpg": material.picture(501),
        "DCIM/100DEMO/IMG_0002.png": NOTABLE["exfat"],
        "DCIM/100DEMO/IMG_0003.jpg": material.picture(502),
        "Music/song.txt": material.text("la la\n"),
        "写真/猫 😀.jpg": material.picture(503),
        "Documents/a name with more than fifteen letters needs more entries.docx": material.docx("Test material"),
        "Documents/empty.txt": material.EMPTY,
        "noise.bin": material.noise(504, 30_000),
    }
    lie = {"Documents/table.xlsx": material.picture(505)}
    gone = {
        "DCIM/100DEMO/IMG_0004.jpg": material.picture(510),
        "trip/one.jpg": material.picture(511),
        "trip/two.txt": material.text("two\n"),
    }
    covered = {
        "covered.jpg": material.picture(512),
        "partly covered.bmp": material.picture(513, "bmp", (96, 64)),
    }
    with volume.work() as mount:
        for name, thing in (stay | lie).items():
            mount.put(name, thing)
            key.add(f"vol1/{name}", thing, extension_mismatch=name in lie)
        for name, thing in (covered | gone).items():
            mount.put(name, thing)
    for folder in ("DCIM", "DCIM/100DEMO", "Music", "写真", "Documents"):
        key.add(f"vol1/{folder}", kind="directory")
    for name, writer, share in (
        ("covered.jpg", "Music/cover.log", 1.0),
        ("partly covered.bmp", "Music/part.log", 0.4),
    ):
        with volume.work() as mount:
            mount.delete(name)
        first, count = volume.clusters(name.encode()), -(-len(covered[name].data) // 1024)
        thing = material.log(520, int(count * share) * 1024 - 60)
        with volume.work() as mount:
            mount.put(writer, thing)
        if volume.clusters(writer.rpartition("/")[2].encode()) != first:
            raise RuntimeError(f"{writer} did not get {name}'s clusters")
        key.add(f"vol1/{writer}", thing)
        key.add(
            f"vol1/{name}",
            covered[name],
            state="deleted",
            recoverability="overwritten" if share == 1.0 else "partly overwritten",
            also_right=["unknown"],
        )
    with volume.work() as mount:
        mount.delete(*gone, "trip")
    for name, thing in gone.items():
        key.add(f"vol1/{name}", thing, state="deleted")
    key.add("vol1/trip", kind="directory", state="deleted")
    key.find("vol1/DCIM/100DEMO/IMG_0002.png", "a picture on the list of notable ones")
    key.find("vol1/DCIM/100DEMO/IMG_0004.jpg", "a deleted picture that is whole")
    key.find("vol1/Documents/table.xlsx", "a picture that wears a spreadsheet's extension")
    key.volume(1, 0, _SECTORS * 512, "exfat", "DEMOEXFAT")
    shutil.copyfile(volume.path, out / "exfat.raw")
    key.write(out, {"kind": "raw", "segments": ["exfat.raw"]}, volume.path.read_bytes(), scheme="none")
