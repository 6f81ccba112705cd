"""The files of an Expert Witness logical image (L01 or Lx01), with the paths, times and digests that it noted.

Source: J. B. Metz, "Expert Witness Compression Format", section "Ltree data". Lines come in pairs: how many entries there are, then an
entry's values under the types that the category's third line names. An entry's bytes are stretches of the image's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.evidence.ltree import unescape
from triage.filesystem.trees.tree import Fault, Named
from triage.logical.paths import Folders
from triage.model import Kind, Severity, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.evidence.ewf import EwfMedium
    from triage.filesystem.trees.tree import ReadAt

_LINK, _DELETED, _STREAM, _FOLDER, _SPARSE = 0x10, 0x80, 0x2000, 0x2000000, 0x4000000
_DOT = "\u00b7"
"""What stands between a file's name and its stream's."""
_DEEPEST, _MOST_ENTRIES, _LONGEST_NAME, _MOST_EXTENTS = 256, 5_000_000, 4096, 100_000
_TIMES = {"crtime": "cr", "atime": "ac", "mtime": "wr", "ctime": "mo"}


class L01Error(ValueError):
    """An image whose list of files cannot be read."""


class L01Tree:
    """The files of one image."""

    def __init__(self, medium: EwfMedium, offset: int, size: int, beat: Callable[[], None] = lambda: None) -> None:
        """Raise :class:`L01Error` or ``OSError``."""
        self.label, self.block_size, self.checked = "", 1, False
        self._offset, self._size, self._beat, self._medium = offset, size, beat, medium
        text, self._wrong = medium.file_list()
        if not text:
            raise L01Error("it has no list of files" + (f": {self._wrong}" if self._wrong else ""))
        lines = text.split("\n")
        begin = next((n for n, line in enumerate(lines) if line == "entry"), None)
        if begin is None or len(lines) < begin + 5:
            raise L01Error("its list of files is damaged" + (f": {self._wrong}" if self._wrong else ""))
        self._types = lines[begin + 2].split("\t")
        self._lines, self._first = lines, begin + 3
        if "n" not in self._types:
            raise L01Error("its list of files has no names")

    def names(self) -> Iterator[Named | Fault]:
        """Yield each entry, a folder before what is in it."""
        if self._wrong:
            yield Fault(Severity.ERROR, f"the list of files is damaged: {self._wrong}")
        folders = Folders()
        position, listed = self._first, 0
        self.checked = not self._wrong
        stack: list[tuple[tuple[bytes, ...], int]] = []
        while position + 1 < len(self._lines) and self._lines[position]:
            self._beat()
            many = self._lines[position].split("\t" if "\t" in self._lines[position] else " ")[-1]
            values = dict(zip(self._types, self._lines[position + 1].split("\t"), strict=False))
            position += 2
            below = int(many) if many.isascii() and many.isdigit() and len(many) < 10 else 0
            if listed:  # the first is the root, which has no name that counts
                path = (*(stack[-1][0] if stack else ()), _name(values))
                if stack:
                    stack[-1] = (stack[-1][0], stack[-1][1] - 1)
                yield from self._entry(values, path, listed, folders)
            else:
                path = ()
            listed += 1
            if listed > _MOST_ENTRIES:
                self.checked = False
                yield Fault(Severity.ERROR, f"more than {_MOST_ENTRIES:,} files are listed in the image: the rest is left out")
                return
            if below and len(stack) < _DEEPEST:
                stack.append((path, below))
            while stack and stack[-1][1] <= 0:
                stack.pop()
            if not stack:
                break
        if stack:
            self.checked = False
            missing = sum(left for _, left in stack)
            yield Fault(Severity.ERROR, f"the list of files breaks off: {missing} entries at least are missing")

    def _entry(self, values: dict[str, str], path: tuple[bytes, ...], number: int, folders: Folders) -> Iterator[Named | Fault]:
        flags = _number(values.get("opr", "")) or 0
        # EnCase writes 1 for a folder; others write d.
        directory = values.get("p") in ("1", "d") or bool(flags & _FOLDER)
        if directory and not folders.add(path):
            return
        size = _number(values.get("ls", "")) or 0
        times = {name: _time(values.get(kind, "")) for name, kind in _TIMES.items()}
        runs, why = ((), "") if directory else self._runs(values, size, flags)
        stream = b""
        if flags & _STREAM and _DOT.encode() in path[-1]:
            name, _, stream = path[-1].rpartition(_DOT.encode())
            path = (*path[:-1], name)
        yield Named(
            path=path, kind=Kind.DIRECTORY if directory else Kind.LINK if flags & _LINK and not size else Kind.FILE, address=number,
            size=0 if directory else size, mtime=times["mtime"], atime=times["atime"], ctime=times["ctime"], crtime=times["crtime"],
            time_basis=TimeBasis.UTC if any(v is not None for v in times.values()) else TimeBasis.UNKNOWN,
            runs=runs, by_runs=True, deleted=bool(flags & _DELETED), stream=stream, readable=not why,
        )  # fmt: skip
        if why and size:
            yield Fault(Severity.ERROR, f"the bytes of a file cannot be had: {why}", path)

    def _runs(self, values: dict[str, str], size: int, flags: int) -> tuple[tuple[tuple[int | None, int], ...], str]:
        """Return where a file's bytes are in the image, or why that is not known."""
        if not size:
            return (), ""
        extents = _extents(values.get("be", ""))
        if extents is None:
            return (), "where they are is not said, or damaged"
        if flags & _SPARSE and sum(length for _, length in extents) == 1 != size:
            other = values.get("du", "")
            if other.isascii() and other.isdigit():  # the bytes are those of another file
                extents = [(int(other), size)]
            else:
                try:
                    filled = self._medium.read_at(self._offset + extents[0][0], 1)
                except OSError:
                    filled = b""
                return (((None, size),), "") if filled == b"\0" else ((), "it is one byte over and over, which is not read")
        runs: list[tuple[int | None, int]] = []
        left = size
        for at, length in extents:
            taken = min(length, left)
            if at + taken > self._size:
                return (), "they lie beyond the end of the image"
            if taken:
                runs.append((self._offset + at, taken))
            left -= taken
        return (tuple(runs), "") if not left else ((), "fewer of them are there than the list says")

    def open(self, address: int, sequence: int | None = None, attribute: tuple[int, int] | None = None) -> ReadAt:
        """Raise ``OSError``: each file is read by its stretches."""
        raise OSError("a file of this image is read by where its bytes are")


def _name(values: dict[str, str]) -> bytes:
    name = unescape(values.get("n", ""))[:_LONGEST_NAME].replace("\0", "\ufffd")
    return name.encode("utf-8", "surrogatepass").replace(b"/", "\u2215".encode()) or b"NoName"


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _time(text: str) -> int | None:
    seconds = _number(text)
    return seconds * 10**9 if seconds and seconds < 1 << 34 else None


def _extents(text: str) -> list[tuple[int, int]] | None:
    """Return the stretches of a value ``be``: their number, then place and length of each in hexadecimal, a letter before some."""
    words = [word for word in text.split() if word]
    numbers = [word for word in words[1:] if word != "S"]
    if not words or not words[0].isalnum() or len(numbers) < 2 or len(numbers) % 2 or len(numbers) > 2 * _MOST_EXTENTS:
        return None
    try:
        found = [int(word, 16) for word in numbers]
    except ValueError:
        return None
    if any(not 0 <= value < 1 << 62 for value in found):
        return None
    return list(zip(found[::2], found[1::2], strict=True))
