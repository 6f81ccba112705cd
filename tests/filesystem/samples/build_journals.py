"""Build the journal samples beside this file: as root on Linux, with e2fsprogs. What the kernel writes is the point: nothing is made up.

Writes ``*.raw.gz`` and ``truth.tsv``: image, what became of a file (deleted, live), its path, size and SHA-256. Each run gives other
bytes (times, generations, places of blocks), so that the tests go by the truth that was written with the images.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
IMAGES = {
    "ext4": ("-t", "ext4", "-b", "1024"),
    "ext4-dirty": ("-t", "ext4", "-b", "1024"),
    "ext4-bare": ("-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^64bit"),
    "ext3": ("-t", "ext3", "-b", "1024"),
}
SIZE = 12 << 20


class Volume:
    """A mounted file system; what happens to files goes to ``truth``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.live: dict[str, tuple[int, str]] = {}
        self.truth: list[tuple[str, str, int, str]] = []

    def put(self, path: str, size: int) -> None:
        """Write a file of lines that tell its name, and where in it they are."""
        lines = (f"{path} {number:08d}\n".encode() for number in range(size // 16 + 1))
        self.keep(path, b"".join(lines)[:size])

    def keep(self, path: str, data: bytes) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        self.note(path)

    def note(self, path: str) -> None:
        data = (self.root / path).read_bytes()
        self.live[path] = len(data), hashlib.sha256(data).hexdigest()

    def delete(self, path: str) -> None:
        (self.root / path).unlink()
        self.truth.append(("deleted", path, *self.live.pop(path)))


def use(volume: Volume) -> None:
    """Write, sync, delete, in rounds."""
    root = volume.root
    for number in range(24):
        volume.put(f"docs/d{number % 3}/file{number:02d}.txt", (300, 2000, 9000, 40_000)[number % 4])
    with (root / "sparse.bin").open("wb") as file:
        file.seek(70_000)
        file.write(b"behind a hole\n" * 300)
        file.truncate(150_000)
    volume.note("sparse.bin")
    pieces = [(root / f"pieces{number}.log").open("wb") for number in range(2)]
    for step in range(12):  # two files that grow in turns lie in many pieces
        for number, file in enumerate(pieces):
            file.write(f"{number} {step:05d}\n".encode() * 400)
            file.flush()
            os.fsync(file.fileno())
    for number, file in enumerate(pieces):
        file.close()
        volume.note(f"pieces{number}.log")
    (root / "link").symlink_to("docs/d0/file00.txt")
    for name in ("one", "two/three"):
        for number in range(3):
            volume.put(f"tree/{name}/leaf{number}.txt", 5000)
    os.sync()
    for number in range(0, 24, 3):
        volume.delete(f"docs/d{number % 3}/file{number:02d}.txt")
    volume.delete("sparse.bin")
    volume.delete("pieces0.log")
    (root / "link").unlink()
    os.sync()
    for path in [path for path in volume.live if path.startswith("tree/")]:
        volume.delete(path)
    shutil.rmtree(root / "tree")
    os.sync()
    for number in range(6):  # these get the inodes, and some of the blocks, of what was deleted
        volume.put(f"new/fresh{number}.txt", 7000)
    os.sync()
    for number in (1, 4):
        volume.delete(f"new/fresh{number}.txt")
    os.sync()


def build(name: str, options: tuple[str, ...], folder: Path) -> list[tuple[str, str, int, str]]:
    """Build one image, pack it, return what became of its files."""
    image, mount = folder / f"{name}.raw", folder / f"{name}.mount"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run(["mke2fs", "-q", "-F", "-J", "size=4", *options, str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(mount)], check=True)
    kept = folder / f"{name}.kept"
    try:
        volume = Volume(mount)
        use(volume)
        if name.endswith("-dirty"):  # as a machine that loses power leaves it: what is in the journal is not in its place yet
            volume.put("late/arrived.txt", 6000)
            descriptor = os.open(mount / "late/arrived.txt", os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
            shutil.copyfile(image, kept)
    finally:
        subprocess.run(["umount", str(mount)], check=True)
    data = (kept if kept.exists() else image).read_bytes()
    (HERE / f"{name}.raw.gz").write_bytes(gzip.compress(data, 9, mtime=0))
    return [*volume.truth, *(("live", path, *what) for path, what in sorted(volume.live.items()))]


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, options in IMAGES.items():
            rows += [(name, *row) for row in build(name, options, Path(folder))]
    (HERE / "truth.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
