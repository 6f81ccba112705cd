"""Targets of content/ and the plugins: types, text, pictures, and what analyzers make of an item."""

from __future__ import annotations

import io
import random
import struct
import sys
import zlib
from pathlib import Path

from PIL import Image
from targets import Target

from triage.content import magic
from triage.content.pictures import thumbnail
from triage.content.stream import analyze_content
from triage.content.types import TAIL, extension_mismatch, extension_of, identify
from triage.model import Finding, Kind, Problem
from triage.plugin import Child, run_plugin, sample_item
from triage.registry import find_plugins

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))


def _pictures() -> list[bytes]:
    found = []
    picture = Image.frombytes("RGB", (40, 30), random.Random(1).randbytes(3600))
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    for fmt, options in [
        ("JPEG", {"exif": exif}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("GIF", {}),
        ("WEBP", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ]:
        out = io.BytesIO()
        picture.save(out, fmt, **options)
        found.append(out.getvalue())
    out = io.BytesIO()
    picture.save(out, "GIF", save_all=True, append_images=[picture.rotate(90 * n) for n in range(3)])
    return [*found, out.getvalue()]


def _documents() -> list[bytes]:
    from test_plugin_encrypted import ENCRYPTED, PLAIN

    texts = [
        b"<?xml version='1.0'?><svg/>",
        b"<!-- x --><html>",
        b'{"a": [1]}',
        b"From: a\r\nSubject: b\r\n",
        b"%PDF-1.4\n",
        "words".encode("utf-16"),
        b"#!/bin/sh",
        b"d8:announce3:abc4:infod6:lengthi1eee",
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"\x1aE\xdf\xa3webm",
        b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0",
        b"P6\n# c\n2 2\n255\n" + bytes(12),
        bytes(257) + b"ustar\0" + bytes(249),
    ]
    return [data[:6000] for _, data in ENCRYPTED.values()] + [data[:6000] for data in PLAIN.values()] + texts


def _types(data: bytes) -> None:
    for size, tail in ((len(data), data[-TAIL:]), (1 << 40, b"")):
        kind = identify(data, size, tail)
        assert kind is None or kind.name
    name = data[:200].decode("utf-8", "replace")
    extension_of(name)
    extension_mismatch(name, kind.name if kind else "")


def _stream(data: bytes) -> None:
    """A medium that gives less than asked, or fails, where the first bytes say."""
    hole = int.from_bytes(data[:2], "little")

    def read_at(offset: int, length: int) -> bytes:
        if offset <= hole < offset + length:
            if hole % 2:
                raise OSError(5, "Input/output error")
            return data[offset : max(offset, hole - 1)]
        return data[offset : offset + length]

    result = analyze_content("key", read_at, len(data) + hole % 7)
    assert result.content.size <= len(data) + 7


_LIBMAGIC: list[magic.Libmagic | None] = []


def _magic(data: bytes) -> None:
    if not _LIBMAGIC:
        _LIBMAGIC.append(magic.Libmagic())
    libmagic = _LIBMAGIC[0]
    if libmagic is not None:
        libmagic.identify(data[:65536])


def _thumbnail(data: bytes) -> None:
    for blurred in (True, False):
        answer = thumbnail(data, blurred=blurred)
        assert answer
        assert isinstance(answer, str) or answer.startswith(b"\xff\xd8")


_PLUGINS = find_plugins().plugins


def _plugins(data: bytes) -> None:
    for path, kind in (("vol1/file", Kind.FILE), ("vol1/a:Zone.Identifier", Kind.STREAM)):
        item = sample_item(data, path, kind)
        for name in sorted(_PLUGINS):
            info = _PLUGINS[name]
            if info.accepts.matches(item.entry, item.type):
                for result in run_plugin(info.load(), info.key(), item):
                    assert isinstance(result, Finding | Problem | Child)
                    assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail


def _samples() -> list[bytes]:
    zone = b"[ZoneTransfer]\r\nZoneId=3\r\nReferrerUrl=https://example.org/\r\nHostUrl=http://[::1]/x\r\n"
    return [*_documents(), *_pictures()[:7], zone, zone.decode().encode("utf-16"), zlib.compress(random.Random(2).randbytes(70_000))]


TARGETS = [
    Target(
        "types",
        _types,
        lambda: [*_documents(), *_pictures()],
        (
            "triage.content.types",
            "triage.content.signatures",
            "triage.content.containers",
            "triage.content.frames",
            "triage.content.text",
            "triage.content.ole",
        ),
    ),
    Target("stream", _stream, _documents, ("triage.content.stream",)),
    Target("libmagic", _magic, _documents, ("triage.content.magic",)),
    Target(
        "pictures",
        _thumbnail,
        _pictures,
        ("triage.content.pictures",),
        tokens=(
            b"IHDR",
            b"zTXt",
            b"iCCP",
            b"fcTL",
            b"acTL",
            b"\xff\xd8",
            b"\xff\xc0",
            b"\xff\xda",
            b"ANMF",
            b"VP8L",
            b"\x2c",
            b"NETSCAPE2.0",
        ),
    ),
    Target(
        "plugins",
        _plugins,
        _samples,
        ("triage.plugin", "triage.plugins.encrypted", "triage.plugins.exif", "triage.plugins.zone_identifier"),
    ),
]
