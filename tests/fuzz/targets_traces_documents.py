"""PDF documents and the pictures in them."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from targets import Target

from triage.artifacts import pdf, pdffilters, pdfimages
from triage.artifacts.structure import Notes

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from real_samples import item_of, run
from test_plugin_pdf_contents import PATH, document


def _pdf(data: bytes) -> None:
    found = pdf.read_pdf(data, Notes())
    for one in found.objects[:100]:
        pdf.text_of(one.value)
        pdf.date_of(one.value)
    if data.startswith(b"%PDF-1."):
        item = item_of(data, PATH)
        if item.type is not None and item.type.name == "pdf":
            run("pdf_contents", item)


def _pixels(data: bytes) -> None:
    match = pdfimages.CODEC.parameters.fullmatch(data[:60].decode("latin-1"))
    text = match[0] if match is not None else f"rgb,8,{1 + data[0] % 40 if data else 1},9,{10 + len(data) % 6},"
    with contextlib.suppress(OSError):
        pdfimages.CODEC.undo(lambda at, many: data[at : at + many], len(data), text, 100_000)


def _filters(data: bytes) -> None:
    for name in ("a85", "hex", "lzw", "lzw0", "run"):
        found, _ = pdffilters.CODEC.undo(lambda at, many: data[at : at + many], len(data), name, 100_000)
        assert len(found) <= 100_000
    pdffilters.undone(data, ["ASCII85Decode", "LZWDecode", "FlateDecode"], 100_000)


TARGETS = [
    Target(
        "pdf",
        _pdf,
        lambda: [document()],
        ("triage.artifacts.pdf", "triage.plugins.pdf_contents"),
        tokens=(b" obj", b"stream", b"<<", b">>"),
    ),
    Target("pdf-filters", _filters, lambda: [b"9jqo^BlbD-BleB1DJ+*+~>", b"80 0B 60 50>", bytes(300)], ("triage.artifacts.pdffilters",)),
    Target("pdf-pixels", _pixels, lambda: [b"rgb,8,40,30,15,", bytes(300)], ("triage.artifacts.pdfimages",)),
]
