"""Names of YAFFS2's older versions: the Sleuth Kit puts number and version of the object in, which no name on the medium has.

Sleuth Kit 4.15, ``yaffs.cpp``: a version is ``NAME#OBJECT,VERSION`` with the name's extension once more behind it; its address has the
version in the bits above the lower 18, which are the object's number.
"""

from __future__ import annotations

import re

_MARKED = re.compile(rb"(?P<name>.*)#(?P<object>[0-9]{1,10}),(?P<version>[0-9]{1,10})(?P<extension>\.[^.]*)?", re.DOTALL)
_OBJECT_BITS = 18


class YaffsNames:
    """Gives names as they are stored."""

    def exact(self, address: int, text: bytes) -> tuple[bytes, bool]:
        """Return the stored name behind TSK's text, and whether that text is still what to show."""
        found = _MARKED.fullmatch(text)
        if found is None:
            return text, True
        object_, version = divmod(address, 1 << _OBJECT_BITS)[::-1]
        same = (int(found["object"]), int(found["version"])) == (object_, version)
        ends = found["extension"] is None or found["name"].endswith(found["extension"])
        return (found["name"], False) if same and ends else (text, True)
