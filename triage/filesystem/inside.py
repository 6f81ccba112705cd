"""What volumes hold volumes of their own: locked ones that a password opens, groups and containers of volumes, shadow copies.

Each becomes a view of the medium or several (:mod:`triage.evidence.layers`), and what lies in a view is volumes of its own, numbered after
the one they were found in: the second in ``vol3`` is ``vol3.2``. What is found in those is opened in its turn.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from triage.errors import PasswordError
from triage.evidence.layers import FURTHER, LayeredMedium, place_of
from triage.filesystem.describe import describe
from triage.filesystem.image import MediumImage
from triage.filesystem.openers import APFS, LVM, SHADOWS, Ask, View, group_views, kind_of, open_views
from triage.filesystem.trees.apfs import ApfsTree, ApfsView
from triage.filesystem.volumes import list_volumes
from triage.model import INSIDE, SNAPSHOT, Encryption, Problem, Severity, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from triage.evidence.medium import Medium

LOCKED = "locked"
"""The word by which what is said of a locked volume is known, and taken back once it is unlocked."""
_NOT_READ = "which is not read"
_DEEPEST = 4
_MOST_VIEWS = 2000
_WORDS = ("unlocked", "opened", "shadow copies")
_FACT = re.compile(r"(vol[0-9.]{1,40}) (unlocked|opened|shadow copies)$")
_PLACE = re.compile(r"\bbyte (\d{1,20}), (\d{1,20}) bytes")
_VIEWS = re.compile(r", views ([0-9 ]+)$")
_NAME = re.compile(r"\bvol(\d{1,4})\b")


class Opened(NamedTuple):
    """The medium with its views, all volumes, what is to be said, and the facts by which another process makes the same views."""

    medium: Medium
    volumes: list[Volume]
    problems: list[Problem]
    facts: dict[str, str]


def open_inside(
    medium: Medium, volumes: list[Volume], problems: list[Problem], passwords: Sequence[str], beat: Callable[[], None]
) -> Opened:
    """Open all that can be opened without a password and with those that were given."""
    opener = _Opener(medium, volumes, problems, passwords, beat)
    level = volumes
    for _ in range(_DEEPEST):
        if not (level := opener.open_level(level)):
            break
    opener.say_left(level)
    return Opened(opener.layered if opener.facts else medium, opener.found, opener.said, opener.facts)


class _Opener:
    """The work on one medium. ``found``, ``said`` and ``facts`` grow as it goes."""

    def __init__(
        self, medium: Medium, volumes: list[Volume], problems: list[Problem], passwords: Sequence[str], beat: Callable[[], None]
    ) -> None:
        self.layered = LayeredMedium(medium)
        self.found, self.said = list(volumes), list(problems)
        self.facts: dict[str, str] = {}
        self._passwords, self._beat = passwords, beat
        self._next = FURTHER

    def open_level(self, level: Sequence[Volume]) -> list[Volume]:
        """Open what volumes of one depth hold; return what was found in them. Places are kept for what stays locked, too."""
        inner: list[Volume] = []
        groups: list[Volume] = []
        for volume in level:
            kind = kind_of(volume, self.layered)
            if volume.number is None or not kind or volume.is_snapshot:
                continue
            if kind == LVM:
                groups.append(volume)
                continue
            part = self.layered.part(volume.offset, volume.size)
            ask = Ask(part, volume.offset, self._passwords, self._beat)
            inner += self._views(volume, kind, [volume], partial(open_views, kind, ask))
        for members, views in group_views([(v, self.layered.part(v.offset, v.size)) for v in groups]):
            inner += self._views(members[0], LVM, members, views)
        return inner

    def _views(self, volume: Volume, kind: str, members: Sequence[Volume], opening: Callable[[], list[View]]) -> list[Volume]:
        slots = [volume.number - 1 if volume.number is not None and volume.number <= FURTHER else self._reserve()]
        try:
            views = opening()
        except (ValueError, OSError) as error:
            verb = "unlocked" if volume.encryption is Encryption.LOCKED else "opened"
            what = "shadow copies of " if kind == SHADOWS else ""
            self._say(volume, f"{what}{volume.name} ({volume.file_system}) cannot be {verb}: {error}")
            return []
        slots += [self._reserve() for _ in views[1:]]
        inner: list[Volume] = []
        for view, slot in zip(views, slots, strict=False):
            for message in view.said:
                self._say(volume, f"{volume.name}: {message}")
            if view.medium is None:
                inner += self._locked(volume, view, slot, len(inner)) if len(views) > 1 and view.encrypted else []
                continue
            try:
                at = self.layered.add(slot, view.medium)
            except ValueError as error:
                self._say(volume, f"{volume.name}: {view.label or kind} cannot be opened: {error}")
                continue
            inner += self._inside(volume, kind, view, at, len(inner))
        if any(view.medium is not None for view in views):
            self._mark(volume, kind, members, slots[: len(views)])
            for one in inner if volume.encryption is Encryption.NONE else ():
                if one.encryption is Encryption.UNLOCKED:  # of a container whose volumes are locked one by one
                    self.facts[unlocked_fact(one)] = f"{one.file_system}, one of {volume.name}"
        elif kind == APFS and any(view.encrypted for view in views):
            self._lock(volume)
        if volume.encryption is Encryption.LOCKED and self._passwords and not any(view.medium is not None for view in views):
            self._say(volume, f"{volume.name} ({volume.file_system}): no password that was given opens it")
        self.found += inner
        return inner

    def _reserve(self) -> int:
        self._next += 1
        return self._next - 1

    @staticmethod
    def _locked(outer: Volume, view: View, slot: int, many: int) -> list[Volume]:
        """Return a volume that stands for one that stays locked, so that it is counted."""
        return [
            Volume(
                evidence=outer.evidence,
                number=_number(outer, 1, many),
                offset=place_of(slot),
                size=0,
                scheme=f"in {outer.name}",
                label=view.label,
                file_system=outer.file_system,
                encryption=Encryption.LOCKED,
                found_by="container",
            )
        ]

    def _inside(self, outer: Volume, kind: str, view: View, at: int, many: int) -> list[Volume]:
        """Return what lies in a view, as volumes behind those that were found in the same volume before."""
        medium = view.medium
        if medium is None:
            return []
        scheme = view.scheme or f"{kind} in {outer.name}"
        encrypted = view.encrypted or outer.encryption is not Encryption.NONE
        said: list[Problem] = []
        if isinstance(medium, ApfsView) and medium.after is not None:
            block = max(512, int.from_bytes(medium.read_at(36, 4), "little"))
            inner = [
                Volume(
                    evidence=outer.evidence, number=1, offset=0, size=medium.size, scheme=scheme, label=view.label, file_system="APFS",
                    block_size=block, found_by=SNAPSHOT,
                )
            ]  # fmt: skip
        elif isinstance(medium, ApfsView):
            tree = ApfsTree(self.layered, at, medium.size)
            inner = [
                Volume(
                    evidence=outer.evidence,
                    number=1,
                    offset=0,
                    size=medium.size,
                    scheme=scheme,
                    label=tree.label,
                    file_system="APFS",
                    block_size=tree.block_size,
                    found_by="container",
                )
            ]
        elif kind == SHADOWS:
            one, _ = describe(MediumImage(medium), medium, outer.evidence, 1, 0, medium.size, scheme, "")
            inner = [one.replace(label=view.label, found_by=SNAPSHOT)]
        else:
            inner, said = list_volumes(MediumImage(medium), medium, outer.evidence, self._beat)
        moved = []
        for volume in inner:
            state = volume.encryption if volume.encryption is Encryption.LOCKED or not encrypted else Encryption.UNLOCKED
            number = _number(outer, volume.number, many)
            label = volume.label or (view.label if len(inner) == 1 else "")
            moved.append(volume.replace(number=number, offset=at + volume.offset, scheme=scheme, encryption=state, label=label))
        self.said += [
            p.replace(volume=_number(outer, p.volume, many), message=f"{scheme}: {_renamed(outer, p.message, many)}") for p in said
        ]
        return moved

    def _mark(self, volume: Volume, kind: str, members: Sequence[Volume], slots: Sequence[int]) -> None:
        """Note that volumes were opened: what was said of them as locked or not read is true no more."""
        numbers = {m.number for m in members}
        if kind != SHADOWS:
            self.said = [p for p in self.said if p.volume not in numbers or not (LOCKED in p.message or _NOT_READ in p.message)]
            for place, one in enumerate(self.found):
                if one.number in numbers:
                    state = Encryption.UNLOCKED if one.encryption is Encryption.LOCKED else one.encryption
                    self.found[place] = one.replace(encryption=state, opened=True)
        word = _WORDS[2] if kind == SHADOWS else _WORDS[0] if volume.encryption is Encryption.LOCKED else _WORDS[1]
        places = "; ".join(f"byte {m.offset}, {m.size} bytes" for m in members)
        plain = list(slots) == [(volume.number or 0) - 1]
        views = "" if plain else f", views {' '.join(map(str, slots))}"
        self.facts[f"{volume.name} {word}"] = f"{kind} at {places}{views}"

    def _lock(self, volume: Volume) -> None:
        """Note that a container is locked, whose own header does not say so: all its volumes are."""
        self.said = [p for p in self.said if p.volume != volume.number or _NOT_READ not in p.message]
        self.found = [one.replace(encryption=Encryption.LOCKED) if one.number == volume.number else one for one in self.found]
        if self._passwords:
            self._say(volume, f"{volume.name} ({volume.file_system}): no password that was given opens it")

    def _say(self, volume: Volume, message: str) -> None:
        self.said.append(Problem(severity=Severity.ERROR, stage="volumes", evidence=volume.evidence, volume=volume.number, message=message))

    def say_left(self, level: Sequence[Volume]) -> None:
        """Say what was not opened since it lies too deep."""
        for volume in level:
            if volume.number is not None and kind_of(volume, self.layered):
                self._say(volume, f"{volume.name} holds volumes at a depth of more than {_DEEPEST}: they were not opened")


def _number(outer: Volume, number: int | None, many: int) -> int | None:
    return (outer.number or 0) * INSIDE + many + number if number is not None else None


def _renamed(outer: Volume, message: str, many: int) -> str:
    return _NAME.sub(lambda match: f"{outer.name}.{many + int(match[1])}", message)


def unlocked_fact(volume: Volume) -> str:
    """Return the name of the fact that says of evidence that a volume of it was unlocked."""
    return f"{volume.name} {_WORDS[0]}"


def unlocked_in(facts: Mapping[str, str]) -> list[str]:
    """Return the names of the volumes that were unlocked, by the facts of the evidence."""
    return sorted(key.removesuffix(f" {_WORDS[0]}") for key in facts if key.endswith(f" {_WORDS[0]}"))


class _Fact(NamedTuple):
    """What one fact says: where the volumes lie that were opened, and the slots of their views."""

    name: str
    kind: str
    places: list[tuple[int, int]]
    slots: list[int]


def _facts(facts: Mapping[str, str]) -> Iterator[_Fact]:
    """Yield the facts about what was opened, what is inside of something after that."""
    found = []
    for key, value in facts.items():
        match = _FACT.fullmatch(key)
        if match is not None and " at byte " in value:
            views = _VIEWS.search(value)
            slots = [int(n) for n in views[1].split()[:_MOST_VIEWS]] if views else [int(match[1][3:].split(".")[0]) - 1]
            places = [(int(a), int(b)) for a, b in _PLACE.findall(value)]
            found.append(_Fact(match[1], value.partition(" at byte ")[0], places, slots))
    return iter(sorted(found, key=lambda f: (f.name.count("."), f.slots)))


def open_again(medium: Medium, facts: Mapping[str, str], passwords: Sequence[str], beat: Callable[[], None]) -> Medium:
    """Return the medium with the views that an earlier process made, by their facts; raise ``PasswordError`` when a password is missing."""
    layered = LayeredMedium(medium)
    some = False
    for fact in _facts(facts):
        some = True
        parts = [layered.part(at, size) for at, size in fact.places]
        if fact.kind == LVM:
            members = [(Volume(evidence="", number=None, offset=0, size=0, scheme=""), part) for part in parts]
            views = next((opening() for _, opening in group_views(members)), [])
        else:
            views = open_views(fact.kind, Ask(parts[0], fact.places[0][0], passwords, beat)) if parts else []
        if all(view.medium is None for view in views):
            raise PasswordError(f"{fact.name} had been unlocked, and is not now", hint="give its password again")
        for number, (view, slot) in enumerate(zip(views, fact.slots, strict=False), 1):
            if view.medium is not None:
                layered.add(slot, view.medium)
            elif f"{fact.name}.{number} {_WORDS[0]}" in facts:
                raise PasswordError(f"{fact.name}.{number} had been unlocked, and is not now", hint="give its password again")
    return layered if some else medium


def state_after(facts: Mapping[str, str], copy: Volume) -> int | None:
    """Return where the state of a volume lies that follows a shadow copy: the next copy, or the volume as it is."""
    for fact in _facts(facts):
        places = [place_of(slot) for slot in fact.slots]
        if fact.kind == SHADOWS and copy.offset in places and fact.places:
            return [*places, fact.places[0][0]][places.index(copy.offset) + 1]
    return None
