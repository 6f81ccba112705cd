"""Databases that are encrypted: of known messengers (Signal, WeChat, Telegram, Threema, WhatsApp's backups), and others that look so."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from triage.artifacts.sqlite import MAGIC
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOKED_AT = 16 << 10
_PAGE = 1024
"""The smallest page of SQLCipher's, its third version's; the fourth's are of 4,096 bytes."""
_PLAIN_HEAD = 32
"""Bytes that SQLCipher leaves as they are where it is told to, as Signal on iOS does."""
_RANDOM = 7.6
"""Bits a byte, of 4 KiB or more: random bytes have 7.95 there, databases and text far less; less room, less bits."""
# What the path ends in, the program, and whether it may be of any size: a backup is no row of pages.
_KNOWN: tuple[tuple[str, str, bool], ...] = (
    ("org.thoughtcrime.securesms/databases/signal.db", "Signal", False),
    ("signal/sql/db.sqlite", "Signal", False),
    ("grdb/signal.sqlite", "Signal", False),
    ("signal.sqlite", "Signal", False),
    ("signal.db", "Signal", False),
    ("session/sql/db.sqlite", "Session", False),
    ("enmicromsg.db", "WeChat", False),
    ("postbox/db/db_sqlite", "Telegram", False),
    ("threema4.db", "Threema", False),
    ("threema.db", "Threema", False),
    ("wickr_db", "Wickr", False),
    ("gallery.encrypteddb", "Snapchat", False),
    ("securehealthdata.db", "Samsung Health", False),
    (".db.crypt12", "WhatsApp", True),
    (".db.crypt14", "WhatsApp", True),
    (".db.crypt15", "WhatsApp", True),
)
_ENDINGS = (".db", ".db3", ".sqlite", ".sqlite3", ".sqlitedb", ".encrypteddb")
_LEFTOVERS = frozenset({Kind.SLACK, Kind.UNALLOCATED})


class LockedDatabases:
    """A finding ``locked-database``: what is there that cannot be read without a key."""

    name = "locked_databases"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(
        paths=(*(f"*{ending}" for ending in _ENDINGS), "*/db_sqlite", "*/wickr_db", "*.db.crypt1?"),
        min_size=_PAGE,
    )

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield at most one finding."""
        if item.entry.kind in _LEFTOVERS:
            return
        path = item.entry.path.lower()
        program, any_size = next(((program, free) for end, program, free in _KNOWN if path.endswith(end)), ("", False))
        if item.size % _PAGE and not any_size:
            return
        head = item.head(_LOOKED_AT)
        plain = _PLAIN_HEAD if head.startswith(MAGIC) else 0
        if item.type is not None and not plain:
            return
        entropy = _entropy(head[plain:])
        if entropy < _RANDOM - (0 if len(head) >= 4096 else 0.2):
            return
        if not program and item.size % 4096:
            return
        title = f"an encrypted {'backup' if any_size else 'database'} of {program}" if program else "a database that looks encrypted"
        said = {"application": program} if program else {}
        yield item.finding(
            "locked-database",
            title,
            {**whose(item.entry.path), **said, "size": item.size, "entropy": round(entropy, 2), "plain_head": plain},
        )


def _entropy(data: bytes) -> float:
    """Return how many bits a byte of it tells: 8 for random bytes without end, 0 for equal ones."""
    return -sum(count / len(data) * math.log2(count / len(data)) for count in Counter(data).values()) if data else 0.0


PLUGIN = LockedDatabases
