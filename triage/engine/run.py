"""The main job: the only place that knows the order of its steps."""

from __future__ import annotations

import os
import platform
import sys
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from triage import __version__
from triage.carving.choice import check_types
from triage.case.writer import CaseWriter
from triage.engine import budget, integrity
from triage.engine.carvecase import carve_case, forget_other_formats
from triage.engine.children import read_inside
from triage.engine.classify import classify
from triage.engine.comparing import compare_in_case, comparing_keys
from triage.engine.hits import judge, named_findings, url_findings
from triage.engine.local import LocalEngine
from triage.engine.originals import note_originals
from triage.engine.plan import Plan
from triage.engine.programs import note_programs
from triage.engine.scoring import score_case
from triage.engine.sink import CaseSink
from triage.errors import EvidenceError, PasswordError
from triage.evidence.opening import SALVAGED
from triage.evidence.segments import find_segments, group
from triage.filesystem.describe import is_listed
from triage.filesystem.inside import unlocked_in
from triage.hashsets.categories import Categories
from triage.hashsets.library import HashsetLibrary
from triage.hashsets.likematch import Thresholds
from triage.hashsets.matching import open_matcher
from triage.hashsets.photodna import load_comparer
from triage.model import Encryption, Entry, Evidence, Problem, Severity, Volume
from triage.registry import find_plugins

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from triage.engine.observer import Observer
    from triage.engine.session import Session
    from triage.hashsets.matching import Matcher
    from triage.model import Json
    from triage.priority.profile import Profile

_DEPENDENCIES = (
    "av",
    "click",
    "cryptography",
    "deflate",
    "libewf-python",
    "numpy",
    "Pillow",
    "pylibmagic",
    "python-magic",
    "pytsk3",
    "PyYAML",
    "rich",
    "simplejpeg",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the operator asked for. ``arguments`` are the command's words for the audit log, less secrets."""

    evidence: tuple[Path, ...]
    case: Path
    profile: Profile
    hashsets: tuple[str, ...] = ()
    exhibit: str = ""
    examiner: str = ""
    case_number: str = ""
    time_budget: float | None = None
    jobs: int = 0
    retry_failed: bool = False
    verify: bool = False
    plugin_paths: tuple[Path, ...] = ()
    arguments: tuple[str, ...] = ()
    passwords: tuple[str, ...] = field(default=(), repr=False)
    """Passwords and keys of encrypted evidence: they go to the workers, and are never stored."""
    nested: tuple[tuple[Path, str], ...] = ()
    """Of evidence that was found inside other, and copied into the case: where the copy lies, and what is noted of where it was found."""
    not_nested: tuple[str, ...] = ()
    """What is to be said of what was found so and could not be copied."""


@dataclass(slots=True)
class RunResult:
    """How a run ended.

    ``unreadable``: no volume of any evidence could be listed; ``changed``: evidence is not what it was; ``mismatched``: its
    digests are not those that the acquisition stored; ``salvaged``: its container is damaged, and what could be proven of it was
    examined (path and reason).
    """

    complete: bool = False
    resumed: bool = False
    unreadable: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)
    salvaged: list[str] = field(default_factory=list)
    stopped: str = ""
    notable: int = 0
    problems: int = 0
    audit_head: str = ""
    seconds: float = 0.0


def versions() -> dict[str, str]:
    """Return the versions that results can depend on."""
    found = {"triage": __version__, "python": platform.python_version()}
    for name in _DEPENDENCIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def run(options: RunOptions, observer: Observer) -> RunResult:
    """Examine evidence into a case, or go on where an earlier run of the same case ended."""
    began = time.monotonic()
    deadline = began + options.time_budget if options.time_budget is not None else None
    profile = options.profile
    registry = find_plugins(options.plugin_paths)
    plugins = profile.enabled_plugins()
    comparer = load_comparer()
    keys = [registry.get(name).key(given) for name, given in plugins.items()] + comparing_keys(profile.compare, comparer)
    jobs = options.jobs or profile.limits.jobs or max(1, os.cpu_count() or 1)
    settings: Json = {
        "memory": profile.limits.memory,
        "item_bytes": profile.limits.item_bytes,
        "plugins": plugins,
        "plugin_paths": [str(p.resolve()) for p in options.plugin_paths],
        "compare": {"pictures": profile.compare.pictures, "videos": profile.compare.videos, "photodna": comparer is not None},
        "categories": _rows(profile),
    }
    check_types(profile.carve.types)
    paths = group(options.evidence)
    result = RunResult()
    observer.stage("opening")
    engine = LocalEngine(profile.limits, settings, jobs, options.passwords)
    try:
        session = engine.spawn()
        held = session.held()
        noted = {path: integrity.note(find_segments(path)[1], full=profile.fingerprint == "full") for path in paths}
        opened = _open_all(session, paths, options)
        found = [o for o in opened if isinstance(o, _Opened)]
        evidence = [o.evidence for o in found]
        before = {o.evidence.id: noted[o.path] for o in found}
        writer = CaseWriter.create(options.case)
        begun = False
        try:
            _add_evidence(writer, opened, options)
            result.resumed = writer.resumed
            if writer.resumed:
                observer.stage("comparing the evidence with what it was")
            integrity.compare_with_last_run(writer, evidence, before)
            uses = (*options.hashsets, *(u.name if u.meaning is None else f"{u.name}:{u.meaning}" for u in profile.hashsets))
            with open_matcher(
                uses,
                HashsetLibrary(),
                options.case / "hashsets",
                categories=Categories(_rows(profile)),
                thresholds=_thresholds(profile),
                comparer=comparer,
            ) as matcher:
                if options.verify:
                    begun = True
                    _verify(session, writer, evidence, observer, result)
                plan = Plan(profile.limits.item_bytes)
                allowed = budget.ReadBudget({e.id: e.size for e in evidence}, profile.limits.item_bytes)
                wanting = [accepts for name in plugins if (accepts := registry.get(name).accepts).beside]
                sink = CaseSink(writer, profile, matcher, plan, keys, observer, allowed, wanting)
                engine.attach(evidence, sink, matcher.lists)
                _begin(writer, options, _facts(options, registry.plugins, plugins, keys), matcher, evidence, before, held)
                begun = True
                there = {e.id for e in evidence}
                walks = [v for v in writer.volumes_to_walk() if v.evidence in there]
                sink.plan_pending(retry=options.retry_failed, walking=frozenset((v.evidence, v.number) for v in walks), there=there)
                observer.stage("listing and reading")

                def tick() -> None:
                    observer.progress(
                        names=sink.names, items_done=sink.items_done, items=plan.items, bytes_done=sink.bytes_done, bytes_total=plan.bytes
                    )

                def inside() -> bool:
                    return read_inside(engine, writer, sink, profile, plan, {e.id: e.size for e in evidence}, deadline=deadline, tick=tick)

                result.complete = engine.run(walks, plan, deadline=deadline, tick=tick)
                if result.complete:
                    sink.listed()
                    observer.stage("reading files inside files")
                    result.complete = engine.run([], plan, deadline=deadline, tick=tick) and inside()
                if result.complete:
                    observer.stage("carving")
                    result.complete = (
                        carve_case(engine, writer, sink, evidence, profile.carve, plan, matcher, deadline=deadline, observer=observer)
                        and inside()
                    )
                observer.stage("comparing pictures with each other")
                compare_in_case(writer, profile.compare, matcher, comparer)
            engine.close()
            result.stopped = engine.stopped or ("" if result.complete else "the time budget was used up")
            writer.add_problems(budget.refusal(*refused) for refused in writer.skipped_for(budget.REASON))
            note_programs(writer, profile)
            note_originals(writer)
            observer.stage("scoring")
            score_case(writer, profile)
            writer.build_indexes()
            writer.settle_ledger()
            result.changed = integrity.compare_with_start(writer, evidence, before, observer.stage)
            writer.set_fact("finished", result.complete)
            writer.settle_findings()
            writer.note_time("ended")
            result.unreadable = _unreadable(opened, dict(options.nested), searched="gaps" in profile.carve.sources)
            result.salvaged = [f"{e.paths[0]}: {e.facts[SALVAGED]}" for e in evidence if SALVAGED in e.facts]
            result.notable, result.problems = writer.tallies()
            writer.audit.record(
                "end",
                {
                    "complete": result.complete,
                    "stopped": result.stopped,
                    "changed": result.changed,
                    "notable": result.notable,
                    "problems": result.problems,
                },
            )
            result.audit_head = writer.audit.head
        finally:
            writer.close() if begun else writer.abandon()
    finally:
        engine.close()
    result.seconds = time.monotonic() - began
    return result


class _Opened(NamedTuple):
    """Evidence that could be opened."""

    path: Path
    evidence: Evidence
    volumes: list[Volume]
    problems: list[Problem]


class _Closed(NamedTuple):
    """Evidence that ended or stalled the worker that was to open it, and what is said of that."""

    path: Path
    why: str


def _open_all(session: Session, paths: Sequence[Path], options: RunOptions) -> list[_Opened | _Closed]:
    """Open each evidence. What cannot be opened does not keep the others from being examined, if there are any."""
    found: list[_Opened | _Closed] = []
    refused: EvidenceError | None = None
    inside = dict(options.nested)
    for path in paths:
        try:
            evidence, volumes, problems = session.open(path, options.exhibit)
        except EvidenceError as error:
            refused = refused or error
            found.append(_Closed(path, error.message))
            continue
        again = any(isinstance(o, _Opened) and evidence.id == o.evidence.id for o in found)
        if again and path in inside:
            found.append(_Closed(path, f"{path.name} is the same evidence as another"))
            continue
        if again:
            raise EvidenceError(f"{path} is the same evidence as another that was given", hint="give each medium once")
        device, said = session.device(evidence, volumes)
        evidence = evidence.replace(facts={**device, **evidence.facts})
        problems = [*problems, *said]
        if path in inside:
            evidence = evidence.replace(facts={**evidence.facts, "inside": inside[path]})
        found.append(_Opened(path, evidence, volumes, problems))
    if refused is not None and not any(isinstance(o, _Opened) for o in found):
        raise refused
    return found


def _add_evidence(writer: CaseWriter, opened: Sequence[_Opened | _Closed], options: RunOptions) -> None:
    """Store what was opened, and say what was not; an earlier run of the case may have opened more of it, or less."""
    known = {e.id: e for e in writer.known_evidence()}
    for one in opened:
        if not isinstance(one, _Opened) or one.evidence.id not in known:
            continue
        missing = sorted({*unlocked_in(known[one.evidence.id].facts)} - {*unlocked_in(one.evidence.facts)})
        if missing:
            message = f"an earlier run of this case had unlocked {', '.join(missing)} of {one.path}, and this one has not"
            raise PasswordError(message, hint="give the same passwords again")
    closed = [o.path for o in opened if isinstance(o, _Closed)]
    before = set(writer.fact("not opened") or ())
    excused = [e.id for e in writer.known_evidence() if e.paths[0] in {str(p) for p in closed}]
    excused += [o.evidence.id for o in opened if isinstance(o, _Opened) and str(o.path) in before]
    excused += [e.id for e in (*known.values(), *(o.evidence for o in opened if isinstance(o, _Opened))) if "inside" in e.facts]
    writer.add_evidence(
        [(o.evidence, o.volumes, [is_listed(v) for v in o.volumes], o.problems) for o in opened if isinstance(o, _Opened)], excused
    )
    writer.set_fact("not opened", [str(p) for p in closed])
    found = [p for o in opened if isinstance(o, _Opened) for p in integrity.advice([Path(s) for s in o.evidence.paths])]
    found += [Problem(severity=Severity.ERROR, stage="engine", message=message) for message in options.not_nested]
    inside = dict(options.nested)
    for one in opened:
        if isinstance(one, _Closed):
            why = one.why.replace(str(one.path), one.path.name)
            name = inside[one.path].partition(": ")[2] if one.path in inside else one.path.name
            message = f"{name} could not be opened, and nothing in it was examined: {why}"
            found.append(Problem(severity=Severity.ERROR, stage="engine", message=message))
    if found:
        writer.add_problems(found)


def _rows(profile: Profile) -> list[tuple[str, str, str, str, str | None]]:
    """Return the profile's table of categories."""
    return [(row.set, row.scheme, row.category, row.label, row.meaning) for row in profile.categories]


def _thresholds(profile: Profile) -> Thresholds:
    compare = profile.compare
    return Thresholds(compare.match, compare.likely, compare.weak, compare.phash, compare.quality)


def _facts(options: RunOptions, known: Mapping[str, Any], plugins: Mapping[str, Any], keys: Sequence[str]) -> Json:
    profile = options.profile
    return {
        "profile": profile.name,
        "profile_sha256": profile.sha256,
        "examiner": options.examiner,
        "case_number": options.case_number,
        "exhibits": [options.exhibit] if options.exhibit else [],
        "versions": versions(),
        "plugins": [
            {"name": n, "version": known[n].version, "origin": known[n].origin, "sha256": known[n].sha256, "key": k}
            for n, k in zip(plugins, keys, strict=False)  # behind the plugins' keys stand those of comparing
        ],
    }


def _begin(
    writer: CaseWriter,
    options: RunOptions,
    facts: Json,
    matcher: Matcher,
    evidence: Sequence[Evidence],
    before: Mapping[str, integrity.Before],
    held: Sequence[str],
) -> None:
    """Store what the run depends on; put what an earlier run with another profile, list or plugin decided on a new footing."""
    profile, sets = options.profile, list(matcher.sets)
    if writer.resumed:
        old = writer.fact("run") or {}
        for name in ("examiner", "case_number", "exhibits"):
            facts[name] = facts[name] or old.get(name, facts[name])
        forget_other_formats(writer, profile.carve, matcher)
        if writer.fact("profile") != profile.to_json():
            allowed = budget.ReadBudget({e.id: e.size for e in evidence}, profile.limits.item_bytes)

            def decide(entry: Entry) -> tuple[str | None, int]:
                _, skip, tier = classify(entry, profile)
                return (allowed.reason(entry) if skip is None else skip), tier

            writer.reclassify(decide)
        if writer.fact("hashsets") != sets:
            named = lambda findings: [*named_findings(matcher, findings), *url_findings(matcher, findings)]  # noqa: E731
            writer.rematch(matcher, lambda hits: judge("", hits), named)
        writer.drop_findings_of_other_plugins([p["key"] for p in facts["plugins"]])
    writer.set_fact("run", facts)
    writer.set_fact("profile", profile.to_json())
    writer.set_fact("hashsets", sets)
    writer.set_fact("finished", False)
    writer.note_time("started")
    writer.audit.record(
        "resume" if writer.resumed else "start",
        {
            "arguments": list(options.arguments),
            "platform": f"{platform.system()} {platform.machine()}",
            "run": facts,
            "evidence": [{**e.to_json(), "files": before[e.id].files} for e in evidence],
            "hashsets": sets,
            "python": sys.version.split()[0],
            "workers": list(held),
        },
    )


def _verify(session: Session, writer: CaseWriter, evidence: Sequence[Evidence], observer: Observer, result: RunResult) -> None:
    """Recompute the media's digests, hold them against the stored ones, and keep the verdict with the case."""
    observer.stage("verifying")
    for one in evidence:
        size = one.size
        answer = session.verify(
            one,
            lambda read, size=size: observer.progress(  # type: ignore[misc]
                names=0, items_done=0, items=0, bytes_done=read, bytes_total=size
            ),
        )
        verdict = str(answer["verdict"])
        writer.set_evidence_state(one.id, verification=verdict)
        writer.audit.record("verified", {"evidence": one.id, "verdict": verdict, "computed": answer["computed"]})
        if verdict in ("mismatch", "incomplete"):
            result.mismatched.append(one.paths[0])
            writer.add_problems(
                [
                    Problem(
                        severity=Severity.ERROR,
                        stage="evidence",
                        evidence=one.id,
                        message="the medium's digests are not those that the acquisition stored"
                        if verdict == "mismatch"
                        else f"{answer['unread']} bytes of the medium cannot be read: its digests cannot be verified",
                    )
                ]
            )


def _unreadable(opened: Sequence[_Opened | _Closed], inside: Collection[Path], *, searched: bool) -> list[str]:
    """Return one line for each evidence of which nothing could be listed."""
    lines = []
    for one in opened:
        if one.path in inside:
            continue  # of what was found inside other evidence the problems and the coverage tell
        if isinstance(one, _Closed):
            lines.append(f"{one.path} could not be opened: {one.why}")
            continue
        if any(is_listed(v) for v in one.volumes):
            continue
        locked = [v for v in one.volumes if v.encryption is Encryption.LOCKED]
        named = [v for v in one.volumes if v.number is not None and v.file_system]
        if locked:
            why = f"{locked[0].name} is {locked[0].file_system} and locked"
        elif named:
            why = f"{named[0].name} is {named[0].file_system}, which is not read"
        else:
            why = "no partition table and no file system was recognised"
        only = "it was only searched for files by their content" if searched and not locked else "nothing in it was examined"
        lines.append(f"{one.evidence.paths[0]}: {why}; {only}")
    return lines
