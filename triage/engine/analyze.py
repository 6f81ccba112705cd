"""What a worker does with one item: read it once, say what it is, run the plugins that want it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from triage.artifacts.child import Beside, Child, to_json
from triage.content.comparable import Comparable, comparable_of
from triage.content.magic import Libmagic
from triage.content.stream import analyze_content
from triage.engine import testhook
from triage.engine.items import pack_content
from triage.hashsets.photodna import load_comparer
from triage.hashsets.sparing import Sparing
from triage.model import MAX_CHILDREN, Content, Finding, Outcome, Problem, Severity
from triage.plugin import Item, run_plugin
from triage.registry import find_plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from triage.case.items import Work
    from triage.content.stream import ReadResult
    from triage.model import Json, Locator
    from triage.plugin import Plugin


class Analyzer:
    """The plugins of a run, loaded once a worker."""

    def __init__(self, settings: dict[str, Any], beat: Callable[[], None]) -> None:
        self._beat = beat
        self._limit = int(settings["item_bytes"])
        self._libmagic = Libmagic()
        self._sparing = Sparing(settings.get("lists", ()), settings.get("categories", ()))
        comparer = load_comparer() if settings.get("compare", {}).get("photodna") else None
        self._photodna = comparer.vector if comparer is not None else None
        self._pictures, self._videos = (bool(settings.get("compare", {}).get(name)) for name in ("pictures", "videos"))
        registry = find_plugins([Path(p) for p in settings.get("plugin_paths", ())])
        self._plugins: list[tuple[str, Plugin]] = []
        for name, options in settings.get("plugins", {}).items():
            info = registry.get(name)
            self._plugins.append((info.key(options), info.load(options)))

    def run(
        self,
        work: Work,
        open_reader: Callable[[Locator], Callable[[int, int], bytes]],
        beside: Sequence[Beside] = (),
        room: int = MAX_CHILDREN,
    ) -> Json:
        """Return the item's content, findings, problems and the files inside it as JSON values; damage is among them, never raised."""
        key = work.locator.key
        try:
            testhook.touch(work.path)
            read_at = open_reader(work.locator)
            result = analyze_content(key, read_at, work.size, libmagic=self._libmagic, limit_bytes=self._limit, progress=self._beat)
        except MemoryError:
            return _failed(work, key, "the memory limit was reached while it was read")
        except OSError as error:
            return _failed(work, key, f"it cannot be opened: {error}"[:300])
        content = result.content
        if self._sparing.spares(content):
            content = content.replace(spared=True)
        problems = [
            _problem(
                work,
                Severity.ERROR,
                "content",
                "part of the content cannot be read",
                f"bytes {hole.offset} to {hole.offset + hole.length}: {hole.reason}",
            )
            for hole in result.problems[:10]
        ]
        if len(result.problems) > 10:
            problems.append(_problem(work, Severity.ERROR, "content", f"{len(result.problems)} stretches of the content cannot be read"))
        if content.outcome is Outcome.SKIPPED:
            problems.append(_problem(work, Severity.WARNING, "content", f"the content was not read: {content.reason}"))
        findings: list[Finding] = []
        inside: list[Json] = []
        kind = result.type
        alike = None
        if not content.spared and content.outcome not in (Outcome.FAILED, Outcome.SKIPPED):
            alike = self._compare(work, result, read_at)
        for name, plugin in self._plugins:
            if content.spared:
                break
            if content.outcome in (Outcome.FAILED, Outcome.SKIPPED) or not plugin.accepts.matches(work, kind):
                continue
            try:
                near = [one for one in beside if plugin.accepts.reads_beside(work.path.rpartition("/")[2])(one.name)]
                item = Item(
                    work.entry,
                    content,
                    kind,
                    head=result.head,
                    data=result.data,
                    read_at=read_at,
                    size=work.size,
                    beside=near,
                    room=room - len(inside),
                )
                seen = run_plugin(plugin, name, item)
            except MemoryError:
                seen = [_problem(work, Severity.ERROR, "content", f"the memory limit was reached in the plugin {name}")]
            findings += [s for s in seen if isinstance(s, Finding)]
            problems += [s for s in seen if isinstance(s, Problem)]
            inside += [to_json(s, name) for s in seen if isinstance(s, Child)]
            self._beat()
        return {
            "content": pack_content(content),
            "category": kind.category if kind else "unknown",
            "alike": alike.pack() if alike is not None else None,
            "findings": [f.to_json() for f in findings],
            "problems": [p.to_json() for p in problems],
            "inside": inside,
        }

    def _compare(self, work: Work, result: ReadResult, read_at: Callable[[int, int], bytes]) -> Comparable | None:
        """Return what a picture or a video is compared by; what keeps it from being compared is its reason."""
        try:
            return comparable_of(
                result.type,
                result.data,
                read_at,
                work.size,
                pictures=self._pictures,
                videos=self._videos,
                beat=self._beat,
                photodna=self._photodna,
            )
        except MemoryError:
            return Comparable(reason="the memory limit was reached while it was decoded")
        except OSError as error:
            return Comparable(reason=f"it cannot be read: {error}"[:300])
        finally:
            self._beat()


def _failed(entry: Work, key: str, reason: str) -> Json:
    return {
        "content": pack_content(Content(key=key, size=0, outcome=Outcome.FAILED, reason=reason)),
        "category": "unknown",
        "alike": None,
        "findings": [],
        "problems": [_problem(entry, Severity.ERROR, "content", reason).to_json()],
        "inside": [],
    }


def _problem(entry: Work, severity: Severity, stage: str, message: str, detail: str = "") -> Problem:
    return Problem(
        severity=severity,
        stage=stage,
        message=message,
        evidence=entry.evidence,
        volume=entry.volume,
        entry=entry.id,
        path=entry.path,
        detail=detail,
    )
