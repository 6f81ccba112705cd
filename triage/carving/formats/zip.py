"""ZIP, and the documents, books and programs that are ZIP files by another name (PKWARE APPNOTE 6.3.10).

A member by its local header, sizes in it or behind it; the central directory; the end record with its zip64 forms and the comment.
"""

from __future__ import annotations

from triage.artifacts.zips import LOCAL
from triage.carving.forms import Format, Header
from triage.carving.ziprejoin import rejoin
from triage.carving.zipwalk import walk

FORMATS = (
    Format(
        name="zip",
        extension="zip",
        headers=(Header(LOCAL), Header(b"PK00" + LOCAL), Header(b"PK\7\x08" + LOCAL)),
        walk=walk,
        rejoin=rejoin,
        holds_files=True,
    ),
)
