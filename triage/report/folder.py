"""The folder that a renderer writes into: new files of our own names only, readable by their owner only."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LISTS = ("queue", "findings", "problems", "files")
"""The long lists, each with a folder of HTML pages, a ``.jsonl`` and a ``.csv``."""

PAGE = re.compile(r"\d{4,9}\.html")
_NAME = re.compile(rf"index\.html|report\.json|run\.json|(?:{'|'.join(LISTS)})\.(?:jsonl|csv)|(?:{'|'.join(LISTS)})/{PAGE.pattern}")


class Folder:
    """Where a report is being written. ``written`` lists the files in the order they were finished."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.written: list[str] = []

    @contextmanager
    def text(self, name: str, *, bom: bool = False, replace: bool = False) -> Iterator[IO[str]]:
        """Open a new UTF-8 text file, mode 0600; line ends are written as they are.

        ``replace`` allows to write a file of this report once more. Raises ``ValueError`` for a name that is
        not ours and ``FileExistsError`` for one that is there.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a file of a report")
        path = self.root / name
        if path.parent != self.root:
            path.parent.mkdir(mode=0o700, exist_ok=True)
        again = replace and name in self.written
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if again else os.O_EXCL) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8-sig" if bom else "utf-8", newline="") as file:
            yield cast("IO[str]", file)
        if not again:
            self.written.append(name)

    def discard(self, name: str) -> None:
        """Take back a file of this report."""
        (self.root / name).unlink()
        self.written.remove(name)
