"""What comes back of a piece of content work, and in which form it crosses the pipe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from triage.model import MAX_FINDING, MAX_FINDINGS, MAX_PROBLEMS, MAX_TITLE, Content, Entry, Finding, Outcome, Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from triage.case.items import WorkItem
    from triage.model import Json, Volume

# No honest worker comes near these: a path is bounded at 64 Ki characters by the walk, a message at a few hundred by whoever writes it.
_PATH = 1 << 20
_NAME = 64 << 10
_TEXT = 16 << 10
_RANGES = 100_000
_WORD = 255
_PROBLEMS = 100
"""Problems of one item besides those of plugins: the ten first holes in it, and what was left out."""


def small(value: Json, limit: int = _NAME) -> Json:
    """Return what a worker sent with its answer; raise ``ValueError`` for what is no JSON or longer than ``limit`` as such."""
    if len(json.dumps(value, allow_nan=False)) > limit:
        raise ValueError("an answer that is too large")
    return value


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
        content.md5_512,
        content.md5_64k,
        content.spared,
    ]


def unpack_content(key: str, values: Sequence[Any]) -> Content:
    """Build a content from a worker's answer; raise ``TypeError`` or ``ValueError`` for what does not fit."""
    size, md5, sha1, sha256, mime, kind, entropy, outcome, reason, md5_512, md5_64k, spared = values
    if type(size) is not int or size < 0 or type(mime) is not str or type(kind) is not str or type(reason) is not str:
        raise TypeError("a content's fields are of the wrong types")
    if len(mime) > _WORD or len(kind) > _WORD or len(reason) > _TEXT:
        raise ValueError("a content's texts are too long")
    if type(spared) is not bool:
        raise TypeError("whether it was spared is not said")
    for digest, length in ((md5, 32), (sha1, 40), (sha256, 64), (md5_512, 32), (md5_64k, 32)):
        if digest is not None and (type(digest) is not str or len(digest) != length):
            raise ValueError("not a digest")
    if entropy is not None and type(entropy) not in (int, float):
        raise TypeError("entropy is no number")
    if entropy is not None and not 0 <= entropy <= 8:  # NaN is neither
        raise ValueError("entropy is out of range")
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
        md5_512=md5_512,
        md5_64k=md5_64k,
        spared=spared,
    )


def unpack_finding(item: WorkItem, values: Json, plugins: Collection[str]) -> Finding:
    """Build a finding about an item from a worker's answer; raise ``TypeError`` or ``ValueError`` for what does not fit."""
    finding = Finding.from_json({**values, "entry": item.id})
    if not all(type(v) is str for v in (finding.plugin, finding.kind, finding.title)) or type(finding.data) is not dict:
        raise TypeError("a finding's fields are of the wrong types")
    if finding.plugin not in plugins:
        raise ValueError("a finding of a plugin that is not used")
    if len(finding.title) > MAX_TITLE or len(finding.kind) > MAX_TITLE or len(finding.ranges) > _RANGES:
        raise ValueError("a finding is too large")
    if len(json.dumps(finding.data, allow_nan=False)) > MAX_FINDING:
        raise ValueError("a finding's data are too large")
    return finding


def unpack_problem(values: Json, **known: Any) -> Problem:
    """Build a problem from a worker's answer; ``known`` are the fields that the parent knows better."""
    problem = Problem.from_json({**values, **known})
    texts = (problem.stage, problem.message, problem.evidence, problem.path, problem.plugin, problem.detail, problem.entry or "")
    if not all(type(v) is str for v in texts) or type(problem.volume) not in (int, type(None)):
        raise TypeError("a problem's fields are of the wrong types")
    if len(problem.path) > _PATH or any(len(text) > _TEXT for text in (problem.stage, problem.message, problem.plugin, problem.detail)) or (
        len(problem.entry or "") > _WORD
    ):
        raise ValueError("a problem's texts are too long")
    return problem


def unpack_entries(volume: Volume, rows: Sequence[list[Any]]) -> list[Entry]:
    """Build a walk's entries from a worker's answer; raise ``TypeError`` or ``ValueError`` for what does not fit."""
    entries = [Entry.unpack(row) for row in rows]
    for entry in entries:
        if entry.evidence != volume.evidence or entry.volume != volume.number:
            raise ValueError("entries of another volume")
        if len(entry.path) > _PATH or len(entry.name) > _NAME or len(entry.id) > _WORD or len(entry.parent or "") > _WORD:
            raise ValueError("a name that is too long")
        if len(entry.name_raw or b"") > _NAME or len(entry.link_target or "") > _PATH:
            raise ValueError("a name that is too long")
    return entries


def check_counts(result: Json, plugins: Collection[str]) -> None:
    """Raise ``ValueError`` when an item has more findings or problems than its plugins may have."""
    most_problems = (MAX_PROBLEMS + 3) * len(plugins) + _PROBLEMS
    if len(result["findings"]) > (MAX_FINDINGS + 1) * len(plugins) or len(result["problems"]) > most_problems:
        raise ValueError("more findings or problems than an item can have")


def lost(item: WorkItem, outcome: Outcome, reason: str) -> Json:
    """Return the result of an item whose worker was lost over it."""
    content = Content(key=item.key, size=0, outcome=outcome, reason=reason)
    return {
        "content": pack_content(content),
        "category": "unknown",
        "alike": None,
        "findings": [],
        "problems": [{"severity": "error", "stage": "engine", "message": reason, "evidence": item.evidence, "volume": item.volume}],
        "inside": [],
    }
