"""Build the test images, their answer keys and the lists that go with them.

    python tests/images/build.py [--out DIR] [NAME...]

Needs root on Debian with: mtools dosfstools ntfs-3g exfatprogs exfat-fuse e2fsprogs genisoimage gdisk fdisk
ewf-tools faketime; and Python with Pillow and PyYAML. Seeds, serial numbers and clock are fixed, so that the same tools
write the same bytes. Without ``--out`` it writes into its own folder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from builder import exfat, ext, fat, hfsplus, lists, ntfs, others

IMAGES = {
    "ntfs": ntfs.build,
    "ext4": ext.ext4,
    "ext2": ext.ext2,
    "fat32": fat.fat32,
    "fat12": fat.fat12,
    "exfat": exfat.build,
    "hfsplus": hfsplus.build,
    "iso9660": others.iso,
    "gpt": others.gpt,
    "split": others.split,
    "split-ewf": others.split_ewf,
    "fat-orphans": others.orphans,
    "damaged-mbr": others.damaged,
    "minhang": others.fixtures,
    "lists": lists.build,
}


def main() -> None:
    """Build what the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="where to write")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(IMAGES)}; all when none is named")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or IMAGES:
        with tempfile.TemporaryDirectory(prefix="images-") as work:
            IMAGES[name](Path(work), arguments.out)
        print(name)
    lists.manifest(arguments.out)


if __name__ == "__main__":
    main()
