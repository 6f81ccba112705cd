"""Targets of what the operator brings and what workers answer: hash lists, profiles, conditions, frames, records, and the escaping door."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import sqlite3
import struct
import tempfile
from functools import cache
from pathlib import Path

from targets import Target, scratch

from triage import escape
from triage.case import audit
from triage.case.where import compile_where
from triage.engine import frames
from triage.errors import HashsetError, ProfileError, UsageError
from triage.hashsets.detect import FORMATS, detect, reader
from triage.hashsets.intake import compile_list
from triage.hashsets.jsonstream import JsonDamage, JsonStream, TooLarge
from triage.hashsets.records import Blob
from triage.hashsets.source import Source
from triage.hashsets.store import Hashset
from triage.model import Content, Entry, Finding, Kind, Locator, Meaning, Problem, Run, Volume
from triage.plugin import Accepts
from triage.priority.globs import Globs, check_glob
from triage.priority.profile import builtin_profiles, load_profile
from triage.priority.units import parse_duration, parse_size

IMAGES = Path(__file__).resolve().parents[1] / "images"
MD5, SHA1, SHA256 = "0123456789abcdef" * 2, "0123456789abcdef" * 2 + "01234567", "0123456789abcdef" * 4

BLOOM = struct.pack("<QQdQQQ", 1, 50, 0.01, 7, 480, 3) + bytes(range(60)) + bytes(4)
SQL = (
    f"INSERT INTO FILE(sha256,sha1,md5,file_name) VALUES('{SHA256}','{SHA1}','{MD5}','a),('';b');\n"
    f"DELETE FROM FILE WHERE md5='{MD5}';\nINSERT INTO METADATA VALUES(1,'{MD5}',NULL),(2,'{SHA1}',5);\n"
).encode()
ENCASE = b"HASH\r\n\xff\0" + struct.pack("<III", 2, 1, 3) + bytes(0x480 - 20) + bytes(range(54))
LISTS: dict[str, list[bytes]] = {
    "encase": [ENCASE],
    "hashlookup": [BLOOM],
    "hfind": [("0" * 41 + "|md5sum\n" + "0" * 40 + f"1|x\n{MD5}|{5:016d}\n{MD5}|{9:016d}\n").encode()],
    "jsonl": [json.dumps({"md5": MD5, "pdq": SHA256, "blocks": [[1, MD5]], "frames": [SHA256], "facts": {"series": "x"}}).encode()],
    "misp": [f"uuid,event_id,category,type,value,comment,to_ids\nu,1,c,filename|md5,a|{MD5},,1\n".encode()],
    "nsrl-sql": [SQL],
    "nsrl-sql-deleted": [SQL],
    "plain": [f"{MD5}\n{SHA1}\n# comment\nmd5:{MD5}\n{SHA256} category\n".encode()],
    "csv": [(IMAGES / "known-hashes.csv").read_bytes()[:600], f'md5;sha1;category\n{MD5};{SHA1};"a;b"\n'.encode()],
    "sums": [f"{MD5}  file name\n\\{SHA1} *a\\nb\nMD5 (x) = {MD5}\n".encode()],
    "hashdeep": [f"%%%% HASHDEEP-1.0\n%%%% size,md5,sha256,filename\n## x\n5,{MD5},{SHA256},a,b\n".encode()],
    "vics": [(IMAGES / "vics.json").read_bytes()[:3000], json.dumps({"value": [{"Media": [{"MD5": MD5, "Category": 1}]}]}).encode()],
}


@cache
def _rds() -> bytes:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "rds.db"
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA page_size=512")
        connection.execute("CREATE TABLE FILE (sha256 TEXT, sha1 TEXT, md5 TEXT, file_name TEXT, package_id INTEGER)")
        connection.execute("INSERT INTO FILE VALUES (?, ?, ?, 'a', 1)", (SHA256, SHA1, MD5))
        connection.close()
        return path.read_bytes()


@cache
def _kdb() -> bytes:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "x.kdb"
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA page_size=512")
        connection.execute("CREATE TABLE db_properties (name TEXT, value TEXT)")
        connection.execute("CREATE TABLE hashes (id INTEGER PRIMARY KEY, md5 BINARY(16), sha1 BINARY(20), sha2_256 BINARY(32))")
        connection.execute("INSERT INTO hashes VALUES (1, ?, ?, NULL)", (bytes(range(16)), bytes(range(20))))
        connection.close()
        return path.read_bytes()


def _list(name: str):
    def run(data: bytes) -> None:
        for number, event in enumerate(reader(name)(Source(scratch("list", data)))):
            if isinstance(event, Blob):
                for _ in event.parts:
                    pass
            if number > 100_000:
                break

    return run


def _detect(data: bytes) -> None:
    source = Source(scratch("list", data))
    for _ in reader(detect(source))(source):
        pass


@cache
def _stored() -> bytes:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "list.txt"
        path.write_bytes(LISTS["plain"][0] + b"".join(b"%032x\n" % n for n in range(50)))
        out = Path(name) / "set.hset"
        compile_list(path, out, "set", Meaning.NOTABLE)
        return out.read_bytes()


def _store(data: bytes) -> None:
    """With the header's digest put right every other time: what it guards is to be met as well."""
    raw = bytearray(data)
    if len(raw) > 64 and raw[-1] & 1:
        offset, length = struct.unpack_from("<QQ", raw, 24)
        raw[40:56] = hashlib.sha256(raw[offset : offset + length]).digest()[:16]
    with Hashset(scratch("fuzz.hset", bytes(raw))) as store:
        for record in store.known_records()[:3]:
            store.about(record)
        for algorithm, length in (("md5", 16), ("sha1", 20), ("sha256", 32)):
            for number in store.lookup(algorithm, bytes(length) + data[:length].ljust(length, b"\0")):
                if number >= -1:
                    with contextlib.suppress(HashsetError):
                        store.category(int(number)) if number >= 0 else None
        store.check()


def _json_stream(data: bytes) -> None:
    stream = JsonStream(io.BytesIO(data), block=7 + len(data) % 50, max_value=4096)

    def walk(depth: int) -> None:
        mark = stream.peek()
        if mark == "{" and depth:
            for _ in stream.members():
                walk(depth - 1)
        elif mark == "[" and depth:
            for _ in stream.items():
                walk(depth - 1)
        else:
            try:
                stream.value()
            except TooLarge:
                stream.skip()

    walk(3)


def _profile(data: bytes) -> None:
    load_profile(scratch("fuzz.yaml", data))


def _profiles() -> list[bytes]:
    import importlib.resources

    folder = importlib.resources.files("triage.profiles")
    return [folder.joinpath(f"{name}.yaml").read_bytes() for name in builtin_profiles()]


def _where(data: bytes) -> None:
    sql, parameters = compile_where(data[:12_000].decode("utf-8", "surrogateescape"))
    assert sql.count("?") >= len(parameters)


def _globs(data: bytes) -> None:
    pattern, _, path = data.decode("utf-8", "replace").partition("\n")
    with contextlib.suppress(ValueError):
        check_glob(pattern)
        Globs([pattern]).matches(path.lower())
    from types import SimpleNamespace

    Accepts(paths=(pattern,)).matches(SimpleNamespace(path=path, kind=Kind.FILE, size=1), None)


def _units(data: bytes) -> None:
    text = data[:4096].decode("utf-8", "replace")
    for parse in (parse_size, parse_duration):
        with contextlib.suppress(ValueError):
            assert parse(text) >= 0


def _frames(data: bytes) -> None:
    stream = io.BytesIO(data)
    while (found := frames.read_frame(stream)) is not None:
        kind, payload = found
        if kind == frames.JSON:
            frames.parse_json(payload)


def _frame_seeds() -> list[bytes]:
    out = io.BytesIO()
    for value in ({"results": [[1, "a", None]], "done": True}, {"rows": [], "n": 2**53}):
        frames.write_json(out, value)
    frames.write_frame(out, b"bytes")
    return [out.getvalue()]


ENTRY = Entry(
    id="e",
    evidence="v",
    volume=1,
    path="vol1/a",
    name="a",
    name_raw=b"\xff",
    kind=Kind.FILE,
    runs=(Run(image_offset=5, length=6),),
    locator=Locator(evidence="v", meta_addr=5),
)


def _records(data: bytes) -> None:
    """A worker's rows: JSON values that may be anything."""
    value = json.loads(data)
    for build in (
        Entry.unpack,
        Entry.from_json,
        Locator.from_json,
        Volume.from_json,
        Content.from_json,
        Finding.from_json,
        Problem.from_json,
    ):
        with contextlib.suppress(ValueError, TypeError):
            record = build(value)
            json.dumps(record.to_json())
            place = record if isinstance(record, Locator) else getattr(record, "locator", None)
            if place is not None:
                numbers = (place.volume_offset, place.meta_addr, place.meta_seq, place.attr_type, place.attr_id)
                assert all(number is None or type(number) is int for number in numbers)
                assert place.key


def _record_seeds() -> list[bytes]:
    problem = Problem(severity="warning", stage="x", message="m")  # type: ignore[arg-type]
    finding = Finding(entry="e", plugin="p", kind="k", title="t", ranges=((1, 2),))
    return [json.dumps(value).encode() for value in (ENTRY.pack(), ENTRY.to_json(), finding.to_json(), problem.to_json())]


def _audit(data: bytes) -> None:
    count, faults = audit.verify(scratch("audit.jsonl", data), "ab")
    assert count >= 0
    assert all(isinstance(fault, str) for fault in faults)


def _audit_seeds() -> list[bytes]:
    with tempfile.TemporaryDirectory() as name:
        log = audit.AuditLog(Path(name) / "audit.jsonl")
        for number in range(3):
            log.record("event", {"number": number})
        log.close()
        return [(Path(name) / "audit.jsonl").read_bytes()]


UNSEEN = {*map(chr, range(32)), "\x7f", "\x1b", "\u202e", "\u200b", "\ufeff"}


def _escape(data: bytes) -> None:
    shown, _ = escape.show_name(data[:4096])
    text = data[:4096].decode("utf-8", "surrogateescape")
    for said in (shown, escape.show(text), escape.markup(text), escape.cell(text)):
        assert not UNSEEN & set(said), said
        said.encode("utf-8")
    assert "/" not in shown
    assert not set("<>\"'") & set(escape.markup(text))
    assert not escape.cell(text).startswith(("=", "+", "-", "@", "\t"))


_HASHSET = (HashsetError, UsageError)
MODULES = {"csv": "delimited", "nsrl-sql": "nsrlsql", "nsrl-sql-deleted": "nsrlsql"}
TARGETS = [
    *(
        Target(
            f"list-{name}",
            _list(name),
            lambda name=name: LISTS.get(name) or [_kdb() if name == "kdb" else _rds()],
            (
                f"triage.hashsets.formats.{MODULES.get(name, name)}",
                "triage.hashsets.source",
                "triage.hashsets.records",
                "triage.hashsets.packing",
                "triage.hashsets.formats.fields",
                "triage.hashsets.formats.sqlitefile",
            ),
            _HASHSET,
            (b",", b";", b"\t", b'"', b"md5", b"sha1", b"%%%% ", b"\r\n", b"\xff\xfe", MD5.encode(), b'"Media":[', b"CREATE TABLE"),
        )
        for name in FORMATS
    ),
    Target("lists", _detect, lambda: [one for found in LISTS.values() for one in found], ("triage.hashsets.detect",), _HASHSET),
    Target(
        "hash-store", _store, lambda: [_stored()], ("triage.hashsets.store", "triage.hashsets.library", "triage.hashsets.facts"), _HASHSET
    ),
    Target(
        "json-stream",
        _json_stream,
        lambda: [LISTS["vics"][0], b'[1, {"a": [true, null, "x"]}, 5e9]'],
        ("triage.hashsets.jsonstream",),
        (JsonDamage,),
    ),
    Target(
        "profiles",
        _profile,
        _profiles,
        (
            "triage.priority.profile",
            "triage.priority.yamlfile",
            "triage.priority.forms",
            "triage.priority.records",
            "triage.priority.selection",
        ),
        (ProfileError,),
        (b"&a", b"*a", b"<<: ", b"!!python/object:os.system", b"- ", b"|", b"{", b"%TAG", b"\xef\xbb\xbf", b"\\ud800", b"1e99", b"\t"),
    ),
    Target(
        "conditions",
        _where,
        lambda: [b"state=deleted and mime=image/* and not (size<4096 or known=ignorable)", b"mtime>2024-05-01T12:00:00 or path~'a b'"],
        ("triage.case.where",),
        (UsageError,),
        (b"(", b")", b" and ", b" or ", b"not ", b"size<", b"mtime>", b"md5=", b"'", b'"', b"10MiB"),
    ),
    Target(
        "globs",
        _globs,
        lambda: [b"*/Users/*/x?[a-c]*\nvol1/Users/anna/xya.jpg", b"**a**b\naaaa/b", b"[!a]*\nb"],
        ("triage.priority.globs", "triage.plugin"),
        tokens=(b"*", b"**", b"?", b"[", b"[!", b"]", b"/"),
    ),
    Target("units", _units, lambda: [b"64 MiB", b"1h30m", b"500ms", b"12.5 GB"], ("triage.priority.units",)),
    Target("frames", _frames, _frame_seeds, ("triage.engine.frames",), (frames.FrameError,)),
    Target(
        "records",
        _records,
        _record_seeds,
        ("triage.model",),
        (ValueError, RecursionError),
        (b"null", b"true", b"-1", b"[]", b"{}", b'"x"', b"1e999"),
    ),
    Target("audit", _audit, _audit_seeds, ("triage.case.audit",)),
    Target(
        "escape",
        _escape,
        lambda: ["=cmd|'/C calc'!A0 \u202e\x1b[2J <script>".encode(), b"a\xffb/c", b"\xed\xa0\x80", b";=1"],
        ("triage.escape",),
    ),
]
