"""Carving against foremost, scalpel and photorec, on the same media in one run.

    python bench/carve.py quality [--samples FOLDER ...] [--media 3]      recall and precision on media whose answers are known
    python bench/carve.py time IMAGE --partition 1048576 [--rounds 3]     wall time on an image's free space
    python bench/carve.py known TRUTH.tsv IMAGE.E01 ...                   the same on images whose deleted files are known by their MD5
    python bench/carve.py memory                                          largest process on 256 MiB, 1 GiB and 4 GiB
    python bench/carve.py hostile [--mib 256]                             media made to take time, memory or room

*Exact*: an output file whose SHA-256 is that of a file that was put on the medium. *Inside*: bytes that stand in such a file, from a
later place on (an embedded picture): neither right nor wrong. *Part*: the beginning of a file that was overwritten, which is all that
there is of it: neither. *Wrong*: everything else that a tool wrote. Recall counts files of which every byte is there (whole, between
others, in two pieces), precision is exact / (exact + wrong). foremost and photorec carve every format that they know, scalpel the rules
of its own configuration for the kinds on the media.

``time`` gives foremost and scalpel what ``blkls`` makes of the free space, as their manuals say, and us the same file beside the image
itself; photorec reads the image's free space itself. Needs foremost, scalpel, testdisk and sleuthkit.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from carve_media import build, collect, made
from run import measure

from triage.carving.catalog import known_formats

if TYPE_CHECKING:
    from collections.abc import Callable

TRIAGE = Path(sys.executable).with_name("triage")
_SCALPEL_KINDS = ("gif", "jpg", "png", "bmp", "tif", "avi", "mov", "doc", "htm", "pdf", "wav", "zip", "mpg")
OURS, PROVEN = "triage", "triage, complete/"
_FOLDERS = {OURS: "ours", "foremost -q": "foremost-q"}
_PATIENCE = 240
"""Seconds that a tool may take for a medium of some 90 MB."""
_SEARCHED = 300
"""Files of a tool that begin at no sector and are looked for on the medium; more of them are wrong in any case."""


def scalpel_rules(folder: Path) -> Path:
    """Return a configuration with scalpel's own rules for the kinds on the media."""
    lines = Path("/etc/scalpel/scalpel.conf").read_text(encoding="latin-1").splitlines()
    rules = [line.lstrip("#") for line in lines if re.match(rf"#\s+({'|'.join(_SCALPEL_KINDS)})\s+[yn]\s+\d", line)]
    # No file on the media is longer than 4 MiB; with the lengths that it comes with, it writes a thousand times the medium.
    rules = [re.sub(r"(\s[yn]\s+)(\d+)", lambda m: m[1] + str(min(int(m[2]), 5_000_000)), rule, count=1) for rule in rules]
    path = folder / "scalpel.conf"
    path.write_text("\n".join(rules) + "\n", encoding="latin-1")
    return path


def commands(
    image: Path, out: Path, *, free: Path | None = None, partition: str = "partition_none", space: str = "wholespace"
) -> dict[str, list[str]]:
    """Return each tool's command; ``free``: a file of the free space for those that cannot find it themselves."""
    rules = scalpel_rules(out)
    everything = f"{partition},options,paranoid,fileopt,everything,enable,{space},search"
    found = {
        OURS: [str(TRIAGE), "carve", str(image), "--out", str(out / "ours"), "--quiet"],
        "photorec": ["photorec", "/d", str(out / "photorec"), "/cmd", str(image), everything],
        "foremost": ["foremost", "-t", "all", "-i", str(free or image), "-o", str(out / "foremost")],
        "foremost -q": ["foremost", "-q", "-t", "all", "-i", str(free or image), "-o", str(out / "foremost-q")],
        "scalpel": ["scalpel", "-c", str(rules), "-o", str(out / "scalpel"), str(free or image)],
    }
    if free is not None:
        found["triage on blkls"] = [str(TRIAGE), "carve", str(free), "--out", str(out / "ours-free"), "--quiet"]
        found["  --no-join"] = [*found["triage on blkls"][:-2], str(out / "ours-quick"), "--no-join", "--quiet"]
    return found


def outputs(out: Path) -> dict[str, Callable[[], list[Path]]]:
    """Return for each tool which files it has written."""

    def below(*folders: Path, but: tuple[str, ...] = ("audit.txt", "report.xml")) -> list[Path]:
        return [p for folder in folders for p in sorted(folder.rglob("*")) if p.is_file() and p.name not in but and p.suffix != ".jsonl"]

    return {
        OURS: lambda: below(out / "ours" / "complete", out / "ours" / "partial"),
        PROVEN: lambda: below(out / "ours" / "complete"),
        "photorec": lambda: below(*sorted(out.glob("photorec.*"))),
        "foremost": lambda: below(out / "foremost"),
        "foremost -q": lambda: below(out / "foremost-q"),
        "scalpel": lambda: below(out / "scalpel"),
    }


def judge(files: list[Path], truth: list[dict], medium: bytes) -> tuple[set[str], Counter[str]]:
    """Return the digests of the files that came out exactly, and counts."""
    there = {row["sha256"] for row in truth}
    starts = {row["pieces"][0][0] for row in truth}
    spans = sorted((a, a + n) for row in truth for a, n in row["pieces"])
    hurt = {row["pieces"][0][0]: row["intact"] for row in truth if row["scenario"] == "overwritten"}
    exact: set[str] = set()
    counts: Counter[str] = Counter()
    aligned = {medium[at : at + 64]: at for at in range(len(medium) // 512 * 512 - 512, -1, -512)}
    for path in files:
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest in there:
            counts["twice" if digest in exact else "exact"] += 1
            exact.add(digest)
            continue
        at = aligned.get(data[:64], -1)
        if at < 0 and data and counts["searched"] < _SEARCHED:
            counts["searched"] += 1
            at = medium.find(data[:4096])
        if at in hurt and len(data) and data == medium[at : at + len(data)]:
            counts["part"] += 1
        elif at not in starts and data and any(a < at and at + len(data) <= b for a, b in spans):
            counts["inside"] += 1
        else:
            counts["wrong"] += 1
    return exact, counts


def quality(samples: list[Path], media: int) -> None:
    """Print recall and precision of every tool over several media."""
    totals: dict[str, Counter[str]] = {}
    kinds: dict[str, Counter[str]] = {}
    wanted: Counter[str] = Counter()
    wanted_kinds: Counter[str] = Counter()
    for seed in range(1, media + 1):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            image = out / "medium.raw"
            build(image, collect(samples, 25, seed) + made(seed), seed, (512, 4096, 32768)[seed % 3])
            medium, truth = image.read_bytes(), json.loads(Path(f"{image}.truth.json").read_text())
            reachable = {row["sha256"]: row for row in truth if row["scenario"] != "overwritten"}
            wanted.update("fragmented" if r["scenario"] == "fragmented" else "whole" for r in reachable.values())
            wanted_kinds.update(r["kind"] for r in reachable.values())
            for tool, command in commands(image, out).items():
                try:  # in a folder of its own: photorec leaves photorec.ses where it stands
                    environment = {**os.environ, "TERM": "xterm"}
                    subprocess.run(command, check=False, capture_output=True, env=environment, cwd=out, timeout=_PATIENCE)
                except subprocess.TimeoutExpired:
                    print(f"{tool} was ended after {_PATIENCE} s on medium {seed}; what it had written by then counts")
                for name in (OURS, PROVEN) if tool == OURS else (tool,):
                    exact, counts = judge(outputs(out)[name](), truth, medium)
                    counts.update("fragmented" if reachable[d]["scenario"] == "fragmented" else "whole" for d in exact if d in reachable)
                    totals[name] = totals.get(name, Counter()) + counts
                    kinds[name] = kinds.get(name, Counter()) + Counter(reachable[d]["kind"] for d in exact if d in reachable)
                for written in (out / _FOLDERS.get(tool, tool), *out.glob("photorec.*")):  # scalpel writes hundreds of times the medium
                    shutil.rmtree(written, ignore_errors=True)
    print(f"{media} media, {sum(wanted.values())} files of which every byte is there, {wanted['fragmented']} of them in two pieces")
    print(f"{'':20}{'exact':>7}{'recall':>8}{'in two':>8}{'wrong':>7}{'precision':>10}{'inside':>8}{'part':>6}")
    for name, c in totals.items():
        hit = c["whole"] + c["fragmented"]
        recall, precision = hit / sum(wanted.values()), c["exact"] / max(1, c["exact"] + c["wrong"])
        print(f"{name:20}{hit:7}{recall:8.1%}{c['fragmented']:8}{c['wrong']:7}{precision:10.1%}{c['inside']:8}{c['part']:6}")
    print(f"\n{'exact by kind':20}" + "".join(f"{n:>12.12}" for n in totals))
    for kind in sorted(wanted_kinds):
        print(f"{f'{kind} ({wanted_kinds[kind]})':20}" + "".join(f"{kinds[n][kind]:12}" for n in totals))


def known(truth: Path, images: list[Path]) -> None:
    """Print how many deleted files of known MD5 each tool brings back out of images without a partition table, and what else it writes.

    Lines of ``truth``: state, MD5, name. What is inside of a file that was put there (a thumbnail) is neither right nor wrong.
    """
    lines = [line.split("\t") for line in truth.read_text().splitlines()]
    deleted, there = ({md5 for state, md5, _ in lines if state in states} for states in (("deleted",), ("deleted", "alloc")))
    totals: dict[str, Counter[str]] = {}
    for image in images:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            raw, free = out / "image.raw", out / "free.raw"
            subprocess.run(["ewfexport", "-q", "-u", "-t", str(out / "image"), "-f", "raw", str(image)], capture_output=True, check=True)
            with free.open("wb") as file:
                subprocess.run(["blkls", str(raw)], stdout=file, check=True)
            medium = raw.read_bytes()
            tools = commands(raw, out, free=free, space="freespace")
            tools[OURS] = commands(image.resolve(), out)[OURS]
            for tool in (OURS, "photorec", "foremost", "foremost -q", "scalpel"):
                environment = {**os.environ, "TERM": "xterm"}
                subprocess.run(tools[tool], check=False, capture_output=True, env=environment, cwd=out, timeout=_PATIENCE)
                counts, seen = totals.setdefault(tool, Counter()), set()
                for path in outputs(out)[tool]():
                    data = path.read_bytes()
                    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
                    kind = "exact" if md5 in deleted else "living" if md5 in there else "wrong"
                    if kind == "wrong" and data[:2] == b"\xff\xd8" and len(data) < 32768 and medium.find(data) > 0:
                        kind = "inside"
                    counts["twice" if md5 in seen else kind] += 1
                    seen.add(md5)
    print(f"{len(images)} images, {len(deleted) * len(images)} deleted files")
    print(f"{'':20}{'exact':>7}{'recall':>8}{'wrong':>7}{'precision':>10}{'inside':>8}")
    for name, c in totals.items():
        share = c["exact"] / (len(deleted) * len(images))
        print(f"{name:20}{c['exact']:7}{share:8.1%}{c['wrong']:7}{c['exact'] / max(1, c['exact'] + c['wrong']):10.1%}{c['inside']:8}")


def recovered(manifest: Path, name: str, files: list[Path]) -> None:
    """Print how many of a bench image's deleted files came out exactly, and how many other files were written."""
    with manifest.open(encoding="utf-8", newline="") as file:
        deleted = {row["sha256"]: row["kind"] for row in csv.DictReader(file) if row["state"] != "live"}
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    kinds = Counter(deleted[d] for d in set(digests) if d in deleted)
    print(f"{name:18}{sum(kinds.values()):6} exact, {sum(d not in deleted for d in digests)} others; {dict(sorted(kinds.items()))}")


def clock(image: Path, partition: int, rounds: int, without: list[str]) -> None:
    """Print wall times on an image's free space."""
    times: dict[str, list[tuple[float, float, float]]] = {}
    image = image.resolve()
    with tempfile.TemporaryDirectory() as folder:
        free = Path(folder) / "free.raw"
        with free.open("wb") as file:
            subprocess.run(["blkls", "-o", str(partition // 512), str(image)], stdout=file, check=True)
        image.read_bytes()  # warm
        os.chdir(folder)  # photorec leaves photorec.ses where it stands
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as out:
                for name, command in commands(image, Path(out), free=free, partition="1", space="freespace").items():
                    if name not in without:
                        times.setdefault(name, []).append(measure(command))
                manifest = Path(f"{image}.manifest.csv")
                if manifest.is_file() and len(next(iter(times.values()))) == rounds:
                    for name, written in outputs(Path(out)).items():
                        if name not in without:
                            recovered(manifest, name, written())
    middle = {name: [statistics.median(t[i] for t in taken) for i in range(3)] for name, taken in times.items()}
    print(f"{'':18}{'wall s':>8}{'cpu s':>8}{'MB':>7}   (median of {rounds})")
    for name, (wall, cpu, memory) in middle.items():
        print(f"{name:18}{wall:8.2f}{cpu:8.2f}{memory:7.0f}")
    for ours, theirs, most in (
        (OURS, "photorec", 0.20),
        ("triage on blkls", "scalpel", 0.12),
        ("triage on blkls", "foremost", 0.12),
        ("triage on blkls", "foremost -q", 1.0),
        ("  --no-join", "foremost", 0.12),
        ("  --no-join", "foremost -q", 1.0),
    ):
        if {ours, theirs} <= set(middle):
            print(f"{ours.strip()} / {theirs}: {middle[ours][0] / middle[theirs][0]:.3f} wall (asked: at most {most})")


def memory() -> None:
    """Print the largest process on media of three sizes that hold the same files again and again."""
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.raw"
        build(small, made(1), 1, 4096)
        piece = small.read_bytes()
        for size in (256 << 20, 1 << 30, 4 << 30):
            image = Path(folder) / "medium.raw"
            with image.open("wb") as file:
                while file.tell() < size:
                    file.write(piece)
            # Nothing is that sure: no room is needed for what would be written.
            taken = measure([str(TRIAGE), "carve", str(image), "--out", f"{folder}/out", "--confidence", "100", "--quiet"])
            print(f"{size >> 20:6} MiB: {taken.memory:.0f} MB, {taken.wall:.1f} s")
            shutil.rmtree(f"{folder}/out")


def hostile(mib: int) -> None:
    """Print time, memory and what was written for media that are nothing but traps."""
    rng = random.Random(1)
    heads = [bytes(h.at) + bytes(m or 1 for m in h.magic) for f in known_formats() for h in f.headers]
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(64 << 20))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        len(d).to_bytes(4, "big") + n + d + zlib.crc32(n + d).to_bytes(4, "big")
        for n, d in ((b"IHDR", (60000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"), (b"IDAT", zlib.compress(bytes(32 << 20))))
    )
    traps: dict[str, Callable[[], bytes]] = {
        "zeros": lambda: bytes(1 << 20),
        "0xFF": lambda: b"\xff" * (1 << 20),
        "noise": lambda: rng.randbytes(1 << 20),
        "a JPEG header in every sector": lambda: (b"\xff\xd8\xff\xe0\x00\x10JFIF\0\1\1".ljust(512, b"\0")) * 2048,
        "a header of any kind in every sector, noise behind": lambda: b"".join(
            (h := rng.choice(heads)) + rng.randbytes(max(0, 512 - len(h))) for _ in range(2048)
        )[: 1 << 20],
        "a header of any kind in every sector, zeros behind": lambda: b"".join(
            rng.choice(heads)[:512].ljust(512, b"\0") for _ in range(2048)
        ),
        "lying lengths": lambda: b"".join(
            (h := rng.choice(heads)) + b"\xff\xff\xff\x7f" * ((512 - len(h)) // 4 + 1) for _ in range(2048)
        )[: 1 << 20],
        "zip bombs": lambda: (bomb.getvalue() + bytes(-len(bomb.getvalue()) % 512)) * max(1, (1 << 20) // len(bomb.getvalue())),
        "pictures of 60,000 x 60,000": lambda: (png + bytes(-len(png) % 512)) * max(1, (1 << 20) // len(png)),
        "text": lambda: (b"From nobody Mon Jan  1 00:00:00 2024\nSubject: <html> {\\rtf1 \n\n" * 20000)[: 1 << 20],
    }
    with tempfile.TemporaryDirectory() as folder:
        print(f"{mib} MiB of")
        for name, piece in traps.items():
            image = Path(folder) / "trap.raw"
            with image.open("wb") as file:
                file.write(bytes(512))
                while file.tell() < mib << 20:
                    file.write(piece())
            taken = measure([str(TRIAGE), "carve", str(image), "--out", f"{folder}/out", "--quiet"])
            files = [p for p in Path(folder, "out").rglob("*") if p.is_file() and p.parent.name in ("complete", "partial", "inside")]
            size = sum(p.stat().st_size for p in files)
            print(f"  {name:52}{taken.wall:7.1f} s{taken.memory:6.0f} MB{len(files):8} files of {size >> 20} MiB")
            shutil.rmtree(f"{folder}/out")


def main() -> None:
    """Choose what is measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands_ = parser.add_subparsers(dest="what", required=True)
    one = commands_.add_parser("quality")
    one.add_argument("--samples", type=Path, nargs="*", default=[])
    one.add_argument("--media", type=int, default=3)
    four = commands_.add_parser("known")
    four.add_argument("truth", type=Path)
    four.add_argument("images", type=Path, nargs="+")
    two = commands_.add_parser("time")
    two.add_argument("image", type=Path)
    two.add_argument("--partition", type=int, default=1 << 20, help="where the file system begins, in bytes")
    two.add_argument("--rounds", type=int, default=3)
    two.add_argument("--without", nargs="*", default=[], help="tools to leave out")
    commands_.add_parser("memory")
    three = commands_.add_parser("hostile")
    three.add_argument("--mib", type=int, default=256)
    given = parser.parse_args()
    if given.what == "quality":
        quality(given.samples, given.media)
    elif given.what == "time":
        clock(given.image, given.partition, given.rounds, given.without)
    elif given.what == "known":
        known(given.truth, given.images)
    elif given.what == "hostile":
        hostile(given.mib)
    else:
        memory()


if __name__ == "__main__":
    main()
