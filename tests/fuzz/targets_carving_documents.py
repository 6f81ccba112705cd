"""Targets of carving: documents and mail that are walked and put together again."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from carved_walks import ALLOWED, walks
from targets import Target

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.append(str(Path(__file__).resolve().parents[1] / "carving"))
_NOISE = random.Random(3).randbytes(4096)


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



TARGETS = [
    Target(
        "carving-pdf",
        walks("pdf"),
        _pdfs,
        ("triage.carving.formats.pdf", "triage.carving.pdftables", "triage.carving.pdfobjects"),
        allowed=ALLOWED,
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
        walks("ole"),
        _oles,
        ("triage.carving.formats.ole", "triage.carving.cfb", "triage.carving.olecontent"),
        allowed=ALLOWED,
        tokens=(b"\xff\xff\xff\xff", b"\xfe\xff\xff\xff", b"\xfd\xff\xff\xff", b"\x09\x08\x10\0", b"\x0a\0\0\0", b"\0\0\0\0"),
    ),
    Target(
        "carving-rtf",
        walks("rtf"),
        _texts("rtf"),
        ("triage.carving.formats.rtf",),
        allowed=ALLOWED,
        tokens=(b"{\\rtf1", b"\\bin99 ", b"\\bin4000000000 ", b"\\{", b"}", b"{"),
    ),
    Target(
        "carving-html",
        walks("html"),
        _texts("html"),
        ("triage.carving.formats.html", "triage.carving.textual"),
        allowed=ALLOWED,
        tokens=(b"</html>", b"<html>", b"<!DOCTYPE html>", b"<title>", b"\xff\xfe", b"\0"),
    ),
    Target(
        "carving-eml",
        walks("eml"),
        _texts("eml"),
        ("triage.carving.formats.eml", "triage.carving.mailtext", "triage.carving.mailjoin"),
        allowed=ALLOWED,
        tokens=(b"\r\n\r\n", b"From: ", b"Content-Type: multipart/mixed; boundary=a\r\n", b"--a--", b"\r\n "),
    ),
    Target(
        "carving-mbox",
        walks("mbox"),
        _texts("mbox"),
        ("triage.carving.formats.mbox",),
        allowed=ALLOWED,
        tokens=(b"\nFrom ", b"Mon Jan  5 10:00:00 2026\n", b"\n\n"),
    ),
    Target(
        "carving-pst",
        walks("pst"),
        _stores,
        ("triage.carving.formats.pst",),
        allowed=ALLOWED,
        tokens=(b"\x80\x80", b"\x84\x84", b"\xff\xff\xff\xff"),
    ),
    Target(
        "carving-xml",
        walks("xml"),
        _markup,
        ("triage.carving.formats.xml",),
        allowed=ALLOWED,
        tokens=(b"</gpx>", b"<gpx>", b"<!--", b"-->", b"<!DOCTYPE", b"/>", b"<svg "),
    ),
    Target(
        "carving-vcard",
        walks("vcard"),
        _cards,
        ("triage.carving.formats.vcard",),
        allowed=ALLOWED,
        tokens=(b"\nBEGIN:VCARD\r\n", b"\nEND:VCARD\r\n", b"\r\n"),
    ),
]
