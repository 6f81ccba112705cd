"""A phone's extraction as a ZIP archive of 100,000 files: how long it takes until it is open and listed, and how much memory.

python bench/zip_extraction.py [--files 100000] [--folder DIR]

Three archives of the same files are made: one as most tools write it, one whose sizes stand behind the bytes, and that one without its
list. Each is listed by ``triage ls`` in a process of its own, on one core. The goals are 15 seconds and
300 MB; the exit code is 1 if one is missed.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import BinaryIO

GOAL_SECONDS, GOAL_MB = 15.0, 300


class Pipe:
    """A file that cannot be wound back, as a network connection."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, data: bytes) -> int:
        return self._out.write(data)

    def flush(self) -> None:
        self._out.flush()


def make(path: Path, files: int, *, stream: bool) -> None:
    """Write files of the layout that iOS has: small ones, a third of them stored."""
    rng = random.Random(1)
    noise = rng.randbytes(1 << 16)
    with path.open("wb") as out, zipfile.ZipFile(Pipe(out) if stream else out, "w") as archive:
        for number in range(files):
            folder = f"private/var/mobile/Containers/Data/Application/{number % 400:08X}-0000-4000-8000-000000000000/Library/Caches"
            info = zipfile.ZipInfo(f"{folder}/item-{number:07}.dat", (2024, 5, 6, 7, 8, 10))
            info.external_attr = 0o100644 << 16
            start = rng.randrange(1 << 15)
            data = noise[start : start + rng.randrange(100, 12_000)] + b"tail" * rng.randrange(500)
            archive.writestr(info, data, zipfile.ZIP_STORED if number % 3 == 0 else zipfile.ZIP_DEFLATED, 1)


def listed(path: Path) -> tuple[float, float, int]:
    """Return seconds, megabytes of the largest process, and how many names were listed."""
    command = [sys.executable, "-m", "triage", "ls", "--recursive", str(path)]
    before = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said, wrong = process.communicate()
    seconds = time.monotonic() - before
    if process.returncode:
        raise SystemExit(wrong)
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000, said.count(".dat")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    missed = False
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        plain, streamed, cut = (Path(folder) / name for name in ("plain.zip", "streamed.zip", "cut.zip"))
        make(plain, options.files, stream=False)
        make(streamed, options.files, stream=True)
        with zipfile.ZipFile(streamed) as archive:
            shutil.copyfile(streamed, cut)
            os.truncate(cut, archive.start_dir)
        for path in (plain, streamed, cut):
            seconds, megabytes, names = listed(path)
            missed |= seconds > GOAL_SECONDS or megabytes > GOAL_MB or names != options.files
            size = path.stat().st_size / 1e6
            print(f"{path.stem:10} {size:8.0f} MB  {names:,} of {options.files:,} files  {seconds:6.1f} s  {megabytes:6.0f} MB")
    print(f"goals: {GOAL_SECONDS:.0f} s and {GOAL_MB} MB: {'MISSED' if missed else 'met'}")
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
