from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from triage.model import Encryption, Outcome, Severity
from triage.priority.coverage import (
    GAP,
    LISTED,
    NOT_LISTED,
    PARTLY_LISTED,
    CoverageInput,
    VolumeCoverage,
    coverage,
)

WHOLE = CoverageInput(
    entries=10,
    outcomes=Counter({Outcome.DONE: 7}),
    bytes_medium=1000,
    bytes_volumes=900,
    bytes_content_read=400,
    bytes_content_selected=400,
    volumes=(VolumeCoverage(name="vol1", state=LISTED, size=900, file_system="ntfs"),),
    finished=True,
    carved_from=("containers", "gaps", "slack", "unallocated"),
)
ALWAYS = coverage(WHOLE)["not_done"]


def said(**changes):
    """What the statement says more than for a run that missed nothing."""
    statement = coverage(replace(WHOLE, **changes))
    return [sentence for sentence in statement["not_done"] if sentence not in ALWAYS], statement["complete"]


def test_a_whole_run_is_complete_and_still_says_what_no_run_does():
    statement = coverage(WHOLE)
    assert statement["complete"] is True
    assert statement["items"] == {
        "seen": 7,
        "analysed": 7,
        "partial": 0,
        "skipped": 0,
        "failed": 0,
        "timeout": 0,
        "crashed": 0,
        "not_reached": 0,
    }
    assert statement["bytes"] == {
        "medium": 1000,
        "volumes": 900,
        "gaps": 0,
        "content_read": 400,
        "content_selected": 400,
    }
    assert any("were not found by their content" in sentence for sentence in statement["not_done"])


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (Outcome.NOT_REACHED, "1,200 items were not reached before the time was up or the run was stopped"),
        (
            Outcome.PARTIAL,
            "1,200 items were read in part only: they have no digests and no hash list was asked about them",
        ),
        (Outcome.FAILED, "1,200 items were not readable"),
        (Outcome.TIMEOUT, "1,200 items were given up because nothing more came"),
        (Outcome.CRASHED, "1,200 items were given up because reading crashed the reader"),
    ],
)
def test_what_was_meant_to_be_read_and_was_not_is_said_and_the_run_is_not_complete(outcome, sentence):
    assert said(outcomes=Counter({Outcome.DONE: 7, outcome: 1200})) == ([sentence], False)
    assert (
        coverage(replace(WHOLE, outcomes=Counter({outcome: 3})))["items"][outcome.value.replace(" ", "_")]
        == 3
    )


def test_what_the_profile_leaves_out_is_said_by_reason_the_largest_first():
    skipped = Counter(
        {"profile: larger than 256 MiB": 1, "profile: place left out": 30, "no content: directory": 99}
    )
    sentences, complete = said(skipped=skipped, outcomes=Counter({Outcome.DONE: 1, Outcome.SKIPPED: 130}))
    assert sentences == [
        "30 items were listed but not read (profile: place left out)",
        "1 item was listed but not read (profile: larger than 256 MiB)",
    ]
    assert complete is True
    assert list(coverage(replace(WHOLE, skipped=skipped))["skipped_why"]) == sorted(skipped)


def test_locked_unreadable_partly_listed_volumes_and_gaps_are_named():
    volumes = (
        *WHOLE.volumes,
        VolumeCoverage(name="vol2", state=NOT_LISTED, file_system="bitlocker", encryption=Encryption.LOCKED),
        VolumeCoverage(name="vol3", state=NOT_LISTED, file_system="apfs"),
        VolumeCoverage(name="vol4", state=PARTLY_LISTED),
        VolumeCoverage(name="gap@0", state=GAP, size=1_048_576),
    )
    sentences, complete = said(volumes=volumes, bytes_gaps=1_048_576)
    assert sentences == [
        "vol2 (bitlocker) is encrypted and was not unlocked: nothing in it was looked at",
        "vol3 (apfs) could not be read: its names are unknown, it was only searched for files by their content",
        "vol4 was listed in part only: it may hold more files than are shown",
    ]
    sentences, complete = said(volumes=volumes, bytes_gaps=1_048_576, carved_from=("slack", "unallocated", "containers"))
    assert sentences == [
        "vol2 (bitlocker) is encrypted and was not unlocked: nothing in it was looked at",
        "vol3 (apfs) could not be read: nothing in it was looked at",
        "vol4 was listed in part only: it may hold more files than are shown",
        "space outside all partitions was not searched: 1,048,576 bytes in 1 stretch",
    ]
    assert complete is False
    statement = coverage(replace(WHOLE, volumes=volumes))
    assert (statement["locked_volumes"], statement["unreadable_volumes"]) == (
        ["vol2 (bitlocker)"],
        ["vol3 (apfs)"],
    )
    assert statement["seen"] == {
        "entries": 10,
        "volumes": 4,
        "volumes_listed": 1,
        "gaps": 1,
        "problems": {"info": 0, "warning": 0, "error": 0},
    }


def test_a_listing_that_nothing_was_held_against_is_said_to_be_that():
    unchecked = VolumeCoverage(name="vol1", state=LISTED, file_system="UFS2", checked=False)
    missing = VolumeCoverage(name="vol2", state=NOT_LISTED, file_system="APFS", checked=False)
    sentences, _ = said(volumes=(unchecked, missing))
    assert sentences == [
        "vol2 (APFS) could not be read: its names are unknown, it was only searched for files by their content",
        "vol1 (UFS2) was not held against its file system's own books in full: whether names are missing is not known",
    ]
    assert said(volumes=(unchecked,))[1] is True


def test_an_unlocked_volume_is_not_called_locked():
    volumes = (VolumeCoverage(name="vol1", state=LISTED, encryption=Encryption.UNLOCKED),)
    assert said(volumes=volumes) == ([], True)


def test_gaps_alone_do_not_make_a_run_incomplete():
    assert said(volumes=(*WHOLE.volumes, VolumeCoverage(name="gap@0", state=GAP, size=1)))[1] is True


def test_an_unfinished_run_says_so_first():
    sentences, complete = said(finished=False, outcomes=Counter({Outcome.NOT_REACHED: 1}))
    assert sentences == [
        "the run has not finished: everything below is as of now",
        "1 item was not reached before the time was up or the run was stopped",
    ]
    assert complete is False


def test_errors_are_pointed_to():
    assert said(problems=Counter({Severity.ERROR: 2, Severity.WARNING: 5}))[0] == [
        "2 errors recorded: see the problems"
    ]


AREA = {
    "size": 1000,
    "next": 1000,
    "unsearched": 0,
    "structures": {"complete": 2, "truncated": 1},
    "counts": {"candidates": 5, "named": 1},
    "order": {"nested": 4},
}


def test_what_carving_found_is_counted_and_says_no_more_when_it_saw_everything():
    statement = coverage(replace(WHOLE, carving=(AREA, AREA)))
    assert statement["carving"] == {
        "from": ["containers", "gaps", "slack", "unallocated"],
        "areas": 2,
        "size": 2000,
        "searched": 2000,
        "found": {"complete": 4, "fragmented": 0, "damaged": 0, "truncated": 2},
        "already_listed": 2,
        "inside_others": 8,
        "cut": 0,
        "failed": 0,
        "unreadable": 0,
        "given_up": 0,
    }
    assert said(carving=(AREA, AREA)) == ([], True)


def test_what_carving_left_out_is_said():
    hurt = {**AREA, "next": 600, "unsearched": 100, "counts": {"cut": 3, "unreadable": 512, "given_up": 2, "failed": 4}}
    assert said(carving=(hurt,))[0] == [
        "400 bytes were not searched for files by their content before the time was up or the run was stopped",
        "100 bytes were not searched for files by their content: workers were lost over them",
        "3 places look like the beginning of a file and were given up, since following them took too long",
        "4 places look like the beginning of a file and could not be followed: what they say does not fit",
        "the search for the rest of 2 files that break off was ended, since it took too long",
        "512 bytes outside of living files could not be read: what lay there was not found",
    ]


@pytest.mark.parametrize(
    ("sources", "beginnings"),
    [
        (None, ["space that no file owns", "slack behind", "page files, databases"]),
        ((), ["space that no file owns", "slack behind", "page files, databases"]),
        (("unallocated", "gaps"), ["slack behind", "page files, databases"]),
    ],
)
def test_what_is_not_carved_at_all_is_said(sources, beginnings):
    sentences, _ = said(carved_from=sources)
    assert [any(s.startswith(b) for s in sentences) for b in beginnings] == [True] * len(beginnings)
    assert len(sentences) == len(beginnings)
