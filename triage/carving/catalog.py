"""Every format that is carved: each module in ``formats/`` that has ``FORMATS``, in the order of their names."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

from triage.carving import formats

if TYPE_CHECKING:
    from triage.carving.forms import Format


@cache
def known_formats() -> tuple[Format, ...]:
    """Return the formats, sorted by name; two of one name are our mistake."""
    found: dict[str, Format] = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(formats.__path__)):
        for one in getattr(importlib.import_module(f"{formats.__name__}.{module}"), "FORMATS", ()):
            if one.name in found:
                raise ValueError(f"two carved formats are called {one.name}")
            found[one.name] = one
    return tuple(found[name] for name in sorted(found))
