"""``hfsplus.raw.gz``: a Mac's memory stick, written by the script itself: no tool of Debian makes HFS+ with files in it."""

from __future__ import annotations

import gzip
import unicodedata
from typing import TYPE_CHECKING

from builder import material
from builder.hfswriter import SINCE_1904, Volume
from builder.key import Key
from builder.material import NOTABLE, Thing
from builder.tools import EPOCH

if TYPE_CHECKING:
    from pathlib import Path

_BLOCKS = 400
_DAY = 86_400
_1950 = -631_152_000


def build(_work: Path, out: Path) -> None:
    """Build ``hfsplus.raw.gz``."""
    key = Key(
        "hfsplus.raw.gz",
        "written by build.py after Apple's Technical Note TN1150",
        "A volume without a partition table, blocks of 4 KiB. Nothing was ever deleted: HFS+ keeps no trace of what was.",
        "Sleuth Kit shows ':' for the '/' in a name, and lists the private folder of hard links, which is not in the key.",
        "old letter.txt was created in 1950 and changed in 1969; on HFS+ that can be.",
    )
    volume = Volume(_BLOCKS, "DEMOMAC", EPOCH)
    folders = ("Pictures", "Pictures/Holiday", "Pictures/Holiday/Lake", "Documents", "Documents/Letters", "Library", "Library/Caches")
    for folder in folders:
        volume.folder(folder)
        key.add(f"vol1/{folder}", kind="directory")
    files: dict[str, Thing] = {
        "Read me.txt": material.text("A Mac's stick.\n"),
        "Documents/plan.docx": material.docx("Test material"),
        "Documents/report.pdf": material.pdf("Test material"),
        "Documents/empty.txt": material.EMPTY,
        "Documents/statement.pdf": material.picture(701),
        "Documents/vault.dat": material.noise(702, 9000),
        "Documents/numbers.log": material.log(703, 20_000),
        "Documents/letter.eml": material.mail("boathouse"),
        "Library/Caches/saved page.html": material.page("Boathouse"),
        "Library/messages.db": material.database(
            "CREATE TABLE message(id INTEGER PRIMARY KEY, body TEXT);INSERT INTO message VALUES(1,'hi');"
        ),
        "Library/tools.zip": material.archive({"readme.txt": b"test material\r\n", "a.bin": material.noise(704, 900).data}),
        "Pictures/IMG_0001.jpg": NOTABLE["plain"],
        "Pictures/screenshot.png": material.picture(705, "png", (120, 80)),
        "Pictures/banner.gif": material.picture(706, "gif"),
        **{f"Pictures/Holiday/IMG_01{n:02}.jpg": material.picture(710 + n) for n in range(8)},
        "Pictures/Holiday/Lake/boat.bmp": material.picture(707, "bmp", (64, 48)),
    }
    for number, (path, thing) in enumerate(files.items()):
        volume.file(path, thing.data, created=EPOCH - 2 * _DAY + 60 * number + SINCE_1904)
        key.add(f"vol1/{path}", thing, extension_mismatch=path.endswith("statement.pdf"))
    key.find("vol1/Documents/statement.pdf", "a picture that wears a document's extension")
    key.find("vol1/Pictures/IMG_0001.jpg", "a notable picture")
    pieces = material.noise(708, 24 * 4096 - 100)
    volume.file("Documents/in many pieces.bin", pieces.data, pieces=20)
    key.add("vol1/Documents/in many pieces.bin", pieces, note="20 runs of blocks: twelve of them are in the extents overflow file")
    name = unicodedata.normalize("NFD", "Zoë.jpg")
    zoe = material.picture(709)
    volume.file(f"Pictures/{name}", zoe.data)
    key.add(f"vol1/Pictures/{name}", zoe)
    slash = material.text("1 in 2\n")
    volume.file("Documents/1:2.txt", slash.data)
    key.add("vol1/Documents/1:2.txt", slash)
    old = material.text("Dear reader\n")
    volume.file("Documents/Letters/old letter.txt", old.data, created=_1950 + SINCE_1904, changed=SINCE_1904 - _DAY)
    key.add("vol1/Documents/Letters/old letter.txt", old)
    forked, fork = material.text("data\n"), material.text("resource\n")
    with_fork = volume.file("Documents/Letters/forked", forked.data, resource=fork.data)
    key.add("vol1/Documents/Letters/forked", forked)
    key.add("vol1/Documents/Letters/forked:RSRC", fork, kind="stream")
    note = material.text("an extended attribute\n")
    volume.attribute(with_fork, "org.example.note", note.data)
    key.add("vol1/Documents/Letters/forked:org.example.note", note, kind="stream")
    volume.link("Documents/pictures", "../Pictures")
    key.add("vol1/Documents/pictures", kind="link", link_target="../Pictures")
    linked = material.text("one file, two names\n")
    volume.hard_links(linked.data, "Documents/first name.txt", "Library/second name.txt")
    for path in ("Documents/first name.txt", "Library/second name.txt"):
        key.add(f"vol1/{path}", linked)
    media = volume.image()
    (out / key.image).write_bytes(gzip.compress(media, 9, mtime=0))
    key.volume(1, 0, len(media), "hfsplus", "DEMOMAC")
    key.write(out, {"kind": "raw", "segments": [key.image], "compression": "gzip"}, media, scheme="none")
