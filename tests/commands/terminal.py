"""Commands on a terminal: a pseudo-terminal of 80 columns, and what a person's terminal would be sent."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# ECMA-48: CSI sequences; strings (OSC, DCS, APC, PM, SOS) up to their end; single-character ones; the same as C1 controls.
SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x9b[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -~]"
)


def on_terminal(arguments: Sequence[str], *, columns: int = 80, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run ``triage ARGUMENTS`` on a pseudo-terminal; return its exit code and all that it sent there."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    own = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR", "TRIAGE_DEBUG")}
    process = subprocess.Popen(
        [sys.executable, "-m", "triage", *arguments], stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
        env={**own, "TERM": "xterm-256color", "PYTHONUTF8": "1", **(environment or {})})
    os.close(theirs)
    sent = bytearray()
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # Linux: the other end is closed
            break
        if not piece:
            break
        sent += piece
    os.close(ours)
    return process.wait(timeout=60), sent.decode("utf-8")


def sequences(sent: str) -> set[str]:
    """Return the control sequences in what was sent."""
    return set(SEQUENCE.findall(sent))


def words(sent: str) -> str:
    """Return what was sent without control sequences and a terminal's line ends."""
    return SEQUENCE.sub("", sent).replace("\r\n", "\n").replace("\r", "")
