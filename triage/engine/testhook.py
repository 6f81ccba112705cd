"""A worker that goes wrong on purpose, so that the tests can see what one that goes wrong by itself costs.

``TRIAGE_TEST_HOOK=crash=NAME`` ends the worker with a segmentation fault when it touches an item whose path holds NAME; ``hang``
stops it, ``memory`` makes it grow until it may not, ``grow`` by 1 GiB, ``abort`` aborts it, ``garbage`` makes it answer with what is
not a frame. Without the variable nothing of this can happen.
"""

from __future__ import annotations

import os
import signal
import sys
import time

_HOOK = os.environ.get("TRIAGE_TEST_HOOK", "")


def touch(path: str, doing: str = "") -> None:
    """Go wrong if the variable says so; ``doing`` stands before the word of what goes wrong (``open-crash=NAME``)."""
    if not _HOOK:
        return
    for part in _HOOK.split(";"):
        what, _, name = part.partition("=")
        if not what.startswith(doing):
            continue
        what = what.removeprefix(doing)
        if not name or name not in path:
            continue
        if what == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif what == "abort":
            os.abort()
        elif what == "hang":
            time.sleep(3600)
        elif what == "memory":
            keep = []
            while True:
                keep.append(bytearray(64 << 20))
        elif what == "grow":
            grown = [b"\x01" * (64 << 20) for _ in range(16)]
            time.sleep(10)
            del grown
        elif what == "garbage":
            os.write(1, b"P" + (1 << 30).to_bytes(4, "little") + b"cos\nsystem\n")
            time.sleep(1)
            sys.exit(0)
