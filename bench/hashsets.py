# ruff: noqa: E501
"""Hash lists at scale: import and look-up against hfind (The Sleuth Kit) and an indexed SQLite table, in one run.

python bench/hashsets.py [--sizes 1000000,10000000,50000000] [--queries 1000000] [--folder DIR] [--no-peers] [--forms]

For each size a plain list of MD5 digests is imported three times: by triage, by ``hfind -i md5sum``, and into an SQLite table WITHOUT
ROWID (sorted by nothing, one transaction, then used by a join with a temporary table). Look-ups: a batch of queries, 2 % of them
members, in random order; hfind is asked a tenth of them (``hfind -f``), since it takes long, and compared by the look-up. Each step
runs in a process of its own, so that its peak memory is its own. Lists are random and seeded: every run asks the same. ``--forms`` imports the
same digests as md5sum output, CSV and VICS JSON too.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from triage.hashsets.intake import compile_list
from triage.hashsets.matching import Matcher
from triage.hashsets.store import Hashset
from triage.model import Content, Meaning

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEP = 1 << 18
TARGETS = {"look-up, SQLite join": 0.12, "look-up, hfind": 0.05, "import, SQLite": 1.0, "import, hfind": 1.0}


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_mib(kind: str) -> float:
    """Memory of this process now: ``RssAnon`` is its own, ``RssFile`` the mapped set's pages, which the system takes back."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(kind + ":"):
            return int(line.split()[1]) / 1024
    return float("nan")


def blocks_of(records: int) -> Iterator[bytes]:
    """Yield the digests of the list, 16 bytes each, some at a time."""
    rng = np.random.default_rng(1)
    return (rng.bytes(16 * min(_STEP, records - start)) for start in range(0, records, _STEP))


def step_write(folder: Path, records: int) -> dict[str, object]:
    with (folder / "plain.txt").open("w", encoding="ascii") as plain:
        for block in blocks_of(records):
            digits = block.hex()
            plain.write("\n".join(digits[i : i + 32] for i in range(0, len(digits), 32)) + "\n")
    return {"step": "list written", "records": records}


def step_forms(folder: Path, records: int) -> dict[str, object]:
    """Write the same digests as md5sum output, CSV with two digests and a category, and VICS JSON."""
    rng = np.random.default_rng(1)
    with (folder / "sums.txt").open("w") as sums, (folder / "table.csv").open("w") as table, (folder / "vics.json").open("w") as vics:
        table.write("name,MD5,SHA-1,category\n")
        vics.write('{"@odata.context": "x/2.0.xml/US/$metadata#Media", "value": [')
        for start in range(0, records, _STEP):
            for i in range(min(_STEP, records - start)):
                digest = rng.bytes(36).hex()
                sums.write(f"{digest[:32]}  some/file/name {start + i}\n")
                table.write(f"name {i},{digest[:32]},{digest[32:]},{i % 5}\n")
                entry = {
                    "MediaID": i,
                    "Category": i % 5,
                    "MD5": digest[:32].upper(),
                    "SHA1": digest[32:].upper(),
                    "VictimIdentified": "False",
                }
                vics.write(("," if start + i else "") + json.dumps(entry) + "\n")
        vics.write("]}")
    return {"step": "forms written", "records": records}


def step_import(folder: Path, name: str) -> dict[str, object]:
    start = time.perf_counter()
    report = compile_list(folder / name, folder / (name + ".hset"), "bench", Meaning.KNOWN)
    seconds = time.perf_counter() - start
    size = (folder / (name + ".hset")).stat().st_size
    return {
        "step": f"import {name}",
        "records": report.records,
        "seconds": round(seconds, 2),
        "records/s": round(report.records / seconds),
        "bytes/digest": round(size / sum(report.digests.values()), 1),
        "peak MiB": round(peak_mib()),
    }


def queries_of(folder: Path, queries: int) -> tuple[bytes, int]:
    """Return digests to ask for, end to end: 2 % members, in random order; and how many members there are."""
    rng = np.random.default_rng(2)
    path = folder / "plain.txt"
    lines = path.stat().st_size // 33
    digests = bytearray(rng.bytes(16 * queries))
    members = sorted(random.Random(3).sample(range(lines), min(lines, queries // 50)))
    with path.open("rb") as stream:
        for number, line in enumerate(members):
            stream.seek(33 * line)
            at = 16 * (50 * number % queries)
            digests[at : at + 16] = bytes.fromhex(stream.read(32).decode())
    return bytes(digests), len(members)


def step_lookup(folder: Path, queries: int) -> dict[str, object]:
    asked, members = queries_of(folder, queries)
    before = peak_mib()
    rates = []
    start = time.perf_counter()
    with Hashset(folder / "plain.txt.hset") as hashset:
        for _ in range(3):
            hits = int((hashset.lookup("md5", asked) >= 0).sum())
            rates.append(time.perf_counter() - start)
            start = time.perf_counter()
        anonymous, mapped = resident_mib("RssAnon"), resident_mib("RssFile")
    assert hits == members, (hits, members)
    return {
        "step": "look up",
        "queries": queries,
        "hits": hits,
        "first s": round(rates[0], 3),
        "best s": round(min(rates), 3),
        "queries/s": round(queries / min(rates)),
        "before MiB": round(before),
        "peak MiB": round(peak_mib()),
        "own MiB": round(anonymous),
        "mapped MiB": round(mapped),
    }


def step_sqlite_import(folder: Path, _: str) -> dict[str, object]:
    start = time.perf_counter()
    with sqlite3.connect(folder / "peer.db", isolation_level=None) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -524288")
        db.execute("CREATE TABLE hashes (md5 BLOB PRIMARY KEY) WITHOUT ROWID")
        db.execute("BEGIN")
        with (folder / "plain.txt").open("rb") as stream:
            while data := stream.read(33 * _STEP):
                raw = bytes.fromhex(data.decode())
                db.executemany("INSERT OR IGNORE INTO hashes VALUES (?)", ((raw[i : i + 16],) for i in range(0, len(raw), 16)))
        db.execute("COMMIT")
    return {"step": "SQLite import", "seconds": round(time.perf_counter() - start, 2), "peak MiB": round(peak_mib())}


def step_sqlite_lookup(folder: Path, queries: int) -> dict[str, object]:
    asked, members = queries_of(folder, queries)
    rows = [(asked[i : i + 16],) for i in range(0, len(asked), 16)]
    best, hits = float("inf"), 0
    with sqlite3.connect(folder / "peer.db") as db:
        db.execute("PRAGMA cache_size = -524288")
        for _ in range(3):
            start = time.perf_counter()
            db.execute("CREATE TEMP TABLE asked (md5 BLOB)")
            db.executemany("INSERT INTO asked VALUES (?)", rows)
            hits = db.execute("SELECT count(*) FROM asked JOIN hashes USING (md5)").fetchone()[0]
            db.execute("DROP TABLE asked")
            best = min(best, time.perf_counter() - start)
    assert hits == members, (hits, members)
    return {
        "step": "SQLite join",
        "queries": queries,
        "best s": round(best, 3),
        "queries/s": round(queries / best),
        "peak MiB": round(peak_mib()),
    }


def step_hfind_import(folder: Path, _: str) -> dict[str, object]:
    # hfind wants md5sum's form; it is written before the clock runs.
    with (folder / "plain.txt").open("rb") as stream, (folder / "hfind.txt").open("wb") as out:
        while data := stream.read(33 * _STEP):
            out.write(data.replace(b"\n", b"  x\n"))
    start = time.perf_counter()
    subprocess.run(["hfind", "-i", "md5sum", str(folder / "hfind.txt")], check=True, capture_output=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"step": "hfind import", "seconds": round(time.perf_counter() - start, 2), "peak MiB": round(peak)}


def step_hfind_lookup(folder: Path, queries: int) -> dict[str, object]:
    asked, _ = queries_of(folder, queries)
    some = queries // 10
    (folder / "asked.txt").write_text("\n".join(asked[16 * i : 16 * i + 16].hex() for i in range(some)) + "\n")
    best = float("inf")
    for _ in range(2):
        start = time.perf_counter()
        subprocess.run(["hfind", "-f", str(folder / "asked.txt"), str(folder / "hfind.txt")], check=True, capture_output=True)
        best = min(best, time.perf_counter() - start)
    return {"step": "hfind", "queries": some, "best s": round(best, 3), "queries/s": round(some / best)}


def step_match(folder: Path, contents: int) -> dict[str, object]:
    rng = random.Random(4)
    rows = [
        Content(key=str(n), size=1, md5=rng.randbytes(16).hex(), sha1=rng.randbytes(20).hex(), sha256=rng.randbytes(32).hex())
        for n in range(contents)
    ]
    with Matcher([Hashset(folder / "plain.txt.hset")]) as matcher:
        start = time.perf_counter()
        matcher.match(rows)
        return {"step": "match contents (3 digests each)", "contents": contents, "seconds": round(time.perf_counter() - start, 4)}


STEPS = {
    "import": step_import,
    "sqlite-import": step_sqlite_import,
    "hfind-import": step_hfind_import,
    "lookup": step_lookup,
    "sqlite-lookup": step_sqlite_lookup,
    "hfind-lookup": step_hfind_lookup,
}


def run_step(folder: Path, step: str, options: argparse.Namespace, records: int) -> dict[str, object]:
    command = [
        sys.executable,
        __file__,
        "--step",
        step,
        "--folder",
        str(folder),
        "--records",
        str(records),
        "--queries",
        str(options.queries),
    ]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(out.strip(), flush=True)
    found: dict[str, object] = json.loads(out)
    return found


def ratio(name: str, ours: float, peer: float) -> None:
    """Print ours over the peer's: less is better."""
    goal = TARGETS[name]
    print(
        f"    {name}: {ours:.3g} / {peer:.3g} = {ours / peer:.3f} (at most {goal}) {'ok' if ours / peer <= goal else 'FELL SHORT'}",
        flush=True,
    )


def measure(folder: Path, records: int, options: argparse.Namespace) -> None:
    print(f"--- {records:,} rows", flush=True)
    run_step(folder, "write:", options, records)
    ours = run_step(folder, "import:plain.txt", options, records)
    asked = run_step(folder, "lookup:", options, records)
    each = float(str(asked["best s"])) / options.queries
    if options.peers:
        sqlite = run_step(folder, "sqlite-import:", options, records)
        ratio("import, SQLite", float(str(ours["seconds"])), float(str(sqlite["seconds"])))
        joined = run_step(folder, "sqlite-lookup:", options, records)
        ratio("look-up, SQLite join", float(str(asked["best s"])), float(str(joined["best s"])))
        (folder / "peer.db").unlink()
        if shutil.which("hfind"):
            hfind = run_step(folder, "hfind-import:", options, records)
            ratio("import, hfind", float(str(ours["seconds"])), float(str(hfind["seconds"])))
            found = run_step(folder, "hfind-lookup:", options, records)
            ratio("look-up, hfind", each, float(str(found["best s"])) / int(str(found["queries"])))
        else:
            print("hfind is not installed: it was not compared", flush=True)
    run_step(folder, "match:", options, records)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000000,10000000,50000000")
    parser.add_argument("--records", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--queries", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    parser.add_argument("--forms", action="store_true", help="import md5sum output, CSV and VICS of a million records as well")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        kind, _, name = options.step.partition(":")
        if kind == "write":
            print(json.dumps(step_write(options.folder, options.records)))
        elif kind == "forms":
            print(json.dumps(step_forms(options.folder, options.records)))
        elif kind == "match":
            print(json.dumps(step_match(options.folder, 20_000)))
        elif kind in ("lookup", "sqlite-lookup", "hfind-lookup"):
            print(json.dumps(STEPS[kind](options.folder, options.queries)))
        else:
            print(json.dumps(STEPS[kind](options.folder, name)))
        return
    for records in map(int, options.sizes.split(",")):
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            measure(Path(name), records, options)
    if options.forms:
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            run_step(Path(name), "forms:", options, 1_000_000)
            for form in ("sums.txt", "table.csv", "vics.json"):
                run_step(Path(name), f"import:{form}", options, 1_000_000)


if __name__ == "__main__":
    main()
