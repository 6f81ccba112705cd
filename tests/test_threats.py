"""The page on threats has every threat once, each with tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "threats.md"
ROWS = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in PAGE.read_text(encoding="utf-8").splitlines()
        if re.match(r"\| T\d", line)]


def named_in(path: Path) -> set[str]:
    """Return the names of a file's tests."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_threat_stands_there_once_in_order() -> None:
    assert [row[0] for row in ROWS] == [f"T{n}" for n in range(1, 26)]
    assert all(len(row) == 4 and all(row) for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_what_holds_a_threat_exists(row: list[str]) -> None:
    cited = re.findall(r"`([^`]+)`", row[3])
    assert cited
    for each in cited:
        name, _, function = each.partition("::")
        path = ROOT / name
        assert re.fullmatch(r"tests/[\w/]*test_\w+\.py", name), each
        assert path.is_file(), each
        found = named_in(path)
        assert found, f"{name} has no test"
        assert not function or function in found, each


def test_no_test_is_cited_that_is_always_skipped() -> None:
    for row in ROWS:
        for name in re.findall(r"`(tests/[\w/.]+)", row[3]):
            assert "pytest.skip(allow_module_level" not in (ROOT / name).read_text(encoding="utf-8")
