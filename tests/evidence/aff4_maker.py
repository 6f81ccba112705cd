"""AFF4 containers for tests: streams of chunks packed in every way, a map, the standard's names and those from before it."""

from __future__ import annotations

import hashlib
import io
import struct
import urllib.parse
import zipfile
import zlib

import cramjam

DISK, MAP, STREAM = (f"aff4://{n:08x}-0000-0000-0000-000000000000" for n in (1, 2, 3))
METHODS = {
    "snappy": "http://code.google.com/p/snappy/",
    "lz4": "https://code.google.com/p/lz4/",
    "zlib": "https://www.ietf.org/rfc/rfc1950.txt",
    "deflate": "https://tools.ietf.org/html/rfc1951",
    "stored": "http://aff4.org/Schema#NullCompressor",
}
SCHEMA, BEFORE = "http://aff4.org/Schema#", "http://afflib.org/2009/aff4#"
Point = tuple[int, int, int, str]
"""Place on the disk, length, place in what it is taken from, and that: the name of a stream, or a symbolic one's last part."""


def _packed(chunk: bytes, how: str) -> bytes:
    if how == "snappy":
        data = bytes(cramjam.snappy.compress_raw(chunk))
    elif how == "lz4":
        data = bytes(cramjam.lz4.compress_block(chunk, store_size=False))
    elif how == "deflate":
        coder = zlib.compressobj(wbits=-15)
        data = coder.compress(chunk) + coder.flush()
    else:
        data = zlib.compress(chunk) if how == "zlib" else chunk
    return data if len(data) < len(chunk) else chunk


def stream_of(members: dict[str, bytes], name: str, data: bytes, how: str, chunk: int, per: int, before: bool) -> str:
    chunks = [data[at : at + chunk].ljust(chunk, b"\0") for at in range(0, len(data), chunk)]
    for bevy in range(0, len(chunks), per):
        raw, index = b"", b""
        for one in chunks[bevy : bevy + per]:
            packed = _packed(one, how)
            index += b"" if before else struct.pack("<QI", len(raw), len(packed))
            raw += packed
            index += struct.pack("<I", len(raw)) if before else b""
        label = f"{urllib.parse.quote(name, safe='')}/{bevy // per:08d}"
        members[label] = raw
        members[label + ("/index" if before else ".index")] = index
    sizes = ("chunk_size", "chunks_in_segment") if before else ("chunkSize", "chunksInSegment")
    return (
        f'<{name}>\n  a aff4:{"stream" if before else "ImageStream"} ;\n  aff4:{sizes[0]} "{chunk}"^^xsd:int ;\n'
        f'  aff4:{sizes[1]} "{per}"^^xsd:int ;\n  aff4:{"C" if before else "c"}ompressionMethod <{METHODS[how]}> ;\n'
        f'  aff4:hash "{hashlib.sha1(data).hexdigest()}"^^aff4:SHA1 , "{hashlib.md5(data).hexdigest()}"^^aff4:MD5 ;\n'
        f'  aff4:size "{len(data)}"^^xsd:long .\n\n'
    )


def container(
    streams: dict[str, bytes], points: list[Point], size: int, *, how: str = "snappy", chunk: int = 4096, per: int = 4,
    before: bool = False, packed: bool = False, more: str = "", gap: str = "",
) -> bytes:  # fmt: skip
    """Return a container. ``streams``: what this file holds; ``packed``: whether the archive compresses its members once more."""
    members: dict[str, bytes] = {"container.description": DISK.encode(), "version.txt": b"major=1\nminor=0\ntool=tests 1\n"}
    schema = BEFORE if before else SCHEMA
    text = f"@prefix aff4: <{schema}> .\n@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n\n"
    for name, data in streams.items():
        text += stream_of(members, name, data, how, chunk, per, before)
    names = list(dict.fromkeys(point[3] for point in points))
    urls = [name if name.startswith("aff4:") else schema + name for name in names]
    raw = b"".join(struct.pack("<QQQI", at, length, target, names.index(name)) for at, length, target, name in points)
    mapped = DISK if before else MAP
    folder = urllib.parse.quote(mapped, safe="")
    members |= {f"{folder}/map": raw, f"{folder}/idx": "\n".join(urls).encode(), f"{folder}/mapPath": b"/"}
    kind = "aff4:map , aff4:Image" if before else "aff4:DiskImage , aff4:Image"
    text += f'<{DISK}> a {kind} ; aff4:blockSize "512"^^xsd:int ; aff4:size "{size}"^^xsd:long ; aff4:diskModel "ST-506"'
    text += (f" ; aff4:dataStream <{MAP}>" if not before else "") + " .\n"
    if not before:
        text += f"<{MAP}> a aff4:Map ;{f' aff4:mapGapDefaultStream aff4:{gap} ;' if gap else ''} aff4:size {size} .\n"
    members["information.turtle"] = (text + more).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.comment = DISK.encode()
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            archive.writestr(info, data)
    return out.getvalue()
