"""Plugins are found where they may be, broken ones are listed, and two of one name are refused."""

from __future__ import annotations

import hashlib
import importlib.metadata
import sys
from pathlib import Path

import pytest

from triage.errors import PluginError
from triage.plugin import OptionsError, run_plugin, sample_item
from triage.registry import GROUP, find_plugins

GOOD = '''"""Counts bytes."""
from dataclasses import dataclass
from triage.plugin import Accepts

class Count:
    name, version, accepts = "count", "2", Accepts()

    @dataclass(frozen=True)
    class Options:
        factor: int = 1

    def __init__(self, options):
        if options.factor == 13:
            raise RuntimeError("unlucky")
        self.factor = options.factor

    def analyze(self, item):
        yield item.finding("count", str(item.size * self.factor))

PLUGIN = Count
'''


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_the_built_in_ones_are_there() -> None:
    registry = find_plugins()
    assert {"encrypted", "exif", "zone_identifier"} <= registry.plugins.keys()
    assert registry.broken == []
    assert list(registry.plugins) == sorted(registry.plugins)
    exif = registry.get("exif")
    assert exif.origin == "built-in"
    assert exif.sha256 == hashlib.sha256(Path(exif.path).read_bytes()).hexdigest()
    assert "EXIF" in exif.summary


def test_a_named_file_is_loaded_and_runs_without_leaving_anything_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path, "count.py", GOOD)
    info = find_plugins([path]).get("count")
    assert (info.version, info.origin, info.summary) == ("2", "file", "Counts bytes.")
    assert info.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    (finding,) = run_plugin(info.load({"factor": 3}), info.key({"factor": 3}), sample_item(b"ab"))
    assert finding.to_json()["title"] == "6"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["count.py"]


def test_the_key_changes_with_version_and_options_alone(tmp_path: Path) -> None:
    info = find_plugins([write(tmp_path, "count.py", GOOD)]).get("count")
    assert info.key() == info.key({}) == info.key({"factor": 1})
    assert info.key() != info.key({"factor": 2})
    assert info.key().startswith("count@2#")
    newer = tmp_path / "newer"
    newer.mkdir()
    assert (
        find_plugins([write(newer, "count.py", GOOD.replace('"2"', '"3"'))])
        .get("count")
        .key()
        .startswith("count@3#")
    )
    with pytest.raises(OptionsError):
        info.key({"fctor": 2})


def test_a_folder_is_searched_without_tests_and_private_files(tmp_path: Path) -> None:
    write(tmp_path, "count.py", GOOD)
    write(tmp_path, "test_count.py", "raise SystemError")
    write(tmp_path, "_helper.py", "raise SystemError")
    registry = find_plugins([tmp_path])
    assert "count" in registry.plugins
    assert registry.broken == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_module_anywhere", "no_such_module_anywhere"),
        ("def (", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("x = 1", "no PLUGIN"),
        ("PLUGIN = 5", "not a class"),
        (GOOD.replace('"count", "2"', '"other", "2"'), "its name is 'other'"),
        (GOOD.replace('"count", "2"', '"count", 2'), "no version"),
        (GOOD.replace(", Accepts()", ", None"), "no accepts"),
        (GOOD.replace("def analyze", "def other"), "no analyze"),
        ("\0", "null bytes"),
    ],
)
def test_a_broken_one_is_listed_with_its_reason(tmp_path: Path, text: str, words: str) -> None:
    registry = find_plugins([write(tmp_path, "count.py", text)])
    (broken,) = registry.broken
    assert broken.name == "count"
    assert words in broken.reason
    assert "exif" in registry.plugins
    with pytest.raises(PluginError, match="broken"):
        registry.get("count")


def test_two_of_one_name_are_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, "exif.py", GOOD.replace('"count"', '"exif"'))
    with pytest.raises(PluginError, match="two plugins are called exif"):
        find_plugins([path])


def test_paths_that_lead_nowhere_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="no plugin file"):
        find_plugins([tmp_path / "none.py"])
    with pytest.raises(PluginError, match="no plugins in"):
        find_plugins([tmp_path])
    with pytest.raises(PluginError, match="no plugin called nothing"):
        find_plugins().get("nothing")


def test_a_constructor_that_fails_is_an_error_of_the_plugin(tmp_path: Path) -> None:
    info = find_plugins([write(tmp_path, "count.py", GOOD)]).get("count")
    with pytest.raises(PluginError, match="unlucky"):
        info.load({"factor": 13})


def test_installed_packages_bring_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "count_package.py", GOOD)
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        importlib.metadata.EntryPoint("count", "count_package:PLUGIN", GROUP),
        importlib.metadata.EntryPoint("gone", "no_such_module_anywhere:PLUGIN", GROUP),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: points if group == GROUP else [])
    registry = find_plugins()
    assert registry.get("count").origin.startswith("package")
    assert [b.name for b in registry.broken] == ["gone"]
    sys.modules.pop("count_package")
