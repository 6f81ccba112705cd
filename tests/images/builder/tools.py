"""The Debian tools that do the writing, run under a clock that stands still."""

from __future__ import annotations

import os
import struct
import subprocess
import time
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOCK = "2024-05-01 10:00:00"
EPOCH = 1_714_557_600
"""``CLOCK`` in seconds since 1970."""
_GUID = bytes(range(16))


def _environment() -> dict[str, str]:
    faketime = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if faketime is None:
        raise SystemExit("libfaketime is missing: apt-get install faketime")
    return os.environ | {
        "LD_PRELOAD": str(faketime),
        "FAKETIME": CLOCK,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "MTOOLS_SKIP_CHECK": "1",
        "E2FSPROGS_FAKE_TIME": str(EPOCH),
        "MKE2FS_DETERMINISTIC": "1",
    }


def run(*arguments: str | Path, data: bytes | None = None, clock: bool = True) -> str:
    """Run a tool and return what it says; raise ``RuntimeError`` with its complaint when it fails."""
    done = subprocess.run(
        [str(a) for a in arguments],
        input=data,
        capture_output=True,
        timeout=120,
        check=False,
        env=_environment() if clock else None,
    )
    if done.returncode:
        raise RuntimeError(f"{arguments}: {done.stderr.decode(errors='replace') or done.stdout.decode(errors='replace')}")
    return done.stdout.decode(errors="replace")


@contextmanager
def mounted(driver: list[str], source: Path | str, where: Path) -> Iterator[Path]:
    """Mount with a FUSE driver under the fixed clock; at the end, wait until it has written all."""
    where.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [*driver, str(source), str(where)],
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            if where.is_mount():
                break
            if process.poll() is not None:
                raise RuntimeError(f"{driver[0]} could not mount {source}")
            time.sleep(0.05)
        yield where
    finally:
        if where.is_mount():
            subprocess.run(["umount", str(where)], check=True, timeout=60)
        process.wait(60)


@contextmanager
def loop_device(image: Path) -> Iterator[str]:
    """Attach a loop device to a file."""
    device = run("losetup", "--show", "-f", image, clock=False).strip()
    try:
        yield device
    finally:
        run("losetup", "-d", device, clock=False)


def blank(path: Path, size: int) -> Path:
    """Make a file of zeros."""
    path.unlink(missing_ok=True)
    with path.open("wb") as f:
        f.truncate(size)
    return path


def splice(image: Path, offset: int, data: bytes) -> None:
    """Write bytes into an image."""
    with image.open("r+b") as f:
        f.seek(offset)
        f.write(data)


def partition_table(image: Path, label: str, *lines: str) -> None:
    """Write an MBR (``dos``) with sfdisk's lines."""
    script = f"label: {label}\nlabel-id: 0x7ea6e001\nunit: sectors\n" + "\n".join(lines) + "\n"
    run("sfdisk", "--quiet", "--no-reread", "--wipe", "never", image, data=script.encode(), clock=False)


FACTS = {
    "case_number": "DEMO-2024-001",
    "evidence_number": "EX-1",
    "description": "Built-in test image",
    "examiner_name": "Test Examiner",
    "notes": "<script>alert(1)</script>",
}
"""Acquisition facts of every E01 here. The notes are hostile on purpose: a report must not run them."""


def acquire(raw: Path, target: Path, *, segment: str = "1.4 GiB", level: str = "best") -> list[Path]:
    """Write an E01 with ewfacquire and return its segments; the set identifier is replaced by a fixed one."""
    stem = target.with_suffix("")
    for old in stem.parent.glob(f"{stem.name}.E0?"):
        old.unlink()
    run(
        "ewfacquire",
        "-u",
        "-q",
        "-t",
        stem,
        "-c",
        f"deflate:{level}",
        "-d",
        "sha1",
        "-f",
        "encase6",
        "-m",
        "fixed",
        "-M",
        "physical",
        "-C",
        FACTS["case_number"],
        "-E",
        FACTS["evidence_number"],
        "-D",
        FACTS["description"],
        "-e",
        FACTS["examiner_name"],
        "-N",
        FACTS["notes"],
        "-S",
        segment,
        raw,
    )
    segments = sorted(stem.parent.glob(f"{stem.name}.E0?"))
    for part in segments:
        _fix_identifier(part)
    return segments


def _fix_identifier(segment: Path) -> None:
    data = bytearray(segment.read_bytes())
    place = 13
    while True:
        name, following = (
            bytes(data[place : place + 16]).rstrip(b"\0"),
            struct.unpack_from("<Q", data, place + 16)[0],
        )
        if name in {b"volume", b"data", b"disk"}:
            body = place + 76
            data[body + 64 : body + 80] = _GUID
            struct.pack_into("<I", data, body + 1048, zlib.adler32(data[body : body + 1048]))
        if name in {b"done", b"next"} or following <= place:
            break
        place = following
    segment.write_bytes(data)
