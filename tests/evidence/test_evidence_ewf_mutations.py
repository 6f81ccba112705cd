"""Damaged E01 sets: an error, a damaged range, a mismatch, or the right bytes. Never wrong bytes that are called verified."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from ewf_writer import Ewf, sample, write_ewf

from triage.errors import EvidenceError
from triage.evidence.medium import DamagedRangeError
from triage.evidence.opening import SALVAGED, open_evidence
from triage.evidence.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATA = sample(10 * 4096 + 1536)
EACH = 150
SHAPES: dict[str, dict[str, object]] = {
    "one file": {"extensions": ("E01",)},
    "two segments": {"extensions": ("E01", "E02")},
    "plain, no copy of the table": {"extensions": ("E01",), "packed": lambda n: False, "table2": False},
    "packed, md5 only": {"extensions": ("E01", "E02"), "packed": lambda n: True, "digest": False},
}


def outcome_of(made: Ewf) -> str:
    """Open, read and verify a set; say how that ended. Anything but our own errors gets through and fails the test."""
    try:
        evidence, medium, warnings = open_evidence(made.paths[0])
    except EvidenceError:
        return "refused"
    try:
        if evidence.kind == "raw":
            assert "does not begin like one" in warnings[0]
            return "raw, and said so"
        verdict = verify(medium, evidence.stored_digests).verdict
        lost = 0
        for offset in range(0, max(medium.size, len(made.data)), 512):
            try:
                read = medium.read_at(offset, 512)
            except DamagedRangeError:
                lost += 1
                continue
            assert read == made.data[offset : offset + len(read)], "whatever the damage, a byte that is given is right"
        what = "salvaged, " if SALVAGED in evidence.facts else ""
        if lost:
            assert verdict == "incomplete"
            return what + "damaged range"
        # The stored digest itself may be what was hit; so may what says how long the medium is.
        assert verdict != "verified" or medium.size == len(made.data)
        return what + ("right bytes, " if medium.size == len(made.data) else "a part of it, ") + verdict
    finally:
        medium.close()


def flip(raw: bytearray, chance: random.Random) -> None:
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)


def edge_value(raw: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(raw) - 8)
    width = chance.choice([1, 2, 4, 8])
    raw[at : at + width] = chance.choice([b"\0", b"\xff", b"\x7f", b"\x80"]) * width


def zeros(raw: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(raw))
    length = min(chance.choice([16, 76, 512]), len(raw) - at)
    raw[at : at + length] = bytes(length)


def copied(raw: bytearray, chance: random.Random) -> None:
    length = chance.choice([4, 76, 512])
    source, target = chance.randrange(len(raw) - length), chance.randrange(len(raw) - length)
    raw[target : target + length] = raw[source : source + length]


def cut_out(raw: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(raw))
    del raw[at : at + chance.choice([1, 4, 100])]


KINDS: list[Callable[[bytearray, random.Random], None]] = [flip, flip, edge_value, zeros, copied, cut_out]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_mutation_gives_wrong_bytes_that_are_called_verified(shape: str, tmp_path: Path) -> None:
    made = write_ewf(tmp_path, DATA, **SHAPES[shape])  # type: ignore[arg-type]
    whole = [p.read_bytes() for p in made.paths]
    assert outcome_of(made) == "right bytes, verified"
    places = [(segment, at) for segment, _, start, end in made.sections for at in (start, min(start + 76, end - 1))]
    outcomes: Counter[str] = Counter()
    for number in range(EACH):
        chance = random.Random(f"{shape} {number}")
        segment = chance.randrange(len(whole))
        raw = bytearray(whole[segment])
        if number % 3 == 0:  # most of a set is chunks: every third one aims at a section's descriptor or body
            hit, start = chance.choice(places)
            segment, raw = hit, bytearray(whole[hit])
            raw[min(start + chance.randrange(40), len(raw) - 1)] ^= 1 << chance.randrange(8)
        else:
            chance.choice(KINDS)(raw, chance)
        made.paths[segment].write_bytes(raw)
        outcomes[outcome_of(made)] += 1
        made.paths[segment].write_bytes(whole[segment])
    assert sum(outcomes.values()) == EACH
    assert outcomes["damaged range"] > 10, outcomes
    assert sum(n for outcome, n in outcomes.items() if outcome.startswith("salvaged")) > 10, outcomes
    assert outcomes["refused"] + outcomes["raw, and said so"] < 15, outcomes


def test_single_bytes_all_over_a_tiny_set(tmp_path: Path) -> None:
    """One at a time: the whole file header, then every third byte. One sector is plain, one deflated."""
    made = write_ewf(tmp_path, sample(1024), chunk_sectors=1)
    made.data = sample(1024)
    whole = made.paths[0].read_bytes()
    outcomes = Counter()
    for at in [*range(13), *range(13, len(whole), 3)]:
        raw = bytearray(whole)
        raw[at] ^= 0x41
        made.paths[0].write_bytes(raw)
        outcomes[outcome_of(made)] += 1
    assert sum(outcomes.values()) > 400
    assert set(outcomes) <= {
        "damaged range", "right bytes, verified", "salvaged, right bytes, verified", "salvaged, right bytes, no stored hash",
        "right bytes, mismatch", "salvaged, damaged range",
    }, outcomes
