"""Note which programs of interest are, or were, on a medium: by the places of files, deleted and cached ones among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.owner import user_of
from triage.model import Finding, iso_time
from triage.priority.globs import Globs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from triage.case.work import Seen
    from triage.case.writer import CaseWriter
    from triage.priority.profile import Profile
    from triage.priority.records import Program

PLUGIN = "programs"
_SHOWN = 5


class _Traces:
    """What was seen of one program in one volume and user's profile."""

    def __init__(self, first: Seen) -> None:
        self.first = first
        self.count = self.deleted = 0
        self.last: int | None = None
        self.paths: list[str] = []

    def add(self, one: Seen) -> None:
        self.count += 1
        self.deleted += one.state in ("deleted", "orphan")
        if one.mtime is not None and (self.last is None or one.mtime > self.last):
            self.last = one.mtime
        if len(self.paths) < _SHOWN:
            self.paths.append(one.path)


def note_programs(writer: CaseWriter, profile: Profile) -> None:
    """Store a finding for each program that is seen in a volume and user's profile, at its first file in the order of paths."""
    writer.replace_findings(PLUGIN, programs_seen(writer.work.places(), profile.programs))


def programs_seen(entries: Iterable[Seen], programs: Sequence[Program]) -> list[tuple[Finding, str]]:
    """Return the findings, each with its entry's path. ``entries`` come in the order of their paths."""
    asked = [(program, Globs(program.paths)) for program in programs if program.paths]
    # Most paths fit no program: one question decides that.
    any_of = Globs([path for program, _ in asked for path in program.paths])
    traces: dict[tuple[str, str, int | None, str], _Traces] = {}
    for one in entries:
        lowered = one.path.lower()
        if not any_of.matches(lowered):
            continue
        for program, globs in asked:
            if globs.matches(lowered):
                traces.setdefault((program.name, one.evidence, one.volume, user_of(one.path)), _Traces(one)).add(one)
    kinds = {program.name: program.kind for program in programs}
    return [(_finding(name, kinds[name], user, seen), seen.first.path) for (name, _, _, user), seen in traces.items()]


def _finding(name: str, kind: str, user: str, seen: _Traces) -> Finding:
    data = {
        "name": name,
        "program_kind": kind,
        "files": seen.count,
        "deleted": seen.deleted,
        "last_changed": iso_time(seen.last),
        "paths": seen.paths,
        **({"user": user} if user else {}),
    }
    gone = ", all of them deleted" if seen.deleted == seen.count else ""
    title = f"{name} ({kind}): {seen.count:,} file{'s' if seen.count != 1 else ''}{gone}"
    return Finding(entry=seen.first.id, plugin=PLUGIN, kind="program", title=title, data=data)
