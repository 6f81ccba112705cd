"""Each rule that ships fires on what it is for, and not on its nearest neighbour."""

from __future__ import annotations

import pytest

from triage.model import Match, MatchTier, Meaning
from triage.priority.profile import builtin_profiles, load_profile
from triage.priority.score import ScoreInput, compile_rules

SCORER = compile_rules(load_profile("full").rules)
USER = "vol2/Users/alex"
NOTABLE = Match(set="case-17", meaning=Meaning.NOTABLE, category="1")
LIKE = NOTABLE.replace(how="pdq", distance=12, tier=MatchTier.MATCH, detail={"turned": "flipx"})


def item(path=f"{USER}/Pictures/x.jpg", **fields):
    return ScoreInput(
        **{
            "path": path,
            "name": path.rpartition("/")[2],
            "category": "picture",
            "type": "jpeg",
            "size": 200_000,
            **fields,
        }
    )


def found(*kinds):
    return frozenset(kinds)


CASES = {
    "notable-hash": (
        item(known="notable", matches=(NOTABLE,)),
        item(known="known"),
        "on the list case-17 as notable (1)",
    ),
    "similar-match": (
        item(alike="match", matches=(LIKE,)),
        item(alike="match", known="notable", matches=(LIKE,)),
        "like something on the list case-17 as notable (1): 12 of 256 bits differ, mirrored top to bottom",
    ),
    "similar-likely": (
        item(alike="likely", matches=(LIKE.replace(tier=MatchTier.LIKELY, detail={}, label="one"),)),
        item(alike="match", matches=(LIKE,)),
        "perhaps like something on the list case-17 as notable (one): 12 of 256 bits differ",
    ),
    "similar-weak": (
        item(alike="weak", matches=(LIKE.replace(tier=MatchTier.WEAK, how="partial"),)),
        item(),
        "faintly like something on the list case-17 as notable (1): its first 64 KiB are equal",
    ),
    "known-part": (
        item("vol1/$CarvedFiles/known-part-1.part", category="unknown", finding_kinds=found("known-part")),
        item("vol1/$CarvedFiles/known-part-1.part", category="unknown", finding_kinds=found("known-part-weak")),
        "blocks of a file on a notable list, in space that no file owns",
    ),
    "known-part-weak": (
        item("vol1/$CarvedFiles/known-part-1.part", category="unknown", finding_kinds=found("known-part-weak")),
        item("vol1/$CarvedFiles/known-part-1.part", category="unknown"),
        "one or two blocks of a file on a notable list, in space that no file owns",
    ),
    "similar-in-case": (
        item(alike_notable=True),
        item(alike_notable=True, known="ignorable"),
        "looks like a picture of this case that is on a notable list",
    ),
    "listed-address": (
        item(finding_kinds=found("url-match")),
        item(finding_kinds=found("visit")),
        "names an address on a list of notable ones",
    ),
    "named-notable": (
        item(finding_kinds=found("named-match")),
        item(finding_kinds=found("shared-file")),
        "names a file on a notable list, which may be gone",
    ),
    "appended-file": (
        item(f"{USER}/a.jpg/behind-the-end", category="archive", type="zip", finding_kinds=found("appended")),
        item(f"{USER}/a.jpg/behind-the-end", category="video", type="mp4", finding_kinds=found("appended")),
        "zip behind the end of a picture, which viewers do not show",
    ),
    "original-gone": (
        item(finding_kinds=found("original-deleted")),
        item(finding_kinds=found("original-there")),
        "a thumbnail of a picture that was deleted or is not there",
    ),
    "near-notable": (
        item(near_notable=True),
        item(near_notable=True, known="known"),
        "in the same folder as a file on a notable list (vol2/Users/alex/Pictures)",
    ),
    "media-renamed": (
        item(f"{USER}/notes.txt", extension_mismatch=True),
        item(f"{USER}/notes.txt"),
        "content is jpeg, a picture, but the name says txt",
    ),
    "other-renamed": (
        item(f"{USER}/a.jpg", extension_mismatch=True, category="archive", type="zip"),
        item(f"{USER}/a.jpg", extension_mismatch=True),
        "content is zip, but the name says jpg",
    ),
    "media-in-stream": (
        item(f"{USER}/a.txt:b", kind="stream"),
        item(f"{USER}/a.txt:b", kind="stream", category="text"),
        "a picture in an alternate data stream, which file managers do not show",
    ),
    "archive-in-stream": (
        item(f"{USER}/a.txt:b", kind="stream", category="archive", type="zip"),
        item(f"{USER}/a.txt:Zone.Identifier", kind="stream", category="text"),
        "zip in an alternate data stream, which file managers do not show",
    ),
    "user-picture": (item(size=4096), item(size=4095), "picture in a user's folder, on no list"),
    "user-video": (
        item("vol1/home/alex/x.mp4", category="video"),
        item("vol1/home/alex/x.mp3", category="audio"),
        "video in a user's folder, on no list",
    ),
    "media-elsewhere": (
        item("vol1/x.jpg"),
        item(),
        "picture outside users', system and program folders, on no list",
    ),
    "deleted-media-intact": (
        item(state="deleted", recoverability="intact"),
        item(state="deleted", recoverability="overwritten"),
        "deleted picture that nothing has overwritten",
    ),
    "deleted-media-partly": (
        item(state="orphan", recoverability="partly overwritten"),
        item(state="allocated", recoverability="partly overwritten"),
        "deleted picture, partly overwritten",
    ),
    "carved-media-whole": (
        item(state="carved", recoverability="intact"),
        item(state="carved", recoverability="intact", size=100),
        "picture that no name leads to, found whole by its content",
    ),
    "carved-media-partly": (
        item(state="carved", recoverability="partly overwritten"),
        item(state="deleted", recoverability="partly overwritten"),
        "picture that no name leads to, found by its content, cut or damaged",
    ),
    "recycle-bin": (
        item("vol2/$RECYCLE.BIN/S-1-5-21/$RABC.jpg"),
        item("vol2/$RECYCLE.BIN/S-1-5-21/$R.jpg", known="known"),
        "in the recycle bin",
    ),
    "camera-folder": (
        item("vol1/DCIM/100CANON/IMG_1.JPG"),
        item("vol1/dcim.jpg"),
        "in a camera's or phone's picture folder (vol1/DCIM/100CANON)",
    ),
    "messenger-folder": (
        item(f"{USER}/Downloads/Telegram Desktop/x.jpg"),
        item(f"{USER}/telegram.jpg"),
        "picture in a messenger's folder (vol2/Users/alex/Downloads/Telegram Desktop)",
    ),
    "download-archive": (
        item(f"{USER}/Downloads/x.zip", category="archive"),
        item(f"{USER}/Downloads/x.jpg"),
        "archive in a download folder",
    ),
    "download-origin": (
        item(finding_kinds=found("download-origin")),
        item(finding_kinds=found("download-origin"), category="text"),
        "marked as downloaded",
    ),
    "camera": (
        item(finding_kinds=found("camera")),
        item(),
        "carries a camera's make: a photo taken, not drawn",
    ),
    "location": (
        item(finding_kinds=found("location")),
        item(finding_kinds=found("camera")),
        "carries the place where it was taken",
    ),
    "encrypted": (
        item(category="archive", type="zip", finding_kinds=found("encrypted")),
        item(category="archive"),
        "encrypted: needs a password (zip)",
    ),
    "high-entropy": (
        item(category="unknown", type="", finding_kinds=found("high-entropy")),
        item(category="unknown", type="", entropy=7.99),
        "of no known type and looks random, as an encrypted container does",
    ),
    "large-video": (
        item(category="video", size=50 << 20),
        item(category="video", size=(50 << 20) - 1),
        "video of 50 MiB or more",
    ),
    "tiny-picture": (
        item(size=4095),
        item(size=4096),
        "picture of less than 4 KiB: an icon or a thumbnail at most",
    ),
    "program-folder": (
        item("vol2/Windows/Web/img0.jpg"),
        item(f"{USER}/Pictures/Windows/x.jpg"),
        "in a system or program folder",
    ),
    "known": (
        item(known="known", matches=(Match(set="nsrl", meaning=Meaning.KNOWN),)),
        item(),
        "on the list nsrl as known",
    ),
    "ignorable": (
        item(known="ignorable", matches=(Match(set="os", meaning=Meaning.IGNORABLE),)),
        item(known="known"),
        "on the list os as ignorable",
    ),
}


def fired(row):
    return {reason.rule: reason.text for reason in SCORER.score(row)[1]}


@pytest.mark.parametrize("name", [rule.name for rule in load_profile("full").rules])
def test_a_builtin_rule_fires_with_its_words_and_not_beside_its_mark(name):
    hit, miss, text = CASES[name]
    assert fired(hit)[name] == text
    assert name not in fired(miss)


def test_every_builtin_profile_scores_alike():
    assert {load_profile(name).rules for name in builtin_profiles()} == {load_profile("full").rules}


def test_what_matters_comes_before_what_does_not():
    order = [
        item(known="notable", matches=(NOTABLE,)),
        item(f"{USER}/notes.txt", extension_mismatch=True),
        item(near_notable=True),
        item(state="deleted", recoverability="intact"),
        item(finding_kinds=found("camera")),
        item(),
        item("vol1/x.jpg"),
        item(f"{USER}/x.txt", category="text"),
        item("vol2/Windows/Web/img0.jpg"),
        item(known="ignorable"),
    ]
    scores = [SCORER.score(row)[0] for row in order]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores[:9])) >= 8


def test_a_program_or_a_log_that_nobody_lists_gets_no_points():
    assert SCORER.score(item("vol2/Windows/System32/x.dll", category="executable")) == (0, ())
    assert SCORER.score(item("vol2/Windows/Logs/x.log", category="text")) == (0, ())
