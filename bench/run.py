"""The main job against fiwalk, on the same image in one run: wall time, CPU time, memory of the largest process, and the ratio.

    python bench/run.py [IMAGE] [--e01 IMAGE.E01] [--rounds 3]

fiwalk (sleuthkit) walks the file system and takes MD5 and SHA-1; triage lists, reads, takes MD5, SHA-1 and SHA-256, tells types,
matches a list and writes the case. The two take turns; medians are compared. Without IMAGE one is built by the script that makes
the bench image (``--make``, or ``../shared/bench/mkimage.py`` beside the checkout; needs root and ntfs-3g). Everything is warm: each
image is read once before it is measured. The report is written in a run of its own at the end and timed apart.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

# What fiwalk does and a little more: names, digests, type, lists, scores. The analyzers are measured in a row of their own.
BARE = """
schema: 1
name: bare
extends: full
plugins: {exif: {enabled: false}, encrypted: {enabled: false}, zone_identifier: {enabled: false}}
carve: {from: none}
"""
ROOT = Path(__file__).resolve().parent.parent


class Measured(NamedTuple):
    """Seconds of wall and CPU time, and the largest resident size of one process in MB."""

    wall: float
    cpu: float
    memory: float


def measure(command: list[str]) -> Measured:
    """Run a command and measure it with all its children."""
    before = os.times()
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    peak = 0.0
    done = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not done.wait(0.05):
            peak = max(peak, _largest(process.pid))

    watcher = threading.Thread(target=sample)
    watcher.start()
    _, errors = process.communicate()
    wall = time.monotonic() - began
    done.set()
    watcher.join()
    after = os.times()
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}: {errors.decode(errors='replace')[-500:]}")
    return Measured(wall, after.children_user + after.children_system - before.children_user - before.children_system, peak)


def _largest(session: int) -> float:
    """Return the largest private and shared memory in RAM of one process of a session, in MB."""
    largest = 0.0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[3]) == session:
                line = next((x for x in (entry / "status").read_text().splitlines() if x.startswith("VmRSS")), "VmRSS: 0 kB")
                largest = max(largest, int(line.split()[1]) / 1000)
        except (OSError, IndexError, ValueError):
            continue
    return largest


def build(target: Path, script: Path) -> None:
    """Build the bench image: MBR, NTFS, 2.2 GB, 20,000 files."""
    if not script.is_file():
        sys.exit("no bench image: name one, or the script that builds it with --make")
    subprocess.run([sys.executable, str(script), str(target)], check=True)


def known_list(image: Path, folder: Path) -> list[str]:
    """Return a list to match: every twentieth digest of the image's manifest, if there is one."""
    manifest = Path(f"{image}.manifest.csv")
    if not manifest.is_file():
        return []
    with manifest.open(encoding="utf-8") as file:
        digests = [row["sha1"] for number, row in enumerate(csv.DictReader(file)) if number % 20 == 0]
    target = folder / "known.txt"
    target.write_text("\n".join(digests) + "\n")
    return ["--hashset", f"{target}:known"]


def compare(image: Path, rounds: int, folder: Path) -> float:
    """Measure both in turn and print the medians; return the ratio of wall times."""
    with image.open("rb") as file:
        while file.read(1 << 24):
            pass
    extra = known_list(image, folder)
    bare = folder / "bare.yaml"
    bare.write_text(BARE)
    ours: list[Measured] = []
    plain: list[Measured] = []
    theirs: list[Measured] = []
    case = folder / "case"
    for _ in range(rounds):
        shutil.rmtree(case, ignore_errors=True)
        plain.append(
            measure(
                [
                    sys.executable,
                    "-m",
                    "triage",
                    "run",
                    str(image),
                    "--case",
                    str(case),
                    "--profile",
                    str(bare),
                    "--no-report",
                    "-q",
                    *extra,
                ]
            )
        )
        shutil.rmtree(case, ignore_errors=True)
        ours.append(measure([sys.executable, "-m", "triage", "run", str(image), "--case", str(case), "--no-report", "-q", *extra]))
        xml = folder / "fiwalk.xml"
        xml.unlink(missing_ok=True)
        theirs.append(measure(["fiwalk", "-X", str(xml), str(image)]))
    report = measure([sys.executable, "-m", "triage", "report", str(case), "--out", str(folder / "report")])
    print(f"{image.name}: {rounds} rounds, medians")
    for name, results in (
        ("triage, analyzers too (exif, encryption ...)", ours),
        ("triage (3 digests, type, match, score, case)", plain),
        ("fiwalk (md5+sha1)", theirs),
    ):
        wall, cpu, memory = (statistics.median(r[i] for r in results) for i in range(3))
        print(f"  {name:45} wall {wall:6.2f} s   cpu {cpu:6.2f} s   largest process {memory:5.0f} MB")
    print(f"  {'report written afterwards':45} wall {report.wall:6.2f} s")
    for name, results in (("", plain), (" with analyzers", ours)):
        ratios = [a.wall / b.wall for a, b in zip(results, theirs, strict=True)]
        print(f"  ratio of wall times to fiwalk's{name}: {statistics.median(ratios):.3f} (pairwise median), best {min(ratios):.3f}")
    return statistics.median(a.wall / b.wall for a, b in zip(plain, theirs, strict=True))


def main() -> None:
    """Run the comparison on the raw image and, when there is one, on its E01."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("image", nargs="?", type=Path)
    parser.add_argument("--e01", type=Path, help="the same medium as E01; made by ewfacquire (fast) beside a temporary copy if not given")
    parser.add_argument(
        "--make", type=Path, default=ROOT.parent / "shared" / "bench" / "mkimage.py", help="the script that builds the image"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--raw-only", action="store_true")
    options = parser.parse_args()
    if not shutil.which("fiwalk"):
        sys.exit("fiwalk is not here: install sleuthkit")
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as name:
        folder = Path(name)
        image = options.image or folder / "bench.raw"
        if not image.exists():
            build(image, options.make)
        compare(image, options.rounds, folder)
        if options.raw_only:
            return
        e01 = options.e01
        if e01 is None:
            if not shutil.which("ewfacquire"):
                sys.exit("ewfacquire is not here: install ewf-tools, or name an E01 with --e01")
            subprocess.run(
                ["ewfacquire", "-u", "-q", "-c", "fast", "-S", "7EiB", "-t", str(folder / "bench"), str(image)],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            e01 = folder / "bench.E01"
        compare(e01, options.rounds, folder)


if __name__ == "__main__":
    main()
