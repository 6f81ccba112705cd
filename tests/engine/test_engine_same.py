"""The same evidence gives the same case: on any number of workers, in any time zone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from engine_support import digest, files

if TYPE_CHECKING:
    from pathlib import Path

    from engine_support import ForkServer


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs fork")
def test_neither_workers_nor_time_zone_change_anything(small_image: Path, fork_server: ForkServer, tmp_path: Path) -> None:
    seen = {}
    for jobs in ("1", "2", "4"):
        for zone in ("UTC", "America/St_Johns", "Asia/Kathmandu"):
            case = tmp_path / f"{jobs}-{zone.replace('/', '-')}"
            arguments = ["run", str(small_image), "--case", str(case), "--jobs", jobs, "-q", "--exhibit", "A-1"]
            assert fork_server.run(arguments, batch_items=3, TZ=zone) == 0
            seen[jobs, zone] = (digest(case), (case / "report" / "report.json").read_bytes(), (case / "findings.jsonl").read_bytes())
    assert len(set(seen.values())) == 1
    assert files(case)["vol1/BIG.BIN"]["mtime"] == "2024-05-17T13:30:00Z"
    assert files(case)["vol1/BIG.BIN"]["time_basis"] == "local"
