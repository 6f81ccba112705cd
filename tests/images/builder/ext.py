"""The ext images: ``ext4.raw``, ``ext2.raw``, and the ones whose name listing never ends."""

from __future__ import annotations

import os
import re
import shutil
import stat
from pathlib import Path
from typing import Any

from builder import material
from builder.key import Key
from builder.material import Thing
from builder.tools import EPOCH, blank, run, splice

UUID = "7ea6e001-0000-4000-8000-00000000{:04x}"
_EVIL = "../../../../tmp/evil"


class Ext:
    """An ext volume: filled by mke2fs from a folder, worked on with debugfs; no kernel, no clock."""

    def __init__(self, work: Path, key: Key, prefix: str = "vol1") -> None:
        self.work = work
        self.tree = work / "tree"
        self.tree.mkdir()
        self.key = key
        self.prefix = prefix
        self.minutes = 0
        self.path = work / "ext.volume"

    def put(self, name: str | bytes, thing: Thing, *, shown: str | None = None, later: str | None = None) -> None:
        """Lay out a file; ``shown`` is how its name is displayed if not as it is, ``later`` what it "
        "will be."""
        raw = os.fsencode(name)
        target = os.path.join(os.fsencode(self.tree), raw)  # noqa: PTH118 - a Path cannot hold these bytes
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
        with open(target, "wb") as f:  # noqa: PTH123
            f.write(thing.data)
        self._date(target)
        exact: dict[str, Any] = {} if shown is None else {"name_raw": later.encode() if later else raw.rpartition(b"/")[2]}
        self.key.add(f"{self.prefix}/{shown or os.fsdecode(raw)}", thing, **exact)

    def special(self, name: str, kind: int) -> None:
        """Lay out a FIFO or a device."""
        os.mknod(self.tree / name, kind | 0o644, os.makedev(1, 3))
        self._date(os.fsencode(self.tree / name))
        self.key.add(f"{self.prefix}/{name}", kind="special")

    def link(self, name: str, target: str) -> None:
        """Lay out a symbolic link."""
        (self.tree / name).symlink_to(target)
        self._date(os.fsencode(self.tree / name))
        self.key.add(f"{self.prefix}/{name}", kind="link", link_target=target)

    def _date(self, target: bytes) -> None:
        self.minutes += 1
        os.utime(target, (EPOCH - 86_400 + 60 * self.minutes,) * 2, follow_symlinks=False)

    def make(self, blocks: int, block: int, number: int, label: str, *options: str) -> None:
        """Make the volume of the folder."""
        for folder, names, _ in os.walk(self.tree):
            for name in names:
                path = Path(folder, name)
                if not path.is_symlink():
                    self.key.add(f"{self.prefix}/{path.relative_to(self.tree)}", kind="directory")
        for folder, _, _ in os.walk(self.tree, topdown=False):
            os.utime(folder, (EPOCH - 3600,) * 2)
        self.key.add(f"{self.prefix}/lost+found", kind="directory")
        blank(self.path, blocks * block)
        run(
            "mke2fs",
            "-q",
            "-F",
            *options,
            "-b",
            str(block),
            "-U",
            UUID.format(number),
            "-L",
            label,
            "-m",
            "0",
            "-E",
            f"hash_seed={UUID.format(number)},lazy_itable_init=0,root_owner=0:0",
            "-d",
            self.tree,
            self.path,
        )
        self._fix_times()
        shutil.rmtree(self.tree)

    def _fix_times(self) -> None:
        """Set the change times, which mke2fs took from the folder it copied."""
        last = int(self.number("Inode count")) - int(self.number("Free inodes"))
        self.debugfs(*(f"sif <{inode}> {field} @{EPOCH:#x}" for inode in range(2, last + 1) for field in ("ctime", "crtime", "atime")))

    def number(self, name: str) -> str:
        """Return a line of the superblock, as dumpe2fs tells it."""
        found = re.search(rf"^{name}:\s*(\d+)", run("dumpe2fs", "-h", self.path), re.MULTILINE)
        if found is None:
            raise RuntimeError(f"no {name}")
        return found[1]

    def debugfs(self, *commands: str, write: bool = True) -> str:
        """Run debugfs commands."""
        script = self.work / "commands"
        script.write_text("\n".join(commands) + "\n")
        return run("debugfs", *(["-w"] if write else []), "-f", script, self.path)

    def blocks(self, inode: str) -> list[int]:
        """Return an inode's data blocks."""
        return [int(b) for b in self.debugfs(f"blocks {inode}", write=False).splitlines()[-1].split()]

    def inode(self, name: str) -> str:
        """Return a file's inode number as debugfs writes it."""
        found = re.search(r"Inode: (\d+)", self.debugfs(f'stat "{name}"', write=False))
        if found is None:
            raise RuntimeError(f"no {name}")
        return f"<{found[1]}>"

    def write(self, name: str, thing: Thing) -> None:
        """Add a file to the volume as it is."""
        source = self.work / "source"
        source.write_bytes(thing.data)
        self.debugfs(f'write {source} "{name}"')
        self.debugfs(*(f'sif "{name}" {field} @{EPOCH:#x}' for field in ("ctime", "crtime", "atime", "mtime")))
        self.key.add(f"{self.prefix}/{name}", thing)

    def delete(self, name: str, *, as_kernel: bool = False) -> None:
        """Delete a file. debugfs leaves the block list; ``as_kernel`` empties it, as Linux does on ext4."""
        inode = self.inode(name)
        self.debugfs(f'rm "{name}"', f"sif {inode} ctime @{EPOCH:#x}", f"sif {inode} dtime @{EPOCH:#x}")
        if as_kernel:
            self.debugfs(
                f"sif {inode} size 0",
                f"sif {inode} blocks 0",
                f"sif {inode} block[0] 0xf30a",
                *(f"sif {inode} block[{i}] 0" for i in range(2, 15)),
            )


def _common(ext: Ext) -> None:
    ext.put("home/sam/notes.txt", material.text("Meet at the boathouse.\n"))
    ext.put("home/sam/picture.jpg", material.picture(301))
    ext.put("home/sam/long.log", material.log(302, 40_000))
    ext.put("home/sam/empty", material.EMPTY)
    os.link(ext.tree / "home/sam/notes.txt", ext.tree / "home/sam/notes again.txt")
    ext.key.add(
        f"{ext.prefix}/home/sam/notes again.txt",
        material.text("Meet at the boathouse.\n"),
        hard_link_of=f"{ext.prefix}/home/sam/notes.txt",
    )
    ext.link("home/sam/short link", "notes.txt")
    ext.link(
        "home/sam/long link",
        "/a target/that is too long/for the sixty bytes/in the inode/and has/a block of its own",
    )
    ext.link("home/sam/way out", "../../../../../../etc/passwd")
    ext.special("home/sam/pipe", stat.S_IFIFO)
    ext.special("home/sam/null", stat.S_IFCHR)


def ext4(work: Path, out: Path) -> None:
    """Build ``ext4.raw``: hostile names, links, devices, deleted files, 1 KiB blocks."""
    key = Key(
        "ext4.raw",
        "mke2fs -d, debugfs; one name patched in its directory block",
        "Written without a kernel: no journal, no metadata checksums.",
        "as the kernel deletes.jpg: its name is left, its inode is emptied; nothing can be said of its content.",
        "The name ../../../../tmp/evil holds slashes, which no kernel would write: extraction must not follow it.",
    )
    ext = Ext(work, key)
    _common(ext)
    bad = "home/sam/hostile/"
    ext.put(bad + "line\nbreak.txt", material.text("newline\n"), shown=bad + r"line\x0abreak.txt")
    ext.put(bad + "\x1b[2J\x1b[31mred.txt", material.text("escape\n"), shown=bad + r"\x1b[2J\x1b[31mred.txt")
    ext.put(
        bad.encode() + b"latin \xe9t\xe9.txt",
        material.text("not UTF-8\n"),
        shown=bad + r"latin \xe9t\xe9.txt",
    )
    ext.put(bad + "bell\x07 \x7f.txt", material.text("bell\n"), shown=bad + r"bell\x07 \x7f.txt")
    ext.put(bad + "rtl \u202egpj.exe", material.program(310), shown=bad + r"rtl \u202egpj.exe")
    ext.put(bad + "<img src=x onerror=alert(1)>.png", material.picture(311, "png", (48, 32)))
    ext.put(bad + "=HYPERLINK(0)\t.csv", material.text("a,b\n"), shown=bad + r"=HYPERLINK(0)\x09.csv")
    ext.put(bad + "back\\x41slash.txt", material.text("backslash\n"))
    ext.put(bad + "; rm -rf $HOME; `id` .sh", Thing(b"#!/bin/sh\necho test material\n", "script"))
    ext.put(bad + "-rf", material.text("looks like an option\n"))
    ext.put(bad + "n" * 255, material.text("255 characters\n"))
    placeholder = _EVIL.replace("/", "Z")
    ext.put(
        bad + placeholder,
        material.text("a name that climbs\n"),
        shown=bad + _EVIL.replace("/", "\\x2f"),
        later=_EVIL,
    )
    for name, thing in {
        "deleted.jpg": material.picture(320),
        "gone.txt": material.text("deleted\n"),
        "as the kernel deletes.jpg": material.picture(321),
        "partly.bmp": material.picture(322, "bmp", (96, 64)),
        "covered.zip": material.archive({"a.bin": material.noise(323, 9000).data}),
    }.items():
        ext.put(f"home/sam/{name}", thing)
    ext.put("var/log/boot.log", material.log(324, 900))
    for number in (1, 2):
        ext.put(f"home/sam/folder/inner {number}.jpg", material.picture(330 + number))
    ext.make(
        1000,
        1024,
        4,
        "DEMOEXT4",
        "-t",
        "ext4",
        "-O",
        "^has_journal,^metadata_csum,^64bit,^resize_inode,^orphan_file",
        "-N",
        "96",
    )
    place = ext.path.read_bytes().index(placeholder.encode())
    splice(ext.path, place, _EVIL.encode())
    _overwrite(ext)
    for name in ("home/sam/deleted.jpg", "home/sam/gone.txt"):
        ext.delete(name)
        _gone(key, name)
    ext.delete("home/sam/as the kernel deletes.jpg", as_kernel=True)
    _gone(key, "home/sam/as the kernel deletes.jpg", "unknown")
    for number in (1, 2):
        ext.delete(f"home/sam/folder/inner {number}.jpg")
        _gone(key, f"home/sam/folder/inner {number}.jpg")
    ext.debugfs('rmdir "home/sam/folder"')
    _gone(key, "home/sam/folder")
    key.find("vol1/home/sam/deleted.jpg", "a deleted picture that is whole")
    key.find("vol1/home/sam/hostile/..\\x2f..\\x2f..\\x2f..\\x2ftmp\\x2fevil", "a name that holds slashes")
    _finish(ext, out, "ext4", "DEMOEXT4")


def _gone(key: Key, name: str, recoverability: str = "intact") -> None:
    """Turn an entry of the key into a deleted one."""
    row = next(r for r in key.entries if r["path"] == f"vol1/{name}")
    row["state"] = "deleted"
    if row["kind"] != "directory":
        row["recoverability"] = recoverability
    if recoverability != "intact":
        for digest in ("md5", "sha1", "sha256", "type"):
            row[f"original_{digest}"] = row.pop(digest)
        del row["extension_mismatch"]
    if recoverability == "unknown":
        row |= {"original_size": row["size"], "size": 0}


def _overwrite(ext: Ext) -> None:
    """Delete two files and have new ones take their blocks: all of one's, some of the other's."""
    inodes = []
    for victim, share, writer, state in (
        ("home/sam/covered.zip", 1.0, "var/log/cover.log", "overwritten"),
        ("home/sam/partly.bmp", 0.4, "var/log/part.log", "partly overwritten"),
    ):
        before = ext.blocks(ext.inode(victim))
        count = int(len(before) * share)
        kept = [b for b in _free(ext) if b not in before] + before[count:]
        inodes.append(ext.inode(victim))
        ext.delete(victim)
        # What must not be taken is marked as used meanwhile, the victims' inodes too.
        ext.debugfs(*(f"seti {i}" for i in inodes), *(f"setb {b}" for b in kept))
        ext.write(writer, material.log(340 + count, count * 1024 - 100))
        ext.debugfs(*(f"freei {i}" for i in inodes), *(f"freeb {b}" for b in kept))
        owned = set(ext.blocks(ext.inode(writer))) & set(before)
        if len(owned) != count:
            raise RuntimeError(f"{victim}: {len(owned)} of {len(before)} blocks are taken, not {count}")
        _gone(ext.key, victim, state)


def _free(ext: Ext) -> list[int]:
    """Return the free blocks, as dumpe2fs tells them."""
    found: list[int] = []
    for line in re.findall(r"^  Free blocks: (.*)$", run("dumpe2fs", ext.path), re.MULTILINE):
        for first, last in re.findall(r"(\d+)(?:-(\d+))?", line):
            found += range(int(first), int(last or first) + 1)
    return found


def ext2(work: Path, out: Path) -> None:
    """Build ``ext2.raw``: block lists with an indirect block, deleted files that keep theirs."""
    key = Key("ext2.raw", "mke2fs -d, debugfs", "Written without a kernel.")
    ext = Ext(work, key)
    _common(ext)
    for name, thing in {
        "deleted.png": material.picture(351, "png"),
        "deleted long.log": material.log(352, 30_000),
    }.items():
        ext.put(f"home/sam/{name}", thing)
    ext.make(400, 1024, 2, "DEMOEXT2", "-t", "ext2", "-O", "^resize_inode", "-N", "48")
    for name in ("home/sam/deleted.png", "home/sam/deleted long.log"):
        ext.delete(name)
        _gone(key, name)
    key.find("vol1/home/sam/deleted.png", "a deleted picture that is whole")
    _finish(ext, out, "ext2", "DEMOEXT2")


def _finish(ext: Ext, out: Path, file_system: str, label: str) -> None:
    media = ext.path.read_bytes()
    ext.key.volume(1, 0, len(media), file_system, label)
    shutil.copyfile(ext.path, out / ext.key.image)
    ext.key.write(out, {"kind": "raw", "segments": [ext.key.image]}, media, scheme="none")
