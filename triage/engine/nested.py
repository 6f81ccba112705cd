"""Evidence inside evidence: disk images, virtual disks and phones' backups that a run found, copied into the case and examined too.

What a run found stands as findings ``evidence-inside``. A copy is made since a container's reader needs files: under names of ours, in
``CASE/nested/ENTRY``, and it stays there, because the case's contents are read from it.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from triage.case.store import Case
from triage.engine.copying import copy_bytes
from triage.engine.local import LocalEngine
from triage.engine.run import RunOptions, RunResult, run
from triage.errors import EvidenceError
from triage.escape import show
from triage.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.engine.observer import Observer
    from triage.engine.session import Session
    from triage.model import Entry, Evidence

FOLDER, FINDING = "nested", "evidence-inside"
DEEPEST, MOST, MOST_FILES = 2, 50, 500_000
KEPT_FREE = 1 << 30
"""How many bytes of the case's disk are left free."""
_BACKUP_NAMES = re.compile(
    r"(?:[0-9a-f]{2}/)?[0-9a-f]{40}(?:\.(?:mddata|mdinfo))?|Manifest\.(?:db(?:-wal)?|mbdb|plist)|(?:Info|Status)\.plist"
)
_PARTS = {
    "e01": re.compile(r"[es][0-9]{2}|[e-z][a-z]{2}"),
    "ex01": re.compile(r"e[x-z](?:[0-9]{2}|[a-z]{2})"),
    "l01": re.compile(r"l[0-9]{2}|l[x-z](?:[0-9]{2}|[a-z]{2})"),
    "ad1": re.compile(r"ad[0-9]{1,3}"),
}
_ENDINGS = {
    "e01": "E01", "ex01": "Ex01", "l01": "L01", "ad1": "ad1", "aff": "aff", "qcow2": "qcow2", "vmdk": "vmdk", "vhd": "vhd", "vhdx": "vhdx",
    "vdi": "vdi", "dmg": "dmg", "iso9660": "iso", "android-backup": "ab",
}  # fmt: skip
_PACKAGES = ("aff4", "ufdr", "clbx")


class Candidate(NamedTuple):
    """Evidence that was found inside evidence: the entry that it was found at, what it is, and its files by the names they get."""

    entry: Entry
    kind: str
    files: list[tuple[str, Entry]]
    first: str

    @property
    def place(self) -> str:
        """Where in the case its copy lies."""
        return f"{FOLDER}/{self.entry.id}"

    @property
    def fact(self) -> str:
        """What is noted with the evidence that becomes of it."""
        return f"{self.place}: {show(self.entry.path)}"


def run_nested(options: RunOptions, observer: Observer) -> RunResult:
    """Examine evidence, then what was found inside it, to a depth of :data:`DEEPEST`."""
    options = _with_known(options)
    result = run(options, observer)
    for _ in range(DEEPEST):
        if not result.complete or result.changed:
            break
        with Case.open(options.case) as case:
            records = case.evidence_records()
            done = {fact for _, fact in options.nested}
            found = [one for one in candidates(case) if one.fact not in done]
        if not found:
            break
        observer.stage("copying evidence that was found inside")
        made, refused = _copy_all(options, records, found[:MOST])
        refused += [f"{show(one.entry.path)} was not opened: more than {MOST} images and backups at once" for one in found[MOST:]]
        options = replace(
            options,
            evidence=(*options.evidence, *(path for path, _ in made)),
            nested=(*options.nested, *((path, one.fact) for path, one in made)),
            not_nested=(*options.not_nested, *refused),
        )
        resumed, opened = result.resumed, bool(made)
        result = run(options, observer)
        result.resumed = resumed
        if not opened:
            break
    return result


def _with_known(options: RunOptions) -> RunOptions:
    """Return the options with the nested evidence that an earlier run of the case has copied."""
    if not (options.case / FOLDER).is_dir():
        return options
    try:
        with Case.open(options.case) as case:
            known = [(Path(e.paths[0]), e.facts["inside"]) for e in case.evidence_records() if "inside" in e.facts]
    except EvidenceError:
        return options
    return replace(options, evidence=(*options.evidence, *(path for path, _ in known)), nested=tuple(known))


def candidates(case: Case) -> Iterator[Candidate]:
    """Yield what could be examined as evidence of its own, in the order of paths."""
    seen = set()
    for finding in case.findings():
        if finding["kind"] != FINDING or finding["entry"] in seen:
            continue
        entry = case.entry(finding["entry"])
        if entry is None or entry.locator is None:
            continue
        seen.add(entry.id)
        kind = str(finding["data"].get("type"))
        folder, _, name = entry.path.rpartition("/")
        if kind == "ios-backup":
            files = [
                (e.path[len(folder) + 1 :], e)
                for e in case.below(folder, MOST_FILES)
                if e.kind is Kind.FILE and e.evidence == entry.evidence
            ]
            files = [(path, e) for path, e in files if _BACKUP_NAMES.fullmatch(path) and e.locator is not None and e.name_allocated]
            yield Candidate(entry, kind, files, "")
            continue
        ending = _ENDINGS.get(kind) or next((p for p in _PACKAGES if name.lower().endswith(f".{p}")), "img")
        first = f"evidence.{ending}"
        files = [(first, entry)]
        parts = _PARTS.get(kind)
        stem, _, own = name.rpartition(".")
        if parts is not None and parts.fullmatch(own.lower()):
            files = [(f"evidence.{own}", entry)]
            first = files[0][0]
            for other in case.below(folder, MOST_FILES):
                base, _, end = other.name.rpartition(".")
                same = base == stem and other.path.rpartition("/")[0] == folder and other.evidence == entry.evidence
                if same and other.id != entry.id and other.locator is not None and other.name_allocated and parts.fullmatch(end.lower()):
                    files.append((f"evidence.{end}", other))
        yield Candidate(entry, kind, files, first)


def _copy_all(options: RunOptions, records: list[Evidence], found: list[Candidate]) -> tuple[list[tuple[Path, Candidate]], list[str]]:
    """Copy candidates into the case; return where each lies, and what is to be said of those that could not be."""
    made: list[tuple[Path, Candidate]] = []
    refused: list[str] = []
    settings = {"memory": options.profile.limits.memory, "item_bytes": options.profile.limits.item_bytes}
    engine = LocalEngine(options.profile.limits, settings, 1, options.passwords)
    try:
        session = engine.spawn()
        session.attach(records)
        for one in found:
            size = sum(entry.size for _, entry in one.files)
            if size + KEPT_FREE > shutil.disk_usage(options.case).free:
                refused.append(f"{show(one.entry.path)} was not opened: its {size:,} bytes do not fit on the case's disk")
                continue
            path, why = _copy(session, options.case / one.place, one)
            if why:
                refused.append(f"{show(one.entry.path)} was not opened: {why}")
            else:
                made.append((path, one))
    finally:
        engine.close()
    return made, refused


def _copy(session: Session, folder: Path, one: Candidate) -> tuple[Path, str]:
    """Copy one candidate's files; return where it lies and why it could not be copied. Half a copy is not left behind."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    why = ""
    for name, entry in one.files:
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o440), "wb") as file:
            copied = copy_bytes(session, entry, file)
        if copied.problem and entry.id == one.entry.id:
            why = copied.problem
            break
    if why:
        shutil.rmtree(folder, ignore_errors=True)
    return (folder / one.first if one.first else folder), why
