#!/bin/bash
# Makes virtual disks of every kind that QEMU writes (Debian: qemu-utils) and compares the bytes that triage reads with the raw disk.
#   bench/virtual_disks.sh            compares disks of 256 MiB by SHA-256, with the time each takes
#   bench/virtual_disks.sh fixture    writes tests/evidence/virtual_disks.tar.xz anew: small ones
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 - "${1:-}" <<'PY'
import random, sys
small = sys.argv[1] == "fixture"
size = (3 << 20) + (12 << 10) if small else 256 << 20
rng, disk = random.Random(3), bytearray(size)
for n in range(60 if small else 2000):
    at = rng.randrange(size - 9000)
    disk[at : at + 4096] = (b"%06d, " % n * 1000)[:4096] if n % 3 else (rng.randbytes(64) * 64 if small else rng.randbytes(4096))
open("base.raw", "wb").write(disk)
PY
convert() { # file options...
    local file=$1
    shift
    qemu-img convert -f raw "$@" base.raw "$file"
}
convert plain.qcow2 -O qcow2
convert old.qcow2 -O qcow2 -o compat=0.10
convert packed.qcow2 -O qcow2 -c
convert zstd.qcow2 -O qcow2 -c -o compression_type=zstd
convert subclusters.qcow2 -O qcow2 -o extended_l2=on,cluster_size=64k
convert tiny.qcow2 -O qcow2 -o cluster_size=512
convert first.qcow -O qcow
convert firstpacked.qcow -O qcow -c || true # says that it failed, and has not
for form in monolithicSparse monolithicFlat twoGbMaxExtentSparse twoGbMaxExtentFlat streamOptimized; do
    convert "$form.vmdk" -O vmdk -o subformat=$form
done
convert fixed.vhd -O vpc -o subformat=fixed,force_size
convert dynamic.vhd -O vpc -o subformat=dynamic,force_size
convert dynamic.vhdx -O vhdx -o block_size=1M
convert dynamic.vdi -O vdi
convert fixed.vdi -O vdi -o static=on
qemu-img create -q -f qcow2 -b plain.qcow2 -F qcow2 child.qcow2
qemu-img create -q -f qcow2 -b child.qcow2 -F qcow2 grandchild.qcow2
qemu-img create -q -f vmdk -b monolithicSparse.vmdk -F vmdk child.vmdk
qemu-img create -q -f qcow2 -b base.raw -F raw onraw.qcow2
for file in child.qcow2 child.vmdk onraw.qcow2; do qemu-io -c "write -P 7 1M 128k" $file > /dev/null; done
qemu-io -c "write -P 8 2M 64k" grandchild.qcow2 > /dev/null
qemu-img snapshot -c "before cleaning" old.qcow2
if [ "${1:-}" = fixture ]; then
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@1700000000 -S -cf - ./* | xz -9e > "$root/tests/evidence/virtual_disks.tar.xz"
    ls -l "$root/tests/evidence/virtual_disks.tar.xz"
    exit
fi
"$root/.venv/bin/python" - <<'PY'
import hashlib, time
from pathlib import Path
from triage.errors import EvidenceError
from triage.evidence.opening import open_evidence

base = bytearray(Path("base.raw").read_bytes())
changed = {"child.qcow2": [(1 << 20, 7, 128 << 10)], "child.vmdk": [(1 << 20, 7, 128 << 10)], "onraw.qcow2": [(1 << 20, 7, 128 << 10)],
           "grandchild.qcow2": [(1 << 20, 7, 128 << 10), (2 << 20, 8, 64 << 10)]}
wrong = 0
for path in sorted(Path().iterdir()):
    if path.name == "base.raw" or "-flat" in path.name or "-f0" in path.name or "-s0" in path.name:
        continue
    begin, digest = time.perf_counter(), hashlib.sha256()
    _, medium, _ = open_evidence(path.resolve())
    for at in range(0, medium.size, 1 << 20):
        digest.update(medium.read_at(at, 1 << 20))
    wanted = bytearray(base)
    for at, byte, length in changed.get(path.name, ()):
        wanted[at : at + length] = bytes([byte]) * length
    same = digest.hexdigest() == hashlib.sha256(wanted).hexdigest()
    wrong += not same
    seconds = time.perf_counter() - begin
    print(f"{path.name}: {'the same' if same else 'OTHER BYTES'}, {medium.size / 2**20 / seconds:.0f} MiB/s")
raise SystemExit(bool(wrong))
PY
