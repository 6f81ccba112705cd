"""The lint that the project runs finds what must never come in: proved by planting it, since a rule can be switched off in one word."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PLANTED = {
    "S301": "import pickle\n\n\ndef load(data: bytes) -> object:\n    return pickle.loads(data)\n",
    "S302": "import marshal\n\n\ndef load(data: bytes) -> object:\n    return marshal.loads(data)\n",
    "S306": "import tempfile\n\nNAME = tempfile.mktemp()\n",
    "S307": "def run(text: str) -> object:\n    return eval(text)\n",
    "S102": "def run(text: str) -> None:\n    exec(text)\n",
    "S314": "from xml.etree import ElementTree\n\n\ndef load(data: bytes) -> object:\n    return ElementTree.fromstring(data)\n",
    "S318": "from xml.dom import minidom\n\n\ndef load(data: bytes) -> object:\n    return minidom.parseString(data)\n",
    "S317": "from xml import sax\n\n\ndef load(data: bytes) -> object:\n    return sax.parseString(data, None)\n",
    "S506": "import yaml\n\n\ndef load(text: str) -> object:\n    return yaml.load(text, Loader=yaml.Loader)\n",
    "S202": "import tarfile\n\n\ndef unpack(path: str) -> None:\n    with tarfile.open(path) as archive:\n        archive.extractall()\n",
    "S602": "import subprocess\n\n\ndef run(text: str) -> None:\n    subprocess.run(text, shell=True, check=True)\n",
    "S605": "import os\n\n\ndef run(text: str) -> None:\n    os.system(text)\n",
    "T201": "print('not through the escaping door')\n",
}


def found_by_lint(source: str, place: str) -> set[str]:
    """Return the codes of what ruff finds in a file that would stand there, by the project's own settings."""
    command = [sys.executable, "-m", "ruff", "check", "--output-format", "json", "--no-cache", "--stdin-filename", str(ROOT / place), "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    return {one["code"] for one in json.loads(done.stdout)}


@pytest.mark.parametrize("code", PLANTED)
def test_what_is_banned_is_found(code: str) -> None:
    for place in ("triage/artifacts/planted.py", "plugins/planted.py"):
        assert code in found_by_lint(f'"""Planted."""\n\n{PLANTED[code]}', place)


def test_a_clean_file_is_clean() -> None:
    assert found_by_lint('"""Nothing."""\n\nVALUE = 1\n', "triage/artifacts/planted.py") == set()


def test_nothing_but_the_registry_switches_a_ban_off() -> None:
    bans = ("S1", "S3", "S5", "S6")
    marked = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for folder in ("triage", "plugins", "bench", "docs")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "# noqa" in line and any(f" {ban}" in line.partition("# noqa")[2] for ban in bans)
    ]
    allowed = ("triage/registry.py",)
    other = [line for line in marked if not line.startswith(allowed) and "S110" not in line and "S101" not in line]
    assert not other, other
