"""Units of carving, handed out, answered in any order, lied about and lost; areas, and what they leave out."""

from __future__ import annotations

import copy
import itertools
import random
from typing import TYPE_CHECKING, Any

import pytest

from triage.carving.space import UNIT, Area
from triage.engine.areas import Owned, areas_of, complement
from triage.engine.carvework import COUNTS, CarveWork, Progress
from triage.engine.phases import CARVING
from triage.engine.slot import Announcement
from triage.model import Encryption, Evidence, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from triage.carving.carved import Carved
    from triage.carving.space import Space
    from triage.engine.carvework import BlockHit

SIZE = 3 * UNIT + 4096


class Sink:
    def __init__(self) -> None:
        self.found: list[tuple[str, int]] = []
        self.progress: dict[str, dict[str, Any]] = {}
        self.given_up: list[tuple[int, int]] = []

    def carved(self, area: Area, space: Space, found: list[Carved], progress: Progress, blocks: Sequence[BlockHit] = ()) -> None:
        self.found += [(area.name, one.offset) for one in found]
        self.progress[area.name] = copy.deepcopy(progress.to_json())

    def gave_up(self, area: Area, offset: int, length: int, why: str) -> None:
        self.given_up.append((offset, length))


def area(name: str = "a", size: int = SIZE) -> Area:
    return Area(evidence="e", volume=1, volume_offset=0, kind="unallocated", name=name, stretches=((512, size),))


def one(offset: int, length: int = 1000, **more: Any) -> dict[str, Any]:
    return {
        "offset": offset, "length": length, "format": "png", "extension": "png", "structure": "complete", "confidence": 95, "why": "so",
        "pieces": [[offset, length]], "until": offset + length, "checked": True, "parts": [], "facts": {"width": 5}, **more,
    }  # fmt: skip


def done(unit: Any, *found: dict[str, Any]) -> dict[str, Any]:
    command = unit.commands[-1]
    answer = {"space": command["space"], "start": command["start"], "found": list(found), "counts": dict.fromkeys(COUNTS, 1), "blocks": []}
    return {"done": "carve", **answer}


def test_units_cover_an_area_and_its_stretches_go_to_each_worker_once() -> None:
    work = CarveWork([(area(), Progress())], Sink())
    units = [work.take(w) for w in (1, 2, 1, 2)]
    assert [(u.start, u.end) for u in units if u] == [(0, UNIT), (UNIT, 2 * UNIT), (2 * UNIT, 3 * UNIT), (3 * UNIT, SIZE)]
    assert [[c["do"] for c in u.commands] for u in units if u] == [["space", "carve"], ["space", "carve"], ["carve"], ["carve"]]
    assert work.take(1) is None
    assert work.left()


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
def test_answers_in_any_order_are_taken_in_one(order: tuple[int, ...]) -> None:
    sink = Sink()
    work = CarveWork([(area(), Progress())], sink)
    units = [work.take(1) for _ in range(4)]
    for number in order:
        unit = units[number]
        assert unit is not None
        assert work.answer(unit, done(unit, one(unit.start + 512), one(unit.start + 2048)))
    assert [o for _, o in sink.found] == [n * UNIT + at for n in range(4) for at in (512, 2048)]
    assert not work.left()
    assert sink.progress["a"]["done"]
    assert sink.progress["a"]["structures"] == {"complete": 8}


def test_what_begins_inside_of_an_earlier_units_file_is_dropped_and_what_it_hid_is_looked_for_again() -> None:
    sink = Sink()
    work = CarveWork([(area(), Progress())], sink)
    first, second = work.take(1), work.take(2)
    assert first is not None
    assert second is not None
    inside, hides = one(UNIT + 512), one(UNIT + 4096, 1 << 20)
    assert work.answer(second, done(second, inside, hides))
    assert work.answer(first, done(first, one(UNIT - 512, 8192)))
    again = work.take(1)
    assert again is not None
    assert (again.start, again.end) == (UNIT - 512 + 8192, 2 * UNIT), "from where the first unit's file ends"
    assert work.answer(again, done(again, one(UNIT + 8192)))
    assert [o for _, o in sink.found] == [UNIT - 512, UNIT + 8192]
    assert sink.progress["a"]["order"]["nested"] == 1


def test_a_run_goes_on_from_what_it_has_stored() -> None:
    sink = Sink()
    work = CarveWork([(area(), Progress())], sink)
    unit = work.take(1)
    assert unit is not None
    work.answer(unit, done(unit, one(UNIT - 512, 4096)))
    later = Sink()
    work = CarveWork([(area(), Progress.from_json(sink.progress["a"]))], later)
    unit = work.take(1)
    assert unit is not None
    assert unit.start == UNIT
    work.answer(unit, done(unit, one(UNIT + 512), one(UNIT + 8192)))
    assert [o for _, o in later.found] == [UNIT + 8192], "the other lies inside of the first unit's file"


def test_a_candidate_that_a_worker_was_lost_over_is_left_out() -> None:
    sink = Sink()
    work = CarveWork([(area(), Progress())], sink)
    unit = work.take(1)
    assert unit is not None
    work.lost(unit, Announcement(CARVING, 0, 4096, 1), "signal 11")
    again = work.take(2)
    assert again is unit
    assert again.commands[-1]["avoid"] == [4096]
    assert sink.given_up == [(4096, 0)]


def test_a_unit_that_is_lost_again_and_again_is_given_up() -> None:
    sink = Sink()
    work = CarveWork([(area(size=UNIT), Progress())], sink)
    for worker in range(3):
        unit = work.take(worker)
        assert unit is not None
        work.lost(unit, Announcement(0, 0, 0, 1), "signal 9")
    assert sink.given_up == [(0, UNIT)]
    assert sink.progress["a"]["unsearched"] == UNIT
    assert not work.left()


def test_few_answers_wait_for_their_turn() -> None:
    work = CarveWork([(area(size=200 * UNIT), Progress())], Sink())
    first = work.take(1)
    taken = 0
    while (unit := work.take(2)) is not None:
        taken += 1
        work.answer(unit, done(unit, one(unit.start)))
    assert first is not None
    assert taken < 70


LIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another area": lambda m: m.__setitem__("space", 7),
    "another unit": lambda m: m.__setitem__("start", UNIT),
    "a file that begins elsewhere": lambda m: m["found"].append(one(UNIT + 512)),
    "files out of order": lambda m: m["found"].extend([one(4096), one(2048)]),
    "a file that ends outside": lambda m: m["found"].append(one(8192, SIZE)),
    "a length that its pieces do not have": lambda m: m["found"].append(one(8192, 1000, pieces=[[8192, 999]])),
    "no pieces": lambda m: m["found"].append(one(8192, pieces=[])),
    "a piece before the start": lambda m: m["found"].append(one(8192, 2000, pieces=[[8192, 1000], [-5, 1000]])),
    "a name that is a path": lambda m: m["found"].append(one(8192, extension="../x")),
    "a format that is a sentence": lambda m: m["found"].append(one(8192, format="a b")),
    "a structure that there is not": lambda m: m["found"].append(one(8192, structure="perfect")),
    "a confidence above all": lambda m: m["found"].append(one(8192, confidence=101)),
    "a length of text": lambda m: m["found"].append({**one(8192), "length": "1000"}),
    "a reason that is a book": lambda m: m["found"].append(one(8192, why="x" * 1000)),
    "facts that are lists": lambda m: m["found"].append(one(8192, facts={"a": [1]})),
    "a thousand facts": lambda m: m["found"].append(one(8192, facts={str(n): n for n in range(1000)})),
    "a part outside": lambda m: m["found"].append(one(8192, parts=[[900, 200, "jpg", "thumbnail"]])),
    "a part with a path": lambda m: m["found"].append(one(8192, parts=[[9, 2, "jpg", "../up"]])),
    "an end before the beginning": lambda m: m["found"].append(one(8192, until=8192)),
    "no counts": lambda m: m.pop("counts"),
    "no blocks": lambda m: m.pop("blocks"),
    "a block elsewhere": lambda m: m["blocks"].append([1 << 60, 0, 0, 0]),
    "a block of text": lambda m: m["blocks"].append(["a", 0, 0, 0]),
    "counts of text": lambda m: m["counts"].__setitem__("cut", "many"),
    "no files": lambda m: m.pop("found"),
    "a fact that is a gigabyte": lambda m: m["found"].append(one(8192, facts={"a": "x" * (1 << 20)})),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_about_carved_files_is_not_taken(lie: str) -> None:
    sink = Sink()
    work = CarveWork([(area(), Progress())], sink)
    unit = work.take(1)
    assert unit is not None
    message = done(unit)
    LIES[lie](message)
    with pytest.raises((ValueError, TypeError, LookupError)):
        work.answer(unit, message)
    assert not sink.found


# ---- areas ------------------------------------------------------------------------------------------------------------------

MIB = 1 << 20


def volume(number: int | None, offset: int, size: int, **more: Any) -> Volume:
    more.setdefault("file_system", "NTFS" if number else "")
    more.setdefault("block_size", 4096 if more["file_system"] == "NTFS" else 0)
    return Volume(evidence="e", number=number, offset=offset, size=size, scheme="dos", **more)


def evidence(size: int) -> Evidence:
    return Evidence(id="e", paths=("x",), kind="raw", size=size)


def test_free_space_is_what_living_files_leave_and_slack_what_they_do_not_fill() -> None:
    owned = [Owned(1, [[MIB, 8192], [None, 4096], [MIB + 16384, 4096]], 14000), Owned(1, [[MIB, 8192]], None)]
    free, slack = areas_of(evidence(2 * MIB), [volume(1, MIB, MIB)], owned)
    assert (free.kind, free.stretches, free.block) == ("unallocated", ((MIB + 8192, 8192), (MIB + 20480, MIB - 20480)), 4096)
    assert (slack.kind, slack.stretches) == ("slack", ((MIB + 16384 + 1712, 4096 - 1712),))
    assert (slack.joined, slack.aligned, free.joined, free.aligned) == (False, False, True, True)


def test_gaps_and_volumes_that_cannot_be_read_are_searched_whole_and_locked_ones_not() -> None:
    volumes = [
        volume(None, 0, MIB),
        volume(1, MIB, MIB, file_system="APFS"),
        volume(2, 2 * MIB, MIB, file_system="BitLocker", encryption=Encryption.LOCKED),
        volume(None, 3 * MIB, MIB),
    ]
    areas = areas_of(evidence(4 * MIB), volumes, [])
    assert [(a.kind, a.stretches) for a in areas] == [("gap", ((0, MIB),)), ("volume", ((MIB, MIB),)), ("gap", ((3 * MIB, MIB),))]


def test_overlapping_volumes_do_not_search_a_byte_twice() -> None:
    areas = areas_of(evidence(4 * MIB), [volume(1, 0, 3 * MIB), volume(2, 2 * MIB, 2 * MIB)], [])
    stretches = [s for a in areas for s in a.stretches]
    assert stretches == [(0, 3 * MIB), (3 * MIB, MIB)]


def test_a_volume_that_ends_past_the_medium_is_searched_as_far_as_that_goes() -> None:
    (free,) = areas_of(evidence(MIB), [volume(1, 0, 5 * MIB)], [Owned(1, [[MIB - 4096, MIB]], None)])
    assert free.stretches == ((0, MIB - 4096),)


def test_the_books_of_a_file_system_take_the_place_of_its_names_when_they_are_given() -> None:
    (free,) = areas_of(evidence(MIB), [volume(1, 0, MIB)], [], free={1: [(4096, 8192), (MIB - 4096, 2 * MIB)]})
    assert free.stretches == ((4096, 4096), (MIB - 4096, 4096))


def test_parts_of_sectors_are_left_to_slack() -> None:
    (free, slack) = areas_of(evidence(MIB), [volume(1, 0, MIB)], [Owned(1, [[0, 1000]], 900)])
    assert free.stretches == ((1024, MIB - 1024),)
    assert slack.stretches == ((900, 100),)


def test_a_complement_and_what_it_is_of_make_up_the_whole() -> None:
    rng = random.Random(3)
    for _ in range(200):
        cuts = sorted(rng.sample(range(1000), 8))
        owned = list(zip(cuts[::2], cuts[1::2], strict=True))
        start, end = sorted(rng.sample(range(1000), 2))
        left = complement(owned, start, end)
        there = {n for a, b in owned for n in range(a, b)}
        assert sorted(n for a, b in left for n in range(a, b)) == [n for n in range(start, end) if n not in there]
