"""One member of an archive, whatever the archive's format."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from triage.artifacts.expansion import Budget, Expansion, Limits
from triage.model import TimeBasis

if TYPE_CHECKING:
    from collections.abc import Callable


class MemberKind(StrEnum):
    """What a member says it is. Nothing but the bytes of files is ever given; nothing is ever made on disk."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symbolic link"
    HARDLINK = "hard link"
    DEVICE = "device"
    FIFO = "fifo"
    OTHER = "other"


@dataclass(slots=True, kw_only=True)
class Member:
    """A member as its archive describes it: hostile text and numbers.

    ``name`` and ``link`` are raw bytes, ``above`` the names of the members that this one is nested in, outermost first. ``size`` and
    ``packed`` are what the archive states, in bytes. ``mtime`` is in nanoseconds since 1970. ``refused`` says why there are no bytes to
    be had, "" if there are.
    """

    name: bytes
    kind: MemberKind = MemberKind.FILE
    size: int | None = None
    packed: int | None = None
    link: bytes = b""
    mode: int | None = None
    mtime: int | None = None
    time_basis: TimeBasis = TimeBasis.UNKNOWN
    encrypted: bool = False
    method: str = ""
    refused: str = ""
    above: tuple[bytes, ...] = ()
    opener: Callable[[], Expansion] | None = field(default=None, repr=False, compare=False)
    placer: Callable[[], list[list[Any]] | str] | None = field(default=None, repr=False, compare=False)

    def steps(self) -> list[list[Any]] | str:
        """Return the recipe of the member's bytes out of the archive's (:mod:`triage.artifacts.recipe`), or why there is none."""
        if self.refused or self.placer is None:
            return self.refused or f"no file but a {self.kind.value}"
        return self.placer()

    def open(self) -> Expansion:
        """Return the member's bytes. Those of a member that streams by (in ``.tar.gz``) can be had once, before the next member."""
        if self.opener is None or self.refused:
            return refusal(self.refused or f"no file but a {self.kind.value}" if self.kind is not MemberKind.OTHER else "no file")
        return self.opener()


def refusal(reason: str) -> Expansion:
    """Return the bytes of what has none, with the reason."""
    return Expansion(iter(()), Budget(Limits()), reason=reason)
