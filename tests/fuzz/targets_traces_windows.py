"""Targets of what Windows notes: registry hives, lists of shell items, prefetch files."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from targets import Target

from triage.artifacts.hive import Hive
from triage.artifacts.hivelog import replay
from triage.artifacts.prefetch import read_prefetch
from triage.artifacts.registryfacts import PLACES, read_facts
from triage.artifacts.shellitems import read_items
from triage.artifacts.structure import StructureError
from triage.artifacts.xpress import decode
from triage.plugin import Problem, run_plugin
from triage.registry import find_plugins

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from real_samples import item_of
from test_plugin_prefetch import made, packed
from test_plugin_set_times import table
from test_plugin_windows_registry import machine_hive, user_hive
from test_plugin_windows_registry_logs import AFTER, BEFORE, dirty, new_log, old_log


def _hive(data: bytes) -> None:
    with contextlib.suppress(StructureError):
        found = Hive(data)
        for key in found.walk():
            for value in key.values():
                assert isinstance(value.text, str)
        keys = list(found.walk())[:20]
        for one in read_facts(found):
            assert one.title
        # Each reader over whatever key there is: hostile hives put anything anywhere.
        for key in keys:
            for _, read in PLACES:
                for one in read(key):
                    assert one.title
        list(found.deleted())


def _hive_log(data: bytes) -> None:
    for beside in (dirty(BEFORE), data):
        replay(beside, [data])
    item = item_of(data, "vol1/Users/kim/NTUSER.DAT.LOG1", {"NTUSER.DAT": dirty(BEFORE)})
    info = find_plugins().plugins["windows_registry_logs"]
    for result in run_plugin(info.load(), info.key(), item):
        assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail


def _mft(data: bytes) -> None:
    info = find_plugins().plugins["set_times"]
    for result in run_plugin(info.load(), info.key(), item_of(data, "vol1/$MFT")):
        assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail


def _prefetch(data: bytes) -> None:
    with contextlib.suppress(StructureError):
        read_prefetch(data)
    with contextlib.suppress(StructureError):
        assert len(decode(data, 70_000)) <= 70_000


def _plugins(data: bytes) -> None:
    plugins = find_plugins().plugins
    for name in ("windows_registry", "prefetch"):
        for result in run_plugin(plugins[name].load(), plugins[name].key(), item_of(data, f"vol1/Users/kim/{name}")):
            assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail


TARGETS = [
    Target("registry", _hive, lambda: [user_hive(), machine_hive()], ("triage.artifacts.hive", "triage.artifacts.registryfacts*"),
           tokens=(b"nk", b"vk", b"lf", b"ri", b"db", b"hbin", b"\xff" * 4)),
    Target("registry-logs", _hive_log, lambda: [new_log(AFTER), old_log(AFTER)],
           ("triage.artifacts.hivelog", "triage.plugins.windows_registry_logs"), tokens=(b"HvLE", b"DIRT", b"regf")),
    Target("mft", _mft, lambda: [table()], ("triage.artifacts.mft", "triage.plugins.set_times"), tokens=(b"FILE", b"\x10\0\0\0")),
    Target("shell-items", read_items, lambda: [b"\x14\0\x1fP" + bytes(16) + b"\x19\0/C:\\" + bytes(19) + b"\0\0"],
           ("triage.artifacts.shellitems",), tokens=(b"\x04\0\xef\xbe", b"1\0", b"2\0", b"\xff\xff")),
    Target("prefetch", _prefetch, lambda: [made(17), made(30), packed(made(31))], ("triage.artifacts.prefetch", "triage.artifacts.xpress")),
    Target("windows-plugins", _plugins, lambda: [user_hive()[:8192], made(30)],
           ("triage.plugins.windows_registry", "triage.plugins.prefetch")),
]  # fmt: skip
