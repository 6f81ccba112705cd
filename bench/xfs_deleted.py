"""Deleted files of XFS volumes that Linux wrote: how many come back with their name and every byte.

``python bench/xfs_deleted.py`` makes a volume for each of several sets of features, fills it, deletes, and compares what is listed with
what went in. ``python bench/xfs_deleted.py fixture OUT.img`` makes the small one of ``tests/filesystem/xfs_deleted.img.xz``, the same but
for times and identifiers. Needs root, loop devices and mkfs.xfs.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from triage.evidence.medium import FileMedium
from triage.filesystem.trees.tree import Fault
from triage.filesystem.trees.xfs import XfsTree

SETS = ("", "-b size=1024", "-n size=8192", "-m bigtime=0,reflink=0,finobt=0", "-i size=1024", "-i nrext64=1", "-i sparse=0")


def content(name: str, size: int) -> bytes:
    """Return bytes that are the same every time and do not end with zeros; those of texts pack well."""
    if name.endswith(".txt"):
        return (name.encode() + b"\n") * (size // (len(name) + 1) + 1)
    return random.Random(name).randbytes(size - 1) + b"\1"


def attributes() -> dict[str, bytes]:
    """Return extended attributes of a file: so many that they take a tree, one with a value in blocks of its own."""
    many = {f"user.a{n:03}": b"%03d " % n * 20 for n in range(80)}
    return many | {"user.long": b"long value " * 2000, "trusted.t": b"T", "security.s": b"S"}


def pieces(many: int) -> bytes:
    """Return the bytes of a file of which every second block is not written."""
    return b"".join(content(f"{n}.txt", 4096)[:4096].ljust(8192, b"\0") for n in range(many)).rstrip(b"\0")


def fill(root: Path, *, small: bool) -> dict[str, bytes]:
    """Fill a mounted volume; return what will be deleted."""
    os.chdir(root)
    for folder in ("keep", "mixed", "gone/sub", "many"):
        Path(folder).mkdir(parents=True)
    names = [f"keep/k{n}.txt" for n in range(10)]
    names += [f"mixed/picture {n:02}.{'txt' if small else 'jpg'}" for n in range(40)]
    names += [f"gone/g{n}.{'txt' if small else 'png'}" for n in range(20)] + [f"gone/sub/s{n:03}.txt" for n in range(150)]
    names += [f"many/a name that is long enough to fill blocks {n:05}.txt" for n in range(200 if small else 2000)]
    made = {name: content(name, 700 + 611 * (n % 40)) for n, name in enumerate(names)}
    for name, data in made.items():
        Path(name).write_bytes(data)
    Path("mixed/link").symlink_to("target")
    for name, value in attributes().items():
        os.setxattr("keep/k0.txt", name, value)
    made["mixed/pieces.txt"] = pieces(60 if small else 400)
    with Path("mixed/pieces.txt").open("wb") as file:
        for at in range(0, len(made["mixed/pieces.txt"]), 8192):
            file.seek(at)
            file.write(made["mixed/pieces.txt"][at : at + 4096])
    return {
        name: data for name, data in made.items()
        if name == "mixed/pieces.txt" or name.startswith("gone/") or (name.startswith(("mixed/", "many/")) and int(name[-6:-4]) % 2)
    }  # fmt: skip


def scatter(root: Path, pieces: int) -> None:
    """Write a file in very many pieces, which stays."""
    with (root / "keep" / "scattered.txt").open("wb") as file:
        for number in range(pieces):
            file.seek(number * 2048)
            file.write(b"%06d " % number * 146 + b"\n\n")  # 1,024 bytes, and as many that are not written


def make(path: Path, options: str, *, small: bool) -> dict[str, bytes]:
    """Make a volume, fill it and delete in it; return what was deleted."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(40 << 20 if small else 400 << 20)
    tested = {"TEST_DIR": "1", "TEST_DEV": "1", "QA_CHECK_FS": "1"}  # mkfs.xfs makes small volumes only for who tests it
    subprocess.run(["mkfs.xfs", "-q", "-f", *options.split(), path], check=True, env={**os.environ, **tested})
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        subprocess.run(["mount", "-o", "loop", path, root], check=True)
        try:
            gone = fill(root, small=small)
            if small:
                scatter(root, 1500)
        finally:
            os.chdir("/")
            subprocess.run(["umount", root], check=True)
        subprocess.run(["mount", "-o", "loop", path, root], check=True)
        try:
            for name in gone:
                (root / name).unlink()
            (root / "mixed" / "link").unlink()
            (root / "gone" / "sub").rmdir()
            (root / "gone").rmdir()
            if small:
                (root / "keep" / "last.txt").write_bytes(b"after all was deleted\n" * 200)
        finally:
            subprocess.run(["umount", root], check=True)
    return gone


def compare(path: Path, gone: dict[str, bytes]) -> str:
    """Return in one line what of the deleted files comes back."""
    medium = FileMedium([path])
    tree = XfsTree(medium, 0, medium.size)
    found: dict[str, list[bytes]] = {}
    for one in tree.names():
        if not isinstance(one, Fault) and one.deleted:
            data = b"".join(bytes(length) if at is None else medium.read_at(at, length) for at, length in one.runs)[: one.size]
            found.setdefault(b"/".join(one.path).decode(), []).append(data)
    everything = {data for several in found.values() for data in several}
    counts = Counter(named=0, content=0)
    for name, data in gone.items():
        counts["named"] += data in found.get(name, ())
        counts["content"] += data in everything
    medium.close()
    return f"{counts['content']} of {len(gone)} deleted files with every byte, {counts['named']} of them at their path"


def main() -> None:
    if sys.argv[1:2] == ["fixture"]:
        out = Path(sys.argv[2])
        print(compare(out, make(out, "-b size=1024 -d agcount=2", small=True)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for options in SETS:
            path = Path(folder) / "volume.img"
            print(f"{options or 'plain':34}", compare(path, make(path, options, small=False)))


if __name__ == "__main__":
    main()
