#!/bin/bash
# Makes F2FS volumes with the format's own tools (Debian: f2fs-tools) and compares what triage lists of them with the files that went in.
#   bench/f2fs.sh            compares: all files, by SHA-256, for several sets of features
#   bench/f2fs.sh fixture    writes tests/filesystem/f2fs.img.xz anew
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 - "$work/src" "${1:-}" <<'PY'
import os, random, sys
base, what = sys.argv[1:]
rng = random.Random(3)
small = what == "fixture"
os.makedirs(base + "/media/DCIM")
os.makedirs(base + "/data/app")
open(base + "/a.txt", "w").write("hello f2fs\n")
for n in range(4 if small else 200):
    open(f"{base}/media/DCIM/IMG_{n:04d}.JPG", "wb").write(b"\xff\xd8\xff\xe0" + bytes([n % 256]) * rng.randrange(10, 90000))
for n in range(230 if small else 30000):
    open(f"{base}/data/app/file{n:05d}.x", "wb").write(b"x%d" % n * rng.randrange(0, 20 if small else 2000))
open(base + "/data/app/big.bin", "wb").write(b"".join(b"%08d" % n for n in range((4800 << 10) // 8)))
os.symlink("../a.txt", base + "/data/link")
open(base + "/data/ünïcode name.txt", "w").write("x" * 5000)
PY
if [ "${1:-}" = fixture ]; then
    truncate -s 128M "$work/img"
    mkfs.f2fs -q -l FIXTURE -O extra_attr,inode_crtime "$work/img" > /dev/null
    sload.f2fs -f "$work/src" "$work/img" > /dev/null
    xz -9e -c "$work/img" > tests/filesystem/f2fs.img.xz
    ls -l tests/filesystem/f2fs.img.xz
    exit
fi
for features in "" extra_attr,inode_checksum,inode_crtime extra_attr,quota; do
    rm -f "$work/img"
    truncate -s 3G "$work/img"
    mkfs.f2fs -q ${features:+-O $features} "$work/img" > /dev/null
    sload.f2fs -f "$work/src" "$work/img" > /dev/null
    rm -rf "$work/case"
    begin=$(date +%s.%N)
    .venv/bin/triage run "$work/img" --case "$work/case" -q --no-report --profile quick
    end=$(date +%s.%N)
    .venv/bin/triage files "$work/case" --format jsonl | python3 -c "
import hashlib, json, os, sys
base, names = sys.argv[1], {}
for line in sys.stdin:
    row = json.loads(line)
    if row['kind'] == 'file' and row['state'] == 'allocated':
        names[row['path'].partition('/')[2]] = row['sha256']
wanted = {os.path.relpath(os.path.join(d, f), base): hashlib.sha256(open(os.path.join(d, f), 'rb').read()).hexdigest()
          for d, _, files in os.walk(base) for f in files if not os.path.islink(os.path.join(d, f))}
same = sum(names.get(path) == digest for path, digest in wanted.items())
print('${features:-plain}:', same, 'of', len(wanted), 'files the same,', round($end - $begin, 1), 's')
sys.exit(same != len(wanted) or len(names) != len(wanted))
" "$work/src"
done
