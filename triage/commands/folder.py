"""A new folder that copies of evidence are written to: under names of ours, for their owner's eyes, never through a link."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from triage.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class OutputFolder:
    """The output folder, held open: names in it are of this folder, whatever becomes of the path that led to it.

    Files in it are made new, never opened, and never through a link. Raises ``OutputError``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @staticmethod
    def check(path: Path) -> None:
        """Refuse a folder that is a link, holds something, or is none."""
        try:
            if path.is_symlink():
                raise OutputError(f"{path} is a link", hint="name a new folder")
            if path.exists() and any(path.iterdir()):
                raise OutputError(f"{path} is not empty", hint="name a new folder")
        except OSError as error:
            raise not_written(path, error) from error

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.open in os.supports_dir_fd:  # not on Windows, where names are taken relative to the path
                self._descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                if os.listdir(self._descriptor):  # noqa: PTH208 - of a descriptor
                    raise OutputError(f"{self.path} is not empty", hint="name a new folder")
        except OSError as error:
            raise not_written(self.path, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def _at(self, name: str) -> str:
        return name if self._descriptor is not None else str(self.path / name)

    def new(self, name: str) -> int:
        """Make a file that only its owner may read, and return its descriptor."""
        return os.open(self._at(name), _NEW, 0o600, dir_fd=self._descriptor)

    def settle(self, making: str, name: str) -> None:
        """Give a file in the making its name; one with the same bytes may have it already."""
        os.replace(self._at(making), self._at(name), src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def folder(self, name: str) -> None:
        """Make a folder in this one."""
        os.mkdir(self._at(name), 0o700, dir_fd=self._descriptor)


def not_written(path: Path, error: OSError) -> OutputError:
    """Return the error for a folder that could not be written to."""
    return OutputError(f"{path} cannot be written: {error.strerror or error}", hint="choose another folder, or make room")
