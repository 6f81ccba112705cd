"""Scores and queue out of what the case holds: pure rules of :mod:`triage.priority` fed with rows."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from triage.content.types import extension_mismatch
from triage.model import Match, Meaning
from triage.priority.queue import Scored, rank
from triage.priority.score import ScoreInput, compile_rules

if TYPE_CHECKING:
    from triage.case.writer import CaseWriter
    from triage.priority.profile import Profile


def score_case(writer: CaseWriter, profile: Profile) -> None:
    """Give every entry its points and put the queue in order."""
    scorer = compile_rules(profile.rules)
    matches = {key: tuple(Match(set=r["hashset"], meaning=Meaning(r["meaning"]), category=r["category"], how=r["how"],
                                distance=r["distance"]) for r in rows)
               for key, rows in writer.matches_by_content().items()}
    kinds = writer.finding_kinds()
    rows = list(writer.score_inputs())
    copies = Counter(r["sha256"] for r in rows if r["sha256"] is not None)
    notable_folders = {(r["path"].rpartition("/")[0]) for r in rows if r["known"] == "notable"}
    scores: list[tuple[int, int, str]] = []
    scored: list[Scored] = []
    numbers: dict[str, int] = {}
    none: frozenset[str] = frozenset()
    for r in rows:
        overwritten = r["recoverability"] == "overwritten" and r["state"] != "allocated"
        points, reasons = scorer.score(ScoreInput(
            path=r["path"], name=r["name"], state=r["state"], kind=r["kind"], size=r["size"], category=r["category"] or "unknown",
            type=r["type"] or "", extension_mismatch=bool(r["type"]) and extension_mismatch(r["name"], r["type"]), known=r["known"],
            matches=() if overwritten else matches.get(r["content"], ()), finding_kinds=kinds.get(r["content"], none),
            recoverability=r["recoverability"], copies=copies[r["sha256"]] if r["sha256"] is not None else 1,
            near_notable=r["known"] != "notable" and r["path"].rpartition("/")[0] in notable_folders,
            entropy=r["entropy"], mtime=r["mtime"]))
        if not reasons:
            continue
        scores.append((r["n"], points, json.dumps([x.to_json() for x in reasons], separators=(",", ":"))))
        if points > 0:
            numbers[r["id"]] = r["n"]
            scored.append(Scored(id=r["id"], path=r["path"], state=r["state"], score=points, known=r["known"],
                                 sha256=r["sha256"].hex() if r["sha256"] else None))
    writer.set_scores(scores, ((x.rank, numbers[x.id], x.copies) for x in rank(scored)))
