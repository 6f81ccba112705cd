"""Make the ext4 image with encrypted folders of ``tests/filesystem/fscrypt.img.xz`` anew. Needs root, mkfs.ext4 and a kernel with fscrypt.

``python bench/fscrypt.py OUT.img``. Keys and contents are the same every time; times and the salts that the kernel makes are not.
Format of the two calls: Linux kernel documentation, *Filesystem-level encryption (fscrypt)*, "FS_IOC_ADD_ENCRYPTION_KEY" and
"FS_IOC_SET_ENCRYPTION_POLICY".
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ADD_KEY, SET_POLICY = 0xC0506617, 0x800C6613


def fill(root: Path) -> None:
    """Make an encrypted folder with pictures and a link, and a text beside it."""
    top = os.open(root, os.O_RDONLY)
    key = bytearray(struct.pack("<II32sII32x", 2, 0, b"", 64, 0) + bytes(range(64)))
    fcntl.ioctl(top, ADD_KEY, key, True)
    folder = root / "data"
    folder.mkdir()
    inside = os.open(folder, os.O_RDONLY)
    # Version 2; AES-256-XTS for contents, AES-256-CBC-CTS for names, which are filled up to 32 bytes.
    fcntl.ioctl(inside, SET_POLICY, bytearray(struct.pack("<BBBBB3x16s", 2, 1, 4, 3, 0, bytes(key[8:24]))), True)
    (folder / "media").mkdir()
    for number in range(20):
        (folder / "media" / f"picture{number:03}.jpg").write_bytes(bytes(range(100)) + b"x" * 5000)
    (folder / "link").symlink_to("/etc/secret")
    (root / "plain.txt").write_text("plain")
    os.close(inside)
    os.close(top)


def main() -> None:
    out = Path(sys.argv[1])
    with out.open("wb") as image:
        image.truncate(1 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-b", "1024", "-N", "64", "-O", "encrypt,^has_journal", out], check=True)
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["mount", "-o", "loop", out, place], check=True)
        try:
            fill(Path(place))
        finally:
            subprocess.run(["umount", place], check=True)


if __name__ == "__main__":
    main()
