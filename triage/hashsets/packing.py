"""Lists that are packed: gzip, bzip2, xz, and a list inside a ZIP archive. Unpacked while it is read, with a bound on what comes out.

Of a ZIP archive ``NSRLFile.txt`` is the list (NSRL RDS v2 comes so); else its only file. Of several none is chosen.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

from triage.errors import HashsetError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PREFERRED = "nsrlfile.txt"
_NAMES_SHOWN = 5
_FREE = 1 << 30
"""So many bytes may come out whatever went in: small lists of one line over and over do pack well."""
_RATIO = 300
"""Beyond that, so many bytes of text for each packed one at most. Digests are random: they pack to half of their digits."""


def opener_of(path: Path, head: bytes) -> Callable[[Path], BinaryIO] | None:
    """Return what opens a packed list, ``None`` if it is not packed. Raise ``HashsetError`` for an archive without one list in it."""
    if head.startswith(b"\x1f\x8b"):
        return lambda p: cast("BinaryIO", gzip.open(p, "rb"))
    if head.startswith(b"BZh"):
        return lambda p: cast("BinaryIO", bz2.open(p, "rb"))
    if head.startswith(b"\xfd7zXZ"):
        return lambda p: cast("BinaryIO", lzma.open(p, "rb"))
    if head.startswith(b"PK\x03\x04"):
        member = _member(path)
        return lambda p: cast("BinaryIO", zipfile.ZipFile(p).open(member))
    return None


def _member(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            files = [info for info in archive.infolist() if not info.is_dir() and info.file_size]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise HashsetError(f"{path} is a damaged ZIP archive: {error}", hint="get it again") from error
    chosen = [info for info in files if info.filename.rpartition("/")[2].lower() == _PREFERRED] or files
    if len(chosen) != 1:
        names = ", ".join(repr(info.filename[:100]) for info in chosen[:_NAMES_SHOWN]) or "no file"
        more = ", …" if len(chosen) > _NAMES_SHOWN else ""
        raise HashsetError(f"{path} is a ZIP archive that holds {names}{more}", hint="unpack it and import the list inside")
    if chosen[0].flag_bits & 1:
        raise HashsetError(f"{path} is a ZIP archive that needs a password", hint="unpack it and import the list inside")
    return chosen[0].filename


DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError)
"""What unpacking raises for damaged data."""


def check_expansion(path: Path, packed: int, came_out: int) -> None:
    """Raise ``HashsetError`` when far more comes out than a list can have packed into so many bytes."""
    if came_out > _FREE + _RATIO * packed:
        raise HashsetError(
            f"{path} unpacks to more than {came_out:,} bytes, which no hash list does", hint="unpack it yourself if you trust it"
        )
