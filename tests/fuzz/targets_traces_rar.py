"""RAR archives: lists of both kinds, and every decoder on any bytes."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from targets import Target

from triage.artifacts.ppmd import Ppmd
from triage.artifacts.rar import MARK_4, MARK_5, open_rar
from triage.artifacts.rar2coder import Rar2Decoder
from triage.artifacts.rar3coder import Rar3Decoder
from triage.artifacts.rar5coder import Rar5Decoder
from triage.artifacts.rarbits import Work
from triage.artifacts.structure import StructureError

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from rar_maker import file_4, file_5, pack_2, pack_2_sound, pack_3, pack_5, rar4, rar5, record
from real_samples import children, item_of, run

TEXT = b"hello from an archive\n"
TOKENS = [*b"hello ", (3, 9), *b"end", (1, 4)]
PLAIN = b"hello lo lo lo enddddd"


def _list(data: bytes) -> None:
    with contextlib.suppress(StructureError):
        open_rar(lambda at, many: data[at : at + many], len(data))
    if data.startswith((MARK_4, MARK_5)):
        item = item_of(data.ljust(20, b"\0"), "vol1/a.rar")
        for child in children(run("rar", item))[:20]:
            item.measure(child.steps)


def _packed(data: bytes) -> None:
    for decoder in (Rar2Decoder(Work(1 << 17)), Rar3Decoder(Work(1 << 17)), Rar5Decoder(Work(1 << 17)), Rar5Decoder(Work(1 << 17), 1)):
        decoder.member(data, 20_000, 1 << 12)


def _foretold(data: bytes) -> None:
    for seven in (False, True):
        model = Ppmd(2 + data[0] % 63 if data else 2, 1 << 12, seven=seven)
        model.start(data, 1)
        with contextlib.suppress(StructureError):
            model.run(bytearray(), -1, 3000)


def _lists() -> list[bytes]:
    old = rar4(file_4(b"a.txt", TEXT), file_4(b"b", pack_3(TOKENS), plain=PLAIN), file_4(b"c", pack_2(TOKENS), plain=PLAIN, version=20))
    extra = record(5, b"\5\0\5a.txt") + record(3, b"\x13" + bytes(8)) + record(2, bytes(33))
    return [old, rar5(file_5("a.txt", TEXT), file_5("b", pack_5(TOKENS), plain=PLAIN), file_5("c", b"", extra=extra))]


TARGETS = [
    Target("rar", _list, _lists,
           ("triage.artifacts.rar", "triage.artifacts.rar4", "triage.artifacts.rar5", "triage.artifacts.rarcheck",
            "triage.artifacts.rarcodec", "triage.plugins.rar"), tokens=(b"Rar!\x1a\x07",)),
    Target("rar-packed", _packed, lambda: [pack_2(TOKENS), pack_2_sound(PLAIN, 2), pack_3(TOKENS), pack_5(TOKENS), b"\xa7\0" + bytes(200)],
           ("triage.artifacts.rar2coder", "triage.artifacts.rar3coder", "triage.artifacts.rar5coder", "triage.artifacts.rarbits",
            "triage.artifacts.rarfilters")),
    Target("ppmd", _foretold, lambda: [bytes(range(256)), bytes(300)], ("triage.artifacts.ppmd", "triage.artifacts.ppmdmemory")),
]  # fmt: skip
