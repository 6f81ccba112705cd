"""Every parser has a fuzz target, every target works, and what fuzzing once found stays found. `make fuzz` does the long run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from harness import fuzz, run_one
from mutation import make_input
from targets import TARGETS, Target

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
INPUTS = 20
"""Inputs a target here, behind its seeds."""

# Rooms whose modules take bytes or text from evidence, from lists, profiles or workers: each module has a target, or a reason here.
ROOMS = ("evidence", "filesystem", "content", "carving", "hashsets", "artifacts", "logical")
MORE = (
    "triage.model",
    "triage.escape",
    "triage.plugin",
    "triage.case.where",
    "triage.case.audit",
    "triage.engine.frames",
    "triage.priority.globs",
    "triage.priority.units",
    "triage.priority.profile",
    "triage.priority.yamlfile",
    "triage.priority.forms",
)
TSK = "Sleuth Kit parses there, which hangs in C by itself: make mutants does this with whole runs"
F2FS = "its volume is too large an input: tests/filesystem/test_filesystem_f2fs.py changes its structures"
NO_PARSER = {
    "triage.evidence.fingerprint": "digests bytes, reads none of them",
    "triage.filesystem.tsk": TSK,
    "triage.filesystem.tskentry": TSK,
    "triage.filesystem.orphans": TSK,
    "triage.filesystem.ownership": "arithmetic on what Sleuth Kit told",
    "triage.filesystem.listed": "counts what was listed",
    "triage.content.catalog": "a table",
    "triage.content.digests": "digests bytes, reads none of them",
    "triage.content.blocks": "digests and counts bytes",
    "triage.content.entropy": "counts bytes",
    "triage.hashsets.matching": "look-ups in what the store's target reads",
    "triage.hashsets.sorting": "sorts digests",
    "triage.hashsets.columns": "writes the store, which the store's target reads",
    "triage.hashsets.intake": "counts and sorts what readers yield",
    "triage.hashsets.categories": "the lab's own table",
    "triage.hashsets.likematch": "look-ups in what the store's target reads",
    "triage.hashsets.videolike": "look-ups in what the store's target reads",
    "triage.hashsets.photodna": "what it compares is the lab's own",
    "triage.hashsets.blockscan": "look-ups in what the store's target reads",
    "triage.hashsets.sparing": "look-ups in what the store's target reads",
    "triage.hashsets.exports.joined": "look-ups in what the store's target reads",
    "triage.hashsets.exports.written": "writes",
    "triage.hashsets.exports.file": "writes",
    "triage.hashsets.urls": "tests/hashsets/test_hashsets_urls.py gives it any text",
    "triage.hashsets.alike": "arithmetic on hashes of our own making",
    "triage.artifacts.structure": "no parser",
    "triage.artifacts.codec": "no parser",
    "triage.evidence.folder": "lists what the examiner's disk says; its names are the logical targets'",
    "triage.logical.backupdomains": "a table",
    "triage.logical.catalog": "tells which reader it is",
    "triage.logical.folder": "names of the examiner's disk",
    "triage.logical.listed": "a record",
    "triage.evidence.layers": "arithmetic",
    "triage.filesystem.inside": "hands volumes to what the targets of the formats read",
    "triage.filesystem.openers": "hands volumes to what the targets of the formats read",
    "triage.filesystem.trees.apfs": "libfsapfs reads it; tests/filesystem/test_filesystem_apfs.py breaks a real container",
    "triage.filesystem.trees.yaltree": "hands on what libfsapfs reads",
    "triage.filesystem.randomness": "counts bytes",
    "triage.filesystem.snapshots": "compares records that the NTFS checks' target reads",
    "triage.plugins.evidence_inside": "a table of types",
    "triage.plugins.phone_backups": "a table of paths",
    "triage.evidence.filevault": "libfvde reads it",
    "triage.evidence.shadow": "libvshadow reads it",
    "triage.evidence.yal": "hands bytes to libyal's readers",
    "triage.filesystem.trees.f2fs": F2FS,
    "triage.filesystem.trees.f2fstree": F2FS,
    "triage.filesystem.trees.catalog": "a table",
    "triage.filesystem.walkphases": "constants",
    "triage.filesystem.walktotals": "numbers",
    "triage.carving.catalog": "finds the formats",
    "triage.carving.choice": "names that the operator gives",
    "triage.carving.forms": "records",
    "triage.carving.known": "a place for a store of digests",
}


def modules() -> list[str]:
    found = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for room in ROOMS
        for path in (ROOT / "triage" / room).rglob("*.py")
        if path.stem != "__init__"
    ]
    found += [f"triage.plugins.{path.stem}" for path in (ROOT / "plugins").glob("*.py") if path.stem != "__init__"]
    return sorted({*found, *MORE})


def has_target(module: str) -> bool:
    named = {name for target in TARGETS.values() for name in target.modules}
    return module in named or any(name.endswith("*") and module.startswith(name[:-1]) for name in named)


def test_every_parser_has_a_fuzz_target() -> None:
    missing = [module for module in modules() if not has_target(module) and module not in NO_PARSER]
    assert not missing, "give them a target in tests/fuzz/targets_*.py, or say in NO_PARSER why they parse nothing"


def test_what_is_exempt_exists_and_has_no_target() -> None:
    assert not [module for module in NO_PARSER if module not in modules()]
    assert not [module for module in NO_PARSER if has_target(module)]
    named = {name for target in TARGETS.values() for name in target.modules if not name.endswith("*")}
    assert not [name for name in named if importlib.util.find_spec(name) is None], "targets name modules that are not there"


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_reads_its_seeds_and_survives_mutants(name: str) -> None:
    target, read = TARGETS[name], 0
    seeds = target.seeds()
    for seed in seeds:
        try:
            target.run(seed)
            read += 1
        except target.allowed:
            pass
    assert read, "not one seed is read: mutants of it would not get far"
    for number in range(len(seeds), len(seeds) + INPUTS):
        failure = run_one(target, make_input(seeds, target.tokens, 0, number))
        assert failure is None, f"input {number}: {failure.detail}"


def regressions() -> list[Path]:
    return sorted((HERE / "regressions").rglob("*.bin"))


@pytest.mark.parametrize("path", regressions(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_fuzzing_once_found_stays_found(path: Path) -> None:
    failure = run_one(TARGETS[path.parent.name], path.read_bytes())
    assert failure is None, failure.detail


# -- the harness itself: a fuzzer that finds nothing must not be one that cannot -------------------------------------------------------


def broken(name: str, body: str, tmp_path: Path) -> Target:
    """A target with a fault, in a folder whose ``run.py`` knows it."""
    (tmp_path / "targets_broken.py").write_text(
        f"import os, time\nfrom targets import Target\n\n\ndef run(data):\n{body}\n\n\n"
        f"TARGETS = [Target({name!r}, run, lambda: [b'seed'], ())]\n",
        encoding="utf-8",
    )
    text = (HERE / "run.py").read_text(encoding="utf-8")
    text = text.replace(
        "from targets import TARGETS  # noqa: E402", f"from targets_broken import TARGETS as FOUND\nTARGETS = {{{name!r}: FOUND[0]}}"
    )
    text = text.replace("sys.path[:0] = [", f"sys.path[:0] = [{str(tmp_path)!r}, {str(HERE)!r}, ")
    (tmp_path / "run.py").write_text(text, encoding="utf-8")
    return Target(name, lambda data: None, lambda: [b"seed"], ())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("    if len(data) > 4:\n        raise KeyError(data)", "KeyError"),
        ("    if len(data) > 4:\n        os.abort()", "crash"),
        ("    while len(data) > 4:\n        pass", "hangs"),
        ("    if len(data) > 4:\n        bytearray(1 << 40)", "MemoryError"),
    ],
    ids=["exception", "crash", "hang", "memory"],
)
def test_faults_are_found_named_and_kept(body: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import harness

    target = broken("broken", body, tmp_path)
    (tmp_path / "harness.py").write_text(
        (HERE / "harness.py").read_text(encoding="utf-8").replace("PATIENCE = 10.0", "PATIENCE = 0.5"), encoding="utf-8"
    )
    monkeypatch.setattr(harness, "__file__", str(tmp_path / "harness.py"))
    monkeypatch.setattr(harness, "MOST_FAILURES", 1)
    result = fuzz(target, 1, 1.5, tmp_path / "kept")
    assert [failure.kind.split()[0] for failure in result.failures] == [kind if kind != "crash" else "crash,"]
    (kept,) = (tmp_path / "kept" / "broken").glob("*.bin")
    assert len(kept.read_bytes()) > 4
    assert kept.with_suffix(".txt").read_text(encoding="utf-8").startswith(result.failures[0].kind)


def test_the_same_seed_gives_the_same_inputs() -> None:
    seeds = [b"one", b"two" * 50]
    assert [make_input(seeds, (), 5, n) for n in range(200)] == [make_input(seeds, (), 5, n) for n in range(200)]
    assert [make_input(seeds, (), 5, n) for n in range(2, 50)] != [make_input(seeds, (), 6, n) for n in range(2, 50)]


def test_the_command_line_names_targets_and_replays(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("fuzz_run", HERE / "run.py")
    assert spec is not None
    assert spec.loader is not None
    command = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(command)
    assert command.main(["--list"]) == 0
    assert capsys.readouterr().out.split() == list(TARGETS)
    assert command.main(["nothing"]) == 2
    assert command.main(["--replay", str(ROOT / "pyproject.toml"), "units"]) == 0
    assert command.main(["--seconds", "0.2", "--seed", "3", "--keep", str(tmp_path), "units"]) == 0
    assert "1 targets" in capsys.readouterr().out
