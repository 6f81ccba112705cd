"""What LimeWire and FrostWire shared, loaded and how they were set up: paths and SHA-1 in their Java files, folders in their settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from triage.artifacts import p2p
from triage.artifacts.inifile import MAX_BYTES, lines_of
from triage.artifacts.javastrings import MAGIC, files_of
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.plugin import Json

_LARGEST = 32 << 20
_BY = "LimeWire or FrostWire"
_SHARED = ("DIRECTORIES_TO_SEARCH_FOR_FILES", "DIRECTORY_FOR_SAVING_FILES", "DIRECTORIES_TO_SHARE")
_TELLING = re.compile(
    r"DIR|FOLDER|PATH|PORT$|CLIENT_ID|USERNAME|NICK|KEYWORD|SEARCH_HISTORY|LAST_|SESSIONS|UPTIME|INSTALLED", re.IGNORECASE
)
_HIDDEN = re.compile(r"PASS|COOKIE|TOKEN|SECRET", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))")
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}


class LimeWire:
    """Findings ``library-file``, ``loading-file``, ``shared-folder`` and ``program-settings``."""

    name = "limewire"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(
        paths=(
            "limewire.props", "frostwire.props", "fileurns.cache", "fileurns.bak", "createtimes.cache", "library.dat", "library.bak",
            "downloads.dat", "downloads.bak",
        )
    )  # fmt: skip

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the file says."""
        mine: Json = {**whose(item.entry.path), "program": _BY}
        if item.entry.path.lower().endswith(".props"):
            yield from _settings(item, mine)
        elif item.read_at(0, 4) == MAGIC:
            if item.size > _LARGEST:
                yield item.problem(f"of a list of {_BY} only {_LARGEST:,} bytes were read")
            yield from _files(item, item.read(_LARGEST), mine)


def _files(item: Item, data: bytes, mine: Json) -> Iterator[Finding | Problem]:
    # Other programs of Java have files of these names, too: one of theirs names no class of LimeWire's.
    if not re.search(rb"limegroup|limewire|frostwire|gnutella", data[: 1 << 20], re.IGNORECASE):
        return
    loading = item.entry.path.rpartition("/")[2].lower().startswith("downloads")
    for one in files_of(data):
        name = one.path.replace("\\", "/").rpartition("/")[2]
        shown = name or next(iter(one.digests.values()), "")
        kind, verb = ("loading-file", "was being loaded by") if loading else ("library-file", "was known to")
        facts = {"name": name, "path": one.path, **one.digests, "digests": [one.digests] if one.digests else []}
        # The objects are not read: what belongs to what is told by the order in which it stands.
        said = p2p.said({**mine, **facts, "read": "by its texts only"})
        yield item.finding(kind, f"{shown} {verb} {_BY}", said, [(one.offset, len(one.path.encode()) or 41)])


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else _PLAIN.get(match[2], match[2]), text)


def _settings(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    values: dict[str, str] = {}
    for line in lines_of(item.read(MAX_BYTES))[:20_000]:
        key, equals, value = line.partition("=")
        if equals and line[0] not in "#!":
            values.setdefault(key.strip()[:200], _unescape(value.strip())[:10_000])
    for key in _SHARED:
        for path in dict.fromkeys(part.strip() for part in values.get(key, "").split(";")):
            if path:
                yield item.finding(
                    "shared-folder", f"the folder {path} was shared by {_BY}", p2p.said({**mine, "path": path, "setting": key})
                )
    telling = {key: value[:1000] for key, value in values.items() if value and _TELLING.search(key) and not _HIDDEN.search(key)}
    if telling:
        shown = p2p.table(telling, 24_000)
        yield item.finding("program-settings", f"how {_BY} is set up: folders, ports, names", {**mine, "settings": shown})
        if len(shown) < len(telling):
            yield item.problem(f"{len(telling) - len(shown):,} settings of {_BY} are not listed")
    if item.size > MAX_BYTES:
        yield item.problem(f"of settings of more than {MAX_BYTES:,} bytes the rest was not read")


PLUGIN = LimeWire
