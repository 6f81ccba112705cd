"""What the carver keeps of candidates, what it drops, and what it joins; units in any order give one long scan's answer."""

from __future__ import annotations

import hashlib
import itertools
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from carving_media import BOX, HEAD, Memory, area, box, padded
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.carving.carver import Carver
from triage.carving.entries import entries_of
from triage.carving.forms import Format, Header, Structure, Walked
from triage.carving.known import KnownBlock
from triage.carving.order import Order, already_listed, first_blocks

if TYPE_CHECKING:
    from triage.carving.carved import Carved
    from triage.carving.window import Window

RANDOM = random.Random(7)


def carve(data: bytes, *stretches: tuple[int, int], formats: tuple[Format, ...] = (BOX,), **how: object) -> list[Carved]:
    carver = Carver(Memory(data), area(*(stretches or ((0, len(data)),)), **how), formats=formats)  # type: ignore[arg-type]
    return list(carver.unit(0, carver.space.size))


def test_a_whole_file_has_its_true_end_and_its_reason() -> None:
    (one,) = carve(bytes(1024) + padded(box(b"x" * 700)) + bytes(512))
    assert (one.offset, one.length, one.structure, one.confidence) == (1024, HEAD + 704, Structure.COMPLETE, 95)
    assert one.pieces == ((1024, HEAD + 704),)
    assert one.why == "its digest is right"
    assert one.facts == {"payload": 700}


def test_what_lies_inside_of_a_whole_file_is_not_reported() -> None:
    inner = padded(box(b"inside"))
    data = padded(box(bytes(512 - HEAD) + inner + bytes(100))) + padded(box(b"behind"))
    assert [o.offset for o in carve(data)] == [0, len(padded(box(bytes(512 - HEAD) + inner + bytes(100))))]


def test_a_file_is_read_across_what_somebody_else_owns() -> None:
    whole = box(RANDOM.randbytes(3000))
    data = whole[:1024] + b"BOX!".ljust(512, b"L") + whole[1024:].ljust(4096, b"\0")
    (one,) = carve(data, (0, 1024), (1536, len(data) - 1536))
    assert (one.structure, one.length, one.confidence) == (Structure.FRAGMENTED, len(whole), 95)
    runs = Carver(Memory(data), area((0, 1024), (1536, len(data) - 1536)), formats=(BOX,)).space.runs(one.pieces)
    assert b"".join(data[r.image_offset or 0 :][: r.length] for r in runs) == whole


def test_a_file_does_not_go_on_into_another_stretch_of_slack() -> None:
    whole = box(RANDOM.randbytes(900))
    found = carve(whole[:600] + bytes(200) + whole[600:], (0, 600), (800, len(whole) - 600), joined=False, aligned=False)
    assert [(o.offset, o.structure) for o in found] == [(0, Structure.TRUNCATED)]


def test_headers_at_any_byte_are_found_where_files_do_not_begin_at_sectors() -> None:
    data = b"???" + box(b"one") + b"?" + box(b"two") + b"??"
    assert [o.offset for o in carve(data, aligned=False)] == [3, 4 + len(box(b"one"))]
    assert carve(data) == []


def test_a_cut_file_ends_where_the_next_one_begins() -> None:
    lying = bytearray(box(b"")[:HEAD])
    lying[4:8] = (1 << 20).to_bytes(4, "big")
    data = padded(bytes(lying), 1024) + padded(box(b"next"))
    cut, following = carve(data + bytes(1 << 21))
    assert (cut.structure, cut.length, cut.pieces) == (Structure.TRUNCATED, 1024, ((0, 1024),))
    assert (following.offset, following.structure) == (1024, Structure.COMPLETE)


def test_a_lying_length_does_not_make_gigabytes_of_a_cut_file() -> None:
    def walk(window: Window) -> Walked | None:
        return Walked(length=window.size, structure=Structure.TRUNCATED, why="", valid=100)

    (one,) = carve(b"HUGE".ljust(512) + bytes(8 << 20), formats=(Format(name="h", extension="h", headers=(Header(b"HUGE"),), walk=walk),))
    assert one.length == 100 + (1 << 20)


def test_pieces_around_whole_files_are_put_together() -> None:
    """Two whole files lie between the pieces: with them out of the way the rest follows at once."""
    whole = box(RANDOM.randbytes(2000))
    between = padded(box(b"a" * 600)) + padded(box(b"b" * 300))
    data = whole[:1024] + between + padded(whole[1024:])
    found = carve(data, formats=(replace(BOX, rejoin=lambda _window, _walked: None),))
    assert [(o.offset, o.structure) for o in found] == [
        (0, Structure.FRAGMENTED),
        (1024, Structure.COMPLETE),
        (1024 + len(padded(box(b"a" * 600))), Structure.COMPLETE),
    ]
    assert found[0].pieces == ((0, 1024), (1024 + len(between), len(whole) - 1024))
    assert found[0].confidence == 95


def test_pieces_around_something_else_are_searched_for() -> None:
    whole = box(RANDOM.randbytes(2000))
    data = whole[:1024] + RANDOM.randbytes(1536) + padded(whole[1024:])
    (one,) = carve(data)
    assert (one.structure, one.pieces) == (Structure.FRAGMENTED, ((0, 1024), (2560, len(whole) - 1024)))


def test_what_begins_inside_of_a_second_piece_is_not_reported() -> None:
    whole = box(RANDOM.randbytes(1024 - HEAD) + box(b"inner") + RANDOM.randbytes(900))
    data = whole[:1024] + RANDOM.randbytes(512) + padded(whole[1024:])
    (one,) = carve(data)
    assert one.structure is Structure.FRAGMENTED


def test_a_candidate_that_reads_without_end_is_given_up_and_counted() -> None:
    def walk(window: Window) -> Walked | None:
        while True:
            window.at(0, 1 << 20)

    data = b"LOOP".ljust(512) + padded(box(b"fine")) + bytes(1 << 20)
    endless = Format(name="loop", extension="x", headers=(Header(b"LOOP"),), walk=walk)
    carver = Carver(Memory(data), area((0, len(data))), formats=(endless, BOX))
    assert [o.offset for o in carver.unit(0, len(data))] == [512]
    assert (carver.totals.candidates, carver.totals.cut, carver.totals.rejected) == (2, 1, 1)


def test_a_walk_that_evidence_leads_astray_costs_only_its_candidate() -> None:
    def walk(window: Window) -> Walked | None:
        raise IndexError(window.size)

    data = b"OOPS".ljust(512) + padded(box(b"fine"))
    oops = Format(name="oops", extension="x", headers=(Header(b"OOPS"),), walk=walk)
    carver = Carver(Memory(data), area((0, len(data))), formats=(oops, BOX))
    assert [o.offset for o in carver.unit(0, len(data))] == [512]
    assert carver.totals.failed == {"oops: IndexError": 1}


@pytest.mark.parametrize("length", [0, -1, 1 << 40])
def test_a_walk_that_answers_what_cannot_be_is_no_file(length: int) -> None:
    def walk(_: Window) -> Walked | None:
        return Walked(length=length, structure=Structure.COMPLETE, why="")

    assert carve(b"ODD!".ljust(512), formats=(Format(name="odd", extension="x", headers=(Header(b"ODD!"),), walk=walk),)) == []


def test_a_million_headers_cost_what_they_are_long() -> None:
    """Every sector begins like a file whose end would be far away: reading is bounded for all of them together."""
    head = bytearray(box(b"")[:HEAD])
    head[4:8] = (1 << 23).to_bytes(4, "big")
    medium = Memory(bytes(head).ljust(512, b"?") * 20_000)
    carver = Carver(medium, area((0, medium.size)), formats=(replace(BOX, rejoin=None),))
    found = list(carver.unit(0, medium.size))
    assert len(found) + carver.totals.cut == 20_000
    assert len(found) > 10_000
    assert sum(o.length for o in found) <= medium.size + (1 << 24)
    assert medium.read < 2 << 30


def test_what_cannot_be_read_is_counted() -> None:
    data = padded(box(b"a")) + bytes(512) + padded(box(b"b"))
    carver = Carver(Memory(data, damaged=[(512, 512)]), area((0, len(data))), formats=(BOX,))
    assert [o.offset for o in carver.unit(0, len(data))] == [0, 1024]
    assert carver.totals.unreadable == 512


@st.composite
def media(draw: st.DrawFn) -> bytes:
    """Whole files, broken ones and noise, one behind the other."""
    pieces = []
    for number in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from(("whole", "noise", "cut", "head", "zeros")))
        made = box(random.Random(number).randbytes(draw(st.integers(0, 3000))))
        pieces.append(
            {
                "whole": made,
                "noise": made[8:],
                "cut": made[: len(made) // 2],
                "head": b"BOX!" + draw(st.binary(min_size=4, max_size=4)),
                "zeros": bytes(512),
            }[kind]
        )
    return b"".join(map(padded, pieces))


@settings(max_examples=60, deadline=None)
@given(media(), st.lists(st.integers(1, 30), max_size=6))
def test_units_in_one_order_give_what_one_scan_gives(data: bytes, cuts: list[int]) -> None:
    formats = (replace(BOX, rejoin=None),)
    one = Carver(Memory(data), area((0, len(data))), formats=formats)
    wanted = [(o.offset, o.structure) for o in one.unit(0, len(data)) if o.structure is Structure.COMPLETE]
    order, taken = Order(), []
    borders = sorted({0, len(data), *(min(512 * c, len(data)) for c in cuts)})
    for start, end in itertools.pairwise(borders):
        again: int | None = start
        while again is not None:
            unit = list(Carver(Memory(data), area((0, len(data))), formats=formats).unit(again, end))
            order = Order(order.state())  # as a run that was killed would have it
            new, again = order.accept(unit)
            taken += new
    assert [(o.offset, o.structure) for o in taken if o.structure is Structure.COMPLETE] == wanted
    offsets = [o.offset for o in taken]
    assert offsets == sorted(set(offsets))


def test_a_file_that_is_listed_by_its_name_is_recognised_by_its_first_block() -> None:
    data = bytes(512) + padded(box(b"x" * 3000))
    where = area((0, len(data)))
    carver = Carver(Memory(data), where, formats=(BOX,))
    (one,) = carver.unit(0, len(data))
    entry = entries_of(where, carver.space, one)[0]
    named = first_blocks([([[512, 4096]], entry.size)])
    assert already_listed(entry, named)
    assert already_listed(entry, first_blocks([([[512, 1024], [1536, 4096]], 5000)])) is False, "it lies otherwise"
    assert not already_listed(entry, first_blocks([([[512, 4096]], entry.size - 1)])), "the name's file is shorter"
    assert not already_listed(entry, first_blocks([([[1024, 4096]], 4000)])), "it begins elsewhere"
    assert not already_listed(entry, first_blocks([([[None, 512], [512, 4096]], 4000)])), "it begins with a hole"


def test_what_lies_inside_is_a_child_with_its_own_place() -> None:
    whole = box(b"part" + RANDOM.randbytes(2000))
    data = whole[:1024] + RANDOM.randbytes(512) + padded(whole[1024:])
    where = area((0, len(data)))
    carver = Carver(Memory(data), where, formats=(replace(BOX, rejoin=_with_parts),))
    (one,) = carver.unit(0, len(data))
    top, child = entries_of(where, carver.space, one)
    assert (child.kind.value, child.parent, child.path) == ("derived", top.id, f"{top.path}/001-payload.bin")
    assert b"".join(data[r.image_offset or 0 :][: r.length] for r in child.runs) == whole[HEAD : HEAD + 2004]
    assert top.path == "vol1/$CarvedFiles/000000000000.box"


def _with_parts(window: Window, walked: Walked) -> Walked | None:
    from carving_media import rejoin_box, walk_box

    found = rejoin_box(window, walked)
    if found is None:
        return None
    inside = walk_box(window.spliced(found.pieces))
    return replace(found, parts=inside.parts if inside is not None else ())


class _Blocks:
    """Two blocks of a known file."""

    size = 512

    def __init__(self, *blocks: bytes) -> None:
        self._known = {hashlib.md5(b).digest(): n * 512 for n, b in enumerate(blocks)}

    def look(self, data: bytes, offset: int) -> list[KnownBlock]:
        found = []
        for at in range(0, len(data) - 511, 512):
            position = self._known.get(hashlib.md5(data[at : at + 512]).digest())
            if position is not None:
                found.append(KnownBlock(offset + at, "known.jpg", position))
        return found


def test_a_store_of_blocks_sees_all_that_is_scanned() -> None:
    """The pieces of a file whose beginning is gone are recognised where they lie, apart and out of order."""
    first, second = RANDOM.randbytes(512), RANDOM.randbytes(512)
    data = padded(box(b"other")) + second + bytes(1024) + first + bytes(100)
    carver = Carver(Memory(data), area((0, 1024), (1024, len(data) - 1024)), formats=(BOX,), known=_Blocks(first, second))
    assert [o.offset for o in carver.unit(0, len(data))] == [0]
    assert carver.totals.blocks == [KnownBlock(512, "known.jpg", 512), KnownBlock(2048, "known.jpg", 0)]


def test_where_no_file_system_tells_the_whole_files_say_how_large_blocks_are() -> None:
    """A search over a gap then tries the beginnings of blocks, not those of sectors: fewer, and likelier ones."""
    seen: list[int] = []

    def rejoin(window: Window, walked: Walked) -> Walked | None:
        seen.append(window.block)
        return None

    format_ = replace(BOX, rejoin=rejoin, holds_files=False)
    broken = padded(box(RANDOM.randbytes(9000))[:4096])
    whole = [padded(box(RANDOM.randbytes(RANDOM.randint(100, 9000))), 4096) for _ in range(10)]
    carve(bytes(1024) + b"".join(whole) + padded(broken, 4096) + bytes(8192), formats=(format_,))
    carve(b"".join(w + bytes(512) for w in whole) + broken + bytes(8192), formats=(format_,))
    carve(b"".join(whole[:3]) + broken + bytes(8192), formats=(format_,))
    assert seen == [4096, 512, 512]


def test_a_search_for_the_rest_that_reads_without_end_is_given_up_and_counted() -> None:
    def rejoin(window: Window, walked: Walked) -> Walked | None:
        while True:
            window.at(0, 1 << 12)

    data = padded(box(RANDOM.randbytes(4000))[:2048]) + bytes(8192)
    carver = Carver(Memory(data), area((0, len(data))), formats=(replace(BOX, rejoin=rejoin),))
    assert [o.structure for o in carver.unit(0, len(data))] == [Structure.TRUNCATED]
    assert carver.totals.given_up == 1


def test_a_unit_that_begins_between_sectors_is_searched_at_sectors() -> None:
    data = padded(box(b"a" * 700)) + padded(box(b"b"))
    carver = Carver(Memory(data), area((0, len(data))), formats=(BOX,))
    assert [o.offset for o in carver.unit(HEAD + 704, len(data))] == [1024]
    assert [o.offset for o in carver.unit(1, len(data))] == [1024], "what begins before the start is none of its own"
