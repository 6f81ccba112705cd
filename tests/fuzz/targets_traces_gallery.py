"""Targets of caches of pictures: Firefox's old cache, Android's galleries and apps, iPhones' thumbnails."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from targets import Target

from triage.artifacts.pixels import raw_size
from triage.plugin import Problem, run_plugin
from triage.registry import find_plugins

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.plugin import Item

NAMES = {
    "firefox_old_cache": ("cache1", "cache1left"),
    "android_thumbnails": ("androidpaths", "minithumbs"),
    "gallery_cache": ("blobcache", "cooliris"),
    "cached_files": ("volley",),
    "disk_cache": ("disklru",),
    "disk_cache_entries": (),
    "ios_thumbnails": ("ithmb", "pixels"),
}


def _items(name: str) -> list[Item]:
    found: list[Item] = importlib.import_module(f"test_plugin_{name}").samples()
    return found


def _run(name: str) -> Callable[[bytes], None]:
    """Return what gives an input to a plugin in the place of each of its samples, with what lies beside that."""

    def run(data: bytes) -> None:
        from real_samples import item_of

        info = find_plugins().plugins[name]
        for sample in _items(name):
            item = item_of(data, sample.entry.path)
            item.beside = sample.beside
            for result in run_plugin(info.load(), info.key(), item):
                assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail
        assert raw_size("rgb565le", 8, 8) > 0

    return run


TARGETS = [
    Target(
        name.replace("_", "-"), _run(name), lambda name=name: [item.read(1 << 20) for item in _items(name)],
        (f"triage.plugins.{name}", *(f"triage.artifacts.{reader}" for reader in readers)),
    )
    for name, readers in NAMES.items()
]  # fmt: skip
