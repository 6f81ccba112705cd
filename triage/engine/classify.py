"""Whether an entry's content is read, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.case.items import has_content
from triage.priority.coverage import ENCRYPTED

if TYPE_CHECKING:
    from triage.model import Entry
    from triage.priority.profile import Profile


def key_of(entry: Entry) -> str:
    """Return the content key of an entry that has bytes of its own."""
    return entry.locator.key if entry.locator is not None else ""


def classify(entry: Entry, profile: Profile) -> tuple[str | None, str | None, int]:
    """Return an entry's content key (``None``: no bytes of its own), why it is not read, and its tier of work."""
    if not has_content(entry) or entry.locator is None:
        return None, None, 0
    if entry.encrypted and entry.size:
        return entry.locator.key, ENCRYPTED, 0
    if entry.name.endswith("$BadClus:$Bad") and entry.meta_addr == 8:
        return entry.locator.key, "the list of bad clusters holds no data", 0
    return entry.locator.key, profile.select_reason(entry), profile.tier_of(entry)
