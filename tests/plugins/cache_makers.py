"""Caches of browsers as the tests make them: bytes of a form that the programs write."""

from __future__ import annotations

import gzip
import struct
import zlib

from triage.artifacts.blockfile import key_hash

BLOCKS = {36: 1, 256: 2, 1024: 3, 4096: 4}
CHROME_TIME = 13_350_000_000_000_000  # 2024-01-17T21:20:00Z


def chromium_head(headers: dict[str, str], status: str = "HTTP/1.1 200 OK") -> bytes:
    """Return a pickled answer's head."""
    lines = b"\0".join([status.encode(), *(f"{k}: {v}".encode() for k, v in headers.items())]) + b"\0\0"
    body = struct.pack("<IqqI", 3, CHROME_TIME, CHROME_TIME + 10**6, len(lines)) + lines
    return struct.pack("<I", len(body)) + body


def blockfile(entries: list[tuple[str, dict[str, str], bytes]], *, unlinked: frozenset[int] = frozenset()) -> dict[str, bytes]:
    """Return the files of a block cache; ``unlinked``: entries that the index does not lead to. Bodies over 16 KiB get a file."""
    files: dict[str, bytes] = {}
    blocks: dict[int, bytearray] = {256: bytearray(), 1024: bytearray(), 4096: bytearray()}
    names = {256: 1, 1024: 2, 4096: 3}

    def put(data: bytes) -> int:
        if not data:
            return 0
        if len(data) > 4 * 4096:
            number = len([n for n in files if n.startswith("f_")]) + 1
            files[f"f_{number:06x}"] = data
            return 0x80000000 | number
        size = next(s for s in (256, 1024, 4096) if len(data) <= 4 * s)
        count = -(-len(data) // size)
        at = len(blocks[size]) // size
        blocks[size] += data.ljust(count * size, b"\0")
        return 0x80000000 | BLOCKS[size] << 28 | (count - 1) << 24 | names[size] << 16 | at

    table = []
    for number, (url, headers, body) in enumerate(entries):
        head, key = chromium_head(headers), url.encode()
        sizes = [len(head), len(body), 0, 0]
        addresses = [put(head), put(body), 0, 0]
        long_key = put(key) if len(key) > 160 else 0
        record = struct.pack("<IIIiiiQiI4i4II", key_hash(key), 0, 0, 0, 0, 0, CHROME_TIME, len(key), long_key, *sizes, *addresses, 0)
        record = record.ljust(96, b"\0") + (b"" if long_key else key)
        address = put(record.ljust(256, b"\0"))
        if number not in unlinked:
            table.append(address)
    for size, data in blocks.items():
        header = struct.pack("<IIhhi", 0xC104CAC3, 0x20000, names[size], 0, size).ljust(8192, b"\0")
        files[f"data_{names[size]}"] = header + bytes(data)
    index = struct.pack("<IIii", 0xC103CAC3, 0x20001, len(table), 0).ljust(368, b"\0")
    files["index"] = index + b"".join(struct.pack("<I", a) for a in table).ljust(0x10000 * 4, b"\0")
    return files


def simple(url: str, headers: dict[str, str], body: bytes, *, with_sha: bool = False) -> bytes:
    """Return a file of the simple cache."""
    key, head = url.encode(), chromium_head(headers)
    end = 0xF4FA6F45970D41D8
    data = struct.pack("<QIII4x", 0xFCFB6D1BA7725C30, 5, len(key), key_hash(key)) + key
    data += body + struct.pack("<QIII4x", end, 1, zlib.crc32(body), len(body))
    data += head + (bytes(32) if with_sha else b"")
    return data + struct.pack("<QIII4x", end, 3 if with_sha else 1, zlib.crc32(head), len(head))


def cache2(url: str, headers: dict[str, str], body: bytes, *, version: int = 3) -> bytes:
    """Return an entry of Firefox's cache."""
    key = b"O^partitionKey=%28https%2Cexample.org%29,:" + url.encode()
    head = b"\r\n".join([b"HTTP/1.1 200 OK", *(f"{k}: {v}".encode() for k, v in headers.items())]) + b"\r\n"
    data = body + bytes(4) + bytes(2 * -(-len(body) // (256 << 10)))
    data += struct.pack(">7I", version, 3, 1_700_000_000, 1_699_999_000, 0, 0, len(key)) + (bytes(4) if version >= 2 else b"")
    data += key + b"\0" + b"request-method\0GET\0response-head\0" + head + b"\0"
    return data + struct.pack(">I", len(body))


PACKED = {"Content-Type": "text/html; charset=utf-8", "Content-Encoding": "gzip", "Date": "Thu, 18 Jan 2024 05:20:01 GMT"}
PAGE = b"<html>" + b"words " * 300 + b"</html>"
PACKED_PAGE = gzip.compress(PAGE, mtime=0)
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 90
