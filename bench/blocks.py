"""Blocks of known files in the bytes of a medium: how fast, what is found, what is found wrongly.

python bench/blocks.py [--sizes 1000000,10000000] [--mib 512] [--folder DIR]

A set of so many blocks of random files is written; then random bytes, and pictures' bytes, in which 1,000 of those blocks lie at random
sectors, are scanned at each sector as the carver does it, in pieces of 4 MiB. One core.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from triage.content import blocks
from triage.hashsets.blockscan import BlockStore
from triage.hashsets.facts import SetFacts
from triage.hashsets.intake import compile_events
from triage.hashsets.records import HashRecord, block_row
from triage.hashsets.store import Hashset
from triage.model import Meaning

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from picturing import scene
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = 4 << 20
PLANTED = 1000
A_FILE = 2048
"""Blocks of each known file: 8 MiB."""


def records(count: int, planted: list[bytes]) -> Iterator[HashRecord]:
    rng = np.random.default_rng(1)
    keys = [blocks.block_key(one) for one in planted]
    made = rng.bytes(16 * (count - len(keys)))
    keys += [made[at : at + 16] for at in range(0, len(made), 16)]
    for number in range(0, count, A_FILE):
        rows = tuple(("block", block_row(key, at)) for at, key in enumerate(keys[number : number + A_FILE]))
        yield HashRecord(md5=rng.bytes(16), more=rows, size=len(rows) * blocks.SIZE, name=f"file {number // A_FILE}")


def jpegs(size: int) -> bytes:
    """Return the bytes of JPEG pictures, end to end."""
    found = bytearray()
    seed = 0
    while len(found) < min(size, 32 << 20):
        out = io.BytesIO()
        noise = np.random.default_rng(seed).normal(0, 20, (1200, 1600, 3))
        values = np.asarray(scene(seed, (1600, 1200)), np.float64) + noise
        Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=92)
        found += out.getvalue()
        seed += 1
    return bytes(found)


def scan(store: BlockStore, medium: np.ndarray, what: str) -> None:
    start = time.perf_counter()
    found = []
    for at in range(0, len(medium), PIECE):
        # Pieces overlap by a block less a sector, so that none is missed between two.
        found += store.look(medium[at : at + PIECE + blocks.SIZE - 512].tobytes(), at)
    took = time.perf_counter() - start
    places = {block.offset for block in found}
    print(f"    {what}: {len(medium) / took / (1 << 20):,.0f} MiB/s, {len(places):,} blocks found", end="", flush=True)


def measure(count: int, mib: int, folder: Path) -> None:
    rng = np.random.default_rng(2)
    planted = [rng.bytes(blocks.SIZE) for _ in range(PLANTED)]
    path = folder / f"blocks-{count}.set"
    start = time.perf_counter()
    facts = SetFacts(name="bench", meaning=Meaning.NOTABLE, category="", source="bench", source_sha256="", format="files")
    compile_events(records(count, planted), path, facts)
    print(f"--- {count:,} blocks: set written in {time.perf_counter() - start:.1f} s, {path.stat().st_size >> 20:,} MiB", flush=True)
    store = BlockStore([(0, Hashset(path))])
    for what, base in (("random bytes", rng.bytes(64 << 20)), ("JPEG data", jpegs(64 << 20))):
        medium = np.resize(np.frombuffer(base, np.uint8), mib << 20)
        free = rng.choice(len(medium) // blocks.SIZE - 1, PLANTED, replace=False)
        at = np.sort(free) * blocks.SIZE + rng.integers(0, 8, PLANTED) * 512
        at = at[np.concatenate([[True], np.diff(at) >= blocks.SIZE])]
        for place, block in zip(at.tolist(), planted, strict=False):
            medium[place : place + blocks.SIZE] = np.frombuffer(block, np.uint8)
        scan(store, medium, what)
        print(f" of {len(at):,} that are there")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000000,10000000")
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for size in options.sizes.split(","):
            measure(int(size), options.mib, Path(folder))


if __name__ == "__main__":
    main()
