"""Files that systems and their programs leave, built from nothing, and what the tests of their walks share."""

from __future__ import annotations

import importlib
import random
import sqlite3
import struct
import tempfile
import zlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from triage.carving.forms import Structure
from triage.carving.window import Window, WindowSpentError, window_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.carving.forms import Format, Walked

ALLOWED = (ValueError, LookupError, ArithmeticError, struct.error, zlib.error)
NOISE = random.Random(11).randbytes(1 << 20)
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + NOISE[: 1 << 18]
MODULES = ("sqlite", "sqlite_wal", "plist", "lnk", "evtx", "evt", "registry", "torrent", "known_met", "thumbcache", "pf", "ese", "recycle")


@cache
def formats() -> dict[str, Format]:
    return {f.name: f for name in MODULES for f in importlib.import_module(f"triage.carving.formats.{name}").FORMATS}


def walk(name: str, data: bytes, allowance: int = 1 << 40) -> Walked | None:
    """Walk bytes that begin with a header of the format, as the carver does."""
    found = formats()[name]
    assert any(h.matches(data) for h in found.headers), "it has no header of the format"
    return found.walk(window_of(data[: found.largest], allowance=allowance))


def surroundings(data: bytes, zeros: int = 1 << 20) -> Iterator[bytes]:
    """Yield the file at the beginning of free space: zeros, noise, another file, or nothing behind its last sector."""
    padded = data + bytes(-len(data) % 512)
    yield data
    yield padded + bytes(zeros)
    yield padded + NOISE
    yield padded + JPEG


def assert_whole(name: str, data: bytes, *, checked: bool = True, zeros: int = 1 << 20) -> Walked:
    """The walk ends where the file does, whatever is behind it."""
    found = None
    for space in surroundings(data, zeros):
        found = walk(name, space)
        assert found is not None
        assert (found.length, found.structure) == (len(data), Structure.COMPLETE), found.why
        assert found.checked or not checked
    assert found is not None
    return found


def survives(name: str, data: bytes, allowance: int = 64 << 20) -> Walked | None:
    """Walk bytes that may be anything: an answer that fits into them, or a refusal."""
    window = window_of(data, allowance=allowance)
    try:
        found = formats()[name].walk(window)
    except (*ALLOWED, WindowSpentError):
        return None
    if found is not None:
        assert 0 < found.length <= len(data)
        assert found.valid is None or 0 <= found.valid <= found.length
        assert found.why
        assert all(0 <= p.offset < p.offset + p.length <= max(found.length, len(data)) for p in found.parts)
        assert all(type(v) in (str, int) for v in found.facts.values())
    return found


def rejoined(name: str, space: bytes, block: int = 4096) -> Walked | None:
    """What is made of a file that lies at the beginning of the space and breaks off."""
    form = formats()[name]
    window = window_of(space, block=block)
    walked = form.walk(window)
    assert walked is not None
    assert walked.structure is not Structure.COMPLETE
    assert form.rejoin is not None
    return form.rejoin(window, walked)


def assert_joined(name: str, data: bytes, cut: int, between: bytes) -> None:
    """A file in two pieces with something between them is put together, to the byte."""
    space = data[:cut] + between + data[cut:] + bytes(-len(data) % 4096) + NOISE
    found = rejoined(name, space)
    assert found is not None
    assert (found.structure, found.checked, found.length) == (Structure.FRAGMENTED, True, len(data))
    assert b"".join(space[at : at + length] for at, length in found.pieces) == data


def mutants(data: bytes, count: int = 120, seed: int = 5) -> Iterator[bytes]:
    """Yield the file with bytes changed, cut, put in, doubled or zeroed."""
    chance = random.Random(seed)
    for _ in range(count):
        raw = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(raw)) if chance.random() < 0.6 else chance.randrange(min(len(raw), 256))
            match chance.randrange(5):
                case 0:
                    raw[at] = chance.randrange(256)
                case 1:
                    del raw[at : at + chance.randint(1, 700)]
                case 2:
                    raw[at:at] = chance.randbytes(chance.randint(1, 700))
                case 3:
                    raw[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\x80"))
                case 4:
                    raw[at : at + 512] = bytes(512)
            raw = raw or bytearray(b"\0")
        yield bytes(raw)


def reads_little(name: str, data: bytes, most: int) -> None:
    """A walk of what is none gives up before it has read so much."""
    spent = 0

    def read(offset: int, length: int) -> bytes:
        nonlocal spent
        spent += length
        return data[offset : offset + length]

    found = formats()[name].walk(Window(read, len(data)))
    assert found is None
    assert spent <= most, spent


# -- SQLite -----------------------------------------------------------------------------------------------------------------------


def database(*statements: str, page_size: int = 1024, fill: Callable[[sqlite3.Connection], None] | None = None, vacuum: int = 0) -> bytes:
    """Return a database's bytes."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute(f"PRAGMA page_size={page_size}")
    connection.execute(f"PRAGMA auto_vacuum={vacuum}")
    connection.execute("PRAGMA secure_delete=OFF")
    for statement in statements or ("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, content BLOB)", "CREATE INDEX i ON t (name)"):
        connection.execute(statement)
    if fill is not None:
        fill(connection)
    data = connection.serialize()
    connection.close()
    return data


def rows(count: int = 300, size: int = 90) -> Callable[[sqlite3.Connection], None]:
    """Return what fills the table of :func:`database`."""

    def fill(connection: sqlite3.Connection) -> None:
        for number in range(count):
            value = NOISE[number : number + size + number % 7]
            connection.execute("INSERT INTO t VALUES (?, ?, ?)", (number + 1, f"name {number}", value))

    return fill


def logs(page_size: int = 1024, again: bool = False) -> tuple[bytes, bytes]:
    """Return a database and its write-ahead log; ``again``: the log was begun again from its start twice."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        connection = sqlite3.connect(path, isolation_level=None)
        for statement in (f"PRAGMA page_size={page_size}", "PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0", "CREATE TABLE t (a)"):
            connection.execute(statement).close()
        for part in (60, 20, 6) if again else (30,):
            if part < 60 and again:
                connection.execute("PRAGMA wal_checkpoint(RESTART)").close()
            for number in range(part):
                connection.execute("INSERT INTO t VALUES (?)", (NOISE[number : number + 300],)).close()
        found = path.read_bytes(), path.with_name("a.db-wal").read_bytes()
        connection.close()
    return found


def journal() -> bytes:
    """Return a hot rollback journal."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA page_size=1024").close()
        connection.execute("CREATE TABLE t (a)").close()
        for number in range(60):
            connection.execute("INSERT INTO t VALUES (?)", (NOISE[number : number + 300],)).close()
        connection.execute("PRAGMA cache_size=1").close()
        connection.execute("PRAGMA cache_spill=1").close()
        connection.execute("BEGIN").close()
        connection.execute("UPDATE t SET a = a || 'x'").close()
        data = path.with_name("a.db-journal").read_bytes()
        connection.execute("ROLLBACK").close()
        connection.close()
    return data


# -- Windows ----------------------------------------------------------------------------------------------------------------------


def link(*, target: bytes = b"C:\\Users\\x\\secret.jpg", blocks: int = 1, name: str = "a picture") -> bytes:
    """Return a shortcut ([MS-SHLLINK])."""
    flags = 1 | 2 | 4 | 0x80
    head = b"\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46" + struct.pack("<II", flags, 0x20) + bytes(24 + 4 + 4 + 4 + 2 + 10)
    items = b"".join(struct.pack("<H", len(i) + 2) + i for i in (b"\x1fP" + NOISE[:16], b"/C:\\" + bytes(19))) + b"\0\0"
    ids = struct.pack("<H", len(items)) + items
    body = target + b"\0" + b"\0"
    info = struct.pack("<7I", 28 + len(body), 28, 1, 0, 28, 0, 28 + len(target) + 1) + body
    text = struct.pack("<H", len(name)) + name.encode("utf-16-le")
    extra = b"".join(struct.pack("<II", 0x60, 0xA0000003) + struct.pack("<II", 0x58, 0) + NOISE[:0x50] for _ in range(blocks))
    return head + ids + info + text + extra + bytes(4)


def evtx_chunk(number: int, records: int = 3) -> bytes:
    """Return a chunk of an event log, its records noise."""
    body = NOISE[number : number + 700 * records]
    free = 512 + len(body)
    first = number * records + 1
    head = struct.pack(
        "<8sQQQQIIII", b"ElfChnk\0", first, first + records - 1, first, first + records - 1, 128, 512, free, zlib.crc32(body)
    )
    head = head.ljust(120, b"\0")
    table = bytes(384)
    return (head + bytes(4) + struct.pack("<I", zlib.crc32(table, zlib.crc32(head))) + table + body).ljust(65536, b"\0")


def evtx(chunks: int = 3, *, allocated: int = 0, count: int | None = None, flags: int = 0) -> bytes:
    """Return an event log with so many chunks, and room for ``allocated`` in all."""
    count = chunks if count is None else count
    head = struct.pack("<8sQQQIHHHH", b"ElfFile\0", 0, chunks - 1, 3 * chunks + 1, 128, 1, 3, 4096, count).ljust(120, b"\0")
    head += struct.pack("<II", flags, zlib.crc32(head))
    data = head.ljust(4096, b"\0") + b"".join(evtx_chunk(n) for n in range(chunks))
    return data.ljust(4096 + 65536 * max(chunks, allocated), b"\0")


def evt(records: int = 40, size: int = 0x10000) -> bytes:
    """Return an old event log whose records have not gone round yet."""
    out = bytearray(48)
    for number in range(records):
        body = NOISE[number : number + 52 + 4 * (number % 9)]
        length = 12 + len(body) + 4
        out += struct.pack("<I4sI", length, b"LfLe", number + 1) + body + struct.pack("<I", length)
    end = len(out)
    out += struct.pack("<10I", 0x28, 0x11111111, 0x22222222, 0x33333333, 0x44444444, 48, end, records + 1, 1, 0x28)
    out[:48] = struct.pack("<I4s10I", 48, b"LfLe", 1, 1, 48, end, records + 1, 1, size, 0, 0, 48)
    return bytes(out).ljust(size, b"\0")


def hive(bins: int = 5, *, minor: int = 3, saved: bool = False, size: int = 0) -> bytes:
    """Return a registry hive; saved ones end with their bins."""
    data = bytearray()
    for _ in range(bins):
        cells = struct.pack("<i", -2016) + NOISE[:2012] + struct.pack("<i", 2048) + NOISE[:2044]
        data += struct.pack("<4sIIQQI", b"hbin", len(data), 4096, 0, 0, 0) + cells
    sequence = 1 if saved else 7
    head = struct.pack("<4sIIQIIIIII", b"regf", sequence, sequence, 0, 1, minor, 0, 1, 32, len(data)) + struct.pack("<I", 1)
    head += "\\SystemRoot\\x".encode("utf-16-le")
    head = head.ljust(508, b"\0")
    checksum = 0
    for (word,) in struct.iter_unpack("<I", head):
        checksum ^= word
    return ((head + struct.pack("<I", checksum)).ljust(4096, b"\0") + data).ljust(size, b"\0")


def thumbcache(version: int = 32, pictures: int = 4, *, size: int = 1 << 20, closed: bool = True) -> bytes:
    """Return a thumbnail cache; ``closed``: what is free is an entry, as newer versions have it."""
    length = {20: 56, 21: 48}.get(version, 56)
    out = bytearray(struct.pack("<4sIIIII", b"CMMM", version, 4, 24, 0, pictures))
    for number in range(pictures):
        name = f"{number:016x}".encode("utf-16-le")
        data = JPEG[: 900 + number] if number % 2 else b"\x89PNG\r\n\x1a\n" + NOISE[:700]
        entry = b"CMMM" + struct.pack("<I", length + len(name) + len(data)) + NOISE[:8]
        entry += (bytes(8) if version == 20 else b"") + struct.pack("<III", len(name), 0, len(data))
        out += entry.ljust(length, b"\0") + name + data
    if closed:
        out += b"CMMM" + struct.pack("<I", size - len(out))
    return bytes(out).ljust(size, b"\0")


def prefetch(version: int = 23, names: int = 20) -> bytes:
    """Return a plain Prefetch file, its parts where its header says."""
    text = b"".join(f"\\DEVICE\\HARDDISKVOLUME1\\FILE{n}.DLL\0".encode("utf-16-le") for n in range(names))
    device = "\\DEVICE\\HARDDISKVOLUME1\0".encode("utf-16-le")
    start = 240 + 32 * names
    volume = struct.pack("<II", 104, len(device) // 2 - 1).ljust(104, b"\0") + device
    volumes = start + len(text)
    size = volumes + len(volume)
    head = struct.pack("<I4sII", version, b"SCCA", 17, size) + "CALC.EXE".encode("utf-16-le").ljust(60, b"\0") + bytes(8)
    head += struct.pack("<9I", 240, names, 240, 0, start, len(text), volumes, 1, len(volume))
    return head.ljust(240, b"\0") + bytes(32 * names) + text + volume


def xpress(data: bytes) -> bytes:
    """Return data in Xpress-Huffman blocks of literals alone: every code is nine bits long, and is its symbol."""
    out = b""
    for start in range(0, len(data), 65536):
        block = data[start : start + 65536]
        symbols = [*block, 256] if start + 65536 >= len(data) else [*block]
        bits = "".join(f"{s:09b}" for s in symbols)
        words = [int(bits[n : n + 16].ljust(16, "0"), 2) for n in range(0, len(bits), 16)]
        words.append(0)
        out += b"\x99" * 256 + struct.pack(f"<{len(words)}H", *words)
    return out


def packed_prefetch() -> bytes:
    """Return a Prefetch file as Windows 10 has it."""
    plain = prefetch(30)
    return b"MAM\x04" + struct.pack("<I", len(plain)) + xpress(plain)


def _xor(data: bytes, value: int) -> int:
    for (word,) in struct.iter_unpack("<I", data):
        value ^= word
    return value


def ese(pages: int = 20, *, page: int = 4096, used: int = 12) -> bytes:
    """Return an ESE database of so many pages; those above ``used`` are zeros."""
    head = bytearray(NOISE[:page])
    struct.pack_into("<III", head, 4, 0x89ABCDEF, 0x620, 0)
    struct.pack_into("<I", head, 52, 3)
    struct.pack_into("<II", head, 232, 20, page)
    struct.pack_into("<I", head, 0, _xor(bytes(head[4:]), 0x89ABCDEF))
    out = [bytes(head), bytes(head)]
    for number in range(1, pages + 1):
        raw = bytearray(page)
        if number <= used:
            raw[40:] = NOISE[number : number + page - 40]
            if number == 2:  # the tree of what the database owns: one node, its key the last page
                struct.pack_into("<HI", raw, 34, 2, 0xA823)
                raw[40 + 16 : 40 + 26] = struct.pack("<H", 4) + struct.pack(">I", pages) + struct.pack("<I", pages)
                struct.pack_into("<HHHH", raw, page - 8, 10, 16, 16, 0)
            struct.pack_into("<I", raw, 0, _xor(bytes(raw[8:]), number))
        out.append(bytes(raw))
    return b"".join(out)


def recycled(path: str = "C:\\Users\\x\\Desktop\\holiday.jpg", *, version: int = 2, size: int = 12345) -> bytes:
    """Return a $I file."""
    head = struct.pack("<QQQ", version, size, 132_000_000_000_000_000)
    if version == 1:
        return head + path.encode("utf-16-le").ljust(520, b"\0")
    return head + struct.pack("<I", len(path) + 1) + path.encode("utf-16-le") + b"\0\0"


# -- file sharing -----------------------------------------------------------------------------------------------------------------


def bencode(value: object) -> bytes:
    """Return a value bencoded (BEP 3)."""
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(bencode(v) for v in value) + b"e"
    assert isinstance(value, dict)
    return b"d" + b"".join(bencode(k) + bencode(v) for k, v in sorted(value.items())) + b"e"


def torrent(files: int = 3, pieces: int = 40) -> dict[str, object]:
    """Return what a torrent of several files says."""
    info = {
        "files": [{"length": 1000 + n, "path": ["folder", f"{n}.jpg"]} for n in range(files)],
        "name": "holiday",
        "piece length": 262144,
        "pieces": NOISE[: 20 * pieces],
    }
    return {"announce": "http://tracker.example/announce", "comment": "all of it", "creation date": 1_600_000_000, "info": info}


def known_record(name: str, *, size: int = 3_000_000, parts: int = 0) -> bytes:
    """Return a record of a known.met: tags with short and with long names, and of several types."""
    tags = [
        b"\x82\x01" + struct.pack("<H", len(name.encode())) + name.encode(),
        b"\x03\x01\x00\x02" + struct.pack("<I", size),
        b"\x83\x50" + struct.pack("<I", 4711),
        b"\x13\x01\x00\x03abc",
        b"\x02\x02\x00\x09\x30" + struct.pack("<H", 2) + b"10",
        b"\x8b\x3a" + struct.pack("<Q", 0),
        b"\x89\x19\x02",
    ]
    return struct.pack("<I16sH", 1_600_000_000, NOISE[:16], parts) + NOISE[: 16 * parts] + struct.pack("<I", len(tags)) + b"".join(tags)


def known(*names: str) -> bytes:
    """Return a known.met."""
    return b"\x0e" + struct.pack("<I", len(names)) + b"".join(known_record(n) for n in names)


def part(name: str = "film.avi") -> bytes:
    """Return a part.met."""
    return b"\xe0" + known_record(name, size=30_000_000, parts=4)
