"""``ntfs.E01``: a computer's disk with an NTFS volume, a small FAT one and space that belongs to neither."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from typing import Any

from builder import fat, material
from builder.key import Key, digests
from builder.material import EMPTY, NOTABLE, SYSTEM32, Thing
from builder.tools import EPOCH, FACTS, acquire, blank, mounted, partition_table, run, splice

SECTOR = 512
START, SECTORS = 128, 12288
CAMERA_START, CAMERA_SECTORS = 13056, 1440
TOTAL = 15360
PAGEFILE = 1_200_000
GAP_PICTURE = 12672 * SECTOR
_NTFS = ["ntfs-3g", "-o", "no_detach,streams_interface=windows,compression,noatime"]
_ZONE = "[ZoneTransfer]\nZoneId=3\nReferrerUrl=https://downloads.example.org/\nHostUrl=https://downloads.example.org/{}\n"
_LONG = "long " + "x" * 246 + ".txt"
_COMPRESSED = 0x800
_SYMLINK_TAG = 0xA000000C


def _everyday() -> dict[str, tuple[Thing, bool]]:
    """The files that anyone might have: path → bytes, and whether the extension is a lie."""
    home = "Users/alex/"
    first = material.picture(1)
    plain: dict[str, Thing] = {
        home + "Pictures/Holiday/IMG_0001.jpg": first,
        home + "Pictures/Holiday/IMG_0002.jpg": material.picture(2),
        home + "Pictures/Holiday/IMG_0003.jpg": material.picture(3),
        home + "Pictures/Holiday/IMG_0004.jpg": NOTABLE["plain"],
        home + "Pictures/screenshot.png": material.picture(5, "png", (120, 80)),
        home + "Pictures/banner.gif": material.picture(6, "gif"),
        home + "Pictures/drawing.bmp": material.picture(7, "bmp", (64, 48)),
        home + "Pictures/new format.webp": material.picture(8, "webp"),
        home + "Downloads/IMG_0001 (1).jpg": first,
        home + "Downloads/copy of holiday.jpg": first,
        home + "Downloads/setup.exe": material.program(1, 3000),
        home + "Downloads/tools.zip": material.archive({"readme.txt": b"test material\r\n", "a.bin": material.noise(2, 900).data}),
        home + "Downloads/list.txt": material.text("milk\nbread\n"),
        home + "Documents/notes.txt": material.text("Small enough to live in the file record.\nMeet at the boathouse.\n"),
        home + "Documents/plan.docx": material.docx("The plan of the boathouse is test material."),
        home + "Documents/report.pdf": material.pdf("Test material"),
        home + "Documents/letter.eml": material.mail("boathouse"),
        home + "Documents/saved page.html": material.page("Boathouse"),
        home + "Documents/empty.txt": EMPTY,
        home + "Documents/vault.dat": material.noise(3, 6000),
        home + "AppData/Local/Google/Chrome/User Data/Default/History": material.database(
            "CREATE TABLE urls(id INTEGER PRIMARY KEY, url LONGVARCHAR, title LONGVARCHAR, "
            "visit_count INTEGER DEFAULT 0 NOT NULL,"
            " typed_count INTEGER DEFAULT 0 NOT NULL, last_visit_time INTEGER NOT NULL, hidden "
            "INTEGER DEFAULT 0 NOT NULL);"
            "CREATE TABLE visits(id INTEGER PRIMARY KEY, url INTEGER NOT NULL, visit_time INTEGER "
            "NOT NULL, from_visit INTEGER,"
            " transition INTEGER DEFAULT 0 NOT NULL);"
            "INSERT INTO urls "
            "VALUES(1,'https://www.example.org/boathouse','Boathouse',3,1,13359031200000000,0);"
            "INSERT INTO urls VALUES(2,'https://www.example.net/search?q=wipe+disk','wipe "
            "disk',1,1,13359031260000000,0);"
            "INSERT INTO visits VALUES(1,1,13359031200000000,0,1);INSERT INTO visits "
            "VALUES(2,2,13359031260000000,1,1);"
        ),
        home + "AppData/Roaming/Messenger/chat.db": material.database(
            "CREATE TABLE message(id INTEGER PRIMARY KEY, sender TEXT, body TEXT, sent INTEGER);"
            "INSERT INTO message VALUES(1,'sam','pictures are in the other folder',1714557600);"
        ),
        "$Recycle.Bin/S-1-5-21-1-2-3-1001/$RA1B2C3.jpg": material.picture(9),
        "$Recycle.Bin/S-1-5-21-1-2-3-1001/$IA1B2C3.jpg": _recycled("C:\\Users\\alex\\Pictures\\boat.jpg", material.picture(9)),
        "Windows/explorer.exe": material.program(2),
        "Windows/System32/drivers/etc/hosts": material.text("127.0.0.1 localhost\n"),
        home + "Pictures/Zoë/Zoë im Grünen.jpg": material.picture(10),
        home + "Pictures/Zoë/Zoe\u0308 decomposed.jpg": material.picture(11),
        home + "Pictures/写真/東京.jpg": material.picture(12),
        home + "Pictures/😀 party.png": material.picture(13, "png", (48, 32)),
        home + "Documents/مرحبا.txt": material.text("hello\n"),
        home + "Documents/" + _LONG: material.text("a name of 255 characters\n"),
        home + "Documents/=cmd|' -C calc'!A0.txt": material.text("a name that a spreadsheet would run\n"),
        home + "Documents/'; DROP TABLE entry;--.txt": material.text("a name that a database would run\n"),
        home + "Pictures/<img src=x onerror=alert(1)>.jpg": material.picture(14),
        home + "Downloads/rtl\u202egpj.exe": material.program(3),
        home + "Downloads/trailing dot.": material.text("a name that Windows would cut\n"),
        home + "Downloads/line\nbreak \x1b[31mred.txt": material.text("a name that a terminal would obey\n"),
    }
    lies = {
        home + "Documents/invoice.pdf": NOTABLE["renamed"],
        home + "Documents/photo.jpg": material.archive({"hidden.jpg": material.picture(15).data}),
        home + "Downloads/readme.txt": material.program(4),
        home + "Downloads/song.mp3": material.picture(16, "png", (64, 48)),
    }
    files = {path: (thing, False) for path, thing in plain.items()} | {path: (thing, True) for path, thing in lies.items()}
    return files | {f"Windows/System32/{name}": (thing, False) for name, thing in SYSTEM32.items()}


def _recycled(origin: str, thing: Thing) -> Thing:
    """Make Windows 10's $I record of a file in the recycle bin."""
    name = (origin + "\0").encode("utf-16-le")
    deleted = (EPOCH + 11_644_473_600) * 10_000_000
    return Thing(struct.pack("<QQQI", 2, len(thing.data), deleted, len(origin) + 1) + name, "recycle-bin")


_SHOWN = {
    "Users/alex/Downloads/rtl\u202egpj.exe": r"Users/alex/Downloads/rtl\u202egpj.exe",
    "Users/alex/Downloads/line\nbreak \x1b[31mred.txt": r"Users/alex/Downloads/line\x0abreak \x1b[31mred.txt",
}
"""Names that are not shown as they are."""
_OLD = {"tape.txt": material.log(20, 3000), "disc.jpg": material.picture(20)}
_SECRET = {
    "one.jpg": material.picture(21),
    "two.jpg": material.picture(22),
    "list.txt": material.text("one\ntwo\n"),
    "inner/three.jpg": material.picture(23),
}
_COVERED = material.archive({"pictures.bin": material.noise(24, 15_000).data})
_PARTLY = material.picture(25, "bmp", (180, 120))
_REUSED = material.picture(26)
_DELETED = {
    "Users/alex/Pictures/Holiday/IMG_0005.jpg": NOTABLE["deleted"],
    "Users/alex/Documents/deleted note.txt": material.text("resident, and gone\n"),
    "Users/alex/Downloads/gone.pdf": material.pdf("Deleted, whole"),
}
_COPY_LOG, _GROWS = "Users/alex/AppData/Local/copy.log", "Users/alex/AppData/Local/sync.log"


class Builder:
    """Fills the NTFS volume through ntfs-3g, one mount a step: each gives out records from the first on."""

    def __init__(self, work: Path, key: Key) -> None:
        self.volume = blank(work / "ntfs.volume", SECTORS * SECTOR)
        self.where = work / "mnt"
        self.key = key
        self.minutes = 0
        self.facts: list[str] = []
        run(
            "mkntfs",
            "-F",
            "-q",
            "-Q",
            "-s",
            "512",
            "-c",
            "1024",
            "-p",
            str(START),
            "-H",
            "16",
            "-S",
            "63",
            "-L",
            "Demo",
            self.volume,
        )

    def put(self, root: Path, path: str, thing: Thing) -> Path:
        """Write a file, its folders, and its times; each file is a minute younger than the one before."""
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(thing.data)
        self.date(target)
        return target

    def date(self, target: Path) -> None:
        """Set the times of a file."""
        self.minutes += 1
        os.utime(target, (EPOCH - 86_400 + 60 * self.minutes,) * 2)

    def build(self) -> None:
        """Do all steps."""
        with mounted(_NTFS, self.volume, self.where) as root:
            for name, thing in _OLD.items():
                self.put(root, f"Users/alex/Old/{name}", thing)
        with mounted(_NTFS, self.volume, self.where) as root:
            self._write_all(root)
        self._overwrite()
        self._replace_folder()
        self._delete_last()
        self._folders()

    def _write_all(self, root: Path) -> None:
        (root / "pagefile.sys").touch()
        for path, (thing, lie) in _everyday().items():
            self.put(root, path, thing)
            shown = _SHOWN.get(path, path)
            raw: dict[str, Any] = {} if shown == path else {"name_raw": path.rpartition("/")[2].encode()}
            self.key.add(f"vol1/{shown}", thing, extension_mismatch=lie, **raw)
        home = root / "Users/alex"
        self._streams(home)
        self._special_content(root)
        (home / "Desktop").mkdir()
        os.link(home / "Documents/notes.txt", home / "Desktop/notes again.txt")
        self.key.add(
            "vol1/Users/alex/Desktop/notes again.txt",
            _everyday()["Users/alex/Documents/notes.txt"][0],
            hard_link_of="vol1/Users/alex/Documents/notes.txt",
        )
        self._symlink(home / "Desktop/Pictures link", "C:\\Users\\alex\\Pictures")
        for path, thing in _DELETED.items():
            self.put(root, path, thing)
        for name, thing in _SECRET.items():
            self.put(root, f"Users/alex/Secret/{name}", thing)
        self.put(root, "Users/alex/Pictures/once there.jpg", _REUSED)
        self.put(root, "Users/alex/Documents/covered.zip", _COVERED)
        self.put(root, "Users/alex/Pictures/partly covered.bmp", _PARTLY)
        self.put(root, _COPY_LOG, Thing(material.log(31, 400_000).data[:2048], "text"))
        self.put(root, _GROWS, Thing(material.log(30, 400_000).data[:2048], "text"))

    def _streams(self, home: Path) -> None:
        rows = {
            "Downloads/setup.exe:Zone.Identifier": material.text(_ZONE.format("setup.exe")),
            "Downloads/tools.zip:Zone.Identifier": material.text(_ZONE.format("tools.zip")),
            "Downloads/list.txt:hidden.jpg": NOTABLE["stream"],
            "Downloads:note": material.text("a stream on a folder\n"),
        }
        for path, thing in rows.items():
            owner = home / path.partition(":")[0]
            before = owner.stat().st_mtime
            (home / path).write_bytes(thing.data)
            os.utime(owner, (before, before))
            self.key.add(f"vol1/Users/alex/{path}", thing, kind="stream")

    def _special_content(self, root: Path) -> None:
        sparse = root / "Users/alex/Documents/disk.img"
        head, tail = material.noise(40, 1500).data, b"the end of a sparse file"
        with sparse.open("wb") as f:
            f.write(head)
            f.seek(900_000)
            f.write(tail)
        self.date(sparse)
        self.key.add("vol1/Users/alex/Documents/disk.img", Thing(head.ljust(900_000, b"\0") + tail, None), sparse=True)
        folder = root / "Users/alex/Documents/compressed"
        folder.mkdir()
        os.setxattr(folder, "system.ntfs_attrib_be", struct.pack(">I", 0x10 | _COMPRESSED))
        for name, thing in {
            "journal.log": material.log(41, 50_000),
            "chart.bmp": material.picture(42, "bmp", (96, 64)),
            "noise.bin": material.noise(43, 9000),
        }.items():
            self.put(root, f"Users/alex/Documents/compressed/{name}", thing)
            self.key.add(f"vol1/Users/alex/Documents/compressed/{name}", thing, compressed=True)

    def _symlink(self, path: Path, target: str) -> None:
        """Make a symbolic link as Windows does, by a reparse point."""
        shown, real = target.encode("utf-16-le"), ("\\??\\" + target).encode("utf-16-le")
        body = struct.pack("<HHHHI", len(real), len(shown), 0, len(real), 0) + real + shown
        path.mkdir()
        os.setxattr(path, "system.ntfs_reparse_data", struct.pack("<IHH", _SYMLINK_TAG, len(body), 0) + body)
        self.key.add(
            "vol1/Users/alex/Desktop/Pictures link",
            kind="link",
            link_target=target,
            sleuth_kit_kind="directory",
            note="a reparse point on a folder",
        )

    def _replace_folder(self) -> None:
        """Delete a folder and let another file take its record: its children are orphans then."""
        with mounted(_NTFS, self.volume, self.where) as root:
            record = (root / "Users/alex/Old").stat().st_ino
            for name in _OLD:
                (root / "Users/alex/Old" / name).unlink()
            (root / "Users/alex/Old").rmdir()
        new = material.text("written after the clean-up\n")
        with mounted(_NTFS, self.volume, self.where) as root:
            self.put(root, "Users/alex/Documents/afterwards.txt", new)
            if (root / "Users/alex/Documents/afterwards.txt").stat().st_ino != record:
                raise RuntimeError("the deleted folder's record was not taken")
        self.key.add("vol1/Users/alex/Documents/afterwards.txt", new)
        for name, thing in _OLD.items():
            self.key.add(f"vol1/$OrphanFiles/{name}", thing, state="orphan", was="Users/alex/Old/" + name)

    def _overwrite(self) -> None:
        """Fill the volume, delete one file after the other, and let older files grow into their clusters.

        What is deleted before the filling has its clusters zeroed by ``pagefile.sys``, which gives them back at
        the end: nobody owns them then, and yet the content is gone.
        """
        with mounted(_NTFS, self.volume, self.where) as root:
            (root / "Users/alex/Pictures/once there.jpg").unlink()
        self.key.add(
            "vol1/Users/alex/Pictures/once there.jpg",
            _REUSED,
            state="deleted",
            content_replaced=True,
            note="by ownership of its clusters it is intact; another file that is gone too has overwritten them",
        )
        for victim, thing, grower, growth, seed in (
            ("Users/alex/Documents/covered.zip", _COVERED, _COPY_LOG, None, 31),
            ("Users/alex/Pictures/partly covered.bmp", _PARTLY, _GROWS, 24 * 1024, 30),
        ):
            with mounted(_NTFS, self.volume, self.where) as root:
                self._fill(root / "pagefile.sys")
                clusters = -(-len(thing.data) // 1024)
                (root / victim).unlink()
            with mounted(_NTFS, self.volume, self.where) as root:
                size = 2048 + (clusters * 1024 if growth is None else growth)
                with (root / grower).open("r+b") as f:
                    f.write(material.log(seed, 400_000).data[:size])
                self.date(root / grower)
            self.key.add(f"vol1/{grower}", Thing(material.log(seed, 400_000).data[:size], "text"))
            self.key.add(
                f"vol1/{victim}",
                thing,
                state="deleted",
                recoverability="overwritten" if growth is None else "partly overwritten",
            )

    def _fill(self, path: Path) -> None:
        block = b"\0" * 1024
        with path.open("ab", buffering=0) as f:
            try:
                while True:
                    f.write(block)
            except OSError:
                pass

    def _delete_last(self) -> None:
        with mounted(_NTFS, self.volume, self.where) as root:
            for path, thing in _DELETED.items():
                (root / path).unlink()
                self.key.add(f"vol1/{path}", thing, state="deleted")
            for name in reversed(_SECRET):
                (root / "Users/alex/Secret" / name).unlink()
            (root / "Users/alex/Secret/inner").rmdir()
            (root / "Users/alex/Secret").rmdir()
            page = root / "pagefile.sys"
            os.truncate(page, PAGEFILE)
            self.date(page)
            self.key.add("vol1/pagefile.sys", Thing(page.read_bytes(), None))
        self.key.add("vol1/Users/alex/Secret", kind="directory", state="deleted")
        self.key.add("vol1/Users/alex/Secret/inner", kind="directory", state="deleted")
        for name, thing in _SECRET.items():
            self.key.add(f"vol1/Users/alex/Secret/{name}", thing, state="deleted")

    def _folders(self) -> None:
        """Set the folders' times, and note them."""
        with mounted(_NTFS, self.volume, self.where) as root:
            for folder, names, _ in sorted(os.walk(root)):
                for name in sorted(names):
                    path = Path(folder, name)
                    if path.is_symlink() or "Pictures link" in name:
                        continue
                    os.utime(path, (EPOCH - 3600,) * 2)
                    self.key.add(f"vol1/{path.relative_to(root)}", kind="directory")

    def recoverability(self) -> dict[str, int]:
        """Ask ntfsundelete (which is not Sleuth Kit) how much of each deleted file is left, in per cent."""
        done = run("ntfsundelete", "--force", "--scan", self.volume)
        rows = re.findall(r"^\d+\s+\S+\s+(\d+)%\s+\S+\s+\S+(?:\s+\d+)?\s+(.+)$", done, re.MULTILINE)
        return {name.strip(): int(percent) for percent, name in rows}


def build(work: Path, out: Path) -> None:
    """Build the image and its key."""
    key = Key(
        "ntfs.E01",
        "sfdisk, mkntfs, ntfs-3g, mkfs.fat, mtools, ewfacquire",
        "The NTFS volume's own files ($MFT, $Bitmap, ... , MFT records 16 to 23) and the FAT volume's label entry are not listed.",
        "How much of the deleted files is left was checked with ntfsundelete when the image was built.",
    )
    builder = Builder(work, key)
    builder.build()
    left = builder.recoverability()
    for row in key.entries:
        name = row["path"].rpartition("/")[2]
        if row["state"] != "allocated" and row["kind"] == "file":
            state = "intact" if left[name] == 100 else "overwritten" if left[name] == 0 else "partly overwritten"
            if state != row["recoverability"]:
                raise RuntimeError(f"{name}: {left[name]} % are left, which is not {row['recoverability']}")
    disk = blank(work / "ntfs.disk", TOTAL * SECTOR)
    partition_table(
        disk,
        "dos",
        f"start={START}, size={SECTORS}, type=7, bootable",
        f"start={CAMERA_START}, size={CAMERA_SECTORS}, type=1",
    )
    splice(disk, START * SECTOR, builder.volume.read_bytes())
    splice(disk, GAP_PICTURE, NOTABLE["gap"].data)
    camera = fat.camera(work, CAMERA_SECTORS, CAMERA_START, key, "vol2")
    splice(disk, CAMERA_START * SECTOR, camera.read_bytes())
    key.volume(1, START * SECTOR, SECTORS * SECTOR, "ntfs", "Demo")
    key.volume(2, CAMERA_START * SECTOR, CAMERA_SECTORS * SECTOR, "fat12", "CAMERA")
    key.gaps = [
        {"offset": a * SECTOR, "size": (b - a) * SECTOR}
        for a, b in ((0, START), (START + SECTORS, CAMERA_START), (CAMERA_START + CAMERA_SECTORS, TOTAL))
    ]
    key.unallocated.append(
        {
            "offset": GAP_PICTURE,
            "size": len(NOTABLE["gap"].data),
            "type": "jpeg",
            "what": "a notable picture between the partitions",
        }
        | digests(NOTABLE["gap"].data)
    )
    for path, what in {
        "vol1/Users/alex/Pictures/Holiday/IMG_0004.jpg": "a picture on the list of notable ones",
        "vol1/Users/alex/Documents/invoice.pdf": "a notable picture that wears a document's extension",
        "vol1/Users/alex/Downloads/list.txt:hidden.jpg": "a notable picture in an alternate data stream",
        "vol1/Users/alex/Pictures/Holiday/IMG_0005.jpg": "a notable picture that was deleted and is whole",
        "vol1/Users/alex/Documents/photo.jpg": "an archive that wears a picture's extension",
        "vol1/Users/alex/Downloads/readme.txt": "a program that wears a text's extension",
        "vol1/Users/alex/Downloads/setup.exe:Zone.Identifier": "the address that a program was downloaded from",
        r"vol1/Users/alex/Downloads/rtl\u202egpj.exe": "a program whose name reads backwards as a picture's",
        "vol1/$OrphanFiles/disc.jpg": "a picture whose folder's record another file has taken",
        "vol1/Users/alex/Secret/inner/three.jpg": "a picture two deleted folders deep",
        "vol1/$Recycle.Bin/S-1-5-21-1-2-3-1001/$IA1B2C3.jpg": "where a file in the recycle bin came from",
        "vol1/Users/alex/AppData/Local/Google/Chrome/User Data/Default/History": "a browser's history with two pages",
        "vol2/DCIM/100DEMO/_SC00002.JPG": "a deleted picture on the camera's volume",
    }.items():
        key.find(path, what)
    acquire(disk, out / "ntfs.E01")
    media = disk.read_bytes()
    key.write(
        out,
        {"kind": "ewf", "segments": ["ntfs.E01"]},
        media,
        scheme="mbr",
        acquisition=FACTS,
        stored_digests=["md5", "sha1"],
    )
