"""pytsk3 alone on one image: every name it gives and every error it raises, as JSON. What ``bench/mutants.py --raw`` compares with.

Guarded as a careful script would be: each directory once, at most 255 deep, names counted up to a bound.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pytsk3

MOST = 200_000


def walk(fs: Any, offset: int, names: list[str], errors: list[str]) -> None:
    """Walk one file system."""
    root = int(fs.info.root_inum)
    stack = [(root, f"{offset}", 0)]
    visited = {root}
    while stack and len(names) < MOST:
        address, path, depth = stack.pop()
        try:
            for file in fs.open_dir(inode=address):
                name = file.info.name
                text = (name.name or b"").decode("utf-8", "backslashreplace")
                if text in (".", ".."):
                    continue
                meta = file.info.meta
                names.append(f"{path}/{text}")
                if meta is not None and int(meta.type) == 2 and int(name.flags) & 1 and depth < 255 and int(meta.addr) not in visited:
                    visited.add(int(meta.addr))
                    stack.append((int(meta.addr), f"{path}/{text}", depth + 1))
        except OSError as error:
            errors.append(f"{path}: {str(error)[:200]}")


def main() -> None:
    """Walk the image on the command line."""
    image = pytsk3.Img_Info(sys.argv[1], pytsk3.TSK_IMG_TYPE_RAW)
    names: list[str] = []
    errors: list[str] = []
    offsets = [0]
    try:
        table = pytsk3.Volume_Info(image)
        offsets = [int(p.start) * int(table.info.block_size) for p in table if int(p.flags) == 1]
    except OSError:
        pass
    volumes = 0
    for offset in offsets:
        try:
            fs = pytsk3.FS_Info(image, offset=offset)
        except OSError as error:
            errors.append(f"{offset}: {str(error)[:200]}")
            continue
        volumes += 1
        walk(fs, offset, names, errors)
    json.dump({"names": names, "errors": errors, "volumes": volumes, "ended": "done"}, sys.stdout)


if __name__ == "__main__":
    main()
