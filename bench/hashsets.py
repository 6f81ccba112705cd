"""Import and look-up rates of compiled hash sets, with the memory they take.

python bench/hashsets.py [--records 5000000] [--queries 1000000] [--folder DIR]

Each step runs in a process of its own, so that its peak memory is its own. Lists are random and seeded: every
run asks the same.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from triage.hashsets.intake import compile_list
from triage.hashsets.matching import Matcher
from triage.hashsets.store import Hashset
from triage.model import Content, Meaning

_STEP = 1 << 18


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_mib(kind: str) -> float:
    """Memory of this process now.

    ``RssAnon`` is its own, ``RssFile`` the mapped set's pages, which the system takes back.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(kind + ":"):
            return int(line.split()[1]) / 1024
    return float("nan")


def write_lists(folder: Path, records: int) -> None:
    """Write the same digests as a plain list, md5sum output and CSV with two digests and a category."""
    rng = np.random.default_rng(1)
    files = [(folder / name).open("w", encoding="ascii") for name in ("plain.txt", "sums.txt", "table.csv")]
    files[2].write("name,MD5,SHA-1,category\n")
    for start in range(0, records, _STEP):
        count = min(_STEP, records - start)
        digests = [rng.bytes(36).hex() for _ in range(count)]
        files[0].writelines(f"{d[:32]}\n" for d in digests)
        files[1].writelines(f"{d[:32]}  some/file/name {start + i}\n" for i, d in enumerate(digests))
        files[2].writelines(f"name {i},{d[:32]},{d[32:]},{i % 5}\n" for i, d in enumerate(digests))
    for file in files:
        file.close()


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


def step_lookup(folder: Path, queries: int) -> dict[str, object]:
    """Look up 2 % members and 98 % others, in random order."""
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
    asked, before = bytes(digests), peak_mib()
    rates = []
    with Hashset(folder / "plain.txt.hset") as hashset:
        for _ in range(3):
            start = time.perf_counter()
            hits = int((hashset.lookup("md5", asked) >= 0).sum())
            rates.append(time.perf_counter() - start)
        anonymous, mapped = resident_mib("RssAnon"), resident_mib("RssFile")
    assert hits == len(members), (hits, len(members))
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


def step_match(folder: Path, contents: int) -> dict[str, object]:
    rng = random.Random(4)
    rows = [
        Content(key=str(n), size=1, md5=rng.randbytes(16).hex(), sha1=rng.randbytes(20).hex(), sha256=rng.randbytes(32).hex())
        for n in range(contents)
    ]
    with Matcher([Hashset(folder / "table.csv.hset")]) as matcher:
        start = time.perf_counter()
        matcher.match(rows)
        return {"step": "match contents (3 digests each)", "contents": contents, "seconds": round(time.perf_counter() - start, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=5_000_000)
    parser.add_argument("--queries", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        kind, _, name = options.step.partition(":")
        steps = {
            "import": lambda: step_import(options.folder, name),
            "lookup": lambda: step_lookup(options.folder, options.queries),
            "match": lambda: step_match(options.folder, 20_000),
            "write": lambda: write_lists(options.folder, options.records),
        }
        print(json.dumps(steps[kind]() or {"step": "lists written"}))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for step in ("write", "import:plain.txt", "import:sums.txt", "import:table.csv", "lookup", "match"):
            subprocess.run(
                [
                    sys.executable,
                    __file__,
                    "--step",
                    step,
                    "--folder",
                    folder,
                    "--records",
                    str(options.records),
                    "--queries",
                    str(options.queries),
                ],
                check=True,
            )


if __name__ == "__main__":
    main()
