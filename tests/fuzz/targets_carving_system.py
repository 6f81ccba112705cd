"""Targets of carved files that systems and their programs leave: databases, logs, lists, caches."""

from __future__ import annotations

import plistlib
import struct
import sys
import zlib
from pathlib import Path

from targets import Target, reads

from triage.carving.containers import container_of
from triage.carving.window import WindowSpentError, window_of
from triage.carving.xpress import decode

sys.path.append(str(Path(__file__).resolve().parents[1] / "carving"))
import system_samples as samples

_ALLOWED = (*samples.ALLOWED, WindowSpentError)
_ROOM = "triage.carving.formats."


def _walk(name: str):
    def run(data: bytes) -> None:
        form = samples.formats()[name]
        if not any(h.matches(data) for h in form.headers):  # the carver asks about nothing else
            head = form.headers[0].magic
            data = data[: form.headers[0].at].ljust(form.headers[0].at, b"\0") + head + data[form.headers[0].at + len(head) :]
        samples.survives(name, data)

    return run


def _rejoined(data: bytes) -> None:
    """Files that break off: mutants of some with something in between."""
    name = next((n for n in ("evtx", "registry") if samples.formats()[n].headers[0].matches(data)), "sqlite")
    form = samples.formats()[name]
    window = window_of(data, block=512, allowance=64 << 20)
    found = form.rejoin(window, form.walk(window))
    if found is not None:
        assert sum(length for _, length in found.pieces) == found.length
        assert all(0 <= at < at + length <= len(data) for at, length in found.pieces)


def _in_pieces() -> list[bytes]:
    files = (samples.database(page_size=512, fill=samples.rows(80)), samples.hive(4, saved=True), samples.evtx(2))
    cuts = (4096, 8192, 4096 + 65536 + 512)
    return [data[:cut] + samples.NOISE[:1024] + data[cut:] for data, cut in zip(files, cuts, strict=True)]


def _mended(data: bytes) -> bytes:
    """With the checksum of the header put right every other time: what it guards is to be met as well."""
    raw = bytearray(data)
    if len(raw) >= 512 and raw[-1] & 1:
        if raw.startswith(b"ElfFile\0"):
            raw[124:128] = struct.pack("<I", zlib.crc32(raw[:120]))
        elif raw.startswith(b"regf"):
            checksum = 0
            for (word,) in struct.iter_unpack("<I", raw[:508]):
                checksum ^= word
            raw[508:512] = struct.pack("<I", checksum)
    return bytes(raw)


def _guarded(name: str):
    run = _walk(name)
    return lambda data: run(_mended(data))


def _container(data: bytes) -> None:
    names = (("a.db", "sqlite"), ("Thumbs.db", "thumbs"), ("thumbcache_96.db", "thumbcache"), ("hiberfil.sys", ""))
    for name, kind in names:
        found = container_of(name, kind, reads(data), len(data))
        assert found is None or all(a >= 0 and n > 0 and a + n <= len(data) for a, n in found.ranges)


def _xpress(data: bytes) -> None:
    size = int.from_bytes(data[:2], "little")
    plain, end = decode(data, 2, size)
    assert len(plain) == size
    assert end >= 2


def _blobs(connection) -> None:
    for number in range(5):
        connection.execute("INSERT INTO t VALUES (?, ?, ?)", (number, f"n{number}", samples.NOISE[: 3000 + 900 * number]))
    connection.execute("DELETE FROM t WHERE id IN (1, 3)")


_PAGES = ("triage.carving.sqlitepages",)
TARGETS = [
    Target(
        "carved-sqlite",
        _walk("sqlite"),
        lambda: [samples.database(page_size=512, fill=samples.rows(60)), samples.database(fill=_blobs, vacuum=1)],
        (_ROOM + "sqlite", *_PAGES),
        _ALLOWED,
        (b"\x0d", b"\x05", b"\x0a", b"\x02", b"\0\0\0\x02", b"\xff\xff\xff\xff"),
    ),
    Target("carved-pieces", _rejoined, _in_pieces, ("triage.carving.sqlitejoin", *_PAGES), _ALLOWED),
    Target(
        "carved-sqlite-wal", _walk("sqlite-wal"), lambda: [samples.logs(512)[1], samples.logs(512, again=True)[1]], (_ROOM + "sqlite_wal",)
    ),
    Target("carved-sqlite-journal", _walk("sqlite-journal"), lambda: [samples.journal()], (_ROOM + "sqlite_wal",)),
    Target(
        "carved-plist",
        _walk("plist"),
        lambda: [plistlib.dumps(v, fmt=plistlib.FMT_BINARY) for v in ({"a": [1, "b", b"c"], "d": 1.5}, list(range(400)))],
        (_ROOM + "plist",),
        _ALLOWED,
        (b"\xd1", b"\xa2", b"\x5f\x10", b"\x6f\x12", b"\1\1\0\0\0\0"),
    ),
    Target(
        "carved-plist-xml",
        _walk("plist-xml"),
        lambda: [plistlib.dumps({"a": [1, "b", b"c"], "d": 1.5, "e": {"f": True}})],
        (_ROOM + "plist",),
        _ALLOWED,
        (b"<plist>", b"</plist>", b"<dict>", b"</dict>", b"<key>", b"<?xml ", b"\0"),
    ),
    Target("carved-lnk", _walk("lnk"), lambda: [samples.link(), samples.link(blocks=0)], (_ROOM + "lnk",), _ALLOWED),
    Target(
        "carved-evtx", _guarded("evtx"), lambda: [samples.evtx(1), samples.evtx(2, flags=1)], (_ROOM + "evtx",), _ALLOWED, (b"ElfChnk\0",)
    ),
    Target("carved-evt", _walk("evt"), lambda: [samples.evt()], (_ROOM + "evt",), _ALLOWED, (b"LfLe",)),
    Target("carved-registry", _guarded("registry"), lambda: [samples.hive(3, saved=True)], (_ROOM + "registry",), _ALLOWED, (b"hbin",)),
    Target(
        "carved-torrent",
        _walk("torrent"),
        lambda: [samples.bencode(samples.torrent())],
        (_ROOM + "torrent",),
        _ALLOWED,
        (b"d", b"l", b"e", b"i1e", b"4:info", b"99999999:", b"6:pieces"),
    ),
    Target("carved-known-met", _walk("known-met"), lambda: [samples.known("a.jpg", "b.avi")], (_ROOM + "known_met",), _ALLOWED),
    Target("carved-part-met", _walk("part-met"), lambda: [samples.part()], (_ROOM + "known_met",), _ALLOWED),
    Target(
        "carved-thumbcache",
        _walk("thumbcache"),
        lambda: [samples.thumbcache(v, 3)[:6000] for v in (20, 32)],
        (_ROOM + "thumbcache",),
        _ALLOWED,
        (b"CMMM",),
    ),
    Target("carved-prefetch", _walk("prefetch"), lambda: [samples.prefetch(), samples.packed_prefetch()], (_ROOM + "pf",), _ALLOWED),
    Target("carved-ese", _walk("ese"), lambda: [samples.ese(6, page=2048, used=5)], (_ROOM + "ese",), _ALLOWED),
    Target(
        "carved-recycle", _walk("recycle-bin"), lambda: [samples.recycled(), samples.recycled(version=1)], (_ROOM + "recycle",), _ALLOWED
    ),
    Target("xpress", _xpress, lambda: [b"\x2c\1" + samples.xpress(samples.NOISE[:300])], ("triage.carving.xpress",), _ALLOWED),
    Target(
        "carved-containers",
        _container,
        lambda: [samples.database(fill=_blobs), samples.thumbcache(pictures=2)[:4000]],
        ("triage.carving.containers", "triage.carving.sqlitefree", *_PAGES),
        _ALLOWED,
    ),
]
