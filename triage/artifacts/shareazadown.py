"""Shareaza's files of what was being loaded (``*.sd``): the file, its hashes, who had it, what of it is here.

Layout (Shareaza's sources: ``Download.cpp``, ``DownloadBase.cpp``, ``DownloadSource.cpp``, ``DownloadWithSources.cpp``,
``DownloadWithFile.cpp``, ``DownloadWithTorrent.cpp``, ``FragmentedFile.cpp``, ``BTInfo.cpp``): ``SDL``, version, then values of an MFC
archive. Versions 21 (Shareaza 2) to 43 are read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from triage.artifacts.mfc import MfcArchive
from triage.artifacts.shareaza import read_xml
from triage.artifacts.structure import StructureError

MAGIC = b"SDL"
OLDEST, NEWEST = 21, 43
PROTOCOLS = {1: "Gnutella", 2: "Gnutella2", 3: "eDonkey", 4: "HTTP", 5: "FTP", 6: "BitTorrent", 7: "Kademlia", 8: "DC++"}
_HASHES = (("sha1", 20, 0), ("tth", 24, 0), ("md5", 16, 22), ("ed2k", 16, 13), ("btih", 20, 37))
_KEPT_RANGES, _KEPT_SOURCES, _KEPT_FILES, _KEPT_REVIEWS = 200, 500, 500, 50
_NO_SIZE = (1 << 64) - 1
_NEWEST_TORRENT, _HIGHEST_TREE = 11, 24


@dataclass(slots=True)
class Source:
    """Somebody who had the file. ``seen``: FILETIME."""

    url: str
    protocol: int = 0
    address: str = ""
    port: int = 0
    client: str = ""
    nick: str = ""
    country: str = ""
    name: str = ""
    seen: int = 0


@dataclass(slots=True)
class Torrent:
    """The torrent that a download is of, as Shareaza keeps it. ``created``: Unix time."""

    btih: str
    name: str = ""
    size: int = 0
    uploaded: int = 0
    downloaded: int = 0
    comment: str = ""
    created: int = 0
    made_by: str = ""
    blocks: int = 0
    files: list[tuple[str, int, dict[str, str]]] = field(default_factory=list)
    trackers: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Download:
    """A download. ``remaining``: bytes that were not there yet; ``ranges``: which, as ``(offset, length)``."""

    version: int
    name: str = ""
    keyword: str = ""
    size: int | None = None
    hashes: dict[str, str] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    source_count: int = 0
    facts: dict[str, str] = field(default_factory=dict)
    remaining: int | None = None
    ranges: list[tuple[int, int]] = field(default_factory=list)
    parts: list[tuple[str, str, int]] = field(default_factory=list)
    """Files on the disk: where the part lies, what it is called, its size."""
    torrent: Torrent | None = None
    reviews: list[tuple[str, str, str]] = field(default_factory=list)
    """Of others: address, name, what they said."""
    paused: bool = False
    shared: bool = False
    """Whether what there was of it was offered to others."""
    why: str = ""
    """Why not all of it was read; "" if it was."""


def read_download(data: bytes) -> Download:
    """Return a download. Raises :class:`StructureError` for what is none; what breaks off gives what came before, and ``why``."""
    archive = MfcArchive(data)
    if archive.take(3) != MAGIC:
        raise StructureError("not a download of Shareaza")
    version = archive.number(4)
    if not OLDEST <= version <= NEWEST:
        raise StructureError(f"a version of Shareaza's downloads that is not read ({version})")
    download = Download(version)
    try:
        _read(archive, download)
    except StructureError as error:
        download.why = f"{error} (at byte {archive.at:,})"
    return download


def _read(archive: MfcArchive, download: Download) -> None:
    version = download.version
    download.name = archive.text()
    if version >= 33:
        download.keyword = archive.text()
    size = archive.number(8 if version >= 29 else 4)
    download.size = size if size != _NO_SIZE else None
    for name, length, since in _HASHES:
        if version >= since:
            raw = archive.flagged(length)
            archive.skip(4)  # whether it is trusted
            if raw:
                download.hashes[name] = raw.hex()
    download.source_count = archive.count()
    for _ in range(download.source_count):
        source = _source(archive, version)
        if len(download.sources) < _KEPT_SOURCES:
            download.sources.append(source)
    if archive.count():
        download.facts = read_xml(archive)
    if version < 28:
        archive.text()
    if version < 25 or archive.count():
        _file(archive, download)
    if version >= 22:
        download.torrent = torrent = _torrent(archive)
        if torrent is not None and version >= 23:
            archive.skip(4 + torrent.blocks)
            archive.skip(4 if version >= 34 else 0)
            if 34 <= version < 41:
                archive.text()
    _hash_trees(archive, version)
    for _ in range(archive.count()):
        archive.text()  # names of previews
    if version >= 32:
        for _ in range(archive.count()):
            address = _address(archive.take(4))
            archive.skip(4)
            name = archive.text()
            archive.skip(4)
            review = address, name, archive.text()
            if len(download.reviews) < _KEPT_REVIEWS:
                download.reviews.append(review)
    archive.skip(4)
    download.paused = archive.number(4) != 0
    archive.skip(4)
    download.shared = archive.number(4) != 0


def _address(raw: bytes) -> str:
    return ".".join(str(part) for part in raw) if any(raw) else ""


def _source(archive: MfcArchive, version: int) -> Source:
    source = Source(archive.text(), archive.number(4))
    archive.flagged(16)
    source.port = archive.number(2)
    if source.port:
        source.address = _address(archive.take(4))
        archive.skip(16 if version >= 43 else 0)
    if archive.number(2):
        archive.skip(4 + (16 if version >= 43 else 0))
    source.name = archive.text()
    archive.skip(4 * (5 + 2 * (version >= 37)))
    source.client = archive.text()
    source.nick = archive.text() if version >= 24 else ""
    source.country = archive.text() if version >= 36 else ""
    if version >= 38:
        source.country = archive.text() or source.country
    archive.skip(16)
    source.seen = archive.number(8)
    archive.skip((16 if version >= 29 else 8) * archive.count())
    archive.skip(4 * ((version >= 39) + (version >= 42)))
    return source


def _file(archive: MfcArchive, download: Download) -> None:
    wide = 8 if download.version >= 29 else 4
    archive.skip(wide)
    download.remaining = archive.number(wide)
    for _ in range(archive.number(4)):
        place = archive.number(wide), archive.number(wide)
        if len(download.ranges) < _KEPT_RANGES:
            download.ranges.append(place)
    if download.version < 40:
        return
    for _ in range(archive.number(4)):
        path = archive.text()
        archive.skip(8)
        size = archive.number(8)
        archive.skip(4)
        name = archive.text() if download.version >= 41 else ""
        archive.skip(4 if download.version >= 41 else 0)
        if len(download.parts) < _KEPT_FILES:
            download.parts.append((path, name, size))


def _torrent(archive: MfcArchive) -> Torrent | None:
    version = archive.number(4)
    if not 1 <= version <= _NEWEST_TORRENT:
        raise StructureError("a version of its torrent that is not read")
    raw = archive.flagged(20)
    if not raw:
        return None
    torrent = Torrent(raw.hex())
    torrent.size = archive.number(8 if version >= 2 else 4)
    archive.skip(4)
    torrent.blocks = archive.number(4)
    archive.skip(20 * torrent.blocks)
    torrent.uploaded = archive.number(8) if version >= 4 else 0
    torrent.downloaded = archive.number(8) if version >= 6 else 0
    torrent.name = archive.text()
    if version >= 3:
        archive.skip(4)
        torrent.comment, torrent.created, torrent.made_by = archive.text(), archive.number(4), archive.text()
    archive.skip(4 if version >= 5 else 0)
    for _ in range(archive.count()):
        file = _torrent_file(archive, version)
        if len(torrent.files) < _KEPT_FILES:
            torrent.files.append(file)
    if version < 7:
        torrent.trackers.append(archive.text())
    if version >= 4:
        archive.skip(8)
        for _ in range(1 + (version < 7)):
            for _ in range(archive.count()):
                torrent.trackers.append(archive.text())
                archive.skip(24)
    if version >= 10 and (length := archive.number(4)):
        archive.skip(length + (8 if version >= 11 else 0))
    return torrent


def _torrent_file(archive: MfcArchive, version: int) -> tuple[str, int, dict[str, str]]:
    size, path = archive.number(8 if version >= 2 else 4), archive.text()
    if version >= 9:
        archive.text()
    hashes = {"sha1": archive.flagged(20)}
    if version >= 4:
        hashes |= {"ed2k": archive.flagged(16), "tth": archive.flagged(24)}
        archive.skip(4 if version < 8 else 0)
    if version >= 6:
        hashes["md5"] = archive.flagged(16)
    return path, size, {name: raw.hex() for name, raw in hashes.items() if raw}


def _hash_trees(archive: MfcArchive, version: int) -> None:
    """Pass over the hashes of blocks."""
    height = archive.number(4)
    if height:
        if height > _HIGHEST_TREE:
            raise StructureError("a tree of hashes that is higher than it can be")
        archive.skip(25 * ((1 << height) - 1))
        blocks = archive.number(4)
        archive.skip(8 + blocks)
    if version >= 19 and (parts := archive.number(4)):
        archive.skip(16 * (parts + 1 if parts > 1 else 1))
        blocks = archive.number(4)
        archive.skip(4 + blocks)
