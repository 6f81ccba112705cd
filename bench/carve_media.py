"""Media with known answers for carvers: whole, overwritten, fragmented and embedded files between what else lies on a used disk.

    python bench/carve_media.py OUT.raw --samples FOLDER [FOLDER ...] [--seed 1] [--clusters 4096]

Next to OUT.raw it writes OUT.raw.truth.json: a row a file with its SHA-256, kind, scenario, size and ``(offset, length)`` of each piece.
The same samples and seed give the same medium. Samples are taken from folders; pictures, archives and databases are made besides, so
that it works without any.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import random
import sqlite3
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw

KINDS = {
    "jpg": "jpeg", "jpeg": "jpeg", "png": "png", "gif": "gif", "bmp": "bmp", "webp": "webp", "tif": "tiff", "tiff": "tiff",
    "heic": "heic", "avif": "heic", "mp4": "mp4", "mov": "mp4", "3gp": "mp4", "avi": "avi", "wav": "wav", "mp3": "mp3", "ogg": "ogg",
    "flac": "flac", "mkv": "mkv", "webm": "mkv", "flv": "flv", "wmv": "asf", "docx": "zip", "xlsx": "zip", "pptx": "zip", "odt": "zip",
    "ods": "zip", "odp": "zip", "epub": "zip", "zip": "zip", "7z": "7z", "rar": "rar", "gz": "gzip", "pdf": "pdf", "doc": "ole",
    "xls": "ole", "ppt": "ole", "msg": "ole", "rtf": "rtf", "html": "html", "eml": "eml", "sqlite": "sqlite", "db": "sqlite",
    "evtx": "evtx", "lnk": "lnk", "psd": "psd",
}  # fmt: skip
SPLIT = ("jpeg", "zip", "png", "pdf", "mp4")
LARGEST = 4 << 20


class Sample(NamedTuple):
    """A file to put on the medium."""

    kind: str
    data: bytes


def collect(folders: list[Path], most: int, seed: int) -> list[Sample]:
    """Return different files of known kinds, at most so many a kind."""
    found: dict[str, dict[str, bytes]] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            kind = KINDS.get(path.suffix.lower().lstrip("."))
            if kind is None or not path.is_file() or not 1024 <= path.stat().st_size <= LARGEST:
                continue
            data = path.read_bytes()
            if _plausible(kind, data):
                found.setdefault(kind, {})[hashlib.sha256(data).hexdigest()] = data
    chosen = []
    for kind in sorted(found):
        digests = sorted(found[kind])
        random.Random(seed).shuffle(digests)
        chosen += [Sample(kind, found[kind][d]) for d in digests[:most]]
    return chosen


_BEGINNINGS = {
    "jpeg": b"\xff\xd8\xff", "png": b"\x89PNG", "gif": b"GIF8", "bmp": b"BM", "zip": b"PK\x03\x04", "pdf": b"%PDF-",
    "ole": b"\xd0\xcf\x11\xe0",
    "sqlite": b"SQLite format 3\0", "rtf": b"{\\rtf", "gzip": b"\x1f\x8b\x08", "evtx": b"ElfFile\0", "7z": b"7z\xbc\xaf", "rar": b"Rar!",
    "psd": b"8BPS", "flac": b"fLaC", "ogg": b"OggS", "webp": b"RIFF", "wav": b"RIFF", "avi": b"RIFF", "lnk": b"L\0\0\0",
}  # fmt: skip


def _plausible(kind: str, data: bytes) -> bool:
    """Whether a sample is what its name says: broken ones have no true end that a carver could find."""
    if not data.startswith(_BEGINNINGS.get(kind, b"")):
        return False
    if kind == "jpeg":
        return data.rstrip(b"\0\n").endswith(b"\xff\xd9")
    if kind == "zip":
        return zipfile.is_zipfile(io.BytesIO(data))
    return kind != "pdf" or b"%%EOF" in data[-1024:]


def made(seed: int) -> list[Sample]:
    """Return files made here: pictures of several coders, archives, documents, databases."""
    rng = random.Random(seed)
    samples = [Sample("jpeg", _picture(rng, "JPEG", quality=rng.choice((60, 75, 90)), progressive=n % 4 == 0)) for n in range(60)]
    samples += [Sample("png", _picture(rng, "PNG")) for _ in range(30)]
    samples += [Sample("gif", _picture(rng, "GIF")) for _ in range(10)]
    samples += [Sample("bmp", _picture(rng, "BMP")) for _ in range(4)]
    samples += [Sample("webp", _picture(rng, "WEBP")) for _ in range(8)]
    samples += [Sample("tiff", _picture(rng, "TIFF", compression=rng.choice(("raw", "tiff_lzw")))) for _ in range(6)]
    samples += [Sample("zip", _archive(rng)) for _ in range(30)]
    samples += [Sample("pdf", _document(rng)) for _ in range(15)]
    samples += [Sample("sqlite", _database(rng)) for _ in range(10)]
    return samples + [Sample("gzip", gzip.compress(rng.randbytes(rng.randint(2000, 90_000)), mtime=0)) for _ in range(4)]


def _picture(rng: random.Random, form: str, **how: object) -> bytes:
    size = (rng.randint(200, 900), rng.randint(200, 700))
    noise = Image.frombytes("RGB", (size[0] // 3, size[1] // 3), rng.randbytes((size[0] // 3) * (size[1] // 3) * 3)).resize(size)
    draw = ImageDraw.Draw(noise)
    for _ in range(12):
        x, y = rng.randint(0, size[0]), rng.randint(0, size[1])
        draw.ellipse((x, y, x + rng.randint(5, 200), y + rng.randint(5, 200)), fill=tuple(rng.randbytes(3)))
    out = io.BytesIO()
    noise.save(out, form, **how)
    return out.getvalue()


def _archive(rng: random.Random) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(rng.randint(2, 9)):
            text = " ".join(str(rng.random()) for _ in range(rng.randint(100, 6000)))
            info = zipfile.ZipInfo(f"part{number}.xml", (2024, 1, 1, 0, 0, 0))
            archive.writestr(info, text, zipfile.ZIP_STORED if rng.random() < 0.2 else zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _document(rng: random.Random) -> bytes:
    streams = [rng.randbytes(rng.randint(500, 30_000)) for _ in range(5)]
    bodies = [f"<< /Length {len(s)} >>\nstream\n".encode() + s + b"\nendstream" for s in streams]
    out, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate([b"<< /Type /Catalog >>", *bodies], 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % p for p in places)
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1) + table + (
        b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(places) + 1, len(out))
    )


def _database(rng: random.Random) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, body TEXT, at REAL)")
        rows = [(rng.randbytes(40).hex(), rng.random()) for _ in range(rng.randint(50, 3000))]
        connection.executemany("INSERT INTO message (body, at) VALUES (?, ?)", rows)
        connection.commit()
        connection.close()
        return path.read_bytes()


def _filler(rng: random.Random, length: int) -> bytes:
    """What else lies on a disk: nothing, text, noise, and beginnings of files that are none."""
    kind = rng.choice(("zeros", "text", "noise", "bait"))
    if kind == "zeros":
        return bytes(length)
    if kind == "text":
        words = b" ".join(rng.choice((b"the", b"disk", b"image", b"of", b"a", b"GIF8", b"case", b"BM", b"PK")) for _ in range(length // 3))
        return words[:length].ljust(length, b" ")
    if kind == "noise":
        return rng.randbytes(length)
    baits = (
        b"\xff\xd8\xff\xe0\x00\x10JFIF\0", b"PK\x03\x04\x14\0\0\0\x08\0", b"%PDF-1.5 is mentioned here", b"\x89PNG\r\n\x1a\n", b"BM",
        b"\0\0\1\xba", b"RIFF\xff\xff\xff\x7fAVI ", b"\0\0\0\x18ftypmp42", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\x1f\x8b\x08",
        b"ID3\x03", b"G@\0\x10",
    )  # fmt: skip
    return b"".join(rng.choice(baits).ljust(512, b"." if rng.random() < 0.5 else b"\0") for _ in range(-(-length // 512)))[:length]


def build(out: Path, samples: list[Sample], seed: int, cluster: int) -> None:
    """Lay the samples out and write the medium and its truth."""
    rng = random.Random(seed)
    samples = list(samples)
    rng.shuffle(samples)
    medium, rows = bytearray(cluster), []  # a medium that begins like a ZIP file would be taken for one

    def put(data: bytes) -> tuple[int, int]:
        at = len(medium)
        medium.extend(data)
        medium.extend(bytes(-len(medium) % 512))  # systems write whole sectors
        medium.extend(_filler(rng, -len(medium) % cluster) if rng.random() < 0.5 else bytes(-len(medium) % cluster))
        return at, len(data)

    def gap(most: int) -> None:
        medium.extend(_filler(rng, cluster * rng.randint(1, most)))

    whole = [s for s in samples if s.kind not in SPLIT]
    for number, sample in enumerate(samples):
        data = sample.data
        scenario = "whole"
        if sample.kind in SPLIT and len(data) > 3 * cluster and number % 3 == 0:
            scenario = "fragmented"
        elif number % 9 == 4 and len(data) > 4 * cluster:
            scenario = "overwritten"
        row = {"sha256": hashlib.sha256(data).hexdigest(), "kind": sample.kind, "scenario": scenario, "size": len(data)}
        if scenario == "fragmented":
            cut = cluster * rng.randint(1, (len(data) - 1) // cluster)
            first = put(data[:cut])
            if rng.random() < 0.5 and whole:
                other = rng.choice(whole)
                at = put(other.data)
                digest = hashlib.sha256(other.data).hexdigest()
                rows.append({"sha256": digest, "kind": other.kind, "scenario": "between", "size": at[1], "pieces": [at]})
            else:
                gap(40)
            row["pieces"] = [first, put(data[cut:])]
        elif scenario == "overwritten":
            hole = cluster * rng.randint(1, (len(data) - 1) // cluster - 1)
            length = min(cluster * rng.randint(1, 3), len(data) - hole)
            row["pieces"] = [put(data[:hole] + rng.choice((rng.randbytes(length), _filler(rng, length))) + data[hole + length :])]
            row["intact"] = hole
        else:
            row["pieces"] = [put(data)]
        rows.append(row)
        if rng.random() < 0.6:
            gap(20)
    gap(20)
    out.write_bytes(medium)
    Path(f"{out}.truth.json").write_text(json.dumps(rows, indent=0) + "\n", encoding="ascii")


def main() -> None:
    """Build a medium."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--samples", type=Path, nargs="*", default=[])
    parser.add_argument("--most", type=int, default=25, help="samples of a kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cluster", type=int, default=4096)
    given = parser.parse_args()
    build(given.out, collect(given.samples, given.most, given.seed) + made(given.seed), given.seed, given.cluster)


if __name__ == "__main__":
    main()
