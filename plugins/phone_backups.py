"""Backups of iPhones in a computer's folders, as iTunes and the Finder make them. A run opens them when asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = "**/MobileSync/Backup/*/"


class PhoneBackups:
    """A finding ``evidence-inside`` for each backup, at its list of files."""

    name = "phone_backups"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(paths=(f"{_FOLDER}Manifest.db", f"{_FOLDER}Manifest.mbdb"))

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield one finding."""
        head = item.read_at(0, 16)
        if not head.startswith((b"SQLite format 3\0", b"mbdb")) and item.entry.name.lower().endswith(".mbdb"):
            return
        phone = item.entry.path.rsplit("/", 2)[-2]
        data = {"type": "ios-backup", "backup": phone[:100], **whose(item.entry.path)}
        yield item.finding("evidence-inside", "a backup of an iPhone or iPad by iTunes or the Finder", data)


PLUGIN = PhoneBackups
