"""Rows as JSON: canonical, ASCII only, one a line. What these files hold is exactly what was in the case."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from triage.report.folder import LISTS

if TYPE_CHECKING:
    from triage.report.document import Document
    from triage.report.folder import Folder

_ENCODE = json.JSONEncoder(sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def dump(value: object) -> str:
    """Return canonical JSON: keys sorted, ASCII, no spaces; numbers that JSON does not know become text (``"NaN"``)."""
    try:
        return _ENCODE(value)
    except (TypeError, ValueError):
        return _ENCODE(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)


def render(document: Document, folder: Folder) -> None:
    """Write ``files.jsonl``, ``findings.jsonl``, ``queue.jsonl`` and ``problems.jsonl``."""
    for name in LISTS:
        with folder.text(f"{name}.jsonl") as file:
            for row in getattr(document, name)():
                file.write(dump(row) + "\n")
