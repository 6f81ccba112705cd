"""The same evidence gives the same case under every Python that the project supports and that is here.

Interpreters are those named in TRIAGE_PYTHONS (paths, separated as in PATH), and ``python3.11`` to ``python3.14`` on the PATH, as far as
they have what triage needs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ("ntfs.E01", "fat32.E01", "ext4.raw", "exfat.raw", "iso9660.raw", "gpt.E01", "damaged-mbr.raw")
_PROBE = "import sys, click, deflate, numpy, pyewf, pytsk3, rich, yaml; print('%d.%d.%d' % sys.version_info[:3])"


def interpreters() -> dict[str, str]:
    """Return the interpreters that can run triage by their version, this one first."""
    named = [p for p in os.environ.get("TRIAGE_PYTHONS", "").split(os.pathsep) if p]
    named += [found for minor in range(11, 15) if (found := shutil.which(f"python3.{minor}"))]
    usable = {}
    for path in (sys.executable, *named):
        try:
            done = subprocess.run([path, "-c", _PROBE], capture_output=True, text=True, timeout=60, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            usable.setdefault(done.stdout.strip(), path)
    return usable


def results(python: str, image: Path, case: Path) -> dict[str, Any]:
    def triage(*words: str | Path) -> str:
        done = subprocess.run([python, "-m", "triage", *words], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode in (0, 3), done.stderr
        return done.stdout

    triage("run", image, "--case", case, "--jobs", "2", "-q", "--hashset", ROOT / "tests" / "images" / "known-hashes.csv")
    report = json.loads((case / "report" / "report.json").read_bytes())
    versions = report["run"].pop("versions")
    assert versions["python"] in subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout
    return {
        "digest": triage("status", case, "--digest").splitlines()[-1],
        "findings": (case / "findings.jsonl").read_bytes(),
        "report": json.dumps(report),
    }


@pytest.mark.slow
def test_no_version_of_python_changes_anything(image: Callable[[str], Path], tmp_path: Path) -> None:
    usable = interpreters()
    if len(usable) < 2:
        pytest.skip(f"only one Python here can run triage: {', '.join(usable)}")
    for name in IMAGES:
        seen = {version: results(path, image(name), tmp_path / f"{name}-{version}") for version, path in usable.items()}
        first = next(iter(seen.values()))
        assert len(first["digest"]) > 64
        for version, found in seen.items():
            assert found == first, f"{name}: Python {version} gives another case than {next(iter(seen))}"
