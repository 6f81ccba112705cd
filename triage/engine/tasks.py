"""What a worker can be asked to do. Each task answers with frames, the last of which says ``done``."""

from __future__ import annotations

import base64
import os
import struct
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triage.artifacts.child import Beside
from triage.artifacts.recipe import Held, follow, unpack_recipe
from triage.case.items import Work
from triage.engine import testhook
from triage.engine.device import facts_of_tree, facts_of_volumes
from triage.engine.phases import ANALYZING, EXPORTING, HASHING, LISTING, OPENING, READING, SAMPLING, VERIFYING
from triage.evidence import opening, verify
from triage.evidence.layers import extent_of
from triage.filesystem.checks import VolumeReader
from triage.filesystem.describe import read_head
from triage.filesystem.image import tsk_image, tsk_reason
from triage.filesystem.inside import open_again, open_inside, state_after
from triage.filesystem.overlay import facts_of, found_by_fact, volume_image
from triage.filesystem.signatures import identify_volume
from triage.filesystem.snapshots import Differences
from triage.filesystem.trees.catalog import tree_named
from triage.filesystem.trees.tree import TreeWalker
from triage.filesystem.tsk import Avoid, Walker
from triage.filesystem.volumes import list_volumes, open_file_system
from triage.logical.catalog import is_logical, open_tree, volume_of
from triage.model import MAX_CHILDREN, Entry, Evidence, Locator, Problem, Severity, Volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.engine.analyze import Analyzer
    from triage.engine.carvetasks import CarveTasks
    from triage.engine.slot import Slot
    from triage.evidence.medium import Medium
    from triage.filesystem.trees.tree import Tree

_ROWS = 400
_WEIGHT = 4 << 20
"""Characters that a pack of a walk's rows, or of items' results, holds at most, or little more: frames are limited."""
_OPEN_FILE_SYSTEMS = 8


class Tasks:
    """The state of one worker: what it has opened, and its analyzers."""

    def __init__(self, slot: Slot, settings: dict[str, Any], send: Callable[[Any], None], send_bytes: Callable[[bytes], None]) -> None:
        self._slot = slot
        self._settings = settings
        self._send = send
        self._send_bytes = send_bytes
        self._evidence: dict[str, tuple[Evidence, Medium, Any]] = {}
        self._file_systems: dict[tuple[str, int], Any] = {}
        self._trees: dict[tuple[str, int], Tree | None] = {}
        self._passwords: tuple[str, ...] = ()
        self._analyzer: Analyzer | None = None
        self._undone = Held()
        self._carving: CarveTasks | None = None

    def run(self, command: dict[str, Any]) -> None:
        """Do one command."""
        {
            "state": self._state,
            "open": self._open,
            "device": self._device,
            "attach": self._attach,
            "walk": self._walk,
            "analyze": self._analyze,
            "read": self._read,
            "verify": self._verify,
            "thumbnail": self._thumbnail,
            "free": self._free,
            "prepare": self._prepare,
            "contain": self._contain,
            "space": self._carve,
            "carve": self._carve,
            "export": self._export,
            "hash": self._hash,
            "sample": self._sample,
        }[command["do"]](command)

    def _state(self, command: dict[str, Any]) -> None:
        """Say what holds this worker; asked before it has seen evidence."""
        self._send({"done": "state", "held": self._settings["held"]})

    def _open(self, command: dict[str, Any]) -> None:
        """Open evidence for the first time: its record, its volumes, what is wrong with them."""
        self._slot.announce(OPENING, 0, 0)
        testhook.touch(command["path"], "open-")
        self._passwords = tuple(command.get("passwords", self._passwords))
        evidence, medium, warnings = opening.open_evidence(
            Path(command["path"]), exhibit=command.get("exhibit", ""), beat=self._slot.beat, passwords=self._passwords
        )
        image = None if is_logical(evidence.kind) else tsk_image(medium, evidence.paths)
        self._slot.announce(LISTING, 0, 0)
        if is_logical(evidence.kind):
            volume, device = volume_of(evidence, medium, self._slot.beat, self._passwords)
            evidence = evidence.replace(facts={**evidence.facts, **device})
            volumes = [volume]
            problems: list[Problem] = []
        else:
            volumes, problems = list_volumes(image, medium, evidence.id, self._slot.beat)
            medium, volumes, problems, opened = open_inside(medium, volumes, problems, self._passwords, self._slot.beat)
            if opened:
                evidence = evidence.replace(facts={**evidence.facts, **opened})
                image = tsk_image(medium, evidence.paths)
        if mended := facts_of(volumes):
            evidence = evidence.replace(facts={**evidence.facts, **mended})
        self._evidence[evidence.id] = (evidence, medium, image)
        said = [Problem(severity=Severity.WARNING, stage="evidence", evidence=evidence.id, message=w) for w in warnings]
        if opening.SALVAGED in evidence.facts:
            salvaged = evidence.facts[opening.SALVAGED]
            said.insert(0, Problem(severity=Severity.ERROR, stage="evidence", evidence=evidence.id, message=salvaged))
        problems = said + problems
        self._send(
            {
                "done": "open",
                "evidence": evidence.to_json(),
                "volumes": [v.to_json() for v in volumes],
                "problems": [p.to_json() for p in problems],
            }
        )

    def _device(self, command: dict[str, Any]) -> None:
        """Say what device opened evidence is of."""
        self._slot.announce(LISTING, 0, 0)
        identity = command["evidence"]
        record = self._evidence[identity][0]
        testhook.touch(record.paths[0], "device-")
        if is_logical(record.kind):
            tree = self._tree(identity, 0)
            facts = facts_of_tree(tree, self._slot.beat) if tree is not None else {}
        else:
            volumes = [Volume.from_json(v) for v in command["volumes"]]
            facts = facts_of_volumes(volumes, partial(self._file_system, identity), self._slot.beat)
        self._send({"done": "device", "facts": facts})

    def _attach(self, command: dict[str, Any]) -> None:
        """Open evidence whose record is known."""
        self._slot.announce(OPENING, 0, 0)
        self._settings["lists"] = command.get("lists", [])
        self._passwords = tuple(command.get("passwords", self._passwords))
        for data in command["evidence"]:
            evidence = Evidence.from_json(data)
            if evidence.id not in self._evidence:
                medium = opening.reopen(evidence, self._slot.beat, self._passwords)
                medium = open_again(medium, evidence.facts, self._passwords, self._slot.beat)
                image = None if is_logical(evidence.kind) else tsk_image(medium, evidence.paths)
                self._evidence[evidence.id] = (evidence, medium, image)
        self._send({"done": "attach"})

    def _file_system(self, evidence: str, offset: int) -> Any:
        key = (evidence, offset)
        fs = self._file_systems.get(key)
        if fs is None:
            if len(self._file_systems) >= _OPEN_FILE_SYSTEMS:
                self._file_systems.pop(next(iter(self._file_systems)))
            record, medium, image = self._evidence[evidence]
            _, image = volume_image(medium, image, offset, found_by_fact(record.facts, offset))
            fs = self._file_systems[key] = open_file_system(image, offset)
        return fs

    def _tree(self, evidence: str, offset: int) -> Tree | None:
        key = (evidence, offset)
        if key not in self._trees:
            record, medium, _ = self._evidence[evidence]
            if is_logical(record.kind):
                self._trees[key] = open_tree(record.kind, medium, self._slot.beat, self._passwords)[0]
            else:
                mark = identify_volume(read_head(medium, offset))
                name = mark.name if mark is not None else ""
                self._trees[key] = tree_named(name, medium, offset, extent_of(medium) - offset, self._slot.beat)
        return self._trees[key]

    def _walk(self, command: dict[str, Any]) -> None:
        """List a volume; rows go out in packs while it is walked."""
        volume = Volume.from_json(command["volume"])
        record, medium, image = self._evidence[volume.evidence]
        medium, image = volume_image(medium, image, volume.offset, volume.found_by)
        avoid = command.get("avoid", {})
        avoided = Avoid(
            directories=frozenset(avoid.get("directories", ())),
            metadata=frozenset(avoid.get("metadata", ())),
            orphans=bool(avoid.get("orphans")),
            checks=bool(avoid.get("checks")),
        )
        most = {"max_entries": command["max_entries"], "max_orphans": command["max_orphans"]}
        tree = self._tree(volume.evidence, volume.offset)
        walker: Walker | TreeWalker
        if tree is not None:
            walker = TreeWalker(tree, volume, self._slot.announce, **most, skip=avoided.metadata)
        else:
            walker = Walker(image, volume, self._slot.announce, avoid=avoided, **most, medium=medium)
        entries: list[Any] = []
        problems: list[Any] = []
        weight = 0
        rows = walker.walk()
        after = state_after(record.facts, volume) if volume.is_snapshot else None
        if after is not None:
            rows = Differences(medium, volume, after, self._slot.beat).of(rows)
        for row in rows:
            if isinstance(row, Entry):
                entries.append(row.pack())
                weight += len(row.path) + 32 * len(row.runs)
            else:
                problems.append(row.to_json())
                weight += len(row.path)
            if len(entries) + len(problems) >= _ROWS or weight >= _WEIGHT:
                self._send({"entries": entries, "problems": problems})
                entries, problems, weight = [], [], 0
        totals = walker.totals
        self._send(
            {
                "done": "walk",
                "entries": entries,
                "problems": problems,
                "totals": {
                    "names": totals.names,
                    "directories": totals.directories,
                    "owned": totals.owned,
                    "orphans_seen": totals.orphans_seen,
                    "orphans_dropped": totals.orphans_dropped,
                    "missed": totals.missed,
                    "checked": totals.checked,
                    "free": totals.free,
                    "orphan_reasons": totals.orphan_reasons,
                },
            }
        )

    def reader(self, locator: Locator) -> Callable[[int, int], bytes]:
        """Return ``read_at(offset, length)`` over the bytes that a locator names; raises ``OSError`` as it reads."""
        if locator.member is not None:
            base = locator.replace(member=None)
            return follow(self.reader(base), unpack_recipe(locator.member), self._undone, base.key)[0]
        if locator.meta_addr is None:
            return self._run_reader(locator)
        attribute = () if locator.attr_type is None else (locator.attr_type, locator.attr_id)
        tree = self._tree(locator.evidence, locator.volume_offset)
        if tree is not None:
            of = (locator.attr_type, locator.attr_id or 0) if locator.attr_type is not None else None
            return tree.open(locator.meta_addr, locator.meta_seq, of)
        read_random = self._file_system(locator.evidence, locator.volume_offset).open_meta(locator.meta_addr).read_random

        def read_at(offset: int, length: int) -> bytes:
            try:
                return read_random(offset, length, *attribute)  # type: ignore[no-any-return]
            except OSError as error:
                raise OSError(tsk_reason(error)) from error

        return read_at

    def _run_reader(self, locator: Locator) -> Callable[[int, int], bytes]:
        medium = self._evidence[locator.evidence][1]

        def read_at(offset: int, length: int) -> bytes:
            pieces = []
            start = 0
            for run in locator.runs:
                skip = offset - start
                if 0 <= skip < run.length and length > 0:
                    take = min(length, run.length - skip)
                    pieces.append(bytes(take) if run.image_offset is None else medium.read_at(run.image_offset + skip, take))
                    offset += take
                    length -= take
                start += run.length
            return b"".join(pieces)

        return read_at

    def _analyze(self, command: dict[str, Any]) -> None:
        """Read a batch of items once each and analyze them."""
        if self._analyzer is None:
            from triage.engine.analyze import Analyzer  # noqa: PLC0415 - a worker that only lists needs no analyzers

            self._analyzer = Analyzer(self._settings, self._slot.beat)
        results = []
        announce = self._slot.announce
        besides, rooms = command.get("beside", {}), command.get("room", {})
        weight = 0
        for position, data in enumerate(command["items"]):
            announce(ANALYZING, command["batch"], position)
            beside = [
                Beside(name, size, self.reader(Locator.from_json(place)), number)
                for number, (name, size, place) in enumerate(besides.get(str(position), ()))
            ]
            result = self._analyzer.run(Work(data), self.reader, beside, rooms.get(str(position), MAX_CHILDREN))
            results.append(result)
            weight += sum(len(str(f["data"])) + 500 for f in result["findings"]) + 1000 * len(result["inside"])
            if weight > _WEIGHT:
                self._send({"part": "analyze", "batch": command["batch"], "results": results})
                results, weight = [], 0
        self._send({"done": "analyze", "batch": command["batch"], "results": results})

    def _prepare(self, command: dict[str, Any]) -> None:
        """Load the formats that will be carved while others open the evidence; answers nothing."""
        self._carver().prepare(command["types"])

    def _carver(self) -> CarveTasks:
        if self._carving is None:
            from triage.engine.carvetasks import CarveTasks  # noqa: PLC0415 - a worker that only lists needs no formats

            medium_of = lambda evidence: self._evidence[evidence][1]  # noqa: E731
            self._carving = CarveTasks(self._slot, medium_of, self._send, self._settings.get("lists", ()))
        return self._carving

    def _free(self, command: dict[str, Any]) -> None:
        """Send which bytes of a volume its own books call free, as pairs of 64-bit numbers relative to the medium."""
        from triage.filesystem.allocation import free_ranges  # noqa: PLC0415 - brings the readers of every file system

        volume = Volume.from_json(command["volume"])
        self._slot.announce(LISTING, 0, 0)
        _, medium, image = self._evidence[volume.evidence]
        medium, _ = volume_image(medium, image, volume.offset, volume.found_by)
        found = free_ranges(VolumeReader(medium, volume, self._slot.beat), volume.file_system)
        if found is not None:
            info = self._file_system(volume.evidence, volume.offset).info
            end = max(int(info.block_count) * int(info.block_size), found.free[-1][1] if found.free else 0)
            behind = [(end, volume.size)] if 0 < end < volume.size else []  # no book of the file system's is about that
            numbers = [volume.offset + n for pair in (*found.free, *behind) for n in pair]
            self._send_bytes(struct.pack(f"<{len(numbers)}Q", *numbers))
        self._send({"done": "free", "known": found is not None, "note": found.note if found is not None else ""})

    def _contain(self, command: dict[str, Any]) -> None:
        """Say which bytes of a file are worth searching for other files."""
        from triage.carving.containers import container_of  # noqa: PLC0415 - only carving needs it

        self._slot.announce(READING, 0, 0)
        beat = self._slot.beat
        try:
            read = self.reader(Locator.from_json(command["locator"]))

            def read_at(offset: int, length: int) -> bytes:
                beat()
                return read(offset, length)

            found = container_of(command["name"], command["type"], read_at, command["size"])
        except OSError as error:
            self._send({"done": "contain", "error": "read", "message": tsk_reason(error)})
            return
        self._send({"done": "contain", "ranges": [list(r) for r in found.ranges] if found else [], "note": found.note if found else ""})

    def _export(self, command: dict[str, Any]) -> None:
        """Send the bytes of several items one behind the other, zeros for what cannot be read, and then their digests."""
        from triage.engine.export import export  # noqa: PLC0415 - only carving alone needs it

        readers = (self.reader(Locator.from_json(item["locator"])) for item in command["items"])
        sizes = [item["size"] for item in command["items"]]

        def announce(position: int) -> None:
            self._slot.announce(EXPORTING, command["batch"], position)

        digests = export(zip(readers, sizes, strict=True), self._send_bytes, announce)
        self._send({"done": "export", "batch": command["batch"], "items": digests})

    def _sample(self, command: dict[str, Any]) -> None:
        """Read random places and say which known blocks begin there."""
        from triage.hashsets.blockscan import BlockStore  # noqa: PLC0415 - only sampling needs it
        from triage.hashsets.store import Hashset  # noqa: PLC0415

        _, medium, _ = self._evidence[command["evidence"]]
        hits: list[list[int]] = []
        unreadable = 0
        with Hashset(Path(command["set"])) as hashset:
            blocks = BlockStore([(0, hashset)])
            for number, place in enumerate(command["places"]):
                self._slot.announce(SAMPLING, 0, number)
                try:
                    data = medium.read_at(place, min(command["length"], medium.size - place))
                except OSError:
                    unreadable += 1
                    continue
                here = [one for one in blocks.look(data, place) if one.offset < place + blocks.size]
                hits += [[one.offset, int(one.file.split(":")[1]), one.position] for one in here]
        self._send({"done": "sample", "hits": hits, "unreadable": unreadable})

    def _hash(self, command: dict[str, Any]) -> None:
        """Hash some of an agency's own files for a list."""
        from triage.engine.hashfile import hash_file  # noqa: PLC0415 - only building a list needs it

        root = Path(os.fsdecode(base64.b64decode(command["root"])))
        found = []
        for position, name in enumerate(command["files"]):
            self._slot.announce(HASHING, command["batch"], position)
            path = root / os.fsdecode(base64.b64decode(name))
            try:
                testhook.touch(str(path), "hash-")
                found.append(hash_file(path, command["flags"], self._slot.beat))
            except MemoryError:
                found.append({"error": "the memory limit was reached"})
        self._send({"done": "hash", "batch": command["batch"], "items": found})

    def _carve(self, command: dict[str, Any]) -> None:
        """Take an area, or carve a unit of it."""
        (self._carver().space if command["do"] == "space" else self._carver().carve)(command)

    def _read(self, command: dict[str, Any]) -> None:
        """Send an item's bytes, at most ``length`` from ``offset``."""
        locator = Locator.from_json(command["locator"])
        offset, end = command["offset"], command["offset"] + command["length"]
        self._slot.announce(READING, 0, 0)
        try:
            read_at = self.reader(locator)
            while offset < end:
                piece = read_at(offset, min(1 << 20, end - offset))
                if not piece:
                    self._send({"done": "read", "error": "read", "message": f"nothing can be read from byte {offset} on", "read": offset})
                    return
                self._send_bytes(piece)
                self._slot.beat()
                offset += len(piece)
        except OSError as error:
            self._send({"done": "read", "error": "read", "message": f"byte {offset} cannot be read: {tsk_reason(error)}", "read": offset})
            return
        self._send({"done": "read", "read": offset})

    def _verify(self, command: dict[str, Any]) -> None:
        """Recompute the medium's digests."""
        self._slot.announce(VERIFYING, 0, 0)
        evidence, medium, _ = self._evidence[command["evidence"]]
        read = 0

        def progress(length: int) -> None:
            nonlocal read
            read += length
            self._slot.beat()
            self._send({"progress": read})

        result = verify.verify(medium, evidence.stored_digests, progress)
        self._send(
            {
                "done": "verify",
                "verdict": result.verdict,
                "stored": dict(result.stored),
                "computed": dict(result.computed),
                "size": result.size,
                "unread": result.unread,
                "reasons": list(result.reasons),
            }
        )

    def _thumbnail(self, command: dict[str, Any]) -> None:
        """Decode one picture into a small one."""
        from triage.content.pictures import thumbnail  # noqa: PLC0415 - Pillow is optional

        self._slot.announce(READING, 0, 0)
        locator = Locator.from_json(command["locator"])
        data = self.reader(locator)(0, min(command["length"], 64 << 20))
        made = thumbnail(data, blurred=bool(command["blurred"]))
        if isinstance(made, bytes):
            self._send_bytes(made)
            self._send({"done": "thumbnail"})
        else:
            self._send({"done": "thumbnail", "error": "picture", "message": str(made)})
