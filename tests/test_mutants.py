"""A little of ``make mutants``: damaged media through the whole main job, none of which may lose a name without saying so."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.slow

NUMBERS = range(5000, 5001)
"""Others than those of the experiment."""


@pytest.fixture(scope="module")
def mutants() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutants", Path(__file__).resolve().parents[1] / "bench" / "mutants.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutants"] = module
    spec.loader.exec_module(module)
    return module


SEEDS = ("ext2", "ext4", "ntfs", "fat16", "fat32", "exfat", "hfsplus", "iso9660", "mbr", "gpt")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_damaged_medium_loses_no_name_in_silence(seed: str, mutants: ModuleType) -> None:
    assert mutants.SEEDS == SEEDS
    rows = [mutants.one((seed, number, False)) for number in NUMBERS]
    counted = mutants.summary(rows)
    assert counted["mutants"] == len(NUMBERS)
    assert (counted["bugs"], counted["over_budget"], counted["silent"]) == (0, 0, 0), rows


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sound_seed_has_no_problem_of_its_file_system(seed: str, mutants: ModuleType) -> None:
    seen = mutants._base(seed, mutants.seed_bytes(seed))["seen"]
    assert not seen.refused
    assert len(seen.names) > 15
    assert not [p for p in seen.problems if p.startswith(("filesystem:", "volumes:"))]


def test_the_experiment_counts_a_loss_that_nobody_mentions(mutants: ModuleType) -> None:
    row = {"seed": "ext2", "bug": "", "refused": "", "lost": 1, "silent": True, "changed_silent": 0, "renamed_silent": 0}
    row |= {"kept": 0.5, "workers": 1, "volumes": 1, "seconds": 61.0}
    counted = mutants.summary([row])
    assert (counted["silent"], counted["over_budget"], counted["poisoned"], counted["poison_kept"]) == (1, 1, 1, 0.5)


def test_a_changed_letter_is_no_loss_and_a_missing_file_is_one(mutants: ModuleType) -> None:
    base = mutants.Seen(names={"vol1/a|file": ["d1"], "vol1/b|file": ["d2"], "vol1/c|directory": [""], "vol1/d|file": ["d1"]})
    seen = mutants.Seen(names={"vol1/A|file": ["d1"], "vol1/b|directory": [""], "vol1/d|file": ["d9"]})
    assert mutants.losses(base, seen) == (["vol1/b|file"], 2)


def test_a_mutant_depends_on_nothing_but_seed_name_and_number(mutants: ModuleType) -> None:
    data = bytes(range(256)) * 4096
    sectors = [0, 3, 9, 700]
    assert mutants.mutate(data, sectors, "x", 7) == mutants.mutate(data, sectors, "x", 7)
    made = {mutants.mutate(data, sectors, "x", n) for n in range(20)}
    assert len(made) == 20
    assert data not in made
