"""Settings in sections (``[name]``, ``key=value``), as programs for Windows, Qt and wxWidgets write them."""

from __future__ import annotations

MAX_BYTES = 4 << 20
_MOST_LINES, _LONGEST = 50_000, 20_000

Ini = dict[str, dict[str, str]]


def decoded(data: bytes) -> str:
    """Return bytes as text: UTF-16 with a mark, else UTF-8, else Windows-1252."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def lines_of(data: bytes) -> list[str]:
    """Return the lines of a text without what is white at their ends; empty ones are left out."""
    found = (line.strip().strip("\0") for line in decoded(data).replace("\r", "\n").split("\n"))
    return [line for line in found if line]


def read_ini(data: bytes) -> Ini:
    """Return values by section and key in the order they stand; of several of one name the first. Keys before any section are in ``""``.

    At most 4 MiB and 50,000 lines are read, of a value 20,000 characters.
    """
    found: Ini = {"": {}}
    section = found[""]
    for line in lines_of(data[:MAX_BYTES])[:_MOST_LINES]:
        if line[0] in ";#":
            continue
        if line[0] == "[" and "]" in line:
            section = found.setdefault(line[1 : line.index("]")], {})
            continue
        key, equals, value = line.partition("=")
        if equals:
            section.setdefault(key.strip(), value.strip()[:_LONGEST])
    return found
