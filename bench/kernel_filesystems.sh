#!/bin/bash
# Makes volumes of file systems that Linux mounts and TSK does not read, and compares what triage lists with the files that went in.
# Needs root, loop devices and mkfs (Debian: xfsprogs, btrfs-progs).
#   bench/kernel_filesystems.sh xfs            compares: all files, by SHA-256, for several sets of features
#   bench/kernel_filesystems.sh btrfs          the same for Btrfs, with each way of packing
#   bench/kernel_filesystems.sh xfs fixture    writes tests/filesystem/xfs.img.xz anew (btrfs: btrfs.img.xz)
set -euo pipefail
cd "$(dirname "$0")/.."
kind=$1
work=$(mktemp -d)
trap 'mountpoint -q "$work/mnt" && umount "$work/mnt"; rm -rf "$work"' EXIT
mkdir "$work/mnt"
export TEST_DIR=1 TEST_DEV=1 QA_CHECK_FS=1 # mkfs.xfs makes small volumes only for who tests it
fill() {
    python3 - "$work/mnt" "$1" <<'PY'
import os, random, sys
os.chdir(sys.argv[1])
small = sys.argv[2] == "small"
rng = random.Random(1)
os.makedirs("notes/deep/er")
os.makedirs("many")
open("notes/hello.txt", "w").write("hello from here\n")
open("notes/deep/er/ü\U0001f600.bin", "wb").write(rng.randbytes(9000) * 8)
for n in range(400 if small else 30000):
    open(f"many/file {n:05d} with a name that is long enough to fill blocks.txt", "wb").write(
        b"%d" % n if small else b"%d " % n * rng.randrange(3000))
with open("sparse", "wb") as file:
    file.seek(300000)
    file.write(b"end")
os.symlink("../notes/hello.txt", "many/link")
os.symlink("x" * 700, "longlink")
os.link("notes/hello.txt", "many/hard")
os.mkfifo("pipe")
os.setxattr("notes/hello.txt", "user.xdg.origin.url", b"https://origin.example/hello.txt")
open("gone.txt", "w").write("gone")
os.remove("gone.txt")
for n, path in enumerate(("notes/hello.txt", "sparse")):
    os.utime(path, ns=(1600000000123456789 + n, 1500000000987654321 + n))
os.chmod("sparse", 0o640)
os.chown("sparse", 1001, 1002)
if not small:
    with open("scattered", "wb") as file:  # in many pieces
        for n in range(2000):
            file.seek(rng.randrange(4000) * 8192)
            file.write(rng.randbytes(4096))
PY
}
make_volume() { # size options...
    rm -f "$work/img"
    truncate -s "$1" "$work/img"
    shift
    case $kind in
    xfs) mkfs.xfs -q -L fieldnotes "$@" "$work/img" ;;
    btrfs) mkfs.btrfs -q -L fieldnotes "$@" "$work/img" > /dev/null 2>&1 ;;
    esac
}
if [ "${2:-}" = fixture ]; then
    case $kind in xfs) make_volume 40M -d agcount=2 ;; btrfs) make_volume 120M ;; esac
    mount -o "loop$([ "$kind" = btrfs ] && echo ,compress=zstd)" "$work/img" "$work/mnt"
    fill small
    if [ "$kind" = btrfs ]; then
        btrfs -q subvolume create "$work/mnt/sub"
        cp -a "$work/mnt/notes" "$work/mnt/sub/"
        cp --reflink=always "$work/mnt/notes/deep/er/"*.bin "$work/mnt/reflink"
        head -c 200000 /dev/zero | tr '\0' t > "$work/mnt/packs-well.txt"
        sync
        btrfs -q subvolume snapshot -r "$work/mnt/sub" "$work/mnt/before"
        btrfs -q subvolume snapshot -r "$work/mnt" "$work/mnt/whole"
        echo changed > "$work/mnt/sub/notes/hello.txt"
        head -c 30000 /dev/zero | tr '\0' s > "$work/mnt/sub/secret.txt"
        sync
        rm "$work/mnt/sub/secret.txt"
    fi
    umount "$work/mnt"
    xz -9e -c "$work/img" > "tests/filesystem/$kind.img.xz"
    ls -l "tests/filesystem/$kind.img.xz"
    exit
fi
case $kind in
xfs) sets=("" "-b size=1024 -n size=4096" "-m bigtime=0,reflink=0,finobt=0") options=(defaults defaults defaults) ;;
btrfs) sets=("" "-m single" "--nodesize 65536" "-O ^no-holes" "") options=(defaults compress=zlib compress=zstd compress=lzo "compress-force=zstd") ;;
esac
for n in "${!sets[@]}"; do
    # shellcheck disable=SC2086
    make_volume 3G ${sets[n]}
    mount -o "loop,${options[n]}" "$work/img" "$work/mnt"
    fill large
    umount "$work/mnt"
    mount -o loop,ro "$work/img" "$work/mnt"
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
          for d, _, files in os.walk(base) for f in files if os.path.isfile(os.path.join(d, f)) and not os.path.islink(os.path.join(d, f))}
same = sum(names.get(path) == digest for path, digest in wanted.items())
print('$kind ${sets[n]:-plain} ${options[n]}:', same, 'of', len(wanted), 'files the same,', round($end - $begin, 1), 's')
for path in [p for p in wanted if names.get(p) != wanted[p]][:5]: print('  differs:', path)
sys.exit(same != len(wanted) or len(names) != len(wanted))
" "$work/mnt"
    umount "$work/mnt"
done
