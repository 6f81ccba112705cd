"""7z archives: their list of files, and how what was packed together is unpacked. Nothing is extracted.

Format: 7zFormat.txt of the LZMA SDK (public domain); the names of structures are those there. The list of files ("header") stands at the
end and is most often packed itself ("encoded header"). A *folder* is a stretch that was packed as one, with the coders that it went
through; in solid archives many files share one.
"""

from __future__ import annotations

import stat
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.artifacts.sevencoders import Step, refusal, undo
from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from triage.artifacts.structure import ReadAt

MAGIC = b"7z\xbc\xaf\x27\x1c"
_HEAD = 32
_MOST_HEADER = 64 << 20
MOST_FILES = 500_000
_MOST_FOLDERS, _MOST_STREAMS, _MOST_NESTED = 500_000, 64, 4
_KNOWN = {
    "00": "copy", "21": "lzma2", "03": "delta", "0a": "arm64", "030101": "lzma", "040108": "deflate", "040109": "deflate64",
    "040202": "bzip2", "04f71101": "zstd", "030401": "ppmd", "03030103": "bcj", "03030205": "ppc", "03030401": "ia64",
    "03030501": "arm", "03030701": "armt", "03030805": "sparc", "04": "bcj", "05": "ppc", "06": "ia64", "07": "arm", "08": "armt",
    "09": "sparc",
}  # fmt: skip
_OTHERS = {
    "0303011b": "BCJ2", "06f10701": "AES-256", "0b": "RISC-V", "04f71102": "Brotli",
    "04f71104": "LZ4", "04f71105": "LZ5", "04f71106": "Lizard", "020302": "Swap2", "020304": "Swap4", "040301": "RAR 1",
    "040302": "RAR 2", "040303": "RAR 3", "0401": "a method of ZIP", "06f00181": "AES-256",
}  # fmt: skip
_WITHOUT = ("deflate", "deflate64", "bzip2", "zstd")  # coders that need no properties, though some programs write them
AES = "AES-256"


@dataclass(slots=True)
class Coder:
    """One coder of a folder: its method's number in hexadecimal, its properties, how many streams go in and come out."""

    method: str
    properties: bytes
    inputs: int = 1
    outputs: int = 1

    @property
    def name(self) -> str:
        """What the method is called."""
        return _KNOWN.get(self.method) or _OTHERS.get(self.method) or f"method {self.method}"


@dataclass(slots=True)
class Folder:
    """What was packed as one. ``steps`` undo it, first to last; ``refused`` says why they cannot, "" if they can.

    ``start``: where its packed bytes are in the item, ``packed`` how many; ``size`` of what comes out; ``crc32`` of all of that.
    """

    coders: list[Coder]
    bindings: list[tuple[int, int]]
    inputs: list[int]
    sizes: list[int] = field(default_factory=list)
    crc32: int | None = None
    start: int = 0
    packed: int = 0
    size: int = 0
    steps: list[Step] = field(default_factory=list)
    refused: str = ""

    @property
    def encrypted(self) -> bool:
        """Whether a password is needed."""
        return any(coder.name == AES for coder in self.coders)


@dataclass(slots=True, kw_only=True)
class SevenFile:
    """A file as the list has it: hostile text and numbers. Times are FILETIMEs, ``None`` when not noted.

    ``folder`` is a number into the archive's folders, ``None`` for what has no bytes; ``offset`` its place in what comes out of that.
    """

    name: str = ""
    size: int = 0
    crc32: int | None = None
    folder: int | None = None
    offset: int = 0
    modified: int | None = None
    accessed: int | None = None
    created: int | None = None
    attributes: int | None = None
    directory: bool = False
    anti: bool = False

    @property
    def link(self) -> bool:
        """Whether it is a symbolic link or another special file, whose bytes are not those of a file."""
        unix = (self.attributes or 0) >> 16 if (self.attributes or 0) & 0x8000 else 0
        return bool(unix and stat.S_IFMT(unix) not in (0, stat.S_IFREG)) or bool((self.attributes or 0) & 0x400)


@dataclass(slots=True)
class SevenArchive:
    """An opened archive. ``encrypted``: its list of files needs a password, so that there is none here."""

    files: list[SevenFile] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)
    encrypted: bool = False
    notes: Notes = field(default_factory=Notes)


def open_sevenzip(read_at: ReadAt, size: int) -> SevenArchive:
    """Return what the list of an archive of ``size`` bytes says.

    Raises :class:`StructureError` when there is no list that can be read; ``read_at``'s ``OSError`` passes through.
    """
    head = read_at(0, _HEAD)
    if len(head) < _HEAD or not head.startswith(MAGIC):
        raise StructureError("no 7z archive")
    found = SevenArchive()
    crc, offset, length, header_crc = struct.unpack_from("<IQQI", head, 8)
    if zlib.crc32(head[12:32]) != crc:
        found.notes.add("the first bytes of a 7z archive do not fit their checksum")
    if not length:
        if size > _HEAD + (1 << 10):
            raise StructureError("a 7z archive whose list of files was not written: its making was broken off")
        return found
    if offset + length > size - _HEAD:
        raise StructureError("a 7z archive whose list of files lies behind its end: it is cut off, or one of several parts")
    if length > _MOST_HEADER:
        raise StructureError(f"a 7z archive with a list of more than {_MOST_HEADER >> 20} MiB")
    header = read_at(_HEAD + offset, length)
    if zlib.crc32(header) != header_crc:
        found.notes.add("the list of files of a 7z archive does not fit its checksum")
    try:
        for _ in range(_MOST_NESTED):
            if header[:1] == b"\1":
                _read_header(_Bytes(header, 1), found, size)
                return found
            if header[:1] != b"\x17":
                break
            inner = _encoded(_Bytes(header, 1), found, read_at, size)
            if inner is None:
                return found
            header = inner
    except (IndexError, struct.error) as error:
        raise StructureError("a 7z archive whose list of files is damaged") from error
    raise StructureError("a 7z archive whose list of files is damaged")


def _encoded(data: _Bytes, found: SevenArchive, read_at: ReadAt, size: int) -> bytes | None:
    """Return the list that was packed, ``None`` when it is encrypted."""
    folders, _ = _read_streams(data, size, found.notes)
    if len(folders) != 1:
        raise StructureError("a 7z archive whose list of files was packed in a way that is not read")
    folder = folders[0]
    if folder.encrypted:
        found.encrypted = True
        return None
    if folder.refused or folder.size > _MOST_HEADER:
        raise StructureError(f"a 7z archive whose list of files cannot be unpacked: {folder.refused or 'more than 64 MiB'}")
    parameters = "+".join(step.text() for step in folder.steps)
    inner, why = undo(lambda at, n: read_at(folder.start + at, n), folder.packed, parameters, folder.size)
    if why:
        found.notes.add(f"the list of files of a 7z archive was not unpacked whole: {why}")
    elif folder.crc32 is not None and zlib.crc32(inner) != folder.crc32:
        found.notes.add("the list of files of a 7z archive does not fit its checksum")
    return inner


class _Bytes:
    """Bytes that are read from front to back; ``IndexError`` behind their end."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self.at = at

    @property
    def left(self) -> int:
        return len(self._data) - self.at

    def take(self, length: int) -> bytes:
        if length < 0 or length > self.left:
            raise IndexError
        self.at += length
        return self._data[self.at - length : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """Return a NUMBER: as many bytes follow the first as that has high bits set; the rest of it is the highest part."""
        first, value = self.byte(), 0
        mask = 0x80
        for place in range(8):
            if not first & mask:
                return value | (first & (mask - 1)) << (8 * place)
            value |= self.byte() << (8 * place)
            mask >>= 1
        return value

    def count(self, most: int) -> int:
        """Return a number of things, of which there cannot be more than ``most``."""
        value = self.number()
        if value > most:
            raise StructureError("a 7z archive that states more parts than are read")
        return value

    def bits(self, count: int) -> list[bool]:
        raw = self.take((count + 7) // 8)
        return [bool(raw[n >> 3] & 0x80 >> (n & 7)) for n in range(count)]

    def defined(self, count: int) -> list[bool]:
        return [True] * count if self.byte() else self.bits(count)

    def digests(self, count: int) -> list[int | None]:
        return [int.from_bytes(self.take(4), "little") if one else None for one in self.defined(count)]


def _read_header(data: _Bytes, found: SevenArchive, size: int) -> None:
    kind = data.byte()
    if kind == 2:  # ArchiveProperties
        while data.byte():
            data.take(data.number())
        kind = data.byte()
    if kind == 3:  # AdditionalStreamsInfo: nothing that is known writes it
        _read_streams(data, size, found.notes)
        found.notes.add("a 7z archive has additional streams, which are not read")
        kind = data.byte()
    substreams: list[list[tuple[int, int | None]]] = []
    if kind == 4:
        found.folders, substreams = _read_streams(data, size, found.notes)
        kind = data.byte()
    if kind == 5:
        _read_files(data, found, substreams)


# -- streams --------------------------------------------------------------------------------------------------------------------------

Substreams = list[list[tuple[int, int | None]]]
"""Of each folder the sizes and checksums of the files in it."""


def _read_streams(data: _Bytes, size: int, notes: Notes) -> tuple[list[Folder], Substreams]:
    start, packed = 0, list[int]()
    folders: list[Folder] = []
    substreams: Substreams | None = None
    while kind := data.byte():
        if kind == 6:
            start, packed = _read_packed(data)
        elif kind == 7:
            folders = _read_folders(data)
        elif kind == 8:
            substreams = _read_substreams(data, folders)
        else:
            raise StructureError("a 7z archive whose streams are described in a way that is not read")
    _place(folders, _HEAD + start, packed, size, notes)
    return folders, substreams if substreams is not None else [[(folder.size, folder.crc32)] for folder in folders]


def _read_packed(data: _Bytes) -> tuple[int, list[int]]:
    start, count = data.number(), data.count(data.left)
    sizes = [0] * count
    while kind := data.byte():
        if kind == 9:
            sizes = [data.number() for _ in range(count)]
        elif kind == 10:
            data.digests(count)
        else:
            raise StructureError("a 7z archive whose packed streams are described in a way that is not read")
    return start, sizes


def _read_folders(data: _Bytes) -> list[Folder]:
    if data.byte() != 0x0B:
        raise IndexError
    count = data.count(min(data.left, _MOST_FOLDERS))
    if data.byte():
        raise StructureError("a 7z archive whose list stands in several places, which is not read")
    folders = [_read_folder(data) for _ in range(count)]
    while kind := data.byte():
        if kind == 0x0C:
            for folder in folders:
                folder.sizes = [data.number() for _ in range(sum(coder.outputs for coder in folder.coders))]
        elif kind == 10:
            for folder, crc in zip(folders, data.digests(count), strict=True):
                folder.crc32 = crc
        else:
            raise StructureError("a 7z archive whose folders are described in a way that is not read")
    for folder in folders:
        if not folder.sizes:
            raise StructureError("a 7z archive that does not say how large what it packs is")
        bound = {output for _, output in folder.bindings}
        folder.size = next((size for number, size in enumerate(folder.sizes) if number not in bound), 0)
        if folder.size >= 1 << 59:
            raise StructureError("a 7z archive with a size that cannot be")
        _find_steps(folder)
    return folders


def _read_folder(data: _Bytes) -> Folder:
    coders = []
    for _ in range(data.count(_MOST_STREAMS)):
        flags = data.byte()
        if flags & 0xC0:
            raise StructureError("a 7z archive with alternative methods, which are not read")
        coder = Coder(data.take(flags & 15).hex() or "00", b"")
        if flags & 0x10:
            coder.inputs, coder.outputs = data.count(_MOST_STREAMS), data.count(_MOST_STREAMS)
        if flags & 0x20:
            coder.properties = data.take(data.number())
        coders.append(coder)
    inputs, outputs = sum(coder.inputs for coder in coders), sum(coder.outputs for coder in coders)
    if not 1 <= outputs <= _MOST_STREAMS or not outputs - 1 <= inputs <= _MOST_STREAMS:
        raise StructureError("a 7z archive with streams that cannot be")
    bindings = [(data.number(), data.number()) for _ in range(outputs - 1)]
    packed = inputs - len(bindings)
    bound = {into for into, _ in bindings}
    places = [data.number() for _ in range(packed)] if packed > 1 else [n for n in range(inputs) if n not in bound][:1]
    return Folder(coders, bindings, places)


def _find_steps(folder: Folder) -> None:
    """Order the coders from the packed bytes on, when each of them takes one stream and gives one."""
    names = " and ".join(sorted({c.name for c in folder.coders if c.method not in _KNOWN}))
    if folder.encrypted:
        folder.refused = "encrypted (AES-256)"
    elif names:
        folder.refused = f"packed by {names}, which is not read"
    elif any(coder.inputs != 1 or coder.outputs != 1 for coder in folder.coders) or len(folder.inputs) != 1:
        folder.refused = "packed in several streams, which is not read"
    if folder.refused:
        return
    into = {output: number for number, output in folder.bindings}
    at, order = folder.inputs[0], list[int]()
    while at is not None and at < len(folder.coders) and at not in order:
        order.append(at)
        at = into.get(at, len(folder.coders))
    if len(order) != len(folder.coders):
        folder.refused = "its coders are no chain"
        return
    for n in order:
        coder = folder.coders[n]
        properties = b"" if coder.name in _WITHOUT else coder.properties[:16]
        folder.steps.append(Step(coder.name, properties, min(folder.sizes[n], 1 << 59)))
    folder.refused = refusal(folder.steps)


def _place(folders: list[Folder], start: int, packed: list[int], size: int, notes: Notes) -> None:
    """Give each folder its packed bytes: streams stand one behind the other, in the folders' order."""
    number = 0
    for folder in folders:
        mine = packed[number : number + len(folder.inputs)]
        number += len(folder.inputs)
        folder.start, folder.packed = start, sum(mine[:1])
        if len(mine) < len(folder.inputs) or start + sum(mine) > size:
            notes.add("what a 7z archive packed is not all there")
            folder.packed = max(0, min(folder.packed, size - start))
        start += sum(mine)


def _read_substreams(data: _Bytes, folders: list[Folder]) -> Substreams:
    counts = [1] * len(folders)
    kind = data.byte()
    if kind == 0x0D:
        counts = [data.count(MOST_FILES) for _ in folders]
        if sum(counts) > MOST_FILES:
            raise StructureError(f"a 7z archive with more than {MOST_FILES:,} files")
        kind = data.byte()
    found: Substreams = []
    for folder, count in zip(folders, counts, strict=True):
        # All sizes but the last one are noted, which has the rest.
        sizes = [data.number() for _ in range(count - 1)] if kind == 9 else [0] * (count - 1)
        rest = folder.size - sum(sizes)
        if rest < 0:
            raise StructureError("a 7z archive whose files are larger than what they lie in")
        found.append([(one, None) for one in [*sizes, rest][:count]])
    if kind == 9:
        kind = data.byte()
    alone = [len(streams) == 1 and folder.crc32 is not None for folder, streams in zip(folders, found, strict=True)]
    digests: list[int | None] = []
    while kind:
        if kind == 10:
            digests = data.digests(sum(len(streams) for streams, known in zip(found, alone, strict=True) if not known))
        else:
            data.take(data.number())
        kind = data.byte()
    at = 0
    for number, (folder, known) in enumerate(zip(folders, alone, strict=True)):
        if known:
            found[number] = [(found[number][0][0], folder.crc32)]
        elif digests:
            mine = digests[at : at + len(found[number])]
            at += len(mine)
            found[number] = [(one[0], crc) for one, crc in zip(found[number], mine, strict=True)]
    return found


# -- files ----------------------------------------------------------------------------------------------------------------------------


def _read_files(data: _Bytes, found: SevenArchive, substreams: Substreams) -> None:
    count = data.count(MOST_FILES)
    if count > 8 * data.left + 64:
        raise StructureError("a 7z archive that states more files than its list can hold")
    files = [SevenFile() for _ in range(count)]
    empty: list[bool] = [False] * count
    without_bytes = 0
    nothing: list[bool] = []
    anti: list[bool] = []
    while kind := data.number():
        length = data.number()
        part = _Bytes(data.take(length))
        if kind == 0x0E:
            empty = part.bits(count)
            without_bytes = sum(empty)
        elif kind == 0x0F:
            nothing = part.bits(without_bytes)
        elif kind == 0x10:
            anti = part.bits(without_bytes)
        elif kind in (0x11, 0x12, 0x13, 0x14, 0x15):
            _read_property(kind, part, files, found.notes)
        elif kind not in (0x18, 0x19):  # a start position, padding
            found.notes.add("a 7z archive notes something of its files that is not read")
    found.files = files
    places = [(number, size, crc) for number, streams in enumerate(substreams) for size, crc in streams]
    offsets = dict.fromkeys(range(len(found.folders)), 0)
    at = hollow = 0
    for file, without in zip(files, empty, strict=True):
        if without:
            file.directory = hollow >= len(nothing) or not nothing[hollow]
            file.anti = hollow < len(anti) and anti[hollow]
            hollow += 1
        elif at < len(places):
            file.folder, file.size, file.crc32 = places[at]
            file.offset = offsets[file.folder]
            offsets[file.folder] += file.size
            at += 1
        else:
            found.notes.add("the list of a 7z archive has a file for which there are no bytes")
    found.notes.add("a 7z archive holds bytes for which its list has no file", len(places) - at)


def _read_property(kind: int, part: _Bytes, files: list[SevenFile], notes: Notes) -> None:
    if kind == 0x11:
        if part.byte():
            notes.add("the names of a 7z archive stand somewhere else, which is not read")
            return
        names = _names(part.take(part.left), len(files))
        if len(names) < len(files):
            notes.add("names of files in a 7z archive are missing", len(files) - len(names))
        for file, name in zip(files, names, strict=False):
            file.name = name
        return
    noted = part.defined(len(files))
    if part.byte():
        notes.add("times of a 7z archive stand somewhere else, which is not read")
        return
    width = 4 if kind == 0x15 else 8
    attribute = {0x12: "created", 0x13: "accessed", 0x14: "modified", 0x15: "attributes"}[kind]
    for file, one in zip(files, noted, strict=True):
        if one:
            setattr(file, attribute, int.from_bytes(part.take(width), "little"))


def _names(raw: bytes, most: int) -> list[str]:
    """Return names in UTF-16 that end in a zero each."""
    text = raw[: len(raw) & ~1].decode("utf-16-le", "replace")
    return text.split("\0")[: min(most, text.count("\0"))]
