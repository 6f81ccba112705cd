"""What a worker does when it carves: it is given an area, then units of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from triage.carving.carver import Carver
from triage.carving.catalog import known_formats
from triage.carving.entries import pack
from triage.carving.scan import Headers
from triage.carving.space import Area
from triage.engine import testhook
from triage.engine.phases import CARVING
from triage.hashsets.blockscan import BlockStore
from triage.hashsets.store import Hashset
from triage.model import Meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from triage.engine.slot import Slot
    from triage.evidence.medium import Medium

_ROWS, _WEIGHT = 400, 1 << 16
"""Files that an answer holds, and pieces and parts of them."""


class CarveTasks:
    """The area that a worker has at hand."""

    def __init__(
        self, slot: Slot, medium_of: Callable[[str], Medium], send: Callable[[Any], None], lists: Sequence[Sequence[str]] = ()
    ) -> None:
        self._lists = list(lists)
        self._blocks: BlockStore | None = None
        self._slot = slot
        self._medium_of = medium_of
        self._send = send
        self._number: int | None = None
        self._facts: dict[str, Any] = {}
        self._stretches: list[int] = []
        self._headers: dict[tuple[str, ...], Headers] = {}
        self._carver: Carver | None = None

    def space(self, command: dict[str, Any]) -> None:
        """Take an area, or more of its stretches."""
        if "area" in command:
            self._number, self._stretches = command["space"], []
            self._facts = {**command["area"], "types": tuple(command["types"]), "join": command["join"]}
            self._carver = None
        self._stretches += command["stretches"]

    def carve(self, command: dict[str, Any]) -> None:
        """Carve one unit; files go out in packs."""
        number, start = command["space"], command["start"]
        if number != self._number:
            raise ValueError("an area that is not at hand")
        if self._carver is None:
            self._carver = self._new(number)
        carver = self._carver
        answer = {"space": number, "start": start}
        found: list[Any] = []
        weight = 0
        common = self._known().common
        for one in carver.unit(start, command["end"], frozenset(command["avoid"])):
            found.append(pack(one))
            weight += len(one.pieces) + len(one.parts)
            if len(found) >= _ROWS or weight >= _WEIGHT:
                self._send({**answer, "found": found})
                found, weight = [], 0
        totals = carver.totals
        counts = {
            "candidates": totals.candidates,
            "rejected": totals.rejected,
            "cut": totals.cut,
            "failed": sum(totals.failed.values()),
            "unreadable": totals.unreadable,
            "given_up": totals.given_up,
            "common": self._known().common - common,
        }
        blocks = [[one.offset, *map(int, one.file.split(":")), one.position] for one in totals.blocks]
        self._send({**answer, "done": "carve", "found": found, "counts": counts, "blocks": blocks})

    def prepare(self, types: Sequence[str]) -> Headers:
        """Load the formats, all when none is named."""
        names = tuple(types)
        headers = self._headers.get(names)
        if headers is None:
            headers = self._headers[names] = Headers([f for f in known_formats() if not names or f.name in names])
        return headers

    def _new(self, number: int) -> Carver:
        facts = self._facts
        headers = self.prepare(facts["types"])
        area = Area(
            evidence=facts["evidence"],
            volume=None,
            volume_offset=0,
            kind="",
            name="",
            stretches=tuple(zip(self._stretches[::2], self._stretches[1::2], strict=True)),
            block=facts["block"],
            joined=facts["joined"],
            aligned=facts["aligned"],
        )

        def announce(offset: int) -> None:
            self._slot.announce(CARVING, number, offset)
            testhook.touch(f"{number}:{offset}", "carve-")

        medium = self._medium_of(facts["evidence"])
        known = self._known() or None
        return Carver(medium, area, headers=headers, announce=announce, beat=self._slot.beat, join=facts["join"], known=known)

    def _known(self) -> BlockStore:
        """Return the blocks of the notable lists, by the lists' numbers."""
        if self._blocks is None:
            notable = [(n, Path(path)) for n, (path, meaning, _) in enumerate(self._lists) if meaning == Meaning.NOTABLE]
            self._blocks = BlockStore([(n, Hashset(path)) for n, path in notable])
        return self._blocks
