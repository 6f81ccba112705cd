"""Opening the case database, and SQLite's errors in the operator's words."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from triage.case.schema import VERSION
from triage.content.types import extension_mismatch
from triage.errors import CaseError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "case.db"


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open ``case.db``; raise ``CaseError`` when it is none of ours, or of a newer version."""
    file = path / NAME
    if not file.is_file():
        raise CaseError(f"{path} is not a case folder: it has no {NAME}", hint="give the folder that --case named")
    uri = file.resolve().as_uri() + ("?mode=ro" if read_only else "?mode=rw")
    try:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30)
    except sqlite3.DatabaseError as error:
        raise _unreadable(file, error) from error
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA trusted_schema = OFF")
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        _check_version(file, str(row[0]) if row else "")
        prepare(connection)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _unreadable(file, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _unreadable(file: Path, error: sqlite3.DatabaseError) -> CaseError:
    return CaseError(f"{file} cannot be read as a case: {error}", hint="restore it, or start a new case")


def _check_version(file: Path, found: str) -> None:
    if not (found.isascii() and found.isdigit()):
        raise CaseError(f"{file} is not a triage case", hint="give the folder that --case named")
    if int(found) != VERSION:
        raise CaseError(
            f"{file} has schema {found[:20]}, this version reads {VERSION}",
            hint="use the newer triage that wrote it" if int(found) > VERSION else "run it again into a new case folder",
        )


def prepare(connection: sqlite3.Connection) -> None:
    """Give SQL the functions that ``--where`` uses."""

    def mismatch(name: str | None, kind: str | None) -> int:
        return int(bool(name and kind and extension_mismatch(name, kind)))

    connection.create_function("extension_mismatch", 2, mismatch, deterministic=True)


def open_private(path: Path) -> BinaryIO:
    """Open a file to read and append to, making one that nobody else may read when it is not there; raises ``OSError``."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    return os.fdopen(os.open(path, flags, 0o600), "a+b")


def append(file: BinaryIO, data: bytes) -> None:
    """Write at the end of a file that :func:`open_private` opened, all of it or nothing; raises ``OSError``.

    Nothing stays in a buffer that would be written later, or fail to be when the file is closed.
    """
    descriptor = file.fileno()
    start = os.lseek(descriptor, 0, os.SEEK_END)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, start)
        raise


@contextmanager
def writing(folder: Path, connection: sqlite3.Connection | None = None) -> Iterator[None]:
    """Turn SQLite's trouble with the disk into an ``OutputError`` with a way out, leaving no transaction open.

    Raises ``ValueError`` for values that no row can hold: they came from a worker, and the case is none the worse for it.
    """
    try:
        yield
    except BaseException as error:
        if connection is not None and connection.in_transaction:
            connection.rollback()
        if isinstance(error, (OverflowError, sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)):
            raise ValueError(f"a value that the case cannot hold: {error}") from error  # noqa: TRY004 - one kind for every misfit
        if not isinstance(error, sqlite3.DatabaseError):
            raise
        _explain(folder, error)


def _explain(folder: Path, error: sqlite3.DatabaseError) -> NoReturn:
    if isinstance(error, sqlite3.OperationalError):
        raise OutputError(
            f"the case in {folder} cannot be written: {error}",
            hint="make room or fix the permissions, then run the same command again: it resumes",
        ) from error
    raise CaseError(f"the case in {folder} is damaged: {error}", hint="restore it, or start a new case") from error
