"""``Manifest.mbdb``: the list of a backup before iOS 10.

Layout by the iPhone Wiki and libimobiledevice's idevicebackup2 (big-endian): ``mbdb`` 5 0, then records: domain, path, target of a link,
digest, key (each u16 length and bytes, 0xFFFF for none), u16 mode, u64 inode, u32 user, u32 group, u32 times of modification, change and
creation, u64 size, u8 protection class, u8 number of properties, each a name and a value. A file's number is the SHA-1 of its domain,
``-`` and its path.
"""

from __future__ import annotations

import hashlib
import stat
import struct

from triage.logical.listed import Listed

_MARK = b"mbdb\5\0"
_FIXED = struct.Struct(">HQIIIIIQBB")
_MOST = 5_000_000


def read_mbdb(data: bytes) -> tuple[list[Listed], str]:
    """Return the lines of a list, and why not all of them, "" if all."""
    if not data.startswith(_MARK):
        return [], "it does not begin as one"
    found: list[Listed] = []
    at = len(_MARK)
    while at < len(data) and len(found) < _MOST:
        texts = []
        for _ in range(5):
            text, at = _text(data, at)
            texts.append(text)
        if at + _FIXED.size > len(data):
            return found, f"it breaks off behind {len(found)} files"
        mode, _, uid, gid, mtime, ctime, crtime, size, _, properties = _FIXED.unpack_from(data, at)
        at += _FIXED.size
        for _ in range(2 * properties):
            _, at = _text(data, at)
        if at > len(data):
            return found, f"it breaks off behind {len(found)} files"
        domain, path, target, _, key = texts
        number = hashlib.sha1(domain + b"-" + path, usedforsecurity=False).hexdigest()
        found.append(
            Listed(
                number=number, domain=domain.decode("utf-8", "replace"), path=path.decode("utf-8", "surrogateescape"),
                directory=stat.S_ISDIR(mode), link=stat.S_ISLNK(mode), size=size, mode=mode, uid=uid, gid=gid, mtime=mtime, ctime=ctime,
                crtime=crtime, target=target.decode("utf-8", "replace"), key=key[-44:] if len(key) >= 44 else b"",
            )
        )  # fmt: skip
    return found, ""


def _text(data: bytes, at: int) -> tuple[bytes, int]:
    """Return what stands at a place, and the place behind it: past the end when it breaks off."""
    length = int.from_bytes(data[at : at + 2], "big")
    if at + 2 > len(data):
        return b"", len(data) + 1
    if length == 0xFFFF:
        return b"", at + 2
    end = at + 2 + length
    return data[at + 2 : end], end if end <= len(data) else len(data) + 1
