"""Archives that fight back, made here: nothing of them is kept as a file."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib


def read_at_of(data: bytes):
    """``read_at`` over bytes."""
    return lambda offset, length: data[offset : offset + length]


def zip_of(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 5, 1, 12, 30, 0)), data, method)
    return out.getvalue()


def tar_of(members: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1714566600
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def deflated_zeros(size: int) -> tuple[bytes, int]:
    """Raw deflate of ``size`` zeros, and their CRC-32."""
    packer, crc, parts = zlib.compressobj(9, zlib.DEFLATED, -15), 0, []
    block = bytes(1 << 20)
    for _ in range(size >> 20):
        parts.append(packer.compress(block))
        crc = zlib.crc32(block, crc)
    return b"".join([*parts, packer.flush()]), crc


def local(name: bytes, crc: int, packed: int, size: int, *, flags: int = 0, method: int = 8) -> bytes:
    return struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, flags, method, 0, 33, crc, packed, size, len(name), 0) + name


def central(name: bytes, crc: int, packed: int, size: int, offset: int, *, flags: int = 0, method: int = 8) -> bytes:
    fields = (b"PK\1\2", 20, 20, flags, method, 0, 33, crc, packed, size, len(name), 0, 0, 0, 0, 0, offset)
    return struct.pack("<4sHHHHHHIIIHHHHHII", *fields) + name


def end(count: int, length: int, offset: int) -> bytes:
    return struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, length, offset, 0)


def kernel_bomb(members: int, kernel_size: int) -> bytes:
    """Every member of the list is the one compressed kernel."""
    packed, crc = deflated_zeros(kernel_size)
    body = local(b"0", crc, len(packed), kernel_size) + packed
    listing = b"".join(central(b"%d" % n, crc, len(packed), kernel_size, 0) for n in range(members))
    return body + listing + end(members, len(listing), len(body))


def quoted_bomb(members: int, kernel_size: int) -> bytes:
    """Each member's data quotes the headers of those behind it and ends in the one kernel (Fifield's construction)."""
    packed, crc = deflated_zeros(kernel_size)
    body, listing, places = local(b"k", crc, len(packed), kernel_size) + packed, b"", []
    places.append((b"k", len(packed), kernel_size, crc, len(body)))
    for n in range(members - 1):
        quote = struct.pack("<BHH", 0, len(body) & 0xFFFF, ~len(body) & 0xFFFF) if len(body) < 65536 else b""
        length = len(quote) + len(body)
        body = local(b"%d" % n, 0, length, kernel_size) + quote + body
        places.append((b"%d" % n, length, kernel_size, 0, len(body)))
    for name, length, size, crc32, from_end in places:
        listing += central(name, crc32, length, size, len(body) - from_end)
    return body + listing + end(members, len(listing), len(body))


def nested_bomb(levels: int, width: int) -> bytes:
    """``width`` members a level, each an archive of the next: 42.zip's construction."""
    data = zip_of({"zeros": bytes(4 << 20)})
    for _ in range(levels):
        data = zip_of({f"{n}.zip": data for n in range(width)})
    return data


def gzip_of_zeros(size: int) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile("zeros", "wb", fileobj=out, mtime=0) as stream:
        for _ in range(size >> 20):
            stream.write(bytes(1 << 20))
    return out.getvalue()
