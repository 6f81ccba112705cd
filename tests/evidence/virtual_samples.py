"""Real virtual disks, and what others read in them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from triage.evidence.opening import open_evidence

EVIDENCE = Path(os.environ.get("TRIAGE_EVIDENCE") or Path(__file__).resolve().parents[3] / "shared" / "evidence")
needs_samples = [pytest.mark.evidence, pytest.mark.skipif(not (EVIDENCE / "images").is_dir(), reason="the shared evidence is not here")]


def check_sample(name: str, path: Path | None = None) -> None:
    """Hold a sample's bytes against the size and MD5 that its truth has (by libyal and TSK)."""
    truth = json.loads((EVIDENCE / "truth" / f"{name}.gt.json").read_text())
    _, medium, warnings = open_evidence(path or EVIDENCE / "images" / name)
    digest = hashlib.md5(usedforsecurity=False)
    for at in range(0, medium.size, 1 << 20):
        digest.update(medium.read_at(at, 1 << 20))
    medium.close()
    assert (medium.size, digest.hexdigest()) == (truth["media_size"], truth["media_md5"])
    assert not warnings
