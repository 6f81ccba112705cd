"""Read AFF4's reference images; say whether each gives the disk whose SHA-1 its maker's own reader states.

    python bench/aff4_reference.py FOLDER

FOLDER: a copy of the repository aff4/ReferenceImages. Of images with gaps, the streams are held against their digests.
"""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path

from triage.evidence.medium import DamagedRangeError
from triage.evidence.opening import open_evidence
from triage.evidence.verify import verify

WANTED = {
    "AFF4Std/Base-Linear.aff4": "7d3d27f667f95f7ec5b9d32121622c0f4b60b48d",
    "AFF4Std/Base-Linear-AllHashes.aff4": "7d3d27f667f95f7ec5b9d32121622c0f4b60b48d",
    "AFF4Std/Striped/Base-Linear_1.aff4": "7d3d27f667f95f7ec5b9d32121622c0f4b60b48d",
    "AFF4Std/Striped/Base-Linear_2.aff4": "7d3d27f667f95f7ec5b9d32121622c0f4b60b48d",
    "AFF4Std/Base-Allocated.aff4": "",
    "AFF4Std/Base-Linear-ReadError.aff4": "",
    "AFF4PreStd/Base-Linear.af4": "",
    "AFF4PreStd/Base-Allocated.af4": "",
    "AFF4PreStd/Base-Linear-ReadError.af4": "",
}


def main(folder: Path) -> int:
    """Return 0 when all agree."""
    bad = 0
    for name, wanted in WANTED.items():
        evidence, medium, _ = open_evidence(folder / name)
        begun, digest, at, lost = time.perf_counter(), hashlib.sha1(usedforsecurity=False), 0, 0
        while at < medium.size:
            try:
                data = medium.read_at(at, 1 << 20)
                digest.update(data)
                at += len(data)
            except DamagedRangeError as error:
                digest.update(medium.read_at(at, error.offset - at))
                lost += error.length
                at = error.offset + error.length
        seconds = time.perf_counter() - begun
        streams = verify(medium, evidence.stored_digests).computed
        right = all(streams.get(kind) == value for kind, value in evidence.stored_digests.items())
        same = not wanted or digest.hexdigest() == wanted
        bad += not right or not same
        said = ("the disk, " if wanted else "") + f"{len(evidence.stored_digests)} digests of streams"
        print(
            f"{name}: {said} {'agree' if right and same else 'DO NOT AGREE'}; {lost:,} bytes not there; "
            f"{medium.size / 2**20 / seconds:,.0f} MiB/s"
        )
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
