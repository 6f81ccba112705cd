"""Targets of Outlook's mail: MSG files and what they share with other forms, compressed RTF, texts of bodies."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from targets import Target

from triage.artifacts import bodytext, lzfu, mapi, pstcodec
from triage.artifacts.structure import StructureError
from triage.plugin import Problem, run_plugin
from triage.registry import find_plugins

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
import test_plugin_outlook_msg as msg
import test_plugin_outlook_pst as pst
import test_plugin_tnef as tnef
from real_samples import item_of


def _runs(name: str, path: str):
    def run(data: bytes) -> None:
        info = find_plugins().plugins[name]
        for result in run_plugin(info.load(), info.key(), item_of(data, path)):
            assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail

    return run


def _bodies(data: bytes) -> None:
    with contextlib.suppress(StructureError):
        assert len(lzfu.decode(data, 70_000)[0]) <= 70_000
    assert len(bodytext.of_rtf(data, 5000)) <= 5000
    assert len(bodytext.of_html(data, 5000)) <= 5000
    mapi.names_of(data[:64], data[64:])


def _hidden(data: bytes) -> None:
    listed = ",".join(f"{size}.{size * 77:x}.{raw}" for size, raw in zip(data[:20], data[20:40], strict=False))
    for parameters in ("p", f"c,{listed}", f"n,{listed}"):
        if pstcodec.CODEC.parameters.fullmatch(parameters):
            found, _ = pstcodec.CODEC.undo(lambda offset, length: data[offset : offset + length], len(data), parameters, 5000)
            assert len(found) <= 5000


RTF = rb"{\rtf1\ansi\fromhtml1{\*\htmltag <p>}\htmlrtf x\htmlrtf0 a\'e9\u8364?}"

TARGETS = [
    Target("outlook-msg", _runs("outlook_msg", "vol1/Users/kim/mail.msg"), lambda: [msg.sample()],
           ("triage.artifacts.outlookmsg", "triage.artifacts.mapi*", "triage.plugins.outlook_msg"),
           tokens=(b"\x0d\0", b"\x1f\0", b"\x40\0", b"\xff" * 4)),
    Target("mail-bodies", _bodies, lambda: [msg.RTF, RTF, b"<p>a<br>&amp;"],
           ("triage.artifacts.lzfu", "triage.artifacts.bodytext"), tokens=(b"LZFu", b"{\\*", b"<style", b"-->")),
    Target("outlook-pst", _runs("outlook_pst", "vol1/Users/kim/kim.pst"),
           lambda: [pst.sample(version, method) for version, method in ((14, 1), (23, 2), (36, 0))],
           ("triage.artifacts.pst", "triage.artifacts.pstheap", "triage.artifacts.pstmail", "triage.artifacts.pstlost",
            "triage.plugins.outlook_pst"),
           tokens=(b"\xec\xbc", b"\xec\x7c", b"\xb5\x02\x06", b"\x01\x01", b"\x02\0", b"\x80\x80", b"\x81\x81")),
    Target("tnef", _runs("tnef", "vol1/Users/kim/winmail.dat"), lambda: [tnef.sample()], ("triage.artifacts.tnef", "triage.plugins.tnef"),
           tokens=(b"\x05\x90\x06\0", b"\x03\x90\x06\0", b"\x0d\0\x01\x37", b"\x1f\x10", tnef.INNER)),
    Target("pst-codec", _hidden, lambda: [bytes(range(60))], ("triage.artifacts.pstcodec",), tokens=(b"\x78\x9c",)),
]  # fmt: skip
