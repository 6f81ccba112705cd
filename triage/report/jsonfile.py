"""``report.json``: the whole report but the list of all files, as one canonical document that depends on nothing but the case.

Times of the run and what the evidence's files were called stand in ``run.json`` beside it, so that two runs of the
same tool on the same evidence give the same ``report.json``, byte for byte.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any

from triage.report.jsonl import dump
from triage.report.verdict import alarms, file_names

if TYPE_CHECKING:
    from triage.report.document import Document, Rows
    from triage.report.folder import Folder

SCHEMA = "triage-report/1"


def render(document: Document, folder: Folder) -> None:
    """Write ``report.json`` and ``run.json``; the lists are streamed."""
    values: dict[str, Any] = {
        "schema": SCHEMA,
        "run": document.facts,
        "evidence": [_evidence(row) for row in document.evidence],
        "volumes": document.volumes,
        "hashsets": document.hashsets,
        "counts": document.counts,
        "coverage": document.coverage,
        "totals": asdict(document.totals),
        "problem_groups": [asdict(group) for group in document.problem_groups],
        "alarms": alarms(document),
    }
    streams = {"queue": document.queue, "findings": document.findings, "problems": document.problems}
    with folder.text("report.json") as file:
        before = "{\n"
        for key in sorted(values.keys() | streams.keys()):
            file.write(f'{before}"{key}":')
            before = ",\n"
            if key in streams:
                _array(file, streams[key])
            else:
                file.write(dump(values[key]))
        file.write("\n}\n")
    run = {
        "schema": "triage-run/1",
        "run_times": document.times,
        "evidence_files": {str(row.get("id") or ""): file_names(row) for row in document.evidence},
    }
    with folder.text("run.json") as file:
        file.write(dump(run) + "\n")


def _evidence(row: dict[str, Any]) -> dict[str, Any]:
    """Return an evidence row with the names of its files in place of their paths on this machine."""
    return {**{k: v for k, v in row.items() if k != "paths"}, "file_names": file_names(row)}


def _array(file: IO[str], rows: Rows) -> None:
    before = "[\n"
    for row in rows():
        file.write(before + dump(row))
        before = ",\n"
    file.write("[]" if before == "[\n" else "\n]")
