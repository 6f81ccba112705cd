"""Android's disk caches of the form DiskLruCache (OkHttp, Picasso, Glide, Coil): the journal, and what OkHttp wrote of an answer.

Journal (JakeWharton/DiskLruCache, AOSP's ``libcore.io.DiskLruCache``; text, a line each): the name of the format, its version, the
program's version, how many files a key has, an empty line, then ``DIRTY key``, ``CLEAN key length …``, ``REMOVE key``, ``READ key``.
Files are ``key.0``, ``key.1``. OkHttp (``okhttp3.Cache.Entry``): ``.0`` is text, ``.1`` the body; lines of address, method, number of the
request's fields, these, status, number of the answer's fields, these (with when it was sent and received, milliseconds since 1970), then
what the certificates were. The key is the MD5 of the address. Glide's key is a SHA-256 of the address and more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = ("libcore.io.DiskLruCache", "okhttp.DiskLruCache", "coil.DiskLruCache")
_MOST_LINES, _MOST_FIELDS, _LONGEST_LINE = 2_000_000, 500, 64 << 10
_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})")
_METHOD = re.compile(rb"[A-Z]{3,10}")


class Journal(NamedTuple):
    """What a journal says: version of the program, files a key, lengths by key of what is there, keys removed, keys half written.

    ``whole``: whether every line could be read.
    """

    version: str
    values: int
    clean: dict[str, tuple[int, ...]]
    removed: tuple[str, ...]
    dirty: tuple[str, ...]
    whole: bool


class Answer(NamedTuple):
    """What OkHttp wrote of an answer: fields by small name; when it was asked for and came, in milliseconds since 1970, 0 when not said."""

    url: str
    method: str
    status: str
    fields: dict[str, str]
    sent: int
    received: int


def parse_journal(data: bytes) -> Journal | None:
    """Return what a journal says, ``None`` for what is none."""
    lines = _lines(data)
    head = [next(lines, "") for _ in range(5)]
    if head[0] not in _NAMES or not head[3].isdigit() or head[4]:
        return None
    clean: dict[str, tuple[int, ...]] = {}
    removed: dict[str, None] = {}
    dirty: dict[str, None] = {}
    whole = True
    for line in lines:
        word, _, rest = line.partition(" ")
        key, *lengths = rest.split(" ", 17)
        if not _KEY.fullmatch(key) or word not in ("CLEAN", "DIRTY", "REMOVE", "READ"):
            whole = whole and not line
            continue
        if word == "CLEAN" and all(n.isdigit() and len(n) < 16 for n in lengths):
            clean[key] = tuple(map(int, lengths))
            removed.pop(key, None)
            dirty.pop(key, None)
        elif word == "REMOVE":
            clean.pop(key, None)
            dirty.pop(key, None)
            removed[key] = None
        elif word == "DIRTY":
            dirty[key] = None
    return Journal(head[2][:40], int(head[3][:3]), clean, tuple(removed), tuple(dirty), whole)


def _lines(data: bytes) -> Iterator[str]:
    at = 0
    for _ in range(_MOST_LINES):
        end = data.find(b"\n", at)
        if at >= len(data):
            return
        end = end if end >= 0 else len(data)
        yield data[at : min(end, at + _LONGEST_LINE)].decode("latin-1").removesuffix("\r")
        at = end + 1


def parse_answer(data: bytes) -> Answer | None:
    """Return what a file ``.0`` of OkHttp says, ``None`` for what is none."""
    at = data.find(b"\n")
    if not 7 < at <= _LONGEST_LINE or b"://" not in data[:at]:
        return None
    url = data[:at]
    lines = data[at + 1 : at + 1 + (1 << 20)].split(b"\n", 3 * _MOST_FIELDS)
    if len(lines) < 4 or not _METHOD.fullmatch(lines[0]):
        return None
    _, after = _fields(lines, 1)
    status = _STATUS.match(lines[after]) if 0 < after < len(lines) else None
    if status is None:
        return None
    fields, _ = _fields(lines, after + 1)
    times = [fields.get(f"okhttp-{word}-millis") or fields.get(f"x-android-{word}-millis", "") for word in ("sent", "received")]
    sent, received = (int(text) if text.isdigit() and len(text) < 16 else 0 for text in times)
    return Answer(url.decode("utf-8", "replace"), lines[0].decode(), status[1].decode(), fields, sent, received)


def _fields(lines: list[bytes], at: int) -> tuple[dict[str, str], int]:
    """Return the fields whose number stands in a line, of one name the first, and the line behind them; -1: no number."""
    if at >= len(lines) or not lines[at].isdigit() or len(lines[at]) > 3:
        return {}, -1
    end = at + 1 + int(lines[at])
    found: dict[str, str] = {}
    for line in lines[at + 1 : end]:
        name, colon, value = line.partition(b":")
        if colon and len(name) < 100:
            found.setdefault(name.strip().decode("latin-1").lower(), value.strip()[:4096].decode("utf-8", "replace"))
    return found, end
