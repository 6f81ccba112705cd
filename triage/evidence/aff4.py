"""AFF4 containers that hold a disk: the standard's (1.0) and Evimetry's from before it, in one file or striped over several.

Source: Schatz and Cohen, "AFF4 Standard v1.0": a ZIP archive in which a description (``information.turtle``) names streams of compressed
chunks (6) and a map (7) that puts them in their places. What the map leaves to the symbolic streams for what was not acquired or could
not be read is damage here: zeros in its place would look like the disk's own.
"""

from __future__ import annotations

import bisect
import hashlib
import struct
import urllib.parse
import zipfile
import zlib
from collections import OrderedDict
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

import cramjam
import numpy as np

from triage.errors import EvidenceError
from triage.evidence.aff4turtle import Table, TurtleError, local, parse_turtle
from triage.evidence.medium import DamagedRangeError, FileMedium
from triage.evidence.yal import MediumFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from triage.evidence.medium import Medium

_ZIP_ERRORS = (zipfile.BadZipFile, NotImplementedError, struct.error, zlib.error, EOFError, KeyError, UnicodeDecodeError, RuntimeError)
_LARGEST_TURTLE, _LARGEST_MAP, _LARGEST_INDEX, _LARGEST_BEVY = 16 << 20, 1 << 30, 256 << 20, 1 << 30
_LARGEST, _LARGEST_CHUNK = 1 << 50, 16 << 20
_CHUNKS, _INDEXES, _PIECE, _MOST_FILES = 64, 8, 4 << 20, 64
_POINT = np.dtype([("at", "<u8"), ("length", "<u8"), ("target", "<u8"), ("stream", "<u4")])
_HOW = {"snappy": "snappy", "lz4": "lz4", "rfc1950": "zlib", "rfc1951": "deflate", "NullCompressor": ""}


class Aff4Error(ValueError):
    """A container that cannot be read, or holds no disk."""


class _Archive(MediumFile):
    """A file as the archive's reader takes it: never so much of it at once as a list that lies about its length would ask for."""

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; raise ``OSError`` for too many."""
        if max(size, self.get_size() - self.tell() if size < 0 else 0) > _LARGEST_BEVY:
            raise OSError("a part of it is larger than such a part can be")
        return super().read(size)


class Volume:
    """One file of a container: its members and what it states."""

    def __init__(self, file: Medium) -> None:
        self.file = file
        try:
            self._zip = zipfile.ZipFile(cast("BinaryIO", _Archive(file)))
            self._members = {info.filename: info for info in self._zip.infolist()}
            self.table: Table = parse_turtle(self.read("information.turtle", _LARGEST_TURTLE).decode())
        except (*_ZIP_ERRORS, OSError, TurtleError) as error:
            raise Aff4Error(f"its list of members, or what it states of itself, cannot be read ({type(error).__name__})") from error

    def read(self, name: str, most: int) -> bytes:
        """Return a member; raise :class:`Aff4Error` when it is missing, damaged or larger than ``most``."""
        info = self._members.get(name)
        if info is None:
            raise Aff4Error("a part of it is missing")
        if info.file_size > most:
            raise Aff4Error("a part of it is larger than such a part can be")
        try:
            data: bytes = self._zip.read(info)
        except _ZIP_ERRORS as error:
            raise Aff4Error("a part of it is damaged") from error
        return data

    def place(self, name: str) -> tuple[int, int] | None:
        """Return where a member that is not compressed lies, and its length; ``None`` for one that is, or is not there."""
        info = self._members.get(name)
        if info is None or info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            return None
        head = self.file.read_at(info.header_offset, 30)
        if len(head) < 30 or head[:4] != b"PK\3\4":
            return None
        return info.header_offset + 30 + sum(struct.unpack_from("<HH", head, 26)), info.file_size

    def has(self, name: str) -> bool:
        """Whether there is such a member."""
        return name in self._members


def first(facts: dict[str, list[str]], *names: str) -> str:
    """Return the first value that a subject has under one of some names."""
    return next((facts[name][0] for name in names if facts.get(name)), "")


def number(facts: dict[str, list[str]], *names: str, default: int = 0) -> int:
    """Return a value as a number."""
    text = first(facts, *names)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else default


def _member(name: str, part: str) -> str:
    return f"{urllib.parse.quote(name, safe='')}/{part}"


class Stream:
    """A stream of compressed chunks, in members ("bevies") of a fixed number of chunks each."""

    def __init__(self, volume: Volume, name: str) -> None:
        facts = volume.table[name]
        self._volume, self._name = volume, name
        self.size = number(facts, "size")
        self.chunk = number(facts, "chunkSize", "chunk_size", default=32768)
        self._per = number(facts, "chunksInSegment", "chunks_in_segment", default=1024)
        method = first(facts, "compressionMethod", "CompressionMethod")
        known = [how for mark, how in _HOW.items() if mark in method]
        if method and not known:
            raise Aff4Error("its chunks are compressed in a way that is not known")
        self._how = known[0] if known else ""
        if not 512 <= self.chunk <= _LARGEST_CHUNK or not 0 < self._per <= 1 << 24 or self.size > _LARGEST:
            raise Aff4Error("a stream states sizes that cannot be")
        self.digests = {kind.lower(): first(facts, f"hash:{kind}").lower() for kind in ("MD5", "SHA1", "SHA256") if f"hash:{kind}" in facts}
        self._indexes: OrderedDict[int, tuple[NDArray[np.uint64], int, int, bytes]] = OrderedDict()
        self._done: OrderedDict[int, bytes] = OrderedDict()

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; raise ``OSError`` with the reason where they cannot be had."""
        length = max(0, min(length, self.size - offset))
        pieces, at, end = [], offset, offset + length
        while at < end:
            which, inside = divmod(at, self.chunk)
            data = self._chunk(which)
            wanted = min(self.chunk, self.size - which * self.chunk)
            if len(data) < wanted:
                raise OSError("a compressed chunk is damaged")
            pieces.append(data[inside : min(self.chunk, inside + end - at)])
            at += len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _chunk(self, which: int) -> bytes:
        data = self._done.get(which)
        if data is not None:
            self._done.move_to_end(which)
            return data
        bevy, inside = divmod(which, self._per)
        places, start, size, held = self._index(bevy)
        if inside >= len(places):
            raise OSError("the index of its chunks is cut off")
        offset, length = int(places[inside][0]), int(places[inside][1])
        if offset + length > size or length > self.chunk * 2 + 1024:
            raise OSError("the index of its chunks is damaged")
        raw = held[offset : offset + length] if held else self._volume.file.read_at(start + offset, length)
        data = raw if length == self.chunk else _undo(self._how, raw, self.chunk)
        self._done[which] = data
        if len(self._done) > _CHUNKS:
            self._done.popitem(last=False)
        return data

    def _index(self, bevy: int) -> tuple[NDArray[np.uint64], int, int, bytes]:
        """Return the places of a bevy's chunks in it, where it begins and how long it is; its bytes, if it is compressed itself."""
        found = self._indexes.get(bevy)
        if found is not None:
            self._indexes.move_to_end(bevy)
            return found
        name = _member(self._name, f"{bevy:08d}")
        try:
            if self._volume.has(name + ".index"):
                raw = self._volume.read(name + ".index", _LARGEST_INDEX)
                index = np.frombuffer(raw[: len(raw) // 12 * 12], np.dtype([("at", "<u8"), ("length", "<u4")]))
                places = np.stack([index["at"], index["length"].astype("<u8")], axis=1)
            else:  # before the standard: where each chunk ends
                raw = self._volume.read(name + "/index", _LARGEST_INDEX)
                ends = np.frombuffer(raw[: len(raw) // 4 * 4], "<u4").astype("<u8")
                starts = np.concatenate([np.zeros(1, "<u8"), ends[:-1]]) if len(ends) else ends
                places = np.stack([starts, np.where(ends >= starts, ends - starts, 1 << 62)], axis=1)
            where = self._volume.place(name)
            held = b"" if where is not None else self._volume.read(name, _LARGEST_BEVY)
        except Aff4Error as error:
            raise OSError(f"a segment of its chunks cannot be read: {error}") from error
        found = (places, *(where or (0, len(held))), held)
        self._indexes[bevy] = found
        if len(self._indexes) > (1 if held else _INDEXES):
            self._indexes.popitem(last=False)
        return found


def _undo(how: str, raw: bytes, size: int) -> bytes:
    """Return a chunk, of at most ``size`` bytes; raise ``OSError`` for a damaged one."""
    try:
        if how == "snappy":
            if _stated(raw) > size:
                raise OSError("a compressed chunk is damaged")
            return bytes(cramjam.snappy.decompress_raw(raw))
        if how == "lz4":
            out = bytearray(size)
            return bytes(out[: cramjam.lz4.decompress_block_into(raw, out)])
        if how:
            return zlib.decompressobj(15 if how == "zlib" else -15).decompress(raw, size)
    except (cramjam.DecompressionError, zlib.error) as error:
        raise OSError("a compressed chunk is damaged") from error
    return raw[:size]


def _stated(raw: bytes) -> int:
    """Return how long Snappy says that what comes out is (its format description, 1: a varint)."""
    value = 0
    for position, byte in enumerate(raw[:5]):
        value |= (byte & 0x7F) << (7 * position)
        if not byte & 0x80:
            break
    return value


class _Target(NamedTuple):
    """What a part of the map is taken from: a stream, a byte repeated, or nothing that could be had, with the reason."""

    stream: Stream | None = None
    fill: int = 0
    missing: str = ""


class Aff4Medium:
    """The disk that a container holds. ``streams``: what is stored of it, with the digests that the acquisition took of each."""

    def __init__(self, volumes: Sequence[Volume]) -> None:
        volume, disk = _disk(volumes)
        facts = volume.table[disk]
        self.facts = _facts(volumes, facts)
        self.warnings: list[str] = []
        self.sector_size = number(facts, "blockSize", "sectorSize", default=512)
        if self.sector_size not in (512, 1024, 2048, 4096):
            self.sector_size = 512
        self.size = number(facts, "size")
        if not 0 < self.size <= _LARGEST:
            raise Aff4Error("it states a size that cannot be")
        self.damaged: dict[int, tuple[int, str]] = {}
        self._volumes = tuple(volumes)
        mapped = first(facts, "dataStream") or disk
        self.streams: list[Stream] = []
        home = next((v for v in volumes if v.has(_member(mapped, "map"))), None)
        if home is None:
            self._whole(mapped)
        else:
            self._map(home, mapped)
        self._tell()

    def _whole(self, name: str) -> None:
        """Take a disk that is one stream, without a map."""
        stream = self._stream(name)
        if stream is None:
            raise Aff4Error("what it holds of the disk is missing")
        self._targets, self._gap = [_Target(stream)], _Target()
        self._points = np.array([(0, min(stream.size, self.size), 0, 0)], _POINT)
        self._starts = [0]

    def _map(self, home: Volume, name: str) -> None:
        raw = home.read(_member(name, "map"), _LARGEST_MAP)
        if len(raw) % _POINT.itemsize:
            self.warnings.append("the map of the container is cut off: what it lacks counts as not acquired")
        points = np.frombuffer(raw[: len(raw) // _POINT.itemsize * _POINT.itemsize], _POINT)
        self._points = points[np.argsort(points["at"], kind="stable")]
        self._starts = self._points["at"].tolist()
        names = home.read(_member(name, "idx"), _LARGEST_TURTLE).decode("utf-8", "replace").split()
        self._targets = [self._target(one) for one in names]
        gap = first(home.table.get(name, {}), "mapGapDefaultStream")
        self._gap = self._target(gap) if gap else _Target()

    def _target(self, name: str) -> _Target:
        last = local(name)
        if last == "Zero":
            return _Target()
        if last in ("UnknownData", "UnreadableData"):
            return _Target(missing="it was not acquired" if last == "UnknownData" else "it could not be read when it was acquired")
        symbol = last.removeprefix("SymbolicStream")
        if len(symbol) == 2 and not name.startswith("aff4:"):
            try:
                return _Target(fill=int(symbol, 16))
            except ValueError:
                pass
        stream = self._stream(name)
        return _Target(stream) if stream is not None else _Target(missing="it is in a part of the container that is not there")

    def _stream(self, name: str) -> Stream | None:
        home = stream_home(self._volumes, name)
        if home is None:
            return None
        self.streams.append(Stream(home, name))
        return self.streams[-1]

    def _tell(self) -> None:
        for why, said in (
            ("it was not acquired", "were not acquired"),
            ("it could not be read when it was acquired", "could not be read when it was acquired"),
        ):
            which = [n for n, target in enumerate(self._targets) if target.missing == why]
            lost = int(self._points["length"][np.isin(self._points["stream"], which)].sum()) if which else 0
            if lost:
                self.warnings.append(f"{lost:,} bytes of the medium {said}")

    @property
    def stored_digests(self) -> dict[str, str]:
        """The digests that the acquisition took: not of the disk, but of each stream that is stored of it."""
        many = len(self.streams) > 1
        return {
            f"{kind} of stream{f' {number_}' if many else ''}": value
            for number_, stream in enumerate(self.streams, 1)
            for kind, value in stream.digests.items()
        }

    def stream_digests(self) -> dict[str, str]:
        """Read every stream; return its digests under the names of :attr:`stored_digests`, without those of one that cannot be read."""
        many = len(self.streams) > 1
        found = {}
        for number_, stream in enumerate(self.streams, 1):
            digests = {kind: hashlib.new(kind, usedforsecurity=False) for kind in stream.digests}
            try:
                for at in range(0, stream.size, _PIECE):
                    piece = stream.read_at(at, _PIECE)
                    for digest in digests.values():
                        digest.update(piece)
            except OSError:
                continue
            found.update({f"{kind} of stream{f' {number_}' if many else ''}": digest.hexdigest() for kind, digest in digests.items()})
        return found

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        length = max(0, min(length, self.size - offset))
        pieces, at, end = [], offset, offset + length
        while at < end:
            target, inner, many = self._at(at, end - at)
            pieces.append(self._piece(target, at, inner, many))
            at += many
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _at(self, at: int, most: int) -> tuple[_Target, int, int]:
        """Return what holds a byte, its place there, and how many bytes from it on it holds."""
        which = bisect.bisect_right(self._starts, at) - 1
        if which >= 0:
            start, length, target, number_ = (int(value) for value in self._points[which])
            if at < start + length:
                found = self._targets[number_] if number_ < len(self._targets) else _Target(missing="its map is damaged")
                end = start + length
                while found.missing and end - at < most and which + 1 < len(self._starts) and self._starts[which + 1] == end:
                    which += 1  # what is missing is told in one piece
                    if int(self._points[which]["stream"]) != number_:
                        break
                    end += int(self._points[which]["length"])
                return found, target + at - start, min(most, end - at)
        following = self._starts[which + 1] if which + 1 < len(self._starts) else self.size
        return self._gap, at, min(most, following - at)

    def _piece(self, target: _Target, at: int, inner: int, many: int) -> bytes:
        if target.missing:
            raise self._damage(at, many, target.missing)
        if target.stream is None:
            return bytes([target.fill]) * many if target.fill else bytes(many)
        try:
            data = target.stream.read_at(inner, many)
        except OSError as error:
            raise self._damage(at, many, str(error)) from error
        if len(data) < many:
            raise self._damage(at + len(data), many - len(data), "the stream ends before it")
        return data

    def _damage(self, offset: int, length: int, why: str) -> DamagedRangeError:
        self.damaged[offset] = (length, why)
        return DamagedRangeError(offset, length, why)

    def close(self) -> None:
        """Close the files."""
        for volume in self._volumes:
            volume.file.close()


def stream_home(volumes: Sequence[Volume], name: str) -> Volume | None:
    """Return the file that holds a stream's chunks."""
    bevy = _member(name, "00000000")
    return next((v for v in volumes if name in v.table and (v.has(bevy) or "0" in v.table[name].get("size", ()))), None)


def _disk(volumes: Sequence[Volume]) -> tuple[Volume, str]:
    for kinds in ({"DiskImage", "ContiguousImage", "DiscontiguousImage", "VolumeImage"}, {"Image", "map"}):
        for volume in volumes:
            for name, facts in volume.table.items():
                found = {local(kind) for kind in facts.get("a", ())}
                if found & kinds and "FileImage" not in found and number(facts, "size"):
                    return volume, name
    raise Aff4Error("it holds no disk")


_CASE = {"caseNumber": "case number", "evidenceNumber": "evidence number", "examiner": "examiner", "notes": "notes"}
_CASE |= {"caseName": "case name", "caseDescription": "description", "startTime": "acquisition began", "endTime": "acquisition ended"}
_DISK = {"diskMake": "make", "make": "make", "diskModel": "model", "model": "model"}
_DISK |= {"diskSerial": "serial number", "serial": "serial number"}
_DISK |= {"diskFirmware": "firmware", "diskInterfaceType": "interface", "acquisitionCompletionState": "acquisition"}


def _facts(volumes: Sequence[Volume], disk: dict[str, list[str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for names, tables in ((_CASE, [one for v in volumes for one in v.table.values()]), (_DISK, [disk])):
        for table in tables:
            for key, label in names.items():
                if table.get(key) and table[key][0].strip():
                    found.setdefault(label, table[key][0].strip()[:1000])
    return found


def _needed(volumes: Sequence[Volume]) -> list[str]:
    """Return the streams that the disk needs and none of the files holds."""
    volume, disk = _disk(volumes)
    mapped = first(volume.table[disk], "dataStream") or disk
    home = next((v for v in volumes if v.has(_member(mapped, "idx"))), None)
    names = home.read(_member(mapped, "idx"), _LARGEST_TURTLE).decode("utf-8", "replace").split() if home is not None else [mapped]
    return [name for name in names if name.startswith("aff4:") and stream_home(volumes, name) is None]


# -- files ----------------------------------------------------------------------------------------------------------------------


def _open_volume(path: Path) -> Volume:
    file = FileMedium([path])
    try:
        return Volume(file)
    except BaseException:
        file.close()
        raise


def holds_disk(path: Path) -> bool:
    """Whether a ZIP archive is an AFF4 container with a disk in it."""
    try:
        volume = _open_volume(path)
    except (Aff4Error, OSError):
        return False
    try:
        _disk([volume])
    except Aff4Error:
        return False
    finally:
        volume.file.close()
    return True


def find_aff4(path: Path) -> list[Path]:
    """Return the files of a container: the one that was named, then those beside it that hold what it lacks, by their content.

    Raises ``EvidenceError`` when one is missing or damaged.
    """
    found: dict[Path, Volume] = {}
    try:
        found[path] = _open_volume(path)
        lacking = _needed(list(found.values()))
        for other in sorted(path.parent.iterdir()) if lacking else []:
            if not lacking or len(found) > _MOST_FILES:
                break
            if other.suffix.lower() not in (".aff4", ".af4") or other == path or not other.is_file():
                continue
            try:
                volume = _open_volume(other)
            except (Aff4Error, OSError):
                continue
            left = _needed([*found.values(), volume])
            if left == lacking:
                volume.file.close()
                continue
            found[other], lacking = volume, left
    except (Aff4Error, OSError) as error:
        raise EvidenceError(f"{path.name} cannot be opened: {error}", hint="get a whole copy") from error
    finally:
        for volume in found.values():
            volume.file.close()
    if lacking:
        parts = "part" if len(lacking) == 1 else "parts"
        raise EvidenceError(f"{len(lacking)} {parts} of {path.name}'s container missing", hint="put the other .aff4 files beside it")
    return list(found)


def open_aff4(paths: Sequence[Path]) -> Aff4Medium:
    """Open the disk of a container by its files, as :func:`find_aff4` gave them. Raises ``EvidenceError``."""
    volumes: list[Volume] = []
    try:
        volumes += [_open_volume(path) for path in paths]
        return Aff4Medium(volumes)
    except (Aff4Error, OSError) as error:
        for volume in volumes:
            volume.file.close()
        raise EvidenceError(f"{paths[0].name} cannot be opened: {error}", hint="get a whole copy") from error
