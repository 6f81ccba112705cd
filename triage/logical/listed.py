"""A file as the list of a phone's backup has it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Listed:
    """A file as a backup's list has it. Times in seconds since 1970; ``key``: class and wrapped key of an encrypted one."""

    number: str
    domain: str
    path: str
    directory: bool = False
    link: bool = False
    size: int | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    mtime: int | None = None
    ctime: int | None = None
    crtime: int | None = None
    target: str = ""
    key: bytes = b""
