"""Scores and queue out of what the case holds: pure rules of :mod:`triage.priority` fed with rows."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from triage.content.types import extension_mismatch
from triage.priority.queue import Scored, rank
from triage.priority.score import Reason, ScoreInput, compile_rules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from triage.case.writer import CaseWriter
    from triage.priority.profile import Profile


def score_case(writer: CaseWriter, profile: Profile) -> None:
    """Give every entry its points and put the queue in order."""
    scorer = compile_rules(profile.rules)
    matches = writer.matches.by_content()
    kinds = writer.finding_kinds()
    rows = writer.score_inputs()
    none: frozenset[str] = frozenset()
    beside = _of_streams(rows, kinds)
    copies = Counter(r["sha256"] for r in rows if r["sha256"] is not None)
    groups = writer.matches.groups()
    notable_groups = {groups[r["content"]] for r in rows if r["known"] == "notable" and r["content"] in groups}
    notable_folders = {r["path"].rpartition("/")[0] for r in rows if r["known"] == "notable"}
    scores: list[tuple[int, int, str]] = []
    scored: list[Scored] = []
    numbers: dict[str, int] = {}
    texts: dict[Reason, str] = {}
    for row in rows:
        n, identity, path, name, state, kind, size, recoverability, mtime, _, content, category, file_type, *more = row
        known, entropy, sha256, alike = more
        overwritten = recoverability == "overwritten" and state != "allocated"
        points, reasons = scorer.score(
            ScoreInput(
                path,
                name,
                state,
                kind,
                size,
                category or "unknown",
                file_type or "",
                bool(file_type) and extension_mismatch(name, file_type),
                known,
                () if overwritten or (known is None and alike is None) else matches.get(content, ()),
                kinds.get(content, none) | beside.get(identity, none),
                recoverability,
                copies[sha256] if sha256 is not None else 1,
                known != "notable" and bool(notable_folders) and path.rpartition("/")[0] in notable_folders,
                entropy,
                mtime,
                alike,
                known != "notable" and groups.get(content) in notable_groups,
            )
        )
        if not reasons:
            continue
        scores.append((n, points, "[" + ",".join([texts.get(r) or _text(r, texts) for r in reasons]) + "]"))
        if points > 0:
            numbers[identity] = n
            scored.append(Scored(id=identity, path=path, state=state, score=points, known=known, sha256=sha256.hex() if sha256 else None))
    writer.set_scores(scores, ((x.rank, numbers[x.id], x.copies) for x in rank(scored)))


def _of_streams(rows: Sequence[Any], kinds: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Return what was found in the streams of files, by the files' ids: where a download came from stands beside it."""
    found: dict[str, frozenset[str]] = {}
    for row in rows:
        parent, content = row["parent"], row["content"]
        if parent is not None and content in kinds:
            found[parent] = found.get(parent, frozenset()) | kinds[content]
    return found


def _text(reason: Reason, texts: dict[Reason, str]) -> str:
    """Return a reason as JSON; most entries share theirs with many others."""
    text = json.dumps(reason.to_json(), separators=(",", ":"))
    if len(texts) < 100_000:
        texts[reason] = text
    return text
