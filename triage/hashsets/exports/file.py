"""Put an exported set into a file: whole or not at all, and never over one that is there."""

from __future__ import annotations

import secrets
import sys
from typing import IO, TYPE_CHECKING

from triage.errors import OutputError, UsageError
from triage.hashsets.exports.written import CONTEXTS, FORMATS, TEXTS, write_kdb

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from triage.hashsets.store import Hashset

FILE_FORMATS = FORMATS
__all__ = ["CONTEXTS", "FILE_FORMATS", "export_set"]


def export_set(hashset: Hashset, fmt: str, out: Path | None, *, context: str = CONTEXTS[0], force: bool = False) -> Counter[str]:
    """Write a set to ``out``, or to standard output; return what has no place in the form, and how many.

    Raises ``UsageError`` for a file that is there already, ``OutputError`` when it cannot be written.
    """
    if hashset.facts.hint:
        raise UsageError(f"the set {hashset.facts.name} is a filter: it holds no digests that could be written")
    if out is None:
        if fmt == "kdb":
            raise UsageError("a kdb is a database and needs a file", hint="name one with --out")
        return _text(hashset, fmt, sys.stdout, context)
    if out.exists() and not force:
        raise UsageError(f"{out} exists already", hint="name another file, or replace it with --force")
    part = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    try:
        try:
            if fmt == "kdb":
                left = write_kdb(hashset, part)
            else:
                with part.open("w", encoding="utf-8", newline="") as stream:
                    left = _text(hashset, fmt, stream, context)
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror or error}", hint="name another place") from error
    return left


def _text(hashset: Hashset, fmt: str, stream: IO[str], context: str) -> Counter[str]:
    return TEXTS[fmt](hashset, stream, context) if fmt == "vics" else TEXTS[fmt](hashset, stream)
