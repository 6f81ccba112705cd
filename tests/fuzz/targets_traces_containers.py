"""Targets of what holds other files: 7z, cpio, ar and ARJ archives."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from targets import Target, reads

from triage.artifacts import sevencoders
from triage.artifacts.ararchive import read_ar
from triage.artifacts.arj import read_arj
from triage.artifacts.cpio import read_cpio
from triage.artifacts.sevenzip import open_sevenzip
from triage.artifacts.structure import StructureError
from triage.plugin import Problem, run_plugin
from triage.registry import find_plugins

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from real_samples import item_of
from seven_maker import FILES, MADE, archive, sealed
from unix_archive_makers import ar, arj, cpio

_CHAINS = (
    "lzma=5d00001000@3000", "lzma2=10@3000+bcj@3000", "copy@2000+delta=03@1999+arm64@1999>7", "copy@999+arm@900+sparc@900+ppc=04000000@900",
    "deflate@5000+ia64@5000", "bzip2@5000+armt@5000", "zstd@5000>3", "copy@500+bcj@3>1",
)  # fmt: skip


def _plugin(name: str, data: bytes, path: str) -> None:
    info = find_plugins().plugins[name]
    for result in run_plugin(info.load(), info.key(), item_of(data, path)):
        assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail


def _seven(data: bytes) -> None:
    # The list is held against checksums, which a mutant does not fit: it is read in both forms.
    for one in (data, sealed(data[32:200], data[200:])):
        with contextlib.suppress(StructureError):
            open_sevenzip(reads(one), len(one))
        _plugin("seven_zip", one, "vol1/x.7z")


def _seven_coders(data: bytes) -> None:
    for chain in _CHAINS:
        assert sevencoders.CODEC.parameters.fullmatch(chain)
        found, _ = sevencoders.undo(reads(data), len(data), chain, 2000)
        assert len(found) <= 2000


def _unix(data: bytes) -> None:
    for read in (read_cpio, read_ar, read_arj):
        with contextlib.suppress(StructureError):
            for file in read(reads(data), len(data)).files:
                assert file.start + file.size <= len(data) or read is read_arj
    for ending in ("cpio", "a", "arj"):
        one = item_of(data, f"vol1/x.{ending}")
        if one.type is not None and one.type.name in ("cpio", "ar", "arj"):
            _plugin("unix_archives", data, f"vol1/x.{ending}")


TARGETS = [
    Target("7z", _seven, lambda: [MADE["solid"], MADE["times"], MADE["bcj2"], archive(FILES)],
           ("triage.artifacts.sevenzip", "triage.plugins.seven_zip"), tokens=(b"\x17\6", b"\1\4\6", b"\x0e", b"\x11", b"\xff" * 9)),
    Target("7z-coders", _seven_coders, lambda: [MADE["solid"][32:200], MADE["deflate"][32:], MADE["bzip2"][32:], bytes(range(256)) * 4],
           ("triage.artifacts.sevencoders",)),
    Target("unix-archives", _unix,
           lambda: [*(cpio(FILES, form) for form in ("newc", "odc", "le", "be")), ar(FILES), ar(FILES, "bsd"), arj(FILES)],
           ("triage.artifacts.cpio", "triage.artifacts.ararchive", "triage.artifacts.arj", "triage.plugins.unix_archives"),
           tokens=(b"070701", b"070707", b"TRAILER!!!\0", b"`\n", b"#1/20", b"//", b"\x60\xea")),
]  # fmt: skip
