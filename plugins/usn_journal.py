"""What NTFS's change journal tells of pictures, films, sounds, documents and archives that were deleted or renamed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.artifacts import times, usnjrnl
from triage.artifacts.browsing import fact, show
from triage.artifacts.structure import Notes
from triage.plugin import Accepts, Finding, Item, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.usnjrnl import Change

_ENDINGS = (
    "jpg", "jpeg", "jpe", "jfif", "png", "gif", "bmp", "tif", "tiff", "webp", "heic", "heif", "avif", "raw", "cr2", "cr3",
    "nef", "arw", "dng", "psd", "mp4", "m4v", "mov", "avi", "mkv", "wmv", "flv", "mpg", "mpeg", "3gp", "3g2", "webm", "ts",
    "vob", "asf", "rm", "rmvb", "mp3", "m4a", "aac", "wav", "wma", "ogg", "opus", "flac", "amr", "zip", "rar", "7z", "tar",
    "gz", "tgz", "iso", "vhd", "vhdx", "vmdk", "vdi", "e01", "dd", "img", "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx",
    "odt", "txt", "eml", "msg", "pst", "ost", "db", "sqlite", "torrent", "part", "crdownload", "lnk",
)  # fmt: skip
_MOST_FILES = 200_000


@dataclass(slots=True)
class _File:
    """What is known of a file so far."""

    made: int | None = None
    old: str = ""


class UsnJournal:
    """Findings ``file-deleted`` and ``file-renamed``, with the times and the number of the folder; the other changes are counted."""

    name = "usn_journal"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(paths=("**/$UsnJrnl:$J", "**/$UsnJrnl:$J:$DATA", "**/*UsnJrnl*"), kinds=(Kind.STREAM, Kind.FILE), min_size=64)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what was deleted and renamed, in the order it happened."""
        start = 0
        for run in item.entry.runs:  # the hole at the beginning can be hundreds of times as long as what follows
            if run.image_offset is not None:
                break
            start += run.length
        notes = Notes()
        files: dict[int, _File] = {}
        seen = 0
        for change in usnjrnl.changes(item.read_at, min(start, item.size), item.size, notes):
            seen += 1
            if change.attributes & usnjrnl.DIRECTORY:
                continue
            one = files.get(change.file)
            if one is None:
                if len(files) >= _MOST_FILES:
                    files.clear()
                    notes.add("a change journal of very many files: what was first known of some is not told")
                one = files[change.file] = _File()
            if change.reasons & usnjrnl.CREATED and one.made is None:
                one.made = change.time
            if change.reasons & usnjrnl.RENAMED_FROM:
                one.old = change.name
            if change.reasons & usnjrnl.RENAMED_TO and change.reasons & usnjrnl.CLOSED and one.old and one.old != change.name:
                if _wanted(change.name) or _wanted(one.old):
                    yield self._renamed(item, change, one)
                one.old = ""
            if change.reasons & usnjrnl.DELETED and change.reasons & usnjrnl.CLOSED:
                if _wanted(change.name):
                    yield self._deleted(item, change, one)
                del files[change.file]
        if seen:
            yield item.finding("system", f"a change journal of {seen:,} changes", {"changes": seen})
        for line in notes.lines():
            yield item.problem(line)

    @staticmethod
    def _deleted(item: Item, change: Change, one: _File) -> Finding:
        kind, title, data = fact(
            "file-deleted", f"{show(change.name[:200])} was deleted", times.filetime(change.time), name=change.name,
            made_time=times.filetime(one.made), folder=change.folder & (1 << 48) - 1, file=change.file & (1 << 48) - 1,
        )  # fmt: skip
        return item.finding(kind, title, data)

    @staticmethod
    def _renamed(item: Item, change: Change, one: _File) -> Finding:
        kind, title, data = fact(
            "file-renamed", f"{show(one.old[:120])} was renamed to {show(change.name[:120])}", times.filetime(change.time),
            name=change.name, old_name=one.old, folder=change.folder & (1 << 48) - 1, file=change.file & (1 << 48) - 1,
        )  # fmt: skip
        return item.finding(kind, title, data)


def _wanted(name: str) -> bool:
    return name.rpartition(".")[2].lower() in _ENDINGS


PLUGIN = UsnJournal
