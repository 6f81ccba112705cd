"""Where a path that Android's programs state lies in the evidence, by where the file that states it lies."""

from __future__ import annotations

import re

_CARD = re.compile(
    r"/(?:mnt/)?(?:sdcard\d?|extSdCard|external_sd|storage/(?:emulated/(?P<user>\d{1,4}|legacy)|sdcard\d|[0-9A-F]{4}-[0-9A-F]{4}))/",
    re.IGNORECASE,
)
_ON_CARD = re.compile(r"/(?:Android/(?:data|media)|DCIM|Pictures|Movies|Music)(?=/)", re.IGNORECASE)
_OF_AN_APP = re.compile(r"/(?:data|user/\d{1,4})/[a-z]\w{0,60}(?:\.\w{1,60}){1,8}(?=/)", re.IGNORECASE)


def original_of(path: str, stated: str) -> str:
    """Return a stated path as it stands on the volume, with a slash before it; "" when that is not told.

    ``path``: of the file that states it. Its card's root ends before ``Android/data``, ``DCIM`` and the like; an app's folder in the
    phone's own memory (``data/com.example``) has the card's folder beside it (``media/0``).
    """
    card = _CARD.match(stated)
    if card is None:
        return ""
    rest = stated[card.end() :]
    if root := _ON_CARD.search(f"/{path}"):
        folders = ""
    elif root := _OF_AN_APP.search(f"/{path}"):
        folders = f"media/{card['user'] if (card['user'] or '').isdigit() else 0}/"
    else:
        return ""
    inner = path[: root.start()].partition("/")[2].strip("/")
    return f"/{inner}/{folders}{rest}" if inner else f"/{folders}{rest}"
