"""The experiment of damaged media: ten file systems times 300 mutants, and 450 damaged E01 sets, each through the whole main job.

    python bench/mutants.py run [SEED...] [--count 300] [--first 0] [--jobs 2] [--raw] [--json FILE]
    python bench/mutants.py make SEED NUMBER FILE
    python bench/mutants.py show SEED NUMBER
    python bench/mutants.py e01

A mutant is a function of the seed's bytes, its name and the number: 1 to 64 edits, half of them within the first 256 KiB, the others
in whatever is not a file's content; one in twenty is cut short as well. Each is examined like any evidence (one worker, stall limit 10 s).

It is counted: crashes of the tool, tracebacks, runs over the budget of 60 s, and **silent losses**: an entry that the seed has and the
mutant has not, also not under another name, without a problem that the sound seed does not have. (``renamed`` and ``changed`` count
entries with another name or other content and no problem: text of a file, or a letter of a name on a file system without checksums,
can change without a trace. Files of the file system's own, ``$MFT`` and the like, are what was damaged.)

``--raw`` walks the same mutants with pytsk3 alone, guarded
against loops and killed after 20 s, and counts its silent losses the same way. ``contents kept`` is the share of the seed's contents
(by digest) that are still found; for mutants that killed a worker, or over
which pytsk3 spins, it is the promise of going on behind the poison, for ``mbr`` and
``gpt`` whose tables pytsk3 finds nothing by any more, a file system that is found all the same is a rescue.

Exit code 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from triage.case.store import Case
from triage.engine.run import RunOptions, run
from triage.errors import TriageError
from triage.evidence.opening import open_evidence
from triage.filesystem.image import tsk_image
from triage.filesystem.tsk import Avoid, Walker
from triage.filesystem.volumes import is_listed, list_volumes
from triage.model import Entry, Kind
from triage.priority.profile import load_profile

ROOT = Path(__file__).resolve().parent.parent
SEEDS = ("ext2", "ext4", "ntfs", "fat16", "fat32", "exfat", "hfsplus", "iso9660", "mbr", "gpt")
SECTOR = 512
HEAD = 256 << 10
BUDGET = 60.0
RAW_SECONDS = 20
POISON = 5.0
"""Seconds that pytsk3 spins over a mutant which holds a poisoned item; a sound one of these takes a tenth of a second."""
EDITS = (1, 2, 4, 8, 16, 32, 64)
COLUMNS = ("mutants", "bugs", "over_budget", "silent", "losing", "refused", "kept", "poisoned", "slowest")
COLUMNS += ("changed_silent", "renamed_silent", "raw_silent", "raw_hangs")
EDGES = (b"\0", b"\xff", b"\x7f", b"\x80")


class Silent:
    """An observer that nobody watches."""

    def stage(self, name: str) -> None:
        """A new step."""

    def progress(self, **_: int) -> None:
        """Some progress."""

    def notable(self, path: str, text: str) -> None:
        """A notable file."""


def seed_bytes(name: str) -> bytes:
    """Return a seed; HFS+ is one of the built-in images."""
    own = ROOT / "bench" / "seeds" / f"{name}.raw.gz"
    return gzip.decompress((own if own.is_file() else ROOT / "tests" / "images" / f"{name}.raw.gz").read_bytes())


def metadata_sectors(data: bytes) -> list[int]:
    """Return the sectors that hold something and are no file's content."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.raw"
        path.write_bytes(data)
        evidence, medium, _ = open_evidence(path)
        image = tsk_image(medium, evidence.paths)
        content: set[int] = set()
        for volume in list_volumes(image, medium, evidence.id)[0]:
            if not is_listed(volume):
                continue
            walker = Walker(image, volume, lambda *_: None, avoid=Avoid(), max_entries=10_000, max_orphans=1000, medium=medium)
            for row in walker.walk():
                if isinstance(row, Entry) and row.kind is Kind.FILE and not row.name.startswith("$"):
                    for piece in row.runs:
                        if piece.image_offset is not None:
                            content.update(range(piece.image_offset // SECTOR, (piece.image_offset + piece.length) // SECTOR))
        medium.close()
    full = [n for n in range(len(data) // SECTOR) if n not in content and any(data[n * SECTOR : n * SECTOR + SECTOR])]
    return full or [0]


def mutate(data: bytes, sectors: list[int], name: str, number: int) -> bytes:
    """Return the mutant of a number."""
    chance = random.Random(f"{name} {number}")
    raw = bytearray(data)
    near = [s for s in sectors if s * SECTOR < HEAD]
    for _ in range(chance.choice(EDITS)):
        sector = chance.choice(near if near and chance.random() < 0.5 else sectors)
        _edit(raw, sector * SECTOR, sectors, chance)
    if chance.random() < 0.05:
        del raw[chance.randrange(SECTOR, len(raw)) // SECTOR * SECTOR :]
    return bytes(raw)


def _edit(raw: bytearray, start: int, sectors: list[int], chance: random.Random) -> None:
    kind = chance.choice(("flip", "byte", "edge", "field", "copied", "zeroed", "random"))
    at = start + chance.randrange(SECTOR - 8)
    if kind == "flip":
        raw[at] ^= 1 << chance.randrange(8)
    elif kind == "byte":
        raw[at] = chance.randrange(256)
    elif kind == "edge":
        width = chance.choice((1, 2, 4, 8))
        raw[at : at + width] = chance.choice(EDGES) * width
    elif kind == "field":
        full = [n for n in range(start, start + SECTOR) if raw[n]] or [at]
        place = chance.choice(full)
        raw[place] = (raw[place] + chance.choice((1, 2, 16, 128, 255))) % 256
    elif kind == "copied":
        source = chance.choice(sectors) * SECTOR
        raw[start : start + SECTOR] = raw[source : source + SECTOR]
    elif kind == "zeroed":
        raw[start : start + SECTOR] = bytes(SECTOR)
    else:
        raw[start : start + SECTOR] = chance.randbytes(SECTOR)


@dataclasses.dataclass
class Seen:
    """What a run of the main job showed of an image."""

    names: dict[str, list[str]] = dataclasses.field(default_factory=dict)  # "path|kind" → digests
    problems: list[str] = dataclasses.field(default_factory=list)
    refused: str = ""
    bug: str = ""
    volumes: int = 0
    lost_workers: int = 0
    seconds: float = 0.0


def examine(path: Path, folder: Path) -> Seen:
    """Run the main job into a new case and read what it found."""
    seen = Seen()
    case = folder / "case"
    began = time.monotonic()
    profile = load_profile("full")
    try:
        result = run(RunOptions(evidence=(path,), case=case, profile=profile, jobs=1), Silent())
    except TriageError as error:
        seen.refused = str(error)
        seen.bug = str(error) if error.exit_code in (1, 6) else ""
    except Exception:
        seen.bug = traceback.format_exc()
    else:
        seen.problems += result.unreadable
        with Case.open(case) as opened:
            for row in opened.files():
                seen.names.setdefault(f"{row['path']}|{row['kind']}", []).append(row["sha256"] or "")
            seen.problems += [f"{p['stage']}: {p['path']}: {p['message']}" for p in opened.problems()]
            seen.volumes = sum(1 for v in opened.volumes() if v["number"] is not None and v["block_size"])
        seen.lost_workers = (case / "audit.jsonl").read_text(encoding="ascii").count('"event":"worker lost"')
    seen.seconds = time.monotonic() - began
    return seen


def raw_walk(path: Path) -> dict[str, Any]:
    """Walk an image with pytsk3 alone in a process of its own; see :mod:`raw_walk`."""
    command = [sys.executable, str(Path(__file__).with_name("raw_walk.py")), str(path)]
    began = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, timeout=RAW_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {"names": [], "errors": ["hang"], "volumes": 0, "ended": "hang", "seconds": float(RAW_SECONDS)}
    if done.returncode:
        return {"names": [], "errors": [f"exit {done.returncode}"], "volumes": 0, "ended": "crash", "seconds": 0.0}
    answer: dict[str, Any] = json.loads(done.stdout)
    return {**answer, "seconds": time.monotonic() - began}


def losses(base: Seen, seen: Seen) -> tuple[list[str], int]:
    """Return the names that are gone, and how many are there under another name.

    A file system without checksums of its names cannot show that a letter was changed: what has the same content and kind under a new
    name is not lost.
    """
    new = Counter((key.rpartition("|")[2], digest) for key, ds in seen.names.items() if key not in base.names for digest in ds)
    lost: list[str] = []
    renamed = 0
    for key in sorted(set(base.names) - set(seen.names)):
        what = (key.rpartition("|")[2], base.names[key][0])
        if new[what]:
            new[what] -= 1
            renamed += 1
        else:
            lost.append(key)
    return lost, renamed


def one(task: tuple[str, int, bool]) -> dict[str, Any]:
    """Make, examine and judge one mutant."""
    name, number, raw = task
    data = seed_bytes(name)
    base = _base(name, data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.raw"
        path.write_bytes(mutate(data, base["sectors"], name, number))
        seen = examine(path, Path(folder))
        plain = raw_walk(path) if raw else None
    lost, renamed = losses(base["seen"], seen)
    said = bool(seen.refused) or bool(set(seen.problems) - set(base["seen"].problems))
    digests = {d for ds in base["seen"].names.values() for d in ds if d}
    kept = {d for ds in seen.names.values() for d in ds if d} & digests
    changed = [k for k, v in base["seen"].names.items() if "/$" not in k and k in seen.names and sorted(seen.names[k]) != sorted(v)]
    judged: dict[str, Any] = {
        "seed": name,
        "number": number,
        "bug": seen.bug,
        "refused": seen.refused,
        "lost": len(lost),
        "silent": bool(lost) and not said,
        "lost_names": lost[:5],
        "renamed_silent": renamed if not said else 0,
        "changed_silent": len(changed) if changed and not said else 0,
        "kept": len(kept) / len(digests),
        "workers": seen.lost_workers,
        "volumes": seen.volumes,
        "seconds": seen.seconds,
        "problems": len(seen.problems),
    }
    if plain is not None:
        fewer = len(plain["names"]) < len(base["raw"]["names"])
        new = set(plain["errors"]) - set(base["raw"]["errors"])
        judged["raw"] = {"silent": fewer and not new, "ended": plain["ended"], "volumes": plain["volumes"], "seconds": plain["seconds"]}
    return judged


_BASES: dict[str, dict[str, Any]] = {}


def _base(name: str, data: bytes) -> dict[str, Any]:
    """Return what the sound seed shows, once a process."""
    if name not in _BASES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "mutant.raw"
            path.write_bytes(data)
            _BASES[name] = {"sectors": metadata_sectors(data), "seen": examine(path, Path(folder)), "raw": raw_walk(path)}
    return _BASES[name]


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Count what the promises are about."""
    poisoned = [r for r in rows if r["workers"] or r.get("raw", {}).get("seconds", 0) > POISON]
    tables = [r for r in rows if r["seed"] in ("mbr", "gpt") and "raw" in r and not r["raw"]["volumes"]]
    return {
        "mutants": len(rows),
        "bugs": sum(1 for r in rows if r["bug"]),
        "over_budget": sum(1 for r in rows if r["seconds"] > BUDGET),
        "silent": sum(1 for r in rows if r["silent"]),
        "changed_silent": sum(1 for r in rows if r["changed_silent"]),
        "renamed_silent": sum(1 for r in rows if r["renamed_silent"]),
        "losing": sum(1 for r in rows if r["lost"]),
        "refused": sum(1 for r in rows if r["refused"]),
        "kept": round(sum(r["kept"] for r in rows) / max(1, len(rows)), 4),
        "poisoned": len(poisoned),
        "poison_kept": round(sum(r["kept"] for r in poisoned) / len(poisoned), 4) if poisoned else None,
        "tables_gone": len(tables),
        "rescued": sum(1 for r in tables if r["volumes"]),
        "slowest": round(max((r["seconds"] for r in rows), default=0), 1),
        "raw_silent": sum(1 for r in rows if r.get("raw", {}).get("silent")),
        "raw_hangs": sum(1 for r in rows if r.get("raw", {}).get("ended") == "hang"),
        "raw_crashes": sum(1 for r in rows if r.get("raw", {}).get("ended") == "crash"),
    }


def run_all(arguments: argparse.Namespace) -> int:
    """Run the experiment and print a row a seed."""
    rows: list[dict[str, Any]] = []
    print(f"{'seed':<9}" + "".join(f"{f:>15}" for f in COLUMNS), flush=True)
    numbers = range(arguments.first, arguments.first + arguments.count)
    with ProcessPoolExecutor(max_workers=arguments.jobs) as pool:
        for name in arguments.seeds or SEEDS:
            found = list(pool.map(one, [(name, n, arguments.raw) for n in numbers], chunksize=5))
            rows += found
            counted = summary(found)
            print(f"{name:<9}" + "".join(f"{counted[f]!s:>15}" for f in COLUMNS), flush=True)
            for row in found:
                if row["bug"] or row["silent"] or row["seconds"] > BUDGET:
                    what = row["bug"].strip().splitlines()[-1] if row["bug"] else f"lost {row['lost']}: {row['lost_names']}"
                    print(f"  {name} {row['number']}: {what} ({row['seconds']:.1f} s)", flush=True)
    total = summary(rows)
    print(json.dumps(total, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps({"total": total, "rows": rows}, indent=1), encoding="utf-8")
    broken = total["bugs"] or total["over_budget"] or total["silent"]
    broken = broken or (total["poison_kept"] is not None and total["poison_kept"] < 0.75)
    broken = broken or (total["tables_gone"] and total["rescued"] < 0.99 * total["tables_gone"])
    return 1 if broken else 0


def make(arguments: argparse.Namespace) -> int:
    """Write one mutant to a file."""
    data = seed_bytes(arguments.seed)
    arguments.file.write_bytes(mutate(data, metadata_sectors(data), arguments.seed, arguments.number))
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Say of one mutant what differs from its seed, and what was said."""
    data = seed_bytes(arguments.seed)
    base = _base(arguments.seed, data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.raw"
        changed = mutate(data, base["sectors"], arguments.seed, arguments.number)
        path.write_bytes(changed)
        seen = examine(path, Path(folder))
    places = Counter(n // SECTOR for n in range(min(len(data), len(changed))) if data[n] != changed[n])
    print(f"{len(data) - len(changed)} bytes shorter; changed sectors: " + ", ".join(f"{s} ({n})" for s, n in sorted(places.items())))
    print(f"refused: {seen.refused}" if seen.refused else f"{seen.volumes} volumes, {seen.lost_workers} workers lost, {seen.seconds:.1f} s")
    print(seen.bug)
    for title, keys in (
        ("lost", set(base["seen"].names) - set(seen.names)),
        ("new", set(seen.names) - set(base["seen"].names)),
        ("changed", {k for k in seen.names if k in base["seen"].names and sorted(seen.names[k]) != sorted(base["seen"].names[k])}),
        ("said", set(seen.problems) - set(base["seen"].problems)),
    ):
        for key in sorted(keys):
            print(f"{title}: {key}")
    return 0


def main() -> None:
    """Take the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("run", help="the experiment")
    verb.add_argument("seeds", nargs="*", metavar="SEED", help=", ".join(SEEDS))
    verb.add_argument("--count", type=int, default=300)
    verb.add_argument("--first", type=int, default=0, help="the first number: another one gives fresh mutants")
    verb.add_argument("--jobs", type=int, default=2)
    verb.add_argument("--raw", action="store_true", help="the same with pytsk3 alone")
    verb.add_argument("--json", type=Path, metavar="FILE", help="every mutant's row")
    verb.set_defaults(do=run_all)
    verb = verbs.add_parser("make", help="write one mutant to a file")
    verb.add_argument("seed")
    verb.add_argument("number", type=int)
    verb.add_argument("file", type=Path)
    verb.set_defaults(do=make)
    verb = verbs.add_parser("show", help="say what one mutant lost and what was said")
    verb.add_argument("seed")
    verb.add_argument("number", type=int)
    verb.set_defaults(do=show)
    verb = verbs.add_parser("e01", help="450 damaged E01 sets")
    verb.set_defaults(do=e01)
    arguments = parser.parse_args()
    sys.exit(arguments.do(arguments))


def e01(_: argparse.Namespace) -> int:
    """Run the experiment of damaged E01 sets."""
    return subprocess.run([sys.executable, str(Path(__file__).with_name("e01_mutants.py"))], check=False).returncode


if __name__ == "__main__":
    main()
