"""RAR archives: lists of both kinds, and every decoder on any bytes."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from targets import Target

from triage.artifacts.rar import MARK_4, MARK_5, open_rar
from triage.artifacts.rar2coder import Rar2Decoder
from triage.artifacts.rar3coder import Rar3Decoder
from triage.artifacts.rar5coder import Rar5Decoder
from triage.artifacts.rarbits import Work
from triage.artifacts.structure import StructureError

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from real_samples import item_of, run
from test_plugin_rar import TEXT, file_4, file_5, rar4, rar5


def _list(data: bytes) -> None:
    with contextlib.suppress(StructureError):
        open_rar(lambda at, many: data[at : at + many], len(data))
    if data.startswith((MARK_4, MARK_5)):
        run("rar", item_of(data.ljust(20, b"\0"), "vol1/a.rar"))


def _packed(data: bytes) -> None:
    for decoder in (Rar2Decoder, Rar3Decoder, Rar5Decoder):
        decoder(Work(1 << 17)).member(data, 20_000)


TARGETS = [
    Target("rar", _list, lambda: [rar4(file_4(b"a.txt", TEXT)), rar5(file_5("a.txt", TEXT))],
           ("triage.artifacts.rar", "triage.artifacts.rarcodec", "triage.plugins.rar"), tokens=(b"Rar!\x1a\x07",)),
    Target("rar-packed", _packed, lambda: [b"\x80" + bytes(range(256)), b"\xc1\x20" + bytes(100), bytes(200)],
           ("triage.artifacts.rar2coder", "triage.artifacts.rar3coder", "triage.artifacts.rar5coder", "triage.artifacts.rarbits",
            "triage.artifacts.rarfilters", "triage.artifacts.ppmd")),
]  # fmt: skip
