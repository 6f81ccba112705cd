"""Rules that every built-in plugin keeps, checked on each of them."""

from __future__ import annotations

import ast
import json
from dataclasses import is_dataclass
from pathlib import Path

import pytest
from plugin_samples import made

from triage.artifacts.child import to_json
from triage.model import Kind
from triage.plugin import Child, Item, Plugin, run_plugin, sample_item
from triage.registry import PluginInfo, find_plugins

PLUGINS = find_plugins().plugins
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OLDER = ("encrypted", "exif")  # their real samples are the pictures, types and images, in tests of their own
ALLOWED = ("triage.plugin", "triage.model", "triage.artifacts")
SAMPLES: list[Item] = [
    sample_item(
        b"[ZoneTransfer]\nZoneId=3\nHostUrl=https://example.org/a\n",
        "vol1/a.exe:Zone.Identifier",
        Kind.STREAM,
    ),
    sample_item(b"Salted__12345678" + bytes(range(256)), "vol1/secret.enc"),
    sample_item(
        b"\x01\x02\x03\x04" + bytes((i * i * 7 + i // 251) % 256 for i in range(90_000)), "vol1/blob"
    ),
    sample_item(
        b"II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x06\0\0\0\x1a\0\0\0\0\0\0\0Maker\0" + bytes(20),
        "vol1/picture.tif",
    ),
    sample_item(b"plain words\n", "vol1/notes.txt"),
    *made(),
]


@pytest.fixture(params=sorted(PLUGINS))
def info(request: pytest.FixtureRequest) -> PluginInfo:
    return PLUGINS[request.param]


def test_it_is_documented_and_complete(info: PluginInfo) -> None:
    assert Path(info.path).stem == info.name
    assert info.version
    assert info.summary.endswith(".")
    assert info.cls.__doc__
    assert info.cls.analyze.__doc__
    assert isinstance(info.load(), Plugin)
    options = getattr(info.cls, "Options", None)
    if options is not None:
        assert is_dataclass(options)
        assert options.__doc__
        assert "Options(" not in options.__doc__, "the docstring is the one that dataclass makes"


def test_it_has_a_test_of_its_own(info: PluginInfo) -> None:
    path = HERE / f"test_plugin_{info.name}.py"
    assert path.is_file()
    assert "def test_" in path.read_text()


def test_it_imports_only_what_a_plugin_may(info: PluginInfo) -> None:
    for node in ast.walk(ast.parse(Path(info.path).read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            assert not name.startswith("triage") or name.startswith(ALLOWED), f"{info.name} imports {name}"


def test_it_says_the_same_twice_and_in_json(info: PluginInfo) -> None:
    key = info.key()
    for item in SAMPLES:
        if not info.accepts.matches(item.entry, item.type):
            continue
        once, again = run_plugin(info.load(), key, item), run_plugin(info.load(), key, item)
        assert once == again
        for result in once:
            if isinstance(result, Child):
                json.dumps(to_json(result, key), allow_nan=False)
                continue
            assert type(result).from_json(json.loads(json.dumps(result.to_json()))) == result
            assert result.plugin == key


def test_every_plugin_finds_something_in_the_samples() -> None:
    for info in PLUGINS.values():
        wanted = [item for item in SAMPLES if info.accepts.matches(item.entry, item.type)]
        assert any(run_plugin(info.load(), info.key(), item) for item in wanted), info.name


def test_it_says_what_it_was_tried_on_as_the_page_does(info: PluginInfo) -> None:
    assert info.tried_on in ("real samples", "made samples")
    row = next(line for line in (ROOT / "docs" / "plugins.md").read_text().splitlines() if line.startswith(f"| `{info.name}` |"))
    told = row.rstrip("| ").rpartition("|")[2].strip()
    assert told.startswith("made samples") or info.tried_on == "real samples", f"{info.name}: the page says {told!r}"
    # Who says so runs over real ones in a test.
    tests = (HERE / f"test_plugin_{info.name}.py").read_text()
    real = any(word in tests for word in ("needs_samples", "mark.evidence", "plaso_sample("))
    assert info.tried_on == "made samples" or real or info.name in OLDER
