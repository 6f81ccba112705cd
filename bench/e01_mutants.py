"""The experiment of damaged E01 sets: what libewf refuses and we open, how much of it comes back, and never a wrong byte.

    python bench/e01_mutants.py [--segmented 300] [--single 150] [--seed 0] [--show KIND NUMBER] [--json FILE]

Two seeds: a deflated set of two segments, and a plain one of one file. A mutant is a function of the seed, its kind and the number:
1 to 64 edits (flip, byte, edge value, non-zero field, copied, zeroed or random 512-byte block) in one file of the set, four in five
where its metadata are (descriptors, bodies of sections other than chunks), the others anywhere; one in twenty is cut short as well.
Each is opened, read chunk by chunk and held against the medium, and verified. pyewf, where it is installed, opens the same.

Exit code 1 when a promise is broken: a wrong byte, a false "verified", a traceback, or less than 90 % of the chunks of sets that
libewf refuses.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
import traceback
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from triage.errors import EvidenceError
from triage.evidence.medium import DamagedRangeError
from triage.evidence.opening import SALVAGED, open_evidence
from triage.evidence.verify import verify

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "evidence"))
from ewf_writer import Ewf, write_ewf  # the tests' writer, which shares no code with the reader

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    import pyewf
except ImportError:
    pyewf = None

PROMISED = 0.9
BLOCK = 512
CHUNK_SECTORS = 64
CHUNK = CHUNK_SECTORS * 512
SIZE = (16 << 20) + 5 * 512
KINDS = ("segmented", "single")
EDITS = (1, 2, 4, 8, 16, 32, 64)
EDGES = (b"\0", b"\xff", b"\x7f", b"\x80")


@dataclass
class Result:
    """Counts over all mutants. Shares are of the medium's chunks, over mutants that libewf refuses; ``None`` without libewf."""

    mutants: int = 0
    refused_by_libewf: int | None = None
    opened: int = 0
    salvaged: int = 0
    recovered_mean: float | None = None
    recovered_over_99: int = 0
    recovered_under_50: int = 0
    recovered_by_kind: dict[str, float] = field(default_factory=dict)
    wrong_chunks: int = 0
    false_verified: int = 0
    tracebacks: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    slowest: float = 0.0
    slowest_mutant: str = ""
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        enough = self.recovered_mean is None or self.recovered_mean >= PROMISED
        return enough and not (self.wrong_chunks or self.false_verified or self.tracebacks)


def medium() -> bytes:
    """Return the medium that both seeds hold: text, noise, stretches of one byte and little of everything, always the same."""
    chance = random.Random("medium")
    words = ["seized", "medium", "cluster", "the", "of", "evidence", "triage", "record", "42", "\n"]
    out = bytearray()
    while len(out) < SIZE:
        length = chance.choice([4096, 20_000, 70_000, 200_000])
        kind = chance.randrange(5)
        if kind == 0:
            out += " ".join(chance.choices(words, k=length // 6)).encode()
        elif kind == 1:
            out += chance.randbytes(length)
        elif kind == 2:
            out += bytes(length)
        elif kind == 3:
            out += bytes([chance.randrange(256)]) * length
        else:
            out += b"".join(n.to_bytes(4, "little") + bytes(12) for n in range(length // 16))
    return bytes(out[:SIZE])


def make_seeds(folder: Path) -> dict[str, Ewf]:
    """Write both seeds."""
    data = medium()
    made = {}
    for kind in KINDS:
        (folder / kind).mkdir()
        identifier = hashlib.md5(kind.encode(), usedforsecurity=False).digest()
        made[kind] = write_ewf(
            folder / kind,
            data,
            chunk_sectors=CHUNK_SECTORS,
            extensions=("E01", "E02") if kind == "segmented" else ("E01",),
            packed=_packed(data) if kind == "segmented" else lambda _: False,
            identifier=identifier,
        )
    return made


def _packed(data: bytes) -> Callable[[int], bool]:
    """Return what says whether a chunk is deflated: when that is shorter, as acquisition tools do it."""

    def packed(number: int) -> bool:
        chunk = data[number * CHUNK : (number + 1) * CHUNK]
        return len(zlib.compress(chunk)) < len(chunk) + 4

    return packed


def mutate(made: Ewf, kind: str, number: int, seed: int) -> tuple[int, bytes]:
    """Return which file of the set a mutant changes, and its new bytes."""
    chance = random.Random(f"{seed}/{kind}/{number}")
    segment = chance.randrange(len(made.paths))
    raw = bytearray(made.paths[segment].read_bytes())
    hot = [(0, 13)]
    for owner, what, start, end in made.sections:
        if owner == segment:
            hot += [(start, start + 76)] * 2 if what == "sectors" else [(start, start + 76), (start, end)]
    for _ in range(chance.choice(EDITS)):
        if chance.randrange(3):
            start, end = chance.choice(hot)
            at = chance.randrange(start, end)
        else:
            at = chance.randrange(len(raw))
        _edit(raw, at, chance)
    if not chance.randrange(20):
        del raw[chance.randrange(len(raw)) :]
    return segment, bytes(raw)


def _edit(raw: bytearray, at: int, chance: random.Random) -> None:
    kind = chance.randrange(7)
    block = at - at % BLOCK
    length = min(BLOCK, len(raw) - block)
    if kind == 0:
        raw[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        raw[at] = chance.randrange(256)
    elif kind == 2:
        width = min(chance.choice([1, 2, 4, 8]), len(raw) - at)
        raw[at : at + width] = chance.choice(EDGES) * width
    elif kind == 3:
        found = next((n for n in range(at, min(at + BLOCK, len(raw))) if raw[n]), at)
        raw[found] = chance.randrange(256)
    elif kind == 4:
        source = chance.randrange(max(1, len(raw) // BLOCK)) * BLOCK
        piece = raw[source : source + length]
        raw[block : block + len(piece)] = piece
    elif kind == 5:
        raw[block : block + length] = bytes(length)
    else:
        raw[block : block + length] = chance.randbytes(length)


def refused_by_libewf(paths: list[Path]) -> bool:
    """Whether pyewf does not open a set."""
    handle = pyewf.handle()
    try:
        handle.open([str(p) for p in paths])
        handle.close()
    except OSError:
        return True
    return False


@dataclass
class Outcome:
    """How one mutant ended."""

    opened: bool = False
    salvaged: bool = False
    right: int = 0
    wrong: int = 0
    verdict: str = "refused"
    detail: str = ""


def examine(made: Ewf, first: Path) -> Outcome:
    """Open, read and verify one mutant; hold every byte that is given against the medium's."""
    try:
        evidence, opened, warnings = open_evidence(first)
    except EvidenceError as error:
        return Outcome(detail=str(error))
    if evidence.kind == "raw":
        opened.close()
        return Outcome(detail=f"raw: {warnings}")
    outcome = Outcome(opened=True, salvaged=SALVAGED in evidence.facts, detail=evidence.facts.get(SALVAGED, ""))
    try:
        for at in range(0, max(opened.size, len(made.data)), CHUNK):
            try:
                data = opened.read_at(at, CHUNK)
            except DamagedRangeError:
                continue
            if data and data == made.data[at : at + CHUNK]:
                outcome.right += 1
            elif data != made.data[at : at + len(data)]:
                outcome.wrong += 1
        outcome.verdict = verify(opened, evidence.stored_digests).verdict
    finally:
        opened.close()
    return outcome


def run(count_segmented: int = 300, count_single: int = 150, seed: int = 0) -> Result:
    """Make and examine all mutants, one after the other."""
    result = Result(refused_by_libewf=None if pyewf is None else 0)
    began = time.monotonic()
    shares: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = make_seeds(folder)
        for kind, count in zip(KINDS, (count_segmented, count_single), strict=True):
            made = seeds[kind]
            whole = [p.read_bytes() for p in made.paths]
            chunks = -(-len(made.data) // CHUNK)
            for number in range(count):
                segment, raw = mutate(made, kind, number, seed)
                made.paths[segment].write_bytes(raw)
                started = time.monotonic()
                try:
                    outcome = examine(made, made.paths[0])
                except Exception:
                    result.tracebacks += 1
                    result.broken.append(f"{kind} {number}: {traceback.format_exc(limit=-3)}")
                    outcome = Outcome(verdict="traceback")
                took = time.monotonic() - started
                if took > result.slowest:
                    result.slowest, result.slowest_mutant = took, f"{kind} {number}"
                result.mutants += 1
                result.opened += outcome.opened
                result.salvaged += outcome.salvaged
                result.wrong_chunks += outcome.wrong
                if outcome.wrong:
                    result.broken.append(f"{kind} {number}: {outcome.wrong} wrong chunks, {outcome.verdict}")
                if outcome.verdict == "verified" and outcome.right != chunks:
                    result.false_verified += 1
                    result.broken.append(f"{kind} {number}: false verified")
                result.verdicts[outcome.verdict] = result.verdicts.get(outcome.verdict, 0) + 1
                if pyewf is not None and refused_by_libewf(made.paths):
                    result.refused_by_libewf = (result.refused_by_libewf or 0) + 1
                    shares[kind].append(outcome.right / chunks)
                made.paths[segment].write_bytes(whole[segment])
    every = [s for kind in KINDS for s in shares[kind]]
    if every:
        result.recovered_mean = statistics.fmean(every)
        result.recovered_over_99 = sum(s >= 0.99 for s in every)
        result.recovered_under_50 = sum(s < 0.5 for s in every)
        result.recovered_by_kind = {kind: statistics.fmean(found) for kind, found in shares.items() if found}
    result.seconds = time.monotonic() - began
    return result


def show(kind: str, number: int, seed: int) -> None:
    """Print one mutant's outcome, and leave it in the working folder for a closer look."""
    folder = Path(f"e01-{kind}-{seed}-{number}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    made = make_seeds(folder)[kind]
    segment, raw = mutate(made, kind, number, seed)
    made.paths[segment].write_bytes(raw)
    print(f"{made.paths[segment]} damaged; {made.sections}")
    print(examine(made, made.paths[0]))


def main() -> int:
    """Run the experiment and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segmented", type=int, default=300)
    parser.add_argument("--single", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", nargs=2, metavar=("KIND", "NUMBER"))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.show:
        show(given.show[0], int(given.show[1]), given.seed)
        return 0
    result = run(given.segmented, given.single, given.seed)
    for name, value in asdict(result).items():
        if name != "broken":
            print(f"{name.replace('_', ' '):20} {value}")
    for line in result.broken:
        print(f"BROKEN {line}")
    if given.json:
        given.json.write_text(json.dumps(asdict(result), indent=1), encoding="utf-8")
    print("kept" if result.kept else "NOT KEPT")
    return 0 if result.kept else 1


if __name__ == "__main__":
    sys.exit(main())
