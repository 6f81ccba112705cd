"""Pictures, films and sounds that programs keep in the values of databases: avatars, thumbnails of chats, stickers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.blobplace import place_of, source_of
from triage.artifacts.sqlite import MAX_BYTES, open_database
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Child, Finding, Item, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGICS = (
    (b"\xff\xd8\xff", ".jpg"), (b"\x89PNG\r\n\x1a\n", ".png"), (b"GIF8", ".gif"), (b"BM", ".bmp"), (b"OggS", ".ogg"), (b"ID3", ".mp3"),
    (b"\x1a\x45\xdf\xa3", ".webm"), (b"%PDF-", ".pdf"),
)  # fmt: skip
_LEAST, _BEFORE = 100, 16


class DatabasePictures:
    """A cached entry a value, named by its table, row and column."""

    name = "database_pictures"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=("sqlite",), max_size=MAX_BYTES)

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield every value that begins as a picture, film or sound does."""
        data = item.read(MAX_BYTES)
        if not any(magic in data for magic, _ in _MAGICS) and b"ftyp" not in data and b"WEBP" not in data:
            return
        try:
            database = open_database(data)
        except StructureError:
            return  # said by app_databases
        sources = [source_of(data)]
        lost = 0
        with database:
            for table, columns in sorted(database.tables().items()):
                for row in database.rows(table):
                    for column, value in zip(columns, row.values, strict=True):
                        if not isinstance(value, bytes) or len(value) < _LEAST:
                            continue
                        start, ending = _media(value)
                        if start < 0:
                            continue
                        place = place_of(value, sources)
                        if place is None:
                            lost += 1
                            continue
                        size = len(value) - start
                        yield item.child(
                            f"{table}-{row.rowid}-{column}{ending}".replace("/", "_"),
                            [["cut", *place[1]], ["cut", start, size]],
                            size,
                            kind=Kind.CACHED,
                            findings=[
                                ("database-value", f"kept in the table {table}, column {column}",
                                 {"table": table, "column": column, "row": row.rowid, **whose(item.entry.path)}),
                            ],
                        )  # fmt: skip
        if lost:
            yield item.problem(f"{lost:,} pictures in a database cannot be found in its bytes")


def _media(value: bytes) -> tuple[int, str]:
    """Return where a picture, film or sound begins in a value, (-1, "") when none does; some programs put a few bytes before it."""
    for magic, ending in _MAGICS:
        at = value.find(magic, 0, _BEFORE + len(magic)) if len(magic) > 2 else (0 if value.startswith(magic) else -1)
        if at >= 0:
            if ending == ".bmp" and int.from_bytes(value[2:6], "little") != len(value):
                continue
            return at, ending
    if value[4:8] == b"ftyp":
        return 0, ".heic" if value[8:12] in (b"heic", b"mif1", b"heix") else ".mp4"
    if value[:4] == b"RIFF" and value[8:12] in (b"WEBP", b"AVI ", b"WAVE"):
        return 0, {b"WEBP": ".webp", b"AVI ": ".avi", b"WAVE": ".wav"}[value[8:12]]
    return -1, ""


PLUGIN = DatabasePictures
