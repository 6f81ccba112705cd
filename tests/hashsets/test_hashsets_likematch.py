"""Pictures and videos against lists: tiers, turns, second signals, shares of frames; files that are only named; what is spared."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from picturing import clip, encoded, scene

from triage.content.comparable import Comparable, Frame
from triage.content.likeness import picture_hash
from triage.content.pdq import ORIENTATIONS
from triage.content.videoframes import frames_of
from triage.hashsets.categories import Categories
from triage.hashsets.facts import SetFacts
from triage.hashsets.intake import compile_events
from triage.hashsets.likematch import Thresholds
from triage.hashsets.matching import Matcher
from triage.hashsets.records import HashRecord, Scheme, pdq_row
from triage.hashsets.sparing import Sparing
from triage.hashsets.store import Hashset
from triage.model import Content, MatchTier, Meaning

KEYS = iter(range(1 << 30))


def content(text: str = "", **more) -> Content:
    raw = text.encode() or f"file {next(KEYS)}".encode()
    digests = {name: hashlib.new(name, raw).hexdigest() for name in ("md5", "sha1", "sha256")}
    return Content(key=f"k{next(KEYS)}", size=len(raw), **(digests | more))


@pytest.fixture
def matcher(tmp_path):
    made = []

    def make(*events, meaning=Meaning.NOTABLE, name="set", **options):
        path = tmp_path / f"{len(made)}.hset"
        compile_events(events, path, SetFacts(name=name, meaning=meaning, category="own"))
        made.append(Matcher([Hashset(path)], **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def comparable(data: bytes) -> Comparable:
    found = picture_hash(data)
    return Comparable(found.pdq, found.phash, found.quality)


def known_picture(seed: int, *, phash: bool = True) -> HashRecord:
    found = comparable(encoded(scene(seed)))
    row = pdq_row(found.pdq[:32], found.phash[:8] if phash else None)
    return HashRecord(hashlib.md5(str(seed).encode()).digest(), category="1", more=(("pdq", row),))


def one_match(found):
    ((match,),) = found
    return match


@pytest.mark.parametrize(
    ("turn", "edit"),
    [
        (None, lambda p: p.resize((320, 240))),
        ("r180", lambda p: p.rotate(180)),
        ("flipy", lambda p: p.transpose(0)),
        ("flipx", lambda p: p.transpose(1)),
        ("negative", lambda p: p.point(lambda v: 255 - v)),
    ],
)
def test_edited_turned_and_negative_copies_match_with_distance_and_turn(matcher, turn, edit):
    found = matcher(known_picture(1), known_picture(2)).match([content()], [comparable(encoded(edit(scene(1)), quality=70))])
    match = one_match(found)
    assert (match.how, match.tier, match.category, match.detail.get("turned")) == ("pdq", MatchTier.MATCH, "1", turn)
    assert 0 <= match.distance <= 31


def test_quarter_turns_match_whichever_way(matcher):
    for degrees in (90, 270):
        match = one_match(matcher(known_picture(1)).match([content()], [comparable(encoded(scene(1).rotate(degrees, expand=True)))]))
        assert match.tier is MatchTier.MATCH
        assert match.detail["turned"] in ("r90", "r270")


def test_other_pictures_match_nothing(matcher):
    found = matcher(*(known_picture(n) for n in range(20)))
    assert found.match([content()] * 20, [comparable(encoded(scene(n))) for n in range(100, 120)]) == [()] * 20


def with_bits(one: Comparable, bits: int, phash_bits: int = 0) -> Comparable:
    pdq = np.frombuffer(one.pdq, np.uint8).reshape(8, 32).copy()
    flags = np.unpackbits(pdq[0])
    flags[:bits] ^= 1
    pdq[0] = np.packbits(flags)
    pdq[1:] = np.random.default_rng(1).integers(0, 256, (7, 32), dtype=np.uint8)
    phash = bytearray(one.phash)
    phash[:8] = (int.from_bytes(phash[:8], "big") ^ ((1 << phash_bits) - 1)).to_bytes(8, "big")
    return Comparable(pdq.tobytes(), bytes(phash), one.quality)


@pytest.mark.parametrize(
    ("bits", "phash_bits", "tier"),
    [
        (0, 0, "match"),
        (31, 64, "match"),
        (32, 64, "likely"),
        (60, 64, "likely"),
        (61, 10, "weak"),
        (70, 0, "weak"),
        (61, 11, None),
        (71, 0, None),
    ],
)
def test_tiers_begin_where_the_thresholds_say(matcher, bits, phash_bits, tier):
    picture = with_bits(comparable(encoded(scene(3))), bits, phash_bits)
    found = matcher(known_picture(3)).match([content()], [picture])
    assert [m.tier.value for m in found[0]] == ([tier] if tier else [])


def test_without_a_phash_on_the_list_nothing_is_weak(matcher):
    picture = with_bits(comparable(encoded(scene(3))), 65)
    assert matcher(known_picture(3, phash=False)).match([content()], [picture]) == [()]


def test_thresholds_of_the_profile_and_the_least_quality_hold(matcher):
    picture = with_bits(comparable(encoded(scene(3))), 20)
    assert one_match(matcher(known_picture(3), thresholds=Thresholds(10, 30, 40)).match([content()], [picture])).tier is MatchTier.LIKELY
    assert matcher(known_picture(3)).match([content()], [picture._replace(quality=49)]) == [()]


def test_a_file_that_is_on_the_list_itself_is_not_also_like_itself(matcher):
    known = known_picture(4)
    one = content(md5=known.md5.hex())
    match = one_match(matcher(known).match([one], [comparable(encoded(scene(4)))]))
    assert (match.how, match.tier) == ("md5", MatchTier.EXACT)


def test_likeness_to_what_is_harmless_says_nothing(matcher):
    found = matcher(known_picture(4), meaning=Meaning.IGNORABLE)
    assert found.match([content()], [comparable(encoded(scene(4)))]) == [()]


def test_a_file_whose_first_64_kib_are_known_is_a_part_of_it(matcher):
    head = hashlib.md5(b"head").digest()
    found = matcher(HashRecord(more=(("md5_64k", head),), size=900_000))
    match = one_match(found.match([content(md5_64k=head.hex())]))
    assert (match.how, match.tier, match.detail) == ("partial", MatchTier.LIKELY, {"first_bytes": 65536, "known_size": 900_000})


def test_what_the_list_says_of_a_record_and_the_labs_own_words_come_along(matcher):
    record = HashRecord(hashlib.md5(b"x").digest(), category="2", facts=(("series", "Blue"), ("victim_identified", "no")))
    table = Categories([["*", "VICS 2.0 *", "2", "second", "known"], ["*", "*", "2", "other", None]])
    match = one_match(matcher(Scheme("VICS 2.0 UK"), record, categories=table).match([content("x")]))
    assert (match.label, match.meaning, match.detail) == ("second", Meaning.KNOWN, {"series": "Blue", "victim_identified": "no"})
    match = one_match(matcher(Scheme("VICS 1.3"), record, categories=table).match([content("x")]))
    assert (match.label, match.meaning) == ("other", Meaning.NOTABLE)


def test_files_that_are_only_named_are_looked_up_by_any_digest(matcher):
    ed2k, sha1 = hashlib.md5(b"e").digest(), hashlib.sha1(b"s").digest()
    found = matcher(HashRecord(more=(("ed2k", ed2k),), category="3"), HashRecord(None, sha1))
    files = [
        {"ed2k": ed2k.hex()},
        {"sha1": sha1.hex().upper()},
        {"ed2k": "nonsense", "md5": "zz"},
        {"ed2k": 5},
        {"sha1": hashlib.sha1(b"").hexdigest()},
    ]
    assert [[(m.how, m.category) for m in hits] for hits in found.match_named(files)] == [[("ed2k", "3")], [("sha1", "own")], [], [], []]


# videos


@pytest.fixture(scope="module")
def videos():
    def frames(data: bytes, **options) -> Comparable:
        found = frames_of(lambda at, n: data[at : at + n], len(data), **options)
        return Comparable(frames=tuple(Frame(*f) for f in found.frames))

    known = clip([1, 2, 3, 4, 5, 6])
    return {
        "known": frames(known, dense=True),
        "again": frames(clip([1, 2, 3, 4, 5, 6], size=(240, 180), rate=250_000, form="matroska", codec="libvpx")),
        "cut": frames(clip([3, 4, 5])),
        "inside": frames(clip([11, 12, 1, 2, 3, 4, 5, 6, 13, 14, 15, 16, 17, 18])),
        "quoting": frames(clip([2, *range(30, 60)])),
        "other": frames(clip([21, 22, 23, 24, 25])),
    }


@pytest.mark.parametrize(("name", "tier"), [("again", "match"), ("cut", "match"), ("inside", "likely"), ("quoting", None), ("other", None)])
def test_copies_cuts_and_videos_that_hold_a_known_one_match_and_others_do_not(matcher, videos, name, tier):
    record = HashRecord(hashlib.md5(b"v").digest(), more=tuple(("frame", f.pdq) for f in videos["known"].frames), size=5)
    other = HashRecord(
        hashlib.md5(b"w").digest(),
        more=tuple(("frame", bytes(np.random.default_rng(n).integers(0, 256, 32, dtype=np.uint8))) for n in range(9)),
    )
    found = matcher(other, record).match([content()], [videos[name]])
    assert [m.tier.value for m in found[0]] == ([tier] if tier else [])
    if tier:
        assert found[0][0].how == "frames"
        assert found[0][0].detail["of_known"] == len(videos["known"].frames)


# ignorable lists


def lists(tmp_path, **sets):
    made = []
    for name, (meaning, texts) in sets.items():
        path = tmp_path / f"{name}.hset"
        events = [HashRecord(hashlib.md5(t.encode()).digest(), category=name) for t in texts]
        compile_events(events, path, SetFacts(name=name, meaning=meaning))
        made.append((str(path), meaning.value, name))
    return made


def test_what_stands_on_an_ignorable_list_alone_is_spared(tmp_path):
    sparing = Sparing(lists(tmp_path, good=(Meaning.IGNORABLE, "abc"), bad=(Meaning.NOTABLE, "b"), seen=(Meaning.KNOWN, "c")))
    assert [sparing.spares(content(t)) for t in ("a", "b", "c", "d")] == [True, False, True, False]


def test_without_an_ignorable_list_nothing_is_spared_and_none_is_opened(tmp_path):
    made = lists(tmp_path, bad=(Meaning.NOTABLE, "b"))
    (tmp_path / "bad.hset").unlink()
    assert not Sparing(made).spares(content("b"))


def test_a_category_can_spare_or_save_by_the_labs_table(tmp_path):
    made = lists(tmp_path, five=(Meaning.KNOWN, "a"), one=(Meaning.IGNORABLE, "b"))
    sparing = Sparing(made, [["*", "*", "five", "", "ignorable"], ["*", "*", "one", "", "notable"]])
    assert [sparing.spares(content(t)) for t in ("a", "b")] == [True, False]


def test_orientations_are_the_turns_that_matches_name():
    assert ORIENTATIONS[0] == "orig"
