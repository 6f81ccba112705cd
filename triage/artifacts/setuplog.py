"""Windows' logs of the installation of devices (``setupapi.dev.log``, ``setupapi.setup.log``, to Windows XP ``setupapi.log``).

Format: Microsoft, "SetupAPI Text Logs" and "Troubleshooting Device Installation with the SetupAPI Log File". From Vista on a section begins
with ``>>>  [what it does - device]`` and ``>>>  Section start``, and ends with ``<<<  [Exit status: …]``. Before, it begins with
``[date time process.thread what it does]``, and its lines have numbers (``#I121 Device install of "…" finished successfully.``). Times
are local ones.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKS = re.compile(
    rb"^>>>  \[(?P<what>[^\r\n]{1,2000})\]\s*$"
    rb"|^>>>  Section start (?P<start>[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,3})?)"
    rb"|^<<<  \[Exit status: (?P<status>[^\r\n]{1,200})\]"
    rb"|^     set: (?P<setup>[^\r\n]{1,1000}) -> Configured"
    rb"|^\[(?P<old>[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) [0-9.]{1,20}[^\r\n]{0,200}\]"
    rb'|^#I12[13] [^"\r\n]{1,100}"(?P<full>[^"\r\n]{1,1000})"',
    re.MULTILINE,
)
_DEVICE = re.compile(r" - ([A-Za-z][A-Za-z0-9_]*\\.+)")
_INSTALLS = ("device install", "setup online device install")


class Setup(NamedTuple):
    """A device that was set up, or taken off the list. ``time``: ISO 8601 without a zone, local; ``failed``: how it ended, if not well."""

    instance: str
    time: str
    deleted: bool = False
    failed: str = ""
    during_setup: bool = False


def read_setups(data: bytes) -> Iterator[Setup]:
    """Yield each section that sets up a device or deletes one, in the order of the log."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", "replace").encode("utf-8", "replace")
    instance, deleted, time = "", False, ""
    for found in _MARKS.finditer(data):
        kind = found.lastgroup
        text = found[found.lastgroup or 0].decode("utf-8", "replace")
        if kind == "what":
            if instance and time:  # a section that was not closed
                yield Setup(instance, time, deleted)
            instance, deleted, time = "", False, ""
            words, device = text.lower(), _DEVICE.search(text)
            if device and words.startswith(("delete device", "device uninstall")):
                instance, deleted = device[1], True
            elif device and words.startswith(_INSTALLS):
                instance = device[1]
        elif kind in ("start", "old"):
            time = _iso(text)
        elif kind == "status":
            if instance and time:
                yield Setup(instance, time, deleted, "" if text.upper().startswith("SUCCESS") else text)
            instance = ""
        elif time:
            yield Setup(text, time, during_setup=kind == "setup")
    if instance and time:
        yield Setup(instance, time, deleted)


def _iso(text: str) -> str:
    """Return a local time in ISO 8601, without a zone."""
    day, _, clock = text.partition(" ")
    return f"{day.replace('/', '-')}T{clock}"
