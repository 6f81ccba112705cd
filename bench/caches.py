"""A browser's cache of a gigabyte: how long it takes until every body is an entry, hashed and typed, on one core.

python bench/caches.py [--mib 1024] [--folder DIR] [--entries 30000]

A cache of block files is made (bodies of 1 KiB to 1 MiB, most of them small, a third gzip), put into an ext4 image (needs mkfs.ext4) and
examined by ``triage run --jobs 1``; each body is then held against the one that was put in. The goal is 30 seconds a gigabyte.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "plugins"))
from cache_makers import blockfile

GOAL = 30.0


def bodies(mib: int, count: int) -> list[tuple[str, dict[str, str], bytes, str]]:
    """Return addresses, headers, bodies as they are kept, and the MD5 of what they hold."""
    rng = random.Random(1)
    mean = (mib << 20) / count
    found = []
    for number in range(count):
        size = int(min(max(rng.expovariate(1 / mean), 1024), 16 << 20))
        kind = number % 3
        if kind == 0:
            plain = (b"%d some words of a page " % number) * (4 * size // 24)
            packed = gzip.compress(plain, 1, mtime=0)
            if len(packed) < size:  # pages shrink: fill up with what does not
                plain += rng.randbytes(size - len(packed))
                packed = gzip.compress(plain, 1, mtime=0)
            headers = {"Content-Type": "text/html", "Content-Encoding": "gzip"}
            found.append((f"https://site{number % 97}.example/page/{number}", headers, packed, hashlib.md5(plain).hexdigest()))
        else:
            body = b"\xff\xd8\xff\xe0" + rng.randbytes(size)
            url = f"https://cdn{number % 31}.example/p/{number}.jpg"
            found.append((url, {"Content-Type": "image/jpeg"}, body, hashlib.md5(body).hexdigest()))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--entries", type=int, default=30_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if shutil.which("mkfs.ext4") is None:
        print("mkfs.ext4 is not installed (Debian: e2fsprogs): nothing was measured")
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        cache = folder / "root" / "home" / "kim" / ".config" / "google-chrome" / "Default" / "Cache"
        cache.mkdir(parents=True)
        made = bodies(options.mib, options.entries)
        for file, data in blockfile([(url, headers, body) for url, headers, body, _ in made]).items():
            (cache / file).write_bytes(data)
        wanted = {digest for *_, digest in made}
        size = sum(len(body) for _, _, body, _ in made)
        image = folder / "image.raw"
        with image.open("wb") as stream:
            stream.truncate(size + size // 4 + (256 << 20))
        subprocess.run(["mkfs.ext4", "-q", "-N", str(options.entries * 2 + 10_000), "-d", folder / "root", image], check=True)
        shutil.rmtree(folder / "root")
        del made
        profile = folder / "cache.yaml"
        profile.write_text("schema: 1\nname: cache\nextends: full\ncarve: {from: [none]}\ncompare: {pictures: false, videos: false}\n")
        case = folder / "case"
        command = [sys.executable, "-m", "triage", "run", image, "--case", case, "--jobs", "1", "--quiet", "--profile", profile]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        took = time.perf_counter() - start
        assert done.returncode == 0, done.stderr
        listed = subprocess.run([sys.executable, "-m", "triage", "files", case, "--where", "kind=cached", "--format", "jsonl"],
                                capture_output=True, text=True, check=True)  # fmt: skip
        found = {json.loads(line)["md5"] for line in listed.stdout.splitlines()}
        verdict = "ok" if took <= GOAL * size / (1 << 30) else "FELL SHORT"
        print(f"{size >> 20:,} MiB in {options.entries:,} entries: {took:.1f} s on one core ({verdict}, goal {GOAL:g} s a GiB)")
        print(f"    {len(found & wanted):,} of {len(wanted):,} bodies found with their bytes, {len(found - wanted):,} others")


if __name__ == "__main__":
    main()
