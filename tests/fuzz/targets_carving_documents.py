"""Targets of carving: documents and mail that are walked and put together again."""

from __future__ import annotations

import importlib
import random
import struct
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from targets import Target

from triage.carving.window import WindowSpentError, window_of

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.append(str(Path(__file__).resolve().parents[1] / "carving"))
_NOISE = random.Random(3).randbytes(4096)


def _walking(name: str) -> Callable[[bytes], None]:
    """Return a function that walks bytes as the format does, and asks for what lies in pieces."""
    form = next(f for f in importlib.import_module(f"triage.carving.formats.{name}").FORMATS if f.name == name)

    def run(data: bytes) -> None:
        if not any(header.matches(data) for header in form.headers):
            return
        window = window_of(data, allowance=256 << 20)
        walked = form.walk(window)
        if walked is None:
            return
        assert 0 < walked.length <= len(data)
        assert walked.valid is None or 0 < walked.valid <= walked.length
        assert all(0 <= p.offset < p.offset + p.length <= walked.length for p in walked.parts)
        if form.rejoin is not None and walked.structure in ("truncated", "damaged"):
            joined = form.rejoin(window, walked)
            assert joined is None or sum(size for _, size in joined.pieces) == joined.length

    return run


def _around(whole: list[bytes]) -> list[bytes]:
    """Return each by itself, with something behind, and in two pieces."""
    found = []
    for data in whole:
        cut = len(data) // 1024 * 512
        found += [data, data + bytes(600), data + _NOISE, data[:cut] + _NOISE[:1024] + data[cut:]]
    return found


def _pdfs() -> list[bytes]:
    from document_samples import contents, pdf, table_of

    plain = [pdf(contents(2, 300), table=kind) for kind in ("table", "stream", "predicted")]
    return _around([*plain, pdf([b"<<>>"], before=plain[0], previous=table_of(plain[0]), first=3)])


def _oles() -> list[bytes]:
    from document_samples import ole, properties, slides, words, workbook

    text = b"\xec\xa5\xc1\0" + bytes(4092)
    kinds = [{"Workbook": workbook(2, 150)}, slides(), {"WordDocument": text, "1Table": words(900)}, {"256_0a": _NOISE[:90], "1": b"abc"}]
    return _around([ole({**streams, "\x05SummaryInformation": properties()}) for streams in kinds])


def _texts(name: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        from document_samples import html, mail, mailbox, rtf

        wide = ("\ufeff" + html(600).decode("ascii")).encode("utf-16-le")
        kinds = {"rtf": [rtf(600)], "html": [html(900), wide], "eml": [mail(600), mail(600, parts=True)], "mbox": [mailbox(3)]}
        return _around(kinds[name])

    return seeds


def _stores() -> list[bytes]:
    from test_carving_pst import store

    return _around([store(), store(wide=False)])


def _markup() -> list[bytes]:
    from test_carving_xml import document

    return _around([document(size=300), document(b"svg", 300, b"<?xml version='1.0'?><!DOCTYPE svg [ <!ENTITY a 'b'> ]>")])


def _cards() -> list[bytes]:
    from test_carving_vcard import cards

    return _around([cards(5)])


_MISTAKES = (ValueError, LookupError, ArithmeticError, struct.error, zlib.error, WindowSpentError)

TARGETS = [
    Target(
        "carving-pdf",
        _walking("pdf"),
        _pdfs,
        ("triage.carving.formats.pdf", "triage.carving.pdftables", "triage.carving.pdfobjects"),
        allowed=_MISTAKES,
        tokens=(
            b"%%EOF",
            b"%PDF-1.4",
            b"startxref\n",
            b"xref\n0 ",
            b"trailer",
            b"/Prev ",
            b"endobj",
            b"1 0 obj",
            b"stream\n",
            b"/Length ",
            b"/W[",
        ),
    ),
    Target(
        "carving-ole",
        _walking("ole"),
        _oles,
        ("triage.carving.formats.ole", "triage.carving.cfb", "triage.carving.olecontent"),
        allowed=_MISTAKES,
        tokens=(b"\xff\xff\xff\xff", b"\xfe\xff\xff\xff", b"\xfd\xff\xff\xff", b"\x09\x08\x10\0", b"\x0a\0\0\0", b"\0\0\0\0"),
    ),
    Target(
        "carving-rtf",
        _walking("rtf"),
        _texts("rtf"),
        ("triage.carving.formats.rtf",),
        allowed=_MISTAKES,
        tokens=(b"{\\rtf1", b"\\bin99 ", b"\\bin4000000000 ", b"\\{", b"}", b"{"),
    ),
    Target(
        "carving-html",
        _walking("html"),
        _texts("html"),
        ("triage.carving.formats.html", "triage.carving.textual"),
        allowed=_MISTAKES,
        tokens=(b"</html>", b"<html>", b"<!DOCTYPE html>", b"<title>", b"\xff\xfe", b"\0"),
    ),
    Target(
        "carving-eml",
        _walking("eml"),
        _texts("eml"),
        ("triage.carving.formats.eml", "triage.carving.mailtext", "triage.carving.mailjoin"),
        allowed=_MISTAKES,
        tokens=(b"\r\n\r\n", b"From: ", b"Content-Type: multipart/mixed; boundary=a\r\n", b"--a--", b"\r\n "),
    ),
    Target(
        "carving-mbox",
        _walking("mbox"),
        _texts("mbox"),
        ("triage.carving.formats.mbox",),
        allowed=_MISTAKES,
        tokens=(b"\nFrom ", b"Mon Jan  5 10:00:00 2026\n", b"\n\n"),
    ),
    Target(
        "carving-pst",
        _walking("pst"),
        _stores,
        ("triage.carving.formats.pst",),
        allowed=_MISTAKES,
        tokens=(b"\x80\x80", b"\x84\x84", b"\xff\xff\xff\xff"),
    ),
    Target(
        "carving-xml",
        _walking("xml"),
        _markup,
        ("triage.carving.formats.xml",),
        allowed=_MISTAKES,
        tokens=(b"</gpx>", b"<gpx>", b"<!--", b"-->", b"<!DOCTYPE", b"/>", b"<svg "),
    ),
    Target(
        "carving-vcard",
        _walking("vcard"),
        _cards,
        ("triage.carving.formats.vcard",),
        allowed=_MISTAKES,
        tokens=(b"\nBEGIN:VCARD\r\n", b"\nEND:VCARD\r\n", b"\r\n"),
    ),
]
