"""The template that docs/plugins.md tells people to copy works as it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from triage.registry import find_plugins

TEMPLATE = Path(__file__).resolve().parents[2] / "docs" / "new-plugin-template"
GUIDE = TEMPLATE.parent / "plugins.md"


def test_the_template_is_a_plugin() -> None:
    registry = find_plugins([TEMPLATE])
    assert registry.broken == []
    assert registry.get("example").version == "1"


def test_the_templates_own_tests_pass(tmp_path: Path) -> None:
    for file in TEMPLATE.glob("*.py"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_the_guide_names_what_there_is() -> None:
    guide = GUIDE.read_text()
    for name in find_plugins().plugins:
        assert f"`{name}`" in guide
    for word in (
        "Accepts",
        "Options",
        "sample_item",
        "run_plugin",
        "triage.plugins.v1",
        "--plugin-path",
        "PLUGIN =",
    ):
        assert word in guide
