"""Puts a report in its folder: written beside the old one first, then moved into place file by file."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from triage.errors import OutputError, UsageError
from triage.report import csvfile, html, jsonfile, jsonl
from triage.report.folder import LISTS, PAGE, Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from triage.report.document import Document

FORMATS: Mapping[str, Callable[[Document, Folder], None]] = {
    "html": html.render,
    "json": jsonfile.render,
    "jsonl": jsonl.render,
    "csv": csvfile.render,
}
_HINT = "choose another folder with --out, or make room and give yourself write permission there"


def write_report(document: Document, formats: Sequence[str], out: Path) -> list[Path]:
    """Write the report into the folder ``out`` and return its files, ``index.html`` and ``report.json`` first.

    Each file appears whole or not at all: all are written into a folder inside ``out`` and then moved. ``index.html`` is moved
    last, so that its links never lead nowhere; pages that an earlier, longer report left over are removed. Folders get mode
    0700, files 0600; nothing but files of a report's names is touched.

    Raises ``UsageError`` for a format that is not known and ``OutputError`` when ``out`` or what is to be replaced in it is a
    link or cannot be written.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise UsageError(
            f"no report format {unknown[0]!r}" if unknown else "no report format was named",
            hint=f"known are {', '.join(FORMATS)}",
        )
    with _said(out):
        _refuse_link(out)
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".report-", dir=out))
        try:
            folder = Folder(building)
            for name in dict.fromkeys(formats):
                FORMATS[name](document, folder)
            _move(folder, out)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    first = [name for name in ("index.html", "report.json") if name in folder.written]
    return [out / name for name in (*first, *(n for n in folder.written if n not in first))]


def _move(folder: Folder, out: Path) -> None:
    lists = [name for name in LISTS if (folder.root / name).is_dir()]
    for name in (*lists, *folder.written):
        _refuse_link(out / name)
    for name in lists:
        (out / name).mkdir(mode=0o700, exist_ok=True)
    for name in sorted(folder.written, key=lambda n: (n == "index.html", n)):
        os.replace(folder.root / name, out / name)  # noqa: PTH105  (Path.replace hides which of the two is meant)
    for name in lists:
        for page in (out / name).iterdir():
            if PAGE.fullmatch(page.name) and f"{name}/{page.name}" not in folder.written and not page.is_symlink():
                page.unlink()


def _refuse_link(path: Path) -> None:
    if path.is_symlink() or path.is_junction() if hasattr(path, "is_junction") else path.is_symlink():
        raise OutputError(
            f"{path} is a link; a report is not written through links",
            hint="remove it, or choose another folder with --out",
        )


@contextmanager
def _said(out: Path) -> Iterator[None]:
    """Turn the system's refusals into one line for the operator."""
    try:
        yield
    except FileExistsError as error:
        raise OutputError(f"the report cannot be written to {out}: {error.filename} is in the way", hint=_HINT) from error
    except OSError as error:
        raise OutputError(f"the report cannot be written to {out}: {error.strerror or error}", hint=_HINT) from error
