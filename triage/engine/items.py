"""What comes back of a piece of content work, and in which form it crosses the pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.model import Content, Finding, Outcome, Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from triage.case.items import WorkItem
    from triage.model import Json


def pack_content(content: Content) -> list[Any]:
    """Return a content's fields, less its key, as JSON values."""
    return [
        content.size,
        content.md5,
        content.sha1,
        content.sha256,
        content.mime,
        content.type,
        content.entropy,
        content.outcome.value,
        content.reason,
    ]


def unpack_content(key: str, values: Sequence[Any]) -> Content:
    """Build a content from a worker's answer; raise ``TypeError`` or ``ValueError`` for what does not fit."""
    size, md5, sha1, sha256, mime, kind, entropy, outcome, reason = values
    if type(size) is not int or size < 0 or type(mime) is not str or type(kind) is not str or type(reason) is not str:
        raise TypeError("a content's fields are of the wrong types")
    for digest, length in ((md5, 32), (sha1, 40), (sha256, 64)):
        if digest is not None and (type(digest) is not str or len(digest) != length):
            raise ValueError("not a digest")
    if entropy is not None and type(entropy) not in (int, float):
        raise TypeError("entropy is no number")
    return Content(
        key=key,
        size=size,
        md5=md5,
        sha1=sha1,
        sha256=sha256,
        mime=mime,
        type=kind,
        entropy=entropy,
        outcome=Outcome(outcome),
        reason=reason,
    )


def unpack_finding(item: WorkItem, values: Json, plugins: Collection[str]) -> Finding:
    """Build a finding about an item from a worker's answer; raise ``TypeError`` or ``ValueError`` for what does not fit."""
    finding = Finding.from_json({**values, "entry": item.id})
    if not all(type(v) is str for v in (finding.plugin, finding.kind, finding.title)) or type(finding.data) is not dict:
        raise TypeError("a finding's fields are of the wrong types")
    if finding.plugin not in plugins:
        raise ValueError("a finding of a plugin that is not used")
    return finding


def unpack_problem(values: Json, **known: Any) -> Problem:
    """Build a problem from a worker's answer; ``known`` are the fields that the parent knows better."""
    problem = Problem.from_json({**values, **known})
    texts = (problem.stage, problem.message, problem.evidence, problem.path, problem.plugin, problem.detail, problem.entry or "")
    if not all(type(v) is str for v in texts) or type(problem.volume) not in (int, type(None)):
        raise TypeError("a problem's fields are of the wrong types")
    return problem


def lost(item: WorkItem, outcome: Outcome, reason: str) -> Json:
    """Return the result of an item whose worker was lost over it."""
    content = Content(key=item.key, size=0, outcome=outcome, reason=reason)
    return {
        "content": pack_content(content),
        "category": "unknown",
        "findings": [],
        "problems": [{"severity": "error", "stage": "engine", "message": reason, "evidence": item.evidence, "volume": item.volume}],
    }
