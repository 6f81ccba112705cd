# ruff: noqa: E501, PLC0415
"""Search of PDQ hashes against faiss's flat index, what is found beyond the exact radius, and how long groups take.

python bench/likeness.py [--sizes 1000000,10000000] [--queries 1000] [--group 100000]

One thread each, the same queries: a tenth of them planted at 0 to 31 bits from a known hash, the others random. A second set is skewed
(every hash one of 4,096 centres, changed in up to 40 bits), as hashes of real pictures are. faiss-cpu is asked when it is installed.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from triage.hashsets.alike import group
from triage.hashsets.hamming import HammingIndex, build_columns

GOALS = {10_000_000: 0.08, 1_000_000: 0.40}


def changed(hashes: np.ndarray, bits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return hashes in each of which so many bits are turned."""
    flags = np.unpackbits(hashes, axis=1)
    for row, count in zip(flags, bits.tolist(), strict=True):
        row[rng.choice(256, count, replace=False)] ^= 1
    return np.packbits(flags, axis=1)


def known_hashes(count: int, rng: np.random.Generator, *, skewed: bool) -> np.ndarray:
    if not skewed:
        return rng.integers(0, 256, (count, 32), dtype=np.uint8)
    centres = rng.integers(0, 256, (4096, 32), dtype=np.uint8)
    found = centres[rng.integers(0, 4096, count)]
    for _ in range(40):
        rows = rng.integers(0, count, count // 2)
        found[rows, rng.integers(0, 32, len(rows))] ^= np.uint8(1) << rng.integers(0, 8, len(rows), dtype=np.uint8)
    return found


def best(run, repeats: int = 3) -> float:
    """Return the shortest time of some runs, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def measure(count: int, queries: int, *, skewed: bool) -> None:
    rng = np.random.default_rng(1)
    known = known_hashes(count, rng, skewed=skewed)
    start = time.perf_counter()
    tables = dict(build_columns(known))
    built = time.perf_counter() - start
    index = HammingIndex(known, tables)
    planted = max(queries // 10, 1)
    rows = rng.integers(0, count, planted)
    asked = rng.integers(0, 256, (queries, 32), dtype=np.uint8)
    asked[:planted] = changed(known[rows], np.arange(planted) % 32, rng)
    hits = index.search(asked, 31)
    pairs = set(zip(hits.query.tolist(), hits.row.tolist(), strict=True))
    found = sum((n, int(row)) in pairs for n, row in enumerate(rows))
    seconds = best(lambda: index.search(asked, 31))
    size = sum(table.nbytes for table in tables.values()) >> 20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    kind = "skewed" if skewed else "random"
    print(f"--- {count:,} {kind} hashes: built in {built:.1f} s, {size:,} MiB of tables, peak {peak:,} MiB", flush=True)
    print(f"    ours, 31 bits: {queries / seconds:,.0f} queries/s; {found} of {planted} planted ones found, {hits.cut} cut", flush=True)
    for bits in (35, 40, 45, 50, 55, 60):
        rows = rng.integers(0, count, 200)
        at = index.search(changed(known[rows], np.full(200, bits), rng), 70, limit=10_000)
        pairs = set(zip(at.query.tolist(), at.row.tolist(), strict=True))
        share = sum((n, int(row)) in pairs for n, row in enumerate(rows)) / 200
        print(f"    found of what differs in {bits} bits: {share:.0%}", flush=True)
    peer(known, asked, queries / seconds, hits, count)


def peer(known: np.ndarray, asked: np.ndarray, ours: float, hits, count: int) -> None:
    try:
        import faiss
    except ImportError:
        print("    faiss-cpu is not installed: it was not compared", flush=True)
        return
    faiss.omp_set_num_threads(1)
    flat = faiss.IndexBinaryFlat(256)
    flat.add(known)
    some = asked[:200]
    seconds = best(lambda: flat.search(some, 1), 2)
    theirs = len(some) / seconds
    distances, _ = flat.search(some, 1)
    nearest = {int(q): int(d) for q, d in zip(hits.query[::-1], hits.distance[::-1], strict=True) if q < len(some)}
    agree = all((nearest.get(n) == int(d[0])) == (d[0] <= 31) for n, d in enumerate(distances))
    goal = GOALS.get(count)
    verdict = "" if goal is None else f" (at most {goal}) {'ok' if theirs / ours <= goal else 'FELL SHORT'}"
    print(f"    faiss flat, k=1: {theirs:,.0f} queries/s; same answers: {agree}; ratio {theirs / ours:.3f}{verdict}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000000,10000000")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--group", type=int, default=100_000)
    options = parser.parse_args()
    for count in map(int, options.sizes.split(",")):
        measure(count, options.queries, skewed=False)
    measure(1_000_000, options.queries, skewed=True)
    rng = np.random.default_rng(2)
    pictures = rng.integers(0, 256, (options.group, 8, 32), dtype=np.uint8)
    copies = rng.integers(0, options.group, options.group // 10)
    pictures[copies[::2]] = pictures[copies[1::2]]
    start = time.perf_counter()
    leaders = group(pictures)
    print(
        f"--- groups of {options.group:,} pictures: {time.perf_counter() - start:.1f} s, {int((leaders != np.arange(len(leaders))).sum()):,} joined"
    )


if __name__ == "__main__":
    main()
