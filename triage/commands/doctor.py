"""``triage doctor``: does what is here work."""

from __future__ import annotations

import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import click

from triage.commands.output import emit, format_option
from triage.content.magic import Libmagic
from triage.engine.run import versions
from triage.engine.session import Session
from triage.errors import EngineError, PluginError, TriageError
from triage.hashsets.photodna import load_comparer
from triage.registry import find_plugins

if TYPE_CHECKING:
    from triage.model import Json

_OLDEST_TSK = 20260715


@click.command()
@format_option
def doctor(fmt: str | None) -> None:
    """Check the installation: libraries, workers, plugins; what is missing and what that costs.

    \b
    Example:
      triage doctor
    """
    rows = [*_libraries(), _libmagic(), _photodna(), _worker(), *_plugins()]
    emit(rows, ["check", "state", "detail"], fmt)
    if any(r["state"] == "FAILED" for r in rows):
        raise EngineError("something that is needed does not work", hint="the table says what")


def _libraries() -> list[Json]:
    rows: list[Json] = []
    found = versions()
    for name, version in found.items():
        state, detail = "ok", version
        if name == "pytsk3" and version.isdigit() and int(version) < _OLDEST_TSK:
            state, detail = "FAILED", f"{version}: older than {_OLDEST_TSK}, which hangs or overflows on crafted evidence"
        elif version == "not installed":
            state, detail = _absent(name)
        rows.append({"check": name, "state": state, "detail": detail})
    for name, costs in _NO_RESULT.items():
        try:
            rows.append({"check": name, "state": "ok", "detail": metadata.version(name)})
        except metadata.PackageNotFoundError:
            rows.append({"check": name, "state": "missing", "detail": costs})
    return rows


_NO_RESULT = {
    "cryptography": "cases cannot be sealed (pip install 'triage[seal]')",
    "hyperscan": "slack and page files are carved a few times slower (pip install 'triage[carving]')",
}
"""Extras on which no result depends: they are none of the versions that a case records."""


def _absent(name: str) -> tuple[str, str]:
    costs = {
        "Pillow": "pictures are not compared by likeness, reports have none (pip install 'triage[pictures]')",
        "av": "videos are not compared by their frames (pip install 'triage[video]')",
        "deflate": "E01 images are read half as fast",
        "libewf-python": "SMART and odd E01 variants are not read",
        "pylibmagic": "libmagic must come with the system",
        "python-magic": "types come from the signature table alone",
    }
    return ("missing", costs[name]) if name in costs else ("FAILED", "not installed")


def _libmagic() -> Json:
    library = Libmagic()
    if library.available:
        return {"check": "libmagic", "state": "ok", "detail": str(library.version)}
    return {
        "check": "libmagic",
        "state": "missing",
        "detail": f"types come from the signature table alone ({library.reason}); pip install pylibmagic, or the system's libmagic",
    }


def _photodna() -> Json:
    try:
        comparer = load_comparer()
    except PluginError as error:
        return {"check": "PhotoDNA comparison", "state": "FAILED", "detail": str(error)}
    if comparer is None:
        return {"check": "PhotoDNA comparison", "state": "missing", "detail": "PhotoDNA values of lists are kept and not compared"}
    return {"check": "PhotoDNA comparison", "state": "ok", "detail": f"{comparer.name} {comparer.version}"}


def _worker() -> Json:
    """Start a worker and let it open a medium of one MiB."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "blank.raw"
            path.write_bytes(bytes(1 << 20))
            with Session() as session:
                held = session.held()
                session.open(path)
    except (TriageError, OSError) as error:
        return {"check": "worker process", "state": "FAILED", "detail": str(error)}
    if sys.platform in ("darwin", "win32"):
        held.append("the memory limit is not held by this system")
    return {"check": "worker process", "state": "ok", "detail": "; ".join(held) or "not confined: this system offers nothing for it"}


def _plugins() -> list[Json]:
    registry = find_plugins()
    rows: list[Json] = [
        {"check": f"plugin {p.name}", "state": "ok", "detail": f"{p.version}, {p.origin}"} for p in registry.plugins.values()
    ]
    return rows + [{"check": f"plugin {b.name}", "state": "broken", "detail": b.reason} for b in registry.broken]
