"""Shareaza's open searches (``Searches.dat``): what was searched for, and the files that others offered.

Layout (Shareaza's sources: ``WindowManager.cpp``, ``WndSearch.cpp``, ``ManagedSearch.cpp``, ``QuerySearch.cpp``, ``WndBaseMatch.cpp``,
``MatchObjects.cpp`` (lists of results, versions 8 to 17), ``QueryHit.cpp``): for each window a count of 1, searches, results; at the end 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from triage.artifacts.mfc import MfcArchive
from triage.artifacts.shareaza import read_xml
from triage.artifacts.structure import StructureError

_HASHES = (("sha1", 20), ("tth", 24), ("ed2k", 16), ("btih", 20), ("md5", 16))
_TIME_64 = 0x8000000A
"""Stands before a time of 64 bits (``CTime``); any other value is the time itself."""
_KEPT_HITS = 100
_NO_SIZE = (1 << 64) - 1


@dataclass(slots=True)
class Hit:
    """Somebody who offered a file."""

    address: str
    port: int
    protocol: int
    client: str
    name: str
    url: str
    nick: str = ""


@dataclass(slots=True)
class Result:
    """A file that was found. ``chosen``: it was taken for download; ``time``: Unix time when it came up."""

    start: int
    size: int
    hashes: dict[str, str]
    chosen: bool = False
    hits: list[Hit] = field(default_factory=list)
    hit_count: int = 0
    facts: dict[str, str] = field(default_factory=dict)
    time: int = 0
    end: int = 0

    @property
    def name(self) -> str:
        """The first name that somebody gave it."""
        return next((hit.name for hit in self.hits if hit.name), "")


@dataclass(slots=True)
class Search:
    """A search: words, hashes, metadata, sizes between which it was."""

    start: int
    words: str = ""
    hashes: dict[str, str] = field(default_factory=dict)
    schema: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    smallest: int | None = None
    largest: int | None = None
    end: int = 0


@dataclass(slots=True)
class Window:
    """A window: the last search is what its results are of."""

    searches: list[Search] = field(default_factory=list)
    filter: str = ""
    results: list[Result] = field(default_factory=list)


def read_searches(data: bytes) -> tuple[list[Window], str]:
    """Return windows, and why not all of them, "" if all. Raises :class:`StructureError` for what is no such file."""
    archive = MfcArchive(data)
    windows: list[Window] = []
    if data[:6] != b"\x01\0\x01\0\0\0" and data != b"\0\0":
        raise StructureError("not a list of Shareaza's searches")
    try:
        while archive.number(2) == 1:
            windows.append(Window())
            _window(archive, windows[-1])
    except StructureError as error:
        return windows, f"{error} (at byte {archive.at:,}, in search {len(windows):,})"
    return windows, ""


def _window(archive: MfcArchive, window: Window) -> None:
    if archive.number(4) != 1:
        raise StructureError("a version of its windows that is not read")
    for _ in range(archive.count()):
        window.searches.append(_search(archive))
    archive.text()
    version = archive.number(4)
    if not 8 <= version <= 17:
        raise StructureError("a version of its results that is not read")
    window.filter = archive.text()
    archive.skip(4 * (6 + 4 * (version >= 12) + 2 * (version >= 17)))
    archive.skip((16 if version >= 10 else 8) + 12)
    for _ in range(archive.count()):
        _result(archive, version, window)


def _hashes(archive: MfcArchive, how_many: int) -> dict[str, str]:
    found = {name: archive.flagged(length) for name, length in _HASHES[:how_many]}
    return {name: raw.hex() for name, raw in found.items() if raw}


def _search(archive: MfcArchive) -> Search:
    outer = archive.number(4)
    search = Search(archive.at)
    version = archive.number(4)
    if not 2 <= outer <= 100 or not 4 <= version <= 100:
        raise StructureError("a version of its searches that is not read")
    archive.skip(16)
    search.words = archive.text()
    search.hashes = _hashes(archive, 5 if version >= 7 else 4)
    search.schema = archive.text()
    if search.schema:
        search.facts = read_xml(archive)
    archive.skip(20 if version >= 5 else 0)
    if version >= 8:
        smallest, largest = archive.number(8), archive.number(8)
        search.smallest = smallest or None
        search.largest = largest if largest != _NO_SIZE else None
    archive.skip(12 + 12 * (outer >= 3) + 4 * (outer >= 4))
    search.end = archive.at
    return search


def _result(archive: MfcArchive, version: int, window: Window) -> None:
    start = archive.at
    size = archive.number(8 if version >= 10 else 4)
    archive.text()
    result = Result(start, size, _hashes(archive, 5 if version >= 13 else 3))
    window.results.append(result)
    archive.skip(16)
    archive.text()
    archive.skip(8)
    result.chosen = archive.number(4) != 0
    archive.skip(4)
    archive.skip(archive.count())
    result.hit_count = archive.count()
    for _ in range(result.hit_count):
        hit = _hit(archive, version, result)
        if len(result.hits) < _KEPT_HITS:
            result.hits.append(hit)
    if version >= 14:
        time = archive.number(4)
        result.time = archive.number(8) if time == _TIME_64 else time
    result.end = archive.at


def _hit(archive: MfcArchive, version: int, result: Result) -> Hit:
    archive.skip(16)
    protocol = archive.number(4) if version >= 9 else 0
    archive.skip(16)
    raw = archive.take(4)
    archive.skip(16 if version >= 16 else 0)
    port = archive.number(2)
    archive.skip(4)
    archive.text()
    client = archive.text()
    archive.skip(32)
    for name, value in _hashes(archive, 5 if version >= 13 else 3).items():
        result.hashes.setdefault(name, value)
    url, name = archive.text(), archive.text()
    archive.skip(8 + (8 if version >= 10 else 4) + 12)
    archive.text()
    archive.skip(4 if version >= 11 else 0)
    schema = archive.text()
    archive.text()
    if schema:
        for key, value in read_xml(archive).items():
            result.facts.setdefault(key, value)
    archive.skip(4)
    archive.text()
    archive.skip(4 * (3 + (version >= 12)))
    nick = archive.text() if version >= 15 else ""
    return Hit(".".join(str(part) for part in raw) if any(raw) else "", port, protocol, client, name, url, nick)
