"""Office's documents: property sets, pictures and files in streams, parts that tell of authors and links."""

from __future__ import annotations

import sys
from pathlib import Path

from targets import Target

from triage.artifacts import officeart, propertyset
from triage.artifacts.structure import Notes

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from real_samples import item_of, run
from test_plugin_office_properties import word as new_word
from test_plugin_ole_documents import native, properties, slides, word, workbook


def _streams(data: bytes) -> None:
    propertyset.read_properties(data)
    joined = officeart.Joined(lambda at, many: data[at : at + many], ((0, len(data) // 2), (len(data) // 2, len(data) - len(data) // 2)))
    list(officeart.pictures(joined, Notes()))
    list(officeart.slides(joined))
    officeart.native(joined)
    officeart.drawings(joined)


def _plugin(name: str, kinds: tuple[str, ...], data: bytes) -> None:
    item = item_of(data, "vol1/a.doc")
    if item.type is not None and item.type.name in kinds:
        run(name, item)


TARGETS = [
    Target(
        "office-streams",
        _streams,
        lambda: [properties({2: "a", 4: "b"}), native("a.txt", "C:\\a.txt", b"text"), word()[512:], slides()[512:], workbook()[512:]],
        ("triage.artifacts.officeart", "triage.artifacts.propertyset"),
        tokens=(b"\x1d\xf0", b"\x1e\xf0", b"\x1a\xf0"),
    ),
    Target(
        "ole-documents",
        lambda data: _plugin("ole_documents", ("doc", "xls", "ppt", "ole"), data),
        lambda: [word(), slides()],
        ("triage.plugins.ole_documents",),
    ),
    Target(
        "office-properties",
        lambda data: _plugin("office_properties", ("docx",), data),
        lambda: [new_word()],
        ("triage.plugins.office_properties",),
    ),
]
