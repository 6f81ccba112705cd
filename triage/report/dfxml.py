"""DFXML of carved files: name, size, digests and byte runs, as tools that compare carvers read it (DFXML schema 1.2.0)."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from triage import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from triage.model import Evidence, Json

_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<dfxml xmlns="http://www.forensicswiki.org/wiki/Category:Digital_Forensics_XML" xmlns:dc="http://purl.org/dc/elements/1.1/" version="1.2.0">
"""


def text(value: object) -> str:
    """Return a value as XML may hold it; what XML cannot hold at all becomes ``\\xNN`` or ``\\uNNNN``."""
    shown = _NOT_XML.sub(lambda m: f"\\x{ord(m[0]):02x}" if ord(m[0]) < 256 else f"\\u{ord(m[0]):04x}", str(value))
    return html.escape(shown, quote=True)


def carved_dfxml(evidence: Evidence, rows: Iterable[Json]) -> Iterator[str]:
    """Yield the document's lines. ``rows`` are those of ``carved.jsonl``; runs are ``[offset on the medium, length]``."""
    yield _HEAD
    yield "  <metadata>\n    <dc:type>Carve Report</dc:type>\n  </metadata>\n"
    yield f"  <creator>\n    <program>triage</program>\n    <version>{text(__version__)}</version>\n  </creator>\n"
    yield "  <source>\n"
    for path in evidence.paths:
        yield f"    <image_filename>{text(path)}</image_filename>\n"
    yield f"    <sectorsize>{evidence.sector_size}</sectorsize>\n    <image_size>{evidence.size}</image_size>\n  </source>\n"
    for row in rows:
        yield "  <fileobject>\n"
        yield f"    <filename>{text(row['file'] or row['path'])}</filename>\n    <filesize>{row['size']}</filesize>\n"
        if row["area"] != "medium":  # of the whole medium, living files are among them
            yield "    <alloc>0</alloc>\n"
        yield "    <byte_runs>\n"
        offset = 0
        for place, length in row["runs"]:
            yield f'      <byte_run offset="{offset}" img_offset="{place}" len="{length}"/>\n'
            offset += length
        yield "    </byte_runs>\n"
        for kind in ("md5", "sha1", "sha256"):
            if row[kind]:
                yield f'    <hashdigest type="{kind}">{row[kind]}</hashdigest>\n'
        yield "  </fileobject>\n"
    yield "</dfxml>\n"
