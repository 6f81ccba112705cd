"""What stops a command, and the exit code each kind ends with.

::

    TriageError                  1  our bug if raised bare
    ├── UsageError               2  an argument, a profile, a missing file that the operator named
    │   └── ProfileError         2  file:line, key, suggestion
    ├── EvidenceError            3  unreadable, incomplete, unsupported or changed evidence
    │   └── PasswordError        3  encrypted evidence that no given password opens
    ├── CaseError                4  locked, foreign, newer or damaged case
    ├── PluginError              5  a plugin that the profile names is missing or broken
    ├── HashsetError             5  a hash list or compiled set cannot be used
    ├── EngineError              6  workers cannot be started, or all died
    └── OutputError              7  the case folder or a report cannot be written

Damage *inside* evidence is never one of these: it becomes a :class:`triage.model.Problem` and the run goes on.
"""

from __future__ import annotations


class TriageError(Exception):
    """A failure with one line for the operator: what happened, and in ``hint`` what to do about it."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(TriageError):
    """The command's words are off, or name something that is not there."""

    exit_code = 2


class ProfileError(UsageError):
    """A profile cannot be read; the message starts with ``file:line``."""


class EvidenceError(TriageError):
    """The evidence cannot be opened, is incomplete, is of a kind that is not read, or has changed."""

    exit_code = 3


class PasswordError(EvidenceError):
    """The evidence is encrypted, and no password or key that was given opens it. The message never holds what was given."""


class CaseError(TriageError):
    """The case folder is in use, belongs to other evidence, or was written by a newer version."""

    exit_code = 4


class PluginError(TriageError):
    """A plugin that the profile names cannot be used."""

    exit_code = 5


class HashsetError(TriageError):
    """A hash list cannot be imported, or a compiled set is missing or damaged."""

    exit_code = 5


class EngineError(TriageError):
    """Worker processes cannot be started, or every one of them died."""

    exit_code = 6


class OutputError(TriageError):
    """A file of ours cannot be written: no room, no permission, already there."""

    exit_code = 7
