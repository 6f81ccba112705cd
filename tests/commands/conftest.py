"""The small media and helpers of tests/engine."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "report"))
sys.path.insert(2, str(Path(__file__).resolve().parents[1] / "evidence"))

from engine_fixtures import fork_server, many_image, small_image

__all__ = ["fork_server", "many_image", "small_image"]
