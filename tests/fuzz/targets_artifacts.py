"""Targets of artifacts/: the readers that plugins share."""

from __future__ import annotations

import bz2
import contextlib
import datetime
import gzip
import lzma
import plistlib
import sqlite3
import struct
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path

from targets import Target, reads

from triage.artifacts import encryption, exif, jsonfile, ole, plist, sqlite, sqlitelog, xmlfile
from triage.artifacts.archives import Limits, open_archive, walk
from triage.artifacts.patterns import PatternError, Patterns
from triage.artifacts.structure import Notes, StructureError

sys.path.append(str(Path(__file__).resolve().parents[1] / "artifacts"))
from archive_makers import quoted_bomb, tar_of, zip_of

LIMITS = Limits(total=16 << 20, member=8 << 20, nested=1 << 20)


def _archives(data: bytes) -> None:
    for kind in ("", "zip"):
        with contextlib.suppress(StructureError):
            archive = open_archive(reads(data), len(data), kind, limits=LIMITS)
            for number, member in enumerate(walk(archive)):
                if number % 3:
                    content = member.open()
                    total = sum(map(len, content))
                    assert total <= LIMITS.member
            assert archive.budget.expanded <= LIMITS.total
            assert archive.budget.members <= LIMITS.members


def _archive_seeds() -> list[bytes]:
    files = {"a.txt": b"hello" * 50, "b/c": bytes(range(256)) * 8, "e": b""}
    inner = zip_of({"in.zip": zip_of(files), "in.tgz": gzip.compress(tar_of(files), mtime=0), "in.tar": tar_of(files)})
    return [
        zip_of(files),
        zip_of(files, zipfile.ZIP_LZMA),
        zip_of(files, zipfile.ZIP_BZIP2),
        zip_of(files, zipfile.ZIP_STORED),
        inner,
        quoted_bomb(5, 1 << 20),
        tar_of({"n" * 150: b"long", **files}),
        tar_of({"n" * 150: b"long"}, 1),
        gzip.compress(tar_of(files), mtime=0),
        bz2.compress(b"x" * 999),
        lzma.compress(b"y" * 999),
    ]


@cache
def _database() -> tuple[bytes, bytes, bytes]:
    """A database, its write-ahead log, and a rollback journal of another one."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "x.db"
        connection = sqlite3.connect(path, isolation_level=None)
        for statement in (
            "PRAGMA page_size=512",
            "PRAGMA journal_mode=WAL",
            "PRAGMA wal_autocheckpoint=0",
            "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c BLOB)",
            "CREATE TABLE w (k PRIMARY KEY) WITHOUT ROWID",
            "CREATE VIEW v AS SELECT a FROM t",
            "CREATE INDEX i ON t (b)",
            "CREATE TRIGGER g AFTER INSERT ON w BEGIN DELETE FROM t; END",
            "INSERT INTO t WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 60) SELECT i, 'word' || i, zeroblob(i * 20) FROM n",
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "INSERT INTO t VALUES (1000, 'late', NULL)",
            "DELETE FROM t WHERE a = 5",
        ):
            connection.execute(statement)
        main, wal = path.read_bytes(), path.with_name("x.db-wal").read_bytes()
        connection.close()
    record = struct.pack(">I", 1) + main[:512] + struct.pack(">I", (7 + sum(main[312:0:-200])) & 0xFFFFFFFF)
    journal = struct.pack(">8sIIIII", bytes.fromhex("d9d505f920a163d7"), 1, 7, len(main) // 512, 512, 512).ljust(512, b"\0") + record
    return main, wal, journal


def _read_all(main: bytes, wal: bytes | None, journal: bytes | None) -> None:
    with sqlite.open_database(main, wal, journal) as database:
        for name in database.tables():
            for number, row in enumerate(database.rows(name)):
                assert row.source in database.sources
                if number > 5000:
                    break
        database.check()


def _sqlite(data: bytes) -> None:
    _read_all(data, None, None)


def _sqlite_log(data: bytes) -> None:
    main, _, _ = _database()
    for page_from in (main, b""):
        for apply in (sqlitelog.apply_wal, sqlitelog.apply_journal):
            changed = apply(page_from, data, 4 << 20, Notes())
            assert changed is None or len(changed) <= 4 << 20
    with contextlib.suppress(StructureError):
        _read_all(main, data, data)


def _property_list(data: bytes) -> None:
    plist.parse_plist(data)


def _plists() -> list[bytes]:
    value = {
        "a": [1, -5, 2.5, True, b"\0\1", "t\u00e4"],
        "b": {"c": [[[]]], "u": "x" * 40},
        "when": datetime.datetime(2024, 5, 1),  # noqa: DTZ001 - as plistlib has dates
    }
    archive = {"$top": plistlib.UID(1), "$objects": ["$null", {"k": plistlib.UID(300)}]}
    return [plistlib.dumps(value), plistlib.dumps(value, fmt=plistlib.FMT_BINARY), plistlib.dumps(archive, fmt=plistlib.FMT_BINARY)]


def _patterns(data: bytes) -> None:
    """The first line is the pattern, the rest is searched."""
    head, _, rest = data.partition(b"\n")
    text = head[:200].decode("utf-8", "replace")
    for regular in (False, True):
        with contextlib.suppress(PatternError):
            for hit in Patterns([text], regular=regular, ignore_case=bool(len(data) & 1)).search(rest):
                assert 0 <= hit.start < hit.end <= len(rest)


def _exif(data: bytes) -> None:
    for kind in exif.TYPES:
        exif.read_exif(reads(data), len(data), kind)


def _exifs() -> list[bytes]:
    from targets_content import _pictures

    tiff = b"II*\0\x08\0\0\0\x03\0\x0f\x01\x02\0\x06\0\0\0\x40\0\0\0\x69\x87\4\0\1\0\0\0\x10\0\0\0\x25\x88\4\0\1\0\0\0\x20\0\0\0" + bytes(
        80
    )
    return [
        *_pictures()[:7],
        tiff,
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + struct.pack(">I4s", 60, b"meta") + bytes(60),
        b"FUJIFILMCCD-RAW " + bytes(100),
    ]


def _encryption(data: bytes) -> None:
    for kind in encryption.TYPES:
        encryption.encryption_of(reads(data), len(data), kind)
    ole.directory(reads(data))


def _encrypted() -> list[bytes]:
    from targets_content import _documents

    return _documents()


LAUGHS = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
TARGETS = [
    Target(
        "archives",
        _archives,
        _archive_seeds,
        (
            "triage.artifacts.archives",
            "triage.artifacts.zips",
            "triage.artifacts.tars",
            "triage.artifacts.expansion",
            "triage.evidence.decoders",
            "triage.artifacts.members",
        ),
        tokens=(
            b"PK\3\4",
            b"PK\1\2",
            b"PK\5\6",
            b"PK\6\6",
            b"PK\6\7",
            b"ustar\0",
            b"ustar  \0",
            b"99 path=x\n",
            b"0 size=9\n",
            b"GNU.sparse",
            b"\x1f\x8b\x08",
        ),
    ),
    Target(
        "sqlite",
        _sqlite,
        lambda: [_database()[0]],
        ("triage.artifacts.sqlite",),
        (StructureError,),
        (b"CREATE TABLE", b"CREATE VIEW", b"\x0d\0\0", b"\x05\0\0", b"\x81\x80\x80\x80\x80\x80\x80\x80\x80"),
    ),
    Target("sqlite-logs", _sqlite_log, lambda: list(_database()[1:]), ("triage.artifacts.sqlitelog",)),
    Target(
        "plists",
        _property_list,
        _plists,
        ("triage.artifacts.plist",),
        (StructureError,),
        (b"<array>", b"<dict>", b"<key>k</key>", b"</array>", b"\xa1\0", b"\xd1\0\1", b"\x5f\x11", b"\x80\1"),
    ),
    Target(
        "xml",
        xmlfile.parse_xml,
        lambda: [LAUGHS, b"<a b='c'>d<e/>f</a>", "<a>b</a>".encode("utf-16"), _plists()[0]],
        ("triage.artifacts.xmlfile",),
        (StructureError,),
        (b"<!DOCTYPE a [", b"<!ENTITY", b"<![CDATA[", b"]]>", b"encoding='latin-1'", b"&#x0;", b"<?", b"-->"),
    ),
    Target(
        "json",
        jsonfile.parse_json,
        lambda: [b'{"a": [1, 2.5e9, "\\u00e4", null, true], "b": {}}', b"[[[1]]]", '{"x": "y"}'.encode("utf-16")],
        ("triage.artifacts.jsonfile",),
        (StructureError,),
        (b"[", b'{"k":', b"NaN", b"\\ud800", b"9" * 30, b"1e400", b'"', b"\\"),
    ),
    Target(
        "patterns",
        _patterns,
        lambda: [b"(a+)+$\n" + b"a" * 300, b"[a-z]{3,9}@\nme@example", b"word\nsome words here"],
        ("triage.artifacts.patterns",),
        tokens=(b"(?:", b"){9}", b".*", b"+", b"|", b"\\b", b"[^", b"(?i)", b"\\pL"),
    ),
    Target(
        "exif",
        _exif,
        _exifs,
        ("triage.artifacts.exif",),
        tokens=(b"Exif\0\0", b"II*\0", b"MM\0*", b"iloc", b"iinf", b"infe", b"eXIf", b"EXIF"),
    ),
    Target("encryption", _encryption, _encrypted, ("triage.artifacts.encryption", "triage.artifacts.ole")),
]
